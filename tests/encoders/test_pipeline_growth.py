"""A tokenizer that could make a long text of a short one is refused before it sees any."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from hf_integration.base.errors import EncoderError, KeySampleError
from hf_integration.encoders import load_encoder
from hf_integration.encoders.modalities.pipeline_growth import (
    MOST_ADDED,
    MOST_GROWTH,
    MOST_STEPS,
    growth,
    is_costly,
)
from hf_integration.encoders.modalities.sentence_modules import LONGEST_PROMPT
from tests.encoders import tiny_models
from tests.encoders.test_refusals import edit_json
from tests.encoders.test_sentence_folders import write


def sequence(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(steps)}


def before(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(steps)}


def replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def precompiled(*texts: bytes) -> dict[str, Any]:
    table = (4).to_bytes(4, "little") + bytes(4) + b"\0".join((*texts, b""))
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()}


TEN = replace({"String": "a"}, "a" * 10)
BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}
META = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
LETTERS = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}
# NFKD makes 18 characters of the second, and three of them are the first
LIGATURE = replace({"String": "\u0627"}, "\ufdfa")

HOSTILE: dict[str, dict[str, Any]] = {
    "Replace in a row": {"normalizer": sequence(*[TEN] * 9)},
    "Replace in nested sequences": {"normalizer": sequence(sequence(*[TEN] * 4), sequence(*[TEN] * 5))},
    "one Replace": {"normalizer": replace({"String": "a"}, "a" * (MOST_GROWTH + 1))},
    "Replace of a pattern": {"normalizer": sequence(*[replace({"Regex": "."}, "aaaa")] * 9)},
    "Replace of nothing": {"normalizer": sequence(*[replace({"String": ""}, "aa")] * 9)},
    "Replace between Unicode's tables": {"normalizer": sequence(*[LIGATURE, {"type": "NFKD"}] * 5)},
    "Prepend": {"normalizer": {"type": "Prepend", "prepend": "a" * MOST_GROWTH}},
    "Precompiled": {"normalizer": precompiled(b"a", b"b" * (MOST_GROWTH + 1))},
    "Precompiled in a row": {"normalizer": sequence(*[precompiled(b"b" * 33)] * 3)},
    "ByteLevel in a row": {"normalizer": sequence(*[{"type": "ByteLevel"}] * 30)},
    "ByteLevel in front of the vocabulary": {"pre_tokenizer": before(*[BYTES] * 30)},
    "Metaspace": {"pre_tokenizer": before(*[LETTERS, META] * 30)},
    "both": {"normalizer": sequence(*[TEN] * 3), "pre_tokenizer": before(*[BYTES] * 3)},
    "too many steps": {"normalizer": sequence(*[{"type": "Lowercase"}] * (MOST_STEPS + 1))},
    "a step that is not known": {"normalizer": {"type": "Repeat", "times": 2}},
    "added tokens": {
        "normalizer": sequence(*[TEN] * 4),
        "added_tokens": [{"id": 9, "content": "a" * (MOST_ADDED // 10**4 + 1), "normalized": True}],
    },
}

XLM_ROBERTA = sequence(precompiled("صلى الله عليه وسلم".encode()), replace({"Regex": " {2,}"}, " "))
ALBERT = sequence(
    *(replace({"String": quotes}, '"') for quotes in ("``", "''")),
    *({"type": name} for name in ("NFKD", "StripAccents", "Lowercase")),
    *XLM_ROBERTA["normalizers"],
)
GENUINE: dict[str, dict[str, Any]] = {
    "none": {},
    "XLM-RoBERTa": {"normalizer": XLM_ROBERTA, "pre_tokenizer": META},
    "ALBERT": {"normalizer": ALBERT, "pre_tokenizer": before({"type": "WhitespaceSplit"}, META)},
    "Llama": {
        "normalizer": sequence({"type": "Prepend", "prepend": "\u2581"}, replace({"String": " "}, "\u2581"))
    },
    "quotes": {"normalizer": sequence(*[replace({"String": "\u2019"}, "'")] * 200)},
    "GPT-2": {"pre_tokenizer": before(LETTERS, BYTES)},
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save("bert", tmp_path_factory.mktemp("bert"))


@pytest.fixture
def copy(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "copy"))


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_could_make_a_text_very_long_is_refused_in_one_line(kind: str, copy: Path) -> None:
    edit_json("tokenizer.json", **HOSTILE[kind])(copy)
    with pytest.raises(EncoderError, match=r"tokenizer\.json: .*(normalizer|not known)") as caught:
        load_encoder(str(copy), device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", GENUINE)
def test_what_tokenizers_do_is_not(kind: str) -> None:
    assert growth(GENUINE[kind]) <= MOST_GROWTH


@pytest.mark.parametrize("module", [normalizers, pre_tokenizers])
def test_every_step_that_the_library_knows_is_known_here(module: Any) -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "Replace": ("a", "b"),
        "Prepend": ("a",),
        "CharDelimiterSplit": ("a",),
        "Split": ("a", "isolated"),
        "Sequence": ([],),
        "Precompiled": (base64.b64decode(precompiled(b"a")["precompiled_charsmap"]),),
    }
    part = {normalizers: "normalizer", pre_tokenizers: "pre_tokenizer"}[module]
    names = [name for name in vars(module) if isinstance(vars(module)[name], type)]
    assert len(names) > 10
    for name in set(names) - {"Normalizer", "PreTokenizer"}:
        step = vars(module)[name](*arguments.get(name, ()))
        assert growth({part: json.loads(step.__getstate__())}) >= 1, name


REAL = {
    "Replace": [TEN] * 3,
    "Replace of a pattern": [replace({"Regex": "x*"}, "bcd")] * 2,
    "Replace of nothing": [replace({"String": ""}, "bcd")] * 2,
    "Replace between Unicode's tables": [LIGATURE, {"type": "NFKD"}] * 2,
    "Unicode's tables in a row": [{"type": name} for name in ("NFKD", "Lowercase", "NFC", "NFKC", "NFD")],
    "ByteLevel": [{"type": "ByteLevel"}] * 5,
    "Prepend": [{"type": "Prepend", "prepend": "abc"}] * 3,
    "BertNormalizer": [json.loads(normalizers.BertNormalizer().__getstate__())] * 3,
}


@pytest.mark.parametrize("kind", REAL)
@pytest.mark.parametrize(
    "text", ["a" * 9, "\u0627" * 9, "\ufdfa", "\u00e9" * 9, "\u0130\u023a", "\ud55c\u5b57"]
)
def test_the_library_makes_no_more_of_a_text_than_was_counted(kind: str, text: str) -> None:
    pipeline = json.loads(Tokenizer(models.BPE()).to_str()) | {"normalizer": sequence(*REAL[kind])}
    normalizer = Tokenizer.from_str(json.dumps(pipeline)).normalizer
    made = normalizer.normalize_str(text)
    assert len(made.encode()) <= growth(pipeline) * (len(text.encode()) + 1)


def test_a_regular_expression_and_much_growth_are_costly() -> None:
    assert is_costly({"pre_tokenizer": before(LETTERS)})
    assert is_costly({"normalizer": sequence(TEN, TEN, TEN)})
    assert is_costly({"normalizer": {"type": "Repeat"}})
    assert not is_costly({"normalizer": sequence(TEN, replace({"String": "a"}, "b"))})


def test_a_vocabulary_in_another_format_is_bounded_by_what_was_made_of_it(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_integration.encoders.files import loading

    load = loading.load_tokenizer

    def with_steps(folder: Path) -> Any:
        tokenizer = load(folder)
        step = normalizers.Replace("a", "a" * 10)
        tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([step] * 9)
        return tokenizer

    monkeypatch.setattr(loading, "load_tokenizer", with_steps)
    with pytest.raises(EncoderError, match="times as long"):
        load_encoder(str(copy), device="cpu")


def test_a_template_that_repeats_the_text_gives_no_more_tokens_than_the_model_takes(copy: Path) -> None:
    content = json.loads((copy / "tokenizer.json").read_text())
    content["post_processor"]["single"] *= 500
    (copy / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(KeySampleError, match=r"tokens, and \d+ are the most"):
        load_encoder(str(copy), device="cpu").embed(["the cat"])


def test_a_prompt_is_no_book(tmp_path: Path) -> None:
    for length in (LONGEST_PROMPT, LONGEST_PROMPT + 1):
        settings = {"prompts": {"query": "a" * length}, "default_prompt_name": "query"}
        folder = write(tmp_path / str(length), "Pooling", config_sentence_transformers=settings)
        if length == LONGEST_PROMPT:
            load_encoder(str(folder), device="cpu").embed(["cat"])
    with pytest.raises(EncoderError, match="longer than any encoder has"):
        load_encoder(str(folder), device="cpu")


LOADED = """
import resource, sys
from hf_integration.encoders import load_encoder
encoder = load_encoder(sys.argv[1], device="cpu")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (3 << 30),) * 2)
encoder.embed(["a" * 200] * 4)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts memory as Linux does")
def test_what_may_be_run_runs_in_little_memory(copy: Path) -> None:
    edit_json("tokenizer.json", normalizer=sequence(*[TEN] * 4))(copy)
    subprocess.run([sys.executable, "-c", LOADED, str(copy)], check=True, timeout=300)
