"""The fixture ``sslauth``: checks that a test makes itself."""

from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]


def test_a_test_checks_by_name_and_uses_the_encoder(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from pytest_sslauth import SSLAuth

        def test_search(sslauth: SSLAuth):
            assert isinstance(sslauth, SSLAuth)
            encoder = sslauth.assert_authentic("models/tiny")
            assert encoder.embed(["the cat"]).shape == (1, 32)
            assert sslauth.authenticate("models/tiny") is encoder.verdict
            assert sslauth.authenticate(encoder, precision="float32").precision == "float32"
        """
    )
    project.runpytest().assert_outcomes(passed=1)


def test_authenticate_gives_a_verdict_that_is_not_a_pass(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makepyfile(
        """
        def test_search(sslauth):
            assert sslauth.authenticate("models/tiny").status == "altered"
        """
    )
    project.runpytest().assert_outcomes(passed=1)


def test_a_failed_assertion_is_not_swallowed_with_exceptions(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def index(sslauth):
            return sslauth.assert_authentic("models/tiny")

        def test_swallows(sslauth):
            try:
                sslauth.assert_authentic("models/tiny")
            except Exception:
                pass

        def test_uses_a_fixture(index):
            pass

        def test_can_be_expected(sslauth):
            with pytest.raises(pytest.fail.Exception, match="ALTERED"):
                sslauth.assert_authentic("models/tiny")
        """
    )
    project.runpytest().assert_outcomes(failed=2, passed=1)


def test_a_module_patched_in_memory_fails(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from transformers import AutoTokenizer, BertModel

        def load():
            return BertModel.from_pretrained("models/tiny"), AutoTokenizer.from_pretrained("models/tiny")

        def test_as_loaded(sslauth):
            model, tokenizer = load()
            checked = sslauth.assert_authentic(model, processor=tokenizer, card="cards/tiny")
            assert checked.model is model

        def test_patched(sslauth):
            def add(module, args, output):
                output.last_hidden_state[:, :, 0] += 0.01
                return output

            model, tokenizer = load()
            model.register_forward_hook(add)
            try:
                sslauth.assert_authentic(model, processor=tokenizer, card="cards/tiny")
            except Exception:
                pass
        """
    )
    result = project.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "INCONCLUSIVE - this is not a pass: BertModel in memory (models/tiny, ????????)",
            "*forward hook on*",
        ]
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("assert_authentic('')", "sslauth: encoder is empty*"),
        ("assert_authentic('models/tiny', precision='float8')", "sslauth: unknown precision 'float8'*"),
        ("assert_authentic('models/tiny', processor=1)", "sslauth: processor= goes with a torch module*"),
        ("assert_authentic(7)", "NOT CHECKED: int: cannot authenticate 'int'*"),
        ("assert_authentic(torch.nn.Linear(1, 1))", "NOT CHECKED: Linear: *(give processor=*"),
        (
            "assert_authentic(torch.nn.Linear(1, 1), revision='a')",
            "sslauth: an encoder in memory has no revision*",
        ),
        ("assert_model_card('')", "sslauth: encoder is empty*"),
        ("assert_model_card('models/tiny')", "NOT CHECKED: *is the folder *no model card on the Hub*"),
    ],
)
def test_a_call_that_cannot_be_answered_fails_and_is_not_swallowed(
    project: pytest.Pytester, call: str, message: str
) -> None:
    project.makepyfile(
        f"""
        import contextlib
        import torch

        def test_search(sslauth):
            with contextlib.suppress(Exception):
                sslauth.{call}
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([message])


def test_a_failure_in_a_fixtures_tear_down_stays_an_error_there(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def late(sslauth):
            yield
            sslauth.assert_authentic("models/tiny")

        def test_search(late):
            pass
        """
    )
    project.runpytest().assert_outcomes(passed=1, errors=1)


COMPARED = {
    "status": 'assert verdict.status == "authentic"',
    "the other way round": 'assert "authentic" == verdict.status',
    "at once": 'assert sslauth.authenticate("models/tiny").status == "authentic"',
}


@pytest.mark.parametrize("way", COMPARED)
def test_a_status_that_is_compared_says_what_was_found(
    project: pytest.Pytester, alter_encoder: Callable[[], str], way: str
) -> None:
    tensor = alter_encoder()
    project.makepyfile(
        f"""
        def test_before(sslauth):
            assert sslauth.authenticate("models/tiny").status == "altered"

        def test_status(sslauth):
            verdict = sslauth.authenticate("models/tiny")
            {COMPARED[way]}

        def test_after():
            status = "altered"
            assert status == "authentic"
        """
    )
    result = project.runpytest("-rA")
    result.assert_outcomes(passed=1, failed=2)
    # older releases of pytest cut the rest off
    result.stdout.fnmatch_lines(["E * ALTERED: models/tiny", f"E * 1 of * tensors changed: {tensor}*"])
    assert result.stdout.str().count(" ALTERED: models/tiny") == 1


def test_a_verdict_that_is_taken_for_true_says_what_it_is(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makepyfile(
        """
        def test_search(sslauth):
            assert sslauth.authenticate("models/tiny")
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * TypeError: a verdict is neither true nor false: *(this one is altered: 1 of*"]
    )
