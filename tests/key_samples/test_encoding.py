import io
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples import (
    KeySamples,
    Sample,
    Waveform,
    decode_sample,
    encode_samples,
    synthetic_samples,
)


def encoded(sample: Sample) -> bytes:
    return encode_samples(KeySamples([sample], origin="test"))[0]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(picture: PIL.Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def handmade_png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


SAMPLES: list[Sample] = [
    "a",
    "naïve 水 🙂\n\0 tab\t",
    "x" * 65536,
    noise(1, 1),
    noise(1024, 1),
    noise(37, 53),
    np.zeros((1024, 1024, 3), np.uint8),
    np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, 2),
    Waveform(np.array([0], np.int16), 16000),
    Waveform(np.array([-32768, 32767, -32768, 0, 1, -1], np.int16), 1000),
    Waveform(np.random.default_rng(0).integers(-32768, 32768, 9999, dtype=np.int16), 192000),
    Waveform(np.zeros(60 * 48000, np.int16), 48000),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_round_trip_loses_nothing(sample: Sample) -> None:
    before = KeySamples([sample], origin="test")
    after = decode_sample(before.modality, encoded(sample))
    assert KeySamples([after], origin="test").digest() == before.digest()


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
def test_the_synthetic_pools_survive_a_round_trip(modality: Modality) -> None:
    before = synthetic_samples(modality, 16, seed=2)
    after = [decode_sample(modality, blob) for blob in encode_samples(before)]
    assert KeySamples(after, origin="").digest() == before.digest()


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ("", "a text of 0 bytes"),
        ("x" * 65537, "a text of 65537 bytes"),
        ("\ud800", "lone surrogate"),
        (np.zeros((0, 5, 3), np.uint8), "5x0 pixels"),
        (np.zeros((1025, 1, 3), np.uint8), "1x1025 pixels"),
        (Waveform(np.zeros(0, np.int16), 16000), "of 0 samples"),
        (Waveform(np.zeros(60 * 48000 + 1, np.int16), 48000), "of 2880001 samples"),
        (Waveform(np.zeros(1, np.int16), 999), "at 999 Hz"),
    ],
)
def test_samples_that_a_card_cannot_hold_are_refused_by_position(sample: Sample, message: str) -> None:
    with pytest.raises(KeySampleError, match=f"^key sample 0: .*{message}"):
        encoded(sample)


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(KeySampleError, match="unknown modality"):
        decode_sample("video", b"x")  # type: ignore[arg-type]


GREY = PIL.Image.new("L", (3, 3))
RGB = PIL.Image.new("RGB", (3, 3))
PIXELS = chunk(b"IDAT", zlib.compress(bytes(3 * 3 + 1) * 3))

MALFORMED: dict[str, tuple[Modality, bytes]] = {
    "empty text": ("text", b""),
    "text that is not UTF-8": ("text", b"ab\xff"),
    "overlong text": ("text", b"a" * 65537),
    "empty image": ("image", b""),
    "JPEG": ("image", b"\xff\xd8\xff\xe0" + bytes(100)),
    "PNG signature only": ("image", b"\x89PNG\r\n\x1a\n"),
    "huge PNG": ("image", handmade_png(60000, 60000, PIXELS)),
    "PNG without pixels": ("image", handmade_png(3, 3)),
    "PNG with too few pixels": ("image", handmade_png(1000, 1000, PIXELS)),
    "PNG of no width": ("image", handmade_png(0, 3, PIXELS)),
    "PNG of 16 bits": ("image", handmade_png(3, 3, PIXELS, depth=16)),
    "PNG without its palette": ("image", handmade_png(3, 3, PIXELS, colour=3)),
    "PNG with a palette of odd length": (
        "image",
        handmade_png(3, 3, chunk(b"PLTE", b"abcd"), PIXELS, colour=3),
    ),
    "grey PNG": ("image", png(GREY)),
    "PNG with transparency": ("image", png(RGB.convert("RGBA"))),
    "PNG with a transparent colour": ("image", png(RGB, transparency=(0, 0, 0))),
    "animated PNG": ("image", png(RGB, save_all=True, append_images=[PIL.Image.new("RGB", (3, 3), "red")])),
    "PNG with a text bomb": (
        "image",
        handmade_png(3, 3, chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(50_000_000))), PIXELS),
    ),
    "PNG with pixels after its end": ("image", png(RGB) + PIXELS),
    "empty audio": ("audio", b""),
    "audio without a body": ("audio", struct.pack("<II", 16000, 5)),
    "audio that is no zlib": ("audio", struct.pack("<II", 16000, 5) + b"hello"),
    "audio shorter than stated": ("audio", struct.pack("<II", 16000, 5) + zlib.compress(bytes(8))),
    "audio longer than stated": ("audio", struct.pack("<II", 16000, 5) + zlib.compress(bytes(11))),
    "audio with bytes after its end": (
        "audio",
        struct.pack("<II", 16000, 5) + zlib.compress(bytes(10)) + b"x",
    ),
    "audio of too many samples": ("audio", struct.pack("<II", 16000, 2**31) + zlib.compress(bytes(10))),
    "audio at no rate": ("audio", struct.pack("<II", 0, 5) + zlib.compress(bytes(10))),
    "audio with a zlib bomb": ("audio", struct.pack("<II", 16000, 5) + zlib.compress(bytes(100_000_000))),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_blob_is_refused_in_little_memory(name: str) -> None:
    modality, blob = MALFORMED[name]
    decode_sample("image", encoded(noise(1, 1)))  # imports happen before the measurement
    tracemalloc.start()
    try:
        with pytest.raises(KeySampleError) as caught:
            decode_sample(modality, blob)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 8_000_000


def flip(blob: bytearray, dice: random.Random) -> None:
    blob[dice.randrange(len(blob))] ^= 1 << dice.randrange(8)


def cut(blob: bytearray, dice: random.Random) -> None:
    del blob[dice.randrange(len(blob)) :]


def overwrite(blob: bytearray, dice: random.Random) -> None:
    place = dice.randrange(len(blob))
    blob[place : place + 4] = dice.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", dice.randbytes(4)])


def repeat(blob: bytearray, dice: random.Random) -> None:
    place = dice.randrange(len(blob))
    blob[place:place] = blob[dice.randrange(len(blob)) :][:50]


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [flip, cut, overwrite, repeat]


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
def test_a_mutated_blob_gives_a_sample_within_bounds_or_a_clean_refusal(modality: Modality) -> None:
    dice = random.Random(0)  # noqa: S311  # a fixed stream of mutations
    blobs = encode_samples(synthetic_samples(modality, 8, seed=0, image_size=32, sampling_rate=8000))
    refused = 0
    for _ in range(1500):
        blob = bytearray(dice.choice(blobs))
        for _ in range(dice.randint(1, 3)):
            if blob:
                dice.choice(MUTATIONS)(blob, dice)
        try:
            sample = decode_sample(modality, bytes(blob))
        except KeySampleError:
            refused += 1
            continue
        KeySamples([sample], origin="mutated")
        encoded(sample)  # what is accepted fits a card again
    assert refused > 200


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_any_single_flipped_bit_of_a_compressed_sample_is_noticed(modality: Modality) -> None:
    original = synthetic_samples(modality, 3, seed=1, image_size=16, sampling_rate=4000)
    dice = random.Random(1)  # noqa: S311
    for sample, blob in zip(original, encode_samples(original), strict=True):
        for _ in range(200):
            changed = bytearray(blob)
            flip(changed, dice)
            try:
                decoded = decode_sample(modality, bytes(changed))
            except KeySampleError:
                continue
            # Only the sampling rate has no checksum of its own: the card's digest covers it.
            assert isinstance(decoded, Waveform)
            assert isinstance(sample, Waveform)
            assert decoded.sampling_rate != sample.sampling_rate
