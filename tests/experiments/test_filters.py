"""Filters on runs whose samples and ways are made up, so that their worth is known."""

import numpy as np
import pytest

from localbias.experiments import Results, Sampling, catalogue, filters, sampled_exactly
from localbias.experiments.modes import curves, on_the_way, shares
from localbias.statistics import auc

N = 400


@pytest.fixture
def made_up(run):
    """Two seeds of a grid with 400 samples each, a tenth of them in no mode; those move more."""
    records, generator = [], np.random.default_rng(0)
    for seed in (0, 1):
        record = run("grid-25-gentle", seed)
        tokens = np.full((2, N, 2), 2)
        bad = generator.permutation(N)[: N // 10]
        tokens[:, bad, 0] = -1
        moves = generator.exponential(1, (2, 4, N))
        moves[:, 2, bad] += 5  # only the third window tells
        record.__dict__["arrays"] = dict(record.arrays) | {"tokens": tokens, "trajectory": moves}
        records.append(record)
    return Results(records)


def test_windows_are_named_and_those_without_a_variance_left_out(made_up):
    found = filters.variances(made_up)
    assert list(found) == ["last 3 steps", "0.1 to 0.5", "0.5 to 0.9", "0.9 to 1"]
    made_up.records[0].arrays["trajectory"][:, 1] = np.nan
    assert list(filters.variances(made_up)) == ["last 3 steps", "0.5 to 0.9", "0.9 to 1"]
    assert found["0.5 to 0.9"].shape == (2, 2, N)


def test_areas_are_those_of_the_statistic(made_up):
    scores = filters.variances(made_up)["0.5 to 0.9"]
    found = filters.areas(made_up, scores, "unreadable")
    bad = made_up.records[1].arrays["tokens"][0, :, 0] < 0
    assert found[0][1] == auc(scores[1, 0], bad) and found[0][1].value > 0.95
    assert filters.areas(made_up, scores, "hallucination") == [[None, None], [None, None]]


def test_a_cut_is_chosen_on_one_half_and_judged_on_the_other(made_up):
    found = filters.cut(made_up, keep=0.9)
    assert found.window == "0.5 to 0.9"
    scores, bad = (
        filters.variances(made_up)[found.window][0, -1],
        filters.outcomes(made_up)[0, -1] == 0,
    )
    even = np.arange(N) % 2 == 0
    assert found.threshold == pytest.approx(np.quantile(scores[even & ~bad], 0.9))
    odd = ~even
    assert found.removed[0] == (scores[odd & bad] > found.threshold).mean()
    assert found.kept[0] == (scores[odd & ~bad] <= found.threshold).mean()
    assert found.bad == (odd & bad).sum() and found.removed[0] > 0.9
    useless = filters.cut(made_up, keep=0.9, windows=["0.1 to 0.5"])
    assert useless.removed[1] < 0.1 < useless.removed[2]
    assert filters.cut(made_up, group="never seen") is None


def test_places_of_points_in_no_mode(made_up):
    first = made_up.records[0]
    positions = made_up.setup.renderer.positions.numpy()
    middle = (positions[0] + positions[1]) / 2
    spots = {
        "between neighbours": ([middle, positions[2]], [-1, 2]),
        "between more": ([middle, middle], [-1, -1]),
        "outside": ([3.0, middle], [-1, -1]),
    }
    points = np.tile(positions[[2, 2]], (2, N, 1)).astype(np.float32)
    tokens = np.full((2, N, 2), 2)
    for place, (point, read) in enumerate(spots.values()):
        points[1, : place + 1], tokens[1, : place + 1] = 9, -1  # overwritten below
    for place, (point, read) in enumerate(spots.values()):
        points[1, place], tokens[1, place] = point, read
    first.__dict__["arrays"] = dict(first.arrays) | {"samples": points, "tokens": tokens}
    found = filters.places(Results([first]))
    assert {name: counts.tolist() for name, counts in found.items()} == dict.fromkeys(spots, [0, 1])


def test_jacobians_are_ratios_and_sizes(run):
    results = Results([run("parity-8-scalars-watched")])
    found = filters.jacobians(results)
    moments = results.records[0].arrays["watched_ldr"]
    assert list(found) == [0.7, 0.9, 0.99]
    np.testing.assert_allclose(found[0.9][0][0], moments[:, 1, :, 1] / moments[:, 1, :, 2])
    np.testing.assert_array_equal(found[0.9][1][0], moments[:, 1, :, 2])
    assert filters.jacobians(Results([run("grid-25")])) == {}


def test_what_was_not_watched_and_what_is_no_point_is_named(run):
    results = Results([run("parity-8-scalars")])
    with pytest.raises(ValueError, match="'parity-8-scalars' was not watched"):
        filters.variances(results)
    with pytest.raises(ValueError, match="'parity-8-scalars' shows no points"):
        filters.places(results)
    with pytest.raises(ValueError, match="shows no points of one coordinate"):
        curves(Results([run("grid-25")]), 0.5)


def test_curves_are_the_denoisers_over_the_noised_point(run):
    results = Results([run("modes-3-gentle")])
    x, by_name = curves(results, 0.999)
    assert list(by_name) == ["exact", "network, untrained"]
    at_modes = np.interp([1, 2, 3], x, by_name["exact"])
    np.testing.assert_allclose(at_modes, [1, 2, 3], atol=0.02)  # a staircase in little noise
    _, noisy = curves(results, 0.05)
    np.testing.assert_allclose(noisy["exact"], 2, atol=0.2)  # the mean in much
    steps, counts = shares(results)
    assert counts[0, :, 1].tolist() == [32, 32] and steps.tolist() == [10, 20]
    ways = on_the_way(results)
    assert ways(0.9)["exact"].shape == (32,)
    end = ways(1.0)["exact"]
    assert np.abs(end[:, None] - [1, 2, 3]).min(1).mean() < 0.2  # of .25 were they anywhere


def test_the_exact_score_lies_in_no_mode_by_a_coarse_sampler_alone():
    setup = catalogue.setup("modes-3")
    fine, coarse = sampled_exactly(
        setup, [Sampling(9, 1000, 1.0, None), Sampling(9, 50, clamp=None)], 2000
    )
    assert fine.sum() == coarse.sum() == 2000 and fine[0] == 0
    assert 0.04 < coarse[0] / 2000 < 0.1  # 6.6 % of 20,000


def test_advice_finds_the_probe_that_tells_and_is_judged_on_other_samples(made_up):
    found = filters.advice(made_up, "unreadable")
    assert found.probe == "variance, 0.5 to 0.9" and found.alone.value > 0.95
    assert found.together.value > 0.9
    assert filters.advice(made_up, "never seen") is None
    moves = made_up.records[0].arrays["trajectory"]
    moves[:] = np.random.default_rng(1).exponential(1, moves.shape)
    nothing = filters.advice(made_up, "unreadable")
    assert nothing.alone.low < 0.5 < nothing.alone.high, "nothing is found where nothing is"


def test_a_probe_that_is_low_for_what_is_sought_is_named_so(made_up):
    arrays = made_up.records[0].arrays
    arrays["trajectory"] = -arrays["trajectory"]
    found = filters.advice(made_up, "unreadable")
    assert found.probe == "low variance, 0.5 to 0.9" and found.alone.value > 0.95


def test_two_probes_together_beat_each_alone():
    generator = np.random.default_rng(2)
    bad = generator.random(4000) < 0.5
    values = generator.normal(size=(4000, 2)) + bad[:, None]
    chosen = np.arange(4000) % 2 == 0
    ranks = np.column_stack([filters._ranks(column, chosen) for column in values.T])
    weights = filters._weights(ranks[chosen], bad[chosen])
    assert weights[0] == pytest.approx(weights[1], rel=0.15) and weights.min() > 0
    together = auc(ranks[~chosen] @ weights, bad[~chosen])
    assert (
        together.value > max(auc(column[~chosen], bad[~chosen]).value for column in values.T) + 0.03
    )
