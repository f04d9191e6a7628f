"""What people read about a watermark card in the model card of its encoder."""

from hf_integration.card import WatermarkCard
from hf_integration.card.schema import CARD_FILE, PICTURE_FILE
from hf_integration.model_card.metadata import Metadata
from hf_integration.report.card_summary import render_floor
from hf_integration.report.columns import pairs
from hf_integration.report.coverage_summary import render_coverage
from hf_integration.report.escaping import harmless


def section_text(card: WatermarkCard, metadata: Metadata, repo: str) -> str:
    r"""Markdown of the section: picture, facts, coverage, floors, how to verify.

    It depends on its arguments alone, so that the same card gives the same bytes.

    Args:
        card: the card.
        metadata: what is said for programs.
        repo: id of the repository.

    Returns:
        Lines ended by ``\n``.
    """
    folder = metadata.card
    facts = "\n".join(pairs(_facts(card, metadata)))
    measured = "\n\n".join(
        "\n".join(lines) for lines in (render_coverage(card.coverage), render_floor(card.floor)) if lines
    )
    return f"""\
## Watermark card

![The watermark]({folder}/{PICTURE_FILE})

With this card ([`{folder}/{CARD_FILE}`]({folder}/{CARD_FILE})) anybody can tell whether a copy of this
encoder is still the one that was published, as it runs: an unaltered encoder reproduces the picture, an
altered one does not. Verify it in three lines:

```bash
pip install pytest-sslauth
sslauth add {repo}      # trusts what is here now, and pins it
sslauth verify {repo}   # from then on: authentic only while it is the same
```

Without a pin or a signature only this repository vouches for its card, and `sslauth verify` says so.

```text
{_fenced(facts)}
{f"{chr(10)}{_fenced(measured)}{chr(10)}" if measured else ""}```
"""


def _facts(card: WatermarkCard, metadata: Metadata) -> list[tuple[str, str]]:
    encoder = card.encoder
    facts = [
        ("card", metadata.digest),
        ("of commit", metadata.encoder_commit),
        ("minted", harmless(metadata.created)),
        ("signed", f"yes, see {metadata.card}/card.sig" if metadata.signed else "no"),
        (
            "encoder",
            f"{harmless(encoder.architecture)}, {encoder.modality}, {encoder.parameters:,} parameters",
        ),
        ("embedding", f"{encoder.embedding_dim} dimensions, {harmless(encoder.pooling)}"),
        ("key samples", f"{len(card.key_samples)}"),
    ]
    if metadata.expires is not None:
        facts.insert(3, ("good until", metadata.expires))
    facts += [
        ("revoked", f"{entry.digest}: {harmless(entry.reason, longest=400)}") for entry in metadata.revoked
    ]
    return facts


def _fenced(text: str) -> str:
    """Text that ends neither the block of code that it stands in nor the section."""
    return text.replace("`", "'").replace("<!--", "<!- -")
