"""The built-in pools: key samples made from nothing but a seed."""

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import MODALITIES, Modality
from hf_integration.key_samples.samples import KeySamples, Sample
from hf_integration.key_samples.synthetic_audio import synthetic_waveform
from hf_integration.key_samples.synthetic_images import synthetic_image
from hf_integration.key_samples.synthetic_text import synthetic_texts


def synthetic_samples(
    modality: Modality,
    count: int,
    *,
    seed: int,
    image_size: int = 224,
    sampling_rate: int = 16000,
    seconds: float | None = None,
) -> KeySamples:
    """Key samples from the built-in pool of a modality.

    The same arguments give the same bytes on every platform, and the first samples of a larger set
    are the smaller set.

    Args:
        modality: kind of raw sample.
        count: number of samples, all different.
        seed: any integer.
        image_size: side of the square images in pixels; more than 224 is taken as 224, which keeps the
            card small, and processors enlarge images anyway.
        sampling_rate: of the waveforms, in hertz, from 4000 to 48000.
        seconds: length of waveforms that are collages of many sounds; by default each is one short sound.

    Raises:
        KeySampleError: an argument is out of range.
    """
    if count < 1:
        raise KeySampleError(f"{count} key samples were asked for", remedy="use at least --keys 1")
    samples: list[Sample]
    positions = range(count)
    match modality:
        case "text":
            samples = list(synthetic_texts(count, seed=seed))
        case "image":
            samples = [synthetic_image(position, seed=seed, size=image_size) for position in positions]
        case "audio":
            samples = [
                synthetic_waveform(position, seed=seed, rate=sampling_rate, seconds=seconds)
                for position in positions
            ]
        case _:
            raise KeySampleError(f"unknown modality {modality!r}", remedy=f"one of {', '.join(MODALITIES)}")
    return KeySamples(samples, origin=f"synthetic {modality}, seed {seed}")
