"""The fixture ``authentic_encoder``: a test gets exactly the encoder that was checked."""

from collections.abc import Callable
from dataclasses import replace

import pytest

pytest_plugins = ["pytester"]


def test_the_encoder_of_the_marker_is_handed_over(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.sslauth("models/tiny")
        def test_search(authentic_encoder, request):
            assert authentic_encoder.embed(["the cat", "sea"]).shape == (2, 32)
            assert authentic_encoder.verdict.status == "authentic"
            assert authentic_encoder.path == request.config.rootpath / "models" / "tiny"
            assert authentic_encoder.commit is None
            assert authentic_encoder.model.config.model_type == "bert"
            assert authentic_encoder.processor("the cat")
        """
    )
    project.runpytest().assert_outcomes(passed=1)


def test_parameters_name_the_encoder_too(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize(
            ("authentic_encoder", "precision"),
            [
                ("models/tiny", "float64"),
                (("models/tiny", None, "cards/tiny", "float32"), "float32"),
                ({"encoder": "models/tiny", "precision": "float32"}, "float32"),
            ],
            indirect=["authentic_encoder"],
        )
        def test_search(authentic_encoder, precision):
            assert authentic_encoder.verdict.precision == precision
        """
    )
    project.runpytest().assert_outcomes(passed=3)


def test_an_altered_encoder_is_never_handed_over(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("authentic_encoder", ["models/tiny"], indirect=True)
        def test_search(authentic_encoder):
            raise SystemExit("handed over")
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["ALTERED: models/tiny"])
    result.stdout.no_fnmatch_line("*handed over*")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "*does not know which encoder: mark the test with @pytest.mark.sslauth(*"),
        ("@pytest.mark.sslauth('a')\n@pytest.mark.sslauth('b')", "*NOT CHECKED: a: *"),
        (
            "@pytest.mark.parametrize('authentic_encoder', [7], indirect=True)",
            "*parameter of authentic_encoder: 7 is neither*",
        ),
    ],
)
def test_a_test_that_does_not_say_which_encoder_fails(
    project: pytest.Pytester, code: str, message: str
) -> None:
    project.makepyfile(f"import pytest\n{code}\ndef test_search(authentic_encoder):\n    pass\n")
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([message])


def test_two_markers_on_one_function_are_ambiguous(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.sslauth("models/tiny")
        @pytest.mark.sslauth("models/tiny", precision="float32")
        def test_search(authentic_encoder):
            pass
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*does not know which of 'models/tiny', 'models/tiny'*"])


ALTERATIONS = {
    "weight": (
        "encoder.model.embeddings.LayerNorm.weight.data[0] += 1",
        "  tensor embeddings.LayerNorm.weight",
    ),
    "hook": ("encoder.model.register_forward_hook(lambda *_: None)", "  forward hook on the model"),
    "tokenizer": ("encoder.processor.backend_tokenizer.normalizer = None", "  *tokenizer*"),
}


@pytest.mark.parametrize("kind", ALTERATIONS)
def test_an_encoder_altered_by_a_test_fails_the_next_and_is_then_loaded_anew(
    project: pytest.Pytester, kind: str
) -> None:
    code, sign = ALTERATIONS[kind]
    project.makepyfile(
        test_app=f"""
        import pytest

        pytestmark = pytest.mark.sslauth("models/tiny")

        def test_trains(authentic_encoder):
            encoder = authentic_encoder
            {code}

        def test_victim(authentic_encoder):
            pass

        def test_later(authentic_encoder):
            assert authentic_encoder.embed(["the cat"]).isfinite().all()
        """
    )
    result = project.runpytest()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ test_victim _*",
            "ALTERED: models/tiny",
            "altered in this process * last handed to test_app.py::test_trains; *",
            "what differs: *",
            sign,
        ]
    )


def test_replaced_attributes_and_training_mode_end_with_the_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.sslauth("models/tiny")

        def test_first(authentic_encoder):
            authentic_encoder.embed = lambda samples: "replaced"
            authentic_encoder.model.train()

        def test_second(authentic_encoder):
            assert authentic_encoder.embed(["the cat"]) != "replaced"
            assert not authentic_encoder.model.training
        """
    )
    project.runpytest().assert_outcomes(passed=2)


def test_an_attribute_that_a_test_left_changed_is_not_handed_to_the_next(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.sslauth("models/tiny")

        def test_first(authentic_encoder):
            authentic_encoder.model.embeddings.LayerNorm.eps = 50.0

        def test_second(authentic_encoder):
            raise SystemExit("handed over")

        def test_third(authentic_encoder):
            assert authentic_encoder.model.embeddings.LayerNorm.eps < 1
        """
    )
    result = project.runpytest()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*altered in this process*test_first*", "*strip input embedding*"])
    result.stdout.no_fnmatch_line("*handed over*")


def test_where_float32_rounds_otherwise_the_whole_check_decides_at_the_hand_over(
    project: pytest.Pytester,
) -> None:
    """As on a device whose float32 is outside the card's tolerance, while float64 is not."""
    from hf_integration import WatermarkCard

    folder = project.path / "cards" / "tiny"
    card = WatermarkCard.load(folder)
    references = tuple(
        replace(reference, sketches=reference.sketches * 1.01)
        if reference.precision == "float32"
        else reference
        for reference in card.references
    )
    replace(card, references=references).save(folder, force=True)
    project.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.sslauth("models/tiny")

        def test_first(authentic_encoder):
            assert authentic_encoder.verdict.precision == "float64"

        def test_second(authentic_encoder):
            authentic_encoder.model.embeddings.LayerNorm.eps = 50.0

        def test_third(authentic_encoder):
            raise SystemExit("handed over")
        """
    )
    result = project.runpytest()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*strip input embedding*"])
    result.stdout.no_fnmatch_line("*handed over*")


def test_a_partly_rounded_encoder_is_handed_over_until_another_tensor_of_it_is_rounded(
    project: pytest.Pytester,
) -> None:
    from safetensors.torch import load_file, save_file

    file = project.path / "models" / "tiny" / "model.safetensors"
    tensors = {name: t if "Norm" in name else t.bfloat16() for name, t in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    project.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.sslauth("models/tiny")

        def test_one(authentic_encoder):
            pass

        def test_two(authentic_encoder):
            norm = authentic_encoder.model.embeddings.LayerNorm.weight
            norm.data = norm.data.bfloat16().float()

        def test_three(authentic_encoder):
            pass
        """
    )
    result = project.runpytest()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*the tensors were rounded to another precision*"])
