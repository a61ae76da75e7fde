"""The flow against autograd, exact targets and a quadrature of the population on M; its stairs against exact levels."""

import itertools
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from localbias.theory import target
from localbias.theory.flow import (
    Flow, Sample, State, Trace, draw, expand, flow, goals, gradient, growth, paper_steps, record, sign_flips, stairs,
    start,
)

ALPHA_BAR = 0.7
SIX = Flow(6, steps=1600)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(d, width=7, size=1.0, seed=1):
    """A network of no particular kind."""
    g = seeded(seed)
    a, w, b = (size * torch.randn(*n, generator=g, dtype=torch.float64) for n in ((width,), (width, d), (width,)))
    return State(0, 0.0, math.nan, a, w, b)


def on_axis(state):
    """The same network, brought onto M."""
    w = torch.zeros_like(state.w)
    w[:, 0] = state.w[:, 0]
    return state._replace(w=w)


def one_batch(config, seed=0):
    flips = sign_flips(config.d)
    x, y, _ = draw(config, config.batch // len(flips), seeded(seed))
    return expand(x, y, flips)


@pytest.fixture(scope="module")
def trace():
    """Six signs past the second stair: a second."""
    return record(flow(SIX), Sample(SIX, 2**13), keep=(7, 200))


@pytest.mark.parametrize("d", [3, 4, 5, 6, 7, 8, 10, 16])
def test_flips_are_an_even_group_that_tells_coordinates_apart(d):
    flips = sign_flips(d)
    assert flips.shape[1] == d and (flips.abs() == 1).all() and (flips.prod(1) == 1).all()
    rows = {tuple(row) for row in flips.tolist()}
    products = (flips[:, None] * flips).flatten(0, 1).tolist()
    assert len(rows) == len(flips) and {tuple(row) for row in products} == rows
    assert torch.equal(flips.T @ flips, len(flips) * torch.eye(d, dtype=torch.float64)) and not flips.sum(0).any()
    if d % 2 == 0:
        assert not any(flips[:, list(three)].prod(1).sum() for three in itertools.combinations(range(d), 3))
    assert len(flips) == {3: 4, 4: 8, 5: 16, 6: 32, 7: 8, 8: 16, 10: 32, 16: 32}[d]


@pytest.mark.parametrize("d, alpha_bar", [(3, 0.7), (6, 0.2), (8, 0.8), (4, 0.97)])
def test_drawn_points_carry_the_exact_target(d, alpha_bar):
    config, support = Flow(d, alpha_bar), target.parity(d)
    x, y, variance = draw(config, 4000, seeded())
    exact = target.noise_target(x.numpy(), alpha_bar, support)[:, 0]
    certainty = target.posterior_covariance(x.numpy(), alpha_bar, support)[:, 0, 0]
    scale = math.sqrt(alpha_bar / (1 - alpha_bar))
    assert np.allclose(y, exact, atol=1e-12 * scale) and np.allclose(variance, scale**2 * certainty, atol=1e-9)
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
    assert np.allclose(y, target.noise_target(x.numpy(), ALPHA_BAR, target.parity(d))[:, 0], atol=1e-12)
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


@pytest.mark.parametrize("d", [3, 4, 7, 8, 16])
def test_m_is_invariant_on_every_batch(d):
    """Without balance too; with the same points not expanded, or a step off M, there is a force off the axis."""
    config, state = Flow(d, batch=256), network(d)
    for seed in range(5):
        x, y = one_batch(config, seed)
        _, (_, on, _) = gradient(on_axis(state), x, y)
        _, (_, off, _) = gradient(state, x, y)
        _, (_, bare, _) = gradient(on_axis(state), *draw(config, 256, seeded(seed))[:2])
        assert on[:, 1:].abs().max() < 1e-14 < 1e-3 < min(bare[:, 1:].abs().max(), off[:, 1:].abs().max())
        assert on[:, 0].abs().max() > 1e-3


def test_flow_on_m_is_that_of_the_population():
    """On M only x^(1) counts, so gradient descent on the whole population is a quadrature over one number."""
    config = Flow(8, steps=300, rate=0.05, bound=math.inf, width=16, scale=0.3, batch=2048)
    state = on_axis(start(config))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    z = math.sqrt(ALPHA_BAR) + math.sqrt(1 - ALPHA_BAR) * nodes  # x0^(1) = 1; the other half is its mirror image
    axis, weights = np.concatenate([z, -z]), np.tile(weights / weights.sum() / 2, 2)
    mean = np.tanh(math.sqrt(ALPHA_BAR) / (1 - ALPHA_BAR) * axis)
    y = (axis - math.sqrt(ALPHA_BAR) * mean) / math.sqrt(1 - ALPHA_BAR)
    a, w, b = (tensor.numpy() for tensor in (state.a, state.w[:, 0], state.b))
    for last in flow(config, state):
        if last.step < config.steps:
            hidden = np.maximum(np.outer(axis, w) + b, 0)
            error = 2 * weights * (hidden @ a - y)
            force = (hidden > 0) * error[:, None] * a
            a, w, b = a - config.rate * error @ hidden, w - config.rate * axis @ force, b - config.rate * force.sum(0)
    assert last.distance < 1e-13 and last.time == pytest.approx(15)
    grid = torch.zeros(101, 8, dtype=torch.float64)
    grid[:, 0] = torch.linspace(-2, 2, 101)
    population = np.maximum(np.outer(grid[:, 0], w) + b, 0) @ a
    untrained = (state(grid).numpy() - population).std()
    assert np.abs(last(grid).numpy() - population).max() < 0.06 < untrained / 5


def test_loss_stands_on_both_stairs(trace):
    linear, univariate, optimum = map(float, trace.levels[:3])
    assert linear == ALPHA_BAR and optimum < univariate - 0.1
    at = {int(step): i for i, step in enumerate(trace.step)}
    assert trace.loss[0] == pytest.approx(1, abs=1e-3) and trace.error.max() < 3e-3
    first = trace.loss[at[200]]
    assert abs(first - linear) < 0.01
    assert abs(trace.loss[-1] - univariate) < 0.01 and trace.loss[-1] > optimum + 0.1
    times = stairs(trace)
    assert 5 < times.linear < 20 and 50 < times.univariate < 100 and times.left == math.inf
    assert paper_steps(trace) == (times.linear / 1e-6, times.univariate / 1e-6)


def test_axis_outgrows_the_rest(trace):
    """Figure 6: from a start where most of the weight is off the axis."""
    axis, rest = trace.axis.sum(1), trace.rest.sum(1)
    assert axis[0] < 0.6 * rest[0] and axis[-1] > 10 * rest[-1] and axis[-1] > 1e4 * axis[0]
    state = trace.states[200]
    i = trace.step.tolist().index(200)
    for j in (0, 50, 127):
        a, (first, *others) = state.a[j].item(), state.w[j].tolist()
        assert trace.axis[i, j] == pytest.approx(abs(a * first))
        assert trace.rest[i, j] == pytest.approx(abs(a) * math.hypot(*others))
    assert trace.distance[i] == pytest.approx(math.sqrt(sum(w * w for row in state.w.tolist() for w in row[1:])))


def test_first_growth_is_twice_the_maximum_of_k():
    """K on the axis is √(1−ᾱ) w P(w x + b > 0), so that both a and w of the best neuron grow by 2 K* a unit of time."""
    angle = np.linspace(0, np.pi / 2, 20001)[:-1]
    w, b = np.cos(angle), np.sin(angle)
    means = (norm.cdf((math.sqrt(ALPHA_BAR) * s * w + b) / (math.sqrt(1 - ALPHA_BAR) * w)) for s in (1, -1))
    best = (math.sqrt(1 - ALPHA_BAR) * w * sum(means) / 2).max()
    config = Flow(8, steps=400, scale=1e-6, batch=2048, rate=0.05)
    found = growth(record(flow(config), Sample(config, 2**11), below=0.9))
    assert found == pytest.approx(2 * best, rel=0.05)


def test_times_do_not_depend_on_the_step():
    config = replace(SIX, scale=0.01)
    whole, half = (
        stairs(record(flow(c), Sample(c, 2**11), below=0.455))
        for c in (config, replace(config, rate=0.05, steps=2 * config.steps))
    )
    assert half[:2] == pytest.approx(whole[:2], rel=0.1)


def test_balance_and_the_bound_on_the_step():
    """a² − ‖w‖² − b² stays as it is in a flow, here to the square of the step; a large network takes shorter ones."""
    config = Flow(4, steps=5, batch=64, bound=0.01, width=8)
    state = network(4, width=8)
    balance = [s.a**2 - s.w.square().sum(1) - s.b**2 for s in (state, *itertools.islice(flow(config, state), 1, 2))]
    after = list(flow(config, state))
    assert after[1].time == pytest.approx(0.01 / state.a.square().sum().item()) and after[1].time < config.rate / 10
    step = (after[1].a - state.a).square(), (after[1].w - state.w).square().sum(1) + (after[1].b - state.b).square()
    assert torch.allclose(balance[1] - balance[0], step[0] - step[1], atol=1e-13)
    first = start(Flow(4, width=50, scale=0.01))
    assert torch.allclose(first.a.square(), first.w.square().sum(1) + first.b.square())
    assert (first.a > 0).any() and (first.a < 0).any() and 0.007 < first.w.std() < 0.013


def test_resumed_is_bit_equal_to_undisturbed(trace):
    config = replace(SIX, steps=9)
    straight = list(flow(config))
    again = list(flow(config, trace.states[7]))
    assert [s.step for s in straight] == list(range(10)) and [s.step for s in again] == [7, 8, 9]
    assert math.isnan(straight[0].loss) and again[-1].loss == straight[-1].loss and again[-1].time == straight[-1].time
    assert all(torch.equal(one, other) for one, other in zip(again[-1][3:], straight[-1][3:]))
    assert not torch.equal(start(config).w, start(replace(config, seed=1)).w)


def test_held_out_loss_is_exact_where_the_loss_is_known():
    config = Flow(6)
    sample = Sample(config, 2000)
    zero = start(config)._replace(a=torch.zeros(128, dtype=torch.float64))
    slope = math.sqrt(1 - ALPHA_BAR)
    line = torch.zeros(2, 6, dtype=torch.float64)
    line[:, 0] = torch.tensor([1.0, -1.0])
    linear = State(0, 0.0, 0.0, slope * line[:, 0], line, torch.zeros(2, dtype=torch.float64))
    assert sample.loss(zero) == pytest.approx((1, 0), abs=1e-12)
    assert sample.loss(linear) == pytest.approx((ALPHA_BAR, 0), abs=1e-12)
    axis, predicted, y = sample.scatter(linear, 30)
    assert torch.allclose(predicted, slope * axis) and torch.equal(y, sample.y[:30]) and len(axis) == 30


@pytest.mark.parametrize("d", [3, 60])
def test_held_out_loss_and_its_error_agree_with_plain_sampling(d):
    """Of 60 signs the univariate function and the optimum are one."""
    config, state = Flow(d, batch=4096), network(d, width=3, size=0.3)
    x, y, variance = draw(config, 200_000, seeded())
    plain = (y - state(x)).square() + variance
    found = [Sample(replace(config, seed=seed), 1000).loss(state) for seed in range(30)]
    values, errors = torch.tensor(found, dtype=torch.float64).T
    assert abs(values.mean() - plain.mean()) < 4 * (plain.std() / math.sqrt(len(plain)) + values.std() / math.sqrt(30))
    assert 0.6 < errors.mean() / values.std() < 1.6 and errors.mean() < plain.std() / math.sqrt(1000)


def test_record_measures_first_last_kept_and_few_others(trace):
    steps = trace.step.tolist()
    assert steps[:11] == list(range(11)) and steps[-1] == SIX.steps and 200 in steps and len(steps) < 80
    assert set(trace.states) == {7, 200} and trace.states[200].step == 200
    lengths = {len(getattr(trace, f.name)) for f in fields(Trace) if f.name not in ("config", "levels", "states")}
    assert lengths == {len(steps)} and trace.axis.shape == trace.rest.shape == (len(steps), 128)
    config = Flow(3, steps=200, batch=64)
    stopped = record(flow(config), Sample(config, 500), below=0.9)
    assert stopped.step[-1] < 200 and stopped.loss[-1] < 0.9 <= stopped.loss[:-1].min()


def synthetic(time, loss, size=None):
    """A trace of made-up losses, with levels .7, .4 and .2."""
    time, loss = (torch.tensor(v, dtype=torch.float64) for v in (time, loss))
    axis = torch.tensor(size or [1.0] * len(time), dtype=torch.float64)[:, None] / 2 * torch.ones(2)
    levels = target.Levels(np.array(0.7), np.array(0.4), np.array(0.2), np.array(0.0))
    return Trace(SIX, levels, {}, torch.arange(len(time)), time, loss, 0 * loss, 0 * loss, axis, 0 * axis)


def test_stairs_are_read_off_the_losses():
    assert goals(synthetic([0], [1]).levels) == pytest.approx((0.73, 0.43, 0.38))
    falling = synthetic([0.0, 1, 3, 7], [1.0, 0.83, 0.63, 0.33])
    assert stairs(falling) == pytest.approx((2, 3 + 4 * 2 / 3, 3 + 4 * 5 / 6))
    assert stairs(falling, share=0.5) == pytest.approx((0 + 0.15 / 0.17, 3 + 4 * 0.08 / 0.3, math.inf))
    assert stairs(synthetic([5.0], [0.5])) == (5, math.inf, math.inf)
    assert paper_steps(falling, rate=1e-3) == pytest.approx((2000, 1000 * (3 + 4 * 2 / 3)))


def test_growth_is_the_slope_of_the_middle():
    time = [0.0, 1, 2, 3, 4, 5, 6, 7]
    size = [1, 2, *(11 * math.exp(1.4 * t) for t in range(5)), 99]  # the ends are left out, whatever they are
    loss = [1.0, 1, 1, 1, 1, 0.99, 0.971, 0.969]
    assert growth(synthetic(time, loss, size)) == pytest.approx(0.7)
    with pytest.raises(ValueError, match="3 measurements .* at least 4"):
        growth(synthetic(time[:5], loss[:5], size[:5]))


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
