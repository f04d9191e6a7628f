"""Minting what converted encoders are held against into a card, for those who cannot hold the weights."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np
import torch

from hf_integration.base.errors import UsageError
from hf_integration.base.progress import Progress
from hf_integration.base.text import quoted
from hf_integration.card import Conversions, ConvertedAnswers
from hf_integration.converted.file_recipes import FileRecipe
from hf_integration.converted.inputs import digests_of
from hf_integration.converted.lookup import ROUNDINGS, as_array, floats_of
from hf_integration.converted.quantising import Maker, integer_digest, rule_of
from hf_integration.converted.recorded_integers import RecordedIntegers, not_recorded
from hf_integration.converted.runtime import Array
from hf_integration.encoders.identity.tensor_digests import cast_digests, digest_tensors
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.modalities.recipes import OVER_THE_MASK
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import Computed
from hf_integration.serving.probes import texts_of

LEAST, MOST = 1e-7, 65504.0
"""Sizes outside which onnxruntime's roundings to float16 differ from others."""


def record(
    encoder: Encoder, samples: KeySamples, recipes: Sequence[FileRecipe], *, progress: Progress
) -> Conversions | None:
    """What a card says of conversions: shapes, digests and token numbers always, integers by recipes.

    Args:
        encoder: as it was loaded.
        samples: the key samples of the card.
        recipes: conversions that make integers.
        progress: told how far it is.

    Returns:
        ``None`` for encoders of images and recordings.

    Raises:
        UsageError: a recipe for such an encoder, or one that cannot be made of this one.
    """
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        if recipes:
            raise UsageError(
                f"--recipe {recipes[0].name} is for text encoders, and this one takes {encoder.modality}",
                remedy="leave it out",
            )
        return None
    tensors = {name: tensor for name, tensor in floats_of(encoder).items() if tensor.numel()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    digests = _roundings(encoder, tensors)
    progress.start("converted encoders", len(recipes))
    answers = []
    for recipe in recipes:
        integers = _integers(tensors, recipe)
        digests |= integers
        rows = _answered(encoder, recipe, RecordedIntegers(shapes, integers), texts_of(samples))
        if rows is not None:
            forms = tuple(recipe.form(rule) for rule in recipe.rules)
            embeddings = torch.from_numpy(np.ascontiguousarray(rows)).float()
            answers.append(ConvertedAnswers(recipe.name, forms, embeddings))
        progress.advance()
    return Conversions(shapes, digests, digests_of(encoder, texts_of(samples)), tuple(answers))


def _roundings(encoder: TorchEncoder, tensors: Mapping[str, torch.Tensor]) -> dict[str, Mapping[str, bytes]]:
    """Digests that a card does not have anyway: of what the model keeps besides, and of other roundings."""
    own = encoder.tensors()
    besides = {name: tensor for name, tensor in tensors.items() if name not in own}
    found: dict[str, Mapping[str, bytes]] = {
        "stored": digest_tensors(besides),
        "float16": cast_digests(besides, torch.float16),
        "bfloat16": cast_digests(besides, torch.bfloat16),
    }
    extreme = {}
    for name, tensor in tensors.items():
        sizes = tensor.detach().float().abs()
        if bool((((sizes > 0) & (sizes < LEAST)) | (sizes > MOST)).any()):
            extreme[name] = tensor.detach().cpu().float()
    for rounding in (other for other in ROUNDINGS if other not in found):
        made = ROUNDINGS[rounding]
        found[rounding] = digest_tensors(
            {name: torch.from_numpy(made(part.numpy())) for name, part in extreme.items()}
        )
    return {form: of for form, of in found.items() if of}


def _integers(tensors: Mapping[str, torch.Tensor], recipe: FileRecipe) -> dict[str, Mapping[str, bytes]]:
    """Rule of a recipe -> matrix -> digest of its integers."""
    matrices = {name: as_array(tensor) for name, tensor in tensors.items() if tensor.ndim == 2}
    return {
        recipe.form(rule): dict(_digests(rule_of(recipe.family, rule), matrices)) for rule in recipe.rules
    }


def _digests(make: Maker, matrices: Mapping[str, Array]) -> Iterator[tuple[str, bytes]]:
    for name, weights in matrices.items():
        if weights.ndim == 2:
            with suppress(NotImplementedError, ValueError):  # blocks of GGUF files have a size of their own
                yield name, integer_digest(*make(weights))


def _answered(
    encoder: TorchEncoder, recipe: FileRecipe, known: RecordedIntegers, texts: list[str]
) -> Array | None:
    """What the encoder answers after a conversion; ``None`` where only files are compared.

    Args:
        encoder: the trusted copy.
        recipe: the conversion.
        known: its integers.
        texts: the key samples.

    Raises:
        UsageError: the conversion cannot be made of this encoder, or makes integers by an unknown rule.
    """
    if recipe.served is not None:
        rows: Array = Computed(encoder, recipe.served).embed(texts, batch_size=1).numpy()
        return rows
    if recipe.made is None:
        return None
    pooling, backend = encoder.parts[2].pooling, getattr(encoder.processor, "backend_tokenizer", None)
    if backend is None or not pooling.endswith(OVER_THE_MASK):
        raise UsageError(
            f"--recipe {recipe.name} is for encoders that pool their last hidden states and have a "
            f"tokenizer.json, and this one is: {pooling}",
            remedy="leave it out",
        )
    converted = recipe.made(encoder)
    if isinstance(converted, str):
        raise UsageError(f"--recipe {recipe.name}: {converted}", remedy="leave it out")
    made = converted.tensors() if converted.holds_arrays else ()
    if unknown := next(not_recorded(made, known), None):
        raise UsageError(
            f"--recipe {recipe.name}: this release of {recipe.module} makes integers by a rule that is not "
            f"known here ({quoted(unknown)})",
            remedy="leave it out, or install another release",
        )
    return converted.embed(texts)
