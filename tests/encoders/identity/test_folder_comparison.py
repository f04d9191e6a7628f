"""Which differences of two folders count, key by key."""

from pathlib import Path
from typing import Any

import pytest

from hf_integration.encoders.identity.folder_comparison import FolderComparison, compare_folders
from hf_integration.encoders.identity.folder_record import (
    WHOLE,
    FolderRecord,
    as_keys,
    flattened,
    read_files,
    recorded_name,
    whole,
)
from hf_integration.encoders.identity.inert import STANDARD_FILES, is_standard, why_inert

Files = dict[str, dict[str, Any]]


def compared(
    was: Files, now: Files, *, in_effect: Files | None = None, same: bool = True
) -> FolderComparison:
    before, after = FolderRecord(was, in_effect or {}), FolderRecord(now, in_effect or {})
    return compare_folders(before, after, same=lambda _: same)


def test_equal_files_differ_in_nothing() -> None:
    found = compared({"config.json": {"a": 1}}, {"config.json": {"a": 1}})
    assert (found.changed, found.notes, found.equal) == ((), (), True)


@pytest.mark.parametrize("new", [2, True, 1.5, "1", [1], {}, None])
def test_a_changed_key_is_a_change(new: Any) -> None:
    assert len(compared({"config.json": {"a": 1}}, {"config.json": {"a": new}}).changed) == 1


def test_a_file_may_say_what_was_in_effect_before() -> None:
    effect = {"config.json": {"a": 2}}
    found = compared({"config.json": {"a": 1}}, {"config.json": {"a": 2}}, in_effect=effect)
    assert found.changed == ()
    assert found.notes == ("config.json: a: 1 -> 2 (what was in effect before)",)
    assert not found.equal


@pytest.mark.parametrize(
    ("old", "new"), [(1, 1.0), (10000.0, 10000), ([1.0, {"a": 2}], [1, {"a": 2.0}]), (1e20, 10**20)]
)
def test_a_number_that_is_written_otherwise_is_named(old: Any, new: Any) -> None:
    for was, now in ((old, new), (new, old)):
        found = compared({"config.json": {"a": was}}, {"config.json": {"a": now}})
        assert found.changed == ()
        assert "the same number" in found.notes[0]
        assert not found.equal


@pytest.mark.parametrize(
    ("old", "new"),
    [(1, True), (0.0, False), (0.0, -0.0), (1.0, "1"), (0, None), (1e20, 10**20 + 1), ([1], [True])],
)
def test_what_is_no_number_or_another_one_is_a_change(old: Any, new: Any) -> None:
    for was, now in ((old, new), (new, old)):
        assert compared({"config.json": {"a": was}}, {"config.json": {"a": now}}).changed


@pytest.mark.parametrize("key", ["architectures", "dtype", "torch_dtype"])
def test_what_only_other_loaders_obey_is_in_effect_as_the_file_says_it(key: str) -> None:
    """The loader here takes a class and a dtype of its own, whatever these keys say."""
    effect: Files = {"config.json": {"architectures": "A", "dtype": "A", "torch_dtype": "A"}}
    harmful: list[tuple[dict[str, Any], dict[str, Any]]]
    harmful = [({key: "B"}, {key: "A"}), ({key: "B"}, {}), ({key: "A"}, {key: "B"}), ({}, {key: "B"})]
    for was, now in harmful:
        assert compared({"config.json": was}, {"config.json": now}, in_effect=effect).changed
    harmless: list[tuple[dict[str, Any], dict[str, Any]]]
    harmless = [({}, {key: "A"}), ({key: None}, {key: "A"}), ({key: "A"}, {})]
    for was, now in harmless:
        found = compared({"config.json": was}, {"config.json": now}, in_effect=effect)
        assert (found.changed, len(found.notes)) == ((), 1)


def test_a_key_that_is_ignored_by_our_loader_is_a_change_all_the_same() -> None:
    effect = {"config.json": {"a": 2}}
    found = compared({"config.json": {"a": 1}}, {"config.json": {"a": 3}}, in_effect=effect)
    assert found.changed == ("config.json: a: 1 -> 3",)


def test_a_key_that_is_left_out_is_no_change_where_the_same_is_in_effect() -> None:
    effect = {"config.json": {"a": 1}}
    assert compared({"config.json": {"a": 1}}, {"config.json": {}}, in_effect=effect).changed == ()
    assert compared({"config.json": {"a": 1}}, {"config.json": {}}).changed


NOTHING = pytest.mark.parametrize("nothing", [None, False, {}, [], ""])


@NOTHING
def test_a_key_that_says_nothing_may_come_and_go_where_its_object_was_loaded(nothing: Any) -> None:
    effect = {"config.json": {"other": 1}}
    for was, now in (({}, {"new": nothing}), ({"new": nothing}, {})):
        found = compared({"config.json": was}, {"config.json": now}, in_effect=effect)
        assert found.changed == ()
        assert len(found.notes) == 1


@NOTHING
@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("preprocessor_config.json", "do_rescale"),
        ("tokenizer_config.json", "do_lower_case"),
        ("processor_config.json", "video_processor.do_rescale"),
        ("./config.json", "tie_word_embeddings"),
    ],
)
def test_it_says_something_where_nobody_knows_the_default(nothing: Any, file: str, key: str) -> None:
    effect: Files = {
        "config.json": {"other": 1},
        "processor_config.json": {"image_processor.do_rescale": True},
    }
    for was, now in (({}, {key: nothing}), ({key: nothing}, {})):
        assert compared({file: was}, {file: now}, in_effect=effect).changed


def test_it_says_something_where_leaving_it_out_turns_the_setting_round() -> None:
    was = FolderRecord({"config.json": {"a": False}}, {"config.json": {"a": False}})
    now = FolderRecord({"config.json": {}}, {"config.json": {"a": True}})
    assert compare_folders(was, now, same=lambda _: True).changed


@pytest.mark.parametrize("name", [*STANDARD_FILES, "model-*-of-*.safetensors"])
def test_what_lies_at_the_root_beside_the_model_is_compared_without_excuses(name: str) -> None:
    file = f"./{name.replace('*', 'x')}"
    rest: Files = {"./notes.json": {}, "./x.bpe": whole(b"rest"), "./x.spm": whole(b"rest")}
    one, other = {**rest, file: whole(b"one")}, {**rest, file: whole(b"other")}
    effect = {file.removeprefix("./"): {WHOLE: other[file][WHOLE]}}
    gone = {key: value for key, value in one.items() if key != file}
    for was, now in ((one, other), (gone, one), (one, gone)):
        assert compared(was, now, in_effect=effect).changed
    assert compared(one, {}).changed == ()  # the model lies at the root now
    assert len(compared(one, {}).notes) == len(one)
    assert compared(one, {key: value for key, value in one.items() if key != "./notes.json"}).changed == ()


@pytest.mark.parametrize("name", ["vocab.txt", "sentencepiece.bpe.model", "tokenizer.model", "merges.txt"])
def test_a_vocabulary_that_appears_or_changes_is_a_change_and_one_that_is_gone_is_named(name: str) -> None:
    one, other = {name: whole(b"one")}, {name: whole(b"other")}
    assert compared({}, one).changed == (f"{name}: new",)
    assert compared(one, other).changed == (f"{name}: differs",)
    gone = compared(one, {})
    assert gone.changed == ()
    assert gone.notes[0].startswith(f"{name}: missing, or no longer read")


def test_a_vocabulary_that_says_what_is_in_effect_may_appear() -> None:
    files = {"vocab.txt": whole(b"a\nb\n")}
    assert compared({}, files, in_effect=files).changed == ()


def test_a_file_that_no_standard_loader_opens_is_named() -> None:
    found = compared({"data_config.json": {"a": 1}}, {"data_config.json": {"a": 2}, "notes.json": {"b": 1}})
    assert found.changed == ()
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("config.json", "hidden_dropout_prob"),
        ("config.json", "text_config.layerdrop"),
        ("config.json", "mask_time_prob"),
        ("config.json", "transformers_version"),
        ("preprocessor_config.json", "use_fast"),
    ],
)
def test_an_inert_key_is_named_with_the_reason(file: str, key: str) -> None:
    found = compared({file: {key: 1}}, {file: {key: 2}})
    assert found.changed == ()
    assert why_inert(file, key)
    assert str(why_inert(file, key)) in found.notes[0]
    assert found.equal


def test_the_load_dtype_counts_unless_the_weights_are_stored_so() -> None:
    effect = {"config.json": {"dtype": "float32"}}
    was = FolderRecord({"config.json": {}}, effect, dtype="float32")
    files = {"config.json": {"dtype": "bfloat16"}}
    alone = compare_folders(was, FolderRecord(files, effect, dtype="float32"), same=lambda _: True)
    assert alone.changed == ('config.json: dtype: (absent) -> "bfloat16"',)
    stored = compare_folders(was, FolderRecord(files, effect, dtype="bfloat16"), same=lambda _: True)
    assert stored.changed == ()


@pytest.mark.parametrize("same", [True, False])
def test_another_class_counts_unless_it_prepares_the_same(same: bool) -> None:
    was, now = {"tokenizer_class": "BertTokenizer"}, {"tokenizer_class": "PreTrainedTokenizerFast"}
    effect: Files = {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}}
    files = {"tokenizer_config.json": was}, {"tokenizer_config.json": now}
    assert bool(compared(*files, in_effect=effect, same=same).changed) != same
    assert compared(*files).changed  # nobody loaded either


def test_a_class_of_another_generation_is_named_also_where_nobody_loaded_it() -> None:
    key = "image_processor_type"
    was, now = {key: "CLIPImageProcessor"}, {key: "CLIPImageProcessorFast"}
    found = compared({"preprocessor_config.json": was}, {"preprocessor_config.json": now})
    assert (found.changed, len(found.notes)) == ((), 1)


def test_a_longest_text_that_is_left_out_counts_where_no_tokenizer_was_loaded() -> None:
    was, now = {"model_max_length": 48}, {"other": None}
    assert compared({"tokenizer_config.json": was}, {"tokenizer_config.json": now}).changed


def test_a_class_of_another_family_counts_even_if_ours_prepares_the_same() -> None:
    was, now = {"tokenizer_class": "BertTokenizer"}, {"tokenizer_class": "CanineTokenizer"}
    assert compared({"tokenizer_config.json": was}, {"tokenizer_config.json": now}).changed


def test_a_processor_class_that_appears_counts() -> None:
    assert compared(
        {"tokenizer_config.json": {}}, {"tokenizer_config.json": {"processor_class": "B"}}
    ).changed


@pytest.mark.parametrize(
    ("name", "one", "other", "alike"),
    [
        ("vocab.txt", b"a\nb\n", b"a\r\nb\r\n", True),
        ("vocab.txt", b"a\nb\n", b"a\nb", True),
        ("vocab.txt", b"a\nb\n", b"a\r\nb", True),
        ("vocab.txt", b"a\nb\n", b"a\rb\n", False),
        ("vocab.txt", b"a\nb\n", b"a\nb\n\n", False),
        ("vocab.txt", b"a\n", b"a\r\r\n", False),
        ("vocab.txt", b"a\r", b"a\r\r\n", False),
        ("vocab.txt", b"", b"\n", False),
        ("merges.txt", b"a b\nc d\n", b"a b\r\nc d\r\n", True),
        ("merges.txt", b"a b\nc d\n", b"a b\nc d", False),
        ("tokenizer.model", b"a\nb\n", b"a\r\nb\r\n", False),
    ],
)
def test_line_ends_are_told_apart_where_a_reader_does(
    name: str, one: bytes, other: bytes, alike: bool, tmp_path: Path
) -> None:
    found = []
    for content in (one, other):
        (tmp_path / name).write_bytes(content)
        found.append(read_files(tmp_path, [name]))
    assert (found[0] == found[1]) == alike


def test_every_file_has_a_name_of_its_own_in_the_record() -> None:
    files = ("config.json", "model.safetensors", "1_P/config.json", "additional_chat_templates/a.jinja")
    names = [*files, *(f"0_T/{name}" for name in files), "modules.json", "0_T/modules.json"]
    for model in ("", "0_T", "1_P", "0_T/1_P"):
        recorded = [recorded_name(name, model) for name in names]
        assert len(set(recorded)) == len(names)
        below = f"{model}/" if model else ""
        assert recorded_name(f"{below}config.json", model) == "config.json"
        assert recorded_name("modules.json", model) == "modules.json"


def test_weights_that_have_no_digests_are_recorded_as_a_whole(tmp_path: Path) -> None:
    for name in ("model.safetensors", "other.safetensors"):
        (tmp_path / name).write_bytes(name.encode())
    found = read_files(tmp_path, ["model.safetensors", "other.safetensors"], digested={"model.safetensors"})
    assert found == {"other.safetensors": whole(b"other.safetensors")}


def test_nested_keys_have_names_of_their_own() -> None:
    assert flattened({"a": {"b": {"c": 1}}, "d": [{"e": 2}]}) == {"a.b.c": 1, "d": [{"e": 2}]}
    assert flattened({"a.b": 1, "a": {"b": 2}}) == {"a\\.b": 1, "a.b": 2}
    assert list(as_keys("vocab.json", {str(n): n for n in range(300)})) == ["(whole file)"]


def test_every_name_that_is_called_standard_is_recognised() -> None:
    for pattern in STANDARD_FILES:
        assert is_standard(pattern.replace("*", "x"))
    assert not is_standard("train_results.json")


@pytest.mark.parametrize("key", ["\x1b[31m", "a\u202eb", "x" * 500])
def test_a_key_that_would_steer_a_terminal_is_recorded_by_its_digest(key: str) -> None:
    (name,) = flattened({key: 1})
    assert name.startswith("sha256:")
    assert flattened({key: 1}) != flattened({f"{key}x": 1})


def test_added_tokens_are_one_value_as_tokens_may_be_any_text() -> None:
    assert list(as_keys("added_tokens.json", {"\n": 1, "\u200d": 2})) == ["(whole file)"]
