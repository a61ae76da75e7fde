"""Fourier slopes by degree: exact on laws of which they are known."""

from itertools import product

import numpy as np
import pytest
import torch

from localbias.grammar import Parity, maximum_entropy
from localbias.measure import fourier_slopes

EVERY = torch.tensor(list(product((0, 1), repeat=6)))


def test_the_training_set_has_slope_one_in_every_degree():
    training, _ = Parity(6).split(20, 0)
    slopes, errors = fourier_slopes(training, training)
    np.testing.assert_allclose(slopes, 1, atol=1e-12)
    assert (errors[:-1] > 0).all() and errors[-1] == 0  # every string keeps the rule


def test_all_strings_have_slope_zero_and_parity_only_the_last():
    training, _ = Parity(6).split(20, 0)
    np.testing.assert_allclose(fourier_slopes(EVERY, training)[0], 0, atol=1e-12)
    np.testing.assert_allclose(
        fourier_slopes(Parity(6).support, training)[0], [0, 0, 0, 0, 0, 1], atol=1e-12
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_law_of_an_order_gives_back_these_degrees(order):
    training, _ = Parity(6).split(28, 3)
    law = maximum_entropy(training, 2, order)
    drawn = torch.multinomial(
        law.probabilities, 40_000, True, generator=torch.Generator().manual_seed(0)
    )
    slopes, errors = fourier_slopes(law.strings[drawn], training)
    assert (abs(slopes[:order] - 1) < 4 * errors[:order]).all()
    assert abs(slopes[-1]) < 0.6  # the rule does not follow


def test_the_error_is_the_spread_of_repeated_samples():
    training, _ = Parity(6).split(20, 1)
    generator = torch.Generator().manual_seed(0)
    repeated = [
        fourier_slopes(EVERY[torch.randint(64, (200,), generator=generator)], training)
        for _ in range(300)
    ]
    spread = np.std([slopes for slopes, _ in repeated], axis=0)
    np.testing.assert_allclose(spread, np.mean([e for _, e in repeated], axis=0), rtol=0.15)


def test_a_degree_without_coefficients_has_no_slope():
    slopes, errors = fourier_slopes(EVERY, EVERY)
    assert np.isnan(slopes).all() and np.isnan(errors).all()


@pytest.mark.parametrize(
    "generated, training, sentence",
    [
        (EVERY[:1], EVERY, r"generated \(1, 6\); allowed: \[n ≥ 2, 6\]"),
        (EVERY[:, :5], EVERY, r"generated \(64, 5\)"),
        (EVERY - 1, EVERY, r"generated strings hold \[-1, 0\]; allowed: 0 and 1"),
        (EVERY, EVERY + 1, r"training strings hold \[1, 2\]"),
        (torch.zeros(3, 13).long(), torch.zeros(3, 13).long(), "13 symbols; allowed: up to 12"),
    ],
)
def test_strings_that_have_none_are_refused(generated, training, sentence):
    with pytest.raises(ValueError, match=sentence):
        fourier_slopes(generated, training)
