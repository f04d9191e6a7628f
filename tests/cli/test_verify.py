"""``sslauth verify``: statuses, formats and streams."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from hf_integration.base.vocabulary import PRECISIONS
from hf_integration.cli.options import PrecisionName
from hf_integration.verdict import Verdict
from tests.cli.conftest import Ended

Run = Callable[..., Ended]
pytestmark = pytest.mark.usefixtures("here")


class TestStatus:
    def test_an_untouched_encoder_ends_with_0(self, sslauth: Run) -> None:
        ended = sslauth("verify", "tiny")
        assert ended.status == 0
        assert ended.out.startswith("AUTHENTIC: tiny\n")

    def test_an_altered_encoder_ends_with_1(self, sslauth: Run) -> None:
        ended = sslauth("verify", "altered", "--card", "cards/tiny")
        assert ended.status == 1
        assert ended.out.startswith("ALTERED: altered\n")
        assert "encoder.layer.1.output.dense.weight" in ended.out
        assert "BROKEN" in ended.out

    def test_no_card_ends_with_3(self, sslauth: Run) -> None:
        ended = sslauth("verify", "altered")
        assert (ended.status, ended.out) == (3, "")
        assert "no watermark card" in ended.err
        assert "--card" in ended.err

    def test_an_empty_card_is_a_usage_error(self, sslauth: Run) -> None:
        ended = sslauth("verify", "tiny", "--card", "")
        assert (ended.status, ended.out) == (2, "")
        assert "--card is empty" in ended.err

    @pytest.mark.parametrize("option", ["--output", "--picture"])
    @pytest.mark.parametrize("place", ["cards/tiny/card.json", "tiny/model.safetensors", "tiny/new.png"])
    def test_an_output_in_a_folder_that_is_checked_is_refused(
        self, sslauth: Run, option: str, place: str
    ) -> None:
        before = Path(place).read_bytes() if Path(place).exists() else None
        ended = sslauth("verify", "tiny", option, place)
        assert (ended.status, ended.out) == (2, "")
        assert "which this command reads" in ended.err
        assert (Path(place).read_bytes() if Path(place).exists() else None) == before

    def test_a_world_size_that_is_no_number_is_a_usage_error(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WORLD_SIZE", "abc")
        ended = sslauth("verify", "tiny")
        assert (ended.status, ended.out) == (2, "")
        assert "WORLD_SIZE" in ended.err

    def test_a_card_that_lies_with_the_encoder_ends_with_3_unless_it_is_trusted(
        self, sslauth: Run, tmp_path: Path
    ) -> None:
        folder = shutil.copytree("tiny", tmp_path / "lonely")
        shutil.copytree("cards/tiny", folder / "sslauth")
        ended = sslauth("verify", folder)
        assert ended.status == 3
        assert ended.out.startswith("INCONCLUSIVE - this is not a pass")
        assert sslauth("verify", folder, "--trust-self-asserted").status == 0

    def test_a_link_in_the_encoders_folder_does_not_make_a_card_trusted(
        self, sslauth: Run, tmp_path: Path
    ) -> None:
        folder = shutil.copytree("tiny", tmp_path / "lonely")
        shutil.copytree("cards/tiny", tmp_path / "elsewhere")
        (folder / "sslauth").symlink_to("../elsewhere")
        ended = sslauth("verify", folder)
        assert ended.status == 3
        assert "self-asserted" in ended.out

    def test_a_damaged_card_ends_with_4(self, sslauth: Run, tmp_path: Path) -> None:
        card = shutil.copytree("cards/tiny", tmp_path / "card")
        with (card / "card.safetensors").open("r+b") as file:
            file.truncate(100)
        ended = sslauth("verify", "tiny", "--card", card)
        assert (ended.status, ended.out) == (4, "")
        assert "card.safetensors" in ended.err
        assert "loading" not in ended.err  # known before the encoder takes its seconds

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("tiny", "--precision", "float8"),
            ("tiny", "--no-such-option"),
            ("tiny", "--output", "missing/report"),
            ("tiny", "--output", "."),
            ("tiny", "--picture", "missing/check.png"),
            ("tiny", "--revision", "main"),
            ("cards",),
            ("tiny", "--card", "cards/tiny", "--device", "toaster"),
        ],
    )
    def test_bad_input_ends_with_2_in_a_line_or_two(self, sslauth: Run, arguments: tuple[str, ...]) -> None:
        if arguments == ("cards",):
            arguments = ("cards", "--card", "cards/tiny")
        ended = sslauth("verify", *arguments)
        assert (ended.status, ended.out) == (2, "")
        assert "sslauth: error: " in ended.err
        assert "Traceback" not in ended.err

    def test_another_architecture_is_an_altered_encoder(self, sslauth: Run, tmp_path: Path) -> None:
        from tests.encoders import tiny_models

        other = tiny_models.save("distilbert", tmp_path / "other")
        ended = sslauth("verify", other, "--card", "cards/tiny")
        assert ended.status == 1
        assert "another encoder than the card's: architecture distilbert instead of bert" in ended.out


class TestCardChoice:
    def test_the_projects_own_card_is_found_by_the_encoders_name(self, sslauth: Run) -> None:
        assert "card: cards/tiny" in sslauth("verify", "./tiny/").err

    def test_a_name_cannot_lead_out_of_the_cards(self) -> None:
        from hf_integration.checking.finding import Asked, Project

        assert Project().find(Asked(encoder="..", own_card="fallback")).card is None
        card = Project().find(Asked(encoder="org/tiny")).card
        assert card
        assert card.folder == Path("cards/tiny")


class TestFormats:
    def test_json_is_the_verdict_and_nothing_else_on_standard_output(self, sslauth: Run) -> None:
        ended = sslauth("verify", "altered", "--card", "cards/tiny", "--format", "json")
        verdict = Verdict.from_dict(json.loads(ended.out))
        assert (ended.status, verdict.status, verdict.encoder) == (1, "altered", "altered")

    @pytest.mark.parametrize("options", [("-q",), ("--format", "quiet")])
    def test_quiet_is_one_word_and_no_messages(self, sslauth: Run, options: tuple[str, ...]) -> None:
        assert sslauth("verify", "tiny", *options) == Ended(0, "authentic\n", "")

    def test_quiet_json_is_json_without_messages(self, sslauth: Run) -> None:
        ended = sslauth("verify", "tiny", "-q", "--format", "json")
        assert json.loads(ended.out)["status"] == "authentic"
        assert ended.err == ""

    def test_the_output_file_takes_the_place_of_standard_output(self, sslauth: Run, tmp_path: Path) -> None:
        ended = sslauth("verify", "tiny", "--output", tmp_path / "report", "--format", "json")
        assert (ended.status, ended.out) == (0, "")
        assert json.loads((tmp_path / "report").read_text())["status"] == "authentic"

    def test_messages_say_what_was_loaded_from_where(self, sslauth: Run) -> None:
        err = sslauth("verify", "tiny").err.splitlines()
        loaded = ["card: cards/tiny", "loading tiny ...", "encoder: local folder tiny"]
        assert err == [*loaded, "checking tiny (8) ..."]

    @pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
    def test_the_chosen_precision_is_used(self, sslauth: Run, precision: str) -> None:
        ended = sslauth("verify", "tiny", "--precision", precision, "--format", "json")
        assert json.loads(ended.out)["precision"] == precision

    def test_all_precisions_of_the_engine_can_be_chosen(self) -> None:
        assert tuple(name.value for name in PrecisionName) == PRECISIONS


class TestPicture:
    def test_it_is_written_for_altered_encoders_too(self, sslauth: Run, tmp_path: Path) -> None:
        file = tmp_path / "check.png"
        ended = sslauth("verify", "altered", "--card", "cards/tiny", "--picture", file)
        assert ended.status == 1
        assert f"picture: {file}" in ended.err
        with Image.open(file) as picture:
            assert picture.format == "PNG"


def test_the_page_has_the_watermark_and_the_status_is_the_verdicts(sslauth: Run, here: Path) -> None:
    for folder, status, kind in (("tiny", 0, "authentic"), ("altered", 1, "altered")):
        ended = sslauth("verify", here / folder, "--card", "cards/tiny", "--format", "html")
        assert ended.status == status
        assert ended.out.startswith("<!doctype html>\n")
        assert ended.out.endswith("</html>\n")
        assert f'<article class="check {kind}"' in ended.out
        assert ended.out.count("data:image/png;base64,") == 1 + 2 * 5
