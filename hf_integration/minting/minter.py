"""Minting a watermark card, from the choice of key samples to the measured floors."""

import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from hf_integration.authentication import observe_sketches
from hf_integration.authentication.reconstruction import EMBEDDINGS
from hf_integration.authentication.references import library_versions
from hf_integration.base.children import Children
from hf_integration.base.errors import EncoderError, KeySampleError, UsageError
from hf_integration.base.memory import GivingBack
from hf_integration.base.progress import Progress, Silent
from hf_integration.base.vocabulary import PRECISIONS, Precision, Weights, today
from hf_integration.benign.padding import padding_leaks
from hf_integration.benign.variants import CALIBRATION, HELD_OUT, HELD_OUT_CHEAP, Variant
from hf_integration.card import WatermarkCard
from hf_integration.card.key_images import draw_images, layout_of_images, objection
from hf_integration.card.picture import watermark_picture
from hf_integration.card.source import source_of
from hf_integration.converted.file_recipes import sorted_out
from hf_integration.converted.recording import record
from hf_integration.coverage import FULL, chosen_samples, measure_coverage, swept_samples
from hf_integration.coverage.choosing import SOME, operations_per_sample
from hf_integration.coverage.lengths import long_texts
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.identity.tensor_digests import cast_digests, digest_tensors
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running.cast_on_use import WrittenToError
from hf_integration.encoders.running.half_products import quick
from hf_integration.key_samples import samples_from_pool
from hf_integration.key_samples.samples import KeySamples, size_of
from hf_integration.minting.effort import AT_LEAST, CHEAP, PASSES, elsewhere_keys, reference_keys
from hf_integration.minting.instruction_sets import INSTRUCTION_SETS, Run, run_under
from hf_integration.minting.references import (
    EXACT,
    SERVED,
    BenignRuns,
    Pair,
    finite,
    pairs_for,
    references_of,
    run_variant,
)
from hf_integration.minting.self_check import (
    benign_margins,
    floors,
    refuse_blind,
    refuse_non_finite,
    refuse_random,
    refuse_some_without_head,
)
from hf_integration.minting.simulated import SIMULATIONS
from hf_integration.serving.recording import serve
from hf_integration.watermark import Layout, edge_error, targets, train

MOST_SEED = 1 << 63
"""What torch's generator takes."""


def mint(
    encoder: Encoder,
    *,
    keys: int | Literal["full"] = 64,
    pool: str | None = None,
    key_samples: KeySamples | None = None,
    seed: int | None = None,
    watermark: Path | Literal["samples"] | None = None,
    secret: bool = False,
    expires: date | None = None,
    recipes: Sequence[str] = (),
    precisions: Sequence[Precision] = PRECISIONS,
    ignore_remote_code: bool = False,
    progress: Progress | None = None,
) -> WatermarkCard:
    """Mint a watermark card for an encoder you trust.

    Args:
        encoder: loaded by :func:`hf_integration.load_encoder`; it stays unchanged, except that it never pads
            from then on if padding is found to leak into real samples.
        keys: number of key samples; ``"full"`` for 64 and, for text, as many more as look up every row of
            the vocabulary that raw text can reach.
        pool: folder, file or dataset to draw them from; by default they are synthetic, chosen among many by
            what they activate in the encoder.
        key_samples: use exactly these instead.
        seed: everything random follows from it; 0 by default, and fresh randomness for a private card, which
            nobody may guess.
        watermark: picture to use as watermark, or ``"samples"`` for the key samples themselves, of image
            encoders and public cards only; by default a padlock is drawn.
        secret: mark the card as private: never to be published.
        expires: the last day (UTC) on which the card is good; by default it never expires.
        recipes: names of what deployments do to the encoder, such as ``tei``: what they answer is minted into
            the card besides what the encoder itself answers. Of conversions that make integers, such as
            ``ort-int8-dynamic``, digests of these are minted as well. Of text encoders only.
        precisions: those that the card has references for: all, or float64 and float32 alone or with one half
            precision, which takes less time; nobody can check with the card what runs in another one, or
            holds weights that are rounded to it.
        ignore_remote_code: mint although the repository names code of its own, which is not run here: the
            card is then of the architecture as transformers itself computes it.
        progress: told how far minting is.

    Returns:
        The card, not yet written: call its ``save``.

    Raises:
        KeySampleError: no usable key samples, or of another modality.
        UsageError: a seed that is out of range, a last day that is over already, or key samples that cannot
            be the watermark.
        MintingRefusedError: the card would not tell benign runs from alterations.
        EncoderError: an encoder that was not loaded from a folder or a Hub repository, or that holds NaN.
    """
    progress = GivingBack(progress or Silent())
    seed = default_seed(secret=secret) if seed is None else seed
    if not 0 <= seed < MOST_SEED:
        raise UsageError(f"seed {seed} is out of range", remedy="choose one from 0 to 2**63 - 1")
    if expires is not None and expires < today():
        raise UsageError(f"the card would have expired on {expires}", remedy="choose a day to come")
    if encoder.path is None:
        raise EncoderError(f"'{encoder.name}' is only in memory", remedy="save it to a folder and load that")
    source = source_of(encoder.path)
    if encoder.folder and (code := encoder.folder.remote_code()) and not ignore_remote_code:
        raise EncoderError(
            f"'{encoder.name}' names code of its repository ({code[0]}), which is not run here: whoever "
            "trusts that code may get other embeddings",
            remedy="mint it with --ignore-remote-code as transformers itself computes the architecture",
        )
    if keys != "full" and keys < 1:
        raise KeySampleError(f"{keys} key samples were asked for", remedy="use at least --keys 1")
    count = len(key_samples) if key_samples is not None else _count(encoder, keys)
    if watermark == "samples" and (reason := objection(encoder.modality, count, secret=secret)):
        raise UsageError(
            f"the key samples cannot be the watermark: {reason}",
            remedy="give --watermark a picture, or leave it out",
        )
    refuse_non_finite(encoder)
    served_as, converted_to = sorted_out(recipes)
    pairs = pairs_for(encoder.description.stored_dtype, precisions)
    unreachable = None
    if key_samples is not None:
        samples = key_samples
    else:
        samples, unreachable = _choose(encoder, keys, pool, seed, progress)
    if samples.modality != encoder.modality:
        raise KeySampleError(f"key samples are {samples.modality}, but the encoder takes {encoder.modality}")
    if padding_leaks(encoder, samples, seed=seed):
        encoder.never_pad()

    layout, picture = _drawn(samples, watermark)
    runs = run_all(encoder, samples, pairs, seed=seed, progress=progress)
    refuse_random(runs)
    strips = tuple(runs.references["stored", "float64"])
    generator = train(picture, layout, seed=seed)
    card = WatermarkCard(
        # a Hub id, or the folder's own name: where it lay on the minting machine is nobody's business
        encoder_name=encoder.name if encoder.commit else encoder.path.resolve().name,
        commit=encoder.commit,
        encoder=encoder.description,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        expires=None if expires is None else expires.isoformat(),
        libraries=dict(library_versions()),
        secret=secret,
        seed=seed,
        key_samples=samples,
        watermark=((picture + 1) * 127.5).round().to(torch.uint8),
        motif="samples" if watermark == "samples" else "picture",
        generator=generator,
        tolerance=edge_error(generator, targets(picture, layout), seed=seed),
        strips=strips,
        references=references_of(runs, strips),
        digests=_digests(encoder, encoder.tensors()),
        behaviour=encoder.behaviour(),
        folder=encoder.folder or FolderRecord(),
        served=serve(encoder, samples, served_as, seed=seed, known=runs.known(), progress=progress),
        conversions=record(encoder, samples, converted_to, progress=progress),
        source=source,
        **_outside(encoder),
    )
    card = benign_margins(card, runs)
    coverage = measure_coverage(
        card,
        encoder,
        thorough=FULL[encoder.modality] if keys == "full" else None,
        unreachable=unreachable,
        progress=progress,
    )
    progress.start("simulated alterations", sum(len(s.magnitudes) for p in SIMULATIONS.values() for s in p))
    floor = floors(card, encoder, runs.operations, progress=progress)
    refuse_blind(floor)
    return replace(card, floor=floor, coverage=coverage)


def _drawn(samples: KeySamples, watermark: Path | Literal["samples"] | None) -> tuple[Layout, Tensor]:
    """The tiles and the watermark, from -1 to 1."""
    if watermark == "samples":
        return layout_of_images(len(samples)), draw_images(samples).double() / 127.5 - 1
    layout = Layout(len(samples))
    return layout, watermark_picture(layout.side, watermark)


def default_seed(*, secret: bool) -> int:
    """A private card rests on randomness that nobody can guess, a public one on being repeatable."""
    return secrets.randbits(63) if secret else 0


def _count(encoder: Encoder, keys: int | Literal["full"]) -> int:
    return FULL[encoder.modality] if keys == "full" else keys


def _choose(
    encoder: Encoder, keys: int | Literal["full"], pool: str | None, seed: int, progress: Progress
) -> tuple[KeySamples, int | None]:
    """Key samples, and the number of tokens that no text gives, where that was found out."""
    count = _count(encoder, keys)
    long = long_texts(encoder, count - 1, seed=seed) if encoder.modality == "text" else []
    if pool is not None:
        samples = samples_from_pool(pool, encoder.modality, count - len(long), seed=seed)
    else:
        samples = chosen_samples(encoder, count - len(long), seed=seed, progress=progress)
    if long:
        samples = KeySamples([*samples, *long], origin=f"{samples.origin}, and {len(long)} length probes")
    return swept_samples(encoder, samples, seed=seed) if keys == "full" else (samples, None)


def run_all(
    encoder: Encoder, samples: KeySamples, pairs: Sequence[Pair], *, seed: int, progress: Progress
) -> BenignRuns:
    """Run every reference, its benign variants here, and those under other instruction sets."""
    started = time.perf_counter()
    runs = BenignRuns(operations_per_sample(encoder, samples))
    # passes over the first key samples, which are as slow as they are on this machine
    sizes = [size_of(sample) for sample in samples]
    bare = (time.perf_counter() - started) * sum(sizes) / max(sum(sizes[: SOME[encoder.modality]]), 1)
    progress.expect(bare * sum(PASSES.values()) + AT_LEAST, PASSES)
    progress.start("references", len(pairs))
    for pair in pairs:
        _run_reference(encoder, pair, samples, runs, seed=seed)
        progress.advance()
    measured = tuple(runs.references)
    progress.start("benign variants", sum(len(_variants(pair)) for pair in measured))
    for pair in measured:
        for variant in _variants(pair):
            some = samples[: runs.keys(pair) if variant in CALIBRATION else runs.held_out_keys(pair)]
            # calibrated by quick runs, and verified by one with the kernels that a check uses
            kernels = quick(pair[1]) if variant in CALIBRATION else nullcontext()
            with kernels:
                benign = run_variant(
                    encoder, pair, some, variant, seed=seed, embeddings=True, progress=progress
                )
            embeddings = benign.pop(EMBEDDINGS, None)
            if pair == SERVED and variant in CALIBRATION and embeddings is not None:
                runs.answered.append(embeddings)
            residuals = runs.residuals(pair, benign)
            if variant in CALIBRATION:
                runs.calibration.setdefault(pair, []).append(residuals)
            else:
                runs.held_out.setdefault(pair, []).append((variant.name, residuals))
    _run_instruction_sets(encoder, samples, runs, seed=seed, progress=progress)
    return runs


def _run_reference(encoder: Encoder, pair: Pair, samples: KeySamples, runs: BenignRuns, *, seed: int) -> None:
    """Run one reference; a pair that the encoder cannot compute in half precision has none."""
    weights, precision = pair
    running = encoder.at_precision(precision, weights=weights, run_only=True)
    some = samples[: reference_keys(len(samples), runs.operations, pair)]
    try:
        with quick(precision):
            sketches = observe_sketches(running, some, seed=seed, embeddings=True)
    except WrittenToError:
        raise
    except RuntimeError:  # some operations (Fourier transforms on a CPU) do not exist in half precision
        if precision in CHEAP:
            raise
        return
    embeddings = sketches.pop(EMBEDDINGS, None)
    if pair == EXACT:
        runs.exact = embeddings
        refuse_some_without_head(sketches)
    elif missing := set(runs.references[EXACT]) - set(sketches):
        if precision in CHEAP:
            raise EncoderError(
                f"'{encoder.name}' gives no strip '{min(missing)}' in {precision}",
                remedy="mint the encoder without its head",
            )
        return
    if precision in CHEAP or finite(sketches):
        runs.references[pair] = sketches


def _variants(pair: Pair) -> tuple[Variant, ...]:
    """Benign variants of a pair; a cast has the noise of the stored weights, so it is only verified."""
    weights, precision = pair
    if precision not in CHEAP:
        return (*CALIBRATION, *HELD_OUT)
    return (*CALIBRATION, *HELD_OUT, *HELD_OUT_CHEAP) if weights == "stored" else HELD_OUT


def _run_instruction_sets(
    encoder: Encoder, samples: KeySamples, runs: BenignRuns, *, seed: int, progress: Progress
) -> None:
    """One calibration run per instruction set and precision, all processes side by side.

    Where a pair runs on few key samples anyway, on fewer than on this machine.
    """
    work = [
        Run(*pair, batch_size=5, keys=elsewhere_keys(runs.keys(pair), runs.operations, pair[1]))
        for pair in runs.calibration
    ]
    progress.start("other instruction sets", len(INSTRUCTION_SETS))
    with ThreadPoolExecutor(len(INSTRUCTION_SETS) or 1) as pool, Children() as children:
        started = [
            pool.submit(
                run_under,
                name,
                encoder,
                samples,
                work,
                seed=seed,
                share=len(INSTRUCTION_SETS),
                quickly=True,
                children=children,
            )
            for name in INSTRUCTION_SETS
        ]
        for future in started:
            for pair, sketches in future.result().items():
                runs.calibration[pair].append(runs.residuals(pair, sketches))
            progress.advance()


def _digests(encoder: Encoder, tensors: Mapping[str, Tensor]) -> dict[Weights, dict[str, bytes]]:
    """Digests of tensors as stored, and rounded to each half precision that they are not stored in."""
    digests: dict[Weights, dict[str, bytes]] = {"stored": digest_tensors(tensors)}
    if encoder.description.stored_dtype != "float16":
        digests["float16"] = cast_digests(tensors, torch.float16)
    if encoder.description.stored_dtype != "bfloat16":
        digests["bfloat16"] = cast_digests(tensors, torch.bfloat16)
    return digests


def _outside(encoder: Encoder) -> dict[str, Any]:
    """The tensors of the weight files that the embedding does not use, and what became of the others."""
    used, live, stored = encoder.tensors(), encoder.outside_tensors(), encoder.stored
    beside = {name: live[other] for name, other in stored.loaded.items() if other in live}
    return {
        "outside": _digests(encoder, {**stored.read(), **beside}),
        "stored": {name: other for name, other in stored.loaded.items() if other in used},
    }
