"""How the time step enters a network: sines and cosines of t, then a small MLP."""

import math

import torch
from torch import Tensor, nn


def sinusoidal(t: Tensor, features: int, inclusive: bool = False) -> Tensor:
    """Sines, then cosines, of t at frequencies that fall geometrically from 1.

    Args:
        t: int or float [...].
        features: twice the number of frequencies.
        inclusive: whether the last frequency is 1/10,000, as in denoising-diffusion-pytorch, or
            the one before it in that sequence, as in the Transformer and the DiT.

    Returns:
        float32 [..., features].
    """
    half = features // 2
    rate = math.log(10_000) / (half - 1 if inclusive else half)
    frequencies = torch.exp(torch.arange(half, device=t.device, dtype=torch.float32) * -rate)
    angles = t[..., None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class TimeEmbedding(nn.Module):
    """Maps steps t int [B] to [B, width]: sinusoids, then a linear layer, an activation, another.

    Args:
        features: of the sinusoids.
        width: of the embedding.
        activation: between the linear layers.
        inclusive: as of `sinusoidal`.

    Raises:
        ValueError: unless `features` is even and at least 4.
    """

    def __init__(self, features: int, width: int, activation: nn.Module, inclusive: bool = False):
        super().__init__()
        if features < 4 or features % 2:
            raise ValueError(f"{features} time features; allowed: an even number, 4 or more")
        self.features, self.inclusive = features, inclusive
        self.layers = nn.Sequential(nn.Linear(features, width), activation, nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        features = sinusoidal(t, self.features, self.inclusive)
        return self.layers(features.to(next(self.layers.parameters()).dtype))
