"""Whether answers are as far from an encoder's as half precision is: anything else is something else.

What is tolerated of float16 holds all that bfloat16 does, and what is tolerated of bfloat16 holds many an
altered encoder. But half precision moves embeddings by about as much on any hardware. Nine real deployments
(casts, autocast, ONNX Runtime, OpenVINO, Infinity, text-embeddings-inference on a GPU) were compared with a
run in half precision here. In units of the distance between that run and the exact embeddings they were 0.26
to 1.02 away from the run, and 0.56 to 1.05 from the exact embeddings.

Both differences also point partly the same way (their cosine was 0.24 to 0.97, and is 0 for an alteration),
as weights are rounded to the same numbers everywhere. That cannot be used: where weights are stored in half
precision already, it is 0.11 for autocast.
"""

from collections.abc import Sequence

from torch import Tensor

from hf_integration.serving.identifying import as_compared
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.sources import Source

LEAST, MOST = 0.28, 2.0
"""Half and twice what was measured, of the typical distance of half precision from the exact embeddings."""


def like_half_precision(
    source: Source, recipe: Recipe, half: Tensor, texts: Sequence[str], answers: Tensor
) -> bool:
    """Whether answers are as far from an encoder as a recipe in half precision is.

    Args:
        source: the copy or the card.
        recipe: in half precision.
        half: what the encoder gives under it here, float64 ``(n, dim)``.
        texts: what was asked.
        answers: what came back, of the same shape.

    Returns:
        Also true where a card does not say what the encoder gives in float32 otherwise.
    """
    exact = source.exact(recipe.but(arithmetic="float32"), texts)
    if exact is None:
        return True
    sizes = exact.norm(dim=1, keepdim=True).clamp(min=1e-12)
    base = recipe.form.rounded(exact)
    ours = (recipe.form.rounded(half) - base) / sizes
    theirs = (as_compared(recipe, answers) - base) / sizes
    # one number that is rounded the other way says nothing
    jump = float((recipe.form.steps(exact) / sizes).max())
    noise = _typical(ours)
    from_half, from_exact = _typical(theirs - ours), _typical(theirs)
    return from_half <= MOST * noise + jump and LEAST * noise - jump <= from_exact <= MOST * noise + jump


def _typical(differences: Tensor) -> float:
    """Median length; what is no number is far."""
    lengths = differences.norm(dim=1).nan_to_num(nan=float("inf"), posinf=float("inf"))
    return float(lengths.median())
