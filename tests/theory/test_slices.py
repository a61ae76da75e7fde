"""Slices of the sphere that the flow never leaves, the globes that show them, and the discs."""

import math

import numpy as np
import pytest

from localbias.theory import directions, growth, slices
from localbias.theory.laws import PARITIES


@pytest.mark.parametrize(
    "d, lean", [(3, [1, 1]), (3, [2, -2]), (8, [1] * 7), (4, [1, 0, 0]), (8, [0, 0, 3, 0, 0, 0, 0])]
)
def test_a_slice_by_symmetry_is_never_left(d, lean):
    assert slices.leaves_slice(d, lean) < 1e-15


def test_another_slice_is_left():
    """For three signs a lean on one other coordinate is pulled towards the third."""
    far = slices.leaves_slice(3, [1, 0])
    assert far > 0.01 and far == slices.leaves_slice(3, [5, 0])
    rng = np.random.default_rng(0)
    w1, v, b = rng.standard_normal((500, 3)).T  # the neurons of the check
    by_w, _ = growth.growth_gradient(np.stack([w1, v, 0 * v], 1), b, 0.9, PARITIES[3].support)
    assert far == pytest.approx(np.abs(by_w[:, 2]).max())
    assert slices.leaves_slice(3, [1, 0], 0.1) < far  # under much noise signs are all but apart


@pytest.fixture(scope="module")
def globe():
    return slices.globe(3, [1, -1], 0.9)


def test_a_globe_shows_the_rate_as_the_eye_sees_it(globe):
    np.testing.assert_allclose(globe.screen @ globe.screen.T, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(globe.screen @ globe.eye, 0, atol=1e-15)
    assert np.linalg.norm(globe.eye) == pytest.approx(1)
    u = np.array([1, -1]) / math.sqrt(2)
    for column, row in ((90, 90), (30, 110), (120, 40)):
        x, y = globe.line[column], globe.line[row]
        w1, v, b = (
            x * globe.screen[0] + y * globe.screen[1] + math.sqrt(1 - x**2 - y**2) * globe.eye
        )
        rate = growth.growth_rate([w1, *(v * u)], b, 0.9, PARITIES[3].support)
        assert globe.rate[row, column] == pytest.approx(rate / math.sqrt(0.1))
    assert globe.rate.shape == (181, 181) and np.isfinite(globe.rate).all()


def test_paths_on_a_globe_stay_on_it_and_climb_to_its_maxima(globe):
    u, maxima = (
        np.array([1, -1]) / math.sqrt(2),
        np.concatenate([top.points for top in globe.maxima]),
    )
    assert 30 < len(globe.paths) <= slices.STARTS
    assert {path.end for path in globe.paths} <= {"best", "axis", "off"}
    for path in globe.paths:
        np.testing.assert_allclose(np.linalg.norm(path.points, axis=1), 1, atol=1e-9)
        w1, v, b = path.points.T
        rate = growth.growth_rate(np.column_stack([w1, v[:, None] * u]), b, 0.9, *PARITIES[3])
        assert (np.diff(rate) > -1e-9).all()
    gaps = [np.linalg.norm(maxima - path.points[-1], axis=1).min() for path in globe.paths]
    assert np.mean(np.array(gaps) < 0.02) > 0.9  # a few start where K is all but flat, and are slow


def test_maxima_of_a_globe_are_those_on_its_slice(globe):
    found = directions.local_maxima(0.9, PARITIES[3], neurons=150)
    assert len(globe.maxima) == len(found.rate) == 4  # all of them: two lean on both others alike
    assert sorted(top.end for top in globe.maxima) == ["axis", "best", "off", "off"]
    best = growth.optimal_bias(0.9)
    (star,) = [top.points for top in globe.maxima if top.end == "best"]
    np.testing.assert_allclose(star, [np.array([1, 0, best]) / math.hypot(1, best)], atol=1e-4)
    beside = slices.globe(3, [1, 1], 0.9)
    assert sorted(top.end for top in beside.maxima) == ["axis", "best"]


def test_a_disc_mirrors_the_ends_of_neurons_that_descend():
    found = slices.disc(3, 0.9, neurons=24, seed=1)
    assert found.bias == growth.optimal_bias(0.9)
    assert [path.sign for path in found.paths] == [1, -1] * 12
    length = math.hypot(1, found.bias)
    for path in found.paths:
        assert path.points.shape == (101, 2)
        x, y = path.points[-1]
        if path.end == "best":
            assert (x, y) == pytest.approx((path.sign / length, found.bias / length), abs=2e-3)
        if path.end == "off":
            assert path.sign * x > 0 and math.hypot(x, y) < 0.999
    assert {path.end for path in found.paths if path.sign < 0} >= {"best", "off"}
    start = np.array([path.points[0] for path in slices.disc(3, 0.9, neurons=4, seed=1).paths])
    assert (np.hypot(*start.T) < 1).all() and not np.allclose(start, start[0])
