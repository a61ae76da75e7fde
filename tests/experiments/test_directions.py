"""Where networks go: the laws on the ways there, and samples of which the answer is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from localbias.experiments import Results
from localbias.experiments.directions import directions


@pytest.fixture(scope="module")
def quarter(run):
    return Results([run("quarter-token-dit-150", seed) for seed in (0, 1)])


def counted(results, counts):
    """The same experiments with other outcomes: [S, M, 4]."""
    for record, rows in zip(results.records, counts):
        record.__dict__["arrays"] = record.arrays | {
            "counts": np.array(rows),
            "step": 10 * np.arange(1, 1 + len(rows)),
        }
    return Results(results.records)


def test_the_ways_start_at_independent_symbols_and_end_where_they_lead(quarter):
    one = directions(quarter)
    share = len(quarter.setup.train_strings) / 670
    ends = {"the rule": (1, share), "the training set": (1, 1)}
    assert set(one.laws) == {"the rule", "pairs", "the training set"}
    alone = quarter.setup.chance[2:]  # of the rule's marginals
    np.testing.assert_allclose(one.laws["the rule"][0, 0], sum(alone))
    assert one.start == pytest.approx(sum(alone))
    np.testing.assert_allclose(one.laws["pairs"][:, 0], one.laws["the training set"][:, 0])
    for name, way in one.laws.items():
        assert (np.diff(way[0]) > -1e-9).all(), "ever more strings are valid"
        if name in ends:
            np.testing.assert_allclose(way[:, -1], ends[name])
    # A sum is a statistic of pairs: who knows them all keeps the rule.
    assert one.laws["pairs"][0, -1] == pytest.approx(1)


def test_between_two_laws_it_is_read_off_and_beyond_them_it_is_not(quarter):
    one = directions(quarter)
    for name, (valid, kept) in one.laws.items():
        middle = (valid[16] + valid[17]) / 2
        assert one.at(middle)[name] == pytest.approx((kept[16] + kept[17]) / 2)
    assert all(math.isnan(value) for value in one.at(one.start / 2).values())
    # All valid is the end of the way, whatever the last digit of the way's sum.
    assert one.at(1.0) == pytest.approx({name: way[1, -1] for name, way in one.laws.items()})
    back = replace(one, laws={"back": np.array([[0.1, 0.5, 0.3], [0.1, 0.2, 0.3]])})
    assert math.isnan(back.at(0.4)["back"]), "two places are as valid"


def test_what_a_network_draws_counts_where_enough_can_be_read_and_is_valid(quarter):
    unread, few, some, many = [60, 10, 20, 10], [10, 81, 5, 4], [10, 70, 15, 5], [0, 25, 60, 15]
    others = [0, 50, 25, 25], [0, 80, 10, 10], [0, 80, 4, 16], [0, 75, 20, 5]
    one = directions(counted(quarter, [[unread, few, some, many], others]))
    assert one.steps.tolist() == [30, 40]
    np.testing.assert_allclose(one.valid, [(20 / 90 + 20 / 100) / 2, (0.75 + 0.25) / 2])
    np.testing.assert_allclose(one.kept[:, 0], [(0.75 + 0.2) / 2, 0.8])
    assert one.kept[0, 1] <= 0.2 and one.kept[0, 2] >= 0.75, "the range of the seeds"
    assert (one.kept[:, 1] < one.kept[:, 0]).all() and (one.kept[:, 0] < one.kept[:, 2]).all()


def test_a_rule_whose_training_set_is_not_random_in_pairs_is_enumerated_all_the_same(run):
    one = directions(Results([run("parity-8-mlp-vectors")]))
    # Pairs of a parity do not know it: that way ends near one half.
    assert one.laws["pairs"][0, -1] == pytest.approx(0.5, abs=0.05)
    assert math.isnan(one.at(0.9)["pairs"]) and one.at(0.9)["the rule"] > 0
    assert len(one.steps) == 0 and one.kept.shape == (0, 3)  # of a smoke run too little is valid
