"""What one worker believes of a check that another one made."""

import functools
import gc
import shutil
import weakref
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hf_integration.authentication.references import library_versions
from pytest_sslauth import engine, once
from pytest_sslauth.checks import Checks, Common
from pytest_sslauth.lending import Lending
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.once import result_name
from pytest_sslauth.options import Settings
from pytest_sslauth.shared import SharedResults
from tests.plugin.conftest import EDITED

TINY = CheckRequest("models/tiny")


class Workers:
    """Workers of one run, each with checks of its own, and how many checks they made."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.settings = Settings(root, root / "cards", root / "sslauth.toml", device="cpu")
        (root / "run").mkdir(mode=0o700)
        self.shared = SharedResults(root / "run", b"secret")
        self.made: list[str] = []
        check = engine.authenticate

        def counted(subject: Any, request: CheckRequest, settings: Settings) -> Any:
            self.made.append(subject.encoder.name)
            return check(subject, request, settings)

        monkeypatch.setattr(engine, "authenticate", counted)

    def start(self, **settings: Any) -> Checks:
        settings_now = replace(self.settings, **settings)
        return Checks(settings_now, Common(Lending(settings_now.keep), self.shared))


@pytest.fixture
def workers(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workers:
    shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
    return Workers(tmp_path, monkeypatch)


def alter(root: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = root / "models/tiny/model.safetensors"
    tensors = load_file(file)
    tensors[EDITED][0, 0] += 0.5
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.mark.parametrize("settings", [{}, {"html": Path("page.html")}, {"verbose": True}], ids=str)
@pytest.mark.parametrize("altered", [False, True], ids=["authentic", "altered"])
def test_another_worker_finds_the_same(workers: Workers, altered: bool, settings: dict[str, Any]) -> None:
    if altered:
        alter(workers.root)
    first = workers.start(**settings).of_name(TINY)
    second = workers.start(**settings).of_name(TINY)
    assert len(workers.made) == 1
    assert bool(second.failure) == altered
    assert second == first  # the key of the outcome among it
    assert second.to_shared() == first.to_shared()


def _edit(file: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        with (root / file).open("ab") as stream:
            stream.write(b"\n")

    return edit


@pytest.mark.parametrize(
    "change",
    [
        alter,
        *(
            _edit(f"models/tiny/{file}")
            for file in ("config.json", "tokenizer.json", "tokenizer_config.json")
        ),
        _edit("models/tiny/new.txt"),
        _edit("cards/tiny/card.json"),
        lambda root: (root / "models/tiny/config.json").unlink(),
    ],
)
def test_whatever_changed_on_the_disk_is_checked_again(
    workers: Workers, change: Callable[[Path], None]
) -> None:
    first = workers.start().of_name(TINY)
    change(workers.root)
    second = workers.start().of_name(TINY)
    assert second.key != first.key


def test_the_same_bytes_again_are_not(workers: Workers) -> None:
    workers.start().of_name(TINY)
    copied = workers.root / "copied"
    shutil.copytree(workers.root / "models/tiny", copied)
    shutil.rmtree(workers.root / "models/tiny")
    copied.rename(workers.root / "models/tiny")
    workers.start().of_name(TINY)
    assert len(workers.made) == 1


OTHERS: dict[str, Any] = {
    "rootdir": Path("/elsewhere"),
    "cards": Path("/elsewhere"),
    "config": Path("/elsewhere"),
    "stamps": Path("/elsewhere"),
    "require": True,
    "precision": "float32",
    "device": "cuda:1",
    "cache_dir": Path("/elsewhere"),
    "report_dir": Path("/elsewhere"),
    "html": Path("/elsewhere"),
    "accept_self_asserted": True,
    "budget": 1.0,
    "keep": 2,
    "sarif": Path("/elsewhere"),
    "gitlab": Path("/elsewhere"),
    "evidence": "on-failure",
    "pytest_html": True,
    "observe": "report",
    "observe_report": Path("/elsewhere"),
    "missing": "skip",
    "workers": 2,
    "verbose": True,
}


class TestTheName:
    def test_all_settings_are_in_it(self, workers: Workers) -> None:
        usual = result_name(workers.settings, (TINY,))
        assert set(OTHERS) == {field.name for field in fields(Settings)}
        names = {
            result_name(replace(workers.settings, **{key: value}), (TINY,)) for key, value in OTHERS.items()
        }
        assert len(names | {usual}) == 1 + len(OTHERS)

    @pytest.mark.parametrize("library", ["pytest-sslauth", "torch", "transformers", "tokenizers", "numpy"])
    def test_so_are_the_versions(
        self, workers: Workers, monkeypatch: pytest.MonkeyPatch, library: str
    ) -> None:
        usual, versions = result_name(workers.settings, (TINY,)), library_versions()
        assert library in versions
        monkeypatch.setattr(once, "library_versions", lambda: {**versions, library: "0"})
        assert result_name(workers.settings, (TINY,)) != usual

    def test_so_is_the_day(self, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
        usual = result_name(workers.settings, (TINY,))
        monkeypatch.setattr(once, "today", lambda: None)
        assert result_name(workers.settings, (TINY,)) != usual

    def test_so_is_what_was_asked(self, workers: Workers) -> None:
        asked = [
            TINY,
            CheckRequest("models/tiny", precision="float32"),
            CheckRequest("models/tiny", card="cards/other"),
        ]
        shutil.copytree(workers.root / "cards/tiny", workers.root / "cards/other")
        for _ in range(2):
            for request in asked:
                assert not workers.start().of_name(request).failure
        assert len(workers.made) == 3


class TestWhatIsNotPassedOn:
    def test_a_check_that_could_not_be_made(self, workers: Workers) -> None:
        (workers.root / "cards/tiny/card.json").write_text("{}")
        assert "NOT CHECKED" in workers.start().of_name(TINY).failure
        assert not list(workers.shared.folder.glob("*.json"))

    @pytest.mark.usefixtures("global_hook")
    def test_one_of_a_process_with_code_in_it(self, workers: Workers) -> None:
        workers.start().of_name(TINY)
        workers.start().of_name(TINY)
        assert len(workers.made) == 2

    def test_one_of_files_that_changed_meanwhile(
        self, workers: Workers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        check = engine.authenticate

        def slow(*args: Any) -> Any:
            (workers.root / "models/tiny/config.json").touch()
            return check(*args)

        monkeypatch.setattr(engine, "authenticate", slow)
        assert not workers.start().of_name(TINY).failure
        assert not list(workers.shared.folder.glob("*.json"))

    def test_anything_to_a_process_with_code_in_it(
        self, workers: Workers, request: pytest.FixtureRequest
    ) -> None:
        workers.start().of_name(TINY)
        request.getfixturevalue("global_hook")
        assert workers.start().of_name(TINY).failure
        assert len(workers.made) == 2

    @pytest.fixture
    def global_hook(self) -> Iterator[None]:
        hook = nn.modules.module.register_module_forward_hook(lambda *_: None)
        yield
        hook.remove()


class TestWhatIsHandedOut:
    def test_is_loaded_and_compared_by_each_worker(self, workers: Workers) -> None:
        first, second = workers.start(), workers.start()
        outcome, encoder = first.hand_over(TINY, "test_one")
        assert encoder is not None
        with torch.no_grad():
            encoder.tensors()[EDITED][0, 0] += 0.5
        assert second.hand_over(TINY, "test_two")[0].evidence == outcome.evidence
        assert "ALTERED" in first.hand_over(TINY, "test_three")[0].failure
        assert not first.hand_over(TINY, "test_four")[0].failure
        assert len(workers.made) == 1

    def test_code_that_only_this_worker_has_is_found(
        self, workers: Workers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        workers.start().of_name(TINY)
        second = workers.start()
        assert not second.of_name(TINY).failure
        from transformers.models.bert.modeling_bert import BertSelfOutput

        forward = BertSelfOutput.forward

        def logged(*args: Any, **names: Any) -> Any:
            return forward(*args, **names)

        monkeypatch.setattr(BertSelfOutput, "forward", logged)
        outcome, encoder = second.hand_over(TINY, "test_two")
        assert encoder is None
        assert "patched" in outcome.failure
        assert len(workers.made) == 1

    @pytest.mark.parametrize("place", ["a layer", "the model", "torch", "the tokenizer"])
    def test_code_that_this_worker_has_already_is_found_by_a_marker_alone(
        self, workers: Workers, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        from transformers import AutoTokenizer
        from transformers.models.bert.modeling_bert import BertModel, BertSelfOutput

        owner = {
            "a layer": BertSelfOutput,
            "the model": BertModel,
            "torch": torch.nn.Linear,
            "the tokenizer": type(AutoTokenizer.from_pretrained(workers.root / "models/tiny")),
        }[place]
        name = "_encode_plus" if place == "the tokenizer" else "forward"
        usual = getattr(owner, name)

        @functools.wraps(usual)
        def logged(*args: Any, **names: Any) -> Any:
            return usual(*args, **names)

        assert not workers.start().of_name(TINY).failure
        monkeypatch.setattr(owner, name, logged)
        assert "patched" in workers.start().of_name(TINY).failure
        assert len(workers.made) == 2  # it was checked again, and not taken over


class TestInMemory:
    @pytest.mark.parametrize(("keep", "held"), [(1, 1), (2, 2), (5, 3)])
    def test_are_at_most_as_many_encoders_as_may_stay(self, workers: Workers, keep: int, held: int) -> None:
        names = ["tiny", "one", "two"]
        for name in names[1:]:
            shutil.copytree(workers.root / "models/tiny", workers.root / "models" / name)
            shutil.copytree(workers.root / "cards/tiny", workers.root / "cards" / name)
        checks = workers.start(keep=keep)
        models = []
        for name in names:
            encoder = checks.hand_over(CheckRequest(f"models/{name}"), "test")[1]
            assert encoder is not None
            models.append(weakref.ref(encoder.model))
        del encoder
        gc.collect()
        assert sum(model() is not None for model in models) == held
        for name in names:  # again, whether loaded anew or not
            assert checks.hand_over(CheckRequest(f"models/{name}"), "test")[1] is not None
        assert len(workers.made) == 3


@pytest.mark.parametrize(("workers", "cores", "threads"), [(1, 4, 4), (2, 4, 2), (3, 4, 1), (8, 4, 1)])
def test_a_worker_computes_on_its_share_of_the_cores(
    workers: int, cores: int, threads: int, workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    before, seen = torch.get_num_threads(), []

    class Seeing:
        def authenticate(self, **_: Any) -> None:
            seen.append(torch.get_num_threads())

    torch.set_num_threads(cores)
    try:
        settings = Settings(workshop, workshop, workshop, workers=workers)
        engine.authenticate(Seeing(), TINY, settings)  # type: ignore[arg-type]
        assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(before)
    assert seen == [threads]
