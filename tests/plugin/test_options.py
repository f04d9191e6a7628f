"""Options: each is read by one function that refuses what it cannot use."""

from pathlib import Path

import pytest

from pytest_sslauth.options import (
    PRECISIONS,
    Settings,
    header_line,
    parse_budget,
    parse_cards,
    parse_device,
    parse_precision,
    parse_report_dir,
)

pytest_plugins = ["pytester"]


class TestPrecision:
    def test_the_engines_precisions_are_accepted(self) -> None:
        from hf_integration.base.vocabulary import PRECISIONS as ENGINE

        assert PRECISIONS == ENGINE
        assert [parse_precision(name) for name in PRECISIONS] == list(PRECISIONS)

    @pytest.mark.parametrize("value", ["", "double", "Float32", "int8"])
    def test_others_are_refused(self, value: str) -> None:
        with pytest.raises(pytest.UsageError, match=r"--sslauth-precision: unknown precision .*float64"):
            parse_precision(value)


class TestDevice:
    @pytest.mark.parametrize("value", ["cpu", "cuda", "cuda:1", "mps", "xpu:0"])
    def test_devices_are_accepted(self, value: str) -> None:
        assert parse_device(value) == value

    @pytest.mark.parametrize("value", ["", "gpu", "cuda:", "cuda:x", "cpu cuda", "meta"])
    def test_others_are_refused(self, value: str) -> None:
        with pytest.raises(pytest.UsageError, match="--sslauth-device: unknown device"):
            parse_device(value)


class TestBudget:
    @pytest.mark.parametrize(("value", "seconds"), [("5", 5.0), ("0", 0.0), ("0.5", 0.5)])
    def test_seconds_are_accepted(self, value: str, seconds: float) -> None:
        assert parse_budget(value) == seconds

    @pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "inf", "5 s"])
    def test_others_are_refused(self, value: str) -> None:
        with pytest.raises(pytest.UsageError, match=r"--sslauth-budget: .* is no number of seconds"):
            parse_budget(value)


class TestReportDir:
    def test_it_is_made_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert parse_report_dir("out") == str(tmp_path / "out")

    def test_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(pytest.UsageError, match="is not a folder"):
            parse_report_dir(str(tmp_path / "file"))

    def test_an_empty_name_is_refused(self) -> None:
        with pytest.raises(pytest.UsageError, match="needs the name of a folder"):
            parse_report_dir("")


class TestCards:
    def test_it_is_relative_to_rootdir_and_need_not_exist(self, tmp_path: Path) -> None:
        assert parse_cards("trust/cards", tmp_path) == tmp_path / "trust/cards"

    @pytest.mark.parametrize(("value", "why"), [(" ", "needs the name"), ("file", "is not a folder")])
    def test_others_are_refused(self, tmp_path: Path, value: str, why: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(pytest.UsageError, match=f"sslauth_cards: .*{why}"):
            parse_cards(value, tmp_path)


class TestHeader:
    def test_defaults_are_not_mentioned(self, tmp_path: Path) -> None:
        assert header_line(Settings(rootdir=tmp_path, cards=tmp_path / "cards")) is None

    def test_other_settings_are(self, tmp_path: Path) -> None:
        settings = Settings(
            tmp_path,
            tmp_path / "trust",
            precision="float32",
            device="cpu",
            budget=2.5,
            accept_self_asserted=True,
        )
        assert header_line(settings) == (
            f"sslauth: cards {tmp_path}/trust, precision float32, device cpu, budget 2.5 s, "
            "self-asserted cards accepted"
        )


class TestCommandLine:
    @pytest.mark.parametrize(
        "option",
        ["--sslauth-precision=x", "--sslauth-device=x", "--sslauth-report-dir=", "--sslauth-budget=x"],
    )
    def test_a_refused_value_is_a_usage_error(self, plugged: pytest.Pytester, option: str) -> None:
        result = plugged.runpytest(option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {option.partition('=')[0]}: *"])

    def test_a_refused_setting_is_a_usage_error(self, plugged: pytest.Pytester) -> None:
        plugged.makeini("[pytest]\nsslauth_cards =\n")
        result = plugged.runpytest()
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: sslauth_cards: *"])

    def test_cards_and_precision_reach_the_check(self, project: pytest.Pytester) -> None:
        (project.path / "cards").rename(project.path / "trust")
        project.makeini("[pytest]\nsslauth_cards = trust\n")
        project.makepyfile(
            """
            def test_search(sslauth):
                assert sslauth.authenticate("models/tiny").precision == "float32"
                assert sslauth.authenticate("models/tiny", precision="float64").precision == "float64"
            """
        )
        result = project.runpytest("--sslauth-precision=float32", "--sslauth-device=cpu")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["sslauth: cards */trust, precision float32, device cpu"])

    def test_a_budget_reaches_the_check(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            """
            def test_search(sslauth, monkeypatch):
                from hf_integration import authentication

                given, real = [], authentication.Authenticator
                monkeypatch.setattr(
                    authentication, "Authenticator", lambda **o: given.append(o["budget"]) or real(**o)
                )
                assert sslauth.authenticate("models/tiny").authentic
                assert given == [2.5]
            """
        )
        project.runpytest("--sslauth-budget=2.5").assert_outcomes(passed=1)
