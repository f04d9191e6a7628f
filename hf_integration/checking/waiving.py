"""Waivers: an alteration that was accepted for a while, said in every report for as long."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from hf_integration.checking.pins.pin import Waiver
from hf_integration.verdict import Accepted, Verdict


def waived(verdict: Verdict, waivers: Iterable[Waiver], *, today: date, expires: str | None) -> Verdict:
    """Apply the waivers of an encoder's pin to its verdict.

    A waiver is of one state: the tensors and the behaviour of the encoder that somebody looked at. Whatever
    is altered besides has another state and is not excused. Nothing passes by a card whose last day is over,
    not even what was waived: its author no longer says what the encoder should be.

    Args:
        verdict: what was found out.
        waivers: those of the pin; the one that ends last decides.
        today: the date (UTC).
        expires: the last day of the card, ``2030-01-31``, or ``None``.

    Returns:
        The verdict with its waiver; with a reason that names one that does not hold any more; or as it was.
    """
    if verdict.status != "altered" or not verdict.state:
        return verdict
    if verdict.tensors.matches is not None and not verdict.files.changed:
        # only code can have broken this watermark, and the state is that of the unaltered encoder
        return verdict
    fitting = [waiver for waiver in waivers if waiver.state == verdict.state]
    if not fitting:
        return verdict
    last = max(fitting, key=lambda waiver: waiver.until)
    if today <= last.until:
        if expires is not None and today > date.fromisoformat(expires):
            unused = f"its waiver is not applied, as the card expired on {expires}: {last.reason}"
            return replace(verdict, reason=f"{verdict.reason}; {unused}")
        waiver = Accepted(last.reason, last.until.isoformat())
        advice = f"accepted until {waiver.until}: mint and lock a new card before, and take the waiver out"
        return replace(verdict, waiver=waiver, diagnosis=(*verdict.diagnosis[:-1], advice))
    ended = f"its waiver ended on {last.until.isoformat()}: {last.reason}"
    return replace(verdict, reason=f"{verdict.reason}; {ended}")
