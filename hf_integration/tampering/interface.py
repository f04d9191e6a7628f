"""What every tampering is: a named function from encoder to encoder."""

from abc import ABC, abstractmethod
from typing import ClassVar

from hf_integration.encoders import Encoder
from hf_integration.progress import Progress


class Tampering(ABC):
    """One way of altering an encoder.

    Attributes:
        name: for people, and for choosing it by.
    """

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, encoder: Encoder, *, progress: Progress | None = None) -> Encoder:
        """An altered copy; the encoder itself stays as it is.

        Args:
            encoder: an encoder with its weights at hand.
            progress: told how far it is.
        """
