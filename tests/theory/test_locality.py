"""The closed form of the optimum's local dependency ratio against brute force, other modules and its own limits."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from localbias import exact, grammar, render
from localbias.diffusion import Schedule
from localbias.ldr import local_dependency_ratio
from localbias.theory import target
from localbias.theory.locality import ratio, ratios


def noised(alpha_bar, d, n=300):
    rng = np.random.default_rng([d, n])
    x0 = target.parity(d)[rng.integers(2 ** (d - 1), size=n)]
    return math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * rng.normal(size=x0.shape)


def of_row(row):
    return row[..., 0] ** 2 / (row**2).sum(-1)


@pytest.mark.parametrize("d", range(2, 9))
@pytest.mark.parametrize("alpha_bar", [0.001, 0.2, 0.5, 0.8])
def test_ratios_are_those_of_the_enumerated_jacobian(d, alpha_bar):
    x = noised(alpha_bar, d)
    covariance = target.posterior_covariance(x, alpha_bar, target.parity(d))[:, 0]
    jacobian = np.eye(d)[0] - alpha_bar / (1 - alpha_bar) * covariance  # of the noise, × √(1−ᾱ)
    np.testing.assert_allclose(ratios(x, alpha_bar), of_row(covariance), rtol=1e-9)
    np.testing.assert_allclose(ratios(x, alpha_bar, "noise"), of_row(jacobian), atol=1e-9)


@pytest.mark.parametrize(
    "x",
    [
        (1.1, 0.9, -1.02, -0.8),
        (0.4, 1.0, 1.1, 1.0),
        (-0.5, 0.9, 0.5, 0.9),
        (1.0, 0.02, 1.0, 0.7),
    ],
)
@pytest.mark.parametrize("alpha_bar", [0.8, 0.9995])
def test_ratios_keep_their_digits_near_certainty(x, alpha_bar):
    """At the second level e^(−2h) is less than any float64; the third x breaks the rule."""
    with mpmath.workdps(3000):
        level = mpmath.mpf(alpha_bar)
        gamma = level / (1 - level)
        h = [mpmath.sqrt(level) * mpmath.mpf(one) / (1 - level) for one in x]
        strings = [s for s in itertools.product((1, -1), repeat=4) if math.prod(s) > 0]
        weights = [mpmath.exp(mpmath.fdot(h, s)) for s in strings]
        whole = mpmath.fsum(weights)
        mean = [mpmath.fdot(weights, column) / whole for column in zip(*strings)]
        row = [
            mpmath.fsum(w * (s[0] - mean[0]) * (s[k] - mean[k]) for w, s in zip(weights, strings))
            / whole
            for k in range(4)
        ]
        plain = row[0] ** 2 / mpmath.fsum(c * c for c in row)
        noise = [1 - gamma * row[0], *(-gamma * c for c in row[1:])]
        other = noise[0] ** 2 / mpmath.fsum(c * c for c in noise)
    assert ratios(x, alpha_bar) == pytest.approx(float(plain), rel=1e-10)
    assert ratios(x, alpha_bar, "noise") == pytest.approx(float(other), rel=1e-10)


def test_ratios_agree_with_those_of_the_reference_denoiser():
    schedule, rule, signals = Schedule(), grammar.Parity(6), render.Scalars(6)
    t = schedule.index(sqrt_alpha_bar=0.7)
    alpha_bar = schedule.alpha_bar[t].item()
    x, region = torch.from_numpy(noised(alpha_bar, 6, 64)), torch.arange(6) == 0
    optimum, local = (make(rule, signals, schedule) for make in (exact.rule, exact.marginals))
    for name in ("x0", "noise"):
        found = local_dependency_ratio(
            lambda x_t: schedule.predict(optimum, x_t, t, name), x, region
        )
        np.testing.assert_allclose(ratios(x.numpy(), alpha_bar, name), found, atol=1e-9)
        alone = local_dependency_ratio(lambda x_t: schedule.predict(local, x_t, t, name), x, region)
        np.testing.assert_allclose(alone, 1, atol=1e-12)
        assert found.min() < 0.7 and found.max() > 0.95


def test_the_mean_is_over_noised_strings():
    mean, error = ratio(0.6, 5, samples=4000)
    again = ratios(noised(0.6, 5, 20_000), 0.6)
    assert abs(mean - again.mean()) < 4 * math.hypot(error, again.std() / math.sqrt(20_000))
    assert error == pytest.approx(again.std() / math.sqrt(4000), rel=0.1)
    assert (mean, error) == ratio(0.6, 5, samples=4000) != ratio(0.6, 5, samples=4000, seed=1)


@pytest.mark.parametrize("d", [3, 4])
def test_the_optimum_is_local_under_high_noise(d):
    gamma = 1e-4
    mean, error = ratio(gamma / (1 + gamma), d, samples=40_000)
    expected = (d - 1) * gamma ** (d - 2)
    assert abs(1 - mean - expected) < 4 * error + 0.01 * expected and error < 0.02 * expected


def density_of_equal_least(n):
    """Of the gap between the two least of n standard normals, at 0."""
    return n * (n - 1) * quad(lambda z: norm.pdf(z) ** 2 * norm.sf(z) ** (n - 2), -10, 10)[0]


@pytest.mark.parametrize("d", [3, 4, 8, 16])
def test_the_optimum_leans_on_one_other_sign_as_the_noise_vanishes(d):
    for gamma in (1e4, 1e8):
        mean, error = ratio(gamma / (1 + gamma), d, samples=100_000)
        expected = math.pi / (12 * math.sqrt(3)) * density_of_equal_least(d - 1) / math.sqrt(gamma)
        assert abs(mean - 0.5 - expected) < 4 * error + 0.02 * expected


def test_density_of_equal_least():
    assert density_of_equal_least(2) == pytest.approx(1 / math.sqrt(math.pi))
    least = np.partition(np.random.default_rng(0).normal(size=(100_000, 7)), 1)[:, :2]
    assert (np.diff(least) < 0.05).mean() / 0.05 == pytest.approx(
        density_of_equal_least(7), rel=0.06
    )


@pytest.mark.parametrize("alpha_bar", [1e-6, 0.3, 0.9, 1 - 1e-9])
def test_bounds_on_every_sample(alpha_bar):
    x = noised(alpha_bar, 2, 1000)
    np.testing.assert_allclose(
        ratios(x, alpha_bar), 0.5, atol=1e-12
    )  # of two signs one says what the other is
    for d in (3, 8):
        found = ratios(noised(alpha_bar, d, 1000), alpha_bar)
        assert (found > 0.5 - 1e-12).all() and (found < 1 + 1e-12).all()


def test_longer_rules_hide_better():
    for alpha_bar in (0.3, 0.6, 0.9):
        x = noised(alpha_bar, 8, 4000)
        means = [ratios(x[:, :d], alpha_bar).mean() for d in range(2, 9)]
        assert means == sorted(means)


@pytest.mark.parametrize("d", [2, 3, 6, 16])
def test_noise_is_predicted_locally_outside_a_window(d):
    inside = min(ratio(one, d, "noise", samples=1000)[0] for one in (0.4, 0.5, 0.6, 0.7, 0.8, 0.85))
    assert inside < 0.95 and all(
        ratio(one, d, "noise")[0] > 0.995 for one in (0.01, 0.05, 0.96, 0.999, 1 - 1e-9)
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"alpha_bar": 1.0}, r"alpha_bar=1.0; allowed: inside \(0, 1\)"),
        ({"alpha_bar": [0.5, 0.6]}, r"alpha_bar=\[0.5, 0.6\]; allowed: one number"),
        ({"d": 1}, "d=1; allowed: whole numbers from 2"),
        ({"d": 3.5}, "d=3.5; allowed: whole numbers from 2"),
        ({"samples": 1}, "samples=1; allowed: whole numbers from 2"),
        ({"target": "v"}, "target='v'; allowed: x0, noise"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ratio(**{"alpha_bar": 0.5, "d": 3} | change)


def test_an_x_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"x of shape \(4, 1\); allowed: \[..., d\] with d from 2"):
        ratios(np.zeros((4, 1)), 0.5)
    levels = np.array([[0.1], [0.6]])
    x = noised(0.5, 3, 4)
    assert ratios(x, levels).shape == (2, 4) and (ratios(x, levels)[1] == ratios(x, 0.6)).all()
