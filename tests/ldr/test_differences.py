"""The ratio from values alone against exact Jacobians and vector-Jacobian products."""

import math
import warnings

import numpy as np
import pytest
import torch

from localbias import networks
from localbias.diffusion import Schedule
from localbias.ldr import local_dependency_ratio, ratio_by_differences


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def nonlinear(size: int, seed: int = 3):
    into, out = normal(size, 16, seed=seed) / size**0.5, normal(16, size, seed=seed + 1) / 4
    return lambda x: (
        (torch.tanh(2 * x.flatten(1) @ into.to(x)) @ out.to(x)).view_as(x) + 0.3 * torch.sin(x)
    )


def trained_like(kind: str):
    """A small network, its weights moved so that none is 0."""
    network = (
        networks.UNet(width=8, mults=(1, 2), heads=1, head_width=4)
        if kind == "unet"
        else networks.DiT(8, patch=2, width=16, depth=2, heads=2)
    )
    for i, weights in enumerate(network.parameters()):
        if weights.requires_grad:
            weights.data = 0.2 * normal(*weights.shape, seed=i, dtype=torch.float32)
    network.eval()
    return lambda x: network(x, torch.full((len(x),), 300))


CORNER = torch.zeros(1, 8, 8, dtype=torch.bool)
CORNER[:, :4, :4] = True


@pytest.mark.parametrize("shape", [(7,), (1, 4, 6), (2, 3, 4)])
def test_every_number_moved_by_itself_is_the_exact_ratio(shape):
    f, x = nonlinear(math.prod(shape)), normal(3, *shape)
    regions = torch.rand(2, *shape, generator=seeded(5)) < 0.4
    found = ratio_by_differences(f, x, regions, details=True)
    exact = local_dependency_ratio(f, x, regions, details=True)
    torch.testing.assert_close(found.moments, exact.moments, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(ratio_by_differences(f, x, regions), exact.ratio, rtol=1e-7, atol=0)
    assert not found.standard_error.any() and found.freedom.isinf().all()
    assert (found.size == exact.size).all()


@pytest.mark.parametrize("kind", ["unet", "dit"])
def test_networks_in_single_precision_and_the_choice_of_the_step(kind):
    """Between .003 and .01 neither rounding nor the bend shows in single precision."""
    f, x = trained_like(kind), normal(1, 1, 8, 8, dtype=torch.float32)
    exact = local_dependency_ratio(f, x, CORNER)
    errors = {
        step: (ratio_by_differences(f, x, CORNER, step=step) / exact - 1).abs().item()
        for step in (2e-5, 0.003, 0.01, 2.0)
    }
    assert 0.2 < exact < 0.999
    within = max(errors[0.003], errors[0.01])
    assert within < 3e-4 and errors[2e-5] > 5 * within and errors[2.0] > 2 * within


@pytest.mark.parametrize("kind", ["unet", "dit"])
def test_probes_are_within_their_error(kind):
    f, x = trained_like(kind), normal(1, 1, 8, 8, dtype=torch.float32).expand(48, -1, -1, -1)
    exact = local_dependency_ratio(f, x[:1], CORNER)
    found = ratio_by_differences(f, x, CORNER, 8, seeded(1), details=True)
    error = (found.ratio - exact).square().mean().sqrt()
    assert 0.6 < error / found.standard_error.square().mean().sqrt() < 1.6
    assert abs(found.ratio.mean() - exact) < 4 * error / math.sqrt(48)
    low, high = found.interval()
    assert ((low <= exact) & (exact <= high)).double().mean() > 0.8


def test_a_plain_numpy_function():
    into = np.random.default_rng(0).normal(size=(9, 9)) / 3
    weights = torch.from_numpy(into)
    x, region = normal(4, 9), torch.arange(9) < 4
    found = ratio_by_differences(lambda z: np.tanh(z.numpy() @ into), x, region)
    exact = local_dependency_ratio(lambda z: torch.tanh(z @ weights), x, region)
    torch.testing.assert_close(found, exact, rtol=1e-7, atol=0)


def test_the_bias_of_few_probes_and_how_means_lose_it():
    """a/(a + b) of two probes is biased; without its leading term less; as a ratio of means hardly."""
    f, x = nonlinear(40), normal(1, 40).expand(2000, -1)
    region = torch.arange(40) < 30
    truth = local_dependency_ratio(f, x[:1], region).item()
    found = ratio_by_differences(f, x, region, 2, seeded(4), details=True)
    plain, corrected = (found.inside / found.total).mean().item(), found.ratio.mean().item()
    summary, error = found.summary(), found.ratio.std().item() / math.sqrt(2000)
    assert abs(plain - truth) > 4 * error
    assert abs(corrected - truth) < 0.7 * abs(plain - truth)
    assert abs(summary.pooled - truth) < 3 * error


def test_more_probes_err_less_and_all_of_them_not_at_all():
    f, x, region = nonlinear(40), normal(1, 40).expand(200, -1), torch.arange(40) < 30
    truth = local_dependency_ratio(f, x[:1], region)
    errors = []
    for probes in (2, 8, 29, 30):
        found = ratio_by_differences(f, x, region, probes, seeded(probes))
        errors.append((found - truth).square().mean().sqrt().item())
    assert errors[1] < errors[0] / 1.5 and errors[2] < errors[1] / 2 and errors[3] < 1e-7


def test_other_targets_come_of_the_same_products():
    schedule, t, f = Schedule(), 400, nonlinear(12)
    x, region = normal(3, 12), torch.arange(12) < 5
    found = ratio_by_differences(f, x, region, details=True)
    exact = local_dependency_ratio(f, x, region, details=True)
    affine = schedule.affine(t, "x0", "noise")
    torch.testing.assert_close(
        found.converted(*affine).ratio, exact.converted(*affine).ratio, rtol=1e-6, atol=0
    )


def test_calls_are_counted_and_keep_the_batch():
    calls = []

    @torch.inference_mode()
    def f(x):
        calls.append(x.shape)
        return nonlinear(20)(x).detach()

    x, region = normal(3, 20), torch.arange(20) < 8
    ratio_by_differences(f, x, region, 5, seeded())
    assert len(calls) == 2 + 4 * 5 and set(calls) == {x.shape}
    ratio_by_differences(f, x, region)
    assert len(calls) == 22 + 2 + 2 * 20
    first, second = (ratio_by_differences(f, x, region, 5, seeded(1)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("probes", [None, 3])
def test_vanishing_jacobians_are_masked_and_counted(probes, dtype):
    gate = torch.ones(5, 1, dtype=dtype)
    gate[[1, 4]] = 1e-20

    def f(x):
        return 1 + gate * nonlinear(8)(x)

    x, region = normal(5, 8, dtype=dtype), torch.arange(8) < 5
    with pytest.warns(UserWarning, match="2 of 5 Jacobians vanish"):
        values = ratio_by_differences(f, x, region, probes, seeded())
    assert (values[[1, 4]] == 0).all() and (values[[0, 2, 3]] > 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ratio_by_differences(f, x, region, probes, seeded(), details=True)
    assert found.vanishing.tolist() == [False, True, False, False, True]


def test_a_region_that_is_the_whole_signal_has_the_ratio_one():
    x = normal(3, 6)
    for probes in (None, 2):
        found = ratio_by_differences(nonlinear(6), x, torch.ones(6, dtype=torch.bool), probes)
        torch.testing.assert_close(found, torch.ones(3).double())


HALF = torch.arange(6) < 3


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: ratio_by_differences(lambda z: z[:, :2], x, HALF), r"f returned \(2, 2\) for x"),
        (
            lambda x: ratio_by_differences(lambda z: z + torch.rand(2, 6), x, HALF),
            "two outputs for one x",
        ),
        (
            lambda x: ratio_by_differences(lambda z: z * torch.tensor([[1], [math.nan]]), x, HALF),
            r"not a number at samples \[1\]",
        ),
        (lambda x: ratio_by_differences(torch.sin, x.long(), HALF), "allowed: floating point"),
        (lambda x: ratio_by_differences(torch.sin, x, ~HALF & HALF), "region is empty"),
        (lambda x: ratio_by_differences(torch.sin, x, HALF.long()), "a mask of torch.bool"),
        (lambda x: ratio_by_differences(torch.sin, x, HALF, 0), "probes=0; allowed: whole numbers"),
        (lambda x: ratio_by_differences(torch.sin, x, HALF, step=0), "step=0; allowed: numbers"),
        (
            lambda x: ratio_by_differences(torch.sin, x, HALF, step="a"),
            "step='a'; allowed: numbers",
        ),
        (lambda x: ratio_by_differences(torch.sin, x, HALF, 1, 3), "generator=3; allowed: a torch"),
    ],
)
def test_what_cannot_be_used_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(normal(2, 6))
