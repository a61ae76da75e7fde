"""The exact target of Section 5 for any law p0 on {±1}^d, and the losses that can be reached.

With γ = ᾱ/(1−ᾱ), h = √ᾱ x_t/(1−ᾱ) and t = tanh h, the likelihood of x0 is proportional to exp(h·x0), hence to
∏_k (1 + t_k x0_k). So E[x0 | x_t] is a softmax over the support, and also a ratio of multilinear forms in t whose
coefficients are the Fourier coefficients p̂(S) = E ∏_{k∈S} x0_k:

    E[x0_i | x_t] = Σ_S p̂(S △ {i}) t_S / Σ_S p̂(S) t_S,    t_S = ∏_{k∈S} t_k

The noise target is y = E[ε | x_t] = (x_t − √ᾱ E[x0 | x_t]) / √(1−ᾱ). The paper's loss (§3.1) compares noise; losses
here are those of one coordinate, E(ε̂_i − ε_i)².

x is [..., d], support [n, d] of ±1, weights [n] (None: equal; else numbers from 0, made to sum to 1) and alpha_bar a
number inside (0, 1) or an array that broadcasts with x's leading dimensions. ValueError for anything else.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import entr, expit, softmax
from scipy.stats import norm, qmc

from localbias.theory import numerics


def hypercube(d):
    """All sign strings of length d, float64 [2^d, d], the first of them all +1."""
    return 1.0 - 2 * np.stack(np.unravel_index(np.arange(2**d), (2,) * d), -1)


def parity(d, members=None):
    """Sign strings of length d whose product over `members` (None: all) is +1: float64 [2^(d−1), d]."""
    points = hypercube(d)
    return points[points[:, list(range(d) if members is None else members)].prod(1) > 0]


def check(alpha_bar, support, weights=None, coordinate=0):
    """The arguments that all functions share, as arrays: alpha_bar, support [n, d] and weights [n] that sum to 1."""
    alpha_bar, support = np.asarray(alpha_bar, float), np.asarray(support, float)
    if not (alpha_bar.size and ((alpha_bar > 0) & (alpha_bar < 1)).all()):
        raise ValueError(f"alpha_bar={alpha_bar}; allowed: inside (0, 1)")
    if support.ndim != 2 or not support.size or not (np.abs(support) == 1).all():
        raise ValueError(
            f"support of shape {support.shape}, values {np.unique(support)[:5]}; allowed: [n, d] of ±1"
        )
    weights = np.ones(len(support)) if weights is None else np.asarray(weights, float)
    if (
        weights.shape != (len(support),)
        or not (np.isfinite(weights) & (weights >= 0)).all()
        or not weights.any()
    ):
        raise ValueError(
            f"weights {weights}; allowed: {len(support)} finite numbers from 0, not all of them 0"
        )
    if not isinstance(coordinate, (int, np.integer)) or coordinate not in range(support.shape[1]):
        raise ValueError(f"coordinate={coordinate!r}; allowed: 0 to {support.shape[1] - 1}")
    return alpha_bar, support, weights / weights.sum()


def posterior_mean(x, alpha_bar, support, weights=None):
    """E[x0 | x_t = x]: [..., d] (§5.2)."""
    alpha_bar, support, weights = check(alpha_bar, support, weights)
    return _posterior(x, alpha_bar, support, weights) @ support


def posterior_covariance(x, alpha_bar, support, weights=None):
    """Cov[x0 | x_t = x]: [..., d, d]."""
    alpha_bar, support, weights = check(alpha_bar, support, weights)
    posterior = _posterior(x, alpha_bar, support, weights)
    centred = (
        support - (posterior @ support)[..., None, :]
    )  # [..., n, d]; E[xx] − mm would cancel near certainty
    return np.swapaxes(centred * posterior[..., None], -1, -2) @ centred


def noise_target(x, alpha_bar, support, weights=None):
    """y = E[ε | x_t = x]: [..., d], what the paper's network is trained towards (§5.2)."""
    return to_noise(x, alpha_bar, posterior_mean(x, alpha_bar, support, weights), 0)[0]


def noise_jacobian(x, alpha_bar, support, weights=None):
    """∂y_i/∂x_j: [..., d, d], which is (I − γ Cov[x0 | x_t]) / √(1−ᾱ)."""
    return to_noise(x, alpha_bar, 0, posterior_covariance(x, alpha_bar, support, weights))[1]


def to_noise(x, alpha_bar, mean, covariance):
    """The noise target [..., d] and its Jacobian [..., d, d] that belong to moments of x0 given x [..., d]."""
    x, alpha_bar = np.asarray(x, float), np.asarray(alpha_bar, float)[..., None]
    spread, slope = np.sqrt(1 - alpha_bar), (alpha_bar / (1 - alpha_bar))[..., None]
    return (x - np.sqrt(alpha_bar) * mean) / spread, (
        np.eye(x.shape[-1]) - slope * covariance
    ) / spread[..., None]


def best_linear(x, alpha_bar):
    """The best linear prediction of ε_i from x_i, for fair signs of which any two are independent: √(1−ᾱ) x."""
    return np.sqrt(1 - check(alpha_bar, [[1]])[0]) * np.asarray(x, float)


def best_univariate(x, alpha_bar):
    """The best prediction of ε_i from x_i alone, for a fair sign: (x − √ᾱ tanh h)/√(1−ᾱ) with h = √ᾱ x/(1−ᾱ)."""
    x, alpha_bar = np.asarray(x, float), check(alpha_bar, [[1]])[0]
    return to_noise(x[..., None], alpha_bar, np.tanh(_field(x[..., None], alpha_bar, 1)), 0)[0][
        ..., 0
    ]


def fourier(support, weights=None):
    """Subsets bool [2^d, d], the empty one first, and their Fourier coefficients p̂(S) [2^d]."""
    _, support, weights = check(0.5, support, weights)
    cube = np.zeros((2,) * support.shape[1])
    np.add.at(cube, tuple((support < 0).T.astype(int)), weights)
    return hypercube(cube.ndim) < 0, numerics.walsh(cube).ravel()


def law(subsets, coefficients):
    """Support [n, d] and weights [n] from subsets bool [m, d] and p̂(S) [m]; subsets not named have p̂ = 0.

    ValueError for coefficients that give a string a negative probability, or do not give 1 to the empty subset.
    """
    subsets, coefficients = _check_fourier(subsets, coefficients)
    cube = np.zeros((2,) * subsets.shape[1])
    cube[tuple(subsets.T.astype(int))] = coefficients
    weights, least = numerics.walsh(cube).ravel() / cube.size, 1e-12 / cube.size
    if weights.min() < -least:
        raise ValueError(f"a string of probability {weights.min()}; allowed: from 0")
    return hypercube(cube.ndim)[weights > least], weights[weights > least]


def fourier_posterior(x, alpha_bar, subsets, coefficients):
    """E[x0 | x] [..., d] and Cov[x0 | x] [..., d, d] from subsets bool [m, d] and their p̂(S) [m] alone.

    For few coefficients in many dimensions (parity has two). Where x is all but at a string that p0 forbids, the sum
    Σ_S p̂(S) t_S loses half its digits or more: ValueError. The sum over the support has no such place.
    """
    subsets, coefficients = _check_fourier(subsets, coefficients)
    t = np.tanh(_field(x, check(alpha_bar, [[1]])[0], subsets.shape[1]))
    terms = numerics.characters(t, subsets) * coefficients
    evidence = terms.sum(-1)
    if not (evidence > 1e-8 * np.abs(terms).sum(-1)).all():
        raise ValueError(
            f"Σ p̂(S) t_S = {evidence.min()} has cancelled; allowed: an x that p0 does not all but forbid"
        )
    flip = np.eye(subsets.shape[1], dtype=bool)
    coefficients = coefficients / evidence[..., None, None]  # [..., 1, m]
    once, twice = subsets ^ flip[:, None], subsets ^ flip[:, None, None] ^ flip[:, None]
    mean = (numerics.characters(t, once) * coefficients).sum(-1)
    second = (numerics.characters(t, twice) * coefficients[..., None, :]).sum(-1)
    return mean, second - mean[..., :, None] * mean[..., None, :]


class Levels(NamedTuple):
    """Least noise losses of one coordinate: affine functions of x_t, functions of x_t^(i) alone, all functions."""

    linear: np.ndarray  # exact
    univariate: np.ndarray
    optimum: np.ndarray
    error: np.ndarray  # of the optimum, and no less than that of univariate


def linear_level(alpha_bar, support, weights=None, coordinate=0):
    """Best affine function: 1 − (1−ᾱ) [Σ⁻¹]_ii, Σ = ᾱ Cov x0 + (1−ᾱ) I; ᾱ for pairwise independent fair signs."""
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    covariance = np.cov(support.T, aweights=weights, ddof=0).reshape(support.shape[1], -1)
    noisy = alpha_bar[..., None, None] * covariance + (1 - alpha_bar[..., None, None]) * np.eye(
        len(covariance)
    )
    return 1 - (1 - alpha_bar) * np.linalg.inv(noisy)[..., coordinate, coordinate]


def univariate_level(alpha_bar, mean=0.0):
    """Best function of x_t^(i) alone, if E x0_i = mean: γ E(1 − tanh²(artanh mean + h_i)), and its error."""
    gamma, odds = _gamma(alpha_bar)[..., None], _log_odds(mean)
    h = [odds + sign * gamma + np.sqrt(gamma) * numerics.GRID for sign in (1, -1)]
    residual = (1 + mean) / 2 * numerics.sech2(h[0]) + (1 - mean) / 2 * numerics.sech2(h[1])
    return numerics.gaussian(gamma * residual)


def parity_gap(alpha_bar, d):
    """E(E[x0_i | x_t] − t_i)² for the parity of d signs: mmse_univariate − mmse_optimum, and its error. Any shape of ᾱ.

    Turn each string to all +1: then t_k = tanh(γ + √γ N_k), independent, and E t^(2j−1) = E t^(2j) = μ_j. With
    P = ∏_{k≠i} t_k the gap is E[P (1 − t²)/(1 + t P)]; expanded in P and paired by that identity it is a series of
    positive terms, Σ_{j≥0} μ_{j+1}^(d−1) E[t^2j (1 − t²)²].
    """
    if d < 2 or d != int(d):
        raise ValueError(f"d={d}; allowed: whole numbers from 2")
    gamma = _gamma(alpha_bar)
    found = np.array([numerics.parity_series(one, d - 1) for one in gamma.ravel()])
    return found[:, 0].reshape(gamma.shape), found[:, 1].reshape(gamma.shape)


def parity_levels(alpha_bar, d):
    """`Levels` of any coordinate of the parity of d signs, of alpha_bar's shape; exact to `error`."""
    gap, error = parity_gap(alpha_bar, d)
    univariate, also = univariate_level(alpha_bar)
    gamma = _gamma(alpha_bar)
    return Levels(
        np.asarray(alpha_bar, float)[()], univariate, univariate - gamma * gap, gamma * error + also
    )


def sampled_levels(alpha_bar, support, weights=None, coordinate=0, samples=1024, seed=0):
    """`Levels` of one coordinate of any law, for one alpha_bar; the optimum is univariate − γ E(m_i − t_i)².

    That mean is over 16 scrambled Sobol sequences of `samples` (a power of 2) pairs x0, ε, and `error` its standard
    error. Half of the ε_i are drawn around −√γ x0_i, where x_t^(i) says nothing, and all weighted accordingly.
    """
    linear = linear_level(alpha_bar, support, weights, coordinate)
    if linear.ndim or samples < 1 or samples & (samples - 1):
        raise ValueError(
            f"alpha_bar={alpha_bar}, samples={samples}; allowed: one number, and a power of 2"
        )
    alpha_bar, support, weights = check(alpha_bar, support, weights)
    mean, d, gamma, gaps = weights @ support[:, coordinate], support.shape[1], _gamma(alpha_bar), []
    for replicate in range(16):
        uniform = (
            qmc.Sobol(d + 2, rng=np.random.default_rng([seed, replicate]))
            .random(samples)
            .clip(1e-16, 1 - 1e-16)
        )
        x0 = support[np.minimum(np.searchsorted(weights.cumsum(), uniform[:, 0]), len(weights) - 1)]
        noise, pull = norm.ppf(uniform[:, 2:]), np.sqrt(gamma) * x0[:, coordinate]
        noise[:, coordinate] -= pull * (uniform[:, 1] < 0.5)
        likelihood = 2 * expit(pull * noise[:, coordinate] + gamma / 2)
        x = np.sqrt(alpha_bar) * x0 + np.sqrt(1 - alpha_bar) * noise
        one = np.tanh(_log_odds(mean) + _field(x, alpha_bar, d)[:, coordinate])
        every = _posterior(x, alpha_bar, support, weights) @ support[:, coordinate]
        gaps.append((likelihood * (every - one) ** 2).mean())
    univariate, also = univariate_level(alpha_bar, mean)
    return Levels(
        linear,
        univariate,
        univariate - gamma * np.mean(gaps),
        gamma * np.std(gaps, ddof=1) / 4 + also,
    )


def one_bit(d):
    """½ ∫_0^∞ Σ_i (mmse_univariate − mmse_optimum) dγ for the parity of d signs, and its error: ln 2 whatever d.

    By I-MMSE (Guo, Shamai and Verdú 2005) it is the `total_correlation` of x0: all there is to gain by looking at other
    symbols. Beyond γ = 80 less than d e^(−40) is left, as mmse_univariate ≤ e^(−γ/2).
    """
    panels = [numerics.panels([0, 0.25, 1, 2.5, 6, 14, 30, 80], nodes) for nodes in (10, 7)]
    fine, coarse = (
        d / 2 * weight @ parity_gap(gamma / (1 + gamma), d)[0] for gamma, weight in panels
    )
    return fine, abs(fine - coarse) + d * np.exp(-40)


def total_correlation(support, weights=None):
    """Σ_i H(x0_i) − H(x0) in nats: what one-bit is for any law."""
    _, support, weights = check(0.5, support, weights)
    string, up = np.unique(support, axis=0, return_inverse=True)[1], weights @ (support > 0)
    return entr([up, 1 - up]).sum() - entr(np.bincount(string.ravel(), weights)).sum()


def _gamma(alpha_bar):
    """ᾱ/(1−ᾱ), the signal-to-noise ratio."""
    alpha_bar, _, _ = check(alpha_bar, [[1]])
    return alpha_bar / (1 - alpha_bar)


def _log_odds(mean):
    """artanh of a sign's mean, half its log-odds; infinite for a sign that never changes."""
    if not np.abs(mean) <= 1 + 1e-12:  # a mean over weights may round to beyond 1
        raise ValueError(f"mean={mean}; allowed: -1 to 1")
    with np.errstate(divide="ignore"):
        return np.arctanh(np.clip(mean, -1, 1))


def _field(x, alpha_bar, d):
    """h = √ᾱ x / (1−ᾱ): [..., d]."""
    x = np.asarray(x, float)
    if x.ndim < 1 or x.shape[-1] != d:
        raise ValueError(f"x of shape {x.shape}; allowed: [..., {d}], the law's length")
    return x * (np.sqrt(alpha_bar) / (1 - alpha_bar))[..., None]


def _posterior(x, alpha_bar, support, weights):
    """P(x0 = support[n] | x_t = x): [..., n]."""
    with np.errstate(divide="ignore"):  # weight 0 is log-weight −∞
        return softmax(_field(x, alpha_bar, support.shape[1]) @ support.T + np.log(weights), -1)


def _check_fourier(subsets, coefficients):
    subsets, coefficients = np.asarray(subsets), np.asarray(coefficients, float)
    if subsets.dtype != bool or subsets.ndim != 2 or coefficients.shape != subsets.shape[:1]:
        raise ValueError(
            f"subsets {subsets.dtype} {subsets.shape}, p̂ {coefficients.shape}; allowed: bool [m, d], [m]"
        )
    empty = coefficients[~subsets.any(1)]
    if (
        len(np.unique(subsets, axis=0)) < len(subsets)
        or len(empty) != 1
        or abs(empty[0] - 1) > 1e-12
    ):
        raise ValueError(
            f"empty subset with coefficients {empty}; allowed: each subset once, and 1 for the empty one"
        )
    return subsets, coefficients
