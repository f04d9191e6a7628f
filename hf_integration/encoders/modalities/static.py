"""Static encoders: a table with one vector for each token, of which the embedding is the mean.

There is no model of transformers in them: ``StaticEmbedding`` of sentence-transformers, and what model2vec
writes.
"""

from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.recipes import Recipe, attention_mask
from hf_integration.encoders.modalities.text import TextPreparation

STATIC_TYPE = "static"

MOST_MAPPED = 1 << 28
"""Numbers in a table whose file holds fewer vectors than tokens: a small file may ask for any memory."""

UNBOUNDED = 1 << 30
"""Tokens at which a text is cut where the tokenizer's file cuts none."""


@dataclass(frozen=True)
class StaticConfig:
    """The size of a table.

    Attributes:
        vocab_size: tokens.
        hidden_size: width of the vectors.
        model_type: what the architecture is called.
    """

    vocab_size: int = 0
    hidden_size: int = 0
    model_type: str = STATIC_TYPE

    def to_dict(self) -> dict[str, Any]:
        """The sizes by name, as configurations of transformers give theirs."""
        return asdict(self)


class StaticModel(nn.Module):
    """The mean over the vectors of tokens, computed as the library computes it.

    Args:
        config: the size of the table.
    """

    def __init__(self, config: StaticConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.EmbeddingBag(config.vocab_size, config.hidden_size)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        **_: Any,
    ) -> Any:
        """Mean vectors as ``embedding``, and the same as the only hidden state.

        Args:
            input_ids: token numbers, ``(batch, positions)``.
            attention_mask: non-zero where a position is a token.
            _: what models of transformers are told about their outputs.
        """
        kept = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        lengths = kept.sum(1)
        embedding = self.embedding(input_ids[kept.bool()], lengths.cumsum(0) - lengths)
        return SimpleNamespace(embedding=embedding, hidden_states=(embedding,))


def static_recipe(config: Any, _pooler: bool = True) -> Recipe:
    """The mean over the tokens, which the model computes itself."""
    return Recipe(
        "mean over the tokens",
        config.hidden_size,
        lambda output, _: output.embedding.double(),
        mask=attention_mask,
    )


STATIC = Family("text", "StaticModel", static_recipe)


def folded(tensors: dict[str, Tensor], where: str) -> Tensor:
    """The table of a folder, ``(tokens, dim)``, in the dtype in which it is stored.

    Args:
        tensors: those of its weight file. model2vec may keep fewer vectors than tokens, and which token has
            which, and may keep a weight for each token.
        where: folder, for messages.

    Raises:
        EncoderError: other tensors, or such that do not fit each other.
    """
    names = set(tensors)
    if names == {"embedding.weight"}:
        table, mapping, weights = tensors["embedding.weight"], None, None
    elif "embeddings" in names and names <= {"embeddings", "mapping", "weights"}:
        table, mapping, weights = tensors["embeddings"], tensors.get("mapping"), tensors.get("weights")
    else:
        raise EncoderError(
            f"{where}: its tensors are {', '.join(sorted(names)[:5]) or 'none'}",
            remedy="supported: embedding.weight, or embeddings with mapping and weights",
        )
    try:
        if not table.is_floating_point() or table.ndim != 2:
            raise ValueError(f"the table is of {table.dtype} and has {table.ndim} dimensions")
        if mapping is not None:
            if int(mapping.min()) < 0:  # torch would count from the end
                raise ValueError("mapping has numbers below 0")
            if len(mapping) * table.shape[1] > MOST_MAPPED:
                raise ValueError(
                    f"{len(mapping)} tokens of {table.shape[1]} dimensions are more than any table has"
                )
            table = table[mapping.long()]
        if weights is not None:
            wider = table.to(torch.promote_types(table.dtype, torch.float32))
            if weights.shape != (len(table),):
                raise ValueError(f"{tuple(weights.shape)} weights for {len(table)} tokens")
            table = (wider * weights[:, None]).to(table.dtype)
    except (ValueError, IndexError, RuntimeError) as error:
        raise EncoderError(f"{where}: its tensors do not fit: {error}", remedy="download it again") from error
    return table.contiguous()


def model_of(table: nn.EmbeddingBag) -> StaticModel:
    """A model that runs a table which is there already, with whatever was done to it.

    Raises:
        EncoderError: it computes anything else than a mean.
    """
    plain = type(table) is nn.EmbeddingBag and table.mode == "mean" and table.max_norm is None
    if not plain or table.padding_idx is not None:
        raise EncoderError(
            f"the table of a StaticEmbedding, {table!r}, does not compute the mean over all tokens",
            remedy="load it again from its folder",
        )
    with torch.device("meta"):
        model = StaticModel(StaticConfig(table.num_embeddings, table.embedding_dim))
    model.embedding = table
    return model


def tokenizer_of(backend: Any) -> Any:
    """A tokenizer of the tokenizers library as one of transformers; a copy, as calls change how it cuts.

    Raises:
        EncoderError: it cuts texts at their beginning.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    copied = Tokenizer.from_str(backend.to_str())
    copied.no_padding()
    cut = copied.truncation or {}
    if str(cut.get("direction", "right")).lower() != "right":
        raise EncoderError(
            "tokenizer.json cuts texts on the left",
            remedy="supported: 'direction': 'Right' under 'truncation'",
        )
    made: Any = PreTrainedTokenizerFast(
        tokenizer_object=copied,
        model_max_length=cut.get("max_length", UNBOUNDED),
        model_input_names=["input_ids", "attention_mask"],
    )
    return made


class StaticPreparation(TextPreparation):
    """A tokenizer without special tokens, and the prompt that is put before every text.

    Args:
        tokenizer: as :func:`tokenizer_of` makes it.
        module: the model.
        prompt: put before every text.
    """

    special_tokens = False

    def __init__(self, tokenizer: Any, module: nn.Module, *, prompt: str = "") -> None:
        super().__init__(tokenizer, module.forward, max_length=tokenizer.model_max_length, prompt=prompt)
