"""``sslauth review``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_integration.base.errors import InconclusiveError, OutputError, UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.cli import options
from hf_integration.cli.commands.lock import (
    NamesArgument,
    chosen_pins,
    entry_lines,
    entry_summary,
    project_pins,
)
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.checking.reviewing import Earlier
    from hf_integration.checking.standing import Standing
    from hf_integration.report.card_changes import CardChanges
    from hf_integration.verdict import Verdict

EPILOG = """\b
Examples:
  sslauth review
  sslauth review minilm --pictures review
  sslauth review --format json

Shows what 'sslauth lock' would change, and writes nothing: commits and digests, which tensors and settings of
the encoder differ, and what the new card promises otherwise: key samples, coverage, what it was shown to
detect. The pinned card is looked for at the pinned commit; one in a folder, in that folder's git history.

\b
With --pictures, each encoder that 'lock' would pin is held against the card that is pinned now, and the
expected and reconstructed watermark are written to DIR/NAME.png.

\b
Ends with 0 if everything could be shown, with 4 if a card must not be pinned (damaged, revoked, expired), and
with 3 if something could not be found out.

\b
JSON: {"schema": 1, "file", "pending", "encoders": [{"name", "card", "changes": [...], "objections",
"unanswered", "note", "compared": {"tensors", "settings", "facts": [{"fact", "old", "new"}]} or null,
"not_compared", "check": {"status", "reason", "picture"} or null}]}
Quiet: pending, unchanged or unknown."""

MOST_SHOWN = 20
"""Tensors, settings and facts that are listed; the others are counted. JSON has all of them."""


@dataclass(frozen=True, eq=False)
class _Reviewed:
    """One entry: how it stands, what differs between the two cards, and what a check said."""

    standing: "Standing"
    earlier: "Earlier"
    compared: "CardChanges | None"
    verdict: "Verdict | None" = None
    picture: Path | None = None


@job()
def review(
    streams: Streams,
    hub: HubOptions,
    names: NamesArgument = None,
    *,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", metavar="DIR", help="Check what would be pinned with the pinned card, and draw it."
        ),
    ] = None,
    device: options.DeviceOption = None,
) -> int:
    """Show what 'sslauth lock' would change, before anything is accepted."""
    from hf_integration.base.vocabulary import today
    from hf_integration.checking.reviewing import pinned_card
    from hf_integration.checking.standing import checked_standing
    from hf_integration.report.card_changes import card_changes

    if pictures is not None and pictures.exists() and not pictures.is_dir():
        raise UsageError(f"'{pictures}' is no folder", remedy="name a folder for the pictures")
    if device is not None and pictures is None:
        raise UsageError("--device is for --pictures", remedy="add --pictures DIR, or leave it out")
    found = []
    for pin in chosen_pins(project_pins(), names, streams):
        streams.say(f"resolving {pin} ...")
        standing = checked_standing(pin, today=today(), token=hub.token)
        earlier = pinned_card(pin)
        both = earlier.card is not None and standing.now is not None
        one = _Reviewed(
            standing,
            earlier,
            card_changes(earlier.card, standing.now) if both else None,  # type: ignore[arg-type]
        )
        if pictures is not None and standing.changes and earlier.card is not None:
            one = _checked(one, pictures, streams, hub, device)
        found.append(one)
    return _report(found, streams)


def _checked(
    one: _Reviewed, folder: Path, streams: Streams, hub: HubOptions, device: str | None
) -> _Reviewed:
    """Hold the encoder that would be pinned against the card that is pinned now."""
    from dataclasses import replace

    from hf_integration.authentication.authenticator import Authenticator
    from hf_integration.encoders import load_encoder
    from hf_integration.report.pictures import write_picture

    pin, card = one.standing.pin, one.earlier.card
    commit = next((change.new for change in one.standing.changes if change.key == "commit"), pin.commit)
    assert card is not None  # noqa: S101  # for the type checker: only then is it called
    streams.say(f"checking what {pin.name} would be, with the card that is pinned now ...")
    encoder = load_encoder(
        pin.reference,
        name=pin.name,
        revision=commit,
        device=device,
        token=hub.token,
        preferred=card.encoder,
    )
    with streams.progress() as progress:
        authentication = Authenticator(card=card, trust="pinned").authenticate(encoder, progress=progress)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"'{folder}' cannot be made: {error.strerror}") from error
    picture = folder / f"{pin.name}.png"
    write_picture(picture, authentication, card)
    return replace(one, verdict=authentication.verdict, picture=picture)


def _report(found: Sequence[_Reviewed], streams: Streams) -> int:
    pending = [one for one in found if one.standing.stale]
    unanswered = [one.standing.unanswered for one in found if one.standing.unanswered]
    word = "pending" if pending else "unknown" if unanswered else "unchanged"
    if streams.format == Format.JSON:
        streams.result(strict_json(_summary(found, pending=bool(pending))))
    elif streams.format == Format.QUIET:
        streams.result(word)
    else:
        streams.result("\n\n".join("\n".join(_lines(one)) for one in found) or word)
    if any(one.standing.objections for one in found):
        return ExitStatus.INTEGRITY
    if unanswered:
        raise InconclusiveError(unanswered[0])
    return 0


def _lines(one: _Reviewed) -> list[str]:
    lines = entry_lines(one.standing, "review")
    if not one.standing.stale:
        return lines
    if one.compared is None:
        return [
            *lines,
            f"  not compared: {harmless(one.earlier.missing or 'there is no card now', longest=500)}",
        ]
    compared = one.compared
    facts = [f"{name}: {old} -> {new}" for name, (old, new) in compared.facts.items()]
    for heading, said in (
        ("tensors of the encoder that differ", compared.tensors),
        ("settings of the encoder that differ", compared.settings),
        ("what the card says otherwise", facts),
    ):
        lines.append(f"  {heading}: {len(said) or 'none'}")
        lines += [f"    {harmless(line, longest=300)}" for line in said[:MOST_SHOWN]]
        if len(said) > MOST_SHOWN:
            lines.append(f"    and {len(said) - MOST_SHOWN} more")
    if one.verdict is not None:
        reason = harmless(one.verdict.reason, longest=500)
        lines.append(f"  with the pinned card: {one.verdict.status}: {reason}")
        lines.append(f"  picture: {one.picture}")
    return lines


def _summary(found: Sequence[_Reviewed], *, pending: bool) -> dict[str, Any]:
    from hf_integration.checking.pins import PINS_FILE

    return {
        "schema": 1,
        "file": PINS_FILE,
        "pending": pending,
        "encoders": [
            {
                **entry_summary(one.standing),
                "compared": None if one.compared is None else one.compared.to_dict(),
                "not_compared": one.earlier.missing or None,
                "check": None
                if one.verdict is None
                else {
                    "status": one.verdict.status,
                    "reason": one.verdict.reason,
                    "picture": str(one.picture),
                },
            }
            for one in found
        ],
    }
