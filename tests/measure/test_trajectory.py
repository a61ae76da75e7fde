"""What is kept of the way to a sample, against the same numbers by hand."""

import numpy as np
import pytest
import torch

from localbias.diffusion import Schedule, ddim
from localbias.exact import references
from localbias.grammar import Modes
from localbias.ldr import local_dependency_ratio
from localbias.measure import Watch, Watching
from localbias.render import Points

SCHEDULE = Schedule("linear", 40, 1e-3, 0.2)
EVERYTHING = torch.ones(2, dtype=torch.bool)


@pytest.fixture
def rule():
    grid, shown = Modes(3, 2), Points([-1, 0, 1], 0.05, 2)
    return references(shown, grid, SCHEDULE, grid.support)["rule"]


def states(rule, n=9, steps=20):
    x_T = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return ddim(rule, SCHEDULE, x_T, steps)


def test_variances_of_each_window_by_numpy(rule):
    watching = Watching(edges=(0.2, 0.5, 0.9, 0.99), last=4)
    watch = Watch(watching, SCHEDULE, EVERYTHING, 0)
    passed = list(watch.through(states(rule)))
    plain = list(states(rule))
    assert all(torch.equal(a.x0, b.x0) for a, b in zip(passed, plain, strict=True))
    found = watch.arrays(rule)["trajectory"].numpy()
    x0 = np.stack([state.x0.numpy() for state in plain])
    level = np.array([SCHEDULE.alpha_bar[state.t].sqrt().item() for state in plain])
    np.testing.assert_allclose(found[0], x0[-4:].var(0).mean(1), rtol=1e-4, atol=1e-10)
    for w, (low, high) in enumerate(zip(watching.edges, watching.edges[1:])):
        inside = (level >= low) & (level < high)
        assert inside.sum() > 1
        np.testing.assert_allclose(found[w + 1], x0[inside].var(0).mean(1), rtol=1e-4, atol=1e-10)


def test_a_window_without_two_steps_has_no_variance(rule):
    watch = Watch(Watching(edges=(0.0, 1e-6, 1.0), last=2), SCHEDULE, EVERYTHING, 0)
    list(watch.through(states(rule)))
    found = watch.arrays(rule)["trajectory"]
    assert found[1].isnan().all() and found[2].isfinite().all()
    assert set(watch.arrays(rule)) == {"trajectory"}


def test_jacobians_are_those_at_the_nearest_visited_step(rule):
    first = torch.tensor([True, False])
    watch = Watch(Watching(levels=(0.6, 0.9), probes=2), SCHEDULE, first, 0)
    visited = list(watch.through(states(rule)))
    found = watch.arrays(rule)["watched_ldr"]
    assert found.shape == (2, 9, 3)
    for place, level in enumerate((0.6, 0.9)):
        state = min(visited, key=lambda s: abs(SCHEDULE.alpha_bar[s.t].sqrt().item() - level))
        ratio = local_dependency_ratio(lambda x: rule(x, state.t), state.x_t, first)
        np.testing.assert_allclose(found[place, :, 1] / found[place, :, 2], ratio, rtol=1e-3)


@pytest.mark.parametrize(
    "options, sentence",
    [
        (dict(edges=(0.5,)), r"edges=\(0\.5,\); allowed: two or more, 0 to 1"),
        (dict(edges=(0.5, 0.4)), "edges"),
        (dict(last=1), "last=1; allowed: at least 2"),
        (dict(levels=(1.0,)), "levels"),
        (dict(probes=1), "probes=1"),
        (dict(symbol=-1), "symbol=-1"),
    ],
)
def test_what_cannot_be_watched_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Watching(**options)
