"""The report for scripts: one word, as the exit status is the answer."""

from hf_integration.report.headline import headline
from hf_integration.report.interface import Reporter
from hf_integration.verdict import Verdict


class QuietReporter(Reporter):
    """Reports the status alone."""

    def render(self, verdict: Verdict) -> str:
        """``authentic``, ``altered`` or ``inconclusive``; what was waived says so as well."""
        return headline(verdict) if verdict.waiver else verdict.status
