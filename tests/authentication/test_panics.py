"""What a tokenizer in Rust may do to a process: it raises what is no ``Exception``, or never comes back."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hf_integration.authentication import Authenticator
from hf_integration.base.errors import KeySampleError
from hf_integration.encoders import load_encoder
from tests.encoders import tiny_models
from tests.encoders.test_refusals import edit_json
from tests.tiny_cards import mint_quickly, save_with_card


def test_a_tokenizer_that_panics_is_altered_where_its_file_differs(tmp_path: Path) -> None:
    _, card = save_with_card(tmp_path / "tiny", tmp_path / "card")
    copy = Path(shutil.copytree(tmp_path / "tiny", tmp_path / "copy"))
    content = json.loads((copy / "tokenizer.json").read_text())
    content["post_processor"]["special_tokens"] = {}
    (copy / "tokenizer.json").write_text(json.dumps(content))
    encoder = load_encoder(str(copy), device="cpu")
    with pytest.raises(KeySampleError, match="cannot be tokenised: PanicException"):
        encoder.embed(["the cat"])
    verdict = Authenticator(card=card, trust="local").authenticate(encoder).verdict
    assert verdict.status == "altered"
    assert "post_processor" in verdict.reason
    assert any("PanicException" in line for line in verdict.diagnosis)


def _step(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


BACKTRACKING = _step({"Regex": "(.*){1,30}[^ -~]"}, "")
OTHERS: dict[str, tuple[dict[str, Any], bool]] = {
    "a pattern": ({"normalizer": BACKTRACKING}, False),
    "a pattern that splits": (
        {"pre_tokenizer": BACKTRACKING | {"type": "Split", "behavior": "Isolated", "invert": False}},
        False,
    ),
    "growth": ({"normalizer": _step({"String": "a"}, "a" * 1000)}, False),
    "neither": ({"normalizer": _step({"String": "cat"}, "dog")}, True),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_steps_that_the_card_did_not_record_are_run_only_where_it_is_known_what_they_cost(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, card = save_with_card(tmp_path / "tiny", tmp_path / "card")
    settings, run = OTHERS[kind]
    edit_json("tokenizer.json", **settings)(tmp_path / "tiny")
    encoder = load_encoder(str(tmp_path / "tiny"), device="cpu")
    called = []
    tokenise = type(encoder.processor).__call__

    def listen(self: Any, *arguments: Any, **options: Any) -> Any:
        called.append(arguments)
        return tokenise(self, *arguments, **options)

    monkeypatch.setattr(type(encoder.processor), "__call__", listen)
    verdict = Authenticator(card=card, trust="local").authenticate(encoder).verdict
    assert verdict.status == "altered"
    assert bool(called) is run
    assert bool(verdict.key_samples.run) is run
    assert any("not known what it costs" in line for line in verdict.diagnosis) is not run


def test_a_pattern_that_the_card_recorded_is_run(tmp_path: Path) -> None:
    folder = tiny_models.save("bert", tmp_path / "tiny")
    edit_json("tokenizer.json", normalizer=_step({"Regex": " {2,}"}, " "))(folder)
    encoder, card = mint_quickly(folder, tmp_path / "card")
    verdict = Authenticator(card=card, trust="local").authenticate(encoder).verdict
    assert verdict.status == "authentic"
    assert verdict.key_samples.run == len(card.key_samples)
