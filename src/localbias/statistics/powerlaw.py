"""A power law through times of which only bounds are known."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize
from scipy.special import log_ndtr
from scipy.stats import chi2

from localbias.statistics.intervals import require_level


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
FARTHEST = 40.0  # nor values that are farther than e^40 from the best


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
        level: of the interval, about: with few times it is a little too narrow.

    Returns:
        None where fewer than two x have events that were seen, so that there is no law.

    Raises:
        ValueError: for bounds that are no interval, an x that is not above 0, and a level outside
            (0, 1).
    """
    require_level(level)
    times = _times(x, after, until)
    if len(np.unique(times.x[np.isfinite(times.until)])) < 2:
        return None
    pivot = float(np.log(times.x).mean())
    height, log_spread, exponent = _best(times, pivot)[1]
    low, high = _profile(times, pivot, 2, level, (-STEEPEST, STEEPEST))
    scale = math.exp(height - exponent * pivot)
    return PowerLaw(float(exponent), low, high, scale, SPREAD + math.exp(log_spread))


def power_law_at(
    x: ArrayLike, after: ArrayLike, until: ArrayLike, at: float, level: float = 0.95
) -> tuple[float, float, float] | None:
    """What the law of `power_law` expects at some x, and its interval by the profile likelihood.

    It is the interval of the law's own value; single times scatter about that by its `spread`.

    Args:
        x: [n], as of `power_law`.
        after: [n].
        until: [n].
        at: where, above 0.
        level: of the interval.

    Returns:
        Value, low and high end, 0 or infinite where the data allow any; None where there is no law.

    Raises:
        ValueError: as `power_law`, also where `at` is not above 0.
    """
    require_level(level)
    times = _times(x, after, until)
    if not 0 < at < math.inf:
        raise ValueError(f"at={at}; allowed: above 0, and finite")
    if len(np.unique(times.x[np.isfinite(times.until)])) < 2:
        return None
    pivot = math.log(at)
    height = _best(times, pivot)[1][0]
    low, high = _profile(times, pivot, 0, level, (height - FARTHEST, height + FARTHEST))
    return math.exp(height), math.exp(low), math.exp(high)


class _Times(NamedTuple):
    """Where, and between which bounds: float64 [n] each."""

    x: np.ndarray
    after: np.ndarray
    until: np.ndarray


def _times(x: ArrayLike, after: ArrayLike, until: ArrayLike) -> _Times:
    x, after, until = (np.asarray(part, dtype=np.float64) for part in (x, after, until))
    if (x <= 0).any() or (after <= 0).any() or (until <= after).any():
        raise ValueError(f"x={x}, after={after}, until={until}; allowed: 0 < after < until, x > 0")
    return _Times(x, after, until)


def _cost(times: _Times, pivot: float, free: np.ndarray) -> float:
    """The negative log-likelihood of the line's height at ln x = pivot, ln(spread), and slope."""
    height, log_spread, slope = free
    spread = SPREAD + math.exp(log_spread)
    line = height + slope * (np.log(times.x) - pivot)
    below, above = (np.log(times.after) - line) / spread, (np.log(times.until) - line) / spread
    # The smaller tails, so that their difference keeps its digits.
    flip = below > 0
    ends = np.where(flip, -above, below), np.where(flip, -below, above)
    small, large = log_ndtr(ends[0]), log_ndtr(ends[1])
    return -float(np.sum(large + np.log1p(-np.exp(np.minimum(small - large, -1e-12)))))


def _best(
    times: _Times, pivot: float, held: int | None = None, value: float = 0.0
) -> tuple[float, np.ndarray]:
    """The lowest cost, with one of the three parameters held at a value or none, and where."""
    seen = np.isfinite(times.until)
    logs, middle = np.log(times.x)[seen], (np.log(times.after) + np.log(times.until))[seen] / 2
    slope, height = np.polyfit(logs - pivot, middle, 1)
    if held == 0 and abs(away := logs.mean() - pivot) > 0.1:
        slope = (middle.mean() - value) / away  # from the value through the middle of what was seen
    guess = np.array([height, math.log(0.3), slope])
    if held is not None:
        guess[held] = value
    free = [k for k in range(3) if k != held]

    def whole(part: np.ndarray) -> np.ndarray:
        all_three = guess.copy()
        all_three[free] = part
        return all_three

    # A simplex of its own: the default one is a share of the guess, and a slope of 0 never moves.
    corners = guess[free] + 0.5 * np.vstack([np.zeros(len(free)), np.eye(len(free))])
    found = minimize(
        lambda part: _cost(times, pivot, whole(part)),
        guess[free],
        method="Nelder-Mead",
        options=dict(xatol=1e-6, fatol=1e-8, maxiter=4000, initial_simplex=corners),
    )
    return float(found.fun), whole(found.x)


def _profile(
    times: _Times, pivot: float, held: int, level: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """The ends of one parameter's interval: where its profile likelihood has fallen so far.

    An end beyond the bounds is infinite, and so are both where the best value is beyond them.
    """
    lowest, where = _best(times, pivot)
    allowed = lowest + chi2.ppf(level, 1) / 2

    def excess(value: float) -> float:
        return _best(times, pivot, held, value)[0] - allowed

    if not bounds[0] < where[held] < bounds[1]:
        return -math.inf, math.inf
    low, high = (
        brentq(excess, where[held], end, xtol=1e-4)
        if excess(end) > 0
        else math.copysign(math.inf, side)
        for side, end in zip((-1, 1), bounds)
    )
    return low, high
