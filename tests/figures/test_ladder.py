"""The figures of chapter 6 draw what they are given."""

import numpy as np
import pytest

from localbias import figures

STEPS = np.array([100, 1000, 10_000])


def test_splits_show_the_share_of_valid_samples_that_are_training_strings(labelled):
    shares = np.array([[[np.nan] * 3, [0.5, 0.3, 0.2], [0.2, 0.6, 0.2]]])
    laws = {1: np.array([[0.5, 0.25, 0.25]]), 3: np.array([[0.5, 0.45, 0.05]])}
    figure = figures.splits({"a": (STEPS, shares, laws)})
    above, below = figure.axes
    np.testing.assert_allclose(labelled(above)["network"].get_ydata()[1:], [0.5, 0.2])
    np.testing.assert_allclose(labelled(below)["network"].get_ydata()[1:], [0.6, 0.75])
    assert labelled(below)["order 3"].get_ydata()[0] == pytest.approx(0.9)
    assert below.get_xlim()[0] == pytest.approx(900), "it begins where samples are readable"
    nothing = figures.splits({"a": (STEPS, np.full((1, 3, 3), np.nan), laws)})
    nothing.canvas.draw()


def test_threshold_marks_each_training_and_the_laws(labelled):
    measured = [np.array([0.0, 0.1]), np.array([0.5, 0.4])]
    predicted = {3: [np.array([0.0, 0.0]), np.array([0.5, 0.48])]}
    (axis,) = figures.threshold([32, 64], measured, predicted, 128).axes
    points = sorted(
        (x, y)
        for line in axis.lines
        if line.get_marker() == "o"
        for x, y in zip(line.get_xdata(), line.get_ydata())
    )
    assert points == [(32, 0.0), (32, 0.1), (64, 0.4), (64, 0.5)]
    assert labelled(axis)["law of order 3"].get_ydata().tolist() == [0.0, 0.49]
    assert "of 128" in axis.get_xlabel()


def test_coefficients_linear_and_depths_show_each_curve(labelled):
    values = np.array([[np.nan, 0.2, 0.6], [np.nan, 0.4, 0.8]])
    (axis,) = figures.coefficients({"5": (STEPS, values)}).axes
    np.testing.assert_allclose(labelled(axis)["5"].get_ydata()[1:], [0.3, 0.7])
    curves = {"linear": np.ones(3), "rule": np.array([1, 0.5, np.nan]), "network, end": values}
    (axis,) = figures.linear({"a": ((0.2, 0.5, 0.9), curves)}).axes
    assert set(labelled(axis)) == set(curves)
    np.testing.assert_allclose(labelled(axis)["linear"].get_ydata(), 1)
    left, right = figures.depths({"2": (STEPS, values, values, 0.7)}, 0.8).axes
    assert any(line.get_ydata()[0] == 0.7 for line in left.lines), "the exact rule"
    assert "√ᾱ = 0.8" in left.get_ylabel() and right.get_ylabel()


def test_cures_mark_treatments_and_exact_denoisers(labelled):
    treated = {
        "nothing": (np.array([0.6]), np.array([0.3])),
        "x": (np.array([0.9]), np.array([0.4])),
    }
    exact = {"parity": {"rule": (0.8, 0.0), "train": (0.5, 0.0)}}
    figure = figures.cures({"parity": treated}, exact, 0.8)
    lines = labelled(figure.axes[0])
    assert set(lines) == {"nothing", "x", "exact: rule", "exact: train"}
    assert lines["exact: rule"].get_xdata() == [0.8] and lines["exact: rule"].get_marker() == "*"
    assert lines["x"].get_ydata() == [0.4]
