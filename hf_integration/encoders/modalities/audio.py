"""Recordings: features extracted once, batched by length."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_integration.base.errors import EncoderError, KeySampleError
from hf_integration.encoders.identity.behaviour import Behaviour, processor_behaviour
from hf_integration.encoders.modalities.preparation import Batch, Preparation, Prepared
from hf_integration.key_samples.samples import Waveform

_FULL_SCALE = 32768.0  # int16 to [-1, 1)


class AudioPreparation(Preparation):
    """A feature extractor.

    Args:
        feature_extractor: a transformers feature extractor.
        config: the model's configuration; it decides whether padding is masked.
    """

    modality = "audio"

    def __init__(self, feature_extractor: Any, config: Any) -> None:
        self._processor = feature_extractor
        self.backend, self.rate = "numpy", getattr(feature_extractor, "sampling_rate", self.rate)
        gives = next(iter(feature_extractor.model_input_names), None)
        self._spectrogram = gives == "input_features"
        # one of another kind, which a setting of a file is enough to make
        if not hasattr(*((feature_extractor, "n_samples") if self._spectrogram else (config, "conv_kernel"))):
            raise EncoderError(
                f"the feature extractor gives {gives!r}, which no {config.model_type} encoder takes",
                remedy="get preprocessor_config.json again from its publisher",
            )
        # Group norm in the first convolution averages over time: padding moves every frame, by up to 30 %.
        masks = getattr(config, "feat_extract_norm", "") == "layer"
        self.pads = not self._spectrogram and masks and bool(feature_extractor.return_attention_mask)
        if self._spectrogram:
            self.window = feature_extractor.n_samples / feature_extractor.sampling_rate
        self._shortest = 1 if self._spectrogram else _receptive_field(config)

    @property
    def processor(self) -> Any:
        """The feature extractor."""
        return self._processor

    def prepare(self, samples: Sequence[Any]) -> "PreparedWaves | PreparedSpectrograms":
        """Extract all features in one call.

        Raises:
            KeySampleError: a sample is no recording, of another sampling rate, or too short.
        """
        rate = self._processor.sampling_rate
        waves = [checked_wave(sample, rate, self._shortest) for sample in samples]
        try:
            if self._spectrogram:
                extract = same_on_every_cpu(self._processor)  # made anew: settings may have changed
                features = extract(waves, sampling_rate=rate)["input_features"] if waves else []
                return PreparedSpectrograms(
                    features, [len(wave) // self._processor.hop_length for wave in waves]
                )
            values = (
                self._processor(waves, sampling_rate=rate, padding=False)["input_values"] if waves else []
            )
        except Exception as error:  # extractors raise anything for an odd signal
            raise KeySampleError(f"a recording cannot be processed: {error}") from error
        return PreparedWaves(values, mask=self.pads, padding_value=float(self._processor.padding_value))

    def behaviour(self) -> Behaviour:
        """The feature extractor's settings."""
        return processor_behaviour(self._processor)


def same_on_every_cpu(extractor: Any) -> Any:
    """The extractor, computing spectrograms in float64 where the library lets it choose.

    Whisper's extractor prefers torch, whose float32 Fourier transform rounds differently under another
    instruction set: 1.4 % of the values moved by one unit in the last place, which a check in float64 would
    see in every layer. Its own NumPy code computes in float64 and rounds once.
    """
    if not hasattr(extractor, "_torch_extract_fbank_features"):
        return extractor
    twin = copy.copy(extractor)
    twin._torch_extract_fbank_features = twin._np_extract_fbank_features
    return twin


class PreparedWaves(Prepared):
    """Normalised waveforms of their own length.

    Args:
        values: one float array per recording.
        mask: whether the model is given a mask; only then are recordings ever padded.
        padding_value: what a recording is padded with.
    """

    def __init__(self, values: Sequence[Any], *, mask: bool, padding_value: float) -> None:
        self._values = [torch.as_tensor(np.asarray(value, dtype=np.float32)) for value in values]
        self._mask, self._padding_value = mask, padding_value
        self.lengths = [len(value) for value in self._values]

    def batch(self, indices: Sequence[int]) -> Batch:
        """``input_values`` with shape ``(batch, longest)`` and the mask, if the model takes one."""
        rows = [self._values[index] for index in indices]
        lengths = torch.tensor([len(row) for row in rows])
        values = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self._padding_value)
        inputs = {"input_values": values}
        if self._mask:
            inputs["attention_mask"] = (torch.arange(values.shape[1]) < lengths.unsqueeze(1)).long()
        return Batch(inputs, lengths)

    def strip(self, indices: Sequence[int]) -> Tensor:
        """The waveforms, filled with zeros to the longest of all."""
        return _padded([self._values[index] for index in indices], max(self.lengths))


class PreparedSpectrograms(Prepared):
    """Log-mel spectrograms of one fixed length, of which only the first frames hold sound.

    Args:
        features: arrays with shape ``(mel, frames)``.
        frames: frames that hold sound, per recording.
    """

    def __init__(self, features: Sequence[Any], frames: list[int]) -> None:
        self._features = [torch.as_tensor(np.asarray(feature, dtype=np.float32)) for feature in features]
        self._frames = [max(1, frame) for frame in frames]
        self.lengths = [0] * len(self._features)

    def batch(self, indices: Sequence[int]) -> Batch:
        """``input_features`` with shape ``(batch, mel, frames)``."""
        features = torch.stack([self._features[index] for index in indices])
        return Batch({"input_features": features}, torch.tensor([self._frames[index] for index in indices]))

    def strip(self, indices: Sequence[int]) -> Tensor:
        """Frames that hold sound, frame after frame, filled with zeros to the longest of all."""
        mel, length = self._features[0].shape
        rows = [self._features[index][:, : self._frames[index]].T.reshape(-1) for index in indices]
        return _padded(rows, min(max(self._frames), length) * mel)


def _padded(rows: list[Tensor], dim: int) -> Tensor:
    strip = torch.zeros(len(rows), dim, dtype=torch.float64)
    for place, row in enumerate(rows):
        strip[place, : len(row)] = row
    return strip


def _receptive_field(config: Any) -> int:
    """Shortest recording that gives one frame, in samples."""
    field = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        field = (field - 1) * stride + kernel
    return int(field)


def checked_wave(sample: object, rate: int, shortest: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A recording as floats from -1 to 1.

    Args:
        sample: a raw sample.
        rate: the sampling rate that the encoder takes, in hertz.
        shortest: fewest samples that the encoder takes.

    Raises:
        KeySampleError: no recording, of another rate, or too short.
    """
    if not isinstance(sample, Waveform):
        raise KeySampleError(
            f"this encoder takes recordings, and a sample is {type(sample).__name__}",
            remedy="give key samples of the encoder's modality",
        )
    if sample.sampling_rate != rate:
        raise KeySampleError(
            f"a recording at {sample.sampling_rate} Hz, where the encoder takes {rate} Hz",
            remedy="resample it",
        )
    if len(sample.samples) < shortest:
        raise KeySampleError(
            f"a recording of {len(sample.samples)} samples, where the encoder needs {shortest}"
        )
    return sample.samples.astype(np.float32) / np.float32(_FULL_SCALE)
