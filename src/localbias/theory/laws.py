"""Laws on strings of signs that the theorems are tried on: parities, and random ones that keep an assumption."""

from collections.abc import Callable

import numpy as np

from localbias.theory import numerics, target

PARITIES = {d: target.parity(d) for d in (3, 4, 8)}


def random_law(
    d: int, seed: int, kept: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """A law on {±1}^d with random Fourier coefficients, as large as probabilities allow.

    Args:
        d: signs in a string.
        seed: of the coefficients.
        kept: of subsets bool [2^d, d], whether each has a coefficient: bool [2^d].

    Returns:
        Support [n, d] and weights [n].
    """
    subsets = target.hypercube(d) < 0
    normal = np.random.default_rng(seed).normal(size=2**d)
    coefficients = np.where(kept(subsets) & subsets.any(1), normal, 0)
    coefficients /= -numerics.walsh(coefficients.reshape((2,) * d)).min()
    coefficients[0] = 1
    return target.law(subsets, coefficients)


def pairwise_independent(d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random law of fair signs of which any two are independent (Assumption 5.1)."""
    return random_law(d, seed, lambda subsets: subsets.sum(1) >= 3)
