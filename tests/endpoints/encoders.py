"""Real encoders behind the servers of the tests."""

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hf_integration import load_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed
from hf_integration.serving.recipe import PLAIN, Recipe


@cache
def encoder(folder: Path) -> TorchEncoder:
    loaded = load_encoder(str(folder))
    assert isinstance(loaded, TorchEncoder)
    return loaded


def serving(folder: Path, recipe: Recipe = PLAIN) -> Callable[[list[str]], list[list[float]]]:
    """What a server answers that computes in float32 under a recipe."""
    lock = threading.Lock()

    def embed(texts: list[str]) -> list[list[float]]:
        with lock:
            embeddings = Computed(encoder(folder), recipe).embed(texts, precision="float32")
        answers: list[list[float]] = recipe.form.rounded(embeddings.float().double()).tolist()
        return answers

    return embed
