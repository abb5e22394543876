"""What a user may give as ``package.module:function``, and what not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from streamtrain.models.base import ModelShape
from streamtrain.models.registry import build

NOT_A_FUNCTION = 7


class Wide(nn.Module):
    """Dense features through dropout and batch normalisation, and a bag of embeddings."""

    def __init__(self, shape: ModelShape, width: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(nn.Linear(shape.dense, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3))
        self.bag = nn.EmbeddingBag(2**shape.hash_bits, width, mode="sum")
        self.out = nn.Linear(width, shape.outputs)

    def forward(self, dense: Tensor, indices: Tensor) -> Tensor:
        return self.out(self.dense(dense) + self.bag(indices))


def wide(shape: ModelShape, width: int = 8) -> nn.Module:
    return Wide(shape, width)


def needs_depth(shape: ModelShape, depth: int) -> nn.Module:
    return nn.Sequential(*[nn.Linear(shape.dense, shape.dense) for _ in range(depth)])


def anything(shape: ModelShape, **options: Any) -> nn.Module:
    return Wide(shape, options.get("width", 4))


def ready_made(shape: ModelShape, alpha: float = 0.1) -> Any:
    return build("ftrl", {"alpha": alpha}, shape)


def nothing(shape: ModelShape) -> Any:
    return None


class Fixed(nn.Module):
    """A module with nothing to learn."""

    def forward(self, dense: Tensor, indices: Tensor) -> Tensor:
        return dense[:, :1]


def fixed(shape: ModelShape) -> nn.Module:
    return Fixed()


def half(shape: ModelShape) -> nn.Module:
    return Wide(shape, 4).to(torch.bfloat16)
