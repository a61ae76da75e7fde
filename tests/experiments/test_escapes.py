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
    law = escape_law(bounds)
    assert law.exponent == pytest.approx(2, abs=0.15) and law.low < 2 < law.high
    assert escape_law({2: bounds[2]}) is None
