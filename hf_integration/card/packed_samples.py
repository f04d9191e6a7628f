"""Key samples of a card as two tensors, which are read strictly and within bounds."""

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor

from hf_integration.card.schema import CardRecord
from hf_integration.errors import KeySampleError
from hf_integration.flaw import FlawError
from hf_integration.key_samples.encoding import decode_sample
from hf_integration.key_samples.interface import KeySamples, Sample, Waveform

SAMPLES, OFFSETS = "key_samples.bytes", "key_samples.offsets"

MOST_SAMPLE_BYTES = 256 << 20
"""Decoded key samples of a card together. The limit of each sample is not enough: a few kilobytes can
unpack to megabytes, four thousand times over."""


def unpacked_samples(record: CardRecord, tensors: Mapping[str, Tensor]) -> KeySamples:
    """The key samples of a card that is read.

    Raises:
        FlawError: they are not those that ``card.json`` states, or more than may be unpacked.
    """
    offsets = tensors[OFFSETS].tolist()
    ascending = all(start < end for start, end in pairwise(offsets))
    if offsets[0] != 0 or offsets[-1] != record.key_samples.bytes or not ascending:
        raise FlawError(OFFSETS, f"not ascending from 0 to {record.key_samples.bytes}")
    blob = tensors[SAMPLES].numpy()
    samples: list[Sample] = []
    size = 0
    for position, (start, end) in enumerate(pairwise(offsets)):
        try:
            samples.append(decode_sample(record.encoder.modality, blob[start:end].tobytes()))
        except KeySampleError as error:
            raise FlawError(f"{SAMPLES}[{position}]", str(error)) from None
        size += _decoded_bytes(samples[-1])
        if size > MOST_SAMPLE_BYTES:
            raise FlawError(SAMPLES, f"the samples unpack to more than {MOST_SAMPLE_BYTES} bytes")
    found = KeySamples(samples, origin=record.key_samples.origin)
    if found.digest() != record.key_samples.sha256:
        raise FlawError(SAMPLES, "the samples are not those whose SHA-256 card.json states")
    return found


def _decoded_bytes(sample: Sample) -> int:
    if isinstance(sample, str):
        return len(sample)
    return sample.samples.nbytes if isinstance(sample, Waveform) else sample.nbytes
