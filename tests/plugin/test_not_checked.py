"""Whatever keeps a check from being made fails the test with one line, and never passes."""

import shutil
from dataclasses import replace

import pytest

pytest_plugins = ["pytester"]

MARKED = """
    import pytest

    @pytest.mark.sslauth({arguments})
    def test_search():
        pass
"""


def run(project: pytest.Pytester, arguments: str, *options: str) -> pytest.RunResult:
    project.makepyfile(MARKED.format(arguments=arguments))
    return project.runpytest(*options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "'models/absent'",
            "no watermark card at */cards/absent (*sslauth mint models/absent --out */cards/absent)",
        ),
        ("'/absent/tiny'", "no such encoder folder: '/absent/tiny' (relative paths start at rootdir, *)"),
        (
            "'models/tiny', card='/absent'",
            "no watermark card at /absent (*sslauth mint models/tiny --out /absent)",
        ),
        ("'models/tiny', card='models'", "no watermark card at */models (*sslauth mint *)"),
        ("'models/tiny', revision='main'", "*revision*"),
        ("'cards', card='cards/tiny'", "*cards*"),
        ("'a\\0b'", "no such encoder folder: *"),
    ],
)
def test_a_wrong_name_says_what_to_do(project: pytest.Pytester, arguments: str, message: str) -> None:
    result = run(project, arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"NOT CHECKED: *: {message}", "This is not a pass."])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_folder_below_the_current_directory_only_is_refused(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = project.mkdir("elsewhere")
    shutil.move(project.path / "models", elsewhere / "models")
    project.makepyfile(MARKED.format(arguments="'models/tiny'"))
    monkeypatch.chdir(elsewhere)
    result = project.runpytest("--rootdir", project.path, project.path)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: *exists below the current directory only*rootdir*"])


def test_an_expired_card_fails_and_says_since_when(project: pytest.Pytester) -> None:
    from hf_integration import WatermarkCard

    card = replace(WatermarkCard.load(project.path / "cards" / "tiny"), expires="2020-01-31")
    card.save(project.path / "cards" / "tiny", force=True)
    result = run(project, "'models/tiny'")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*INCONCLUSIVE*", "*the card expired on 2020-01-31*"])


def test_a_damaged_card_fails(project: pytest.Pytester) -> None:
    file = project.path / "cards/tiny/card.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    result = run(project, "'models/tiny'")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: models/tiny: damaged watermark card: *card.safetensors*"])


def test_a_crash_inside_the_engine_fails_with_what_a_bug_report_needs(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("injected \x1b[2J")

    monkeypatch.setattr("hf_integration.authentication.Authenticator.authenticate", crash)
    project.makepyfile(
        """
        import pytest

        @pytest.mark.sslauth("models/tiny")
        def test_marked():
            pass

        def test_swallows(sslauth):
            try:
                sslauth.assert_authentic("models/tiny")
            except Exception:
                pass
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            r"NOT CHECKED: models/tiny: internal error: RuntimeError: injected \x1b[[]2J",
            "Please report this as a bug of pytest-sslauth:",
            "*in crash*",
        ]
    )
    assert "\x1b[2J" not in result.stdout.str()


def test_a_card_inside_the_checked_folder_is_no_pass_unless_accepted(project: pytest.Pytester) -> None:
    shutil.move(project.path / "cards/tiny", project.path / "models/tiny/sslauth")
    arguments = "'models/tiny', card='models/tiny/sslauth'"
    result = run(project, arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["INCONCLUSIVE - this is not a pass: models/tiny", "*vouches*"])
    run(project, arguments, "--sslauth-accept-self-asserted").assert_outcomes(passed=1)


def test_without_a_network_a_hub_encoder_fails(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(project.path / "home"))
    project.makepyfile(MARKED.format(arguments="'org/tiny'"))
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["NOT CHECKED: org/tiny: *", "'org/tiny' is not below rootdir (*), so it was taken for a repository*"]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "*missing 1 required positional argument: 'encoder'*"),
        ("'models/tiny', revison='x'", "*unexpected keyword argument 'revison'*"),
        ("'models/tiny', 'main'", "*takes 1 positional argument but 2 were given*"),
        ("7", "*encoder must be a string, not int*"),
        ("' '", "*encoder is empty*"),
        ("'models/tiny', precision='double'", "*unknown precision 'double', choose one of float64*"),
    ],
)
def test_a_wrong_marker_fails_its_test_and_no_other(
    plugged: pytest.Pytester, arguments: str, message: str
) -> None:
    plugged.makepyfile(
        test_app=MARKED.format(arguments=arguments) + "\n    def test_other():\n        pass\n"
    )
    result = plugged.runpytest()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([f"test_app.py::test_search: @pytest.mark.sslauth: {message}"])
