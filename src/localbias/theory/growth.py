"""What a small ReLU neuron grows towards, and when it stays on an axis (§5.3, §5.4, A.3, A.4).

The network is s(x) = Σ_j a_j max(w_j·x + b_j, 0), trained on L = E(s(x_t) − ε_i)². While it is
small, gradient flow is da_j/ds = 2 K(w_j, b_j) and d(w_j, b_j)/ds = 2 a_j ∇K, where K(w, b) = E[ε_i
max(w·x_t + b, 0)]. By Stein's lemma in ε_i, for any p0,

    K(w, b) = √(1−ᾱ) w_i P(w·x_t + b > 0) = √(1−ᾱ) w_i E Φ((√ᾱ w·x0 + b) / (√(1−ᾱ) ‖w‖))

so K has the sign of w_i. A balanced neuron, a² = ‖w‖² + b², keeps the sign of its a, and on the
unit sphere its direction (w, b) climbs K where a > 0 and descends it where a < 0; see `directions`.

w is [..., d] and b [...]; the other arguments, and the errors, are those that `target` describes.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

from localbias.theory.target import Law, check

SIDES = np.array([1.0, -1.0])  # the values of x0_i, in the order of arrays that are split by them


def growth_rate(
    w: ArrayLike,
    b: ArrayLike,
    alpha_bar: ArrayLike,
    support: ArrayLike,
    weights: ArrayLike | None = None,
    coordinate: int = 0,
) -> np.ndarray:
    """K(w, b): [...] (§5.4), exact, for w and b of any length. 0 where w = 0."""
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    w, _, z = _thresholds(w, b, alpha_bar, support)
    return np.sqrt(1 - alpha_bar) * w[..., coordinate] * (ndtr(z) @ weights)


def growth_gradient(
    w: ArrayLike,
    b: ArrayLike,
    alpha_bar: ArrayLike,
    support: ArrayLike,
    weights: ArrayLike | None = None,
    coordinate: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """∂K/∂w [..., d] and ∂K/∂b [...]. K is homogeneous of degree 1: w·∂K/∂w + b ∂K/∂b = K."""
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    w, length, z = _thresholds(w, b, alpha_bar, support)
    density = norm.pdf(z) * weights
    pull = np.where(density > 0, z, 0) * density  # z is infinite where w = 0
    signal, spread, share = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar), w[..., coordinate] / length
    by_strings = signal[..., None] * (density @ support)
    by_length = (spread * pull.sum(-1) / length)[..., None] * w
    by_w = share[..., None] * (by_strings - by_length)
    by_w[..., coordinate] += spread * (ndtr(z) @ weights)
    return by_w, share * density.sum(-1)


class Growth(NamedTuple):
    """A neuron under the surrogate flow, at n times.

    Attributes:
        a: [n], its output weight.
        w: [n, d].
        b: [n].
        integral: [n], ∫ K(w/|a|, b/|a|) dτ up to each time.
    """

    a: np.ndarray
    w: np.ndarray
    b: np.ndarray
    integral: np.ndarray


def surrogate(
    a: float, w: ArrayLike, b: float, times: ArrayLike, alpha_bar: float, law: Law
) -> Growth:
    """One neuron as gradient flow on the surrogate loss E[−2 s(x_t) ε_i] takes it (§5.4, A.4.1).

    It is da/ds = 2 K(w, b), d(w, b)/ds = 2 a ∇K(w, b), integrated by scipy's DOP853.

    Args:
        a: its output weight, not 0.
        w: [d].
        b: its bias.
        times: [n], ascending from 0 on.
        alpha_bar: ᾱ.
        law: of the data.
    """
    start = np.concatenate([[a], np.asarray(w, float), [b, 0.0]])
    d = len(start) - 3

    def slope(_: float, neuron: np.ndarray) -> np.ndarray:
        size, weights, bias = neuron[0], neuron[1 : d + 1], neuron[d + 1]
        by_w, by_b = growth_gradient(weights, bias, alpha_bar, *law)
        rate = growth_rate(weights, bias, alpha_bar, *law)
        return np.concatenate([[2 * rate], 2 * size * by_w, [2 * size * by_b, rate / abs(size)]])

    times = np.asarray(times, float)
    solved = solve_ivp(
        slope, (0, times[-1]), start, "DOP853", times, rtol=1e-11, atol=1e-13 * abs(a)
    )
    return Growth(solved.y[0], solved.y[1 : d + 1].T, solved.y[d + 1], solved.y[d + 2])


def axis_rate(bias: ArrayLike, alpha_bar: ArrayLike) -> np.ndarray:
    """K/√(1−ᾱ) of a neuron on the axis, for a fair sign x0_i: P(x_t^(i) + D > 0)/√(1 + D²).

    Args:
        bias: D = b/w_i of the neuron (e_i, D)/√(1 + D²), of any shape.
        alpha_bar: ᾱ, a shape that broadcasts with it.
    """
    bias, alpha_bar = np.asarray(bias, float), check(alpha_bar, [[1]])[0]
    signal, spread = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    return (ndtr((bias + signal) / spread) + ndtr((bias - signal) / spread)) / 2 / np.hypot(1, bias)


def stationary_biases(alpha_bar: ArrayLike) -> np.ndarray:
    """All roots D of the first-order condition (1 + D²) P′(D) = D P(D), P(D) = P(x_t^(i) + D > 0).

    As P, P′ > 0, every root is positive. Where there are three, the first and third are maxima of
    `axis_rate` and the second is a minimum. Two roots nearer to each other than about 1e-3 (ᾱ
    within 1e-7 of where they meet) are not seen. The first falls below the least float64, to 0.0,
    from about ᾱ = .9994.

    Args:
        alpha_bar: ᾱ, of any shape [...].

    Returns:
        [..., 3], ascending, NaN after the last root.
    """
    alpha_bar = check(alpha_bar, [[1]])[0]
    roots = np.full((alpha_bar.size, 3), np.nan)
    for row, level in zip(roots, alpha_bar.ravel()):
        signal, spread = np.sqrt(level), np.sqrt(1 - level)
        # Of all D up to 2, beyond which there is no root, and more where P is steep, near √ᾱ.
        steep = signal + spread * np.linspace(-20, 20, 2001)
        biases = np.concatenate([np.linspace(0.002, 2, 2000), steep[(steep > 0.002) & (steep < 2)]])
        below_all = -level / (1 - level) - 50  # the first root is near D = 2 P′(0)
        grid = np.sort(np.append(np.log(biases), below_all))
        above = _condition(grid, signal, spread) > 0
        log_roots = [
            brentq(_condition, grid[k], grid[k + 1], (signal, spread), 1e-15, 1e-14)
            for k in np.flatnonzero(above[1:] != above[:-1])
        ]
        row[: len(log_roots)] = np.exp(log_roots)
    return roots.reshape(*alpha_bar.shape, 3)


def optimal_bias(alpha_bar: ArrayLike) -> np.ndarray:
    """D* = argmax of `axis_rate` (§5.4), of alpha_bar's shape and above 0.

    On the unit sphere (w, b) is (e_i, D*)/√(1 + D*²) there.
    """
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
        shown: ᾱ -> K/√(1−ᾱ) on the grid [n], and its maxima as (biases, rates) [2, 2], NaN for one
            that is not.
    """

    levels: np.ndarray
    roots: np.ndarray
    best: np.ndarray
    grid: np.ndarray
    shown: dict[float, tuple[np.ndarray, np.ndarray]]


def bias_curves(levels: np.ndarray, shown: Iterable[float]) -> BiasCurves:
    """The stationary biases over noise levels, and K along the axis at a few.

    Args:
        levels: ᾱ [V].
        shown: ᾱ at which K is followed along the axis.
    """
    grid, curves = np.linspace(-0.5, 2.5, 601), {}
    for level in shown:
        tops = stationary_biases(level)[::2]
        curves[level] = axis_rate(grid, level), np.stack([tops, axis_rate(tops, level)])
    return BiasCurves(levels, stationary_biases(levels), optimal_bias(levels), grid, curves)


def force(
    a: ArrayLike,
    w: ArrayLike,
    b: ArrayLike,
    alpha_bar: ArrayLike,
    support: ArrayLike,
    weights: ArrayLike | None = None,
    coordinate: int = 0,
) -> np.ndarray:
    """−∂L/∂w_j of a network whose neurons all lie on the axis, exact (Theorem 5.2).

    It is 2 a_j E[(ε_i − s) 1_j x_t], where 1_j says that neuron j is open. s and 1_j depend on x0_i
    and ε_i alone, so component k ≠ i sees p0 only through E[x0_k | x0_i]: it vanishes where that
    does, whatever a, w and b. Given x0_i each neuron is open on an interval of ε_i, and there its
    input is affine in ε_i; so all means are moments of a normal variable on intervals.

    Args:
        a: [..., m], output weights.
        w: [..., m], the weights on coordinate i; all others are 0.
        b: [..., m], biases.
        alpha_bar: ᾱ [...].
        support: [n, d].
        weights: [n].
        coordinate: i.

    Returns:
        [..., m, d].
    """
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    a, w, b = np.broadcast_arrays(*(np.asarray(part, float)[..., None] for part in (a, w, b)))
    signal, spread = np.sqrt(alpha_bar)[..., None, None], np.sqrt(1 - alpha_bar)[..., None, None]
    # A neuron's input is level + slope ε_i: [..., m, 2], the last axis over SIDES.
    level, slope = w * signal * SIDES + b, w * spread * np.ones(2)
    residual, residual_noise = _residuals(a, level, slope)
    members = [weights * (support[:, coordinate] == side) for side in SIDES]
    means = np.stack([member @ support for member in members])  # E[x0; x0_i = side]: [2, d]
    mean_input = signal * (residual @ means)  # E[(ε_i − s) 1_j √ᾱ x0]
    share = np.array([member.sum() for member in members])
    mean_input[..., coordinate] += (spread * residual_noise * share).sum(-1)
    return 2 * a * mean_input


def proof_moments(
    w: ArrayLike,
    b: ArrayLike,
    alpha_bar: ArrayLike,
    support: ArrayLike,
    weights: ArrayLike | None = None,
    coordinate: int = 0,
) -> np.ndarray:
    """E[C | x0_i = ±1]: [..., 2], + first; the proof of bullet 2 (A.4) takes both for 1.

    C = (w_i² + B²)/(‖w‖² + b²), where B = b + Σ_{k≠i} w_k x_t^(k) is the bias that neuron and other
    coordinates make. Both are 1 for all w and b if E[x0_k | x0_i] = 0 and E[x0_k x0_l | x0_i] = 0
    for k ≠ l: third-order moments vanish.

    Raises:
        ValueError: where x0_i takes one sign only.
    """
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    w, b = np.asarray(w, float), np.asarray(b, float)
    own, others = w[..., coordinate], np.where(np.arange(support.shape[1]) == coordinate, 0, w)
    square = (np.sqrt(alpha_bar)[..., None] * (others @ support.T) + b[..., None]) ** 2
    fixed, whole = own**2 + (1 - alpha_bar) * (others**2).sum(-1), (w**2).sum(-1) + b**2
    members = [weights * (support[:, coordinate] == side) for side in SIDES]
    if not all(member.any() for member in members):
        raise ValueError(
            f"x0_{coordinate} is always {support[weights > 0][0, coordinate]}; allowed: both signs"
        )
    return np.stack([(fixed + square @ member / member.sum()) / whole for member in members], -1)


def _thresholds(
    w: ArrayLike, b: ArrayLike, alpha_bar: np.ndarray, support: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far each string lifts a neuron over its threshold, in units of the noise.

    Returns:
        w as an array, ‖w‖ [...], 1 where it is 0, and z = (√ᾱ w·x0 + b)/(√(1−ᾱ)‖w‖) [..., n].
    """
    w, b = np.asarray(w, float), np.asarray(b, float)
    if w.ndim < 1 or w.shape[-1] != support.shape[1]:
        raise ValueError(
            f"w of shape {w.shape}; allowed: [..., {support.shape[1]}], the law's length"
        )
    length = np.linalg.norm(w, axis=-1)
    shifted = np.sqrt(alpha_bar)[..., None] * (w @ support.T) + b[..., None]
    safe = np.where(length > 0, length, 1)
    z = shifted / (np.sqrt(1 - alpha_bar) * safe)[..., None]
    return w, safe, np.where(length[..., None] > 0, z, np.where(shifted > 0, np.inf, -np.inf))


def _condition(log_bias: ArrayLike, signal: float, spread: float) -> np.ndarray:
    """ln of (1 + D²) P′(D) over D P(D), for ln D: falls from +∞ at D = 0 to −∞.

    In logarithms, for P′ may be less than any float64.
    """
    bias = np.exp(log_bias)
    log_densities = [norm.logpdf((bias + side * signal) / spread) for side in SIDES]
    slope = np.logaddexp(*log_densities) - np.log(spread)
    value = ndtr((bias + signal) / spread) + ndtr((bias - signal) / spread)
    return np.log1p(bias**2) + slope - log_bias - np.log(value)


def _residuals(
    a: np.ndarray, level: np.ndarray, slope: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """E[(ε − s) 1_j] and E[ε (ε − s) 1_j] of neurons whose inputs are level + slope ε: [..., m, 2].

    Args:
        a: [..., m, 1].
        level: [..., m, 2].
        slope: [..., m, 2].
    """
    low, high = _open_interval(level, slope)
    own = _moments(low, high)
    # On which ε two neurons are open at once, [..., m, m, 2]: then s of one acts on the other.
    both_low = np.maximum(low[..., :, None, :], low[..., None, :, :])
    both_high = np.minimum(high[..., :, None, :], high[..., None, :, :])
    both = _moments(both_low, both_high)
    a, level, slope = a[..., None, :, :], level[..., None, :, :], slope[..., None, :, :]
    network = [(a * (level * both[q] + slope * both[q + 1])).sum(-2) for q in (0, 1)]
    return own[1] - network[0], own[2] - network[1]


def _open_interval(level: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Between which ε level + slope ε > 0; from +∞ to −∞ where it nowhere is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = -level / slope
    low = np.where(slope > 0, root, np.where((slope < 0) | (level > 0), -np.inf, np.inf))
    high = np.where(slope < 0, root, np.where((slope > 0) | (level > 0), np.inf, -np.inf))
    return low, high


def _moments(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E[ε^q; low < ε < high] for q = 0, 1, 2 and a standard normal ε, each of the ends' shape.

    0 where high ≤ low.
    """
    high = np.maximum(low, high)
    edges = [np.where(np.isfinite(at), at, 0) * norm.pdf(at) for at in (low, high)]
    mass = ndtr(high) - ndtr(low)
    return mass, norm.pdf(low) - norm.pdf(high), mass + edges[0] - edges[1]
