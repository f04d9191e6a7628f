"""The table of faults: what is wrong, and how a check has to end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.scene import TOKEN, WEIGHTS, Place
from tests.hub_server import faults

ALL_ZERO = '"' + 64 * "0" + '"'


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        fault: what is wrong, in words.
        arrange: makes the repository, and what is wrong with it.
        status: what the command ends with.
        says: what its one line of error, or its report, has to hold; ``REPO`` stands for the repository.
        revision: that is asked for.
        own_card: whether the project has a card of the encoder.
        after: what the next check ends with, once the Hub is well again.
        pace: ``quick``, ``slow`` if the client waits and tries again, or ``stalled`` if nothing ever comes;
            each has a run of pytest of its own.
    """

    fault: str
    arrange: Callable[[Place], object]
    status: int
    says: tuple[str, ...]
    revision: str | None = None
    own_card: bool = True
    after: int = 0
    pace: str = "quick"

    @property
    def name(self) -> str:
        """The fault in a form that repositories and tests can be called by."""
        words = "".join(letter if letter.isalnum() else " " for letter in self.fault.lower())
        return "-".join(words.split())


def published(*spoil: Callable[[Place], object]) -> Callable[[Place], None]:
    """The encoder is on the Hub, and something is wrong."""

    def arrange(place: Place) -> None:
        place.publish()
        for act in spoil:
            act(place)

    return arrange


def renamed(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*entries, {**entries[0], "path": "../../outside.json"}]


def without_weights(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["path"] != WEIGHTS]


def other_digests(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**e, "lfs": {**e["lfs"], "oid": 64 * "0"}} if "lfs" in e else e for e in entries]


def lying_together(place: Place) -> None:
    """Page and files are the encoder's, but listing and weights are the attacker's."""
    commit = place.publish()
    attacked = {WEIGHTS: place.attacked[WEIGHTS]}
    place.scene.hub.commit(place.repo, attacked, branch="attack")
    place.page(faults.edited(lambda page: {**page, "sha": place.scene.hub.head(place.repo, "attack")}))
    assert place.scene.hub.head(place.repo) == commit


def attack(place: Place) -> None:
    place.publish()
    place.scene.hub.commit(place.repo, place.attacked, message="a small improvement")


def to_elsewhere(spoil: Callable[[Place, faults.Behaviour], object]) -> Callable[[Place], None]:
    """Send the client to another host, which has an answer to everything."""

    def arrange(place: Place) -> None:
        place.publish()
        place.scene.elsewhere.create(place.repo, place.attacked)
        spoil(place, faults.redirect(f"{place.scene.elsewhere.url}{{path}}"))

    return arrange


NOBODY = faults.status(401, "Invalid credentials in Authorization header")
STRANGER = faults.status(401, "Invalid username or password.", "RepoNotFound")
FORBIDDEN = faults.status(403, f"the token {TOKEN} may not read this")
BUSY = faults.status(429, "Too many requests", Retry_After="1")
MUCH_LATER = faults.status(429, "Too many requests", Retry_After="3600")
UNAVAILABLE = faults.status(503)
BROKEN = faults.status(500)
AGAIN = "try again"
LOG_IN = "hf auth login"

ACCESS = (
    Row("401: unknown token", published(lambda p: p.everywhere(NOBODY)), 3, ("REPO", "401", LOG_IN)),
    Row("401: private, no access", published(lambda p: p.everywhere(STRANGER)), 2, ("REPO", LOG_IN)),
    Row("403: forbidden", published(lambda p: p.everywhere(FORBIDDEN)), 3, ("REPO", "403", LOG_IN)),
    Row(
        "403: gated", lambda p: p.publish(gated=True), 3, ("REPO is gated", "accept its conditions"), after=3
    ),
    Row("404: repository", lambda _place: None, 2, ("REPO", "check the name"), after=2),
    Row("404: branch", published(), 2, ("REPO", "'missing'", "check the branch"), "missing", after=2),
    Row("404: commit", published(), 2, ("REPO", 40 * "f", "check the branch"), 40 * "f", after=2),
    Row(
        "404: file of the listing",
        published(lambda p: p.file("config.json", faults.status(404, "Entry not found", "EntryNotFound"))),
        3,
        ("REPO", AGAIN),
    ),
    Row(
        "404: no weights at all",
        lambda p: p.publish({"config.json": p.files["config.json"]}),
        2,
        ("REPO", "no weights", "give"),
        after=2,
    ),
)

BURSTS = (
    Row(
        "429 with Retry-After: page",
        published(lambda p: p.page(BUSY)),
        3,
        ("REPO", "429", AGAIN),
        pace="slow",
    ),
    Row("429 with Retry-After: weights, once", published(lambda p: p.transfer(BUSY, 1)), 0, ("AUTHENTIC",)),
    Row(
        "429 with Retry-After: weights, for ever",
        published(lambda p: p.transfer(BUSY)),
        3,
        ("REPO", "429", AGAIN),
        pace="slow",
    ),
    Row(
        "429 with a Retry-After of an hour: weights",
        published(lambda p: p.transfer(MUCH_LATER)),
        3,
        ("REPO", "429", AGAIN),
        pace="stalled",
    ),
    Row("500: everything", published(lambda p: p.everywhere(BROKEN)), 3, ("REPO", "500", AGAIN), pace="slow"),
    Row("500: weights", published(lambda p: p.transfer(BROKEN)), 3, ("REPO", "500", AGAIN)),
    Row("500: a file, twice", published(lambda p: p.file("config.json", BROKEN, 2)), 0, ("AUTHENTIC",)),
    Row("503: listing, for ever", published(lambda p: p.listing(UNAVAILABLE)), 3, ("REPO", "503", AGAIN)),
    Row("503: page, twice", published(lambda p: p.page(UNAVAILABLE, 2)), 0, ("AUTHENTIC",), pace="slow"),
    Row(
        "503: page, for ever",
        published(lambda p: p.page(UNAVAILABLE)),
        3,
        ("REPO", "503", AGAIN),
        pace="slow",
    ),
    Row("503: a file, twice", published(lambda p: p.file(WEIGHTS, UNAVAILABLE, 2)), 0, ("AUTHENTIC",)),
    Row(
        "503: a file, for ever",
        published(lambda p: p.file("config.json", UNAVAILABLE)),
        3,
        ("REPO",),
        pace="slow",
    ),
)

TRANSFERS = (
    Row(
        "reset in the middle of weights",
        published(lambda p: p.transfer(faults.reset(9000))),
        3,
        ("REPO", "network"),
    ),
    Row("reset before any answer", published(lambda p: p.everywhere(faults.reset())), 3, ("REPO", "network")),
    Row(
        "hang-up in the middle of weights, once",
        published(lambda p: p.transfer(faults.hang_up(9000), 1)),
        0,
        ("AUTHENTIC",),
    ),
    Row(
        "hang-up in the middle of weights, for ever",
        published(lambda p: p.transfer(faults.hang_up(9000))),
        3,
        ("REPO", "network"),
        pace="slow",
    ),
    Row(
        "stall in the weights, once",
        published(lambda p: p.transfer(faults.stall(9000), 1)),
        0,
        ("AUTHENTIC",),
    ),
    Row(
        "stall in the weights, for ever",
        published(lambda p: p.transfer(faults.stall(9000))),
        3,
        ("REPO",),
        pace="slow",
    ),
    Row(
        "stall of a file, once",
        published(lambda p: p.file("config.json", faults.stall(), 1)),
        0,
        ("AUTHENTIC",),
    ),
    Row(
        "stall of a file, for ever",
        published(lambda p: p.file("config.json", faults.stall())),
        3,
        ("REPO",),
        pace="stalled",
    ),
    Row("stall of the page", published(lambda p: p.page(faults.stall())), 3, ("REPO",), pace="stalled"),
    Row("stall of the listing", published(lambda p: p.listing(faults.stall())), 3, ("REPO",), pace="stalled"),
    Row(
        "announced length too large",
        published(lambda p: p.file(WEIGHTS, faults.headers(X_Linked_Size="99999"))),
        3,
        ("REPO", AGAIN),
    ),
    Row(
        "content too short",
        published(lambda p: p.transfer(faults.body(lambda b: b[:-9]))),
        3,
        ("REPO", AGAIN),
    ),
    Row(
        "content too long",
        published(lambda p: p.transfer(faults.body(lambda b: b + b"x"))),
        3,
        ("REPO", AGAIN),
    ),
)

LIES = (
    Row(
        "tampered weights of the same size",
        published(lambda p: p.transfer(faults.tampered())),
        4,
        (WEIGHTS, "SHA-256", ".refused: try again"),
    ),
    Row(
        "tampered tokenizer of the same size",
        published(lambda p: p.file("tokenizer.json", faults.tampered())),
        4,
        ("tokenizer.json", "SHA-1", ".refused: try again"),
    ),
    # right bytes under a wrong name in the cache: what counts is the bytes
    Row(
        "wrong ETag",
        published(lambda p: p.file(WEIGHTS, faults.headers(X_Linked_Etag=ALL_ZERO))),
        0,
        ("AUTHENTIC",),
    ),
    Row(
        "an ETag that leads outside",
        published(lambda p: p.file(WEIGHTS, faults.headers(X_Linked_Etag='"../../../../escaped"'))),
        4,
        ("REPO", "ETag", "HF_ENDPOINT"),
    ),
    Row(
        "a file's ETag that leads outside",
        published(lambda p: p.file("config.json", faults.headers(ETag='"../../../../escaped"'))),
        4,
        ("REPO", "ETag", "HF_ENDPOINT"),
    ),
    Row("another host for files", to_elsewhere(lambda p, b: p.every_file(b)), 3, ("REPO",)),
    Row("another host for the page", to_elsewhere(lambda p, b: p.page(b)), 2, ("REPO",)),
    Row("another host for everything", to_elsewhere(lambda p, b: p.everywhere(b)), 3, ("REPO",)),
    Row("HTML for the page", published(lambda p: p.page(faults.html())), 3, ("REPO", "HF_ENDPOINT")),
    Row("HTML for the listing", published(lambda p: p.listing(faults.html())), 3, ("REPO", "HF_ENDPOINT")),
    Row("HTML for a file", published(lambda p: p.file("config.json", faults.html())), 3, ("REPO",)),
    Row(
        "the page names no commit",
        published(lambda p: p.page(faults.edited(lambda page: {**page, "sha": "../../main"}))),
        3,
        ("REPO", "commit"),
    ),
    Row(
        "the listing hides the weights",
        published(lambda p: p.listing(faults.edited(without_weights))),
        2,
        ("REPO", "no weights"),
    ),
    Row(
        "the listing has other digests",
        published(lambda p: p.listing(faults.edited(other_digests))),
        4,
        (WEIGHTS, "SHA-256"),
    ),
    Row(
        "the listing leads outside",
        published(lambda p: p.listing(faults.edited(renamed))),
        4,
        ("REPO", "outside"),
    ),
    Row("page, listing and weights lie together", lying_together, 1, ("ALTERED", "encoder.layer.1")),
)

ATTACKS = (
    Row("consistent attack, own card", attack, 1, ("ALTERED", "encoder.layer.1"), after=1),
    Row(
        "consistent attack, its card",
        attack,
        3,
        ("INCONCLUSIVE", "self-asserted"),
        own_card=False,
        after=3,
    ),
)

ROWS: tuple[Row, ...] = (*ACCESS, *BURSTS, *TRANSFERS, *LIES, *ATTACKS)
