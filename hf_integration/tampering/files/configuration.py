"""Edits of the model's configuration: the weights stay, and mean something else."""

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
