"""Options: each is read by one function that refuses what it cannot use."""

from dataclasses import fields
from pathlib import Path

import pytest

from pytest_sslauth.option_values import (
    EVIDENCE,
    PRECISIONS,
    parse_budget,
    parse_device,
    parse_evidence,
    parse_folder,
    parse_precision,
    parse_report_dir,
)
from pytest_sslauth.options import OPTIONS, REPORT_FILES, Option, Settings, header_line

pytest_plugins = ["pytester"]

HERE = "here"


class TestPrecision:
    def test_the_engines_precisions_are_accepted(self) -> None:
        from hf_integration.base.vocabulary import PRECISIONS as ENGINE

        assert PRECISIONS == ENGINE
        assert [parse_precision(name, Path(), HERE) for name in PRECISIONS] == list(PRECISIONS)

    @pytest.mark.parametrize("value", ["", "double", "Float32", "int8"])
    def test_others_are_refused(self, value: str) -> None:
        with pytest.raises(pytest.UsageError, match=r"here: unknown precision .*float64"):
            parse_precision(value, Path(), HERE)


class TestDevice:
    @pytest.mark.parametrize("value", ["cpu", "cuda", "cuda:1", "mps", "xpu:0"])
    def test_devices_are_accepted(self, value: str) -> None:
        assert parse_device(value, Path(), HERE) == value

    @pytest.mark.parametrize("value", ["", "gpu", "cuda:", "cuda:x", "cpu cuda", "meta"])
    def test_others_are_refused(self, value: str) -> None:
        with pytest.raises(pytest.UsageError, match="here: unknown device"):
            parse_device(value, Path(), HERE)


class TestBudget:
    @pytest.mark.parametrize(("value", "seconds"), [("5", 5.0), ("0", 0.0), ("0.5", 0.5)])
    def test_seconds_are_accepted(self, value: str, seconds: float) -> None:
        assert parse_budget(value, Path(), HERE) == seconds

    @pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "inf", "5 s"])
    def test_others_are_refused(self, value: str) -> None:
        with pytest.raises(pytest.UsageError, match=r"here: .* is no number of seconds"):
            parse_budget(value, Path(), HERE)


class TestEvidence:
    def test_both_words_are_accepted(self) -> None:
        assert [parse_evidence(word, Path(), HERE) for word in EVIDENCE] == ["on-failure", "always"]

    @pytest.mark.parametrize("value", ["", "never", "Always", "on_failure"])
    def test_others_are_refused(self, value: str) -> None:
        with pytest.raises(pytest.UsageError, match=r"here: .* is not one of on-failure, always"):
            parse_evidence(value, Path(), HERE)

    @pytest.mark.parametrize("authentic", [True, False])
    def test_what_is_no_pass_is_always_kept(self, tmp_path: Path, authentic: bool) -> None:
        kept = {word: Settings(tmp_path, tmp_path, tmp_path, evidence=word) for word in EVIDENCE}
        assert kept["always"].keeps(authentic=authentic)
        assert kept["on-failure"].keeps(authentic=authentic) is not authentic


class TestReportDir:
    def test_it_starts_where_it_is_said_to(self, tmp_path: Path) -> None:
        assert parse_report_dir("out", tmp_path, HERE) == tmp_path / "out"

    def test_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(pytest.UsageError, match="is not a folder"):
            parse_report_dir("file", tmp_path, HERE)

    def test_an_empty_name_is_refused(self) -> None:
        with pytest.raises(pytest.UsageError, match="needs the name of a folder"):
            parse_report_dir("", Path(), HERE)


class TestCards:
    def test_it_is_relative_to_rootdir_and_need_not_exist(self, tmp_path: Path) -> None:
        assert parse_folder("trust/cards", tmp_path, HERE) == tmp_path / "trust/cards"

    @pytest.mark.parametrize(("value", "why"), [(" ", "needs the name"), ("file", "is not a folder")])
    def test_others_are_refused(self, tmp_path: Path, value: str, why: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(pytest.UsageError, match=f"here: .*{why}"):
            parse_folder(value, tmp_path, HERE)


class TestHeader:
    def test_defaults_are_not_mentioned(self, tmp_path: Path) -> None:
        settings = Settings(tmp_path, tmp_path / "cards", tmp_path / "sslauth.toml")
        assert header_line(settings) is None

    def test_other_settings_are(self, tmp_path: Path) -> None:
        settings = Settings(
            tmp_path,
            tmp_path / "trust",
            tmp_path / "pins.toml",
            require=True,
            precision="float32",
            device="cpu",
            cache_dir=tmp_path / "hub",
            budget=2.5,
            missing="skip",
            keep=2,
            evidence="on-failure",
            sarif=tmp_path / "out.sarif",
            accept_self_asserted=True,
        )
        assert header_line(settings) == (
            f"sslauth: cards {tmp_path}/trust, config {tmp_path}/pins.toml, every configured encoder is "
            f"required, precision float32, device cpu, Hub cache {tmp_path}/hub, sarif {tmp_path}/out.sarif, "
            "evidence on-failure, budget 2.5 s, tests skip if their encoder is out of reach, 2 encoders stay "
            "in memory, self-asserted cards accepted"
        )


VALUES = {
    "precision": "float32",
    "device": "cpu",
    "report_dir": "out",
    "html": "page.html",
    "sarif": "out.sarif",
    "gitlab": "out.json",
    "evidence": "on-failure",
    "budget": "2.5",
    "missing": "skip",
    "keep": "2",
    "cache_dir": "hub",
    "stamps": "snapshots",
    "cards": "trust",
    "config": "pins.toml",
    "observe": "error",
    "observe_report": "loaded.json",
}
SHOW = """
def test_settings(pytestconfig):
    from pytest_sslauth.session import SESSION

    settings = pytestconfig.stash[SESSION].settings
    assert str(settings.{name}) == {expected!r}
"""


class TestTwins:
    """Each option can be given on the command line and in the configuration file."""

    def test_all_are_tried_here(self) -> None:
        assert {option.name for option in OPTIONS if option.read} == set(VALUES)
        assert {option.flag.removeprefix("--").replace("-", "_") for option in OPTIONS} == {
            option.key for option in OPTIONS
        }
        known = {field.name for field in fields(Settings)} - {"rootdir", "pytest_html", "workers", "verbose"}
        assert {option.name for option in OPTIONS} == known

    @pytest.mark.parametrize("style", ["ini", "toml", "command line", "both"])
    @pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
    def test_it_is_read_from_either(self, plugged: pytest.Pytester, option: Option, style: str) -> None:
        value = VALUES.get(option.name, "true")
        for name in ("pins.toml", "sslauth.toml"):
            (plugged.path / name).write_text("version = 1\n")
        named = ("report_dir", "cards", "config", "cache_dir", "stamps", "observe_report", *REPORT_FILES)
        paths = {name: str(plugged.path / VALUES[name]) for name in named}
        expected = paths.get(option.name, {"true": "True"}.get(value, value))
        plugged.makepyfile(SHOW.format(name=option.name, expected=expected))
        others = {"device": "cuda", "budget": "9", "keep": "3", "missing": "fail", "observe": "off"}
        said = {"both": others.get(option.name, value)}.get(style, value)
        if style in ("ini", "both"):
            plugged.makeini(f"[pytest]\n{option.key} = {said}\n")
        elif style == "toml":
            (plugged.path / "tox.ini").unlink()
            plugged.makepyprojecttoml(f'[tool.pytest.ini_options]\n{option.key} = "{said}"\n')
        given = [option.flag] if option.read is None else [f"{option.flag}={value}"]
        result = plugged.runpytest(*(given if style in ("command line", "both") else ()))
        result.assert_outcomes(passed=1)

    @pytest.mark.parametrize("option", [one for one in OPTIONS if one.read], ids=lambda one: one.name)
    def test_what_cannot_be_used_names_where_it_was_given(
        self, plugged: pytest.Pytester, option: Option
    ) -> None:
        plugged.path.joinpath("file").touch()
        files = ("observe_report", *REPORT_FILES)
        bad = {"config": "absent", **dict.fromkeys(files, "file/out")}.get(option.name, "file")
        for given, name in (((f"{option.flag}={bad}",), option.flag), ((), option.key)):
            plugged.makeini("[pytest]\n" if given else f"[pytest]\n{option.key} = {bad}\n")
            result = plugged.runpytest(*given)
            assert result.ret == pytest.ExitCode.USAGE_ERROR
            result.stderr.fnmatch_lines([f"ERROR: {name}: *"])


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
