"""A residual MLP on the flattened signal: nothing in it knows which values are neighbours."""

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from localbias.networks.time import TimeEmbedding

TIME_FEATURES = 64


class MLP(nn.Module):
    """Maps x `[B, *shape]` and t int [B] to `[B, *shape]` through residual layers.

    Each layer is h + SiLU(A h + B e(t)), so the time enters everywhere. To predict noise on an
    image the width should exceed the number of pixels: the noise has no smaller description.

    Args:
        shape: of a signal.
        width: units in a layer.
        depth: residual layers.

    Raises:
        ValueError: for a width or depth below 1.
    """

    def __init__(self, shape: Sequence[int], width: int = 256, depth: int = 3):
        super().__init__()
        if width < 1 or depth < 1:
            raise ValueError(f"MLP width={width}, depth={depth}; allowed: 1 or more of each")
        size = math.prod(shape)
        self.time = TimeEmbedding(TIME_FEATURES, width, nn.SiLU())
        self.first = nn.Linear(size, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.shifts = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
        self.last = nn.Linear(width, size)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        embedding = self.time(t)
        h = self.first(x.flatten(1))
        for layer, shift in zip(self.layers, self.shifts):
            h = h + F.silu(layer(h) + shift(embedding))
        return self.last(h).view_as(x)
