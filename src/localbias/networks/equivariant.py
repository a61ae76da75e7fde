"""A network that treats all symbols alike: what it gives for a permuted signal is permuted too."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from localbias.networks.time import TimeEmbedding

TIME_FEATURES = 64


class Equivariant(nn.Module):
    """Maps x [B, L] and t int [B] to [B, L]; equivariant under permutations of the L numbers.

    Each layer is h_i + SiLU(A h_i + C mean_j h_j + B e(t)) with weights that all places share
    (Zaheer et al. 2017), so it cannot know one training string from its permutations.

    Args:
        shape: of a signal, (L,).
        width: units a place in a layer.
        depth: residual layers.

    Raises:
        ValueError: for a shape of several axes, and a width or depth below 1.
    """

    def __init__(self, shape: Sequence[int], width: int = 128, depth: int = 3):
        super().__init__()
        if len(shape) != 1 or width < 1 or depth < 1:
            raise ValueError(
                f"Equivariant shape={tuple(shape)}, width={width}, depth={depth}; "
                "allowed: one axis, and 1 or more of each"
            )
        self.time = TimeEmbedding(TIME_FEATURES, width, nn.SiLU())
        self.first = nn.Linear(1, width)
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.others = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
        self.shifts = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
        self.last = nn.Linear(width, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        embedding = self.time(t)[:, None]
        h = self.first(x[..., None])
        for own, others, shift in zip(self.own, self.others, self.shifts):
            h = h + F.silu(own(h) + others(h.mean(1, keepdim=True)) + shift(embedding))
        return torch.squeeze(self.last(h), -1)
