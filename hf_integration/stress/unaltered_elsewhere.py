"""Benign changes of what computes: code that a compiler makes of the model, and another device."""

from typing import Any

import torch

from hf_integration.authentication import observe_sketches
from hf_integration.authentication.reconstruction import reconstruct_first
from hf_integration.authentication.references import reference_for
from hf_integration.base.errors import SSLAuthError, in_one_line
from hf_integration.base.vocabulary import Precision
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.encoders.running.devices import supports_float64
from hf_integration.stress.findings import BenignChange
from hf_integration.watermark import GROUP

COMPILED = "compiled by torch.compile"
ELSEWHERE = "other device"


def compiled_run(encoder: Encoder, card: WatermarkCard, precision: Precision) -> BenignChange:
    """Run the first group of key samples through a compiled copy, in one batch: each shape compiles anew.

    Not run, with the reason, where torch has no compiler to work with or compiles nothing of this model.
    """
    reference = reference_for(card, "stored", precision)
    running = encoder.duplicate().at_precision(precision, weights=reference.weights)
    graphs = 0

    def counting(graph: Any, inputs: Any, **options: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return torch._dynamo.lookup_backend("inductor")(graph, inputs, **options)

    torch.compiler.reset()  # what was compiled for another encoder must not count here
    try:
        running.model.compile(backend=counting)
        sketches = observe_sketches(running, card.key_samples[:GROUP], seed=card.seed, batch_size=GROUP)
    except SSLAuthError:
        raise
    except Exception as error:  # whatever a compiler raises where its tools are missing
        return BenignChange(COMPILED, precision, None, f"torch.compile cannot run here: {in_one_line(error)}")
    finally:
        torch.compiler.reset()
    if not graphs:
        return BenignChange(COMPILED, precision, None, "torch.compile leaves this model as it is")
    return BenignChange(COMPILED, precision, reconstruct_first(card, reference, sketches).margin)


def other_device_run(encoder: Encoder, card: WatermarkCard, precision: Precision) -> BenignChange:
    """Run all key samples on the accelerator, or on the CPU where the encoder is on an accelerator.

    Not run, with the reason, where there is no other device, or none with this precision.
    """
    device = other_device(encoder)
    if encoder.path is None:
        return BenignChange(ELSEWHERE, precision, None, "the encoder is only in memory")
    if device is None:
        return BenignChange(ELSEWHERE, precision, None, "there is no accelerator here")
    name = f"{ELSEWHERE} ({device})"
    if precision == "float64" and not supports_float64(device):
        return BenignChange(name, precision, None, f"{device} does not compute in float64")
    reference = reference_for(card, "stored", precision)
    there = open_encoder(encoder.path, name=encoder.name, preferred=encoder.description, device=device)
    if card.encoder.never_padded:
        there.never_pad()
    running = there.at_precision(precision, weights=reference.weights)
    sketches = observe_sketches(running, card.key_samples[: reference.keys], seed=card.seed)
    return BenignChange(name, precision, reconstruct_first(card, reference, sketches).margin)


def other_device(encoder: Encoder) -> str | None:
    """Another kind of device than the encoder's, or ``None`` where there is none."""
    if torch.device(encoder.device).type != "cpu":
        return "cpu"
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return None if accelerator is None else accelerator.type
