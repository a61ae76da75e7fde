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

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

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
    law, miss = _fit(features, means, least=RARE / len(candidates))
    if miss > TOLERANCE or law.min() < RARE / len(law):  # on the boundary, or perhaps so
        kept = _support(features, means)
        law, miss = _fit(features[kept], means)
    if miss > TOLERANCE:
        raise ValueError(
            f"statistics of order {order} are missed by {miss:.1e}; allowed: up to {TOLERANCE}"
        )
    return Moments(torch.from_numpy(candidates[kept]), torch.from_numpy(law), order, miss)


def truncated(strings: Tensor, symbols: int, order: int) -> tuple[Tensor, Tensor]:
    """The training set's law without its parts above an order: the *truncated* series.

    It has the training strings' statistics up to that order as the maximum-entropy law has, and no
    interaction of a higher one. For that it pays: some of its values may be negative, and then it
    is no law.

    Args:
        strings: int64 [m, L], the training strings.
        symbols: of the alphabet, K.
        order: of the statistics, 0 to L.

    Returns:
        All K^L strings int64 [n, L], and their values float64 [n], which sum to 1.

    Raises:
        ValueError: for an order out of range and more than 2^17 strings.
    """
    length = strings.shape[1]
    if not 0 <= order <= length:
        raise ValueError(f"order={order}; allowed: 0 to {length}, with strings of {length} symbols")
    if symbols**length > LARGEST:
        raise ValueError(f"{symbols**length} strings; allowed: up to {LARGEST}")
    every = torch.cartesian_prod(*[torch.arange(symbols)] * length).reshape(-1, length)
    products = torch.from_numpy(krawtchouk(length, symbols)[:, : order + 1].sum(1))
    values = torch.zeros(len(every), dtype=torch.float64)
    for one in strings:
        values += products[(every != one).sum(1)]
    return every, values / len(strings) / len(every)


@lru_cache
def krawtchouk(length: int, symbols: int) -> np.ndarray:
    """Krawtchouk's polynomials K_d(h) = Σ_j (−1)^j (K−1)^{d−j} C(h, j) C(L−h, d−j).

    Of two strings that differ in h places, K_d(h) is the inner product of their parts of order d.

    Args:
        length: of the strings, L.
        symbols: of the alphabet, K.

    Returns:
        float64 [1 + L, 1 + L], for h = 0 … L and orders d = 0 … L.
    """
    K, L = symbols, length
    table = [
        [
            sum(
                (-1) ** j * (K - 1) ** (d - j) * comb(h, j) * comb(L - h, d - j)
                for j in range(min(d, h) + 1)
            )
            for d in range(L + 1)
        ]
        for h in range(L + 1)
    ]
    return np.array(table, dtype=np.float64)


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


def _fit(features: csr_matrix, means: np.ndarray, least: float = 0.0) -> tuple[np.ndarray, float]:
    """The law ∝ exp(features·θ) with these means, by damped Newton steps; and what it misses.

    It stops as soon as a string has less than `least`: on the boundary of what laws can have, the
    steps would go on without end.
    """
    theta = np.zeros(len(means))
    law, value = _law(features, theta)
    value -= theta @ means
    for _ in range(STEPS):
        slope = features.T @ law - means
        if np.abs(slope).max() < TOLERANCE / 10 or law.min() < least:
            break
        weighted = features.multiply(law[:, None])
        here = features.T @ law
        curvature = (features.T @ weighted).toarray() - np.outer(here, here)
        # The indicators of a subset sum to one: the curvature is singular where the slope is zero.
        # A little on its diagonal leaves these directions alone.
        curvature[np.diag_indices_from(curvature)] += RIDGE * curvature.trace() / len(curvature)
        step = scipy_solve(curvature, slope, assume_a="pos")
        damping = 1.0
        while True:
            moved = theta - damping * step
            next_law, next_value = _law(features, moved)
            next_value -= moved @ means
            if next_value <= value - 1e-4 * damping * (slope @ step) or damping < 1e-8:
                break
            damping /= 2
        theta, law, value = moved, next_law, next_value
    return law, float(np.abs(features.T @ law - means).max())


def _law(features: csr_matrix, theta: np.ndarray) -> tuple[np.ndarray, float]:
    """exp(features·θ) made to sum to one, and the logarithm of its sum."""
    score = features @ theta
    most = score.max()
    mass = np.exp(score - most)
    return mass / mass.sum(), float(most + np.log(mass.sum()))
