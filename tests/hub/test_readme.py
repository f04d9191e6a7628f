"""A whole README.md: its header and its section are ours, every other byte is not."""

from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from huggingface_hub import ModelCard

from hf_integration.base.errors import FlawError
from hf_integration.hub.model_index import model_index_lines
from hf_integration.hub.readme import edit
from hf_integration.model_card import read_claims
from hf_integration.model_card.metadata import Metadata, Revocation, read_metadata
from tests.hub.repositories import README

DIGEST = "sha256:" + "ab" * 32
METADATA = Metadata(
    card="sslauth",
    digest=DIGEST,
    encoder_commit="1" * 40,
    created="2026-01-02T03:04:05+00:00",
    embedding_dim=32,
    expires="2027-01-01",
    signed=True,
    revoked=(Revocation("sha256:" + "0" * 64, 'wrong "branch", \\ and: a # 😀'),),
)
SECTION = "## Watermark card\n\ntext\n"
RESULTS = model_index_lines("org/tiny", [("false_alarms", "false alarms", 0)])


@pytest.mark.parametrize(
    "readme",
    [
        b"",
        b"# no header, no newline",
        b"\xef\xbb\xbf# a mark\r\nand lines\r\n",
        b"---\n---\n",
        b"---\nlicense: mit\n---",
        b"---\r\nlicense: mit\r\n---\nmixed\n",
        b"---\nlicense: mit\n---\r\nmixed\r\n<!-- sslauth:begin -->old<!-- sslauth:end -->",
        b"\xff\xfe no text at all \x00",
        README,
    ],
)
def test_both_are_put_in_and_a_second_time_changes_nothing(readme: bytes) -> None:
    edited = edit(readme, METADATA, SECTION)
    assert edit(edited, METADATA, SECTION) == edited
    assert read_claims(edited) == METADATA
    assert edited.count(b"<!-- sslauth:begin -->") == 1
    newer = edit(edited, Metadata("sslauth", DIGEST, "2" * 40, "2026", 32), "other\n")
    assert b"wrong" not in newer
    assert edit(newer, METADATA, SECTION) == edited


def test_what_was_there_stays_byte_for_byte() -> None:
    edited = edit(README, METADATA, SECTION)
    header, body = README.split(b"---\n# Tiny")
    assert edited.startswith(header + b"sslauth:\n")
    assert b"\n---\n# Tiny" + body + b"\n\n<!-- sslauth:begin -->" in edited


def test_the_hubs_client_reads_the_result() -> None:
    data: Any = ModelCard(edit(README, METADATA, SECTION).decode()).data
    assert data["license"] == "mit"
    assert data["widget"] == [{"text": "Hello\n\n"}]
    assert read_metadata(data["sslauth"]) == METADATA


def test_evaluation_results_are_those_of_the_hub() -> None:
    edited = edit(README, METADATA, SECTION, evaluation=RESULTS)
    assert edit(edited, METADATA, SECTION, evaluation=RESULTS) == edited
    data: Any = ModelCard(edited.decode()).data
    assert [(r.dataset_type, r.metric_type, r.metric_value) for r in data.eval_results] == [
        ("sslauth-stress", "false_alarms", 0)
    ]
    assert edit(edited, METADATA, SECTION) == edited  # left alone when none are given


def test_evaluation_results_of_others_are_not_touched() -> None:
    others = b"---\nmodel-index:\n- name: x\n  results:\n  - dataset: {type: mteb}\n---\n"
    with pytest.raises(FlawError, match="evaluation results of its own"):
        edit(others, METADATA, SECTION, evaluation=RESULTS)
    assert b"mteb" in edit(others, METADATA, SECTION)


def test_dates_that_are_none_are_refused_and_not_passed_on() -> None:
    with pytest.raises(FlawError, match="cannot be read"):
        edit(b"---\ndate: 2026-99-99\n---\n", METADATA, SECTION)


def test_the_lines_are_what_yaml_makes_of_them() -> None:
    assert read_metadata(yaml.safe_load("\n".join(METADATA.lines()))["sslauth"]) == METADATA


GOOD = yaml.safe_load("\n".join(METADATA.lines()))["sslauth"]


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"schema": 2}, "version 2, this version of pytest-sslauth reads version 1"),
        ({"schema": True}, "sslauth.schema"),
        ({"card": "../elsewhere"}, "sslauth.card"),
        ({"card": "/etc"}, "sslauth.card"),
        ({"card": "a/.."}, "sslauth.card"),
        ({"card": "a//b"}, "sslauth.card"),
        ({"card": "*"}, "sslauth.card"),
        ({"card": 1}, "sslauth.card"),
        ({"digest": DIGEST.upper()}, "sslauth.digest"),
        ({"digest": DIGEST + "\n"}, "sslauth.digest"),
        ({"encoder_commit": "main"}, "sslauth.encoder_commit"),
        ({"created": "x\x1b[31m"}, "sslauth.created"),
        ({"embedding_dim": "32"}, "sslauth.embedding_dim"),
        ({"embedding_dim": 0}, "sslauth.embedding_dim"),
        ({"expires": "soon"}, "sslauth.expires"),
        ({"signed": "yes"}, "sslauth.signed"),
        ({"revoked": {}}, "sslauth.revoked"),
        ({"revoked": ["sha256:x"]}, "sslauth.revoked"),
        ({"revoked": [{"digest": DIGEST, "reason": "a\nb"}]}, "sslauth.revoked.reason"),
        ({"revoked": [{"digest": DIGEST, "reason": " "}]}, "sslauth.revoked.reason"),
        ({"revoked": [{"digest": "x", "reason": "a"}]}, "sslauth.revoked.digest"),
        ({"trust": "pinned"}, "sslauth.trust: unknown key"),
    ],
)
def test_claims_that_are_malformed_are_named(change: dict[str, object], flaw: str) -> None:
    with pytest.raises(FlawError, match=flaw.replace(".", r"\.")):
        read_metadata({**GOOD, **change})


@pytest.mark.parametrize("key", ["schema", "card", "digest", "encoder_commit", "created", "embedding_dim"])
def test_a_missing_claim_is_named(key: str) -> None:
    with pytest.raises(FlawError, match=f"{key}: missing"):
        read_metadata({name: value for name, value in GOOD.items() if name != key})


@pytest.mark.parametrize("value", [1, "x", [], True])
def test_claims_that_are_no_mapping_are_refused(value: object) -> None:
    with pytest.raises(FlawError, match="not a mapping"):
        read_metadata(value)


@pytest.mark.parametrize(
    "line",
    [
        "x: !!bool maybe",
        "x: !!timestamp y",
        'x: !!int ""',
        "x: !!float one",
        "x: !!binary é",
        "x: 2026-02-30",
        "x: !!omap 7",
        "? [a]\n: 1",
    ],
)
def test_values_that_are_not_of_their_kind_are_a_reason_and_no_traceback(line: str) -> None:
    with pytest.raises(FlawError, match="its YAML header cannot be read") as raised:
        edit(f"---\n{line}\n---\n".encode(), METADATA, SECTION)
    assert "\n" not in str(raised.value)
