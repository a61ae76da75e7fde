"""Simple shapes: where they stand, and a detector that is right about broken pictures, too."""

from itertools import product

import pytest
import torch

from localbias import reading, render
from localbias.grammar import Columns
from localbias.reading.shapes import by_pixels
from localbias.render import Shapes

EVERY = torch.tensor(list(product(range(4), repeat=3)))


@pytest.fixture(scope="module")
def shown():
    return render.make("shapes", height=24, column=12, area=26.0)


def drawn(shown, tokens, seed=0):
    return shown(tokens, torch.Generator().manual_seed(seed))


def test_shapes_stand_in_their_columns_with_a_rim(shown):
    tokens = Columns().support.repeat(40, 1)
    x = drawn(shown, tokens)
    assert x.shape == (280, 1, 24, 36) and set(x.unique().tolist()) == {-1.0, 1.0}
    ink = (x > 0).float()
    assert ink[..., [0, -1], :].sum() == 0 and ink[..., ::12].sum() == 0
    for column in range(3):
        there = ink[:, shown.region(column)].sum(1)
        size = shown.masks[column].sum().item()
        assert torch.equal(there, size * (tokens[:, column] == 1).float())
        assert abs(size - 26) <= 3
    assert len(ink.flatten(1).unique(dim=0)) > 200  # they stand in different places


def test_the_same_exemplars_are_the_same_picture(shown):
    tokens = EVERY[20:30]
    where = shown.exemplars(tokens, torch.Generator().manual_seed(1))
    assert torch.equal(shown.draw(tokens, where), shown.draw(tokens, where))


def test_the_detector_reads_whole_and_broken_pictures(shown):
    tokens = EVERY.repeat(6, 1)
    x = drawn(shown, tokens)
    assert torch.equal(reading.reader(shown)(x), tokens)
    noisy = x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    assert (reading.reader(shown)(noisy) == tokens).double().mean() > 0.99


def test_the_detector_refuses_what_is_no_shape(shown):
    read = reading.reader(shown)
    triangle = drawn(shown, torch.tensor([[1, 0, 0]]))
    grey = triangle * 0.3
    assert read(grey)[0, 0] == -1
    half = triangle.clone()
    rows = (half[0, 0] > 0).any(1).nonzero()[:, 0]
    half[..., rows[len(rows) // 2] :, :] = -1
    assert read(half).tolist() == [[-1, 0, 0]]
    both = torch.maximum(triangle, triangle.roll(3, -2))  # two shapes that overlap
    assert read(both).tolist() == [[-1, 0, 0]]
    bar = torch.full((1, 1, 24, 36), -1.0)
    bar[..., 4:20, 3:5] = 1
    assert read(bar).tolist() == [[-1, 0, 0]]


def test_who_counts_pixels_misses_the_wrong_shape_in_a_column(shown):
    rule = Columns()
    good = drawn(shown, rule.support.repeat(5, 1))
    assert by_pixels(good, shown).all()
    wrong = torch.tensor([[3, 1, 0], [1, 3, 3], [0, 0, 3]]).repeat(5, 1)
    assert by_pixels(drawn(shown, wrong), shown).all() and not rule.is_valid(wrong).any()
    assert not by_pixels(drawn(shown, torch.tensor([[2, 0, 0], [0, 0, 0]])), shown).any()


@pytest.mark.parametrize(
    "options, sentence",
    [
        (dict(height=24, column=12, area=8), "area=8; allowed: an area from 12"),
        (dict(height=24, column=7, area=26), "column=7"),
        (dict(height=14, column=12, area=26), "height=14"),
    ],
)
def test_shapes_without_room_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Shapes(**options)


def test_other_strings_and_regions_are_refused(shown):
    with pytest.raises(ValueError, match="strings of 2 symbols; allowed: 3"):
        shown(torch.zeros(1, 2).long())
    with pytest.raises(ValueError, match="symbols 0 to 4; allowed: 0 to 3"):
        shown(torch.tensor([[0, 4, 0]]))
    with pytest.raises(ValueError, match="region 3; allowed: 0 to 2"):
        shown.region(3)
