"""What a bundle holds, what it is refused for, and that nothing half-made is ever left."""

import os
import shutil
import stat
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from hf_integration import WatermarkCard, load_encoder
from hf_integration.base.errors import (
    CardError,
    CardNotFoundError,
    EncoderError,
    IntegrityError,
    ModelCardRefusedError,
    OutputError,
    UsageError,
)
from hf_integration.bundle import BundleRequest, make_bundle
from hf_integration.checking.finding import Project
from hf_integration.checking.held_card import Access
from hf_integration.hub import Publisher, revocation
from hf_integration.signing import KeySigner, SigstoreSigner, verify
from tests.bundle.conftest import ENCODER, NOT_NEEDED, listing
from tests.hub_server.server import HubServer
from tests.signing.keys import KeyPair

LOCAL = BundleRequest(encoder="tiny", out=Path("bundle"), card="cards/tiny")
PUBLISHED = BundleRequest(encoder=ENCODER, out=Path("bundle"), project=Project(cards=Path("nowhere")))
CARD = {"card/card.json", "card/card.safetensors", "card/watermark.png", "card/card.sig"}


def alter(folder: Path) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors["encoder.layer.1.output.dense.weight"][0, 0] += 0.5
    save_file(tensors, file, metadata={"format": "pt"})


def siblings(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.usefixtures("here")
class TestContents:
    def test_it_holds_what_the_encoder_needs_and_a_pin_of_the_card(self, here: Path) -> None:
        for name, content in NOT_NEEDED.items():
            place = here / "tiny" / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
        (here / "tiny" / ".credentials.json").write_text('{"token": "secret"}')
        bundled = make_bundle(LOCAL)
        assert bundled.verdict.status == "authentic"
        names = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
        assert listing(Path("bundle")) == {"sslauth.toml", *CARD, *(f"encoder/{name}" for name in names)}
        assert set(bundled.files) == listing(Path("bundle"))
        document = tomllib.loads(Path("bundle/sslauth.toml").read_text())
        digest = WatermarkCard.load("cards/tiny").digest
        entry = {"path": "encoder", "card": "card", "card_digest": digest}
        assert document == {"version": 1, "encoders": {"tiny": entry}}

    def test_links_become_files(self, here: Path) -> None:
        blobs = here / "models--org--tiny" / "blobs"
        snapshot = here / "models--org--tiny" / "snapshots" / "c0ffee"
        snapshot.mkdir(parents=True)
        (here / "tiny").rename(blobs)
        for file in blobs.iterdir():
            (snapshot / file.name).symlink_to(os.path.relpath(file, snapshot))
        assert make_bundle(replace(LOCAL, encoder=str(snapshot), name="tiny")).files
        assert "encoder/model.safetensors" in listing(Path("bundle"))

    def test_a_link_out_of_the_encoders_folder_is_refused(self, here: Path) -> None:
        (here / "diary.txt").write_text("secret")
        (here / "tiny" / "merges.txt").symlink_to(here / "diary.txt")
        with pytest.raises(EncoderError, match=r"merges\.txt is a link that leads out"):
            make_bundle(LOCAL)
        assert siblings(here) == ["cards", "diary.txt", "tiny"]

    def test_the_signers_key_and_the_signature_come_along(self, keys: KeyPair) -> None:
        bundled = make_bundle(replace(LOCAL, signer=KeySigner(keys.public)))
        assert bundled.verdict.trust == "signed"
        assert Path("bundle/signer.pub").read_bytes() == keys.public.read_bytes()
        assert 'signer = "signer.pub"' in Path("bundle/sslauth.toml").read_text()
        assert verify(Path("bundle/card"), Path("bundle/signer.pub")) == bundled.verdict.card.digest

    def test_a_name_can_be_chosen(self) -> None:
        make_bundle(replace(LOCAL, name="tiny-v1.5"))
        assert list(tomllib.loads(Path("bundle/sslauth.toml").read_text())["encoders"]) == ["tiny-v1.5"]

    def test_a_private_cards_bundle_is_for_its_owner_only(self) -> None:
        replace(WatermarkCard.load("cards/tiny"), secret=True).save(Path("cards/private"))
        said: list[str] = []
        make_bundle(replace(LOCAL, card="cards/private"), Access(say=said.append))
        assert "it is a private card: the bundle is as secret as the card, for its owner only" in said
        assert stat.S_IMODE(Path("bundle").stat().st_mode) == 0o700
        assert stat.S_IMODE(Path("bundle/card/card.json").stat().st_mode) == 0o600

    def test_nothing_of_this_machine_is_in_it(self, here: Path) -> None:
        make_bundle(replace(LOCAL, encoder=str(here / "tiny"), card=here / "cards" / "tiny"))
        for name in listing(Path("bundle")):
            assert str(here).encode() not in Path("bundle", name).read_bytes()


class TestFromTheHub:
    @pytest.mark.usefixtures("here")
    def test_a_repository_is_bundled_at_one_commit_with_its_own_card(
        self, published: HubServer, keys: KeyPair
    ) -> None:
        request = replace(PUBLISHED, signer=KeySigner(keys.public))
        bundled = make_bundle(request)
        assert bundled.verdict.revision == published.head(ENCODER)
        names = listing(Path("bundle"))
        assert not any(name.endswith(tuple(NOT_NEEDED)) for name in names)
        assert {*CARD, "encoder/model.safetensors", "sslauth.toml", "signer.pub"} < names
        assert f"{ENCODER} @{published.head(ENCODER)}" in Path("bundle/sslauth.toml").read_text()

    @pytest.mark.usefixtures("here", "published")
    def test_a_card_that_only_the_repository_vouches_for_is_refused_unless_accepted(self) -> None:
        refused = make_bundle(PUBLISHED)
        assert (refused.verdict.status, refused.verdict.exit_status, refused.files) == ("inconclusive", 3, ())
        assert not Path("bundle").exists()
        assert make_bundle(replace(PUBLISHED, accept_self_asserted=True)).files

    @pytest.mark.usefixtures("here", "published")
    def test_a_card_that_its_publisher_took_back_bundles_nothing(self, keys: KeyPair) -> None:
        digest = WatermarkCard.load(ENCODER).digest
        taken_back = revocation(digest, "minted from the wrong branch")
        Publisher(
            load=lambda name, commit, _: load_encoder(name, revision=commit, device="cpu"), revoked=taken_back
        ).publish(Path("cards/tiny"), ENCODER)
        request = replace(PUBLISHED, signer=KeySigner(keys.public))
        with pytest.raises(ModelCardRefusedError, match="minted from the wrong branch"):
            make_bundle(request)
        assert not Path("bundle").exists()


@pytest.mark.usefixtures("here")
class TestRefusal:
    def test_an_altered_encoder_is_not_bundled(self, here: Path) -> None:
        alter(here / "tiny")
        bundled = make_bundle(LOCAL)
        assert (bundled.verdict.status, bundled.files) == ("altered", ())
        assert bundled.verdict.card.location == "cards/tiny"
        assert siblings(here) == ["cards", "tiny"]

    def test_an_expired_card_bundles_nothing(self, here: Path) -> None:
        replace(WatermarkCard.load("cards/tiny"), expires="2020-01-31").save(Path("cards/old"))
        bundled = make_bundle(replace(LOCAL, card="cards/old"))
        assert (bundled.verdict.exit_status, bundled.files) == (3, ())
        assert siblings(here) == ["cards", "tiny"]

    def test_a_card_inside_the_encoders_folder_is_self_asserted(self, here: Path) -> None:
        shutil.move(here / "cards" / "tiny", here / "tiny" / "sslauth")
        request = BundleRequest(encoder="tiny", out=Path("bundle"))
        assert make_bundle(request).verdict.trust == "self-asserted"
        assert not Path("bundle").exists()

    def test_a_card_without_the_signers_signature(self, here: Path, keys: KeyPair) -> None:
        (here / "cards" / "tiny" / "card.sig").unlink()
        with pytest.raises(IntegrityError, match="no usable signature"):
            make_bundle(replace(LOCAL, signer=KeySigner(keys.public)))
        assert siblings(here) == ["cards", "tiny"]

    def test_another_card_than_the_pinned_one(self) -> None:
        digest = f"sha256:{'0' * 64}"
        Path("sslauth.toml").write_text(
            f'version = 1\n[encoders.here]\npath = "tiny"\ncard = "cards/tiny"\ncard_digest = "{digest}"\n'
        )
        with pytest.raises(IntegrityError, match=f"sslauth.toml pins {digest}"):
            make_bundle(replace(LOCAL, encoder="here", card=None))

    def test_a_damaged_card(self, here: Path) -> None:
        (here / "cards" / "tiny" / "watermark.png").write_bytes(b"x")
        with pytest.raises(CardError):
            make_bundle(LOCAL)

    def test_no_card(self, here: Path) -> None:
        shutil.rmtree(here / "cards")
        with pytest.raises(CardNotFoundError, match="no watermark card: neither in cards/tiny nor with"):
            make_bundle(BundleRequest(encoder="tiny", out=Path("bundle")))

    @pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
    def test_what_lies_at_the_output_stays(self, here: Path, make: object) -> None:
        make(here / "bundle")  # type: ignore[operator]
        with pytest.raises(OutputError, match="exists already") as caught:
            make_bundle(LOCAL)
        assert caught.value.exit_status == 2
        assert siblings(here) == ["bundle", "cards", "tiny"]

    @pytest.mark.parametrize("name", ["", "..", "a b", "é", "x/y", 'a"]\n', "-x", "a" * 100])
    def test_an_impossible_name(self, name: str) -> None:
        with pytest.raises(UsageError, match="cannot be the name") as caught:
            make_bundle(replace(LOCAL, name=name))
        assert str(caught.value).isprintable()

    def test_a_sigstore_signer_needs_a_network(self) -> None:
        with pytest.raises(UsageError, match="a bundle is to do without"):
            make_bundle(replace(LOCAL, signer=SigstoreSigner("me@example.org", "https://issuer")))


@pytest.mark.usefixtures("here")
class TestInterruption:
    @pytest.mark.parametrize("raised", [KeyboardInterrupt(), OSError(28, "No space left on device")])
    @pytest.mark.parametrize("step", [0, 3, 6, 9])
    def test_nothing_half_made_remains(
        self, here: Path, monkeypatch: pytest.MonkeyPatch, step: int, raised: BaseException
    ) -> None:
        steps = iter(range(1000))
        fsync = os.fsync

        def interrupted(descriptor: int) -> None:
            if next(steps) == step:
                raise raised
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", interrupted)
        expected = OutputError if isinstance(raised, OSError) else KeyboardInterrupt
        with pytest.raises(expected):
            make_bundle(LOCAL)
        assert siblings(here) == ["cards", "tiny"]

    def test_parents_are_made_and_gone_again(self, here: Path) -> None:
        alter(here / "tiny")
        make_bundle(replace(LOCAL, out=Path("some/deep/bundle")))
        assert siblings(here) == ["cards", "tiny"]
