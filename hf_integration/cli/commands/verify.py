"""``sslauth verify``."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_integration.base.errors import OutputError, SSLAuthError, UsageError
from hf_integration.base.output_files import check_apart, check_file
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.cli import options
from hf_integration.cli.asking import asks, opened
from hf_integration.cli.attesting import Attesting, AttestKeyOption, AttestOption, Begun
from hf_integration.cli.converting import RuntimeChoice, convert_check
from hf_integration.cli.options import (
    HubOptions,
    chosen_publisher,
    chosen_signer,
    job,
    options_of,
    understood,
)
from hf_integration.cli.streams import Streams, abandon_output, complain
from hf_integration.report import REPORTERS, Document, Place, Reporter

if TYPE_CHECKING:
    from hf_integration.attestation import AttestedFiles
    from hf_integration.authentication import Authentication
    from hf_integration.card import WatermarkCard


MOST_JOBS = 256

EPILOG = """\b
Examples:
  sslauth verify NAME
  sslauth verify ./my-encoder --card cards/my-encoder
  sslauth verify ORG/NAME --revision COMMIT --picture check.png
  sslauth verify ORG/NAME --signer keys/publisher.pub
  sslauth verify ORG/NAME --publisher certificate:keys/publisher.pem
  sslauth verify ORG/NAME --precision bfloat16 --format json
  sslauth verify NAME --endpoint http://localhost:8080 --api tei --serving tei
  sslauth verify NAME --converted ./my-encoder-onnx
  sslauth verify NAME --converted model_quantized.onnx --serving int8
  sslauth verify NAME --attest NAME.svr.json --attest-key key.pem
  sslauth verify NAME --converted model.onnx --card cards/NAME --by-card
  sslauth verify --all --jobs 4

A NAME is an entry of sslauth.toml, and is checked against its pin there: commit, card and signer. An
ORG/NAME that is pinned there is checked in the same way.

Without --card, the card in cards/NAME is used if there is one, else the one the repository's model card
advertises, with every claim about it checked, else the one beside the encoder. Only the first is worth
something against somebody who altered both: the others end with 3, unless you give --trust-self-asserted, or
name with --signer who signed the card. An advertised card that is missing, expired, revoked, older than the
weights or of another repository never passes.

With --publisher, or publishers in sslauth.toml, the signature of the encoder's publisher is checked as well:
model.sig beside it, in the format of OpenSSF Model Signing. If it is missing, by somebody else or over other
files, the command ends with 4. It is evidence of its own, and no card is the better for it.

With --endpoint or --pinned-endpoint, a server is asked fresh texts, and its answers are held against ENCODER,
a copy you trust: pinned, at a --revision that is a commit, or in a folder. If there is a card for the copy,
the copy has to fit it. --serving says what the server is expected to do to the encoder. If the answers fit in
another way, the check ends with 3 and names it. If they fit in none, it ends with 1 if you gave --serving,
else with 3. Options you leave out are taken from the encoder's entry in sslauth.toml. With another URL
than the entry's, only its serving, dimensions and keys are.

With --converted, a file or folder of ONNX Runtime, OpenVINO, CTranslate2, fastembed, torchao or llama.cpp is
held against such a copy in the same way: its weights are compared, texts go through its own tokenizer, and
fresh texts through the runtime. 1 if a weight, the tokenizer or what it computes is another's; 3 if it fits
another recipe, or if something in the file could not be compared.

With --attest, what came of the check is written for others, signed with a key as for 'sslauth sign': an
in-toto statement with a Simple Verification Result of the encoder's files. It names nothing as found good
unless the encoder is authentic. 'sslauth check-attestation' reads it. Without a verdict, nothing is written.

With --by-card, nobody needs the weights: a server or a converted file is held against the card of ENCODER, as
far as that was minted with the recipes (sslauth mint --recipe). What the card does not hold is 3, or 2 if you
ask for it.

With --all, every entry of sslauth.toml is checked as 'sslauth verify NAME' checks it, in several processes,
each with one encoder at a time, as far as there is memory. Entries of one encoder share its check. The
command ends with the worst status: 1 before 4, 70, 3, 2 and 0. An entry that could not be checked, or whose
process was ended, is never a pass. With --shard 2/8, the second of eight machines checks its part, and the
eight parts are all entries. The JSON of --all is {"schema": 1, "file", "outcome", "exit_status", "shard",
"processes", "seconds", "peak_bytes", "entries": [{"name", "outcome", "exit_status", "reason", "seconds",
"verdict": that of one encoder, or null}]}; quiet is the outcome of the worst entry.

If the result cannot be written (a closed pipe, a full disk), the status is never 0: an altered encoder still
gives 1 and an inconclusive check 3; everything else gives 2.

'--format sarif' and '--format gitlab' write the result as code hosts read it, at the encoder's entry in
sslauth.toml. GitLab's report lists what is no pass, so it is empty for an authentic encoder.

\b
JSON: {"schema": 1, "status", "reason", "trust", "encoder", "revision", "card": {"digest", "location"},
"precision", "margin": number or null, "strips": [{"name", "error", "tolerance", "intact",
"deviation"}], "tensors": {"checked", "changed", "missing", "unexpected", "matches", "kept", "outside"},
"files": {"checked", "changed", "not_covered", "derived", "notes"}, "coverage", "floor", "diagnosis",
"seconds", "environment", "state", "waiver": {"reason", "until"} or null,
"claims": [{"about", "holds", "says"}], "key_samples": {"run", "of"}, "process": [...],
"deployment": {"address", "api", "expected", "found", "nearest": [{"recipe", "distance", "typical"}],
"requests", "refused", "unnoticed", "confidence", "tolerated", "claims"} or null,
"publisher": {"verified", "said", "signer", "files", "absent", "unsigned"} or null, "signers": [...],
"source": text or null,
"conversion": {"path", "runtime", "file": {"finding", "said", "details"}, "behaviour": {...}, "inputs": {...},
"expected", "found", "nearest": [...], "tolerated"} or null}
Quiet: authentic, altered or inconclusive; then, in brackets, how many key samples a budget allowed. For a
waived alteration: until when and why."""


@dataclass(frozen=True, eq=False)
class Checked:
    """What came of a check.

    Attributes:
        authentication: the verdict and its pictures.
        card: what the encoder was held against.
        begun: the attestation that is to be written, if one is asked for.
        attested: of which files.
    """

    authentication: "Authentication"
    card: "WatermarkCard"
    begun: Begun | None = None
    attested: "AttestedFiles | None" = None


@asks
def check(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[
        str | None, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP, show_default=False)
    ] = None,
    *,
    card: Annotated[
        str | None, typer.Option("--card", metavar="DIR|REPO", help="The card to check with.")
    ] = None,
    revision: options.RevisionOption = None,
    signer: options.SignerOption = None,
    publisher: options.PublisherOption = None,
    precision: Annotated[
        options.PrecisionName | None,
        typer.Option("--precision", help="Arithmetic of the check; by default the strictest possible."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="SECONDS",
            min=0,
            help="Start no more key samples after this time; 8 are always run, or 1 if a card has up to 8.",
        ),
    ] = None,
    device: options.DeviceOption = None,
    trust_self_asserted: options.SelfAssertedOption = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", metavar="PNG", help="Write expected and reconstructed watermark side by side."
        ),
    ] = None,
    converted: Annotated[
        Path | None,
        typer.Option(
            "--converted",
            metavar="PATH",
            help="Check a file or folder of another runtime, such as ONNX, against ENCODER, a trusted copy.",
        ),
    ] = None,
    runtime: Annotated[
        RuntimeChoice | None,
        typer.Option("--runtime", help="The runtime, where the files do not tell.", show_default=False),
    ] = None,
    attest: AttestOption = None,
    attest_key: AttestKeyOption = None,
    wanted: EndpointWanted | None = None,
) -> "Checked":
    """Check once: what ``sslauth verify`` reports and ``sslauth watch`` records.

    Raises:
        SSLAuthError: the question could not even be asked.
    """
    if picture is not None:
        check_file(picture)
        check_apart(picture, *([attest] if attest else []))
    if encoder is None:
        raise UsageError("no encoder given", remedy="name a local folder or a Hub repository")
    if wanted is not None and (precision is not None or budget is not None):
        raise UsageError(
            "--precision and --budget are not for endpoints and converted encoders", remedy="leave them out"
        )
    if runtime is not None and converted is None:
        raise UsageError("--runtime is for a converted encoder", remedy="add --converted PATH")
    if card == "":
        raise UsageError("--card is empty", remedy="name a folder or a Hub repository; is a variable unset?")
    attesting = Attesting.wanted(attest, attest_key, streams)
    if attesting is not None and wanted is not None:
        raise UsageError(
            "--attest is for the files of an encoder, not for endpoints and converted encoders",
            remedy="attest the trusted copy",
        )
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.pins import PINS_FILE
    from hf_integration.checking.subject import load_subject

    asked = Asked(
        encoder=encoder,
        card=card,
        revision=revision,
        signer=chosen_signer(signer),
        publisher=chosen_publisher(publisher),
    )
    access = hub.access(streams, device)
    if converted is not None and wanted is not None:
        return Checked(
            *convert_check(
                streams,
                access,
                asked,
                converted,
                runtime=None if runtime is None else runtime.value,
                wanted=wanted,
                picture=picture,
                accept_self_asserted=trust_self_asserted,
            )
        )
    if wanted is not None:
        with (
            opened(streams, access, asked, wanted, picture=picture) as deployed,
            streams.progress() as progress,
        ):
            return Checked(*deployed.check(progress, accept_self_asserted=trust_self_asserted))
    found = understood(Project().find(replace(asked, own_card="fallback")), streams)
    if found.encoder.pin is not None and found.encoder.pin.endpoint is not None:
        streams.say(f"the endpoint of {found.encoder.pin} is not asked: --pinned-endpoint does that")
    if picture is not None:
        check_apart(picture, Path(PINS_FILE), *found.inputs)
        streams.keep_apart(picture)
    begun = None if attesting is None else attesting.begin(found)
    subject = load_subject(found, access)
    read = [Path(subject.card.location), *([subject.encoder.path] if subject.encoder.path else [])]
    streams.keep_apart(*read)
    for beside in (picture, attest):
        if beside is not None:
            check_apart(beside, *read)
    with streams.progress() as progress:
        authentication = subject.authenticate(
            precision=precision.value if precision else None,
            budget=budget,
            accept_self_asserted=trust_self_asserted,
            progress=progress,
        )
    attested = None if begun is None else begun.noted.checked(subject.encoder, access)
    return Checked(authentication, subject.card, begun, attested)


@job(REPORTERS)
@options_of(check)
def verify(
    streams: Streams,
    hub: HubOptions,
    *arguments: Any,
    all_entries: Annotated[
        bool, typer.Option("--all", help="Check every entry of sslauth.toml, in processes of their own.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            metavar="N",
            min=1,
            max=MOST_JOBS,
            help="With --all: the most processes at a time.  [default: what cores and free memory allow]",
            show_default=False,
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="N/M", help="With --all: the entries of one of M machines.", show_default=False
        ),
    ] = None,
    **chosen: Any,
) -> int:
    """Check an encoder against a watermark card, or a deployed one against a trusted copy."""
    if all_entries:
        from hf_integration.cli.fleet.checking import verify_all

        return verify_all(streams, chosen, jobs=jobs, shard=shard)
    for option, value in (("--jobs", jobs), ("--shard", shard)):
        if value is not None:
            raise UsageError(f"{option} is for --all", remedy="add --all, or leave it out")
    checked = check(streams, hub, *arguments, **chosen)
    renderer = reporter(streams)
    if isinstance(renderer, Document):
        renderer = _furnished(renderer, checked, chosen["encoder"])
    return _report(checked, chosen["picture"], streams, renderer)


def _report(checked: Checked, picture: Path | None, streams: Streams, renderer: Reporter) -> int:
    """Write the report, the picture and the attestation, and give the exit status."""
    authentication, verdict = checked.authentication, checked.authentication.verdict
    try:
        streams.result(renderer.render(verdict))
        if picture is not None:
            from hf_integration.report.pictures import write_picture

            write_picture(picture, authentication, checked.card)
            streams.say(f"picture: {picture}")
        if checked.begun is not None and checked.attested is not None:
            checked.begun.write(verdict, checked.attested)
            streams.say(f"attestation: {checked.begun.attesting.file}, which attests: {verdict.status}")
    except OutputError as error:
        if verdict.accepted:
            raise
        # the finding stands, whether or not anybody could read the report
        complain(f"error: {error}")
        abandon_output()
    return verdict.exit_status


def _furnished(document: Document, checked: Checked, encoder: str) -> Document:
    """The document with the place of the encoder's entry, and with pictures if it shows any."""
    from hf_integration.checking.finding import Project
    from hf_integration.checking.pins import line_of

    with suppress(SSLAuthError):  # a file that was edited meanwhile takes no finding away
        pins = Project().pins()
        if pin := pins.find(encoder, base=Path()):
            place = Place.of(pin.file, line_of(pins.text, ("encoders", pin.name)), Path())
            document = replace(document, place=place)
    if document.pictured:
        from hf_integration.report.pictures import strip_images

        document = replace(document, images=strip_images(checked.authentication, checked.card))
    return document


def reporter(streams: Streams) -> Reporter:
    """The reporter of the chosen format."""
    return REPORTERS[streams.format](color=streams.color)
