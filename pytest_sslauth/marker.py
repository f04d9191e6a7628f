"""The marker ``sslauth``: what it asks for."""

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sslauth.failure import MisuseError
from pytest_sslauth.option_values import PRECISIONS, precision_of

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Precision


EXAMPLE = '@pytest.mark.sslauth("org/encoder", revision="<commit>")'


@dataclass(frozen=True)
class CheckRequest:
    """Which encoder to check, against which card, and how.

    Attributes:
        encoder: folder or Hub repo id, as the caller wrote it.
        revision: branch, tag or commit of a Hub repo.
        card: folder or Hub repo id of the card; by default looked up among the project's cards.
        precision: arithmetic of the check; by default the strictest that is possible.
        endpoint: how the caller names a server that is asked instead, by the fields of the engine's
            ``EndpointWanted``; ``None`` if the encoder itself is checked.
    """

    encoder: str
    revision: str | None = None
    card: str | None = None
    precision: "Precision | None" = None
    endpoint: tuple[tuple[str, str | int], ...] | None = None


def sslauth(
    encoder: str,
    *,
    revision: str | None = None,
    card: str | None = None,
    precision: str | None = None,
    endpoint: bool | str | None = None,
    api: str | None = None,
    model: str | None = None,
    key_env: str | None = None,
    serving: str | None = None,
    dimensions: int | None = None,
    by_card: bool | None = None,
    keys: int | None = None,
) -> CheckRequest:
    """Authenticate this encoder, or an endpoint of it, before the test; it fails unless that is authentic.

    This function is never called by a test: its signature is the marker's.

    Raises:
        TypeError: an argument of another type.
        ValueError: an empty name, an unknown precision, or arguments that do not go together.
    """
    chosen = None if precision is None else precision_of(precision)
    if precision is not None and chosen is None:
        raise ValueError(f"unknown precision {precision!r}, choose one of {', '.join(PRECISIONS)}")
    words = {"api": api, "model": model, "key_env": key_env, "serving": serving}
    asked: dict[str, str | int] = {
        what: _name(what, value) for what, value in words.items() if value is not None
    }
    numbers = {"dimensions": dimensions, "keys": keys}
    asked |= {what: _count(what, value) for what, value in numbers.items() if value is not None}
    if by_card is not None:
        if type(by_card) is not bool:
            raise TypeError(f"by_card must be True or False, not {type(by_card).__name__}")
        asked["by_card"] = by_card
    if isinstance(endpoint, str):
        asked["url"] = _name("endpoint", endpoint)
    elif endpoint not in (None, True, False):
        raise TypeError(f"endpoint must be a URL or True, not {type(endpoint).__name__}")
    if not endpoint and asked:
        raise ValueError(f"{next(iter(asked))} is for an endpoint: name its URL, or write endpoint=True")
    if endpoint and chosen is not None:
        raise ValueError("precision is not for endpoints, which compute as they do")
    return CheckRequest(
        encoder=_name("encoder", encoder),
        revision=None if revision is None else _name("revision", revision),
        card=None if card is None else _name("card", card),
        precision=chosen,
        endpoint=tuple(asked.items()) if endpoint else None,
    )


def marker_line() -> str:
    """The line of ``pytest --markers``, generated from the function that reads the marker."""
    signature = inspect.signature(sslauth).replace(return_annotation=inspect.Signature.empty)
    summary = (sslauth.__doc__ or "").partition("\n")[0]
    return f"sslauth{signature}: {summary}"


def read_marker(mark: pytest.Mark, nodeid: str) -> CheckRequest:
    """What one marker asks for.

    Raises:
        MisuseError: its arguments are not those of :func:`sslauth`; names the test.
    """
    return _read(mark.args, mark.kwargs, where=f"{nodeid}: @pytest.mark.sslauth")


def read_parameter(value: object, nodeid: str, fixture: str) -> CheckRequest:
    """What an indirect parameter asks for.

    Args:
        value: a name, a tuple in the order encoder, revision, card, precision, or a dictionary of the
            marker's arguments.
        nodeid: the test, for the message.
        fixture: whose parameter it is, for the message.

    Raises:
        MisuseError: it is none of these; names the test.
    """
    where = f"{nodeid}: parameter of {fixture}"
    if isinstance(value, str | os.PathLike):
        return _read((value,), {}, where=where)
    if isinstance(value, Mapping):
        return _read((), value, where=where)
    if isinstance(value, tuple) and 1 <= len(value) <= 4:
        names = ("encoder", "revision", "card", "precision")
        return _read((), dict(zip(names, value, strict=False)), where=where)
    raise MisuseError(
        f"{where}: {value!r} is neither the name of an encoder, nor a tuple (encoder, revision, card, "
        "precision), nor a dictionary of these"
    )


def _read(args: tuple[object, ...], kwargs: Mapping[str, Any], *, where: str) -> CheckRequest:
    try:
        return sslauth(*args, **kwargs)  # type: ignore[arg-type]  # checked by the function itself
    except (TypeError, ValueError) as error:
        raise MisuseError(f"{where}: {error}; nothing was checked (write for example {EXAMPLE})") from None


def _name(what: str, value: object) -> str:
    """A name, or a path as text; anything else is refused, an empty one too."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{what} must be a string, not {type(value).__name__}")
    name = os.fspath(value)
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{what} is empty")
    return name


def _count(what: str, value: object) -> int:
    if type(value) is not int or value < 1:
        raise TypeError(f"{what} must be a whole number from 1 on, not {value!r}")
    return value
