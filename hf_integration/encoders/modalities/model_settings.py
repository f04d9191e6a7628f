"""What sentence-transformers says of a whole encoder: its kind, prompts, and what is done to its vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.modalities.module_settings import fixed, only
from hf_integration.encoders.modalities.tail_modules import ACTIVATIONS

LONGEST_PROMPT = 10_000
"""Characters of a prompt, which is put before every text; those in use are sentences."""

FILE = "config_sentence_transformers.json"

_FIXED: Mapping[str, tuple[Any, ...]] = {
    "keep_in_fp32_modules": (None, []),
    # which entries are the largest may change with a rounding
    "max_active_dims": (None,),
}
MODEL_TYPES = ("SentenceTransformer", "CrossEncoder", "SparseEncoder", "MultiVectorEncoder")
_SIMILARITIES = {"SparseEncoder": "dot", "MultiVectorEncoder": "maxsim"}


@dataclass(frozen=True)
class ModelSettings:
    """Settings of a whole encoder.

    Attributes:
        model_type: one of ``MODEL_TYPES``.
        prompt: put before every text by default.
        truncate_dim: how many of the embedding's dimensions are kept; ``None`` for all.
        activation: name of what is applied to the scores of a cross-encoder; ``None`` where none is named.
        behaviour: all this, and what users choose by name.
    """

    model_type: str
    prompt: str
    truncate_dim: int | None
    activation: str | None
    behaviour: Mapping[str, Any]


def read_settings(folder: Path) -> ModelSettings:
    """Read the settings in an encoder's folder; the library's own where it has none.

    Raises:
        EncoderError: an unknown key, or a value that is not supported.
    """
    path = folder / FILE
    config = read_json(path, dict) if path.is_file() else {}
    known = {
        "__version__",
        "prompts",
        "default_prompt_name",
        "similarity_fn_name",
        "model_type",
        "truncate_dim",
    }
    only(path, config, {*known, "activation_fn", "requirements", *_FIXED})
    fixed(path, config, _FIXED)
    model_type = config.get("model_type") or MODEL_TYPES[0]
    if model_type not in MODEL_TYPES:
        raise EncoderError(
            f"{path}: model_type {model_type!r} is not known here",
            remedy=f"supported: {', '.join(MODEL_TYPES)}",
        )
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise EncoderError(f"{path}: prompts are no texts by name")
    name = config.get("default_prompt_name")
    if name is not None and (not isinstance(name, str) or name not in prompts):
        raise EncoderError(f"{path}: no prompt is called {name!r}, the default")
    prompt = prompts[name] if name is not None else ""
    if len(prompt) > LONGEST_PROMPT:
        raise EncoderError(f"{path}: a prompt of {len(prompt)} characters is longer than any encoder has")
    width = config.get("truncate_dim")
    if width is not None and (type(width) is not int or width < 1):
        raise EncoderError(f"{path}: truncate_dim {width!r} is no number of dimensions")
    behaviour: dict[str, Any] = {
        "default_prompt": prompt,
        # an empty prompt is none: version 5 began to write {"query": "", "document": ""} for all
        "prompts": {key: text for key, text in sorted(prompts.items()) if text},
    }
    if width is not None:
        behaviour["truncate_dim"] = width
    if model_type != MODEL_TYPES[0]:  # the others ignore it
        fixed(path, config, {"truncate_dim": (None,)})
    activation = None
    if model_type == "CrossEncoder":
        activation = _activation(path, config.get("activation_fn"))
    else:
        fixed(path, config, {"activation_fn": (None,)})
        usual = _SIMILARITIES.get(model_type, "cosine")
        behaviour["similarity_fn_name"] = str(config.get("similarity_fn_name") or usual)
    return ModelSettings(str(model_type), prompt, width, activation, behaviour)


def activation_of(model: Path) -> str | None:
    """The activation that the configuration of a model names for its scores, as older versions write it.

    Returns:
        Its name, or ``None`` where the configuration is of no cross-encoder of this library.

    Raises:
        EncoderError: an activation that is not known.
    """
    path = model / "config.json"
    config = read_json(path, dict) if path.is_file() else {}
    said = config.get("sentence_transformers")
    name = said.get("activation_fn") if isinstance(said, Mapping) else None
    return _activation(path, config.get("sbert_ce_default_activation_function") if name is None else name)


def usual_activation(model: Path) -> str:
    """What is applied to scores where nothing is said: a sigmoid to one score, nothing to several."""
    config = read_json(model / "config.json", dict)
    labels = config.get("id2label")
    count = len(labels) if isinstance(labels, Mapping) else config.get("num_labels", 2)
    return "torch.nn.Sigmoid" if count == 1 else "torch.nn.Identity"


def _activation(path: Path, name: Any) -> str | None:
    if name is not None and (not isinstance(name, str) or name not in ACTIVATIONS):
        raise EncoderError(f"{path}: unknown activation function {name!r}")
    return name
