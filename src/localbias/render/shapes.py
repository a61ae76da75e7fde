"""Simple shapes: columns of a picture, each with its own shape somewhere in it, or none."""

import math

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from localbias.grammar.columns import MORE, ONE, OTHER
from localbias.render.renderer import Renderer, require_place, require_strings

KINDS = ("triangle", "square", "pentagon")
TRIES = 200  # places for a second shape that does not touch the first


class Shapes(Renderer):
    """A triangle, a square and a pentagon of about the same area, white on black.

    A column's shape stands anywhere in it, with a rim of one pixel. Letters are those of
    `grammar.Columns`: nothing, the column's shape, two of it, or the next column's.

    Attributes:
        masks: bool [3, h, w], the shapes in a box.
        column: width of a column in pixels.

    Args:
        height: of the picture in pixels.
        column: width of a column.
        area: of a shape, in pixels, about.

    Raises:
        ValueError: for an area that leaves no room for two shapes one above the other.
    """

    length, symbols = len(KINDS), 4

    def __init__(self, height: int, column: int, area: float):
        masks = torch.stack([_mask(kind, area) for kind in KINDS])
        rows, columns = masks.any(0).any(1).nonzero(), masks.any(0).any(0).nonzero()
        self.masks = masks[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        self.column, self.box = column, tuple(self.masks.shape[1:])
        self.shape = (1, height, column * len(KINDS))
        if area < 12 or self.box[1] + 2 > column or 2 * self.box[0] + 3 > height:
            raise ValueError(
                f"height={height}, column={column}, area={area}; allowed: an area from 12 whose "
                f"shapes, {self.box[0]}×{self.box[1]} pixels, fit a column twice, with a rim"
            )

    def exemplars(self, tokens: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Where shapes stand: int64 [n, 3, 2, 2], row and column of the box of up to two shapes."""
        n, rooms = len(tokens), torch.tensor([self.shape[1], self.column]) - 1
        rooms = rooms - torch.tensor(self.box)  # the last place of a box that leaves a rim

        def anywhere(*shape: int) -> Tensor:
            drawn = torch.rand(*shape, 2, generator=generator)
            return 1 + (drawn * rooms).long().clamp(max=rooms - 1)

        first, second = anywhere(n, self.length), anywhere(n, self.length)
        # Two boxes that lie apart by a row do not touch.
        for _ in range(TRIES):
            near = (first - second)[..., 0].abs() <= self.box[0]
            if not near.any():
                break
            moved = anywhere(n, self.length)
            second = torch.where(near[..., None], moved, second)
            first = torch.where(near[..., None], anywhere(n, self.length), first)
        return torch.stack([first, second], 2)

    def draw(self, tokens: Tensor, exemplars: Tensor) -> Tensor:
        """Pictures `[n, 1, height, width]` of strings [n, 3]. ValueError for other strings."""
        require_strings(self, tokens)
        ink = torch.zeros(len(tokens), *self.shape[1:], dtype=torch.bool)
        for i, (row, places) in enumerate(zip(tokens.tolist(), exemplars.tolist())):
            for column, letter in enumerate(row):
                kind = (column + 1) % self.length if letter == OTHER else column
                count = {ONE: 1, OTHER: 1, MORE: 2}.get(letter, 0)
                for y, x in places[column][:count]:
                    left, (h, w) = column * self.column + x, self.box
                    ink[i, y : y + h, left : left + w] |= self.masks[kind]
        return ink[:, None].float() * 2 - 1

    def region(self, i: int) -> Tensor:
        """The whole column i: bool `[1, height, width]`. ValueError for one that is not there."""
        require_place(self, i)
        mask = torch.zeros(self.shape, dtype=torch.bool)
        mask[..., i * self.column : (i + 1) * self.column] = True
        return mask

    def content(self) -> dict[str, Tensor]:
        return {"masks": self.masks, "shape": torch.tensor(self.shape)}


def _mask(kind: str, area: float) -> Tensor:
    """A shape of about that area in a box that holds all three: bool [h, w]."""
    corners = {"triangle": 3, "square": 4, "pentagon": 5}[kind]
    side = math.ceil(math.sqrt(area) * 1.6)  # the largest of the three is the triangle
    radius = math.sqrt(2 * area / (corners * math.sin(2 * math.pi / corners)))
    turn = math.pi / 4 if kind == "square" else -math.pi / 2
    middle, scale = side / 2, 8  # drawn eight times as large, then reduced: no lopsided corners
    points = [
        (
            (middle + radius * math.cos(turn + 2 * math.pi * k / corners)) * scale,
            (middle + radius * math.sin(turn + 2 * math.pi * k / corners)) * scale,
        )
        for k in range(corners)
    ]
    picture = Image.new("L", (side * scale, side * scale))
    ImageDraw.Draw(picture).polygon(points, fill=255)
    reduced = picture.resize((side, side), Image.Resampling.BOX)
    return torch.from_numpy(np.array(reduced)) > 127
