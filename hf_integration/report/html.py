"""Verdicts as one HTML file that needs nothing else: no script, no font, no picture from anywhere.

What is shown is prepared here; the page is in ``page.html``. Jinja escapes every string, and the page forbids
itself scripts and requests, so that a string of somebody else's does nothing even if one were not escaped.
"""

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from hf_integration.base.text import harmless
from hf_integration.report.brief import diagram
from hf_integration.report.columns import number
from hf_integration.report.reporters import facts_of, headline
from hf_integration.report.shown import Document, Shown, StripImages, WithoutVerdict, base64_of
from hf_integration.verdict import LARGEST_ERROR, Conversion, StripResult, Verdict

if TYPE_CHECKING:
    from jinja2 import Template

LEAST, MOST = -8.0, 2.0
"""Decades of error over tolerance that the chart shows; 0 is the edge."""


class HtmlReporter(Document):
    """Reports as one page."""

    pictured = True

    def document(self, shown: Iterable[Shown], others: Iterable[WithoutVerdict] = ()) -> str:
        """The page, from ``<!doctype`` on: what is no pass comes first."""
        return html_page(shown, others, created=self.created)


def html_page(shown: Iterable[Shown], others: Iterable[WithoutVerdict] = (), *, created: str = "") -> str:
    """The page that shows checks, those that are no pass first.

    Args:
        shown: the checks that came to a verdict.
        others: those that did not.
        created: when, for people.
    """
    order = {"altered": 0, "inconclusive": 1, "authentic": 3}
    checks = sorted(shown, key=lambda one: 2 if one.verdict.waiver else order[one.verdict.status])
    rows = [_check(place, one) for place, one in enumerate(checks, 1)]
    more = [
        {
            "encoder": harmless(one.encoder),
            "reason": harmless(one.reason, longest=2000),
            "headline": harmless(one.status).upper() + ("" if one.passed else ", which is not a pass"),
            "passed": one.passed,
            "tests": _harmless(one.tests),
        }
        for one in sorted(others, key=lambda one: one.passed)
    ]
    passed = sum(row["passed"] for row in (*rows, *more))
    return _template().render(checks=rows, others=more, passed=passed, created=harmless(created), edge=EDGE)


@cache
def _template() -> "Template":
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    text = files("hf_integration.report").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)


def _check(place: int, one: Shown) -> dict[str, Any]:
    """What the page says of one check."""
    verdict = one.verdict
    tensors, files = verdict.tensors, verdict.files
    lists = {
        "Tensors that differ": tensors.changed,
        "Tensors of the card that this encoder lacks": tensors.missing,
        "Tensors that the card does not know": tensors.unexpected,
        "Behaviour settings that differ": files.changed,
        "Settings that libraries derive otherwise from equal files": files.derived,
        "Found in this process": verdict.process,
        "Tensors outside the embedding path that differ": tensors.outside,
        "Differences that cannot change the embedding": files.notes,
        "Not covered by this verdict": files.not_covered,
        **_answers(verdict.conversion),
    }
    *causes, remedy = verdict.diagnosis or ("",)
    return {
        "id": f"check-{place}",
        "status": "waived" if verdict.waiver else verdict.status,
        "passed": verdict.accepted,
        "headline": headline(verdict),
        "encoder": harmless(verdict.encoder),
        "reason": harmless(verdict.reason, longest=2000),
        "facts": facts_of(verdict),
        "diagram": diagram(verdict.strips),
        "strips": [_strip(strip, index, one.images) for index, strip in enumerate(verdict.strips)],
        "expected": None if one.images is None else base64_of(one.images.expected),
        "causes": _harmless(causes),
        "remedy": harmless(remedy, longest=1000),
        "claims": [
            {"about": harmless(claim.about), "holds": claim.holds, "says": harmless(claim.says, longest=1000)}
            for claim in verdict.claims
        ],
        "lists": {name: _harmless(names) for name, names in lists.items() if names},
        "nearest": _nearest(verdict),
        "tables": {
            name: list(_flat(said))
            for name, said in (
                ("Coverage", verdict.coverage),
                ("Smallest alterations noticed", verdict.floor),
            )
            if said
        },
        "environment": [(harmless(name), harmless(value)) for name, value in verdict.environment.items()],
        "command": _command(verdict),
        "tests": _harmless(one.tests),
    }


def _strip(strip: StripResult, index: int, images: StripImages | None) -> dict[str, Any]:
    has_image = images is not None and index < len(images.found)
    computed = strip.error < LARGEST_ERROR
    ratio = strip.error / strip.tolerance if computed and strip.tolerance else math.inf
    decade = math.log10(ratio) if 0 < ratio < math.inf else (LEAST if ratio == 0 else MOST)
    return {
        "name": harmless(strip.name, longest=60),
        "error": number(strip.error),
        "tolerance": number(strip.tolerance),
        "deviation": number(strip.deviation),
        "intact": strip.intact,
        "width": round(100 * min(max((decade - LEAST) / (MOST - LEAST), 0.005), 1), 1),
        "found": base64_of(images.found[index]) if images is not None and has_image else None,
        "difference": base64_of(images.difference[index]) if images is not None and has_image else None,
    }


EDGE = round(100 * -LEAST / (MOST - LEAST), 1)
"""Where the chart has its edge, in percent: an error equal to the tolerance."""


def _nearest(verdict: Verdict) -> list[tuple[str, str, str]]:
    found = verdict.deployment or verdict.conversion
    return [
        (harmless(near.recipe, longest=200), number(near.distance), number(near.typical))
        for near in (found.nearest if found else ())
    ]


def _answers(conversion: Conversion | None) -> dict[str, tuple[str, ...]]:
    if conversion is None:
        return {}
    return {"File, in detail": conversion.file.details, "Inputs, in detail": conversion.inputs.details}


def _flat(said: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Names and values of nested mappings; lists are counted where they are long."""
    for name, value in said.items():
        words = f"{prefix}{harmless(str(name)).replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{words}: ")
        elif isinstance(value, list | tuple):
            yield (
                words,
                ", ".join(harmless(part, longest=80) for part in value[:6])
                + (f" and {len(value) - 6} more" if len(value) > 6 else ""),
            )
        else:
            yield words, number(value) if isinstance(value, float) else harmless(value)


def _command(verdict: Verdict) -> str:
    """What makes the same check again."""
    parts = ["sslauth", "verify", harmless(verdict.encoder, longest=1000)]
    if verdict.revision:
        parts += ["--revision", harmless(verdict.revision)]
    if verdict.card.digest and verdict.card.location:
        parts += ["--card", harmless(verdict.card.location, longest=1000)]
    if verdict.deployment is not None:
        parts += [
            "--endpoint",
            harmless(verdict.deployment.address),
            "--api",
            harmless(verdict.deployment.api),
        ]
        parts += ["--by-card"] if verdict.card.digest else []
    elif verdict.conversion is not None:
        parts += ["--converted", harmless(verdict.conversion.path, longest=1000)]
    else:
        parts += ["--precision", verdict.precision]
    return shlex.join(parts)


def _harmless(texts: Sequence[str]) -> list[str]:
    return [harmless(text, longest=1000) for text in texts]
