"""The verdict and its parts. Reporters consume this value and nothing else."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hf_integration.base.vocabulary import ExitStatus, Precision

Status = Literal["authentic", "altered", "inconclusive"]
Trust = Literal["pinned", "signed", "local", "self-asserted"]

SCHEMA = 1

LARGEST_MARGIN = 1e6
LARGEST_ERROR = 1e18
"""Errors and deviations are capped here, so that a verdict never holds a number that JSON cannot."""

MIXED = "float16 and bfloat16"
"""What tensors match that are each rounded as recorded, but not all to one precision."""

EXIT_STATUS: Mapping[Status, ExitStatus] = {
    "authentic": ExitStatus.DONE,
    "altered": ExitStatus.ALTERED,
    "inconclusive": ExitStatus.INCONCLUSIVE,
}


@dataclass(frozen=True)
class StripResult:
    """How well one strip reproduced the watermark.

    Attributes:
        name: strip, in forward order: ``processor``, the layers, ``embedding``.
        error: largest tile error of the reconstruction, in units of the watermark's contrast.
        tolerance: largest error that an unaltered encoder may show.
        intact: whether ``error`` is at most ``tolerance``; never true for an error that is not a number.
        deviation: how far the worst feature lies from its reference, in units of the tolerated distance: 1
            is the edge. ``error`` levels off once a tile is noise, this does not.
    """

    name: str
    error: float
    tolerance: float
    intact: bool
    deviation: float


@dataclass(frozen=True)
class TensorEvidence:
    """Comparison of the loaded tensors with the card's digests.

    Attributes:
        checked: number of tensors compared; 0 means that tensors could not be read.
        changed: names of tensors that are neither the recorded values nor a recorded cast of them.
        missing: tensors of the card that the encoder lacks.
        unexpected: tensors of the encoder that the card does not know.
        matches: ``stored``, ``float16`` or ``bfloat16`` if every tensor equals the recorded values or a
            recorded cast of them (a re-encoding), ``float16 and bfloat16`` if it takes both casts to
            explain them, else ``None``.
        kept: of a re-encoding, how many tensors are not rounded but hold the recorded values, as the norms of
            a copy in mixed precision do.
        outside: tensors outside the embedding path (heads, poolers, another tower) whose values differ:
            nothing that was run here reads them, but whoever loads the folder for another task does.
    """

    checked: int
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    matches: str | None = None
    kept: int = 0
    outside: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileEvidence:
    """Comparison of behaviour files with the card's.

    Attributes:
        checked: number of files compared.
        changed: one ``file: key: was -> is`` line per difference.
        not_covered: files beside the encoder that hold code or weights (remote code, pickles, ONNX, adapters)
            and were not looked at: the verdict does not cover what loads these files. A head that the card
            describes and the encoder lacks is named here as well.
        derived: effective values that differ although the files they come from are equal: the library, or
            code in this process, makes something else of them.
        notes: differences that cannot matter, each with the reason why not.
    """

    checked: int
    changed: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CardIdentity:
    """Which card was used.

    Attributes:
        digest: its SHA-256, ``sha256:…``.
        location: where it came from.
    """

    digest: str
    location: str


@dataclass(frozen=True)
class Claim:
    """One thing that a model card says about its watermark card.

    Attributes:
        about: what it is about, in a word or two.
        holds: whether it is so; a claim that could not be checked does not hold.
        says: one sentence that says what was found.
    """

    about: str
    holds: bool
    says: str


@dataclass(frozen=True)
class Accepted:
    """A waiver that holds: why an alteration is accepted, and until which day, ``2030-01-31``."""

    reason: str
    until: str


@dataclass(frozen=True)
class KeySamplesRun:
    """How many key samples were run, of how many that the card's reference is of.

    Fewer were run where a budget left some out.
    """

    run: int = 0
    of: int = 0

    @property
    def partial(self) -> bool:
        """Whether some were run and some were not."""
        return 0 < self.run < self.of


@dataclass(frozen=True)
class Near:
    """A recipe that comes near answers: in words, with its largest and its typical relative distance."""

    recipe: str
    distance: float
    typical: float


@dataclass(frozen=True)
class Deployment:
    """How a deployed encoder was asked, and what its answers look like.

    Attributes:
        address: URL that was asked.
        api: API that was spoken.
        expected: the recipe that was expected, in words.
        found: the recipe that fits, in words; ``None`` if none does.
        nearest: recipes by how near they come, if the expected one does not fit.
        requests: how many requests were sent, each with one new key sample.
        refused: how many long texts the server did not answer; the others were compared.
        unnoticed: share of requests that another encoder may answer and go unnoticed, see ``confidence``.
        confidence: share of checks that notice another encoder behind a larger share of requests.
        tolerated: relative distance that answers may have without being seen, under the recipe judged.
        claims: what the server says of itself.
    """

    address: str
    api: str
    expected: str
    found: str | None
    nearest: tuple[Near, ...] = ()
    requests: int = 0
    refused: int = 0
    unnoticed: float = 1.0
    confidence: float = 0.99
    tolerated: float = 0.0
    claims: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PublisherSignature:
    """What came of the signature that lies beside an encoder, by whoever published it: evidence of its own.

    Attributes:
        verified: whether it is by the publisher who was named, over the very files that are here; otherwise
            it was not checked, and counts for nothing.
        said: one sentence for people.
        signer: who signed, as the caller or ``sslauth.toml`` names them; ``None`` if it was not checked.
        files: how many of the signed files are here.
        absent: how many of them are not: files that an encoder does without.
        unsigned: names of files that are here and were not signed; the encoder is loaded from none of them.
    """

    verified: bool
    said: str
    signer: str | None = None
    files: int = 0
    absent: int = 0
    unsigned: tuple[str, ...] = ()


Finding = Literal["fits", "differs", "open"]


@dataclass(frozen=True)
class Answer:
    """The answer to one question about a converted encoder.

    Attributes:
        finding: ``fits``, ``differs``, or ``open`` where the question could not be answered.
        said: one sentence for people.
        details: line by line, what it rests on, or what differs.
    """

    finding: Finding
    said: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversion:
    """What came of a converted encoder: three questions, each with its own answer.

    Attributes:
        path: file or folder that was checked.
        runtime: whose form it has, and which ran it.
        file: whether its numbers are the weights of the trusted copy.
        behaviour: whether it computes what the trusted copy does under the recipe that was expected.
        inputs: whether it reads texts as the trusted copy does.
        expected: the recipe that was expected, in words.
        found: the recipe that fits, in words; ``None`` if none does.
        nearest: recipes by how near they come, if the expected one does not fit.
        tolerated: relative distance that embeddings may have without being seen, under the recipe judged.
    """

    path: str
    runtime: str
    file: Answer
    behaviour: Answer
    inputs: Answer
    expected: str
    found: str | None
    nearest: tuple[Near, ...] = ()
    tolerated: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What was found out about one encoder.

    Attributes:
        status: ``authentic``, ``altered``, or ``inconclusive`` (never a pass).
        reason: one sentence for people.
        trust: why the card is believed.
        encoder: what was checked, as the caller named it.
        revision: resolved commit, if it came from a Hub.
        card: identity of the card.
        precision: arithmetic of the check.
        margin: tolerance / error, the smallest over strips, at most 1e6; ``None`` when inconclusive.
        strips: results in forward order.
        tensors: comparison of the loaded tensors.
        files: comparison of the behaviour files.
        coverage: what the key samples reach, as the card states it.
        floor: smallest alterations the card was shown to detect, as it states them.
        diagnosis: what the evidence points to, and what to do next, line by line.
        seconds: how long the check took.
        environment: versions and device of the check.
        state: ``sha256:…`` of the tensors and the behaviour that were checked, which is what a waiver names;
            ``None`` for an encoder without tensors.
        waiver: the waiver that accepts this alteration, if any.
        claims: what the encoder's model card says, claim by claim; empty unless it was asked.
        key_samples: how many of the card's key samples were run.
        process: what was found in this process that changes what the encoder gives its users, in words:
            hooks, patched functions, training mode with dropout, autocast. Named even if the watermark is
            intact.
        deployment: of an encoder that is deployed: how it was asked, and what its answers look like.
        conversion: of an encoder that was converted for another runtime: what came of the three questions.
        publisher: what came of the signature that its publisher put beside it (``model.sig``), if there is
            one. It says nothing of the card.
        signers: who signed the card (of a trusted copy: its card), each as the caller or ``sslauth.toml``
            named them, and each verified. A signature that nobody asked for was not, and is not named.
        source: the pickled files that the encoder was converted from, as the card says in one line.
    """

    status: Status
    reason: str
    trust: Trust
    encoder: str
    revision: str | None
    card: CardIdentity
    precision: Precision
    margin: float | None
    strips: tuple[StripResult, ...]
    tensors: TensorEvidence
    files: FileEvidence
    coverage: Mapping[str, Any] = field(default_factory=dict)
    floor: Mapping[str, Any] = field(default_factory=dict)
    diagnosis: tuple[str, ...] = ()
    seconds: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    state: str | None = None
    waiver: Accepted | None = None
    claims: tuple[Claim, ...] = ()
    key_samples: KeySamplesRun = KeySamplesRun()
    process: tuple[str, ...] = ()
    deployment: Deployment | None = None
    conversion: Conversion | None = None
    publisher: PublisherSignature | None = None
    signers: tuple[str, ...] = ()
    source: str | None = None

    def __bool__(self) -> bool:
        """Refused: ``assert sslauth.authenticate(...)`` would pass for every encoder.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "a verdict is neither true nor false: look at its status, authentic or accepted (this one is "
            f"{self.status}: {self.reason})"
        )

    @property
    def authentic(self) -> bool:
        """Whether the encoder passed; ``inconclusive`` did not."""
        return self.status == "authentic"

    @property
    def accepted(self) -> bool:
        """Whether the encoder may be used: authentic, or altered in a way that a waiver accepts for now."""
        return self.authentic or (self.status == "altered" and self.waiver is not None)

    @property
    def exit_status(self) -> ExitStatus:
        """What a command ends with for this verdict: 0 authentic or waived, 1 altered, 3 inconclusive."""
        return ExitStatus.DONE if self.accepted else EXIT_STATUS[self.status]

    @property
    def believed(self) -> str:
        """The trust in a word, and in three where a signature was verified besides: ``pinned and signed``."""
        return f"{self.trust} and signed" if self.signers and self.trust != "signed" else self.trust

    @property
    def first_broken_strip(self) -> str | None:
        """Name of the first strip, in forward order, that did not reproduce the watermark."""
        return next((strip.name for strip in self.strips if not strip.intact), None)

    @property
    def partial(self) -> str | None:
        """``8 of 24 key samples`` where a budget left some out."""
        samples = self.key_samples
        return f"{samples.run} of {samples.of} key samples" if samples.partial else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, ``schema`` first; the inverse of :meth:`from_dict`."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Verdict":
        """Read a verdict back from its JSON values.

        Raises:
            ValueError: another schema version.
            KeyError: a field is missing.
            TypeError: a field is unknown.
        """
        fields = dict(data)
        if (schema := fields.pop("schema", None)) != SCHEMA:
            raise ValueError(f"verdict of schema {schema!r}, this version reads schema {SCHEMA}")
        return cls(
            **{
                **fields,
                "card": CardIdentity(**fields["card"]),
                "strips": tuple(StripResult(**strip) for strip in fields["strips"]),
                "tensors": TensorEvidence(**_tuples(fields["tensors"])),
                "files": FileEvidence(**_tuples(fields["files"])),
                "diagnosis": tuple(fields["diagnosis"]),
                "claims": tuple(Claim(**claim) for claim in fields.get("claims", ())),
                "process": tuple(fields.get("process", ())),
                "signers": tuple(fields.get("signers", ())),
                "waiver": Accepted(**fields["waiver"]) if fields.get("waiver") else None,
                "key_samples": KeySamplesRun(**fields.get("key_samples", {})),
                "deployment": _deployment(fields.get("deployment")),
                "conversion": _conversion(fields.get("conversion")),
                "publisher": PublisherSignature(**_tuples(signed))
                if (signed := fields.get("publisher"))
                else None,
            }
        )


def _deployment(said: Mapping[str, Any] | None) -> Deployment | None:
    if said is None:
        return None
    return Deployment(**{**said, "nearest": tuple(Near(**near) for near in said["nearest"])})


def _conversion(said: Mapping[str, Any] | None) -> Conversion | None:
    if said is None:
        return None
    answers = {name: Answer(**_tuples(said[name])) for name in ("file", "behaviour", "inputs")}
    return Conversion(**{**said, **answers, "nearest": tuple(Near(**near) for near in said["nearest"])})


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
