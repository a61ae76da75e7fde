"""The plots of attention draw the flows and pulls they are given."""

import numpy as np

from localbias import figures
from localbias.theory.attention import Path


def test_healing_draws_leaks_their_start_and_the_loss_by_the_univariate_one():
    time, leak, excess = np.array([0.1, 1, 10]), np.array([1e-2, 1e-3, 1e-5]), np.array([4, 2, 1])
    path = Path(time, np.zeros((3, 7)), leak, leak / 2, excess)
    left, right = figures.healing({4: path}, {4: 0.006}, {4: 2.0}).axes
    np.testing.assert_array_equal(left.lines[0].get_xydata().T, [time, leak / 2])
    assert left.lines[1].get_xydata().tolist() == [[0.1, 0.006]]
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [2, 1, 0.5])
    assert right.lines[1].get_ydata()[0] == 1


def test_pulls_are_points_beside_their_first_order():
    keys, found = np.array([0.1, 0.2]), np.array([-1e-4, -4e-4])
    left, right = figures.pulls(keys, {4: found}, {4: 1.1 * found}, {4: found**2}).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), -found)
    np.testing.assert_allclose(left.lines[1].get_ydata(), -1.1 * found)
    np.testing.assert_allclose(right.lines[0].get_ydata(), found**2)
    assert left.lines[1].get_label() == "d = 4: β²" and right.lines[0].get_label() == "d = 4: β⁴"
