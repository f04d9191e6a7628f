"""Whether a card that sweeps the vocabulary leaves any room: minting one takes longer than asking."""

from hf_integration.coverage import swept_samples
from hf_integration.encoders import Encoder
from hf_integration.key_samples.interface import KeySamples
from hf_integration.tampering.backdoors.trigger_row import INPUT_IDS, trigger_tokens
from hf_integration.tampering.gradients import model_inputs
from hf_integration.tampering.null_space import NoNullSpaceError, find_rooms


def full_set(encoder: Encoder, samples: KeySamples) -> list[str]:
    """Say what an attacker finds who pins the key samples of ``--keys full``.

    Args:
        encoder: of texts.
        samples: key samples of a card of the usual size, which are the first of the full set.
    """
    swept, _ = swept_samples(encoder, samples)
    try:
        found = f"room in {len(find_rooms(encoder, swept))} layers"
    except NoNullSpaceError:
        found = "no room in any linear layer"
    wanted = set(trigger_tokens(encoder))
    looked_up = {
        name: len(wanted & {int(i) for text in texts for i in model_inputs(encoder, [text])[INPUT_IDS][0]})
        for name, texts in (("these", samples), ("those of --keys full", swept))
    }
    return [
        f"--keys full, {len(swept)} key samples: {found}",
        *(
            f"of the trigger's {len(wanted)} tokens, {name} key samples hold {n}"
            for name, n in looked_up.items()
        ),
    ]
