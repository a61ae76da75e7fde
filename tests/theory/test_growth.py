"""The growth rate from its definition, the best bias, and Theorems 5.2 and 5.3 taken at their word."""

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import erf
from scipy.stats import norm

from localbias.theory import counterexample, growth, target
from localbias.theory.laws import PARITIES, dependence, pairwise_independent
from localbias.theory.target import Law

RNG = np.random.default_rng(0)
PARITY = {d: target.parity(d) for d in (3, 4, 8)}


def random_law(d, n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice([-1.0, 1.0], (n, d)), rng.dirichlet(np.ones(n))


def sphere(n, d, seed=0):
    u = np.random.default_rng(seed).normal(size=(n, d + 1))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u[:, :-1], u[:, -1]


# K and its gradient


@pytest.mark.parametrize("alpha_bar", [0.1, 0.6, 0.95])
def test_rate_by_its_definition_without_stein(alpha_bar):
    # Given x0, (ε_i, w·x_t) is Gaussian, so E[ε_i | u] is linear in u = w·x_t and one integral over u is left.
    support, weights = random_law(4, 6)
    w, b, i, spread = RNG.normal(size=4), 0.3, 2, math.sqrt(1 - alpha_bar)
    width = spread * np.linalg.norm(w)
    found = 0
    for string, p in zip(support, weights):
        centre = math.sqrt(alpha_bar) * w @ string
        found += (
            p
            * quad(
                lambda u: (
                    spread * w[i] * (u - centre) / width**2 * (u + b) * norm.pdf(u, centre, width)
                ),
                -b,
                centre + 12 * width if centre + 12 * width > -b else -b + 1,
                points=[max(centre, -b)],
            )[0]
        )
    assert growth.growth_rate(w, b, alpha_bar, support, weights, i) == pytest.approx(
        found, abs=1e-9
    )


def test_rate_by_sampling():
    support, weights = random_law(3, 5, seed=1)
    alpha_bar, n = 0.5, 400_000
    x0 = support[RNG.choice(len(support), n, p=weights)]
    noise = RNG.normal(size=(n, 3))
    x = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * noise
    for w, b in zip(*sphere(4, 3)):
        product = noise[:, 1] * np.maximum(x @ w + b, 0)
        exact = growth.growth_rate(w, b, alpha_bar, support, weights, 1)
        assert abs(product.mean() - exact) < 4 * product.std() / math.sqrt(n)


def test_rate_in_the_papers_error_functions():
    w, b, alpha_bar = RNG.normal(size=4), -0.4, 0.7
    inner = (math.sqrt(alpha_bar) * PARITY[4] @ w + b) / (
        math.sqrt(2 * (1 - alpha_bar)) * np.linalg.norm(w)
    )
    expected = math.sqrt(1 - alpha_bar) * w[0] / 2 * (1 + erf(inner)).mean()
    assert growth.growth_rate(w, b, alpha_bar, PARITY[4]) == pytest.approx(expected, abs=1e-15)


def test_rate_is_vectorised_over_neurons_and_levels():
    (w, b), levels = sphere(5, 3), np.array([[0.2], [0.9]])
    found = growth.growth_rate(w, b, levels, PARITY[3], coordinate=1)
    by_w, by_b = growth.growth_gradient(w, b, levels, PARITY[3], coordinate=1)
    assert found.shape == by_b.shape == (2, 5) and by_w.shape == (2, 5, 3)
    assert found[1, 3] == pytest.approx(
        growth.growth_rate(w[3], b[3], 0.9, PARITY[3], coordinate=1), abs=1e-15
    )
    one, _ = growth.growth_gradient(w[3], b[3], 0.9, PARITY[3], coordinate=1)
    np.testing.assert_allclose(by_w[1, 3], one, atol=1e-14)


@pytest.mark.parametrize("alpha_bar", [0.3, 0.9])
def test_gradient_is_the_derivative(alpha_bar):
    support, weights = random_law(3, 5, seed=2)
    w, b = sphere(6, 3)
    by_w, by_b = growth.growth_gradient(w, b, alpha_bar, support, weights, 1)

    def rate(step):
        return growth.growth_rate(w + step[:3], b + step[3], alpha_bar, support, weights, 1)

    slopes = np.stack([(rate(step) - rate(-step)) / 2e-6 for step in 1e-6 * np.eye(4)], -1)
    np.testing.assert_allclose(np.column_stack([by_w, by_b]), slopes, atol=1e-8)
    np.testing.assert_allclose((w * by_w).sum(1) + b * by_b, rate(np.zeros(4)), atol=1e-14)


def test_neuron_without_weights_does_not_grow():
    for b, gate in ((0.5, 1), (-0.5, 0), (0.0, 0)):
        assert growth.growth_rate(np.zeros(3), b, 0.5, PARITY[3]) == 0
        by_w, by_b = growth.growth_gradient(np.zeros(3), b, 0.5, PARITY[3])
        np.testing.assert_allclose(by_w, [math.sqrt(0.5) * gate, 0, 0])
        assert by_b == 0


# Theorem 5.3, bullet 1: the sign of K is that of w_i, for any law


@pytest.mark.parametrize("seed", range(3))
def test_rate_has_the_sign_of_the_weight(seed):
    support, weights = random_law(4, 6, seed)
    w, b = sphere(200, 4, seed)
    w[:20, 0] = 0
    rate = growth.growth_rate(w, b, 0.6, support, weights)
    assert (rate[:20] == 0).all() and (np.sign(rate[20:]) == np.sign(w[20:, 0])).all()


# Bullet 3: the bias D*


def precise_condition(bias, alpha_bar):
    """(1 + D²) P′(D) − D P(D) in mpmath's working precision."""
    signal, spread = mp.sqrt(alpha_bar), mp.sqrt(1 - alpha_bar)
    ends = [(bias + signal) / spread, (bias - signal) / spread]
    slope = sum(mp.exp(-z * z / 2) for z in ends) / mp.sqrt(2 * mp.pi) / 2 / spread
    return (1 + bias**2) * slope - bias * sum(mp.erfc(-z / mp.sqrt(2)) for z in ends) / 4


@pytest.mark.parametrize(
    "alpha_bar, count", [(0.05, 1), (0.5, 1), (0.8475, 1), (0.848, 3), (0.9, 3), (0.99, 3)]
)
def test_stationary_biases_are_all_roots_of_the_condition(alpha_bar, count):
    found = growth.stationary_biases(alpha_bar)
    roots = found[~np.isnan(found)]
    assert len(roots) == count and (roots > 0).all() and (np.diff(roots) > 0).all()
    with mp.workdps(40):
        # the condition changes its sign from one side of each root to the other, and nowhere else
        marks = [root * (1 + sign * mp.mpf("1e-9")) for root in roots for sign in (-1, 1)]
        signs = [precise_condition(mark, mp.mpf(alpha_bar)) > 0 for mark in marks]
        assert signs == [True, False, False, True, True, False][: len(signs)]
        grid = [mp.mpf(k) / 200 for k in range(1, 600)]
        walk = [precise_condition(mark, mp.mpf(alpha_bar)) > 0 for mark in sorted(grid + marks)]
        assert sum(x != y for x, y in itertools.pairwise(walk)) == count
        assert precise_condition(mp.mpf("1e-80"), mp.mpf(alpha_bar)) > 0


def test_where_the_condition_gets_three_roots():
    with mp.workdps(30):
        _, fold = mp.findroot(
            lambda bias, level: (
                precise_condition(bias, level),
                mp.diff(lambda x: precise_condition(x, level), bias),
            ),
            (0.25, 0.848),
        )
    assert float(fold) == pytest.approx(0.8475703, abs=1e-7)
    for level, count in ((float(fold) - 1e-6, 1), (float(fold) + 1e-6, 3)):
        assert np.isfinite(growth.stationary_biases(level)).sum() == count


def test_optimal_bias_is_the_global_maximum_on_the_axis():
    levels = np.array([[0.01, 0.5, 0.84], [0.86, 0.95, 0.9999]])
    best = growth.optimal_bias(levels)
    assert best.shape == levels.shape and (best > 0).all()
    grid = np.linspace(-5, 5, 100_001)
    for level, bias in zip(levels.ravel(), best.ravel()):
        rate = growth.axis_rate(grid, level)
        assert (
            growth.axis_rate(bias, level) >= rate.max() and abs(grid[rate.argmax()] - bias) < 1e-4
        )


def test_first_root_is_the_wrong_one_above_the_fold():
    roots = growth.stationary_biases(0.9)
    rates = growth.axis_rate(roots, 0.9)
    assert rates[2] > rates[0] > rates[1] and growth.optimal_bias(0.9) == roots[2]


def test_bias_curves_hold_the_stationary_biases_and_the_rate_along_the_axis():
    levels = np.array([0.5, 0.9])
    curves = growth.bias_curves(levels, (0.7, 0.9))
    np.testing.assert_array_equal(curves.roots, growth.stationary_biases(levels))
    np.testing.assert_array_equal(curves.best, growth.optimal_bias(levels))
    assert curves.grid[0] < 0 < curves.best.max() < curves.grid[-1] and list(curves.shown) == [
        0.7,
        0.9,
    ]
    rate, tops = curves.shown[0.9]
    np.testing.assert_array_equal(rate, growth.axis_rate(curves.grid, 0.9))
    inner = (rate[1:-1] > rate[:-2]) & (rate[1:-1] > rate[2:])  # maxima on the grid
    np.testing.assert_allclose(tops[0], curves.grid[1:-1][inner], atol=0.005)
    np.testing.assert_allclose(tops[1], rate[1:-1][inner], atol=1e-4)
    rate, (biases, heights) = curves.shown[0.7]
    assert biases[0] == growth.optimal_bias(0.7) and 0 <= heights[0] - rate.max() < 1e-4
    assert np.isnan(biases[1]) and np.isnan(heights[1])  # there is one maximum


def test_optimal_bias_at_both_ends():
    # No signal: φ(D)(1 + D²) = D Φ(D). No noise: a step at D = 1. Far out the first root is less than any float.
    bias = growth.optimal_bias(1e-9)
    assert norm.pdf(bias) * (1 + bias**2) == pytest.approx(bias * norm.cdf(bias), abs=1e-8)
    assert 1 < growth.optimal_bias(1 - 1e-10) < 1.0001
    spread = math.sqrt(0.01)  # the first root is near D = P′(0)/P(0)
    slope = norm.pdf(math.sqrt(0.99) / spread) / spread
    assert growth.stationary_biases(0.9999)[0] == 0
    assert growth.stationary_biases(0.99)[0] == pytest.approx(2 * slope, rel=1e-9)


def test_a_law_stands_for_the_arguments_it_holds():
    support, weights = random_law(3, 5)
    law = target.Law(support, weights, 2)
    w, b = sphere(4, 3)
    rate = growth.growth_rate(w, b, 0.4, support, weights, 2)
    np.testing.assert_array_equal(growth.growth_rate(w, b, 0.4, *law), rate)
    assert target.Law(support)[1:] == (None, 0)  # equal weights, the first coordinate


def test_axis_rate_is_the_rate_of_a_neuron_on_the_axis():
    bias = 0.8
    w = np.array([0, 1, 0]) / math.hypot(1, bias)
    rate = growth.growth_rate(w, bias / math.hypot(1, bias), 0.7, PARITY[3], coordinate=1)
    assert rate / math.sqrt(0.3) == pytest.approx(growth.axis_rate(bias, 0.7), abs=1e-15)


# A moment in the proof of bullet 2


def test_the_proof_takes_a_moment_for_one_that_depends_on_the_coordinate():
    w, b, alpha_bar = np.array([0.5, 0.4, -0.3]), 0.6, 0.8
    found = growth.proof_moments(w, b, alpha_bar, PARITY[3])
    # by sampling: B is the neuron's input less what x_t^(i) gives
    for side, moment in zip((1, -1), found):
        x0 = PARITY[3][PARITY[3][:, 0] == side][RNG.integers(0, 2, 200_000)]
        x = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * RNG.normal(size=x0.shape)
        sample = (w[0] ** 2 + (b + x[:, 1:] @ w[1:]) ** 2) / (w @ w + b**2)
        assert abs(sample.mean() - moment) < 4 * sample.std() / math.sqrt(len(x))
    # E[x0_2 x0_3 | x0_1] = x0_1 in the parity of three
    expected = 1 + np.array([1, -1]) * 2 * alpha_bar * w[1] * w[2] / (w @ w + b**2)
    np.testing.assert_allclose(found, expected, atol=1e-14)
    assert abs(found[0] - 1) > 0.2


def test_the_moment_is_one_for_longer_parities_and_the_laws_differ_all_the_same():
    w, b = sphere(10, 4)
    np.testing.assert_allclose(growth.proof_moments(w, b, 0.8, PARITY[4]), 1, atol=1e-14)
    lean = PARITY[4][:, 1:] @ w[0, 1:]  # what the other coordinates add to the bias
    third = [(lean[PARITY[4][:, 0] == side] ** 3).mean() for side in (1, -1)]
    np.testing.assert_allclose(third, np.array([1, -1]) * 6 * w[0, 1:].prod(), atol=1e-14)
    assert abs(third[0]) > 0.01


# Theorem 5.2: what keeps neurons on the axis


def by_hand(a, w, b, alpha_bar, support, weights, i, n=150_000):
    """−∂L/∂w by automatic differentiation on samples: means and standard errors [m, d]."""
    draw = torch.Generator().manual_seed(0)
    x0 = torch.from_numpy(support)[
        torch.multinomial(torch.from_numpy(weights), n, True, generator=draw)
    ]
    noise = torch.randn(n, support.shape[1], generator=draw, dtype=torch.float64)
    x = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * noise
    full = torch.zeros(len(a), support.shape[1], dtype=torch.float64)
    full[:, i] = torch.from_numpy(w)
    full.requires_grad_()
    parts = []
    for inputs, aim in zip(x.chunk(50), noise[:, i].chunk(50)):
        loss = (
            (torch.relu(inputs @ full.T + torch.from_numpy(b)) @ torch.from_numpy(a) - aim) ** 2
        ).mean()
        parts.append(-torch.autograd.grad(loss, full)[0])
    parts = torch.stack(parts)
    return parts.mean(0).numpy(), (parts.std(0) / math.sqrt(len(parts))).numpy()


NETWORK = dict(
    a=np.array([0.7, -1.2, 0.4, 0.9]),
    w=np.array([1.1, -0.6, 0.8, 0.0]),
    b=np.array([0.2, 0.5, -0.7, 0.3]),
)


def off_axis(support, weights=None, coordinate=0, alpha_bar=0.6):
    found = growth.force(
        **NETWORK, alpha_bar=alpha_bar, support=support, weights=weights, coordinate=coordinate
    )
    return np.delete(found, coordinate, -1)


def test_force_is_the_gradient_of_the_loss():
    support, weights = random_law(3, 5, seed=4)
    mean, error = by_hand(**NETWORK, alpha_bar=0.6, support=support, weights=weights, i=1)
    exact = growth.force(**NETWORK, alpha_bar=0.6, support=support, weights=weights, coordinate=1)
    assert (np.abs(mean - exact) < 4.5 * error + 1e-12).all() and np.abs(exact).min() > 0.01


def test_force_is_vectorised_and_small_networks_grow_at_the_rate():
    levels = np.array([0.3, 0.8])
    network = {name: np.stack([part, -part]) for name, part in NETWORK.items()}
    found = growth.force(**network, alpha_bar=levels, support=PARITY[3])
    assert found.shape == (2, 4, 3)
    negative = growth.force(*(-part for part in NETWORK.values()), 0.8, PARITY[3])
    np.testing.assert_allclose(found[1], negative, atol=1e-14)
    # a → 0: d w/ds = 2 a ∂K/∂w
    w = NETWORK["w"][:3, None] * [1, 0, 0]
    by_w = growth.growth_gradient(w, NETWORK["b"][:3], 0.6, PARITY[3])[0]
    tiny = growth.force(1e-7 * np.ones(3), NETWORK["w"][:3], NETWORK["b"][:3], 0.6, PARITY[3])
    np.testing.assert_allclose(tiny / 2e-7, by_w, atol=1e-6)


def test_a_neuron_that_never_opens_neither_feels_nor_gives_a_force():
    alone = growth.force(**NETWORK, alpha_bar=0.6, support=PARITY[3])
    longer = {
        name: np.append(part, value)
        for (name, part), value in zip(NETWORK.items(), (2.0, 0.0, -0.5))
    }
    with_it = growth.force(**longer, alpha_bar=0.6, support=PARITY[3])
    np.testing.assert_array_equal(with_it[-1], 0)
    np.testing.assert_allclose(with_it[:-1], alone, atol=1e-15)


@pytest.mark.parametrize(
    "support, weights", [(PARITY[3], None), (PARITY[4], None), pairwise_independent(5, 0)[:2]]
)
def test_axis_is_invariant_for_every_output_under_pairwise_independence(support, weights):
    for i in range(support.shape[1]):
        assert np.abs(off_axis(support, weights, i)).max() < 1e-14


def test_third_order_correlation_alone_gives_no_force():
    support, weights = target.law([[False] * 3, [True] * 3], [1, 0.7])
    assert np.abs(off_axis(support, weights)).max() < 1e-15


def test_for_one_output_it_is_enough_that_others_have_mean_zero_given_it():
    # x0_2 = x0_3 always: far from pairwise independent, and yet output 1 stays on its axis, while output 2 does not.
    support = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, 1], [-1, -1, -1]])
    assert np.abs(off_axis(support, coordinate=0)).max() < 1e-15
    force = off_axis(support, coordinate=1)  # components 1 and 3
    assert np.abs(force[:, 0]).max() < 1e-15 and np.abs(force[:, 1]).max() > 0.1


def test_force_is_linear_in_a_pairs_correlation():
    subsets = np.array([[False] * 3, [True, True, False], [True] * 3])
    forces = np.stack(
        [off_axis(*target.law(subsets, [1, rho, 0.2])) for rho in (-0.6, 0.1, 0.3, 0.8)]
    )
    assert np.abs(forces[:, :, 1]).max() < 1e-15 and np.abs(forces[-1, :, 0]).min() > 0.01
    for rho, force in zip((-0.6, 0.1, 0.3, 0.8), forces):
        np.testing.assert_allclose(force[:, 0], rho * forces[-1, :, 0] / 0.8, atol=1e-14)


def test_an_independent_but_biased_coordinate_gives_a_force():
    subsets = np.array([[False, False], [False, True]])
    weak, strong = (off_axis(*target.law(subsets, [1, mean])) for mean in (0.2, 0.6))
    np.testing.assert_allclose(strong, 3 * weak, atol=1e-14)
    assert np.abs(weak).min() > 1e-3


def test_printed_m_is_left_at_once():
    # a = 0 with any w lies in the printed M, where a_j (I − e_i e_iᵀ) w_j = 0. But da/ds = 2K(w, b) ≠ 0.
    w, b, alpha_bar = np.array([0.5, 0.8, -0.3]), 0.4, 0.6
    rate = 2 * growth.growth_rate(w, b, alpha_bar, PARITY[3])
    draw = np.random.default_rng(1)
    x0, noise = PARITY[3][draw.integers(0, 4, 300_000)], draw.normal(size=(300_000, 3))
    gate = np.maximum((math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * noise) @ w + b, 0)
    a, step = np.zeros(1), 0.01
    for _ in range(3):  # the loss of one neuron is E(a gate − ε)², so this is gradient descent in a
        a = a - step * 2 * (gate * (a * gate - noise[:, 0])).mean()
    assert rate > 0.1 and a[0] / (3 * step) == pytest.approx(rate, rel=0.05)
    assert (
        np.abs(a * w[1:]).min() > 1e-3
    )  # no longer in M; and balance, a² = ‖w‖² + b², excludes the start


# The counterexample to bullet 2


@pytest.mark.parametrize("n", [4, 6])
def test_counterexample_obeys_the_assumption_and_is_summed_correctly(n):
    others = target.hypercube(n)
    zero, two, none = others[others.sum(1) == 0], others[others.sum(1) == 2], -np.ones((1, n))
    support = np.concatenate(
        [np.insert(part, 0, side, 1) for part, side in ((zero, 1), (none, -1), (two, -1))]
    )
    share = [0.5 / len(zero), 1 / (n + 2), n / (n + 2) / 2 / len(two)]
    weights = np.repeat(share, [len(zero), 1, len(two)])
    subsets, coefficients = target.fourier(support, weights)
    size = subsets.sum(1)
    assert np.abs(coefficients[(size == 1) | (size == 2)]).max() < 1e-14
    np.testing.assert_allclose(counterexample.moments(n), 0, atol=1e-14)
    third = coefficients[(size == 3) & subsets[:, 0]]
    np.testing.assert_allclose(third, -1 / (n - 1), atol=1e-14)
    w, v, b = np.array([0.6, 0.9]), np.array([0.2, -0.1]), np.array([0.5, 0.1])
    full = np.column_stack([w] + [v] * n)
    expected = growth.growth_rate(full, b, 0.8, support, weights)
    np.testing.assert_allclose(counterexample.growth_rate(w, v, b, 0.8, n), expected, atol=1e-14)


def precise_excess(alpha_bar, n, v, bias):
    """K/√(1−ᾱ) at w = 1, v, D = bias less its maximum on the axis, on the sphere and in mpmath's precision."""
    alpha_bar, v, bias = mp.mpf(alpha_bar), mp.mpf(v), mp.mpf(bias)
    signal, spread = mp.sqrt(alpha_bar), mp.sqrt(1 - alpha_bar)

    def rate(v, bias):
        length = mp.sqrt(1 + n * v * v)
        strings = [
            (mp.mpf(1) / 2, 1),
            (mp.mpf(1) / (n + 2), -1 - n * v),
            (mp.mpf(n) / (2 * n + 4), -1 + 2 * v),
        ]
        gate = sum(
            p * mp.erfc(-(signal * sums + bias) / spread / length / mp.sqrt(2)) / 2
            for p, sums in strings
        )
        return gate / mp.sqrt(1 + n * v * v + bias * bias)

    best = mp.findroot(
        lambda x: precise_condition(x, alpha_bar), growth.optimal_bias(float(alpha_bar))
    )
    return rate(v, bias) - rate(mp.mpf(0), best)


def test_counterexample_at_fifty_digits():
    excess, w, v, b = counterexample.excess(0.9999, 10_000)
    assert w**2 + 10_000 * v**2 + b**2 == pytest.approx(1)
    np.testing.assert_allclose((w, v, b), (0.6977, 1.394e-4, 0.7163), rtol=3e-4)
    with mp.workdps(50):
        precise = precise_excess("0.9999", 10_000, v / w, b / w)
    assert 2.13e-8 < precise < 2.14e-8 and excess == pytest.approx(float(precise), abs=1e-14)


def test_where_the_counterexample_starts():
    assert counterexample.limit(0.99972) < 0 < counterexample.limit(0.99973)
    levels = np.array([0.999, 0.9999, 0.99999])
    found = [1e6 * counterexample.excess(level, 10**6)[0] for level in levels]
    np.testing.assert_allclose(found, counterexample.limit(levels), atol=2e-6)
    with mp.workdps(40):  # at ᾱ = .9999 the least n is 2904
        for n, above in ((2902, False), (2904, True)):
            excess, w, v, b = counterexample.excess(0.9999, n)
            precise = precise_excess("0.9999", n, v / w, b / w)
            assert (precise > 0) == above and abs(precise) > 1e-12
            assert excess == pytest.approx(float(precise), abs=1e-14)


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"w of shape \(2,\); allowed: \[..., 3\]"):
        growth.growth_rate([1, 0], 0, 0.5, PARITY[3])
    with pytest.raises(ValueError, match="alpha_bar=0.0; allowed"):
        growth.optimal_bias(0)
    with pytest.raises(ValueError, match="coordinate=-1; allowed: 0 to 2"):
        growth.growth_rate([1, 0, 0], 0, 0.5, PARITY[3], coordinate=-1)
    with pytest.raises(ValueError, match="x0_0 is always 1.0; allowed: both signs"):
        growth.proof_moments([1, 0], 0, 0.5, [[1, 1], [1, -1]])
    for n in (0, 7):
        with pytest.raises(ValueError, match=f"n={n}; allowed: even"):
            counterexample.law(n)


# Under the surrogate flow


def neuron(d, sign, seed):
    direction = np.random.default_rng(seed).normal(size=d + 1)
    direction *= 1e-2 / np.linalg.norm(direction)
    return sign * 1e-2, direction[:-1], direction[-1]


@pytest.mark.parametrize("d, sign, seed", [(3, 1, 0), (3, -1, 1), (8, 1, 2), (8, -1, 3)])
def test_a_surrogate_neuron_grows_as_the_integral_of_its_rate(d, sign, seed):
    """Beside a flow in small steps of Runge and Kutta, and the head of Theorem 5.3 by quadrature."""
    law, level, n = PARITIES[d], 0.7, 2000
    a, w, b = neuron(d, sign, seed)
    times = np.linspace(0, 4, n + 1)
    found = growth.surrogate(a, w, b, times, level, law)

    def slope(state):
        by_w, by_b = growth.growth_gradient(state[1:-1], state[-1], level, *law)
        rate = growth.growth_rate(state[1:-1], state[-1], level, *law)
        return np.concatenate([[2 * rate], 2 * state[0] * by_w, [2 * state[0] * by_b]])

    state, h = np.concatenate([[a], w, [b]]), times[1]
    for _ in range(n):
        first = slope(state)
        second = slope(state + h / 2 * first)
        third = slope(state + h / 2 * second)
        last = slope(state + h * third)
        state = state + h / 6 * (first + 2 * second + 2 * third + last)
    np.testing.assert_allclose(found.a[-1], state[0], rtol=1e-8)
    np.testing.assert_allclose(found.w[-1], state[1:-1], rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(found.a**2, (found.w**2).sum(1) + found.b**2, rtol=1e-8)  # balance
    size = np.abs(found.a)
    rates = growth.growth_rate(found.w / size[:, None], found.b / size, level, *law)
    summed = np.concatenate([[0], ((rates[1:] + rates[:-1]) / 2).cumsum() * h])
    np.testing.assert_allclose(size, abs(a) * np.exp(2 * sign * summed), rtol=1e-5)
    np.testing.assert_allclose(found.integral, summed, atol=1e-5)


def test_the_fastest_directions_are_kept():
    """On the axis |a| is exp(2 |K| s), to the digit; the printed second direction turns at once."""
    level, times = 0.7, np.linspace(0, 3, 7)
    best = growth.optimal_bias(level)
    length = math.hypot(1, best)
    rate = math.sqrt(1 - level) * growth.axis_rate(best, level)
    for sign in (1, -1):
        w = np.array([sign / length, 0, 0, 0])
        found = growth.surrogate(sign, w, best / length, times, level, PARITIES[4])
        np.testing.assert_allclose(np.abs(found.a), np.exp(2 * rate * times), rtol=1e-9)
        np.testing.assert_allclose(found.w / np.abs(found.a)[:, None], [w] * 7, atol=1e-9)
        np.testing.assert_allclose(found.b / np.abs(found.a), best / length, rtol=1e-9)
    turned = growth.surrogate(-1, w, -best / length, times, level, PARITIES[4])
    assert abs(turned.b[1] / abs(turned.a[1]) + best / length) > 0.05
    assert abs(turned.a[-1]) < 0.9 * np.exp(2 * rate * times[-1])


@pytest.mark.parametrize("level", [0.05, 0.5, 0.95, 0.999])
def test_the_rate_is_bounded_under_every_law(level):
    """|K| < √(1−ᾱ) on the sphere: K is √(1−ᾱ) w_i times a probability."""
    rng = np.random.default_rng(1)
    for d in (2, 3, 5):
        law = Law(target.hypercube(d), rng.dirichlet(np.full(2**d, 0.3)))
        neurons = rng.normal(size=(2000, d + 1))
        neurons[:2] = [1, *[0] * d], [1, *[0] * (d - 1), 5]
        neurons /= np.linalg.norm(neurons, axis=1, keepdims=True)
        rate = growth.growth_rate(neurons[:, :-1], neurons[:, -1], level, *law)
        assert (np.abs(rate) < math.sqrt(1 - level)).all()
        assert (rate * neurons[:, 0] >= 0).all()  # 0 where the probability is below any float64


@pytest.mark.parametrize("members, correlated", [((0, 1, 2), False), ((0, 1), True)])
def test_both_terms_of_the_force_vanish_by_themselves(members, correlated):
    """Lemmas A.1 and A.2, by integrating over ε_i on a grid: E[s 1_j x_k] and E[ε_i 1_j x_k]."""
    law, level = dependence(3, members, 0.5), 0.6
    a, w, b = np.random.default_rng(3).normal(size=(3, 4))
    noise = np.linspace(-9, 9, 200_001)
    density = norm.pdf(noise) * (noise[1] - noise[0])
    network, of_noise = np.zeros((4, 2)), np.zeros((4, 2))
    for string, weight in zip(law.support, law.weights):
        own = math.sqrt(level) * string[0] + math.sqrt(1 - level) * noise
        hidden = np.maximum(w[:, None] * own + b[:, None], 0)
        opened = (hidden > 0) * density
        others = weight * math.sqrt(level) * string[1:]  # the mean of x_t^(k) given the string
        network += (opened @ (a @ hidden))[:, None] * others
        of_noise += (opened @ noise)[:, None] * others
    plus, minus = (growth.force(sign * a, w, b, level, *law)[:, 1:] for sign in (1, -1))
    np.testing.assert_allclose(-(plus + minus) / (4 * a[:, None]), network, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose((plus - minus) / (4 * a[:, None]), of_noise, rtol=1e-4, atol=1e-12)
    largest = [np.abs(term).max() for term in (network, of_noise)]
    assert min(largest) > 0.01 if correlated else max(largest) < 1e-12
