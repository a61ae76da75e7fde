"""The mixture in closed form against quadrature, autograd and Tweedie's formula."""

import math

import pytest
import torch

from localbias.diffusion import Schedule
from localbias.exact import Mixture, references
from localbias.grammar import Modes
from localbias.render import Points

SCHEDULE = Schedule("linear", 100, 1e-3, 0.2)
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
MEANS = torch.tensor([[0.0, 1.0], [1.0, -1.0], [-0.5, 0.2]])


def covariances():
    """Of three modes in the plane, different and not diagonal."""
    roots = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return 0.1 * roots @ roots.mT + 0.01 * torch.eye(2)


@pytest.fixture
def tilted():
    return Mixture(MEANS, covariances(), SCHEDULE, WEIGHTS)


@pytest.fixture
def points():
    return torch.randn(7, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("t", [0, 20, 60, 99])
def test_in_one_dimension_by_quadrature(t):
    mixture = Mixture(
        torch.tensor([[1.0], [2.0], [3.0]]), 0.05**2 * torch.eye(1).double(), SCHEDULE, WEIGHTS
    )
    x0 = torch.linspace(-3, 7, 400_001, dtype=torch.float64)
    prior = sum(
        w * torch.exp(-((x0 - m) ** 2) / (2 * 0.05**2)) for w, m in zip(WEIGHTS, (1, 2, 3))
    ) / math.sqrt(2 * math.pi * 0.05**2)
    a = SCHEDULE.alpha_bar[t]
    for x in (-0.7, 0.3, 1.0):
        likelihood = torch.exp(-((x - a.sqrt() * x0) ** 2) / (2 * (1 - a)))
        joint = prior * likelihood / (2 * math.pi * (1 - a)).sqrt()
        density = torch.trapezoid(joint, x0)
        mean = torch.trapezoid(joint * x0, x0) / density
        at = torch.tensor([[x]], dtype=torch.float64)
        assert mixture(at, t).item() == pytest.approx(mean.item(), abs=1e-9)


@pytest.mark.parametrize("t", [0, 40, 99])
def test_the_score_is_the_gradient_of_the_log_density(tilted, points, t):
    a = SCHEDULE.alpha_bar[t]
    noised = a * covariances() + (1 - a) * torch.eye(2).double()
    modes = torch.distributions.MultivariateNormal(a.sqrt() * MEANS.double(), noised)
    weights = torch.distributions.Categorical(WEIGHTS)
    density = torch.distributions.MixtureSameFamily(weights, modes)
    points.requires_grad_()
    (gradient,) = torch.autograd.grad(density.log_prob(points).sum(), points)
    torch.testing.assert_close(tilted.score(points, t), gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("t", [0, 40, 99])
def test_tweedies_formula_binds_score_and_mean(tilted, points, t):
    a = SCHEDULE.alpha_bar[t]
    by_score = (points + (1 - a) * tilted.score(points, t)) / a.sqrt()
    torch.testing.assert_close(tilted(points, t), by_score, rtol=1e-9, atol=1e-9)
    assert torch.allclose(tilted.posterior(points, t).sum(1), torch.ones(7).double())


def test_steps_may_differ_within_a_batch(tilted, points):
    t = torch.arange(7) * 10
    one_by_one = torch.cat([tilted(x[None], int(s)) for x, s in zip(points, t)])
    torch.testing.assert_close(tilted(points, t), one_by_one)
    assert tilted(points.float(), t).dtype == torch.float32


def test_the_score_jumps_between_modes_as_the_noise_goes():
    """Half way between two modes its slope grows as 1/(1−ᾱ)²: the discontinuity of the other paper."""
    mixture = Mixture(torch.tensor([[1.0], [2.0]]), 0.05**2 * torch.eye(1).double(), SCHEDULE)
    slopes = []
    for t in (0, 5, 20):
        middle = 1.5 * SCHEDULE.alpha_bar[t].sqrt()
        h = 1e-6
        left, right = (mixture.score(torch.tensor([[middle + s * h]]).double(), t) for s in (-1, 1))
        slopes.append(((right - left) / (2 * h)).item())
        variance = SCHEDULE.alpha_bar[t] * 0.05**2 + 1 - SCHEDULE.alpha_bar[t]
        exact = (SCHEDULE.alpha_bar[t] / 4 / variance**2 - 1 / variance).item()
        assert slopes[-1] == pytest.approx(exact, rel=1e-4)
    assert slopes[0] > slopes[1] > slopes[2]


def test_references_of_points_are_mixtures_of_their_laws():
    rule = Modes(3, 2, checkerboard=True)
    shown = Points([-1, 0, 1], 0.05, 2, turn=30)
    train = rule.support[:2]
    found = references(shown, rule, SCHEDULE, train)
    assert list(found) == ["marginals", "rule", "train"]
    x = shown(rule.support)
    for name, strings in (("rule", rule.support), ("train", train)):
        posterior = found[name].posterior(x[: len(strings)], 0)
        torch.testing.assert_close(posterior, torch.eye(len(strings)).double(), atol=1e-6, rtol=0)
    assert found["marginals"].posterior(x, 0).shape == (5, 9)
    # corners 2/5·2/5, the centre 1/5·1/5, edges 2/5·1/5
    weights = found["marginals"].tables["log_weights"].exp()
    torch.testing.assert_close(weights.reshape(3, 3)[1], torch.tensor([0.08, 0.04, 0.08]).double())


def test_a_pool_of_points_is_what_is_trained_on():
    rule, shown = Modes(2), Points([0.0, 1.0], 0.1, points=5)
    train = references(shown, rule, SCHEDULE, rule.support)["train"]
    pool = torch.cat([shown.draw(row.expand(5, 1), torch.arange(5)) for row in rule.support])
    torch.testing.assert_close(train(pool, 0), pool, atol=0.05, rtol=0)
    far = train(torch.tensor([[50.0]]), 0).item()
    assert far == pytest.approx(pool.max().item())


@pytest.mark.parametrize(
    "means, covariances, weights, sentence",
    [
        (MEANS[0], torch.eye(2), None, r"means \(2,\), covariances \(2, 2\); allowed"),
        (MEANS, torch.eye(3), None, r"covariances \(3, 3\)"),
        (MEANS, -torch.eye(2), None, "symmetric and positive definite"),
        (MEANS, torch.tensor([[1.0, 0.5], [0, 1]]), None, "symmetric and positive definite"),
        (MEANS, torch.eye(2), WEIGHTS * 2, r"weights \(3,\) that sum to 2"),
        (MEANS, torch.eye(2), WEIGHTS[:2], r"weights \(2,\)"),
    ],
)
def test_what_is_no_mixture_is_refused(means, covariances, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        Mixture(means, covariances, SCHEDULE, weights)


def test_other_points_are_refused(tilted):
    with pytest.raises(ValueError, match=r"points \(4, 3\); allowed: \[B, 2\]"):
        tilted(torch.zeros(4, 3), 0)
    with pytest.raises(ValueError, match="reference pairs of points; allowed: none"):
        rule = Modes(2)
        references(Points([0, 1], 0.1), rule, SCHEDULE, rule.support, further=("pairs",))
