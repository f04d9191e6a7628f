"""``sslauth watch`` and ``sslauth history``: real servers and processes, and every end that a check has."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hf_integration.cli.commands import verify
from hf_integration.verdict import Verdict
from hf_integration.watching.entry import Entry, Subject
from hf_integration.watching.history import History
from tests.cli.conftest import Ended, finish, start
from tests.endpoints import faults
from tests.endpoints.encoders import serving
from tests.endpoints.server import MODEL, EmbeddingServer
from tests.hub_server.faults import Fault, stall, status
from tests.watching.histories import hourly

Run = Callable[..., Ended]

NOBODY = "http://127.0.0.1:9"  # discard: nothing listens
CARD = ("./tiny", "--card", "cards/tiny")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "checks.db"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is asked again without waiting."""
    monkeypatch.setattr("hf_integration.endpoints.patience.Patience.pause", lambda *_: 0.01)


def against(server: EmbeddingServer, *more: str, keys: int = 8) -> tuple[str, ...]:
    return ("--endpoint", server.url, "--api", "tei", "--keys", str(keys), *more)


def once(sslauth: Run, db: Path, *arguments: str | Path) -> Ended:
    return sslauth("watch", *arguments, "--history", db, "--once")


def recorded(db: Path) -> list[Entry]:
    return History(db).entries()


class TestEveryEnd:
    """Whatever a check comes to is recorded, shown in one line, and is the exit status."""

    def ends(self, ended: Ended, db: Path, outcome: str, exit_status: int, said: str) -> Entry:
        (entry,) = recorded(db)
        assert (ended.status, entry.outcome, entry.exit_status) == (exit_status, outcome, exit_status)
        (line,) = ended.out.splitlines()
        assert outcome in line
        assert said in line
        assert said in entry.reason
        return entry

    def test_authentic(self, sslauth: Run, here: Path, db: Path) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            ended = once(sslauth, db, "./tiny", *against(server))
        entry = self.ends(ended, db, "authentic", 0, "the answers are this encoder's")
        assert (entry.subject.encoder, entry.subject.endpoint) == ("./tiny", server.url)
        assert entry.found == entry.expected
        assert entry.margin is not None
        assert entry.margin > 1

    def test_altered(self, sslauth: Run, here: Path, db: Path) -> None:
        with EmbeddingServer("tei", serving(here / "far")) as server:
            ended = once(sslauth, db, "./tiny", *against(server, "--serving", "torch"))
        self.ends(ended, db, "altered", 1, "no known recipe")

    def test_inconclusive(self, sslauth: Run, here: Path, db: Path) -> None:
        with EmbeddingServer("tei", serving(here / "far")) as server:
            ended = once(sslauth, db, "./tiny", *against(server))
        self.ends(ended, db, "inconclusive", 3, "no known recipe")

    @pytest.mark.parametrize(
        ("behaviour", "said"),
        [(status(503), "503"), (faults.answers(b"<html>"), "JSON"), (faults.answers(b"[[NaN]]"), "NaN")],
        ids=["503", "html", "nan"],
    )
    def test_a_server_without_an_answer(
        self, sslauth: Run, here: Path, db: Path, behaviour: Callable[..., object], said: str
    ) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            server.faults.append(Fault(behaviour, method="POST"))  # type: ignore[arg-type]
            ended = once(sslauth, db, "./tiny", *against(server))
        self.ends(ended, db, "error", 3, said)

    @pytest.mark.usefixtures("here")
    def test_no_server_at_all(self, sslauth: Run, db: Path) -> None:
        ended = once(sslauth, db, "./tiny", "--endpoint", NOBODY, "--api", "tei")
        self.ends(ended, db, "error", 3, "was not reached")

    @pytest.mark.usefixtures("here")
    def test_a_copy_that_is_not_the_encoder_of_its_card(self, sslauth: Run, db: Path) -> None:
        ended = once(sslauth, db, "./altered", "--card", "cards/tiny", "--endpoint", NOBODY, "--api", "tei")
        self.ends(ended, db, "error", 4, "is not the encoder of its card")

    @pytest.mark.usefixtures("here")
    def test_an_encoder_that_is_read_itself(self, sslauth: Run, db: Path) -> None:
        entry = self.ends(once(sslauth, db, *CARD), db, "authentic", 0, "the watermark is intact")
        assert (entry.subject.endpoint, entry.trust) == ("", "local")
        kept = History(db).verdict(1)
        assert kept is not None
        assert Verdict.from_dict(json.loads(kept)).tensors.checked > 0

    @pytest.mark.usefixtures("here")
    def test_a_defect(self, sslauth: Run, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError("boom\x1b[2J hf_" + "NobodyMaySeeThisToken")

        monkeypatch.setattr("hf_integration.checking.subject.load_subject", fail)
        ended = once(sslauth, db, *CARD)
        self.ends(ended, db, "error", 70, r"internal error: ZeroDivisionError: boom\x1b[2J [token]")


class TestPinnedEndpoint:
    """Who is watched is named by what the entry says, also where the server does not answer."""

    @staticmethod
    def pin(folder: Path, here: Path, url: str) -> None:
        for name in ("tiny", "cards"):
            (folder / name).symlink_to(here / name)
        lines = [
            "version = 1",
            "[encoders.search]",
            'path = "tiny"',
            'card = "cards/tiny"',
            "[encoders.search.endpoint]",
            f'url = "{url}"',
            f'model = "{MODEL}"',
            "keys = 8",
        ]
        (folder / "sslauth.toml").write_text("\n".join([*lines, ""]))

    def test_is_the_subject(self, sslauth: Run, here: Path, folder: Path, db: Path) -> None:
        with EmbeddingServer("openai", serving(here / "tiny")) as server:
            self.pin(folder, here, server.url)
            assert once(sslauth, db, "search", "--pinned-endpoint").status == 0
            server.faults.append(Fault(status(503), method="POST"))
            assert once(sslauth, db, "search", "--pinned-endpoint").status == 3
        subject = Subject("search", server.url, MODEL)
        assert [(one.outcome, one.subject) for one in recorded(db)] == [
            ("authentic", subject),
            ("error", subject),
        ]

    def test_of_an_entry_without_one_is_wrong_usage(
        self, sslauth: Run, here: Path, folder: Path, db: Path
    ) -> None:
        self.pin(folder, here, "http://h")
        text = (folder / "sslauth.toml").read_text().partition("[encoders.search.endpoint]")[0]
        (folder / "sslauth.toml").write_text(text)
        ended = once(sslauth, db, "search", "--pinned-endpoint")
        assert (ended.status, ended.out) == (2, "")
        assert "names no endpoint" in ended.err
        assert not db.exists()


class TestWrongUsage:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("./tiny",), "either --once or --every"),
            (("./tiny", "--once", "--every", "1h"), "either --once or --every"),
            (("./tiny", "--every", "1"), "not a span of time such as"),
            (("./tiny", "--every", "0s"), "1s to"),
            (("./tiny", "--every", "1.5h"), "not a span"),
            (("./tiny", "--every", "99999w"), "1s to"),
            (("./tiny", "--every", "1h", "--output", "x"), "--output"),
            (("./tiny", "--once", "--prometheus", "none/x.prom"), "no folder"),
            (("./none", "--once"), "none"),
            (("--once",), "no encoder given"),
            (("./tiny", "--once", "--endpoint", "file:///etc/passwd"), "no URL of a server"),
            (("./tiny", "--once", "--serving", "tei"), "add --endpoint URL"),
        ],
    )
    @pytest.mark.usefixtures("here")
    def test_is_one_line_and_leaves_no_history(
        self, sslauth: Run, db: Path, arguments: tuple[str, ...], said: str
    ) -> None:
        ended = sslauth("watch", *arguments, "--history", db)
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err.splitlines()[-1]
        assert not db.exists()

    def test_is_recorded_of_somebody_who_is_known(
        self, sslauth: Run, here: Path, db: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SEARCH_KEY", "sk-0123456789abcdef")
        with EmbeddingServer("openai", serving(here / "tiny"), key="sk-0123456789abcdef") as server:
            ask = ("./tiny", "--endpoint", server.url, "--api-key-env", "SEARCH_KEY", "--keys", "8")
            assert once(sslauth, db, *ask).status == 0
            monkeypatch.delenv("SEARCH_KEY")
            assert once(sslauth, db, *ask).status == 2
        assert [entry.outcome for entry in recorded(db)] == ["authentic", "error"]
        assert "SEARCH_KEY" in recorded(db)[1].reason
        assert b"sk-0123" not in db.read_bytes()

    @pytest.mark.usefixtures("here")
    def test_a_foreign_file_stays_as_it_is(self, sslauth: Run, db: Path) -> None:
        db.write_text("notes")
        for ended in (once(sslauth, db, *CARD), sslauth("history", db)):
            assert (ended.status, ended.out) == (2, "")
            assert "is no history of sslauth" in ended.err.splitlines()[-1]
        assert db.read_text() == "notes"

    @pytest.mark.parametrize("option", ["--history", "--prometheus"])
    def test_nothing_is_written_into_what_is_checked(
        self, sslauth: Run, here: Path, db: Path, option: str
    ) -> None:
        other = ("--history", db) if option != "--history" else ()
        ended = sslauth("watch", *CARD, "--once", option, "./tiny/checks.db", *other)
        assert (ended.status, ended.out) == (2, "")
        assert "which this command reads or writes" in ended.err.splitlines()[-1]
        assert not (here / "tiny" / "checks.db").exists()

    @pytest.mark.usefixtures("here")
    def test_history_and_metrics_are_two_files(self, sslauth: Run, db: Path) -> None:
        assert sslauth("watch", *CARD, "--once", "--history", db, "--prometheus", db).status == 2


class TestFormats:
    @pytest.mark.usefixtures("here")
    def test_json_is_one_line_and_what_is_recorded(self, sslauth: Run, db: Path) -> None:
        ended = once(sslauth, db, *CARD, "--format", "json")
        (line,) = ended.out.splitlines()
        assert json.loads(line) == {"schema": 1, **recorded(db)[0].to_dict()}

    @pytest.mark.usefixtures("here")
    def test_quiet_is_a_word(self, sslauth: Run, db: Path) -> None:
        assert once(sslauth, db, *CARD, "-q") == Ended(0, "authentic\n", "")

    @pytest.mark.usefixtures("here")
    def test_metrics_tell_of_everybody_in_the_history(self, sslauth: Run, db: Path, tmp_path: Path) -> None:
        metrics = tmp_path / "sslauth.prom"
        once(sslauth, db, *CARD)
        ended = once(sslauth, db, "./tiny", "--endpoint", NOBODY, "--api", "tei", "--prometheus", metrics)
        assert ended.status == 3
        text = metrics.read_text()
        assert 'sslauth_status{encoder="./tiny",endpoint="",model=""} 0\n' in text
        assert f'sslauth_status{{encoder="./tiny",endpoint="{NOBODY}",model=""}} 3\n' in text
        assert text.endswith("\n")
        assert sslauth("history", db, "--format", "prometheus").out == text
        assert sorted(file.name for file in tmp_path.iterdir()) == ["checks.db", "sslauth.prom"]


class TestWhatCannotBeWritten:
    @pytest.mark.parametrize(("encoder", "exit_status"), [("./tiny", 2), ("./altered", 1)])
    @pytest.mark.usefixtures("here")
    def test_a_check_that_cannot_be_recorded_is_no_pass(
        self, sslauth: Run, db: Path, monkeypatch: pytest.MonkeyPatch, encoder: str, exit_status: int
    ) -> None:
        def check(*arguments: object, **chosen: object) -> object:
            found = real(*arguments, **chosen)
            db.write_text("somebody else's")
            return found

        real = verify.check
        monkeypatch.setattr("hf_integration.cli.commands.watch.check", check)
        ended = once(sslauth, db, encoder, "--card", "cards/tiny")
        assert ended.status == exit_status
        assert "this check is not recorded: " in ended.err.splitlines()[-1]
        assert db.read_text() == "somebody else's"

    @pytest.mark.parametrize(("encoder", "exit_status"), [("./tiny", 2), ("./altered", 1)])
    @pytest.mark.usefixtures("here")
    def test_a_result_that_nobody_could_read_is_no_pass_and_is_recorded(
        self, sslauth: Run, db: Path, encoder: str, exit_status: int
    ) -> None:
        ended = once(sslauth, db, encoder, "--card", "cards/tiny", "--output", "/dev/full")
        assert ended.status == exit_status
        assert "cannot write /dev/full" in ended.err.splitlines()[-1]
        assert len(recorded(db)) == 1


class TestEvery:
    """Real processes that run until they are stopped."""

    @staticmethod
    def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @staticmethod
    def arguments(db: Path, server: EmbeddingServer, *more: str) -> list[str | Path]:
        asking = against(server, "--serving", "torch", *more)
        return ["watch", "./tiny", *asking, "--history", db, "--every", "1s", "--format", "json"]

    def test_asks_anew_at_each_check_and_ends_with_the_worst_of_all(self, here: Path, db: Path) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            process = start(*self.arguments(db, server, "-q"))
            self.until(lambda: db.exists() and len(recorded(db)) >= 1, process)
            server.embed = serving(here / "far")
            self.until(lambda: recorded(db)[-1].outcome == "altered", process)
            server.embed = serving(here / "tiny")
            self.until(lambda: recorded(db)[-1].outcome == "authentic", process)
            process.send_signal(signal.SIGTERM)
            ended = finish(process)
        assert ended.status == 1
        numbers = [json.loads(line)["number"] for line in ended.out.splitlines()]
        assert numbers == [entry.number for entry in recorded(db)]
        posts = [json.loads(request.body)["inputs"] for request in server.requests if request.body]
        asked = [set[str]().union(*posts[place : place + 8]) for place in range(0, len(posts), 8)]
        assert len(asked) > 2
        assert sum(map(len, asked)) == len(set[str]().union(*asked))

    def test_ends_with_0_by_ctrl_c_if_all_were_authentic_and_says_once_what_it_understood(
        self, sslauth: Run, here: Path, db: Path
    ) -> None:
        def interrupt() -> None:
            while not (db.exists() and len(recorded(db)) >= 2):
                time.sleep(0.05)
            signal.raise_signal(signal.SIGINT)

        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            thread = threading.Thread(target=interrupt)
            thread.start()
            ended = sslauth(*self.arguments(db, server))
            thread.join()
        assert ended.status == 0
        assert ended.err.count("loading ./tiny") == 1
        assert ended.err.splitlines()[-1].startswith("stopped after ")

    def test_a_check_that_is_stopped_in_the_middle_leaves_nothing(self, here: Path, db: Path) -> None:
        numbers = (signal.SIGTERM, signal.SIGKILL)
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            server.faults.append(Fault(stall(60), method="POST"))
            processes = [start(*self.arguments(db.with_suffix(f".{n}"), server, "-q")) for n in numbers]
            for process, number in zip(processes, numbers, strict=True):
                self.until(lambda: server.faults[0].struck == len(numbers), process)
                process.send_signal(number)
            ended = [finish(process) for process in processes]
        assert [(one.status, one.out) for one in ended] == [(130, ""), (-signal.SIGKILL, "")]
        assert list(db.parent.iterdir()) == []


def written(db: Path, *kinds: str, ago: timedelta = timedelta(0), endpoint: str | None = None) -> None:
    """A history whose newest check was so long ago."""
    for entry in (course := hourly(kinds)):
        began = (
            datetime.now(UTC).replace(microsecond=0) - ago - (len(course) - entry.number) * timedelta(hours=1)
        )
        subject = entry.subject if endpoint is None else replace(entry.subject, endpoint=endpoint)
        History(db).record(replace(entry, began=began, subject=subject))


class TestHistory:
    @pytest.mark.parametrize(
        ("kind", "exit_status"),
        [("authentic", 0), ("waived", 0), ("altered", 1), ("inconclusive", 3), ("error", 3)],
    )
    @pytest.mark.parametrize("form", ["human", "json", "prometheus", "quiet"])
    def test_ends_as_the_newest_check_did(
        self, sslauth: Run, db: Path, kind: str, exit_status: int, form: str
    ) -> None:
        written(db, "altered", "authentic", kind)
        ended = sslauth("history", db, "--format", form)
        assert (ended.status, ended.err) == (exit_status, "")
        assert ended.out

    @pytest.mark.parametrize("form", ["human", "json", "prometheus", "quiet"])
    def test_a_pass_that_is_too_old_is_none(self, sslauth: Run, db: Path, form: str) -> None:
        written(db, "authentic", ago=timedelta(days=3))
        assert sslauth("history", db, "--format", form).status == 3
        assert sslauth("history", db, "--format", form, "--max-age", "4d").status == 0

    def test_is_the_worst_of_everybody_unless_one_is_named(self, sslauth: Run, db: Path) -> None:
        written(db, "authentic", endpoint="http://a")
        written(db, "altered", endpoint="http://b")
        assert sslauth("history", db).status == 1
        assert sslauth("history", db, "--endpoint", "http://a").status == 0
        assert sslauth("history", db, "--encoder", "search").status == 1

    def test_what_is_left_out_of_the_picture_still_counts(self, sslauth: Run, db: Path) -> None:
        written(db, "altered", ago=timedelta(hours=5))
        ended = sslauth("history", db, "--since", "1h", "--format", "json")
        said = json.loads(ended.out)
        assert (ended.status, said["exit_status"]) == (1, 1)
        assert said["subjects"][0]["checks"] == []
        assert said["subjects"][0]["broke"]["reason"]

    def test_in_json_is_the_same_as_in_the_file(self, sslauth: Run, db: Path) -> None:
        written(db, "authentic", "altered", "error")
        said = json.loads(sslauth("history", db, "--format", "json").out)
        (subject,) = said["subjects"]
        assert subject["checks"] == [dict(entry.to_dict()) for entry in recorded(db)]
        assert [change["after"] for change in subject["changes"] if change["what"] == "status"] == [
            "altered",
            "error",
        ]
        assert subject["counts"] == {"authentic": 1, "altered": 1, "inconclusive": 0, "error": 1}

    @pytest.mark.parametrize("suffix", ["svg", "png"])
    def test_plots(self, sslauth: Run, db: Path, tmp_path: Path, suffix: str) -> None:
        written(db, "authentic", "altered")
        ended = sslauth("history", db, "--plot", tmp_path / f"a.{suffix}")
        assert ended.status == 1
        assert (tmp_path / f"a.{suffix}").stat().st_size > 1000

    @pytest.mark.parametrize(
        ("arguments", "exit_status", "said"),
        [
            (("--encoder", "nobody\x1b"), 3, r"holds no check of nobody\x1b (it holds checks of search at"),
            (("--since", "yesterday"), 2, "--since 'yesterday': not a span"),
            (("--max-age", "never"), 2, "--max-age 'never': not a span"),
            (("--plot", "a.pdf"), 2, ".svg or .png"),
            (("--plot", "none/a.svg"), 2, "no folder"),
        ],
    )
    def test_what_makes_no_sense_is_one_line(
        self, sslauth: Run, db: Path, arguments: tuple[str, ...], exit_status: int, said: str
    ) -> None:
        written(db, "authentic")
        ended = sslauth("history", db, *arguments)
        assert (ended.status, ended.out, len(ended.err.splitlines())) == (exit_status, "", 1)
        assert said in ended.err

    def test_nothing_replaces_the_history(self, sslauth: Run, tmp_path: Path) -> None:
        db = tmp_path / "checks.svg"
        written(db, "authentic")
        before = db.read_bytes()
        for option in ("--plot", "--output"):
            assert sslauth("history", db, option, db).status == 2
        assert db.read_bytes() == before

    def test_without_any_check_is_no_pass(self, sslauth: Run, db: Path) -> None:
        assert sslauth("history", db).status == 2
        db.write_bytes(b"")
        ended = sslauth("history", db)
        assert ended.status == 3
        assert "holds no check of anything" in ended.err

    def test_imports_nothing_heavy(self, db: Path) -> None:
        written(db, "authentic")
        code = (
            "import sys\nfrom hf_integration.cli import main\nstatus = main(sys.argv[1:])\n"
            "assert not {'torch', 'transformers', 'numpy', 'PIL'} & sys.modules.keys()\nsys.exit(status)"
        )
        assert finish(start("history", db, "--plot", db.with_suffix(".svg"), code=code)).status == 0
