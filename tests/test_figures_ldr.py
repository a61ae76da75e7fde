"""The figures of locality draw what they are given: checked on the drawn lines, not on pixels."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from localbias import catalogue, figures_ldr, ldr, probe, run
from localbias.reference import NAMES

SMOKE = catalogue.make("parity-8-scalars", "smoke")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return [run.run(SMOKE.replace(seed=seed), "cpu", folder, folder) for seed in (0, 1)]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def line(axis, label):
    (found,) = [one for one in axis.lines if one.get_label() == label]
    return found




def test_the_mean_ratio_leaves_out_what_vanishes_and_is_missing_where_most_does():
    """f's first output is the second input: the ratio of the first is 0 of 1; the second listens to both."""
    x, region = torch.ones(4, 2, dtype=torch.float64), torch.tensor([False, True])
    for alive, expected in ((4, 0.5), (2, 0.5), (1, np.nan), (0, np.nan)):
        slopes = (torch.arange(4) < alive).double()[:, None]
        found = ldr.local_dependency_ratio(lambda z: slopes * z.flip(1).cumsum(1), x, region, details=True)
        assert np.isclose(figures_ldr.mean_ratio(found), expected, equal_nan=True)


def test_along_training_shows_the_records_and_the_references_at_one_level(records):
    figure = figures_ldr.along_training({"toy": (records, 0.9)})
    outcomes, ratio, distance = figure.axes
    at = SMOKE.probing.levels.index(0.9)
    measured = np.mean([figures_ldr.mean_ratio(probe.stored(r))[:, at] for r in records], 0)
    assert np.allclose(line(ratio, "network").get_ydata(), measured[1:])
    assert np.allclose(line(ratio, "untrained").get_ydata(), measured[0])
    for k, name in enumerate(NAMES):
        exact = np.mean([figures_ldr.mean_ratio(probe.stored(r, "reference_ldr"))[k, at] for r in records])
        assert np.allclose(line(ratio, name).get_ydata(), exact)
    assert distance.get_yscale() == "log" and len(distance.lines) == len(NAMES)
    assert np.allclose(distance.lines[1].get_ydata(), np.mean([r.arrays["excess"][1:, at, 1] for r in records], 0))


def test_over_levels_shows_the_chosen_moments(records):
    figure = figures_ldr.over_levels({"toy": (records, [1, 2], (0.5, 0.8))})
    top, bottom = figure.axes
    for row, name in ((1, "network, early"), (2, "network, on the way")):
        expected = np.mean([figures_ldr.mean_ratio(probe.stored(r))[row] for r in records], 0)
        assert np.allclose(line(top, name).get_ydata(), expected)
        assert np.allclose(line(bottom, name).get_ydata(), np.mean([r.arrays["excess"][row, :, NAMES.index("rule")] for r in records], 0))
    assert [p.get_x() for p in top.patches] == [0.5]  # the band


def test_matrices_show_shares_of_each_row():
    energies = np.array([[3.0, 1.0], [0.0, 5.0]])
    axis = figures_ldr.matrices({"toy": energies}).axes[0]
    assert np.allclose(axis.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert [t.get_text() for t in axis.texts] == ["0.75", "0.25", "0.00", "1.00"]


def test_heat_is_shown_as_the_root_of_its_share():
    heat, region = np.array([[4.0, 1.0], [0.0, 0.0]]), np.array([[True, False], [False, False]])
    axis = figures_ldr.heat_frame({"x_t": np.zeros((2, 2))}, {"heat": heat}, region).axes[-1]
    assert np.allclose(axis.images[0].get_array(), [[1, 0.5], [0, 0]])
    blank = figures_ldr.heat_frame({"x_t": np.zeros((2, 2))}, {"heat": 0 * heat}, region).axes[-1]
    assert np.allclose(blank.images[0].get_array(), 0)
