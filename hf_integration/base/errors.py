"""Every error that this package raises on purpose, each with the exit status it stands for.

The statuses are part of the interface: 1 is reserved for an encoder that was found altered, so no
error may ever use it.
"""

from typing import ClassVar

from hf_integration.base.text import LONGEST_QUOTE, quoted
from hf_integration.base.vocabulary import ExitStatus


class SSLAuthError(Exception):
    """Base of all errors raised on purpose: one line that names the thing and the remedy.

    Attributes:
        exit_status: what the ``sslauth`` command ends with when this error reaches its top.
        remedy: what the reader can do about it, or an empty string.
    """

    exit_status: ClassVar[ExitStatus] = ExitStatus.INTERNAL

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} ({self.remedy})" if self.remedy else message


def in_one_line(error: BaseException) -> str:
    """The kind of somebody else's error and the first line of what it says."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


ENDING = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a program and is nobody's failure. Everything else may come out of a library: code in Rust that
panics raises a ``PanicException``, which is no ``Exception``."""


class UsageError(SSLAuthError):
    """A wrong argument or a bad local input (exit status 2)."""

    exit_status = ExitStatus.USAGE


class MissingExtraError(UsageError):
    """What is asked for needs an optional extra of this package that is not installed."""


class EncoderError(UsageError):
    """A folder or repository that cannot be loaded as an encoder, or is refused as one."""


class KeySampleError(UsageError):
    """Key samples that are empty, unreadable, or of another modality than the encoder's."""


class OutputError(UsageError):
    """An output that exists already, cannot be written, or did not fit on the disk."""


class PublishingRefusedError(UsageError):
    """A card that must not be published, or a repository that it cannot be published to without harm."""


class InconclusiveError(SSLAuthError):
    """The question could not be answered: never a pass (exit status 3)."""

    exit_status = ExitStatus.INCONCLUSIVE


class CardNotFoundError(InconclusiveError):
    """There is no watermark card where one was looked for."""


class AdvertisedCardMissingError(CardNotFoundError):
    """A model card advertises a watermark card that is not there: not the same as advertising none."""


class ModelCardRefusedError(InconclusiveError):
    """A model card advertises a watermark card that is not to be believed: expired, revoked, another's."""


class PublishingConflictError(InconclusiveError):
    """Somebody changed the repository while a card was being published: nothing was published."""


class MintingRefusedError(InconclusiveError):
    """The card would not tell this encoder's benign runs from alterations, so none was written."""


class EndpointError(InconclusiveError):
    """An embedding server that cannot be reached, refuses, or answers with something else than embeddings."""


class RequestRefusedError(EndpointError):
    """An embedding server that understood a request and does not answer it, as of a text that is too long."""


class AnotherSpaceError(InconclusiveError):
    """What embeds queries does not embed as what embedded the index of a stamp."""


class IntegrityError(SSLAuthError):
    """The evidence itself is damaged or contradicts its pin (exit status 4)."""

    exit_status = ExitStatus.INTEGRITY


class LoadRefusedError(IntegrityError):
    """An encoder that a library was about to hand over, and that is not the pinned one or not pinned."""


class CardError(IntegrityError):
    """A card that is damaged, edited, oversized or of another schema version.

    Attributes:
        file: the card's file that is at fault, as the reader would name it.
        field: the field within it, or an empty string when the whole file is at fault.
    """

    def __init__(self, file: str, field: str, reason: str, *, remedy: str = "") -> None:
        where = f"{file}: {field}" if field else file
        super().__init__(
            f"damaged watermark card: {where}: {reason}", remedy=remedy or "get it anew, or mint it again"
        )
        self.file = file
        self.field = field


class RecordError(IntegrityError):
    """A stamp or a baseline that is damaged, edited, oversized or of another version."""


class ModelCardError(IntegrityError):
    """What a model card says about its watermark card is malformed, or is not so."""


class FlawError(ValueError):
    """One thing that is wrong with a card, a signature, a model card or a file of pins.

    Attributes:
        field: the field at fault, safe to print, or an empty string for the whole file.
        reason: what is wrong with it, safe to print.
        remedy: what the reader can do about it.
    """

    def __init__(self, field: str, reason: str, *, remedy: str = "") -> None:
        self.field = quoted(field)
        self.reason = quoted(reason, longest=3 * LONGEST_QUOTE)
        self.remedy = remedy
        super().__init__(f"{self.field}: {self.reason}" if field else self.reason)
