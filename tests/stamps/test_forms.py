"""Forms told by numpy are those told by torch: the same names, steps, rounding, and the same answer."""

import numpy as np
import pytest
import torch

from hf_integration.serving import numeric
from hf_integration.serving.numeric import Form
from hf_integration.stamps import forms

ALL = (forms.FLOAT32, *forms.FORMS)


def values(seed: int) -> forms.Array:
    sizes = [1e-6, 1e-3, 0.05, 1.0, 300.0]
    drawn = np.random.default_rng(seed).standard_normal((5, 96)) * np.array(sizes)[:, None]
    drawn[0, :3] = 0.0
    return np.asarray(drawn)


@pytest.mark.parametrize("name", ALL)
def test_steps_and_rounding_are_equal(name: str) -> None:
    form = Form.read(name, where="a test")
    exact = values(0)
    tensor = torch.from_numpy(exact)
    # powers of ten differ in their last bit
    assert np.allclose(forms.rounded(name, exact), form.rounded(tensor).numpy(), rtol=1e-14, atol=0)
    # float16 has a smallest step, which torch's form bounds elsewhere
    large = np.abs(exact) > 1e-4
    assert np.allclose(forms.steps(name, exact)[large], form.steps(tensor).numpy()[large], rtol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_both_find_the_same_form(name: str) -> None:
    for scale in (0.05, 1.0):
        exact = np.random.default_rng(1).standard_normal((6, 384)) * scale
        written = forms.rounded(name, exact).astype(np.float32).astype(np.float64)
        assert forms.form_of(written) == name == str(numeric.form_of(torch.from_numpy(written)))


def test_few_numbers_say_nothing() -> None:
    assert forms.form_of(np.array([[0.5, 0.25, 0.125]])) == forms.FLOAT32


def test_words_name_every_form() -> None:
    assert len({forms.words(name) for name in forms.FORMS}) == len(forms.FORMS)
