"""Fixtures that are settings, and the factory of encoders for fixtures of every scope."""

from pathlib import Path

import pytest

from pytest_sslauth.layers import LAYERS

pytest_plugins = ["pytester"]

ASKING = """
import pytest

@pytest.mark.sslauth("models/tiny")
def test_marked(record_property):
    pass

@pytest.mark.sslauth("models/tiny")
def test_handed(authentic_encoder):
    assert authentic_encoder.verdict.precision == "{precision}"

def test_called(sslauth):
    assert sslauth.assert_authentic("models/tiny").verdict.precision == "{precision}"

def test_made(authentic_encoders):
    assert authentic_encoders("models/tiny").verdict.precision == "{precision}"
"""

OVERRIDE = """
import pytest

@pytest.fixture(scope="session")
def sslauth_{name}():
    return {value!r}
"""


class TestSettings:
    def test_one_holds_whoever_asks(self, project: pytest.Pytester) -> None:
        project.makeini("[pytest]\n")
        (project.path / "sslauth.toml").write_text(
            'version = 1\n[encoders.tiny]\npath = "models/tiny"\ncard = "cards/tiny"\n'
        )
        project.makeconftest(OVERRIDE.format(name="precision", value="float32"))
        project.makepyfile(test_app=ASKING.format(precision="float32"))
        result = project.runpytest("-v", "--sslauth-precision=bfloat16")
        result.assert_outcomes(passed=5)
        (line,) = [line for line in result.outlines if line.startswith("authentic  ")]
        assert "float32" in line

    def test_an_encoder_of_the_file_is_given_no_other_fixture(self, project: pytest.Pytester) -> None:
        project.makeini("[pytest]\n")
        (project.path / "sslauth.toml").write_text(
            'version = 1\n[encoders.tiny]\npath = "models/tiny"\ncard = "cards/tiny"\n'
        )
        project.makeconftest(
            "import pytest\n@pytest.fixture(autouse=True)\ndef database():\n    raise RuntimeError\n"
        )
        project.runpytest().assert_outcomes(passed=1)
        assert project.runpytest("--fixtures-per-test").ret == 0
        assert project.runpytest("--setup-show").ret == 0

    def test_each_folder_has_its_own(self, project: pytest.Pytester) -> None:
        for folder, precision in (("one", "float32"), ("two", "float16")):
            (project.path / folder).mkdir()
            (project.path / folder / "__init__.py").touch()
            (project.path / folder / "conftest.py").write_text(
                OVERRIDE.format(name="precision", value=precision)
            )
            (project.path / folder / f"test_{folder}.py").write_text(ASKING.format(precision=precision))
        project.makepyfile(test_app=ASKING.format(precision="float64"))
        project.runpytest().assert_outcomes(passed=12)

    def test_without_one_the_options_hold(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            """
            def test_app(
                sslauth_device, sslauth_precision, sslauth_budget, sslauth_cards, sslauth_cache_dir,
                sslauth_missing, pytestconfig,
            ):
                assert (sslauth_device, sslauth_precision, sslauth_budget) == ("cpu", "float32", 5.0)
                assert sslauth_cards == pytestconfig.rootpath / "cards"
                assert (sslauth_cache_dir, sslauth_missing) == (None, "skip")
            """
        )
        options = ("--sslauth-device=cpu", "--sslauth-precision=float32", "--sslauth-budget=5")
        project.runpytest(*options, "--sslauth-missing=skip").assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("name", "value", "holds"),
        [
            ("device", "cpu", 'encoder.device == "cpu"'),
            ("precision", "float32", 'encoder.verdict.precision == "float32"'),
            ("budget", 0, "encoder.verdict.partial is not None"),
            ("cards", "elsewhere", 'encoder.verdict.card.location.endswith("elsewhere/tiny")'),
            ("cards", Path("elsewhere"), 'encoder.verdict.card.location.endswith("elsewhere/tiny")'),
            ("cache_dir", "hub", "True"),
            ("missing", "skip", "True"),
            *((name, None, "encoder.verdict.authentic") for name in LAYERS),
        ],
    )
    def test_each_has_its_effect(
        self, project: pytest.Pytester, name: str, value: object, holds: str
    ) -> None:
        if name == "cards" and value is not None:
            (project.path / "cards").rename(project.path / "elsewhere")
        text = OVERRIDE.format(name=name, value=str(value) if isinstance(value, Path) else value)
        if isinstance(value, Path):
            text = text.replace("return ", "import pathlib\n    return pathlib.Path(") + ")"
        project.makeconftest(text)
        project.makepyfile(
            "def test_app(sslauth):\n"
            f'    encoder = sslauth.assert_authentic("models/tiny")\n    assert {holds}\n'
        )
        project.runpytest().assert_outcomes(passed=1)

    def test_skip_is_one(self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        project.makeconftest(OVERRIDE.format(name="missing", value="skip"))
        project.makepyfile(
            "def test_app(sslauth):\n"
            '    sslauth.assert_authentic("org/absent", revision="main", card="cards/tiny")\n'
        )
        project.runpytest().assert_outcomes(skipped=1)

    @pytest.mark.parametrize("name", LAYERS)
    @pytest.mark.parametrize("way", ["marked", "called"])
    def test_what_cannot_be_used_fails_the_test(self, project: pytest.Pytester, name: str, way: str) -> None:
        (project.path / "file").touch()
        project.makeconftest(OVERRIDE.format(name=name, value="file"))
        project.makepyfile(
            test_app='import pytest\n@pytest.mark.sslauth("models/tiny")\ndef test_marked():\n    pass\n'
            'def test_called(sslauth):\n    sslauth.authenticate("models/tiny")\n'
        )
        result = project.runpytest("-k", way)
        result.assert_outcomes(failed=1, deselected=1)
        result.stdout.fnmatch_lines([f"fixture sslauth_{name}: *; nothing was checked"])

    def test_what_weakens_trust_is_none(self) -> None:
        assert not {"accept_self_asserted", "config", "require"} & set(LAYERS)


FACTORY = """
import pytest

@pytest.fixture(scope="{scope}")
def encoder(authentic_encoders):
    return authentic_encoders("models/tiny")

@pytest.fixture(scope="{scope}")
def index(encoder):
    return encoder.embed(["the cat"])

class TestIt:
    def test_search(self, index, encoder):
        assert index.shape[0] == 1
        assert encoder.verdict.authentic

    def test_train(self, encoder):
        encoder.model.train()
        encoder.model.embeddings.LayerNorm.bias.data += 1

    def test_evaluate(self, index):
        pass
"""


class TestTheFactory:
    @pytest.mark.parametrize("scope", ["session", "package", "module", "class"])
    def test_every_test_that_uses_the_fixture_gets_what_was_checked(
        self, project: pytest.Pytester, scope: str
    ) -> None:
        project.makepyfile(test_app=FACTORY.format(scope=scope))
        result = project.runpytest("-v")
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(
            [
                "*::test_evaluate FAILED*",
                "ALTERED: models/tiny",
                "altered in this process*test_app.py::TestIt::test_train;*",
            ]
        )

    def test_a_function_gets_one_that_was_compared(self, project: pytest.Pytester) -> None:
        project.makepyfile(test_app=FACTORY.format(scope="function"))
        result = project.runpytest()
        result.assert_outcomes(passed=2, errors=0, failed=1)  # it tells, and the next one gets a fresh one
        result.stdout.fnmatch_lines(["altered in this process*last handed to *test_train;*"])

    def test_one_that_is_torn_down_is_forgotten(self, project: pytest.Pytester) -> None:
        for name in ("one", "two"):
            (project.path / f"test_{name}.py").write_text(FACTORY.format(scope="module"))
        result = project.runpytest("-k", "not evaluate")
        # the encoder that stays in memory was trained by the first module: its hand-over fails once
        result.assert_outcomes(passed=2, errors=0, failed=2, deselected=2)

    def test_encoders_and_revisions_are_parameters(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            """
            import pytest

            @pytest.fixture(scope="module", params=["float64", "float32"])
            def encoder(request, authentic_encoders):
                return authentic_encoders("models/tiny", card="cards/tiny", precision=request.param)

            def test_one(encoder, request):
                assert encoder.verdict.precision in request.node.name

            def test_two(encoder):
                assert encoder.embed(["a cat"]).shape == (1, 32)
            """
        )
        project.runpytest().assert_outcomes(passed=4)

    @pytest.mark.parametrize("scope", ["session", "module", "function"])
    def test_nothing_is_handed_out_that_did_not_pass(
        self, project: pytest.Pytester, alter_encoder: object, scope: str
    ) -> None:
        alter_encoder()  # type: ignore[operator]
        project.makepyfile(test_app=FACTORY.format(scope=scope))
        result = project.runpytest()
        result.assert_outcomes(failed=3)
        result.stdout.fnmatch_lines(["ALTERED: models/tiny"])

    def test_what_it_is_asked_for_is_checked(self, project: pytest.Pytester) -> None:
        project.makepyfile("def test_app(authentic_encoders):\n    authentic_encoders('')\n")
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*encoder is empty; nothing was checked*"])


def test_types_are_complete() -> None:
    import pytest_sslauth

    for name in pytest_sslauth.__all__:
        assert getattr(pytest_sslauth, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = pytest_sslauth.absent
