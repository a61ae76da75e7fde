"""How tables and numbers are written."""

import numpy as np
import pytest

from localbias.book import tables


def test_a_table_has_the_columns_of_its_first_row():
    shown = tables.table([{"a": 1, "b": "x"}, {"a": 2.5}], "Before:", "After.").data
    before, drawn, after = shown.split("\n\n")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in drawn.splitlines()]
    assert (before, after) == ("Before:", "After.")
    assert cells[0] == ["a", "b"] and cells[2:] == [["1", "x"], ["2.5", ""]]
    with pytest.raises(ValueError, match="without a row"):
        tables.table([])


def test_numbers_stand_with_what_they_can_bear():
    assert tables.spread(np.array([0.12, 0.13, 0.17]), ".0%") == "14% (12%–17%)"
    assert tables.interval(0.1, -0.25, 0.5, "+.2f") == "+0.10 (-0.25 to +0.50)"
    assert (tables.ratio(0.625), tables.ratio(float("nan"))) == ("0.62", "0/0")
    assert (tables.seeds(1), tables.seeds(3)) == ("1 seed", "3 seeds")


def test_a_spread_without_a_number_is_said():
    """An untrained DiT's Jacobian vanishes."""
    assert tables.spread(np.array([0.5, 0.7]), ".1f") == "0.6 (0.5–0.7)"
    assert tables.spread(np.array([0.5, np.nan]), ".1f") == "0/0"
