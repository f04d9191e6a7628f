"""Images and recordings of any processor: one at a time, and the model is given all that comes of each."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hf_integration.base.errors import EncoderError, KeySampleError, in_one_line
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.identity.behaviour import Behaviour, processor_behaviour
from hf_integration.encoders.modalities.audio import checked_wave
from hf_integration.encoders.modalities.image import checked_pixels, resized_to
from hf_integration.encoders.modalities.preparation import Batch, Preparation, Prepared
from hf_integration.encoders.modalities.timm_models import is_timm_processor, side_of, timm_behaviour


class OneByOne(Preparation):
    """A processor of images or recordings.

    Whatever it makes of a sample by itself is what the model gets. Only samples of which it makes arrays of
    one shape share a batch, so nothing is ever padded for the sake of another.

    Args:
        processor: a transformers image processor or feature extractor.
        called: what of the model is called; its parameters decide which outputs are passed on.
        modality: kind of raw sample.

    Raises:
        EncoderError: the processor gives nothing that the model takes.
    """

    pads = False

    def __init__(self, processor: Any, called: Callable[..., Any], modality: Modality) -> None:
        self.modality = modality
        self._processor = processor
        self._takes = frozenset(inspect.signature(called).parameters)
        image = modality == "image"
        self.backend = str(getattr(processor, "backend", "") or "pil") if image else "numpy"
        self.side = _side(processor) if image else None
        self.rate = getattr(processor, "sampling_rate", self.rate)
        self._longest = None if image else _longest_recording(processor)
        said = getattr(processor, "model_input_names", ())
        names = [name for name in said if isinstance(name, str)] if isinstance(said, list | tuple) else []
        if not self._takes.intersection(names):
            raise EncoderError(
                f"{type(processor).__name__} gives {', '.join(names) or 'nothing'}, "
                f"and the model takes {next(iter(inspect.signature(called).parameters), 'nothing')}",
                remedy="get preprocessor_config.json again from its publisher",
            )

    @property
    def processor(self) -> Any:
        """The image processor or feature extractor."""
        return self._processor

    def prepare(self, samples: Sequence[Any]) -> "PreparedArrays":
        """Process one sample after the other.

        Raises:
            KeySampleError: a sample is of another modality, or the processor refuses it.
        """
        return PreparedArrays([self._arrays(sample) for sample in samples])

    def _arrays(self, sample: Any) -> dict[str, Tensor]:
        if self.modality == "image":
            given: Any = [checked_pixels(sample)]
            options: dict[str, Any] = {"return_tensors": "np", "input_data_format": "channels_last"}
            if is_timm_processor(self._processor):  # it takes pictures, and gives tensors
                given, options = [Image.fromarray(given[0])], {"return_tensors": "pt"}
        else:
            rate = self._processor.sampling_rate
            given, options = checked_wave(sample, rate, 1), {"return_tensors": "np", "sampling_rate": rate}
            if self._longest is not None and len(given) > self._longest:
                raise KeySampleError(
                    f"a recording of {len(given)} samples, of which {type(self._processor).__name__} takes "
                    f"{self._longest} at random places",
                    remedy="give shorter recordings",
                )
        try:
            made = self._processor(given, **options)
        except Exception as error:  # processors raise anything for an odd shape or signal
            kind = "an image" if self.modality == "image" else "a recording"
            raise KeySampleError(f"{kind} cannot be processed: {in_one_line(error)}") from error
        return {name: _as_tensor(value[0]) for name, value in sorted(made.items()) if name in self._takes}

    def behaviour(self) -> Behaviour:
        """The processor's settings."""
        found = processor_behaviour(self._processor)
        return timm_behaviour(self._processor, found) if is_timm_processor(self._processor) else found


def _side(processor: Any) -> int | None:
    return side_of(processor) if is_timm_processor(processor) else resized_to(processor)


def _longest_recording(extractor: Any) -> int | None:
    """Samples of a recording that an extractor takes whole; longer ones it cuts at random (CLAP)."""
    return int(extractor.nb_max_samples) if hasattr(extractor, "nb_max_samples") else None


def _as_tensor(value: Any) -> Tensor:
    array = np.asarray(value)
    return torch.from_numpy(array.astype(np.float32) if array.dtype.kind == "f" else array.copy())


class PreparedArrays(Prepared):
    """What a processor made of each sample.

    Args:
        arrays: of each sample, by the name of the model's input.
    """

    def __init__(self, arrays: Sequence[Mapping[str, Tensor]]) -> None:
        self._arrays = arrays
        shapes = [tuple((name, tuple(array.shape)) for name, array in sample.items()) for sample in arrays]
        places = {shape: place for place, shape in enumerate(sorted(set(shapes)))}
        self.lengths = [places[shape] for shape in shapes]
        self._dim = max((sum(array.numel() for array in sample.values()) for sample in arrays), default=0)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Stacked arrays of one shape."""
        chosen = [self._arrays[index] for index in indices]
        return Batch({name: torch.stack([sample[name] for sample in chosen]) for name in chosen[0]})

    def strip(self, indices: Sequence[int]) -> Tensor:
        """All arrays of a sample one behind the other, filled with zeros where shapes differ."""
        strip = torch.zeros(len(indices), self._dim, dtype=torch.float64)
        for place, index in enumerate(indices):
            values = torch.cat([array.reshape(-1).double() for array in self._arrays[index].values()])
            strip[place, : len(values)] = values
        return strip
