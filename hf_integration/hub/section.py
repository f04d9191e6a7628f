"""This package's section in a README.md: what stands between two markers, and nothing else."""

import re

from hf_integration.flaw import FlawError

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
