"""The other paper's settings, and what its released code does otherwise than it seems to."""

import numpy as np
import pytest
import torch

from localbias import networks
from localbias.experiments import Setup, catalogue
from localbias.experiments.mixtures import GENTLE, GRID, RELEASED, SHRUNK, THEIRS, stretched
from localbias.render import Points


def spacing(points):
    """The least distance between two modes of a grid."""
    shown = Points(**{name: value for name, value in points.items() if name != "name"})
    means = shown.means(torch.cartesian_prod(torch.arange(5), torch.arange(5)))
    apart = torch.cdist(means, means)
    return apart[apart > 1e-4].min().item()


@pytest.mark.parametrize(
    "name, steps, points",
    [("modes-3", 20_000, 6667), ("modes-4", 50_000, 12_500), ("grid-25", 100_000, 4000)],
)
def test_the_paper_tier_is_the_other_papers(name, steps, points):
    made = catalogue.make(name, "paper")
    training, sampling, schedule = made.training, made.sampling, made.schedule
    assert (training.steps, training.batch, training.rate) == (steps, 10_000, 1e-3)
    assert training.ema == 0 and training.clip is None and training.decay == "constant"
    assert (schedule.kind, schedule.beta_start, schedule.beta_end) == ("linear", 1e-3, 0.2)
    assert (sampling.steps, sampling.eta, sampling.variance) == (1000, 1, "large")
    assert made.network == RELEASED and made.renderer["points"] == points
    assert made.target == made.reads == "noise" and made.rendering == "fresh"


def test_the_grid_is_of_unit_variance_as_theirs():
    setup = Setup(catalogue.make("grid-25"))
    x = setup.draw(torch.Generator().manual_seed(0), 100_000)
    assert x.std(0).tolist() == pytest.approx([1, 1], abs=0.01)
    assert GRID["spread"] == pytest.approx(0.0177, abs=1e-4)


def test_the_released_turned_grid_is_shrunk_as_well():
    assert spacing(GRID) == pytest.approx(0.7071, abs=1e-3)
    assert spacing(GRID | dict(turn=45.0)) == pytest.approx(0.7071, abs=1e-3)
    assert spacing(SHRUNK) == pytest.approx(0.5, abs=1e-3)


def test_seven_in_ten_of_their_steps_carry_almost_no_signal():
    lost = THEIRS.alpha_bar < 1e-4
    assert int(lost.nonzero()[0, 0]) == 296 and lost.double().mean().item() == pytest.approx(0.704)
    assert (1 - THEIRS.alpha_bar[0]).sqrt().item() / GRID["spread"] == pytest.approx(1.8, abs=0.05)


@pytest.mark.parametrize("steps", [100, 4000])
def test_a_stretched_schedule_ends_in_the_same_noise(steps):
    found = stretched(GENTLE, steps)
    assert found.steps == steps and found.beta_end * steps == pytest.approx(20)
    ends = [schedule.alpha_bar[-1].log().item() for schedule in (GENTLE, found)]
    assert ends[1] == pytest.approx(ends[0], rel=0.08)
    with pytest.raises(ValueError, match="must rise inside"):
        stretched(THEIRS, 100)


def test_all_steps_are_those_of_the_schedule():
    for name, steps in (("modes-3-gentle-T-100", 100), ("modes-3-gentle-T-250", 250)):
        made = catalogue.make(name)
        ways = [(how.steps, how.eta) for how in made.also]
        assert made.sampling.steps == steps and ways[:2] == [(steps, 1), (50, 0)]
        assert ways[-1] == (steps, 0) and len(set(ways)) == len(ways)


def test_three_shared_layers_have_the_parameters_of_one():
    one = networks.make("layernorm", (2,), width=128, layers=1)
    three = networks.make(**RELEASED, shape=(2,))
    count = [sum(p.numel() for p in network.parameters()) for network in (one, three)]
    assert count[0] == count[1]


def test_a_quota_removes_its_share_whatever_the_share_of_bad_samples():
    """Theirs keeps the 100,000 samples of least variance among 102,500."""
    for bad in (0, 0.01, 0.3):
        scores = np.random.default_rng(0).random(102_500) + (np.arange(102_500) < bad * 102_500)
        kept = np.argsort(scores)[:100_000]
        removed = 1 - len(kept) / len(scores)
        assert removed == pytest.approx(0.0244, abs=1e-4)
        share_left = (kept < bad * 102_500).mean()
        assert share_left >= bad - 0.025


def test_a_checkerboard_and_its_grid_share_their_places():
    board, grid = (Setup(catalogue.make(name)) for name in ("board-13", "grid-25-gentle"))
    assert len(board.train_strings) == 13 and len(grid.train_strings) == 25
    assert torch.equal(board.renderer.positions, grid.renderer.positions)
    x = grid.draw(torch.Generator().manual_seed(0), 2000)
    kinds = board.outcomes(board.reader(x))
    assert (kinds == 1).double().mean().item() == pytest.approx(12 / 25, abs=0.04)
