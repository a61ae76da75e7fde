"""Intervals of shares, means and differences, over samples and over seeds."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

if TYPE_CHECKING:
    from torch import Tensor


def require_level(level: float) -> None:
    """ValueError for a level that is no probability of an interval."""
    if not 0 < level < 1:
        raise ValueError(f"level={level}; allowed: inside (0, 1)")


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
    require_level(level)
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


def change_over_seeds(
    first: np.ndarray, n_first: np.ndarray, last: np.ndarray, n_last: np.ndarray
) -> tuple[float, float, float]:
    """By how much a share rose between two moments of several seeds.

    The interval is the range of the seeds, widened where it is narrower than the 95 % interval of
    the difference of all samples together: Newcombe's (Statistics in Medicine 17 (1998) 873–890,
    method 10), made of the Wilson intervals of both shares.

    Args:
        first: int [seeds], how many samples had the property at the first moment.
        n_first: int [seeds], of how many.
        last: int [seeds], at the last moment.
        n_last: int [seeds], of how many.

    Returns:
        Mean over the seeds, low and high end.
    """
    p, q = first.sum() / n_first.sum(), last.sum() / n_last.sum()
    (p_low, p_high), (q_low, q_high) = (
        wilson(first.sum(), n_first.sum()),
        wilson(last.sum(), n_last.sum()),
    )
    low = q - p - math.hypot(q - q_low, p_high - p)
    high = q - p + math.hypot(q_high - q, p - p_low)
    changes = last / n_last - first / n_first
    return float(changes.mean()), float(min(low, *changes)), float(max(high, *changes))


def student_quantile(level: float, freedom: ArrayLike) -> np.ndarray:
    """The two-sided quantile of Student's t, of the shape of `freedom`; infinite where that is 0.

    Raises:
        ValueError: for a level outside (0, 1).
    """
    require_level(level)
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
