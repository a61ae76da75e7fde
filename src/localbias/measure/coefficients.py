"""What generated strings share with the training strings, by order of interaction.

A law on strings of K symbols splits into parts of order 0, 1, …, L, orthogonal to each other: the
part of order d is what any d symbols have in common beyond what fewer of them have (the functional
decomposition of Hoeffding 1948, under the uniform law). With two symbols, written as signs
s ∈ {−1, +1}^L, they are the Fourier coefficients E ∏_{i∈S} s_i of order d = |S|: order 1 are the
marginals, order 2 the pairs, and parity's rule is the one coefficient of order L. A network that
has learned the training set's statistics up to some order gives back its parts up to that order.

The product of two laws' parts of order d is E K_d(number of places in which x and y differ), over
independent x of the one and y of the other, with Krawtchouk's polynomial K_d
(`grammar.krawtchouk`). So no coefficient is ever written down.
"""

import numpy as np
import torch
from torch import Tensor

from localbias.grammar import krawtchouk

CHUNK = 2**22  # pairs of strings that are compared in one pass


def order_slopes(
    generated: Tensor, training: Tensor, symbols: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """The slope of the generated on the training strings' law, by order.

    Of order d it is ⟨g_d, t_d⟩ / ⟨t_d, t_d⟩ with the parts of order d of the two laws: 1 where the
    network gives back what the training set has, 0 where it knows nothing of it. For two symbols
    ⟨g_d, t_d⟩ is Σ ĝ_S t_S over the sets S of d places, with the Fourier coefficients of the two.
    For given training strings it is a mean over generated strings, so its standard error is that of
    a mean.

    Args:
        generated: int [n, L] of 0 to K−1, n ≥ 2.
        training: int [m, L] of 0 to K−1.
        symbols: of the alphabet, K.

    Returns:
        Slopes and standard errors, float64 [L] each, of the orders 1 to L; NaN where the training
        set's part of an order is zero.

    Raises:
        ValueError: for other symbols, strings of unequal length, or fewer than two generated ones.
    """
    length = training.shape[-1]
    if generated.ndim != 2 or len(generated) < 2 or generated.shape[1] != length:
        raise ValueError(f"generated {tuple(generated.shape)}; allowed: [n ≥ 2, {length}]")
    for name, strings in (("generated", generated), ("training", training)):
        if strings.min() < 0 or strings.max() >= symbols:
            found = strings.unique().tolist()
            raise ValueError(f"{name} strings hold {found}; allowed: 0 to {symbols - 1}")
    products = krawtchouk(length, symbols)
    size = _differing(training, training).mean(0) @ products
    each = _differing(generated, training) @ products
    known = size > 1e-9 * products[0]  # of order d, K_d(0) is the largest there can be
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(known, each.mean(0) / size, np.nan)
        errors = np.where(known, each.std(0, ddof=1) / len(each) ** 0.5 / size, np.nan)
    return slopes[1:], errors[1:]


def _differing(strings: Tensor, training: Tensor) -> np.ndarray:
    """The shares of training strings that differ in h = 0 … L places: [n, 1 + L] of [n, L]."""
    length, rows = training.shape[1], max(1, CHUNK // training.numel())
    found = []
    for some in strings.split(rows):
        places = (some[:, None] != training).sum(-1)
        counts = torch.nn.functional.one_hot(places, length + 1).double().mean(1)
        found.append(counts.numpy())
    return np.concatenate(found)
