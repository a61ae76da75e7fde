"""The maximum-entropy law with a training set's statistics up to some order.

Of all laws on strings in which any k symbols have the joint frequencies that they have in the
training strings, it is the one that assumes nothing else: order 1 is the product of the marginals,
order 2 the law of `pairs`, order L the training set itself. It is not the *truncated* Fourier
series, which leaves the higher coefficients out; here they follow.

The law is p(x) ∝ exp Σ_S θ_S(x_S) on its support. Where the training strings are few, their
statistics lie on the boundary of what laws can have: strings that no law with these statistics can
give any probability are found by linear programming and left out, so that what remains is a smooth
convex problem.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import torch
from scipy.linalg import solve as scipy_solve
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, diags, hstack
from torch import Tensor

from localbias.checks import within

LARGEST = 2**17  # strings that are enumerated
TOLERANCE = 1e-8  # of the statistics of the fitted law
RARE = 1e-4  # of the mean probability: a string that has less may not be possible at all
STEPS = 200  # of Newton's method, at most
SPARSE = 0.05  # of the features of a string; with more, products of whole rows are faster
ROWS = 4096  # strings whose features are held at once
RIDGE = 1e-10  # on the curvature's diagonal, of its mean


@dataclass(frozen=True)
class Moments:
    """A law on strings.

    Attributes:
        strings: int64 [n, L], its support, in lexicographic order.
        probabilities: float64 [n], above 0, sums to one.
        order: up to which its statistics are those of the training strings.
        miss: by how much they are not, at most.
    """

    strings: Tensor
    probabilities: Tensor
    order: int
    miss: float

    @property
    def entropy(self) -> float:
        """In nats."""
        return -torch.special.xlogy(self.probabilities, self.probabilities).sum().item()


def maximum_entropy(
    strings: Tensor, symbols: int, order: int, weights: Tensor | None = None
) -> Moments:
    """The maximum-entropy law with the statistics of some strings up to an order.

    Args:
        strings: int64 [m, L], the training strings.
        symbols: of the alphabet, K.
        order: of the statistics: 1 the marginals, 2 pairs, …, up to L.
        weights: how often each string counts, [m] that sum to 1; None: all alike.

    Raises:
        ValueError: for an order out of range, symbols out of range, more than 2^17 strings to
            enumerate, and where the fit does not meet the statistics to 1e-8.
    """
    length = strings.shape[1]
    if not 1 <= order <= length:
        raise ValueError(f"order={order}; allowed: 1 to {length}, with strings of {length} symbols")
    within("symbols", strings, symbols)
    if weights is None:
        weights = torch.full((len(strings),), 1 / len(strings), dtype=torch.float64)
    given = strings.long().numpy(), weights.double().numpy()
    return _maximum_entropy(*(part.tobytes() for part in given), length, symbols, order)


@lru_cache(maxsize=64)  # a figure, a table and a probe ask for the law of the same training set
def _maximum_entropy(
    strings: bytes, weights: bytes, length: int, symbols: int, order: int
) -> Moments:
    """The law of `maximum_entropy`, of strings int64 [m, L] and weights float64 [m] as bytes."""
    rows = np.frombuffer(strings, dtype=np.int64).reshape(-1, length)
    candidates, features, means = _possible(rows, symbols, order, np.frombuffer(weights))
    kept = np.ones(len(candidates), dtype=bool)
    law, miss, _ = _fit(features, means, least=RARE / len(candidates))
    if miss > TOLERANCE or law.min() < RARE / len(law):  # on the boundary, or perhaps so
        kept = _support(features, means)
        law, miss, _ = _fit(features[kept], means)
    if miss > TOLERANCE:
        raise ValueError(
            f"statistics of order {order} are missed by {miss:.1e}; allowed: up to {TOLERANCE}"
        )
    return Moments(torch.from_numpy(candidates[kept]), torch.from_numpy(law), order, miss)


def softened(
    strings: Tensor,
    symbols: int,
    order: int,
    penalties: Iterable[float],
    weights: Tensor | None = None,
) -> list[Moments]:
    """Laws between the marginals and the maximum-entropy law: fits that are held back by a ridge.

    Each is p(x) ∝ q(x) exp Σ_S θ_S(x_S), with q the product of the training strings' marginals and
    S all sets of `order` places; θ minimises log Z(θ) − θ·m + λ|θ|²/2, where m are the strings'
    statistics. In other words p makes KL(p‖q) + |m(p) − m|²/2λ smallest: for large λ it stays at
    q, for small λ it comes to the law of `maximum_entropy`. Each statistic is held back by itself:
    what one pair of symbols tells about another one, such a fit does not use.

    Args:
        strings: int64 [m, L], the training strings.
        symbols: of the alphabet, K.
        order: of the statistics, 1 to L.
        penalties: the λ, each above 0.
        weights: how often each string counts, [m] that sum to 1; None: all alike.

    Returns:
        A law for each penalty, on all strings of symbols that occur in their place; their `miss` is
        what the ridge leaves.

    Raises:
        ValueError: for an order, symbols or a penalty out of range, more than 2^17 strings to
            enumerate, and where the fit does not end at its smallest value.
    """
    length = strings.shape[1]
    if not 1 <= order <= length:
        raise ValueError(f"order={order}; allowed: 1 to {length}, with strings of {length} symbols")
    within("symbols", strings, symbols)
    penalties = list(penalties)
    if wrong := [one for one in penalties if not 0 < one < np.inf]:
        raise ValueError(f"penalties={wrong[0]}; allowed: above 0, and finite")
    rows = strings.long().numpy()
    shares = np.full(len(rows), 1 / len(rows)) if weights is None else weights.double().numpy()
    every, of_one, alone = _possible(rows, symbols, 1, shares)
    base = of_one @ np.log(alone)
    subsets = [list(places) for places in combinations(range(length), order)]
    features = hstack([_indicators(every, places, symbols) for places in subsets]).tocsr()
    means = np.concatenate([_indicators(rows, places, symbols).T @ shares for places in subsets])
    laws, theta = {}, np.zeros(len(means))
    for penalty in sorted(set(penalties), reverse=True):  # from the one before, it is not far
        law, miss, theta = _fit(features, means, theta=theta, base=base, ridge=penalty)
        left = np.abs(features.T @ law - means + penalty * theta).max()
        if left > TOLERANCE:
            raise ValueError(
                f"penalty={penalty}: a slope of {left:.1e} is left; allowed: {TOLERANCE}"
            )
        laws[penalty] = Moments(torch.from_numpy(every), torch.from_numpy(law), order, miss)
    return [laws[penalty] for penalty in penalties]


def _possible(
    strings: np.ndarray, symbols: int, order: int, weights: np.ndarray
) -> tuple[np.ndarray, csr_matrix, np.ndarray]:
    """Strings [n, L] whose statistics all occur, their indicators [n, F], and the means [F].

    Strings are built symbol by symbol, and dropped as soon as some `order` of their symbols never
    occur together, so that far fewer than K^L are looked at.
    """
    length, powers = strings.shape[1], symbols ** np.arange(order)
    subsets = [list(places) for places in combinations(range(length), order)]
    means = []
    for places in subsets:
        codes = strings[:, places] @ powers  # what the symbols in these places are, as one number
        means.append(np.bincount(codes, weights, symbols**order))
    found = np.empty((1, 0), dtype=np.int64)
    for place in range(length):
        present = np.unique(strings[:, place])
        found = np.column_stack([np.repeat(found, len(present), 0), np.tile(present, len(found))])
        for places, mean in zip(subsets, means):
            if places[-1] == place:
                found = found[mean[found[:, places] @ powers] > 0]
        if len(found) > LARGEST:
            raise ValueError(f"more than {LARGEST} strings to enumerate; allowed: shorter strings")
    columns, occurring = [], []
    for places, mean in zip(subsets, means):
        column = np.cumsum(mean > 0) - 1  # the number of each code among those that occur
        which = column[found[:, places] @ powers]
        shape = len(found), int((mean > 0).sum())
        columns.append(csr_matrix((np.ones(len(which)), (np.arange(len(which)), which)), shape))
        occurring.append(mean[mean > 0])
    return found, hstack(columns).tocsr(), np.concatenate(occurring)


def _support(features: csr_matrix, means: np.ndarray) -> np.ndarray:
    """Which candidates some law with these means gives a probability above 0: bool [n].

    One linear programme finds the largest support: maximise Σ t_x over 0 ≤ t_x ≤ min(p_x, 1) with
    features·p = s·means and any scale s ≥ 0; then t_x = 1 where x can have probability, else 0.
    """
    n = features.shape[0]
    equal = hstack([features.T, csr_matrix((features.shape[1], n)), -csr_matrix(means[:, None])])
    below = hstack([-diags(np.ones(n)), diags(np.ones(n)), csr_matrix((n, 1))])
    found = linprog(
        np.concatenate([np.zeros(n), -np.ones(n), [0]]),
        A_ub=below.tocsr(),
        b_ub=np.zeros(n),
        A_eq=equal.tocsr(),
        b_eq=np.zeros(len(means)),
        bounds=[(0, None)] * n + [(0, 1)] * n + [(0, None)],
        method="highs",
    )
    if found.status != 0:
        raise ValueError(f"the support of the maximum-entropy law was not found: {found.message}")
    return found.x[n : 2 * n] > 0.5


def _indicators(strings: np.ndarray, places: Sequence[int], symbols: int) -> csr_matrix:
    """Which symbols stand in these places, one of K^k: [n, K^k], a single one in each row."""
    codes = strings[:, places] @ symbols ** np.arange(len(places))
    shape = len(strings), symbols ** len(places)
    return csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes)), shape)


def _fit(
    features: csr_matrix,
    means: np.ndarray,
    least: float = 0.0,
    theta: np.ndarray | None = None,
    base: np.ndarray | float = 0.0,
    ridge: float = 0.0,
) -> tuple[np.ndarray, float, np.ndarray]:
    """The law ∝ exp(base + features·θ) with these means, by damped Newton steps.

    It stops as soon as a string has less than `least`: on the boundary of what laws can have, the
    steps would go on without end.

    Args:
        features: [n, F], of every string.
        means: [F], wanted.
        least: of the probabilities.
        theta: [F], where to start; None: at zero.
        base: [n], log-probabilities of the law at θ = 0.
        ridge: λ, so that λ|θ|²/2 is added to what is made smallest.

    Returns:
        The law [n], by how much it misses the means at most, and θ [F].
    """
    theta = np.zeros(len(means)) if theta is None else theta
    law, value = _law(features, theta, base)
    value += _penalty(theta, means, ridge)
    for _ in range(STEPS):
        slope = features.T @ law - means + ridge * theta
        if np.abs(slope).max() < TOLERANCE / 10 or law.min() < least:
            break
        here = features.T @ law
        curvature = _products(features, law) - np.outer(here, here)
        # The indicators of a subset sum to one: the curvature is singular where the slope is zero.
        # A little on its diagonal leaves these directions alone.
        little = RIDGE * curvature.trace() / len(curvature)
        curvature[np.diag_indices_from(curvature)] += little + ridge
        step = scipy_solve(curvature, slope, assume_a="pos")
        damping = 1.0
        while True:
            moved = theta - damping * step
            next_law, next_value = _law(features, moved, base)
            next_value += _penalty(moved, means, ridge)
            if next_value <= value - 1e-4 * damping * (slope @ step) or damping < 1e-8:
                break
            damping /= 2
        theta, law, value = moved, next_law, next_value
    return law, float(np.abs(features.T @ law - means).max()), theta


def _products(features: csr_matrix, law: np.ndarray) -> np.ndarray:
    """The means of the products of any two features under a law [n]: [F, F]."""
    n, width = features.shape
    filled = features.nnz / (n * width)
    if filled < SPARSE:
        return (features.T @ features.multiply(law[:, None])).toarray()
    total = np.zeros((width, width))
    for first in range(0, n, ROWS):
        rows = features[first : first + ROWS].toarray()
        rows *= np.sqrt(law[first : first + ROWS, None])
        total += rows.T @ rows  # of one array: symmetric, so that half of it is computed
    return total


def _penalty(theta: np.ndarray, means: np.ndarray, ridge: float) -> float:
    """What is added to log Z(θ): −θ·m + λ|θ|²/2."""
    return float(ridge * (theta @ theta) / 2 - theta @ means)


def _law(
    features: csr_matrix, theta: np.ndarray, base: np.ndarray | float
) -> tuple[np.ndarray, float]:
    """exp(base + features·θ) made to sum to one, and the logarithm of its sum."""
    score = features @ theta + base
    most = score.max()
    mass = np.exp(score - most)
    return mass / mass.sum(), float(most + np.log(mass.sum()))
