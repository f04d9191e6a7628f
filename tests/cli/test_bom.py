"""``sslauth bom``: CycloneDX 1.6, valid against its schema, and nothing in it that did not pass."""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cyclonedx")

from hf_integration.attestation import AttestedFiles
from hf_integration.bom import CheckedEncoder, bill_of
from tests.cli.conftest import Ended, Published
from tests.report.verdicts import ALTERED, AUTHENTIC, INCONCLUSIVE, WAIVED

Run = Callable[..., Ended]

OUT = Path("encoders.cdx.json")

ENTRY = """
[encoders.{name}]
path = "{path}"
card = "cards/tiny"
"""


def valid(data: bytes) -> Any:
    """The bill, once the library's own validator found it valid against the schema of 1.6."""
    pytest.importorskip("jsonschema")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None
    bill = json.loads(data)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    return bill


def properties(component: Any) -> dict[str, str]:
    return {one["name"]: one["value"] for one in component["properties"]}


def pin(**paths: str) -> None:
    entries = (ENTRY.format(name=name, path=path) for name, path in paths.items())
    Path("sslauth.toml").write_text("version = 1\n" + "".join(entries))


@pytest.mark.usefixtures("project")
class TestBom:
    def test_an_authentic_encoder_is_a_component_with_its_files_and_its_card(self, sslauth: Run) -> None:
        pin(search="tiny")
        ended = sslauth("bom", "--out", OUT)
        assert ended.status == 0, ended.err
        (component,) = valid(OUT.read_bytes())["components"]
        assert (component["type"], component["name"]) == ("machine-learning-model", "search")
        files = {one["name"]: one["hashes"][0]["content"] for one in component["components"]}
        assert files == {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in Path("tiny").iterdir()
        }
        whole = hashlib.sha256(b"".join(bytes.fromhex(files[name]) for name in sorted(files))).hexdigest()
        assert component["hashes"] == [{"alg": "SHA-256", "content": whole}]
        (card,) = component["externalReferences"]
        digest = hashlib.sha256(Path("cards/tiny/card.json").read_bytes()).hexdigest()
        assert (card["type"], card["url"]) == ("evidence", "cards/tiny/card.json")
        assert card["hashes"] == [{"alg": "SHA-256", "content": digest}]
        assert properties(component)["sslauth:status"] == "authentic"

    def test_what_did_not_pass_is_left_out_and_named_and_decides_the_status(self, sslauth: Run) -> None:
        pin(good="tiny", bad="altered", gone="nowhere")
        ended = sslauth("bom", "--out", OUT, "--format", "json")
        assert ended.status == 1
        listed = {one["name"]: (one["status"], one["listed"]) for one in json.loads(ended.out)["encoders"]}
        assert listed == {"good": ("authentic", True), "bad": ("altered", False), "gone": (None, False)}
        bill = valid(OUT.read_bytes())
        assert [one["name"] for one in bill["components"]] == ["good"]
        left = sorted(one["value"] for one in bill["metadata"]["properties"])
        assert left == ["bad: altered", "gone: not checked"]
        assert "left out: bad: " in ended.err

    def test_the_encoders_may_be_named(self, sslauth: Run) -> None:
        pin(good="tiny", again="tiny", bad="altered")
        ended = sslauth("bom", "good", "again", "--out", OUT, "-q")
        assert (ended.status, ended.out) == (0, "2 of 2\n")
        assert len(valid(OUT.read_bytes())["components"]) == 2

    def test_without_any_that_passed_there_is_no_component(self, sslauth: Run) -> None:
        pin(bad="altered")
        OUT.write_text("of an earlier day")
        ended = sslauth("bom", "--out", OUT)
        assert ended.status == 1
        assert "0 of 1 encoders" in ended.out
        assert "components" not in valid(OUT.read_bytes())

    def test_an_encoder_with_a_card_of_its_own_alone_is_left_out(self, sslauth: Run) -> None:
        Path("cards/tiny").rename("tiny/sslauth")
        ended = sslauth("bom", "./tiny", "--out", OUT)
        assert ended.status == 3
        assert "components" not in valid(OUT.read_bytes())

    @pytest.mark.parametrize("out", ["", "tiny/bom.json", "no/bom.json", "sslauth.toml", "tiny"])
    def test_an_output_that_would_replace_what_is_read_ends_with_2(self, sslauth: Run, out: str) -> None:
        pin(good="tiny")
        before = Path("sslauth.toml").read_bytes()
        ended = sslauth("bom", "--out", out)
        assert (ended.status, ended.out) == (2, "")
        assert Path("sslauth.toml").read_bytes() == before

    def test_without_entries_and_without_the_extra_it_ends_with_2(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert sslauth("bom", "--out", OUT).status == 2
        Path("sslauth.toml").write_text("version = 1\n")
        assert sslauth("bom", "--out", OUT).status == 2
        monkeypatch.setitem(sys.modules, "cyclonedx.output.json", None)
        ended = sslauth("bom", "--out", OUT)
        assert (ended.status, OUT.exists()) == (2, False)
        assert "pip install 'pytest-sslauth[bom]'" in ended.err


def test_a_hub_repository_has_its_package_url(sslauth: Run, published: Published) -> None:
    published.pin()
    ended = sslauth("bom", "--out", OUT)
    assert ended.status == 0, ended.err
    (component,) = valid(OUT.read_bytes())["components"]
    assert component["purl"] == f"pkg:huggingface/org/tiny@{published.commit}"
    assert (component["group"], component["name"], component["version"]) == ("org", "tiny", published.commit)
    (card,) = component["externalReferences"]
    assert card["url"] == f"https://huggingface.co/org/tiny/blob/{published.commit}/sslauth/card.json"
    assert card["hashes"][0]["content"] == published.digest.removeprefix("sha256:")
    assert properties(component)["sslauth:trust"] == "pinned"


HOSTILE = "\x1b[2J<script>]]>%0A\u202e{}\n\"'\\ :/?#"


def test_hostile_strings_stay_strings() -> None:
    files = AttestedFiles(HOSTILE, {HOSTILE: "00" * 32})
    location = replace(AUTHENTIC.card, location=HOSTILE)
    verdict = replace(AUTHENTIC, encoder=HOSTILE, card=location)
    data = bill_of([CheckedEncoder(verdict, files)], left_out={HOSTILE: HOSTILE})
    (component,) = valid(data)["components"]
    assert component["name"] == HOSTILE
    assert data.isascii()


@pytest.mark.parametrize("verdict", [ALTERED, INCONCLUSIVE, WAIVED])
def test_no_verdict_but_an_authentic_one_makes_a_component(verdict: Any) -> None:
    files = AttestedFiles("name", {"config.json": "00" * 32}, "pkg:huggingface/org/name@" + "ab" * 20)
    bill = valid(bill_of([CheckedEncoder(verdict, files)], left_out={}))
    assert "components" not in bill
    assert f"name: {verdict.status}" in [one["value"] for one in bill["metadata"]["properties"]]
