"""Slopes by order: exact on laws of which they are known, and against coefficients written down."""

from itertools import combinations, product

import numpy as np
import pytest
import torch

from localbias.grammar import Parity, QuarterSum, maximum_entropy
from localbias.measure import order_slopes

EVERY = torch.tensor(list(product((0, 1), repeat=6)))


def test_the_training_set_has_slope_one_in_every_order():
    training, _ = Parity(6).split(20, 0)
    slopes, errors = order_slopes(training, training)
    np.testing.assert_allclose(slopes, 1, atol=1e-12)
    assert (errors[:-1] > 0).all() and errors[-1] == 0  # every string keeps the rule


def test_all_strings_have_slope_zero_and_parity_only_the_last():
    training, _ = Parity(6).split(20, 0)
    np.testing.assert_allclose(order_slopes(EVERY, training)[0], 0, atol=1e-12)
    np.testing.assert_allclose(
        order_slopes(Parity(6).support, training)[0], [0, 0, 0, 0, 0, 1], atol=1e-12
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_law_of_an_order_gives_back_these_orders(order):
    training, _ = Parity(6).split(28, 3)
    law = maximum_entropy(training, 2, order)
    drawn = torch.multinomial(
        law.probabilities, 40_000, True, generator=torch.Generator().manual_seed(0)
    )
    slopes, errors = order_slopes(law.strings[drawn], training)
    assert (abs(slopes[:order] - 1) < 4 * errors[:order]).all()
    assert abs(slopes[-1]) < 0.6  # the rule does not follow


def test_the_error_is_the_spread_of_repeated_samples():
    training, _ = Parity(6).split(20, 1)
    generator = torch.Generator().manual_seed(0)
    repeated = [
        order_slopes(EVERY[torch.randint(64, (200,), generator=generator)], training)
        for _ in range(300)
    ]
    spread = np.std([slopes for slopes, _ in repeated], axis=0)
    np.testing.assert_allclose(spread, np.mean([e for _, e in repeated], axis=0), rtol=0.15)


def test_of_signs_they_are_those_of_the_fourier_coefficients():
    training, held_out = Parity(6).split(9, 2)
    drawn = torch.cat([training[:5], held_out, EVERY[::3]])

    def products(strings, places):
        return (1.0 - 2 * (strings[:, places].sum(1) % 2)).double()

    for size, (slope, error) in enumerate(zip(*order_slopes(drawn, training)), 1):
        sets = [list(places) for places in combinations(range(6), size)]
        known = torch.stack([products(training, places).mean() for places in sets])
        each = torch.stack([products(drawn, places) for places in sets], 1) @ known
        norm = known.square().sum()
        assert slope == pytest.approx((each.mean() / norm).item(), abs=1e-12)
        assert error == pytest.approx((each.std() / len(each) ** 0.5 / norm).item(), abs=1e-12)


def test_of_digits_the_parts_are_those_of_the_decomposition():
    """Order 2 by hand: joint frequencies of two places less those of each of them."""
    training, others = QuarterSum().split(60, 0)

    def part(strings):
        one_hot = torch.nn.functional.one_hot(strings, 10).double()
        found = []
        for i, j in combinations(range(4), 2):
            joint = torch.einsum("na,nb->ab", one_hot[:, i], one_hot[:, j]) / len(strings)
            found.append(joint - joint.mean(0) - joint.mean(1, keepdim=True) + joint.mean())
        return torch.stack(found)

    known, generated = part(training), part(others)
    expected = (known * generated).sum() / known.square().sum()
    assert order_slopes(others, training, 10)[0][1] == pytest.approx(expected.item(), abs=1e-12)


def test_an_order_without_coefficients_has_no_slope():
    slopes, errors = order_slopes(EVERY, EVERY)
    assert np.isnan(slopes).all() and np.isnan(errors).all()


@pytest.mark.parametrize(
    "generated, training, sentence",
    [
        (EVERY[:1], EVERY, r"generated \(1, 6\); allowed: \[n ≥ 2, 6\]"),
        (EVERY[:, :5], EVERY, r"generated \(64, 5\)"),
        (EVERY - 1, EVERY, r"generated strings hold \[-1, 0\]; allowed: 0 to 1"),
        (EVERY, EVERY + 1, r"training strings hold \[1, 2\]"),
    ],
)
def test_strings_that_have_none_are_refused(generated, training, sentence):
    with pytest.raises(ValueError, match=sentence):
        order_slopes(generated, training)
