"""Stress: every known alteration and every known benign change, run against one card."""

from hf_integration.stress.findings import Alteration, BenignChange, StressReport
from hf_integration.stress.run import stress

__all__ = ["Alteration", "BenignChange", "StressReport", "stress"]
