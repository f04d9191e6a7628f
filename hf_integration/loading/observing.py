"""What a process loaded and asked: every encoder once, with where that was first."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from hf_integration.loading.calls import COMMIT, Call, Place, resolved
from hf_integration.loading.interception import INTERCEPTION, Running

PROBES = ("config.json", "modules.json", "model.safetensors", "pytorch_model.bin", "open_clip_config.json")
"""Files of a repository by which the cache says at which commit it is there."""


@dataclass(frozen=True)
class Load:
    """One encoder that was loaded or asked.

    Attributes:
        api: what the user called.
        reference: what it was called with.
        place: where the encoder is.
        revision: of a Hub repository, as the user said it; ``None`` if it was left out.
        where: ``file:line`` of the user's code that was there first; empty if there is none.
        test: what ran at that time.
        count: how often it was loaded or asked.
    """

    api: str
    reference: str
    place: Place
    revision: str | None = None
    where: str = ""
    test: str = ""
    count: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """What two loads of one encoder have in common."""
        place = self.place
        if place.repo is not None and place.path is None:
            return ("repo", place.repo.casefold(), place.commit or self.revision, place.part, None)
        return ("", place.path, place.commit, place.url, place.model)

    @property
    def is_pinned(self) -> bool:
        """Whether the same call gives the same encoder tomorrow, as far as its name says."""
        if self.place.path is not None:
            return True
        return self.place.repo is not None and COMMIT.fullmatch(self.revision or "") is not None

    def joined(self, other: "Load") -> "Load":
        """Both as one; a place in the user's code is better than none, and a loose revision is said."""
        first = self if self.where or not other.where else other
        loose = next((load for load in (self, other) if not load.is_pinned), first)
        return replace(first, revision=loose.revision, count=self.count + other.count)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for another process."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Load":
        """What :meth:`to_dict` gave."""
        return cls(**{**values, "place": Place(**values["place"])})


class Observer:
    """Lists what users load and ask, and changes nothing about it.

    Args:
        test: says what runs at this moment.

    Attributes:
        test: the same.
    """

    enforces = False

    def __init__(self, test: Callable[[], str] = lambda: "") -> None:
        self.test = test
        self._lock = threading.Lock()
        self._loads: dict[tuple[object, ...], Load] = {}
        self._objects: WeakKeyDictionary[Any, Place] = WeakKeyDictionary()

    @property
    def loads(self) -> tuple[Load, ...]:
        """Each encoder once, in the order in which they were loaded first."""
        with self._lock:
            return tuple(self._loads.values())

    def start(self) -> None:
        """Look at everything that is called from now on."""
        INTERCEPTION.listen(self)

    def stop(self) -> None:
        """Look no further; what was seen stays."""
        INTERCEPTION.ignore(self)

    def before(self, running: Sequence[Running]) -> None:
        """See :class:`~hf_integration.loading.interception.Listener`."""

    def after(self, running: Sequence[Running], result: Any) -> None:
        """See :class:`~hf_integration.loading.interception.Listener`: keep what was loaded."""
        try:
            if not running[-1].told:
                self._add(running, result)
        except (
            Exception
        ) as error:  # never the user's matter: but what was not seen must not look like nothing
            self._keep(Load(running[-1].call.api, f"not understood ({type(error).__name__})", Place()))

    def _add(self, running: Sequence[Running], result: Any) -> None:
        call = running[-1].call
        whole = next((outer for outer in running if outer.call.place.holds(call.place)), running[-1])
        place, inner = whole.call.place, call.place
        if place.repo is not None and place.commit is None:
            commit = inner.commit or _commit_of(result, call) or _cached_commit(call)
            place = replace(place, commit=commit)
        for each in running:
            each.told = True
        who, outer = running[0].caller, running[0].call
        api = outer.api if outer.is_http == call.is_http else call.api
        self._remember(result, place)
        self._keep(
            Load(
                "pipeline" if who.through == "transformers.pipelines.pipeline" else api,
                whole.call.reference,
                place,
                whole.call.revision,
                f"{who.file}:{who.line}" if who.file else "",
                self.test(),
            )
        )

    def places_of(self, modules: Iterable[object]) -> set[Place]:
        """Where modules in memory were loaded from, those among them that were seen."""
        with self._lock:
            return {self._objects[module] for module in modules if module in self._objects}

    def _remember(self, result: Any, place: Place) -> None:
        model = result[0] if isinstance(result, tuple) and result else result
        with self._lock, suppress(TypeError):  # what has no weak references is none of torch's modules
            if model is not None:
                self._objects[model] = place

    def _keep(self, load: Load) -> None:
        with self._lock:
            known = self._loads.get(load.key)
            self._loads[load.key] = load if known is None else known.joined(load)


def merged(loads: Sequence[Load]) -> tuple[Load, ...]:
    """Loads of several processes, each encoder once."""
    found: dict[tuple[object, ...], Load] = {}
    for load in loads:
        found[load.key] = load if load.key not in found else found[load.key].joined(load)
    return tuple(found.values())


def _commit_of(result: Any, call: Call) -> str | None:
    """The commit that the library says it loaded."""
    model = result[0] if isinstance(result, tuple) and result else result
    said = getattr(getattr(model, "config", None), "_commit_hash", None)
    return resolved(said) or resolved(call.revision)


def _cached_commit(call: Call) -> str | None:
    """The commit that a name has in the Hub's cache: what was just loaded is there."""
    from huggingface_hub import try_to_load_from_cache

    from hf_integration.loading.calls import place_of

    if call.place.repo is None:
        return None
    folder = call.options.get("cache_dir") or call.options.get("cache_folder")
    for file in PROBES:
        found = try_to_load_from_cache(call.place.repo, file, cache_dir=folder, revision=call.revision)
        if isinstance(found, str):
            return place_of(found).commit
    return None
