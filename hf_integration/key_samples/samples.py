"""Raw samples: what an encoder's user would put in, never tensors that a processor already touched."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import Modality

Image = npt.NDArray[np.uint8]
"""RGB pixels with shape ``(height, width, 3)``."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """A mono recording.

    Attributes:
        samples: int16 array with shape ``(time,)``.
        sampling_rate: in hertz.
    """

    samples: npt.NDArray[np.int16]
    sampling_rate: int


Sample = str | Image | Waveform


def modality_of(sample: object) -> Modality:
    """Modality of one raw sample.

    Raises:
        KeySampleError: it is none of the three kinds of raw sample.
    """
    if isinstance(sample, str):
        return "text"
    if isinstance(sample, Waveform):
        return "audio"
    if (
        isinstance(sample, np.ndarray)
        and sample.dtype == np.uint8
        and sample.ndim == 3
        and sample.shape[2] == 3
    ):
        return "image"
    raise KeySampleError(
        "a key sample must be text, an RGB image (uint8, height x width x 3) or a Waveform, "
        f"not {type(sample).__name__}"
    )


def size_of(sample: Sample) -> int:
    """What running a sample takes, compared with others of its modality: characters, samples or numbers."""
    if isinstance(sample, str):
        return len(sample)
    return len(sample.samples) if isinstance(sample, Waveform) else sample.size


class KeySamples(Sequence[Sample]):
    """The raw samples of a card: all of one modality, immutable, never empty.

    Args:
        samples: the raw samples.
        origin: where they come from, in words for the card (``synthetic, seed 0``).

    Raises:
        KeySampleError: no samples, or of more than one modality.
    """

    def __init__(self, samples: Sequence[Sample], *, origin: str) -> None:
        if not samples:
            raise KeySampleError("no key samples", remedy="give a pool that holds at least one sample")
        kinds = {modality_of(sample) for sample in samples}
        if len(kinds) > 1:
            raise KeySampleError(f"key samples of more than one modality: {', '.join(sorted(kinds))}")
        self._samples = tuple(samples)
        self.modality: Modality = kinds.pop()
        self.origin = origin

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # int -> Sample, slice -> tuple
        return self._samples[index]

    def digest(self) -> str:
        """SHA-256 over modality, shapes and contents: equal digests mean equal samples."""
        state = hashlib.sha256(self.modality.encode())
        for sample in self._samples:
            if isinstance(sample, str):
                header, body = "text", sample.encode()
            elif isinstance(sample, Waveform):
                header, body = f"audio {sample.sampling_rate}", sample.samples.astype("<i2").tobytes()
            else:
                header, body = f"image {sample.shape}", np.ascontiguousarray(sample).tobytes()
            state.update(f"\0{header} {len(body)}\0".encode())
            state.update(body)
        return state.hexdigest()
