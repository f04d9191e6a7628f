import io
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from huggingface_hub import hf_hub_download

from hf_integration.base.errors import InconclusiveError, IntegrityError, KeySampleError, SSLAuthError
from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples import Waveform, samples_from_pool, synthetic_samples
from hf_integration.key_samples.pools.dataset_sources import hub_dataset
from tests.hub_server import Fault, HubServer, faults
from tests.hub_server.fixtures import hub, hub_here

__all__ = ["hub", "hub_here"]

datasets = pytest.importorskip("datasets", reason="the extra 'pool' is not installed")

TEXTS = [f"text number {number}" for number in range(20)]


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def png_rows() -> list[dict[str, Any]]:
    rows = []
    for position, pixels in enumerate(synthetic_samples("image", 8, seed=4, image_size=16)):
        buffer = io.BytesIO()
        PIL.Image.fromarray(np.asarray(pixels)).save(buffer, "PNG")
        rows.append({"bytes": buffer.getvalue(), "path": f"{position}.png"})
    return rows


def wav_rows() -> list[dict[str, Any]]:
    import soundfile

    rows = []
    for position, sound in enumerate(synthetic_samples("audio", 4, seed=4, sampling_rate=8000)):
        assert isinstance(sound, Waveform)
        buffer = io.BytesIO()
        soundfile.write(buffer, sound.samples, sound.sampling_rate, format="WAV")
        rows.append({"bytes": buffer.getvalue(), "path": f"{position}.wav"})
    return rows


def dataset_of(modality: Modality) -> Any:
    if modality == "text":
        return datasets.Dataset.from_dict({"label": list(range(20)), "text": TEXTS, "id": TEXTS})
    feature = datasets.Image(decode=False) if modality == "image" else datasets.Audio(decode=False)
    rows = png_rows() if modality == "image" else wav_rows()
    plain = datasets.Dataset.from_dict({"label": list(range(len(rows))), "media": rows})
    return plain.cast_column("media", feature)


def draw(source: Path | str, modality: Modality, count: int = 4) -> Any:
    return samples_from_pool(str(source), modality, count, seed=0)


def refusal(source: Path | str, modality: Modality, kind: type[SSLAuthError] = KeySampleError) -> str:
    with pytest.raises(kind) as caught:
        draw(source, modality)
    message = str(caught.value)
    assert message.isprintable()
    return message


def expected(modality: Modality) -> set[bytes]:
    if modality == "text":
        return {text.encode() for text in TEXTS}
    return {
        contents(sample)
        for sample in synthetic_samples(modality, 8, seed=4, image_size=16, sampling_rate=8000)
    }


def contents(sample: Any) -> bytes:
    if isinstance(sample, str):
        return sample.encode()
    return sample.samples.tobytes() if isinstance(sample, Waveform) else np.asarray(sample).tobytes()


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
@pytest.mark.parametrize("form", ["saved", "saved dict", "parquet", "folder of parquet", "arrow"])
def test_every_form_of_local_data_set_is_read(tmp_path: Path, modality: Modality, form: str) -> None:
    dataset, place = dataset_of(modality), tmp_path / "pool"
    match form:
        case "saved":
            dataset.save_to_disk(place)
        case "saved dict":
            datasets.DatasetDict({"test": dataset.select([0]), "train": dataset}).save_to_disk(place)
        case "parquet":
            place = tmp_path / "pool.parquet"
            dataset.to_parquet(place)
        case "folder of parquet":
            place.mkdir()
            half = len(dataset) // 2
            dataset.select(range(half)).to_parquet(place / "a.parquet")
            dataset.select(range(half, len(dataset))).to_parquet(place / "b.parquet")
            (place / "README.md").write_text("about")
        case "arrow":
            dataset.save_to_disk(tmp_path / "saved")
            place = tmp_path / "pool.arrow"
            shutil.copy(next((tmp_path / "saved").glob("*.arrow")), place)
    drawn = draw(place, modality)
    assert {contents(sample) for sample in drawn} <= expected(modality)
    assert drawn.origin == f"pool {place.name}, seed 0"
    assert draw(place, modality).digest() == drawn.digest()


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_a_plain_struct_of_bytes_is_decoded(tmp_path: Path, modality: Modality) -> None:
    rows = png_rows() if modality == "image" else wav_rows()
    datasets.Dataset.from_dict({"media": rows}).to_parquet(tmp_path / "a.parquet")
    assert {contents(sample) for sample in draw(tmp_path / "a.parquet", modality)} <= expected(modality)


def test_another_modality_names_the_columns(tmp_path: Path) -> None:
    dataset_of("text").save_to_disk(tmp_path / "pool")
    message = refusal(tmp_path / "pool", "image")
    assert "holds no images: found columns 'label' (int64), 'text' (text), 'id' (text)" in message
    dataset_of("image").save_to_disk(tmp_path / "images")
    assert "holds no texts: found columns 'label' (int64), 'media' (image)" in refusal(
        tmp_path / "images", "text"
    )


def test_several_columns_that_could_be_meant_are_refused(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"a": TEXTS, "b": TEXTS}).save_to_disk(tmp_path / "pool")
    assert "no column of texts among 'a', 'b'" in refusal(tmp_path / "pool", "text")


def test_a_row_cannot_pull_in_a_file_from_elsewhere(tmp_path: Path) -> None:
    private = tmp_path / "private.png"
    PIL.Image.new("RGB", (4, 4)).save(private)
    datasets.Dataset.from_dict({"image": [{"bytes": None, "path": str(private)}]}).to_parquet(
        tmp_path / "a.parquet"
    )
    table = datasets.Dataset.from_parquet(str(tmp_path / "a.parquet"))
    table.save_to_disk(tmp_path / "pool")
    assert "names a file outside the data set" in refusal(tmp_path / "pool", "image")


def test_blank_and_broken_rows_are_named(tmp_path: Path) -> None:
    for name, value in (("blank", b""), ("broken", b"no image")):
        rows = datasets.Dataset.from_dict({"image": [{"bytes": value, "path": "a.png"}]})
        rows.save_to_disk(tmp_path / name)
        assert "row 0 of " in refusal(tmp_path / name, "image")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no parquet")
    assert "a.parquet' cannot be loaded" in refusal(tmp_path / "a.parquet", "text")


def test_pictures_with_a_table_beside_them_are_the_pool_of_an_image_encoder(tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    for number in range(4):
        PIL.Image.new("RGB", (4, 4), (number, 0, 0)).save(pool / f"{number}.png")
    dataset_of("text").to_parquet(pool / "labels.parquet")
    assert draw(pool, "image").modality == "image"
    assert draw(pool, "text").modality == "text"


class TestHub:
    def pretend(self, monkeypatch: pytest.MonkeyPatch, result: Any) -> list[tuple[Any, ...]]:
        calls = []

        def load_dataset(*arguments: Any) -> Any:
            calls.append(arguments)
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return calls

    @pytest.mark.parametrize(
        ("source", "config", "rows"),
        [
            ("org/name", None, 20),
            ("org/name:small", "small", 20),
            ("org/name@test", None, 4),
            ("org/n.a-m_e:a@test", "a", 4),
        ],
    )
    def test_configuration_and_split_are_taken_from_the_source(
        self, monkeypatch: pytest.MonkeyPatch, source: str, config: str | None, rows: int
    ) -> None:
        whole = dataset_of("text")
        splits = datasets.DatasetDict({"test": whole.select(range(4)), "train": whole})
        calls = self.pretend(monkeypatch, splits)
        drawn = draw(source, "text")
        assert calls == [(re.split("[:@]", source)[0], config)]
        assert set(drawn) <= set(TEXTS[:rows])
        assert drawn.origin == f"pool {source}, seed 0"

    def test_an_unknown_split_names_the_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pretend(monkeypatch, datasets.DatasetDict({"train": dataset_of("text")}))
        message = refusal("org/name@dev", "text")
        assert "has no split 'dev'" in message
        assert "it has 'train'" in message

    def test_offline_is_inconclusive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pretend(monkeypatch, ConnectionError("offline"))
        assert "cannot be reached" in refusal("org/name", "text", InconclusiveError)

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (datasets.exceptions.DatasetNotFoundError("x"), "neither a local folder or file nor a data set"),
            (ValueError("BuilderConfig 'b' not found\n\x1b[31m"), "cannot be loaded: ValueError"),
        ],
    )
    def test_other_failures_are_one_line(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: str
    ) -> None:
        self.pretend(monkeypatch, error)
        assert expected in refusal("org/name:b", "text")

    def test_a_local_folder_goes_before_the_hub(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.pretend(monkeypatch, AssertionError("asked the Hub"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "org" / "name").mkdir(parents=True)
        (tmp_path / "org" / "name" / "a.txt").write_text("\n".join(TEXTS))
        assert len(draw("org/name", "text")) == 4


def test_a_server_of_data_sets_cannot_write_outside_the_cache_either(
    hub_here: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test server holds no data sets: a file of a model takes the same way through the client."""
    hub_here.create("org/tiny", {"config.json": b"{}"})
    hub_here.faults.append(Fault(faults.headers(ETag='"../../../escaped"'), path="config.json"))
    monkeypatch.setattr(datasets, "load_dataset", lambda repo, _: hf_hub_download(repo, "config.json"))
    with pytest.raises(IntegrityError, match="leads outside"):
        hub_dataset("org/tiny", "text")


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "datasets", None)
    for source in (str(tmp_path / "rows.parquet"), "org/texts:main@train"):
        with pytest.raises(KeySampleError, match=r"need the extra 'pool' .*pytest-sslauth\[pool\]"):
            samples_from_pool(source, "text", 4, seed=0)
