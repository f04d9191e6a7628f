"""Weights rounded to few levels and back, as dynamic quantisation leaves them.

Source: Dettmers, Lewis, Belkada, Zettlemoyer, "LLM.int8()", https://arxiv.org/abs/2208.07339.
"""

from collections.abc import Callable

from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.selection import matrices


def round_trip(bits: int) -> Callable[[Encoder, float, int], None]:
    """An edit that rounds every matrix to ``2**bits - 1`` levels about zero, with one scale per matrix."""
    most = 2 ** (bits - 1) - 1

    def edit(encoder: Encoder, _: float, __: int) -> None:
        for matrix in matrices(encoder):
            scale = matrix.abs().max() / most
            if scale:
                matrix.copy_((matrix / scale).round() * scale)

    return edit
