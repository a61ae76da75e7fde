"""Bounds of escapes, and the law through them."""

import math

import numpy as np
import pytest

from localbias.experiments.escapes import escape_bounds, escape_law


class Counted:
    """Results of which only steps and counts are read."""

    def __init__(self, steps, hallucinated):
        shares = np.asarray(hallucinated)
        self.steps = np.array(steps)
        self.counts = np.stack([0 * shares, shares, 100 - shares, 0 * shares], -1)


def test_a_seed_escapes_between_the_last_step_where_it_had_not_and_the_next():
    found = Counted([10, 20, 40], [[90, 50, 10], [90, 60, 55], [40, 30, 20], [40, 60, 20]])
    after, until = escape_bounds(found)
    assert after.tolist() == [10, 40, 1, 20] and until.tolist() == [20, math.inf, 10, 40]
    after, until = escape_bounds(found, share=0.25)
    assert until.tolist() == [40, math.inf, 40, 40] and after.tolist() == [20, 40, 20, 20]


def test_the_law_takes_every_seed_of_every_setting():
    steps = (2 ** np.arange(4, 14)).tolist()
    bounds = {}
    for n in (2, 4, 8):  # seeds that escape at 8·n², and at twice that
        rows = [[90 if step < when else 10 for step in steps] for when in (8 * n**2, 16 * n**2)]
        bounds[n] = escape_bounds(Counted(steps, rows))
    found = escape_law(bounds)
    assert found.law.exponent == pytest.approx(2, abs=0.15) and found.law.low < 2 < found.law.high
    assert escape_law({2: bounds[2]}) is None
    assert (found.settings[0], found.settings[-1]) == pytest.approx((2, 8))
    value, low, high = found.expected.T
    np.testing.assert_allclose(
        value, found.law.scale * found.settings**found.law.exponent, rtol=2e-3
    )
    assert (low < value).all() and (value < high).all()
    further = escape_law(bounds, beyond=32)
    assert further.settings[-1] == pytest.approx(32) and further.law == found.law
    widths = np.log(further.expected[:, 2] / further.expected[:, 1])
    assert widths[-1] == max(widths), "the less is known, the farther from what was seen"
