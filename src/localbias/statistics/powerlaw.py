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
        ValueError: for bounds that are no interval, an x that is not above 0, and a level outside
            (0, 1).
    """
    require_level(level)
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
