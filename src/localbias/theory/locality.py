"""How local the optimum of parity is: the local dependency ratio of one number of x_t, exactly (§4.3, Eq. 2).

With γ = ᾱ/(1−ᾱ), h = √ᾱ x_t/(1−ᾱ), P = ∏_{k≠i} tanh h_k and ℓ_k = −ln |tanh h_k|, the optimum for the parity of d
signs is E[x0_i | x_t] = m = tanh(h_i + artanh P), and row i of its Jacobian is (√ᾱ/(1−ᾱ)) (1 − m²) times

    1 at i,      ± r_k at k ≠ i,    r_k = sinh ℓ_k / sinh Σ_{l≠i} ℓ_l.

So the ratio for the x0 target is 1/(1 + Σ r_k²), from which 1 − m² has cancelled: it is nowhere 0/0, and no sample has
to be left out however certain the optimum is. sinh(a + b) ≥ sinh a + sinh b, so it lies between ½ and 1. It is

    1    as the noise grows, if d ≥ 3: 1 − (d−1) γ^(d−2) to first order
    ½    as the noise vanishes, for every d. One of the others, the least certain, is then all that P hangs on, and the
         optimum leans on it as much as on x_t^(i) itself. The mean is ½ + π/(12 √3) g/√γ to first order, where g is
         the density at 0 of the gap between the two least of d − 1 standard normals: a slow fall
    ½    at every noise level, if d = 2

For the noise target row i is (1 − γ(1 − m²), ∓ γ(1 − m²) r_k)/√(1−ᾱ), whose ratio goes to 1 on both sides.
"""

import math

import numpy as np
from scipy.special import logsumexp

from localbias.theory.numerics import sech2
from localbias.theory.target import check

TARGETS = ("x0", "noise")
TINY = 1e-30  # next to 1 nothing


def ratio(alpha_bar, d, target="x0", samples=4096, seed=0):
    """The mean local dependency ratio over noised strings, and its standard error; one seed, one set of noises.

    alpha_bar  one number inside (0, 1);  d  signs, from 2;  target  what is predicted, "x0" or "noise"

    ValueError for anything else.
    """
    for name, value, least in (("d", d, 2), ("samples", samples, 2)):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name}={value!r}; allowed: whole numbers from {least}")
    if np.ndim(alpha_bar):
        raise ValueError(f"alpha_bar={alpha_bar}; allowed: one number")
    alpha_bar, _, _ = check(alpha_bar, [[1]])
    noise = np.random.default_rng(seed).standard_normal((samples, d))
    x = (
        np.sqrt(alpha_bar) + np.sqrt(1 - alpha_bar) * noise
    )  # every even string is this one with its signs turned
    found = ratios(x, alpha_bar, target)
    return float(found.mean()), float(found.std(ddof=1) / math.sqrt(samples))


def ratios(x, alpha_bar, target="x0"):
    """The local dependency ratio of coordinate 0 at each x [..., d], d ≥ 2, for the parity of d signs: [...]."""
    alpha_bar, x = check(alpha_bar, [[1]])[0], np.asarray(x, float)
    if x.ndim < 1 or x.shape[-1] < 2:
        raise ValueError(f"x of shape {x.shape}; allowed: [..., d] with d from 2")
    if target not in TARGETS:
        raise ValueError(f"target={target!r}; allowed: {', '.join(TARGETS)}")
    h = x * (np.sqrt(alpha_bar) / (1 - alpha_bar))[..., None]
    own, others = h[..., 0], h[..., 1:]
    # ln ℓ_k and ln Σ ℓ_k, for the numbers themselves leave the range of floating point as the noise vanishes.
    e = np.exp(-2 * np.abs(others)).clip(TINY, 1 - 1e-16)
    each = np.log(2 * np.arctanh(e) / e) - 2 * np.abs(others)
    every = logsumexp(each, -1)
    outside = np.exp(2 * (_log_sinh(each) - _log_sinh(every)[..., None])).sum(-1)
    if target == "x0":
        return 1 / (1 + outside)
    p = np.exp(-np.exp(every))  # |P|
    field = (np.log1p(p) - every - np.log(_fall(every))) / 2  # artanh |P|
    certain = alpha_bar / (1 - alpha_bar) * sech2(own + np.sign(others).prod(-1) * field)
    return (1 - certain) ** 2 / ((1 - certain) ** 2 + certain**2 * outside)


def _fall(log_y):
    """(1 − e^(−y))/y, for ln y."""
    y = np.exp(log_y).clip(TINY)
    return -np.expm1(-y) / y


def _log_sinh(log_y):
    """ln sinh y, for ln y."""
    return log_y + np.exp(log_y) + np.log(_fall(log_y + math.log(2)))
