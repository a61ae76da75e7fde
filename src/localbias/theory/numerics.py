"""Sums over subsets of signs; expectations under a Gaussian and the parity's series, with estimates of their error."""

import numpy as np
from scipy.stats import norm

GRID = np.linspace(
    -13, 13, 1665
)  # the trapezoid rule on a Gaussian: its error falls exponentially with the step
ROUNDING = 1e-15


def characters(t, subsets):
    """∏_{k∈S} t_k for t [..., d] and subsets bool [*shape, m, d]: [..., *shape, m]."""
    t = t.reshape(*t.shape[:-1], *[1] * (subsets.ndim - 1), t.shape[-1])
    return np.where(subsets, t, 1).prod(-1)


def walsh(cube):
    """Σ_x cube[x] χ_S(x) for every S, over a cube [2, …, 2] indexed by which signs are −1."""
    for axis in range(cube.ndim):
        cube = np.stack([cube.sum(axis), cube.take(0, axis) - cube.take(1, axis)], axis)
    return cube


def gaussian(values):
    """E f(N) from f's values on GRID [..., q], and its change if every other point is left out."""
    density = norm.pdf(GRID) * (GRID[1] - GRID[0])
    fine, coarse = values @ density, values[..., ::2] @ (2 * density[::2])
    return fine, np.abs(fine - coarse) + ROUNDING


def panels(edges, nodes):
    """Gauss-Legendre nodes and weights on consecutive intervals: two arrays [(len(edges) − 1)·nodes]."""
    node, weight = np.polynomial.legendre.leggauss(nodes)
    half, middle = np.diff(edges) / 2, np.add(edges[1:], edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * node).ravel(), (half[:, None] * weight).ravel()


def sech2(h):
    """1 − tanh² h without cancellation."""
    e = np.exp(-2 * np.abs(h))
    return 4 * e / (1 + e) ** 2


def parity_series(gamma, n):
    """Σ_{j≥0} μ_{j+1}^n ν_j with t = tanh(γ + √γ N), μ_j = E t^2j, ν_j = E[t^2j (1 − t²)²]; and its error.

    The error is the change under a coarser grid, an earlier tail and fewer nodes.
    """
    fine, coarse = _series(gamma, n, GRID, 96, 20), _series(gamma, n, GRID[::2], 48, 14)
    return fine, abs(fine - coarse) + ROUNDING


def _series(gamma, n, grid, split, nodes):
    """The terms below `split` added; the others, smooth in ln j, integrated up to ln j = 80, where nothing is left."""
    one_less = sech2(gamma + np.sqrt(gamma) * grid)
    density = norm.pdf(grid) * (grid[1] - grid[0])
    log_t2 = np.log1p(-one_less.clip(max=1 - 1e-16))
    v, weight = panels(np.linspace(np.log(split - 0.5), 80, 7), nodes)
    at = split - 0.5  # where the tail starts: Σ_{j≥split} f(j) = ∫_at f + f′(at)/24 − …
    powers = (
        np.exp(np.multiply.outer(np.concatenate([np.arange(split), np.exp(v), [at]]), log_t2))
        * density
    )
    mu, nu = powers @ (1 - one_less), powers @ one_less**2
    terms = mu**n * nu
    falls = powers[-1] * log_t2
    slope = n * mu[-1] ** (n - 1) * (falls @ (1 - one_less)) * nu[-1] + mu[-1] ** n * (
        falls @ one_less**2
    )
    return terms[:split].sum() + weight @ (terms[split:-1] * np.exp(v)) + slope / 24
