"""Every file that a loader of the libraries looks for is recorded, or named as not covered."""

from pathlib import Path, PurePosixPath

import transformers
import transformers.tokenization_utils_base as tokenization
import transformers.utils as utilities
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from hf_integration.encoders.identity.inert import is_standard
from hf_integration.snapshot import encoder_files, not_covered_among


def _vocabulary_files() -> set[str]:
    """The files that the tokenizers of transformers read, as their classes say."""
    found: set[str] = set()
    for names in TOKENIZER_MAPPING_NAMES.values():
        for name in names if isinstance(names, tuple) else (names,):
            try:
                found |= set(getattr(transformers, name or "").vocab_files_names.values())
            except (AttributeError, ImportError):  # another library is missing; others have the same files
                continue
    return found


def _named_files() -> set[str]:
    """File names among the constants of transformers."""
    values = {
        value
        for module in (utilities, tokenization)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    endings = {".json", ".jinja", ".bin", ".safetensors", ".txt", ".model"}
    return {value for value in values if PurePosixPath(value).suffix in endings and "/" not in value}


def test_every_file_that_a_library_looks_for_is_recorded_or_named() -> None:
    names = sorted(_vocabulary_files() | _named_files())
    assert len(names) > 25
    assert {"vocab.txt", "sentencepiece.bpe.model", "config.json", "preprocessor_config.json"} <= set(names)
    used = encoder_files(names, {""})
    beside = not_covered_among(names, used)
    assert not [name for name in names if name not in (*used, *beside)]
    unknown = [name for name in used if not is_standard(name) and name != "model.safetensors"]
    assert unknown == ["modelcard.json"]  # read by nothing any more


def test_chat_templates_beside_the_tokenizer_are_recorded(tmp_path: Path) -> None:
    assert encoder_files(["additional_chat_templates/tools.jinja", "other/x.jinja"], {""}) == (
        "additional_chat_templates/tools.jinja",
    )
