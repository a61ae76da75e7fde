"""The tables of locality say what the ratios say."""

import math

import numpy as np
import pytest
import torch

from localbias.book import tables
from localbias.exact import NAMES, OverLevels
from localbias.experiments import Generated, Sampling, catalogue
from localbias.ldr import Products

COUNTS = [[[10, 0, 0, 0], [1, 2, 3, 4]], [[10, 0, 0, 0], [3, 2, 1, 4]]]
LDR = [[[1, 1], [0.8, 0.6], [0.5, 0.3]], [[1, 0.8], [0.8, 0.6], [0.6, 0.2]]]


def reference_moments(*ratios):
    """Of two seeds, [2, R, 1, n, 3]: the same ratio at each of two signals."""
    one = [[[[math.sqrt(r), r, 1]] * 2] for r in ratios]
    return np.array([one, one])


def test_bands_name_the_levels_inside(rows):
    panels = {
        title: OverLevels(np.array([0.1]), {}, np.array([1.0]), band)
        for title, band in {"wide": (0.2, 0.5), "narrow": (0.31, 0.4)}.items()
    }
    wide, narrow = rows(tables.bands(panels, (0.1, 0.3, 0.5)))
    assert list(wide.values()) == ["wide", "0.20 to 0.50", "0.3, 0.5"]
    assert list(narrow.values()) == ["narrow", "0.31 to 0.40", "none"]


def test_perfect_networks_are_shown_by_target(rows):
    ratios = {
        name: {target: np.array([x, math.nan]) for target in ("noise", "x0", "v")}
        for name, x in {"rule": 0.5, "train": 0.25}.items()
    }
    found = rows(tables.perfect(ratios, (0.1, 0.9)))
    assert [row["LDR of"] for row in found] == ["x0", "v", "noise"] * 2
    assert [row["√ᾱ = 0.1"] for row in found] == ["0.50"] * 3 + ["0.25"] * 3
    assert {row["√ᾱ = 0.9"] for row in found} == {"0/0"}


def products(ratios, error):
    """Of ratios [B] with ‖J_R‖² = 1, each with that standard error."""
    moments = torch.tensor([[math.sqrt(r), r, 1] for r in ratios], dtype=torch.float64)
    covariance = torch.zeros(len(ratios), 3, 3, dtype=torch.float64)
    covariance[:, 1, 1] = error**2
    freedom, size = torch.tensor([1e6]), torch.tensor([4.0])
    return Products(moments, covariance, freedom, size, torch.zeros(len(ratios)), 0.0)


def test_estimates_are_compared_with_the_exact_ratios(rows):
    exact = products([0.4, 0.6], 0)
    tries = {2: [products([0.4, 0.7], 0.01)] * 3, 4: [products([0.4, 0.6], 0.01)]}
    two, four = rows(tables.estimates(exact, tries))
    assert list(two.values()) == ["2", "50%", "10.00%"]
    assert list(four.values()) == ["4", "100%", "0.00%"]


def test_moments_of_training(rows, results):
    arrays = {
        "reference_ldr": reference_moments(1, 0.7, 0.4),
        "excess": np.ones((2, 3, 1, len(NAMES))),
    }
    found = results(COUNTS, LDR, arrays)
    (row,) = rows(tables.along_training({"toy": (found, 0.5)}, parameters=True))
    assert row == {
        "network": "toy",
        "parameters": "12,345",
        "√ᾱ": "0.5",
        "exact rule": "0.70",
        "exact training set": "0.40",
        "untrained": "0.95 (0.90–1.00)",
        "midway": "0.70 (0.70–0.70)",
        "at the end": "0.40 (0.40–0.40)",
        "ratio of means, vanishing, at the end": "0.40, 0 of 4",
        "unreadable, hallucination, valid at the end": "20%, 20%, 60%",
    }
    (row,) = rows(tables.along_training({"toy": (found, 0.5)}))
    assert "parameters" not in row
    (row,) = rows(tables.along_training({"toy": (found, 0.5)}, step=1000))
    assert row["at step 1,000"] == "0.70 (0.70–0.70)" and "midway" not in row
    assert row["ratio of means, vanishing, at step 1,000"] == "0.70, 0 of 4"
    with pytest.raises(ValueError, match="step=7; 'toy' was measured at 1000, 2000"):
        tables.along_training({"toy": (found, 0.5)}, step=7)


def test_the_nearest_reference_is_that_of_the_last_step(rows, results):
    excess = np.ones((2, 3, 1, len(NAMES)))
    excess[:, :2, :, 0], excess[:, 2, :, NAMES.index("train")] = 0, 0.5
    (row,) = rows(tables.nearest({"toy": (results(COUNTS, LDR, {"excess": excess}), 0.5)}))
    assert list(row.values()) == ["toy", "0.5", "train"]


def test_differences_are_within_seeds(rows):
    hallucinations, valid = np.linspace(0.8, 0.9, 6), np.linspace(0.5, 0.6, 6)
    ratio, outcome = np.concatenate([hallucinations, valid]), np.repeat([1, 3], 6)
    known = np.ones(12, bool)
    samples = {
        ("apart", 0.3): Generated(ratio, known, outcome, np.zeros(12, int)),
        ("alike", 0.5): Generated(ratio[::2], known[::2], np.tile([1, 2], 3), np.zeros(6, int)),
    }
    apart, alike = rows(tables.differences(samples))
    assert apart["difference"].startswith("+0.300 (+0.2")
    assert apart["difference"].endswith("1 seed: **told apart**")
    assert list(alike.values()) == ["alike", "0.5", "too few of one kind in every seed"]


def test_regions_span_their_means_over_the_seeds(rows, results):
    def matrix(first):  # the first region's share, and 0.5 for the others
        share = np.array([first, 0.5, 0.5, 0.5])
        off = (1 - share)[:, None] / 3 * (1 - np.eye(4))
        return (np.diag(share) + off)[None]

    found = results(COUNTS, arrays={"matrix": np.array([matrix(0.6), matrix(0.8)])})
    (row,) = rows(tables.regions({"toy": found}))
    assert list(row.values()) == ["toy", "0.50 to 0.70", "0.20"]


def test_unsaid_choices_stand_beside_their_base(rows, results):
    also = (Sampling(10, steps=10), Sampling(10, steps=20, eta=1.0, clamp=None))
    arrays = {
        "reference_ldr": reference_moments(1, 0.7, 0.4),
        "excess": np.ones((2, 3, 1, len(NAMES))),
    }
    ways = np.array([[[0, 0, 0, 10], [10, 0, 0, 0]]] * 2)
    base = results(COUNTS, LDR, arrays | {"also": ways}, also=also)
    table = tables.unsaid(base, {"cosine": results(COUNTS, LDR, arrays)}, 0.5)
    first, coarse, ancestral, cosine = rows(table)
    assert table.data.startswith("`toy`, 2,000 steps, 2 seeds; mean (range).")
    assert first["choice"] == (
        "**linear, T = 1,000, DDIM 50 steps, clamp 1, batch 7, average 0.5, "
        "read as noise, loss on noise**"
    )
    assert first["LDR of x̂0 at √ᾱ = 0.5"] == "0.40 (0.40–0.40)"
    assert coarse["choice"] == "DDIM, 10 steps" and coarse["extrapolation"] == "100% (84%–100%)"
    assert ancestral["choice"] == "ancestral, 20 steps, no clamp of x̂0"
    assert ancestral["LDR of x̂0 at √ᾱ = 0.5"] == "the same"
    assert cosine == first | {"choice": "cosine schedule", "the paper has": "unsaid"}
    assert (first["the paper has"], coarse["the paper has"]) == ("", "ancestral, all steps")
    batch, read = rows(
        tables.unsaid(
            base, {name: results(COUNTS, LDR, arrays) for name in ("batch-32", "x0")}, 0.5
        )
    )[-2:]
    assert (batch["the paper has"], read["the paper has"]) == ("16", "noise, noise loss")


@pytest.mark.parametrize("base", catalogue.UNSAID)
def test_every_choice_has_words(base):
    assert catalogue.UNSAID[base].keys() <= tables.CHOICES.keys()


def test_who_extrapolates_above_chance(results):
    above = results([[[10, 0, 0, 0], [0, 0, 0, 10]]], name="above")
    at = results([[[10, 0, 0, 0], [0, 5, 3, 2]]])
    assert "Of these 1 experiments none extrapolates" in tables.above_chance([at]).data
    assert (
        "Of these 2 experiments only `above` extrapolates" in tables.above_chance([at, above]).data
    )
    unread = results([[[10, 0, 0, 0], [10, 0, 0, 0]]])
    assert " none " in tables.above_chance([unread]).data
