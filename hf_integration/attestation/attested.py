"""Reading an attestation: who signed it, whether it says what it may say, and of which files."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from hf_integration.attestation.verification_result import (
    PREDICATE,
    VERDICT,
    VERIFIER,
    Attestation,
    AttestedFiles,
    files_of,
    properties_of,
)
from hf_integration.base import strict_json
from hf_integration.base.checked_types import first_flaw, line, matching
from hf_integration.base.errors import FlawError, IntegrityError, UsageError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import quoted
from hf_integration.signing.envelope import unseal
from hf_integration.signing.keys import read_public_key
from hf_integration.signing.signers import require_extra
from hf_integration.signing.statement import STATEMENT
from hf_integration.snapshot import Snapshot
from hf_integration.verdict import SCHEMA, Verdict

MOST_BYTES = 32 << 20
"""Of an envelope; the verdict of an encoder with 20,000 changed tensors takes three."""

_AGAIN = "do not rely on it: get it again from who signed it"

_HEX = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)


def read_attestation(file: Path, key: Path) -> Attestation:
    """Read an attestation that the holder of a key signed.

    Args:
        file: the envelope.
        key: PEM file of the public key.

    Raises:
        IntegrityError: it is damaged, signed with another key, or no attestation of pytest-sslauth.
        UsageError: there is no such file, no usable key, or the extra ``sign`` is not installed.
    """
    require_extra()
    public = read_public_key(key)
    shown = quoted(str(file), longest=400)
    try:
        with open_bounded(file, MOST_BYTES) as (stream, size):
            data = bytes(read_exactly(stream, size))
    except (FlawError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = error.reason if isinstance(error, FlawError) else "not a usable path"
        raise UsageError(f"{shown}: {reason}", remedy="name an attestation") from None
    try:
        return _attestation(unseal(data, public))
    except FlawError as flaw:
        raise IntegrityError(
            f"{shown} is no attestation by {quoted(str(key))}: {flaw}", remedy=_AGAIN
        ) from None


def check_files(attestation: Attestation, folder: Path) -> int:
    """Hold the files of an encoder against those that were attested; others in the folder do not matter.

    Returns:
        How many files were compared.

    Raises:
        IntegrityError: a file is another one, is missing, or was not attested.
        EncoderError: a file cannot be read.
    """
    found, attested = files_of(Snapshot(folder), "").digests, attestation.files.digests
    for name in sorted({*found, *attested}):
        if found.get(name) == attested.get(name):
            continue
        flaw = "is not the file that was attested"
        if name not in found:
            flaw = "was attested, and is missing"
        elif name not in attested:
            flaw = "was not attested"
        raise IntegrityError(
            f"the attestation is not of this encoder: {quoted(name)} in {quoted(str(folder), longest=400)} "
            f"{flaw}",
            remedy="check the encoder itself with `sslauth verify`",
        )
    return len(found)


_Text = Annotated[str, BeforeValidator(line)]
_Hex = Annotated[str, BeforeValidator(matching(_HEX, "64 lower-case hexadecimal digits"))]


def _time(value: object) -> str:
    text = matching(_TIME, "a time such as 2030-01-31T12:00:00Z")(value)
    datetime.fromisoformat(text)
    return text


class _Lenient(BaseModel):
    # in-toto: consumers ignore fields that they do not know
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Digests(_Lenient):
    sha256: _Hex


class _Descriptor(_Lenient):
    name: _Text
    digest: _Digests
    uri: _Text | None = None


class _Verifier(_Lenient):
    id: _Text
    policies: list[_Descriptor]


class _Predicate(_Lenient):
    verifier: _Verifier
    time: Annotated[str, BeforeValidator(_time)] = Field(alias="timeCreated")
    properties: list[_Text]
    verdict: dict[str, Any] = Field(alias="sslauthVerdict")


class _Statement(_Lenient):
    type: _Text = Field(alias="_type")
    kind: _Text = Field(alias="predicateType")
    subject: list[_Descriptor] = Field(min_length=2)
    predicate: _Predicate


def _attestation(payload: bytes) -> Attestation:
    """What a statement says, if all of it fits together.

    Raises:
        FlawError: it does not.
    """
    content = strict_json.parse(payload, most_values=len(payload))
    kinds = (("_type", STATEMENT), ("predicateType", PREDICATE))
    for key, known in kinds:  # first: what is of another kind has other fields
        if not isinstance(content, dict) or content.get(key) != known:
            raise FlawError(key, f"not {known}")
    try:
        statement = _Statement.model_validate(content)
    except ValidationError as error:
        raise first_flaw(error) from None
    predicate = statement.predicate
    if predicate.verifier.id != VERIFIER:
        raise FlawError("predicate.verifier.id", f"not {VERIFIER}")
    verdict = _verdict(predicate.verdict)
    if tuple(predicate.properties) != properties_of(verdict):
        raise FlawError("predicate.properties", f"do not fit the verdict, which is {verdict.status}")
    return Attestation(
        verdict,
        tuple(predicate.properties),
        predicate.time,
        _files(statement.subject),
        {policy.name: policy.digest.sha256 for policy in predicate.verifier.policies},
    )


def _files(subject: Sequence[_Descriptor]) -> AttestedFiles:
    whole, *files = subject
    digests = {file.name: file.digest.sha256 for file in files}
    if len(digests) < len(files):
        raise FlawError("subject", "the same file twice")
    for name in digests:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.as_posix() != name:
            raise FlawError("subject", f"{quoted(name)} is no file of an encoder")
    found = AttestedFiles(whole.name, digests, whole.uri)
    if found.digest != whole.digest.sha256:
        raise FlawError("subject[0].digest", "not that of the files that follow")
    return found


def _verdict(values: Mapping[str, Any]) -> Verdict:
    name = f"predicate.{VERDICT}"
    if type(values.get("schema")) is not int or values["schema"] != SCHEMA:
        raise FlawError(f"{name}.schema", f"not {SCHEMA}, which this version of pytest-sslauth reads")
    plain = {key: value for key, value in values.items() if key != "schema"}
    try:
        return TypeAdapter(Verdict).validate_json(strict_json.strict_json(plain), strict=True)
    except ValidationError as error:
        raise first_flaw(error, below=name) from None
