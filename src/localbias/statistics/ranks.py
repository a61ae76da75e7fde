"""What ranks tell: how two numbers rise together, how well a score tells two groups apart."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from localbias.statistics.intervals import require_level, wilson


class RankCorrelation(NamedTuple):
    """How two numbers rise together over n pairs.

    Attributes:
        value: Spearman's coefficient, −1 to 1.
        low: low end of the bootstrap's interval.
        high: its high end.
        n: pairs.
    """

    value: float
    low: float
    high: float
    n: int


LEAST_PAIRS = 4  # below them a bootstrap has hardly a resample that says anything


def rank_correlation(
    x: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> RankCorrelation | None:
    """Spearman's rank correlation, and the percentile interval of a bootstrap over the pairs.

    With groups it is the correlation *within* them: each group's ranks are taken by themselves,
    less their mean, and pairs are drawn anew within their group. So nothing is owed to groups that
    differ in both numbers.

    Args:
        x: [n], without NaN.
        y: [n], without NaN.
        groups: [n], which group each pair belongs to; None: they are one group.
        draws: resamples. Those in which x or y is constant say nothing, and are left out.
        seed: of the resamples.
        level: of the interval.

    Returns:
        None for fewer than LEAST_PAIRS pairs, and where x or y is constant (within all groups).

    Raises:
        ValueError: for arrays of different lengths, NaN, and a level outside (0, 1).
    """
    require_level(level)
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    names = np.zeros(len(x)) if groups is None else np.asarray(groups)
    if not x.shape == y.shape == names.shape or x.ndim != 1 or np.isnan([*x, *y]).any():
        raise ValueError(
            f"x {x.shape}, y {y.shape}, groups {names.shape}; allowed: [n] each, without NaN"
        )
    members = [np.flatnonzero(names == name) for name in np.unique(names)]

    def coefficients(places: list[np.ndarray]) -> np.ndarray:
        """Of pairs at `places` int [draws, in the group] of each group: [draws]."""
        ranks = [
            np.concatenate([_centred_ranks(values[one]) for one in places], 1) for values in (x, y)
        ]
        product, *squares = (np.sum(a * b, 1) for a, b in (ranks, ranks[:1] * 2, ranks[1:] * 2))
        scale = np.sqrt(squares[0] * squares[1])
        return np.divide(product, scale, out=np.full(len(product), np.nan), where=scale > 0)

    if len(x) < LEAST_PAIRS or np.isnan(value := coefficients([one[None] for one in members])[0]):
        return None
    drawn = np.random.default_rng(seed)
    resamples = coefficients(
        [one[drawn.integers(len(one), size=(draws, len(one)))] for one in members]
    )
    low, high = np.nanquantile(resamples, [(1 - level) / 2, (1 + level) / 2])
    return RankCorrelation(float(value), float(low), float(high), len(x))


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis, ties sharing theirs, less their mean."""
    ranks = rankdata(values, axis=-1)
    return ranks - ranks.mean(-1, keepdims=True)


class Auc(NamedTuple):
    """The area under an ROC curve: how well scores rank one group above another.

    Attributes:
        value: probability that a score of the first group is the higher one, ties counting half.
        low: low end of the 95 % interval.
        high: its high end.
        first: scores in the first group.
        second: in the second.
    """

    value: float
    low: float
    high: float
    first: int
    second: int


def auc(scores: np.ndarray, positive: np.ndarray, level: float = 0.95) -> Auc | None:
    """The area under the ROC curve and DeLong's interval of it.

    (DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837–845, by ranks.) Where all scores of a
    group lie on one side of the other's that variance is zero; then the interval is Wilson's, of as
    many samples as the smaller group has.

    Args:
        scores: [n], without NaN.
        positive: bool [n], who belongs to the first group.
        level: of the interval.

    Returns:
        None where a group has fewer than two members.

    Raises:
        ValueError: for scores that are NaN, arrays of different lengths, and a level outside
            (0, 1).
    """
    require_level(level)
    scores, positive = np.asarray(scores, float), np.asarray(positive, bool)
    if scores.shape != positive.shape or scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError(
            f"scores {scores.shape}, positive {positive.shape}; allowed: [n] each, without NaN"
        )
    first, second = scores[positive], scores[~positive]
    m, n = len(first), len(second)
    if min(m, n) < 2:
        return None
    # How much of the other group each score beats: ranks among all, less those within its group.
    ranks = rankdata(scores)
    of_first = (ranks[positive] - rankdata(first)) / n
    of_second = 1 - (ranks[~positive] - rankdata(second)) / m
    value = float(of_first.mean())
    error = math.sqrt(of_first.var(ddof=1) / m + of_second.var(ddof=1) / n)
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    low, high = value - half, value + half
    if error == 0:
        few = min(m, n)
        bounds = wilson(round(value * few), few, level)
        low, high = (float(bound) for bound in bounds)
    return Auc(value, max(0.0, low), min(1.0, high), m, n)


def roc(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates along all thresholds, from the strictest on.

    Args:
        scores: [n].
        positive: bool [n], at least one of each.

    Returns:
        False-positive rate, true-positive rate (recall) and precision, [k] each, one for every
        different score: what is at or above it is called positive.
    """
    order = np.argsort(-scores, kind="stable")
    hits, sorted_scores = np.asarray(positive, bool)[order], scores[order]
    ends = np.flatnonzero(np.append(np.diff(sorted_scores) != 0, True))
    true, false = np.cumsum(hits)[ends], np.cumsum(~hits)[ends]
    return false / max(1, false[-1]), true / max(1, true[-1]), true / (true + false)


def removed(
    scores: np.ndarray, bad: np.ndarray, threshold: float, level: float = 0.95
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """What a cut does: samples that score above a threshold are removed.

    Args:
        scores: [n].
        bad: bool [n], at least one of each.
        threshold: above which samples go.
        level: of Wilson's intervals.

    Returns:
        The share of the bad that is removed and the share of the good that is kept, each with the
        ends of its interval.
    """
    gone, bad = scores > threshold, np.asarray(bad, bool)
    found = []
    for count, n in (((gone & bad).sum(), bad.sum()), ((~gone & ~bad).sum(), (~bad).sum())):
        low, high = wilson(count, n, level)
        found.append((float(count / n), float(low), float(high)))
    return found[0], found[1]
