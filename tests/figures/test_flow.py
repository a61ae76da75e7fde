"""The figures of training draw the flows that they are given, beside levels and functions that are right."""

import math

import numpy as np
import pytest

from localbias import figures
from localbias.figures.theory import LEVELS
from localbias.theory import target
from localbias.theory.flow import Flow, flow
from localbias.theory.trace import Sample, measure, stairs


@pytest.fixture(scope="module")
def trace():
    config = Flow(3, steps=400, batch=64, width=32)
    return measure(flow(config), Sample(config, 500))


def line(axis, label):
    (found,) = [one for one in axis.lines if one.get_label() == label]
    return found


def test_training_shows_the_flow_between_exact_levels(trace):
    figure = figures.training({"one": (trace, trace), "other": (trace, trace)})
    loss, _, weights, _, distance, _ = figure.axes
    for name in ("linear", "univariate", "optimum"):
        level = line(loss, LEVELS[name][0]).get_ydata()
        assert level[0] == level[1] == pytest.approx(float(getattr(trace.levels, name)))
    for label in ("network", "brought onto M"):
        np.testing.assert_array_equal(line(loss, label).get_ydata(), trace.loss[1:])
    np.testing.assert_allclose(weights.lines[0].get_ydata(), trace.axis[1:].sum(1))
    np.testing.assert_allclose(weights.lines[1].get_ydata(), trace.rest[1:].sum(1))
    np.testing.assert_array_equal(distance.lines[0].get_ydata(), trace.distance[1:])
    reached = [time for time in stairs(trace) if time < math.inf]
    assert reached and [one.get_xdata()[0] for one in distance.lines[1:]] == reached
    assert {axis.get_xscale() for axis in figure.axes} == {"log"}


def test_scales_have_a_line_a_seed_and_a_label_each(trace):
    axis = figures.scales({"σ = 1": [trace, trace], "σ = 2": [trace]}).axes[0]
    flows = [one for one in axis.lines if len(one.get_xdata()) > 2]
    assert [one.get_label() for one in flows] == ["σ = 1", "_σ = 1", "σ = 2"] and len(
        axis.lines
    ) == 6
    colours = [tuple(one.get_color()) for one in flows]
    assert colours[0] == colours[1] != colours[2]


def test_phases_stand_over_the_exact_functions_of_one_coordinate():
    points = tuple(np.arange(3.0) + k for k in range(3))
    grid = np.linspace(-2.6, 2.6, 201)
    known = {
        "linear": target.best_linear(grid, 0.7),
        "univariate": target.best_univariate(grid, 0.7),
    }
    axis = figures.phases({"early": points}, grid, known).axes[0]
    for label, k in (("network, s(x)", 1), ("optimum, E[ε⁽¹⁾ | x]", 2)):
        np.testing.assert_array_equal(
            line(axis, label).get_xydata(), np.stack([points[0], points[k]], 1)
        )
    x, y = line(axis, "best univariate").get_data()
    np.testing.assert_allclose(
        y, target.noise_target(x[:, None], 0.7, [[1], [-1]])[:, 0], atol=1e-12
    )
    x, y = line(axis, "best linear").get_data()
    loss = (
        1 - 2 * (y[-1] / x[-1]) * math.sqrt(0.3) + (y[-1] / x[-1]) ** 2
    )  # E x ε = √(1−ᾱ), E x² = 1
    assert loss == pytest.approx(target.linear_level(0.7, target.parity(4)))


def test_escape_tells_who_did_not():
    axis = figures.escape({3: [1.0, 2.0], 9: [50.0, math.inf, math.inf]}, {3: 10.0, 9: 99.0}).axes[
        0
    ]
    assert [one.get_xydata().tolist() for one in axis.lines] == [
        [[3, 1], [3, 2]],
        [[9, 50]],
        [[9, 99]],
    ]
    assert [text.get_text() for text in axis.texts] == [
        "2 not by then"
    ] and axis.get_yscale() == "log"
