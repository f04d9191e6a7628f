"""A model card's README.md, edited: every byte outside of our keys and our section stays as it is."""

import re
from collections.abc import Sequence

from hf_integration.base.errors import FlawError
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import CARD_FILE, PICTURE_FILE
from hf_integration.card import WatermarkCard
from hf_integration.hub import model_index
from hf_integration.model_card.metadata import KEY, Metadata, read_claims, read_metadata
from hf_integration.model_card.yaml_header import Parts, read_key, replace_key, split
from hf_integration.report.card_summary import render_floor
from hf_integration.report.columns import pairs
from hf_integration.report.coverage_summary import render_coverage

_OF_VALUES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What PyYAML lets through where a value is not of its tag: ``!!bool maybe``, a 30th of February."""

_CLOSING_LINE = re.compile(rb"---[ \t]*(\r\n|\r|\n)")


def edit(
    readme: bytes, metadata: Metadata, section: str, *, evaluation: Sequence[str] | None = None
) -> bytes:
    """Let a model card advertise a card. Outside of our keys and our section every byte stays as it is.

    Args:
        readme: the file as it is; empty where there is none.
        metadata: the claims.
        section: Markdown of the section.
        evaluation: lines of the ``model-index``, or ``None`` to leave it alone.

    Returns:
        The edited file; the same bytes if it says all of this already.

    Raises:
        FlawError: the file cannot be edited without harm to what others wrote.
    """
    parts = split(readme)
    parts = replace_key(parts, KEY, metadata.lines())
    if evaluation is not None:
        present = read_key(parts.header, model_index.KEY)
        if present is not None and not model_index.is_ours(present):
            raise FlawError(
                model_index.KEY, "the model card has evaluation results of its own, which stay as they are"
            )
        parts = replace_key(parts, model_index.KEY, evaluation)
    edited = _joined(parts, section)
    _check(edited, metadata)
    return edited


def _joined(parts: Parts, section: str) -> bytes:
    line = _CLOSING_LINE.match(parts.after)
    # a file that ends with its header
    closing = line.group() if line else parts.after + parts.newline
    body = parts.after[line.end() :] if line else b""
    return parts.before + (parts.header or b"") + closing + replace_section(body, section, parts.newline)


def _check(edited: bytes, metadata: Metadata) -> None:
    """Read the result as anybody else will: by PyYAML, and by this package."""
    import yaml  # type: ignore[import-untyped]

    header = split(edited).header or b""
    try:
        everything = yaml.safe_load(header.decode())
    except (yaml.YAMLError, *_OF_VALUES) as error:
        raise FlawError("", f"its YAML header cannot be read: {type(error).__name__}") from None
    if read_metadata(everything.get(KEY)) != metadata or read_claims(edited) != metadata:
        raise FlawError(KEY, "would not say what was meant")


BEGIN, END = "<!-- sslauth:begin -->", "<!-- sslauth:end -->"

_MARKER = re.compile(rb"<!--[ \t]*sslauth:(begin|end)[ \t]*-->")


def replace_section(text: bytes, content: str, newline: bytes) -> bytes:
    r"""Put a section between its markers, or both at the end of a text that has none.

    Args:
        text: a README.md without its YAML header.
        content: the section, lines ended by ``\n``; markers are not part of it.
        newline: how the file ends lines.

    Raises:
        FlawError: the markers are not one beginning and one end, in this order.
    """
    section = newline.join(line.encode() for line in (BEGIN, *content.strip("\n").split("\n"), END))
    markers = list(_MARKER.finditer(text))
    if not markers:
        apart = b"" if not text.strip() else newline if text.endswith(newline) else newline * 2
        return text + apart + section + newline
    kinds = [marker[1].decode() for marker in markers]
    if kinds != ["begin", "end"]:
        raise FlawError("", f"{_wrong(kinds)}; there must be one {BEGIN} and then one {END}")
    return text[: markers[0].start()] + section + text[markers[1].end() :]


def _wrong(kinds: list[str]) -> str:
    if kinds == ["end", "begin"]:
        return "its sslauth markers are the wrong way round"
    if len(kinds) == 1:
        return f"its sslauth:{kinds[0]} marker stands alone"
    return f"its sslauth markers are doubled or nested ({', '.join(kinds)})"


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
