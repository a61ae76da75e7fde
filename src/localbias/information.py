"""How much some symbols of a string tell about another one, by enumeration: what there is to gain by looking around.

A rule that hides in the joint law of many symbols is hard to come by for whoever looks at few at a time. Bits
throughout.
"""

import math
from itertools import combinations

import torch
from torch import Tensor

from localbias.grammar import Grammar


def told(grammar: Grammar, symbol: int, others: tuple[int, ...]) -> float:
    """I(x_symbol; x_others), the mutual information under the grammar's law.

    ValueError for places that the strings do not have, and for a symbol among the others.
    """
    places = (symbol, *others)
    if len(set(places)) < len(places) or not all(0 <= place < grammar.length for place in places):
        raise ValueError(f"symbol={symbol}, others={others}; allowed: distinct places from 0 to {grammar.length - 1}")
    strings, law = grammar.support, grammar.probabilities
    return _entropy(strings[:, [symbol]], law) + _entropy(strings[:, list(others)], law) - _entropy(strings[:, list(places)], law)


def by_number(grammar: Grammar, symbol: int) -> tuple[Tensor, Tensor]:
    """What m of the other symbols tell about one, for m = 0 … L−1: the mean over all choices of m, and the best: [L] each.

    It takes 2^(L−1) sums over the support.
    """
    rest = [place for place in range(grammar.length) if place != symbol]
    bits = [
        torch.tensor([told(grammar, symbol, chosen) for chosen in combinations(rest, m)]) for m in range(grammar.length)
    ]
    return torch.stack([some.mean() for some in bits]), torch.stack([some.max() for some in bits])


def _entropy(strings: Tensor, law: Tensor) -> float:
    """Of the law of strings [n, m], those that are alike taken together."""
    if not strings.shape[1]:
        return 0.0
    _, which = strings.unique(dim=0, return_inverse=True)
    mass = law.new_zeros(len(strings)).index_add(0, which, law)
    return -torch.special.xlogy(mass, mass).sum().item() / math.log(2)
