"""The exact target against Bayes' rule spelled out, its two forms against each other, the losses against quadrature."""

import itertools
import math
from functools import reduce

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm, qmc

from localbias import exact, grammar, render
from localbias.diffusion import Schedule
from localbias.theory import numerics, target

RNG = np.random.default_rng(0)


def random_law(d, n, seed=0):
    """n strings, some of them the same, with unequal weights that do not sum to 1."""
    rng = np.random.default_rng(seed)
    return rng.choice([-1.0, 1.0], (n, d)), rng.exponential(size=n)


def bayes(x, alpha_bar, support, weights):
    """E[x0 | x] and Cov[x0 | x], one density at a time."""
    likelihood = [
        w * math.prod(norm.pdf(x, math.sqrt(alpha_bar) * s, math.sqrt(1 - alpha_bar)))
        for s, w in zip(support, weights)
    ]
    posterior = np.array(likelihood) / sum(likelihood)
    mean = sum(p * s for p, s in zip(posterior, support))
    return mean, sum(p * np.outer(s - mean, s - mean) for p, s in zip(posterior, support))


def mmse(alpha_bar, support, weights, coordinate=0):
    """E Var[x0_i | x_t] by the trapezoid rule over all x_t, in steps small beside the noise and tanh h."""
    signal, spread = math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)
    step, reach = 0.4 * spread * min(1, spread / signal), signal + 6.5 * spread
    line = np.arange(-reach, reach + step, step)
    axes = (
        norm.pdf((line[:, None] - signal * np.array([1.0, -1.0])) / spread) / spread
    )  # of x0_k = ±1: [q, 2]
    density = first = 0
    for string, weight in zip(support, weights):
        one = weight * reduce(np.multiply.outer, [axes[:, int(sign < 0)] for sign in string])
        density, first = density + one, first + string[coordinate] * one
    return (density - first**2 / density).sum() * step ** support.shape[1]


def fourier_mean(x, alpha_bar, support, weights=None):
    """E[x0 | x] as a ratio of multilinear forms in t, by the law's Fourier coefficients alone."""
    subsets, coefficients = target.fourier(support, weights)
    t = np.tanh(math.sqrt(alpha_bar) * x / (1 - alpha_bar))

    def form(turned):  # Σ_S p̂(S) t_{S △ turned}
        return np.where(subsets ^ turned, t[..., None, :], 1).prod(-1) @ coefficients

    flips = np.eye(subsets.shape[1], dtype=bool)
    return np.stack([form(flip) for flip in flips], -1) / form(False)[..., None]


def sampled_optimum(alpha_bar, support, weights=None, coordinate=0, samples=1024):
    """The optimum's loss of any law and its standard error, by 16 Sobol sequences of pairs x0, ε.

    It is the univariate level less γ E(m_i − t_i)². Half of the ε_i are drawn around −√γ x0_i, where x_t^(i) says
    nothing of x0_i, and all are weighted accordingly.
    """
    _, support, weights = target.check(alpha_bar, support, weights)
    d, gamma = support.shape[1], alpha_bar / (1 - alpha_bar)
    fair = weights @ support[:, coordinate]
    gaps = []
    for replicate in range(16):
        sequence = qmc.Sobol(d + 2, rng=np.random.default_rng([0, replicate]))
        uniform = sequence.random(samples).clip(1e-16, 1 - 1e-16)
        drawn = np.searchsorted(weights.cumsum(), uniform[:, 0])
        x0 = support[np.minimum(drawn, len(weights) - 1)]
        noise, pull = norm.ppf(uniform[:, 2:]), math.sqrt(gamma) * x0[:, coordinate]
        noise[:, coordinate] -= pull * (uniform[:, 1] < 0.5)
        likelihood = 2 * expit(pull * noise[:, coordinate] + gamma / 2)
        x = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * noise
        field = math.sqrt(alpha_bar) * x[:, coordinate] / (1 - alpha_bar)
        univariate = np.tanh(np.arctanh(fair) + field)
        optimum = target.posterior_mean(x, alpha_bar, support, weights)[:, coordinate]
        gaps.append((likelihood * (optimum - univariate) ** 2).mean())
    level, _ = target.univariate_level(alpha_bar, fair)
    return level - gamma * np.mean(gaps), gamma * np.std(gaps, ddof=1) / 4


@pytest.mark.parametrize("alpha_bar", [0.02, 0.5, 0.9])
def test_posterior_is_bayes_rule(alpha_bar):
    support, weights = random_law(4, 7)
    x = RNG.normal(size=(2, 3, 4))
    mean = target.posterior_mean(x, alpha_bar, support, weights)
    covariance = target.posterior_covariance(x, alpha_bar, support, weights)
    assert mean.shape == (2, 3, 4) and covariance.shape == (2, 3, 4, 4)
    for i, j in itertools.product(range(2), range(3)):
        first, second = bayes(x[i, j], alpha_bar, support, weights)
        np.testing.assert_allclose(mean[i, j], first, atol=1e-12)
        np.testing.assert_allclose(covariance[i, j], second, atol=1e-12)


def test_each_leading_index_may_have_its_own_noise_level():
    support, weights = random_law(3, 5)
    x, levels = RNG.normal(size=(4, 3)), np.array([[0.1], [0.6]])
    mean, noise = (
        f(x, levels, support, weights) for f in (target.posterior_mean, target.noise_target)
    )
    assert mean.shape == noise.shape == (2, 4, 3)
    assert target.posterior_covariance(x, levels, support, weights).shape == (2, 4, 3, 3)
    np.testing.assert_allclose(mean[1, 2], target.posterior_mean(x[2], 0.6, support, weights))
    np.testing.assert_allclose(noise[0, 3], target.noise_target(x[3], 0.1, support, weights))


@pytest.mark.parametrize("d", [2, 3, 8])
def test_parity_has_a_closed_form(d):
    x, alpha_bar = RNG.normal(size=(20, d)), 0.6
    t = np.tanh(math.sqrt(alpha_bar) * x / (1 - alpha_bar))
    rest = np.stack([np.delete(t, i, 1).prod(1) for i in range(d)], 1)
    found = target.posterior_mean(x, alpha_bar, target.parity(d))
    np.testing.assert_allclose(found, (t + rest) / (1 + t * rest), atol=1e-12)


def test_reference_denoiser_agrees():
    schedule, rule = Schedule(), grammar.Parity(5)
    t = schedule.index(sqrt_alpha_bar=0.7)
    optimum = exact.rule(rule, render.Scalars(5), schedule)
    x = RNG.normal(size=(6, 5))
    found = target.posterior_mean(x, schedule.alpha_bar[t].item(), target.parity(5))
    np.testing.assert_allclose(found, optimum(torch.from_numpy(x), t).numpy(), atol=1e-12)


def test_parity_of_some_coordinates():
    support = target.parity(4, [0, 2])
    assert support.shape == (8, 4) and (support[:, 0] == support[:, 2]).all()
    assert len(np.unique(support, axis=0)) == 8
    assert (target.parity(4).prod(1) == 1).all() and len(
        np.unique(target.hypercube(4), axis=0)
    ) == 16


def test_noise_target_is_the_score():
    support, weights = random_law(3, 5)
    alpha_bar, x = 0.4, RNG.normal(size=3)

    def log_density(x):
        return math.log(
            sum(
                w * math.prod(norm.pdf(x, math.sqrt(alpha_bar) * s, math.sqrt(1 - alpha_bar)))
                for s, w in zip(support, weights)
            )
        )

    steps = 1e-5 * np.eye(3)
    score = np.array([(log_density(x + e) - log_density(x - e)) / 2e-5 for e in steps])
    np.testing.assert_allclose(
        target.noise_target(x, alpha_bar, support, weights), -math.sqrt(0.6) * score, atol=1e-8
    )


def test_covariance_is_the_slope_of_the_mean():
    support, weights = random_law(4, 9)
    x, alpha_bar = RNG.normal(size=(5, 4)), 0.7
    ahead, behind = (
        [
            target.posterior_mean(x + step, alpha_bar, support, weights)
            for step in sign * 1e-6 * np.eye(4)
        ]
        for sign in (1, -1)
    )
    slopes = np.moveaxis((np.array(ahead) - behind) / 2e-6, 0, -1)
    covariance = target.posterior_covariance(x, alpha_bar, support, weights)
    np.testing.assert_allclose(
        math.sqrt(alpha_bar) / (1 - alpha_bar) * covariance, slopes, atol=1e-7
    )


def test_covariance_keeps_its_digits_near_certainty():
    # Two strings that differ in one sign: the posterior's odds are e^(2h), and 1 − tanh² h has no digit left.
    alpha_bar, x = 0.9, np.array([2.5, 0.3])
    h = math.sqrt(alpha_bar) * x[0] / (1 - alpha_bar)
    found = target.posterior_covariance(x, alpha_bar, [[1, 1], [-1, 1]])[0, 0]
    assert 1 - np.tanh(h) ** 2 == 0
    np.testing.assert_allclose(found, 1 / np.cosh(h) ** 2, rtol=1e-9)


@pytest.mark.parametrize("alpha_bar", [0.1, 0.5, 0.8])
def test_fourier_form_equals_the_sum_over_the_support(alpha_bar):
    support, weights = random_law(4, 11, seed=3)
    x = RNG.normal(size=(2, 3, 4))
    np.testing.assert_allclose(
        target.posterior_mean(x, alpha_bar, support, weights),
        fourier_mean(x, alpha_bar, support, weights),
        atol=1e-9,
    )


def test_fourier_coefficients_are_the_means_of_products_and_give_the_law_back():
    support, weights = random_law(4, 6, seed=1)
    subsets, coefficients = target.fourier(support, weights)
    assert subsets.shape == (16, 4) and not subsets[0].any()
    for subset, coefficient in zip(subsets, coefficients):
        assert coefficient == pytest.approx(
            np.average(support[:, subset].prod(1), weights=weights), abs=1e-14
        )
    again, probabilities = target.law(subsets, coefficients)
    for string, probability in zip(again, probabilities):
        assert probability == pytest.approx(
            weights[(support == string).all(1)].sum() / weights.sum()
        )
    assert probabilities.sum() == pytest.approx(1)


def test_the_mean_keeps_its_digits_at_a_string_that_the_law_forbids():
    """There the Fourier form is 0/0."""
    forbidden = np.array([[-1.0, 1.0, 1.0]])  # three strings of the parity are one sign away
    found = target.posterior_mean(forbidden, 0.91, target.parity(3))
    np.testing.assert_allclose(found, [[-1 / 3, 1 / 3, 1 / 3]], atol=1e-8)


@pytest.mark.parametrize("alpha_bar", [0.1, 0.7])
def test_best_functions_of_one_coordinate_have_the_least_losses(alpha_bar):
    """Their losses are the exact levels, and no stretched copy of them does better."""
    noise, weight = np.polynomial.hermite_e.hermegauss(120)
    x = math.sqrt(alpha_bar) + math.sqrt(1 - alpha_bar) * noise  # x0 = 1; −1 is the mirror image
    weight = weight / weight.sum()

    def loss(prediction):
        return weight @ (prediction - noise) ** 2

    linear, univariate = target.best_linear(x, alpha_bar), target.best_univariate(x, alpha_bar)
    assert loss(linear) == pytest.approx(alpha_bar, abs=1e-12)
    assert loss(univariate) == pytest.approx(target.univariate_level(alpha_bar)[0], abs=1e-6)
    for best in (linear, univariate):
        assert loss(best) < min(loss(0.99 * best), loss(1.01 * best))


def test_best_univariate_is_the_noise_target_of_one_sign():
    x, levels = RNG.normal(size=(2, 5)), np.array([[0.2], [0.8]])
    found = target.best_univariate(x, levels)
    expected = target.noise_target(x[..., None], levels, [[1], [-1]])[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(target.best_linear(x, levels), np.sqrt(1 - levels) * x)
    with pytest.raises(ValueError, match="alpha_bar=1.0; allowed"):
        target.best_univariate(x, 1.0)


@pytest.mark.parametrize("seed", [0, 1])
def test_linear_level_solves_the_normal_equations(seed):
    support, weights = random_law(3, 6, seed)
    p, alpha_bar = weights / weights.sum(), 0.6
    one = np.concatenate([np.ones((6, 1)), math.sqrt(alpha_bar) * support], 1)  # E[(1, x_t) | x0]
    gram = (one * p[:, None]).T @ one + (1 - alpha_bar) * np.diag([0.0, 1, 1, 1])
    for i in range(3):
        cross = math.sqrt(1 - alpha_bar) * np.eye(4)[i + 1]  # E[ε_i (1, x_t)]
        best = 1 - cross @ np.linalg.solve(gram, cross)
        assert target.linear_level(alpha_bar, support, weights, i) == pytest.approx(best, abs=1e-12)


def test_linear_level_of_pairwise_independent_signs_is_alpha_bar():
    levels = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(target.linear_level(levels, target.parity(4)), levels, atol=1e-14)
    np.testing.assert_allclose(target.linear_level(levels, [[1], [-1]]), levels, atol=1e-14)


@pytest.mark.parametrize("mean", [0.0, 0.6, -0.9, 1.0])
@pytest.mark.parametrize("alpha_bar", [0.2, 0.7])
def test_univariate_level_is_what_conditioning_on_one_coordinate_leaves(alpha_bar, mean):
    signal, spread = math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)

    def left(x):  # p(x) Var[ε | x]; given x, ε is one of two numbers
        up, down = ((1 + s * mean) / 2 * norm.pdf(x, s * signal, spread) for s in (1, -1))
        return 4 * signal**2 / spread**2 * (up * down / (up + down) if up + down > 0 else 0)

    value, error = target.univariate_level(alpha_bar, mean)
    assert (
        value == pytest.approx(quad(left, -9, 9, epsabs=1e-12, limit=200)[0], abs=1e-10)
        and error < 1e-10
    )


def test_univariate_level_by_the_nishimori_identity():
    node, weight = np.polynomial.hermite_e.hermegauss(80)
    levels = np.array([0.1, 0.4, 0.6])
    gamma = (levels / (1 - levels))[:, None]
    expected = gamma[:, 0] * (
        1 - np.tanh(gamma + np.sqrt(gamma) * node) @ weight / math.sqrt(2 * math.pi)
    )
    np.testing.assert_allclose(target.univariate_level(levels)[0], expected, atol=1e-6)


@pytest.mark.parametrize("d, alpha_bar", [(2, 0.3), (2, 0.8), (3, 0.5), (3, 0.7)])
def test_optimum_of_parity_by_integrating_over_all_inputs(d, alpha_bar):
    support = target.parity(d)
    levels = target.parity_levels(alpha_bar, d)
    whole = (
        alpha_bar
        / (1 - alpha_bar)
        * mmse(alpha_bar, support, np.full(len(support), 1 / len(support)))
    )
    assert levels.optimum == pytest.approx(whole, abs=1e-9)
    assert levels.optimum < levels.univariate < levels.linear == alpha_bar
    assert levels.error < 1e-10


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
def test_series_of_the_gap_summed_term_by_term(gamma):
    t2 = np.tanh(gamma + math.sqrt(gamma) * numerics.GRID) ** 2
    power, left, mu, nu = (
        norm.pdf(numerics.GRID) * (numerics.GRID[1] - numerics.GRID[0]),
        (1 - t2) ** 2,
        [],
        [],
    )
    for _ in range(20_000):
        nu.append(power @ left)
        power = power * t2
        mu.append(power.sum())
    for d in (2, 8):
        value, error = target.parity_gap(gamma / (1 + gamma), d)
        terms = np.array(mu) ** (d - 1) * np.array(nu)
        rest = mu[-1] ** (d - 1) * nu[-1] * len(nu)  # what is left falls faster than 1/j²
        assert -error - 1e-12 < value - terms.sum() < rest + error + 1e-12


def test_gap_is_vectorised_and_falls_with_length():
    levels = np.array([[0.3, 0.6], [0.8, 0.9]])
    short, error = target.parity_gap(levels, 3)
    assert short.shape == error.shape == (2, 2)
    assert short[1, 0] == target.parity_gap(0.8, 3)[0]
    assert (target.parity_gap(levels, 16)[0] < short).all()
    np.testing.assert_array_equal(target.parity_levels(levels, 3).linear, levels)


@pytest.mark.parametrize("alpha_bar", [0.5, 0.9, 0.97])
def test_sampled_levels_cover_the_exact_ones(alpha_bar):
    known = target.parity_levels(alpha_bar, 4)
    optimum, error = sampled_optimum(alpha_bar, target.parity(4), samples=256)
    assert abs(optimum - known.optimum) < 5 * error < known.univariate / 4


def test_levels_of_a_biased_and_correlated_law():
    support, weights = target.hypercube(2), np.array([0.5, 0.1, 0.15, 0.25])
    for i in (0, 1):
        optimum, error = sampled_optimum(0.5, support, weights, i)
        assert abs(optimum - mmse(0.5, support, weights, i)) < 5 * error and error < 0.01
        shares = [weights[support[:, i] == side].sum() for side in (1, -1)]
        alone = mmse(0.5, np.array([[1.0], [-1.0]]), shares)
        level, _ = target.univariate_level(0.5, shares[0] - shares[1])
        assert level == pytest.approx(alone, abs=1e-9)


@pytest.mark.parametrize("d", [3, 8])
def test_all_of_parity_is_worth_one_bit(d):
    value, error = target.one_bit(d)
    assert value == pytest.approx(math.log(2), abs=1e-9) and error < 1e-8
    assert target.total_correlation(target.parity(d)) == pytest.approx(math.log(2))


def test_information_up_to_a_noise_level_is_the_integral_up_to_it():
    # KL of x_t's law from the product of its marginals: E ln(1 + ∏ t_k) = Σ_j μ_j^d / (2j(2j − 1)).
    top, d = 1.5, 3
    t = np.tanh(top + math.sqrt(top) * numerics.GRID)
    density = norm.pdf(numerics.GRID) * (numerics.GRID[1] - numerics.GRID[0])
    j = np.arange(1, 3000)
    mu = np.array([np.abs(t) ** (2 * k) @ density for k in j])
    direct = (mu**d / (2 * j * (2 * j - 1))).sum()
    gamma, weight = numerics.panels([0, 0.2, top], 10)
    integral = d / 2 * weight @ target.parity_gap(gamma / (1 + gamma), d)[0]
    assert integral == pytest.approx(direct, abs=1e-8)


def test_i_mmse_holds_for_a_law_that_is_not_a_parity():
    support, weights = target.hypercube(2), np.array([0.45, 0.05, 0.2, 0.3])
    gamma, weight = numerics.panels([0, 0.5, 2, 6, 12, 24], 5)
    gaps = []
    for level in gamma / (1 + gamma):
        univariate = [
            target.univariate_level(level, weights @ support[:, i])[0] * (1 - level) / level
            for i in (0, 1)
        ]
        gaps.append(sum(univariate) - sum(mmse(level, support, weights, i) for i in (0, 1)))
    correlation = target.total_correlation(support, weights)
    assert 0.1 < correlation and weight @ gaps / 2 == pytest.approx(correlation, abs=1e-5)


def test_total_correlation_of_known_laws():
    assert target.total_correlation(target.hypercube(3)) == pytest.approx(0, abs=1e-12)
    assert target.total_correlation([[1, 1, 1], [-1, -1, -1]]) == pytest.approx(2 * math.log(2))
    assert target.total_correlation(
        [[1, 1, 1], [1, 1, 1], [-1, -1, -1]], [1, 1, 2]
    ) == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(alpha_bar=1.0), r"alpha_bar=1.0; allowed: inside \(0, 1\)"),
        (dict(alpha_bar=[0.5, 0.0]), r"alpha_bar=\[0.5 0. \]; allowed"),
        (dict(alpha_bar=float("nan")), "alpha_bar=nan; allowed"),
        (dict(support=[[1, 0], [1, 1]]), r"values \[0. 1.\]; allowed: \[n, d\] of ±1"),
        (dict(support=[1, -1]), r"support of shape \(2,\)"),
        (dict(weights=[1.0]), "allowed: 2 finite numbers from 0"),
        (dict(weights=[1.0, -1.0]), r"weights \[ 1. -1.\]; allowed"),
        (dict(weights=[0.0, 0.0]), "not all of them 0"),
        (dict(x=[0.0, 0.0, 0.0]), r"x of shape \(3,\); allowed: \[..., 2\]"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(change, message):
    fine = dict(x=[0.0, 0.0], alpha_bar=0.5, support=[[1, 1], [-1, -1]], weights=None)
    assert target.posterior_mean(**fine).shape == (2,)
    with pytest.raises(ValueError, match=message):
        target.posterior_mean(**(fine | change))


def test_other_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="coordinate=2; allowed: 0 to 1"):
        target.linear_level(0.5, [[1, 1], [-1, -1]], coordinate=2)
    with pytest.raises(ValueError, match="d=1; allowed: whole numbers from 2"):
        target.parity_levels(0.5, 1)
    with pytest.raises(ValueError, match="mean=1.5; allowed: -1 to 1"):
        target.univariate_level(0.5, 1.5)
    subsets = np.array([[False, False], [True, True]])
    with pytest.raises(ValueError, match="a string of probability -0.0999"):
        target.law(subsets, [1, 1.4])
    with pytest.raises(ValueError, match="1 for the empty one"):
        target.law(subsets, [0.9, 0.5])
    with pytest.raises(ValueError, match=r"allowed: bool \[m, d\], \[m\]"):
        target.law(subsets.astype(int), [1, 1])


def test_a_string_of_weight_zero_counts_for_nothing():
    support = target.hypercube(2)
    with np.errstate(all="raise"):
        found = target.posterior_mean([0.3, -0.2], 0.5, support, [1, 0, 0, 1])
    np.testing.assert_allclose(found, target.posterior_mean([0.3, -0.2], 0.5, support[[0, 3]]))
