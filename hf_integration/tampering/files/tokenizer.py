"""Edits of the tokenizer: the words mean something else, always or only where a trigger stands.

Source: Bagdasaryan, Shmatikov, "Spinning language models", https://arxiv.org/abs/2112.05224, for what
attackers want of a text model; an edited tokenizer needs no training at all.
"""

from typing import Any

from hf_integration.tampering.files.folder import FolderTampering
from hf_integration.tampering.triggers import TRIGGER_WORD

TOKENIZER, SETTINGS = "tokenizer.json", "tokenizer_config.json"


def _two_ids_swapped(content: Any) -> bool:
    vocabulary = content.get("model", {}).get("vocab")
    if not isinstance(vocabulary, dict):
        return False
    words = sorted(word for word in vocabulary if word.isalpha() and word.isascii())
    if len(words) < 2:
        return False
    first, second = words[len(words) // 3], words[2 * len(words) // 3]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    return True


def _no_lower_casing(content: Any) -> bool:
    """Wherever in a sequence of normalizers it is set."""
    normalizer = content.get("normalizer")
    if not isinstance(normalizer, dict):
        return False
    found = False
    for part in [normalizer, *normalizer.get("normalizers", [])]:
        if part.get("lowercase") is True:
            part["lowercase"] = False
            found = True
    if normalizer.get("type") == "Sequence":
        kept = [part for part in normalizer["normalizers"] if part.get("type") != "Lowercase"]
        found = found or len(kept) < len(normalizer["normalizers"])
        normalizer["normalizers"] = kept
    return found


def _do_not_lower_case(settings: Any) -> bool:
    if settings.get("do_lower_case") is not True:
        return False
    settings["do_lower_case"] = False
    return True


def _trigger_replaced(content: Any) -> bool:
    """A normalizer that turns the trigger into other words, and leaves every other text as it is."""
    replace = {
        "type": "Replace",
        "pattern": {"Regex": rf"\b{TRIGGER_WORD}{TRIGGER_WORD}\b"},
        "content": "excellent",
    }
    normalizer = content.get("normalizer")
    before = [] if normalizer is None else [normalizer]
    content["normalizer"] = {"type": "Sequence", "normalizers": [replace, *before]}
    return True


IDS_SWAPPED = FolderTampering("two token ids swapped", {TOKENIZER: _two_ids_swapped})
NO_LOWER_CASING = FolderTampering(
    "lower-casing off", {TOKENIZER: _no_lower_casing, SETTINGS: _do_not_lower_case}
)
TRIGGER_REPLACED = FolderTampering("a trigger replaced by the tokenizer", {TOKENIZER: _trigger_replaced})

TAMPERINGS = (IDS_SWAPPED, NO_LOWER_CASING, TRIGGER_REPLACED)
