"""Figures show the numbers they are given, in the book's colours, and say what their axes are."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from localbias import figures
from localbias.experiments.directions import Directions
from localbias.experiments.escapes import EscapeLaw
from localbias.figures.style import COLOURS
from localbias.measure import OUTCOMES
from localbias.statistics import PowerLaw, wilson

STEPS = [10, 100, 1000]
COUNTS = np.array(
    [[[8, 1, 1, 0], [2, 5, 2, 1], [0, 4, 5, 1]], [[9, 1, 0, 0], [1, 5, 3, 1], [0, 2, 7, 1]]]
)
CHANCE = [0, 0.5, 0.3, 0.2]


@pytest.fixture(autouse=True)
def fresh_figures():
    with plt.rc_context():
        figures.use_style()
        yield
    plt.close("all")


def test_curves_are_means_over_seeds_with_chance_dashed():
    axes = plt.subplot()
    figures.outcome_curves(axes, STEPS, COUNTS, CHANCE)
    lines = {line.get_label(): line for line in axes.lines}
    for k, name in enumerate(OUTCOMES):
        np.testing.assert_allclose(lines[name].get_ydata(), COUNTS[..., k].mean(0) / 10)
        assert to_hex(lines[name].get_color()).upper() == COLOURS[name]
    dashed = [line.get_ydata()[0] for line in axes.lines if line.get_label() not in OUTCOMES]
    assert dashed == CHANCE[1:]
    assert axes.get_xlabel() and axes.get_ylabel()


def test_a_single_seed_has_wilson_bands_and_several_their_range():
    for counts, bounds in (
        (COUNTS[:1], [b[0] for b in map(np.asarray, wilson(COUNTS[:1], 10))]),
        (COUNTS, (COUNTS.min(0) / 10, COUNTS.max(0) / 10)),
    ):
        axes = plt.figure().subplots()
        figures.outcome_curves(axes, STEPS, counts)
        for k, band in enumerate(axes.collections):
            heights = band.get_paths()[0].vertices[:, 1]
            assert heights.min() == pytest.approx(bounds[0][:, k].min())
            assert heights.max() == pytest.approx(bounds[1][:, k].max())


def test_bars_stack_to_one():
    axes = plt.subplot()
    figures.outcome_bars(axes, {"rule": np.array([0, 1, 2, 1]), "train": np.array([0, 0, 4, 0])})
    tops = {}
    for bar in axes.patches:
        tops[bar.get_x()] = max(tops.get(bar.get_x(), 0), bar.get_y() + bar.get_height())
    assert list(tops.values()) == pytest.approx([1, 1])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["rule", "train"]


def test_samples_are_framed_in_the_colour_of_their_outcome():
    samples = np.zeros((2, 3, 1, 4, 8), np.uint8)
    figure = figures.sample_grid(
        samples, np.array([[0, 1, 2], [3, 2, 1]]), ["early", "late"], shown=3
    )
    frames = [to_hex(axes.spines["left"].get_edgecolor()).upper() for axes in figure.axes]
    assert frames == [COLOURS[OUTCOMES[k]] for k in (0, 1, 2, 3, 2, 1)]


def test_panels_have_one_legend_with_every_outcome_and_chance():
    panel = {"steps": STEPS, "counts": COUNTS, "chance": CHANCE}
    figure = figures.outcome_panels(
        {"a": panel, "b": panel, "c": panel}, dict.fromkeys("abc", {"rule": COUNTS[0, 0]})
    )
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*OUTCOMES, "chance"]
    assert [
        axes.get_title("left") for axes in figure.axes if axes.get_title("left") in ("a", "b", "c")
    ] == ["a", "b", "c"]


def test_against_chance_counts_readable_samples_only():
    ends = {
        "a": (np.array([[50, 25, 15, 10], [0, 50, 30, 20]]), CHANCE),
        "unread": (np.array([[9, 0, 0, 0]]), CHANCE),
    }
    valid, unseen = figures.against_chance(ends).axes
    for axes, mean, level in ((valid, 0.5, 0.5), (unseen, 0.2, 0.2)):
        points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
        chances = [line.get_xdata()[0] for line in axes.lines if line.get_label() == "chance"]
        assert points == pytest.approx([mean, np.nan], nan_ok=True) and chances == pytest.approx(
            [level, level]
        )


def test_strips_mark_the_samples_that_they_show():
    figure = figures.scalar_strips(
        np.zeros((1, 3, 8), np.uint8), np.array([[3, 0, 1, 2, 2, 2]]), ["end"]
    )
    marks = [to_hex(line.get_color()).upper() for line in figure.axes[0].lines]
    assert marks == [COLOURS[OUTCOMES[k]] for k in (3, 0, 1)]


def test_ends_pool_the_seeds():
    counts = np.array([[1, 2, 3, 4], [1, 0, 5, 4]])
    (axis,) = figures.outcome_ends({"|I|": {"2": counts}}).axes
    np.testing.assert_allclose([bar.get_height() for bar in axis.patches], counts.sum(0) / 20)
    assert [text.get_text() for text in axis.get_xticklabels()] == ["2"]


def test_an_escape_law_shows_bounds_law_and_what_had_not_escaped():
    bounds = {
        20.0: (np.array([100.0, 120.0]), np.array([200.0, 240.0])),
        80.0: (np.array([1500.0, 4000.0]), np.array([3000.0, np.inf])),
    }
    line = np.geomspace(20, 200, 5)
    expected = np.stack([2 * line**1.5, line**1.5, 4 * line**1.5], 1)
    law = EscapeLaw(PowerLaw(1.5, 1.2, 1.9, 2.0, 0.1), line, expected)
    figure = figures.escape_law(bounds, law, "n")
    (axis,) = figure.axes
    bars = [line for line in axis.lines if line.get_linewidth() == 3 and len(line.get_xdata())]
    assert [sorted(bar.get_ydata()) for bar in bars] == [[100, 200], [120, 240], [1500, 3000]]
    places = [bar.get_xdata()[0] for bar in bars]  # of seeds, side by side about their setting
    assert places[0] < 20 < places[1] and places[0] * places[1] == pytest.approx(400)
    (triangle,) = [
        line for line in axis.lines if line.get_marker() == "^" and len(line.get_xdata())
    ]
    assert list(triangle.get_ydata()) == [4000]
    drawn = next(line for line in axis.lines if "n^1.50 (1.20 to 1.90)" in line.get_label())
    np.testing.assert_allclose(drawn.get_xydata(), np.stack([line, expected[:, 0]], 1))
    (band,) = axis.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(20**1.5) and heights.max() == pytest.approx(4 * 200**1.5)
    assert axis.get_xlabel() == "n" and axis.get_xscale() == axis.get_yscale() == "log"
    assert not [
        line
        for line in figures.escape_law(bounds, None, "n").axes[0].lines
        if "^1" in str(line.get_label())
    ]


def test_directions_are_the_laws_ways_and_the_networks_points():
    laws = {
        "the rule": np.array([[0.1, 1], [0.3, 0.25]]),
        "pairs": np.array([[0.1, 0.5], [0.3, 0.9]]),
        "the training set": np.array([[0.1, 1], [0.3, 1]]),
    }
    kept = np.array([[0.5, 0.3, 0.7], [0.9, 0.8, 0.95]])
    shown = Directions(laws, np.array([1000, 20_000]), np.array([0.2, 0.6]), kept)
    nothing = Directions(laws, np.empty(0, int), np.empty(0), np.empty((0, 3)))
    figure = figures.directions({"50 tuples": shown, "none": nothing})
    first, second = figure.axes
    figure.canvas.draw()
    assert [a.axison for a in figures.directions({"one": shown}, 2).axes] == [True, False]
    lines = {line.get_label(): line for line in first.lines}
    for name, way in laws.items():
        np.testing.assert_array_equal(lines[f"towards {name}"].get_xydata().T, way)
    points = lines["the network, 95 % interval"]
    np.testing.assert_array_equal(points.get_xydata(), [[0.2, 0.5], [0.6, 0.9]])
    (bars,) = first.collections
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert ends == [[0.3, 0.7], [0.8, 0.95]]
    assert [text.get_text() for text in first.texts] == ["steps 1,000 to 20,000"]
    assert not second.texts and first.get_xlabel() and first.get_ylabel()


def test_fourier_slopes_are_means_with_their_errors_or_range():
    slopes = np.random.default_rng(0).random((2, 3, 4))
    errors = np.full((2, 3, 4), 0.1)
    figures.fourier_slopes({"none readable": (STEPS, np.nan * slopes, errors)}).canvas.draw()
    several = figures.fourier_slopes({"two": (STEPS, slopes, errors)}).axes[0]
    one = figures.fourier_slopes({"one": (STEPS, slopes[:1], errors[:1])}).axes[0]
    lines = {line.get_label(): line for line in several.lines}
    for k, name in enumerate(("1", "2", "3", "4, the rule")):
        np.testing.assert_allclose(lines[name].get_ydata(), slopes[..., k].mean(0))
        heights = several.collections[k].get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx(slopes[..., k].max())
        heights = one.collections[k].get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx(slopes[0, :, k].max() + 0.196)
    assert {text.get_text() for text in several.texts} == {
        "as in the\ntraining set",
        "independent\nof it",
    }


def test_moments_frame_samples_by_outcome_and_name_the_ratio():
    from localbias.experiments import Heat, Moment

    region = np.zeros((4, 12), bool)
    region[:, :4] = True
    heat = Heat({}, {"heat": np.arange(48.0).reshape(4, 12)}, region)
    images = np.zeros((3, 4, 12), np.uint8)
    shown = [
        Moment(step, images, np.array(kinds), np.ones(4) / 4, heat, ratio)
        for step, kinds, ratio in ((1000, [0, 1, 2], 0.96), (2000, [3, 3, 1], 0.5))
    ]
    figure = figures.moments(shown, ("early", "late"), "the first letter")
    parts = [part for column in figure.subfigs for part in column.subfigs]
    titles = [part._suptitle.get_text() for part in parts[::2]]
    assert titles == ["early: step 1,000", "late: step 2,000"]
    edges = [
        to_hex(axis.spines["left"].get_edgecolor()).upper()
        for part in parts[::2]
        for axis in part.axes
        if axis.images
    ]
    assert edges == [COLOURS[OUTCOMES[k]] for moment in shown for k in moment.outcomes]
    told = [part.axes[0].get_title("left") for part in parts[1::2]]
    assert told == [
        "the first letter listens here: LDR 0.96",
        "the first letter listens here: LDR 0.50",
    ]
    (frame,) = parts[1].axes[0].patches
    assert frame.get_bbox().bounds == pytest.approx((-0.4, -0.4, 3.8, 3.8))
