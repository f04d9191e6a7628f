"""What a command reads besides its arguments' folders: no output may take its place."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hf_integration.checking.pins import Pin
    from hf_integration.signing import Signer


def pinned_inputs(*pins: "Pin | None") -> list[Path]:
    """Folders and key files that entries of ``sslauth.toml`` name."""
    found: list[Path] = []
    for pin in pins:
        if pin is not None:
            found += [folder for folder in (pin.folder, pin.card_folder) if folder is not None]
            found += key_file(pin.signer_reference)
    return found


def signer_inputs(signer: "Signer | None") -> list[Path]:
    """The key file that ``--signer`` names, if it names one."""
    public_key = getattr(signer, "public_key", None)  # an identity has none
    return [] if public_key is None else [public_key]


def key_file(signer: str | None) -> list[Path]:
    """The file of a key, unless Sigstore stands for it."""
    return [] if signer is None or signer == "sigstore" or signer.startswith("sigstore:") else [Path(signer)]


def given_file(name: str | Path | None) -> list[Path]:
    """An argument that may be a file or folder, if there is one of that name."""
    return [Path(name)] if name is not None and os.path.lexists(name) else []
