"""How much of the classes a linear classifier finds in frozen features."""

import torch
from torch import Tensor


def probe_accuracy(
    features: Tensor, labels: Tensor, test_features: Tensor, test_labels: Tensor, *, ridge: float = 1e-2
) -> float:
    """Accuracy of a ridge classifier in closed form: deterministic, and no step size to choose.

    Args:
        features: ``(n, dim)``, standardised here.
        labels: int64 ``(n,)``.
        test_features: ``(m, dim)``.
        test_labels: int64 ``(m,)``.
        ridge: strength per sample.

    Returns:
        Share of the test samples that get their own class.
    """
    mean, spread = features.double().mean(0), features.double().std(0) + 1e-6

    def design(raw: Tensor) -> Tensor:
        standardised = (raw.double() - mean) / spread
        return torch.cat([standardised, torch.ones(len(raw), 1, dtype=torch.float64)], dim=1)

    x = design(features)
    targets = torch.nn.functional.one_hot(labels).double()
    gram = x.T @ x + ridge * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, x.T @ targets)
    return float(((design(test_features) @ weights).argmax(1) == test_labels).double().mean())
