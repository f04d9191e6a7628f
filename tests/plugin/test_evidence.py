"""What a run leaves behind: the summary and the files of each check, with and without workers."""

import json
import shutil
from collections.abc import Callable

import pytest

from hf_integration.verdict import Verdict
from pytest_sslauth.record import Evidence, summary_lines

pytest_plugins = ["pytester"]

TWO_TESTS = """
    import pytest

    pytestmark = pytest.mark.sslauth("models/tiny")

    def test_first():
        pass

    def test_second(authentic_encoder):
        pass
"""


class TestSummary:
    def test_authentic_encoders_are_listed_when_verbose_only(self, project: pytest.Pytester) -> None:
        project.makepyfile(TWO_TESTS)
        project.runpytest().stdout.no_fnmatch_line("*= sslauth =*")
        result = project.runpytest("-v")
        result.stdout.fnmatch_lines(
            ["*= sslauth =*", "authentic * models/tiny  (margin *, float64, trust local, * s, card sha256:*)"]
        )
        assert result.stdout.str().count("authentic     models/tiny") == 1

    def test_failing_encoders_are_listed_always_and_first(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        tensor = alter_encoder()
        project.makepyfile(TWO_TESTS)
        result = project.runpytest("-q")
        result.stdout.fnmatch_lines(
            [
                "*= sslauth =*",
                f"ALTERED * models/tiny  (margin *, float64, trust local, * s, card sha256:*): *{tensor}*",
            ]
        )

    @pytest.mark.parametrize(
        ("look", "outcome", "ending"),
        [("pass", "passed", "; yet no test failed"), ("assert looked.authentic", "failed", "")],
    )
    def test_that_no_test_failed_in_spite_of_an_altered_encoder_is_said(
        self,
        project: pytest.Pytester,
        alter_encoder: Callable[[], str],
        look: str,
        outcome: str,
        ending: str,
    ) -> None:
        alter_encoder()
        project.makepyfile(
            f"""
            import pytest

            @pytest.fixture
            def looked(sslauth):
                return sslauth.authenticate("models/tiny")

            def test_that_may_forget(looked):
                {look}
            """
        )
        result = project.runpytest("-q")
        result.assert_outcomes(**{outcome: 1})
        [line] = [line for line in result.outlines if line.startswith("ALTERED ")]
        assert line.endswith(ending)
        assert ("no test" in line) == bool(ending)

    @pytest.mark.parametrize("scope", ["module", "session"])
    def test_another_test_may_have_failed_over_a_verdict_that_two_share(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str], scope: str
    ) -> None:
        alter_encoder()
        project.makepyfile(
            f"""
            import pytest

            @pytest.fixture(scope={scope!r})
            def looked(sslauth):
                return sslauth.authenticate("models/tiny")

            def test_that_makes_the_check(looked):
                pass

            def test_that_fails_over_it(looked):
                assert looked.authentic
            """
        )
        result = project.runpytest("-q")
        result.assert_outcomes(passed=1, failed=1)
        [line] = [line for line in result.outlines if line.startswith("ALTERED ")]
        assert "no test" not in line

    def test_names_cannot_move_the_cursor(self) -> None:
        evidence = Evidence("altered", "org/\x1b[2Jenc", "because \x1b[1A", revision="\x07")
        [(line, color)] = summary_lines([evidence], verbose=False)
        assert color == "red"
        assert line.isprintable()

    def test_what_could_not_be_checked_comes_before_what_is_authentic(self) -> None:
        kinds = ["authentic", "inconclusive", "altered"]
        lines = summary_lines([Evidence(kind, "e", "r") for kind in kinds], verbose=True)
        assert [line.split()[0].lower() for line, _ in lines] == ["altered", "inconclusive", "authentic"]


class TestReportFiles:
    def test_nothing_is_written_unasked(self, project: pytest.Pytester) -> None:
        project.makepyfile(TWO_TESTS)
        before = set(project.path.iterdir())
        project.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2)
        assert {path.name for path in set(project.path.iterdir()) - before} <= {"__pycache__"}

    def test_verdict_and_picture_of_each_check(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        project.makepyfile(TWO_TESTS)
        result = project.runpytest("--sslauth-report-dir=out/reports")
        folder = project.path / "out/reports"
        [report] = folder.glob("tiny-*-float64.json")
        assert Verdict.from_dict(json.loads(report.read_text())).status == "altered"
        assert report.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        result.stdout.fnmatch_lines([f"  reports * {report}, {report.with_suffix('.png')}"])

    def test_on_failure_leaves_out_what_is_authentic(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        project.makepyfile(TWO_TESTS)
        options = ("--sslauth-report-dir=out", "--sslauth-html=out.html", "--sslauth-evidence=on-failure")
        project.runpytest(*options).assert_outcomes(passed=2)
        page = project.path / "out.html"
        assert list((project.path / "out").iterdir()) == []
        assert "1 of 1 encoders passed" in page.read_text()
        assert "data:image" not in page.read_text()
        alter_encoder()
        project.runpytest(*options).assert_outcomes(failed=2)
        assert sorted(file.suffix for file in (project.path / "out").iterdir()) == [".json", ".png"]
        assert "data:image" in page.read_text()

    def test_two_findings_about_one_encoder_are_two_files(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        shutil.copytree(project.path / "models/tiny", project.path / "pristine")
        alter_encoder()
        project.makepyfile(
            """
            import pathlib, shutil

            def test_altered(sslauth):
                sslauth.assert_authentic("models/tiny")

            def test_restored(sslauth):
                shutil.rmtree("models/tiny")
                shutil.copytree("pristine", "models/tiny")
                sslauth.assert_authentic("models/tiny")
            """
        )
        result = project.runpytest("--sslauth-report-dir=out")
        result.assert_outcomes(passed=1, failed=1)
        first, second = sorted((project.path / "out").glob("*.json"), key=lambda file: len(file.name))
        assert json.loads(first.read_text())["status"] == "altered"
        assert json.loads(second.read_text())["status"] == "authentic"
        assert second.stem == f"{first.stem}-2"

    def test_a_run_replaces_what_the_one_before_said_of_an_encoder(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        project.makepyfile(TWO_TESTS)
        project.runpytest("--sslauth-report-dir=out").assert_outcomes(passed=2)
        alter_encoder()
        project.runpytest("--sslauth-report-dir=out").assert_outcomes(failed=2)
        [report] = (project.path / "out").glob("*.json")
        assert json.loads(report.read_text())["status"] == "altered"

    def test_no_report_goes_through_a_link_that_somebody_put_into_the_folder(
        self, project: pytest.Pytester
    ) -> None:
        project.makepyfile(TWO_TESTS)
        project.runpytest("--sslauth-report-dir=out")
        [report] = (project.path / "out").glob("tiny-*-float64.json")
        for ending in (".json", ".png"):
            file = report.with_suffix(ending)
            file.unlink()
            (project.path / "mine").write_text("mine")
            file.symlink_to(project.path / "mine")
            result = project.runpytest("--sslauth-report-dir=out")
            result.stdout.fnmatch_lines(
                [f"*no report was written: cannot write *{ending}: it is no regular file*"]
            )
            assert (project.path / "mine").read_text() == "mine"
            file.unlink()

    def test_a_folder_that_cannot_be_made_is_a_usage_error(self, project: pytest.Pytester) -> None:
        (project.path / "file").touch()
        project.makepyfile(TWO_TESTS)
        result = project.runpytest("--sslauth-report-dir=file/out")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*--sslauth-report-dir: 'file/out' cannot be made: Not a directory"])

    def test_a_folder_that_goes_away_later_is_a_warning_and_no_verdict(
        self, project: pytest.Pytester
    ) -> None:
        project.makeconftest(
            """
            from pathlib import Path

            def pytest_collection_finish():
                Path("out").rmdir()
                Path("out").touch()
            """
        )
        project.makepyfile(TWO_TESTS)
        result = project.runpytest("--sslauth-report-dir=out")
        result.assert_outcomes(passed=2, warnings=result.parseoutcomes().get("warnings", 0))
        result.stdout.fnmatch_lines(["*sslauth: no report was written: *"])


def test_workers_send_their_evidence_and_the_controller_writes_the_files_once(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    pytest.importorskip("xdist")
    alter_encoder()
    project.makepyfile(TWO_TESTS)
    result = project.runpytest_subprocess(
        "-n2", "--dist=each", "--strict-markers", "--sslauth-report-dir=out", "--junitxml=out.xml"
    )
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["ALTERED: models/tiny", "*= sslauth =*", "ALTERED * models/tiny *"])
    assert result.stdout.str().count("ALTERED       models/tiny") == 1
    written = sorted(path.name for path in (project.path / "out").iterdir())
    assert [name.rpartition("-")[2] for name in written] == ["float64.json", "float64.png"]
    for name in written:
        assert f"/out/{name}" in result.stdout.str()
