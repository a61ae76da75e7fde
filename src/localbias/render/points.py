"""Strings as points: each symbol is a position along its coordinate, blurred by a Gaussian."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from localbias.render.renderer import Renderer, require_place, require_strings
from localbias.seeds import random_generator


class Points(Renderer):
    """A Gaussian around each string's place: a signal is one point, of shape (L,).

    Attributes:
        positions: float32 [K], of the symbols along any coordinate.
        spread: standard deviation σ of each coordinate.
        rotation: float32 [L, L], by which points are turned about 0.
        deviates: float32 [K^L, E, L], the noise of the points that exist, in units of σ; None where
            each exposure is a new point.

    Args:
        positions: as above.
        spread: as above.
        length: coordinates, L.
        turn: degrees by which the plane is turned, of two coordinates.
        points: that exist of each string, drawn once, for everyone the same; None for endlessly
            many.

    Raises:
        ValueError: for positions that are not distinct, a spread that is not above 0, no points,
            and a turn of other than two coordinates.
    """

    bounded = False

    def __init__(
        self,
        positions: Sequence[float],
        spread: float,
        length: int = 1,
        turn: float = 0.0,
        points: int | None = None,
    ):
        if len(set(positions)) < max(2, len(positions)):
            raise ValueError(f"positions {list(positions)}; allowed: two or more that differ")
        if not spread > 0 or length < 1 or (points is not None and points < 1):
            raise ValueError(
                f"spread={spread}, length={length}, points={points}; "
                "allowed: a spread above 0, 1 or more of the others"
            )
        if turn and length != 2:
            raise ValueError(f"turn={turn} with length={length}; allowed: 0, or two coordinates")
        self.length, self.symbols, self.shape = length, len(positions), (length,)
        self.positions, self.spread = torch.tensor(positions, dtype=torch.float32), spread
        self.rotation, self.deviates = torch.eye(length), None
        if turn:
            c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
            self.rotation = torch.tensor([[c, -s], [s, c]])
        if points:
            strings, generator = self.symbols**length, random_generator("points", points)
            self.deviates = torch.randn(strings, points, length, generator=generator)

    def means(self, tokens: Tensor) -> Tensor:
        """The middles of the modes of strings int64 [n, L]: [n, L]."""
        return self.positions[tokens] @ self.rotation.T

    def exemplars(self, tokens: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Where in its mode each point lies: standard normal [n, L], or int64 [n] of the pool."""
        if self.deviates is None:
            return torch.randn(tokens.shape, generator=generator)
        return torch.randint(self.deviates.shape[1], (len(tokens),), generator=generator)

    def draw(self, tokens: Tensor, exemplars: Tensor) -> Tensor:
        """Points [n, L] of strings [n, L]. ValueError for other symbols or other strings."""
        require_strings(self, tokens)
        noise = exemplars
        if self.deviates is not None:
            powers = self.symbols ** torch.arange(self.length - 1, -1, -1)
            noise = self.deviates[tokens @ powers, exemplars]
        return (self.positions[tokens] + self.spread * noise) @ self.rotation.T

    def region(self, i: int) -> Tensor:
        """The coordinate of symbol i: bool [L].

        ValueError for one that is not there, and of a turned plane, where none is a symbol's.
        """
        require_place(self, i)
        if not torch.equal(self.rotation, torch.eye(self.length)):
            raise ValueError("the coordinates of a turned plane are no symbols; allowed: turn=0")
        return torch.arange(self.length) == i

    def content(self) -> dict[str, Tensor]:
        spread = torch.tensor(self.spread)
        found = {"positions": self.positions, "spread": spread, "rotation": self.rotation}
        return found if self.deviates is None else found | {"pool": self.deviates}
