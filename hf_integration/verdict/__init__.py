"""The outcome of one authentication: an immutable value with a JSON round trip, and nothing else."""

from hf_integration.verdict.value import (
    SCHEMA,
    CardIdentity,
    Claim,
    FileEvidence,
    Status,
    StripResult,
    TensorEvidence,
    Trust,
    Verdict,
)

__all__ = [
    "SCHEMA",
    "CardIdentity",
    "Claim",
    "FileEvidence",
    "Status",
    "StripResult",
    "TensorEvidence",
    "Trust",
    "Verdict",
]
