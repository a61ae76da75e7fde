"""Pictures of simple shapes, read by what stands in each column."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from localbias.grammar.columns import MORE, NONE, ONE, OTHER
from localbias.render import Shapes

ALIKE = 0.75  # least overlap of a spot with a shape, as a share of their union
CLEAR = 0.5  # pixels nearer than this to grey are neither ink nor ground
GREY = 4  # such pixels in a column, from which on it is unreadable
SPECK = 2  # spots of so many pixels are overlooked


class ShapeReader:
    """Finds spots, tells their shape, and counts them by column.

    A spot is a connected set of white pixels. It is the shape that it overlaps most with, wherever
    it stands, if they share three quarters of their union.

    Args:
        renderer: draws the shapes.
    """

    def __init__(self, renderer: Shapes):
        self.renderer = renderer
        self._masks = [_cropped(mask.numpy()) for mask in renderer.masks]

    def __call__(self, signals: Tensor) -> Tensor:
        """Tokens int64 [B, 3] of pictures `[B, 1, height, width]`; −1 where none fits."""
        pictures = signals.detach().cpu().numpy()[:, 0]
        return torch.tensor([self._picture(picture) for picture in pictures])

    def _picture(self, picture: np.ndarray) -> list[int]:
        width, count = self.renderer.column, self.renderer.length
        spots, number = ndimage.label(picture > 0, structure=np.ones((3, 3)))
        found: list[list[int]] = [[] for _ in range(count)]
        for k, box in enumerate(ndimage.find_objects(spots, number), start=1):
            spot = spots[box] == k
            if spot.sum() > SPECK:
                middle = (box[1].start + box[1].stop) / 2
                found[min(count - 1, int(middle // width))].append(self._kind(spot))
        columns = np.abs(picture).reshape(len(picture), count, width)
        grey = (columns < CLEAR).sum((0, 2))
        return [
            -1 if grey[i] >= GREY or -1 in kinds else _letter(kinds, i)
            for i, kinds in enumerate(found)
        ]

    def _kind(self, spot: np.ndarray) -> int:
        """Which shape a cropped spot is; −1 for none."""
        alike = [_overlap(spot, mask) for mask in self._masks]
        return int(np.argmax(alike)) if max(alike) >= ALIKE else -1


def _letter(kinds: list[int], column: int) -> int:
    """What stands in a column where those shapes were found."""
    if not kinds:
        return NONE
    if any(kind != column for kind in kinds):
        return OTHER
    return ONE if len(kinds) == 1 else MORE


def _cropped(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _overlap(spot: np.ndarray, mask: np.ndarray) -> float:
    """Share of the union that two cropped masks have in common, at the best shift by a pixel."""
    height, width = (max(a, b) + 2 for a, b in zip(spot.shape, mask.shape))
    padded = np.zeros((height, width), bool)
    padded[1 : 1 + spot.shape[0], 1 : 1 + spot.shape[1]] = spot
    best = 0.0
    for y in range(height - mask.shape[0] + 1):
        for x in range(width - mask.shape[1] + 1):
            other = np.zeros_like(padded)
            other[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
            best = max(best, (padded & other).sum() / (padded | other).sum())
    return best


def by_pixels(signals: Tensor, renderer: Shapes, margin: float = 0.5) -> Tensor:
    """Whether pictures look right to one who counts white pixels in each column.

    A column passes with none, or up to `margin` more or less than its shape has. Two small spots
    pass as one shape, and a shape in the wrong column passes as its own.

    Args:
        signals: `[B, 1, height, width]`.
        renderer: draws the shapes.
        margin: share of a shape's pixels.

    Returns:
        bool [B].
    """
    white = (signals[:, 0] > 0).unflatten(2, (renderer.length, renderer.column)).sum((1, 3))
    wanted = renderer.masks.flatten(1).sum(1).to(white)
    near = (white - wanted).abs() <= margin * wanted
    return (near | (white == 0)).all(1) & (white > 0).any(1)
