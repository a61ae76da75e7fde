"""The other paper's network for points: residual layers with LayerNorm, as its code has it."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from localbias.networks.time import sinusoidal

SLOPE = 0.02  # of the leaky rectifier below 0


class LayerNormMLP(nn.Module):
    """Maps x `[B, *shape]` and t int [B] to `[B, *shape]`.

    Each layer is h + A₂ σ(norm(A₁ σ(norm h) + B e(t))), with e(t) sinusoids through one linear
    layer and σ the leaky rectifier.

    Args:
        shape: of a signal.
        width: units in a layer, and sinusoids of the time.
        layers: that are passed.
        shared: whether they all are one and the same layer. In the released code they are
            (`[layer] * n` repeats a reference), so that its three layers have the parameters of
            one.

    Raises:
        ValueError: for a width that is odd or below 4, and for no layers.
    """

    def __init__(
        self, shape: Sequence[int], width: int = 128, layers: int = 3, shared: bool = False
    ):
        super().__init__()
        if width < 4 or width % 2 or layers < 1:
            raise ValueError(
                f"LayerNormMLP width={width}, layers={layers}; allowed: even from 4, and from 1"
            )
        size, self.width = math.prod(shape), width
        self.first = nn.Linear(size, width, bias=False)
        made = [_Layer(width) for _ in range(1 if shared else layers)]
        self.layers = nn.ModuleList(made * layers if shared else made)
        self.time = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(SLOPE))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, size)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        embedding = self.time(sinusoidal(t, self.width, inclusive=True).to(x.dtype))
        h = self.first(x.flatten(1))
        for layer in self.layers:
            h = layer(h, embedding)
        return self.last(self.norm(h)).view_as(x)


class _Layer(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.linear = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(2))
        self.time = nn.Linear(width, width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        inner = self.linear[0](self._leaky(self.norms[0](h))) + self.time(embedding)
        return h + self.linear[1](self._leaky(self.norms[1](inner)))

    @staticmethod
    def _leaky(h: Tensor) -> Tensor:
        return torch.nn.functional.leaky_relu(h, SLOPE)
