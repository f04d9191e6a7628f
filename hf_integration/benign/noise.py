"""How much rounding explains."""

from collections.abc import Mapping

import torch

from hf_integration.base.vocabulary import Precision

ROUNDING_UNIT: Mapping[Precision, float] = {
    "float64": torch.finfo(torch.float64).eps,
    "float32": torch.finfo(torch.float32).eps,
    # kernels in half precision accumulate in float32, and pooling averages over positions
    "float16": torch.finfo(torch.float16).eps / 2,
    "bfloat16": torch.finfo(torch.bfloat16).eps / 2,
}
PROCESSOR_UNIT = torch.finfo(torch.float32).eps
"""Processors compute in float32 or coarser, whatever the model computes in."""

MOST_NOISE: Mapping[Precision, float] = {"float64": 1e-6, "float32": 1e-4, "float16": 0.1, "bfloat16": 0.3}
"""Largest relative deviation of a benign run that rounding explains, with room to spare; in float64 it is
float32's, as some architectures compute a step in it whatever they are cast to. Calibration would fit a
tolerance to anything, so an encoder that answers at random must be refused here."""
