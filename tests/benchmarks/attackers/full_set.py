"""What a card that sweeps the vocabulary leaves free: layers with room for an edit, tokens that it holds."""

from hf_integration.encoders import Encoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.tampering.gradients import model_inputs
from hf_integration.tampering.null_space import NoNullSpaceError, find_rooms
from tests.benchmarks.attackers.trigger_row import INPUT_IDS, trigger_tokens


def left_free(encoder: Encoder, samples: KeySamples) -> list[str]:
    """Say what an attacker finds who pins these key samples.

    Args:
        encoder: the unaltered one.
        samples: of a card that was minted with ``--keys full``.
    """
    try:
        found = f"room in {len(find_rooms(encoder, samples))} layers of the widest input that has any"
    except NoNullSpaceError:
        found = "no room in any linear layer that is called"
    said = [f"--keys full, {len(samples)} key samples: {found}"]
    if encoder.modality == "text":
        wanted = set(trigger_tokens(encoder))
        held = {int(i) for text in samples for i in model_inputs(encoder, [text])[INPUT_IDS][0]}
        said.append(f"of the trigger's {len(wanted)} tokens, these key samples hold {len(wanted & held)}")
    return said
