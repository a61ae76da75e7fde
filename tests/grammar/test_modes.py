"""Modes as strings: all of them, or those of one colour of a checkerboard."""

import pytest
import torch

from localbias import grammar
from localbias.grammar import Modes


def test_a_grid_of_modes_is_a_product():
    grid = grammar.make("modes", count=5, length=2)
    assert grid.support.shape == (25, 2) and grid.is_valid(grid.support).all()
    assert grid.alphabet == ("a", "b", "c", "d", "e") and grid.text(grid.support[:2]) == [
        "aa",
        "ab",
    ]
    assert torch.allclose(grid.marginals(), torch.full((2, 5), 0.2).double())
    assert grid.pairwise_information()[0, 1] == pytest.approx(0, abs=1e-12)
    assert not grid.is_valid(torch.tensor([[-1, 0]])).any()


def test_a_checkerboard_has_the_squares_of_one_colour():
    board = Modes(4, 2, checkerboard=True)
    assert len(board.support) == 8 and (board.support.sum(1) % 2 == 0).all()
    assert board.is_valid(torch.tensor([[0, 2], [0, 1]])).tolist() == [True, False]
    assert torch.allclose(board.marginals(), torch.full((2, 4), 0.25).double())
    assert board.pairwise_information()[0, 1] == pytest.approx(1)  # the colour
    assert len(Modes(5, 2, checkerboard=True).support) == 13


@pytest.mark.parametrize(
    "options, sentence",
    [
        (dict(count=1), "count=1; allowed: 2 to 26"),
        (dict(count=27), "count=27"),
        (dict(count=2, length=0), "length=0; allowed: at least 1"),
        (dict(count=26, length=4), "length=4; allowed: so many that count"),
        (dict(count=3, checkerboard=True), "checkerboard=True; allowed: False in one dimension"),
    ],
)
def test_what_is_no_grid_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Modes(**options)
