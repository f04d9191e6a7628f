"""The options ``--attest`` and ``--attest-key``: what is noted before a check, and written after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import EncoderError, IntegrityError, UsageError
from hf_integration.base.output_files import check_apart, check_file, write_whole
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from hf_integration.attestation import AttestedFiles
    from hf_integration.checking.finding import Found
    from hf_integration.checking.held_card import Access
    from hf_integration.encoders import Encoder
    from hf_integration.verdict import Verdict

AttestOption = Annotated[
    Path | None,
    typer.Option("--attest", metavar="FILE", help="Write a signed attestation of the verdict there."),
]
AttestKeyOption = Annotated[
    Path | None,
    typer.Option("--attest-key", metavar="KEY", help="Private key file (ECDSA, PEM) that signs it."),
]


@dataclass(frozen=True, eq=False)
class Attesting:
    """An attestation that is about to be made.

    Attributes:
        file: where it is written.
        key: who signs it.
        key_file: where the key is kept.
    """

    file: Path
    key: "EllipticCurvePrivateKey"
    key_file: Path

    @classmethod
    def wanted(cls, file: Path | None, key: Path | None, streams: Streams) -> "Attesting | None":
        """What the options ask for, once it is known that it can be done; ``None`` without them.

        Raises:
            OutputError: the file could not be written.
            UsageError: one option without the other, no usable key, or the extra ``sign`` is not installed.
        """
        if file is None and key is None:
            return None
        if file is None or key is None:
            given, missing = (
                ("--attest", "--attest-key KEY") if key is None else ("--attest-key", "--attest FILE")
            )
            raise UsageError(f"{given} is given alone", remedy=f"add {missing}")
        from hf_integration.checking.pins import PINS_FILE
        from hf_integration.signing import require_extra
        from hf_integration.signing.keys import read_private_key

        require_extra()
        check_file(file)
        check_apart(file, key, Path(PINS_FILE))
        streams.keep_apart(file, key)
        return cls(file, read_private_key(key)[0], key)

    def begin(self, found: "Found") -> "Begun":
        """Note what has to be known of an encoder before it is loaded.

        Raises:
            OutputError: the file would replace something that is read.
            EncoderError: a file of the encoder cannot be read.
        """
        check_apart(self.file, *found.inputs)
        return Begun(self, Noted.of(found))


@dataclass(frozen=True, eq=False)
class Noted:
    """What was noted of an encoder before it was loaded.

    Attributes:
        name: what the encoder is called by others: no path of this machine.
        files: digests of the files of a local folder.
        policies: name -> SHA-256 in hexadecimal of what it is checked by besides the card.
    """

    name: str
    files: Mapping[str, str] | None
    policies: Mapping[str, str]

    @classmethod
    def of(cls, found: "Found") -> "Noted":
        """Hash the files of a local folder; what comes from the Hub is hashed whenever it is asked for.

        Raises:
            EncoderError: a file cannot be read.
        """
        from hf_integration.attestation import files_of
        from hf_integration.base.files import sha256_of
        from hf_integration.snapshot import Snapshot

        place = found.encoder
        policies = {pin.file.name: sha256_of(pin.file) for pin in found.pins}
        folder = place.folder
        files = None if folder is None or not folder.is_dir() else files_of(Snapshot(folder), "").digests
        name = place.pin.name if place.pin is not None else place.repo or (folder or Path()).resolve().name
        return cls(name, files, policies)

    def checked(self, encoder: "Encoder", access: "Access") -> "AttestedFiles":
        """The files that were checked: those that are there now, if they are those that were loaded.

        Raises:
            EncoderError: the encoder has no files.
            IntegrityError: they changed meanwhile.
        """
        from hf_integration.attestation import files_of
        from hf_integration.snapshot import Snapshot, resolve

        if encoder.path is None:
            raise EncoderError(f"{self.name} was not loaded from files", remedy="load it from a folder")
        if encoder.repo is None:
            now = files_of(Snapshot(encoder.path), self.name)
            if now.digests != self.files:
                raise IntegrityError(
                    f"the files of {self.name} changed while they were checked", remedy="try again"
                )
            return now
        snapshot = resolve(
            encoder.repo, revision=encoder.commit, token=access.token, cache_dir=access.cache_dir
        )
        return files_of(snapshot, self.name)


@dataclass(frozen=True, eq=False)
class Begun:
    """An attestation of a check that is running."""

    attesting: Attesting
    noted: Noted

    def write(self, verdict: "Verdict", files: "AttestedFiles") -> None:
        """Write the attestation.

        Raises:
            OutputError: it cannot be written.
        """
        from hf_integration.attestation import attest

        data = attest(verdict, files, self.attesting.key, policies=self.noted.policies)
        write_whole(self.attesting.file, data)
