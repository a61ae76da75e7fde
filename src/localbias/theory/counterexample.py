"""A law of pairwise independent fair signs whose best neuron lies off the axis: against bullet 2 of Theorem 5.3 (§5.4).

d = n + 1, n even, x0_i fair. Given +1 the n others are uniform on the slice that sums to 0; given −1 they are all −1
with probability 2/(n+2), else uniform on the slice that sums to 2. So E[x0_k | x0_i] = 0 and E[x0_k x0_l] = 0, as
Assumption 5.1 asks, while E[x0_k x0_l | x0_i] = −x0_i/(n−1). A neuron with the weight v on each of the others sees no
more than their sum, so that n may be in the millions. By leaning on them it gains a little where x0_i = −1, and
gives up one string.

ValueError for an n that is odd or below 2, and for alpha_bar outside (0, 1).
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr
from scipy.stats import norm

from localbias.theory.growth import axis_rate, optimal_bias
from localbias.theory.target import check


def law(n):
    """The law of (x0_i, sum of the n others): points [3, 2] and weights [3]."""
    if n < 2 or n % 2:
        raise ValueError(f"n={n}; allowed: even whole numbers from 2")
    return np.array([[1.0, 0], [-1, -n], [-1, 2]]), np.array([0.5, 1 / (n + 2), n / (n + 2) / 2])


def growth_rate(w, v, b, alpha_bar, n):
    """K of a neuron whose i-th weight is w and all n others v: [...] for w, v, b [...], of any length but 0."""
    points, weights = law(n)
    w, v, b, alpha_bar = (np.asarray(part, float) for part in (w, v, b, check(alpha_bar, [[1]])[0]))
    shifted = (
        np.sqrt(alpha_bar)[..., None] * (np.stack(np.broadcast_arrays(w, v), -1) @ points.T)
        + b[..., None]
    )
    z = shifted / np.sqrt((1 - alpha_bar) * (w**2 + n * v**2))[..., None]
    return np.sqrt(1 - alpha_bar) * w * (ndtr(z) @ weights)


def excess(alpha_bar, n):
    """By how much K/√(1−ᾱ) off the axis exceeds its maximum on it: (excess, w, v, b), the neuron on the unit sphere.

    The search starts from the best neuron of large n (`limit`) and ends at v = 0 where it sees none off the axis.
    The excess is a difference of two numbers near .7, each good to about 1e-16; `limit` has no such limit.
    """
    best, mu = float(optimal_bias(alpha_bar)), _terms(alpha_bar)[0]
    spread, top = np.sqrt(1 - alpha_bar), axis_rate(best, alpha_bar)

    def neuron(move):
        found = np.array([1, move[0] * mu / n, best + move[1] * spread / np.sqrt(n)])
        return found / np.sqrt(1 + n * found[1] ** 2 + found[2] ** 2)

    def short(move):
        return (top - growth_rate(*neuron(move), alpha_bar, n) / spread) * n

    simplex = np.array([[1, 0], [1.1, 0], [1, 0.1]])
    found = minimize(
        short,
        [1, 0],
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-7, "fatol": 1e-13, "maxiter": 1000},
    )
    return -found.fun / n, *neuron(found.x)


def limit(alpha_bar):
    """lim n · `excess` as n → ∞: where it is above 0, the counterexample exists at this ᾱ. For ᾱ above about .9.

    With w = 1 and v = μ/n, n times what K/√(1−ᾱ) gains is √ᾱ μ φ(z)/√(1−ᾱ) where x0_i = −1, z = (D* − √ᾱ)/√(1−ᾱ); less
    Φ(z), the all −1 string, which is lost whole; less what the length of w costs, a multiple of μ²/2. All this over
    √(1 + D*²).
    """
    return _terms(alpha_bar)[1]


def _terms(alpha_bar):
    """The best μ, and the limit that it gives."""
    alpha_bar, best = check(alpha_bar, [[1]])[0], optimal_bias(alpha_bar)
    signal, spread = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    high, low = (best + signal) / spread, (best - signal) / spread
    gain = signal / spread * norm.pdf(low)
    cost = (high * norm.pdf(high) + low * norm.pdf(low)) / 2 + (ndtr(high) + ndtr(low)) / 2 / (
        1 + best**2
    )
    return gain / cost, (gain**2 / (2 * cost) - ndtr(low)) / np.hypot(1, best)
