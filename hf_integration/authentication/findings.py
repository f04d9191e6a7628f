"""What was measured of one encoder, and what a caller accepts: the two values that a verdict is made of."""

from dataclasses import dataclass

from hf_integration.encoders.identity.in_process import Finding
from hf_integration.verdict import FileEvidence, StripResult, TensorEvidence, Trust


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a caller accepts; by default nothing.

    Attributes:
        self_asserted: a card that only the checked repository itself vouches for.
        clean_process: the caller asserts that no code in this process tampers with encoders, so a broken
            watermark over equal tensors is an alteration and not an open question.
    """

    self_asserted: bool = False
    clean_process: bool = False


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was measured of one encoder against one card. Nothing in here is judged.

    Attributes:
        strips: how well each strip reproduced the watermark, in forward order; never empty.
        tensors: comparison of tensors.
        files: comparison of behaviour files.
        has_weights: whether this kind of encoder source has tensors at all. Only the kind decides: an
            encoder cannot opt out of the comparison.
        stored_dtype: dtype of the weights that the card was minted for.
        trust: why the card is believed.
        process: what of this process changes, or may change, what the encoder gives its users.
        libraries: those that read files and have other versions than when the card was minted.
        other_kind: how the kind of encoder differs from the card's, if it does.
        failure: why the key samples were not run, if they were not.
        expired: the last day of the card, if it is over.
    """

    strips: tuple[StripResult, ...]
    tensors: TensorEvidence
    files: FileEvidence
    has_weights: bool
    stored_dtype: str
    trust: Trust
    process: tuple[Finding, ...] = ()
    libraries: tuple[str, ...] = ()
    other_kind: str | None = None
    failure: str | None = None
    expired: str | None = None

    @property
    def first_broken(self) -> str | None:
        """The first strip, in forward order, that did not reproduce the watermark."""
        return next((strip.name for strip in self.strips if not strip.intact), None)

    @property
    def intact(self) -> bool:
        """Whether every strip reproduced the watermark."""
        return bool(self.strips) and self.first_broken is None

    @property
    def differ(self) -> bool:
        """Whether tensors were compared and are neither the recorded ones nor a re-encoding of them."""
        return self.has_weights and self.tensors.matches is None
