"""How entries are put into groups and processes, and how what came of them is shown."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hf_integration.base.vocabulary import ExitStatus
from hf_integration.checking.pins import Pin, Pins
from hf_integration.cli.fleet.checking import WORDS, Outcome, rendered
from hf_integration.cli.fleet.planning import (
    PROCESS,
    SHARE,
    TIMES,
    UNKNOWN,
    Group,
    free_memory,
    groups_of,
    processes_for,
    shard_of,
)
from hf_integration.cli.fleet.running import _Waiting
from hf_integration.cli.streams import Streams
from hf_integration.report import REPORTERS
from hf_integration.watching.entry import worst
from tests.report import verdicts

GIB = 1 << 30


def pin(name: str, tmp_path: Path, **values: str) -> Pin:
    return Pin(name, tmp_path / "sslauth.toml", **values)  # type: ignore[arg-type]  # strings only


class TestGroups:
    def test_entries_of_one_folder_are_one_group_by_whatever_name(self, tmp_path: Path) -> None:
        (tmp_path / "one").mkdir()
        (tmp_path / "link").symlink_to("one")
        paths = {"a": "one", "b": "./one", "c": "link", "d": "other/../one", "e": "two"}
        groups = groups_of(pin(name, tmp_path, path=path) for name, path in paths.items())
        assert sorted(group.names for group in groups) == [("a", "b", "c", "d"), ("e",)]

    def test_repositories_are_one_group_at_one_revision(self, tmp_path: Path) -> None:
        groups = groups_of(
            [
                pin("a", tmp_path, repo="org/name", commit="0" * 40),
                pin("b", tmp_path, repo="ORG/Name", commit="0" * 40),
                pin("c", tmp_path, repo="org/name", commit="1" * 40),
                pin("d", tmp_path, repo="org/name"),
                pin("e", tmp_path, repo="org/name", track="main"),
            ]
        )
        assert sorted(group.names for group in groups) == [("a", "b"), ("c",), ("d", "e")]
        assert {group.bytes for group in groups} == {UNKNOWN}

    def test_the_largest_comes_first_and_a_card_is_no_weight(self, tmp_path: Path) -> None:
        for name, size in (("small", 10), ("large", 1000)):
            (tmp_path / name / "sslauth").mkdir(parents=True)
            (tmp_path / name / "model.safetensors").write_bytes(bytes(size))
            (tmp_path / name / "sslauth" / "card.safetensors").write_bytes(bytes(5000))
        groups = groups_of(pin(name, tmp_path, path=name) for name in ("small", "large", "gone"))
        assert [(group.names, group.bytes) for group in groups] == [
            (("large",), 1000),
            (("small",), 10),
            (("gone",), 0),
        ]


def groups(*sizes: float) -> list[Group]:
    return [Group((str(number),), int(size * GIB)) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "asked", "cores", "free", "number"),
    [
        ([0.1] * 40, None, 8, 100, 8),
        ([0.1] * 3, None, 8, 100, 3),
        ([0.1] * 40, 16, 8, 100, 16),
        ([0.1] * 2, 16, 8, 100, 2),
        ([0.1] * 40, None, 8, 2.2, 2),
        ([10] * 40, None, 8, 1, 1),
        ([16, 16, 0.1], None, 8, 60, 2),
        ([16, 0.1, 0.1], None, 2, 60, 2),
        ([16, 16, *[0.1] * 9], None, 4, 20, 4),
        ([0.1], None, 1, 0, 1),
    ],
)
def test_processes_are_as_many_as_cores_memory_and_encoders_allow(
    sizes: list[float], asked: int | None, cores: int, free: float, number: int
) -> None:
    assert processes_for(groups(*sizes), asked=asked, cores=cores, free=int(free * GIB)) == number


class TestFreeMemory:
    def test_it_is_a_part_of_what_is_free_here(self, tmp_path: Path) -> None:
        assert 0 < free_memory(tmp_path, tmp_path / "none") < psutil.virtual_memory().total

    @pytest.mark.parametrize("place", ["", "system.slice/job_7", "system.slice"])
    @pytest.mark.parametrize(("most", "taken", "free"), [("5000\n", "1000\n", 4000), ("10", "20", 0)])
    @pytest.mark.parametrize("version", [1, 2])
    def test_a_container_or_a_job_may_have_less(
        self, place: str, version: int, most: str, taken: str, free: int, tmp_path: Path
    ) -> None:
        kinds = "" if version == 2 else "cpu,memory"
        own = tmp_path / "own"
        own.write_text(f"4:cpuset:/elsewhere\n{version}:{kinds}:/system.slice/job_7/step_0\n")
        folder = tmp_path / ("memory" if version == 1 else "") / place
        folder.mkdir(parents=True, exist_ok=True)
        limit, used = (
            ("memory.max", "memory.current")
            if version == 2
            else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        )
        (folder / limit).write_text(most)
        (folder / used).write_text(taken)
        assert free_memory(tmp_path, own) == int(SHARE * free)

    @pytest.mark.parametrize("content", ["max\n", "", "x\n"])
    def test_a_limit_that_is_none_does_not_count(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "memory.max").write_text(content)
        (tmp_path / "memory.current").write_text("5\n")
        assert free_memory(tmp_path, tmp_path / "none") > 1 << 20

    @pytest.mark.parametrize("content", ["", "\n", ":", "0::", "0::/../../..", "x"])
    def test_what_says_nothing_of_groups_changes_nothing(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "own").write_text(content)
        assert free_memory(tmp_path / "groups", tmp_path / "own") > 1 << 20


class TestShards:
    def entries(self, tmp_path: Path) -> list[Pin]:
        paths = ["a", "b", "./a", "c", "b/", "d", "e", "x/../a"]
        local = [pin(f"p{place}", tmp_path, path=path) for place, path in enumerate(paths)]
        repos = [pin(f"r{place}", tmp_path, repo=repo) for place, repo in enumerate(["o/n", "O/N", "o/m"])]
        return [*local, *repos]

    @pytest.mark.parametrize("many", range(1, 8))
    def test_the_parts_are_all_entries_each_once(self, many: int, tmp_path: Path) -> None:
        entries = self.entries(tmp_path)
        parts = [shard_of(entries, number, many) for number in range(1, many + 1)]
        assert all(parts)
        assert sorted(one.name for part in parts for one in part) == sorted(one.name for one in entries)

    def test_entries_of_one_encoder_are_in_one_part_whatever_is_on_the_disk(self, tmp_path: Path) -> None:
        entries = self.entries(tmp_path)
        before = [[one.name for one in shard_of(entries, number, 7)] for number in range(1, 8)]
        assert ["p0", "p2", "p7"] in before
        assert ["p1", "p4"] in before
        assert ["r0", "r1"] in before
        (tmp_path / "a").symlink_to("b")
        assert before == [[one.name for one in shard_of(entries, number, 7)] for number in range(1, 8)]


def test_no_more_memory_is_promised_than_there_is_and_nothing_is_left_out() -> None:
    sizes = [3, 2, 2, 1, 1, 1, 0.5, 0.5, 0.1, 40]
    every = sorted(groups(*sizes), key=lambda group: -group.bytes)
    free = PROCESS * 4 + TIMES * 5 * GIB
    waiting, lock = _Waiting(every, free), threading.Lock()
    running: list[Group] = []
    seen: list[tuple[int, int]] = []
    done: list[Group] = []

    def work() -> None:
        while (group := waiting.take()) is not None:
            with lock:
                running.append(group)
                seen.append((sum(one.memory for one in running), len(running)))
            time.sleep(0.01)
            with lock:
                running.remove(group)
                done.append(group)
            waiting.give_back(group)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(group.bytes for group in done) == sorted(group.bytes for group in every)
    assert all(total <= free or count == 1 for total, count in seen)
    assert max(count for _, count in seen) > 1


OUTCOMES = [
    Outcome("good", 0, verdicts.AUTHENTIC, "", 1.0, 5),
    Outcome("known", 0, verdicts.WAIVED, "", 1.0, 9),
    Outcome("bad", 1, verdicts.ALTERED, "", 1.0, 7),
    Outcome("open", 3, verdicts.INCONCLUSIVE, "", 1.0, 1),
    Outcome("none", 4, None, "the card is not the pinned one", 1.0, 1),
]


def shown(outcomes: list[Outcome], format: str, tmp_path: Path) -> str:
    text = "\n".join(["version = 1", *(f'[encoders.{one.name}]\npath = "{one.name}"' for one in outcomes)])
    status = worst([one.exit_status for one in outcomes])
    took = {"processes": 1, "seconds": 2.0}
    pins = Pins(tmp_path / "sslauth.toml", text)
    return rendered(outcomes, pins, status, took, Streams(format, None, quiet=True))


class TestReport:
    @pytest.mark.parametrize("format", REPORTERS)
    def test_every_entry_is_in_every_format_but_the_quiet_one(self, format: str, tmp_path: Path) -> None:
        text = shown(OUTCOMES, format, tmp_path)
        if format == "quiet":
            assert text == "altered"
            return
        assert "the card is not the pinned one" in text
        assert verdicts.ALTERED.reason.split(":")[0] in text

    @pytest.mark.parametrize(
        ("kept", "word"),
        [
            ("good", "authentic"),
            ("good known", "waived"),
            ("good open", "inconclusive"),
            ("good open none", "error"),
            ("good known bad open none", "altered"),
        ],
    )
    def test_the_quiet_word_is_that_of_the_worst(self, kept: str, word: str, tmp_path: Path) -> None:
        assert word in WORDS
        assert shown([one for one in OUTCOMES if one.name in kept.split()], "quiet", tmp_path) == word

    def test_the_table_has_a_row_for_each_and_the_count(self, tmp_path: Path) -> None:
        lines = shown(OUTCOMES, "human", tmp_path).splitlines()
        assert [line.split()[:2] for line in lines[1:6]] == [
            ["good", "authentic"],
            ["known", "waived"],
            ["bad", "altered"],
            ["open", "inconclusive"],
            ["none", "error"],
        ]
        assert "none: NOT CHECKED - this is not a pass" in lines
        counted = "1 authentic, 1 waived, 1 altered, 1 inconclusive, 1 error"
        assert lines[-1] == f"of 5: {counted}; the worst ends with 1"

    def test_sarif_names_what_was_not_checked_at_its_entry(self, tmp_path: Path) -> None:
        (run,) = json.loads(shown(OUTCOMES, "sarif", tmp_path))["runs"]
        found = {
            result["ruleId"]: result["locations"][0]["physicalLocation"]["region"]["startLine"]
            for result in run["results"]
        }
        assert found == {
            "encoder-authentic": 2,
            "encoder-waived": 4,
            "encoder-altered": 6,
            "encoder-inconclusive": 8,
            "not-checked": 10,
        }

    def test_a_process_that_claims_a_pass_without_a_verdict_is_not_believed(self) -> None:
        answer = {"name": "a", "error": "", "seconds": 0.0, "peak": 0}
        altered = verdicts.ALTERED.to_dict()
        said = Outcome.of({**answer, "verdict": altered, "exit_status": 0})  # type: ignore[typeddict-item]
        assert (said.word, said.exit_status) == ("altered", 1)
        said = Outcome.of({**answer, "verdict": None, "exit_status": 0})  # type: ignore[typeddict-item]
        assert said.word == "error"
        assert said.exit_status == ExitStatus.INTERNAL

    def test_what_strangers_say_is_inert(self, tmp_path: Path) -> None:
        nasty = "x\x1b[2J\u202e"
        outcomes = [
            Outcome("bad", 1, replace(verdicts.ALTERED, reason=nasty, encoder=nasty), "", 1.0, 1),
            Outcome.of(
                {
                    "name": "none",
                    "verdict": None,
                    "error": nasty,
                    "exit_status": 3,
                    "seconds": 0.0,
                    "peak": 0,
                }
            ),
        ]
        for format in REPORTERS:
            text = shown(outcomes, format, tmp_path)
            assert "\x1b" not in text, format
            assert "\u202e" not in text, format
