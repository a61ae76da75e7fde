"""The penalty on locality: its norms against the exact ratio, its gradient, and where it leads."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from localbias import networks
from localbias.diffusion import Denoiser, Schedule
from localbias.experiments import catalogue
from localbias.experiments.setup import Setup
from localbias.ldr import local_dependency_ratio
from localbias.training import Locality, Penalty, State, Training, train
from localbias.training.penalty import distance, norms, penalty

SCHEDULE = Schedule()


def denoiser(shape=(4,), seed=0, **options):
    torch.manual_seed(seed)
    network = networks.make("mlp", shape, width=16, depth=1, **options)
    return Denoiser(network.double(), SCHEDULE)


def signals(n=5, shape=(4,)):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(1)).double()


def of_one(place, length=4):
    return torch.arange(length) == place


def test_norms_of_one_number_are_exact():
    model, x, region = denoiser(), signals(), of_one(2)
    inside, total = norms(lambda x: model(x, 500), x, region)
    exact = local_dependency_ratio(lambda x: model(x, 500), x, region)
    assert torch.allclose(inside / total, exact, atol=1e-12)


def test_norms_of_larger_regions_are_right_on_average():
    matrix = torch.randn(4, 4, generator=torch.Generator().manual_seed(2)).double()
    region, x = torch.tensor([True, True, True, False]), torch.zeros(20_000, 4).double()
    found = norms(lambda x: x @ matrix.T, x, region, torch.Generator().manual_seed(3))
    inside, total = (part.mean() for part in found)
    rows = matrix[:3].square()
    assert inside == pytest.approx(rows[:, :3].sum().item(), rel=0.02)
    assert total == pytest.approx(rows.sum().item(), rel=0.02)


def test_gradient_by_the_weights_is_that_of_a_difference():
    model, x, region = denoiser(), signals(), of_one(1)

    def value():
        return distance(norms(lambda x: model(x, 700), x, region), 0.3, False)

    weight = model.network.first.weight
    (slope,) = torch.autograd.grad(value(), weight)
    ends = []
    for shift in (1e-5, -2e-5):
        with torch.no_grad():
            weight[0, 0] += shift
        ends.append(value().item())
    assert slope[0, 0].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


def test_pooled_compares_the_ratio_of_means():
    found = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 9.0])
    assert distance(found, 0.4, True).item() == pytest.approx(0.0, abs=1e-12)
    assert distance(found, 0.0, False).item() == pytest.approx((1 + 1 / 9) / 2)


def test_the_rule_itself_pays_nothing():
    setup = Setup(catalogue.make("parity-8-treated-ldr-rule", "smoke"))
    rule, generator = setup.references["rule"], torch.Generator().manual_seed(0)
    x = setup.draw(generator, 8)
    config = Penalty(2.0)
    assert penalty(config, rule, x, setup.locality, 0, 0).item() == 0.0
    marginals = setup.references["marginals"]
    assert penalty(replace(config, aim=1.0), marginals, x, setup.locality, 0, 0) < 1e-10
    assert penalty(config, marginals, x, setup.locality, 0, 0) > 0.01


def run(config):
    setup = Setup(catalogue.make("parity-8-scalars", "smoke"))
    state = State.fresh(setup.denoiser(), config)
    regions = torch.stack([setup.renderer.region(i) for i in range(8)])
    for _ in train(state, config, setup.draw, 0, Locality(regions)):
        pass
    x = setup.draw(torch.Generator().manual_seed(5), 64)
    x_t = SCHEDULE.add_noise(
        x, torch.randn(x.shape, generator=torch.Generator().manual_seed(6)), 300
    )

    def f(x):
        return SCHEDULE.predict(state.denoiser, x, 300, "x0")

    return local_dependency_ratio(f, x_t, regions[0]).mean().item()


def test_training_goes_where_the_penalty_pulls():
    base = Training(steps=150, batch=32, rate=1e-2)
    low = run(replace(base, penalty=Penalty(10.0, aim=0.0)))
    high = run(replace(base, penalty=Penalty(10.0, aim=1.0)))
    assert low < run(base) < high


def test_batches_are_the_same_with_a_penalty():
    losses = []
    for config in (
        Training(steps=1, batch=16),
        Training(steps=1, batch=16, penalty=Penalty(1.0, 1.0)),
    ):
        setup = Setup(catalogue.make("parity-8-scalars", "smoke"))
        state = State.fresh(setup.denoiser(), config)
        regions = torch.stack([setup.renderer.region(i) for i in range(8)])
        losses += [state.loss for state in train(state, config, setup.draw, 0, Locality(regions))]
    assert losses[0] == losses[1]


def test_focus_draws_half_of_the_batch_inside():
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x, t):
            seen.append(t)
            return self.layer(x)

    config = Training(steps=50, batch=9, focus=(0.7, 0.9))
    state = State.fresh(Denoiser(Spy(), SCHEDULE), config)
    for _ in train(state, config, lambda g, n: torch.randn(n, 3, generator=g), 0):
        pass
    level = SCHEDULE.alpha_bar.sqrt()[torch.stack(seen)]
    inside = (level > 0.695) & (level < 0.905)
    assert inside[:, :4].all() and 0.05 < inside[:, 4:].double().mean() < 0.4


@pytest.mark.parametrize(
    "fields, message",
    [
        (dict(weight=0.0), "penalty.weight=0.0; allowed: above 0"),
        (dict(weight=1.0, aim=1.5), "penalty.aim=1.5; allowed: 0 to 1, or 'rule'"),
        (dict(weight=1.0, aim="rules"), "penalty.aim='rules'"),
        (dict(weight=1.0, levels=(0.9, 0.7)), "penalty.levels="),
        (dict(weight=1.0, signals=0), "penalty.signals=0"),
    ],
)
def test_fields_out_of_range_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        Penalty(**fields)


def test_what_a_penalty_lacks_is_named():
    config = Training(steps=1, penalty=Penalty(1.0))
    state = State.fresh(denoiser(), config)
    with pytest.raises(ValueError, match="needs the regions"):
        next(train(state, config, lambda g, n: signals(n), 0))
    with pytest.raises(ValueError, match="no exact denoiser: give a number"):
        next(train(state, config, lambda g, n: signals(n), 0, Locality(of_one(0)[None])))
    with pytest.raises(ValueError, match=r"training.focus=\(0.9, 0.7\)"):
        Training(steps=1, focus=(0.9, 0.7))
