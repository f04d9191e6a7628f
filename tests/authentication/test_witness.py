"""What a copy in float64 would not show, and what a few key samples through the encoder itself do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from hf_integration import authenticate
from hf_integration.encoders import Encoder
from tests.authentication.conftest import Minted

Mint = Callable[[str], Minted]


def by_dtype(encoder: Encoder) -> None:
    def hook(_module: Any, _inputs: Any, output: Any) -> Any:
        return output * 1.1 if output.dtype == torch.float32 else output

    encoder.model.encoder.layer[1].register_forward_hook(hook)


def compiled(encoder: Encoder) -> None:
    layer = encoder.model.encoder.layer[0]
    honest = layer._call_impl
    layer._compiled_call_impl = lambda *inputs, **named: honest(*inputs, **named) * 1.1


@pytest.mark.parametrize("alter", [by_dtype, compiled])
def test_code_that_a_float64_copy_does_not_run_is_seen(
    minted: Mint, alter: Callable[[Encoder], None]
) -> None:
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    alter(copy)
    verdict = authenticate(copy, card)
    assert verdict.status == "inconclusive"
    assert verdict.precision == "float32"
    assert verdict.first_broken_strip is not None


def test_a_patched_eager_kernel_is_seen(minted: Mint, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.bert import modeling_bert

    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    copy.model.set_attn_implementation("eager")
    assert authenticate(copy, card).authentic
    honest = modeling_bert.eager_attention_forward

    def patched(*inputs: Any, **named: Any) -> Any:
        output, weights = honest(*inputs, **named)
        return output * 1.5, weights

    monkeypatch.setattr(modeling_bert, "eager_attention_forward", patched)
    assert authenticate(copy, card).status == "inconclusive"


def test_hooks_that_do_nothing_leave_the_watermark_intact_in_float64_and_are_no_pass(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    copy.model.encoder.layer[1].register_forward_hook(lambda _m, _i, output: output)
    verdict = authenticate(copy, card)
    assert all(strip.intact for strip in verdict.strips)
    assert (verdict.status, verdict.precision) == ("inconclusive", "float64")


def test_a_hook_that_reads_rows_no_key_sample_looks_up_is_seen(
    minted: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_integration.encoders.running.precision_copy.LARGE", 1)
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    table = copy.model.embeddings.word_embeddings
    table.register_forward_hook(lambda m, _i, output: output + m.weight[-1] * 20)
    assert authenticate(copy, card).status == "inconclusive"


def test_token_types_that_are_not_0_are_altered(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    copy.model.embeddings.token_type_ids[:, -1] = 1
    assert authenticate(copy, card).tensors.unexpected == ("embeddings.token_type_ids",)


def test_positions_that_do_not_count_are_altered_even_where_no_key_sample_reaches(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    copy.model.embeddings.position_ids[:, -2:] = 0
    verdict = authenticate(copy, card)
    assert verdict.status == "altered"
    assert verdict.tensors.unexpected == ("embeddings.position_ids",)


def test_a_replaced_activation_is_named(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    copy.model.encoder.layer[1].intermediate.intermediate_act_fn = torch.nn.ReLU()
    verdict = authenticate(copy, card)
    assert verdict.status == "inconclusive"
    assert any("layer.1.intermediate.intermediate_act_fn is ReLU" in line for line in verdict.diagnosis)


def test_a_patch_that_fails_in_the_copy_is_an_open_question_and_named(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    layer = copy.model.encoder.layer[0].output.LayerNorm
    honest = layer.forward  # of the float32 module, also in a float64 copy
    layer.forward = lambda states: honest(states) * 1.1
    verdict = authenticate(copy, card)
    assert verdict.status == "inconclusive"
    assert verdict.reason.startswith("the key samples could not be run: RuntimeError")
    assert any("patched forward on encoder.layer.0.output.LayerNorm" in line for line in verdict.diagnosis)
    assert not any("processor" in line for line in verdict.diagnosis)
