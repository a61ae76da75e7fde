"""The best linear denoiser: its covariance against signals, its error against regression."""

import numpy as np
import pytest
import torch

from localbias.diffusion import Schedule
from localbias.exact import Wiener, rule, wiener
from localbias.grammar import Check, Dyck, Modes, Parity, QuarterSum
from localbias.ldr import local_dependency_ratio
from localbias.render import Digits, Glyphs, Points, Scalars

SCHEDULE = Schedule()


def drawn(grammar, renderer, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.multinomial(grammar.probabilities, n, True, generator=generator)
    return renderer(grammar.support[chosen], generator).double(), generator


@pytest.mark.parametrize(
    "grammar, renderer",
    [
        (Dyck(6), Scalars(6)),
        (Check(6, 4, 0.5), Glyphs((2, 3), (16, 24))),
        (QuarterSum(), Digits(16, exemplars=5)),
    ],
    ids=["scalars", "glyphs", "digits"],
)
def test_mean_and_covariance_are_those_of_the_signals(grammar, renderer):
    model = wiener(renderer, grammar, SCHEDULE)
    signals, _ = drawn(grammar, renderer, 6000)
    flat = signals.flatten(1)
    assert (model.mean.flatten() - flat.mean(0)).abs().max() < 0.09
    found = model._vectors * model._values @ model._vectors.T
    estimated = torch.from_numpy(np.cov(flat.numpy(), rowvar=False, ddof=0))
    noise = ((found.trace() ** 2 + found.square().sum()) / len(flat)).sqrt()  # of n signals
    assert (found - estimated).norm() < 1.5 * noise < 0.2 * found.norm()


def test_of_all_linear_denoisers_it_has_the_least_error():
    grammar, renderer, t = Dyck(6), Scalars(6), 300
    x0, generator = drawn(grammar, renderer, 40_000)
    x_t = SCHEDULE.add_noise(x0, torch.randn(x0.shape, generator=generator).double(), t)
    design = torch.cat([x_t, torch.ones(len(x_t), 1).double()], 1)
    fitted = torch.linalg.lstsq(design, x0).solution
    model = wiener(renderer, grammar, SCHEDULE)
    assert (fitted[:-1].T - model.matrix(t)).abs().max() < 0.02
    errors = [(found - x0).square().mean().item() for found in (model(x_t, t), design @ fitted)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    assert (rule(grammar, renderer, SCHEDULE)(x_t, t) - x0).square().mean() < errors[0]


@pytest.mark.parametrize("grammar", [Dyck(6), Parity(6)], ids=str)
def test_its_ratio_is_that_of_its_jacobian(grammar):
    renderer, t = Scalars(6), 250
    model, region = wiener(renderer, grammar, SCHEDULE), renderer.region(2)
    x, _ = drawn(grammar, renderer, 3)
    exact = local_dependency_ratio(lambda x: model(x, t), x, region)
    assert torch.allclose(exact, torch.full_like(exact, model.ratio(t, region)), atol=1e-12)


def test_where_symbols_are_pairwise_independent_it_is_local_whatever_the_rule():
    model = wiener(Scalars(8), Parity(8), SCHEDULE)
    assert model.ratio(300, Scalars(8).region(0)) == pytest.approx(1, abs=1e-12)
    assert wiener(Scalars(8), Dyck(8), SCHEDULE).ratio(300, Scalars(8).region(3)) < 0.95


def test_what_is_no_covariance_is_refused():
    with pytest.raises(ValueError, match=r"covariance \(2, 2\); allowed: symmetric, \[3, 3\]"):
        Wiener(torch.zeros(3), torch.eye(2), SCHEDULE)
    with pytest.raises(ValueError, match="eigenvalue -1"):
        Wiener(torch.zeros(2), torch.diag(torch.tensor([1.0, -1.0])), SCHEDULE)
    with pytest.raises(ValueError, match=r"signals \(4,\); allowed: \(3,\)"):
        Wiener(torch.zeros(3), torch.eye(3), SCHEDULE)(torch.zeros(2, 4), 5)
    with pytest.raises(ValueError, match="unknown covariance; known: Cells"):
        wiener(Points([0.0, 1.0], spread=0.1), Modes(2), SCHEDULE)
