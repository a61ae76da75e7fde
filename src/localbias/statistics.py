"""Intervals of shares, means and differences: what a number from a few samples or seeds can bear.

Free of torch at import, so that the pages which quote an interval need no framework; tensors are
taken through their own methods.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize
from scipy.special import log_ndtr
from scipy.stats import chi2, rankdata
from scipy.stats import t as student

if TYPE_CHECKING:
    from torch import Tensor


def wilson(count: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The score interval of a proportion.

    With p = count/n and z the normal quantile of (1 + level)/2 it is

        (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)

    (Wilson, JASA 22 (1927) 209–212). It keeps its level near 0 and 1, where p ± z·error would not.

    Args:
        count: how many of n had the property; any shape that broadcasts with n.
        n: how many there were, at least 1.
        level: the probability with which the interval holds the true proportion.

    Returns:
        Low and high end.

    Raises:
        ValueError: for counts that no share has, and a level that is no probability.
    """
    count, n = np.asarray(count, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if (n < 1).any() or (count < 0).any() or (count > n).any():
        raise ValueError(f"count={count} of n={n}; allowed: n ≥ 1 and 0 ≤ count ≤ n")
    if not 0 < level < 1:
        raise ValueError(f"level={level}; allowed: between 0 and 1")
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = count + z**2 / 2
    half = z * np.sqrt(count * (n - count) / n + z**2 / 4)
    return np.clip((centre - half) / (n + z**2), 0, 1), np.clip((centre + half) / (n + z**2), 0, 1)


def share_over_seeds(count: np.ndarray, n: np.ndarray) -> tuple[float, float, float]:
    """One share from several seeds.

    The interval is the range of the seeds, widened where it is narrower than the 95 % Wilson
    interval of all samples together, so that seeds that agree by luck do not look more certain than
    their samples allow.

    Args:
        count: int [seeds], how many of each seed's samples had the property.
        n: int [seeds], how many samples each had.

    Returns:
        Mean over the seeds, low and high end.
    """
    low, high = wilson(count.sum(), n.sum())
    shares = count / n
    return float(shares.mean()), float(min(low, shares.min())), float(max(high, shares.max()))


def student_quantile(level: float, freedom: ArrayLike) -> np.ndarray:
    """The two-sided quantile of Student's t, of the shape of `freedom`; infinite where that is 0.

    Raises:
        ValueError: for a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level}; allowed: inside (0, 1)")
    return np.where(
        np.asarray(freedom) > 0, student.ppf((1 + level) / 2, np.maximum(freedom, 1)), math.inf
    )


def mean_interval(values: np.ndarray | Tensor, level: float = 0.95) -> tuple[float, float, float]:
    """The mean of independent values [n] and Student's interval of it.

    Returns:
        Mean, low and high end, which are infinite for a single value.
    """
    numbers = values if isinstance(values, np.ndarray) else values.detach().cpu().double().numpy()
    mean, n = float(numbers.mean(dtype=np.float64)), len(numbers)
    if n < 2:
        return mean, -math.inf, math.inf
    half = (
        float(student_quantile(level, n - 1))
        * float(numbers.std(ddof=1, dtype=np.float64))
        / math.sqrt(n)
    )
    return mean, mean - half, mean + half


def contrast(
    values: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    seed: np.ndarray,
    least: int = 5,
    level: float = 0.95,
) -> tuple[float, float, float, int] | None:
    """By how much the mean of one group exceeds another's, within each seed.

    Runs differ in their means and in their groups' shares, so groups are never compared across
    runs. The interval is Welch's, widened to the range of the seeds.

    Args:
        values: [n], the numbers.
        first: bool [n], who belongs to the first group.
        second: bool [n], who belongs to the second.
        seed: int [n], which run each comes from.
        least: a seed with fewer than this of a group is left out.
        level: of the interval.

    Returns:
        Mean over the seeds, low, high, and how many seeds were used; None if none was.
    """
    differences, variances, freedoms = [], [], []
    for one in np.unique(seed):
        groups = [np.asarray(values)[(seed == one) & members] for members in (first, second)]
        if min(map(len, groups)) < least:
            continue
        parts = [group.var(ddof=1) / len(group) for group in groups]
        differences.append(groups[0].mean() - groups[1].mean())
        variances.append(sum(parts))
        freedoms.append(min(map(len, groups)) - 1)  # Welch's is at least that
    if not differences:
        return None
    mean = float(np.mean(differences))
    half = (
        float(student_quantile(level, min(freedoms))) * math.sqrt(sum(variances)) / len(differences)
    )
    low, high = min(mean - half, *differences), max(mean + half, *differences)
    return mean, float(low), float(high), len(differences)


class PowerLaw(NamedTuple):
    """y = scale · x^exponent, with a normal error of ln y.

    Attributes:
        exponent: of largest likelihood.
        low: end of its interval, by the profile likelihood.
        high: its other end.
        scale: of largest likelihood.
        spread: standard deviation of ln y, at least SPREAD.
    """

    exponent: float
    low: float
    high: float
    scale: float
    spread: float


SPREAD = 0.02  # below it a line through all the intervals would have an infinite likelihood
STEEPEST = 20.0  # exponents beyond this are not looked at


def power_law(
    x: ArrayLike, after: ArrayLike, until: ArrayLike, level: float = 0.95
) -> PowerLaw | None:
    """A power law through times of which only bounds are known, by maximum likelihood.

    An event seen at a measured step happened after the step measured before it; one that was not
    seen by the end happens later: it is censored, and counts as such.

    Args:
        x: [n], above 0.
        after: [n], above 0: until when it had not happened.
        until: [n], by when it had, infinite where it was not seen.
        level: of the interval.

    Returns:
        None where fewer than two x have events that were seen, so that there is no law.

    Raises:
        ValueError: for bounds that are no interval, and an x that is not above 0.
    """
    x, after, until = (np.asarray(part, dtype=np.float64) for part in (x, after, until))
    if (x <= 0).any() or (after <= 0).any() or (until <= after).any():
        raise ValueError(f"x={x}, after={after}, until={until}; allowed: 0 < after < until, x > 0")
    if len(np.unique(x[np.isfinite(until)])) < 2:
        return None
    logs, low, high = np.log(x), np.log(after), np.log(until)
    middle = logs.mean()

    def cost(height: float, log_spread: float, slope: float) -> float:
        """The negative log-likelihood; `height` is that of the line at the middle."""
        spread = SPREAD + math.exp(log_spread)
        line = height + slope * (logs - middle)
        below, above = (low - line) / spread, (high - line) / spread
        # The smaller tails, so that their difference keeps its digits.
        flip = below > 0
        ends = np.where(flip, -above, below), np.where(flip, -below, above)
        small, large = log_ndtr(ends[0]), log_ndtr(ends[1])
        return -float(np.sum(large + np.log1p(-np.exp(np.minimum(small - large, -1e-12)))))

    seen = np.isfinite(until)
    guess = np.polyfit(logs[seen] - middle, (low + high)[seen] / 2, 1)

    def best(slope: float) -> tuple[float, np.ndarray]:
        found = minimize(
            lambda free: cost(free[0], free[1], slope),
            [guess[1], math.log(0.3)],
            method="Nelder-Mead",
            options=dict(xatol=1e-6, fatol=1e-8, maxiter=4000),
        )
        return float(found.fun), found.x

    whole = minimize(
        lambda free: cost(free[0], free[1], free[2]),
        [guess[1], math.log(0.3), guess[0]],
        method="Nelder-Mead",
        options=dict(xatol=1e-6, fatol=1e-8, maxiter=8000),
    )
    height, log_spread, exponent = whole.x
    allowed = whole.fun + chi2.ppf(level, 1) / 2

    def excess(slope: float) -> float:
        return best(slope)[0] - allowed

    ends = [
        brentq(excess, exponent, end, xtol=1e-4)
        if excess(end) > 0
        else math.copysign(math.inf, end)
        for end in (-STEEPEST, STEEPEST)
    ]
    scale = math.exp(height - exponent * middle)
    return PowerLaw(float(exponent), ends[0], ends[1], scale, SPREAD + math.exp(log_spread))


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """The Fréchet distance of two samples of features, each as a Gaussian (Heusel et al. 2017).

    ‖μ − ν‖² + tr(C + D − 2 (C^½ D C^½)^½), with the samples' means and covariances. It is biased
    upwards where samples are few, so only those of equal sizes are compared.

    Args:
        first: [n, F], n at least 2.
        second: [m, F], likewise.
    """
    apart = np.square(first.mean(0, np.float64) - second.mean(0, np.float64)).sum()
    spread, further = (np.cov(one, rowvar=False, dtype=np.float64) for one in (first, second))
    sizes, axes = np.linalg.eigh(spread)
    root = (axes * np.sqrt(sizes.clip(0))) @ axes.T
    overlap = np.sqrt(np.linalg.eigvalsh(root @ further @ root).clip(0)).sum()
    return float(apart + spread.trace() + further.trace() - 2 * overlap)


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
        ValueError: for scores that are NaN, and for arrays of different lengths.
    """
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
