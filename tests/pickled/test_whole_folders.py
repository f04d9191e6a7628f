"""All that belongs to a folder with pickled weights is converted, and the record is about all of it."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile, copytree

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_integration import load_encoder
from hf_integration.base.errors import EncoderError
from hf_integration.base.vocabulary import CONVERSION_FILE
from hf_integration.card.source import source_of
from hf_integration.pickled.conversion import convert
from hf_integration.pickled.source import find_pickled
from tests.cli.conftest import Ended
from tests.encoders import tiny_models
from tests.hub_server.server import HubServer
from tests.pickled.test_conversion import PICKLE, names, sentence_folder, shard

Run = Callable[..., Ended]
INDEX, WEIGHTS = "model.safetensors.index.json", "model.safetensors"


def pickle(folder: Path) -> None:
    """Make pickles of all weights of a folder."""
    for file in list(folder.rglob(WEIGHTS)):
        torch.save(load_file(file), file.with_name(PICKLE))
        file.unlink()


@pytest.fixture(scope="module", params=["at the root", "below"])
def router(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Router of two models with safetensors, in a folder of its own or not."""
    pytest.importorskip("sentence_transformers")
    from tests.agreement.several import ROUTED

    top = tmp_path_factory.mktemp("router")
    save = next(layout.save for layout in ROUTED if layout.name == "Router of two models")
    save(top / "base", top / "router")
    if request.param == "below":
        below = top / "router" / "0_Router"
        below.mkdir()
        for start in ("router_config.json", "document_", "query_"):
            for path in list((top / "router").glob(f"{start}*")):
                path.rename(below / path.name)
        file = top / "router" / "modules.json"
        modules = json.loads(file.read_text())
        modules[0]["path"] = "0_Router"
        file.write_text(json.dumps(modules))
    return top / "router"


class TestRouter:
    def test_every_folder_of_a_route_is_converted(self, router: Path, tmp_path: Path, sslauth: Run) -> None:
        old, new = Path(copytree(router, tmp_path / "old")), tmp_path / "new"
        pickle(old)
        ended = sslauth("convert", old, "--out", new)
        assert ended.status == 0, ended.err
        assert names(new) == names(router) | {CONVERSION_FILE}
        assert len(list(new.rglob(WEIGHTS))) == 2
        texts = tiny_models.TEXTS
        assert torch.equal(load_encoder(str(new)).embed(texts), load_encoder(str(router)).embed(texts))
        assert source_of(new) is not None

    def test_a_repository_with_one_pickled_route_is_fetched_with_both(
        self, router: Path, tmp_path: Path, folder: Path, hub_here: HubServer, sslauth: Run
    ) -> None:
        old = Path(copytree(router, tmp_path / "old"))
        pickle(next(old.rglob("query_*/model.safetensors")).parent)
        hub_here.create("org/router", {name: (old / name).read_bytes() for name in names(old)})
        ended = sslauth("convert", "org/router", "--out", "new")
        assert ended.status == 0, ended.err
        assert names(folder / "new") == names(router) | {CONVERSION_FILE}
        assert source_of(folder / "new") is not None


@pytest.mark.parametrize("sharded", [True, False], ids=["shards", "whole"])
def test_an_index_of_safetensors_beside_pickles_is_left_out_and_named(
    sharded: bool, old: Path, tmp_path: Path, sslauth: Run
) -> None:
    sentence_folder(old)
    places = ("", "2_Dense")
    for place in places:
        if sharded:
            shard(old / place)
        (old / place / INDEX).write_text('{"weight_map": {"x": "model-00001-of-00001.safetensors"}}')
    ended = sslauth("convert", old, "--out", tmp_path / "new", "--format", "json")
    assert ended.status == 0, ended.err
    assert {INDEX, f"2_Dense/{INDEX}"} <= set(json.loads(ended.out)["left_out"])
    for place in places:
        written = tmp_path / "new" / place / INDEX
        assert written.exists() == sharded
        if sharded:
            shards = set(json.loads(written.read_text())["weight_map"].values())
            assert shards == {path.name for path in written.parent.glob("model-*.safetensors")}
    assert source_of(tmp_path / "new") is not None


def shard_safely(folder: Path) -> None:
    """Make two shards of safetensors of the pickle of a folder."""
    tensors = torch.load(folder / PICKLE, weights_only=True)
    (folder / PICKLE).unlink()
    placed = {name: f"model-0000{1 + at % 2}-of-00002.safetensors" for at, name in enumerate(tensors)}
    for file in set(placed.values()):
        part = {name: tensor for name, tensor in tensors.items() if placed[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": placed}))


KINDS: dict[str, Callable[[Path], None]] = {"pickled": shard, "mixed": shard_safely}
"""What the weights of the model are made; those of the layer behind it are always pickled."""


@pytest.fixture(scope="module", params=KINDS)
def converted(request: pytest.FixtureRequest, safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("converted")
    old = Path(copytree(safe, top / "old"))
    pickle(old)
    sentence_folder(old)
    KINDS[request.param](old)
    convert(find_pickled(old), top / "new")
    if request.param == "mixed":
        assert (top / "new" / INDEX).read_bytes() == (old / INDEX).read_bytes()
    return top / "new"


@pytest.fixture
def new(converted: Path, tmp_path: Path) -> Path:
    return Path(copytree(converted, tmp_path / "new"))


class TestChangedSince:
    def test_every_file_of_the_result_is_held_against_the_record(self, new: Path) -> None:
        assert source_of(new) is not None
        files = sorted(names(new) - {CONVERSION_FILE})
        known = {"config.json", "modules.json", INDEX, "2_Dense/config.json", f"2_Dense/{WEIGHTS}"}
        assert known < set(files)
        for name in files:
            data = (new / name).read_bytes()
            (new / name).write_bytes(data + b" ")
            with pytest.raises(EncoderError, match="not the file that was written by the conversion"):
                source_of(new)
            (new / name).unlink()
            with pytest.raises(EncoderError, match="convert the encoder again, or delete this record"):
                source_of(new)
            (new / name).write_bytes(data)
        assert source_of(new) is not None

    @pytest.mark.parametrize("name", [WEIGHTS, "model-00001-of-00009.safetensors", f"1_Pooling/{WEIGHTS}"])
    def test_weights_beside_it_that_loaders_take_are_refused(self, name: str, new: Path) -> None:
        copyfile(new / "2_Dense" / WEIGHTS, new / name)
        with pytest.raises(EncoderError, match=f"loaded now, and not written.*{name}"):
            source_of(new)

    @pytest.mark.parametrize("name", ["README.md", "other.safetensors", f"other/{WEIGHTS}", PICKLE])
    def test_what_no_loader_takes_is_no_change(self, name: str, new: Path) -> None:
        (new / name).parent.mkdir(exist_ok=True)
        copyfile(new / "2_Dense" / WEIGHTS, new / name)
        assert source_of(new) is not None

    def test_a_card_is_not_minted_in_the_name_of_other_weights(
        self, new: Path, safe: Path, tmp_path: Path, sslauth: Run
    ) -> None:
        tripled = {name: 3 * tensor for name, tensor in load_file(safe / WEIGHTS).items()}
        save_file(tripled, new / WEIGHTS, metadata={"format": "pt"})
        ended = sslauth("mint", new, "--out", tmp_path / "card")
        assert ended.status == 2
        last = ended.err.splitlines()[-1]
        assert "loaded now, and not written by the conversion: model.safetensors" in last
        assert last.endswith("(convert the encoder again, or delete this record)")
        assert not (tmp_path / "card").exists()


class TestRecord:
    def test_a_result_that_was_published_still_fits_its_record(self, new: Path, hub_here: HubServer) -> None:
        hub_here.create("org/new", {name: (new / name).read_bytes() for name in names(new)})
        found = source_of(load_encoder("org/new").path or Path())
        assert found == source_of(new)
        assert found is not None

    @pytest.mark.parametrize("digest", [None, "1" * 64], ids=["missing", "another"])
    def test_every_copy_has_the_digest_that_was_read(self, digest: str | None, new: Path) -> None:
        record = json.loads((new / CONVERSION_FILE).read_text())
        copied = set(record["source"]["files"]) - set(record["source"]["weights"])
        assert {"config.json", "1_Pooling/config.json"} < copied
        for name in copied:
            written = {key: value for key, value in record["written"].items() if key != name}
            written |= {name: digest} if digest else {}
            (new / CONVERSION_FILE).write_text(json.dumps({**record, "written": written}))
            with pytest.raises(EncoderError, match="a file that was copied"):
                source_of(new)

    def test_weights_that_are_not_loaded_are_refused(self, new: Path) -> None:
        (new / "other").mkdir()
        copyfile(new / "2_Dense" / WEIGHTS, new / "other" / WEIGHTS)
        record = json.loads((new / CONVERSION_FILE).read_text())
        record["written"][f"other/{WEIGHTS}"] = record["written"][f"2_Dense/{WEIGHTS}"]
        (new / CONVERSION_FILE).write_text(json.dumps(record))
        with pytest.raises(EncoderError, match=f"written, and not loaded now: other/{WEIGHTS}"):
            source_of(new)
