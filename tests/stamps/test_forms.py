"""Forms told by numpy: each is found from its own numbers, without torch."""

import numpy as np
import pytest

from hf_integration.stamps import forms

ALL = (forms.FLOAT32, *forms.FORMS)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_a_form_is_found_from_its_own_numbers(name: str, scale: float) -> None:
    exact = np.random.default_rng(1).standard_normal((6, 384)) * scale
    written = forms.rounded(name, exact).astype(np.float32).astype(np.float64)
    assert forms.form_of(written) == name


def test_few_numbers_say_nothing() -> None:
    assert forms.form_of(np.array([[0.5, 0.25, 0.125]])) == forms.FLOAT32


def test_words_name_every_form() -> None:
    assert len({forms.words(name) for name in forms.FORMS}) == len(forms.FORMS)
