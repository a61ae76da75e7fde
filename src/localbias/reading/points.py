"""Points read as the modes they lie in."""

import torch
from torch import Tensor

from localbias.render import Points

WITHIN = 5.0  # standard deviations: 6 in 10 million true coordinates lie further out


class PointReader:
    """Each coordinate's nearest position, −1 where none is within some standard deviations.

    A cut at 3 would call 1 in 185 points of the truth in the plane bad.

    Args:
        renderer: shows the points.
        within: how far out a point may lie, in standard deviations of a coordinate.

    Raises:
        ValueError: unless that is above 0.
    """

    def __init__(self, renderer: Points, within: float = WITHIN):
        if not within > 0:
            raise ValueError(f"within={within}; allowed: above 0")
        self.renderer, self.within = renderer, within

    def __call__(self, signals: Tensor) -> Tensor:
        """Tokens int64 [B, L] of points [B, L]."""
        rotation = self.renderer.rotation.to(signals)
        positions = self.renderer.positions.to(signals)
        distance = ((signals @ rotation)[..., None] - positions).abs()
        nearest = distance.min(-1)
        inside = nearest.values <= self.within * self.renderer.spread
        return torch.where(inside, nearest.indices, -1)
