"""What products tell: estimates over thousands of repeats against closed forms, conversions against measuring again."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch

from localbias.diffusion import TARGETS, Schedule
from localbias.ldr import Products, local_dependency_ratio
from localbias.statistics import contrast


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def nonlinear(size: int, hidden: int, seed: int = 3):
    """A dense map of [B, size]; few hidden units make a Jacobian of few directions, hard to estimate."""
    into, out = (
        normal(size, hidden, seed=seed) / size**0.5,
        normal(hidden, size, seed=seed + 1) / hidden**0.5,
    )
    return lambda x: torch.tanh(2 * x @ into.to(x)) @ out.to(x) + 0.3 * torch.sin(x)


def measure(f, x, size: int, probes=None, seed: int = 0) -> Products:
    return local_dependency_ratio(
        f, x, torch.arange(x.shape[1]) < size, probes, seeded(seed), details=True
    )


def repeated(
    size: int, region: int, hidden: int, probes: int, repeats: int
) -> tuple[Products, torch.Tensor]:
    """As many estimates at one and the same x, and the region's rows [|R|, d] of the Jacobian there."""
    f, x = nonlinear(size, hidden), normal(1, size, seed=9)
    rows = torch.func.jacrev(lambda z: f(z[None])[0])(x[0])[:region]
    return measure(f, x.expand(repeats, -1), region, probes, seed=1), rows


def deviations(values: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """By how many of its standard errors the mean over the first axis misses the truth."""
    return (values.mean(0) - truth) / (values.std(0) / len(values) ** 0.5)


@pytest.mark.parametrize("probes", [2, 8, 30])
def test_moments_and_their_covariance_are_unbiased(probes):
    """Forms vᵀAv of one column of a random frame covary in closed form; means of K that times (|R|−K)/((|R|−1)K)."""
    n = 40
    found, rows = repeated(60, n, 64, probes, 4000)
    square = rows[:, :n]
    forms = [
        (square + square.T) / 2,
        square @ square.T,
        rows @ rows.T,
    ]  # of tr J_RR, ‖J_RR‖² and ‖J_R‖²
    truth = torch.stack([form.trace() for form in forms])
    one = torch.stack(
        [torch.stack([(a @ b).trace() - a.trace() * b.trace() / n for b in forms]) for a in forms]
    )
    covariance = 2 * n / (n + 2) * one * (n - probes) / (n - 1) / probes
    errors = found.moments - truth
    assert deviations(errors, torch.zeros(3)).abs().max() < 4
    assert deviations(errors[:, :, None] * errors[:, None], covariance).abs().max() < 4
    assert deviations(found.covariance, covariance).abs().max() < 4
    if probes > 2:  # drawing with replacement would be wrong by more than the test can miss
        assert deviations(found.covariance * n / (n - probes), covariance).abs().max() > 8


def test_the_bias_of_the_ratio_is_taken_off():
    found, rows = repeated(120, 40, 16, probes=8, repeats=8000)
    truth = rows[:, :40].square().sum() / rows.square().sum()
    assert deviations(found.ratio, truth).abs() < 4
    assert (
        deviations(found.inside / found.total, truth).abs() > 5
    )  # the plain ratio shows its bias here


@pytest.mark.parametrize("probes, region", [(8, 40), (20, 40), (6, 8)])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_the_interval_contains_the_ratio_as_often_as_it_says(probes, region, level):
    repeats = 3000
    found, rows = repeated(60, region, 64, probes, repeats)
    truth = rows[:, :region].square().sum() / rows.square().sum()
    low, high = found.interval(level)

    def coverage(low, high):
        return ((low <= truth) & (truth <= high)).double().mean().item()

    # four binomial standard errors, and one per cent for the delta method and Student's t
    tolerance = 4 * math.sqrt(level * (1 - level) / repeats) + 0.01
    assert abs(coverage(low, high) - level) < tolerance
    if probes > 8 or region == 8:  # the test sees what leaving out the correction 1 − K/|R| does
        wide = (high - low) / 2 / math.sqrt(1 - probes / region)
        assert coverage(found.ratio - wide, found.ratio + wide) > level + tolerance


def test_one_probe_has_no_error_to_show():
    found = measure(nonlinear(12, 16), normal(5, 12), 7, probes=1)
    assert found.freedom == 0 and torch.isfinite(found.ratio).all()
    assert (found.standard_error == math.inf).all()
    low, high = found.interval()
    assert (low == -math.inf).all() and (high == math.inf).all()


@pytest.mark.parametrize("probes", [1, 2, 3])
def test_regions_that_are_exact_beside_regions_that_are_not(probes):
    """Regions of 1 and 7 numbers: the first has no more than one product to take."""
    f, x = nonlinear(12, 16), normal(5, 12)
    regions = torch.stack([torch.arange(12) < 1, torch.arange(12) < 7])
    found = local_dependency_ratio(f, x, regions, probes, seeded(), details=True)
    assert not found.standard_error[0].any() and found.standard_error[1].all()
    low, high = found.interval()
    exact = measure(f, x, 1).ratio
    for values in (low, found.ratio, high):
        torch.testing.assert_close(values[0], exact)
    alone = measure(f, x, 7, probes)
    for values, truth in zip(
        (*found.interval(), found.standard_error), (*alone.interval(), alone.standard_error)
    ):
        torch.testing.assert_close(values[1], truth)


def test_an_exact_interval_is_a_point():
    found = measure(nonlinear(12, 16), normal(5, 12), 7)
    for bound in found.interval():
        assert torch.equal(bound, found.ratio)


@pytest.mark.parametrize("probes", [None, 1, 3])
@pytest.mark.parametrize("source, target", [*permutations(TARGETS, 2), ("v", "v")])
def test_another_target_from_the_same_products(source, target, probes):
    """Converting what was measured is measuring what was converted, error and all, each sample at its own time."""
    schedule, x, t = Schedule(), normal(4, 12), torch.tensor([5, 200, 500, 800])
    f = nonlinear(12, 16)
    slope, shift = schedule.affine(t, source, target)
    found = measure(f, x, 7, probes).converted(slope, shift)
    direct = measure(lambda z: schedule.convert(f(z), z, t, source, target), x, 7, probes)
    for name in ("moments", "covariance", "ratio", "standard_error", "size"):
        torch.testing.assert_close(
            getattr(found, name), getattr(direct, name), rtol=1e-7, atol=1e-7
        )
    assert (
        found.freedom == direct.freedom and not found.vanishing.any() and not direct.vanishing.any()
    )
    back = found.converted(1 / slope, -shift / slope)
    torch.testing.assert_close(back.ratio, measure(f, x, 7, probes).ratio, rtol=1e-6, atol=1e-6)


def test_several_regions_are_converted_at_once():
    f, x = nonlinear(12, 16), normal(4, 12)
    regions = torch.stack([torch.arange(12) < 7, torch.arange(12) >= 2])
    slope, shift = normal(4, seed=1), normal(4, seed=2)
    found = local_dependency_ratio(f, x, regions, details=True).converted(slope, shift)
    direct = local_dependency_ratio(
        lambda z: shift[:, None] * z + slope[:, None] * f(z), x, regions, details=True
    )
    torch.testing.assert_close(found.moments, direct.moments)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("probes", [None, 1, 5])
def test_conversions_that_cancel_are_masked(probes, dtype):
    """Of f = c·x at several scales, a·x + b·f has the Jacobian (a + b c)·I: nothing is left where a = −b c."""
    scale = torch.tensor([1e-4, 0.3, 1.0, 7.0, 1e4], dtype=torch.float64)
    found = measure(lambda x: (x.T * scale.to(x)).T, normal(5, 40, dtype=dtype), 30, probes)
    torch.testing.assert_close(found.ratio, torch.ones(5).double())
    cancelled = found.converted(1 / scale.to(dtype).double(), -1.0)
    assert (
        cancelled.vanishing.all()
        and not cancelled.ratio.any()
        and torch.isfinite(cancelled.moments).all()
    )
    with pytest.raises(ValueError, match="all 5 Jacobians vanish"):
        cancelled.summary()
    nearly = found.converted(1 / scale, torch.tensor([-1.0, -1.01, -0.99, 0.0, 1.0]))
    assert nearly.vanishing.tolist() == [True, False, False, False, False]
    torch.testing.assert_close(nearly.ratio[1:], torch.ones(4).double(), rtol=1e-2, atol=0)
    nothing = found.converted(0, 0)
    assert (
        nothing.vanishing.all()
        and not nothing.standard_error[torch.isfinite(nothing.standard_error)].any()
    )


def made(inside, total, size=4) -> Products:
    """Exact products with the given norms."""
    moments = torch.tensor([[0.0] * len(inside), inside, total], dtype=torch.float64).T
    n = len(inside)
    return Products(
        moments, torch.zeros(n, 3, 3).double(), None, torch.tensor([size]), torch.zeros(n), 0.0
    )


def test_a_summary_by_hand():
    found = made([1.0, 2.0, 0.0, 9.0], [2.0, 8.0, 0.0, 10.0]).summary(level=0.9)
    ratios = [0.5, 0.25, 0.9]
    mean = sum(ratios) / 3
    error = math.sqrt(sum((r - mean) ** 2 for r in ratios) / 2 / 3)
    assert (found.samples, found.vanishing) == (3, 1)
    assert found.mean == pytest.approx(mean)
    wide = 2.919986 * error  # Student's t with 2 degrees of freedom
    assert (found.low, found.high) == pytest.approx((mean - wide, mean + wide), abs=1e-6)
    # 12/20, less the bias (ρ Var b − Cov(a, b))/b̄² of means of a = 1, 2, 0, 9 and b = 2, 8, 0, 10
    a, b = [-2, -1, -3, 6], [-3, 3, -5, 5]
    variance, covariance = (sum(p * q for p, q in zip(z, b)) / 3 / 4 for z in (b, a))
    spread = sum((p - 0.6 * q) ** 2 for p, q in zip(a, b)) / 3 / 4
    assert found.pooled == pytest.approx(0.6 - (0.6 * variance - covariance) / 25)
    wide = 2.353363 * math.sqrt(spread) / 5  # 3 degrees of freedom
    assert (found.pooled_low, found.pooled_high) == pytest.approx(
        (found.pooled - wide, found.pooled + wide), abs=1e-6
    )


def test_leaving_samples_out_moves_the_mean_of_ratios_and_not_the_ratio_of_means():
    tiny = made([1.0, 2.0, 3.0, 1e-9], [2.0, 8.0, 10.0, 1e-9]).summary()
    gone = made([1.0, 2.0, 3.0, 0.0], [2.0, 8.0, 10.0, 0.0]).summary()
    assert (tiny.samples, tiny.vanishing) == (4, 0) and (gone.samples, gone.vanishing) == (3, 1)
    assert abs(tiny.mean - gone.mean) > 0.1
    assert gone[3:6] == pytest.approx(tiny[3:6], abs=1e-8)


def test_a_summary_counts_what_vanishes():
    def f(x):
        return torch.where(x[:, :1] > 0, nonlinear(12, 16)(x), 0 * x + 1)

    x = normal(50, 12)
    for probes in (None, 3):
        found = measure(f, x, 7, probes)
        summary = found.summary()
        assert (
            summary.vanishing == (x[:, 0] <= 0).sum() and summary.samples + summary.vanishing == 50
        )
        assert summary.mean == pytest.approx(found.ratio[x[:, 0] > 0].mean().item())
        assert all(map(math.isfinite, summary))


def test_a_summary_of_one_sample_has_no_interval():
    found = measure(nonlinear(12, 16), normal(1, 12), 7)
    summary = found.summary()
    assert summary.mean == pytest.approx(found.ratio.item()) and summary.pooled == pytest.approx(
        found.ratio.item()
    )
    assert summary[1:3] == summary[4:6] == (-math.inf, math.inf)


@pytest.mark.parametrize("probes", [None, 3])
def test_summary_intervals_contain_the_truth_as_often_as_they_say(probes):
    """Six hundred times forty samples, for the mean of ratios and the ratio of means of all of them, which differ."""
    times, n, level = 600, 40, 0.9
    f, x = nonlinear(8, 2, seed=7), normal(times * n, 8)
    exact, found = measure(f, x, 4), measure(f, x, 4, probes)
    mean, pooled = exact.ratio.mean().item(), (exact.inside.sum() / exact.total.sum()).item()
    assert mean > pooled + 0.1
    hits = torch.zeros(2)
    for i in range(0, len(x), n):
        parts = {
            name: getattr(found, name)[i : i + n] for name in ("moments", "covariance", "floor")
        }
        one = replace(found, **parts).summary(level)
        hits += torch.tensor(
            [one.low <= mean <= one.high, one.pooled_low <= pooled <= one.pooled_high]
        )
    assert ((hits / times - level).abs() < 4 * math.sqrt(level * (1 - level) / times)).all(), hits


@pytest.mark.parametrize("level", [0, 1, -0.5, 1.5, 95])
def test_bad_levels(level):
    f, x = nonlinear(12, 16), normal(5, 12)
    for ask in (
        measure(f, x, 7, 3).interval,
        measure(f, x, 7, 3).summary,
        measure(f, x, 7).summary,
    ):
        with pytest.raises(ValueError, match=f"level={level}; .*0, 1"):
            ask(level)


def test_a_summary_is_of_one_region():
    found = local_dependency_ratio(
        nonlinear(12, 16), normal(5, 12), torch.eye(12).bool(), details=True
    )
    with pytest.raises(ValueError, match=r"\(12, 5, 3\).*one region"):
        found.summary()


def test_groups_are_compared_within_seeds():
    """Two runs of other means and other shares: pooled, the groups would seem apart; within each they are not."""
    generator = np.random.default_rng(0)
    seed = np.repeat([0, 1], 400)
    first = generator.random(800) < np.where(seed == 0, 0.9, 0.1)
    values = 5.0 * seed + generator.normal(size=800)
    mean, low, high, used = contrast(values, first, ~first, seed)
    assert values[first].mean() - values[~first].mean() < -3
    assert low < 0 < high and high - low < 1 and used == 2
    mean, low, high, _ = contrast(values + first, first, ~first, seed)
    assert 0 < low < 1 < high and low <= mean <= high


def test_seeds_without_enough_of_a_group_are_left_out():
    values, seed = np.arange(20.0), np.repeat([0, 1], 10)
    first = np.array([True] * 5 + [False] * 5 + [True] * 2 + [False] * 8)
    mean, low, high, used = contrast(values, first, ~first, seed)
    assert (mean, used) == (-5, 1) and low < -5 < high
    assert contrast(values, first, ~first, seed, least=6) is None


@pytest.mark.parametrize(
    "probes, least, most", [(2, 0.74, 0.88), (4, 0.74, 0.88), (8, 0.8, 0.92), (16, 0.8, 0.92)]
)
def test_of_a_jacobian_of_two_directions_the_interval_covers_less_than_it_says(probes, least, most):
    """The limit that the docstring of `interval` tells, over 800 repetitions."""
    inputs = normal(2, 784, seed=1) * torch.where(torch.arange(784) < 196, 2, 1)
    rows = normal(196, 2) @ inputs
    repeats = torch.ones(800, 784, dtype=torch.float64)
    found = measure(
        lambda z: torch.nn.functional.pad(z @ rows.T, (0, 588)), repeats, 196, probes, seed=probes
    )
    low, high = found.interval()
    truth = rows[:, :196].square().sum() / rows.square().sum()
    assert least < ((low <= truth) & (truth <= high)).double().mean() < most
