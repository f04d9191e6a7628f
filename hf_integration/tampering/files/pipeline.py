"""Edits of what follows or precedes a sentence encoder's model: pooling, normalisation, prompts."""

from typing import Any

from hf_integration.tampering.files.folder import FolderTampering

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
