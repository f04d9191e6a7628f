"""The stages of the demonstration, in order; each must end as expected."""

import time
from dataclasses import dataclass
from pathlib import Path

from hf_integration.authentication import Authenticator
from hf_integration.base.errors import InconclusiveError, SSLAuthError
from hf_integration.base.output_files import write_whole
from hf_integration.card import WatermarkCard, save_card
from hf_integration.checking.finding import Asked, Project
from hf_integration.checking.subject import load_encoder_at
from hf_integration.cli.demonstration.project import TEST, DemoFolder, TestRun, run_tests, write_project
from hf_integration.cli.demonstration.result import DemoResult, effect_text
from hf_integration.cli.options import HubOptions
from hf_integration.cli.streams import Streams
from hf_integration.encoders import Encoder, load_encoder
from hf_integration.minting import mint
from hf_integration.report import JsonReporter, render
from hf_integration.report.card_summary import render_card
from hf_integration.report.pictures import write_picture
from hf_integration.tampering import Backdoor, Effect, save_altered
from hf_integration.tampering.backdoor import measure_effect
from hf_integration.tampering.saving import copy_folder
from hf_integration.verdict import Status, Verdict


class DemoError(SSLAuthError):
    """The demonstration did not end as it should: a wrong answer (exit status 70)."""


def demonstrate(reference: str, out: Path, streams: Streams, *, hub: HubOptions) -> DemoResult:
    """Mint, check, alter, and see the change caught.

    Args:
        reference: the encoder, a local folder or a Hub repository.
        out: folder for everything.
        streams: where to tell about it.
        hub: how the Hub is asked.

    Raises:
        DemoError: an untouched encoder failed, or an altered one passed.
        InconclusiveError: a check came to no conclusion.
        OutputError: ``out`` is not the demonstration's to replace, or cannot be written.
    """
    started = time.perf_counter()
    folder = DemoFolder(out)
    folder.check()
    place = Project().encoder(Asked(encoder=reference, pins="none"))
    encoder = load_encoder_at(place, hub.access(streams))
    folder.make()
    stages = Stages(folder, streams)
    card = stages.mint(encoder)
    untouched = stages.check_untouched(encoder, card)
    effect = stages.alter(encoder)
    altered = stages.check_altered(card)
    return DemoResult(encoder.name, folder, untouched, altered, effect, time.perf_counter() - started)


@dataclass(frozen=True)
class Stages:
    """The stages of one demonstration.

    Attributes:
        folder: where everything goes.
        streams: where to tell about it.
    """

    folder: DemoFolder
    streams: Streams

    def mint(self, encoder: Encoder) -> WatermarkCard:
        """Mint a card for the project and show its numbers."""
        self._headline("1 of 4: mint a watermark card from the untouched encoder")
        with self.streams.progress() as progress:
            card = save_card(mint(encoder, progress=progress), self.folder.card)
        self._show(render_card(card))
        return card

    def check_untouched(self, encoder: Encoder, card: WatermarkCard) -> Verdict:
        """Authenticate the project's copy, and let the project's own test do the same."""
        self._headline("2 of 4: authenticate the untouched encoder, then run a project's test suite on it")
        copy_folder(encoder, self.folder.encoder)
        write_project(self.folder.project)
        verdict = self._check(card, "authentic")
        self._show(TEST.rstrip())
        run = self._run_tests("authentic")
        if not run.passed:
            raise DemoError("the test failed on the untouched encoder", remedy=self._see("authentic"))
        return verdict

    def alter(self, encoder: Encoder) -> Effect:
        """Fine-tune a backdoor into a copy and put it where the project's encoder was."""
        self._headline("3 of 4: fine-tune a backdoor into the project's copy of the encoder")
        with self.streams.progress() as progress:
            altered = Backdoor.brief(encoder.modality)(encoder, progress=progress)
        replaced = save_altered(encoder, altered, self.folder.encoder)
        effect = measure_effect(encoder, altered)
        self.streams.say(f"{replaced} tensors were altered: {effect_text(effect)}")
        return effect

    def check_altered(self, card: WatermarkCard) -> Verdict:
        """The same check and the same test again."""
        self._headline("4 of 4: authenticate the altered encoder, then run the same test suite again")
        verdict = self._check(card, "altered")
        if verdict.first_broken_strip is None:
            raise DemoError("the altered encoder left the watermark intact", remedy=self._see("altered"))
        if not self._run_tests("altered").caught:
            raise DemoError("the test did not catch the altered encoder", remedy=self._see("altered"))
        return verdict

    def _check(self, card: WatermarkCard, expected: Status) -> Verdict:
        """Authenticate what the project would load now, and keep picture and reports."""
        encoder = load_encoder(str(self.folder.encoder))
        with self.streams.progress() as progress:
            authentication = Authenticator(card=card).authenticate(encoder, progress=progress)
        verdict = authentication.verdict
        write_picture(self.folder.pictures / f"{expected}.png", authentication, card)
        self._keep(f"{expected}.json", JsonReporter().render(verdict))
        self._keep(f"{expected}.txt", render(verdict))
        self._show(render(verdict))
        if verdict.status != expected:
            message = f"an encoder that should be {expected} was found {verdict.status}: {verdict.reason}"
            raise (InconclusiveError if verdict.status == "inconclusive" else DemoError)(message)
        return verdict

    def _run_tests(self, name: str) -> TestRun:
        self.streams.say(f"running pytest in {self.folder.project} ...")
        run = run_tests(self.folder.project)
        self._keep(f"pytest-{name}.txt", run.output)
        self._show(run.output.rstrip())
        return run

    def _keep(self, name: str, text: str) -> None:
        write_whole(self.folder.reports / name, f"{text}\n".encode())

    def _see(self, name: str) -> str:
        return f"see {self.folder.reports / f'pytest-{name}.txt'}"

    def _headline(self, text: str) -> None:
        self.streams.say("")
        self.streams.say(f"=== {text}")

    def _show(self, text: str) -> None:
        """Lines of a report or of another program, each made harmless on its way."""
        for line in text.splitlines():
            self.streams.say(f"  {line}")
