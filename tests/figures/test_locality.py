"""The figures of locality draw what they are given: checked on the drawn lines, not on pixels."""

import numpy as np

from localbias import figures
from localbias.exact import NAMES
from localbias.experiments import AlongTraining, ByLevel, ByTarget, Heat

RNG = np.random.default_rng(0)
STEPS = np.array([10, 20])


def line(axis, label):
    (found,) = [one for one in axis.lines if one.get_label() == label]
    return found


def test_along_training_shows_outcomes_ratios_and_distances():
    counts = np.array([[[8, 2, 0, 0], [0, 5, 5, 0]], [[10, 0, 0, 0], [0, 1, 9, 0]]])
    ratios, pooled = RNG.random((2, 3)), RNG.random((2, 3))
    references = {name: RNG.random(2) for name in (*NAMES, "pairs")}
    excess = {name: RNG.random((2, 3)) for name in references}
    along = AlongTraining(
        0.9, STEPS, counts, [0, 0.5, 0.3, 0.2], ratios, pooled, references, excess
    )
    outcomes, ratio, distance = figures.along_training({"toy": along}).axes
    np.testing.assert_allclose(outcomes.lines[0].get_ydata(), [0.9, 0])
    np.testing.assert_allclose(line(ratio, "network").get_ydata(), ratios[:, 1:].mean(0))
    np.testing.assert_allclose(
        line(ratio, "network, ratio of means").get_ydata(), pooled[:, 1:].mean(0)
    )
    np.testing.assert_allclose(line(ratio, "untrained").get_ydata(), ratios[:, 0].mean())
    for k, name in enumerate(references):
        np.testing.assert_allclose(line(ratio, name).get_ydata(), references[name].mean())
        np.testing.assert_allclose(distance.lines[k].get_ydata(), excess[name][:, 1:].mean(0))
    assert distance.get_yscale() == "log" and len(distance.lines) == len(references)
    assert [text.get_text() for text in ratio.texts] == ["√ᾱ = 0.9"]


def test_three_targets_leave_out_the_untrained_network():
    ratios = {target: RNG.random((2, 3)) for target in ("x0", "noise", "v")}
    (axis,) = figures.three_targets(
        {"toy": ByTarget(STEPS, ratios, {"x0": 0.1, "noise": 0.2, "v": 0.3})}
    ).axes
    for target, values in ratios.items():
        np.testing.assert_allclose(line(axis, f"of {target}").get_ydata(), values[:, 1:].mean(0))
    dashed = [one.get_ydata()[0] for one in axis.lines if not one.get_label().startswith("of")]
    assert dashed == [0.1, 0.2, 0.3] and axis.get_title() == "toy (2 seeds)"


def test_over_levels_shows_the_chosen_moments():
    levels, ratios, excess = (0.3, 0.9), RNG.random((2, 2, 2)), RNG.random((2, 2, 2))
    references = {name: RNG.random((2, 2)) for name in NAMES}
    panel = ByLevel(levels, STEPS, ratios, RNG.random((2, 2)), references, excess)
    top, bottom = figures.over_levels({"toy": panel}, {"toy": (0.5, 0.8)}).axes
    for k, name in enumerate(("network, early", "network, on the way")):
        np.testing.assert_allclose(line(top, name).get_ydata(), ratios[:, k].mean(0))
        np.testing.assert_allclose(line(bottom, name).get_ydata(), excess[:, k].mean(0))
    np.testing.assert_allclose(line(top, "untrained").get_ydata(), panel.untrained.mean(0))
    np.testing.assert_allclose(line(top, "rule").get_ydata(), references["rule"].mean(0))
    assert [patch.get_x() for patch in top.patches] == [0.5]  # the band
    assert [text.get_text() for text in bottom.texts] == ["10", "20"]


def test_matrices_show_shares_of_each_row():
    energies = np.array([[3.0, 1.0], [0.0, 5.0]])
    axis = figures.matrices({"toy": energies}).axes[0]
    assert np.allclose(axis.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert [t.get_text() for t in axis.texts] == ["0.75", "0.25", "0.00", "1.00"]


def test_heat_is_shown_as_the_root_of_its_share():
    heat, region = np.array([[4.0, 1.0], [0.0, 0.0]]), np.array([[True, False], [False, False]])
    axis = figures.heat_frame({"x_t": np.zeros((2, 2))}, {"heat": heat}, region).axes[-1]
    assert np.allclose(axis.images[0].get_array(), [[1, 0.5], [0, 0]])
    blank = figures.heat_frame({"x_t": np.zeros((2, 2))}, {"heat": 0 * heat}, region).axes[-1]
    assert np.allclose(blank.images[0].get_array(), 0)


def test_ratios_along_training_at_the_papers_levels():
    ratios = {target: RNG.random((2, 3, 2)) for target in ("x0", "noise")}
    drawn = figures.ratios_along({"toy": (STEPS, (0.1, 0.4), ratios)}, (0.1, 0.3))
    for axis, target in zip(drawn.axes, ratios):
        (shown,) = axis.lines  # √ᾱ = 0.4 is none of the paper's, 0.3 was not probed
        np.testing.assert_allclose(shown.get_ydata(), ratios[target][:, 1:, 0].mean(0))
        assert shown.get_label() == "√ᾱ = 0.1"
    assert [axis.get_ylabel() for axis in drawn.axes] == ["LDR of x̂0", "LDR of the noise"]


def test_moments_of_heat_stand_in_rows_with_their_ratio():
    images = {"clean": np.zeros((2, 2)), "x_t": np.ones((2, 2)), "x̂0": np.zeros((2, 2))}
    region = np.array([[True, False], [False, False]])
    heats = {
        "early": Heat(images, {"heat": np.array([[4.0, 0], [0, 0]])}, region),
        "late": Heat(images, {"heat": np.array([[1.0, 1], [1, 1]])}, region),
    }
    axes = figures.heat_phases(heats).axes
    assert [axis.get_title() for axis in axes[2::3]] == ["heat, LDR 1.00", "heat, LDR 0.25"]
    titles = [axis.get_title("left") or axis.get_title() for axis in axes[::3]]
    assert titles == ["early: x_t", "late: x_t"]
    assert np.allclose(axes[2].images[0].get_array(), [[1, 0], [0, 0]])
