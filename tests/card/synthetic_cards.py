"""Small cards made by code, without any encoder."""

import hashlib
from dataclasses import fields

import numpy as np
import torch

from hf_integration.base.vocabulary import Modality, Motif, Precision, Weights
from hf_integration.card import Answers, Conversions, ConvertedAnswers, Reference, Served, WatermarkCard
from hf_integration.card.coverage import Coverage, LayerInput, PrecisionCoverage
from hf_integration.card.key_images import draw_images, layout_of_images
from hf_integration.card.source import SourceRecord
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.interface import EncoderDescription
from hf_integration.key_samples.samples import KeySamples, Sample, Waveform
from hf_integration.watermark import KINDS, SKETCH_DIM, Calibration, Layout, train

RUNS: tuple[tuple[Weights, Precision], ...] = (
    ("stored", "float64"),
    ("stored", "float32"),
    ("stored", "bfloat16"),
    ("float16", "float32"),
)

COVERAGE = Coverage(
    key_samples=3,
    measured=True,
    edit=0.1,
    precisions={"float64": PrecisionCoverage(100, 90, 80, 4, 3, {"layer.0.weight": (20, 30)}, 0)},
    rows_without_key_sample={"layer.1.weight": (1, 10)},
    cannot_matter=("layer.2.weight",),
    layer_inputs={"layer.0": LayerInput(8, 4, 4, None), "layer.1": LayerInput(8, 16, 8, 12.5)},
)


def samples(modality: Modality, keys: int) -> list[Sample]:
    numbers = np.random.default_rng(0)
    if modality == "text":
        return [f"key sample {index}: ü\x1b[31m\n\U0001f600" for index in range(keys)]
    if modality == "image":
        return [numbers.integers(0, 256, (5 + index, 7, 3), dtype=np.uint8) for index in range(keys)]
    return [
        Waveform(numbers.integers(-(2**15), 2**15, 50 + index).astype(np.int16), 16_000)
        for index in range(keys)
    ]


SOURCE = SourceRecord(
    repo="org/old",
    commit="0123456789" * 4,
    files={"config.json": "0" * 64, "pytorch_model.bin": "1" * 64},
    weights=["pytorch_model.bin"],
    tool="pytest-sslauth 1.0",
)


def make_card(
    modality: Modality = "text",
    *,
    keys: int = 3,
    strips: int = 2,
    secret: bool = False,
    motif: Motif = "picture",
    runs: tuple[tuple[Weights, Precision], ...] = RUNS,
) -> WatermarkCard:
    layout = Layout(keys)
    numbers = torch.Generator().manual_seed(1)
    watermark = torch.randint(0, 2, (layout.side, layout.side), generator=numbers).to(torch.uint8) * 255
    key_samples = KeySamples(samples(modality, keys), origin="synthetic, seed 0")
    if motif == "samples":
        layout, watermark = layout_of_images(keys), draw_images(key_samples)
    strict = torch.randn(strips, keys, SKETCH_DIM, generator=numbers, dtype=torch.float64)
    references = []
    for weights, precision in runs:
        noise = torch.rand(strips, SKETCH_DIM, generator=numbers, dtype=torch.float64) * 1e-7 + 1e-280
        scales = torch.rand(strips, len(KINDS), generator=numbers, dtype=torch.float64) + 0.5
        stray = torch.randn(strict.shape, generator=numbers, dtype=torch.float64) * 1e-3
        references.append(
            Reference(
                weights=weights,
                precision=precision,
                sketches=strict if precision == "float64" else strict + stray,
                calibrations=tuple(Calibration(n, s) for n, s in zip(noise, scales, strict=True)),
                benign_margin=5.5,
            )
        )
    names = [f"layer.{index}.weight" for index in range(4)]
    return WatermarkCard(
        encoder_name="org/encoder",
        commit="0123456789abcdef0123456789abcdef01234567",
        encoder=EncoderDescription(
            modality=modality,
            architecture="bert",
            embedding_dim=32,
            pooling="mean over the mask",
            parameters=1234,
            stored_dtype="float32",
            processor_backend="tokenizers",
            details={"max length": "256"},
        ),
        created="2024-05-06T07:08:09+00:00",
        libraries={"torch": "2.6.0"},
        secret=secret,
        seed=2**127 + 1,
        key_samples=key_samples,
        watermark=watermark,
        motif=motif,
        generator=train(watermark.double() / 127.5 - 1, layout, seed=2**127 + 1),
        tolerance=0.4,
        strips=tuple(f"layer {index}" for index in range(strips)),
        references=tuple(references),
        digests={
            weights: {name: hashlib.sha256(f"{weights}{name}".encode()).digest() for name in names}
            for weights in dict.fromkeys(weights for weights, _ in runs)
        },
        behaviour=Behaviour(
            {"config.json": {"limit": 10**30, "scale": 1.5, "nested": [{"a": None}], "template": "{\n}"}},
            {"config.json": {"scale": 1.5}},
        ),
        coverage=COVERAGE,
        floor={"pruning": {"0.1 %": True}},
        served=_served(keys, numbers) if modality == "text" else None,
        conversions=_conversions(names, keys, numbers) if modality == "text" else None,
        source=SOURCE if modality == "text" else None,
    )


def _served(keys: int, numbers: torch.Generator) -> Served:
    answers = (
        Answers(("infinity", "torch"), {}, 5e-7, 1e-6, torch.randn(keys, 8, generator=numbers)),
        Answers(("tei",), {"gelu": "tanh"}, 6e-7, None, torch.randn(keys, 8, generator=numbers)),
    )
    return Served(256, tuple(range(5, 5 + keys)), answers)


def _conversions(names: list[str], keys: int, numbers: torch.Generator) -> Conversions:
    def digest(text: str) -> bytes:
        return hashlib.sha256(text.encode()).digest()

    forms = ("float16 as onnxruntime rounds", "onnx: int8 symmetric")
    return Conversions(
        shapes={name: (4, 1 + place) for place, name in enumerate(names)},
        # not every tensor has a digest in every form
        digests={form: {name: digest(form + name) for name in names[1:]} for form in forms},
        texts={digest(f"text {place}"): digest(f"ids {place}") for place in range(5)},
        answers=(ConvertedAnswers("ort-int8-dynamic", forms[1:], torch.randn(keys, 8, generator=numbers)),),
    )


def differences(one: WatermarkCard, other: WatermarkCard) -> list[str]:
    """Names of the attributes in which two cards differ, digest and location aside."""
    plain = {f.name for f in fields(WatermarkCard)} - {
        "key_samples", "watermark", "generator", "references", "served", "conversions", "digest", "location"
    }  # fmt: skip
    found = [name for name in sorted(plain) if getattr(one, name) != getattr(other, name)]
    mine, others = one.key_samples, other.key_samples
    if (mine.digest(), mine.origin, mine.modality) != (others.digest(), others.origin, others.modality):
        found.append("key_samples")
    if not torch.equal(one.watermark, other.watermark):
        found.append("watermark")
    same_layout = (one.generator.layout, one.generator.seed) == (other.generator.layout, other.generator.seed)
    # a head that is trained again may be rounded otherwise, one that is read may not
    rounding = 0 if one.motif == "picture" else 1e-6
    if not same_layout or not torch.allclose(one.generator.head, other.generator.head, rtol=0, atol=rounding):
        found.append("generator")
    if len(one.references) != len(other.references):
        found.append("references")
    for reference, counterpart in zip(one.references, other.references, strict=False):
        found += _reference_differences(reference, counterpart)
    if _plain(one.served) != _plain(other.served):
        found.append("served")
    if _plain_conversions(one.conversions) != _plain_conversions(other.conversions):
        found.append("conversions")
    return found


def _plain(served: Served | None) -> object:
    return served and (
        *(served.length, served.tokens),
        [(a.names, a.recipe, a.noise, a.floor, a.embeddings.tolist()) for a in served.answers],
    )


def _plain_conversions(made: Conversions | None) -> object:
    return made and (
        *(list(made.shapes.items()), list(made.digests), made.digests, list(made.texts.items())),
        [(answers.name, answers.rules, answers.embeddings.tolist()) for answers in made.answers],
    )


def _reference_differences(one: Reference, other: Reference) -> list[str]:
    name = f"{one.weights} {one.precision}"
    found = []
    if (one.weights, one.precision, one.benign_margin) != (
        other.weights,
        other.precision,
        other.benign_margin,
    ):
        found.append(name)
    # other precisions than float64 are kept as float32 differences of about 1e-3 here
    if one.sketches.dtype != other.sketches.dtype or not torch.allclose(
        one.sketches, other.sketches, rtol=0, atol=0 if one.precision == "float64" else 1e-9
    ):
        found.append(f"{name} sketches")
    for mine, theirs in zip(one.calibrations, other.calibrations, strict=True):
        if not torch.equal(mine.noise, theirs.noise) or not torch.equal(mine.scales, theirs.scales):
            found.append(f"{name} calibration")
    return found
