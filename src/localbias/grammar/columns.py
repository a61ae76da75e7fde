"""Simple shapes as strings: a column of the picture is a symbol, what stands in it its letter."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from localbias.checks import require
from localbias.grammar.law import Grammar

NONE, ONE, MORE, OTHER = range(4)


@dataclass(frozen=True)
class Columns(Grammar):
    """In each column its own shape or nothing, and never nothing at all (Aithal et al. 2024).

    What the data never have are letters, too, so that a picture which has it can be read: several
    of a column's shape, or another column's shape in it. Such a picture is a hallucination.

    Attributes:
        columns: of a picture, L.

    Raises:
        ValueError: for fewer than one column, or more than ten.
    """

    columns: int = 3

    alphabet = ("none", "one", "more", "other")

    def __post_init__(self):
        require(self, "columns", 1 <= self.columns <= 10, "1 to 10")

    @property
    def length(self) -> int:
        return self.columns

    @cached_property
    def support(self) -> Tensor:
        strings = torch.tensor(list(product((NONE, ONE), repeat=self.columns)))
        return strings[strings.sum(1) > 0]

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return (tokens <= ONE).all(-1) & (tokens == ONE).any(-1)
