"""What of a card is a tensor, what is JSON, and how the two become a card again."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hf_integration.base.errors import FlawError
from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.card.card import Reference, WatermarkCard
from hf_integration.card.conversions import conversion_forms, pack_conversions, unpack_conversions
from hf_integration.card.coverage import coverage_record
from hf_integration.card.key_images import draw_images, layout_of_images, objection
from hf_integration.card.schema import FORMAT, SCHEMA, CardRecord
from hf_integration.card.served import pack_served, served_forms, unpack_served
from hf_integration.card.tensor_file import OFFSETS, SAMPLES, TensorForm, unpacked_samples
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.interface import EncoderDescription
from hf_integration.key_samples.encoding import encode_samples
from hf_integration.key_samples.samples import KeySamples
from hf_integration.watermark import KINDS, SKETCH_DIM, TILE, Calibration, Generator, Layout, train

_HEAD, _WATERMARK = "generator.head", "watermark"

Run = tuple[Weights, Precision]


def _prefix(run: Run) -> str:
    return f"reference.{run[0]}.{run[1]}"


def _base(run: Run, keys: Mapping[Run, int]) -> Run | None:
    """The float64 run that this one is stored as a difference to, which halves its size.

    A difference in float32 is exact to 6e-8 of the difference itself, far below the noise of the run.

    Args:
        run: the run.
        keys: how many key samples each run is of.
    """
    sibling: Run = (run[0], "float64")
    return sibling if run != sibling and keys.get(sibling, 0) >= keys[run] else None


def _runs(record: CardRecord) -> dict[Run, int]:
    """Every run, and how many key samples it is of."""
    whole = record.key_samples.count
    return {(each.weights, each.precision): each.key_samples or whole for each in record.references}


def tensor_forms(record: CardRecord) -> dict[str, TensorForm]:
    """Every tensor that a card with this ``card.json`` has, and its dtype and shape."""
    layout = Layout(record.key_samples.count)
    keys, strips = layout.keys, len(record.strips)
    forms = {
        SAMPLES: TensorForm(torch.uint8, (record.key_samples.bytes,)),
        OFFSETS: TensorForm(torch.int64, (keys + 1,)),
    }
    if record.watermark == "picture":
        forms[_HEAD] = TensorForm(torch.float32, (Generator.features(layout), TILE * TILE))
        forms[_WATERMARK] = TensorForm(torch.uint8, (layout.side, layout.side))
    runs = _runs(record)
    for run, count in runs.items():
        dtype = torch.float32 if _base(run, runs) else torch.float64
        forms[f"{_prefix(run)}.sketches"] = TensorForm(dtype, (strips, count, SKETCH_DIM))
        # float64: the noise of a strip that never moved underflows in float32
        forms[f"{_prefix(run)}.noise"] = TensorForm(torch.float64, (strips, SKETCH_DIM))
        forms[f"{_prefix(run)}.scales"] = TensorForm(torch.float64, (strips, len(KINDS)))
    for weights in record.tensors.weights:
        forms[f"digests.{weights}"] = TensorForm(torch.uint8, (len(record.tensors.names), 32))
        if record.outside.names:
            forms[f"outside.{weights}"] = TensorForm(torch.uint8, (len(record.outside.names), 32))
    return forms | served_forms(record.served, keys) | conversion_forms(record.conversions, keys)


def pack(card: WatermarkCard) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The content of ``card.json`` (still without ``files``) and the tensors of a card.

    Raises:
        FlawError: the parts of the card do not fit together.
        KeySampleError: a key sample is too large for a card.
    """
    _check_consistent(card)
    blobs = encode_samples(card.key_samples)
    sizes = torch.tensor([0, *(len(blob) for blob in blobs)])
    names = list(card.digests["stored"])
    runs: dict[Run, int] = {(each.weights, each.precision): each.keys for each in card.references}
    sketches = {
        run: reference.sketches.double() for run, reference in zip(runs, card.references, strict=True)
    }
    tensors = {
        SAMPLES: torch.frombuffer(bytearray(b"".join(blobs)), dtype=torch.uint8),
        OFFSETS: sizes.cumsum(0),
    }
    if card.motif == "picture":
        tensors |= {_HEAD: card.generator.head.float(), _WATERMARK: card.watermark}
    for run, reference in zip(runs, card.references, strict=True):
        base = _base(run, runs)
        stored = sketches[run] if base is None else (sketches[run] - sketches[base][:, : runs[run]]).float()
        tensors[f"{_prefix(run)}.sketches"] = stored
        tensors[f"{_prefix(run)}.noise"] = torch.stack([c.noise.double() for c in reference.calibrations])
        tensors[f"{_prefix(run)}.scales"] = torch.stack([c.scales.double() for c in reference.calibrations])
    outside = list(card.outside.get("stored", ()))
    for weights, digests in card.digests.items():
        tensors[f"digests.{weights}"] = _rows(digests, names)
        if outside:
            tensors[f"outside.{weights}"] = _rows(card.outside[weights], outside)
    described = card.encoder
    served, embeddings = pack_served(card.served)
    conversions, recorded = pack_conversions(card.conversions)
    tensors |= embeddings | recorded
    record = {
        "format": FORMAT,
        "schema": SCHEMA,
        "encoder": {
            "name": card.encoder_name,
            "commit": card.commit,
            "modality": described.modality,
            "architecture": described.architecture,
            "embedding_dim": described.embedding_dim,
            "pooling": described.pooling,
            "parameters": described.parameters,
            "stored_dtype": described.stored_dtype,
            "processor_backend": described.processor_backend,
            "details": _sorted(described.details),
        },
        "created": card.created,
        # a card without these reads, and has the digest, that it had before there were such keys
        **({} if card.expires is None else {"expires": card.expires}),
        **({} if card.motif == "picture" else {"watermark": card.motif}),
        **({} if card.source is None else {"source": card.source.model_dump()}),
        "secret": card.secret,
        "seed": card.seed,
        "tolerance": card.tolerance,
        "key_samples": {
            "count": len(card.key_samples),
            "bytes": sum(len(blob) for blob in blobs),
            "origin": card.key_samples.origin,
            "sha256": card.key_samples.digest(),
        },
        "strips": list(card.strips),
        "references": [
            {
                "weights": each.weights,
                "precision": each.precision,
                "benign_margin": each.benign_margin,
                **({} if each.keys == len(card.key_samples) else {"key_samples": each.keys}),
            }
            for each in card.references
        ],
        "tensors": {"names": names, "weights": list(card.digests)},
        "outside": {"names": outside, "loaded": _sorted(card.stored)},
        **served,
        **conversions,
        "libraries": _sorted(card.libraries),
        "behaviour": _files(card.behaviour.to_record()),
        "folder": {
            "files": _files(card.folder.files),
            "in_effect": _files(card.folder.in_effect),
            "dtype": card.folder.dtype,
            "not_covered": list(card.folder.not_covered),
        },
        "coverage": coverage_record(card.coverage),
        "floor": dict(card.floor),
    }
    return record, tensors


def _rows(digests: Mapping[str, bytes], names: Sequence[str]) -> Tensor:
    rows = bytearray(b"".join(digests[name] for name in names))
    return torch.frombuffer(rows, dtype=torch.uint8).view(len(names), 32)


def _sorted(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(mapping.items()))


def _files(files: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {file: _sorted(values) for file, values in sorted(files.items())}


def _check_consistent(card: WatermarkCard) -> None:
    if card.generator.seed != card.seed:
        raise FlawError("seed", "the generator was trained under another seed than the card's")
    if card.key_samples.modality != card.encoder.modality:
        raise FlawError(
            "key_samples", f"{card.key_samples.modality} samples for an encoder of {card.encoder.modality}"
        )
    if card.motif == "samples":
        flaw = objection(card.encoder.modality, len(card.key_samples), secret=card.secret)
        if flaw or not torch.equal(card.watermark, draw_images(card.key_samples)):
            raise FlawError("watermark", flaw or "other images than the key samples")
    if "stored" not in card.digests:
        raise FlawError("tensors.weights", "no digests of the weights as stored")
    for field, kinds in (("tensors", card.digests), ("outside", card.outside)):
        if kinds and set(kinds) != set(card.digests):
            raise FlawError(f"{field}.weights", "digests of other kinds of weights than the tensors'")
        for weights, digests in kinds.items():
            if set(digests) != set(kinds["stored"]):
                raise FlawError(
                    f"{field}.names",
                    f"the digests of {weights} weights are of other tensors than of the stored",
                )
            if any(len(digest) != 32 for digest in digests.values()):
                raise FlawError(f"{field}.{weights}", "not SHA-256 digests")
    if unknown := sorted(set(card.stored.values()) - set(card.digests["stored"])):
        raise FlawError("outside.loaded", f"names {unknown[0]}, which has no digest")


def unpack(record: CardRecord, tensors: Mapping[str, Tensor]) -> WatermarkCard:
    """The card, from a validated ``card.json`` and tensors of the forms that it asks for.

    Raises:
        FlawError: a tensor holds values that no card can have.
    """
    if unknown := sorted(set(record.outside.loaded.values()) - set(record.tensors.names)):
        raise FlawError("outside.loaded", f"names {unknown[0]}, which has no digest")
    encoder = record.encoder
    samples = unpacked_samples(record, tensors)
    watermark, generator = _drawn(record, samples, tensors)
    return WatermarkCard(
        encoder_name=encoder.name,
        commit=encoder.commit,
        encoder=EncoderDescription(**encoder.model_dump(exclude={"name", "commit"})),
        created=record.created,
        expires=record.expires or None,
        motif=record.watermark,
        libraries=record.libraries,
        secret=record.secret,
        seed=record.seed,
        key_samples=samples,
        watermark=watermark,
        generator=generator,
        tolerance=float(record.tolerance),
        strips=tuple(record.strips),
        references=_references(record, tensors),
        digests={
            weights: _digests(record.tensors.names, tensors[f"digests.{weights}"])
            for weights in record.tensors.weights
        },
        behaviour=Behaviour.from_record(record.behaviour),
        folder=FolderRecord(
            files=record.folder.files,
            in_effect=record.folder.in_effect,
            dtype=record.folder.dtype,
            not_covered=tuple(record.folder.not_covered),
        ),
        outside={
            weights: _digests(record.outside.names, tensors[f"outside.{weights}"])
            for weights in record.tensors.weights
            if record.outside.names
        },
        stored=record.outside.loaded,
        coverage=record.coverage,
        floor=record.floor,
        served=unpack_served(record.served, tensors),
        conversions=unpack_conversions(record.conversions, tensors),
        source=record.source,
    )


def _drawn(
    record: CardRecord, samples: KeySamples, tensors: Mapping[str, Tensor]
) -> tuple[Tensor, Generator]:
    """The watermark and the generator that draws it."""
    if record.watermark == "samples":
        watermark = draw_images(samples)
        layout = layout_of_images(len(samples))
        return watermark, train(watermark.double() / 127.5 - 1, layout, seed=record.seed)
    watermark = tensors[_WATERMARK].clone()
    if not bool(((watermark == 0) | (watermark == 255)).all()):
        raise FlawError(_WATERMARK, "holds values other than 0 and 255")
    return watermark, Generator(Layout(len(samples)), record.seed, tensors[_HEAD].clone())


def _digests(names: Sequence[str], rows: Tensor) -> dict[str, bytes]:
    return {name: row.numpy().tobytes() for name, row in zip(names, rows, strict=True)}


def _references(record: CardRecord, tensors: Mapping[str, Tensor]) -> tuple[Reference, ...]:
    runs = _runs(record)
    references = []
    for run, reference in zip(runs, record.references, strict=True):
        sketches = tensors[f"{_prefix(run)}.sketches"].double()
        base = _base(run, runs)
        if base is not None:
            sketches = sketches + tensors[f"{_prefix(base)}.sketches"][:, : runs[run]]
        noise, scales = (tensors[f"{_prefix(run)}.{part}"].clone() for part in ("noise", "scales"))
        for part, values in (("noise", noise), ("scales", scales)):
            if not bool((values > 0).all()):
                raise FlawError(f"{_prefix(run)}.{part}", "not above 0")
        references.append(
            Reference(
                weights=run[0],
                precision=run[1],
                sketches=sketches.clone(),
                calibrations=tuple(
                    Calibration(noise=n, scales=s) for n, s in zip(noise, scales, strict=True)
                ),
                benign_margin=float(reference.benign_margin),
            )
        )
    return tuple(references)
