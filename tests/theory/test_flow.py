"""The flow against autograd, exact targets and a quadrature of the population on M."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from localbias.theory import target
from localbias.theory.flow import (
    Flow,
    State,
    draw,
    expand,
    flow,
    gradient,
    onto_axis,
    sign_flips,
    start,
)

ALPHA_BAR = 0.7
SIX = Flow(6, steps=1600)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(d, width=7, size=1.0, seed=1):
    """A network of no particular kind."""
    g = seeded(seed)
    a, w, b = (
        size * torch.randn(*n, generator=g, dtype=torch.float64)
        for n in ((width,), (width, d), (width,))
    )
    return State(0, 0.0, math.nan, a, w, b)


def one_batch(config, seed=0):
    flips = sign_flips(config.d)
    x, y, _ = draw(config, config.batch // len(flips), seeded(seed))
    return expand(x, y, flips)


@pytest.mark.parametrize("d", [3, 4, 5, 6, 7, 8, 10, 16])
def test_flips_are_an_even_group_that_tells_coordinates_apart(d):
    flips = sign_flips(d)
    assert flips.shape[1] == d and (flips.abs() == 1).all() and (flips.prod(1) == 1).all()
    rows = {tuple(row) for row in flips.tolist()}
    products = (flips[:, None] * flips).flatten(0, 1).tolist()
    assert len(rows) == len(flips) and {tuple(row) for row in products} == rows
    assert (
        torch.equal(flips.T @ flips, len(flips) * torch.eye(d, dtype=torch.float64))
        and not flips.sum(0).any()
    )
    if d % 2 == 0:
        assert not any(
            flips[:, list(three)].prod(1).sum() for three in itertools.combinations(range(d), 3)
        )
    assert len(flips) == {3: 4, 4: 8, 5: 16, 6: 32, 7: 8, 8: 16, 10: 32, 16: 32}[d]


@pytest.mark.parametrize("d, alpha_bar", [(3, 0.7), (6, 0.2), (8, 0.8), (4, 0.97)])
def test_drawn_points_carry_the_exact_target(d, alpha_bar):
    config, support = Flow(d, alpha_bar), target.parity(d)
    x, y, variance = draw(config, 4000, seeded())
    exact = target.noise_target(x.numpy(), alpha_bar, support)[:, 0]
    certainty = target.posterior_covariance(x.numpy(), alpha_bar, support)[:, 0, 0]
    scale = math.sqrt(alpha_bar / (1 - alpha_bar))
    assert np.allclose(y, exact, atol=1e-12 * scale) and np.allclose(
        variance, scale**2 * certainty, atol=1e-9
    )
    slope = math.sqrt(1 - alpha_bar)
    for moment, expected in ((x.mean(1), 0), (x.square().mean(1), 1), (y * x[:, 0], slope)):
        assert abs(moment.mean() - expected) < 4 * moment.std() / math.sqrt(len(x))
    left = variance.mean() - target.parity_levels(alpha_bar, d).optimum
    assert abs(left) < 4 * variance.std() / math.sqrt(len(x)) + 1e-12
    even = (x / math.sqrt(alpha_bar)).prod(1)  # E ∏ x0 = 1
    assert abs(even.mean() - 1) < 4 * even.std() / math.sqrt(len(x))


@pytest.mark.parametrize("d", [3, 6, 8])
def test_expanded_batch_is_symmetric_and_its_targets_are_exact(d):
    config, flips = Flow(d, batch=4 * len(sign_flips(d))), sign_flips(d)
    x, y = one_batch(config)
    assert x.shape == (config.batch, d) and y.shape == (config.batch,)
    assert np.allclose(
        y, target.noise_target(x.numpy(), ALPHA_BAR, target.parity(d))[:, 0], atol=1e-12
    )
    points = {(*point, value) for point, value in zip(map(tuple, x.tolist()), y.tolist())}
    assert len(points) == config.batch
    for flip in flips:
        turned = zip(map(tuple, (x * flip).tolist()), (y * flip[0]).tolist())
        assert {(*point, value) for point, value in turned} == points


def test_gradient_is_that_of_autograd():
    state, (x, y) = network(5), one_batch(Flow(5, batch=64))
    weights = [tensor.clone().requires_grad_() for tensor in state[3:]]
    a, w, b = weights
    loss = (y - (x @ w.T + b).relu() @ a).square().mean()
    expected = torch.autograd.grad(loss, weights)
    found, gradients = gradient(state, x, y)
    assert abs(found - loss.item()) < 1e-12
    assert all(torch.allclose(g, e, atol=1e-12, rtol=1e-12) for g, e in zip(gradients, expected))
    assert torch.allclose(state(x), (x @ w.T + b).relu() @ a)


def test_onto_axis_leaves_what_the_network_sees_of_its_own_coordinate():
    state = network(4)._replace(step=3, time=0.2, loss=0.9)
    brought = onto_axis(state)
    x = torch.randn(50, 4, generator=seeded(), dtype=torch.float64)
    alone = torch.cat([x[:, :1], torch.zeros(50, 3, dtype=torch.float64)], 1)
    assert brought.distance == 0 < state.distance and torch.equal(brought.axis, state.axis)
    assert torch.allclose(brought(x), state(alone)) and not torch.allclose(
        brought(x), state(x), atol=0.1
    )
    assert brought[:3] == (3, 0.2, 0.9) and brought.a is state.a and brought.b is state.b


@pytest.mark.parametrize("d", [3, 4, 7, 8, 16])
def test_m_is_invariant_on_every_batch(d):
    """Without balance too; with the same points not expanded, or a step off M, there is a force off the axis."""
    config, state = Flow(d, batch=256), network(d)
    for seed in range(5):
        x, y = one_batch(config, seed)
        _, (_, on, _) = gradient(onto_axis(state), x, y)
        _, (_, off, _) = gradient(state, x, y)
        _, (_, bare, _) = gradient(onto_axis(state), *draw(config, 256, seeded(seed))[:2])
        assert (
            on[:, 1:].abs().max()
            < 1e-14
            < 1e-3
            < min(bare[:, 1:].abs().max(), off[:, 1:].abs().max())
        )
        assert on[:, 0].abs().max() > 1e-3


def test_flow_on_m_is_that_of_the_population():
    """On M only x^(1) counts, so gradient descent on the whole population is a quadrature over one number."""
    config = Flow(8, steps=300, rate=0.05, bound=math.inf, width=16, scale=0.3, batch=2048)
    state = onto_axis(start(config))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    z = (
        math.sqrt(ALPHA_BAR) + math.sqrt(1 - ALPHA_BAR) * nodes
    )  # x0^(1) = 1; the other half is its mirror image
    axis, weights = np.concatenate([z, -z]), np.tile(weights / weights.sum() / 2, 2)
    mean = np.tanh(math.sqrt(ALPHA_BAR) / (1 - ALPHA_BAR) * axis)
    y = (axis - math.sqrt(ALPHA_BAR) * mean) / math.sqrt(1 - ALPHA_BAR)
    a, w, b = (tensor.numpy() for tensor in (state.a, state.w[:, 0], state.b))
    for last in flow(config, state):
        if last.step < config.steps:
            hidden = np.maximum(np.outer(axis, w) + b, 0)
            error = 2 * weights * (hidden @ a - y)
            force = (hidden > 0) * error[:, None] * a
            a, w, b = (
                a - config.rate * error @ hidden,
                w - config.rate * axis @ force,
                b - config.rate * force.sum(0),
            )
    assert last.distance < 1e-13 and last.time == pytest.approx(15)
    grid = torch.zeros(101, 8, dtype=torch.float64)
    grid[:, 0] = torch.linspace(-2, 2, 101)
    population = np.maximum(np.outer(grid[:, 0], w) + b, 0) @ a
    untrained = (state(grid).numpy() - population).std()
    assert np.abs(last(grid).numpy() - population).max() < 0.06 < untrained / 5


def test_balance_and_the_bound_on_the_step():
    """a² − ‖w‖² − b² stays as it is in a flow, here to the square of the step; a large network takes shorter ones."""
    config = Flow(4, steps=5, batch=64, bound=0.01, width=8)
    state = network(4, width=8)
    balance = [
        s.a**2 - s.w.square().sum(1) - s.b**2
        for s in (state, *itertools.islice(flow(config, state), 1, 2))
    ]
    after = list(flow(config, state))
    assert (
        after[1].time == pytest.approx(0.01 / state.a.square().sum().item())
        and after[1].time < config.rate / 10
    )
    step = (
        (after[1].a - state.a).square(),
        (after[1].w - state.w).square().sum(1) + (after[1].b - state.b).square(),
    )
    assert torch.allclose(balance[1] - balance[0], step[0] - step[1], atol=1e-13)
    first = start(Flow(4, width=50, scale=0.01))
    assert torch.allclose(first.a.square(), first.w.square().sum(1) + first.b.square())
    assert (first.a > 0).any() and (first.a < 0).any() and 0.007 < first.w.std() < 0.013


def test_resumed_is_bit_equal_to_undisturbed():
    config = replace(SIX, steps=9)
    straight = list(flow(config))
    again = list(flow(config, straight[7]))
    assert [s.step for s in straight] == list(range(10)) and [s.step for s in again] == [7, 8, 9]
    assert (
        math.isnan(straight[0].loss)
        and again[-1].loss == straight[-1].loss
        and again[-1].time == straight[-1].time
    )
    assert all(torch.equal(one, other) for one, other in zip(again[-1][3:], straight[-1][3:]))
    assert not torch.equal(start(config).w, start(replace(config, seed=1)).w)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"d": 2}, "d=2; allowed: at least 3"),
        ({"alpha_bar": 1.0}, "alpha_bar=1.0; allowed: inside"),
        ({"alpha_bar": 0}, "alpha_bar=0; allowed: inside"),
        ({"steps": 0}, "steps=0; allowed: at least 1"),
        ({"rate": 0.0}, "rate=0.0; allowed: above 0"),
        ({"rate": math.inf}, "rate=inf; allowed: above 0"),
        ({"bound": -1}, "bound=-1; allowed: above 0"),
        ({"width": 0}, "width=0; allowed: at least 1"),
        ({"scale": math.nan}, "scale=nan; allowed: above 0"),
        ({"batch": 1000}, "batch=1000; allowed: multiples of 32, the flips of d=6"),
        ({"batch": 0}, "batch=0; allowed: multiples of 32"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SIX, **change)


def test_a_flow_that_blows_up_says_so():
    config = Flow(3, rate=1e9, bound=math.inf, batch=64)
    with pytest.raises(FloatingPointError, match="rate=1000000000.0"):
        for _ in flow(config):
            pass
