"""Damped and truncated laws: symbol by symbol by hand, and part by part."""

import itertools
import math

import pytest
import torch

from localbias.grammar import Parity, maximum_entropy
from localbias.grammar.series import copies, krawtchouk, truncated


def test_copies_forget_each_symbol_by_itself():
    """By hand: the sum over all originals of the product over the places."""
    strings = torch.tensor([[0, 1, 2], [2, 2, 0], [1, 1, 1], [0, 2, 2]])
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    errors = (0.0, 0.3, 1.0)
    every, laws = copies(strings, 3, errors, weights)
    marginals = torch.stack(
        [((strings == k) * weights[:, None]).sum(0) for k in range(3)], 1
    )  # [L, K]
    for error, law in zip(errors, laws):
        for row, found in zip(every.tolist(), law.tolist()):
            expected = 0.0
            for original, weight in zip(strings.tolist(), weights.tolist()):
                product = weight
                for place, symbol in enumerate(row):
                    same = original[place] == symbol
                    product *= (1 - error) * same + error * marginals[place, symbol].item()
                expected += product
            assert found == pytest.approx(expected, abs=1e-12)
    alone = maximum_entropy(strings, 3, 1, weights)
    place = {tuple(row): i for i, row in enumerate(every.tolist())}
    chosen = laws[2][[place[tuple(row)] for row in alone.strings.tolist()]]
    torch.testing.assert_close(chosen, alone.probabilities, atol=1e-9, rtol=0)
    assert copies(torch.tensor([[0], [1]]), 2, [0.5])[1].tolist() == [[0.5, 0.5]]


def test_what_cannot_be_copied_is_named():
    strings, _ = Parity(4).split(5, 0)
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=f"errors={wrong}; allowed: 0 to 1"):
            copies(strings, 2, [0.5, wrong])
    with pytest.raises(ValueError, match="262144 strings; allowed: up to 131072"):
        copies(torch.zeros(2, 18).long(), 2, [0.5])
    with pytest.raises(ValueError, match="symbols 0 to 1; allowed: 0 to 0"):
        copies(strings, 1, [0.5])


@pytest.mark.parametrize("symbols, length", [(2, 5), (3, 4)])
def test_krawtchouk_is_the_inner_product_of_the_parts_of_an_order(symbols, length):
    """Elementary symmetric polynomials of the places' own products: K − 1 where equal, else −1."""
    table = krawtchouk(length, symbols)
    for differing in range(length + 1):
        places = [symbols - 1] * (length - differing) + [-1] * differing
        for order in range(length + 1):
            expected = sum(math.prod(some) for some in itertools.combinations(places, order))
            assert table[differing, order] == expected


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_truncated_has_the_statistics_up_to_its_order_and_nothing_above(order):
    training = torch.tensor([[0, 1, 2], [2, 2, 0], [1, 1, 1], [0, 2, 2], [2, 1, 0]])
    strings, values = truncated(training, 3, order)
    assert values.sum().item() == pytest.approx(1)
    for size in range(1, 4):
        for places in itertools.combinations(range(3), size):
            for symbols in itertools.product(range(3), repeat=size):
                here = (strings[:, list(places)] == torch.tensor(symbols)).all(1)
                there = (training[:, list(places)] == torch.tensor(symbols)).all(1)
                if size <= order:
                    share = there.double().mean().item()
                    assert values[here].sum().item() == pytest.approx(share, abs=1e-12)
    if order < 3:  # of the highest order there is nothing
        part = values.reshape(3, 3, 3)
        for axis in range(3):
            part = part - part.mean(axis, keepdim=True)
        assert part.abs().max() < 1e-12


def test_a_truncated_law_without_the_rule_breaks_it_half_of_the_time():
    """E ∏s = 1 − 2 · (share that breaks the rule), and that is the coefficient left out."""
    training, _ = Parity(8).split(64, 0)
    for order in range(8):
        strings, values = truncated(training, 2, order)
        assert values[Parity(8).is_valid(strings)].sum().item() == pytest.approx(0.5, abs=1e-12)
    strings, values = truncated(training, 2, 8)
    assert values[Parity(8).is_valid(strings)].sum().item() == pytest.approx(1)


def test_what_cannot_be_truncated_is_named():
    with pytest.raises(ValueError, match="order=4; allowed: 0 to 3"):
        truncated(torch.zeros(2, 3).long(), 2, 4)
    with pytest.raises(ValueError, match="1000000 strings; allowed: up to 131072"):
        truncated(torch.zeros(2, 6).long(), 10, 2)
    with pytest.raises(ValueError, match="symbols 0 to 2; allowed: 0 to 1"):
        truncated(torch.tensor([[0, 1, 2]]), 2, 1)
