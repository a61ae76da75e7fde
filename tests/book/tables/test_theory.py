"""The tables of chapter 3 say what the theory gave them."""

import math

import numpy as np
import pytest
import torch

from localbias.book.tables import theory as tables
from localbias.theory import directions, target
from localbias.theory.counterexample import Excess
from localbias.theory.flow import Flow
from localbias.theory.laws import PARITIES
from localbias.theory.trace import Trace

LEVELS = target.Levels(np.array(0.7), np.array(0.4), np.array(0.2), np.array(0.0))


def cells(markdown):
    """The rows of the table in Markdown, as lists of cells; and the text around it."""
    lines = markdown.data.splitlines()
    rows = [line for line in lines if line.startswith("|") and ":--" not in line]
    split = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return split[0], split[1:], " ".join(line for line in lines if not line.startswith("|")).strip()


def flow_of(d, time, loss, on=3.0, off=1.0):
    """A trace of made-up losses, with levels .7, .4 and .2."""
    time, loss = (torch.tensor(values, dtype=torch.float64) for values in (time, loss))
    axis, rest = (torch.full((len(time), 2), value, dtype=torch.float64) for value in (on, off))
    step = torch.arange(len(time))
    config = Flow(d, steps=100, scale=0.01)
    return Trace(config, LEVELS, {}, step, time, loss, 0 * loss, 0 * loss, axis, rest)


WHOLE = flow_of(8, [0.0, 10, 30, 70], [1.0, 0.73, 0.43, 0.38])
SHORT = flow_of(8, [0.0, 10, 30], [1.0, 0.73, 0.6])


def test_least_losses():
    header, rows, before = cells(tables.least_losses(0.7, {3: LEVELS}))
    assert before == "The least losses at ᾱ = 0.7:" and header[:2] == ["d", "best linear"]
    # 0.2 of the 0.8 that there is to gain is the rule's
    assert rows == [["3", "0.700000", "0.400000", "0.200000", "0e+00", "25.0%"]]


def test_maxima_are_counted_by_what_they_lean_on():
    found = directions.local_maxima(0.9, PARITIES[3], neurons=60)
    assert cells(tables.maxima({0.9: found}))[1] == [["0.9", "4", "2"]]
    three = found._replace(w=np.array([[1, 0, 0], [0.9, 0, 0.4], [0.8, 0.4, 0.4], [0.9, 0.3, 0]]))
    header, rows, _ = cells(tables.maxima_with_one_other({0.95: {3: three, 4: found}}))
    assert header == ["ᾱ", "d = 3", "d = 4"] and rows == [["0.95", "2", "0"]]


def test_off_axis_names_the_first_level_of_each_kind():
    ends = [directions.Ends(1 - off, 0, off, 0, 0) for off in (0, 0.1, 0.5, 0.6)]
    levels = np.array([0.5, 0.7, 0.8, 0.9])
    _, rows, _ = cells(tables.off_axis(levels, {3: ends, 4: ends[:1] * 4}))
    assert rows == [["3", "0.7", "0.9"], ["4", "none", "none"]]


def test_counterexamples_tell_an_excess_from_rounding():
    excesses = {(0.9999, 10_000): Excess(2.13e-8, 1, 0, 0), (0.99, 100): Excess(1e-14, 1, 0, 0)}
    _, rows, after = cells(tables.counterexamples(excesses, {0.8: -0.1, 0.9: 0.1}))
    assert rows[0] == ["0.9999", "10,000", "off the axis, by 2.13e-08 in K/√(1−ᾱ)"]
    assert rows[1] == ["0.99", "100", "on the axis"]
    assert after == "With however many others: on the axis at ᾱ = 0.8, off the axis at ᾱ = 0.9."


def test_flows_say_when_they_reach_the_stairs():
    _, rows, _ = cells(tables.flows({8: WHOLE, 6: SHORT}))
    assert rows == [
        ["8", "10", "30", "70", "0.380 at time 70", "75%"],
        ["6", "10", "not reached", "not reached", "0.600 at time 30", "75%"],
    ]
    half = flow_of(8, [0.0, 1], [1.0, 0.9], on=1.0)
    assert cells(tables.flows({8: half}))[1][0][1] == "not reached"


def test_first_growth_stands_beside_twice_the_maximum():
    config = Flow(8, scale=1e-6)
    assert tables.first_growth(config, 0.6111, 0.315).data == (
        "The weights' first growth from σ = 10⁻⁶, d = 8: a rate of **0.611**; twice the maximum of "
        "K is **0.630**."
    )
    assert "**(not in the smoke tier)**" in tables.first_growth(config, None, 0.315).data


def test_stair_times_have_one_number_a_seed():
    _, rows, before = cells(tables.stair_times({"σ = 1": [WHOLE, SHORT], "σ = 2": [SHORT]}))
    assert before == "Times to the two stairs, one number a seed:"
    assert rows == [["σ = 1", "10, 10", "30, not reached"], ["σ = 2", "10", "not reached"]]


def test_escape_times_are_extrapolated_to_the_papers_rate():
    times = {6: [100.0, 100.0], 7: [200.0, 200.0], 8: [300.0, 400.0, 533.333]}
    _, rows, after = cells(tables.escape_times(times | {16: [math.inf]}, WHOLE))
    assert rows[2:] == [["8", "300, 400, 533"], ["16", "not reached"]]
    assert "multiplies the time by about **2.0**" in after and "rate of 10⁻⁶ (A.8)" in after
    assert "σ = 0.01, would take **1e+07** and **3e+07** steps, and leaving M **4e+08**." in after
    _, rows, after = cells(tables.escape_times({3: [1.0]}, WHOLE))
    assert rows == [["3", "1"]] and "**nan**" in after and after.endswith("**3e+07** steps.")


@pytest.mark.parametrize("bound, below", [(0.95, "0.3, 0.9"), (0.8, "0.9"), (0.5, "none")])
def test_levels_below_a_bound(bound, below):
    header, rows, _ = cells(tables.levels_below({8: [1.0, 0.94, 0.6]}, (0.1, 0.3, 0.9), bound))
    assert rows == [["8", below]] and header[1].endswith(f"is below {bound:g}")
