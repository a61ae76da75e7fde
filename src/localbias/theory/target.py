"""The exact target of Section 5 for any law p0 on {±1}^d, and the losses that can be reached.

With γ = ᾱ/(1−ᾱ), h = √ᾱ x_t/(1−ᾱ) and t = tanh h, the likelihood of x0 is proportional to
exp(h·x0), hence to ∏_k (1 + t_k x0_k). So E[x0 | x_t] is a softmax over the support, and also a
ratio of multilinear forms in t whose coefficients are the Fourier coefficients
p̂(S) = E ∏_{k∈S} x0_k:

    E[x0_i | x_t] = Σ_S p̂(S △ {i}) t_S / Σ_S p̂(S) t_S,    t_S = ∏_{k∈S} t_k

The noise target is y = E[ε | x_t] = (x_t − √ᾱ E[x0 | x_t]) / √(1−ᾱ). The paper's loss (§5.2, Eq. 8)
compares noise; losses here are those of one coordinate, E(ε̂_i − ε_i)².

Arguments that functions share, here and in the other modules on laws:

- x: [..., d], points x_t.
- alpha_bar: ᾱ, inside (0, 1); one number, or an array that broadcasts with x's leading dimensions.
- support: [n, d] of ±1, the strings of the law.
- weights: [n], their probabilities up to a common factor; None: all are equally likely.
- coordinate: i, from 0, the coordinate whose noise is predicted.

All raise ValueError for other values, and compute in float64.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr, softmax

from localbias.theory import numerics


class Law(NamedTuple):
    """A law p0 on {±1}^d, and the coordinate whose noise is predicted.

    Functions that take them one by one are called as `growth_rate(w, b, alpha_bar, *law)`.

    Attributes:
        support: [n, d] of ±1.
        weights: [n], from 0; None: all strings are equally likely.
        coordinate: i, from 0.
    """

    support: np.ndarray
    weights: np.ndarray | None = None
    coordinate: int = 0


def hypercube(d: int) -> np.ndarray:
    """All sign strings of length d, float64 [2^d, d], the first of them all +1."""
    return 1.0 - 2 * np.stack(np.unravel_index(np.arange(2**d), (2,) * d), -1)


def parity(d: int, members: Sequence[int] | None = None) -> np.ndarray:
    """Sign strings of length d whose product over `members` (None: all) is +1: [2^(d−1), d]."""
    points = hypercube(d)
    return points[points[:, list(range(d) if members is None else members)].prod(1) > 0]


def check(
    alpha_bar: ArrayLike,
    support: ArrayLike,
    weights: ArrayLike | None = None,
    coordinate: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The shared arguments as arrays: alpha_bar, support [n, d], and weights [n] that sum to 1.

    Raises:
        ValueError: for an argument that is not what the module's docstring asks for.
    """
    alpha_bar, support = np.asarray(alpha_bar, float), np.asarray(support, float)
    if not (alpha_bar.size and ((alpha_bar > 0) & (alpha_bar < 1)).all()):
        raise ValueError(f"alpha_bar={alpha_bar}; allowed: inside (0, 1)")
    if support.ndim != 2 or not support.size or not (np.abs(support) == 1).all():
        raise ValueError(
            f"support of shape {support.shape}, values {np.unique(support)[:5]}; "
            "allowed: [n, d] of ±1"
        )
    n, d = support.shape
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    positive = np.isfinite(weights) & (weights >= 0)
    if weights.shape != (n,) or not positive.all() or not weights.any():
        raise ValueError(
            f"weights {weights}; allowed: {n} finite numbers from 0, not all of them 0"
        )
    if not isinstance(coordinate, int | np.integer) or coordinate not in range(d):
        raise ValueError(f"coordinate={coordinate!r}; allowed: 0 to {d - 1}")
    return alpha_bar, support, weights / weights.sum()


def posterior_mean(
    x: ArrayLike, alpha_bar: ArrayLike, support: ArrayLike, weights: ArrayLike | None = None
) -> np.ndarray:
    """E[x0 | x_t = x]: [..., d] (§5.2)."""
    alpha_bar, support, weights = check(alpha_bar, support, weights)
    return _posterior(x, alpha_bar, support, weights) @ support


def posterior_covariance(
    x: ArrayLike, alpha_bar: ArrayLike, support: ArrayLike, weights: ArrayLike | None = None
) -> np.ndarray:
    """Cov[x0 | x_t = x]: [..., d, d].

    Times √ᾱ/(1−ᾱ) it is the Jacobian of `posterior_mean`, so it gives the local dependency ratio of
    the optimum under any law; that of parity is closed (`locality`).
    """
    alpha_bar, support, weights = check(alpha_bar, support, weights)
    posterior = _posterior(x, alpha_bar, support, weights)
    # Centred first: where the posterior is nearly certain, E[x0 x0ᵀ] − m mᵀ would cancel to
    # nothing.
    centred = support - (posterior @ support)[..., None, :]  # [..., n, d]
    return np.swapaxes(centred * posterior[..., None], -1, -2) @ centred


def noise_target(
    x: ArrayLike, alpha_bar: ArrayLike, support: ArrayLike, weights: ArrayLike | None = None
) -> np.ndarray:
    """y = E[ε | x_t = x]: [..., d], what the paper's network is trained towards (§5.2, Eq. 8).

    For laws of one's own: the book's figures need parity alone, whose forms are closed.
    """
    mean = posterior_mean(x, alpha_bar, support, weights)
    return _as_noise(np.asarray(x, float), np.asarray(alpha_bar, float)[..., None], mean)


def best_linear(x: ArrayLike, alpha_bar: ArrayLike) -> np.ndarray:
    """The best linear prediction of ε_i, √(1−ᾱ) x_i: [...], for fair signs, any two independent."""
    return np.sqrt(1 - check(alpha_bar, [[1]])[0]) * np.asarray(x, float)


def best_univariate(x: ArrayLike, alpha_bar: ArrayLike) -> np.ndarray:
    """The best prediction of ε_i from x_i [...] alone, for a fair sign.

    It is (x_i − √ᾱ tanh h_i)/√(1−ᾱ) with h_i = √ᾱ x_i/(1−ᾱ).
    """
    x, alpha_bar = np.asarray(x, float), check(alpha_bar, [[1]])[0]
    mean = np.tanh(_field(x[..., None], alpha_bar, 1))[..., 0]
    return _as_noise(x, alpha_bar, mean)


def fourier(support: ArrayLike, weights: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The Fourier coefficients of a law.

    Returns:
        All subsets S, bool [2^d, d], the empty one first, and p̂(S) [2^d].
    """
    _, support, weights = check(0.5, support, weights)
    cube = np.zeros((2,) * support.shape[1])
    np.add.at(cube, tuple((support < 0).T.astype(int)), weights)
    return hypercube(cube.ndim) < 0, numerics.walsh(cube).ravel()


def law(subsets: ArrayLike, coefficients: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The law that has given Fourier coefficients.

    Args:
        subsets: bool [m, d]; those that are not named have p̂(S) = 0.
        coefficients: p̂(S) [m].

    Returns:
        Support [n, d] and weights [n].

    Raises:
        ValueError: for coefficients that give a string a negative probability, or do not give 1 to
            the empty subset.
    """
    subsets, coefficients = _check_fourier(subsets, coefficients)
    cube = np.zeros((2,) * subsets.shape[1])
    cube[tuple(subsets.T.astype(int))] = coefficients
    weights, rounding = numerics.walsh(cube).ravel() / cube.size, 1e-12 / cube.size
    if weights.min() < -rounding:
        raise ValueError(f"a string of probability {weights.min()}; allowed: from 0")
    return hypercube(cube.ndim)[weights > rounding], weights[weights > rounding]


class Levels(NamedTuple):
    """Least noise losses of one coordinate.

    Attributes:
        linear: of affine functions of x_t, exact.
        univariate: of functions of x_t^(i) alone.
        optimum: of all functions.
        error: of the optimum, and no less than that of univariate.
    """

    linear: np.ndarray
    univariate: np.ndarray
    optimum: np.ndarray
    error: np.ndarray


def linear_level(
    alpha_bar: ArrayLike,
    support: ArrayLike,
    weights: ArrayLike | None = None,
    coordinate: int = 0,
) -> np.ndarray:
    """The loss of the best affine function, of alpha_bar's shape.

    It is 1 − (1−ᾱ) [Σ⁻¹]_ii with Σ = ᾱ Cov x0 + (1−ᾱ) I, and ᾱ for fair signs of which any two are
    independent.
    """
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    covariance = np.cov(support.T, aweights=weights, ddof=0).reshape(support.shape[1], -1)
    signal, noise = alpha_bar[..., None, None], 1 - alpha_bar[..., None, None]
    inverse = np.linalg.inv(signal * covariance + noise * np.eye(len(covariance)))
    return 1 - (1 - alpha_bar) * inverse[..., coordinate, coordinate]


def univariate_level(alpha_bar: ArrayLike, mean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The loss of the best function of x_t^(i) alone: γ E(1 − tanh²(artanh mean + h_i)).

    Args:
        alpha_bar: ᾱ, of any shape.
        mean: E x0_i, −1 to 1.

    Returns:
        The loss and its error, of alpha_bar's shape.
    """
    gamma, odds = _gamma(alpha_bar)[..., None], _log_odds(mean)
    h = [odds + sign * gamma + np.sqrt(gamma) * numerics.GRID for sign in (1, -1)]
    residual = (1 + mean) / 2 * numerics.sech2(h[0]) + (1 - mean) / 2 * numerics.sech2(h[1])
    return numerics.gaussian(gamma * residual)


def parity_gap(alpha_bar: ArrayLike, d: int) -> tuple[np.ndarray, np.ndarray]:
    """E(E[x0_i | x_t] − t_i)² for the parity of d signs, which is mmse_univariate − mmse_optimum.

    Turn each string to all +1: then t_k = tanh(γ + √γ N_k), independent, and E t^(2j−1) = E t^(2j)
    = μ_j. With P = ∏_{k≠i} t_k the gap is E[P (1 − t²)/(1 + t P)]; expanded in P and paired by that
    identity it is a series of positive terms, Σ_{j≥0} μ_{j+1}^(d−1) E[t^2j (1 − t²)²].

    Args:
        alpha_bar: ᾱ, of any shape.
        d: from 2.

    Returns:
        The gap and its error, of alpha_bar's shape.
    """
    if d < 2 or d != int(d):
        raise ValueError(f"d={d}; allowed: whole numbers from 2")
    gamma = _gamma(alpha_bar)
    sums = np.array([numerics.parity_series(one, d - 1) for one in gamma.ravel()])
    return sums[:, 0].reshape(gamma.shape), sums[:, 1].reshape(gamma.shape)


def parity_levels(alpha_bar: ArrayLike, d: int) -> Levels:
    """The levels of any coordinate of the parity of d signs, of alpha_bar's shape."""
    gap, gap_error = parity_gap(alpha_bar, d)
    univariate, univariate_error = univariate_level(alpha_bar)
    gamma = _gamma(alpha_bar)
    linear = np.asarray(alpha_bar, float)[()]
    return Levels(
        linear, univariate, univariate - gamma * gap, gamma * gap_error + univariate_error
    )


def one_bit(d: int) -> tuple[float, float]:
    """½ ∫_0^∞ Σ_i (mmse_univariate − mmse_optimum) dγ for the parity of d signs; and its error.

    It is ln 2 whatever d. By I-MMSE (Guo, Shamai and Verdú 2005) it is the `total_correlation` of
    x0: all there is to gain by looking at other symbols. Beyond γ = 80 less than d e^(−40) is left,
    as mmse_univariate ≤ e^(−γ/2).
    """
    panels = [numerics.panels([0, 0.25, 1, 2.5, 6, 14, 30, 80], nodes) for nodes in (10, 7)]
    fine, coarse = (
        d / 2 * weight @ parity_gap(gamma / (1 + gamma), d)[0] for gamma, weight in panels
    )
    return fine, abs(fine - coarse) + d * np.exp(-40)


def total_correlation(support: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Σ_i H(x0_i) − H(x0) in nats: what `one_bit` gives for parity, of any law."""
    _, support, weights = check(0.5, support, weights)
    string, up = np.unique(support, axis=0, return_inverse=True)[1], weights @ (support > 0)
    return entr([up, 1 - up]).sum() - entr(np.bincount(string.ravel(), weights)).sum()


def _gamma(alpha_bar: ArrayLike) -> np.ndarray:
    """ᾱ/(1−ᾱ), the signal-to-noise ratio."""
    alpha_bar, _, _ = check(alpha_bar, [[1]])
    return alpha_bar / (1 - alpha_bar)


def _log_odds(mean: float) -> float:
    """artanh of a sign's mean, half its log-odds; infinite for a sign that never changes."""
    if not np.abs(mean) <= 1 + 1e-12:  # a mean over weights may round to beyond 1
        raise ValueError(f"mean={mean}; allowed: -1 to 1")
    with np.errstate(divide="ignore"):
        return np.arctanh(np.clip(mean, -1, 1))


def _field(x: ArrayLike, alpha_bar: np.ndarray, d: int) -> np.ndarray:
    """h = √ᾱ x / (1−ᾱ): [..., d]."""
    x = np.asarray(x, float)
    if x.ndim < 1 or x.shape[-1] != d:
        raise ValueError(f"x of shape {x.shape}; allowed: [..., {d}], the law's length")
    return x * (np.sqrt(alpha_bar) / (1 - alpha_bar))[..., None]


def _as_noise(x: np.ndarray, alpha_bar: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The noise that belongs to a guess of x0 at x: (x − √ᾱ mean)/√(1−ᾱ), of their shape."""
    return (x - np.sqrt(alpha_bar) * mean) / np.sqrt(1 - alpha_bar)


def _posterior(
    x: ArrayLike, alpha_bar: np.ndarray, support: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """P(x0 = support[n] | x_t = x): [..., n]."""
    with np.errstate(divide="ignore"):  # weight 0 is log-weight −∞
        return softmax(_field(x, alpha_bar, support.shape[1]) @ support.T + np.log(weights), -1)


def _check_fourier(subsets: ArrayLike, coefficients: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Subsets and their coefficients as arrays. ValueError for others than those of a law."""
    subsets, coefficients = np.asarray(subsets), np.asarray(coefficients, float)
    if subsets.dtype != bool or subsets.ndim != 2 or coefficients.shape != subsets.shape[:1]:
        raise ValueError(
            f"subsets {subsets.dtype} {subsets.shape}, p̂ {coefficients.shape}; "
            "allowed: bool [m, d], [m]"
        )
    empty = coefficients[~subsets.any(1)]
    distinct = len(np.unique(subsets, axis=0)) == len(subsets)
    if not distinct or len(empty) != 1 or abs(empty[0] - 1) > 1e-12:
        raise ValueError(
            f"empty subset with coefficients {empty}; "
            "allowed: each subset once, and 1 for the empty one"
        )
    return subsets, coefficients
