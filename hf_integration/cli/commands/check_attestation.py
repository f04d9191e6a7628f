"""``sslauth check-attestation``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.attestation import Attestation

EPILOG = """\b
Examples:
  sslauth verify NAME --attest NAME.svr.json --attest-key key.pem
  sslauth check-attestation NAME.svr.json --key key.pub
  sslauth check-attestation NAME.svr.json --key key.pub ./my-encoder

Checks the signature, reads what was attested, and with ENCODER, a folder, holds the files there against those
that were attested. The encoder itself is not run: who signed the attestation vouches for the check.

Ends with 0 if the encoder is attested to be authentic, with 1 if it is attested to be altered (also where a
waiver accepted that), with 3 if its check was inconclusive, and with 4 if the attestation is damaged, signed
with another key, or of other files than those in ENCODER.

\b
JSON: {"schema": 1, "attestation", "status", "properties", "created", "name", "uri", "digest",
"files": {name: SHA-256}, "compared": number or null, "policies": {name: SHA-256}, "verdict": {...}}
Quiet: authentic, altered or inconclusive."""


@job()
def check_attestation(
    streams: Streams,
    _hub: HubOptions,  # nobody is asked
    attestation: Annotated[Path, typer.Argument(metavar="FILE", help="The file of an attestation.")],
    encoder: Annotated[
        Path | None,
        typer.Argument(metavar="ENCODER", help="A folder whose files are compared.", show_default=False),
    ] = None,
    *,
    key: Annotated[Path, typer.Option("--key", metavar="PUB", help="Public key of who has to have signed.")],
) -> int:
    """Check what somebody attests about an encoder, and tell it."""
    from hf_integration.attestation import check_files, read_attestation
    from hf_integration.verdict import EXIT_STATUS

    streams.keep_apart(attestation, key, *([encoder] if encoder else []))
    if encoder is not None and not encoder.is_dir():
        raise UsageError(f"{encoder}: no such folder", remedy="name the folder of the encoder")
    found = read_attestation(attestation, key)
    compared = None if encoder is None else check_files(found, encoder)
    text = _rendered(found, attestation, encoder, compared, streams.format)
    # a waiver is for those who wrote it
    return streams.conclude(text, EXIT_STATUS[found.verdict.status])


def _rendered(
    found: "Attestation", file: Path, encoder: Path | None, compared: int | None, format: str
) -> str:
    from hf_integration.report.columns import pairs

    verdict, files = found.verdict, found.files
    if format == Format.JSON:
        return strict_json(
            {
                "schema": 1,
                "attestation": str(file),
                "status": verdict.status,
                "properties": found.properties,
                "created": found.created,
                "name": files.name,
                "uri": files.uri,
                "digest": f"sha256:{files.digest}",
                "files": files.digests,
                "compared": compared,
                "policies": found.policies,
                "verdict": verdict.to_dict(),
            }
        )
    if format == Format.QUIET:
        return verdict.status
    said = "not compared: name the encoder's folder to do that"
    if compared is not None:
        said = f"the {compared} files of {harmless(encoder)} are those that were attested"
    facts = [
        ("when", found.created),
        ("encoder", harmless(files.uri or files.name)),
        ("digest", f"sha256:{files.digest} of {len(files.digests)} files"),
        ("files", said),
        ("card", harmless(verdict.card.digest)),
        ("trust", verdict.believed),
        ("found good", ", ".join(map(harmless, found.properties)) or "nothing"),
    ]
    head = f"ATTESTED {verdict.status.upper()}: {harmless(files.name)}"
    return "\n".join([head, harmless(verdict.reason, longest=1000), "", *pairs(facts)])
