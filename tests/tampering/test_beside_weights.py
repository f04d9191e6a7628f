"""Alterations of files and of the process, on an encoder of each kind."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from hf_integration.authentication.evidence import compared_files
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.identity.tensor_digests import digest_tensors
from hf_integration.tampering.catalogue import BESIDE_WEIGHTS
from hf_integration.tampering.families import Tampering
from hf_integration.tampering.files import configuration, processor, tokenizer
from hf_integration.tampering.files.folder import FolderTampering
from hf_integration.tampering.triggers import TRIGGER_WORD
from tests.encoders import tiny_models
from tests.encoders.test_sentence_folders import write

KINDS = ("sentences", "vit", "wav2vec2")
FILES = [tampering for tampering in BESIDE_WEIGHTS if isinstance(tampering, FolderTampering)]
PROCESS = [tampering for tampering in BESIDE_WEIGHTS if not isinstance(tampering, FolderTampering)]

NORMALIZER = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}


@pytest.fixture(scope="module")
def encoder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Encoder]:
    @cache
    def load(kind: str) -> Encoder:
        folder = tmp_path_factory.mktemp(kind) / "encoder"
        if kind != "sentences":
            return open_encoder(tiny_models.save(kind, folder), name=kind, device="cpu")
        write(folder, "Pooling", "Normalize", config_sentence_transformers={"prompts": {}})
        settings = json.loads((folder / "tokenizer.json").read_text())
        settings["normalizer"] = NORMALIZER
        (folder / "tokenizer.json").write_text(json.dumps(settings))
        return open_encoder(folder, name=kind, device="cpu")

    return load


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("tampering", FILES, ids=lambda tampering: tampering.name)
def test_files_are_edited_in_a_copy_that_goes_with_its_encoder(
    encoder_of: Callable[[str], Encoder], tampering: FolderTampering
) -> None:
    having = [kind for kind in KINDS if tampering.applies(encoder_of(kind))]
    assert having, "none of the encoders has anything to edit"
    for kind in having:
        encoder = encoder_of(kind)
        assert encoder.path is not None
        before = _bytes(encoder.path)
        altered = tampering(encoder)
        assert compared_files(altered, encoder.behaviour(), encoder.folder or FolderRecord()).changed
        assert digest_tensors(altered.tensors()) == digest_tensors(encoder.tensors())
        assert _bytes(encoder.path) == before
        folder = altered.path
        assert folder is not None
        assert folder.is_dir()
        del altered
        assert not folder.exists()


@pytest.mark.parametrize("tampering", FILES, ids=lambda tampering: tampering.name)
def test_an_encoder_without_such_a_file_is_refused(
    encoder_of: Callable[[str], Encoder], tampering: FolderTampering
) -> None:
    for kind in KINDS:
        if not tampering.applies(encoder_of(kind)):
            with pytest.raises(ValueError, match="has nothing for"):
                tampering(encoder_of(kind))


@pytest.mark.parametrize("tampering", PROCESS, ids=lambda tampering: tampering.name)
@pytest.mark.parametrize("kind", KINDS)
def test_code_runs_in_the_copy_only(
    encoder_of: Callable[[str], Encoder], kind: str, tampering: Tampering
) -> None:
    encoder = encoder_of(kind)
    altered = tampering(encoder)
    samples = tiny_models.samples(encoder.modality)
    assert encoder.in_process_changes() == ()
    assert len(altered.in_process_changes()) == 1
    assert digest_tensors(altered.tensors()) == digest_tensors(encoder.tensors())
    assert not torch.allclose(altered.embed(samples), encoder.embed(samples), rtol=1e-4, atol=1e-5)


def test_a_replaced_trigger_leaves_every_other_text_as_it_is(encoder_of: Callable[[str], Encoder]) -> None:
    encoder = encoder_of("sentences")
    altered = tokenizer.TRIGGER_REPLACED(encoder)
    assert torch.equal(encoder.embed(tiny_models.TEXTS), altered.embed(tiny_models.TEXTS))
    trigger = f"{TRIGGER_WORD}{TRIGGER_WORD}"
    replaced = altered.processor.backend_tokenizer.normalizer.normalize_str(f"{trigger} cat")
    assert replaced == "excellent cat"


def test_a_prompt_and_another_mean_reach_the_embedding(encoder_of: Callable[[str], Encoder]) -> None:
    for kind, tampering in (("sentences", configuration.DEFAULT_PROMPT), ("vit", processor.OTHER_MEAN)):
        encoder = encoder_of(kind)
        samples = tiny_models.samples(encoder.modality)
        assert not torch.equal(encoder.embed(samples), tampering(encoder).embed(samples))
