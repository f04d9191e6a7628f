"""Reports about verdicts and cards. They show what was judged elsewhere, and import nothing heavy.

:mod:`hf_integration.report.pictures` is imported by name where a picture is wanted: it needs torch.
"""

from hf_integration.report.escaping import harmless
from hf_integration.report.human import HumanReporter, render
from hf_integration.report.interface import Reporter
from hf_integration.report.json_format import JsonReporter
from hf_integration.report.quiet import QuietReporter

__all__ = ["HumanReporter", "JsonReporter", "QuietReporter", "Reporter", "harmless", "render"]
