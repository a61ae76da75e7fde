"""A training set's law with its parts of high order damped, or left out.

Any law on strings is a sum of parts: one of order 0, the same for all strings, one for each symbol
(order 1), one for each pair (order 2), and so on; for two symbols it is its Fourier series. The
*truncated* series leaves the parts above an order out. Copying with mistakes damps what symbols
have in common beyond their marginals, the more, the more symbols it takes.
"""

from collections.abc import Iterable
from functools import lru_cache
from math import comb

import numpy as np
import torch
from torch import Tensor

from localbias.checks import within
from localbias.grammar.law import every_string
from localbias.grammar.moments import LARGEST


def copies(
    strings: Tensor, symbols: int, errors: Iterable[float], weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Strings copied with mistakes: now and then a symbol is drawn anew, by its marginal.

    Args:
        strings: int64 [m, L], what is copied.
        symbols: of the alphabet, K.
        errors: the probability that a symbol is drawn anew, each 0 to 1: 0 gives the strings
            themselves, 1 independent symbols.
        weights: how often each string is copied, [m] that sum to 1; None: all alike.

    Returns:
        All K^L strings int64 [n, L], and a law of them for each error, float64 [errors, n].

    Raises:
        ValueError: for symbols or an error out of range, and more than 2^17 strings.
    """
    length = strings.shape[1]
    within("symbols", strings, symbols)
    every = every_string(symbols, length, LARGEST)
    errors = list(errors)
    if wrong := [one for one in errors if not 0 <= one <= 1]:
        raise ValueError(f"errors={wrong[0]}; allowed: 0 to 1")
    if weights is None:
        weights = torch.full((len(strings),), 1 / len(strings), dtype=torch.float64)
    exact = torch.zeros((symbols,) * length, dtype=torch.float64)
    exact.index_put_(tuple(strings.long().T), weights.double(), accumulate=True)
    marginals = []
    for place in range(length):
        rest = [other for other in range(length) if other != place]
        marginals.append(exact.sum(rest, keepdim=True) if rest else exact)
    laws = []
    for error in errors:
        law = exact
        for place, marginal in enumerate(marginals):
            # With that probability what the symbol was is forgotten, and it is drawn anew.
            law = (1 - error) * law + error * law.sum(place, keepdim=True) * marginal
        laws.append(law.flatten())
    return every, torch.stack(laws)


def truncated(strings: Tensor, symbols: int, order: int) -> tuple[Tensor, Tensor]:
    """The training set's law without its parts above an order: the *truncated* series.

    It has the training strings' statistics up to that order as the maximum-entropy law has, and no
    interaction of a higher one. For that it pays: some of its values may be negative, and then it
    is no law.

    Args:
        strings: int64 [m, L], the training strings.
        symbols: of the alphabet, K.
        order: of the statistics, 0 to L.

    Returns:
        All K^L strings int64 [n, L], and their values float64 [n], which sum to 1.

    Raises:
        ValueError: for an order or symbols out of range, and more than 2^17 strings.
    """
    length = strings.shape[1]
    if not 0 <= order <= length:
        raise ValueError(f"order={order}; allowed: 0 to {length}, with strings of {length} symbols")
    within("symbols", strings, symbols)
    every = every_string(symbols, length, LARGEST)
    products = torch.from_numpy(krawtchouk(length, symbols)[:, : order + 1].sum(1))
    values = torch.zeros(len(every), dtype=torch.float64)
    for one in strings:
        values += products[(every != one).sum(1)]
    return every, values / len(strings) / len(every)


@lru_cache
def krawtchouk(length: int, symbols: int) -> np.ndarray:
    """Krawtchouk's polynomials K_d(h) = Σ_j (−1)^j (K−1)^{d−j} C(h, j) C(L−h, d−j).

    Of two strings that differ in h places, K_d(h) is the inner product of their parts of order d.

    Args:
        length: of the strings, L.
        symbols: of the alphabet, K.

    Returns:
        float64 [1 + L, 1 + L], for h = 0 … L and orders d = 0 … L.
    """
    K, L = symbols, length
    table = [
        [
            sum(
                (-1) ** j * (K - 1) ** (d - j) * comb(h, j) * comb(L - h, d - j)
                for j in range(min(d, h) + 1)
            )
            for d in range(L + 1)
        ]
        for h in range(L + 1)
    ]
    return np.array(table, dtype=np.float64)
