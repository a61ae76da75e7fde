"""The local dependency ratio against whole Jacobians, exact references and plain loops over other people's networks."""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from localbias import exact, networks
from localbias.diffusion import Schedule
from localbias.grammar import Parity, QuarterSum
from localbias.ldr import dependency, local_dependency_ratio, saliency
from localbias.render import Digits, Glyphs, Scalars

SCHEDULE = Schedule()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def nonlinear(size: int, seed: int = 3):
    """A dense map of signals of that many numbers, each sample by itself."""
    into, out = normal(size, 16, seed=seed) / size**0.5, normal(16, size, seed=seed + 1) / 4
    return lambda x: (
        (torch.tanh(2 * x.flatten(1) @ into.to(x)) @ out.to(x)).view_as(x) + 0.3 * torch.sin(x)
    )


def jacobians(f, x: torch.Tensor) -> torch.Tensor:
    """Each sample's whole Jacobian [B, d, d], by the library."""
    batch = len(x)
    whole = torch.autograd.functional.jacobian(f, x).reshape(batch, x[0].numel(), batch, -1)
    return whole[torch.arange(batch), :, torch.arange(batch)]


def block(whole: torch.Tensor, outputs: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Squared norm [B] of the block of Jacobians [B, d, d] between two masks [*shape]."""
    return whole[:, outputs.flatten()][:, :, inputs.flatten()].square().sum((1, 2))


def ratio(f, x: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    whole = jacobians(f, x)
    return block(whole, region, region) / block(whole, region, torch.ones_like(region))


def plain_loop(f, x: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """The ratio [B] by one vector-Jacobian product after the other."""
    x, inside, total = x.clone().requires_grad_(), 0, 0
    y = f(x)
    for i in region.flatten().nonzero()[:, 0]:
        (g,) = torch.autograd.grad(y.flatten(1)[:, i].sum(), x, retain_graph=True)
        inside, total = inside + g[:, region].square().sum(1), total + g.flatten(1).square().sum(1)
    return inside / total


SHAPES = [(7,), (1, 4, 6), (2, 3, 4)]


def mask(*shape: int, seed: int = 5) -> torch.Tensor:
    return torch.rand(shape, generator=seeded(seed)) < 0.4


@pytest.mark.parametrize("chunk", [1, 3, 64, 10**6])
@pytest.mark.parametrize("shape", SHAPES)
def test_exact_is_that_of_the_whole_jacobian(shape, chunk):
    f, x, region = nonlinear(math.prod(shape)), normal(3, *shape), mask(*shape)
    found = local_dependency_ratio(f, x, region, chunk=chunk, details=True)
    whole, size = jacobians(f, x), int(region.sum())
    trace = (whole.diagonal(dim1=1, dim2=2) * region.flatten()).sum(1)
    truth = [trace, block(whole, region, region), block(whole, region, torch.ones_like(region))]
    torch.testing.assert_close(found.moments, torch.stack(truth, 1), rtol=1e-10, atol=1e-12)
    assert (
        found.size.item() == size and not found.covariance.any() and not found.standard_error.any()
    )
    values = local_dependency_ratio(f, x, region, chunk=chunk)
    assert (
        values.dtype == torch.float64
        and values.shape == (3,)
        and ((0 < values) & (values < 1)).all()
    )
    torch.testing.assert_close(values, truth[1] / truth[2], rtol=1e-10, atol=0)


def test_a_mask_may_leave_out_the_channels():
    f, x, region = nonlinear(24), normal(2, 2, 3, 4), mask(3, 4)
    torch.testing.assert_close(
        local_dependency_ratio(f, x, region), ratio(f, x, region.expand(2, 3, 4))
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_several_regions_share_one_call_and_are_as_one_by_one(shape):
    f, x = nonlinear(math.prod(shape)), normal(3, *shape)
    regions = torch.stack(
        [mask(*shape), mask(*shape) | mask(*shape, seed=6), torch.ones(shape, dtype=torch.bool)]
    )
    calls = []
    together = local_dependency_ratio(lambda z: calls.append(1) or f(z), x, regions)
    assert together.shape == (3, 3) and len(calls) == 1
    torch.testing.assert_close(
        together, torch.stack([local_dependency_ratio(f, x, one) for one in regions])
    )
    torch.testing.assert_close(
        together[2], torch.ones(3).double()
    )  # all listens to all: nothing lies outside

    generator = seeded(1)
    alone = [local_dependency_ratio(f, x, one, 2, generator) for one in regions]
    torch.testing.assert_close(
        local_dependency_ratio(f, x, regions, 2, seeded(1)), torch.stack(alone)
    )


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_scale_of_the_output_does_not_matter(dtype, tolerance):
    f, x, region = nonlinear(24), normal(4, 1, 4, 6), mask(1, 4, 6)
    truth = ratio(f, x, region)
    for scale in (1e-8, 1, 1e8):
        found = local_dependency_ratio(lambda z: scale * f(z), x.to(dtype), region, details=True)
        torch.testing.assert_close(found.ratio, truth, rtol=tolerance, atol=0)
        assert not found.vanishing.any()


def noised(grammar, renderer, level: float, n: int) -> tuple[torch.Tensor, int]:
    """Float64 signals of the rule's law, noised to √ᾱ = level, and the step."""
    t = SCHEDULE.index(sqrt_alpha_bar=level)
    strings = grammar.support[torch.randint(len(grammar.support), (n,), generator=seeded())]
    x0 = renderer(strings, seeded(1)).double()
    return SCHEDULE.add_noise(x0, normal(*x0.shape, seed=2), t), t


CASES = {
    "scalars": (Parity(6), Scalars(6), 0.6),
    "glyphs": (Parity(4), Glyphs((2, 2), (16, 16)), 0.3),
    "one digit": (QuarterSum(), Digits(16), 0.3),
    "digits": (QuarterSum(), Digits(16, exemplars=4), 0.3),
}


@pytest.mark.parametrize("case", CASES)
def test_marginals_are_perfectly_local_and_the_rule_is_not(case):
    grammar, renderer, level = CASES[case]
    x, t = noised(grammar, renderer, level, 3)
    regions = torch.stack([renderer.region(i) for i in range(renderer.length)])
    local, rule = (law(grammar, renderer, SCHEDULE) for law in (exact.marginals, exact.rule))
    found = local_dependency_ratio(lambda z: local(z, t), x, regions, details=True)
    torch.testing.assert_close(found.ratio, torch.ones(len(regions), 3).double(), rtol=1e-9, atol=0)
    assert not found.vanishing.any()
    blocks = dependency(lambda z: local(z, t), x, regions)
    assert (
        blocks - torch.diag_embed(blocks.diagonal(dim1=1, dim2=2))
    ).abs().max() < 1e-9 * blocks.max()
    assert (
        local_dependency_ratio(lambda z: rule(z, t), x, regions).mean() < 0.99
    )  # where the rule matters


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_the_rule_of_parity_in_closed_form(level):
    """E[x0_i|x] = (t_i + P)/(1 + t_i P), t = tanh(√ᾱ x/(1−ᾱ)), P the product of the others: differentiated by hand."""
    grammar, renderer = Parity(5), Scalars(5)
    x, t = noised(grammar, renderer, level, 8)
    alpha_bar = SCHEDULE.alpha_bar[t]
    signs = torch.tanh(alpha_bar.sqrt() * x / (1 - alpha_bar))
    rule = exact.rule(grammar, renderer, SCHEDULE)
    for i in range(5):
        others = [k for k in range(5) if k != i]
        own = (1 - signs[:, others].prod(1) ** 2).square()
        rest = sum(
            ((1 - signs[:, j] ** 2) * signs[:, [k for k in others if k != j]].prod(1)).square()
            for j in others
        )
        found = local_dependency_ratio(lambda z: rule(z, t), x, renderer.region(i))
        torch.testing.assert_close(found, own / (own + rest), rtol=1e-8, atol=0)


def test_what_the_optimum_shows_depends_on_the_target_and_the_noise_level():
    """Of x0 the ratio falls as the noise does; of the noise it dips in a window only."""
    grammar, renderer, means = Parity(8), Scalars(8), {}
    rule = exact.rule(grammar, renderer, SCHEDULE)
    for level in (0.1, 0.75, 0.95):
        x, t = noised(grammar, renderer, level, 100)
        found = local_dependency_ratio(lambda z: rule(z, t), x, renderer.region(0), details=True)
        of_noise = found.converted(*SCHEDULE.affine(t, "x0", "noise"))
        means[level] = found.summary().mean, of_noise.summary().mean
    assert min(means[0.1]) > 0.999
    assert max(means[0.75]) < 0.95
    assert means[0.95][0] < 0.6 and means[0.95][1] > 0.999


def test_below_the_resolution_of_a_reference_its_ratio_is_rounding():
    """Against the covariance relative to the likeliest string, which loses no digits (J = √ᾱ/(1−ᾱ) Cov[x0|x_t])."""
    grammar, renderer = Parity(8), Glyphs((2, 4), (16, 32))
    rule = exact.rule(grammar, renderer, SCHEDULE)
    x, t = noised(grammar, renderer, 0.9, 24)
    region = renderer.region(0).flatten()
    images = renderer(grammar.support).flatten(1).double()
    signal, spread = (part.item() for part in SCHEDULE.scales(t, x[0]))
    log = -(x.flatten(1)[:, None] - signal * images).square().sum(-1) / (2 * spread**2)
    truth = []
    for one in log:
        away, weights = images - images[one.argmax()], (one - one.max()).exp()
        weights /= weights.sum()
        mean = weights @ away
        rows = (weights[:, None] * away[:, region]).T @ away - mean[region, None] * mean
        truth.append(rows[:, region].square().sum() / rows.square().sum())
    found = local_dependency_ratio(
        lambda z: rule(z, t), x, renderer.region(0), resolution=exact.RESOLUTION, details=True
    )
    plain = local_dependency_ratio(lambda z: rule(z, t), x, renderer.region(0))
    there = ~found.vanishing
    assert 0 < there.sum() < len(there)
    torch.testing.assert_close(found.ratio[there], torch.stack(truth)[there], rtol=0.05, atol=0)
    assert (plain - torch.stack(truth))[~there].abs().max() > 0.2


def test_as_many_probes_as_numbers_are_exact():
    f, x, region = nonlinear(10), normal(4, 10), mask(10)
    size = int(region.sum())
    exact = local_dependency_ratio(f, x, region, details=True)
    for probes in (size, size + 1, 1000):
        found = local_dependency_ratio(f, x, region, probes, details=True)
        assert found.freedom.isinf().all() and not found.standard_error.any()
        torch.testing.assert_close(found.moments, exact.moments, rtol=1e-12, atol=0)
    assert local_dependency_ratio(f, x, region, size - 1, details=True).standard_error.all()


def test_more_probes_err_less():
    f, x, region = nonlinear(40), normal(1, 40).expand(300, -1), torch.arange(40) < 30
    truth = ratio(f, x[:1], region)
    errors = []
    for probes in (1, 4, 16, 29):
        found = local_dependency_ratio(f, x, region, probes, seeded(probes))
        errors.append((found - truth).square().mean().sqrt().item())
    # the law is √((1 − K/|R|)/K): 1/2.1, 1/2.7 and 1/5
    assert errors[1] < errors[0] / 1.5 and errors[2] < errors[1] / 2 and errors[3] < errors[2] / 3


def test_the_seed_alone_decides_what_probes_find():
    f, x, region = nonlinear(24), normal(3, 1, 4, 6), mask(1, 4, 6)
    first, *rest = (
        local_dependency_ratio(f, x, region, 4, seeded(1), chunk=chunk)
        for chunk in (1, 6, 64, 10**6)
    )
    for other in rest:
        torch.testing.assert_close(other, first, rtol=1e-12, atol=0)
    assert not torch.isclose(local_dependency_ratio(f, x, region, 4, seeded(2)), first).any()


@pytest.fixture
def carried(monkeypatch) -> list[int]:
    """How many vectors each call of the library pulls back at once."""
    counts, together, grad, vmap = [], [], torch.autograd.grad, torch.func.vmap

    def spy(y, x, cotangents=None, **options):
        if not together:
            counts.append(1)
        return grad(y, x, cotangents, **options)

    def batched(f):
        def call(vectors):
            counts.append(len(vectors))
            together.append(True)
            try:
                return vmap(f)(vectors)
            finally:
                together.pop()

        return call

    monkeypatch.setattr(torch.autograd, "grad", spy)
    monkeypatch.setattr(torch.func, "vmap", batched)
    return counts


@pytest.mark.parametrize("probes, vectors", [(None, 20), (7, 7)])
@pytest.mark.parametrize("chunk", [1, 9, 25, 1000])
def test_a_chunk_bounds_the_products_at_once(chunk, probes, vectors, carried):
    local_dependency_ratio(nonlinear(30), normal(4, 30), torch.arange(30) < 20, probes, chunk=chunk)
    assert sum(carried) == vectors and max(carried) == min(vectors, max(1, chunk // 4))


def constant_for(*samples: int):
    """A map that ignores x in these samples, up to a Jacobian of 1e-20."""

    def f(x):
        gate = torch.ones(len(x), *[1] * (x.ndim - 1), dtype=x.dtype)
        gate[list(samples)] = 1e-20
        return 1 + gate * nonlinear(x[0].numel())(x)

    return f


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("probes", [None, 3])
def test_vanishing_jacobians_are_masked_and_counted(probes, dtype):
    x, region = normal(5, 8, dtype=dtype), torch.arange(8) < 5
    with pytest.warns(UserWarning, match="2 of 5 Jacobians vanish"):
        values = local_dependency_ratio(constant_for(1, 4), x, region, probes, seeded())
    found = local_dependency_ratio(constant_for(1, 4), x, region, probes, seeded(), details=True)
    assert found.vanishing.tolist() == [False, True, False, False, True]
    assert (values[[1, 4]] == 0).all() and (values[[0, 2, 3]] > 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing vanishes: nothing is said
        alone = local_dependency_ratio(nonlinear(8), x[[0, 2, 3]], region)
    if probes is None:
        torch.testing.assert_close(values[[0, 2, 3]], alone, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 0 * x + 1,
        lambda x: torch.tanh(1e4 * x),  # saturated
    ],
    ids=["times zero", "saturated"],
)
@pytest.mark.parametrize("probes", [None, 1, 3])
def test_a_constant_has_no_ratio(f, probes):
    x, region = normal(4, 8).sign(), torch.arange(8) < 5
    found = local_dependency_ratio(f, x, region, probes, details=True)
    assert found.vanishing.all() and not found.ratio.any()
    assert not saliency(f, x, region, probes).any()
    with pytest.warns(UserWarning, match="4 of 4 Jacobians"):
        assert torch.equal(local_dependency_ratio(f, x, region, probes), torch.zeros(4).double())


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("probes", [None, 3])
def test_a_jacobian_that_is_no_number_is_refused_by_sample(wrong, probes):
    x, region, scale = normal(5, 8), torch.arange(8) < 5, torch.ones(5, 1).double()
    scale[[1, 3]] = wrong
    for one in (region, torch.stack([~region, region])):
        with pytest.raises(
            ValueError, match=r"Jacobian is infinite or not a number at samples \[1, 3\]"
        ):
            local_dependency_ratio(lambda z: scale * nonlinear(8)(z), x, one, probes, seeded())
    f, fine = nonlinear(8), x[[0, 2, 4]]
    large = local_dependency_ratio(
        lambda z: 1e60 * f(z), fine, region, probes, seeded()
    )  # is not infinite
    torch.testing.assert_close(large, local_dependency_ratio(f, fine, region, probes, seeded()))


@pytest.mark.parametrize("chunk", [1, 64])
def test_one_infinite_slope_is_enough(chunk):
    x = normal(4, 8).abs()
    x[2, 4] = 0  # where the root rises without bound
    with pytest.raises(ValueError, match=r"samples \[2\]"):
        local_dependency_ratio(
            lambda z: z.sqrt() + z.sum(1, keepdim=True), x, torch.arange(8) < 5, chunk=chunk
        )


def test_the_point_zero_is_a_point_like_any_other():
    region = torch.arange(4) < 2
    found = local_dependency_ratio(
        lambda x: x + 1 + 0.5 * x.sum(1, keepdim=True), torch.zeros(2, 4), region
    )
    torch.testing.assert_close(
        found, torch.full((2,), 5 / 6).double()
    )  # (2·1.5² + 2·.5²)/(that + 4·.5²)


def test_leaves_everything_as_it_was():
    network = networks.make("mlp", (6,), width=8, depth=1).double()
    x, t = normal(3, 6), torch.tensor([3, 400, 999])
    before = x.clone()
    seen = []

    def f(z):
        seen.append(z.detach().clone())
        return network(z, t)  # one time a sample: only works on x itself

    truth = ratio(lambda z: network(z, t), x, torch.arange(6) < 2)
    with torch.no_grad():
        found = local_dependency_ratio(f, x, torch.arange(6) < 2, chunk=2)
        saliency(f, x, torch.arange(6) < 2)
        dependency(f, x, torch.eye(6).bool())
        assert not torch.is_grad_enabled()
    torch.testing.assert_close(found, truth)
    assert len(seen) == 3 and all(torch.equal(z, before) for z in seen)
    assert torch.equal(x, before) and not x.requires_grad
    assert all(
        parameter.grad is None and parameter.requires_grad for parameter in network.parameters()
    )


class Unbatchable(torch.autograd.Function):
    """Cubes, by way of a library that knows nothing of batches of gradients."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return torch.from_numpy(3 * x.detach().numpy() ** 2 * g.numpy())


@pytest.mark.parametrize("probes, calls", [(None, [3, 1, 1, 1, 1, 1]), (4, [3, 1, 1, 1, 1])])
def test_an_operation_that_cannot_be_batched_is_looped_over(probes, calls, carried):
    x, region = normal(3, 8), torch.arange(8) < 5
    z = x.clone().requires_grad_()
    y = Unbatchable.apply(z)
    with pytest.raises(RuntimeError, match="data pointer|storage"):
        torch.func.vmap(lambda v: torch.autograd.grad(y, z, v)[0])(torch.ones(2, 3, 8).double())
    carried.clear()
    found = local_dependency_ratio(
        lambda z: Unbatchable.apply(nonlinear(8)(z)), x, region, probes, seeded(), chunk=9
    )
    assert carried == calls  # tried once
    truth = local_dependency_ratio(lambda z: nonlinear(8)(z) ** 3, x, region, probes, seeded())
    torch.testing.assert_close(found, truth)


@pytest.mark.parametrize("probes", [None, 3])
@pytest.mark.parametrize(
    "shape, spatial", [((7,), (7,)), ((2, 6), (6,)), ((1, 4, 6), (4, 6)), ((2, 3, 4), (3, 4))]
)
def test_the_heat_in_the_region_is_the_ratio(shape, spatial, probes):
    f, x, region = nonlinear(math.prod(shape)), normal(3, *shape), mask(*spatial)
    heat = saliency(f, x, region, probes, seeded(1), chunk=4)
    assert heat.dtype == torch.float64 and heat.shape == (3, *spatial)
    found = local_dependency_ratio(f, x, region, probes, seeded(1), details=True)
    torch.testing.assert_close(
        heat[:, region].sum(1) / heat.flatten(1).sum(1), found.inside / found.total
    )
    if probes is None:
        columns = (
            jacobians(f, x)[:, region.expand(shape).flatten()].square().sum(1).reshape(x.shape)
        )
        torch.testing.assert_close(heat, columns if len(shape) == 1 else columns.sum(1))


@pytest.mark.parametrize("chunk", [1, 3, 64, 10**6])
@pytest.mark.parametrize("shape", SHAPES)
def test_which_region_listens_to_which(shape, chunk):
    f, x = nonlinear(math.prod(shape)), normal(3, *shape)
    part = torch.randint(3, shape, generator=seeded())
    partition = torch.stack([part == i for i in range(3)])
    overlapping = torch.stack([mask(*shape), mask(*shape, seed=6)])
    for regions in (partition, overlapping):
        found, whole = dependency(f, x, regions, chunk=chunk), jacobians(f, x)
        assert found.dtype == torch.float64 and found.shape == (3, len(regions), len(regions))
        for i, j in itertools.product(range(len(regions)), repeat=2):
            torch.testing.assert_close(found[:, i, j], block(whole, regions[i], regions[j]))
    found = dependency(f, x, partition, chunk=chunk)
    torch.testing.assert_close(
        (found.diagonal(dim1=1, dim2=2) / found.sum(2)).T, local_dependency_ratio(f, x, partition)
    )


def test_dependency_by_probes_is_unbiased():
    f, x, first = nonlinear(12), normal(1, 12).expand(2000, -1), torch.arange(12) < 7
    regions = torch.stack([first, ~first])
    truth, found = dependency(f, x[:1], regions)[0], dependency(f, x, regions, 2, seeded())
    assert ((found.mean(0) - truth).abs() < 4 * found.std(0) / 2000**0.5).all() and (
        found.std(0) > 0
    ).all()


def perturbed(network):
    """With random numbers added to its weights: a fresh DiT gives 0."""
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter += 0.1 * normal(*parameter.shape, seed=i)
    return network.double().eval()


def diffusers_network(kind: str):
    import diffusers

    torch.manual_seed(0)
    common = dict(sample_size=8, in_channels=1, out_channels=1, norm_num_groups=4)
    if kind == "unet":
        made = diffusers.UNet2DModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            attention_head_dim=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            **common,
        )
        return lambda x, t, made=made.double().eval(): made(x, t).sample
    made = diffusers.DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=2,
        patch_size=2,
        num_embeds_ada_norm=10,
        **common,
    )
    labels = torch.tensor([1, 7])
    return lambda x, t, made=made.double().eval(): made(x, t, class_labels=labels).sample


OPTIONS = {
    "mlp": dict(width=16, depth=2),
    "unet": dict(width=8, mults=(1, 2), heads=2, head_width=4),
    "dit": dict(patch=2, width=16, depth=2, heads=2),
}


@pytest.mark.parametrize("name", [*OPTIONS, "diffusers unet", "diffusers transformer"])
def test_networks_unchanged(name, carried):
    """Nothing is asked of a network but to be called: ours and the library's, against a plain loop over the region."""
    if name in OPTIONS:
        network = perturbed(networks.make(name, (1, 8, 8), **OPTIONS[name]))
    else:
        network = diffusers_network(name.split()[1])
    x, t = normal(2, 1, 8, 8), torch.tensor([40, 700])
    region = torch.zeros(1, 8, 8, dtype=torch.bool)
    region[:, :2, :3] = True
    truth = plain_loop(lambda z: network(z, t), x, region)
    assert (truth < 0.9999).all()
    carried.clear()
    torch.testing.assert_close(
        local_dependency_ratio(lambda z: network(z, t), x, region), truth, rtol=1e-7, atol=0
    )
    if (
        name != "diffusers unet"
    ):  # torch cannot batch a step of its attention: there the loop does it
        assert carried == [6]  # all at once


def test_a_fresh_dit_has_no_ratio():
    network = networks.make("dit", (1, 8, 8), **OPTIONS["dit"])  # its last layer starts at zero
    x, t = normal(3, 1, 8, 8, dtype=torch.float32), torch.tensor([3, 400, 999])
    with pytest.warns(UserWarning, match="3 of 3"):
        local_dependency_ratio(lambda z: network(z, t), x, mask(1, 8, 8))


HALF = torch.arange(4) < 2


def test_a_bar_shows_what_takes_long_and_nothing_else(monkeypatch, capfd):
    f, x, region = nonlinear(8), normal(3, 8), torch.arange(8) < 5
    local_dependency_ratio(f, x, region)
    assert capfd.readouterr().err == ""
    monkeypatch.setattr("localbias.ldr.ratio.PATIENCE", 0)
    local_dependency_ratio(f, x, region, chunk=1)
    assert "products a sample" in capfd.readouterr().err


WEIGHT = torch.ones(4, requires_grad=True)  # a parameter: the output has a gradient, but not of x


def test_numpy_numbers_are_numbers():
    f, x = nonlinear(8), normal(3, 8)
    region = torch.arange(8) < 5
    expected = local_dependency_ratio(f, x, region, 3, seeded(), chunk=4)
    found = local_dependency_ratio(f, x, region, np.int64(3), seeded(), chunk=np.int32(4))
    assert torch.equal(found, expected)


class InPlace(nn.Module):
    """A map of each sample whose first operation works on its input itself."""

    def __init__(self, in_place: bool):
        super().__init__()
        self.first, self.second = nn.LeakyReLU(0.2, inplace=in_place), nn.Linear(8, 8)

    def forward(self, x):
        return self.second(self.first(x)).tanh()


@pytest.mark.parametrize("probes", [None, 3])
def test_a_network_that_works_on_its_input_in_place(probes):
    x, region = normal(4, 8, dtype=torch.float32), torch.arange(8) < 5
    before, expected, found = x.clone(), InPlace(False), InPlace(True)
    found.load_state_dict(expected.state_dict())
    values = [local_dependency_ratio(f, x, region, probes, seeded()) for f in (expected, found)]
    assert torch.equal(*values) and torch.equal(x, before)

    def scaled(z):
        z *= 2
        return nonlinear(8)(z)

    plain = local_dependency_ratio(lambda z: nonlinear(8)(2 * z), x, region)
    assert torch.equal(local_dependency_ratio(scaled, x, region), plain)


@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13")  # torch's own
@pytest.mark.parametrize("options", [dict(), dict(dynamic=True)])
def test_compiled_networks(options):
    """Their backward graphs can be run once alone, so the network runs as it was before."""
    network = InPlace(False)
    x, region = normal(4, 8, dtype=torch.float32), torch.arange(8) < 5
    expected = [local_dependency_ratio(network, x, region, p, seeded()) for p in (None, 3)]
    compiled = torch.compile(network, backend="aot_eager", **options)
    compiled(x).sum().backward()  # it is compiled before it is probed, as in a training
    found = [local_dependency_ratio(compiled, x, region, p, seeded()) for p in (None, 3)]
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(saliency(compiled, x, region), saliency(network, x, region))
    torch.testing.assert_close(compiled(x), network(x))  # and stays compiled


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(f=lambda x: torch.ones_like(x)), "no gradient"),
        (dict(f=lambda x: x.detach() ** 2), "no gradient"),
        (dict(f=torch.no_grad()(lambda x: x**2)), "no_grad"),
        (dict(f=lambda x: WEIGHT * x.detach()), "no gradient with respect to x.*detach"),
        (dict(f=lambda x: WEIGHT.expand_as(x).exp()), "not use it"),
        (dict(f=lambda x: WEIGHT * x.detach(), probes=1), "no gradient with respect to x"),
        (dict(f=lambda x: x[:, :3]), r"\(2, 3\) for x of \(2, 4\)"),
        (dict(f=lambda x: (x, x)), r"tuple for x of \(2, 4\)"),
        (dict(x=torch.ones(2, 4).long()), "int64.*floating point"),
        (dict(x=torch.ones(0, 4)), r"\(0, 4\).*B ≥ 1"),
        (dict(region=HALF.float()), "torch.float32.*torch.bool"),
        (dict(region=torch.ones(5, dtype=torch.bool)), r"\(5,\).*\(4,\)"),
        (dict(region=torch.ones(2, 5, dtype=torch.bool)), r"\(2, 5\).*\(4,\)"),
        (dict(region=torch.ones(1, 2, 4, dtype=torch.bool)), r"\(1, 2, 4\).*\(4,\)"),
        (dict(region=torch.zeros(4, dtype=torch.bool)), "region is empty"),
        (dict(region=torch.stack([HALF, HALF, HALF & ~HALF])), "region 2 is empty"),
        (dict(region=torch.ones(0, 4, dtype=torch.bool)), r"\(0, 4\)"),
        (dict(probes=0), "probes=0.*None"),
        (dict(probes=-3), "probes=-3"),
        (dict(probes=2.5), r"probes=2\.5"),
        (dict(probes=True), "probes=True"),
        (dict(chunk=True), "chunk=True"),
        (dict(generator=0), "generator=0; allowed: a torch.Generator or None"),
        (dict(resolution=0.0), r"resolution=0\.0; allowed: numbers above 0"),
        (dict(resolution=-1e-6), "resolution=-1e-06"),
        (dict(resolution=math.nan), "resolution=nan"),
        (dict(chunk=0), "chunk=0.*from 1$"),
        (dict(chunk=None), "chunk=None"),
    ],
)
def test_what_cannot_be_used_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        local_dependency_ratio(**dict(f=lambda x: x**2, x=torch.ones(2, 4), region=HALF) | changes)


@pytest.mark.parametrize(
    "probe, region", [(saliency, HALF), (dependency, torch.stack([HALF, ~HALF]))]
)
def test_maps_refuse_the_same(probe, region):
    def f(x):
        return x**2

    x = torch.ones(2, 4)
    probe(f, x, region)
    for arguments, chunk, message in [
        ((torch.no_grad()(f), x, region), 1, "no_grad"),
        ((f, x, region.int()), 1, "int32"),
        ((f, x, region & False), 1, "empty"),
        ((f, x, region, 0), 1, "probes=0"),
        ((f, x, region), 0, "chunk=0"),
    ]:
        with pytest.raises(ValueError, match=message):
            probe(*arguments, chunk=chunk)
    other, message = (
        (torch.stack([HALF, HALF]), r"one region, \(4,\)")
        if probe is saliency
        else (HALF, r"\[n, 4\]")
    )
    with pytest.raises(ValueError, match=message):
        probe(f, x, other)
