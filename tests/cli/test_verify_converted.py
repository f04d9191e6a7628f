"""``sslauth verify --converted``: files of another runtime against a trusted copy, as users call it."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from hf_integration import load_encoder
from hf_integration.converted.runtime import RUNTIMES
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed
from hf_integration.serving.recipe import Recipe
from hf_integration.verdict import Verdict
from tests.cli.conftest import ROOT, Ended
from tests.converted import making
from tests.endpoints.server import EmbeddingServer

Run = Callable[..., Ended]
KEYS = ("--keys", "24")
ANSWERS = ("file", "behaviour", "inputs")
MODULES = ("onnx", "onnxruntime", "openvino", "ctranslate2", "gguf", "fastembed", "torchao.quantization")
SCALED = ("--serving", "infinity")

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(scope="module")
def trusted(workshop: Path) -> TorchEncoder:
    loaded = load_encoder(str(workshop / "tiny"))
    assert isinstance(loaded, TorchEncoder)
    return loaded


@pytest.fixture
def onnx_folder(trusted: TorchEncoder, tmp_path: Path) -> Path:
    pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    return making.onnx_folder(trusted, tmp_path / "onnx-folder")


class TestAFolder:
    def test_of_the_encoder_is_authentic(self, sslauth: Run, onnx_folder: Path) -> None:
        ended = sslauth("verify", "./tiny", "--converted", onnx_folder, *KEYS)
        assert ended.status == 0, ended.out + ended.err
        assert ended.out.startswith(f"AUTHENTIC: {onnx_folder}\nits weights are the encoder's")
        for answer in ANSWERS:
            assert f"  {answer:<12}  fits: " in ended.out

    def test_with_an_altered_weight_is_altered_and_named(self, sslauth: Run, onnx_folder: Path) -> None:
        import onnx

        file = onnx_folder / "onnx" / "model.onnx"
        name = next(name for name, _ in making.arrays(onnx.load(file)) if name.endswith("query.bias"))
        making.edited(file, file, name, making.one_step)
        ended = sslauth("verify", "./tiny", "--converted", onnx_folder, *KEYS)
        assert ended.status == 1, ended.out
        assert "file          DIFFERS" in ended.out
        assert name in ended.out

    def test_of_another_encoder_is_altered(self, sslauth: Run, onnx_folder: Path) -> None:
        ended = sslauth("verify", "./altered", "--converted", onnx_folder, *KEYS)
        assert ended.status == 1, ended.out
        assert "encoder.layer.1.output.dense.weight" in ended.out

    def test_in_json_reads_back(self, sslauth: Run, onnx_folder: Path) -> None:
        (onnx_folder / "custom.so").write_bytes(b"code")
        ended = sslauth("verify", "./tiny", "--converted", onnx_folder, *KEYS, "--format", "json")
        said = json.loads(ended.out)
        assert json.loads(json.dumps(Verdict.from_dict(said).to_dict())) == said
        assert said["conversion"]["runtime"] == "onnx"
        assert [said["conversion"][name]["finding"] for name in ANSWERS] == ["fits"] * 3
        assert said["deployment"] is None
        assert "custom.so" in said["files"]["not_covered"]

    def test_with_a_picture(self, sslauth: Run, onnx_folder: Path, tmp_path: Path) -> None:
        picture = tmp_path / "check.png"
        sslauth("verify", "./tiny", "--converted", onnx_folder, *KEYS, "--picture", picture)
        assert picture.read_bytes().startswith(b"\x89PNG")

    def test_is_never_overwritten(self, sslauth: Run, onnx_folder: Path) -> None:
        file = onnx_folder / "onnx" / "model.onnx"
        before = file.read_bytes()
        ended = sslauth("verify", "./tiny", "--converted", onnx_folder, *KEYS, "--output", file)
        assert (ended.status, ended.out) == (2, "")
        assert file.read_bytes() == before

    def test_that_is_held_against_a_copy_that_is_not_its_card_s(
        self, sslauth: Run, onnx_folder: Path
    ) -> None:
        ended = sslauth("verify", "./altered", "--card", "cards/tiny", "--converted", onnx_folder, *KEYS)
        assert (ended.status, ended.out) == (4, "")


class TestGgufBehindAServer:
    @pytest.fixture
    def file(self, trusted: TorchEncoder, tmp_path: Path) -> Path:
        pytest.importorskip("gguf", reason="needs the extra gguf")
        return making.gguf_file(trusted, tmp_path / "model.gguf", "F32")

    def answering(self, trusted: TorchEncoder, *, korean: bool = True) -> EmbeddingServer:
        def embed(texts: list[str]) -> list[list[float]]:
            read = [text if korean or text.isascii() else "something else" for text in texts]
            found: list[list[float]] = (
                Computed(trusted, Recipe(normalised=True)).embed(read, precision="float32").tolist()
            )
            return found

        return EmbeddingServer("llamacpp", embed)

    def test_is_authentic_if_all_three_fit(self, sslauth: Run, trusted: TorchEncoder, file: Path) -> None:
        with self.answering(trusted) as server:
            ended = sslauth(
                "verify",
                "./tiny",
                "--converted",
                file,
                "--endpoint",
                server.url,
                *KEYS,
                "--serving",
                "infinity",
            )
        assert ended.status == 0, ended.out + ended.err
        assert "nothing shows that it runs this very file" in ended.out

    @pytest.mark.parametrize("what", ["swapped", "changed", "cut short"])
    def test_another_vocabulary_in_the_file_is_no_pass(
        self, sslauth: Run, trusted: TorchEncoder, file: Path, what: str
    ) -> None:
        """The words may be rare ones, which no text that is tried has in it."""
        words = making.llama_words(trusted)
        if what == "swapped":
            words[-2:] = reversed(words[-2:])
        elif what == "changed":
            words[len(words) // 2] = "another"
        else:
            del words[-1]
        making.gguf_file(trusted, file, "F32", words)
        with self.answering(trusted) as server:
            given = ("--converted", file, "--endpoint", server.url, "--serving", "infinity")
            ended = sslauth("verify", "./tiny", *given, *KEYS)
        assert ended.status == 3, ended.out + ended.err
        assert "tokenizer.ggml.tokens" in ended.out

    def test_names_the_texts_that_the_server_reads_differently(
        self, sslauth: Run, trusted: TorchEncoder, file: Path
    ) -> None:
        with self.answering(trusted, korean=False) as server:
            ended = sslauth(
                "verify",
                "./tiny",
                "--converted",
                file,
                "--endpoint",
                server.url,
                *KEYS,
                "--serving",
                "infinity",
            )
        assert ended.status == 3, ended.out
        assert "inputs        DIFFERS" in ended.out

    def test_alone_stays_open(self, sslauth: Run, file: Path) -> None:
        ended = sslauth("verify", "./tiny", "--converted", file, *KEYS)
        assert ended.status == 3
        assert "add --endpoint URL" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--converted", "no-such-folder"), "no-such-folder: missing"),
        (("--converted", "tiny"), "no file of a runtime that is known"),
        (("--converted", "tiny", "--runtime", "onnx"), "no ONNX file"),
        (("--converted", "tiny", "--serving", "nothing"), "no recipe is called nothing (choose int8, "),
        (("--converted", "tiny", "--precision", "float32"), "--precision"),
        (("--converted", "tiny", "--budget", "3"), "--budget"),
        (("--converted", "tiny", "--api", "tei"), "options of an endpoint"),
        (("--converted", "tiny", "--dimensions", "8"), "options of an endpoint"),
        (("--runtime", "onnx"), "add --converted PATH"),
        (("--converted", "tiny", "--runtime", "tflite"), "tflite"),
    ],
)
def test_options_that_make_no_sense(sslauth: Run, arguments: tuple[str, ...], said: str) -> None:
    if "onnx" in arguments and "--converted" in arguments:
        pytest.importorskip("onnx", reason="needs the extra onnx")
    ended = sslauth("verify", "./tiny", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err


ENDINGS = {"onnx": "a.onnx", "openvino": "a.xml", "gguf": "a.gguf", "fastembed": "a.onnx"}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_missing_extra_is_one_line_that_names_it(
    sslauth: Run, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    import sys

    for module in MODULES:
        monkeypatch.setitem(sys.modules, module, None)
    copytree(here / "tiny", tmp_path / "folder")
    file = tmp_path / "folder" / ENDINGS.get(runtime, "model.bin")
    file.write_bytes(b"GGUF")
    ended = sslauth(
        "verify",
        "./tiny",
        "--converted",
        file if runtime == "gguf" else tmp_path / "folder",
        "--runtime",
        runtime,
    )
    assert (ended.status, ended.out) == (2, "")
    assert f"pip install 'pytest-sslauth[{runtime}]'" in ended.err
    assert len(ended.err.splitlines()[-1].split("sslauth: error: ")) == 2


def test_every_runtime_and_recipe_is_documented() -> None:
    page = (ROOT / "docs/how-to/check-a-converted-encoder.md").read_text(encoding="utf-8")
    for runtime in RUNTIMES:
        assert f"| `{runtime}` |" in page
    assert "`--serving int8`" in page
