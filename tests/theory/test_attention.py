"""A layer of attention against sums over the hypercube, closed forms and finite differences."""

import itertools
import math

import numpy as np
import pytest
import torch

from localbias.theory import attention, numerics, target
from localbias.theory.attention import CONTENT, OWN, UNIVARIATE, VALUE, Layer
from localbias.theory.laws import PARITIES, pairwise_independent
from localbias.theory.target import Law

LEVEL = 0.3
SOME = Layer(0.3, 0.6, -0.4, 0.7, 0.5, 0.6, -0.3)


def points_of(law, nodes=5):
    return attention.grid(law, LEVEL, nodes)


def by_hand(x, layer):
    """Every output of the layer at one x [d], in plain Python."""
    t = [math.tanh(math.sqrt(LEVEL) / (1 - LEVEL) * one) for one in x]
    outputs = []
    for i in range(len(x)):
        logits = [
            layer.diagonal * (k == i) + (layer.key + layer.alike * x[i]) * x[k]
            for k in range(len(x))
        ]
        total = sum(map(math.exp, logits))
        value = sum(
            math.exp(one) / total * (layer.value_x * x[k] + layer.value_t * t[k])
            for k, one in enumerate(logits)
        )
        outputs.append(layer.own_x * x[i] + layer.own_t * t[i] + value)
    return outputs


# The population


@pytest.mark.parametrize("nodes", [4, 9])
def test_the_rule_is_gausss(nodes):
    """Moments of the noised sign are exact below degree 2·nodes, and not beyond it."""
    node, weight = attention.gauss_rule(LEVEL, nodes)
    grid, spread = numerics.GRID, math.sqrt(1 - LEVEL)
    for power in range(0, 2 * nodes + 2, 2):
        moment = numerics.gaussian((math.sqrt(LEVEL) + spread * grid) ** power)[0]
        exact = abs(weight @ node**power / moment - 1) < 1e-9
        assert exact == (power < 2 * nodes), power
    assert (node == -node[::-1]).all() and (weight > 0).all()


@pytest.mark.parametrize("d", [3, 4])
def test_multisets_are_the_whole_grid(d):
    """The parity's points are those of the whole grid of nodes, the likes of each other added up."""
    few, all_of = attention.parity(d, LEVEL, 5), points_of(PARITIES[d])
    assert len(few.x) == math.comb(5 + d - 2, d - 1) * 5 and len(all_of.x) == 5**d
    assert few.excess(SOME) == pytest.approx(all_of.excess(SOME), rel=1e-12)
    np.testing.assert_allclose(few.gradient(SOME), all_of.gradient(SOME), atol=1e-13)
    np.testing.assert_allclose(few.leak(SOME), all_of.leak(SOME), rtol=1e-11)


def test_expectations_are_those_of_the_noised_hypercube():
    """A sum over strings times a Gauss-Hermite rule for each, with the posterior over strings."""
    node, weight = np.polynomial.hermite_e.hermegauss(9)
    noise = np.stack(np.meshgrid(*[node] * 3, indexing="ij"), -1).reshape(-1, 3)
    chances = np.prod(np.meshgrid(*[weight / weight.sum()] * 3, indexing="ij"), 0).ravel()
    strings = target.parity(3)
    x = (math.sqrt(LEVEL) * strings[:, None] + math.sqrt(1 - LEVEL) * noise).reshape(-1, 3)
    guess = target.posterior_mean(x, LEVEL, strings)[:, 0]
    outputs = np.array([by_hand(one, SOME)[0] for one in x])
    expected = np.tile(chances, 4) / 4 @ (outputs - guess) ** 2
    fine = [attention.parity(3, LEVEL, nodes).excess(SOME) for nodes in (10, 14)]
    assert abs(fine[1] - expected) < 2e-3 * expected and abs(fine[1] - fine[0]) < 1e-3 * expected


def test_the_univariate_optimum_misses_by_the_exact_gap():
    for d in (3, 4, 6):
        gap = attention.parity(d, LEVEL, 10).excess(UNIVARIATE)
        assert gap == pytest.approx(target.parity_gap(LEVEL, d)[0], rel=3e-3)


def test_gradient_and_curvature_are_derivatives():
    points, weights = attention.parity(3, LEVEL, 5), np.array(SOME)
    steps = 1e-5 * np.eye(7)
    slopes = [(points.excess(weights + s) - points.excess(weights - s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(points.gradient(SOME), slopes, atol=1e-9)
    bends = [(points.gradient(weights + s) - points.gradient(weights - s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(points.curvature(SOME), bends, atol=1e-8)


def test_leak_is_that_of_finite_differences():
    points = attention.parity(3, LEVEL, 4)
    x, weight = points.x.numpy(), points.weight.numpy()
    slopes = np.array(
        [
            [
                (by_hand(one + step, SOME)[0] - by_hand(one - step, SOME)[0]) / 2e-6
                for step in 1e-6 * np.eye(3)
            ]
            for one in x
        ]
    )
    squares = slopes**2
    outside, total = squares[:, 1:].sum(1), squares.sum(1)
    found = weight @ (outside / total), weight @ outside / (weight @ total)
    np.testing.assert_allclose(points.leak(SOME), found, rtol=1e-6)


# 1: the residual of a univariate output and one other token


def residual(points, univariate):
    """r_0 = f_0 − E[x0_0 | x] for f_0 a function of x_0."""
    return univariate(points.x[:, 0]) - points.target


@pytest.mark.parametrize("law", [*map(PARITIES.get, (3, 4)), pairwise_independent(4, 1)])
def test_one_other_token_factors_out(law):
    points = points_of(law)
    for i, (f, own, psi) in enumerate(
        itertools.product((torch.sin, torch.exp), (torch.cos, torch.tanh), (torch.exp, torch.sin))
    ):
        r, k = residual(points, f), 1 + i % 2
        joint = points.mean(r * own(points.x[:, 0]) * psi(points.x[:, k]))
        apart = points.mean(r * own(points.x[:, 0])) * points.mean(psi(points.x[:, k]))
        assert joint == pytest.approx(apart, abs=1e-13)


def test_a_correlated_token_does_not():
    pair = Law(np.array([[1.0, 1], [-1, -1], [1, 1], [1, -1]]))
    points = points_of(pair)
    r = residual(points, torch.sin)
    joint = points.mean(r * torch.sin(points.x[:, 1]))
    assert abs(joint - points.mean(r) * points.mean(torch.sin(points.x[:, 1]))) > 0.05


# 2: the set in which the product of value and output is 0


@pytest.mark.parametrize("d", [3, 4, 5])
def test_the_tokens_own_share_alone_moves_the_product(d):
    points = points_of(Law(target.parity(d)), 4)
    for diagonal in (0, 1.5):
        layer = Layer(own_x=0.2, diagonal=diagonal)
        share = math.exp(diagonal) / (math.exp(diagonal) + d - 1)
        r = residual(points, lambda x: 0.2 * x)
        own = 2 * share * points.mean(r * points.x[:, 0])
        found = points.gradient(layer)[Layer._fields.index("value_x")]
        assert found == pytest.approx(own, abs=1e-14) and abs(own) > 0.01
        others = [points.mean(r * points.x[:, k]) for k in range(1, d)]
        assert np.abs(others).max() < 1e-14


@pytest.mark.parametrize("law", [*map(PARITIES.get, (3, 4)), pairwise_independent(4, 2)])
def test_with_attention_by_position_every_univariate_optimum_is_critical(law):
    for diagonal in (-1, 0, 2):
        found = points_of(law).gradient(UNIVARIATE._replace(diagonal=diagonal))
        assert np.abs(found).max() < 1e-14


def test_with_attention_by_content_it_is_not():
    found = attention.parity(4, LEVEL).gradient(UNIVARIATE._replace(key=0.7))
    assert np.abs(found[[2, 3]]).min() > 1e-3 and np.abs(found[[0, 1, 4, 5, 6]]).max() < 1e-14


# 4: what a feature sees from the univariate optimum


def by_coefficients(law, feature, nodes=5):
    """−Σ_{S∌0} p̂(S ∪ {0}) E_ind[(1 − t_0²) t_S g], by independent signs on the grid."""
    d = law.support.shape[1]
    free = points_of(Law(target.hypercube(d)), nodes)
    t, g = free.squashed(free.x), feature(free.x)
    subsets, coefficients = target.fourier(law.support, law.weights)
    total = 0
    for subset, coefficient in zip(subsets, coefficients):
        if subset[0]:
            product = t[:, 1:][:, torch.from_numpy(subset[1:])].prod(1)
            total -= coefficient * free.mean((1 - t[:, 0] ** 2) * product * g)
    return total


FEATURES = {
    "a sum of exponentials": lambda x: x.exp().sum(1),
    "a product": lambda x: torch.sin(x[:, 0]) * x[:, 1:].prod(1),
    "attention": lambda x: ((0.9 * x).softmax(1) * x).sum(1),
}


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize(
    "law", [*map(PARITIES.get, (3, 4)), *(pairwise_independent(4, s) for s in (0, 1))]
)
def test_pull_is_that_of_the_coefficients(law, name):
    found = points_of(law).pull(UNIVARIATE, FEATURES[name])
    assert found == pytest.approx(by_coefficients(law, FEATURES[name]), abs=1e-13)


@pytest.mark.parametrize("d", [3, 4, 5])
def test_a_feature_that_ignores_one_other_token_is_not_pulled(d):
    points = points_of(Law(target.parity(d)), 4)

    def blind(x):
        return ((1 + x[:, :1]) * x[:, :-1]).exp().prod(1) + x[:, 0] ** 3

    size = float(blind(points.x).abs().max())
    assert abs(points.pull(UNIVARIATE, blind)) < 1e-14 * size
    assert abs(points.pull(UNIVARIATE, lambda x: (0.5 * x).exp().prod(1))) > 1e-4


@pytest.mark.parametrize("d", [3, 4, 5, 6])
def test_attention_by_content_is_pulled_by_the_order_of_the_rule(d):
    keys = np.array([0.02, 0.04, 0.08])
    found, leading = (
        how(d, LEVEL, keys) for how in (attention.content_pull, attention.leading_pull)
    )
    np.testing.assert_allclose(found / leading, 1, atol=0.012)
    np.testing.assert_allclose(attention.exponents(keys, found), d - 2, atol=0.02)
    # What is missing is of the order β²: a quarter of it where β is half.
    missing = 1 - (found / leading) / (found / leading)[0]
    assert missing[2] / missing[1] == pytest.approx(5, rel=0.05)  # (16 − 1) / (4 − 1)


@pytest.mark.parametrize("d", [3, 4, 5])
def test_what_attention_gains_is_of_twice_that_order(d):
    points, keys = attention.parity(d, LEVEL, 6), np.array([0.05, 0.1])
    gains = [attention.gain(points, Layer(key=key)) for key in keys]
    assert attention.exponents(keys, gains)[0] == pytest.approx(2 * (d - 2), abs=0.1)


def test_the_gain_is_that_of_the_best_layer_with_these_logits():
    points = attention.parity(3, LEVEL, 5)
    best = attention.flow(points, [1e5], UNIVARIATE._replace(key=0.8), OWN + VALUE)
    gain = points.excess(UNIVARIATE) - best.excess[-1]
    assert gain == pytest.approx(attention.gain(points, Layer(key=0.8)), rel=1e-5) and gain > 1e-4


# 3 and 5: flows


@pytest.mark.parametrize("d", [3, 4, 8])
def test_the_first_leak_is_the_closed_form(d):
    path = attention.flow(attention.parity(d, LEVEL, 4), [1e-4])
    assert path.pooled[0] == pytest.approx(attention.first_leak(d), rel=1e-3)
    assert path.pooled[0] < path.leak[0] < 1.1 * path.pooled[0]


def test_the_leak_heals_and_content_stays_out_of_it():
    path = attention.flow(attention.parity(4, LEVEL, 5), np.geomspace(1e-3, 3e3, 20))
    assert path.leak.argmax() == 0 and path.leak[-1] < 1e-4 * path.leak[0]
    np.testing.assert_allclose(path.layers[-1, :4], UNIVARIATE[:4], atol=1e-2)
    assert np.abs(path.weight("key")).max() < 1e-12  # by the symmetry of turning all four signs
    assert path.excess[-1] == pytest.approx(
        attention.parity(4, LEVEL, 5).excess(UNIVARIATE), rel=1e-4
    )


def test_of_three_signs_it_leaves():
    path = attention.flow(attention.parity(3, LEVEL, 4), [10, 1000])
    assert path.leak[1] > 100 * path.leak[0] and path.excess[1] < 0.95 * path.excess[0]


def test_hard_attention_on_oneself_is_approached_as_half_the_logarithm():
    points, start = attention.parity(3, LEVEL, 4), Layer(value_t=1, diagonal=1)
    times = [1e3, 1e4, 1e5]
    without = attention.flow(points, times, start, (*VALUE, "diagonal")).weight("diagonal")
    np.testing.assert_allclose(np.diff(without), math.log(10) / 2, rtol=0.02)
    beside = attention.flow(points, times, start, (*OWN, *VALUE, "diagonal"))
    assert np.diff(beside.weight("diagonal"))[1] < 1e-3
    assert np.abs(beside.layers[-1, 2:4]).max() < 1e-2  # the product has died out instead


def test_a_flow_moves_what_it_trains_only():
    points = attention.parity(3, LEVEL, 4)
    path = attention.flow(points, [0.5, 2], SOME, CONTENT)
    kept = [i for i, name in enumerate(Layer._fields) if name not in CONTENT]
    assert (path.layers[:, kept] == np.array(SOME)[kept]).all()
    assert path.excess[1] < path.excess[0] < points.excess(SOME)


# 6: additive models


@pytest.mark.parametrize("law", [*map(PARITIES.get, (3, 4)), pairwise_independent(4, 3)])
def test_the_best_additive_function_is_the_univariate_one(law):
    points = points_of(law, 4)
    steps = [(points.x[:, k, None] == points.x[:, k].unique()) for k in range(points.x.shape[1])]
    design = torch.cat(steps, 1).double() * points.weight.sqrt()[:, None]  # any additive function
    best = torch.linalg.lstsq(design, points.weight.sqrt() * points.target, driver="gelsd").solution
    fitted = design @ best / points.weight.sqrt()
    torch.testing.assert_close(fitted, points.squashed(points.x[:, 0]), atol=1e-11, rtol=0)


# Input


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: attention.gauss_rule(LEVEL, 1), "nodes=1; allowed: whole numbers from 2"),
        (lambda: attention.gauss_rule(1.5, 4), r"alpha_bar=1.5; allowed: inside \(0, 1\)"),
        (lambda: attention.parity(1, LEVEL), "d=1; allowed: whole numbers from 2"),
        (lambda: attention.parity(16, LEVEL, 12), "nodes=12, d=16: .* points; allowed: 2,000,000"),
        (
            lambda: attention.flow(attention.parity(3, LEVEL, 4), [1], trained=["bias"]),
            r"trained \['bias'\]; allowed: own_x, ",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
