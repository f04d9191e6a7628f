"""The report for scripts: one word, as the exit status is the answer; a partial check says so."""

from hf_integration.report.interface import Reporter
from hf_integration.verdict import Verdict


class QuietReporter(Reporter):
    """Reports the status alone."""

    def render(self, verdict: Verdict) -> str:
        """``authentic``, ``altered`` or ``inconclusive``, and how much a budget left of the check."""
        return f"{verdict.status} ({verdict.partial})" if verdict.partial else verdict.status
