"""The state that a waiver names: of everything that is compared, and of nothing that says nothing."""

import hashlib

import pytest

from hf_integration.authentication.evidence import state_of
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.identity.folder_record import FolderRecord
from tests.authentication.plain_encoder import PlainEncoder

OUTSIDE = {"head": b"\x04" * 32}
DIGESTS = {"layer.weight": b"\x01" * 32, "layer.bias": b"\x02" * 32}


def test_is_the_sha_256_of_kind_tensors_behaviour_and_code() -> None:
    """Waivers in circulation name it: another text would make all of them void."""
    encoder = PlainEncoder()
    code = ("patched forward on the model", "forward hook on layer")
    text = (
        '{"behaviour":{"config.json":{"scale":1.5}},'
        '"code":["forward hook on layer","patched forward on the model"],'
        '"files":{},"kind":["text","bert",32,"mean over the mask"],'
        f'"outside":{{"head":"{"04" * 32}"}},'
        f'"tensors":{{"layer.bias":"{"02" * 32}","layer.weight":"{"01" * 32}"}}}}'
    )
    assert state_of(encoder, DIGESTS, OUTSIDE, code) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "described",
    [{"modality": "image"}, {"architecture": "x"}, {"embedding_dim": 1}, {"pooling": "cls"}],
)
def test_another_kind_is_another_state(described: dict[str, object]) -> None:
    assert state_of(PlainEncoder(**described), DIGESTS, {}, ()) != state_of(PlainEncoder(), DIGESTS, {}, ())


def test_whatever_else_is_compared_makes_another_state() -> None:
    settings = PlainEncoder()
    settings.behaves = Behaviour({"config.json": {"scale": 1.25}})
    digests = {**DIGESTS, "layer.bias": b"\x03" * 32}
    states = [
        state_of(PlainEncoder(), DIGESTS, {}, ()),
        state_of(settings, DIGESTS, {}, ()),
        state_of(PlainEncoder(), DIGESTS, {}, ("forward hook on layer",)),
        state_of(PlainEncoder(), digests, {}, ()),
        state_of(PlainEncoder(), {"layer.weight": DIGESTS["layer.weight"]}, {}, ()),
        state_of(PlainEncoder(), DIGESTS, OUTSIDE, ()),
    ]
    assert len(set(states)) == 6


def test_what_the_files_say_is_part_of_it() -> None:
    states = set()
    for value in ("BarkProcessor", "BertProcessor"):
        encoder = PlainEncoder()
        encoder.folder = FolderRecord(files={"tokenizer_config.json": {"processor_class": value}})
        states.add(state_of(encoder, DIGESTS, {}, ()))
    assert len(states | {state_of(PlainEncoder(), DIGESTS, {}, ())}) == 3


def test_the_order_of_tensors_and_of_findings_does_not_count() -> None:
    one = state_of(PlainEncoder(), DIGESTS, {}, ("a", "b"))
    assert one == state_of(PlainEncoder(), dict(reversed(DIGESTS.items())), {}, ("b", "a"))


def test_what_can_only_be_queried_has_none() -> None:
    endpoint = PlainEncoder()
    endpoint.has_weights = False
    assert state_of(endpoint, {}, {}, ()) is None
