"""What a folder holds, found out before anything in it is loaded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from hf_integration.base.errors import EncoderError
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.files.folder_files import files_of, refuse_pointers
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.files.safetensors_files import read_header, stored_dtype, weight_files
from hf_integration.encoders.files.support import (
    LAYERS,
    MOST_OF_A_TOKENIZER,
    check_numbers,
    check_processor,
    supported_family,
)
from hf_integration.encoders.files.timm_configuration import PREPARATION, check_kind, is_timm
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.module_types import COMPARED, MODELS, check_compared
from hf_integration.encoders.modalities.pipeline_growth import check_growth, text_within
from hf_integration.encoders.modalities.sentence_modules import (
    SentenceModules,
    read_cross_encoder,
    read_sentence_modules,
)
from hf_integration.encoders.modalities.sentence_recipes import sentence_family
from hf_integration.encoders.modalities.static import STATIC, STATIC_TYPE, StaticConfig
from hf_integration.snapshot import local_names, refuse_other_formats

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

_CONVERT = "load it in a place you trust and save_pretrained it"

_OTHER_FILES = ("transformers_weights", "configuration_files", "fast_tokenizer_files")
"""Keys by which a library opens another file than the one that every loader looks for."""

MOST_TENSORS = 200_000
"""Of all weight files; mixtures of very many experts have some 90,000. Each takes some 0.1 ms."""

_ADDED = ("added_tokens.json", "special_tokens_map.json")
"""Files of tokens beside those of ``tokenizer.json``."""

_ADDS = re.compile(r"tokens?$|tokens_decoder$")
"""Keys of ``tokenizer_config.json`` with such tokens."""

_HOLD_WEIGHTS = (*MODELS, *COMPARED, "StaticEmbedding", "Dense", "LayerNorm", "WeightedLayerPooling")
"""Kinds of modules that are saved with weights."""

_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class EncoderFolder:
    """A folder that may be loaded.

    Attributes:
        path: what the caller named.
        model: the folder of the transformers model, ``path`` itself or a folder below it.
        config: its ``config.json``.
        configuration: the same as transformers understands it.
        family: how such an encoder is loaded.
        dtype: dtype that holds every stored weight exactly.
        sentence: the recipe of a sentence-transformers folder, if it is one.
        scalars: numbers in the weight files.
    """

    path: Path
    model: Path
    config: Mapping[str, Any]
    configuration: Any
    family: Family
    dtype: torch.dtype
    sentence: SentenceModules | None
    scalars: int = 0

    @property
    def model_type(self) -> str:
        """Architecture in the configuration's own words."""
        return str(self.config.get("model_type", self.configuration.model_type))

    def require_processor(self, modality: Modality) -> None:
        """Check that the processor of this modality is there.

        Raises:
            EncoderError: it is not.
        """
        if not _has_processor(self.model, self.config, modality):
            kind: Literal["tokenizer", "processor"] = "tokenizer" if modality == "text" else "processor"
            names = ("tokenizer.json", "vocab.txt") if modality == "text" else _PROCESSORS
            raise EncoderError(
                f"{self.model}: no {kind} ({' or '.join(names)})",
                remedy=f"save the {kind} beside the model with its save_pretrained",
            )


def inspect_folder(
    path: Path, modality: Modality | None = None, *, preferred: Modality | None = None
) -> EncoderFolder:
    """Check a folder and read its configuration.

    Args:
        path: the folder.
        modality: the caller's choice where there are two towers.
        preferred: see :func:`~hf_integration.encoders.modalities.preparing.choose_family`.

    Raises:
        EncoderError: not a folder, no configuration, damaged files, an unsupported encoder, no safetensors
            weights, an adapter, a quantised encoder, or one that needs code from its repository.
        UsageError: an unknown modality.
    """
    model, config, sentence, configuration, family = _read_configuration(path, modality, preferred)
    refuse_pointers(path, files_of(path).used)
    _check_json(model)
    files = _require_weights(model)
    for kind, inner in sentence.not_run_modules if sentence is not None else ():
        if kind in _HOLD_WEIGHTS:  # no digest could be recorded of a pickle, which loaders take all the same
            _require_weights(inner)
        check_compared(kind, inner)
    headers = [read_header(file) for file in files]
    tensors = sum(len(header.dtypes) for header in headers)
    if tensors > MOST_TENSORS:
        raise EncoderError(
            f"{model}: the weights hold {tensors} tensors, more than any encoder has",
            remedy="use an intact copy of the encoder",
        )
    _check_depth(model, config, tensors)
    scalars = sum(header.scalars for header in headers)
    dtype = stored_dtype(headers, model)
    return EncoderFolder(path, model, config, configuration, family, dtype, sentence, scalars)


def _require_weights(model: Path) -> tuple[Path, ...]:
    files = weight_files(model)
    if not files:
        refuse_other_formats(local_names(model), str(model), _CONVERT)
        raise EncoderError(f"{model}: no weights (model.safetensors)", remedy="download the weights too")
    return files


def require_support(path: Path, modality: Modality | None = None) -> None:
    """Check by its configuration alone that an encoder is supported, with or without weights.

    Raises:
        EncoderError: it is not, with the reason.
        UsageError: an unknown modality.
    """
    _read_configuration(path, modality)


def _read_configuration(
    path: Path, modality: Modality | None, preferred: Modality | None = None
) -> tuple[Path, Mapping[str, Any], SentenceModules | None, Any, Family]:
    """The model's folder, its configuration, the sentence recipe, and what transformers makes of them."""
    if not path.is_dir():
        raise EncoderError(f"{path}: no such folder", remedy="give the folder that holds config.json")
    refuse_pointers(path, [file.name for file in sorted(path.glob("*.json"))])
    sentence = read_sentence_modules(path)
    model = sentence.transformer if sentence is not None else path
    if sentence is not None and sentence.kind == "static":
        return model, {"model_type": STATIC_TYPE}, sentence, StaticConfig(), STATIC
    refuse_pointers(model, ["config.json"])
    if (model / "adapter_config.json").is_file():
        raise EncoderError(
            f"{model}: an adapter (adapter_config.json), not an encoder",
            remedy="merge the adapter into its base model and save the result",
        )
    if not (model / "config.json").is_file():
        refuse_other_formats(local_names(model), str(model), _CONVERT)
        raise EncoderError(f"{model}: no config.json", remedy="give the folder of a transformers model")
    config = read_json(model / "config.json", dict)
    if config.get("model_type") == "model2vec":
        raise EncoderError(
            f"{model}: of model2vec without modules.json: model2vec itself leaves unknown tokens out, and "
            "sentence-transformers does not",
            remedy="save it with a newer model2vec, which writes modules.json",
        )
    if config.get("quantization_config"):
        raise EncoderError(
            f"{model / 'config.json'}: quantised (quantization_config): not supported",
            remedy="use the original, unquantised encoder",
        )
    _check_other_files(model / "config.json", config)
    check_numbers(model, config)
    configuration, family = supported_family(
        model,
        config,
        modality,
        has_processor=lambda modality: _has_processor(model, config, modality),
        preferred=preferred,
    )
    if sentence is None:
        sentence = read_cross_encoder(model)
    if sentence is not None:
        family = sentence_family(sentence, family, where=str(path))
    return model, config, sentence, configuration, family


def _check_other_files(path: Path, values: Mapping[str, Any]) -> None:
    for key in _OTHER_FILES:
        if values.get(key):
            raise EncoderError(
                f"{path}: {key} names other files, which only some versions of transformers load",
                remedy="save the encoder again",
            )


def _has_processor(model: Path, config: Mapping[str, Any], modality: Modality) -> bool:
    names = _TOKENIZERS if modality == "text" else _PROCESSORS
    if any((model / name).is_file() for name in names):
        return True
    if modality == "image":
        return is_timm(config) and PREPARATION in config
    return modality == "text" and _needs_no_vocabulary(model / "tokenizer_config.json")


def _needs_no_vocabulary(settings: Path) -> bool:
    """Whether they name a tokenizer of bytes or characters, which has no file of pieces (CANINE, ByT5)."""
    import transformers

    if not settings.is_file():
        return False
    kind = getattr(transformers, str(read_json(settings, dict).get("tokenizer_class")), None)
    return kind is not None and getattr(kind, "vocab_files_names", None) == {}


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
        if (key == "depths" or LAYERS.search(key)) and layers > tensors:
            raise EncoderError(
                f"{model}: {key} asks for {layers} layers, the weights hold {tensors} tensors",
                remedy="use an intact copy of the encoder",
            )


def _check_json(model: Path) -> None:
    """Parse what the library will parse, so that damage is reported with the file's name."""
    parsed: dict[str, Any] = {}
    for name in ("tokenizer.json", "tokenizer_config.json", *_ADDED, *_PROCESSORS):
        if (model / name).is_file():
            parsed[name] = values = read_json(model / name, dict)
            _check_other_files(model / name, values)
            if name in _PROCESSORS:
                check_processor(model / name, values)
                check_kind(model / name, values)
    settings = parsed.get("tokenizer_config.json", {})
    check_processor(model / "tokenizer_config.json", settings, MOST_OF_A_TOKENIZER)
    added = [parsed.get(name) for name in _ADDED]
    added += [value for key, value in settings.items() if _ADDS.search(key)]
    check_growth(
        model / "tokenizer.json", parsed.get("tokenizer.json", {}), added=sum(map(text_within, added))
    )
