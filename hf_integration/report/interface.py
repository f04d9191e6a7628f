"""What every report is: a text made from a verdict. Rendering never judges."""

from abc import ABC, abstractmethod

from hf_integration.verdict import Verdict


class Reporter(ABC):
    """Renders verdicts in one format."""

    @abstractmethod
    def render(self, verdict: Verdict) -> str:
        """The report as text, without a final line break; empty when this format says nothing."""
