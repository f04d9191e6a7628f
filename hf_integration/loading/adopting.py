"""Entries of ``sslauth.toml`` for what was loaded and never authenticated.

An entry says which encoder is meant and pins what was loaded. It does not say that anything was checked:
without a card it names the place of one that is still to be minted, and every check fails until it is there.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hf_integration.base.errors import CardNotFoundError, SSLAuthError, UsageError
from hf_integration.loading.advice import Advice, advice
from hf_integration.loading.observing import Load

if TYPE_CHECKING:
    from hf_integration.checking.finding import Project
    from hf_integration.checking.held_card import Access
    from hf_integration.checking.pins import Pins
    from hf_integration.checking.pins.editing import Entry


@dataclass(frozen=True)
class Adopted:
    """One encoder that was loaded, and what becomes of it.

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


def adopt(
    loads: Iterable[Load], pins: "Pins", project: "Project", access: "Access | None"
) -> tuple[tuple[Adopted, ...], str]:
    """Make entries of what was loaded; nothing that there is already is changed.

    The only place where it is decided what is suggested: ``sslauth adopt`` and the summary of
    ``--sslauth-observe`` both print what comes of it.

    Args:
        loads: what was loaded and never authenticated.
        pins: the entries that there are.
        project: where cards are looked up.
        access: how the Hub is asked for the cards of repositories; ``None`` leaves the Hub alone.

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
            is_new = text != pins.text and advice(load, pins).entry is not None
            note = f"once the entries above are added, {proposal.note}" if is_new else proposal.note
            found.append(Adopted(load, needs=(note,)))
            continue
        card, needs = _card(load, proposal, pins, project, access)
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


def _card(
    load: Load, proposal: Advice, pins: "Pins", project: "Project", access: "Access | None"
) -> tuple[dict[str, str], list[str]]:
    """Where the card of a new entry is, its digest, and what has to be done for want of one."""
    from hf_integration.checking.adding import relative_to
    from hf_integration.checking.finding import Asked
    from hf_integration.checking.held_card import Access, hold_card

    entry = proposal.entry or {}
    repo, commit = entry.get("repo"), entry.get("commit")
    pinned = commit if isinstance(commit, str) else None
    reference = load.place.path if repo is None else repo
    minted = relative_to(pins.file, project.cards / proposal.name, as_called=True)
    mint = _to_be_minted(proposal.name, str(repo or entry["path"]), pinned, minted)
    try:
        asked = Asked(encoder=str(reference), revision=pinned, own_card="fallback", pins="none")
        found = project.find(asked)
        if access is None and (found.card or found.encoder).folder is None:
            return {}, ["whether the repository holds a card was not asked: `sslauth adopt` does that"]
        held = hold_card(found, access or Access(), commit=pinned)
    except CardNotFoundError:
        return mint
    except SSLAuthError as error:
        place, needs = mint
        return place, [f"whether it has a card could not be found out: {error}", *needs]
    folder = None if found.card is None else found.card.folder
    place = {} if folder is None else {"card": relative_to(pins.file, folder, as_called=True)}
    check = f"nothing was checked yet: `sslauth verify {proposal.name}`, or pytest, does that"
    return {**place, "card_digest": held.card.digest}, [check]


def _to_be_minted(
    name: str, reference: str, commit: str | None, folder: str
) -> tuple[dict[str, str], list[str]]:
    revision = [] if commit is None else ["--revision", commit]
    mint = shlex.join(["sslauth", "mint", reference, *revision, "--out", folder])
    return {"card": folder}, [
        f"it has no card, and every check fails until it has one: `{mint}` from a copy that you trust, "
        f"then `sslauth lock {name}`"
    ]
