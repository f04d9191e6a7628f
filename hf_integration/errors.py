"""Every error that this package raises on purpose: the name that callers catch it by.

The classes and their exit statuses are those of :mod:`hf_integration.base.errors`.
"""

from hf_integration.base.errors import (
    AdvertisedCardMissingError,
    AnotherSpaceError,
    CardError,
    CardNotFoundError,
    EncoderError,
    EndpointError,
    InconclusiveError,
    IntegrityError,
    KeySampleError,
    LoadRefusedError,
    MintingRefusedError,
    MissingExtraError,
    ModelCardError,
    ModelCardRefusedError,
    OutputError,
    PublishingConflictError,
    PublishingRefusedError,
    RecordError,
    RequestRefusedError,
    SSLAuthError,
    UsageError,
)

__all__ = [
    "AdvertisedCardMissingError",
    "AnotherSpaceError",
    "CardError",
    "CardNotFoundError",
    "EncoderError",
    "EndpointError",
    "InconclusiveError",
    "IntegrityError",
    "KeySampleError",
    "LoadRefusedError",
    "MintingRefusedError",
    "MissingExtraError",
    "ModelCardError",
    "ModelCardRefusedError",
    "OutputError",
    "PublishingConflictError",
    "PublishingRefusedError",
    "RecordError",
    "RequestRefusedError",
    "SSLAuthError",
    "UsageError",
]
