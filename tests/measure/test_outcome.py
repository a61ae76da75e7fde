"""The four outcomes, their intervals and their chance levels."""

import itertools
import math

import numpy as np
import pytest
import torch

from localbias.grammar import Dyck, Parity, QuarterSum
from localbias.measure import OUTCOMES, Outcomes, chance, classify, escape, tally
from localbias.statistics import share_over_seeds, wilson


def test_each_outcome_by_hand():
    train = torch.tensor([[0, 0, 0, 0], [1, 1, 0, 0]])
    tokens = torch.tensor(
        [
            [0, 0, 0, -1],
            [-1, -1, -1, -1],
            [0, 0, 0, 2],
            [0, 0, 0, 1],
            [1, 1, 0, 0],
            [0, 0, 1, 1],
            [0, 0, 0, 0],
        ]
    )
    names = [OUTCOMES[k] for k in classify(tokens, Parity(4), train)]
    assert names == 3 * ["invalid"] + ["hallucination", "in dataset", "extrapolation", "in dataset"]
    assert classify(tokens, Parity(4), train).dtype == torch.int64
    assert tally(tokens, Parity(4), train).counts.tolist() == [3, 1, 2, 1]


def test_every_digit_string_is_counted_once_and_extrapolation_is_the_held_out_strings():
    grammar = QuarterSum()
    train, held_out = grammar.split(470, 3)
    every = torch.cartesian_prod(*[torch.arange(10)] * 4)
    outcomes = classify(every, grammar, train)
    assert outcomes.bincount(minlength=4).tolist() == [0, 10_000 - 670, 470, 200]
    assert set(map(tuple, every[outcomes == 3].tolist())) == set(map(tuple, held_out.tolist()))


def test_no_samples_no_outcomes():
    train, _ = Parity(4).split(2, 0)
    empty = torch.empty(0, 4, dtype=torch.int64)
    assert classify(empty, Parity(4), train).shape == (0,)
    assert tally(empty, Parity(4), train).counts.tolist() == [0, 0, 0, 0]


def test_training_strings_must_be_valid():
    with pytest.raises(ValueError, match="training string"):
        classify(torch.zeros(1, 3, dtype=torch.int64), Parity(3), torch.tensor([[1, 0, 0]]))


@pytest.mark.parametrize("grammar, n_train", [(Parity(6), 10), (Dyck(6), 2), (QuarterSum(), 470)])
def test_chance_by_enumerating_independent_symbols(grammar, n_train):
    train, _ = grammar.split(n_train, 1)
    marginals = grammar.marginals().tolist()
    truth = np.zeros(4)
    every = torch.tensor(
        list(itertools.product(range(len(grammar.alphabet)), repeat=grammar.length))
    )
    for string, outcome in zip(every.tolist(), classify(every, grammar, train).tolist()):
        truth[outcome] += math.prod(marginals[i][k] for i, k in enumerate(string))
    np.testing.assert_allclose(chance(grammar, train), truth, atol=1e-12)
    np.testing.assert_allclose(
        chance(grammar, train.repeat(2, 1)), truth, atol=1e-12
    )  # a set, not a list


def test_chance_of_parity_is_a_half():
    train, _ = Parity(8).split(64, 0)
    np.testing.assert_allclose(chance(Parity(8), train), [0, 0.5, 0.25, 0.25], atol=1e-12)


def test_wilson_bounds_are_where_the_score_test_just_rejects():
    # The interval holds each p with |count/n − p| ≤ z √(p(1−p)/n): at its ends that is an equality.
    count, n = np.array([1, 5, 50, 99]), 100
    for level, z in [(0.95, 1.959963984540054), (0.99, 2.5758293035489004)]:
        for bound in wilson(count, n, level):
            np.testing.assert_allclose(
                abs(count / n - bound), z * np.sqrt(bound * (1 - bound) / n), rtol=1e-9
            )


def test_wilson_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    for count, n in [(0, 7), (3, 7), (7, 7), (206, 1000)]:
        truth = stats.binomtest(count, n).proportion_ci(0.9, method="wilson")
        np.testing.assert_allclose(wilson(count, n, 0.9), (truth.low, truth.high), atol=1e-12)


def test_wilson_at_the_edges_and_on_arrays():
    low, high = wilson(np.array([0, 10]), 10)
    z2 = 1.959963984540054**2
    np.testing.assert_allclose(low, [0, 10 / (10 + z2)], atol=1e-12)
    np.testing.assert_allclose(high, [z2 / (10 + z2), 1], atol=1e-12)
    assert wilson(np.array([[1], [2]]), np.array([10, 20, 30]))[0].shape == (2, 3)


@pytest.mark.parametrize(
    "count, n, level", [(0, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 0)]
)
def test_wilson_refuses_what_has_no_interval(count, n, level):
    with pytest.raises(ValueError, match="allowed"):
        wilson(count, n, level)


def test_proportions_and_intervals_of_swept_counts():
    outcomes = Outcomes(np.array([[[1, 2, 3, 4], [0, 0, 0, 20]], [[10, 0, 0, 0], [5, 5, 5, 5]]]))
    assert outcomes.n.tolist() == [[10, 20], [10, 20]]
    np.testing.assert_allclose(outcomes.proportions[0, 0], [0.1, 0.2, 0.3, 0.4])
    low, high = outcomes.intervals()
    assert low.shape == (2, 2, 4)
    np.testing.assert_allclose((low[1, 1, 2], high[1, 1, 2]), wilson(5, 20))


def test_over_seeds_keeps_the_spread_between_seeds():
    seeds = Outcomes(np.array([[0, 100, 0, 0], [0, 50, 50, 0], [0, 30, 70, 0]]))
    mean, low, high = seeds.over_seeds()
    np.testing.assert_allclose(mean, [0, 0.6, 0.4, 0])
    np.testing.assert_allclose((low, high), ([0, 0.3, 0, 0], [0, 1, 0.7, 0]))
    with pytest.raises(ValueError, match="seeds"):
        Outcomes(np.array([1, 2, 3, 4])).over_seeds()


@pytest.mark.parametrize("counts", [[1, 2, 3], [0.5, 0.5, 0.0, 0.0], [1, -1, 0, 0]])
def test_counts_must_be_counts(counts):
    with pytest.raises(ValueError, match="counts"):
        Outcomes(np.array(counts))


def test_a_share_over_seeds_is_no_surer_than_its_samples_nor_narrower_than_its_seeds():
    agree, n = np.array([50, 50, 50]), np.array([100, 100, 100])
    mean, low, high = share_over_seeds(agree, n)
    assert mean == 0.5 and (low, high) == pytest.approx([float(end) for end in wilson(150, 300)])
    assert share_over_seeds(np.array([20, 50, 80]), n) == pytest.approx((0.5, 0.2, 0.8))
    assert share_over_seeds(np.array([1, 30]), np.array([10, 100]))[0] == pytest.approx(
        0.2
    )  # seeds count alike


@pytest.mark.parametrize(
    "hallucinations, invalid, expected",
    [
        ([9, 6, 2, 2], [0, 0, 0, 0], 30),
        ([2, 6, 2, 2], [0, 0, 0, 0], 30),
        ([9, 9, 9, 2], [0] * 4, 40),
        ([2, 2, 2, 9], [0] * 4, np.inf),
        ([0, 0, 2, 2], [6, 5, 0, 0], 20),
        ([0, 0, 0, 0], [10] * 4, np.inf),
    ],
)
def test_escape_is_the_step_after_which_few_hallucinate_for_good(hallucinations, invalid, expected):
    counts = np.stack([invalid, hallucinations, 10 - np.add(invalid, hallucinations), [0] * 4], 1)
    assert escape(np.array([10, 20, 30, 40]), counts, 0.25) == expected
