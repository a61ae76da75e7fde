"""How a network is told the time: sines and cosines of t, then a small MLP."""

import math

import torch
from torch import Tensor, nn


def sinusoidal(t: Tensor, features: int, inclusive: bool = False) -> Tensor:
    """Sines, then cosines, of `t` [...] at `features // 2` frequencies: float32 [..., features].

    The frequencies fall geometrically from 1. With `inclusive` the last one is 1/10,000, as in
    denoising-diffusion-pytorch; without it they stop one step before, as in the Transformer and the DiT.
    """
    half = features // 2
    rate = math.log(10_000) / (half - 1 if inclusive else half)
    frequencies = torch.exp(torch.arange(half, device=t.device, dtype=torch.float32) * -rate)
    angles = t[..., None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class TimeEmbedding(nn.Module):
    """t int [B] to [B, width]: `features` sinusoids, then linear, `activation`, linear.

    Raises ValueError unless `features` is even and at least 4.
    """

    def __init__(self, features: int, width: int, activation: nn.Module, inclusive: bool = False):
        super().__init__()
        if features < 4 or features % 2:
            raise ValueError(f"{features} time features; allowed: an even number, 4 or more")
        self.features, self.inclusive = features, inclusive
        self.layers = nn.Sequential(nn.Linear(features, width), activation, nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        features = sinusoidal(t, self.features, self.inclusive)
        return self.layers(features.to(self.layers[0].weight.dtype))
