"""A tokenizer that panics in Rust raises what is no ``Exception``: that is a finding, not a crash."""

import json
import shutil
from pathlib import Path

import pytest

from hf_integration.authentication import Authenticator
from hf_integration.encoders import load_encoder
from hf_integration.errors import KeySampleError
from tests.tiny_cards import save_with_card


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
