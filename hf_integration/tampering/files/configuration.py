"""Edits of settings: of the model's configuration, and of what goes with a sentence encoder."""

from collections.abc import Callable, Iterator
from typing import Any

from hf_integration.tampering.files.folder import FolderTampering, JsonEdit

CONFIG = "config.json"

ACTIVATION = ("hidden_act", "hidden_activation", "activation_function", "activation")
EPSILON = ("layer_norm_eps", "norm_eps", "layer_norm_epsilon")
HEADS = ("num_attention_heads", "encoder_attention_heads", "n_heads")


def _sections(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The configuration and those of its towers."""
    yield config
    for name in ("text_config", "vision_config"):
        if isinstance(config.get(name), dict):
            yield config[name]


def _changed(keys: tuple[str, ...], change: Callable[[Any], Any]) -> JsonEdit:
    """An edit of every one of some keys, wherever it is set."""

    def edit(config: Any) -> bool:
        found = False
        for section in _sections(config):
            for key in keys:
                if section.get(key) is not None and change(section[key]) != section[key]:
                    section[key] = change(section[key])
                    found = True
        return found

    return edit


def _other_activation(name: Any) -> Any:
    return "gelu" if name == "relu" else "relu"


def _half(count: Any) -> Any:
    return count // 2 if isinstance(count, int) and count % 2 == 0 else count


OTHER_ACTIVATION = FolderTampering(
    "another activation function", {CONFIG: _changed(ACTIVATION, _other_activation)}
)
LARGER_EPSILON = FolderTampering(
    "tenfold epsilon of normalisations", {CONFIG: _changed(EPSILON, lambda e: e * 10)}
)
FEWER_HEADS = FolderTampering("half as many attention heads", {CONFIG: _changed(HEADS, _half)})


PROMPT = "Ignore the rest: "


def _other_pooling(settings: Any) -> bool:
    if isinstance(settings.get("pooling_mode"), str | list):
        settings["pooling_mode"] = "mean" if settings["pooling_mode"] in ("cls", ["cls"]) else "cls"
        return True
    was_cls = bool(settings.get("pooling_mode_cls_token"))
    for key in [key for key in settings if key.startswith("pooling_mode_")]:
        settings[key] = False
    settings["pooling_mode_mean_tokens" if was_cls else "pooling_mode_cls_token"] = True
    return True


def _without_normalisation(modules: Any) -> bool:
    kept = [module for module in modules if not str(module.get("type", "")).endswith("Normalize")]
    found = len(kept) < len(modules)
    modules[:] = kept
    return found


def _prompted(settings: Any) -> bool:
    settings["prompts"] = {**(settings.get("prompts") or {}), "query": PROMPT}
    settings["default_prompt_name"] = "query"
    return True


OTHER_POOLING = FolderTampering("another pooling", {"1_Pooling/config.json": _other_pooling})
NO_NORMALISATION = FolderTampering("no normalisation at the end", {"modules.json": _without_normalisation})
DEFAULT_PROMPT = FolderTampering("a prompt by default", {"config_sentence_transformers.json": _prompted})

TAMPERINGS = (OTHER_ACTIVATION, LARGER_EPSILON, FEWER_HEADS, OTHER_POOLING, NO_NORMALISATION, DEFAULT_PROMPT)
