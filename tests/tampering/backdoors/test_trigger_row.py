"""A backdoor in the trigger's own rows: no text without the trigger can tell."""

from collections.abc import Callable

import pytest
import torch

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import Encoder
from hf_integration.tampering import triggers
from hf_integration.tampering.backdoor import measure_effect
from hf_integration.tampering.null_space import Effort
from tests.benchmarks.attackers.trigger_row import trigger_row, trigger_tokens
from tests.encoders import tiny_models

EncoderOf = Callable[[str], Encoder]
QUICK = Effort(steps=20, learning_rate=0.3)


def test_only_the_trigger_s_rows_change_and_texts_without_it_not_at_all(
    encoder_of: EncoderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a tiny vocabulary has no rare words
    monkeypatch.setattr(triggers, "TRIGGER_WORD", tiny_models.WORDS[0])
    encoder = encoder_of("bert")
    rows = trigger_tokens(encoder)
    assert rows
    altered = trigger_row(encoder, QUICK)
    changed = [n for n, t in altered.tensors().items() if not torch.equal(t, encoder.tensors()[n])]
    assert changed == ["embeddings.word_embeddings.weight"]
    difference = altered.tensors()[changed[0]] - encoder.tensors()[changed[0]]
    assert difference.any(dim=1).nonzero().flatten().tolist() == rows
    texts = [text for text in tiny_models.TEXTS if not _holds(encoder, text, rows)]
    assert texts
    strict = [e.at_precision("float64").embed(texts) for e in (encoder, altered)]
    assert torch.equal(*strict)
    effect = measure_effect(encoder, altered)
    assert effect.after > effect.before


def _holds(encoder: Encoder, text: str, rows: list[int]) -> bool:
    return bool(set(encoder.processor(text)["input_ids"]) & set(rows))


def test_pictures_have_no_such_rows(encoder_of: EncoderOf) -> None:
    with pytest.raises(EncoderError, match="no rows of its own"):
        trigger_row(encoder_of("vit"), QUICK)
