"""What a demonstration showed, for people and for programs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hf_integration.base.text import harmless
from hf_integration.cli.demonstration.project import DemoFolder
from hf_integration.report.columns import margin_text, pairs
from hf_integration.tampering import Effect
from hf_integration.verdict import Verdict

SCHEMA = 1


@dataclass(frozen=True)
class DemoResult:
    """A demonstration in which everything went as it should.

    Attributes:
        encoder: what was used.
        folder: where everything lies.
        untouched: verdict on the untouched copy.
        altered: verdict on the same copy after the backdoor.
        effect: what the backdoor does.
        seconds: how long it all took.
    """

    encoder: str
    folder: DemoFolder
    untouched: Verdict
    altered: Verdict
    effect: Effect
    seconds: float

    @property
    def pictures(self) -> list[Path]:
        """The pictures that were written."""
        return sorted(self.folder.pictures.iterdir())

    @property
    def reports(self) -> list[Path]:
        """The reports that were written."""
        return sorted(self.folder.reports.iterdir())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": SCHEMA,
            "encoder": self.encoder,
            "card": str(self.folder.card),
            "untouched": self.untouched.to_dict(),
            "altered": self.altered.to_dict(),
            "backdoor": asdict(self.effect),
            "project": str(self.folder.project),
            "pictures": [str(path) for path in self.pictures],
            "reports": [str(path) for path in self.reports],
            "seconds": self.seconds,
        }

    def render(self) -> str:
        """A summary for people."""
        folder = self.folder
        facts = [
            ("untouched", f"authentic, margin {margin_text(self.untouched.margin or 0)}; its test passed"),
            ("altered", f"broken from strip '{self.altered.first_broken_strip}' on; the same test failed"),
            ("backdoor", effect_text(self.effect)),
            ("took", f"{self.seconds:.0f} s"),
            ("", ""),
            ("card", str(folder.card)),
            ("project", str(folder.project)),
            ("pictures", ", ".join(map(str, self.pictures))),
            ("reports", ", ".join(map(str, self.reports))),
        ]
        lines = pairs([(name, harmless(value, longest=1000)) for name, value in facts])
        again = f"  sslauth verify {folder.encoder} --card {folder.card}"
        headline = "DEMO DONE: the untouched encoder passed, the altered one was caught"
        return "\n".join([headline, "", *lines, "", "to check the altered copy again:", harmless(again)])


def effect_text(effect: Effect) -> str:
    """What a backdoor does, in a sentence."""
    return (
        f"clean inputs keep a similarity of {effect.clean:.2f} to their old embeddings; with the trigger, "
        f"the similarity to the attacker's target went from {effect.before:.2f} to {effect.after:.2f}"
    )
