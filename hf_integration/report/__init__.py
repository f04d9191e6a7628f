"""Reports about verdicts and cards. They show what was judged elsewhere, and import nothing heavy.

:mod:`hf_integration.report.pictures` is imported by name where a picture is wanted: it needs torch.
"""

from hf_integration.base.text import harmless
from hf_integration.report.brief import brief
from hf_integration.report.code_hosts import GitLabReporter, SarifReporter
from hf_integration.report.html import HtmlReporter, html_page
from hf_integration.report.reporters import (
    HumanReporter,
    JsonReporter,
    QuietReporter,
    Reporter,
    render,
)
from hf_integration.report.shown import Document, Place, Shown, StripImages, WithoutVerdict

REPORTERS: dict[str, type[Reporter]] = {
    "human": HumanReporter,
    "json": JsonReporter,
    "quiet": QuietReporter,
    "html": HtmlReporter,
    "sarif": SarifReporter,
    "gitlab": GitLabReporter,
}
"""By the name that ``sslauth verify --format`` knows it by; those of files are options of pytest too."""

__all__ = [
    "REPORTERS",
    "Document",
    "GitLabReporter",
    "HtmlReporter",
    "HumanReporter",
    "JsonReporter",
    "Place",
    "QuietReporter",
    "Reporter",
    "SarifReporter",
    "Shown",
    "StripImages",
    "WithoutVerdict",
    "brief",
    "harmless",
    "html_page",
    "render",
]
