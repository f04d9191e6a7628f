"""Coverage: what of an encoder the key samples reach, and key samples that reach as much as possible."""

from hf_integration.coverage.choosing import FULL, chosen_samples, swept_samples
from hf_integration.coverage.measurement import measure_coverage

__all__ = ["FULL", "chosen_samples", "measure_coverage", "swept_samples"]
