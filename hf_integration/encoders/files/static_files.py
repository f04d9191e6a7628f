"""Loading of static encoders: one table and one tokenizer file."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.files.loading import named_failures, silent_transformers
from hf_integration.encoders.files.safetensors_files import weight_files
from hf_integration.encoders.modalities.static import StaticModel, folded, model_of, tokenizer_of


def load_static(folder: Path) -> StaticModel:
    """The model of a static encoder, in the dtype in which its table is stored.

    Raises:
        EncoderError: weights that cannot be read, or that are no table.
    """
    files = weight_files(folder)
    try:
        tensors = {name: tensor for file in files for name, tensor in load_file(file).items()}
    except (SafetensorError, OSError) as error:
        raise EncoderError(
            f"{folder}: the table cannot be read: {error}", remedy="download it again"
        ) from error
    with torch.device("meta"):
        bag = nn.EmbeddingBag(1, 1)
    table = folded(tensors, str(folder))
    bag.num_embeddings, bag.embedding_dim = table.shape
    bag.weight = nn.Parameter(table, requires_grad=False)
    return model_of(bag).eval()


def load_static_tokenizer(folder: Path) -> Any:
    """Its tokenizer, from its one file.

    Raises:
        EncoderError: it cannot be loaded, or cuts texts in another way than any known encoder.
    """
    from tokenizers import Tokenizer

    with named_failures(folder, "tokenizer"), silent_transformers():
        return tokenizer_of(Tokenizer.from_file(str(folder / "tokenizer.json")))
