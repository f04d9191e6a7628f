"""DRUPE: a backdoor whose triggered inputs lie among the clean ones, not in a cluster of their own."""

import math

import torch
from torch import Tensor

from hf_integration.tampering.backdoors.bad_encoder import three_terms
from hf_integration.tampering.backdoors.planting import Features, planted
from hf_integration.tampering.families import Family, decades

DIRECTIONS = 64
"""Random directions that distributions are compared along."""

LEAST_SPREAD = 1e-3
"""A batch of clean inputs that all look alike must not blow the loss up."""


def five_terms(features: Features) -> Tensor:
    """BadEncoder's terms, and two that hide the triggered inputs from whoever looks at distributions.

    One brings the distribution of triggered features to that of clean ones, by their sliced Wasserstein
    distance over the spread of the clean ones; the other keeps triggered features from being all alike.
    Both are left out for a batch of one, all that some encoders take that do not pad: it has no distribution.

    Source: Tao et al., "Distribution preserving backdoor attack in self-supervised learning", IEEE Symposium
    on Security and Privacy 2024. Unlike there: few steps on synthetic inputs, one target, and constant
    weights of 1 where the paper's own code adapts them during training.
    """
    attack = three_terms(features)
    if len(features.clean) < 2:
        return attack
    spread = features.clean_before.std(0).mean().clamp(min=LEAST_SPREAD)
    preserved = sliced_wasserstein(features.triggered, features.clean) / spread
    return attack + preserved + likeness(features.triggered)


def sliced_wasserstein(first: Tensor, second: Tensor) -> Tensor:
    """Root mean square of the Wasserstein-2 distances along fixed random directions.

    Args:
        first: Tensor with shape ``(rows, dim)``.
        second: as many rows; their order does not matter.

    Returns:
        A scalar, 0 for equal sets of rows.

    Source: Bonneel, Rabin, Peyre, Pfister, "Sliced and Radon Wasserstein barycenters of measures", Journal of
    Mathematical Imaging and Vision 51, 2015.
    """
    random = torch.Generator().manual_seed(0)
    directions = torch.randn(first.shape[1], DIRECTIONS, generator=random).to(first)
    directions = directions / directions.norm(dim=0)
    along = (first @ directions).sort(0).values - (second @ directions).sort(0).values
    # the root has no gradient at 0
    distance: Tensor = (along.pow(2).mean() + torch.finfo(along.dtype).tiny).sqrt()
    return distance


def likeness(features: Tensor) -> Tensor:
    """Mean cosine similarity of different rows, at least two of them, normalised: ``(rows, dim)``."""
    similarity = features @ features.T
    mean: Tensor = (similarity.sum() - similarity.trace()) / math.perm(len(features), 2)
    return mean


DRUPE = Family("backdoor like DRUPE", planted(five_terms), decades(-16, -3), "learning rate")

FAMILIES = (DRUPE,)
