"""Bills of materials: which encoders were found authentic, for the tools that keep an inventory of software.

CycloneDX 1.6 in JSON, https://cyclonedx.org/docs/1.6/json/. An encoder that was not found authentic is no
component of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hf_integration.attestation import AttestedFiles
from hf_integration.attestation.verification_result import properties_of
from hf_integration.base.errors import UsageError
from hf_integration.verdict import Verdict

if TYPE_CHECKING:
    from cyclonedx.model import ExternalReference
    from cyclonedx.model.component import Component

INSTALL = "pip install 'pytest-sslauth[bom]'"

PREFIX = "sslauth:"
"""Of the names of properties."""


@dataclass(frozen=True)
class CheckedEncoder:
    """An encoder that was checked.

    Attributes:
        verdict: what came of it.
        files: what was checked.
    """

    verdict: Verdict
    files: AttestedFiles


def require_bom() -> None:
    """Find out whether bills of materials can be written here.

    Raises:
        UsageError: the extra ``bom`` is not installed.
    """
    try:
        import cyclonedx.output.json  # noqa: F401
    except ImportError as error:
        raise UsageError("a bill of materials needs the extra 'bom'", remedy=f"run: {INSTALL}") from error


def bill_of(checked: Iterable[CheckedEncoder], *, left_out: Mapping[str, str]) -> bytes:
    """The bill of materials of the encoders that are authentic.

    Args:
        checked: encoders that were checked; those that are not authentic are left out.
        left_out: name -> why, of others that were asked for and could not be checked.

    Returns:
        The content of the file.
    """
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    checked = list(checked)
    missing = {one.files.name: one.verdict.status for one in checked if not one.verdict.authentic}
    bom = Bom(components=[_component(one) for one in checked if one.verdict.authentic])
    try:
        own = version("pytest-sslauth")
    except PackageNotFoundError:  # run from a source tree
        own = None
    bom.metadata.tools.components.add(
        Component(name="pytest-sslauth", version=own, type=ComponentType.APPLICATION)
    )
    for name, why in {**left_out, **missing}.items():
        bom.metadata.properties.add(Property(name=f"{PREFIX}left-out", value=f"{name}: {why}"))
    return JsonV1Dot6(bom).output_as_string(indent=2).encode()


def _component(checked: CheckedEncoder) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    verdict, files = checked.verdict, checked.files

    def sha256(digest: str) -> list[HashType]:
        return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]

    purl = None if files.uri is None else PackageURL.from_string(files.uri)
    facts = {
        "entry": files.name,
        "status": verdict.status,
        "trust": verdict.trust,
        "card-signed-by": " and by ".join(verdict.signers),
        "precision": verdict.precision,
        "state": verdict.state,
        "found-good": " ".join(properties_of(verdict)),
        "publisher": None if verdict.publisher is None else verdict.publisher.said,
    }
    reference = files.uri or f"sslauth:{files.name}@{files.digest}"
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=reference,
        group=None if purl is None else purl.namespace,
        name=files.name if purl is None else purl.name,
        version=verdict.revision if purl is not None else None,
        purl=purl,
        hashes=sha256(files.digest),
        external_references=[_card(verdict)],
        properties=[Property(name=f"{PREFIX}{name}", value=value) for name, value in facts.items() if value],
        components=[
            Component(
                type=ComponentType.FILE,
                name=name,
                bom_ref=f"{reference}#{quote(name)}",
                hashes=sha256(digest),
            )
            for name, digest in files.digests.items()
        ],
    )


def _card(verdict: Verdict) -> "ExternalReference":
    """The watermark card as evidence, by its digest and where it is: on the Hub, or in a folder."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri

    location = verdict.card.location
    if location.startswith("hub:"):
        repo, _, rest = location.removeprefix("hub:").partition("@")
        commit, _, folder = rest.partition("/")
        path = "/".join(filter(None, ("https://huggingface.co", repo, "blob", commit, folder, "card.json")))
    else:
        path = quote((Path(location) / "card.json").as_posix())
    digest = verdict.card.digest.removeprefix("sha256:")
    return ExternalReference(
        type=ExternalReferenceType.EVIDENCE,
        url=XsUri(path),
        comment="watermark card of SSL-Auth",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )
