"""First use of an encoder: its name, its entry in ``sslauth.toml``, and what trusting it now means."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import UsageError
from hf_integration.checking.pins.reading import PINS_FILE, Pins
from hf_integration.checking.pins.schema import NAME

if TYPE_CHECKING:
    from hf_integration.signing import Publisher, Signer


FIRST_USE = (
    "Trusted on first use: nobody has vouched for this encoder. From now on it must stay exactly what it is\n"
    "today; whether it was good today is for you to find out. Review and commit {files}."
)

PRIVATE = (
    "The card is private: keep {place} out of version control (its entry asks for it by digest), and\n"
    "give it to the checking job only; 'Keep a card private' in the documentation says how."
)

SIGNED = (
    "Signed by {signer}: from now on its publisher vouches for this card, and nothing else is taken for it.\n"
    "That the key is the publisher's is for you to know. Review and commit {files}."
)


def entry_name(reference: str, wanted: str | None, pins: Pins) -> str:
    """The name of a new entry.

    Args:
        reference: folder or repo id of the encoder.
        wanted: what the caller wants to call it; by default the last part of the reference.
        pins: what is there already.

    Raises:
        UsageError: no name, one that is taken, or an encoder that is there under another name.
    """
    name = wanted if wanted is not None else re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(reference).resolve().name)
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name[:100]!r} is not a name for an encoder",
            remedy="give one with --name: letters, digits, '.', '_' and '-', no others",
        )
    taken = next((known for known in pins.encoders if known.casefold() == name.casefold()), None)
    if taken is not None:
        raise UsageError(
            f"'{taken}' is in {pins.file.name} already",
            remedy="give another --name, or move its pins with `sslauth lock`",
        )
    if wanted is None and (known_as := pins.find(reference, base=Path())) is not None:
        raise UsageError(
            f"{known_as} is there already", remedy="give a --name to pin the same encoder a second time"
        )
    return name


def relative_to(file: Path, folder: Path, *, as_called: bool = False) -> str:
    """A folder as ``sslauth.toml`` names it: relative to the file, with forward slashes.

    Args:
        file: the ``sslauth.toml``.
        folder: there or not.
        as_called: follow no links: what the project keeps by this name is what is meant.

    Raises:
        UsageError: it lies on another drive.
    """
    if as_called:
        return _relative(file.parent.absolute(), folder.absolute())
    return _relative(file.parent.resolve(), folder.resolve())


def _relative(start: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError as error:
        raise UsageError(f"{path} lies on another drive than {PINS_FILE}", remedy="move it") from error


def signer_entry(file: Path, signer: "Signer") -> str:
    """A signer as ``sslauth.toml`` names it: a key file relative to the file, or an identity.

    Raises:
        UsageError: the key lies on another drive.
    """
    from hf_integration.signing import KeySigner

    if isinstance(signer, KeySigner):
        return relative_to(file, signer.public_key, as_called=True)  # such as a link to the key of the year
    return f"sigstore:{signer.identity}@{signer.issuer}"


def publisher_entry(file: Path, publisher: "Publisher") -> str:
    """A publisher as ``sslauth.toml`` names it.

    Raises:
        UsageError: a file lies on another drive.
    """
    from hf_integration.signing import CertificateSigner

    if isinstance(publisher, CertificateSigner):
        return f"certificate:{relative_to(file, publisher.roots, as_called=True)}"
    return signer_entry(file, publisher)


def sample_test(name: str) -> str:
    """A test that uses the new entry."""
    function = re.sub(r"\W+", "_", name, flags=re.ASCII)
    return (
        "import pytest\n"
        "\n"
        "\n"
        f'@pytest.mark.sslauth("{name}")\n'
        f"def test_with_{function}(authentic_encoder):\n"
        "    model, processor = authentic_encoder.model, authentic_encoder.processor\n"
    )
