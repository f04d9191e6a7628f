"""``sslauth verify --all``: every entry of ``sslauth.toml``, one summary, one exit status."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.cli.commands.lock import chosen_pins, project_pins
from hf_integration.cli.fleet.planning import cores_here, free_memory, groups_of, processes_for, shard_of
from hf_integration.cli.fleet.running import Plan, run
from hf_integration.cli.streams import Format, Streams, without_tokens
from hf_integration.report import REPORTERS, Document, Place, Shown, WithoutVerdict, brief
from hf_integration.report.columns import margin_text, table
from hf_integration.verdict import Verdict
from hf_integration.watching.entry import worst

if TYPE_CHECKING:
    from hf_integration.checking.pins import Pin, Pins
    from hf_integration.cli.fleet.worker import Answer

FOR_ALL = frozenset({"precision", "budget", "device", "trust_self_asserted"})
"""Options of ``verify`` that make sense for every entry."""


WORDS = ("authentic", "waived", "altered", "inconclusive", "error")
"""What comes of an entry; ``error`` where there is no verdict."""


@dataclass(frozen=True)
class Outcome:
    """What came of one entry.

    Attributes:
        name: of the entry.
        exit_status: what ``sslauth verify NAME`` would end with.
        verdict: what was found out, unless nothing was.
        error: why not.
        seconds: how long it took, loading included.
        peak: bytes of memory that its process had taken at most by then.
    """

    name: str
    exit_status: int
    verdict: Verdict | None
    error: str
    seconds: float
    peak: int

    @classmethod
    def of(cls, answer: "Answer") -> "Outcome":
        """What a process answered, held against itself: only a verdict that passes is a pass."""
        said = answer["verdict"]
        verdict = None if said is None else Verdict.from_dict(said)
        status = answer["exit_status"] if verdict is None else verdict.exit_status
        if verdict is None and status in (ExitStatus.DONE, ExitStatus.ALTERED):
            status = ExitStatus.INTERNAL
        error = harmless(without_tokens(answer["error"]), longest=1000)
        return cls(answer["name"], int(status), verdict, error, answer["seconds"], answer["peak"])

    @property
    def word(self) -> str:
        """One of :data:`WORDS`."""
        if self.verdict is None:
            return "error"
        return "waived" if self.verdict.waiver is not None else self.verdict.status

    @property
    def reason(self) -> str:
        """One sentence for people."""
        return self.error if self.verdict is None else self.verdict.reason


def verify_all(
    streams: Streams, chosen: Mapping[str, Any], *, jobs: int | None, shard: str | None = None
) -> int:
    """Check every entry, report them together, and give the worst of their statuses.

    Args:
        streams: of the command.
        chosen: the options of ``sslauth verify``.
        jobs: the most processes at a time; by default as many as cores and memory allow.
        shard: the part of the entries that this machine checks, ``2/8``; by default all of them.

    Raises:
        UsageError: an option that is for one encoder, or no entries.
    """
    _refuse_others(chosen)
    pins = project_pins()
    entries = chosen_pins(pins, None, streams)
    if not entries:
        raise UsageError(f"{pins.file.name} pins no encoder", remedy="add one with `sslauth add ENCODER`")
    if shard is not None:
        entries = _shard(entries, shard)
    for pin in entries:
        if pin.lock_hint:
            streams.say(pin.lock_hint)
        if pin.endpoint is not None:
            streams.say(
                f"the endpoint of {pin} is not asked: 'sslauth verify NAME --pinned-endpoint' does that"
            )
    groups, cores, free = groups_of(entries), cores_here(), free_memory()
    processes = processes_for(groups, asked=jobs, cores=cores, free=free)
    precision = chosen["precision"]
    settings = {
        "precision": precision.value if precision else None,
        "budget": chosen["budget"],
        "device": chosen["device"],
        "accept_self_asserted": chosen["trust_self_asserted"],
    }
    plan = Plan(groups, processes, free, settings, threads=max(1, cores // processes))
    counts = f"entries: {len(entries)}, encoders: {len(groups)}, processes: {processes}"
    streams.say(f"checking all ({counts}) ...")
    begin = time.monotonic()
    found: dict[str, Outcome] = {}
    with closing(run(plan)) as answers:
        for answer in answers:
            one = Outcome.of(answer)
            found[one.name] = one
            streams.say(f"[{len(found)}/{len(entries)}] {one.name}: {one.word}, {one.seconds:.1f} s")
    outcomes = [found[pin.name] for pin in entries]  # all of them, in the order of the file
    status = worst([one.exit_status for one in outcomes])
    took = {"shard": shard, "processes": processes, "seconds": time.monotonic() - begin}
    return streams.conclude(rendered(outcomes, pins, status, took, streams), status)


def _refuse_others(chosen: Mapping[str, Any]) -> None:
    """Refuse what is said of one encoder.

    Raises:
        UsageError: there is something.
    """
    for name, value in chosen.items():
        if name not in FOR_ALL and value not in (None, False):
            shown = "ENCODER" if name == "encoder" else f"--{name.replace('_', '-')}"
            raise UsageError(
                f"--all is for every entry, and {shown} is for one", remedy="leave out one of them"
            )


_SHARD = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", re.ASCII)


def _shard(entries: "Sequence[Pin]", shard: str) -> "list[Pin]":
    """The entries of one part.

    Raises:
        UsageError: it is no part, or has no entries: a machine that checks nothing must not look well.
    """
    found = _SHARD.fullmatch(shard)
    if found is None or int(found[1]) > int(found[2]):
        raise UsageError(f"--shard {shard!r} is no part", remedy="write it as 2/8, from 1/8 to 8/8")
    chosen = shard_of(entries, int(found[1]), int(found[2]))
    if not chosen:
        raise UsageError(
            f"--shard {shard}: no entry is in it", remedy="there are fewer encoders than parts: ask for fewer"
        )
    return chosen


def rendered(
    outcomes: Sequence[Outcome], pins: "Pins", status: int, took: Mapping[str, Any], streams: Streams
) -> str:
    """What came of all entries, in the chosen format.

    Args:
        outcomes: in the order of the file.
        pins: that file.
        status: that the command ends with.
        took: figures of the run, for programs.
        streams: of the command.
    """
    if streams.format == Format.JSON:
        return strict_json(_summary(outcomes, pins, status, took))
    if streams.format == Format.QUIET:
        return _word(outcomes, status)
    reporter = REPORTERS[streams.format](color=streams.color)
    if isinstance(reporter, Document):
        return _document(reporter, outcomes, pins)
    return "\n".join(_lines(outcomes, status))


def _word(outcomes: Sequence[Outcome], status: int) -> str:
    """The word of the entry that counts; of several alike, a waived one."""
    words = [one.word for one in outcomes if one.exit_status == status]
    return "waived" if "waived" in words else next(iter(words), "error")


def _summary(
    outcomes: Sequence[Outcome], pins: "Pins", status: int, took: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "schema": 1,
        "file": pins.file.name,
        "outcome": _word(outcomes, status),
        "exit_status": status,
        **took,
        "peak_bytes": max(one.peak for one in outcomes),
        "entries": [
            {
                "name": one.name,
                "outcome": one.word,
                "exit_status": one.exit_status,
                "reason": one.reason,
                "seconds": one.seconds,
                "verdict": None if one.verdict is None else one.verdict.to_dict(),
            }
            for one in outcomes
        ],
    }


def _document(reporter: Document, outcomes: Iterable[Outcome], pins: "Pins") -> str:
    from hf_integration.checking.pins import line_of

    shown, others = [], []
    for one in outcomes:
        place = Place.of(pins.file, line_of(pins.text, ("encoders", one.name)), Path())
        if one.verdict is None:
            others.append(WithoutVerdict(one.name, one.error, place=place))
        else:
            shown.append(Shown(one.verdict, place=place))
    return reporter.document(shown, others)


def _lines(outcomes: Sequence[Outcome], status: int) -> Iterator[str]:
    """A table of all entries, and what there is to know of each that did not pass."""
    rows = [("entry", "outcome", "card", "margin", "seconds")]
    for one in outcomes:
        verdict = one.verdict
        margin = "" if verdict is None or verdict.margin is None else margin_text(verdict.margin)
        believed = "" if verdict is None else verdict.believed
        rows.append((harmless(one.name), one.word, believed, margin, f"{one.seconds:.1f}"))
    yield from table(rows, right=(3, 4))
    for one in outcomes:
        if one.verdict is None:
            yield f"\n{harmless(one.name)}: NOT CHECKED - this is not a pass\n  {one.error}"
        elif not one.verdict.authentic:
            yield f"\n{brief(one.verdict)}"
    counted = Counter(one.word for one in outcomes)
    said = ", ".join(f"{counted[word]} {word}" for word in WORDS if counted[word])
    yield f"\nof {len(outcomes)}: {said}; the worst ends with {status}"
