"""A card that is pinned and signed: the verdict says both where both were verified, nobody else."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("model_signing.verifying")  # of an extra, which the oldest environment is without

from hf_integration.card import WatermarkCard
from hf_integration.report import brief, render
from hf_integration.signing import sign
from hf_integration.verdict import Deployment, Trust, Verdict
from tests.cli.conftest import Ended
from tests.endpoints.encoders import serving
from tests.endpoints.server import EmbeddingServer
from tests.report.verdicts import ALTERED, AUTHENTIC
from tests.signing.keys import KeyPair, make_keys

Run = Callable[..., Ended]
SIGNATURE = Path("cards/tiny/card.sig")


def pin(*, digest: bool = True, signer: bool = True) -> None:
    """An entry for ``tiny``, with what it names."""
    said = f'card_digest = "{WatermarkCard.load("cards/tiny").digest}"\n' if digest else ""
    said += 'signer = "key.pub"\n' if signer else ""
    text = f'version = 1\n[encoders.search]\npath = "tiny"\ncard = "cards/tiny"\n{said}'
    Path("sslauth.toml").write_text(text)


@pytest.fixture
def signed(project: Path, keys: KeyPair) -> KeyPair:
    """A card that is pinned by its digest and signed, and the keys of the one who is named."""
    shutil.copy(keys.public, "key.pub")
    pin()
    sign("cards/tiny", keys.private)
    return keys


def checked(sslauth: Run, *options: str | Path) -> Verdict:
    """The verdict of the pinned encoder."""
    ended = sslauth("verify", "search", *options, "--format", "json")
    assert ended.status == 0, ended.err
    return Verdict.from_dict(json.loads(ended.out))


@pytest.mark.usefixtures("signed")
def test_both_are_said_where_both_were_verified(sslauth: Run) -> None:
    verdict = checked(sslauth)
    assert (verdict.trust, verdict.signers) == ("pinned", ("the key key.pub",))
    ended = sslauth("verify", "search")
    assert "pinned: its digest is the one that you pinned; signed by the key key.pub\n" in ended.out
    assert "card: cards/tiny, signed by the key key.pub" in ended.err
    assert "key.pub" in sslauth("verify", "search", "--format", "html").out
    sarif = json.loads(sslauth("verify", "search", "--format", "sarif").out)
    assert "'signedBy': 'the key key.pub'" in str(sarif)


@pytest.mark.usefixtures("signed")
def test_a_signature_that_nobody_asked_for_names_nobody(sslauth: Run) -> None:
    pin(signer=False)
    assert (verdict := checked(sslauth)).signers == ()
    assert verdict.trust == "pinned"
    assert "signed by" not in sslauth("verify", "search").out


def test_whoever_is_asked_for_besides_is_named_once(sslauth: Run, signed: KeyPair) -> None:
    assert checked(sslauth, "--signer", "key.pub").signers == ("the key key.pub",)
    assert checked(sslauth, "--signer", signed.public).signers == (
        f"the key {signed.public}",
        "the key key.pub",
    )
    pin(signer=False)
    assert checked(sslauth, "--signer", signed.public).signers == (f"the key {signed.public}",)
    pin(digest=False)
    assert (checked(sslauth).trust, checked(sslauth).signers) == ("signed", ("the key key.pub",))


def test_the_signer_of_a_trusted_copy_s_card_is_named(sslauth: Run, signed: KeyPair) -> None:
    with EmbeddingServer("tei", serving(Path("tiny"))) as server:
        asked = ("--endpoint", server.url, "--api", "tei", "--keys", "24")
        assert checked(sslauth, *asked).signers == ("the key key.pub",)
        ended = sslauth("verify", "search", *asked)
        _by_another_key(signed, Path("tiny"))
        refused = sslauth("verify", "search", *asked)
    assert (
        "pinned: the copy is at the commit that you pinned; its card is signed by the key key.pub"
        in ended.out
    )
    assert (refused.status, refused.out) == (4, "")


def _of_another_card(keys: KeyPair, _: Path) -> None:
    replace(WatermarkCard.load("cards/tiny"), created="2030-01-01T00:00:00Z").save(Path("cards/again"))
    SIGNATURE.write_bytes(sign("cards/again", keys.private).path.read_bytes())


def _by_another_key(_: KeyPair, elsewhere: Path) -> None:
    SIGNATURE.unlink()
    sign("cards/tiny", make_keys(elsewhere).private)


def _edited(_: KeyPair, __: Path) -> None:
    said = json.loads(SIGNATURE.read_text())
    signature = said["dsseEnvelope"]["signatures"][0]["sig"]
    said["dsseEnvelope"]["signatures"][0]["sig"] = f"{signature[:20]}{'A' * 4}{signature[24:]}"
    SIGNATURE.write_text(json.dumps(said))


BROKEN: dict[str, Callable[[KeyPair, Path], object]] = {
    "absent": lambda *_: SIGNATURE.unlink(),
    "empty": lambda *_: SIGNATURE.write_bytes(b""),
    "cut": lambda *_: SIGNATURE.write_bytes(SIGNATURE.read_bytes()[:-10]),
    "edited": _edited,
    "by another key": _by_another_key,
    "of another card": _of_another_card,
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_pin_that_fits_makes_up_for_no_broken_signature(
    sslauth: Run, signed: KeyPair, tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    BROKEN[how](signed, tmp_path_factory.mktemp("other"))
    ended = sslauth("verify", "search", "--format", "json")
    assert (ended.status, ended.out) == (4, "")
    assert "cards/tiny/card.sig" in ended.err


def test_a_signature_makes_up_for_no_other_digest(sslauth: Run, signed: KeyPair) -> None:
    replace(WatermarkCard.load("cards/tiny"), created="2030-01-01T00:00:00Z").save(Path("cards/again"))
    shutil.rmtree("cards/tiny")
    Path("cards/again").rename("cards/tiny")
    sign("cards/tiny", signed.private)
    ended = sslauth("verify", "search")
    assert (ended.status, ended.out) == (4, "")
    assert "is not the pinned one" in ended.err


NASTY = "the key \x1b[31mk\u202e</td>.pub"
KINDS = {
    "encoder": AUTHENTIC,
    "endpoint": replace(AUTHENTIC, deployment=Deployment("http://localhost", "openai", "torch", "torch")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_signers_are_inert_in_every_kind_of_report(kind: str) -> None:
    verdict = replace(KINDS[kind], trust="pinned", signers=(NASTY,))
    assert Verdict.from_dict(verdict.to_dict()) == verdict
    text = render(verdict)
    assert r"; signed by the key \x1b[31mk\u202e" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    copy = replace(verdict, card=replace(verdict.card, digest=""))
    assert kind == "encoder" or "the commit that you pinned; its card is signed by the key" in render(copy)


@pytest.mark.parametrize(
    ("trust", "signers", "said"),
    [
        ("pinned", (), "pinned"),
        ("pinned", ("a",), "pinned and signed"),
        ("signed", ("a",), "signed"),
        ("local", (), "local"),
    ],
)
def test_brief_reports_say_both_in_three_words(trust: Trust, signers: tuple[str, ...], said: str) -> None:
    verdict = replace(ALTERED, trust=trust, signers=signers)
    assert f" ({said}), float64" in brief(verdict)


def test_verdicts_of_before_have_no_signers() -> None:
    said = AUTHENTIC.to_dict()
    del said["signers"]
    assert Verdict.from_dict(said) == AUTHENTIC
