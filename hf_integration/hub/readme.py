"""A model card's README.md, edited: every byte outside of our keys and our section stays as it is."""

import re
from collections.abc import Sequence

from hf_integration.flaw import FlawError
from hf_integration.hub import model_index
from hf_integration.hub.section import replace_section
from hf_integration.model_card.claims import read_claims
from hf_integration.model_card.metadata import KEY, Metadata, read_metadata
from hf_integration.model_card.yaml_header import Parts, read_key, replace_key, split

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
