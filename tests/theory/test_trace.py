"""Traces: stairs against exact levels, held-out loss against plain sampling, growth against K."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from localbias.theory import target
from localbias.theory.flow import Flow, State, draw, flow, start
from localbias.theory.trace import (
    Rows,
    Sample,
    Trace,
    first_growth,
    follow,
    goals,
    growth_per_sign,
    measure,
    paper_steps,
    stairs,
)

ALPHA_BAR = 0.7
SIX = Flow(6, steps=1600)


def network(d, width=7, size=1.0, seed=1):
    """A network of no particular kind."""
    g = torch.Generator().manual_seed(seed)
    a, w, b = (
        size * torch.randn(*n, generator=g, dtype=torch.float64)
        for n in ((width,), (width, d), (width,))
    )
    return State(0, 0.0, math.nan, a, w, b)


@pytest.fixture(scope="module")
def trace():
    """Six signs past the second stair: a second."""
    return measure(flow(SIX), Sample(SIX, 2**13), keep=(7, 200))


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
    assert trace.distance[i] == pytest.approx(
        math.sqrt(sum(w * w for row in state.w.tolist() for w in row[1:]))
    )


def test_first_growth_is_twice_the_maximum_of_k():
    """K on the axis is √(1−ᾱ) w P(w x + b > 0), so that both a and w of the best neuron grow by 2 K* a unit of time."""
    angle = np.linspace(0, np.pi / 2, 20001)[:-1]
    w, b = np.cos(angle), np.sin(angle)
    means = (
        norm.cdf((math.sqrt(ALPHA_BAR) * s * w + b) / (math.sqrt(1 - ALPHA_BAR) * w))
        for s in (1, -1)
    )
    best = (math.sqrt(1 - ALPHA_BAR) * w * sum(means) / 2).max()
    config = Flow(8, steps=400, scale=1e-6, batch=2048, rate=0.05)
    found = first_growth(measure(flow(config), Sample(config, 2**11), below=0.9))
    assert found == pytest.approx(2 * best, rel=0.05)


def test_times_do_not_depend_on_the_step():
    config = replace(SIX, scale=0.01)
    whole, half = (
        stairs(measure(flow(c), Sample(c, 2**11), below=0.455))
        for c in (config, replace(config, rate=0.05, steps=2 * config.steps))
    )
    assert half[:2] == pytest.approx(whole[:2], rel=0.1)


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
    np.testing.assert_allclose(predicted, slope * axis)
    np.testing.assert_array_equal(axis, sample.x[:30, 0])
    np.testing.assert_array_equal(y, sample.y[:30])


@pytest.mark.parametrize("d", [3, 60])
def test_held_out_loss_and_its_error_agree_with_plain_sampling(d):
    """Of 60 signs the univariate function and the optimum are one."""
    config, state = Flow(d, batch=4096), network(d, width=3, size=0.3)
    x, y, variance = draw(config, 200_000, torch.Generator().manual_seed(0))
    plain = (y - state(x)).square() + variance
    found = [Sample(replace(config, seed=seed), 1000).loss(state) for seed in range(30)]
    values, errors = torch.tensor(found, dtype=torch.float64).T
    assert abs(values.mean() - plain.mean()) < 4 * (
        plain.std() / math.sqrt(len(plain)) + values.std() / math.sqrt(30)
    )
    assert 0.6 < errors.mean() / values.std() < 1.6 and errors.mean() < plain.std() / math.sqrt(
        1000
    )


def test_a_flow_is_measured_first_last_kept_and_few_others(trace):
    steps = trace.step.tolist()
    assert (
        steps[:11] == list(range(11))
        and steps[-1] == SIX.steps
        and 200 in steps
        and len(steps) < 80
    )
    assert set(trace.states) == {7, 200} and trace.states[200].step == 200
    lengths = {len(getattr(trace, name)) for name in Rows.NAMES}
    assert lengths == {len(steps)} and trace.axis.shape == trace.rest.shape == (len(steps), 128)
    config = Flow(3, steps=200, batch=64)
    stopped = measure(flow(config), Sample(config, 500), below=0.9)
    assert stopped.step[-1] < 200 and stopped.loss[-1] < 0.9 <= stopped.loss[:-1].min()


def test_kept_states_are_found_by_time_and_by_loss(trace):
    early, late = trace.states[7], trace.states[200]
    assert trace.state_after(0) is early and trace.state_after(early.time) is late
    assert trace.state_after(1e9) is late  # the last there is
    assert trace.state_nearest(1.0) is early
    assert trace.state_nearest(trace.levels.linear) is late


def test_a_followed_flow_keeps_states_from_the_first_step_to_the_last():
    config = Flow(3, steps=200, batch=64, width=16)
    sample = Sample(config, 500)
    found = follow(sample, keep=9)
    steps = list(found.states)
    assert steps[0] == 1 and steps[-1] == 200 and 6 < len(steps) <= 9
    assert all(state.step == step for step, state in found.states.items())
    ratios = np.diff(np.log(steps[2:]))
    assert ratios.max() < 1.5 * ratios.min()  # evenly spaced, but for whole steps
    plain = measure(flow(config), sample, steps)
    assert torch.equal(found.loss, plain.loss) and torch.equal(found.step, plain.step)


def synthetic(time, loss, size=None):
    """A trace of made-up losses, with levels .7, .4 and .2."""
    time, loss = (torch.tensor(v, dtype=torch.float64) for v in (time, loss))
    axis = torch.tensor(size or [1.0] * len(time), dtype=torch.float64)[:, None] / 2 * torch.ones(2)
    levels = target.Levels(np.array(0.7), np.array(0.4), np.array(0.2), np.array(0.0))
    return Trace(
        SIX, levels, {}, torch.arange(len(time)), time, loss, 0 * loss, 0 * loss, axis, 0 * axis
    )


def test_stairs_are_read_off_the_losses():
    assert goals(synthetic([0], [1]).levels) == pytest.approx((0.73, 0.43, 0.38, 0.22))
    falling = synthetic([0.0, 1, 3, 7], [1.0, 0.83, 0.63, 0.33])
    assert stairs(falling) == pytest.approx((2, 3 + 4 * 2 / 3, 3 + 4 * 5 / 6, math.inf))
    assert stairs(falling, share=0.5) == pytest.approx(
        (0 + 0.15 / 0.17, 3 + 4 * 0.08 / 0.3, math.inf, math.inf)
    )
    assert stairs(synthetic([5.0], [0.5])) == (5, math.inf, math.inf, math.inf)
    assert paper_steps(falling, rate=1e-3) == pytest.approx((2000, 1000 * (3 + 4 * 2 / 3)))


def test_growth_per_sign_is_the_slope_of_the_logarithms():
    times = {d: [c * 2.5**d for c in (0.9, 1 / 0.9)] for d in (3, 5, 6)}
    assert growth_per_sign(times) == pytest.approx(2.5)
    assert growth_per_sign(times | {9: [math.inf, math.inf]}) == pytest.approx(2.5)
    assert math.isnan(growth_per_sign({3: [1.0, 2.0], 9: [math.inf]}))
    assert math.isnan(growth_per_sign({}))


def test_first_growth_is_the_slope_of_the_middle():
    time = [0.0, 1, 2, 3, 4, 5, 6, 7]
    size = [
        1,
        2,
        *(11 * math.exp(1.4 * t) for t in range(5)),
        99,
    ]  # the ends are left out, whatever they are
    loss = [1.0, 1, 1, 1, 1, 0.99, 0.971, 0.969]
    assert first_growth(synthetic(time, loss, size)) == pytest.approx(0.7)
    with pytest.raises(ValueError, match="3 measurements .* at least 4"):
        first_growth(synthetic(time[:5], loss[:5], size[:5]))
