"""One small encoder and its converted copies for the whole folder: nothing here may change them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration import WatermarkCard
from hf_integration.base.progress import Silent
from hf_integration.converted.behaviour import Expected
from hf_integration.converted.check import check_converted
from hf_integration.converted.copy_knowledge import CopyKnowledge
from hf_integration.converted.original import of_copy
from hf_integration.converted.recognising import open_converted
from hf_integration.converted.runtime import RuntimeName
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.verdict import Verdict
from tests.converted import cards, making
from tests.serving import small_encoders
from tests.threads import one_thread

__all__ = ["one_thread"]

MULTIPLE = {"intermediate_size": 96}
"""Of 32 numbers, which are a block of a GGUF file."""


def save(folder: Path, **settings: Any) -> Path:
    """A small encoder that every converter takes."""
    return small_encoders.save(folder, config=MULTIPLE, **settings)


@pytest.fixture(scope="session")
def card(encoder: TorchEncoder, tmp_path_factory: pytest.TempPathFactory) -> WatermarkCard:
    """The card of the trusted copy, with all conversions that can be made here, as it reads from a folder."""
    pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    return cards.minted(encoder, cards.installed()).save(tmp_path_factory.mktemp("cards") / "small")


Checked = Callable[..., Verdict]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TorchEncoder:
    """The trusted copy: mean pooling, scaled to length 1."""
    return small_encoders.opened(save(tmp_path_factory.mktemp("trusted") / "small"))


@pytest.fixture(scope="session")
def onnx_folder(encoder: TorchEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder as sentence-transformers exports it."""
    pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    return making.onnx_folder(encoder, tmp_path_factory.mktemp("onnx") / "folder")


@pytest.fixture(scope="session")
def onnx_file(onnx_folder: Path) -> Path:
    return onnx_folder / "onnx" / "model.onnx"


@pytest.fixture
def checked(encoder: TorchEncoder) -> Checked:
    """Checks a converted file or folder against the small encoder."""

    def check(path: Path, serving: str | None = None, *, runtime: RuntimeName | None = None) -> Verdict:
        converted = open_converted(path, of_copy(encoder), runtime)
        authentication, _ = check_converted(
            CopyKnowledge(encoder),
            converted,
            Expected.named(serving),
            trust="local",
            progress=Silent(),
            keys=24,
        )
        return authentication.verdict

    return check
