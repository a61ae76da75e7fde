"""What is stored of locality, against whole Jacobians and closed forms; and that measuring changes nothing."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from localbias import ldr, measure, store
from localbias.diffusion import last
from localbias.experiments import Setup, catalogue, engine, products_of
from localbias.grammar import Parity
from localbias.measure import Probe, Probing
from localbias.training import State, train

SMOKE = catalogue.make("parity-8-scalars", "smoke")
SCALARS = SMOKE.replace(probing=Probing((0.3, 0.6, 0.9), samples=7, symbol=2, closer=(0.6, 0.9)))
IMAGES = catalogue.make("parity-8-mlp", "smoke").replace(
    probing=Probing((0.1, 0.5), samples=6, probes=8, symbol=3, closer=(0.5,))
)
SIZE = 64  # pixels of a cell of these images


def probing(experiment, **changes):
    return experiment.replace(probing=replace(experiment.probing, **changes))


def built(experiment) -> tuple[Setup, Probe]:
    setup = Setup(experiment)
    return setup, setup.probe


def by_hand(denoiser, schedule, t):
    """x̂0 as a function of x_t in float64, of a network that predicts noise (that of scalars) or x0 (of images)."""
    precise, alpha_bar = copy.deepcopy(denoiser).double(), schedule.alpha_bar[t]
    if denoiser.target == "x0":
        return lambda x: precise(x, t)
    return lambda x: (x - (1 - alpha_bar).sqrt() * precise(x, t)) / alpha_bar.sqrt()


def of_x0(denoiser, schedule, t):
    """The same function as the probe sees it, in the network's own precision."""
    return lambda x: schedule.predict(denoiser, x, t, "x0")


def references(setup, t):
    """E[x0 | x_t] of parity of signs: marginals and rule in closed form, the softmax over the training strings."""
    alpha_bar, signs = setup.schedule.alpha_bar[t], 1 - 2 * setup.train_strings.double()

    def field(x):
        return x * alpha_bar.sqrt() / (1 - alpha_bar)

    def rule(x):
        tanh = field(x).tanh()
        others = torch.stack(
            [tanh[:, [k for k in range(8) if k != i]].prod(1) for i in range(8)], 1
        )
        return (tanh + others) / (1 + tanh * others)

    return lambda x: field(x).tanh(), rule, lambda x: (field(x) @ signs.T).softmax(1) @ signs


def jacobians(f, x: torch.Tensor) -> torch.Tensor:
    """Each sample's whole Jacobian [B, d, d], by the library."""
    n, size = len(x), x[0].numel()
    whole = torch.autograd.functional.jacobian(f, x).reshape(n, size, n, size)
    return torch.stack([whole[i, :, i] for i in range(n)])


def moments(whole: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """tr J_RR, ‖J_RR‖² and ‖J_R‖² of Jacobians [B, d, d]: [B, 3]."""
    rows = whole[:, region.flatten()]
    square = rows[:, :, region.flatten()]
    trace = square.diagonal(dim1=1, dim2=2).sum(1)
    return torch.stack([trace, square.square().sum((1, 2)), rows.square().sum((1, 2))], 1)


def close(found, truth, tolerance=1e-4):
    torch.testing.assert_close(
        torch.as_tensor(found).double(), truth, rtol=tolerance, atol=tolerance * 1e-2
    )


def as_pixels(signals: torch.Tensor) -> torch.Tensor:
    return (127.5 + 127.5 * signals.double().clamp(-1, 1)).round()


def test_scalars_against_the_whole_jacobian():
    setup, probe = built(SCALARS)
    denoiser = setup.denoiser()
    found = probe.along(denoiser)
    assert not found["ldr_covariance"].any()  # a region of one number is exact, whatever the probes
    for v, (x, t) in enumerate(zip(probe.noised, probe.times)):
        f = by_hand(denoiser, setup.schedule, t)
        whole, x0 = jacobians(f, x.double()), f(x.double())
        close(found["ldr"][v], moments(whole, torch.arange(8) == 2))
        truth = [(x0 - exact(x.double())).square().mean() for exact in references(setup, t)]
        close(found["excess"][v], torch.stack(truth))
        if v > 0:  # the levels that are looked at closer
            close(found["heat"][v - 1], whole[0, 2].square())
            assert (
                found["denoised"][v - 1] - as_pixels(x0[0])
            ).abs().max() <= 1  # a rounding may fall either way


def test_the_references_at_the_same_signals():
    setup, probe = built(SCALARS)
    found = probe.constants()
    exact = found["reference_ldr"]
    for v, (x, t) in enumerate(zip(probe.noised, probe.times)):
        for k, f in enumerate(references(setup, t)):
            close(exact[k, v], moments(jacobians(f, x.double()), torch.arange(8) == 2), 1e-5)
    marginals, rule, known = exact[..., 1] / exact[..., 2]
    assert torch.equal(marginals, torch.ones(3, 7))  # perfectly local
    assert rule[2].mean() < 0.95 and known[1].mean() < rule[1].mean() - 0.1
    close(
        setup.schedule.alpha_bar[found["probe_t"]].sqrt(),
        torch.tensor([0.3, 0.6, 0.9]).double(),
        2e-3,
    )
    assert setup.grammar.is_valid(found["probe_tokens"].long()).all()
    assert found["clean"].tolist() == [
        255 if token == 0 else 0 for token in found["probe_tokens"][0]
    ]  # "(" is +1
    assert torch.equal(found["noised"], as_pixels(torch.stack([x[0] for x in probe.noised[1:]])))


def test_excess_is_the_loss_above_the_least():
    """E‖x̂0 − x0‖² exceeds that of E[x0 | x_t] by their distance, as x0 follows the rule, not the training set."""
    n = 6000
    setup, probe = built(probing(SCALARS, samples=n, closer=()))
    denoiser = setup.denoiser()
    found = probe.along(denoiser)["excess"].double()
    for v, (x, t) in enumerate(zip(probe.noised, probe.times)):
        with torch.no_grad():
            x0 = by_hand(denoiser, setup.schedule, t)(x.double())
        loss = (x0 - probe.x0).square().mean(1)
        _, rule, known = (exact(x.double()) for exact in references(setup, t))
        above = loss - (rule - probe.x0).square().mean(1)
        error = (2 * (x0 - rule) * (rule - probe.x0)).mean(1).std() / math.sqrt(
            n
        )  # the two differ by this, of mean 0
        assert (above.mean() - found[v, 1]).abs() < 4 * error < found[v, 1] / 8
    above = loss - (known - probe.x0).square().mean(1)
    assert (above.mean() - found[2, 2]).abs() > 8 * error


def test_of_images_probes_estimate_what_the_whole_jacobian_says():
    setup, probe = built(probing(IMAGES, samples=24))
    denoiser, region = setup.denoiser(), setup.renderer.region(3)
    found = probe.along(denoiser)
    for v, (x, t) in enumerate(zip(probe.noised, probe.times)):
        f = by_hand(denoiser, setup.schedule, t)
        exact = ldr.local_dependency_ratio(f, x.double(), region, details=True).moments
        errors = found["ldr"][v].double() - exact
        spread = found["ldr_covariance"][v].double().diagonal(dim1=1, dim2=2)
        assert (spread > 0).all() and errors.abs().min() > 0
        assert (errors.sum(0).abs() < 4 * spread.sum(0).sqrt()).all()
        assert (0.3 < (errors.square().sum(0) / spread.sum(0)).sqrt()).all()  # nor is it overstated


def test_as_many_probes_as_the_region_has_numbers_are_exact():
    setup, probe = built(probing(IMAGES, probes=SIZE, samples=2))
    denoiser, region = setup.denoiser(), setup.renderer.region(3)
    found = probe.along(denoiser)
    assert not found["ldr_covariance"].any()
    for v, (x, t) in enumerate(zip(probe.noised, probe.times)):
        close(
            found["ldr"][v],
            moments(jacobians(by_hand(denoiser, setup.schedule, t), x.double()), region),
            1e-3,
        )


@pytest.mark.parametrize("experiment, spatial", [(SCALARS, (8,)), (IMAGES, (16, 32))])
def test_the_heat_in_the_region_is_the_ratio_of_the_first_signal(experiment, spatial):
    setup, probe = built(experiment)
    denoiser, region = setup.denoiser(), setup.renderer.region(experiment.probing.symbol)
    heat = probe.along(denoiser)["heat"].double()
    closer = experiment.probing.closer
    assert heat.shape == (len(closer), *spatial)
    for one, level in zip(heat, closer):
        at = experiment.probing.levels.index(level)
        f = of_x0(denoiser, setup.schedule, probe.times[at])
        exact = ldr.local_dependency_ratio(f, probe.noised[at][:1], region)
        assert 0 < exact < 1
        close(one[region.reshape(spatial)].sum() / one.sum(), exact[0])


class Watching(torch.nn.Module):
    """A denoiser that remembers what it was shown."""

    target = "x0"

    def __init__(self, scale: float):
        super().__init__()
        self.scale, self.shown = torch.nn.Parameter(torch.tensor(scale)), []

    def forward(self, x, t):
        self.shown.append((t, x.detach().clone()))
        return self.scale * x


def test_every_denoiser_and_step_is_shown_the_same_signals():
    setup, probe = built(IMAGES)
    one, other = Watching(0.5), Watching(2.0)
    found = [probe.along(one), probe.along(other), Setup(IMAGES).probe.along(other)]
    shown = one.shown
    assert len(other.shown) == 2 * len(shown) > 0
    for half in (other.shown[: len(shown)], other.shown[len(shown) :]):
        assert all(t == s and torch.equal(x, z) for (t, x), (s, z) in zip(shown, half, strict=True))
    assert {t for t, _ in shown} == set(probe.times)
    for t, x in shown:
        assert torch.equal(x, probe.noised[probe.times.index(t)][: len(x)])
    assert all(
        torch.equal(found[1][name], found[2][name]) for name in found[1]
    )  # the random vectors too

    for network in (setup.denoiser(), copy.deepcopy(setup.denoiser())):
        found.append(probe.along(network))
    assert all(torch.equal(found[3][name], found[4][name]) for name in found[3])
    elsewhere = Setup(IMAGES.replace(seed=1)).probe
    assert not torch.equal(elsewhere.tokens, probe.tokens)
    assert all((x - z).abs().mean() > 0.1 for x, z in zip(elsewhere.noised, probe.noised))
    elsewhere.noised = probe.noised  # at the same signals, other random vectors
    assert (
        not torch.isclose(elsewhere.along(network)["ldr"], found[4]["ldr"], rtol=1e-6).all(-1).any()
    )


def test_the_noise_is_gaussian_and_fresh_at_each_level():
    setup, probe = built(probing(SCALARS, samples=3000))
    noise = []
    for x, t in zip(probe.noised, probe.times):
        alpha_bar = setup.schedule.alpha_bar[t]
        noise.append((x.double() - alpha_bar.sqrt() * probe.x0) / (1 - alpha_bar).sqrt())
    noise = torch.stack(noise).flatten(1)
    n = noise.shape[1]
    assert noise.mean(1).abs().max() < 4 / math.sqrt(n)
    assert (noise @ noise.T / n - torch.eye(3)).abs().max() < 4 * math.sqrt(2 / n)
    strings = set(map(tuple, probe.tokens.tolist()))
    known = set(map(tuple, setup.train_strings.tolist()))
    assert (
        len(strings) == 128 and len(strings - known) == 64
    )  # all that are valid, trained on or not


def test_the_signals_follow_the_law_of_the_grammar(monkeypatch):
    weights = torch.zeros(128, dtype=torch.float64)
    weights[[3, 100]] = torch.tensor([0.9, 0.1], dtype=torch.float64)
    monkeypatch.setattr(Parity, "probabilities", property(lambda self: weights))
    setup, probe = built(probing(SCALARS, samples=400))
    seldom, often = (
        (probe.tokens == setup.grammar.support[i]).all(1).double().mean() for i in (100, 3)
    )
    assert seldom + often == 1 and abs(often - 0.9) < 4 * math.sqrt(0.09 / 400)


def test_generated_signals_are_those_that_the_sampler_went_through():
    setup, probe = built(SCALARS)
    denoiser = setup.denoiser()
    found = probe.at_the_end(denoiser, setup.reverse(denoiser))
    visited = {state.t: state.x_t for state in setup.reverse(denoiser)}
    assert len(visited) == 10 and len(next(iter(visited.values()))) == 16
    for k, level in enumerate((0.6, 0.9)):
        t = min(visited, key=lambda s: abs(math.sqrt(setup.schedule.alpha_bar[s]) - level))
        assert found["generated_t"][k] == t
        whole = jacobians(by_hand(denoiser, setup.schedule, t), visited[t].double())
        close(found["generated_ldr"][k], moments(whole, torch.arange(8) == 2))
    assert not found["generated_covariance"].any()
    backwards = probe.at_the_end(denoiser, list(setup.reverse(denoiser))[::-1])
    assert torch.equal(backwards["generated_ldr"], found["generated_ldr"])
    alone = list(setup.reverse(denoiser))[:1]  # with nothing nearer, the first step has to do
    assert probe.at_the_end(denoiser, alone)["generated_t"].tolist() == [999, 999]


def test_the_way_ends_in_the_samples_that_are_counted():
    setup = Setup(SCALARS)
    denoiser = setup.denoiser()
    assert torch.equal(last(setup.reverse(denoiser)), setup.sample(denoiser))


def test_generated_images_by_probes():
    setup, probe = built(IMAGES)
    denoiser, region = setup.denoiser(), setup.renderer.region(3)
    found = probe.at_the_end(denoiser, setup.reverse(denoiser))
    t = found["generated_t"].item()
    (x,) = [state.x_t for state in setup.reverse(denoiser) if state.t == t]
    exact = ldr.local_dependency_ratio(
        of_x0(denoiser, setup.schedule, t), x, region, details=True
    ).moments
    spread = found["generated_covariance"][0].double().diagonal(dim1=1, dim2=2)
    assert (spread > 0).all()
    assert ((found["generated_ldr"][0] - exact).sum(0).abs() < 4 * spread.sum(0).sqrt()).all()


def test_the_matrix_of_scalars_is_the_mean_squared_jacobian():
    setup, probe = built(SCALARS)
    denoiser = setup.denoiser()
    found = probe.at_the_end(denoiser, setup.reverse(denoiser))
    for k in (0, 1):
        x, t = probe.noised[k + 1].double(), probe.times[k + 1]
        close(
            found["matrix"][k], jacobians(by_hand(denoiser, setup.schedule, t), x).square().mean(0)
        )
        for of, f in zip(found["matrix_reference"][:, k], references(setup, t)):
            close(of, jacobians(f, x).square().mean(0), 1e-5)
    marginals = found["matrix_reference"][0]
    assert torch.equal(marginals, torch.diag_embed(marginals.diagonal(dim1=1, dim2=2)))


@pytest.mark.parametrize(
    "experiment", [SCALARS, probing(IMAGES, probes=SIZE, samples=2)], ids=["scalars", "images"]
)
def test_a_row_of_the_matrix_gives_the_ratio(experiment):
    """The diagonal over the row's sum is the ratio of means, where both are exact."""
    setup, probe = built(experiment)
    denoiser, of = setup.denoiser(), experiment.probing
    found = probe.at_the_end(denoiser, setup.reverse(denoiser))
    at = [of.levels.index(level) for level in of.closer]
    along, exact = probe.along(denoiser)["ldr"][at], probe.constants()["reference_ldr"][:, at]
    for matrix, one in ((found["matrix"], along), (found["matrix_reference"], exact)):
        row = matrix[..., of.symbol, :].double()
        _, inside, total = one.double().mean(-2).unbind(-1)
        close(row[..., of.symbol] / row.sum(-1), inside / total)


@pytest.mark.parametrize(
    "experiment, shape, spatial", [(SCALARS, (8,), (8,)), (IMAGES, (1, 16, 32), (16, 32))]
)
def test_shapes_are_as_documented(experiment, shape, spatial):
    setup, probe = built(experiment)
    denoiser, of = setup.denoiser(), experiment.probing
    levels, n, closer, generated = (
        len(of.levels),
        of.samples,
        len(of.closer),
        experiment.sampling.samples,
    )
    f32, u8 = torch.float32, torch.uint8
    expected = [
        (
            probe.constants(),
            {
                "probe_tokens": ((n, 8), torch.int8),
                "probe_t": ((levels,), torch.int64),
                "reference_ldr": ((3, levels, n, 3), f32),
                "clean": (shape, u8),
                "noised": ((closer, *shape), u8),
            },
        ),
        (
            probe.along(denoiser),
            {
                "ldr": ((levels, n, 3), f32),
                "ldr_covariance": ((levels, n, 3, 3), f32),
                "excess": ((levels, 3), f32),
                "denoised": ((closer, *shape), u8),
                "heat": ((closer, *spatial), f32),
            },
        ),
        (
            probe.at_the_end(denoiser, setup.reverse(denoiser)),
            {
                "generated_ldr": ((closer, generated, 3), f32),
                "generated_covariance": ((closer, generated, 3, 3), f32),
                "generated_t": ((closer,), torch.int64),
                "matrix": ((closer, 8, 8), f32),
                "matrix_reference": ((3, closer, 8, 8), f32),
            },
        ),
    ]
    for found, described in expected:
        assert {
            name: (tuple(tensor.shape), tensor.dtype) for name, tensor in found.items()
        } == described


def test_nothing_is_kept_closer_unless_asked():
    setup, probe = built(probing(SCALARS, closer=()))
    assert probe.constants().keys() == {"probe_tokens", "probe_t", "reference_ldr"}
    assert probe.along(setup.denoiser()).keys() == {"ldr", "ldr_covariance", "excess"}


@pytest.mark.parametrize("training", [True, False])
def test_measuring_leaves_no_trace(training):
    setup = Setup(IMAGES)
    denoiser = setup.denoiser().train(training)
    before = {name: tensor.clone() for name, tensor in denoiser.state_dict().items()}
    state = torch.get_rng_state()
    probe = setup.probe
    noised = [x.clone() for x in probe.noised]
    probe.constants()
    probe.along(denoiser)
    probe.at_the_end(denoiser, setup.reverse(denoiser))
    assert torch.equal(torch.get_rng_state(), state) and torch.is_grad_enabled()
    assert all(module.training == training for module in denoiser.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in denoiser.state_dict().items())
    assert all(one.grad is None and one.requires_grad for one in denoiser.parameters())
    assert all(torch.equal(x, z) and not x.requires_grad for x, z in zip(probe.noised, noised))


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probed")
    return dict(device="cpu", folder=folder / "records", runs=folder / "runs")


@pytest.fixture(scope="module")
def probed(places):
    return engine.run(SMOKE, **places)


@pytest.mark.parametrize("ema", [0.9, 0.0])
def test_training_is_the_same_with_and_without_probing(ema, places):
    """Bit for bit; without an average of the weights it is the network in training that is measured."""
    experiment = SMOKE.replace(training=replace(SMOKE.training, ema=ema), keep=(10, 20))
    with_it, without = (
        engine.run(one, **places) for one in (experiment, experiment.replace(probing=None))
    )
    assert (
        without.arrays.keys()
        == {"step", "counts", "tokens", "samples", "loss"}
        < with_it.arrays.keys()
    )
    for name, array in without.arrays.items():
        assert np.array_equal(with_it.arrays[name], array), name
    assert with_it.weights.read_bytes() == without.weights.read_bytes()


def test_a_record_holds_what_its_network_showed_at_each_step(probed):
    """Trained again by hand: before the first step and at the measured ones; then on the way to its samples."""
    setup, probe = built(SMOKE)
    state = State.fresh(setup.denoiser(), SMOKE.training)
    rows, ratios = [], []

    def measure():
        rows.append(probe.along(state.average))
        ratios.append(
            torch.stack(
                [
                    ldr.local_dependency_ratio(
                        of_x0(state.average, setup.schedule, t), x, torch.arange(8) == 0
                    )
                    for x, t in zip(probe.noised, probe.times)
                ]
            )
        )

    measure()
    for state in train(state, SMOKE.training, setup.draw, SMOKE.seed):
        if state.step in SMOKE.measure_at:
            measure()
    for name in rows[0]:
        assert np.array_equal(probed.arrays[name], torch.stack([row[name] for row in rows])), name
    ends = probe.constants() | probe.at_the_end(state.average, setup.reverse(state.average))
    for name, tensor in ends.items():
        assert np.array_equal(probed.arrays[name], tensor), name

    found = products_of(probed)
    assert found.ratio.shape == (3, 2, 4) and not found.vanishing.any()
    assert (
        found.freedom.isinf() and not found.standard_error.any()
    )  # a region of one number: two probes are exact
    close(found.ratio, torch.stack(ratios), 1e-6)
    assert (found.ratio[0] - found.ratio[2]).abs().max() > 1e-3  # training moved it
    states = {one.t: one.x_t for one in setup.reverse(state.average)}
    (t,) = probed.arrays["generated_t"].tolist()
    there = ldr.local_dependency_ratio(
        of_x0(state.average, setup.schedule, t), states[t], torch.arange(8) == 0
    )
    close(products_of(probed, "generated_ldr").ratio, there[None], 1e-6)
    assert torch.equal(products_of(probed, "reference_ldr").ratio[0], torch.ones(2, 4).double())


def in_a_record(folder, experiment, arrays):
    arrays = {name: tensor.numpy() for name, tensor in arrays.items()}
    return store.save("stored", {"experiment": experiment.configuration}, arrays, None, folder)


@pytest.fixture
def live(monkeypatch) -> list[ldr.Products]:
    """What the probe measures, as it was before it is stored."""
    kept, measured = [], ldr.local_dependency_ratio

    def spy(*arguments, **options):
        kept.append(measured(*arguments, **options))
        return kept[-1]

    monkeypatch.setattr(measure.locality, "local_dependency_ratio", spy)
    return kept


def test_stored_estimates_come_with_the_error_they_had(tmp_path, live):
    setup, probe = built(IMAGES)
    denoiser = setup.denoiser()
    rows, before = probe.along(denoiser), list(live)
    rows = {name: tensor[None] for name, tensor in rows.items()}
    live.clear()
    end = probe.at_the_end(denoiser, setup.reverse(denoiser))
    names = ("ratio", "standard_error")
    along = [torch.stack([getattr(one, name) for one in before])[None] for name in names]
    generated = [torch.cat([getattr(one, name) for one in live])[None] for name in names]
    kept = in_a_record(tmp_path, IMAGES, rows | end)
    for found, ratio, error in (
        (products_of(kept), *along),
        (products_of(kept, "generated_ldr"), *generated),
    ):
        close(found.ratio, ratio)
        close(found.standard_error, error, 1e-3)
        assert (
            (found.standard_error > 0).all()
            and found.freedom == IMAGES.probing.probes - 1
            and found.size == SIZE
        )
    for bound, one in zip(
        products_of(kept).interval(), zip(*(products.interval() for products in before))
    ):
        close(bound[0], torch.stack(one), 1e-3)
    slope, shift = setup.schedule.affine(torch.tensor(probe.times)[:, None], "x0", "noise")
    noise = [one.converted(slope[v], shift[v]).ratio for v, one in enumerate(before)]
    close(products_of(kept).converted(slope, shift).ratio[0], torch.stack(noise))


class Deaf(torch.nn.Module):
    """A denoiser that does not listen where the first number of x is above 0, up to a Jacobian of 1e-20."""

    target = "x0"

    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Linear(8, 8)

    def forward(self, x, t):
        gate = torch.where(x[:, :1] > 0, 1e-20, 1.0).detach()
        return 0.5 + gate * torch.tanh(self.mix(x)) / 2


def test_stored_jacobians_that_vanish_are_masked(tmp_path, live):
    experiment = probing(SMOKE, samples=40, levels=(0.3, 0.9, 0.97, 0.999))
    _, probe = built(experiment)
    with torch.random.fork_rng():
        denoiser = Deaf()
    arrays = {name: tensor[None] for name, tensor in probe.along(denoiser).items()}
    truth = torch.stack([one.vanishing for one in live])[None]
    live.clear()
    kept = in_a_record(tmp_path, experiment, arrays | probe.constants())
    found = products_of(kept)
    deaf = torch.stack([x[:, 0] > 0 for x in probe.noised])[None]
    assert (
        torch.equal(found.vanishing, deaf)
        and torch.equal(truth, deaf)
        and 0 < deaf.sum() < deaf.numel()
    )
    assert not found.ratio[deaf].any() and (found.ratio[~deaf] > 0).all()

    exact = products_of(kept, "reference_ldr")  # in float64: what counts as zero is far smaller
    truth = torch.stack([one.vanishing for one in live]).reshape(3, 4, 40)
    edge = (
        exact.total / exact.floor
    ).log10().abs() < 1  # the two take a zero's size from other numbers
    assert torch.equal(exact.vanishing[~edge], truth[~edge])
    assert exact.vanishing[:2, 3].all() and not exact.vanishing[:, :2].any()
    assert exact.vanishing[0, 2].any()
    assert torch.equal(exact.ratio[0] == 0, exact.vanishing[0]) and exact.ratio.isfinite().all()


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(levels=()), r"probing.levels=\(\); allowed: one or more inside \(0, 1\)"),
        (dict(levels=(0.5, 0.0)), r"probing.levels=\(0.5, 0.0\); allowed: .*inside \(0, 1\)"),
        (dict(levels=(1.0,)), r"probing.levels=\(1.0,\)"),
        (dict(levels=(math.nan,)), r"probing.levels=\(nan,\)"),
        (dict(samples=0), "probing.samples=0; allowed: at least 1"),
        (dict(probes=1), "probing.probes=1; allowed: at least 2"),
        (dict(symbol=-1), "probing.symbol=-1; allowed: from 0"),
        (dict(closer=(0.5,)), r"probing.closer=\(0.5,\); allowed: some of levels=\(0.3, 0.6\)"),
    ],
)
def test_a_probing_that_cannot_be_is_refused(changes, message):
    good = dict(levels=(0.3, 0.6), samples=1, probes=2, symbol=0, closer=(0.6,))
    Probing(**good)
    with pytest.raises(ValueError, match=message):
        Probing(**good | changes)


def test_a_symbol_outside_the_grammar(tmp_path):
    experiment = probing(SMOKE, symbol=8)
    with pytest.raises(ValueError, match="region 8; allowed: 0 to 7"):
        Setup(experiment).probe
    with pytest.raises(ValueError, match="region 8"):
        engine.run(experiment, "cpu", None, tmp_path / "records", tmp_path / "runs")
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert not kept  # before anything was trained or stored
