"""Where neurons go on the sphere, against the differential equation; the maxima of the growth rate, searched."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from localbias.theory import directions, growth, target
from localbias.theory.laws import PARITIES, pairwise_independent
from localbias.theory.target import Law

RNG = np.random.default_rng(0)


def sphere(n, d, seed=0):
    u = np.random.default_rng(seed).normal(size=(n, d + 1))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u[:, :-1], u[:, -1]


# Where neurons go


@pytest.mark.parametrize("d, alpha_bar, neurons", [(3, 0.9, 100), (4, 0.95, 100), (8, 0.95, 40)])
def test_settled_neurons_are_where_the_differential_equation_takes_them(d, alpha_bar, neurons):
    w, b = sphere(8, d, seed=1)
    found = np.column_stack(directions.settle(w, b, alpha_bar, PARITIES[d])[:2])

    def along(_, flat):
        u = flat.reshape(8, d + 1)
        g = np.column_stack(growth.growth_gradient(u[:, :-1], u[:, -1], alpha_bar, *PARITIES[d]))
        return (g - (g * u).sum(1, keepdims=True) * u).ravel() / math.sqrt(1 - alpha_bar)

    last = (
        solve_ivp(along, (0, 150), np.column_stack([w, b]).ravel(), rtol=1e-6, atol=1e-8)
        .y[:, -1]
        .reshape(8, d + 1)
    )
    rate = growth.growth_rate(last[:, :-1], last[:, -1], alpha_bar, *PARITIES[d])
    alive = (
        np.abs(rate) > 1e-3
    )  # where P(w·x + b > 0) vanishes the flow creeps, and where it stops is not a point
    assert alive.sum() >= 5
    np.testing.assert_allclose(found[alive], last[alive], atol=1e-3)


@pytest.mark.parametrize("d, alpha_bar", [(3, 0.9), (8, 0.7)])
def test_paths_climb_or_descend_along_the_sphere_to_where_they_settle(d, alpha_bar):
    (w, b), sign = sphere(12, d), np.tile([1, -1], 6)
    along = directions.paths(w, b, alpha_bar, PARITIES[d], sign=sign)
    np.testing.assert_array_equal(along[0], np.column_stack([w, b]))
    np.testing.assert_allclose(np.linalg.norm(along, axis=-1), 1)
    rate = growth.growth_rate(along[..., :-1], along[..., -1], alpha_bar, *PARITIES[d])
    assert (np.diff(rate, axis=0) * sign > -1e-9).all()
    alive = np.abs(rate[-1]) > 0.05
    settled = np.column_stack(directions.settle(w, b, alpha_bar, PARITIES[d], sign=sign)[:2])
    assert alive.sum() > 6
    np.testing.assert_allclose(along[-1][alive], settled[alive], atol=1e-3)
    assert np.linalg.norm(np.diff(along, axis=0), axis=-1).max() < 0.35  # smooth enough to be drawn


def test_the_least_rate_is_at_the_same_bias_and_opposite_weight():
    # The extremes are (±e_i, D*), not ±(e_i, D*): neurons with a < 0 settle where the bias is still positive.
    best = growth.optimal_bias(0.6)
    length = math.hypot(1, best)
    w, b, settled = directions.settle(*sphere(60, 4), 0.6, PARITIES[4], sign=-1)
    rate = growth.growth_rate(w, b, 0.6, *PARITIES[4])
    lowest = rate < -0.1
    assert settled.all() and lowest.mean() > 0.8
    np.testing.assert_allclose(
        w[lowest], np.tile([-1 / length, 0, 0, 0], (lowest.sum(), 1)), atol=1e-5
    )
    np.testing.assert_allclose(b[lowest], best / length, atol=1e-5)
    opposite = growth.growth_rate([-1 / length, 0, 0, 0], -best / length, 0.6, *PARITIES[4])
    assert rate.min() < 2 * opposite < 0


def test_neurons_may_die_instead():
    # With a > 0, K < 0 is raised to 0 by closing the gate; the flow never opens it again.
    w, b, settled = directions.settle([[-0.5, 0, 0]], [-0.8], 0.5, PARITIES[3])
    assert settled.all() and abs(growth.growth_rate(w, b, 0.5, *PARITIES[3])[0]) < 1e-5
    assert directions.ends(w, b, settled, 0.5, PARITIES[3]).dead == 1


def test_shares_count_the_kinds():
    w, b, settled = directions.settle(*sphere(60, 3), 0.9, PARITIES[3])
    names = directions.kinds(w, b, settled, 0.9, PARITIES[3])
    one_by_one = [
        directions.kinds(w[k], b[k], settled[k], 0.9, PARITIES[3]).item() for k in range(60)
    ]
    shares = directions.ends(w, b, settled, 0.9, PARITIES[3])
    assert names.tolist() == one_by_one and sum(shares) == pytest.approx(1)
    assert {name: one_by_one.count(name) / 60 for name in shares._fields} == pytest.approx(
        shares._asdict()
    )
    assert min(shares.best, shares.axis, shares.off, shares.dead) > 0


def test_kinds_of_known_neurons():
    bias, other = growth.stationary_biases(0.9)[[2, 0]]
    w = np.array([[1, 0, 0], [1, 0, 0], [-1, 0, 0], [1, 0.5, 0], [0, 0, 0], [1, 0, 0]], float)
    b, settled = np.array([bias, other, bias, 0.3, -1, bias]), np.array([True] * 5 + [False])
    expected = ["best", "axis", "axis", "off", "dead", "unsettled"]
    assert directions.kinds(w, b, settled, 0.9, PARITIES[3]).tolist() == expected
    second = PARITIES[3]._replace(coordinate=1)
    assert directions.kinds(np.roll(w, 1, 1), b, settled, 0.9, second).tolist() == expected
    assert directions.others_seen(w).tolist() == [0, 0, 0, 1, 0, 0]
    assert directions.others_seen(w, coordinate=1).tolist() == [1, 1, 1, 1, 0, 1]
    with pytest.raises(ValueError, match="coordinate=3; allowed: 0 to 2"):
        directions.kinds(w, b, settled, 0.9, PARITIES[3]._replace(coordinate=3))


def test_share_of_neurons_that_end_on_the_axis():
    for d, levels in ((3, (0.5, 0.75, 0.8)), (4, (0.5, 0.85, 0.95)), (8, (0.5, 0.9, 0.95))):
        low, middle, high = (
            directions.local_maxima(level, PARITIES[d], neurons=80).ends for level in levels
        )
        assert (
            low.best > 0.85 and middle.best > 0.85 and low.off == middle.off == 0 and high.off > 0.5
        )


# Theorem 5.3, bullet 2: the maximum is on the axis, in the laws of few signs that are searched


@pytest.mark.parametrize("d, alpha_bar", [(3, 0.7), (3, 0.8), (3, 0.95), (4, 0.95), (8, 0.95)])
def test_local_maxima_are_local_maxima(d, alpha_bar):
    w, b, rate, shares = directions.local_maxima(alpha_bar, PARITIES[d], neurons=60)
    top = growth.axis_rate(growth.optimal_bias(alpha_bar), alpha_bar)
    assert (
        shares.unsettled == 0
        and sum(shares) == pytest.approx(1)
        and np.diff(rate).max(initial=0) < 1e-12
    )
    assert rate.max() <= top + 1e-12 and shares.best > 0  # the search did reach the axis's maximum
    beside = RNG.normal(size=(200, d + 1))
    for point in np.column_stack([w, b]):
        moved = point + 3e-3 * beside / np.linalg.norm(beside, axis=1, keepdims=True)
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        near = growth.growth_rate(moved[:, :-1], moved[:, -1], alpha_bar, *PARITIES[d])
        assert (
            near < growth.growth_rate(point[:-1], point[-1], alpha_bar, *PARITIES[d]) + 1e-9
        ).all()


@pytest.mark.parametrize(
    "d, alpha_bar, seed", [(3, 0.9, 0), (4, 0.6, 1), (4, 0.95, 2), (5, 0.8, 3), (5, 0.97, 4)]
)
def test_axis_holds_the_maximum_under_random_pairwise_independent_laws(d, alpha_bar, seed):
    law = pairwise_independent(d, seed)
    subsets, coefficients = target.fourier(law.support, law.weights)
    size = subsets.sum(1)
    assert (
        np.abs(coefficients[(size == 1) | (size == 2)]).max()
        < 1e-12
        < np.abs(coefficients[size == 3]).max()
    )
    top = growth.axis_rate(growth.optimal_bias(alpha_bar), alpha_bar)
    _, _, rate, shares = directions.local_maxima(alpha_bar, law, neurons=60)
    assert rate.max() <= top + 1e-10 and shares.best > 0


def test_axis_holds_the_maximum_where_the_coordinate_is_independent():
    # Here the proof is sound: the bias B that other coordinates make does not depend on x0_i.
    others, weights, _ = pairwise_independent(4, 5)
    support = np.concatenate([np.insert(others, 0, side, 1) for side in (1, -1)])
    top = growth.axis_rate(growth.optimal_bias(0.9), 0.9)
    law = Law(support, np.tile(weights, 2))
    _, _, rate, shares = directions.local_maxima(0.9, law, neurons=60)
    assert rate.max() <= top + 1e-10 and shares.best > 0
