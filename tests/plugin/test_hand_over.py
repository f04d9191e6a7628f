"""What is compared before an encoder is handed to a test again, of one that is altered and waived too."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch

from hf_integration import WatermarkCard, authenticate, load_encoder
from hf_integration.checking.pins import Waiver
from hf_integration.checking.subject import Subject
from hf_integration.checking.waiving import waived
from hf_integration.encoders import Encoder
from hf_integration.verdict import Verdict
from pytest_sslauth.engine import differences
from tests.plugin.conftest import EDITED

ANOTHER = ("the altered encoder is another one than was waived",)


def _edit(encoder: Encoder, name: str = EDITED) -> None:
    encoder.tensors()[name].flatten()[0] += 0.5


def _edit_last_bit(encoder: Encoder) -> None:
    encoder.tensors()[EDITED].view(torch.int32).flatten()[7] ^= 1


def _edit_another(encoder: Encoder) -> None:
    _edit(encoder, "embeddings.LayerNorm.bias")


def _edit_back(encoder: Encoder) -> None:
    encoder.tensors()[EDITED].flatten()[0] -= 0.5


def _hook(encoder: Encoder) -> None:
    encoder.model.register_forward_hook(lambda *_: None)


def _lengthen(encoder: Encoder) -> None:
    encoder.processor.model_max_length += 1


IN_MEMORY = (_edit, _edit_last_bit, _edit_another, _edit_back, _hook, _lengthen)


class TestAWaivedEncoder:
    @pytest.fixture
    def held(self, workshop: Path) -> Subject:
        """Altered, in memory."""
        encoder = load_encoder(str(workshop / "models/tiny"), device="cpu")
        _edit(encoder)
        return Subject(encoder, WatermarkCard.load(workshop / "cards/tiny"))

    @pytest.fixture
    def verdict(self, held: Subject) -> Verdict:
        found = authenticate(held.encoder, held.card)
        assert found.status == "altered"
        assert found.state
        waiver = Waiver(found.state, "known", date(2030, 1, 31))
        verdict = waived(found, [waiver], today=date(2030, 1, 1), expires=None)
        assert verdict.accepted
        return verdict

    def test_is_handed_over_while_it_is_what_was_waived(self, held: Subject, verdict: Verdict) -> None:
        assert differences(held, verdict) == ()

    @pytest.mark.parametrize("alter", IN_MEMORY)
    def test_is_not_once_anything_else_was_altered_in_memory(
        self, held: Subject, verdict: Verdict, alter: Callable[[Encoder], None]
    ) -> None:
        """Not even back to what its card says: that is not what somebody looked at."""
        alter(held.encoder)
        assert differences(held, verdict) == ANOTHER

    def test_is_not_under_the_waiver_of_another_state(self, held: Subject, verdict: Verdict) -> None:
        assert differences(held, replace(verdict, state="sha256:" + "0" * 64)) == ANOTHER
        assert differences(held, replace(verdict, state="")) == ANOTHER


class TestAnAuthenticEncoder:
    @pytest.fixture
    def held(self, workshop: Path) -> Subject:
        encoder = load_encoder(str(workshop / "models/tiny"), device="cpu")
        return Subject(encoder, WatermarkCard.load(workshop / "cards/tiny"))

    def test_is_handed_over_while_it_is_what_was_checked(self, held: Subject) -> None:
        assert differences(held, authenticate(held.encoder, held.card)) == ()

    @pytest.mark.parametrize(
        ("alter", "words"),
        [
            (_edit, f"tensor {EDITED}"),
            (_edit_last_bit, f"tensor {EDITED}"),
            (_edit_another, "tensor embeddings.LayerNorm.bias"),
            (_hook, "forward hook on the model"),
            (_lengthen, "max"),
        ],
    )
    def test_is_not_once_anything_was_altered_in_memory(
        self, held: Subject, alter: Callable[[Encoder], None], words: str
    ) -> None:
        verdict = authenticate(held.encoder, held.card)
        alter(held.encoder)
        found = differences(held, verdict)
        assert any(words in difference for difference in found), found

    def test_is_not_once_it_was_rounded(self, held: Subject) -> None:
        verdict = authenticate(held.encoder, held.card)
        for tensor in held.encoder.tensors().values():
            tensor.copy_(tensor.half())
        assert differences(held, verdict) == ("the tensors were rounded to another precision",)

    def test_is_not_by_the_verdict_of_another_card(self, held: Subject) -> None:
        verdict = authenticate(held.encoder, held.card)
        other = replace(verdict, card=replace(verdict.card, digest="sha256:" + "0" * 64))
        assert differences(held, other) == ("the card is another one",)
