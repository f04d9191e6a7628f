"""Metrics for Prometheus, in its text format: how every subject of a history stands.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from collections.abc import Iterable, Iterator, Sequence

from hf_integration.base.text import harmless
from hf_integration.watching.standing import Standing

Sample = tuple[dict[str, str], float]

LONGEST = 4096
"""Characters of a label: as many as a path has, so that no two subjects get the same one."""


def metrics(standings: Sequence[Standing]) -> str:
    """All metrics of all subjects, without a final line break."""
    lines: list[str] = []
    for name, kind, said, samples in _families(standings):
        lines += [f"# HELP {name} {said}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{{{_labels(labels)}}} {value:.17g}" for labels, value in samples]
    return "\n".join(lines)


def _families(standings: Sequence[Standing]) -> Iterator[tuple[str, str, str, Iterable[Sample]]]:
    subjects = [(_subject(one), one) for one in standings]
    yield (
        "sslauth_status",
        "gauge",
        "Exit status of the last check: 0 a pass, 1 altered, 3 inconclusive, others errors.",
        [(labels, one.newest.exit_status) for labels, one in subjects],
    )
    yield (
        "sslauth_margin",
        "gauge",
        "Margin of the last check, above 1 is intact; missing where it has none.",
        [(labels, one.newest.margin) for labels, one in subjects if one.newest.margin is not None],
    )
    yield (
        "sslauth_last_check_timestamp_seconds",
        "gauge",
        "When the last check began, whatever came of it.",
        [(labels, one.newest.began.timestamp()) for labels, one in subjects],
    )
    yield (
        "sslauth_last_authentic_timestamp_seconds",
        "gauge",
        "When the last check that ended authentic began; 0 if there is none.",
        [(labels, one.last_authentic.timestamp() if one.last_authentic else 0) for labels, one in subjects],
    )
    yield (
        "sslauth_checks_total",
        "counter",
        "Checks by what came of them.",
        [
            ({**labels, "outcome": outcome}, count)
            for labels, one in subjects
            for outcome, count in one.counts.items()
        ],
    )


def _subject(standing: Standing) -> dict[str, str]:
    subject = standing.subject
    return {"encoder": subject.encoder, "endpoint": subject.endpoint, "model": subject.model}


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    # no line break is left after harmless(); a backslash that it wrote is one to escape
    return harmless(value, longest=LONGEST).replace("\\", "\\\\").replace('"', '\\"')
