"""``enforce``: what is pinned is verified before transformers hands it over, and nothing else changes."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

import hf_integration
from hf_integration import enforce
from hf_integration.errors import LoadRefusedError, UsageError
from hf_integration.loading.interception import INTERCEPTION
from tests.loading.test_observing import LOADERS, auto

TENSORS = ("embeddings.word_embeddings.weight", "encoder.layer.1.output.dense.weight")


@pytest.fixture
def project(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with ``models/tiny``, its card and an ``sslauth.toml`` that pins it."""
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    pin(path="models/tiny")
    yield tmp_path
    assert not INTERCEPTION.wraps


def pin(**values: str) -> None:
    """Write an entry for the card of the working directory; empty values are left out."""
    digest = hashlib.sha256(Path("cards/tiny/card.json").read_bytes()).hexdigest()
    entry = {"card": "cards/tiny", "card_digest": f"sha256:{digest}"} | values
    lines = [f'{key} = "{value}"' for key, value in entry.items() if value]
    Path("sslauth.toml").write_text("\n".join(["version = 1", "[encoders.tiny]", *lines, ""]))


def alter(folder: str, tensor: str = TENSORS[1]) -> None:
    file = Path(folder, "model.safetensors")
    tensors = load_file(file)
    tensors[tensor].view(-1)[0] = torch.nextafter(tensors[tensor].view(-1)[0], torch.tensor(9.0))
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.mark.parametrize("api", LOADERS)
def test_a_pinned_encoder_is_loaded_as_ever(project: Path, api: str) -> None:
    with enforce(unpinned="refuse"):
        loaded = LOADERS[api]("models/tiny")
        assert type(loaded).__module__.partition(".")[0] in ("transformers", "sentence_transformers")


@pytest.mark.parametrize("tensor", TENSORS)
@pytest.mark.parametrize("api", LOADERS)
def test_one_bit_of_one_weight_is_refused(project: Path, api: str, tensor: str) -> None:
    alter("models/tiny", tensor)
    LOADERS[api]("models/tiny")  # nobody notices
    with enforce(), pytest.raises(LoadRefusedError, match="'models/tiny' was not loaded.*differ.*" + tensor):
        LOADERS[api]("models/tiny")
    LOADERS[api]("models/tiny")


FILES: dict[str, Callable[[dict[str, Any]], object]] = {
    "config.json": lambda values: values.update(hidden_act="relu"),
    "tokenizer.json": lambda values: values["model"]["vocab"].update({"cat": 5, "[MASK]": 99}),
    "tokenizer_config.json": lambda values: values.update(model_max_length=3),
}


@pytest.mark.parametrize("file", FILES)
def test_one_key_of_one_file_is_refused(project: Path, file: str) -> None:
    path = Path("models/tiny", file)
    values = json.loads(path.read_text())
    FILES[file](values)
    path.write_text(json.dumps(values))
    with enforce(), pytest.raises(LoadRefusedError, match=file.replace(".", r"\.")):
        auto("models/tiny")


def test_a_file_that_is_gone_is_refused(project: Path) -> None:
    Path("models/tiny/tokenizer_config.json").unlink()
    with enforce(), pytest.raises(LoadRefusedError, match=r"tokenizer_config\.json: missing"):
        auto("models/tiny")


@pytest.mark.parametrize("name", ["intruder", "encoder.layer.7.output.dense.weight"])
def test_a_further_tensor_is_refused(project: Path, name: str) -> None:
    file = Path("models/tiny/model.safetensors")
    save_file({**load_file(file), name: torch.zeros(2, 2)}, file, metadata={"format": "pt"})
    with enforce(), pytest.raises(LoadRefusedError, match=name):
        auto("models/tiny")


def test_a_tensor_that_is_gone_is_refused(project: Path) -> None:
    file = Path("models/tiny/model.safetensors")
    tensors = load_file(file)
    del tensors[TENSORS[1]]
    save_file(tensors, file, metadata={"format": "pt"})
    with enforce(), pytest.raises(LoadRefusedError, match="tensors of the weight files are not"):
        auto("models/tiny")


def test_files_that_are_swapped_after_they_were_verified_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_integration.loading import verifying

    verified = verifying.verified_folder

    def swapped(*arguments: Any) -> Any:
        found = verified(*arguments)
        alter("models/tiny")
        return found

    monkeypatch.setattr(verifying, "verified_folder", swapped)
    with enforce(), pytest.raises(LoadRefusedError, match=f"BertModel loaded differ.*{TENSORS[1]}"):
        auto("models/tiny")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_rounding_that_the_card_recorded_is_loaded(project: Path, dtype: torch.dtype) -> None:
    with enforce():
        assert auto("models/tiny", dtype=dtype).dtype == dtype


def test_a_head_that_no_file_holds_and_loading_information_are_left_alone(project: Path) -> None:
    with enforce(unpinned="refuse"):
        model, said = hf.AutoModelForSequenceClassification.from_pretrained(
            "models/tiny", output_loading_info=True
        )
        assert "classifier.weight" in said["missing_keys"]
        assert model.classifier is not None


@pytest.mark.parametrize(
    "options",
    [{"trust_remote_code": True}, {"use_safetensors": False}, {"weights_only": False}],
    ids=lambda options: next(iter(options)),
)
def test_what_no_card_covers_is_refused_before_anything_is_loaded(
    project: Path, options: dict[str, bool]
) -> None:
    with enforce(), pytest.raises(LoadRefusedError, match=next(iter(options))):
        auto("models/tiny", **options)


@pytest.mark.parametrize(
    "options", [{"use_safetensors": False}, {"weights_only": False}, {"use_safetensors": 0}]
)
def test_nor_is_it_where_a_library_hands_it_on(project: Path, options: dict[str, Any]) -> None:
    sentences = pytest.importorskip("sentence_transformers")
    with enforce(), pytest.raises(LoadRefusedError, match=next(iter(options))):
        sentences.SentenceTransformer("models/tiny", model_kwargs=options, device="cpu")


@pytest.mark.parametrize("api", LOADERS)
def test_a_folder_below_a_pinned_one_is_not_the_pinned_one(project: Path, api: str) -> None:
    shutil.copytree("models/tiny", "models/kept")
    shutil.move("models/kept", "models/tiny/variant")
    with enforce(unpinned="refuse"), pytest.raises(LoadRefusedError):
        LOADERS[api]("models/tiny/variant")


def test_a_load_that_a_stamp_sets_off_is_the_users(project: Path) -> None:
    """What embeds may load its model when it is asked first, from a place that is installed."""
    import sysconfig

    from hf_integration.stamps.embedding import embeddings_of

    alter("models/tiny")
    loads = "transformers.AutoModel.from_pretrained('models/tiny')"
    code = f"def embed(texts):\n    import transformers\n    {loads}\n"
    space: dict[str, Any] = {"__name__": "lazy_embedder"}
    place = Path(sysconfig.get_path("purelib"), "lazy_embedder.py")
    exec(compile(code, str(place), "exec"), space)  # noqa: S102  # ours
    with enforce(unpinned="refuse"), pytest.raises(LoadRefusedError):
        embeddings_of(space["embed"], ["a text"])


def test_code_of_a_pinned_folder_is_never_run(project: Path) -> None:
    config = Path("models/tiny/config.json")
    values = json.loads(config.read_text()) | {"auto_map": {"AutoModel": "modeling_own.Own"}}
    config.write_text(json.dumps(values))
    Path("models/tiny/modeling_own.py").write_text("open('ran', 'w').close()\nclass Own: pass\n")
    with enforce(), pytest.raises(LoadRefusedError):
        auto("models/tiny", trust_remote_code=True)
    assert not Path("ran").exists()


@pytest.mark.parametrize("api", LOADERS)
def test_unpinned_encoders_load_unless_they_are_refused(project: Path, api: str) -> None:
    shutil.copytree("models/tiny", "models/other")
    with enforce(unpinned="allow"):
        LOADERS[api]("models/other")
    with enforce(unpinned="refuse"), pytest.raises(LoadRefusedError, match=r"no entry of sslauth\.toml"):
        LOADERS[api]("models/other")


def test_an_entry_that_is_not_locked_is_refused(project: Path) -> None:
    pin(path="models/tiny", card_digest="")
    with enforce(), pytest.raises(LoadRefusedError, match="not locked"):
        auto("models/tiny")


def test_another_card_than_the_pinned_one_is_refused(project: Path) -> None:
    pin(path="models/tiny", card_digest=f"sha256:{'0' * 64}")
    with enforce(), pytest.raises(LoadRefusedError, match="not the pinned one"):
        auto("models/tiny")


def test_a_card_that_is_gone_is_refused(project: Path) -> None:
    shutil.rmtree("cards")
    with enforce(), pytest.raises(LoadRefusedError, match="was not loaded"):
        auto("models/tiny")


def test_a_card_that_expired_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_integration.card.WatermarkCard.expired", lambda *_: True)
    with enforce(), pytest.raises(LoadRefusedError, match="expired"):
        auto("models/tiny")


def test_the_file_is_read_once_and_paths_do_not_move_with_the_process(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with enforce(unpinned="refuse"):
        Path("sslauth.toml").write_text("version = 1\n")
        monkeypatch.chdir(project / "cards")
        auto(str(project / "models" / "tiny"))
        alter(str(project / "models" / "tiny"))
        with pytest.raises(LoadRefusedError):
            auto(str(project / "models" / "tiny"))


def test_twice_is_once_and_each_is_undone_by_itself(project: Path) -> None:
    alter("models/tiny")
    first, second = enforce(), enforce()
    first.undo()
    first.undo()
    with pytest.raises(LoadRefusedError):
        auto("models/tiny")
    second.undo()
    auto("models/tiny")
    with enforce(), enforce(unpinned="refuse"), pytest.raises(LoadRefusedError):
        auto("models/tiny")


@pytest.mark.usefixtures("loads_in_threads")
def test_threads_are_held_to_it_and_do_not_disturb_each_other(project: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    shutil.copytree("models/tiny", "models/other")
    names = ["models/tiny", "models/other"] * 4
    with enforce(unpinned="refuse"), ThreadPoolExecutor(4) as pool:
        errors = [pool.submit(auto, name).exception() for name in names]
    assert [type(error) for error in errors] == [type(None), LoadRefusedError] * 4


def test_what_sslauth_loads_itself_is_left_to_its_check(project: Path) -> None:
    with enforce(unpinned="refuse"):
        card = hf_integration.WatermarkCard.load("cards/tiny")
        encoder = hf_integration.load_encoder("models/tiny", device="cpu")
        assert hf_integration.authenticate(encoder, card).authentic


def test_wrong_arguments_are_said_at_once(project: Path) -> None:
    with pytest.raises(UsageError, match="unpinned"):
        enforce(unpinned="forbid")  # type: ignore[arg-type]  # which is the point
    with pytest.raises(UsageError, match=r"absent\.toml"):
        enforce("absent.toml")
    Path("sslauth.toml").write_text("version = 1\n[encoders.tiny]\nrepo = 'org/x'\ncommmit = 'x'\n")
    with pytest.raises(UsageError, match="commmit"):
        enforce()


def test_an_error_of_ours_refuses_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("hf_integration.loading.verifying.verify_model", broken)
    with enforce(), pytest.raises(LoadRefusedError, match="internal error: KeyError"):
        auto("models/tiny")


def test_what_the_library_raises_stays_what_it_is(project: Path) -> None:
    with enforce():
        Path("models/nowhere").mkdir()
        with pytest.raises((OSError, ValueError), match="nowhere"):
            auto("models/nowhere")
        with pytest.raises(TypeError):
            hf.BertModel.from_pretrained()
