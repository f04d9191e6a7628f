"""Encoders in memory, copies in other precisions, and values that digests see."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from hf_integration.base.errors import EncoderError, UsageError
from hf_integration.encoders import Encoder, open_encoder, wrap_module
from hf_integration.encoders.identity.behaviour import Behaviour, Files
from hf_integration.encoders.identity.tensor_digests import cast_digests, digest_tensors
from tests.encoders import tiny_models
from tests.encoders.tiny_models import TEXTS


@pytest.fixture
def module() -> Any:
    return tiny_models.build("bert")


@pytest.fixture
def encoder(module: Any) -> Encoder:
    return wrap_module(module, tiny_models.tokenizer())


class TestWrappedModules:
    @pytest.mark.parametrize(
        ("name", "modality", "processor"),
        [
            ("bert", "text", tiny_models.tokenizer),
            ("vit", "image", tiny_models.image_processor),
            ("clip", "image", tiny_models.image_processor),
            ("clip", "text", tiny_models.tokenizer),
            ("siglip", "image", tiny_models.image_processor),
            ("wav2vec2", "audio", lambda: tiny_models.feature_extractor("wav2vec2")),
            ("whisper", "audio", lambda: tiny_models.feature_extractor("whisper")),
        ],
    )
    def test_equal_the_same_encoder_from_a_folder(
        self, name: str, modality: Any, processor: Any, tmp_path: Path
    ) -> None:
        loaded = open_encoder(tiny_models.save(name, tmp_path), name=name, modality=modality, device="cpu")
        wrapped = wrap_module(tiny_models.build(name), processor())
        samples = tiny_models.samples(modality)
        torch.testing.assert_close(wrapped.embed(samples), loaded.embed(samples))
        assert digest_tensors(wrapped.tensors()) == digest_tensors(loaded.tensors())
        assert loaded.behaviour().differences_to(wrapped.behaviour()) == {}

    def test_a_processor_of_another_kind_is_refused(self, module: Any) -> None:
        with pytest.raises(EncoderError, match="prepares no text"):
            wrap_module(module, tiny_models.image_processor())

    def test_a_model_below_a_head_that_is_no_part_of_it_is_refused(self, module: Any) -> None:
        head = transformers.BertForMaskedLM(module.config)
        assert digest_tensors(wrap_module(head, tiny_models.tokenizer()).tensors())
        object.__setattr__(head, "bert", module)
        with pytest.raises(EncoderError, match="no part of it"):
            wrap_module(head, tiny_models.tokenizer())

    def test_a_model_that_bears_its_family_s_name_does_not_stand_for_it(self, module: Any) -> None:
        object.__setattr__(module, "bert", tiny_models.build("bert"))
        expected = digest_tensors(wrap_module(tiny_models.build("bert"), tiny_models.tokenizer()).tensors())
        with torch.no_grad():
            module.embeddings.word_embeddings.weight.add_(1)
        assert digest_tensors(wrap_module(module, tiny_models.tokenizer()).tensors()) != expected

    def test_training_mode_is_left_for_the_run_and_restored(self, module: Any, encoder: Encoder) -> None:
        expected = encoder.embed(TEXTS)
        module.train()
        module.encoder.layer[0].eval()
        assert torch.equal(encoder.embed(TEXTS), expected)
        assert module.training
        assert not module.encoder.layer[0].training

    def test_hooks_are_named_but_not_those_of_transformers(self, module: Any, encoder: Encoder) -> None:
        list(encoder.observe(TEXTS))
        assert encoder.in_process_changes() == ()
        module.encoder.layer[1].register_forward_hook(lambda _module, _inputs, output: output)
        assert encoder.in_process_changes() == ("forward hook on encoder.layer.1",)

    def test_replaced_modules_are_named_and_nothing_within_them(self, module: Any, encoder: Encoder) -> None:
        assert encoder.in_process_changes() == ()
        layers = module.encoder.layer
        layers[0].intermediate.intermediate_act_fn = torch.nn.ReLU()
        layers[1].output.dense = torch.nn.Sequential(layers[1].output.dense, torch.nn.Tanh())
        module.added = torch.nn.Identity()
        assert encoder.in_process_changes() == (
            "encoder.layer.0.intermediate.intermediate_act_fn is ReLU instead of GELUActivation",
            "encoder.layer.1.output.dense is Sequential instead of Linear",
            "added is Identity where the configuration has nothing",
        )

    def test_patched_functions_are_named_but_not_a_class_s_own_put_onto_its_instance(
        self, module: Any, encoder: Encoder
    ) -> None:
        layers = module.encoder.layer
        layers[0].forward = layers[0].forward
        assert encoder.in_process_changes() == ()
        layers[0].forward = layers[1].forward
        assert encoder.in_process_changes() == ("patched forward on encoder.layer.0",)

    @pytest.mark.parametrize("holder", ["model", "embeddings", "config", "tokenizer"])
    @pytest.mark.parametrize("held", ["class", "module", "in a list"])
    def test_a_patched_class_is_named_although_something_holds_it(
        self, module: Any, encoder: Encoder, monkeypatch: pytest.MonkeyPatch, holder: str, held: str
    ) -> None:
        """What was met as a thing that is kept has not been looked at as what computes."""
        from transformers.models.bert import modeling_bert as code

        holders = {"model": module, "embeddings": module.embeddings, "config": module.config}
        owner = holders.get(holder, encoder.processor)
        kept = {"class": code.BertSelfOutput, "module": code, "in a list": [code.BertSelfOutput, code]}
        assert encoder.in_process_changes() == ()
        owner.note = kept[held]
        monkeypatch.setattr(code.BertSelfOutput, "forward", lambda _self, states, _: states)
        monkeypatch.setattr(code, "apply_chunking_to_forward", lambda *_, **__: None)
        assert encoder.in_process_changes() == (
            f"patched apply_chunking_to_forward of {code.__name__}",
            "patched forward of BertSelfOutput",
        )


class TestPrecisionCopies:
    @pytest.mark.parametrize(("kernel", "differs"), [("sdpa", False), ("eager", True)])
    def test_a_strict_copy_replaces_an_eager_kernel(
        self, module: Any, encoder: Encoder, kernel: str, differs: bool
    ) -> None:
        module.set_attn_implementation(kernel)
        assert encoder.copies_differ(()) == differs
        assert encoder.copies_differ(("patched forward on the model",))
        assert encoder.at_precision("float64").model.config._attn_implementation == "sdpa"

    def test_a_strict_copy_replaces_nothing_where_there_is_no_other_kernel(self, tmp_path: Path) -> None:
        residual = open_encoder(tiny_models.save("resnet", tmp_path), name="resnet", device="cpu")
        assert residual.model.config._attn_implementation == "eager"
        assert not residual.copies_differ(())

    def test_hooks_and_instance_patches_survive(self, module: Any, encoder: Encoder) -> None:
        honest = encoder.at_precision("float64").embed(TEXTS)
        handle = module.encoder.layer[0].register_forward_hook(lambda _module, _inputs, output: output * 1.5)
        assert (encoder.at_precision("float64").embed(TEXTS) - honest).abs().max() > 1e-3
        handle.remove()
        module.embeddings.dropout.forward = lambda states: states * 2
        assert (encoder.at_precision("float64").embed(TEXTS) - honest).abs().max() > 1e-3

    def test_the_original_stays_and_the_processor_is_shared(self, encoder: Encoder) -> None:
        before = digest_tensors(encoder.tensors())
        other = encoder.at_precision("float16")
        assert other.processor is encoder.processor
        assert digest_tensors(encoder.tensors()) == before
        assert other.description == encoder.description

    def test_ties_are_kept(self, module: Any, encoder: Encoder) -> None:
        module.encoder.layer[1].output.dense.weight = module.encoder.layer[0].output.dense.weight
        layers = encoder.at_precision("float64").model.encoder.layer
        assert layers[0].output.dense.weight is layers[1].output.dense.weight

    @pytest.mark.parametrize("weights", ["float16", "bfloat16"])
    def test_rounded_weights_keep_the_rounded_values_in_full_precision(
        self, weights: Any, encoder: Encoder
    ) -> None:
        rounded = encoder.at_precision("float64", weights=weights)
        assert digest_tensors(rounded.tensors()) == cast_digests(encoder.tensors(), getattr(torch, weights))
        assert rounded.at_precision("float64", weights=weights) is rounded

    def test_unknown_weights_are_a_usage_error(self, encoder: Encoder) -> None:
        with pytest.raises(UsageError, match="int4"):
            encoder.at_precision("float32", weights="int4")  # type: ignore[arg-type]

    def test_a_duplicate_can_be_edited_alone(self, encoder: Encoder) -> None:
        before = digest_tensors(encoder.tensors())
        twin = encoder.duplicate()
        next(iter(twin.tensors().values())).add_(1)
        assert digest_tensors(twin.tensors()) != before
        assert digest_tensors(encoder.tensors()) == before


def test_how_special_tokens_are_split_counts(encoder: Encoder) -> None:
    before = encoder.behaviour()
    encoder.processor.split_special_tokens = True
    assert before.differences_to(encoder.behaviour())


def test_remote_code_that_a_configuration_names_counts(module: Any, encoder: Encoder) -> None:
    before = encoder.behaviour()
    module.config.auto_map = {"AutoModel": "evil.Model"}
    assert any("auto_map" in line for line in before.differences_to(encoder.behaviour()).values())


def test_mel_filters_changed_after_loading_are_used() -> None:
    extractor = tiny_models.feature_extractor("whisper")
    encoder = wrap_module(tiny_models.build("whisper"), extractor)
    before = encoder.embed(tiny_models.samples("audio"))
    extractor.mel_filters = extractor.mel_filters * 0 + 1
    assert not torch.allclose(encoder.embed(tiny_models.samples("audio")), before)


def test_another_text_length_set_after_loading_is_another_behaviour(encoder: Encoder) -> None:
    before = encoder.behaviour()
    encoder.processor.model_max_length = 3
    assert before.differences_to(encoder.behaviour())


class TestDigests:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_do_not_depend_on_the_stored_dtype(self, dtype: torch.dtype) -> None:
        values = torch.randn(5, 3).bfloat16().half().float().bfloat16()
        assert digest_tensors({"a": values.to(dtype)}) == digest_tensors({"a": values.float()})

    def test_see_the_last_bit_the_shape_and_what_only_float64_holds(self) -> None:
        values = torch.randn(4, 3)
        digests = {
            digest_tensors({"a": variant})["a"]
            for variant in (
                values,
                torch.nextafter(values, torch.full_like(values, 9.0)),
                values.reshape(3, 4),
                values.double() + 1e-12,
                values.round().long(),
            )
        }
        assert len(digests) == 5

    def test_do_not_depend_on_strides(self) -> None:
        values = torch.randn(4, 3)
        assert digest_tensors({"a": values.T.contiguous().T}) == digest_tensors({"a": values})


def differences(recorded: Files, current: Behaviour) -> tuple[str, ...]:
    return tuple(Behaviour(recorded).differences_to(current).values())


class TestBehaviourComparison:
    def test_a_changed_key_is_one_line_with_control_characters_escaped(self) -> None:
        lines = differences({"a.json": {"k": "x"}}, Behaviour({"a.json": {"k": "\x1b[2J\n"}}))
        assert lines == ('a.json: k: "x" -> "\\u001b[2J\\n"',)

    @pytest.mark.parametrize("value", [None, False, 7])
    def test_a_new_key_that_says_nothing_is_no_difference(self, value: Any) -> None:
        current = Behaviour({"config.json": {"new": value}}, {"config.json": {"new": 7}})
        assert differences({"config.json": {}}, current) == ()

    def test_a_new_key_with_another_value_than_its_default_is_one(self) -> None:
        current = Behaviour({"config.json": {"new": 8}}, {"config.json": {"new": 7}})
        assert differences({"config.json": {}}, current) == ("config.json: new: (absent) -> 8",)

    def test_true_is_not_one(self) -> None:
        assert differences({"a": {"k": 1}}, Behaviour({"a": {"k": True}})) == ("a: k: 1 -> true",)

    def test_a_file_on_one_side_only_is_a_difference(self) -> None:
        assert differences({"a": {"k": 1}}, Behaviour()) == ("a: k: 1 -> (absent)",)

    def test_a_record_keeps_defaults_as_if_they_were_a_file(self) -> None:
        behaviour = Behaviour({"config.json": {"a": 1}, "b": {}}, {"config.json": {"a": 2}})
        record = {"config.json": {"a": 1}, "b": {}, "config.json (defaults)": {"a": 2}}
        assert behaviour.to_record() == record
        assert Behaviour.from_record(record) == behaviour
