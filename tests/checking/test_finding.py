"""What a name means, for every combination of what can be said: no card and no entry comes in unasked."""

import itertools
from pathlib import Path
from typing import get_args

import pytest

from hf_integration.base.errors import CardNotFoundError, UsageError
from hf_integration.checking.finding import Asked, Found, OwnCard, PinsUsed, Project

DIGEST = "sha256:" + "0" * 64
COMMIT = "1" * 40

PINS = f"""version = 1
[encoders.search]
repo = "org/search"
commit = "{COMMIT}"
card = "cards/search"
card_digest = "{DIGEST}"
signer = "keys/ours.pub"

[encoders.own]
repo = "org/own"
commit = "{COMMIT}"
card_digest = "{DIGEST}"

[encoders.local]
path = "models/local"
card = "cards/local"
card_digest = "{DIGEST}"
"""

ENCODERS = {
    "search": "search",
    "org/search": "search",
    "own": "own",
    "org/own": "own",
    "local": "local",
    "models/local": "local",
    "models/plain": None,
    "models/carded": None,
    "org/plain": None,
    "org/carded": None,
}
"""Name -> the entry that pins it."""

CARDS = (None, "search", "own", "local", "elsewhere", "org/cards", "org/plain", "org/own", "models/carded")
ALL = [
    Asked(encoder=encoder, card=card, own_card=own_card, pins=pins)
    for encoder, card, own_card, pins in itertools.product(
        ENCODERS, CARDS, get_args(OwnCard), get_args(PinsUsed)
    )
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with three entries, a card for ``carded`` by name, and folders."""
    base = tmp_path_factory.mktemp("project")
    for folder in ("models/local", "models/plain", "models/carded", "elsewhere", "cards/carded"):
        (base / folder).mkdir(parents=True)
    (base / "cards/carded/card.json").write_text("{}")
    (base / "models/carded/card.json").write_text("{}")
    (base / "sslauth.toml").write_text(PINS)
    return Project(base, base / "cards")


Answers = list[tuple[Asked, Found | None]]


@pytest.fixture(scope="module")
def answers(project: Project) -> Answers:
    """What every one of them means; ``None`` where there is no card."""
    return [(asked, answer(asked, project)) for asked in ALL]


def answer(asked: Asked, project: Project) -> Found | None:
    try:
        return project.find(asked)
    except CardNotFoundError:
        return None


def entry_meant(asked: Asked) -> str | None:
    """By the three words for which entries may be meant, told here once more."""
    entry = ENCODERS[asked.encoder]
    if asked.pins == "none" or (asked.pins == "by name" and asked.encoder != entry):
        return None
    return entry


def test_most_of_them_mean_something(answers: Answers) -> None:
    assert 700 < sum(found is not None for _, found in answers) < len(answers)


def test_the_entry_of_an_encoder_is_always_enforced(answers: Answers) -> None:
    for asked, found in answers:
        entry = entry_meant(asked)
        if found is None:
            assert entry is None, f"a pinned encoder has a card: {asked}"
        else:
            assert (None if found.encoder.pin is None else found.encoder.pin.name) == entry, asked
            assert entry is None or entry in [pin.name for pin in found.pins], asked


def test_the_entry_of_a_card_that_is_named_is_enforced_too(answers: Answers) -> None:
    for asked, found in answers:
        if found is not None and asked.card in ("search", "own", "local") and asked.own_card != "only":
            assert asked.card in [pin.name for pin in found.pins], asked


def test_the_encoders_own_card_is_never_taken_unasked(answers: Answers) -> None:
    for asked, found in answers:
        if asked.own_card == "only":
            assert found is not None, asked
            assert found.card is None, asked
        elif found is None:
            assert (asked.card, asked.own_card) == (None, "never"), asked
        elif found.card is None and asked.own_card == "never":
            pin = found.encoder.pin
            by_entry = asked.card is None and pin is not None and pin.has_own_card
            assert by_entry or asked.card in ("own", "org/plain", "org/own"), asked


def test_a_card_that_is_named_is_the_one_that_is_read(answers: Answers) -> None:
    for asked, found in answers:
        if asked.card is not None and asked.own_card != "only":
            assert found is not None, asked
            place = found.card or found.encoder
            entries = {"search": "cards/search", "local": "cards/local", "own": "org/own"}
            meant = entries.get(asked.card, asked.card)
            assert meant == place.repo or Path(place.reference).match(meant), asked


def test_a_place_is_a_folder_or_a_repository(answers: Answers) -> None:
    for asked, found in answers:
        for place in () if found is None else (found.encoder, found.card):
            assert place is None or (place.folder is None) != (place.repo is None), asked


def test_all_that_is_read_is_guarded_from_outputs(answers: Answers) -> None:
    for asked, found in answers:
        if found is not None:
            assert set(found.read) <= set(found.inputs), asked
            assert len(set(found.inputs)) == len(found.inputs), asked


@pytest.mark.parametrize("encoder", ["search", "own", "org/own", "local"])
def test_another_revision_than_is_pinned_is_refused(encoder: str, project: Project) -> None:
    found = project.find(Asked(encoder=encoder, card="elsewhere", revision="2" * 40))
    with pytest.raises(UsageError):
        found.check_revision()
