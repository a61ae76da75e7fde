"""The tables of chapter 6 say what records hold."""

import numpy as np
import pytest

from localbias.book.tables import ladder as tables
from localbias.book.tables import spread
from localbias.experiments import catalogue
from localbias.experiments.results import Results


@pytest.fixture(scope="module")
def scalars():
    return Results([catalogue.run("parity-8-scalars", seed=seed) for seed in (0, 1, 2)])


def rows(markdown):
    """The cells of a Markdown table, a dictionary a row."""
    lines = [line for line in markdown.data.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row)) for row in cells[2:]]


def test_ways_end_with_the_laws(scalars):
    found = rows(tables.ways({"MLP": (scalars, 7)}))
    assert [row[""] for row in found] == [
        "MLP, step 2,000",
        *(f"law of order {k}" for k in (1, 2, 3)),
    ]
    assert found[1]["breaks the rule"].startswith("50%") and found[1]["slope, above"] == ""
    shares = [int(row["in the training set"].split("%")[0]) for row in found]
    assert shares[1] < shares[2] < shares[0], "the network is beyond pairs"


def test_one_seed_has_no_range():
    assert spread(np.array([0.52]), ".0%") == "52%"
    assert spread(np.array([0.5, 0.54]), ".0%") == "52% (50%–54%)"
    assert spread(np.array([0.5, np.nan]), ".0%") == "0/0"


def test_steps_say_what_never_happens():
    assert tables._steps(np.array([700.0, 700.0])) == "700"
    assert tables._steps(np.array([6000.0, 8000.0])) == "6,000–8,000"
    assert tables._steps(np.array([12_000.0, np.inf])) == "12,000 or never"
    assert tables._steps(np.array([np.inf])) == "never"


def test_clocks_and_treatments_have_a_row_each(scalars):
    (row,) = rows(tables.clocks({"64 strings": scalars}, 0.8))
    assert row["orders 1–3 known"] == "400–700" and "never" in row["hallucination halves"]
    (row,) = rows(tables.treated({"parity": {"nothing": scalars}}, 0.8))
    assert row["treatment"] == "nothing" and float(row["exact rule's"]) == pytest.approx(
        0.82, abs=0.02
    )


def test_linear_is_shown_where_the_rule_is_furthest_from_it(scalars):
    (row,) = rows(tables.linear([scalars]))
    assert row["√ᾱ"] == "0.95" and row["linear"] == "1.00" and float(row["rule"]) < 0.6
