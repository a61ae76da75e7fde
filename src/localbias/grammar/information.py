"""How much some symbols of a string tell about another one, in bits, by enumeration.

A rule that shows only in the joint law of many symbols cannot be learned from few of them at a
time.
"""

import math
from itertools import combinations

import torch
from torch import Tensor

from localbias.grammar.law import Grammar


def mutual_information(grammar: Grammar, symbol: int, others: tuple[int, ...]) -> float:
    """I(x_symbol; x_others) under the grammar's law, in bits.

    Args:
        grammar: whose law it is.
        symbol: the place of the one.
        others: the places of the others, none of them `symbol`.

    Raises:
        ValueError: for places that the strings do not have, and for a symbol among the others.
    """
    places = (symbol, *others)
    if len(set(places)) < len(places) or not all(0 <= place < grammar.length for place in places):
        raise ValueError(
            f"symbol={symbol}, others={others}; "
            f"allowed: distinct places from 0 to {grammar.length - 1}"
        )
    strings, law = grammar.support, grammar.probabilities
    one, rest, both = (
        _entropy(strings[:, list(some)], law) for some in ((symbol,), others, places)
    )
    return one + rest - both


def information_by_number(grammar: Grammar, symbol: int) -> tuple[Tensor, Tensor]:
    """What m of the other symbols tell about one, for m = 0 … L−1.

    It takes 2^(L−1) sums over the support.

    Args:
        grammar: whose law it is.
        symbol: the place of the one.

    Returns:
        The mean over all choices of m others, and the best of them, in bits, float32 [L] each.
    """
    rest = [place for place in range(grammar.length) if place != symbol]
    bits = [
        torch.tensor(
            [mutual_information(grammar, symbol, chosen) for chosen in combinations(rest, m)]
        )
        for m in range(grammar.length)
    ]
    return torch.stack([some.mean() for some in bits]), torch.stack([some.max() for some in bits])


def _entropy(strings: Tensor, law: Tensor) -> float:
    """Entropy in bits of the law of strings [n, m]; equal strings count together."""
    if not strings.shape[1]:
        return 0.0
    _, which = strings.unique(dim=0, return_inverse=True)
    mass = law.new_zeros(len(strings)).index_add(0, which, law)
    return -torch.special.xlogy(mass, mass).sum().item() / math.log(2)
