"""Rules that can be stated: parity, a single check, Dyck words, sums of digits."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from localbias.checks import require, typed
from localbias.grammar.law import Grammar, every_string

LONGEST = 23  # signs; with more of them the 2^(L−1) valid strings do not fit comfortably in memory


@dataclass(frozen=True)
class Parity(Grammar):
    """Parentheses whose signs multiply to +1: "(" is +1 (index 0), ")" is −1 (index 1) (§4.1).

    Equivalently an even number of ")". The paper's "even number of s_1" is the same only for even
    length.

    Attributes:
        length: symbols in a string, 2 to 23.

    Raises:
        ValueError: for another length.
    """

    length: int
    alphabet = ("(", ")")

    def __post_init__(self):
        _require_length(self)

    @cached_property
    def support(self) -> Tensor:
        codes = torch.arange(2 ** (self.length - 1))
        free = codes[:, None] >> torch.arange(self.length - 2, -1, -1) & 1
        return torch.cat([free, free.sum(1, keepdim=True) % 2], 1)

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens.sum(-1) % 2 == 0


@dataclass(frozen=True)
class Check(Grammar):
    """One parity check: the signs of the first `order` parentheses multiply to +1, others are free.

    Whatever the order there are 2^(L−1) valid strings, one bit of rule, and a chance of ½. With
    order = L and no correlation it is Parity.

    With a correlation c = E[x_1 x_2] the law is ∝ 1 + c · x_1 x_2. The product of the other signs
    of the check then has the mean c as well: a biased sign for order 3, a second pair for order 4.

    Attributes:
        length: symbols in a string, 2 to 23.
        order: signs in the check, 2 to `length`.
        correlation: c, inside (−1, 1); 0 for order 2, where x_1 x_2 is always +1.

    Raises:
        ValueError: for a value out of range.
    """

    length: int
    order: int
    correlation: float = 0.0
    alphabet = ("(", ")")

    def __post_init__(self):
        _require_length(self)
        require(self, "order", 2 <= self.order <= self.length, f"2 to length={self.length}")
        possible = -1 < self.correlation < 1 and (self.order > 2 or not self.correlation)
        require(self, "correlation", possible, "inside (−1, 1), and 0 for order 2")

    @cached_property
    def support(self) -> Tensor:
        all_strings = every_string(2, self.length)
        return all_strings[self._keeps_rule(all_strings)]

    def weights(self, strings: Tensor) -> Tensor:
        pair = 1.0 - 2 * (strings[:, 0] ^ strings[:, 1]).double()
        weights = 1 + self.correlation * pair
        return weights / weights.sum()

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens[..., : self.order].sum(-1) % 2 == 0


@dataclass(frozen=True)
class Dyck(Grammar):
    """Balanced parentheses (A.5): no prefix has more ")" than "(", the whole as many of each.

    Attributes:
        length: symbols in a string, an even number from 2 to 26.
        deepest: the deepest nesting that is allowed, from 1; None for no limit.

    Raises:
        ValueError: for another length or depth.
    """

    length: int
    deepest: int | None = None
    alphabet = ("(", ")")

    def __post_init__(self):
        typed(self)
        require(self, "length", self.length in range(2, 27, 2), "an even number from 2 to 26")
        require(self, "deepest", self.deepest is None or self.deepest >= 1, "from 1, or None")

    @cached_property
    def support(self) -> Tensor:
        words = torch.empty(1, 0, dtype=torch.int64)
        depth = torch.zeros(1, dtype=torch.int64)
        for left in range(self.length, 0, -1):
            opens = depth < left  # enough places are left to close it again
            if self.deepest is not None:
                opens &= depth < self.deepest
            closes = depth > 0  # there is one to close
            words = torch.cat([_append(words[opens], 0), _append(words[closes], 1)])
            depth = torch.cat([depth[opens] + 1, depth[closes] - 1])
        place = 2 ** torch.arange(self.length - 1, -1, -1)
        return words[(words * place).sum(1).argsort()]

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        height = (1 - 2 * tokens).cumsum(-1)
        balanced = (height >= 0).all(-1) & (height[..., -1] == 0)
        return balanced if self.deepest is None else balanced & (height.amax(-1) <= self.deepest)


@dataclass(frozen=True)
class QuarterSum(Grammar):
    """Four digits with s1 + s2 = s3 + s4, as in Quarter-MNIST (§4.1): 670 tuples of 10,000."""

    alphabet = tuple("0123456789")
    length = 4

    @cached_property
    def support(self) -> Tensor:
        all_strings = every_string(10, 4)
        return all_strings[self._keeps_rule(all_strings)]

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens[..., :2].sum(-1) == tokens[..., 2:].sum(-1)


def _append(words: Tensor, symbol: int) -> Tensor:
    """Words [n, l] with one symbol more: [n, l + 1]."""
    return torch.nn.functional.pad(words, (0, 1), value=symbol)


def _require_length(grammar: Parity | Check) -> None:
    typed(grammar)
    require(grammar, "length", 2 <= grammar.length <= LONGEST, f"from 2 to {LONGEST}")
