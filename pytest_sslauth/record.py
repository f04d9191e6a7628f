"""What a test remembers of the checks made for it, in a form that survives workers and JUnit."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hf_integration.verdict import Verdict


PROPERTY = "sslauth_check"


@dataclass(frozen=True)
class Evidence:
    """One check in short.

    Attributes:
        status: ``authentic``, ``altered`` or ``inconclusive``.
        encoder: what was checked, as the caller named it.
        reason: one sentence for people.
        revision: resolved Hub commit, if any.
        margin: margin of the verdict, if there is one.
        precision: arithmetic of the check, if one was made.
        card: digest of the card, if one was read.
        partial: how many key samples a budget allowed, unless all were run.
        waiver: ``waived until DATE: REASON`` of an alteration that is accepted.
    """

    status: str
    encoder: str
    reason: str
    revision: str | None = None
    margin: float | None = None
    precision: str | None = None
    card: str | None = None
    partial: str | None = None
    waiver: str | None = None

    @property
    def passed(self) -> bool:
        """Whether a test may depend on the encoder."""
        return self.status == "authentic" or bool(self.waiver)

    @classmethod
    def of(cls, verdict: "Verdict") -> "Evidence":
        """The evidence that a verdict gives."""
        return cls(
            status=verdict.status,
            encoder=verdict.encoder,
            reason=verdict.reason,
            revision=verdict.revision,
            margin=verdict.margin,
            precision=verdict.precision,
            card=verdict.card.digest,
            partial=verdict.partial,
            waiver=f"waived until {waiver.until}: {waiver.reason}" if (waiver := verdict.waiver) else None,
        )

    def attach_to(self, item: pytest.Item) -> None:
        """Add it to the test's properties, once: they travel on its reports and end up in JUnit files."""
        whole = (PROPERTY, json.dumps(asdict(self)))
        if whole in item.user_properties:
            return
        item.user_properties += [whole, ("sslauth_status", self.status)]
        if self.margin is not None:
            item.user_properties.append(("sslauth_margin", self.margin))
        if self.card:
            item.user_properties.append(("sslauth_card", self.card))
        if self.waiver:
            item.user_properties.append(("sslauth_waiver", self.waiver))
            from hf_integration.base.text import harmless  # late: nothing is waived unchecked

            lines = (f"ALTERED, {self.waiver}", f"{self.encoder}: {self.reason}")
            item.add_report_section("call", "sslauth", "".join(f"{harmless(line)}\n" for line in lines))

    @classmethod
    def on(cls, report: pytest.TestReport) -> "list[Evidence]":
        """The evidence on a test's report, in the order of its checks."""
        return [cls(**json.loads(str(value))) for name, value in report.user_properties if name == PROPERTY]
