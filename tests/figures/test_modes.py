"""The figures of chapter 5 draw what they are given."""

import numpy as np
import pytest

from localbias import figures
from localbias.statistics import Auc, mean_interval, roc, wilson

RNG = np.random.default_rng(0)


def test_denoisers_and_the_frame_show_each_curve(labelled):
    x = np.linspace(0, 4, 9)
    curves = {"exact": x.round(), "network": x}
    for axis in (
        figures.denoisers({"a": (x, curves)}, [1, 2, 3]).axes[0],
        figures.modes_frame(x, curves, {"exact": x, "network": x + 9}, [1, 2, 3]).axes[0],
    ):
        lines = labelled(axis)
        for name, values in curves.items():
            np.testing.assert_allclose(lines[name].get_ydata(), values)
        assert axis.get_xlabel() and axis.get_ylabel()


def test_clouds_mark_points_by_outcome():
    points, outcomes = RNG.normal(size=(6, 2)), np.array([0, 0, 1, 2, 3, 2])
    figure = figures.clouds({"a": (points, outcomes), "b": (points[3:], outcomes[3:])}, 2)
    drawn = [len(one.get_offsets()) for one in figure.axes[0].collections]
    assert drawn == [3, 1, 2]
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 3
    (legend,) = figures.clouds({"b": (points[3:], outcomes[3:])}).legends
    assert [text.get_text() for text in legend.get_texts()] == ["in a mode"]


def test_shares_are_means_with_range_or_interval_and_never_below_the_axis(labelled):
    counts = np.array([[[50, 100], [0, 100]], [[30, 100], [2, 100]]])
    figure = figures.shares_along({"a": {"x": ([1, 10], counts)}}, {"a": 0.05}, least=0.001)
    lines = labelled(figure.axes[0])
    np.testing.assert_allclose(lines["x"].get_ydata(), [0.4, 0.01])
    assert lines["exact score"].get_ydata()[0] == 0.05
    band = (
        figures.shares_along({"a": {"x": ([1, 10], counts[:1])}}, least=0.001).axes[0].collections
    )
    heights = band[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(float(wilson(50, 100)[1])) and heights.min() == 0.001


def test_areas_by_window_leave_out_what_is_not_known(labelled):
    areas = np.array([[0.5, np.nan, 0.9], [0.6, 0.7, 0.8]])
    axis = figures.areas_by_window({"a": (["u", "v", "w"], {"step 1": areas})}).axes[0]
    line = labelled(axis)["step 1"]
    np.testing.assert_allclose(line.get_xdata(), [0, 2])
    np.testing.assert_allclose(line.get_ydata(), [0.55, 0.85])
    assert [text.get_text() for text in axis.get_xticklabels()] == ["u", "v", "w"]


def test_rates_are_the_curves_of_the_statistic(labelled):
    curve = roc(np.array([3.0, 2, 1]), np.array([True, False, True]))
    top, bottom = figures.rates({"a": {"w": curve}}, keep=0.96).axes
    np.testing.assert_allclose(labelled(top)["w"].get_ydata(), [0, *curve[1]])
    np.testing.assert_allclose(labelled(bottom)["w"].get_ydata(), curve[2])
    assert top.lines[-1].get_xdata()[0] == pytest.approx(0.04)


def test_probes_are_means_over_the_seeds(labelled):
    one, other = Auc(0.8, 0.7, 0.9, 5, 5), Auc(0.6, 0.5, 0.7, 5, 5)
    axis = figures.probes({"q": {"x": [one, other], "y": [one], "z": [None]}}).axes[0]
    points = {k: v.get_xdata()[0] for k, v in labelled(axis).items()}
    assert points == {"x": pytest.approx(0.7), "y": 0.8}
    bars = [line.get_xdata() for line in axis.lines if len(line.get_xdata()) == 2]
    assert [list(bar) for bar in bars[:2]] == [[0.6, 0.8], [0.7, 0.9]]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["q"]


def test_chains_are_means_with_intervals_of_the_mean(labelled):
    values = np.array([[0.0, 0.1], [0.0, 0.3]])
    figure = figures.chains({"bad": {"none": values}, "width": {"none": values}}, {"bad"})
    np.testing.assert_allclose(labelled(figure.axes[0])["none"].get_ydata(), [0, 0.2])
    heights = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(mean_interval(values[:, 1])[2])
    assert figure.axes[0].yaxis.get_major_formatter()(0.5) == "50%"


def test_mosaics_put_pictures_in_rows():
    pictures = np.zeros((12, 1, 4, 5), np.uint8)
    pictures[11] = 255
    figure = figures.mosaics({"one": pictures, "two": pictures[:3]}, rows=1, columns=10)
    first, second = (axis.images[0].get_array() for axis in figure.axes)
    assert first.shape == (8, 50) and second.shape == (4, 50)
    assert (first[4:, 5:10] == 255).all() and first.sum() == 255 * 20
