"""Laws on strings of signs that the theorems are tried on: parities, and laws by coefficients."""

from collections.abc import Callable, Sequence

import numpy as np

from localbias.theory import numerics, target
from localbias.theory.target import Law


def random_law(d: int, seed: int, kept: Callable[[np.ndarray], np.ndarray]) -> Law:
    """A law on {±1}^d with random Fourier coefficients, as large as probabilities allow.

    Args:
        d: signs in a string.
        seed: of the coefficients.
        kept: of subsets bool [2^d, d], whether each has a coefficient: bool [2^d].
    """
    subsets = target.hypercube(d) < 0
    normal = np.random.default_rng(seed).normal(size=2**d)
    coefficients = np.where(kept(subsets) & subsets.any(1), normal, 0)
    coefficients /= -numerics.walsh(coefficients.reshape((2,) * d)).min()
    coefficients[0] = 1
    return Law(*target.law(subsets, coefficients))


def pairwise_independent(d: int, seed: int) -> Law:
    """A random law of fair signs of which any two are independent (Assumption 5.1)."""
    return random_law(d, seed, lambda subsets: subsets.sum(1) >= 3)


def dependence(d: int, members: Sequence[int], strength: float) -> Law:
    """The law on {±1}^d under which the product of some signs has a mean, and no other product has.

    Args:
        d: signs in a string.
        members: which signs, from 0: one of them is biased, two are correlated.
        strength: the mean, −1 to 1.
    """
    subsets = np.zeros((2, d), bool)
    subsets[1, list(members)] = True
    return Law(*target.law(subsets, [1, strength]))


PARITIES = {d: Law(target.parity(d)) for d in (3, 4, 8)}
# Laws under which Assumption 5.1 holds, from the shortest to the longest of either kind.
ASSUMED = [*PARITIES.values(), *(pairwise_independent(d, d) for d in (3, 4, 5))]
