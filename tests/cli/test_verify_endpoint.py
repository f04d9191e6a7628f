"""``sslauth verify --endpoint``: real servers over HTTP, honest ones and others, against a trusted copy."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copytree

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from hf_integration.endpoints import APIS, Api
from hf_integration.serving.numeric import Form
from hf_integration.serving.presets import presets
from hf_integration.serving.recipe import Recipe
from hf_integration.verdict import Verdict
from tests.cli.conftest import ROOT, Ended
from tests.endpoints import faults
from tests.endpoints.asking import WITH_MODEL
from tests.endpoints.encoders import serving
from tests.endpoints.server import MODEL, EmbeddingServer
from tests.hub_server.faults import Behaviour, Fault, status
from tests.hub_server.messages import Reply, Request

Run = Callable[..., Ended]

KEYS = ("--keys", "24")


def asked(sslauth: Run, server: EmbeddingServer, *more: str, copy: str = "./tiny") -> Ended:
    model = ("--api-model", MODEL) if server.api in WITH_MODEL else ()
    return sslauth("verify", copy, "--endpoint", server.url, "--api", server.api, *model, *KEYS, *more)


@pytest.mark.parametrize("api", APIS)
def test_the_same_encoder_is_authentic_by_every_api(sslauth: Run, here: Path, api: Api) -> None:
    with EmbeddingServer(api, serving(here / "tiny")) as server:
        ended = asked(sslauth, server)
    assert ended.status == 0, ended.out
    assert ended.out.startswith(f"AUTHENTIC: {server.url}\nthe answers are this encoder's")


def test_every_request_has_a_new_text_and_no_two_checks_ask_the_same(sslauth: Run, here: Path) -> None:
    seen = []
    for _ in range(2):
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            assert asked(sslauth, server).status == 0
            posts = [json.loads(request.body) for request in server.requests if request.method == "POST"]
        assert sorted(len(post["inputs"]) for post in posts) == [1] * 21 + [6] * 3
        seen.append({text for post in posts for text in post["inputs"]})
    assert len(seen[0]) == 24
    assert not seen[0] & seen[1]


class TestAnotherEncoder:
    def test_is_altered_if_the_recipe_was_stated(self, sslauth: Run, here: Path) -> None:
        with EmbeddingServer("tei", serving(here / "far")) as server:
            ended = asked(sslauth, server, "--serving", "torch")
        assert ended.status == 1, ended.out
        assert ended.out.startswith(
            f"ALTERED: {server.url}\nno known recipe gives these answers; the nearest, "
        )

    def test_is_no_pass_if_it_was_not(self, sslauth: Run, here: Path) -> None:
        with EmbeddingServer("tei", serving(here / "far")) as server:
            ended = asked(sslauth, server)
        assert ended.status == 3, ended.out

    def test_behind_every_tenth_request(self, sslauth: Run, here: Path) -> None:
        right, wrong, count = serving(here / "tiny"), serving(here / "far"), 0

        def embed(texts: list[str]) -> list[list[float]]:
            nonlocal count
            count += 1
            return wrong(texts) if count % 10 == 0 else right(texts)

        with EmbeddingServer("tei", embed) as server:
            assert asked(sslauth, server, "--serving", "torch").status == 1

    def test_that_replays_answers_it_has(self, sslauth: Run, here: Path) -> None:
        known = serving(here / "tiny")(["an answer that was prepared", "and another one"])

        def embed(texts: list[str]) -> list[list[float]]:
            return [known[len(text) % 2] for text in texts]

        with EmbeddingServer("tei", embed) as server:
            assert asked(sslauth, server, "--serving", "torch").status == 1

    @pytest.mark.parametrize("width", [16, 200])
    @pytest.mark.usefixtures("here")
    def test_of_another_width(self, sslauth: Run, width: int) -> None:
        def embed(texts: list[str]) -> Sequence[Sequence[float]]:
            return torch.randn(len(texts), width, generator=torch.Generator().manual_seed(0)).tolist()

        with EmbeddingServer("tei", embed) as server:
            assert asked(sslauth, server, "--serving", "torch").status == 1
            assert asked(sslauth, server).status == 3


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(pooling="cls"), "cls instead of its own pooling"),
        (Recipe(prompt="query: "), "the prompt 'query: ' is added"),
        (Recipe(length=32), "cut at 32 tokens"),
        (Recipe(normalised=True), "scaled to length 1"),
        (Recipe(form=Form("decimals", 4)), "answers rounded to 4 decimals"),
        (Recipe(form=Form("float16")), "answers in float16"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_recipe_of_the_same_encoder_is_named(
    sslauth: Run, here: Path, recipe: Recipe, said: str
) -> None:
    with EmbeddingServer("tei", serving(here / "tiny", recipe)) as server:
        ended = asked(sslauth, server)
    assert ended.status == 3, ended.out
    assert f"this is the encoder, but not as expected: {said}" in ended.out
    assert "recipes that come nearest:" in ended.out


class TestReport:
    def test_as_json(self, sslauth: Run, here: Path) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            ended = asked(sslauth, server, "--format", "json")
        said = json.loads(ended.out)
        assert json.loads(json.dumps(Verdict.from_dict(said).to_dict())) == said
        assert said["deployment"]["address"] == server.url
        assert said["deployment"]["found"] == said["deployment"]["expected"]
        assert said["deployment"]["unnoticed"] == pytest.approx(1 - 0.01 ** (1 / 24))
        assert said["key_samples"] == {"run": 24, "of": 24}
        assert said["tensors"]["checked"] == 0

    def test_in_a_word(self, sslauth: Run, here: Path) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            assert asked(sslauth, server, "-q") == Ended(0, "authentic\n", "")

    def test_as_a_picture(self, sslauth: Run, here: Path, tmp_path: Path) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            asked(sslauth, server, "--picture", str(tmp_path / "check.png"))
        assert (tmp_path / "check.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def project(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workshop once more, to be written into."""
    copytree(workshop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestTrustedCopy:
    def test_that_is_not_the_encoder_of_its_card(self, sslauth: Run, here: Path) -> None:
        with EmbeddingServer("tei", serving(here / "altered")) as server:
            ended = asked(sslauth, server, "--card", "cards/tiny", copy="./altered")
        assert (ended.status, ended.out) == (4, "")
        assert "the trusted copy" in ended.err
        assert "encoder.layer.1.output.dense.weight" in ended.err
        assert not [request for request in server.requests if request.method == "POST"]

    @pytest.mark.parametrize("lines", [(), ('card = "cards/tiny"',)], ids=["no card", "card"])
    def test_that_an_entry_names(self, sslauth: Run, project: Path, lines: tuple[str, ...]) -> None:
        with EmbeddingServer("tei", serving(project / "tiny")) as server:
            endpoint = ("[encoders.search.endpoint]", f'url = "{server.url}"', 'api = "tei"', "keys = 24")
            text = ("version = 1", "[encoders.search]", 'path = "tiny"', *lines, *endpoint, "")
            (project / "sslauth.toml").write_text("\n".join(text))
            assert sslauth("verify", "search", "--pinned-endpoint").status == 0
            assert asked(sslauth, server, copy="search").status == 0

    @pytest.mark.parametrize(
        "line",
        ['card = "cards/none"', f'card_digest = "sha256:{"0" * 64}"', 'signer = "keys/none.pub"'],
    )
    def test_whose_entry_names_a_card_that_is_not_there(self, sslauth: Run, project: Path, line: str) -> None:
        with EmbeddingServer("tei", serving(project / "tiny")) as server:
            (project / "sslauth.toml").write_text(f'version = 1\n[encoders.search]\npath = "tiny"\n{line}\n')
            ended = asked(sslauth, server, copy="search")
        assert ended.status in (2, 3, 4)
        assert ended.out == ""
        assert not [request for request in server.requests if request.method == "POST"]

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_that_is_rounded(self, sslauth: Run, project: Path, dtype: str) -> None:
        """The right server would be called altered, held against it."""
        rounded = project / dtype
        load = transformers.AutoModel.from_pretrained(project / "tiny", dtype=getattr(torch, dtype))
        copytree(project / "tiny", rounded)
        load.save_pretrained(rounded)
        with EmbeddingServer("tei", serving(project / "tiny")) as server:
            ended = asked(sslauth, server, "--card", "cards/tiny", "--serving", "torch", copy=f"./{dtype}")
        assert (ended.status, ended.out) == (3, "")
        assert f"is its card's encoder rounded to {dtype}" in ended.err

    def test_with_a_tensor_outside_of_the_embedding_path(self, sslauth: Run, project: Path) -> None:
        copytree(project / "tiny", project / "more")
        tensors = load_file(project / "tiny" / "model.safetensors")
        save_file(
            {**tensors, "head.weight": torch.zeros(2)},
            project / "more" / "model.safetensors",
            metadata={"format": "pt"},
        )
        with EmbeddingServer("tei", serving(project / "tiny")) as server:
            ended = asked(sslauth, server, "--card", "cards/tiny", copy="./more")
        assert (ended.status, ended.out) == (4, "")
        assert "outside the embedding path" in ended.err

    def test_that_fits_its_card(self, sslauth: Run, here: Path) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            assert asked(sslauth, server, "--card", "cards/tiny").status == 0


class TestServersThatDoNotAnswer:
    @pytest.mark.parametrize(
        "behaviour",
        [faults.nested(100), faults.answers(b"<html>"), faults.answers(b"[[NaN]]"), status(404)],
        ids=["nested", "html", "nan", "404"],
    )
    def test_are_inconclusive(self, sslauth: Run, here: Path, behaviour: Behaviour) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            server.faults.append(Fault(behaviour, method="POST"))
            ended = asked(sslauth, server)
        assert (ended.status, ended.out) == (3, "")
        assert ended.err.splitlines()[-1].startswith("sslauth: error: ")

    def test_long_texts_only_leave_open_where_they_cut(self, sslauth: Run, here: Path) -> None:
        def behaviour(request: Request, answer: Callable[[], Reply]) -> Reply:
            refusal = {"error": "inputs must have less than 100 tokens", "error_type": "Validation"}
            return Reply.of(refusal, 413) if len(request.body) > 400 else answer()

        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            server.faults.append(Fault(behaviour, method="POST"))
            ended, again = asked(sslauth, server), asked(sslauth, server, "--format", "json")
        assert ended.status == 0, ended.err
        assert "the server refused" in ended.out
        assert json.loads(again.out)["key_samples"]["run"] < 24

    def test_and_describe_themselves_in_nonsense_may_be_right(self, sslauth: Run, here: Path) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            server.faults.append(Fault(faults.answers(b"<html>"), path="info", method="GET"))
            ended = asked(sslauth, server)
        assert ended.status == 0
        assert "nothing that can be read" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--endpoint", "file:///etc/passwd"), "no URL of a server"),
        (("--endpoint", "http://user:secret@127.0.0.1:1"), "a user name or password"),
        (("--endpoint", "http://127.0.0.1:1", "--serving", "nothing"), "no recipe is called nothing"),
        (("--endpoint", "http://127.0.0.1:1", "--api-key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY"),
        (("--endpoint", "http://127.0.0.1:1", "--precision", "float32"), "--precision"),
        (("--serving", "tei"), "add --endpoint URL"),
        (("--api-model", "tei"), "add --endpoint URL"),
        (("--dimensions", "8"), "add --endpoint URL"),
        (("--api", "tei"), "add --endpoint URL"),
        (("--keys", "8"), "add --endpoint URL"),
    ],
)
def test_options_that_make_no_sense(sslauth: Run, here: Path, arguments: tuple[str, ...], said: str) -> None:
    ended = sslauth("verify", "./tiny", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert "secret" not in ended.err


def test_a_key_is_sent_and_shown_nowhere(sslauth: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_KEY", "sk-0123456789abcdef")
    with EmbeddingServer("openai", serving(here / "tiny"), key="sk-0123456789abcdef") as server:
        right = asked(sslauth, server, "--api-key-env", "SEARCH_KEY", "--format", "json")
        monkeypatch.setenv("SEARCH_KEY", "sk-fedcba9876543210")
        wrong = asked(sslauth, server, "--api-key-env", "SEARCH_KEY")
    assert (right.status, wrong.status) == (0, 3)
    assert "SEARCH_KEY" in wrong.err
    assert not [text for ended in (right, wrong) for text in (ended.out, ended.err) if "sk-" in text]


def test_every_recipe_is_documented() -> None:
    page = (ROOT / "docs/how-to/check-an-endpoint.md").read_text(encoding="utf-8")
    for preset in presets().values():
        assert f"| `{preset.name}` | {preset.title} |" in page
