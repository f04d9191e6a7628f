"""A trusted copy: it knows its weights, gives what any recipe gives, and every key sample is a fresh one."""

from collections.abc import Mapping

import numpy as np
import torch

from hf_integration.benign.padding import padding_leaks
from hf_integration.converted import inputs, weights
from hf_integration.converted.inputs import Read
from hf_integration.converted.knowledge import Knowledge
from hf_integration.converted.original import of_copy
from hf_integration.converted.runtime import Array, Converted
from hf_integration.converted.weights import Explained
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import own_length, tokens_of
from hf_integration.serving.probes import fresh_samples, texts_of
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.sources import CopySource, Source


class CopyKnowledge(Knowledge):
    """What a trusted copy knows.

    Args:
        encoder: it takes texts.
    """

    complete = True
    unknown_rule = "as no rule known here makes them"

    def __init__(self, encoder: TorchEncoder) -> None:
        self._encoder = encoder
        self.original = of_copy(encoder)
        self.source = CopySource(encoder)

    def samples(self, keys: int, converted: Converted) -> KeySamples:
        """See :meth:`Knowledge.samples`."""
        samples = fresh_samples(self._encoder, keys, ascii_only=not converted.own_ids)
        if converted.own_ids:
            return samples
        # what is longer may be refused; where it cuts is asked by other texts
        counts, most = tokens_of(self._encoder, texts_of(samples)), own_length(self._encoder)
        short = [text for text, count in zip(texts_of(samples), counts, strict=True) if count <= most]
        return KeySamples(short, origin=samples.origin)

    def read(self, converted: Converted, texts: list[str], recipe: Recipe) -> Read:
        """See :meth:`Knowledge.read`."""
        return inputs.ask(self._encoder, converted, texts, recipe)

    def explained(self, converted: Converted) -> Explained:
        """See :meth:`Knowledge.explained`."""
        return weights.explain(self._encoder, converted.tensors(), tail=converted.has_tail)

    def padding_leaks(self, samples: KeySamples) -> bool:
        """See :meth:`Knowledge.padding_leaks`."""
        return padding_leaks(self._encoder, samples, seed=0)

    def with_integers(self, explained: Explained) -> Source | str:
        """See :meth:`Knowledge.with_integers`."""
        return CopySource(with_integers(self._encoder, explained.numbers))

    def same_conversion(self, converted: Converted, explained: Explained, texts: list[str]) -> Array | str:
        """See :meth:`Knowledge.same_conversion`: it is made here, and run."""
        same = converted.reference(self._encoder, explained.roundings)
        return same if isinstance(same, str) else same.embed(texts)


def with_integers(encoder: TorchEncoder, numbers: Mapping[str, Array]) -> TorchEncoder:
    """The trusted copy with what integers mean in the place of its weights."""
    copy = encoder.duplicate()
    own = copy.tensors()
    with torch.no_grad():
        for name, array in numbers.items():
            if name in own:
                own[name].copy_(torch.from_numpy(np.ascontiguousarray(array)).reshape(own[name].shape))
    return copy
