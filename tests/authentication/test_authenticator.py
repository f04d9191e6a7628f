"""From encoder and card to verdict, on tiny encoders of every modality."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from hf_integration import Authenticator, WatermarkCard, authenticate, load_encoder, wrap_module
from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import PRECISIONS, Precision
from hf_integration.encoders import Encoder
from hf_integration.encoders.identity.behaviour import Behaviour
from tests.authentication.conftest import Minted
from tests.encoders import tiny_models

Mint = Callable[[str], Minted]

ARCHITECTURES = ("bert", "vit", "resnet", "wav2vec2", "whisper")


def _altered(encoder: Encoder, change: Callable[[torch.Tensor], Any], tensor: int = -3) -> Encoder:
    copy = encoder.duplicate()
    matrices = [found for found in copy.tensors().values() if found.ndim > 1]
    with torch.no_grad():
        change(matrices[tensor])
    return copy


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_untouched_encoder_is_authentic_in_every_precision(
    minted: Mint, architecture: str, precision: Precision
) -> None:
    encoder, _, card = minted(architecture)
    verdict = authenticate(encoder, card, precision=precision)
    assert verdict.status == "authentic", verdict.reason
    assert verdict.precision == precision
    assert verdict.margin is not None
    assert verdict.margin > 3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_float64_is_the_default_where_weights_are_at_hand(minted: Mint, architecture: str) -> None:
    encoder, _, card = minted(architecture)
    assert authenticate(encoder, card).precision == "float64"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_changed_weight_is_altered_and_its_tensor_is_named(minted: Mint, architecture: str) -> None:
    encoder, _, card = minted(architecture)
    names = [name for name, found in encoder.tensors().items() if found.ndim > 1]
    verdict = authenticate(_altered(encoder, lambda weight: weight.view(-1)[0].add_(0.1)), card)
    assert verdict.status == "altered"
    assert verdict.tensors.changed == (names[-3],)
    assert verdict.first_broken_strip is not None


def test_the_first_broken_strip_is_where_the_change_is(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    names = [name for name, found in encoder.tensors().items() if found.ndim > 1]
    first_of_layer_2 = next(place for place, name in enumerate(names) if "layer.1." in name)
    verdict = authenticate(_altered(encoder, lambda weight: weight.mul_(1.5), first_of_layer_2), card)
    assert verdict.first_broken_strip == "layer 2"
    assert all(strip.intact for strip in verdict.strips[:3])


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_a_copy_saved_in_half_precision_is_an_authentic_re_encoding(
    minted: Mint, half: Precision, tmp_path: Path
) -> None:
    encoder, folder, card = minted("bert")
    shutil.copytree(folder, tmp_path / "half")
    encoder.duplicate().model.to(getattr(torch, half)).save_pretrained(tmp_path / "half")
    copy = load_encoder(str(tmp_path / "half"), device="cpu")
    for precision in ("float64", "float32", half):
        verdict = authenticate(copy, card, precision=precision)
        assert verdict.status == "authentic", verdict.reason
        assert verdict.tensors.matches == half
        assert "re-encoding" in verdict.reason


def test_an_altered_copy_in_half_precision_is_altered(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    copy = _altered(encoder.at_precision("float16", weights="float16"), lambda weight: weight[0, 0].add_(0.5))
    assert authenticate(copy, card).status == "altered"


def test_saving_and_loading_and_other_shards_change_nothing(minted: Mint, tmp_path: Path) -> None:
    encoder, folder, card = minted("bert")
    shutil.copytree(folder, tmp_path / "again", ignore=shutil.ignore_patterns("*.safetensors"))
    encoder.model.save_pretrained(tmp_path / "again", max_shard_size="20KB")
    encoder.processor.save_pretrained(tmp_path / "again")
    assert len(list((tmp_path / "again").glob("*.safetensors"))) > 1
    verdict = authenticate(load_encoder(str(tmp_path / "again"), device="cpu"), card)
    assert verdict.status == "authentic", verdict.reason


def test_another_width_is_an_altered_encoder(minted: Mint, tmp_path: Path) -> None:
    _, _, card = minted("bert")
    verdict = authenticate(load_encoder(str(tiny_models.save("distilbert", tmp_path / "other"))), card)
    assert verdict.status == "altered"
    assert verdict.reason.startswith("another encoder than the card's: architecture distilbert")


def test_an_encoder_of_another_modality_is_altered_not_crashed_into(minted: Mint) -> None:
    assert authenticate(minted("vit").encoder, minted("bert").card).status == "altered"


def test_a_hook_over_equal_tensors_is_inconclusive_and_named(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    copy.model.encoder.layer[1].register_forward_hook(lambda _m, _i, output: output * 1.01)
    verdict = authenticate(copy, card)
    assert verdict.status == "inconclusive"
    assert verdict.margin is None
    assert any("forward hook" in line for line in verdict.diagnosis)
    assert Authenticator(card=card, clean_process=True).authenticate(copy).verdict.status == "altered"


def test_a_patched_activation_is_seen_by_the_watermark(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    copy = encoder.duplicate()
    copy.model.encoder.layer[0].intermediate.intermediate_act_fn = torch.nn.ReLU()
    assert authenticate(copy, card).status == "inconclusive"


def test_a_tokenizer_with_two_words_swapped_is_altered(minted: Mint, tmp_path: Path) -> None:
    _, folder, card = minted("bert")
    shutil.copytree(folder, tmp_path / "swapped")
    file = tmp_path / "swapped" / "tokenizer.json"
    text = file.read_text().replace('"cat"', '"\0"').replace('"dog"', '"cat"').replace('"\0"', '"dog"')
    file.write_text(text)
    verdict = authenticate(load_encoder(str(tmp_path / "swapped"), device="cpu"), card)
    assert verdict.status == "altered"
    assert any("tokenizer.json" in line for line in verdict.files.changed)
    assert verdict.first_broken_strip == "processor"


@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
def test_an_encoder_that_gives_no_numbers_is_never_authentic(minted: Mint, poison: float) -> None:
    encoder, _, card = minted("bert")
    verdict = authenticate(_altered(encoder, lambda weight: weight.fill_(poison)), card)
    assert verdict.status == "altered"
    assert all(strip.error < float("inf") for strip in verdict.strips)  # JSON has no infinity


def test_the_encoder_is_left_as_it_was(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    encoder.model.train()
    before = {name: found.clone() for name, found in encoder.tensors().items()}
    authenticate(encoder, card)
    assert encoder.model.training
    assert all(torch.equal(before[name], found) for name, found in encoder.tensors().items())
    encoder.model.eval()


def test_an_unknown_precision_is_a_usage_error(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    with pytest.raises(UsageError, match="float8"):
        authenticate(encoder, card, precision="float8")  # type: ignore[arg-type]


def test_a_card_inside_the_checked_folder_is_self_asserted(minted: Mint, tmp_path: Path) -> None:
    _, folder, card = minted("bert")
    shutil.copytree(folder, tmp_path / "encoder")
    card.save(tmp_path / "encoder" / "sslauth")
    own = WatermarkCard.load(tmp_path / "encoder" / "sslauth")
    encoder = load_encoder(str(tmp_path / "encoder"), device="cpu")
    verdict = authenticate(encoder, own)
    assert (verdict.status, verdict.trust) == ("inconclusive", "self-asserted")
    accepted = Authenticator(card=own, accept_self_asserted=True).authenticate(encoder).verdict
    assert (accepted.status, accepted.trust) == ("authentic", "self-asserted")


def test_so_is_one_beside_the_files_that_a_module_in_memory_was_loaded_from(
    minted: Mint, tmp_path: Path
) -> None:
    encoder, folder, card = minted("bert")
    shutil.copytree(folder, tmp_path / "encoder")
    card.save(tmp_path / "encoder" / "sslauth")
    model = transformers.AutoModel.from_pretrained(tmp_path / "encoder")
    held = wrap_module(model, encoder.processor)
    verdict = authenticate(held, WatermarkCard.load(tmp_path / "encoder" / "sslauth"))
    assert (verdict.status, verdict.trust) == ("inconclusive", "self-asserted")


def test_a_module_in_memory_cannot_stand_for_a_sentence_transformers_folder(minted: Mint) -> None:
    encoder, _, card = minted("bert")
    sentence = replace(card, behaviour=card.behaviour | Behaviour({"modules.json": {"0": "Transformer"}}))
    with pytest.raises(UsageError, match="neither its pooling"):
        authenticate(wrap_module(encoder.model, encoder.processor), sentence)


class TestExpiry:
    def test_an_expired_card_lets_nothing_pass(self, minted: Mint) -> None:
        encoder, _, card = minted("bert")
        dated = replace(card, expires="2030-01-31")
        good = Authenticator(card=dated, today=date(2030, 1, 31)).authenticate(encoder).verdict
        assert good.status == "authentic"
        late = Authenticator(card=dated, today=date(2030, 2, 1)).authenticate(encoder).verdict
        assert late.status == "inconclusive"
        assert "the card expired on 2030-01-31" in late.reason
        assert "get a new card" in late.diagnosis[-1]
        assert late.exit_status == 3

    def test_an_altered_encoder_is_altered_by_an_expired_card_too(self, minted: Mint) -> None:
        encoder, _, card = minted("bert")
        altered = _altered(encoder, lambda weight: weight.view(-1)[0].add_(0.1))
        verdict = authenticate(altered, replace(card, expires="2020-01-31"))
        assert verdict.status == "altered"
        assert verdict.reason.endswith("; besides, the card expired on 2020-01-31")

    def test_the_date_of_the_check_is_the_default(self, minted: Mint) -> None:
        encoder, _, card = minted("bert")
        assert authenticate(encoder, replace(card, expires="2020-01-31")).status == "inconclusive"
        assert authenticate(encoder, replace(card, expires="9999-12-31")).status == "authentic"
