"""What neural models minimise, and how their outputs become predictions, by task."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from streamtrain.features.labels import Task


def summed_loss(task: Task, outputs: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Sum over rows of weight times loss: log loss, or the squared error for regression.

    ``outputs`` is float[rows, outputs], logits unless regression; ``labels`` int64[rows] for multiclass, else float[rows].
    A sum, not a mean: a row then pulls as hard in a slice of one as in a full slice, and can be retracted alone.
    """
    if task == "multiclass":
        losses = functional.cross_entropy(outputs, labels, reduction="none")
    elif task == "binary":
        losses = functional.binary_cross_entropy_with_logits(outputs[:, 0], labels, reduction="none")
    else:
        losses = functional.mse_loss(outputs[:, 0], labels, reduction="none")
    return (losses * weights).sum()


def predictions(task: Task, outputs: Tensor) -> Tensor:
    """Probabilities for binary and multiclass; the outputs themselves for regression."""
    if task == "multiclass":
        return torch.softmax(outputs, dim=1)
    return torch.sigmoid(outputs) if task == "binary" else outputs
