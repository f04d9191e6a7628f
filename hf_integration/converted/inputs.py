"""The third question, asked first: does a converted encoder read texts as the original does?

Where the runtime says which tokens it makes, token numbers are compared; else embeddings are, and only how
far they are from those of the original says whether a text was read differently.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hf_integration.base.errors import EncoderError, EndpointError, KeySampleError
from hf_integration.base.text import quoted
from hf_integration.converted.nasty_texts import LENGTHS, NASTY, long_text
from hf_integration.converted.original import own_prompt
from hf_integration.converted.runtime import Array, Converted
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed, own_length
from hf_integration.serving.recipe import PLAIN, Recipe

FAR = 0.1
"""Relative distance of embeddings from which a text was read differently: half precision moves less."""


@dataclass(frozen=True)
class Read:
    """How texts were read.

    Attributes:
        asked: how many texts were.
        differences: what is read differently, in words, line by line.
        cut: tokens at which texts are cut, where the original cuts elsewhere; ``None`` if it does not.
        prompt: put before every text, where the original puts another; ``None`` if it does not.
        settings: keys of the tokenizer's files that differ.
        alike: for each text that was given, whether it was read as the original reads it.
        other: whether anything but a cut differs.
        known: whether this could be found out at all.
        unrecorded: how many texts are asked today of which nothing is recorded.
    """

    asked: int
    differences: tuple[str, ...]
    cut: int | None
    prompt: str | None
    settings: tuple[str, ...]
    alike: tuple[bool, ...]
    other: bool
    known: bool = True
    unrecorded: int = 0


def ask(encoder: TorchEncoder, converted: Converted, texts: Sequence[str], recipe: Recipe = PLAIN) -> Read:
    """Have both read nasty texts, long ones, and others.

    Args:
        encoder: the trusted copy.
        converted: the converted encoder.
        texts: others, such as key samples.
        recipe: what the converted encoder is expected to do, which may be to cut elsewhere.
    """
    if converted.cannot_run():
        return Read(
            0, (), None, None, converted.settings(), tuple(True for _ in texts), other=False, known=False
        )
    named = named_texts()
    reference = Computed(encoder, recipe).encoder
    said, prompt = list[str](), converted.prompt
    if prompt in (None, own_prompt(reference)):
        prompt = None
    else:
        said.append(
            f"texts begin with '{quoted(prompt)}', and the original's with '{quoted(own_prompt(reference))}'"
        )
        reference = Computed(encoder, recipe.but(prompt=prompt)).encoder
    everything = [*named.values(), *texts]
    theirs = [_original(reference, text) for text in everything]
    mine = _converted(converted, everything)
    settings = converted.settings()
    if mine is None:
        return _by_embeddings(reference, converted, named, texts, settings)
    cut = _cut(mine, theirs, own_length(reference))
    same = [_same(one, other, cut) for one, other in zip(mine, theirs, strict=True)]
    differing = [name for name, alike in zip(named, same, strict=False) if not alike]
    unlike = same[len(named) :].count(False)
    if cut is not None:
        said.append(f"texts are cut at {cut} tokens, and the original cuts at {own_length(reference)}")
    said += _tokenised_differently(differing, same[len(named) :])
    exact = [one == other for one, other in zip(mine, theirs, strict=True)]
    return Read(
        len(everything),
        tuple(said),
        cut,
        prompt,
        settings,
        tuple(exact[len(named) :]),
        bool(differing or unlike),
    )


def named_texts() -> dict[str, str]:
    """The texts that are asked besides key samples, by what a report calls them."""
    return {**NASTY, **{f"texts of {words} words": long_text(words) for words in LENGTHS}}


def text_digest(text: str) -> bytes:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def ids_digest(ids: Sequence[int] | None) -> bytes:
    """SHA-256 of token numbers; of none where a text is refused or gives none."""
    return hashlib.sha256(b"none" if ids is None else np.asarray(ids, dtype="<i8").tobytes()).digest()


def digests_of(encoder: TorchEncoder, texts: Sequence[str]) -> dict[bytes, bytes]:
    """What a card records of how an encoder reads texts: the nasty ones and others, such as key samples."""
    return {
        text_digest(text): ids_digest(_original(encoder, text)) for text in (*named_texts().values(), *texts)
    }


def read_by_digests(
    known: Mapping[bytes, bytes],
    converted: Converted,
    texts: Sequence[str],
    *,
    length: int,
    prompt: str,
) -> Read:
    """Hold what a converted encoder reads against digests of the original's token numbers.

    Args:
        known: as :func:`digests_of` gives them.
        converted: the converted encoder.
        texts: key samples.
        length: tokens at which the original cuts.
        prompt: put before every text by the original.
    """
    named, settings = named_texts(), converted.settings()
    asked = {name: text for name, text in named.items() if text_digest(text) in known}
    unread = Read(0, (), None, None, settings, tuple(True for _ in texts), other=False, known=False)
    if converted.cannot_run() or not asked or any(text_digest(text) not in known for text in texts):
        return unread
    if converted.prompt not in (None, prompt):
        said = f"texts begin with '{quoted(converted.prompt)}', and the original's with '{quoted(prompt)}'"
        return Read(0, (said,), None, converted.prompt, settings, tuple(False for _ in texts), other=False)
    everything = [*asked.values(), *texts]
    mine = _converted(converted, everything)
    if mine is None:
        return unread
    same = [ids_digest(ids) == known[text_digest(text)] for ids, text in zip(mine, everything, strict=True)]
    longest = max(len(ids or ()) for ids in mine)
    off = [len(ids or ()) for ids, alike in zip(mine, same, strict=True) if not alike]
    # all that differs is as long as the earlier of two cuts: a shorter text would show another tokenizer
    cut = longest if off and longest != length and min(off) >= min(longest, length) else None
    differences = []
    if cut is not None:
        differences.append(f"texts are cut at {cut} tokens, and the original cuts at {length}")
    else:
        differing = [name for name, alike in zip(asked, same, strict=False) if not alike]
        differences += _tokenised_differently(differing, same[len(asked) :])
    return Read(
        len(everything),
        tuple(differences),
        cut,
        None,
        settings,
        tuple(same[len(asked) :]),
        other=bool(off) and cut is None,
        unrecorded=len(named) - len(asked),
    )


def _tokenised_differently(differing: Sequence[str], samples: Sequence[bool]) -> Iterator[str]:
    """What to say of texts by their names, and of key samples by whether each is read alike."""
    for name in differing:
        yield f"{name} {'is' if _single(name) else 'are'} tokenised differently"
    if unlike := samples.count(False):
        yield f"{unlike} of {len(samples)} key samples are tokenised differently"


def _single(name: str) -> bool:
    return name.startswith(("the ", "a text", "one word", "white space", "punctuation", "program code"))


def _original(encoder: TorchEncoder, text: str) -> list[int] | None:
    """Token numbers as the encoder itself reads a text; ``None`` if it refuses to."""
    try:
        prepared = encoder.parts[1].prepare([text])
    except KeySampleError:
        return None
    return [int(token) for token in prepared.batch([0]).inputs["input_ids"][0].tolist()]


def _converted(converted: Converted, texts: Sequence[str]) -> list[list[int] | None] | None:
    """The same of the converted encoder; ``None`` if nobody knows."""
    found: list[list[int] | None] = []
    for text in texts:
        try:
            ids = converted.ids([text])
        except EncoderError:
            found.append(None)
            continue
        if ids is None:
            return None
        found.append(ids[0] or None)
    return found


def _cut(mine: Sequence[list[int] | None], theirs: Sequence[list[int] | None], length: int) -> int | None:
    """Tokens at which the converted encoder cuts, if that is elsewhere and no text says otherwise."""
    longest = max(len(one or ()) for one in mine)
    if longest == max(len(other or ()) for other in theirs):
        return None
    return longest if longest != length else None


def _same(one: list[int] | None, other: list[int] | None, cut: int | None) -> bool:
    """Whether a text is read alike, a cut aside: one ends earlier, and with what ends all of them."""
    if one == other or cut is None or one is None or other is None:
        return one == other
    shorter, longer = sorted((one, other), key=len)
    body = len(shorter) - 1
    return shorter[:body] == longer[:body] and len(shorter) < len(longer) and shorter[-1] == longer[-1]


def _by_embeddings(
    encoder: TorchEncoder,
    converted: Converted,
    named: dict[str, str],
    texts: Sequence[str],
    settings: tuple[str, ...],
) -> Read:
    """The same by distances, where nobody says which tokens are made."""
    said = []
    for name, text in named.items():
        away = _distance(encoder, converted, text)
        if away is None:
            said.append(f"{name}: no answer")
        elif away > FAR:
            are = "is" if _single(name) else "are"
            said.append(f"{name} {are} read differently: their embeddings are {away:.1e} away")
    return Read(len(named), tuple(said), None, None, settings, tuple(True for _ in texts), bool(said))


def _distance(encoder: TorchEncoder, converted: Converted, text: str) -> float | None:
    try:
        mine = converted.embed([text])[0]
        theirs = encoder.embed([text]).double().numpy()[0]
    except (EncoderError, KeySampleError, EndpointError):
        return None
    return None if mine.shape != theirs.shape else _away(mine, theirs)


def _away(mine: Array, theirs: Array) -> float:
    return float(np.linalg.norm(mine - theirs) / max(float(np.linalg.norm(theirs)), 1e-12))
