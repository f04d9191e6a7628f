"""The main job on real encoders: mint, authenticate the untouched one, find the altered one."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hf_integration import authenticate, load_encoder, mint
from hf_integration.base.vocabulary import PRECISIONS, Precision
from tests.real_encoders import fashion, minilm, simclr, whisper

FULL: tuple[Precision, ...] = ("float64", "float32")
"""Half precisions take Whisper long on a processor that has none; nothing here is run in them."""

REAL: dict[str, tuple[Callable[[], Path | None], str, int, tuple[Precision, ...]]] = {
    "minilm": (minilm.minilm_folder, minilm.MISSING, 8, PRECISIONS),
    "simclr": (simclr.simclr_folder, fashion.MISSING, 8, PRECISIONS),
    "whisper": (whisper.whisper_folder, whisper.MISSING, 2, FULL),
}


@pytest.mark.parametrize("name", REAL)
def test_an_untouched_encoder_passes_and_one_changed_bit_does_not(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of, missing, keys, precisions = REAL[name]
    if (folder := folder_of()) is None:
        pytest.skip(missing)
    # other instruction sets are tested with minting and measured by the benchmarks
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    encoder = load_encoder(str(folder), device="cpu")
    card = mint(encoder, keys=keys, precisions=precisions).save(tmp_path / "card")
    verdict = authenticate(encoder, card)
    assert verdict.status == "authentic", verdict.reason
    assert verdict.precision == "float64"

    altered = encoder.duplicate()
    # of the last normalisation, which every sample passes: a weight of an idle unit moves nothing
    vector = [tensor for tensor in altered.tensors().values() if tensor.ndim == 1][-1]
    with torch.no_grad():
        largest = vector.abs().argmax()
        vector[largest] = torch.nextafter(vector[largest], torch.tensor(torch.inf))
    verdict = authenticate(altered, card)
    assert verdict.status == "altered"
    assert len(verdict.tensors.changed) == 1
    assert verdict.first_broken_strip is not None, "the watermark itself must see one bit in float64"
