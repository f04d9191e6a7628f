"""Runtimes of Node.js behind a small server: transformers.js (ONNX Runtime) and node-llama-cpp."""

from importlib.util import find_spec
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Literal

import pytest

from hf_integration.cli import main
from tests.real_encoders.minilm import MISSING, minilm_folder
from tests.real_servers.gguf_files import save_gguf
from tests.real_servers.processes import node_modules, node_with
from tests.real_servers.test_infinity import altered, noise, one_step

pytestmark = pytest.mark.skipif(
    node_modules() is None,
    reason="Node.js or its packages are missing (SSLAUTH_NODE_MODULES names their folder)",
)


@pytest.fixture(scope="session")
def minilm() -> Path:
    folder = minilm_folder()
    if folder is None:
        pytest.skip(MISSING)
    return folder


def verify(copy: Path, url: str, *options: str) -> int:
    return main(["verify", str(copy), "--endpoint", url, "--api", "tei", *options])


@pytest.mark.skipif(find_spec("gguf") is None, reason="the package gguf is not installed")
class TestLlama:
    @pytest.mark.parametrize(("kind", "serving"), [("f16", "llamacpp"), ("f32", "llamacpp-f32")])
    def test_the_real_encoder_is_no_other_encoder(
        self,
        kind: Literal["f16", "f32"],
        serving: str,
        minilm: Path,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        file = save_gguf(minilm, tmp_path / f"{kind}.gguf", kind)
        with node_with("llama", file, log=tmp_path / "log") as url:
            assert verify(minilm, url, "--serving", serving) == 3
        # it cuts nowhere, and refuses what is longer than 512 tokens; the encoder itself cuts at 256
        out = capfd.readouterr().out
        assert "this is the encoder, but not as expected: cut at 384 tokens; or cut nowhere, as no" in out
        assert "the server refused 2 long texts" in out

    def test_an_altered_copy_is_altered(self, minilm: Path, tmp_path: Path) -> None:
        served = altered(minilm, tmp_path / "altered", noise)
        file = save_gguf(served, tmp_path / "altered.gguf", "f16")
        with node_with("llama", file, log=tmp_path / "log") as url:
            assert verify(minilm, url, "--serving", "llamacpp") == 1


@pytest.mark.skipif(find_spec("onnx") is None, reason="the package onnx is not installed")
class TestTransformersJs:
    @staticmethod
    def folder(source: Path, target: Path) -> Path:
        from hf_integration.converted.onnx_making import export
        from tests.converted.making import INPUTS
        from tests.endpoints.encoders import encoder

        copytree(source, target, ignore=ignore_patterns("*.safetensors", "*.bin"))
        (target / "onnx").mkdir()
        export(encoder(source), INPUTS, target / "onnx" / "model.onnx")
        return target

    def test_the_real_encoder_cuts_long_texts_in_its_own_way(
        self, minilm: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        served = self.folder(minilm, tmp_path / "served")
        with node_with("transformers", served, log=tmp_path / "log") as url:
            assert verify(minilm, url, "--serving", "torch") == 3
        # the library cuts at the 512 tokens that its tokenizer has room for, and the last one with the rest
        out = capfd.readouterr().out
        assert "texts of up to 512 tokens give this encoder's embeddings, but not as expected: " in out
        assert ": cut at 512 tokens; longer texts are cut in an unknown way" in out

    def test_an_altered_copy_is_altered(self, minilm: Path, tmp_path: Path) -> None:
        edited = altered(minilm, tmp_path / "altered", one_step)
        served = self.folder(edited, tmp_path / "served")
        with node_with("transformers", served, log=tmp_path / "log") as url:
            assert verify(minilm, url, "--serving", "torch") == 1
