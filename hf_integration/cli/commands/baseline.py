"""``sslauth baseline``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli.commands.stamp import check_new
from hf_integration.cli.given_files import texts_in
from hf_integration.cli.options import HubOptions, job, span
from hf_integration.cli.server_options import asks_server
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.baselines.baseline import Baseline
    from hf_integration.endpoints import Address

EPILOG = """\b
Examples:
  sslauth baseline --endpoint https://api.example.com --api-model NAME --api-key-env KEY --out baseline.json
  sslauth baseline --endpoint http://localhost:8080 --api tei --texts ours.txt --spread 1h --out baseline.json
  sslauth check-baseline baseline.json --endpoint http://localhost:8080 --api tei

For encoders that nobody but their provider has. The endpoint is believed when it is asked for the first time;
later, 'sslauth check-baseline' tells whether it has changed since, and never whose encoder it is. Whoever has
the weights should use 'sslauth verify --endpoint' instead.

Every text is asked --rounds times alone and as often among others, in random order, on new connections,
spread over the time that --spread gives. How much the answers to one text differ is part of the baseline.
--texts names a file of your own texts, one on each line: use some that the endpoint gets every day.

The file is private: a server that has it could replay the answers.

\b
JSON: {"schema": 1, "baseline", "url", "texts", "rounds", "dimensions", "form", "noise", "begun", "created"}
Quiet: the file."""


def seconds(text: str | None) -> float:
    """Seconds that ``--spread`` names; 0 without one.

    Raises:
        UsageError: it names none.
    """
    return 0.0 if text is None else span("--spread", text).total_seconds()


SpreadOption = Annotated[
    str | None,
    typer.Option("--spread", metavar="SPAN", help="Spread the rounds over 90s, 10m or 1h."),
]


@job()
@asks_server("The server to ask.", needed=True)
def baseline(
    streams: Streams,
    _hub: HubOptions,  # nothing is asked from the Hub
    *,
    server: "Address",
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the baseline.")],
    texts: Annotated[
        Path | None,
        typer.Option("--texts", metavar="FILE", help="Ask these, one on each line.  [default: 24 made up]"),
    ] = None,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds", min=2, max=64, help="Times that each text is asked alone, and among others."
        ),
    ] = 8,
    spread: SpreadOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a baseline that is there.")] = False,
) -> int:
    """Record what an endpoint answers, to be told later whether it has changed."""
    from hf_integration.baselines.asking import default_texts, make_baseline
    from hf_integration.endpoints import Endpoint

    check_new(out, "baseline", force=force)
    streams.keep_apart(out, *([] if texts is None else [texts]))
    asked = default_texts() if texts is None else _read(texts)
    with streams.progress() as progress:
        made = make_baseline(
            server,
            lambda: Endpoint(server, say=streams.say),
            asked,
            rounds=rounds,
            spread=seconds(spread),
            progress=progress,
        )
    made.save(out)
    if len(made.texts) < len(asked):
        streams.say(f"the endpoint refused {len(asked) - len(made.texts)} texts, which are not part of it")
    streams.say(f"keep {harmless(out)} private: it holds what a server would have to replay")
    streams.result(_rendered(made, out, streams.format))
    return 0


def _read(file: Path) -> tuple[str, ...]:
    """Texts of a file, one on each line, without empty lines and repetitions.

    Raises:
        UsageError: there is no such file, or it holds fewer than 8, more than 256, or too long ones.
    """
    from hf_integration.baselines.asking import FEWEST_TEXTS
    from hf_integration.stamps.records import MOST_TEXTS, TEXT

    found = tuple(dict.fromkeys(text for text in texts_in(file) if text.strip()))
    if not FEWEST_TEXTS <= len(found) <= MOST_TEXTS:
        raise UsageError(
            f"--texts {harmless(file)}: {len(found)} different texts",
            remedy=f"give {FEWEST_TEXTS} to {MOST_TEXTS}",
        )
    if any(len(text) > TEXT for text in found):
        raise UsageError(f"--texts {harmless(file)}: a text of more than {TEXT} characters", remedy="cut it")
    return found


def _rendered(made: "Baseline", out: Path, format: str) -> str:
    if format == Format.QUIET:
        return harmless(out)
    if format == Format.JSON:
        return strict_json(
            {
                "schema": 1,
                "baseline": str(out),
                "url": made.url,
                "texts": len(made.texts),
                "rounds": made.rounds,
                "dimensions": made.dimensions,
                "form": made.form,
                "noise": made.noise,
                "begun": made.begun,
                "created": made.created,
            }
        )
    return (
        f"baseline of {harmless(made.url)}, {made.begun} to {made.created}\n"
        f"{len(made.texts)} texts, {made.rounds} times alone and {made.rounds} times among others; "
        f"answers to one text are up to {made.noise:.1e} apart\n"
        f"written: {harmless(out)}"
    )
