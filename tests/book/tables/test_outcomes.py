"""The tables of outcomes say what the counts say."""

import numpy as np
import pytest

from localbias import grammar
from localbias.book import tables
from localbias.experiments import Setup


def test_rules_beside_chance(rows):
    parity, quarter = rows(tables.rules([grammar.Parity(4), grammar.QuarterSum()], "After."))
    assert list(parity.values()) == ["Parity(length=4)", "8 of 16", "50.0%", "0.0000"]
    # 670 tuples: of 19 sums s, the number of pairs with that sum, squared.
    pairs = np.convolve(np.ones(10), np.ones(10))
    assert quarter["valid strings"] == f"{int((pairs**2).sum())} of 10,000"


def test_exact_samples_beside_chance(rows, results):
    setup = Setup(results([[[1, 0, 0, 0]] * 2]).experiment)  # chance is 1/2
    drawn = {
        "a": {"marginals": [0, 50, 30, 20], "rule": [0, 0, 60, 40], "train": [0, 0, 98, 2]},
        "b": {"marginals": [0, 90, 5, 5], "rule": [0, 10, 90, 0], "train": [0, 0, 100, 0]},
    }
    drawn = {name: {k: np.array(v) for k, v in by.items()} for name, by in drawn.items()}
    a, b = rows(tables.exact_samples({"a": setup, "b": setup}, drawn))
    assert list(a.values()) == ["`a`", "100%", "100%", "2", "at chance", "50.0%"]
    assert list(b.values()) == ["`b`", "90%", "100%", "0", "below chance", "50.0%"]


@pytest.mark.parametrize(
    "counts, share, verdict",
    [
        ([500, 250, 150, 100], "50%", "at chance"),  # of the readable ones, as chance has it
        ([500, 400, 50, 50], "20%", "below chance"),
        ([0, 100, 450, 450], "90%", "above chance"),
    ],
)
def test_readable_shares_beside_chance(rows, results, counts, share, verdict):
    found = results([[[1000, 0, 0, 0], counts]] * 2)
    (row,) = rows(tables.readable_shares([found], {"valid": [2, 3]}))
    assert row["share"].startswith(f"{share} (") and row["chance"] == "50%"
    assert row["which is"] == verdict


def test_a_share_of_nothing_readable(rows, results):
    (row,) = rows(tables.readable_shares([results([[[9, 0, 0, 0]] * 2])], {"valid": [2, 3]}))
    assert row["share"] == "none readable" and row["which is"] == ""


def test_endings_are_of_the_last_step(rows, results):
    counts = [[[10, 0, 0, 0], [1, 2, 3, 4]], [[10, 0, 0, 0], [3, 2, 1, 4]]]
    (row,) = rows(tables.endings([results(counts)]))
    assert row == {
        "experiment": "`toy`",
        # their range, widened to the Wilson interval of 4, 4, 4 and 8 of 20
        "invalid": "20% (8%–42%)",
        "hallucination": "20% (8%–42%)",
        "in dataset": "20% (8%–42%)",
        "extrapolation": "40% (22%–61%)",
    }


def test_endings_at_a_step_are_of_that_step_and_tell_the_images(rows, results):
    counts = [[[10, 0, 0, 0], [1, 2, 3, 4]]]
    (row,) = rows(tables.endings([results(counts)], 1000))
    assert row["invalid"].startswith("100%") and row["images seen"] == "7,000"
    with pytest.raises(ValueError, match="step=500; 'toy' was measured at 1000, 2000"):
        tables.endings([results(counts)], 500)


def test_settings_are_those_of_the_configuration(rows, results):
    (row,) = rows(tables.settings([results([[[10, 0, 0, 0]] * 2])]))
    assert row == {
        "experiment": "`toy`",
        "tier": "smoke",
        "parameters": "12,345",
        "seeds": "1",
        "minutes a seed": "2",
        "training strings": "5, fixed",
        "output read as, loss on": "noise, noise",
        "steps × batch": "2,000 × 7",
        "images seen": "14,000",
        "rate": "0.001, constant",
        "average": "0.5",
        "β, T": "linear, 1,000",
        "samples": "10 in 50 steps, η = 0, clamp 1.0",
    }
