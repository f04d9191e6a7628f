"""What the files beside a converted model are read with: how the original pools, cuts and reads texts.

A trusted copy knows all of it. A card knows what it recorded: settings, and the digest of the vocabulary.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from torch import nn

from hf_integration.base.errors import CardError, EncoderError
from hf_integration.card import WatermarkCard
from hf_integration.encoders.files.json_values import condensed, same_json
from hf_integration.encoders.identity.behaviour import EFFECTIVE, Behaviour
from hf_integration.encoders.modalities.pipeline_growth import TEXT_STEPS
from hf_integration.encoders.modalities.recipes import OVER_THE_MASK, POOLS, Recipe, sentence_recipe
from hf_integration.encoders.modalities.tail_modules import Normalize, Truncate
from hf_integration.encoders.modalities.text import TextPreparation
from hf_integration.encoders.running.torch_encoder import TorchEncoder


@dataclass(frozen=True, eq=False)
class Original:
    """What is known of the encoder that was converted.

    Attributes:
        called: what a report calls that which knows it: ``the trusted copy`` or ``the card``.
        prompt: put before every text.
        readout: from the model's output to one vector for each text; ``None`` if nobody knows.
        tail: what follows.
        dimensions: of the embedding.
        behaviour: the tokenizer's settings in effect.
        vocabulary: the words by their numbers, given the tokenizer beside the file: its own where only a
            digest of the original's is known, with which the settings are compared.
    """

    called: str
    prompt: str
    readout: Recipe | None
    tail: Mapping[str, nn.Module]
    dimensions: int
    behaviour: Behaviour
    vocabulary: Callable[[Any], list[str]]

    @property
    def pipeline(self) -> Mapping[str, Any]:
        """``tokenizer.json`` key by key, large values as digests; nothing of tokenizers without one."""
        said = self.behaviour.get(EFFECTIVE)
        return {} if "class" in said else said

    def has_steps(self, steps: Mapping[str, Any]) -> bool:
        """Whether it does the same to a text before it looks it up, by :func:`text_steps`."""
        return all(same_json(condensed(steps.get(part)), self.pipeline.get(part)) for part in TEXT_STEPS)

    @property
    def cannot_pool(self) -> str:
        """What to say where no readout is known."""
        return f"{self.called} does not say how it pools, and no modules.json is beside the model"

    def padding(self, tokenizer: Any) -> int:
        """The token number that fills up a batch."""
        word = self.behaviour.get("tokenizer_config.json").get("pad_token")
        found = tokenizer.token_to_id(word) if tokenizer is not None and isinstance(word, str) else None
        return found or 0


def of_copy(encoder: TorchEncoder) -> Original:
    """What a trusted copy knows.

    Raises:
        EncoderError: it has modules before its pooling, which no file of another runtime holds.
    """
    if before := list(encoder.parts[0].before.values()):
        raise EncoderError(
            f"'{encoder.name}' has modules before its pooling ({before[0]}), which other runtimes do not run",
            remedy="supported: Transformer, Pooling, and modules behind it",
        )
    return Original(
        called="the trusted copy",
        prompt=own_prompt(encoder),
        readout=encoder.parts[2],
        tail=dict(encoder.parts[0].tail.items()),
        dimensions=encoder.description.embedding_dim,
        behaviour=encoder.behaviour(),
        vocabulary=lambda _: _by_number(encoder.processor.get_vocab()),
    )


def of_card(card: WatermarkCard) -> Original:
    """What a card knows: dense layers behind the pooling have weights, which no card holds.

    Raises:
        CardError: what it says of the pooling is nothing that minting writes.
    """
    settings = card.behaviour.get("config_sentence_transformers.json")
    prompt, width = settings.get("default_prompt") or "", card.encoder.embedding_dim
    pooling, *behind = card.encoder.pooling.split(", ")
    modes = tuple(pooling.removesuffix(OVER_THE_MASK).split(" + "))
    known = pooling.endswith(OVER_THE_MASK) and set(modes) <= POOLS.keys()
    tail: dict[str, nn.Module] = {}
    for words in behind:
        if words == str(Normalize()):
            tail[words] = Normalize()
        elif words == str(Truncate(width)):
            tail[words] = Truncate(width)
        else:
            known = False
    # a prompt whose tokens are not pooled: how many those are is known to its tokenizer
    known &= not prompt or bool(card.behaviour.get("1_Pooling/config.json").get("include_prompt", True))
    if not isinstance(prompt, str):
        raise CardError(card.location, "behaviour", "the default prompt is no text")
    return Original(
        called="the card",
        prompt=prompt,
        readout=sentence_recipe(SimpleNamespace(hidden_size=width), modes) if known else None,
        tail=tail,
        dimensions=width,
        behaviour=card.behaviour,
        vocabulary=lambda tokenizer: [] if tokenizer is None else _by_number(tokenizer.get_vocab()),
    )


def own_prompt(encoder: TorchEncoder) -> str:
    """What a text encoder puts before every text."""
    preparation = encoder.parts[1]
    return preparation.prompt if isinstance(preparation, TextPreparation) else ""


def _by_number(words: Mapping[str, int]) -> list[str]:
    return sorted(words, key=words.__getitem__)
