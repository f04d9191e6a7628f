"""``sslauth mint`` and ``sslauth inspect``."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration import WatermarkCard
from tests.cli.conftest import Ended

Run = Callable[..., Ended]
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minting on this CPU alone."""
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})


def test_the_output_of_inspect_does_not_replace_the_card(sslauth: Run) -> None:
    ended = sslauth("inspect", "cards/tiny", "--output", "cards/tiny/card.json")
    assert (ended.status, ended.out) == (2, "")
    assert WatermarkCard.load("cards/tiny")


@pytest.mark.parametrize("output", ["cards/tiny/card.json", "tiny/model.safetensors"])
def test_the_output_of_mint_replaces_neither_card_nor_encoder(sslauth: Run, output: str) -> None:
    before = Path(output).read_bytes()
    ended = sslauth("mint", "tiny", "--out", "cards/tiny", "--force", "--output", output)
    assert (ended.status, ended.out) == (2, "")
    assert Path(output).read_bytes() == before


def test_inspecting_nothing_is_a_usage_error(sslauth: Run) -> None:
    ended = sslauth("inspect", "")
    assert (ended.status, ended.out) == (2, "")
    assert "no card given" in ended.err


@pytest.mark.usefixtures("quick")
class TestMint:
    def test_a_card_of_some_precisions_says_what_it_cannot_check(self, sslauth: Run, tmp_path: Path) -> None:
        out = tmp_path / "card"
        ended = sslauth(
            "mint", "tiny", "--out", out, "--keys", "8", "--precisions", "float64, float32,bfloat16"
        )
        assert ended.status == 0, ended.err
        precisions = {reference.precision for reference in WatermarkCard.load(out).references}
        assert precisions == {"float64", "float32", "bfloat16"}
        assert sslauth("verify", "tiny", "--card", out, "-q").status == 0
        ended = sslauth("verify", "tiny", "--card", out, "--precision", "float16")
        assert ended.status == 2
        assert "no reference for float16 weights" in ended.err

    @pytest.mark.parametrize("given", ["", "float32", "float64,float32,int8", "float64;float32"])
    def test_precisions_that_are_none_are_known_before_minting(
        self, sslauth: Run, tmp_path: Path, given: str
    ) -> None:
        ended = sslauth("mint", "tiny", "--out", tmp_path / "card", "--precisions", given)
        assert (ended.status, ended.out) == (2, "")
        assert "precision" in ended.err or "float64" in ended.err
        assert not (tmp_path / "card").exists()

    def test_a_card_is_written_and_its_numbers_are_shown(self, sslauth: Run, tmp_path: Path) -> None:
        texts = tmp_path / "texts.txt"
        texts.write_text("the cat sits\na dog\nmarkets fell sharply\nthe sea and a fox\n")
        out = tmp_path / "new" / "card"
        ended = sslauth(
            "mint",
            "tiny",
            "--out",
            out,
            "--keys",
            "3",
            "--pool",
            texts,
            "--seed",
            "5",
            "--expires",
            "2999-12-31",
        )
        assert ended.status == 0, ended.err
        card = WatermarkCard.load(out)
        assert (len(card.key_samples), card.seed, card.secret) == (3, 5, False)
        assert card.expires == "2999-12-31"
        for expected in (
            card.digest,
            "2999-12-31",
            "margin of held-out benign runs",
            "smallest alteration noticed, one of each kind",
            "MB",
        ):
            assert expected in ended.out
        assert sslauth("verify", "tiny", "--card", out, "-q") == Ended(0, "authentic\n", "")

    def test_a_private_card_says_how_to_keep_it(self, sslauth: Run, tmp_path: Path) -> None:
        out = tmp_path / "private"
        ended = sslauth("mint", "tiny", "--out", out, "--keys", "3", "--secret", "--seed", "5")
        assert ended.status == 0
        assert f"next: keep {out} out of version control and out of images" in ended.err
        assert "leave --seed out" in ended.err
        ended = sslauth("verify", "tiny", "--card", out)
        assert ended.status == 0
        assert "others may read it" not in ended.err
        out.chmod(0o755)
        (out / "card.json").chmod(0o644)
        ended = sslauth("verify", "tiny", "--card", out)
        assert ended.status == 0
        assert f"the card is private, but others may read it: chmod -R go= {out}" in ended.err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("tiny",), "--out"),
            (("tiny", "--out", "cards/tiny"), "exists already"),
            (("tiny", "--out", "/dev/null/card"), "cannot write"),
            (("tiny", "--out", "new", "--keys", "0"), "--keys"),
            (("tiny", "--out", "new", "--watermark", "tiny/config.json"), "picture"),
            (("tiny", "--out", "new", "--pool", "missing"), "missing"),
            (("tiny", "--out", "new", "--expires", "2020-01-31"), "that day is over"),
            (("tiny", "--out", "new", "--expires", "tomorrow"), "not a date such as 2030-01-31"),
            (("tiny", "--out", "new", "--expires", "2999-02-30"), "not a day of the calendar"),
            (("cards", "--out", "new"), "config.json"),
        ],
    )
    def test_bad_input_ends_with_2_and_writes_nothing(
        self, sslauth: Run, here: Path, arguments: tuple[str, ...], said: str
    ) -> None:
        before = sorted(here.rglob("*"))
        ended = sslauth("mint", *arguments)
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err
        assert "Traceback" not in ended.err
        assert sorted(here.rglob("*")) == before

    def test_the_output_is_checked_before_the_encoder_is_loaded(self, sslauth: Run) -> None:
        assert "loading" not in sslauth("mint", "tiny", "--out", "cards/tiny").err


def test_an_expired_card_ends_with_3(sslauth: Run, tmp_path: Path) -> None:
    replace(WatermarkCard.load("cards/tiny"), expires="2020-01-31").save(tmp_path / "card")
    assert (
        json.loads(sslauth("inspect", tmp_path / "card", "--format", "json").out)["expires"] == "2020-01-31"
    )
    ended = sslauth("verify", "tiny", "--card", tmp_path / "card")
    assert ended.status == 3
    assert "the card expired on 2020-01-31" in ended.out
    assert sslauth("verify", "altered", "--card", tmp_path / "card").status == 1


class TestInspect:
    def test_people_see_what_the_card_holds(self, sslauth: Run) -> None:
        ended = sslauth("inspect", "cards/tiny")
        assert ended.status == 0
        assert ended.out.startswith("WATERMARK CARD of tiny\n")
        assert "8 (a few words)" in ended.out

    def test_json_and_quiet_hold_the_digest(self, sslauth: Run, here: Path) -> None:
        digest = WatermarkCard.load(here / "cards" / "tiny").digest
        assert json.loads(sslauth("inspect", "cards/tiny", "--format", "json").out)["digest"] == digest
        assert sslauth("inspect", "cards/tiny", "-q") == Ended(0, f"{digest}\n", "")

    def test_no_card_ends_with_3(self, sslauth: Run) -> None:
        ended = sslauth("inspect", "./missing")
        assert (ended.status, ended.out) == (3, "")

    def test_an_edited_card_ends_with_4(self, sslauth: Run, tmp_path: Path) -> None:
        (tmp_path / "card.json").write_text('{"schema": 99}')
        ended = sslauth("inspect", tmp_path)
        assert (ended.status, ended.out) == (4, "")
        assert "card.json" in ended.err
