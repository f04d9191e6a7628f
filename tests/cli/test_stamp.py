"""``sslauth stamp`` and ``check-stamp``: of encoders and of real servers over HTTP."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_integration.endpoints import APIS, Api
from hf_integration.serving.numeric import Form
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.stamps.stamp import Stamp
from tests.cli.conftest import Ended, Published, finish, start
from tests.endpoints.asking import WITH_MODEL
from tests.endpoints.encoders import serving
from tests.endpoints.server import MODEL, EmbeddingServer
from tests.hub_server.faults import Fault, status
from tests.hub_server.messages import Reply, Request

Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def stamp(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stamp of ``tiny``, which fits its card."""
    file = tmp_path_factory.mktemp("stamps") / "stamp.json"
    arguments = ("stamp", workshop / "tiny", "--card", workshop / "cards" / "tiny", "--out", file)
    ended = finish(start(*arguments, "--format", "json"))
    assert ended.status == 0, ended.err
    said = json.loads(ended.out)
    assert said["characters"] == len(file.read_text()) - 1
    assert said["card"].startswith("sha256:")
    return file


def at(server: EmbeddingServer) -> tuple[str, ...]:
    model = ("--api-model", MODEL) if server.api in WITH_MODEL else ()
    return ("--endpoint", server.url, "--api", server.api, *model)


def test_a_stamp_names_the_encoder_and_no_folder_of_this_machine(stamp: Path, workshop: Path) -> None:
    made = Stamp.load(stamp)
    assert made.encoder == "tiny"
    assert str(workshop) not in stamp.read_text()
    assert made.others


def test_encoders(sslauth: Run, here: Path, stamp: Path) -> None:
    same, other = sslauth("check-stamp", stamp, "./tiny"), sslauth("check-stamp", stamp, "./altered")
    assert same.status == 0
    assert same.out.startswith("SAME SPACE: the stamp is of tiny\nall 12 texts are embedded within ")
    assert other.status in (1, 3)
    assert "what to do: go back to tiny, or embed the index again" in other.out


@pytest.mark.parametrize("api", APIS)
def test_endpoints_of_every_api(sslauth: Run, here: Path, stamp: Path, api: Api) -> None:
    with EmbeddingServer(api, serving(here / "tiny")) as server:
        ended = sslauth("check-stamp", stamp, *at(server), "-q")
    assert ended == Ended(0, "same\n", "")


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(pooling="cls"), "cls instead of its own pooling"),
        (Recipe(prompt="query: "), "the prompt 'query: ' is added"),
        (Recipe(normalised=True), "scaled to length 1"),
        (Recipe(form=Form("decimals", 4)), "rounded to 4 decimals"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_recipe_is_named(sslauth: Run, here: Path, stamp: Path, recipe: Recipe, said: str) -> None:
    with EmbeddingServer("tei", serving(here / "tiny", recipe)) as server:
        ended = sslauth("check-stamp", stamp, *at(server), "--format", "json")
    assert ended.status == 3
    found = json.loads(ended.out)
    assert (found["status"], said in found["differences"]) == ("recipe", True)


class TestStampOfAnEndpoint:
    @pytest.fixture
    def made(self, sslauth: Run, here: Path, tmp_path: Path) -> Path:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            ended = sslauth("stamp", *at(server), "--out", tmp_path / "stamp.json")
        assert ended.status == 0, ended.err
        assert "as the endpoint answers" in ended.out
        return tmp_path / "stamp.json"

    def test_holds_for_the_same_server_and_for_the_encoder(
        self, sslauth: Run, here: Path, made: Path
    ) -> None:
        with EmbeddingServer("openai", serving(here / "tiny")) as server:
            assert sslauth("check-stamp", made, *at(server)).status == 0
        assert sslauth("check-stamp", made, "./tiny").status == 0
        assert sslauth("check-stamp", made, "./altered").status in (1, 3)

    def test_names_what_numbers_show(self, sslauth: Run, here: Path, made: Path) -> None:
        assert Stamp.load(made).others == ()
        recipe = PLAIN.but(form=Form("decimals", 5))
        with EmbeddingServer("tei", serving(here / "tiny", recipe)) as server:
            ended = sslauth("check-stamp", made, *at(server))
        assert ended.status == 3
        assert "rounded to 5 decimals" in ended.out

    def test_of_one_that_rounds_holds_for_its_rounding(
        self, sslauth: Run, here: Path, tmp_path: Path
    ) -> None:
        with EmbeddingServer("tei", serving(here / "tiny", PLAIN.but(form=Form("decimals", 4)))) as server:
            assert sslauth("stamp", *at(server), "--out", tmp_path / "s.json").status == 0
            assert sslauth("check-stamp", tmp_path / "s.json", *at(server)).status == 0
        ended = sslauth("check-stamp", tmp_path / "s.json", "./tiny")
        assert ended.status == 3
        assert "not rounded to 4 decimals" in ended.out

    def test_leaves_out_texts_that_are_refused(self, sslauth: Run, here: Path, tmp_path: Path) -> None:
        def behaviour(request: Request, answer: Callable[[], Reply]) -> Reply:
            refusal = {"error": "inputs must have less than 100 tokens", "error_type": "Validation"}
            return Reply.of(refusal, 413) if len(request.body) > 600 else answer()

        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            server.faults.append(Fault(behaviour, method="POST"))
            assert sslauth("stamp", *at(server), "--out", tmp_path / "s.json").status == 0
            assert sslauth("check-stamp", tmp_path / "s.json", *at(server)).status == 0
        assert Stamp.load(tmp_path / "s.json").long == 0

    def test_that_answers_at_random_is_inconclusive(self, sslauth: Run, here: Path, tmp_path: Path) -> None:
        right, wrong, count = serving(here / "tiny"), serving(here / "altered"), 0

        def embed(texts: list[str]) -> list[list[float]]:
            nonlocal count
            count += 1
            return [[-number for number in row] for row in wrong(texts)] if count % 3 == 0 else right(texts)

        with EmbeddingServer("tei", embed) as server:
            ended = sslauth("stamp", *at(server), "--out", tmp_path / "s.json")
        assert (ended.status, ended.out) == (3, "")
        assert "two answers to one text" in ended.err
        assert not (tmp_path / "s.json").exists()


def test_a_server_that_refuses_long_texts_where_the_encoder_took_them(
    sslauth: Run, here: Path, stamp: Path
) -> None:
    def behaviour(request: Request, answer: Callable[[], Reply]) -> Reply:
        return (
            Reply.of({"error": "too long", "error_type": "Validation"}, 413)
            if len(request.body) > 600
            else answer()
        )

    with EmbeddingServer("tei", serving(here / "tiny")) as server:
        server.faults.append(Fault(behaviour, method="POST"))
        ended = sslauth("check-stamp", stamp, *at(server))
    assert ended.status == 3
    assert "it refuses long texts" in ended.out


def test_a_server_that_fails_is_inconclusive(sslauth: Run, here: Path, stamp: Path) -> None:
    with EmbeddingServer("tei", serving(here / "tiny")) as server:
        server.faults.append(Fault(status(404), method="POST"))
        ended = sslauth("check-stamp", stamp, *at(server))
    assert (ended.status, ended.out) == (3, "")
    assert len(ended.err.splitlines()) == 1


def test_a_stamp_of_a_pinned_repository_names_commit_and_card(
    sslauth: Run, published: Published, tmp_path: Path
) -> None:
    published.pin()
    ended = sslauth("stamp", "search", "--out", tmp_path / "s.json")
    assert ended.status == 0, ended.err
    made = Stamp.load(tmp_path / "s.json")
    assert (made.encoder, made.commit, made.card) == (published.repo, published.commit, published.digest)
    assert "nobody pinned" not in ended.err
    published.replace_encoder()
    ended = sslauth("check-stamp", tmp_path / "s.json", published.repo)
    assert published.commit in ended.out


def test_nothing_is_overwritten(sslauth: Run, here: Path, stamp: Path, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("mine")
    ended = sslauth("stamp", "./tiny", "--out", tmp_path / "s.json")
    assert (ended.status, ended.out) == (2, "")
    assert (tmp_path / "s.json").read_text() == "mine"
    assert sslauth("stamp", "./tiny", "--out", "tiny/stamp.json").status == 2
    assert not (here / "tiny" / "stamp.json").exists()
    assert sslauth("check-stamp", stamp, "./tiny", "--output", stamp).status == 2
    assert Stamp.load(stamp)
    assert sslauth("stamp", "./tiny", "--force", "--out", tmp_path / "s.json").status == 0


def test_an_altered_encoder_does_not_fit_its_card(sslauth: Run, here: Path, tmp_path: Path) -> None:
    ended = sslauth("stamp", "./altered", "--card", "cards/tiny", "--out", tmp_path / "s.json")
    assert (ended.status, ended.out) == (4, "")
    assert not (tmp_path / "s.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (("stamp", "--out", "s.json"), "either an ENCODER or an endpoint", 2),
        (("stamp", "./tiny", "--endpoint", "http://127.0.0.1:1", "--out", "s.json"), "either an ENCODER", 2),
        (("stamp", "./tiny", "--api", "tei", "--out", "s.json"), "add --endpoint URL", 2),
        (("stamp", "./tiny", "--serving", "nothing", "--out", "s.json"), "no recipe is called nothing", 2),
        (("stamp", "--endpoint", "http://127.0.0.1:1", "--serving", "tei", "--out", "s.json"), "ENCODER", 2),
        (("stamp", "--endpoint", "file:///etc/passwd", "--out", "s.json"), "no URL of a server", 2),
        (("stamp", "./tiny", "--out", "no/folder/s.json"), "there is no folder", 2),
        (("check-stamp", "missing.json", "./tiny"), "there is no stamp missing.json", 2),
        (("check-stamp", "tiny/config.json", "./tiny"), "damaged stamp: tiny/config.json: format", 4),
        (("check-stamp", "STAMP"), "either an ENCODER or an endpoint", 2),
        (("check-stamp", "STAMP", "./tiny", "--accept", "1"), "cannot be accepted", 2),
        (("check-stamp", "STAMP", "./tiny", "--accept", "nan"), "cannot be accepted", 2),
        (("check-stamp", "STAMP", "./nothing"), "nothing", 2),
        (("check-stamp", "STAMP", "--endpoint", "http://127.0.0.1:1", "--device", "cpu"), "ENCODER", 2),
    ],
)
def test_what_makes_no_sense_is_one_line(
    sslauth: Run, here: Path, stamp: Path, arguments: tuple[str, ...], said: str, status: int
) -> None:
    ended = sslauth(*(stamp if argument == "STAMP" else argument for argument in arguments))
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err.splitlines()[-1]
    assert not (here / "s.json").exists()


def test_an_endpoint_is_checked_without_torch(here: Path, stamp: Path) -> None:
    code = """
import sys
from hf_integration.cli import main
status = main(sys.argv[1:])
print("torch" in sys.modules, file=sys.stderr)
sys.exit(status)
"""
    with EmbeddingServer("tei", serving(here / "tiny")) as server:
        ended = finish(start("check-stamp", stamp, *at(server), code=code))
    assert (ended.status, ended.err) == (0, "False\n")


@pytest.mark.parametrize(("folder", "status"), [("tiny", 2), ("other", 1)])
def test_a_result_that_cannot_be_written_is_never_a_pass(
    here: Path, stamp: Path, folder: str, status: int
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    def other(texts: list[str]) -> list[list[float]]:
        return [[float(len(text) % (place + 3)) - 1 for place in range(32)] for text in texts]

    with (
        EmbeddingServer("tei", serving(here / folder) if folder == "tiny" else other) as server,
        Path("/dev/full").open("w") as full,
    ):
        ended = finish(start("check-stamp", stamp, *at(server), stdout=full))
    assert ended.status == status
