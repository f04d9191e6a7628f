"""``sslauth convert``."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless, listed
from hf_integration.cli import options
from hf_integration.cli.options import HubOptions, job, understood
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.pickled.conversion import Converted

EPILOG = """\b
Examples:
  sslauth convert ORG/NAME --revision COMMIT --out NAME
  sslauth convert ./old-encoder --out ./new-encoder
  sslauth mint ./new-encoder --out cards/NAME

Reads pytorch_model.bin, whole or in shards, and writes safetensors with the same numbers, bit for bit.
Nothing in a pickle is run: tensors are built, and everything else is refused, in a process of its own that
opens no connection and starts no program. Configuration and tokenizer are copied. Code, other pickles,
weights for other libraries and model.sig are left out, and named.

A conversion is no check: it says nothing of who made the weights. sslauth-conversion.json beside the result
records the repository, the commit and the SHA-256 of every file that was read. A card that is minted from the
result records the same, and 'inspect' and 'verify' show it.

\b
JSON: {"schema": 1, "out", "source": {"repo", "commit", "files": {name: SHA-256}, "weights": [...], "tool"},
"files": [...], "bytes", "tensors", "tied": {...}, "copies": {...}, "beside": [...], "left_out": [...]}
Quiet: converted."""

MOST_NAMED = 10
"""Names of a kind that are shown; the others are counted."""


@job()
def convert(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[
        str, typer.Argument(metavar="ENCODER", help="A local folder, or a Hub repository id, ORG/NAME.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the result, a new one.")],
    revision: options.RevisionOption = None,
) -> int:
    """Write pickled weights as safetensors, without running anything of them."""
    if str(out) in ("", "."):
        raise UsageError("--out is empty", remedy="name a folder; is a variable unset?")
    from hf_integration.base.output_files import free_folder
    from hf_integration.checking.finding import Asked, Project

    free_folder(out)  # before gigabytes are fetched
    place = understood(Project().encoder(Asked(encoder=encoder, revision=revision, pins="none")), streams)
    streams.keep_apart(out)
    from hf_integration.pickled.conversion import convert as convert_files
    from hf_integration.pickled.source import find_pickled

    streams.say(f"looking for pickled weights in {place.reference} ...")
    where = place.folder or place.reference
    pickled = find_pickled(where, revision=revision, token=hub.token, cache_dir=hub.cache_dir)
    if place.publishers:
        streams.say("the signature of the publisher is of the pickled files, and is not checked here")
    streams.say(f"converting {listed(list(pickled.files), 3)} ...")
    made = convert_files(pickled, out)
    if streams.format == Format.JSON:
        streams.result(strict_json(_summary(made, out)))
    elif streams.format == Format.QUIET:
        streams.result("converted")
    else:
        streams.result("\n".join(_lines(made, out)))
    streams.say(f"next: {shlex.join(['sslauth', 'mint', str(out), '--out', f'cards/{out.name}'])}")
    return 0


def _summary(made: "Converted", out: Path) -> dict[str, object]:
    return {
        "schema": 1,
        "out": str(out),
        "source": made.record.source.model_dump(),
        "files": list(made.files),
        "bytes": made.bytes,
        "tensors": made.tensors,
        "tied": dict(made.record.tied),
        "copies": dict(made.record.copies),
        "beside": list(made.beside),
        "left_out": made.record.left_out,
    }


def _lines(made: "Converted", out: Path) -> Iterator[str]:
    size = f"{made.tensors} tensors, {len(made.files)} files, {made.bytes / 1e6:.1f} MB"
    yield f"converted into {harmless(out)}: {size}"
    yield f"  from {made.record.source}"
    pairs = [f"{name} (made of {other})" for name, other in made.record.tied.items()]
    yield from _named("tied tensors, left out as the library makes them when it loads", pairs)
    pairs = [f"{name} (as {other})" for name, other in made.record.copies.items()]
    yield from _named("tensors that shared memory, written under each name", pairs)
    yield from _named("entries that are no tensors, left out", list(made.beside))
    yield from _named("files left out", made.record.left_out)


def _named(what: str, names: list[str]) -> Iterator[str]:
    if names:
        yield f"  {what}: {listed(names, MOST_NAMED)}"
