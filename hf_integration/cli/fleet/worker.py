"""The process that checks entries: a group comes in on a line, and what came of each entry goes out on one.

Entries of a group name one encoder, so it is loaded once, and run once for each card. Who has to have signed
what, pins and waivers are those of each entry.
"""

import copy
import gc
import json
import os
import sys
import time
from typing import IO, TYPE_CHECKING, Any, TypedDict

from hf_integration.base.children import end_with
from hf_integration.base.errors import ENDING, SSLAuthError, UsageError, in_one_line
from hf_integration.base.strict_json import strict_json
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.checking.finding import Asked, Project
from hf_integration.checking.held_card import Access
from hf_integration.checking.subject import Subject, load_subject

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.base.vocabulary import Precision
    from hf_integration.encoders import Encoder


class Settings(TypedDict):
    """How entries are checked: what the caller chose for all of them.

    Attributes:
        parent: process id of whoever waits.
        precision: arithmetic of the checks, or ``None``.
        budget: seconds for the key samples of an encoder, or ``None``.
        device: where encoders are loaded, or ``None``.
        accept_self_asserted: whether a card counts that only the checked repository vouches for.
    """

    parent: int
    precision: "Precision | None"
    budget: float | None
    device: str | None
    accept_self_asserted: bool


class Answer(TypedDict):
    """What came of one entry.

    Attributes:
        name: of the entry.
        verdict: as JSON values, or ``None`` where there is none.
        error: why there is none, or an empty string.
        exit_status: what ``sslauth verify NAME`` would end with.
        seconds: how long it took, loading included.
        peak: bytes of memory that this process has taken at most until now.
    """

    name: str
    verdict: dict[str, Any] | None
    error: str
    exit_status: int
    seconds: float
    peak: int


class Shared:
    """What the entries of one group have in common."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # one after another, as what a card says of its encoder has no hash
        self._encoders: list[tuple[tuple[str, dict[str, Any]], Encoder]] = []
        self._found: dict[tuple[Any, ...], Authentication] = {}

    def load(self, reference: str, *, name: str, **options: Any) -> "Encoder":
        """Load an encoder, or take the one that was loaded before, under the name of this entry."""
        from hf_integration.encoders import load_encoder

        key = (os.path.realpath(reference), options)
        loaded = next((encoder for known, encoder in self._encoders if known == key), None)
        if loaded is None:
            loaded = load_encoder(reference, name=name, **options)
            self._encoders.append((key, loaded))
        encoder = copy.copy(loaded)  # another object around the same model and processor
        encoder.name, encoder.publisher = name, None
        return encoder

    def check(self, subject: Subject) -> "Authentication":
        """Run an encoder against a card, or take what came of that before."""
        from hf_integration.authentication.trust import trust_in

        # it may follow from where the card was found, and cards of the same bytes may be in two places
        trust = subject.trust or trust_in(subject.card, subject.encoder)
        key = (id(subject.encoder.model), subject.encoder.modality, subject.card.digest, trust)
        if key not in self._found:
            self._found[key] = subject.authenticate(
                precision=self._settings["precision"],
                budget=self._settings["budget"],
                accept_self_asserted=self._settings["accept_self_asserted"],
            )
        return subject.judged(self._found[key])


def checked(name: str, shared: Shared, settings: Settings) -> Answer:
    """Check one entry; whatever happens is an answer."""
    begin = time.monotonic()
    verdict, error, status = None, "", int(ExitStatus.INTERNAL)
    try:
        access = Access(device=settings["device"])
        found = Project().find(Asked(encoder=name, own_card="fallback"))
        if found.encoder.pin is None or found.encoder.pin.name != name:  # a folder may have the same name
            raise UsageError(f"'{name}' is no entry any more", remedy="sslauth.toml was edited: try again")
        subject = load_subject(found, access, loader=shared.load)
        made = shared.check(subject).verdict
        verdict, status = made.to_dict(), int(made.exit_status)
    except ENDING:
        raise
    except SSLAuthError as problem:
        error, status = str(problem), problem.exit_status
    except MemoryError:
        error, status = "not enough memory for the check", ExitStatus.INCONCLUSIVE
    except BaseException as problem:  # of any library: one that panics must not end the other checks
        error = f"internal error: {in_one_line(problem)}"
    seconds = time.monotonic() - begin
    return Answer(
        name=name,
        verdict=verdict,
        error=error,
        exit_status=int(status),
        seconds=seconds,
        peak=_peak(),
    )


def _peak() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used << 10


def serve(lines: IO[bytes], answers: IO[bytes]) -> None:
    """Check group after group until there is none."""
    settings: Settings = json.loads(lines.readline())
    end_with(settings["parent"])
    for line in lines:
        shared = Shared(settings)
        for name in json.loads(line):
            answers.write(strict_json(checked(name, shared, settings), one_line=True).encode() + b"\n")
            answers.flush()
        del shared
        gc.collect()  # one encoder in memory at a time


def main() -> None:
    """Serve standard input and output; what a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
