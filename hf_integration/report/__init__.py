"""Reports about verdicts and cards. They show what was judged elsewhere, and import nothing heavy.

:mod:`hf_integration.report.pictures` is imported by name where a picture is wanted: it needs torch.
"""

from hf_integration.base.text import harmless
from hf_integration.report.brief import brief
from hf_integration.report.reporters import (
    REPORTERS,
    HumanReporter,
    JsonReporter,
    QuietReporter,
    Reporter,
    render,
)

__all__ = [
    "REPORTERS",
    "HumanReporter",
    "JsonReporter",
    "QuietReporter",
    "Reporter",
    "brief",
    "harmless",
    "render",
]
