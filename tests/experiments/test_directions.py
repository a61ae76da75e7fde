"""Where networks go: the laws on the ways there, and samples of which the answer is known."""

import math

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
    setups = quarter.setups
    starts = {name: way[:, 0] for name, way in one.laws.items()}
    share = len(setups[0].train_strings) / 670
    ends = {"the rule": (1, share), "the training set": (1, 1)}
    assert set(starts) == {"the rule", "pairs", "the training set"}
    for name, way in one.laws.items():
        np.testing.assert_allclose(way[:, 0], starts["the rule"])
        assert (np.diff(way[0]) >= 0).all(), "ever more strings are valid"
        if name in ends:
            np.testing.assert_allclose(way[:, -1], ends[name])
    # A sum is a statistic of pairs: who knows them all keeps the rule.
    assert one.laws["pairs"][0, -1] == pytest.approx(1)
    by_hand = [
        setup.law_outcomes(setup.grammar.support, setup.grammar.probabilities)[2]
        for setup in setups
    ]
    assert by_hand == pytest.approx([share, share])


def test_halfway_to_the_rule_is_a_mixture_of_both(quarter):
    one = directions(quarter)
    start_valid, start_kept = one.laws["the rule"][:, 0]
    share = len(quarter.setup.train_strings) / 670
    middle = (start_valid + 1) / 2
    found = one.at(middle)
    # The curves of two seeds are averaged: their starts differ by little.
    kept = (start_valid * start_kept + share) / (2 * middle)
    assert found["the rule"] == pytest.approx(kept, abs=2e-3)
    memory = (start_valid * start_kept + 1) / (2 * middle)
    assert found["the training set"] == pytest.approx(memory, abs=2e-3)
    assert all(math.isnan(value) for value in one.at(start_valid / 2).values())
    # All valid is the end of the way, whatever the last digit of the way's sum.
    assert one.at(1.0) == pytest.approx({name: way[1, -1] for name, way in one.laws.items()})


def test_what_a_network_draws_is_pooled_over_the_seeds_where_enough_is_valid(quarter):
    few, some, many = [50, 40, 5, 4], [10, 60, 8, 2], [0, 25, 60, 15]
    others = [50, 40, 5, 5], [10, 60, 4, 6], [0, 75, 20, 5]
    one = directions(counted(quarter, [[few, some, many], others]))
    assert one.steps.tolist() == [20, 30]
    np.testing.assert_allclose(one.valid, [(10 / 70 + 10 / 70) / 2, (0.75 + 0.25) / 2])
    np.testing.assert_allclose(one.kept[:, 0], [12 / 20, 80 / 100])
    assert (one.kept[:, 1] < one.kept[:, 0]).all() and (one.kept[:, 0] < one.kept[:, 2]).all()


def test_a_rule_whose_training_set_is_not_random_in_pairs_is_enumerated_all_the_same(run):
    one = directions(Results([run("parity-8-mlp-vectors")]))
    # Pairs of a parity do not know it: that way ends near one half.
    assert one.laws["pairs"][0, -1] == pytest.approx(0.5, abs=0.05)
    assert math.isnan(one.at(0.9)["pairs"]) and one.at(0.9)["the rule"] > 0
