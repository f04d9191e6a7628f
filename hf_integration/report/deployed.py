"""What reports say of encoders that are held against a trusted copy: behind an endpoint, or converted."""

from collections.abc import Mapping

from hf_integration.base.text import harmless
from hf_integration.report.columns import margin_said, names_of, number, table
from hf_integration.verdict import Answer, Conversion, Deployment, Finding, Trust, Verdict

CARD_TRUST: dict[Trust, str] = {
    "pinned": "its digest is the one that you pinned",
    "signed": "its signature was checked",
    "local": "it comes from a folder of yours, and not from what was checked",
    "self-asserted": "it comes from the very repository or folder that it vouches for",
}

COPY_TRUST: dict[Trust, str] = {
    "pinned": "the copy is at the commit that you pinned",
    "signed": "the copy fits a card whose signature was checked",
    "local": "the copy is a folder of yours",
    "self-asserted": "nobody pinned the copy: it is what the Hub gives for this name today",
}


def trust_said(verdict: Verdict) -> str:
    """Why what was held against is believed, and who was found to have signed its card."""
    reasons = CARD_TRUST if verdict.card.digest else COPY_TRUST
    card = "" if verdict.card.digest else "its card is "
    signed = f"; {card}signed by {' and by '.join(map(harmless, verdict.signers))}" if verdict.signers else ""
    return f"{verdict.trust}: {reasons[verdict.trust]}{signed}"


def converted(verdict: Verdict, conversion: Conversion) -> list[tuple[str, str]]:
    """Facts about a converted encoder, name and value."""
    return [
        ("runtime", harmless(conversion.runtime)),
        *_against(verdict),
        ("expected", harmless(conversion.expected)),
        ("found", harmless(conversion.found or "no recipe that is known")),
        ("file", _answer(conversion.file)),
        ("behaviour", _answer(conversion.behaviour)),
        ("inputs", _answer(conversion.inputs)),
        ("margin", margin_said(verdict.margin)),
        ("compared", f"{verdict.tensors.checked} tensors, {verdict.key_samples.run} fresh key samples"),
        ("floor", _floor(conversion.tolerated)),
        ("took", f"{verdict.seconds:.1f} s, loading not counted"),
    ]


def _against(verdict: Verdict) -> list[tuple[str, str]]:
    """What answers were held against: a card has a digest, and a trusted copy has none here."""
    encoder = f"{harmless(verdict.encoder)} {harmless(verdict.revision or '')}".strip()
    if not verdict.card.digest:
        return [("trusted copy", encoder), ("trust", trust_said(verdict))]
    return [
        ("encoder", encoder),
        ("card", f"{harmless(verdict.card.digest)} at {harmless(verdict.card.location)}"),
        ("trust", trust_said(verdict)),
    ]


def _floor(tolerated: float) -> str:
    return f"what moves embeddings by up to {number(tolerated)} of their length may go unnoticed"


FINDINGS: Mapping[Finding, str] = {"fits": "fits", "differs": "DIFFERS", "open": "OPEN"}


def _answer(answer: Answer) -> str:
    return f"{FINDINGS[answer.finding]}: {harmless(answer.said)}"


def answers(conversion: Conversion | None) -> list[str]:
    """What the answers about a converted encoder rest on."""
    if conversion is None:
        return []
    return [
        line
        for what, answer in (("file", conversion.file), ("inputs", conversion.inputs))
        for line in names_of(f"{what}, in detail", answer.details)
    ]


def deployed(verdict: Verdict, deployment: Deployment) -> list[tuple[str, str]]:
    """Facts about an endpoint, name and value."""
    samples, kind = verdict.key_samples.run, "" if verdict.card.digest else "fresh "
    said = ", ".join(f"{harmless(name)} {harmless(value)}" for name, value in deployment.claims.items())
    return [
        ("endpoint", f"{harmless(deployment.address)}, asked by the API {harmless(deployment.api)}"),
        *_against(verdict),
        ("expected", harmless(deployment.expected)),
        ("found", harmless(deployment.found or "no recipe that is known")),
        ("the server says", said or "nothing about itself"),
        ("margin", margin_said(verdict.margin)),
        ("compared", f"{samples} {kind}key samples in {deployment.requests} requests"),
        ("floor", _floor(deployment.tolerated)),
        (
            "unnoticed",
            f"another encoder behind up to {100 * deployment.unnoticed:.1f} % of requests"
            f" ({100 * deployment.confidence:g} % sure)",
        ),
        ("took", f"{verdict.seconds:.1f} s, loading not counted"),
    ]


def nearest(deployment: Deployment | Conversion | None) -> list[str]:
    """Recipes that come near the answers, where another one was expected."""
    if deployment is None or not deployment.nearest:
        return []
    rows = [("recipe", "largest distance", "typical")]
    rows += [
        (harmless(near.recipe, longest=120), number(near.distance), number(near.typical))
        for near in deployment.nearest
    ]
    return ["recipes that come nearest:", *table(rows, right=(1, 2))]
