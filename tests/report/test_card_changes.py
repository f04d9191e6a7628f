"""What differs between two cards: every kind of difference is named, and equal cards differ in nothing."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from hf_integration.card import WatermarkCard
from hf_integration.card.source import SourceRecord
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.key_samples.samples import KeySamples
from hf_integration.report.card_changes import card_changes


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> WatermarkCard:
    from tests.tiny_cards import save_with_card

    folder = tmp_path_factory.mktemp("cards")
    save_with_card(folder / "tiny", folder / "card")
    return WatermarkCard.load(folder / "card")


def test_a_card_differs_in_nothing_from_itself(card: WatermarkCard) -> None:
    changes = card_changes(card, replace(card, location=str(Path("elsewhere"))))
    assert changes.to_dict() == {"tensors": [], "settings": [], "facts": []}


def test_every_tensor_is_compared(card: WatermarkCard) -> None:
    for name in card.digests["stored"]:
        others = {**card.digests["stored"], name: bytes(32)}
        assert card_changes(card, replace(card, digests={"stored": others})).tensors == (
            f"{name}: other values",
        )
        del others[name]
        fewer = replace(card, digests={"stored": others})
        assert card_changes(card, fewer).tensors == (f"{name}: gone",)
        assert card_changes(fewer, card).tensors == (f"{name}: new",)


def test_every_file_and_key_is_compared(card: WatermarkCard) -> None:
    for file, keys in card.folder.files.items():
        for key in keys:
            files = {**card.folder.files, file: {**keys, key: "another"}}
            other = replace(card, folder=replace(card.folder, files=files))
            [line] = card_changes(card, other).settings
            assert line.startswith(f"{file}: {key}"), line
        files = {name: said for name, said in card.folder.files.items() if name != file}
        fewer = replace(card, folder=replace(card.folder, files=files))
        assert card_changes(card, fewer).settings == (f"{file}: gone",)
        assert card_changes(fewer, card).settings == (f"{file}: new",)


OTHERS: dict[str, Any] = {
    "encoder_name": "another",
    "commit": 40 * "1",
    "created": "2020-01-01T00:00:00+00:00",
    "expires": "2031-01-31",
    "libraries": {"torch": "0.1"},
    "secret": True,
    "motif": "samples",
    "tolerance": 0.5,
    "strips": ("embedding",),
    "references": (),
    "coverage": None,
    "floor": {},
    "behaviour": Behaviour({"config.json": {"hidden_act": "relu"}}),
    "folder": FolderRecord(not_covered=("backdoor.py",)),
    "outside": {"stored": {"head": bytes(32)}},
    "digests": {},
    "served": None,
    "conversions": None,
    "source": SourceRecord(
        repo=None, commit=None, files={"pytorch_model.bin": "0" * 64}, weights=["pytorch_model.bin"], tool="x"
    ),
    "key_samples": KeySamples(["one", "two"], origin="elsewhere"),
}
NOT_COMPARED = {
    "encoder": "compared part by part below",
    "seed": "a secret of private cards",
    "watermark": "follows from the number of key samples",
    "generator": "trained anew for each card",
    "stored": "names of what is compared as tensors",
    "digest": "shown by lock itself",
    "location": "the same card somewhere else",
}


def test_every_field_is_compared_or_there_is_a_reason(card: WatermarkCard) -> None:
    names = {field.name for field in fields(WatermarkCard)}
    assert names == {*OTHERS, *NOT_COMPARED}
    for name, value in OTHERS.items():
        assert any(card_changes(card, replace(card, **{name: value})).to_dict().values()), name
    for name in ("architecture", "embedding_dim", "pooling", "parameters", "stored_dtype", "details"):
        old = getattr(card.encoder, name)
        new: Any = old + 1 if isinstance(old, int) else {"a": "b"} if name == "details" else "another"
        other = replace(card, encoder=replace(card.encoder, **{name: new}))
        assert card_changes(card, other).facts, name


def test_everything_that_a_card_is_made_of_is_compared(card: WatermarkCard) -> None:
    """Numbers that no fact shows, such as the answers that converted encoders are held against."""
    from hf_integration.card.contents import pack

    assert card.served is not None
    turned = tuple(replace(one, embeddings=-one.embeddings) for one in card.served.answers)
    facts = card_changes(card, replace(card, served=replace(card.served, answers=turned))).facts
    assert len([name for name in facts if name.startswith("contents: ")]) == len(turned)
    for other in (
        replace(card, watermark=255 - card.watermark),
        replace(card, generator=replace(card.generator, head=-card.generator.head)),
        replace(card, references=tuple(replace(r, sketches=-r.sketches) for r in card.references)),
    ):
        assert [name for name in card_changes(card, other).facts if name.startswith("contents: ")]
    assert len(pack(card)[1]) > 8
