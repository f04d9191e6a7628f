"""transformers' loaders, made silent and strict."""

import logging
import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from hf_integration.base.errors import ENDING, EncoderError
from hf_integration.base.text import harmless
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.files.safetensors_files import read_header, weight_files

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@contextmanager
def silent_transformers() -> Iterator[None]:
    """Keep transformers from printing: a library does not; what was set is restored."""
    from transformers.utils import logging as transformers_logging

    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def named_failures(folder: Path, what: str) -> Iterator[None]:
    """Turn whatever a loader raises into one line that names the folder and the part.

    Raises:
        EncoderError: the part could not be loaded.
    """
    # Damaged or foreign files surface as anything from KeyError to pyo3 exceptions; each means the same.
    try:
        yield
    except (EncoderError, MemoryError, *ENDING):
        raise
    except BaseException as error:
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise EncoderError(f"{folder}: the {what} cannot be loaded: {harmless(first_line)}") from error


def load_module(
    folder: Path,
    class_name: str,
    *,
    dtype: torch.dtype,
    optional: tuple[str, ...],
    settings: Mapping[str, Any] | None = None,
) -> tuple[nn.Module, tuple[str, ...]]:
    """Load a model as it is stored, never with invented weights.

    Args:
        folder: a folder that was inspected.
        class_name: class of transformers, e.g. ``AutoModel``.
        dtype: dtype to load in.
        optional: patterns of tensors that may be missing, because they cannot reach the embedding.
        settings: keys of the configuration that are set to other values.

    Returns:
        The module in evaluation mode, and the names of the missing tensors (all optional).

    Raises:
        EncoderError: missing or mismatched tensors, or anything else that keeps it from loading.
    """
    import transformers

    with named_failures(folder, "model"), silent_transformers():
        module, info = getattr(transformers, class_name).from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below, by name
            **(settings or {}),
            **_LOCAL,
        )
    if mismatched := sorted(entry[0] for entry in info["mismatched_keys"]):
        raise EncoderError(f"{folder}: weights of another shape than config.json says: {_some(mismatched)}")
    pattern = re.compile("|".join(optional))
    missing = sorted(info["missing_keys"])
    if lacking := [name for name in missing if not pattern.search(name)]:
        are = "tensor is" if len(lacking) == 1 else "tensors are"
        if read_json(folder / "config.json", dict).get("auto_map"):
            raise EncoderError(
                f"{folder / 'config.json'}: needs code from its repository (auto_map): for the model that "
                f"transformers itself would make of it, {len(lacking)} {are} missing: {_some(lacking)}",
                remedy="only architectures that transformers itself knows are loaded",
            )
        raise EncoderError(
            f"{folder}: {len(lacking)} {are} missing from the weights: {_some(lacking)}",
            remedy="they would be random: use a complete copy of the encoder",
        )
    return module.eval(), tuple(missing)


def load_tail(folder: Path, module: nn.Module) -> None:
    """Fill a module behind the pooling with its own weights, in the dtype they are stored in.

    Raises:
        EncoderError: no safetensors weights, or tensors that do not fit.
    """
    files = weight_files(folder)
    if not files:
        raise EncoderError(
            f"{folder}: no model.safetensors",
            remedy="safetensors only: save the encoder again, or convert a pickle with 'sslauth convert'",
        )
    for file in files:
        read_header(file)
    try:
        state = {name: tensor for file in files for name, tensor in load_file(file).items()}
        module.load_state_dict(state, strict=True, assign=True)
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise EncoderError(
            f"{folder}: weights do not fit the module's config.json: {reason[:200]}"
        ) from error
    module.eval().requires_grad_(False)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer, from local files and without code from them.

    Raises:
        EncoderError: it cannot be loaded.
    """
    from transformers import AutoTokenizer

    with named_failures(folder, "tokenizer"), silent_transformers():
        return AutoTokenizer.from_pretrained(folder, **_LOCAL)


def load_image_processor(folder: Path) -> Any:
    """The image processor on PIL: torchvision's pixels differ by 2e-4, and it may not be there.

    Raises:
        EncoderError: it cannot be loaded.
    """
    from transformers import AutoImageProcessor

    with named_failures(folder, "image processor"), silent_transformers():
        return AutoImageProcessor.from_pretrained(folder, backend="pil", **_LOCAL)


def load_feature_extractor(folder: Path) -> Any:
    """The audio feature extractor.

    Raises:
        EncoderError: it cannot be loaded.
    """
    from transformers import AutoFeatureExtractor

    with named_failures(folder, "feature extractor"), silent_transformers():
        return AutoFeatureExtractor.from_pretrained(folder, **_LOCAL)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


MOST_PARTS = 50_000
"""Modules and parameters; the deepest encoders have some thousand. Each takes time and memory without numbers
as well, and which of a configuration's numbers count them differs from architecture to architecture."""


@contextmanager
def without_numbers(where: Path | str) -> Iterator[None]:
    """Build models in the block on the meta device.

    Args:
        where: folder or name, for messages.

    Raises:
        EncoderError: more parts than any encoder has.
    """
    from transformers.initialization import no_init_weights

    builder, parts = threading.get_ident(), 0

    def count(*_: Any) -> None:
        nonlocal parts
        if threading.get_ident() != builder:  # what other threads build meanwhile is their own matter
            return
        parts += 1
        if parts > MOST_PARTS:
            raise EncoderError(
                f"{where}: config.json asks for more than {MOST_PARTS} modules and tensors",
                remedy="use an intact copy of the encoder",
            )

    hooks = [
        register_module_module_registration_hook(count),
        register_module_parameter_registration_hook(count),
    ]
    try:
        with silent_transformers(), torch.device("meta"), no_init_weights():
            yield
    finally:
        for hook in hooks:
            hook.remove()
