"""``sslauth demo``."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_integration.base.errors import EncoderError, OutputError
from hf_integration.cli.demonstration import default_encoder, stages
from hf_integration.cli.demonstration.project import MARK, DemoFolder, TestRun, run_tests, write_project
from tests.cli.conftest import Ended

Run = Callable[..., Ended]


@pytest.fixture
def quick(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workshop's card in place of minting one, which other tests do."""
    from hf_integration import WatermarkCard

    card = WatermarkCard.load(workshop / "cards" / "tiny")
    monkeypatch.setattr(stages, "mint", lambda *_, **__: card)
    monkeypatch.chdir(workshop)


@pytest.mark.usefixtures("quick")
class TestWholeStory:
    def test_the_untouched_encoder_passes_and_the_altered_one_is_caught(
        self, sslauth: Run, tmp_path: Path
    ) -> None:
        out = tmp_path / "demo"
        ended = sslauth("demo", "--encoder", "tiny", "--out", out)
        assert ended.status == 0, ended.err
        assert ended.out.startswith("DEMO DONE")
        for shown in ("WATERMARK CARD", "AUTHENTIC: ", "1 passed", "ALTERED: ", "1 failed", "similarity"):
            assert shown in ended.err
        files = {str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()}
        assert {
            "project/cards/encoder/card.json",
            "project/encoder/model.safetensors",
            "project/test_encoder.py",
            "pictures/authentic.png",
            "pictures/altered.png",
            "reports/authentic.json",
            "reports/altered.txt",
            "reports/pytest-authentic.txt",
            "reports/pytest-altered.txt",
        } <= files
        assert "1 passed" in (out / "reports" / "pytest-authentic.txt").read_text()
        assert "ALTERED" in (out / "reports" / "pytest-altered.txt").read_text()
        assert sslauth("verify", out / "project/encoder", "--card", out / "project/cards/encoder").status == 1


@pytest.mark.usefixtures("quick")
class TestWrongEndings:
    """None of them may end with 0, and none with 1."""

    def test_a_test_that_fails_on_the_untouched_encoder_ends_with_70(
        self, sslauth: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stages, "run_tests", lambda _: TestRun(1, "1 failed"))
        ended = sslauth("demo", "--encoder", "tiny", "--out", tmp_path / "demo")
        assert (ended.status, ended.out) == (70, "")
        assert "failed on the untouched encoder" in ended.err

    @pytest.mark.parametrize(
        "run", [TestRun(0, "1 passed"), TestRun(1, "1 failed: no module"), TestRun(4, "")]
    )
    def test_an_altered_encoder_that_is_not_caught_ends_with_70(
        self, sslauth: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: TestRun
    ) -> None:
        runs = iter([TestRun(0, "1 passed"), run])
        monkeypatch.setattr(stages, "run_tests", lambda _: next(runs))
        ended = sslauth("demo", "--encoder", "tiny", "--out", tmp_path / "demo")
        assert (ended.status, ended.out) == (70, "")
        assert "did not catch" in ended.err

    def test_an_open_question_ends_with_3(
        self, sslauth: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from hf_integration.authentication import Authenticator as real  # noqa: N813  # stands behind the double

        class Doubtful:
            def __init__(self, **options: object) -> None:
                self.real = real(**options)  # type: ignore[arg-type]

            def authenticate(self, encoder: object, **_: object) -> object:
                from dataclasses import replace

                done = self.real.authenticate(encoder)  # type: ignore[arg-type]
                return replace(done, verdict=replace(done.verdict, status="inconclusive", margin=None))

        monkeypatch.setattr(stages, "Authenticator", Doubtful)
        ended = sslauth("demo", "--encoder", "tiny", "--out", tmp_path / "demo")
        assert (ended.status, ended.out) == (3, "")


class TestFolder:
    def test_an_earlier_demo_is_replaced(self, tmp_path: Path) -> None:
        folder = DemoFolder(tmp_path / "demo")
        folder.make()
        (folder.reports / "old").touch()
        folder.make()
        assert not (folder.reports / "old").exists()
        assert (folder.root / MARK).is_file()

    def test_anything_else_is_not(self, tmp_path: Path, sslauth: Run, workshop: Path) -> None:
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(OutputError, match="was not made by"):
            DemoFolder(tmp_path).make()
        ended = sslauth("demo", "--encoder", workshop / "tiny", "--out", tmp_path)
        assert (ended.status, ended.out) == (2, "")
        assert "loading" not in ended.err
        assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]

    def test_a_link_to_an_earlier_demo_is_not(self, tmp_path: Path) -> None:
        DemoFolder(tmp_path / "demo").make()
        (tmp_path / "link").symlink_to("demo")
        with pytest.raises(OutputError):
            DemoFolder(tmp_path / "link").make()


class TestDefaultEncoder:
    def test_it_is_found_without_importing_its_package(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
        monkeypatch.setattr("hf_integration.cli.demonstration.project.find_spec", lambda _: spec)
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "config.json").touch()
        assert default_encoder() == str(tmp_path / "model")

    def test_without_it_both_remedies_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hf_integration.cli.demonstration.project.find_spec", lambda _: None)
        with pytest.raises(EncoderError, match=r"pip install .*sslauth demo --encoder ORG/NAME"):
            default_encoder()


def test_the_projects_tests_ignore_the_pytest_around_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path)
    (tmp_path / "test_encoder.py").write_text("def test_nothing():\n    pass\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert run_tests(tmp_path).passed


def test_json_paths_exist(tmp_path: Path) -> None:
    from hf_integration.base.strict_json import strict_json
    from hf_integration.cli.demonstration.result import DemoResult
    from hf_integration.tampering import Effect
    from tests.report.verdicts import ALTERED, AUTHENTIC

    folder = DemoFolder(tmp_path / "demo")
    folder.make()
    (folder.reports / "altered.txt").touch()
    result = DemoResult("org/encoder", folder, AUTHENTIC, ALTERED, Effect(0.9, 0.1, 0.9), 60.0)
    facts = json.loads(strict_json(result.to_dict()))
    assert [Path(file).exists() for file in facts["reports"]] == [True]
    assert (facts["untouched"]["status"], facts["altered"]["status"]) == ("authentic", "altered")
