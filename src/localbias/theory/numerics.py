"""Sums over subsets of signs, Gaussian expectations and the parity's series, with their errors."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

# Points of the trapezoid rule on a Gaussian, whose error falls exponentially with the step.
GRID = np.linspace(-13, 13, 1665)
ROUNDING = 1e-15
LAST_LOG_INDEX = 80.0  # of the series: ln j beyond which nothing that counts is left


def walsh(cube: np.ndarray) -> np.ndarray:
    """The Walsh-Hadamard transform Σ_x cube[x] ∏_{k∈S} x_k for every subset S.

    Args:
        cube: [2, …, 2], indexed by which signs of x are −1.

    Returns:
        [2, …, 2], indexed by which signs are in S.
    """
    for axis in range(cube.ndim):
        cube = np.stack([cube.sum(axis), cube.take(0, axis) - cube.take(1, axis)], axis)
    return cube


def gaussian(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E f(N) for a standard normal N, and its error: its change if every other point is left out.

    Args:
        values: f on GRID, [..., q].

    Returns:
        Two arrays [...].
    """
    density = norm.pdf(GRID) * (GRID[1] - GRID[0])
    fine, coarse = values @ density, values[..., ::2] @ (2 * density[::2])
    return fine, np.abs(fine - coarse) + ROUNDING


def panels(edges: ArrayLike, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre quadrature on consecutive intervals.

    Args:
        edges: of the intervals, ascending, [p + 1].
        nodes: in each interval.

    Returns:
        Nodes and weights, [p · nodes] each.
    """
    edges = np.asarray(edges)
    node, weight = np.polynomial.legendre.leggauss(nodes)
    half, middle = np.diff(edges) / 2, np.add(edges[1:], edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * node).ravel(), (half[:, None] * weight).ravel()


def sech2(h: np.ndarray) -> np.ndarray:
    """1 − tanh² h without cancellation."""
    e = np.exp(-2 * np.abs(h))
    return 4 * e / (1 + e) ** 2


def parity_series(gamma: float, n: int) -> tuple[float, float]:
    """Σ_{j≥0} μ_{j+1}^n ν_j with t = tanh(γ + √γ N), μ_j = E t^2j, ν_j = E[t^2j (1 − t²)²].

    Args:
        gamma: γ, the signal-to-noise ratio.
        n: how many other signs.

    Returns:
        The sum, and its error: its change under a coarser grid, an earlier tail and fewer nodes.
    """
    fine, coarse = _series(gamma, n, GRID, 96, 20), _series(gamma, n, GRID[::2], 48, 14)
    return fine, abs(fine - coarse) + ROUNDING


def _series(gamma: float, n: int, grid: np.ndarray, summed: int, nodes: int) -> float:
    """`parity_series` once: the first terms are summed, the rest is integrated.

    The terms f(j) = μ_{j+1}^n ν_j are smooth in v = ln j. With a = summed − ½ the Euler-Maclaurin
    formula gives Σ_{j≥summed} f(j) = ∫_a^∞ f(j) dj + f′(a)/24 − …, and dj = e^v dv.

    Args:
        gamma: γ.
        n: the power of μ.
        grid: of the Gaussian expectations, evenly spaced.
        summed: how many terms are summed.
        nodes: of the integral over v, for each of its six intervals.
    """
    density = norm.pdf(grid) * (grid[1] - grid[0])
    one_less = sech2(gamma + np.sqrt(gamma) * grid)  # 1 − t²
    log_t2 = np.log1p(-one_less.clip(max=1 - 1e-16))
    start = summed - 0.5
    v, weight = panels(np.linspace(np.log(start), LAST_LOG_INDEX, 7), nodes)

    j = np.concatenate([np.arange(summed), np.exp(v), [start]])
    t2j = np.exp(np.multiply.outer(j, log_t2)) * density  # t^2j, weighted: [j, grid]
    mu, nu = t2j @ (1 - one_less), t2j @ one_less**2  # μ_{j+1} and ν_j
    terms = mu**n * nu
    head, tail = terms[:summed].sum(), weight @ (terms[summed:-1] * np.exp(v))

    t2j_slope = t2j[-1] * log_t2  # of t^2j in j, at the start of the tail
    mu_slope, nu_slope = t2j_slope @ (1 - one_less), t2j_slope @ one_less**2
    slope = n * mu[-1] ** (n - 1) * mu_slope * nu[-1] + mu[-1] ** n * nu_slope
    return head + tail + slope / 24
