"""What a small ReLU neuron grows towards, and when it stays on an axis (§5.3, §5.4, A.3, A.4).

The network is s(x) = Σ_j a_j max(w_j·x + b_j, 0), trained on L = E(s(x_t) − ε_i)². While it is small, gradient flow is
da_j/ds = 2 K(w_j, b_j) and d(w_j, b_j)/ds = 2 a_j ∇K, where K(w, b) = E[ε_i max(w·x_t + b, 0)]. By Stein's lemma in
ε_i, for any p0,

    K(w, b) = √(1−ᾱ) w_i P(w·x_t + b > 0) = √(1−ᾱ) w_i E Φ((√ᾱ w·x0 + b) / (√(1−ᾱ) ‖w‖))

so K has the sign of w_i. A balanced neuron, a² = ‖w‖² + b², keeps the sign of its a, and on the unit sphere its
direction (w, b) climbs K where a > 0 and descends it where a < 0; see `directions`.

w is [..., d] and b [...]; alpha_bar, support and weights are as in `target`, and so are the errors; coordinate is i.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

from localbias.theory.target import check


def growth_rate(w, b, alpha_bar, support, weights=None, coordinate=0):
    """K(w, b): [...] (§5.4), exact, for w and b of any length. 0 where w = 0."""
    w, z, _, alpha_bar, support, weights = _thresholds(
        w, b, alpha_bar, support, weights, coordinate
    )
    return np.sqrt(1 - alpha_bar) * w[..., coordinate] * (ndtr(z) @ weights)


def growth_gradient(w, b, alpha_bar, support, weights=None, coordinate=0):
    """∂K/∂w [..., d] and ∂K/∂b [...]. K is homogeneous of degree 1: w·∂K/∂w + b ∂K/∂b = K."""
    w, z, length, alpha_bar, support, weights = _thresholds(
        w, b, alpha_bar, support, weights, coordinate
    )
    density = norm.pdf(z) * weights
    pull = np.where(density > 0, z, 0) * density  # z is infinite where w = 0
    signal, spread, share = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar), w[..., coordinate] / length
    turned = (
        signal[..., None] * (density @ support) - (spread * pull.sum(-1) / length)[..., None] * w
    )
    by_w = share[..., None] * turned
    by_w[..., coordinate] += spread * (ndtr(z) @ weights)
    return by_w, share * density.sum(-1)


def axis_rate(bias, alpha_bar):
    """K(e_i, D)/√(1−ᾱ) on the unit sphere, of a fair sign x0_i: P(x_t^(i) + D > 0)/√(1 + D²), for D = b/|w_i|."""
    bias, alpha_bar = np.asarray(bias, float), check(alpha_bar, [[1]])[0]
    signal, spread = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    return (ndtr((bias + signal) / spread) + ndtr((bias - signal) / spread)) / 2 / np.hypot(1, bias)


def stationary_biases(alpha_bar):
    """All roots D of the first-order condition (1 + D²) P′(D) = D P(D), ascending: [..., 3], with NaN after the last.

    As P, P′ > 0, every root is positive. Where there are three, the first and third are maxima of `axis_rate` and the
    second is a minimum. Two roots nearer to each other than about 1e-3 (ᾱ within 1e-7 of where they meet) are not seen.
    The first falls below the least float64, to 0.0, from about ᾱ = .9994.
    """
    alpha_bar = check(alpha_bar, [[1]])[0]
    found = np.full((alpha_bar.size, 3), np.nan)
    for row, one in zip(found, alpha_bar.ravel()):
        signal, spread = np.sqrt(one), np.sqrt(1 - one)
        steep = signal + spread * np.linspace(-20, 20, 2001)  # D beyond 2 has no root
        grid = np.log(
            np.concatenate([np.linspace(0.002, 2, 2000), steep[(steep > 0.002) & (steep < 2)]])
        )
        grid = np.sort(
            np.append(grid, -one / (1 - one) - 50)
        )  # below the first root, near D = 2 P′(0)
        above = _condition(grid, signal, spread) > 0
        roots = [
            brentq(_condition, grid[k], grid[k + 1], (signal, spread), 1e-15, 1e-14)
            for k in np.flatnonzero(above[1:] != above[:-1])
        ]
        row[: len(roots)] = np.exp(roots)
    return found.reshape(*alpha_bar.shape, 3)


def optimal_bias(alpha_bar):
    """D* = argmax of `axis_rate`: [...], above 0. On the unit sphere (w, b) is (e_i, D*)/√(1 + D*²) there (§5.4)."""
    roots = stationary_biases(alpha_bar)
    rate = axis_rate(np.nan_to_num(roots), np.asarray(alpha_bar)[..., None])
    best = np.where(np.isnan(roots), -np.inf, rate).argmax(-1)
    return np.take_along_axis(roots, best[..., None], -1)[..., 0][()]  # a number for a number


class BiasCurves(NamedTuple):
    """The biases at which K is stationary on the axis, and K along it.

    Attributes:
        levels: ᾱ [V].
        roots: [V, 3], as of `stationary_biases`.
        best: D* [V].
        grid: biases [n].
        shown: ᾱ -> K/√(1−ᾱ) on the grid [n], and its maxima as (biases, rates) [2, k].
    """

    levels: np.ndarray
    roots: np.ndarray
    best: np.ndarray
    grid: np.ndarray
    shown: dict[float, tuple[np.ndarray, np.ndarray]]


def bias_curves(levels, shown):
    """`BiasCurves` over ᾱ [V], with K along the axis at a few further levels."""
    grid, curves = np.linspace(-0.5, 2.5, 601), {}
    for level in shown:
        tops = stationary_biases(level)[::2]
        curves[level] = axis_rate(grid, level), np.stack([tops, axis_rate(tops, level)])
    return BiasCurves(levels, stationary_biases(levels), optimal_bias(levels), grid, curves)


def force(a, w, b, alpha_bar, support, weights=None, coordinate=0):
    """−∂L/∂w_j of a network whose neurons all lie on the axis, exact: [..., m, d] for a, b [..., m] and w_i [..., m].

    (Theorem 5.2.) s(x_t) and each neuron's gate depend on x_t^(i) alone, so component k ≠ i sees p0 only through
    E[x0_k | x0_i]: it vanishes where that does, whatever a, w and b. The integrals are of polynomials over intervals.
    """
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    a, w, b = np.broadcast_arrays(
        *(np.asarray(part, float)[..., None] for part in (a, w, b))
    )  # [..., m, 2]
    signal, spread = np.sqrt(alpha_bar)[..., None, None], np.sqrt(1 - alpha_bar)[..., None, None]
    sides = np.array([1.0, -1.0])
    level, slope = (
        w * signal * sides + b,
        w * spread + 0 * sides,
    )  # before the gate: level + slope ε, given x0_i = ±1
    with np.errstate(divide="ignore", invalid="ignore"):
        root = -level / slope
    low = np.where(slope > 0, root, np.where((slope < 0) | (level > 0), -np.inf, np.inf))
    high = np.where(slope < 0, root, np.where((slope > 0) | (level > 0), np.inf, -np.inf))
    own = _moments(low, high)
    lowest = np.maximum(low[..., :, None, :], low[..., None, :, :])
    pair = _moments(lowest, np.minimum(high[..., :, None, :], high[..., None, :, :]))
    a, level, slope = a[..., None, :, :], level[..., None, :, :], slope[..., None, :, :]
    residual = [
        own[q + 1] - (a * (level * pair[q] + slope * pair[q + 1])).sum(-2) for q in (0, 1)
    ]  # E[ε^q (ε − s) 1]
    moments = np.stack(
        [(weights * (support[:, coordinate] == side)) @ support for side in sides]
    )  # E[x0; x0_i = ±1]
    found = signal * (residual[0] @ moments)
    share = np.array([weights[support[:, coordinate] == side].sum() for side in sides])
    found[..., coordinate] += (spread * residual[1] * share).sum(-1)
    return 2 * a[..., 0, :, :1] * found


def proof_moments(w, b, alpha_bar, support, weights=None, coordinate=0):
    """E[C | x0_i = +1] and E[C | x0_i = −1]: [..., 2]; the proof of bullet 2 (A.4) takes both for 1.

    C = (w_i² + B²)/(‖w‖² + b²), where B = b + Σ_{k≠i} w_k x_t^(k) is the bias that neuron and other coordinates make.
    Both are 1 for all w and b if E[x0_k | x0_i] = 0 and E[x0_k x0_l | x0_i] = 0 for k ≠ l: third-order moments vanish.
    ValueError if x0_i takes one sign only.
    """
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    w, b = np.asarray(w, float), np.asarray(b, float)
    own, others = w[..., coordinate], np.where(np.arange(support.shape[1]) == coordinate, 0, w)
    square = (np.sqrt(alpha_bar)[..., None] * (others @ support.T) + b[..., None]) ** 2
    fixed, whole = own**2 + (1 - alpha_bar) * (others**2).sum(-1), (w**2).sum(-1) + b**2
    sides = [weights * (support[:, coordinate] == side) for side in (1, -1)]
    if not all(side.any() for side in sides):
        raise ValueError(
            f"x0_{coordinate} is always {support[weights > 0][0, coordinate]}; allowed: both signs"
        )
    return np.stack([(fixed + square @ side / side.sum()) / whole for side in sides], -1)


def _thresholds(w, b, alpha_bar, support, weights, coordinate):
    """Checked arguments, with z [..., n] = (√ᾱ w·x0 + b)/(√(1−ᾱ)‖w‖) and ‖w‖ [...], 1 where it is 0."""
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    w, b = np.asarray(w, float), np.asarray(b, float)
    if w.ndim < 1 or w.shape[-1] != support.shape[1]:
        raise ValueError(
            f"w of shape {w.shape}; allowed: [..., {support.shape[1]}], the law's length"
        )
    length = np.linalg.norm(w, axis=-1)
    shifted = np.sqrt(alpha_bar)[..., None] * (w @ support.T) + b[..., None]
    safe = np.where(length > 0, length, 1)
    z = shifted / (np.sqrt(1 - alpha_bar) * safe)[..., None]
    z = np.where(length[..., None] > 0, z, np.where(shifted > 0, np.inf, -np.inf))
    return w, z, safe, alpha_bar, support, weights


def _condition(log_bias, signal, spread):
    """ln of (1 + D²) P′(D) over D P(D): from +∞ at D = 0 to −∞. In logarithms, for P′ may be less than any float64."""
    bias = np.exp(log_bias)
    slope = np.logaddexp(
        norm.logpdf((bias + signal) / spread), norm.logpdf((bias - signal) / spread)
    ) - np.log(spread)
    value = ndtr((bias + signal) / spread) + ndtr((bias - signal) / spread)
    return np.log1p(bias**2) + slope - log_bias - np.log(value)


def _moments(low, high):
    """E[ε^q; low < ε < high] for q = 0, 1, 2 and a standard normal ε: three arrays of the ends' shape."""
    high = np.maximum(low, high)
    edge = [np.where(np.isfinite(at), at, 0) * norm.pdf(at) for at in (low, high)]
    mass = ndtr(high) - ndtr(low)
    return mass, norm.pdf(low) - norm.pdf(high), mass + edge[0] - edge[1]
