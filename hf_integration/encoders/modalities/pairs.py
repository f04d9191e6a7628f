"""Pairs of texts: what cross-encoders score."""

from collections.abc import Sequence
from typing import Any

from hf_integration.base.errors import KeySampleError
from hf_integration.encoders.modalities.preparation import Prepared
from hf_integration.encoders.modalities.text import TextPreparation

SEPARATOR = "\t"
"""Between the two texts of a pair that is written as one sample."""


def split_pair(sample: str) -> tuple[str, str]:
    """The two texts of a sample.

    They are parted at the first tab. A text without any is parted at the blank that is nearest to its middle,
    so that every text can be a key sample; one without a blank is paired with an empty text.
    """
    first, tab, second = sample.partition(SEPARATOR)
    if tab:
        return first, second
    blanks = [place for place, character in enumerate(sample) if character == " "]
    if not blanks:
        return sample, ""
    middle = min(blanks, key=lambda place: abs(2 * place - len(sample)))
    return sample[:middle], sample[middle + 1 :]


class PairPreparation(TextPreparation):
    """A tokenizer that is given two texts at a time, the prompt before the first one.

    Of a pair that is too long the longer text is cut, token by token, as the library does it.
    """

    def prepare(self, samples: Sequence[Any]) -> Prepared:
        """Tokenise all pairs: texts as :func:`split_pair` parts them, or tuples of two texts.

        Raises:
            KeySampleError: a sample is neither, or gives no token.
        """
        return super().prepare([_joined(sample) for sample in samples])

    def _given(self, text: str) -> tuple[list[str], ...]:
        first, second = split_pair(text)
        return [self.prompt + first], [second]


def _joined(sample: Any) -> Any:
    """A pair as one text.

    Raises:
        KeySampleError: it cannot be parted again.
    """
    if not isinstance(sample, tuple | list) or [type(text) for text in sample] != [str, str]:
        return sample
    if SEPARATOR in sample[0]:
        raise KeySampleError("the first text of a pair holds a tab", remedy="put a blank in its place")
    return SEPARATOR.join(sample)
