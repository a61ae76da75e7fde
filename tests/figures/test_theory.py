"""The figures of Section 5 draw what they are given, and what they calculate themselves is right."""

import math

import numpy as np
import pytest

from localbias import figures
from localbias.figures.theory import ENDS
from localbias.theory import directions, growth, slices, target
from localbias.theory.laws import PARITIES


def sphere(n, d, seed=0):
    u = np.random.default_rng(seed).normal(size=(n, d + 1))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u[:, :-1], u[:, -1]


def line(axis, label):
    (found,) = [one for one in axis.lines if one.get_label() == label]
    return found


def markers(axis, marker):
    return np.array([one.get_xydata()[0] for one in axis.lines if one.get_marker() == marker])


# Neurons


def test_globes_mark_the_maxima_where_they_lie():
    lean = np.array([1, -1]) / math.sqrt(2)
    figure = figures.globes({"globe": slices.globe(3, [3, -3], 0.9)})
    axis = figure.axes[0]
    bias = growth.optimal_bias(0.9)

    def place(w, v, b):  # north is tilted towards the eye by half a radian
        return v, b * math.cos(0.5) - w * math.sin(0.5)

    np.testing.assert_allclose(
        markers(axis, "*"),
        [place(1 / math.hypot(1, bias), 0, bias / math.hypot(1, bias))],
        atol=1e-4,
    )
    w, b, *_ = directions.local_maxima(0.9, PARITIES[3], neurons=150)
    expected = [place(one[0], one[1:] @ lean, bias) for one, bias in zip(w[1:], b[1:])]
    assert len(expected) == 3  # two off the axis, one on it
    np.testing.assert_allclose(sorted(map(tuple, markers(axis, "^"))), sorted(expected), atol=1e-4)
    points = np.concatenate([one.get_xydata() for one in axis.lines])
    assert np.nanmax(np.hypot(*points.T)) < 1 + 1e-9
    colours = {one.get_color() for one in axis.lines}
    assert {ENDS[end][1] for end in ("best", "axis", "off")} <= colours


def test_globes_leave_out_maxima_beside_the_slice():
    """With equal weights on both others there is nothing but the axis."""
    axis = figures.globes({"globe": slices.globe(3, [1, 1], 0.8)}).axes[0]
    assert len(markers(axis, "*")) == 1 and len(markers(axis, "^")) == 0


def test_discs_show_neurons_of_either_sign_by_where_they_end():
    figure = figures.discs({"far": slices.disc(8, 0.7, 24), "near": slices.disc(3, 0.9, 24)})
    for axis, bias in zip(figure.axes, growth.optimal_bias(np.array([0.7, 0.9]))):
        np.testing.assert_allclose(
            markers(axis, "*"), np.array([[1, bias], [-1, bias]]) / math.hypot(1, bias)
        )
        drawn = [one for one in axis.lines if len(one.get_xdata()) > 1]
        assert len(drawn) == 24 and sum(one.is_dashed() for one in drawn) == 12
        for one in drawn:
            x, y = one.get_data()
            if one.get_color() == ENDS["off"][1]:
                assert math.hypot(x[-1], y[-1]) < 0.999
            if one.get_color() != ENDS["dead"][1] and abs(x[-1]) > 0.3:
                assert (x[-1] > 0) == (not one.is_dashed())  # a > 0 ends at w_1 > 0
    colours = [
        [one.get_color() for one in axis.lines if len(one.get_xdata()) > 1] for axis in figure.axes
    ]
    assert (
        colours[0].count(ENDS["best"][1]) > 20
        and ENDS["off"][1] not in colours[0]
        and ENDS["off"][1] in colours[1]
    )


def test_shares_are_stacked():
    rows = [directions.Ends(0.7, 0.1, 0.1, 0.1, 0), directions.Ends(0.2, 0, 0.5, 0.3, 0)]
    axis = figures.shares(np.array([0.5, 0.9]), {3: rows}).axes[0]
    tops = [part.get_paths()[0].vertices[:, 1].max() for part in axis.collections]
    assert tops == pytest.approx([0.7, 0.8, 0.9, 1, 1])


def test_biases_are_the_roots():
    levels = np.array([0.6, 0.8, 0.86, 0.95])
    left, right = figures.biases(growth.bias_curves(levels, (0.7, 0.9))).axes
    roots = growth.stationary_biases(levels)
    np.testing.assert_array_equal(
        line(left, "D*, the highest maximum").get_ydata(), np.nanmax(roots, 1)
    )
    np.testing.assert_array_equal(line(left, "a second maximum").get_ydata(), roots[2:, 0])
    np.testing.assert_array_equal(line(left, "a minimum between them").get_ydata(), roots[2:, 1])
    assert line(left, "_child3").get_xdata()[0] == 0.86  # where three are first seen
    x, y = line(right, "ᾱ = 0.9").get_data()
    tops = [one for one in right.lines if one.get_marker() == "o"][1]
    np.testing.assert_allclose(y, growth.axis_rate(x, 0.9))
    assert np.nanmax(tops.get_ydata()) >= y.max() and np.isfinite(tops.get_ydata()).sum() == 2


# Levels


def test_the_area_is_one_bit():
    gamma = np.linspace(1e-3, 14, 57)
    gap = 3 / 2 * target.parity_gap(gamma / (1 + gamma), 3)[0]
    left, right = figures.one_bit(gamma, {3: gap}).axes
    np.testing.assert_array_equal(line(left, "d = 3").get_ydata(), gap)
    area = right.lines[0].get_ydata()
    assert area[0] == 0 and (np.diff(area) >= 0).all() and area[-1] == pytest.approx(1, abs=0.01)


def test_forces_and_localities_draw_what_they_are_given():
    axis = figures.forces(
        np.array([0.0, 1.0]), {"a": np.array([0.0, 3.0]), "b": np.array([1.0, 1.0])}
    ).axes[0]
    assert line(axis, "a").get_ydata().tolist() == [0, 3] and line(
        axis, "b"
    ).get_ydata().tolist() == [1, 1]
    found = np.array([[1.0, 0.0], [0.8, 0.05]])
    axis = figures.localities(np.array([0.2, 0.9]), {"x0": {8: found}}, (0.5,)).axes[0]
    assert line(axis, "optimum, d = 8").get_ydata().tolist() == [1, 0.8]
    band = axis.collections[0].get_paths()[0].vertices
    assert (
        band[band[:, 0] == 0.9, 1].min() == pytest.approx(0.7)
        and line(axis, "_child0").get_xdata()[0] == 0.5
    )
