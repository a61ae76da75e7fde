"""What generated strings share with the training strings: their Fourier coefficients, by degree.

On strings of two symbols, written as signs s in {−1, +1}^L, a law is its Fourier coefficients
E ∏_{i∈S} s_i, one for every set S of places; |S| is the degree. Degree 1 are the marginals,
degree 2 the pairs; parity's rule is the one coefficient of degree L. A network that has learned the
training set's statistics up to some order gives back its coefficients up to that degree.
"""

from itertools import combinations

import numpy as np
import torch
from torch import Tensor

LONGEST = 12  # 2^L coefficients are computed of every string


def fourier_slopes(generated: Tensor, training: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The slope of generated on training coefficients, by degree.

    Of degree d it is Σ ĝ_S t_S / Σ t_S² over the sets S of d places, with the coefficients t of the
    training strings and the means ĝ over generated ones: 1 where the network gives back what the
    training set has, 0 where it knows nothing of it. For given training strings it is a mean over
    generated strings, so its standard error is that of a mean.

    Args:
        generated: int [n, L] of 0 and 1, n ≥ 2.
        training: int [m, L] of 0 and 1.

    Returns:
        Slopes and standard errors, float64 [L] each, of the degrees 1 to L; NaN where the training
        set's coefficients of a degree are all zero.

    Raises:
        ValueError: for other symbols, strings of unequal or too great length, or fewer than two
            generated ones.
    """
    length = training.shape[-1]
    if generated.ndim != 2 or len(generated) < 2 or generated.shape[1] != length:
        raise ValueError(f"generated {tuple(generated.shape)}; allowed: [n ≥ 2, {length}]")
    if length > LONGEST:
        raise ValueError(f"strings of {length} symbols; allowed: up to {LONGEST}")
    for name, strings in (("generated", generated), ("training", training)):
        if not ((strings == 0) | (strings == 1)).all():
            raise ValueError(f"{name} strings hold {strings.unique().tolist()}; allowed: 0 and 1")
    slopes, errors = np.full((2, length), np.nan)
    for degree in range(1, length + 1):
        sets = list(combinations(range(length), degree))
        known = _products(training, sets).mean(0)
        size = known.square().sum()
        if size > 0:
            each = _products(generated, sets) @ known / size
            slopes[degree - 1] = each.mean()
            errors[degree - 1] = each.std() / len(each) ** 0.5
    return slopes, errors


def _products(strings: Tensor, sets: list[tuple[int, ...]]) -> Tensor:
    """∏_{i∈S} s_i of each string and set, float64 [n, sets]; symbol 0 is +1 and 1 is −1."""
    odd = torch.stack([strings[:, places].sum(1) % 2 for places in map(list, sets)], 1)
    return 1.0 - 2.0 * odd.double()
