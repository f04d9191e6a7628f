"""Results of ``sslauth stress`` as the Hub's evaluation results: the key ``model-index`` of a YAML header."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_integration.base import strict_json
from hf_integration.base.errors import FlawError, UsageError
from hf_integration.base.files import open_bounded, read_exactly

KEY = "model-index"
DATASET = "sslauth-stress"
"""By this type of data set an entry is recognised as ours."""

MOST_BYTES = 8 << 20

_REMEDY = "make it with 'sslauth stress ENCODER --card CARD --format json --output FILE'"


def read_results(file: Path, digest: str) -> list[tuple[str, str, float | int]]:
    """Read the report of a stress run of a card.

    Args:
        file: JSON of ``sslauth stress``.
        digest: of the card that the run must have been of.

    Returns:
        Type, name and value of each metric.

    Raises:
        UsageError: it is not such a file, or of another card.
    """
    try:
        with open_bounded(file, MOST_BYTES) as (stream, size):
            report = strict_json.parse(bytes(read_exactly(stream, size)))
        alterations, benign = _list(report, "alterations"), _list(report, "benign")
        detected = [entry.get("detected") for entry in alterations]
        alarms = [entry.get("false_alarm") is True for entry in benign if entry.get("margin") is not None]
        if report.get("schema") != 1 or any("false_alarm" not in entry for entry in benign):
            raise FlawError("", "not the report of a stress run of this version")
        if any(found not in (True, False, None) for found in detected):
            raise FlawError("alterations", "holds an entry that is none")
    except FlawError as flaw:
        raise UsageError(f"evaluation results {file}: {flaw}", remedy=_REMEDY) from None
    if report.get("card") != digest:
        raise UsageError(f"evaluation results {file}: of another card than {digest}", remedy=_REMEDY)
    return [
        ("alterations_tried", "kinds of alteration tried", sum(found is not None for found in detected)),
        ("alterations_missed", "kinds of alteration missed", sum(found is False for found in detected)),
        ("benign_runs", "benign runs", len(alarms)),
        ("false_alarms", "false alarms", sum(alarms)),
    ]


def model_index_lines(repo: str, results: list[tuple[str, str, float | int]]) -> list[str]:
    """The key and its value as lines of YAML, without line ends."""
    lines = [
        f"{KEY}:",
        f"  - name: {json.dumps(repo.rpartition('/')[2])}",
        "    results:",
        "      - task:",
        '          type: "encoder-authentication"',
        "        dataset:",
        f'          type: "{DATASET}"',
        '          name: "sslauth stress"',
        "        metrics:",
    ]
    for kind, name, value in results:
        lines += [f'          - type: "{kind}"', f'            name: "{name}"', f"            value: {value}"]
    return lines


def is_ours(value: Any) -> bool:
    """Whether a ``model-index`` holds nothing but what this module wrote."""
    results = [result for model in value or () if isinstance(model, Mapping) for result in _results(model)]
    return (
        isinstance(value, list)
        and len(value) == len(results) == 1
        and isinstance(results[0], Mapping)
        and isinstance(results[0].get("dataset"), Mapping)
        and results[0]["dataset"].get("type") == DATASET
    )


def _results(model: Mapping[str, Any]) -> list[Any]:
    results = model.get("results")
    return results if isinstance(results, list) else []


def _list(report: Any, key: str) -> list[Mapping[str, Any]]:
    value = report.get(key) if isinstance(report, Mapping) else None
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise FlawError(key, "missing, or no list of objects")
    return value
