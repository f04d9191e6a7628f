"""Detection floors: the smallest alteration of each kind that is seen, by the watermark and by its rivals.

Digests are left aside. Every altered encoder is run once per precision, and all detectors judge that run,
with thresholds that were set the same way on the same benign runs.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from hf_integration.authentication.references import reference_for
from hf_integration.base.vocabulary import Precision
from hf_integration.card import Reference, WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.minting.references import calibrate_strips
from hf_integration.tampering.catalogue import families_for
from hf_integration.tampering.families import Family
from tests.benchmarks.floors.decoder import decoded_bits, plain_decoder
from tests.benchmarks.floors.detectors import (
    Detector,
    StripDistance,
    Watermark,
    averaged,
    distance_and_shifts,
    excesses,
    largest_distance,
    of_embedding,
)
from tests.benchmarks.floors.observation import Observation, observe
from tests.benchmarks.floors.report import markdown, too_few_runs, totals
from tests.benchmarks.floors.result import DISTANCE, EMBEDDING, Alarms, Result, Row, load_all, rows_so_far
from tests.benchmarks.floors.runs import BenignRuns, benign_runs
from tests.benchmarks.floors.search import find_floors
from tests.benchmarks.subjects import Subject

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float16")
"""Those with goals; in float64 nearly every family is seen at the smallest magnitude."""


def run(subject: Subject, *, precisions: Sequence[Precision], out: Path) -> list[str]:
    """Print the tables of one encoder, and write them as JSON and Markdown into the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    short = []
    held = {reference.precision for reference in subject.card.references}
    for precision in precisions:
        if precision not in held:
            print(f"{precision}: the card has no reference, the encoder overflows in it", flush=True)
            continue
        result = measure(subject.name, subject.encoder, subject.card, precision, out=out)
        print(markdown(result), flush=True)
        short += result.shortfalls()
    print(f"written to {out}; of all results there:\n{totals(load_all(out))}", flush=True)
    return short


def finish(out: Path) -> list[str]:
    """What falls short of all encoders and precisions together."""
    return too_few_runs(load_all(out))


def measure(name: str, encoder: Encoder, card: WatermarkCard, precision: Precision, *, out: Path) -> Result:
    """Floors and false alarms of one encoder in one precision.

    Written to ``out`` after every family, as some take hours: a run that was ended goes on from there.
    """
    reference = reference_for(card, "stored", precision)
    _say(f"{name} {precision}: benign runs")
    runs = benign_runs(encoder, card, reference)
    detectors, facts = all_detectors(card, reference, runs)
    alarms = [_alarms(detector, runs) for detector in detectors]
    families = [family for family in families_for(encoder) if len(family.magnitudes) > 1]
    rows = rows_so_far(out, name, precision, card.digest)
    for family in families[len(rows) :]:
        rows.append(_row(family, encoder, card, reference, detectors))
        left = tuple(family.name for family in families[len(rows) :])
        result = Result(name, precision, len(card.key_samples), facts, rows, alarms, card.digest, left)
        result.save(out)
        (out / f"floors-{name}-{precision}.md").write_text(markdown(result))
    return result


def all_detectors(
    card: WatermarkCard, reference: Reference, runs: BenignRuns
) -> tuple[list[Detector], dict[str, float]]:
    """Ours and its rivals, in the order of the tables, and figures about their thresholds."""
    precision = reference.precision
    decoder = plain_decoder(card, runs, precision=precision)
    detectors: list[Detector] = [
        Watermark(card, reference),
        of_embedding(DISTANCE, largest_distance, runs, precision=precision),
        StripDistance(card, reference),
        of_embedding(
            EMBEDDING,
            distance_and_shifts,
            runs,
            precision=precision,
            least=averaged(len(card.key_samples)),
        ),
        decoder,
        decoded_bits(decoder, runs),
    ]
    return detectors, {
        "error of the plain decoder on what it was trained on": decoder.trained_to,
        "its tolerance": decoder.threshold,
        "scales of the card over those of the repeated calibration, least": min(
            _scales(card, reference, runs)
        ),
        "largest": max(_scales(card, reference, runs)),
        "held-out runs that are equal to the plain one to the bit": sum(
            _equal(found, runs.plain) for _, found in runs.held_out
        ),
    }


def _equal(one: Observation, other: Observation) -> bool:
    return all(
        torch.equal(found, other.sketches[strip][: len(found)]) for strip, found in one.sketches.items()
    )


def _scales(card: WatermarkCard, reference: Reference, runs: BenignRuns) -> list[float]:
    """Whether the repeated calibration is the card's: one ratio per strip and kind of tile, 1 if so."""
    plain = runs.plain.sketches
    residuals = [
        {strip: found - plain[strip][: len(found)] for strip, found in run.sketches.items()}
        for run in runs.calibration
    ]
    again = calibrate_strips(card.strips, reference.precision, plain, residuals)
    return [
        float(ratio)
        for first, second in zip(reference.calibrations, again, strict=True)
        for ratio in first.scales * first.noise.norm() / (second.scales * second.noise.norm())
    ]


def _alarms(detector: Detector, runs: BenignRuns) -> Alarms:
    found = [(detector.excess(observation), name) for name, observation in runs.held_out]
    worst, where = max(found)
    return Alarms(
        detector.name, len(found), [name for excess, name in found if not excess <= 1], worst, where
    )


def _row(
    family: Family, encoder: Encoder, card: WatermarkCard, reference: Reference, detectors: Sequence[Detector]
) -> Row:
    def judge(magnitude: float, seed: int) -> Mapping[str, float]:
        altered = family.at(magnitude, seed=seed)(encoder)
        running = altered.at_precision(reference.precision, weights=reference.weights, run_only=True)
        return excesses(detectors, observe(running, card.key_samples, seed=card.seed))

    started = time.perf_counter()
    floors, judged = find_floors(family.magnitudes, [detector.name for detector in detectors], judge)
    shown = ", ".join(f"{name} {floor}" for name, floor in floors.items())
    _say(f"  {family.name}: {shown} ({len(judged)} runs, {time.perf_counter() - started:.0f} s)")
    return Row(family.name, family.unit, floors, judged)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
