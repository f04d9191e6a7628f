"""Key samples: the raw inputs of a watermark card."""

from hf_integration.base.vocabulary import MODALITIES, Modality
from hf_integration.key_samples.encoding import decode_sample, encode_samples
from hf_integration.key_samples.pools.choosing import samples_from_pool
from hf_integration.key_samples.samples import Image, KeySamples, Sample, Waveform, modality_of
from hf_integration.key_samples.synthetic import synthetic_samples

__all__ = [
    "MODALITIES",
    "Image",
    "KeySamples",
    "Modality",
    "Sample",
    "Waveform",
    "decode_sample",
    "encode_samples",
    "modality_of",
    "samples_from_pool",
    "synthetic_samples",
]
