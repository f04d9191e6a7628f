"""Which differences of two folders count, key by key."""

from typing import Any

import pytest

from hf_integration.encoders.identity.folder_comparison import FolderComparison, compare_folders
from hf_integration.encoders.identity.folder_record import FolderRecord, as_keys, flattened, whole
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


@pytest.mark.parametrize("new", [2, True, 1.0, "1", [1], {}])
def test_a_changed_key_is_a_change(new: Any) -> None:
    assert len(compared({"config.json": {"a": 1}}, {"config.json": {"a": new}}).changed) == 1


def test_a_file_may_say_what_was_in_effect_before() -> None:
    effect = {"config.json": {"a": 2}}
    found = compared({"config.json": {"a": 1}}, {"config.json": {"a": 2}}, in_effect=effect)
    assert found.changed == ()
    assert found.notes == ("config.json: a: 1 -> 2 (what was in effect before)",)
    assert not found.equal


def test_a_key_that_is_ignored_by_our_loader_is_a_change_all_the_same() -> None:
    effect = {"config.json": {"a": 2}}
    found = compared({"config.json": {"a": 1}}, {"config.json": {"a": 3}}, in_effect=effect)
    assert found.changed == ("config.json: a: 1 -> 3",)


def test_a_key_that_is_left_out_is_no_change_where_the_same_is_in_effect() -> None:
    effect = {"config.json": {"a": 1}}
    assert compared({"config.json": {"a": 1}}, {"config.json": {}}, in_effect=effect).changed == ()
    assert compared({"config.json": {"a": 1}}, {"config.json": {}}).changed


@pytest.mark.parametrize("nothing", [None, False, {}, [], ""])
def test_a_new_key_that_says_nothing_is_named(nothing: Any) -> None:
    found = compared({"config.json": {}}, {"config.json": {"new": nothing}})
    assert found.changed == ()
    assert len(found.notes) == 1


@pytest.mark.parametrize("name", ["vocab.txt", "sentencepiece.bpe.model", "tokenizer.model", "merges.txt"])
def test_a_vocabulary_that_appears_or_changes_is_a_change_and_one_that_is_gone_is_named(name: str) -> None:
    one, other = {name: whole(b"one")}, {name: whole(b"other")}
    assert compared({}, one).changed == (f"{name}: new",)
    assert compared(one, other).changed == (f"{name}: differs",)
    gone = compared(one, {})
    assert gone.changed == ()
    assert gone.notes[0].startswith(f"{name}: no longer there")


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
    found = compared({"tokenizer_config.json": was}, {"tokenizer_config.json": now}, same=same)
    assert bool(found.changed) != same


def test_a_class_of_another_family_counts_even_if_ours_prepares_the_same() -> None:
    was, now = {"tokenizer_class": "BertTokenizer"}, {"tokenizer_class": "CanineTokenizer"}
    assert compared({"tokenizer_config.json": was}, {"tokenizer_config.json": now}).changed


def test_a_processor_class_that_appears_counts() -> None:
    assert compared(
        {"tokenizer_config.json": {}}, {"tokenizer_config.json": {"processor_class": "B"}}
    ).changed


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
