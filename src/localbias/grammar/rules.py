"""Rules that can be stated: parity, a single check, Dyck words, sums of digits."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from localbias.grammar.law import Grammar

ENUMERABLE = 2**22  # strings; beyond that the support no longer fits comfortably in memory


@dataclass(frozen=True)
class Parity(Grammar):
    """Parentheses whose signs multiply to +1: "(" is +1 (index 0), ")" is −1 (index 1) (§4.1).

    Equivalently an even number of ")". The paper's "even number of s_1" is the same only for even length.
    """

    length: int
    alphabet = ("(", ")")

    def __post_init__(self):
        _check_length(
            self, self.length >= 2 and 2 ** (self.length - 1) <= ENUMERABLE, "from 2 to 23"
        )

    @cached_property
    def support(self) -> Tensor:
        codes = torch.arange(2 ** (self.length - 1))
        free = codes[:, None] >> torch.arange(self.length - 2, -1, -1) & 1
        return torch.cat([free, free.sum(1, keepdim=True) % 2], 1)

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens.sum(-1) % 2 == 0


@dataclass(frozen=True)
class Check(Grammar):
    """One parity check: the signs of the first `order` parentheses multiply to +1, all others are free.

    Whatever the order there are 2^(L−1) valid strings, one bit of rule, and a chance of ½. `correlation` is E[x_1 x_2] of
    the law, which is then ∝ 1 + correlation · x_1 x_2; it must be 0 for order 2, where x_1 x_2 is always +1. The product of
    the other signs of the check then has that mean as well: a biased sign for order 3, a second pair for order 4.
    With order = L and no correlation it is Parity.
    """

    length: int
    order: int
    correlation: float = 0.0
    alphabet = ("(", ")")

    def __post_init__(self):
        _check_length(
            self, self.length >= 2 and 2 ** (self.length - 1) <= ENUMERABLE, "from 2 to 23"
        )
        if not isinstance(self.order, int) or not 2 <= self.order <= self.length:
            raise ValueError(f"order={self.order}; allowed: 2 to length={self.length}")
        if not -1 < self.correlation < 1 or (self.correlation and self.order == 2):
            raise ValueError(
                f"correlation={self.correlation}; allowed: inside (−1, 1), and 0 for order 2"
            )

    @cached_property
    def support(self) -> Tensor:
        every = torch.cartesian_prod(*[torch.arange(2)] * self.length)
        return every[self._keeps_rule(every)]

    def weights(self, strings: Tensor) -> Tensor:
        pair = 1.0 - 2 * (strings[:, 0] ^ strings[:, 1]).double()
        weights = 1 + self.correlation * pair
        return weights / weights.sum()

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens[..., : self.order].sum(-1) % 2 == 0


@dataclass(frozen=True)
class Dyck(Grammar):
    """Balanced parentheses (§A.7.2): every prefix has at least as many "(" as ")", and the whole as many of each."""

    length: int
    alphabet = ("(", ")")

    def __post_init__(self):
        _check_length(
            self, 2 <= self.length <= 26 and self.length % 2 == 0, "an even number from 2 to 26"
        )

    @cached_property
    def support(self) -> Tensor:
        words = torch.empty(1, 0, dtype=torch.int64)
        depth = torch.zeros(1, dtype=torch.int64)
        for left in range(self.length, 0, -1):
            opens, closes = depth < left, depth > 0  # room to close later; something to close
            words = torch.cat([_append(words[opens], 0), _append(words[closes], 1)])
            depth = torch.cat([depth[opens] + 1, depth[closes] - 1])
        place = 2 ** torch.arange(self.length - 1, -1, -1)
        return words[(words * place).sum(1).argsort()]

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        height = (1 - 2 * tokens).cumsum(-1)
        return (height >= 0).all(-1) & (height[..., -1] == 0)


@dataclass(frozen=True)
class QuarterSum(Grammar):
    """Four digits with s1 + s2 = s3 + s4: the rule of Quarter-MNIST (§4.1), 670 tuples of 10,000."""

    alphabet = tuple("0123456789")
    length = 4

    @cached_property
    def support(self) -> Tensor:
        every = torch.cartesian_prod(*[torch.arange(10)] * 4)
        return every[self._keeps_rule(every)]

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens[..., :2].sum(-1) == tokens[..., 2:].sum(-1)


def _append(words: Tensor, symbol: int) -> Tensor:
    return torch.nn.functional.pad(words, (0, 1), value=symbol)


def _check_length(grammar: Grammar, allowed: bool, what: str) -> None:
    if not isinstance(grammar.length, int) or not allowed:
        raise ValueError(f"{type(grammar).__name__} length={grammar.length}; allowed: {what}")
