"""Checking a converted encoder: what it reads, what its file holds, what it computes.

It is held against a trusted copy, or a card alone. What a card does not know leaves an answer open, and
the status inconclusive.

| file | behaviour | inputs | status |
|---|---|---|---|
| a weight has other numbers | | | altered |
| every weight is the encoder's | fits no recipe | | altered: the graph computes something else |
| | | another vocabulary, or other tokens by the same library | altered |
| something is not explained, or cannot be compared | fits | | inconclusive |
| | fits another recipe | | inconclusive |
| | | cut elsewhere, or read by another tokenizer | inconclusive |
| every weight is the encoder's | fits | fits | authentic |
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import compress

from hf_integration.authentication import Authentication
from hf_integration.base.progress import Progress
from hf_integration.base.text import listed
from hf_integration.base.vocabulary import FEWEST_KEYS, USUAL_KEYS
from hf_integration.card import WatermarkCard
from hf_integration.converted.behaviour import Behaved, Expected, behaviour_of, not_run
from hf_integration.converted.inputs import Read
from hf_integration.converted.knowledge import Knowledge
from hf_integration.converted.runtime import Converted
from hf_integration.converted.weights import Explained
from hf_integration.encoders.identity.behaviour import VOCABULARY
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.probes import texts_of
from hf_integration.verdict import (
    Answer,
    Conversion,
    FileEvidence,
    KeySamplesRun,
    Near,
    Status,
    TensorEvidence,
    Trust,
    Verdict,
)


def check_converted(
    knowledge: Knowledge,
    converted: Converted,
    expected: Expected,
    *,
    trust: Trust,
    progress: Progress,
    keys: int = USUAL_KEYS,
    not_covered: tuple[str, ...] = (),
    accept_self_asserted: bool = False,
) -> tuple[Authentication, WatermarkCard]:
    """Hold a converted encoder against a trusted copy or a card.

    Args:
        knowledge: the copy or the card.
        converted: what was made of the encoder.
        expected: the recipe that the caller states, if any.
        trust: why the copy or the card is believed.
        progress: told how far it is.
        keys: number of fresh key samples; a card has its own.
        not_covered: files beside the converted ones that nobody read.
        accept_self_asserted: let a copy or a card count that nobody pinned.

    Returns:
        The verdict with the pictures, and the card of this one check.

    Raises:
        EncoderError: the file is damaged, or the runtime cannot run it.
        UsageError: an extra is not installed, or a card has no answers of the recipe.
    """
    started = time.perf_counter()
    progress.start("reading texts, weights, and running the converted encoder", 3)
    samples = knowledge.samples(keys, converted)
    read = knowledge.read(converted, texts_of(samples), expected.recipe)
    progress.advance()
    explained = knowledge.explained(converted)
    progress.advance()
    behaved = _behaviour(knowledge, converted, expected, samples, read, explained)
    progress.advance()
    status, reason = _judged(knowledge, converted, read, explained, behaved)
    source = knowledge.source
    doubt = source.doubt(trust, accepted=accept_self_asserted)
    if status == "authentic" and doubt is not None:
        status, reason = "inconclusive", f"{doubt}; {reason}"
    verdict = Verdict(
        status=status,
        reason="; ".join([reason, *converted.said(), *knowledge.remarks()]),
        trust=trust,
        encoder=source.name,
        revision=source.commit,
        card=source.identity,
        precision=behaved.precision,
        margin=None if status == "inconclusive" else behaved.reconstruction.margin,
        strips=behaved.reconstruction.strips,
        tensors=_tensors(explained),
        files=FileEvidence(checked=len(converted.read), not_covered=not_covered),
        diagnosis=(),
        seconds=time.perf_counter() - started,
        environment=source.environment(),
        key_samples=KeySamplesRun(behaved.run, len(samples)),
        conversion=Conversion(
            path=str(converted.path),
            runtime=converted.runtime,
            file=_file(knowledge, explained),
            behaviour=Answer(behaved.finding, behaved.said),
            inputs=_inputs(read),
            expected=behaved.expected,
            found=behaved.found,
            nearest=tuple(Near(str(near.recipe), near.distance, near.typical) for near in behaved.nearest),
            tolerated=behaved.tolerated,
        ),
    )
    return Authentication(verdict, behaved.reconstruction), behaved.card


def _behaviour(
    knowledge: Knowledge,
    converted: Converted,
    expected: Expected,
    samples: KeySamples,
    read: Read,
    explained: Explained,
) -> Behaved:
    """What it computes, by the key samples that both read alike: others say nothing of the graph."""
    if why := converted.cannot_run():
        return not_run(knowledge, samples, expected, why)
    texts = texts_of(samples)
    if read.other or read.cut is not None:
        texts = list(compress(texts, read.alike))
    if len(texts) < FEWEST_KEYS:
        why = f"only {len(texts)} key samples are read as the original reads them, which are too few to judge"
        return not_run(knowledge, samples, expected, why)
    if read.prompt is not None and not knowledge.complete:
        why = "its texts begin otherwise, and nobody recorded what the encoder gives for those"
        return not_run(knowledge, samples, expected, why)
    if read.prompt is not None:  # said by the answer about inputs; the graph is judged without it
        expected = replace(expected, recipe=expected.recipe.but(prompt=read.prompt))
    return behaviour_of(knowledge, converted, expected, KeySamples(texts, origin=samples.origin), explained)


def _judged(
    knowledge: Knowledge, converted: Converted, read: Read, explained: Explained, behaved: Behaved
) -> tuple[Status, str]:
    """The status, and one sentence that says why."""
    if explained.changed or (explained.missing and behaved.finding == "differs"):
        names = (*explained.changed, *explained.missing)
        return "altered", f"weights in the file are not the encoder's: {listed(names)}"
    if converted.own_ids and (other := _other_tokenizer(read)):
        return "altered", f"its tokenizer is not the encoder's: {other}"
    if behaved.finding == "differs" and explained.equal:
        return "altered", f"its weights are the encoder's, and it computes something else: {behaved.said}"
    if behaved.finding == "differs" and behaved.altered:
        return "altered", behaved.said
    answers = _file(knowledge, explained), Answer(behaved.finding, behaved.said), _inputs(read)
    if open_ones := [answer.said for answer in answers if answer.finding != "fits"]:
        return "inconclusive", "; ".join(open_ones)
    return "authentic", f"its weights are the encoder's, it reads texts as that does, and {behaved.said}"


def _other_tokenizer(read: Read) -> str | None:
    """What shows another tokenizer, not another cut."""
    if vocabulary := [line for line in read.settings if VOCABULARY in line or "added_tokens" in line]:
        return vocabulary[0]
    if read.other and read.known:
        return next(line for line in read.differences if "tokenised" in line)
    return None


def _file(knowledge: Knowledge, explained: Explained) -> Answer:
    details = tuple(_ways(explained))
    if explained.changed:
        said = f"{len(explained.changed)} arrays of the file are weights with other numbers"
        return Answer("differs", said, details)
    for names, what in (
        (explained.missing, "tensors of the encoder are not in the file"),
        (explained.unexplained, "arrays of the file are no weight of the encoder"),
        (explained.not_compared, f"arrays of integers were not compared, {knowledge.unknown_rule}"),
    ):
        if names:
            return Answer("open", f"{len(names)} {what}: {listed(names)}", details)
    return Answer("fits", f"all {explained.tensors} tensors of the encoder are in the file", details)


def _ways(explained: Explained) -> Iterator[str]:
    for way, count in sorted(explained.ways.items(), key=lambda item: -item[1]):
        numbers = f", {explained.constants} numbers" if way.startswith("constants") else ""
        yield f"{count} arrays: {way}{numbers}"
    for name in explained.not_compared:
        yield f"not compared: {name}"


def _inputs(read: Read) -> Answer:
    details = (*read.differences, *read.settings)
    if not read.known:
        return Answer("open", "nobody was asked how it reads texts", details)
    if read.differences:
        more = f" and {len(read.differences) - 1} more" if len(read.differences) > 1 else ""
        return Answer("differs", f"{read.differences[0]}{more}", details)
    if read.settings:
        return Answer("differs", f"its tokenizer has other settings: {read.settings[0]}", details)
    if read.unrecorded:
        said = (
            f"the card does not say how {read.unrecorded} texts are read that are asked today: mint it again"
        )
        return Answer("open", said, details)
    return Answer("fits", f"{read.asked} texts are read as the original reads them", details)


def _tensors(explained: Explained) -> TensorEvidence:
    casts = [name for name in explained.roundings if name in ("float16", "bfloat16")]
    whole = explained.equal and len(explained.roundings) == 1
    return TensorEvidence(
        checked=explained.tensors,
        changed=explained.changed,
        missing=explained.missing,
        unexpected=explained.unexplained,
        matches=(casts[0] if casts else "stored" if explained.roundings == ("stored",) else None)
        if whole
        else None,
    )
