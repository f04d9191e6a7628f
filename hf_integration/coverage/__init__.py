"""Coverage: what of an encoder the key samples reach, and key samples that reach as much as possible."""

from hf_integration.coverage.measurement import measure_coverage
from hf_integration.coverage.selection import FULL, chosen_samples, swept_samples

__all__ = ["FULL", "chosen_samples", "measure_coverage", "swept_samples"]
