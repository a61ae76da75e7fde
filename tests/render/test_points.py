"""Strings as blurred points: where they lie, and that they can be read back."""

import pytest
import torch

from localbias import reading, render
from localbias.grammar import Modes
from localbias.reading.points import PointReader
from localbias.render import Points

GRID = Modes(5, 2)
POSITIONS = [-1.4, -0.7, 0.0, 0.7, 1.4]


def drawn(shown, n=20_000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = GRID.support[torch.randint(25, (n,), generator=generator)]
    return tokens, shown(tokens, generator)


@pytest.mark.parametrize("turn", [0.0, 45.0])
def test_points_are_normal_around_their_means(turn):
    shown = render.make("points", positions=POSITIONS, spread=0.02, length=2, turn=turn)
    tokens, x = drawn(shown)
    away = (x - shown.means(tokens)) / 0.02
    assert x.dtype == torch.float32 and x.shape == (20_000, 2) and shown.shape == (2,)
    assert torch.allclose(away.mean(0), torch.zeros(2), atol=0.03)
    assert torch.allclose(away.T.cov(), torch.eye(2), atol=0.03)
    assert torch.equal(reading.reader(shown)(x), tokens)
    assert torch.allclose(
        shown.means(tokens).norm(dim=1), torch.tensor(POSITIONS)[tokens].norm(dim=1)
    )


def test_turning_keeps_distances_and_a_quarter_turn_swaps_coordinates():
    tokens = torch.tensor([[0, 3]])
    straight, turned = Points(POSITIONS, 0.1, 2), Points(POSITIONS, 0.1, 2, turn=90)
    x, y = straight.means(tokens)[0]
    torch.testing.assert_close(turned.means(tokens)[0], torch.stack([-y, x]))


def test_what_lies_between_modes_is_unreadable():
    read = PointReader(Points(POSITIONS, 0.02, 2))
    points = torch.tensor([[0.0, 0.35], [0.09, 0.7], [0.11, 0.7], [9.0, 9.0]])
    assert read(points).tolist() == [[2, -1], [2, 3], [-1, 3], [-1, -1]]
    _, x = drawn(Points(POSITIONS, 0.02, 2), 100_000)
    bad = (PointReader(Points(POSITIONS, 0.02, 2), 3)(x) < 0).any(1).double().mean().item()
    assert bad == pytest.approx(1 / 185, rel=0.15) and (read(x) >= 0).all()
    assert PointReader(Points(POSITIONS, 0.02, 2), 20)(points)[0].tolist() == [2, 2]


def test_a_pool_has_so_many_points_a_mode():
    shown = Points(POSITIONS, 0.02, 2, points=3)
    _, x = drawn(shown, 5000)
    assert len(x.unique(dim=0)) == 25 * 3
    assert torch.equal(shown.deviates, Points(POSITIONS, 0.02, 2, points=3).deviates)


def test_regions_are_coordinates_where_the_plane_is_not_turned():
    assert Points(POSITIONS, 0.02, 2).region(1).tolist() == [False, True]
    with pytest.raises(ValueError, match="region 2; allowed: 0 to 1"):
        Points(POSITIONS, 0.02, 2).region(2)
    with pytest.raises(ValueError, match="turned plane"):
        Points(POSITIONS, 0.02, 2, turn=10).region(0)


@pytest.mark.parametrize(
    "options, sentence",
    [
        (dict(positions=[1, 1], spread=0.1), r"positions \[1, 1\]"),
        (dict(positions=[1], spread=0.1), r"positions \[1\]"),
        (dict(positions=[1, 2], spread=0), "spread=0"),
        (dict(positions=[1, 2], spread=0.1, points=0), "points=0"),
        (dict(positions=[1, 2], spread=0.1, turn=5), "turn=5 with length=1"),
    ],
)
def test_what_are_no_points_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Points(**options)


def test_other_strings_are_refused():
    shown = Points(POSITIONS, 0.02, 2)
    with pytest.raises(ValueError, match="strings of 1 symbols"):
        shown(torch.zeros(3, 1).long())
    with pytest.raises(ValueError, match="symbols 0 to 5; allowed: 0 to 4"):
        shown(torch.tensor([[0, 5]]))
    with pytest.raises(ValueError, match="within=0"):
        PointReader(shown, 0)
