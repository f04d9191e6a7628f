"""What may happen to a project that ships other people's encoders: each of these turns its tests red."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

WEIGHTS = Path("model.safetensors")
LAYER = "encoder.layer.1.output.dense.weight"


@dataclass(frozen=True)
class Alteration:
    """One of them.

    Attributes:
        what: in words.
        apply: does it, given a copy of the project.
        said: what the run then says, besides which encoder it is.
        server: the folder that the embedding server answers with, if it is not the reviewed one.
        arguments: of pytest besides.
        status: with which pytest ends.
    """

    what: str
    apply: Callable[[Path], object]
    said: str
    server: str | None = None
    arguments: tuple[str, ...] = ()
    status: int = 1


def _tensors(folder: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    with safe_open(folder / WEIGHTS, framework="pt") as stored:
        metadata = stored.metadata()
    tensors = load_file(folder / WEIGHTS)
    edit(tensors)
    save_file(tensors, folder / WEIGHTS, metadata=metadata)


def _json(file: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(file.read_text(encoding="utf-8"))
    edit(values)
    file.write_text(json.dumps(values), encoding="utf-8")


def _one_bit(project: Path) -> None:
    """Flip the last bit of the last number in the file."""
    file = project / "models/search" / WEIGHTS
    data = bytearray(file.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    places = [
        said["data_offsets"] for name, said in json.loads(data[8 : 8 + length]).items() if name == LAYER
    ]
    data[8 + length + places[0][0]] ^= 1
    file.write_bytes(data)


def _fine_tuned(project: Path) -> None:
    from hf_integration import load_encoder
    from hf_integration.encoders.running.torch_encoder import TorchEncoder
    from hf_integration.tampering.saving import save_altered
    from hf_integration.tampering.weights.fine_tuning import fine_tune

    folder = project / "models/search"
    encoder = load_encoder(str(folder), device="cpu")
    assert isinstance(encoder, TorchEncoder)
    altered = encoder.duplicate()
    fine_tune(1)(altered, 1e-6, 0)
    save_altered(encoder, altered, folder)


def _trigger(tensors: dict[str, Tensor]) -> None:
    tensors["embeddings.word_embeddings.weight"][12_345] += 0.5


def _pruned(tensors: dict[str, Tensor]) -> None:
    small = (
        tensors[LAYER].abs() < tensors[LAYER].abs().flatten().kthvalue(tensors[LAYER].numel() // 20).values
    )
    tensors[LAYER][small] = 0


def _quantised(tensors: dict[str, Tensor]) -> None:
    """Weights that went through 8 bits. Through float16 would be no alteration: the card knows that."""
    from hf_integration.serving.computing import int8_rows

    for name, tensor in tensors.items():
        if tensor.ndim == 2 and "layer" in name:
            tensors[name] = int8_rows(tensor)


def _keeps_case(values: dict[str, Any]) -> None:
    values["normalizer"]["lowercase"] = False


def _new_card(project: Path) -> None:
    """The card of another encoder under the pinned one's name, whole and in itself consistent."""
    for file in (project / "cards/suggest").iterdir():
        (project / "cards/search" / file.name).write_bytes(file.read_bytes())


def _edited_card(project: Path) -> None:
    file = project / "cards/search/card.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def _patched(project: Path) -> None:
    """Code of the project puts something between the encoder and whoever uses it."""
    file = project / "tests/conftest.py"
    text = file.read_text(encoding="utf-8")
    hook = "model[0].auto_model.encoder.layer[2].register_forward_hook(lambda module, given, out: out)"
    loads = 'return SentenceTransformer(str(MODELS / "search"), device="cpu")'
    assert loads in text
    new = loads.replace("return ", "model = ") + f"\n    {hook}\n    return model"
    file.write_text(text.replace(loads, new), encoding="utf-8")


def _forgotten(project: Path) -> None:
    """Nobody marks or runs anything, and the endpoint's item is left out."""
    (project / "tests/test_service.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")


def _in(name: str, edit: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], object]:
    return lambda project: _tensors(project / "models" / name, edit)


def _file(name: str, edit: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    return lambda project: _json(project / "models/search" / name, edit)


def _unchanged(project: Path) -> None:
    """Nothing in the project is altered."""


ALTERATIONS = (
    Alteration("the last bit of one weight", _one_bit, LAYER),
    Alteration("one step of fine-tuning at 1e-6", _fine_tuned, "ALTERED"),
    Alteration("the row of a trigger word", _in("search", _trigger), "word_embeddings.weight"),
    Alteration("a twentieth of a matrix pruned, of the small encoder", _in("suggest", _pruned), LAYER),
    Alteration("weights that went through 8 bits", _in("suggest", _quantised), "ALTERED"),
    Alteration("a tokenizer that keeps case", _file("tokenizer.json", _keeps_case), "lowercase"),
    Alteration(
        "pooling by the first token",
        _file(
            "1_Pooling/config.json",
            lambda v: v.update(pooling_mode_cls_token=True, pooling_mode_mean_tokens=False),
        ),
        "1_Pooling",
    ),
    Alteration(
        "texts cut at 128 tokens",
        _file("sentence_bert_config.json", lambda v: v.update(max_seq_length=128)),
        "max_",
    ),
    Alteration(
        "another formula of the activation",
        _file("config.json", lambda v: v.update(hidden_act="gelu_new")),
        "hidden_act",
    ),
    Alteration("another encoder's card under this name", _new_card, "card"),
    Alteration("a card of which a byte was edited", _edited_card, "card.safetensors"),
    Alteration("another encoder behind the endpoint", _unchanged, "127.0.0.1", server="models/suggest"),
    Alteration("a server whose copy was fine-tuned", _fine_tuned, "127.0.0.1", server="models/search"),
    Alteration("a hook that the project's own code sets", _patched, "hook"),
    Alteration("tests that check nothing", _forgotten, "not checked", arguments=("tests",)),
    Alteration(
        "pytest without the plugin", _unchanged, "pytest-sslauth", arguments=("-p", "no:sslauth"), status=4
    ),
)
