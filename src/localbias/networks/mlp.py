"""A residual MLP on the flattened signal: nothing in it knows which values are neighbours."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from localbias.networks.time import TimeEmbedding

TIME_FEATURES = 64


class MLP(nn.Module):
    """Maps x `[B, *shape]` and t int [B] to `[B, *shape]` through residual layers.

    Each layer is h + SiLU(A h + B e(t)), so the time enters everywhere; a condition [B, width] is
    added to e(t) (`Labelled`). To predict noise on an image the width should exceed the number of
    pixels: the noise has no smaller description.

    Args:
        shape: of a signal.
        width: units in a layer.
        depth: residual layers.
        frequencies: of sines and cosines of each value that the network gets beside the value
            itself, so that it can tell near points apart (Tancik et al. 2020); none by default.
        gain: what all initial weights and biases are multiplied by: far above 1 a network moves
            little from where it starts (the kernel regime of the theory's discussion).

    Raises:
        ValueError: for a width or depth below 1, and frequencies or a gain not above 0.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int = 256,
        depth: int = 3,
        frequencies: Sequence[float] = (),
        gain: float = 1.0,
    ):
        super().__init__()
        if width < 1 or depth < 1:
            raise ValueError(f"MLP width={width}, depth={depth}; allowed: 1 or more of each")
        if not all(frequency > 0 for frequency in frequencies):
            raise ValueError(f"MLP frequencies={list(frequencies)}; allowed: above 0")
        if not gain > 0:
            raise ValueError(f"MLP gain={gain}; allowed: above 0")
        self.frequencies = tuple(frequencies)
        size = math.prod(shape)
        self.time = TimeEmbedding(TIME_FEATURES, width, nn.SiLU())
        self.first = nn.Linear(size * (1 + 2 * len(self.frequencies)), width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.shifts = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
        self.last = nn.Linear(width, size)
        if gain != 1:
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.mul_(gain)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        embedding = self.time(t) if condition is None else self.time(t) + condition
        values = x.flatten(1)
        angles = [frequency * values for frequency in self.frequencies]
        waves = [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)]
        h = self.first(torch.cat([values, *waves], 1) if waves else values)
        for layer, shift in zip(self.layers, self.shifts):
            h = h + F.silu(layer(h) + shift(embedding))
        return self.last(h).view_as(x)
