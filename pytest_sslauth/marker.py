"""The marker: what it may say, and the text that ``pytest --markers`` shows for it."""

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_sslauth.failure import MisuseError
from pytest_sslauth.options import PRECISIONS

EXAMPLE = '@pytest.mark.sslauth("org/encoder", revision="<commit>")'


@dataclass(frozen=True)
class CheckRequest:
    """Which encoder to check, against which card, and how.

    Attributes:
        encoder: folder or Hub repo id, as the caller wrote it.
        revision: branch, tag or commit of a Hub repo.
        card: folder or Hub repo id of the card; by default looked up among the project's cards.
        precision: arithmetic of the check; by default the strictest at hand.
    """

    encoder: str
    revision: str | None = None
    card: str | None = None
    precision: str | None = None


def sslauth(
    encoder: str, *, revision: str | None = None, card: str | None = None, precision: str | None = None
) -> CheckRequest:
    """Authenticate this encoder before the test; it fails unless the encoder is authentic.

    This function is never called by a test: its signature is the marker's.

    Raises:
        TypeError: an argument of another type.
        ValueError: an empty name or an unknown precision.
    """
    if precision is not None and precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}, choose one of {', '.join(PRECISIONS)}")
    return CheckRequest(
        encoder=_name("encoder", encoder),
        revision=None if revision is None else _name("revision", revision),
        card=None if card is None else _name("card", card),
        precision=precision,
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


def read_parameter(value: object, nodeid: str) -> CheckRequest:
    """What a parameter of ``authentic_encoder`` asks for.

    Args:
        value: a name, a tuple in the order encoder, revision, card, precision, or a dictionary of these.
        nodeid: the test, for the message.

    Raises:
        MisuseError: it is none of these; names the test.
    """
    where = f"{nodeid}: parameter of authentic_encoder"
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
