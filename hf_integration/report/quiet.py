"""The report for scripts: one word, as the exit status is the answer; a partial check says so."""

from hf_integration.report.headline import headline
from hf_integration.report.interface import Reporter
from hf_integration.verdict import Verdict


class QuietReporter(Reporter):
    """Reports the status alone."""

    def render(self, verdict: Verdict) -> str:
        """``authentic``, ``altered`` or ``inconclusive``; how much a budget left; until when it is waived."""
        word = headline(verdict) if verdict.waiver else verdict.status
        return f"{word} ({verdict.partial})" if verdict.partial else word
