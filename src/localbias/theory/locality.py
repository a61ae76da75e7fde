"""How local the optimum of parity is: the exact local dependency ratio of a sign (§4.3, Eq. 2).

With γ = ᾱ/(1−ᾱ), h = √ᾱ x_t/(1−ᾱ), P = ∏_{k≠i} tanh h_k and ℓ_k = −ln |tanh h_k|, the optimum for
the parity of d signs is E[x0_i | x_t] = m = tanh(h_i + artanh P), and row i of its Jacobian is
(√ᾱ/(1−ᾱ)) (1 − m²) times

    1 at i,      ± r_k at k ≠ i,    r_k = sinh ℓ_k / sinh Σ_{l≠i} ℓ_l.

So the ratio for the x0 target is 1/(1 + Σ r_k²), from which 1 − m² has cancelled: it is nowhere
0/0, and no sample has to be left out however certain the optimum is. sinh(a + b) ≥ sinh a + sinh b,
so it lies between ½ and 1. It is

- 1 as the noise grows, if d ≥ 3: 1 − (d−1) γ^(d−2) to first order;
- ½ as the noise vanishes, for every d. P then hangs on the least certain of the others alone, and
  the optimum leans on it as much as on x_t^(i) itself. The mean is ½ + π/(12 √3) g/√γ to first
  order, a slow fall, where g is the density at 0 of the gap between the two least of d − 1 standard
  normals;
- ½ at every noise level, if d = 2.

For the noise target row i is (1 − γ(1 − m²), ∓ γ(1 − m²) r_k)/√(1−ᾱ), whose ratio goes to 1 on both
sides.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from localbias.theory.numerics import sech2
from localbias.theory.target import check

TARGETS = ("x0", "noise")
TINY = 1e-30  # beside 1 it is nothing


def ratio(
    alpha_bar: float, d: int, target: str = "x0", samples: int = 4096, seed: int = 0
) -> tuple[float, float]:
    """The mean local dependency ratio over noised strings, and its standard error.

    Args:
        alpha_bar: ᾱ, inside (0, 1).
        d: signs in a string, from 2.
        target: what is predicted, "x0" or "noise".
        samples: noised strings, from 2.
        seed: of the noises; the same for all levels.

    Raises:
        ValueError: for anything else.
    """
    for name, value in (("d", d), ("samples", samples)):
        if not isinstance(value, int | np.integer) or value < 2:
            raise ValueError(f"{name}={value!r}; allowed: whole numbers from 2")
    if np.ndim(alpha_bar):
        raise ValueError(f"alpha_bar={alpha_bar}; allowed: one number")
    level, _, _ = check(alpha_bar, [[1]])
    noise = np.random.default_rng(seed).standard_normal((samples, d))
    # Of the string of +1 alone: every other string of even parity is this one with signs turned.
    values = ratios(np.sqrt(level) + np.sqrt(1 - level) * noise, level, target)
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(samples))


def ratios(x: ArrayLike, alpha_bar: ArrayLike, target: str = "x0") -> np.ndarray:
    """The local dependency ratio of coordinate 0 at each x, for the parity of d signs.

    Args:
        x: [..., d], d from 2.
        alpha_bar: ᾱ, inside (0, 1); one number or [...].
        target: what is predicted, "x0" or "noise".

    Returns:
        [...], between 0 and 1.

    Raises:
        ValueError: for anything else.
    """
    alpha_bar, x = check(alpha_bar, [[1]])[0], np.asarray(x, float)
    if x.ndim < 1 or x.shape[-1] < 2:
        raise ValueError(f"x of shape {x.shape}; allowed: [..., d] with d from 2")
    if target not in TARGETS:
        raise ValueError(f"target={target!r}; allowed: {', '.join(TARGETS)}")
    h = x * (np.sqrt(alpha_bar) / (1 - alpha_bar))[..., None]
    own, others = h[..., 0], h[..., 1:]
    # ℓ_k = 2 artanh e^(−2|h_k|) and Σ_k ℓ_k as logarithms: the numbers themselves leave the range
    # of floating point as the noise vanishes.
    e = np.exp(-2 * np.abs(others)).clip(TINY, 1 - 1e-16)
    log_l = np.log(2 * np.arctanh(e) / e) - 2 * np.abs(others)
    log_sum = logsumexp(log_l, -1)
    outside = np.exp(2 * (_log_sinh(log_l) - _log_sinh(log_sum)[..., None])).sum(-1)  # Σ r_k²
    if target == "x0":
        return 1 / (1 + outside)
    product = np.exp(-np.exp(log_sum))  # |P|
    # artanh |P| = ½ ln (1 + |P|)/(1 − |P|), and ln(1 − |P|) = ln Σ ℓ_k + ln((1 − |P|)/Σ ℓ_k)
    artanh = (np.log1p(product) - log_sum - np.log(_one_less_over(log_sum))) / 2
    variance = sech2(own + np.sign(others).prod(-1) * artanh)  # 1 − m²
    slope = alpha_bar / (1 - alpha_bar) * variance
    return (1 - slope) ** 2 / ((1 - slope) ** 2 + slope**2 * outside)


def _one_less_over(log_y: np.ndarray) -> np.ndarray:
    """(1 − e^(−y))/y, for ln y."""
    y = np.exp(log_y).clip(TINY)
    return -np.expm1(-y) / y


def _log_sinh(log_y: np.ndarray) -> np.ndarray:
    """ln sinh y, for ln y."""
    return log_y + np.exp(log_y) + np.log(_one_less_over(log_y + math.log(2)))
