"""Compare the files of two folders key by key: a change, unless there is a reason why it cannot matter.

Default deny. A key that differs is a change unless it is on the list of inert ones, or the file now says what
was in effect before, or leaves it out and the same is in effect. What our own loader makes of it excuses
nothing else, as another loader may make something else of it. Nothing at all excuses a change of a file that
belongs to an encoder in the same folder that is not run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from hf_integration.encoders.files.json_values import same_json, same_numbers
from hf_integration.encoders.identity.behaviour import VOCABULARY, shown, shown_change, shown_value
from hf_integration.encoders.identity.folder_record import AT_ROOT, WHOLE, FolderRecord, Keys
from hf_integration.encoders.identity.in_effect import LONGEST_TEXT
from hf_integration.encoders.identity.inert import IMPLIED, is_standard, why_inert

_ABSENT = object()
_CLASSES = ("tokenizer_class", "image_processor_type", "feature_extractor_type")
_DTYPES = ("dtype", "torch_dtype")
_ASSERTED = ("architectures", *_DTYPES)
"""Keys that loaders obey and the one here does not: of other classes of models, in other dtypes."""

_GENERIC = frozenset({"PreTrainedTokenizer", "TokenizersBackend"})
_SENTENCE_FILES = (
    "modules.json",
    "sentence_*_config.json",
    "config_sentence_transformers.json",
    "[!.]*/config.json",
)

Same = Callable[[str], bool]
"""Whether the effective values that a file sets are the same on both sides."""

Apart = Callable[[str], bool]
"""Whether a file belongs to what is not run, so that no effective value speaks for it."""


@dataclass(frozen=True)
class FolderComparison:
    """How two folders differ.

    Attributes:
        changed: ``file: key: was -> is`` of every difference that may matter.
        notes: the same of those that cannot, with the reason.
        touched: ``(file, key)`` of every difference that may matter.
        equal: whether nothing differs but keys that are on the list of inert ones.
    """

    changed: tuple[str, ...]
    notes: tuple[str, ...]
    touched: frozenset[tuple[str, str]]
    equal: bool


def compare_folders(
    was: FolderRecord,
    now: FolderRecord,
    *,
    same: Same,
    apart: Apart = lambda _: False,
    defaults: Keys | None = None,
    headless: bool = False,
) -> FolderComparison:
    """Compare the files that were recorded with those that are there.

    Args:
        was: the card's record.
        now: that of the encoder that is checked.
        same: asked whether what the loaded objects obey is the same, by the name of the file that sets it.
        apart: asked whether any difference of a file counts, by its name.
        defaults: of the configuration's class in the library that is installed.
        headless: whether the weights are now those of the encoder alone, without the head of another task.
    """
    judge = _Judge(was, now, same, apart, defaults or {}, headless)
    changed, notes, touched, inert = [], [], set(), 0
    for file in sorted({*was.files, *now.files}):
        if file not in now.files:
            if apart(file):
                changed.append(f"{shown(file)}: missing; it is not part of what is run")
                touched.add((file, WHOLE))
            elif _opened_at_root(file) and any(map(_opened_at_root, now.files)):
                changed.append(f"{shown(file)}: missing; what loads the rest at the root does without it")
                touched.add((file, WHOLE))
            else:
                notes.append(
                    f"{shown(file)}: missing, or no longer read; what is loaded without it was compared"
                )
            continue
        before, after = was.files.get(file), now.files[file]
        if before is None and not is_standard(file):
            notes.append(f"{shown(file)}: new; no standard loader opens a file of that name")
            continue
        for key in sorted({*(before or {}), *after}):
            old, new = (before or {}).get(key, _ABSENT), after.get(key, _ABSENT)
            if _equal(old, new):
                continue
            line = _line(file, key, old, new, appeared=before is None)
            why = judge.why_harmless(file, key, old, new)
            if why is None:
                changed.append(line)
                touched.add((file, key))
            else:
                notes.append(f"{line} ({why})")
                inert += why_inert(file, key) is not None
        if before is None and not after and apart(file):
            changed.append(f"{shown(file)}: new; it is not part of what is run")
            touched.add((file, WHOLE))
        elif before is None and not after:
            notes.append(f"{shown(file)}: new and empty")
    equal = not changed and len(notes) == inert
    return FolderComparison(tuple(changed), tuple(notes), frozenset(touched), equal)


@dataclass(frozen=True)
class _Judge:
    was: FolderRecord
    now: FolderRecord
    same: Same
    apart: Apart
    defaults: Keys
    headless: bool

    def why_harmless(self, file: str, key: str, old: Any, new: Any) -> str | None:
        """The reason why a difference cannot matter, or ``None``."""
        if self.apart(file):
            return None
        if not is_standard(file):
            return "no standard loader opens a file of that name"
        if why := why_inert(file, key):
            return why
        if _ABSENT not in (old, new) and same_numbers(old, new):
            return "the same number"
        if any(fnmatchcase(file, pattern) for pattern in _SENTENCE_FILES):
            return "read alike" if self.same(file) else None
        if key.rpartition(".")[2] in _CLASSES and self._prepares_the_same(file, key, old, new):
            return "another class that prepares the same"
        if key == "model_max_length" and self._was_the_longest_text(file, new):
            alone = f"texts that the tokenizer alone prepares are now cut at {shown_value(new)} tokens"
            return f"the embedding is made of as many tokens as before; {alone}"
        return self._why_in_effect(file, key, old, new)

    def _why_in_effect(self, file: str, key: str, old: Any, new: Any) -> str | None:
        last = key.rpartition(".")[2]
        written = last if last in _DTYPES else key  # a tower is loaded in the dtype of the whole
        before = self.was.in_effect.get(file, {}).get(written, _ABSENT)
        after = self.now.in_effect.get(file, {}).get(written, _ABSENT)
        if last == "architectures" and self.headless and _equal(new, before):
            return "the encoder was saved alone; there is no head to load"
        if last in _ASSERTED and old not in (_ABSENT, None):
            before = old
        if new is not _ABSENT:
            if _equal(_content(new), before):
                return "what was in effect before"
            if last in _DTYPES and new == self.now.dtype and self.now.dtype != self.was.dtype:
                return "what the weights are stored in"
            if old is not _ABSENT:
                return None
            if _equal(IMPLIED.get(key, _ABSENT), new):
                return "the default"
            return self._why_as_before(file, key, new) if before is _ABSENT else None
        if _equal(IMPLIED.get(key, _ABSENT), old):
            return "said nothing"
        if after is not _ABSENT and (_equal(after, before) or _equal(after, _content(old))):
            return "left out, and in effect all the same"
        if after is _ABSENT and _says_nothing(old) and self._loaded(file, key):
            return "said nothing"
        if last in _DTYPES and after == self.now.dtype != self.was.dtype:
            return "what the weights are stored in"
        return None

    def _why_as_before(self, file: str, key: str, new: Any) -> str | None:
        """Why a new key, of which the loaded object had nothing to say, says no more than its absence did."""
        if _says_nothing(new) and self._loaded(file, key):
            return "says nothing"
        same = file == "config.json" and _equal(self.defaults.get(key, _ABSENT), new)
        return "the default" if same else None

    def _loaded(self, file: str, key: str) -> bool:
        """Whether an object was loaded on both sides that this part of the file describes."""
        part = key.rpartition(".")[0]
        sides = (self.was.in_effect.get(file, {}), self.now.in_effect.get(file, {}))
        return all(any(name.rpartition(".")[0] == part for name in side) for side in sides)

    def _prepares_the_same(self, file: str, key: str, old: Any, new: Any) -> bool:
        """Whether two names of classes stand for one preparation, in another library or generation of it."""
        plain = {_plain_class(value) for value in (old, new) if value is not _ABSENT}
        if not self._loaded(file, key):
            return len(plain) == 1 and _ABSENT not in (old, new)
        return len(plain - _GENERIC) <= 1 and self.same(file)

    def _was_the_longest_text(self, file: str, new: Any) -> bool:
        if new is _ABSENT:
            return False
        before, after = (
            side.in_effect.get(file, {}).get(LONGEST_TEXT, _ABSENT) for side in (self.was, self.now)
        )
        return _equal(before, after) and _equal(before, new)


def _opened_at_root(file: str) -> bool:
    """Whether who loads the root opens this file, which none of the model's folder stands in for."""
    return file.startswith(AT_ROOT) and is_standard(file)


def _plain_class(value: Any) -> str:
    name = str(value).removesuffix("Fast").removesuffix("Pil")
    return name.replace("FeatureExtractor", "ImageProcessor") if name.startswith(("ViT", "CLIP")) else name


def _content(value: Any) -> Any:
    """A special token is written as its text, or as an object that holds it beside flags."""
    return value["content"] if isinstance(value, Mapping) and "content" in value else value


def _says_nothing(value: Any) -> bool:
    return value is None or value is False or value in ({}, [], "")


def _equal(one: Any, other: Any) -> bool:
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return same_json(one, other)


def _line(file: str, key: str, old: Any, new: Any, *, appeared: bool) -> str:
    if key == WHOLE:
        return f"{shown(file)}: {'new' if appeared else 'differs'}"
    if all(isinstance(value, str) and value.startswith("sha256:") for value in (old, new)):
        what = VOCABULARY if (file, key) == ("tokenizer.json", "model") else shown(key)
        return f"{shown(file)}: {what} differs"
    return f"{shown(file)}: {shown_change(key, old, new)}"
