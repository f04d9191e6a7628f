"""The configuration that a model obeys, without what is volatile."""

from collections.abc import Mapping
from typing import Any

from hf_integration.encoders.identity.folder_record import flattened

DEFAULTS_SUFFIX = " (defaults)"

_VOLATILE = frozenset(
    {
        "_attn_implementation",
        "_attn_implementation_internal",
        "_commit_hash",
        "_experts_implementation",
        "_name_or_path",
        "architectures",
        "attn_implementation",
        "dtype",
        "id2label",
        "label2id",
        "num_labels",
        "output_attentions",
        "output_hidden_states",
        "problem_type",
        "return_dict",
        "torch_dtype",
        "torchscript",
        "transformers_version",
        "use_cache",
    }
)
# Of image processors and feature extractors: which class prepares, not how.
_VOLATILE_PROCESSOR = frozenset(
    {"feature_extractor_type", "image_processor_type", "processor_class", "backend"}
)


def configuration_behaviour(config: Any) -> dict[str, Mapping[str, Any]]:
    """``config.json`` with every default filled in, and the defaults of its class beside it.

    A newer library adds keys; the defaults tell a key that was added with its default from one that was set.

    Args:
        config: a transformers configuration, or ``None``.
    """
    if config is None:
        return {}
    try:
        defaults = type(config)().to_dict()
    except Exception:  # a class that cannot be built without arguments has no defaults to compare with
        defaults = {}
    return {"config.json": _steady(config.to_dict()), "config.json" + DEFAULTS_SUFFIX: _steady(defaults)}


def processor_behaviour(processor: Any) -> dict[str, Mapping[str, Any]]:
    """``preprocessor_config.json`` as the processor obeys it; functions are no settings of any file."""
    settings = {key: value for key, value in processor.to_dict().items() if not callable(value)}
    return {"preprocessor_config.json": _steady(settings, _VOLATILE | _VOLATILE_PROCESSOR)}


def _steady(values: Mapping[str, Any], volatile: frozenset[str] = _VOLATILE) -> dict[str, Any]:
    # composite configurations hold whole configurations, with volatile keys of their own
    return {key: value for key, value in flattened(values).items() if key.rpartition(".")[2] not in volatile}
