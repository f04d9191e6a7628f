"""``sslauth verify --endpoint --by-card``: real servers, and a card in the place of the weights."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from hf_integration import WatermarkCard, load_encoder, mint
from hf_integration.endpoints import APIS, Api
from hf_integration.serving.numeric import Form
from hf_integration.serving.presets import presets
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.tampering.weights.values import add_noise
from tests.cli.conftest import Ended
from tests.endpoints.asking import WITH_MODEL
from tests.endpoints.encoders import serving
from tests.endpoints.server import MODEL, EmbeddingServer
from tests.serving import small_encoders

if TYPE_CHECKING:
    from tests.signing.keys import KeyPair

Run = Callable[..., Ended]

RECIPES = ("tei", "float16-weights", "bfloat16")
KEYS = 24


@pytest.fixture(scope="module")
def minted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder, an altered one, and private and public cards with answers of deployments."""
    root = tmp_path_factory.mktemp("by-card")
    encoder = load_encoder(str(small_encoders.save(root / "small")), device="cpu")
    small_encoders.save(root / "other", seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        card = mint(encoder, keys=KEYS, secret=True, seed=5, recipes=RECIPES)
    card.save(root / "cards" / "small")
    replace(card, secret=False).save(root / "cards" / "public")
    replace(card, served=None).save(root / "cards" / "old")
    replace(card, expires="2026-01-31").save(root / "cards" / "expired")
    altered = encoder.duplicate()
    with torch.no_grad():
        add_noise(altered, 1e-5, seed=0)
    shutil.copytree(root / "small", root / "altered")
    altered.model.save_pretrained(root / "altered")
    return root


@pytest.fixture
def here(minted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with the cards alone: the weights are out of reach."""
    shutil.copytree(minted / "cards", tmp_path / "cards")
    monkeypatch.chdir(tmp_path)
    yield minted
    assert not list(tmp_path.rglob("*.safetensors.index.json"))


def asked(sslauth: Run, server: EmbeddingServer, *more: str, card: str = "cards/small") -> Ended:
    model = ("--api-model", MODEL) if server.api in WITH_MODEL else ()
    return sslauth(
        *("verify", "org/small", "--card", card, "--by-card"),
        *("--endpoint", server.url, "--api", server.api, *model, *more),
    )


@pytest.mark.parametrize("api", APIS)
def test_the_encoder_is_authentic_by_every_api(sslauth: Run, here: Path, api: Api) -> None:
    with EmbeddingServer(api, serving(here / "small")) as server:
        ended = asked(sslauth, server)
    assert ended.status == 0, ended.out + ended.err
    assert f"AUTHENTIC: {server.url}" in ended.out
    assert "a server that stored these texts when it was asked before may answer them from there" in ended.out


def test_who_signed_the_card_is_named(sslauth: Run, here: Path, keys: "KeyPair") -> None:
    from hf_integration.signing import sign

    sign("cards/small", keys.private)
    with EmbeddingServer("tei", serving(here / "small")) as server:
        ended = asked(sslauth, server, "--signer", str(keys.public), "--format", "json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["signers"] == [f"the key {keys.public}"]


@pytest.mark.parametrize("name", ["torch", "infinity", "tei", "float16-weights"])
def test_every_recipe_of_the_card_can_be_expected(sslauth: Run, here: Path, name: str) -> None:
    recipe = presets()[name].recipe
    with EmbeddingServer("tei", serving(here / "small", recipe)) as server:
        ended = asked(sslauth, server, "--serving", name)
    assert (ended.status, "AUTHENTIC" in ended.out) == (0, True), ended.out + ended.err


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(gelu="tanh"), "tanh GELU"),
        (Recipe(weights="float16"), "float16 weights"),
        (Recipe(form=Form("decimals", 4)), "answers rounded to 4 decimals"),
        (Recipe(form=Form("float16")), "answers in float16"),
        (Recipe(dimensions=32), "the first 32 dimensions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_recipe_of_the_card_is_named(sslauth: Run, here: Path, recipe: Recipe, said: str) -> None:
    with EmbeddingServer("tei", serving(here / "small", recipe)) as server:
        ended = asked(sslauth, server)
    assert ended.status == 3, ended.out
    assert f"this is the encoder, but not as expected: {said}" in ended.out


@pytest.mark.parametrize("form", ["decimals:4", "digits:5", "float16"])
def test_rounded_answers_pass_where_they_are_stated(sslauth: Run, here: Path, form: str) -> None:
    recipe = Recipe(form=Form.read(form, where="here"))
    with EmbeddingServer("tei", serving(here / "small", recipe)) as server:
        assert asked(sslauth, server, "--serving", f"torch,{form}").status == 0


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("who", ["altered", "other"])
def test_another_encoder_is_no_pass(sslauth: Run, here: Path, who: str, *, stated: bool) -> None:
    with EmbeddingServer("tei", serving(here / who)) as server:
        ended = asked(sslauth, server, *(("--serving", "torch") if stated else ()))
    assert ended.status == (1 if stated else 3), ended.out


@pytest.mark.parametrize("recipe", [Recipe(pooling="cls"), Recipe(prompt="query: "), Recipe(length=16)])
def test_what_the_card_does_not_know_is_no_pass(sslauth: Run, here: Path, recipe: Recipe) -> None:
    with EmbeddingServer("tei", serving(here / "small", recipe)) as server:
        assert asked(sslauth, server).status == 3


def test_a_cut_that_is_longer_than_the_encoders_own_shows(sslauth: Run, here: Path) -> None:
    with EmbeddingServer("tei", serving(here / "small", Recipe(length=64))) as server:
        ended = asked(sslauth, server)
    assert ended.status == 3, ended.out
    assert "texts of up to 48 tokens give this encoder's embeddings" in ended.out


def test_a_public_card_says_what_a_server_may_know(sslauth: Run, here: Path) -> None:
    """Answers that were stored pass with it: that is impossible to tell, and said."""
    known = WatermarkCard.load("cards/public")
    texts = [str(sample) for sample in known.key_samples]
    stored = dict(zip(texts, serving(here / "small")(texts), strict=True))
    other = serving(here / "other")

    def embed(asked: list[str]) -> list[list[float]]:
        return [stored[text] if text in stored else other([text])[0] for text in asked]

    with EmbeddingServer("tei", embed) as server:
        ended = asked(sslauth, server, card="cards/public")
        assert ended.status == 0
        assert "the card is public: a server may know these texts, and answer them otherwise" in ended.out
        fresh = sslauth("verify", here / "small", "--endpoint", server.url, "--api", "tei", "--keys", "8")
    assert fresh.status == 3, fresh.out


def test_the_key_samples_of_the_card_are_asked_one_by_one(sslauth: Run, here: Path) -> None:
    with EmbeddingServer("tei", serving(here / "small")) as server:
        assert asked(sslauth, server).status == 0
        posts = [
            json.loads(request.body)["inputs"] for request in server.requests if request.method == "POST"
        ]
    texts = {str(sample) for sample in WatermarkCard.load("cards/small").key_samples}
    assert {text for post in posts for text in post} == texts
    assert len(posts) == len(texts) == KEYS
    assert posts != sorted(posts)


@pytest.mark.parametrize(
    ("card", "more", "status", "said"),
    [
        ("old", (), 2, "the card at cards/old has no answers of deployments"),
        ("small", ("--serving", "ollama"), 2, "has no answers of a deployment by this recipe"),
        ("small", ("--keys", "24"), 2, "--keys and --notice choose fresh key samples"),
        ("small", ("--notice", "0.05"), 2, "--keys and --notice choose fresh key samples"),
        ("missing", (), 3, "cards/missing: neither a folder here nor the cache holds it"),
        ("expired", (), 3, "the card expired on 2026-01-31"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    sslauth: Run, here: Path, card: str, more: tuple[str, ...], status: int, said: str
) -> None:
    with EmbeddingServer("tei", serving(here / "small")) as server:
        ended = asked(sslauth, server, *more, card=f"cards/{card}")
    assert ended.status == status, ended.out + ended.err
    assert said in ended.out + ended.err


COMMIT = "0123456789" * 4


@pytest.mark.parametrize(
    ("of", "commit", "revision", "refused"),
    [
        ("small", None, None, None),
        ("Small", None, None, None),
        ("org/small", COMMIT, None, None),
        ("Org/Small", COMMIT, COMMIT, None),
        ("other", None, None, "is of other, not of org/small"),
        ("small-v2", None, None, "is of small-v2, not of org/small"),
        ("else/small", COMMIT, None, "is of else/small, not of org/small"),
        ("small", None, COMMIT, f"is of small at no known commit, not at {COMMIT}"),
        ("org/small", COMMIT, COMMIT[::-1], f"is of org/small at {COMMIT}, not at {COMMIT[::-1]}"),
        ("org/small", COMMIT, "main", f"is of org/small at {COMMIT}, not at main"),
    ],
)
@pytest.mark.parametrize("pinned", [False, True])
def test_a_card_of_another_encoder_is_refused_unless_it_is_pinned(
    sslauth: Run,
    here: Path,
    tmp_path: Path,
    of: str,
    commit: str | None,
    revision: str | None,
    refused: str | None,
    *,
    pinned: bool,
) -> None:
    replace(WatermarkCard.load("cards/small"), encoder_name=of, commit=commit).save(Path("cards/of"))
    if pinned:
        digest = WatermarkCard.load("cards/of").digest
        entry = ["version = 1", "[encoders.named]", 'repo = "org/small"', 'card = "cards/of"']
        if revision is not None:
            entry.append(f'{"commit" if revision != "main" else "track"} = "{revision}"')
        (tmp_path / "sslauth.toml").write_text("\n".join([*entry, f'card_digest = "{digest}"']))
    stated = ("--revision", revision) if revision and not pinned else ()
    with EmbeddingServer("tei", serving(here / "small")) as server:
        ended = asked(sslauth, server, *stated, card="cards/of")
        assert not server.requests or ended.status == 0
    if refused is None or pinned:
        assert ended.status == 0, ended.out + ended.err
    else:
        assert ended.status == 2, ended.out + ended.err
        assert refused in ended.err


def test_a_pinned_endpoint_can_ask_by_card(sslauth: Run, here: Path, tmp_path: Path) -> None:
    digest = WatermarkCard.load("cards/small").digest
    with EmbeddingServer("tei", serving(here / "small")) as server:
        (tmp_path / "sslauth.toml").write_text(
            "\n".join(
                [
                    *("version = 1", "[encoders.search]", 'repo = "org/small"', 'card = "cards/small"'),
                    f'card_digest = "{digest}"',
                    *("[encoders.search.endpoint]", f'url = "{server.url}"', 'api = "tei"', "by_card = true"),
                ]
            )
        )
        ended = sslauth("verify", "search", "--pinned-endpoint", "--format", "json")
    verdict = json.loads(ended.out)
    assert (ended.status, verdict["trust"], verdict["card"]["digest"]) == (0, "pinned", digest)


def test_inspect_shows_what_deployments_answer_and_how_small_an_alteration_shows(
    sslauth: Run, minted: Path
) -> None:
    card = WatermarkCard.load(minted / "cards" / "small")
    assert card.served is not None
    assert {name for answers in card.served.answers for name in answers.names} >= {"torch", *RECIPES}
    text = sslauth("inspect", minted / "cards" / "small").out
    said = json.loads(sslauth("inspect", minted / "cards" / "small", "--format", "json").out)["served"]
    for answers, shown in zip(card.served.answers, said, strict=True):
        assert ", ".join(answers.names) in text
        assert (shown["names"], shown["floor"]) == (list(answers.names), answers.floor)
    assert card.served.answers[0].recipe == PLAIN.to_dict()
