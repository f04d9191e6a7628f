"""What a folder holds, found out before anything in it is loaded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from hf_integration.encoders.json_files import read_json
from hf_integration.encoders.safetensors_files import read_header, stored_dtype, weight_files
from hf_integration.encoders.sentence_modules import SentenceModules, read_sentence_modules
from hf_integration.encoders.sizes import check_numbers
from hf_integration.errors import EncoderError
from hf_integration.key_samples.interface import Modality

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_NOT_WEIGHTS = frozenset(
    {"training_args.bin", "optimizer.bin", "scheduler.bin", "optimizer.pt", "scheduler.pt"}
)
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "spm.model",
    "bpe.codes",
)
_LAYERS = re.compile(r"(^|_)(num_)?(hidden_|encoder_|decoder_|conv_)*layers?$|^n_layers?$")
"""Keys of configurations that say how many layers are built."""

_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class EncoderFolder:
    """A folder that may be loaded.

    Attributes:
        path: what the caller named.
        model: the folder of the transformers model, ``path`` itself or a folder below it.
        config: its ``config.json``.
        dtype: dtype that holds every stored weight exactly.
        sentence: the recipe of a sentence-transformers folder, if it is one.
        scalars: numbers in the weight files.
    """

    path: Path
    model: Path
    config: Mapping[str, Any]
    dtype: torch.dtype
    sentence: SentenceModules | None
    scalars: int = 0

    @property
    def model_type(self) -> str:
        """Architecture in the configuration's own words."""
        return str(self.config["model_type"])

    def has_processor(self, modality: Modality) -> bool:
        """Whether the processor of this modality is there."""
        names = _TOKENIZERS if modality == "text" else _PROCESSORS
        return any((self.model / name).is_file() for name in names)

    def require_processor(self, modality: Modality) -> None:
        """Check that the processor of this modality is there.

        Raises:
            EncoderError: it is not.
        """
        if not self.has_processor(modality):
            kind: Literal["tokenizer", "processor"] = "tokenizer" if modality == "text" else "processor"
            names = ("tokenizer.json", "vocab.txt") if modality == "text" else _PROCESSORS
            raise EncoderError(
                f"{self.model}: no {kind} ({' or '.join(names)})",
                remedy=f"save the {kind} beside the model with its save_pretrained",
            )


def inspect_folder(path: Path) -> EncoderFolder:
    """Check a folder and read its configuration.

    Raises:
        EncoderError: not a folder, no configuration, damaged files, no safetensors weights, an adapter, a
            quantised encoder, or one that needs code from its repository.
    """
    if not path.is_dir():
        raise EncoderError(f"{path}: no such folder", remedy="give the folder that holds config.json")
    sentence = read_sentence_modules(path)
    model = sentence.transformer if sentence is not None else path
    if (model / "adapter_config.json").is_file():
        raise EncoderError(
            f"{model}: an adapter (adapter_config.json), not an encoder",
            remedy="merge the adapter into its base model and save the result",
        )
    if not (model / "config.json").is_file():
        raise EncoderError(f"{model}: no config.json", remedy="give the folder of a transformers model")
    config = read_json(model / "config.json", dict)
    if config.get("quantization_config"):
        raise EncoderError(
            f"{model / 'config.json'}: quantised (quantization_config): not supported",
            remedy="use the original, unquantised encoder",
        )
    _check_model_type(model, config)
    _check_json(model)
    files = weight_files(model)
    if not files:
        raise _no_weights(model)
    headers = [read_header(file) for file in files]
    _check_depth(model, config, sum(len(header.dtypes) for header in headers))
    scalars = sum(header.scalars for header in headers)
    check_numbers(model, config, scalars)
    return EncoderFolder(path, model, config, stored_dtype(headers, model), sentence, scalars)


def _check_model_type(model: Path, config: Mapping[str, Any]) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    model_type = config.get("model_type")
    if model_type in CONFIG_MAPPING_NAMES:
        return
    if config.get("auto_map"):
        raise EncoderError(
            f"{model / 'config.json'}: needs code from its repository (auto_map)",
            remedy="only architectures that transformers itself knows are loaded",
        )
    raise EncoderError(
        f"{model / 'config.json'}: unknown model_type {model_type!r}",
        remedy="only architectures that the installed transformers knows are loaded",
    )


def _check_depth(model: Path, config: Mapping[str, Any], tensors: int) -> None:
    """Refuse more layers than there are tensors, before hours are spent on building them.

    Raises:
        EncoderError: there are.
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            _check_depth(model, value, tensors)
        depths = value if key == "depths" and isinstance(value, list) else [value]
        layers = sum(depth for depth in depths if type(depth) is int and depth > 0)
        if (key == "depths" or _LAYERS.search(key)) and layers > tensors:
            raise EncoderError(
                f"{model}: {key} asks for {layers} layers, the weights hold {tensors} tensors",
                remedy="use an intact copy of the encoder",
            )


def _check_json(model: Path) -> None:
    """Parse what the library will parse, so that damage is reported with the file's name."""
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", *_PROCESSORS):
        if (model / name).is_file():
            read_json(model / name, dict)


def _no_weights(model: Path) -> EncoderError:
    pickles = sorted({file.name for kind in _PICKLES for file in model.glob(kind)} - _NOT_WEIGHTS)
    if pickles:
        return EncoderError(
            f"{model}: only pickle weights ({pickles[0]}), which can run code when loaded",
            remedy="safetensors only: load it in a place you trust and save_pretrained it",
        )
    return EncoderError(f"{model}: no weights (model.safetensors)", remedy="download the weights too")
