"""A law of pairwise independent fair signs whose best neuron lies off the axis.

It stands against bullet 2 of Theorem 5.3 (§5.4).

d = n + 1, n even, x0_i fair. Given +1 the n others are uniform on the slice that sums to 0; given
−1 they are all −1 with probability 2/(n+2), else uniform on the slice that sums to 2. So
E[x0_k | x0_i] = 0 and E[x0_k x0_l] = 0, as Assumption 5.1 asks, while
E[x0_k x0_l | x0_i] = −x0_i/(n−1). A neuron with the weight v on each of the others sees no more
than their sum, so that n may be in the millions. By leaning on them it gains a little where
x0_i = −1, and gives up one string.

ValueError for an n that is odd or below 2, and for alpha_bar outside (0, 1).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import ndtr
from scipy.stats import norm

from localbias.theory.growth import axis_rate, optimal_bias
from localbias.theory.target import check


def law(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The law of (x0_i, sum of the n others): points [3, 2] and weights [3]."""
    if n < 2 or n % 2:
        raise ValueError(f"n={n}; allowed: even whole numbers from 2")
    points = np.array([[1.0, 0], [-1, -n], [-1, 2]])
    return points, np.array([0.5, 1 / (n + 2), n / (n + 2) / 2])


def moments(n: int) -> np.ndarray:
    """What Assumption 5.1 wants to be 0: E x0_i, E x0_k, E x0_i x0_k and E x0_k x0_l, k ≠ l."""
    points, weights = law(n)
    own, others = points.T
    products = (weights @ others**2 - n) / n / (n - 1)
    pair = weights @ (own * others) / n
    return np.array([weights @ own, weights @ others / n, pair, products])


def growth_rate(
    w: ArrayLike, v: ArrayLike, b: ArrayLike, alpha_bar: ArrayLike, n: int
) -> np.ndarray:
    """K of neurons of any length but 0: [...].

    Args:
        w: [...], the weight on coordinate i.
        v: [...], the weight on each of the n others.
        b: [...], the bias.
        alpha_bar: ᾱ [...].
        n: how many others.
    """
    points, weights = law(n)
    w, v, b, alpha_bar = (np.asarray(part, float) for part in (w, v, b, check(alpha_bar, [[1]])[0]))
    sums = np.stack(np.broadcast_arrays(w, v), -1) @ points.T
    shifted = np.sqrt(alpha_bar)[..., None] * sums + b[..., None]
    z = shifted / np.sqrt((1 - alpha_bar) * (w**2 + n * v**2))[..., None]
    return np.sqrt(1 - alpha_bar) * w * (ndtr(z) @ weights)


class Excess(NamedTuple):
    """By how much the best neuron found off the axis exceeds the best one on it.

    Attributes:
        value: of K/√(1−ᾱ).
        w: its weight on coordinate i; (w, v, …, v, b) has length 1.
        v: its weight on each other coordinate.
        b: its bias.
    """

    value: float
    w: float
    v: float
    b: float


def excess(alpha_bar: float, n: int) -> Excess:
    """The best neuron with equal weights on all others, by a search.

    The search starts from the best neuron of large n (`limit`) and ends at v = 0 where it sees none
    off the axis. The value is a difference of two numbers near .7, each good to about 1e-16;
    `limit` has no such bound.
    """
    best, mu = float(optimal_bias(alpha_bar)), best_lean(alpha_bar)
    spread, top = np.sqrt(1 - alpha_bar), axis_rate(best, alpha_bar)

    def neuron(move: np.ndarray) -> tuple[float, float, float]:
        """(w, v, b) of length 1 where v is move[0] μ/n, and move[1] √((1−ᾱ)/n) is added to D*."""
        v, bias = move[0] * mu / n, best + move[1] * spread / np.sqrt(n)
        length = np.sqrt(1 + n * v**2 + bias**2)
        return 1 / length, v / length, bias / length

    def short(move: np.ndarray) -> float:
        """n times how far a neuron stays below the axis's best."""
        w, v, b = neuron(move)
        return (top - growth_rate(w, v, b, alpha_bar, n) / spread) * n

    simplex = np.array([[1, 0], [1.1, 0], [1, 0.1]])
    options = {"initial_simplex": simplex, "xatol": 1e-7, "fatol": 1e-13, "maxiter": 1000}
    found = minimize(short, [1, 0], method="Nelder-Mead", options=options)
    return Excess(-found.fun / n, *neuron(found.x))


def limit(alpha_bar: ArrayLike) -> np.ndarray:
    """lim n · `excess` as n → ∞: where it is above 0, the counterexample exists at this ᾱ.

    For ᾱ above about .9. With w = 1 and v = μ/n, n times what K/√(1−ᾱ) gains is √ᾱ μ φ(z)/√(1−ᾱ)
    where x0_i = −1, z = (D* − √ᾱ)/√(1−ᾱ); less Φ(z), the all −1 string, which is lost whole; less
    what the length of w costs, a multiple of μ²/2. All this over √(1 + D*²).
    """
    gain, cost, lost, length = _terms(alpha_bar)
    return (gain**2 / (2 * cost) - lost) / length


def best_lean(alpha_bar: ArrayLike) -> np.ndarray:
    """The best μ = n v of a neuron with w = 1, as n → ∞ (`limit`)."""
    gain, cost, _, _ = _terms(alpha_bar)
    return gain / cost


def _terms(alpha_bar: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What `limit` is made of: the gain per μ, the cost per μ²/2, what is lost, and √(1 + D*²)."""
    alpha_bar, best = check(alpha_bar, [[1]])[0], optimal_bias(alpha_bar)
    signal, spread = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    high, low = (best + signal) / spread, (best - signal) / spread
    gain = signal / spread * norm.pdf(low)
    curvature = (high * norm.pdf(high) + low * norm.pdf(low)) / 2
    cost = curvature + (ndtr(high) + ndtr(low)) / 2 / (1 + best**2)
    return gain, cost, ndtr(low), np.hypot(1, best)
