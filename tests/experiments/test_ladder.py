"""Predictions by order, clocks and treatments: on laws and records of which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from localbias.experiments import beyond, catalogue, ladder
from localbias.experiments.results import Results
from localbias.experiments.setup import Setup


@pytest.fixture(scope="module")
def scalars():
    return Results([catalogue.run("parity-8-scalars", seed=seed) for seed in (0, 1, 2)])


def setup(n, **fields):
    return Setup(catalogue.make("parity-8-scalars", "smoke", **fields).replace(n_train=n))


def test_the_law_of_order_one_is_chance_of_the_training_sets_marginals():
    shares = ladder.law_shares(setup(64), 1)
    assert shares.sum() == pytest.approx(1) and shares[0] == 0
    assert shares[1] == pytest.approx(0.5, abs=1e-3)
    assert shares[2] == pytest.approx(shares[3], abs=0.05)


def test_with_few_strings_the_law_of_order_three_is_the_training_set():
    """Their pairs and triples leave no other string possible; with many, half break the rule."""
    few, many = (ladder.law_shares(setup(n), 3) for n in (24, 96))
    np.testing.assert_allclose(few, [0, 0, 1, 0], atol=1e-8)
    assert many[1] == pytest.approx(0.5, abs=0.01) and many[2] > many[3]


def test_the_share_that_breaks_the_rule_is_one_coefficient(scalars):
    tokens = scalars.tokens()[-1]
    readable = tokens[(tokens >= 0).all(1)]
    coefficient = (1.0 - 2 * (readable.sum(1) % 2)).double().mean().item()
    share = ladder.hallucinating(scalars.counts)[0, -1]
    assert 1 - 2 * share == pytest.approx(coefficient, abs=1e-12)


def test_too_few_readable_samples_say_nothing():
    counts = np.array([[90, 5, 5, 0], [50, 10, 20, 20]])
    np.testing.assert_allclose(ladder.hallucinating(counts), [np.nan, 0.2])
    np.testing.assert_allclose(ladder.hallucinating(counts, 0.1), [0.5, 0.2])


def test_since_is_the_first_step_from_which_it_holds_to_the_end():
    steps = np.array([1, 2, 4, 8])
    holds = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1], [1, 1, 1, 0]], bool)
    assert ladder.since(steps, holds).tolist() == [1, 4, 8, np.inf]


def test_the_ladder_of_the_recorded_network_is_climbed_in_order(scalars):
    found = ladder.clocks(scalars, 0.8)
    assert (found.low < found.four).all() and (found.four <= found.halved).all()
    assert (found.mean < found.pooled).all(), "the mean of ratios falls first"
    v, train = scalars.place(0.8), scalars.references.index("train")
    for seed, (record, at) in enumerate(zip(scalars.records, found.pooled)):
        _, inside, total = record.arrays["reference_ldr"][train, v].sum(0)  # the ratio of means
        row = list(scalars.steps).index(at)
        before, after = scalars.pooled_ratios()[seed, row : row + 2, v]  # row 0 is untrained
        assert after <= (1 + inside / total) / 2 < before
    steps, shares, laws = ladder.splits(scalars)
    assert shares.shape == (3, len(steps), 3) and set(laws) == {1, 2, 3}
    middle = list(steps).index(2000)
    trained = {k: (law[:, 1] / law[:, 1:].sum(1)).mean() for k, law in laws.items()}
    network = shares[:, middle, 1] / shares[:, middle, 1:].sum(1)
    assert trained[1] < trained[2] < network.mean(), "it is beyond pairs while half break the rule"
    with pytest.raises(ValueError, match=r"level 0\.42"):
        ladder.clocks(scalars, 0.42)


def test_threshold_has_a_prediction_and_a_measurement_for_each_number(scalars):
    found = ladder.threshold({64: scalars}, (1, 3))
    assert found.strings.tolist() == [64] and set(found.predicted) == {1, 3}
    assert 0.4 < found.measured[0].min() <= found.measured[0].max() < 0.6
    np.testing.assert_allclose(found.predicted[3][0], 0.5, atol=0.02)


def test_a_treatments_end_is_beside_the_exact_ones(scalars):
    found, exact = ladder.treatments({"parity": {"nothing": scalars}}, 0.8)
    ratios, shares = found["parity"]["nothing"]
    assert len(ratios) == len(shares) == 3 and (0 < shares).all()
    (rule, breaks), (train, none) = exact["parity"]["rule"], exact["parity"]["train"]
    assert train < rule < 1 and breaks == none == 0


def test_the_linear_denoiser_of_parity_is_local_and_points_have_none(scalars):
    levels, curves = ladder.beside_linear(scalars)
    np.testing.assert_allclose(curves["linear"], 1, atol=1e-9)
    assert curves["network, at the end"].shape == (3, len(levels))
    assert curves["rule"][levels.index(0.9)] < 0.8
    points = Results([catalogue.run("modes-3", "smoke")])
    with pytest.raises(ValueError, match="was not probed"):
        ladder.beside_linear(points)


def test_every_treatment_is_an_experiment():
    for by_words in beyond.TREATMENTS.values():
        assert "nothing" in by_words
        assert all(catalogue.make(name).training.steps == 12_000 for name in by_words.values())


@pytest.mark.parametrize("rule", beyond.BASES)
@pytest.mark.parametrize("cure", beyond.CURES)
def test_a_treatment_differs_in_one_thing(rule, cure):
    made, base = (
        recipe("x", "laptop", 0)
        for recipe in (beyond.TREATED[f"{rule}-treated-{cure}"], beyond.BASES[rule])
    )
    assert made.key != base.key
    undone = replace(made.training, focus=None, penalty=None)
    assert made.replace(training=undone, n_train=64).key == base.key


def test_flips_that_keep_the_rule_make_all_of_its_strings():
    strings = catalogue.setup("parity-8-scalars").train_strings
    flips = torch.cartesian_prod(*[torch.arange(2)] * 8)
    flips = flips[flips.sum(1) % 2 == 0]
    reached = (strings[:, None] ^ flips).reshape(-1, 8).unique(dim=0)
    assert len(reached) == 128 == catalogue.make("parity-8-treated-flips").n_train
