"""A network of two hidden layers over the dense features and an embedding of the hashed ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from streamtrain.features.options import Option, above_zero, count, switch
from streamtrain.models.base import ModelShape
from streamtrain.models.embedding import HashedEmbedding
from streamtrain.models.neural import NeuralModel

OPTIONS: Mapping[str, Option] = {
    "hidden": count(64),
    "embedding": count(8),
    "learning_rate": above_zero(0.005),
    "embedding_learning_rate": above_zero(0.05),
    "standardize_label": switch(True),
}


class Network(nn.Module):
    """dense and flattened vectors -> hidden, ReLU -> hidden, ReLU -> outputs."""

    def __init__(self, inputs: int, hidden: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _linear(inputs, hidden, generator),
            nn.ReLU(),
            _linear(hidden, hidden, generator),
            nn.ReLU(),
            _linear(hidden, outputs, generator),
        )

    def forward(self, dense: Tensor, vectors: Tensor) -> Tensor:
        """Outputs float32[rows, outputs] of dense float32[rows, D] and vectors float32[rows, C, width]."""
        outputs: Tensor = self.layers(torch.cat([dense, vectors.flatten(1)], dim=1))
        return outputs


def mlp(
    shape: ModelShape,
    *,
    hidden: int,
    embedding: int,
    learning_rate: float,
    embedding_learning_rate: float,
    standardize_label: bool,
) -> NeuralModel:
    """The model, its weights drawn from ``shape.seed``. Dense parameters learn by Adam, the embedding by row-wise AdaGrad."""
    generator = torch.Generator().manual_seed(shape.seed)
    network = Network(shape.dense + shape.indices * embedding, hidden, shape.outputs, generator)
    rows = 2**shape.hash_bits if shape.indices else 0
    table = HashedEmbedding(rows, embedding, embedding_learning_rate, generator)
    return NeuralModel(
        shape, network, learning_rate=learning_rate, standardize_label=standardize_label, embedding=table
    )


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A layer in the initialisation of He et al. (ICCV 2015), which does not touch torch's global generator."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]  # not typed by torch
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
