"""Entries of ``sslauth.toml`` for what a report says was loaded and never authenticated.

An entry says which encoder is meant and pins what was loaded. It does not say that anything was checked:
without a card it names the place of one that is still to be minted, and every check fails until it is there.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import CardNotFoundError, SSLAuthError, UsageError
from hf_integration.loading.advice import advice
from hf_integration.loading.observing import Load

if TYPE_CHECKING:
    from hf_integration.checking.held_card import Access
    from hf_integration.checking.pins import Pins
    from hf_integration.checking.pins.editing import Entry


@dataclass(frozen=True)
class Adopted:
    """One encoder of a report, and what becomes of it.

    Attributes:
        load: how it was loaded or asked.
        name: of its new entry; empty where there is none.
        entry: its keys and values.
        needs: what is to be done before a check can pass, or why there is no entry.
    """

    load: Load
    name: str = ""
    entry: "Entry | None" = None
    needs: tuple[str, ...] = ()


def adopt(loads: Iterable[Load], pins: "Pins", access: "Access") -> tuple[tuple[Adopted, ...], str]:
    """Make entries of what was loaded; nothing that there is already is changed.

    Args:
        loads: what a report says.
        pins: the entries that there are.
        access: how the Hub is asked for cards.

    Returns:
        What becomes of each, and the new text of the file.
    """
    from hf_integration.checking.pins.editing import with_entry
    from hf_integration.checking.pins.reading import parse_pins

    found, text = [], pins.text
    for load in loads:
        now = parse_pins(text, pins.file) if text else pins
        proposal = advice(load, now)
        if proposal.entry is None:
            found.append(Adopted(load, needs=(proposal.note,)))
            continue
        card, needs = _card(proposal.name, proposal.entry, access)
        entry = _in_order({**proposal.entry, **card})
        try:
            text = with_entry(text, proposal.name, entry)
        except UsageError as error:
            found.append(Adopted(load, needs=(str(error),)))
            continue
        found.append(Adopted(load, proposal.name, entry, tuple(filter(None, (proposal.note, *needs)))))
    return tuple(found), text


def _in_order(entry: "Entry") -> "Entry":
    """As ``sslauth add`` writes entries."""
    order = ("repo", "path", "card", "commit", "card_digest", "endpoint")
    return {key: entry[key] for key in order if key in entry}


def _card(name: str, entry: "Entry", access: "Access") -> tuple[dict[str, str], list[str]]:
    """Where the card of a new entry is, its digest, and what has to be done for want of one."""
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.held_card import hold_card

    reference, commit = str(entry.get("repo") or entry["path"]), entry.get("commit")
    pinned = commit if isinstance(commit, str) else None
    try:
        asked = Asked(encoder=reference, revision=pinned, own_card="fallback", pins="none")
        found = Project().find(asked)
        held = hold_card(found, access, commit=pinned)
    except CardNotFoundError:
        return _to_be_minted(name, reference, pinned)
    except SSLAuthError as error:
        place, needs = _to_be_minted(name, reference, pinned)
        return place, [f"whether it has a card could not be found out: {error}", *needs]
    place = {} if found.card is None or found.card.folder is None else {"card": found.card.folder.as_posix()}
    check = f"nothing was checked yet: `sslauth verify {name}`, or pytest, does that"
    return {**place, "card_digest": held.card.digest}, [check]


def _to_be_minted(name: str, reference: str, commit: str | None) -> tuple[dict[str, str], list[str]]:
    folder = (Path("cards") / name).as_posix()
    revision = [] if commit is None else ["--revision", commit]
    mint = shlex.join(["sslauth", "mint", reference, *revision, "--out", folder])
    return {"card": folder}, [
        f"it has no card, and every check fails until it has one: `{mint}` from a copy that you trust, "
        f"then `sslauth lock {name}`"
    ]
