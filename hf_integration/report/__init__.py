"""Reports about verdicts and cards. They show what was judged elsewhere, and import nothing heavy.

:mod:`hf_integration.report.pictures` is imported by name where a picture is wanted: it needs torch.
"""

from hf_integration.base.text import harmless
from hf_integration.report.brief import brief
from hf_integration.report.html import HtmlReporter, Shown, StripImages, WithoutVerdict, html_page
from hf_integration.report.reporters import (
    HumanReporter,
    JsonReporter,
    QuietReporter,
    Reporter,
    render,
)

REPORTERS: dict[str, type[Reporter]] = {
    "human": HumanReporter,
    "json": JsonReporter,
    "quiet": QuietReporter,
    "html": HtmlReporter,
}
"""By the name that ``sslauth verify --format`` knows it by."""

__all__ = [
    "REPORTERS",
    "HtmlReporter",
    "HumanReporter",
    "JsonReporter",
    "QuietReporter",
    "Reporter",
    "Shown",
    "StripImages",
    "WithoutVerdict",
    "brief",
    "harmless",
    "html_page",
    "render",
]
