"""Encoders: raw samples in, embeddings and strips out."""

from hf_integration.base.vocabulary import (
    EMBEDDING_STRIP,
    PRECISIONS,
    PROCESSOR_STRIP,
    WEIGHTS,
    Precision,
    Weights,
)
from hf_integration.encoders.interface import Encoder, EncoderDescription, StripBatch
from hf_integration.encoders.opening import load_encoder, open_encoder
from hf_integration.encoders.wrapping import wrap_module

__all__ = [
    "EMBEDDING_STRIP",
    "PRECISIONS",
    "PROCESSOR_STRIP",
    "WEIGHTS",
    "Encoder",
    "EncoderDescription",
    "Precision",
    "StripBatch",
    "Weights",
    "load_encoder",
    "open_encoder",
    "wrap_module",
]
