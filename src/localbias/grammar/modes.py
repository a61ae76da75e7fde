"""Gaussian mixtures as strings: a mode is a string, a coordinate of it a symbol.

In one dimension the modes are letters. A grid of modes in the plane is the strings of two symbols,
and what the other paper calls mode interpolation is a symbol that cannot be read.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from string import ascii_lowercase

import torch
from torch import Tensor

from localbias.checks import require
from localbias.grammar.law import Grammar

MOST = 2**14  # modes


@dataclass(frozen=True)
class Modes(Grammar):
    """All strings of some letters, each a mode, or every other one of them.

    Attributes:
        count: letters, K: positions along a coordinate.
        length: coordinates, L.
        checkerboard: whether only strings whose indices have an even sum are valid, as the squares
            of one colour. The others are modes that the data lack.

    Raises:
        ValueError: for a field out of range.
    """

    count: int
    length: int = 1
    checkerboard: bool = False

    def __post_init__(self):
        require(self, "count", 2 <= self.count <= 26, "2 to 26")
        require(self, "length", self.length >= 1, "at least 1")
        most = self.count**self.length <= MOST
        require(self, "length", most, f"so many that count^length ≤ {MOST}")
        require(
            self,
            "checkerboard",
            not self.checkerboard or self.length > 1,
            "False in one dimension",
        )

    @property
    def alphabet(self) -> tuple[str, ...]:
        return tuple(ascii_lowercase[: self.count])

    @cached_property
    def support(self) -> Tensor:
        strings = torch.tensor(list(product(range(self.count), repeat=self.length)))
        return strings[strings.sum(1) % 2 == 0] if self.checkerboard else strings

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        if not self.checkerboard:
            return torch.ones(tokens.shape[:-1], dtype=torch.bool)
        return tokens.sum(-1) % 2 == 0
