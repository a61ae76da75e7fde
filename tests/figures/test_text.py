"""The figures of chapter 4 show what they are given."""

import numpy as np

from localbias import figures
from localbias.figures.style import COLOURS


def test_gallery_breaks_rows_and_names_each_group_once():
    images = [np.full((2, 6), value) for value in np.linspace(-1, 1, 5)]
    figure = figures.gallery({"five": images, "one": images[:1]}, 2)
    assert len(figure.axes) == 8  # three rows and one
    shown = [axis.images[0].get_array().mean() for axis in figure.axes if axis.images]
    np.testing.assert_allclose(shown, [-1, -0.5, 0, 0.5, 1, -1])
    assert [axis.get_title() for axis in figure.axes if axis.get_title()] == ["five", "one"]


def test_captions_stand_below_their_images():
    images = [np.zeros((2, 6)), np.ones((2, 6))]
    axes = figures.captioned(images, ["a", "b"], 3).axes
    assert [axis.get_xlabel() for axis in axes if axis.images] == ["a", "b"]
    assert axes[1].images[0].get_array().mean() == 1


def test_information_runs_from_none_of_the_others_to_all():
    (axis,) = figures.information(
        {"parity": np.array([0, 0, 0, 1.0]), "pair": np.array([0, 1.0])}
    ).axes
    np.testing.assert_allclose(axis.lines[0].get_xdata(), [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(axis.lines[1].get_ydata(), [0, 1])


def test_escapes_mark_what_did_not_escape_at_the_end():
    dials = {"order": {"scalars": {2: [100.0, 200.0], 8: [np.inf, 700.0]}, "glyphs": {2: [np.inf]}}}
    (axis,) = figures.escapes(dials, {"scalars": 1000, "glyphs": 300}).axes
    points = [
        (line.get_marker(), sorted(line.get_ydata()))
        for line in axis.lines
        if len(line.get_ydata())
    ]
    assert points == [("o", [100, 200]), ("o", [700]), ("^", [1000]), ("^", [300])]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["2", "8"]
    figure = figures.escapes(
        dials | {"strength": {"scalars": {0.5: [10.0]}}}, {"scalars": 1000, "glyphs": 300}
    )
    (legend,) = figure.legends  # of both panels, though the last shows one rendering only
    assert [text.get_text() for text in legend.get_texts()] == [
        "scalars",
        "glyphs",
        "not until the end",
    ]


def test_kinds_are_shares_of_each_steps_samples():
    counts = np.array([[[8, 2, 0, 0], [0, 5, 5, 0]], [[10, 0, 0, 0], [0, 1, 9, 0]]])
    (axis,) = figures.kinds(
        {"words": ([10, 20], counts)}, ("fuzzy", "misspelt", "seen", "other")
    ).axes
    np.testing.assert_allclose(axis.lines[1].get_ydata(), [0.1, 0.3])
    assert len({line.get_color() for line in axis.lines}) == 4
    low, high = (
        side(band.get_paths()[0].vertices[:, 1])
        for band in [axis.collections[1]]
        for side in (np.min, np.max)
    )
    assert low <= 0 and high >= 0.5  # the seeds' range at least
    assert axis.lines[2].get_label() == "seen"
    assert axis.lines[0].get_color() == COLOURS["invalid"]


def test_likeness_draws_levels_as_lines_across():
    (axis,) = figures.likeness(
        {"pairs": {"network": ([1, 2], [0.1, 0.4]), "marginals": ([], [0.2])}}, "share"
    ).axes
    assert list(axis.lines[0].get_ydata()) == [0.1, 0.4] and list(axis.lines[1].get_ydata()) == [
        0.2,
        0.2,
    ]
    assert axis.get_ylabel() == "share"


def test_setting_ratios_are_means_over_the_seeds_beside_the_exact_rule():
    ratios = np.array([[0.9, 0.5], [0.7, 0.5]])
    (axis,) = figures.setting_ratios({"order": {"3": ([10, 20], ratios, 0.4)}}).axes
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [0.8, 0.5])
    np.testing.assert_allclose(axis.lines[1].get_ydata(), 0.4)  # dotted
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.5, 0.9)
