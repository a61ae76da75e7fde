"""The figures of the page on probing show what they are given."""

import math

import numpy as np
import pytest
import torch

from localbias import figures
from localbias.ldr import Products, Summary


def labels(axis):
    return [line.get_label() for line in axis.lines]


def products(ratios, spread=0.0, freedom=math.inf):
    """Ratios [B] of a Jacobian of norm one; `spread` is the variance of the numerator."""
    ratios = torch.tensor(ratios, dtype=torch.float64)
    moments = torch.stack([ratios, ratios, torch.ones_like(ratios)], -1)
    covariance = torch.zeros(len(ratios), 3, 3, dtype=torch.float64)
    covariance[:, 1, 1] = spread
    whole = torch.tensor([64.0], dtype=torch.float64)
    return Products(moments, covariance, torch.full_like(whole, freedom), whole, 0 * ratios, 1e-12)


def test_heats_and_matrices_stand_beside_each_other():
    region = torch.zeros(4, 6, dtype=torch.bool)
    region[1:3, 2:6] = True
    heats = {"net": torch.full((4, 6), 1 / 24), "other": torch.eye(4, 6) / 4}
    matrices = {name: torch.tensor([[0.999, 0.001], [0.25, 0.75]]) for name in heats}
    figure = figures.heats_and_matrices(heats, matrices, region, ["left", "right"], 0.5)
    heat, matrix = figure.axes[0], figure.axes[1]
    np.testing.assert_allclose(figure.axes[2].images[0].get_array()[0, :2], [0.25, 1e-6])
    (outline,) = heat.patches
    assert outline.get_xy() == (1.5, 0.5)
    assert (outline.get_width(), outline.get_height()) == (4, 2)
    assert [text.get_text() for text in matrix.texts] == ["1.00", "0.0010", "0.25", "0.75"]
    assert [label.get_text() for label in matrix.get_yticklabels()] == ["left", "right"]
    bars = [axis for axis in figure.axes if axis.get_ylabel() == "share of a quarter"]
    assert [list(bar.lines[-1].get_ydata()) for bar in bars] == [[0.5, 0.5]] * 2


def test_readings_have_a_panel_for_what_is_read_and_a_line_for_what_is_asked():
    rows = [Summary(mean, mean - 0.1, mean + 0.1, mean, 0, 1, 16, 0) for mean in (0.5, 0.8)]
    figure = figures.readings(
        [0.3, 0.7], {"noise": {"x0": rows, "v": rows[::-1]}, "v": {"x0": rows}}, 0.25
    )
    first, second = figure.axes
    assert first.get_title(loc="left") or first.get_title() == "output read as noise"
    assert labels(first) == ["LDR of x0", "LDR of v", "chance |R|/d"]
    assert list(first.lines[1].get_ydata()) == [0.8, 0.5] and len(second.lines) == 2
    band = first.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.4, 0.9))


def test_estimates_are_ordered_by_the_exact_ratio_and_their_errors_are_told_apart():
    exact = products([0.9, 0.5, 0.7])
    estimates = {4: products([0.8, 0.5, 0.9], 0.04, 3), 8: products([0.9, 0.6, 0.7], 0.01, 7)}
    left, right = figures.estimate_errors(exact, estimates, 0.25).axes
    dots, ticks, chance = left.lines
    assert list(ticks.get_ydata()) == [0.5, 0.7, 0.9] and list(dots.get_ydata()) == [0.6, 0.7, 0.9]
    assert (dots.get_label(), ticks.get_label()) == ("8 probes", "exact: 64 products")
    assert list(chance.get_ydata()) == [0.25, 0.25]
    low, high = left.collections[0].get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(2.3646 * 0.1, rel=1e-3)  # Student's t of 7
    off, said = right.lines
    np.testing.assert_allclose(off.get_ydata(), [math.sqrt(0.05 / 3), math.sqrt(0.01 / 3)])
    np.testing.assert_allclose(said.get_ydata(), [0.2, 0.1])
    assert right.get_xlabel() == "probes of 64"


def test_the_optimum_has_no_distance_from_itself():
    ratios = {"untrained": [0.3, 0.4], "trained": [1, 0.5], "optimum": [1, 0.4]}
    excess = {"untrained": [1, 0.9], "trained": [0.2, 0.1]}
    left, right = figures.calibration([0.3, 0.7], ratios, excess, 0.25).axes
    assert labels(left) == [*ratios, "chance |R|/d"]
    assert [list(line.get_ydata()) for line in right.lines] == list(excess.values())
    colours = [line.get_color() for line in left.lines[:2]]
    assert colours == [line.get_color() for line in right.lines]
    assert right.get_yscale() == "log"
