"""Enforcement at load: from now on a pinned encoder is verified before transformers hands it over.

>>> import hf_integration
>>> with hf_integration.enforce("sslauth.toml", unpinned="refuse"):  # doctest: +SKIP
...     model = SentenceTransformer("org/encoder", revision="1a2b3c…")
"""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from hf_integration.base.errors import (
    ENDING,
    IntegrityError,
    LoadRefusedError,
    SSLAuthError,
    UsageError,
    in_one_line,
)
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import same_repo, today
from hf_integration.loading.calls import Call, Place
from hf_integration.loading.interception import INTERCEPTION, Running

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard
    from hf_integration.checking.held_card import Access
    from hf_integration.checking.pins import Pin, Pins
    from hf_integration.encoders.files.folder import EncoderFolder

Unpinned = Literal["allow", "refuse"]

_PICKLES = {"use_safetensors": False, "weights_only": False, "from_tf": True, "from_flax": True}
"""Arguments by which a call asks for weights in a format that may run code, or that no card covers."""


@dataclass(eq=False)
class _Held:
    """A pinned encoder while a library loads it.

    Attributes:
        pin: its entry.
        card: its card.
        found: its files, which are those of the card.
        models: how many models of it were verified.
    """

    pin: "Pin"
    card: "WatermarkCard"
    found: "EncoderFolder"
    models: int = 0


class Enforcement:
    """What :func:`enforce` gives: undone by :meth:`undo`, or at the end of a ``with`` block."""

    def __init__(self, rules: "_Rules") -> None:
        self._rules: _Rules | None = rules

    def undo(self) -> None:
        """Enforce this no longer; once more changes nothing."""
        with _LOCK:
            rules, self._rules = self._rules, None
            if rules is None:
                return
            rules.holders -= 1
            if not rules.holders:
                _ACTIVE.pop(rules.key, None)
                INTERCEPTION.ignore(rules)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.undo()


def enforce(file: str | os.PathLike[str] = "sslauth.toml", *, unpinned: Unpinned = "allow") -> Enforcement:
    """Verify every pinned encoder of a file from now on, whenever this process loads it.

    Covers what ends in ``PreTrainedModel.from_pretrained``: the classes of transformers, ``AutoModel`` and
    ``pipeline``; and ``SentenceTransformer``, ``CrossEncoder``, ``SparseEncoder``, ``MultiVectorEncoder``.
    A pinned encoder is called by its repository or folder, as ever. Before it is handed over, it has to be at
    its pinned commit, its files have to be that commit's and the card's, and every tensor that was loaded has
    to be the card's. No key sample is run. The card, its signer and its last day are enforced as well.

    The file is read once: what is written into it later is enforced by a later call. The same call once more
    changes nothing but that it has to be undone once more. Loads in all threads are held against it.

    Not covered: tokenizers and processors that are loaded by a call of their own from another revision;
    other libraries, such as timm, onnxruntime and clients of servers; state that is changed after the load;
    code that loads weights by itself, or undoes this; configuration that the caller passes in. A copy of a
    pinned repository in a folder that is not pinned is an unpinned encoder. Loads that sslauth makes itself,
    as ``load_encoder`` does, are left to ``authenticate``. ``waivers`` do not count.

    Args:
        file: the ``sslauth.toml``.
        unpinned: what becomes of encoders that no entry pins: ``allow`` lets them load as ever, ``refuse``
            refuses them.

    Returns:
        What undoes it, also as a context manager.

    Raises:
        UsageError: the file cannot be read, is not as it should be, or ``unpinned`` is neither.
        LoadRefusedError: raised by the load itself, later, for an encoder that is not as it is pinned.
    """
    from hf_integration.checking.pins import read_pins

    if unpinned not in ("allow", "refuse"):
        raise UsageError(f"unpinned is {unpinned!r}", remedy="write 'allow' or 'refuse'")
    pins = read_pins(Path(file).absolute())
    with _LOCK:
        key = (pins.file, pins.text, unpinned)
        rules = _ACTIVE.setdefault(key, _Rules(pins, unpinned))
        rules.holders += 1
        INTERCEPTION.listen(rules)
    return Enforcement(rules)


class _Rules:
    """What is enforced by one reading of a file."""

    enforces = True

    def __init__(self, pins: "Pins", unpinned: Unpinned) -> None:
        self._pins = pins
        self._unpinned = unpinned
        self.key = (pins.file, pins.text, unpinned)
        self.holders = 0
        self._cards: dict[str, WatermarkCard] = {}

    def before(self, running: Sequence[Running]) -> Mapping[str, Any] | None:
        """See :class:`~hf_integration.loading.interception.Listener`.

        Raises:
            LoadRefusedError: the encoder is not as it is pinned, or not pinned.
        """
        call = running[-1].call
        for outer in running[:-1]:
            held = outer.notes.get(self)
            if isinstance(held, _Held) and outer.call.place.holds(call.place) and _is_same(held, call):
                with _refusals(call):
                    _refuse_code(call)  # a library hands on what its caller chose
                running[-1].notes[self] = held
                return None
        with _refusals(call):
            pin = self._pin(call.place)
            if pin is None:
                self._refuse_unpinned()
                return None
            running[-1].notes[self] = self._verified(pin, call)
            return {} if pin.commit is None or call.place.path is not None else {"revision": pin.commit}

    def after(self, running: Sequence[Running], result: Any) -> None:
        """See :class:`~hf_integration.loading.interception.Listener`.

        Raises:
            LoadRefusedError: what was loaded is not the card's.
        """
        call = running[-1].call
        held = running[-1].notes.get(self)
        if not isinstance(held, _Held):
            return
        with _refusals(call):
            if call.api == "from_pretrained":
                from hf_integration.loading.verifying import verify_model

                verify_model(result[0] if isinstance(result, tuple) else result, held.found, held.card)
                held.models += 1
            elif not held.models:
                raise IntegrityError(
                    f"{call.api} loaded no model of transformers, which is all that is verified at load",
                    remedy="load it without another backend; check a table of tokens by assert_authentic",
                )

    def _pin(self, place: Place) -> "Pin | None":
        for pin in self._pins.encoders.values():
            if same_repo(pin.repo, place.repo):
                return pin
            folder = None if pin.folder is None else pin.folder.resolve()
            if folder is not None and place.path is not None and Path(place.path).is_relative_to(folder):
                return pin
        return None

    def _refuse_unpinned(self) -> None:
        if self._unpinned == "refuse":
            name = self._pins.file.name
            raise IntegrityError(
                f"no entry of {name} pins it", remedy="pin it with `sslauth add`, or load what is pinned"
            )

    def _verified(self, pin: "Pin", call: Call) -> _Held:
        """Verify commit, card and files of a pinned encoder that is about to be loaded.

        Raises:
            SSLAuthError: something is not as it is pinned, or could not be found out.
        """
        from hf_integration.checking.held_card import Access
        from hf_integration.loading.verifying import verified_folder

        if pin.lock_hint is not None:
            raise UsageError(pin.lock_hint)
        _refuse_code(call)
        token = call.options.get("token")
        cache = call.options.get("cache_dir") or call.options.get("cache_folder")
        access = Access(
            token=token if isinstance(token, str) else None, cache_dir=None if cache is None else Path(cache)
        )
        folder = _folder(pin, call, access)
        card = self._cards.get(pin.name)
        if card is None:
            card = self._cards[pin.name] = _card(pin, access)  # the pinned one: it cannot become another
        if card.expired(today()):
            raise IntegrityError(f"its card expired on {card.expires}", remedy="pin a newer one")
        found = verified_folder(folder, card)
        # libraries that load all of a folder read other files than those of its model
        verified = found.model if call.api == "from_pretrained" else folder
        if Path(call.place.path or folder / (call.place.part or "")).resolve() != verified.resolve():
            raise UsageError(f"it is a part of {pin}", remedy=f"load {verified}")
        return _Held(pin, card, found)


def _refuse_code(call: Call) -> None:
    """Refuse what would run code before anything could be compared.

    Raises:
        UsageError: code of the repository, or pickled weights, are asked for.
    """
    if call.api == "trust_remote_code" or call.options.get("trust_remote_code"):
        raise UsageError("trust_remote_code runs code that no card covers", remedy="leave it out")
    asked = [name for name, value in _PICKLES.items() if call.options.get(name, not value) == value]
    if asked:
        raise UsageError(f"{asked[0]} asks for weights that no card covers", remedy="leave it out")


def _is_same(held: _Held, call: Call) -> bool:
    """Whether what a library loads within a verified load is the same encoder, at the same commit."""
    return call.api != "trust_remote_code" and call.place.commit == held.pin.commit


def _folder(pin: "Pin", call: Call, access: "Access") -> Path:
    """Where the files are that will be loaded, each with the bytes of the pinned commit.

    Raises:
        IntegrityError: another commit is asked for than is pinned, or other bytes are there.
        InconclusiveError: the Hub could not be asked.
    """
    if pin.repo is None:
        return pin.folder or Path()
    from hf_integration.snapshot import resolve
    from hf_integration.snapshot.hub import resolve_commit

    cache = access.cache_dir
    if call.place.path is not None:  # a folder of the cache, or one that looks like it
        cache = Path(call.place.path.replace(os.sep, "/").partition("/models--")[0])
    commit = call.place.commit or resolve_commit(
        pin.repo, revision=call.revision, token=access.token, cache_dir=cache
    )
    if commit != pin.commit:
        said = "without a revision" if call.revision is None else f"at {call.revision!r}"
        raise IntegrityError(
            f"it was asked for {said}, which is commit {commit}, but {pin.file.name} pins {pin.commit}",
            remedy=f"load it with revision='{pin.commit}'; only `sslauth lock` moves a pin",
        )
    return resolve(pin.repo, revision=commit, token=access.token, cache_dir=cache).path


def _card(pin: "Pin", access: "Access") -> "WatermarkCard":
    """The pinned card.

    Raises:
        SSLAuthError: it is another one, not signed as it should be, or not there.
    """
    from hf_integration.checking.finding import Asked, Found, Place
    from hf_integration.checking.held_card import hold_card

    encoder = Place(pin.name, pin.folder, pin.repo, pin)
    card = None if pin.has_own_card else Place(pin.name, pin.card_folder, pin.card_repo, pin)
    found = Found(asked=Asked(encoder=pin.name), encoder=encoder, card=card)
    return hold_card(found, access, commit=pin.commit).card


class _refusals:  # noqa: N801  # reads as a function
    """Whatever goes wrong while a load is verified refuses it, in one line that names it."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, ENDING):
            return
        name = harmless(self._call.place.repo or self._call.reference)
        reason = str(error) if isinstance(error, SSLAuthError) else f"internal error: {in_one_line(error)}"
        raise LoadRefusedError(f"'{name}' was not loaded: {harmless(reason, longest=1000)}") from error


_LOCK = threading.RLock()
_ACTIVE: dict[tuple[object, ...], _Rules] = {}
