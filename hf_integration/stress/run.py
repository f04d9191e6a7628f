"""Running both lists against one card."""

import time
from collections.abc import Sequence

from hf_integration.authentication import Authenticator
from hf_integration.authentication.references import default_precision
from hf_integration.base.errors import InconclusiveError
from hf_integration.base.progress import Progress, Silent
from hf_integration.base.vocabulary import PRECISIONS, Precision
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.stress.altered import by_magnitude, of_one_size
from hf_integration.stress.findings import BenignChange, StressReport
from hf_integration.stress.unaltered import benign_runs
from hf_integration.stress.unaltered_files import benign_files
from hf_integration.tampering.catalogue import BESIDE_WEIGHTS, families_for


def stress(
    encoder: Encoder,
    card: WatermarkCard,
    *,
    precision: Precision | None = None,
    benign_precisions: Sequence[Precision] = PRECISIONS,
    seeds: int = 1,
    progress: Progress | None = None,
) -> StressReport:
    """Try every known alteration and every known benign change against a card.

    Args:
        encoder: the unaltered encoder that the card is of.
        card: the card.
        precision: arithmetic of the checks of altered copies; by default the strictest that is possible.
        benign_precisions: benign changes are run in each of these that the card has a reference for.
        seeds: draws of every alteration of weights, from 0 on; all must be detected.
        progress: told how far it is.

    Returns:
        Everything that was found.

    Raises:
        InconclusiveError: the encoder is not authentic to begin with.
    """
    started = time.perf_counter()
    progress = progress or Silent()
    precision = precision or default_precision(encoder)
    verdict = Authenticator(card=card, precision=precision, trust="local").authenticate(encoder).verdict
    if not verdict.authentic:
        raise InconclusiveError(
            f"'{encoder.name}' is {verdict.status} to begin with: {verdict.reason}",
            remedy="stress takes the very encoder that the card was minted from",
        )
    families = families_for(encoder, card.key_samples)  # published, so an attacker pins them
    others = [tampering for tampering in BESIDE_WEIGHTS if tampering.applies(encoder)]
    progress.start("alterations", len(families) + len(others))
    alterations = []
    for family in families:
        alterations.append(by_magnitude(family, encoder, card, precision, range(seeds)))
        progress.advance()
    for tampering in others:
        alterations.append(of_one_size(tampering, encoder, card, precision))
        progress.advance()
    measured = [p for p in benign_precisions if any(r.precision == p for r in card.references)]
    progress.start("benign changes", len(measured) + 1)
    benign: list[BenignChange] = []
    for each in measured:
        benign += benign_runs(encoder, card, each)
        progress.advance()
    benign += benign_files(encoder, card, precision)
    progress.advance()
    return StressReport(
        encoder=encoder.name,
        card=card.digest,
        precision=precision,
        seeds=seeds,
        alterations=tuple(alterations),
        benign=tuple(benign),
        seconds=time.perf_counter() - started,
    )
