"""A history in words, in characters, as a plot and for Prometheus; hostile names harm none of them."""

import io
import re
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from hf_integration.base.errors import OutputError, UsageError
from hf_integration.report.colors import PAPER
from hf_integration.watching.diagram import LEVELS, MARKS, WIDTH, diagram
from hf_integration.watching.entry import Entry, Subject
from hf_integration.watching.plot import COLORS, GAP, write_plot
from hf_integration.watching.prometheus import metrics
from hf_integration.watching.reports import in_a_word, in_words, one_line
from hf_integration.watching.standing import Standing, standings
from tests.watching.histories import KINDS, START, deployment, entry, hourly

NASTY = 'a"b\\c\nd\re\x1b[2J\u202e<script>&amp;]]>{x="y"} 1 # EOF\ud800\ufffe'
HOUR = timedelta(hours=1)


def of(entries: list[Entry], *, age: timedelta = HOUR) -> list[Standing]:
    return standings(entries, now=entries[-1].began + age)


def nasty() -> list[Standing]:
    subject = Subject(NASTY, NASTY, NASTY)
    course = [
        replace(one, reason=NASTY, trust=NASTY, card=NASTY, revision=NASTY, expected=NASTY, found=found)
        for one, found in zip(hourly(KINDS, subject=subject), [NASTY, "b", NASTY, "c", NASTY], strict=True)
    ]
    return of(course)


class TestInWords:
    def test_says_when_it_broke_and_what_changed(self) -> None:
        right, wrong = deployment("torch: as the encoder itself"), deployment("tei: GELU by tanh")
        course = [
            entry("authentic", deployment=right),
            entry("inconclusive", hours=1, deployment=wrong),
            entry("error", hours=2),
        ]
        said = in_words(of([replace(one, number=n) for n, one in enumerate(course, 1)]), since=None)
        assert (
            "no pass since 2026-11-03 10:00:00 UTC (the last pass was at 2026-11-03 09:00:00 UTC); the first"
            " of these was inconclusive: " in said
        )
        assert (
            "since 2026-11-03 10:00:00 UTC: recipe tei: GELU by tanh, before torch: as the encoder itself"
            in said
        )
        assert "since 2026-11-03 11:00:00 UTC: status error, before inconclusive" in said

    def test_says_that_an_old_pass_is_none(self) -> None:
        old = of(hourly(["authentic"]), age=timedelta(days=3))
        assert "nothing was checked for 3 days: this is not a pass" in in_words(old, since=None)
        assert in_a_word(old) == "authentic, too old: not a pass"

    def test_says_that_there_is_nothing_in_the_time_that_was_asked_for(self) -> None:
        course = of(hourly(["authentic"]))
        assert "nothing was checked in the time" in in_words(course, since=START + HOUR)

    def test_obeys_nothing_that_a_history_holds(self) -> None:
        said = in_words(nasty(), since=None) + in_a_word(nasty()) + one_line(nasty()[0].newest)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800]", said)
        assert "\n" not in one_line(nasty()[0].newest)


class TestDiagram:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_outcome_has_its_mark_at_its_margin(self, kind: str) -> None:
        course = [entry("authentic", margin=13.0), entry(kind, hours=10), entry("authentic", hours=20)]
        rows = diagram(course)
        assert len(rows) == len(LEVELS) + 3
        middle = [row[11 + WIDTH // 2 : 12 + WIDTH // 2] for row in rows]
        marks = {level: mark for level, mark in zip(LEVELS, middle, strict=False) if mark.strip(" -")}
        mark = MARKS["altered" if kind == "waived" else kind]
        expected = {"authentic": {10.0: mark}, "altered": {0.1: mark}, "waived": {0.1: mark}}.get(kind, {})
        assert marks == expected
        assert middle[len(LEVELS)].strip() == ("" if expected else mark)

    def test_the_axis_is_broken_where_nothing_was_checked(self) -> None:
        axis = diagram([entry("authentic"), entry("authentic", hours=50)])[-2]
        assert axis == f"{'':>9} +-{' ' * (WIDTH - 2)}-"

    def test_the_worst_of_many_is_shown(self) -> None:
        course = [entry("altered" if hour == 500 else "authentic", hours=hour) for hour in range(1000)]
        assert sum(row.count("x") for row in diagram(course)) == 1

    def test_one_check_is_enough(self) -> None:
        assert diagram([entry("authentic")])[-1].strip() == "2026-11-03 09:00"

    @pytest.mark.parametrize("margin", [1e6, 1e-9, 0.0, 1.0, 0.999999])
    def test_margins_beyond_the_levels_are_in_the_outermost(self, margin: float) -> None:
        rows = diagram([entry("authentic", margin=margin)])
        (row,) = [place for place, line in enumerate(rows) if "*" in line]
        assert row == next((n for n, level in enumerate(LEVELS) if margin >= level), len(LEVELS) - 1)


class TestPlot:
    @pytest.fixture
    def course(self) -> list[Standing]:
        return of([*hourly(KINDS), entry("authentic", hours=100)], age=timedelta(days=4))

    def test_an_svg_shows_every_check_and_needs_nothing_else(
        self, course: list[Standing], tmp_path: Path
    ) -> None:
        write_plot(tmp_path / "a.svg", course, since=None)
        text = (tmp_path / "a.svg").read_text("utf-8")
        assert text.count("<title>") == 6 + len(COLORS)  # and the legend
        assert text.count('fill="#e8e8e8"') == 2  # before the last check, and after it
        assert not re.search(r"href|<script|url\(|@import|<image", text)
        for number in range(1, len(course[0].changes()) + 1):
            assert f">{number}  since 2026-11-" in text

    def test_a_png_shows_the_colour_of_every_outcome(self, course: list[Standing], tmp_path: Path) -> None:
        write_plot(tmp_path / "a.PNG", course, since=None)
        with Image.open(io.BytesIO((tmp_path / "a.PNG").read_bytes())) as image:
            colors = {color for _, color in image.convert("RGB").getcolors(1 << 20) or ()}
        assert {*COLORS.values(), GAP, PAPER} <= colors

    @pytest.mark.parametrize("suffix", ["svg", "png"])
    def test_names_that_would_be_obeyed_are_only_shown(self, tmp_path: Path, suffix: str) -> None:
        file = tmp_path / f"a.{suffix}"
        write_plot(file, nasty(), since=None)
        if suffix == "svg":
            root = ElementTree.fromstring(file.read_text("utf-8"))  # noqa: S314  # of our making
            kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert kinds == {"svg", "rect", "line", "text", "circle", "title"}
            assert "<script>" in "".join(root.itertext())

    def test_a_time_without_checks_is_plotted_as_such(self, course: list[Standing], tmp_path: Path) -> None:
        write_plot(tmp_path / "a.svg", course, since=course[0].now)
        assert (tmp_path / "a.svg").read_text().count("<title>") == len(COLORS)

    @pytest.mark.parametrize("name", ["a", "a.pdf", "a.svg.txt"])
    def test_another_format_is_refused(self, course: list[Standing], tmp_path: Path, name: str) -> None:
        with pytest.raises(UsageError, match=r"\.svg or \.png"):
            write_plot(tmp_path / name, course, since=None)

    def test_a_folder_that_is_missing_is_named(self, course: list[Standing], tmp_path: Path) -> None:
        with pytest.raises(OutputError):
            write_plot(tmp_path / "none" / "a.svg", course, since=None)


SAMPLE = re.compile(
    r'(sslauth_\w+)\{encoder="((?:[^"\\\n]|\\[\\"n])*)",endpoint="((?:[^"\\\n]|\\[\\"n])*)",'
    r'model="((?:[^"\\\n]|\\[\\"n])*)"(?:,outcome="(\w+)")?\} (\S+)'
)
"""A line of the format, strictly."""


def samples(text: str) -> list[tuple[Any, ...]]:
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    found = [SAMPLE.fullmatch(line) for line in lines]
    assert None not in found, text
    return [match.groups() for match in found if match]


class TestPrometheus:
    @pytest.mark.parametrize("kind", KINDS)
    def test_says_how_the_newest_check_ended(self, kind: str) -> None:
        course = of(hourly(["authentic", kind]))
        found = {(name, outcome): float(value) for name, *_, outcome, value in samples(metrics(course))}
        newest = course[0].newest
        assert found["sslauth_status", None] == newest.exit_status
        assert found.get(("sslauth_margin", None)) == newest.margin
        assert found["sslauth_last_check_timestamp_seconds", None] == newest.began.timestamp()
        authentic = START + HOUR if kind == "authentic" else START
        assert found["sslauth_last_authentic_timestamp_seconds", None] == authentic.timestamp()
        counts = {
            outcome: count for (name, outcome), count in found.items() if name == "sslauth_checks_total"
        }
        assert counts == dict(course[0].counts)

    def test_an_encoder_that_was_never_authentic_was_so_long_ago(self) -> None:
        assert ("sslauth_last_authentic_timestamp_seconds", "0") in [
            (name, value) for name, *_, value in samples(metrics(of(hourly(["error"]))))
        ]

    def test_names_are_escaped_and_stay_apart(self) -> None:
        assert len(samples(metrics(nasty()))) == 8 - (nasty()[0].newest.margin is None)
        long = [entry("authentic", subject=Subject("x" * 1000 + end)) for end in "ab"]
        assert len({row[1:4] for row in samples(metrics(of(long)))}) == 2

    @pytest.mark.skipif(find_spec("prometheus_client") is None, reason="prometheus_client is not installed")
    @pytest.mark.parametrize("make", [nasty, lambda: of(hourly(KINDS))], ids=["nasty", "plain"])
    def test_the_parser_of_prometheus_reads_what_we_meant(self, make: object) -> None:
        from prometheus_client.parser import text_string_to_metric_families as parsed

        assert callable(make)
        course = make()
        families = {family.name: family for family in parsed(metrics(course) + "\n")}
        assert families.keys() >= {"sslauth_status", "sslauth_checks"}
        (status,) = families["sslauth_status"].samples
        shown = course[0].subject.encoder.encode("unicode_escape").decode() if make is nasty else "search"
        assert status.labels["encoder"][:3] == shown[:3]
        assert {sample.labels["outcome"] for sample in families["sslauth_checks"].samples} == set(MARKS)
        assert {family.type for family in families.values()} == {"gauge", "counter"}
