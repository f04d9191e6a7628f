"""What to do about an encoder that nobody authenticated: an entry for it, or why there can be none."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import is_repo_id, same_repo
from hf_integration.loading.calls import Place
from hf_integration.loading.observing import Load

if TYPE_CHECKING:
    from hf_integration.checking.pins import Pin, Pins

_APIS: Mapping[str, str] = {"OpenAI": "openai", "Cohere": "cohere", "InferenceClient": "hf"}
"""What a client speaks, as an entry calls it."""

MOST = 80
"""Characters of a name that is made up; an entry may have a few more."""

_CONVERTED = ("onnxruntime.InferenceSession",)


@dataclass(frozen=True)
class Advice:
    """What to do about one load.

    Attributes:
        name: of the entry that would be new.
        entry: its keys and values, as far as the load tells them; ``None`` where no entry would help.
        note: what else there is to say: why there is no entry, or what it lacks.
    """

    name: str = ""
    entry: Mapping[str, str | Mapping[str, str]] | None = None
    note: str = ""


def is_authenticated(load: Load, authenticated: Iterable[Place]) -> bool:
    """Whether what was loaded is one of the encoders that were found authentic.

    Args:
        load: how it was loaded or asked.
        authenticated: folders, Hub repositories at a commit, and servers with what they were asked for.
    """
    place = load.place
    if load.api in _CONVERTED:
        return False  # what lies beside an encoder is none of its weights
    return any(_is(place, known) for known in authenticated)


def _is(place: Place, known: Place) -> bool:
    if place.url is not None:
        same = known.url is not None and _base(known.url) == _base(place.url)
        return same and known.model in (None, place.model)
    if place.path is not None:
        return place.path == known.path
    # a folder within a repository is another encoder than the repository
    same = place.part is None and place.commit is not None and place.commit == known.commit
    return same and same_repo(place.repo, known.repo)


_ROUTES = ("embeddings", "embed", "v1", "v2", "api")


def _base(url: str) -> str:
    """A server, whichever of its routes is named."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/").split("/")
    while path[-1] in _ROUTES:
        path.pop()
    return f"{parts.scheme}://{parts.netloc}{'/'.join(path)}".lower()


def advice(load: Load, pins: "Pins") -> Advice:
    """What to do about an encoder that nobody authenticated.

    Args:
        load: how it was loaded or asked.
        pins: the entries that there are, and the file that they are or would be in.
    """
    if load.api in _CONVERTED:
        return Advice(
            note="a converted encoder has no entry: check it with `sslauth verify NAME --converted FILE`"
        )
    place = load.place
    if place.url is not None:
        return _served(load, pins)
    if place.repo is None and (place.path is None or not Path(place.path).is_dir()):
        return Advice(note="neither a folder nor a repository of the Hub, so that no entry can name it")
    if place.part is not None:
        return Advice(note=f"no entry can name a folder within a repository: {place.part}")
    if (pin := _pin_of(load, pins)) is not None:
        return Advice(note=_known(load, pin))
    try:
        return _new(load, pins)
    except UsageError as error:
        return Advice(note=f"no entry can name it: {error}")


def _new(load: Load, pins: "Pins") -> Advice:
    from hf_integration.checking.adding import relative_to

    place = load.place
    if place.repo is None:
        return Advice(_free(place.path or "", pins), {"path": relative_to(pins.file, Path(place.path or ""))})
    if place.commit is None:
        note = "its commit is not known: `sslauth add` finds it out"
        return Advice(_free(place.repo, pins), {"repo": place.repo}, note)
    return Advice(_free(place.repo, pins), {"repo": place.repo, "commit": place.commit})


def _served(load: Load, pins: "Pins") -> Advice:
    """Of a server: which encoder shall answer there is not always told by what it is asked for."""
    url, model, api = load.place.url or "", load.place.model or "", _APIS.get(load.api)
    if (
        api is None
        or not url.startswith(("http://", "https://"))
        or not is_repo_id(model)
        or "/" not in model
    ):
        return Advice(
            note="its name does not tell which encoder shall answer there: write an "
            "[encoders.NAME.endpoint] into the entry of the one that you mean, "
            "or hold the answers against a `sslauth baseline`"
        )
    known = next((pin for pin in pins.encoders.values() if same_repo(pin.repo, model)), None)
    endpoint = {"url": url, **({} if api == "openai" else {"api": api}), "model": model}
    if known is not None:
        lacks = "no endpoint" if known.endpoint is None else f"the endpoint {known.endpoint.url}"
        return Advice(note=f"{known.name!r} in {pins.file.name} has {lacks}: name {url} there")
    return Advice(
        _free(model, pins),
        {"repo": model, "endpoint": endpoint},
        "an entry is for the encoder that is meant to answer there: say so only if it is",
    )


def _pin_of(load: Load, pins: "Pins") -> "Pin | None":
    place = load.place
    for pin in pins.encoders.values():
        if same_repo(pin.repo, place.repo):
            return pin
        if place.path is not None and pin.folder is not None and Path(place.path) == pin.folder.resolve():
            return pin
    return None


def _known(load: Load, pin: "Pin") -> str:
    """Of an encoder that has an entry: why that did not authenticate what was loaded."""
    entry = f"it is {pin.name!r} in {pin.file.name}"
    if pin.commit is not None and load.place.commit not in (None, pin.commit):
        return f"{entry}, which pins {pin.commit}: load it with revision={pin.commit!r}"
    return f"{entry}, which nothing in this run checked"


def _free(reference: str, pins: "Pins") -> str:
    """A name for a new entry that no other has: the last part of what it was loaded by."""
    last = re.split(r"[/\\]", reference.rstrip("/\\"))[-1]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", last).lstrip("._-")[:MOST] or "encoder"
    taken = {known.casefold() for known in pins.encoders}
    others = (f"{name}-{number}" for number in itertools.count(2))
    return next(free for free in itertools.chain([name], others) if free.casefold() not in taken)
