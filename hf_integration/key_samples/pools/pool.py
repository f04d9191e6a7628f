"""A pool: numbered raw samples that key samples are drawn from."""

from abc import ABC, abstractmethod

from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples.samples import Sample

TEXT_COLUMNS = ("text", "sentence", "content", "question", "document", "title", "body", "prompt")
"""Names under which tables keep their texts, in the order in which they are tried."""

_LONGEST_NAME = 120


def named(name: object) -> str:
    """A path or name from outside as it may stand in a message: quoted, escaped and short."""
    shown = repr(str(name))  # repr escapes control and direction characters and lone surrogates
    half = _LONGEST_NAME // 2
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:half]}...{shown[-half:]}"


class Pool(ABC):
    """Numbered raw samples of one modality.

    The numbering must not depend on the order in which a file system lists its files.

    Attributes:
        name: what a card records as the origin: no path of this machine.
        modality: kind of raw sample.
    """

    name: str
    modality: Modality

    @abstractmethod
    def __len__(self) -> int:
        """Number of entries, blank and duplicate ones included."""

    @abstractmethod
    def read(self, position: int) -> Sample:
        """The sample at a position; a blank text is the empty string.

        Raises:
            KeySampleError: it cannot be read; the message names it.
        """
