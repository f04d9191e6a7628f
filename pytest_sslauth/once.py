"""A check that was made, and how the workers of a run make each of them once."""

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import constants

from hf_integration.authentication.references import library_versions
from hf_integration.base.vocabulary import today
from hf_integration.checking.subject import Subject
from hf_integration.encoders.identity.in_process import in_any_class, on_every_module
from hf_integration.encoders.running.devices import choose_device
from pytest_sslauth.folders import content_digest, fingerprint
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import Outcome
from pytest_sslauth.shared import SharedResults


@dataclass
class Checked:
    """A check that was made, kept for the session.

    Attributes:
        folders: that were read.
        fingerprint: their state before that; another state makes the check out of date.
        outcome: what came out.
        subject: encoder and card in memory, while tests are handed the encoder.
        borrower: the test that the encoder was handed to last.
    """

    folders: tuple[Path | None, ...]
    fingerprint: object
    outcome: Outcome
    subject: Subject | None = None
    borrower: str = "nobody"


def check_once(
    shared: SharedResults | None, settings: Settings, asked: tuple[object, ...], check: Callable[[], Checked]
) -> Checked:
    """Make a check, unless another worker of the run made it: its result is as good as one's own.

    Args:
        shared: the results of all workers; ``None`` in a run of one process.
        settings: of the session.
        asked: all that distinguishes this check from others, besides settings, libraries and machine.
        check: makes it.
    """
    if shared is None:
        return check()
    name = result_name(settings, asked)
    with shared.turn(name):
        if (known := _known(shared, name)) is None:
            known = check()
            _share(shared, name, known)
    return known


def result_name(settings: Settings, asked: tuple[object, ...]) -> str:
    """A digest of all that decides what comes out of a check, besides the files, which are looked at."""
    device = settings.device or choose_device(None)
    # a worker may have another cache, or another Hub
    hub = (constants.HF_HUB_CACHE, constants.ENDPOINT)
    machine = (platform.python_version(), device, torch.backends.cpu.get_cpu_capability(), hub)
    whole = (asked, settings, today(), sorted(library_versions().items()), machine)
    return hashlib.sha256(repr(whole).encode("utf-8", "surrogateescape")).hexdigest()


def _known(shared: SharedResults, name: str) -> Checked | None:
    """What another worker found, if all that it read is the same here, and no code here has to be judged."""
    try:
        said = shared.read(name)
        if said is None or on_every_module() or in_any_class():
            return None
        folders = tuple(None if folder is None else Path(folder) for folder in said["folders"])
        before = fingerprint(folders)
        if content_digest(folders) != said["digest"]:
            return None
        return Checked(folders, before, Outcome.from_shared(said["outcome"]))
    except Exception:  # whatever is wrong with it: the check is made
        return None


def _share(shared: SharedResults, name: str, checked: Checked) -> None:
    """Leave a result to the others if it is about files that did not change, and not about this process."""
    verdict = checked.outcome.verdict
    if verdict is None or verdict.process:
        return
    try:
        digest = content_digest(checked.folders)
    except OSError:
        return
    if fingerprint(checked.folders) == checked.fingerprint:
        folders = [None if folder is None else str(folder) for folder in checked.folders]
        shared.write(name, {"folders": folders, "digest": digest, "outcome": checked.outcome.to_shared()})
