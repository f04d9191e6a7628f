"""What a watermark card says about itself, for people and for programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_integration.base.text import harmless
from hf_integration.card import WatermarkCard
from hf_integration.card.coverage import coverage_record
from hf_integration.report.columns import number, pairs, table
from hf_integration.report.coverage_summary import render_coverage

SCHEMA = 1

MOST_UNREAD = 10
"""Names of uncovered files that are listed; the others are counted."""


def key_sample_origin(card: WatermarkCard) -> str:
    """Where the key samples come from; nothing of it for a private card, as the words hold its seed."""
    return "not told of a private card" if card.secret else card.key_samples.origin


def card_summary(card: WatermarkCard) -> dict[str, Any]:
    """The card's facts as plain JSON values, without its samples, weights and seed.

    The seed stays out because a private card's is a secret; where its key samples come from names it too.
    """
    encoder = card.encoder
    return {
        "schema": SCHEMA,
        "digest": card.digest,
        "location": card.location,
        "bytes": card_bytes(card),
        "encoder": {
            "name": card.encoder_name,
            "commit": card.commit,
            "modality": encoder.modality,
            "architecture": encoder.architecture,
            "embedding_dim": encoder.embedding_dim,
            "pooling": encoder.pooling,
            "parameters": encoder.parameters,
            "stored_dtype": encoder.stored_dtype,
            "processor_backend": encoder.processor_backend,
            "details": dict(encoder.details),
        },
        "created": card.created,
        "expires": card.expires,
        "secret": card.secret,
        "watermark": card.motif,
        "key_samples": {
            "count": len(card.key_samples),
            "modality": card.key_samples.modality,
            "origin": key_sample_origin(card),
        },
        "tolerance": card.tolerance,
        "strips": list(card.strips),
        "references": [
            {
                "weights": reference.weights,
                "precision": reference.precision,
                "benign_margin": reference.benign_margin,
                "key_samples": reference.keys,
            }
            for reference in card.references
        ],
        "coverage": coverage_record(card.coverage),
        "floor": dict(card.floor),
        "served": [
            {
                "names": list(answers.names),
                "recipe": dict(answers.recipe),
                "dimensions": answers.embeddings.shape[1],
                "noise": answers.noise,
                "floor": answers.floor,
            }
            for answers in (card.served.answers if card.served else ())
        ],
        "conversions": None
        if card.conversions is None
        else {
            "texts": len(card.conversions.texts),
            "forms": list(card.conversions.digests),
            "recipes": [
                {
                    "name": made.name,
                    "rules": list(made.rules),
                    "dimensions": made.embeddings.shape[1],
                }
                for made in card.conversions.answers
            ],
        },
        "source": None if card.source is None else card.source.model_dump(),
        "libraries": dict(card.libraries),
        "files": sorted(card.folder.files),
        "outside": sorted(card.outside.get("stored", ())),
        "not_covered": list(card.folder.unread()),
    }


def card_bytes(card: WatermarkCard) -> int | None:
    """Size of the card's files together, or ``None`` for a card that does not lie in a local folder."""
    folder = Path(card.location)
    if not card.location or not folder.is_dir():
        return None
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def render_card(card: WatermarkCard) -> str:
    """Render a card as text that is harmless in a terminal, without a final line break."""
    sections = [
        [f"WATERMARK CARD of {harmless(card.encoder_name)}"],
        pairs(_facts(card)),
        _references(card),
        render_floor(card.floor),
        _served(card),
        _conversions(card),
        render_coverage(card.coverage),
        _unread(card),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _unread(card: WatermarkCard) -> list[str]:
    """What lay beside the encoder and is in no digest; none where everything is in one."""
    names = card.folder.unread()
    if not names:
        return []
    lines = ["not covered by this card, code or weights beside the encoder:"]
    lines += [f"  {harmless(name)}" for name in names[:MOST_UNREAD]]
    return lines if len(names) <= MOST_UNREAD else [*lines, f"  and {len(names) - MOST_UNREAD} more"]


def _facts(card: WatermarkCard) -> list[tuple[str, str]]:
    encoder, samples = card.encoder, card.key_samples
    size = card_bytes(card)
    facts = [
        ("digest", harmless(card.digest or "none: not written yet")),
        ("location", harmless(card.location or "memory")),
        ("size", "unknown" if size is None else f"{size / 1e6:.2f} MB"),
        ("kind", "PRIVATE, never to be published" if card.secret else "public"),
        ("minted", harmless(card.created)),
        ("expires", harmless(card.expires or "never")),
        ("commit", harmless(card.commit or "none: minted from a local folder")),
        (
            "encoder",
            f"{harmless(encoder.architecture)}, {encoder.modality}, "
            f"{encoder.parameters:,} parameters in {harmless(encoder.stored_dtype)}",
        ),
        ("embedding", f"{encoder.embedding_dim} dimensions, {harmless(encoder.pooling)}"),
        ("processor", harmless(encoder.processor_backend)),
        ("key samples", f"{len(samples)} ({harmless(key_sample_origin(card))})"),
        ("watermark", "a picture" if card.motif == "picture" else "the key samples, one in each tile"),
        ("files", f"{len(card.folder.files)}, recorded key by key"),
        ("other tensors", _outside(card)),
        ("strips", f"{len(card.strips)}: {harmless(', '.join(card.strips))}"),
    ]
    if card.source is not None:
        facts.append(("made of", harmless(card.source)))
    facts += [(harmless(name, longest=40), harmless(value)) for name, value in encoder.details.items()]
    return facts


def _outside(card: WatermarkCard) -> str:
    names = list(card.outside.get("stored", ()))
    shown = harmless(", ".join(names[:3])) + (" ..." if len(names) > 3 else "")
    return f"{len(names)} outside the embedding path: {shown}" if names else "none outside the embedding path"


def _references(card: WatermarkCard) -> list[str]:
    """Margins of benign runs that calibration did not see; above 1 they pass."""
    rows = [("reference", "precision", "key samples", "margin of held-out benign runs")]
    rows += [
        (
            "weights as stored" if reference.weights == "stored" else f"rounded to {reference.weights}",
            reference.precision,
            str(reference.keys),
            number(reference.benign_margin),
        )
        for reference in card.references
    ]
    return table(rows, right=(2, 3))


def _served(card: WatermarkCard) -> list[str]:
    """What a check with ``--by-card`` can expect of a deployment, and how small an alteration shows in it."""
    if card.served is None:
        return []
    rows = [("answers of deployments", "noise of benign runs", "noise on all weights that shows")]
    rows += [
        (harmless(", ".join(answers.names), longest=70), number(answers.noise), _size(answers.floor))
        for answers in card.served.answers
    ]
    return table(rows, right=(1, 2))


def _conversions(card: WatermarkCard) -> list[str]:
    """What a converted encoder can be checked for with ``--converted`` and ``--by-card``."""
    section = card.conversions
    if section is None:
        return []
    integers = [form for form in section.digests if ": " in form]
    answers = [made.name for made in section.answers]
    lines = [f"for converted encoders: digests of the tokens of {len(section.texts)} texts"]
    if integers:
        lines.append(f"  digests of integers by {harmless('; '.join(integers), longest=400)}")
    if answers:
        lines.append(f"  answers after {harmless(', '.join(answers), longest=400)}")
    return lines


def render_floor(floor: Mapping[str, Any]) -> list[str]:
    """The smallest alterations that a card was shown to notice, as lines; none where it states none."""
    rows = [("smallest alteration noticed, one of each kind", "precision", "size")]
    for precision, kinds in floor.items():
        for kind, size in kinds.items() if isinstance(kinds, Mapping) else [("", kinds)]:
            rows.append((harmless(kind, longest=70), harmless(precision, longest=20), _size(size)))
    return table(rows, right=(2,)) if len(rows) > 1 else []


def _size(size: Any) -> str:
    if size is None:
        return "not noticed"
    return number(size) if isinstance(size, int | float) else harmless(size, longest=40)
