"""What chapters read from records: every number again by hand, from the arrays of two smoke runs."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from localbias.exact import NAMES
from localbias.experiments import (
    Generated,
    Heat,
    Results,
    Setup,
    catalogue,
    engine,
    perfect_ratios,
    products_of,
    reference_counts,
)
from localbias.ldr import local_dependency_ratio
from localbias.measure import OUTCOMES
from localbias.render import from_pixels
from localbias.statistics import mean_interval
from localbias.store import Record

RULE = NAMES.index("rule")


@pytest.fixture(scope="module")
def scalars(run):
    """Two seeds; the region is one number, so that two probes are exact."""
    return Results([run("parity-8-scalars", seed) for seed in (0, 1)])


@pytest.fixture(scope="module")
def digits(run):
    return Results([run("quarter-unet-470")])


def test_a_result_names_its_experiment(scalars, digits):
    assert scalars.label == "parity-8-scalars (smoke, 2 seeds)"
    assert digits.label == "quarter-unet-470 (smoke, 1 seed)"
    assert scalars.name == "parity-8-scalars" and [e.seed for e in scalars.experiments] == [0, 1]
    network = scalars.setup.denoiser()
    assert scalars.parameters == sum(p.numel() for p in network.parameters())


def test_outcomes_are_those_that_were_counted(scalars):
    for seed in (0, 1):
        counted = [np.bincount(row, minlength=4) for row in scalars.outcomes(seed)]
        np.testing.assert_array_equal(counted, scalars.counts[seed])
    assert scalars.steps.tolist() == [10, 20]
    assert scalars.chance == pytest.approx([0, 0.5, 0.25, 0.25])
    assert scalars.curves["counts"] is scalars.counts


def test_phases_are_rows_of_the_first_record(scalars):
    assert [scalars.row(share) for share in (0, 0.4, 1)] == [0, 0, 1]
    late = scalars.phases([1], count=3)
    np.testing.assert_array_equal(late["samples"][0], scalars.records[0].arrays["samples"][1, :3])
    np.testing.assert_array_equal(late["outcomes"][0], scalars.outcomes()[1, :3])
    assert late["titles"] == ["step 20"]
    assert scalars.phases()["titles"] == ["step 10", "step 10", "step 20"]


def test_ratios_are_means_over_the_signals(scalars):
    _, inside, total = np.moveaxis(
        np.stack([r.arrays["ldr"] for r in scalars.records]).astype(float), -1, 0
    )  # [S, 1 + M, V, n]
    np.testing.assert_allclose(scalars.ratios(), (inside / total).mean(-1), rtol=1e-6)
    np.testing.assert_allclose(scalars.pooled_ratios(), inside.sum(-1) / total.sum(-1))
    assert scalars.levels == (0.3, 0.9) and scalars.place(0.9) == 1
    assert scalars.vanishing().shape == (2, 3, 2) and not scalars.vanishing().any()


def test_the_ratio_of_the_noise_by_its_own_jacobian(scalars):
    """J of the noise is (I − √ᾱ J of x0) / √(1−ᾱ)."""
    trace, inside, total = np.moveaxis(scalars.records[0].arrays["ldr"].astype(float), -1, 0)
    times = torch.from_numpy(scalars.records[0].arrays["probe_t"])
    c = scalars.experiment.schedule.alpha_bar[times].sqrt().numpy()[:, None]
    ratio = (1 - 2 * c * trace + c**2 * inside) / (1 - 2 * c * trace + c**2 * total)
    np.testing.assert_allclose(scalars.ratios("noise")[0], ratio.mean(-1), rtol=1e-6)


def test_what_figures_take_is_cut_from_the_ratios(scalars):
    along, by_level = scalars.along(0.9), scalars.by_level()
    np.testing.assert_array_equal(along.ratios, scalars.ratios()[..., 1])
    np.testing.assert_array_equal(along.pooled, scalars.pooled_ratios()[..., 1])
    for k, name in enumerate(NAMES):
        exact = scalars.reference_ratios()[:, k, 1]
        np.testing.assert_array_equal(along.references[name], exact)
        np.testing.assert_array_equal(along.excess[name], scalars.excess[:, :, 1, k])
    np.testing.assert_array_equal(by_level.ratios, scalars.ratios()[:, [1, 2]])
    np.testing.assert_array_equal(by_level.untrained, scalars.ratios()[:, 0])
    np.testing.assert_array_equal(by_level.excess, scalars.excess[:, [1, 2]][..., RULE])
    assert by_level.steps.tolist() == [10, 20]
    assert scalars.by_level([0, 2]).steps.tolist() == [0, 20]
    by_target = scalars.by_target(0.3)
    np.testing.assert_array_equal(by_target.ratios["v"], scalars.ratios("v")[..., 0])
    assert by_target.rule["v"] == scalars.reference_ratios("v")[:, RULE, 0].mean()


def test_the_marginals_are_local(scalars):
    np.testing.assert_allclose(scalars.reference_ratios()[:, NAMES.index("marginals")], 1)
    assert (scalars.reference_ratios()[:, RULE] < 1).all()


def test_the_nearest_reference_has_the_least_distance(scalars):
    for row in (0, -1):
        distances = np.mean([r.arrays["excess"][row, 1] for r in scalars.records], 0)
        assert scalars.nearest(0.9, row) == NAMES[distances.argmin()]


def test_summaries_hold_the_same_means(scalars):
    found = scalars.summaries(levels=[0.9])
    means = [[summary.mean for summary in by_row] for by_row in found[0.9]]
    assert found.keys() == {0.9}
    np.testing.assert_allclose(means, scalars.ratios()[..., 1])


def test_generated_samples_have_ratio_outcome_and_seed(scalars):
    found = scalars.generated(0)
    moments = np.concatenate([r.arrays["generated_ldr"][0] for r in scalars.records]).astype(float)
    np.testing.assert_allclose(found.ratio, moments[:, 1] / moments[:, 2], rtol=1e-6)
    np.testing.assert_array_equal(
        found.outcome, np.concatenate([scalars.outcomes(seed)[-1] for seed in (0, 1)])
    )
    assert found.seed.tolist() == [0] * 16 + [1] * 16 and found.defined.all()


def test_generated_samples_by_outcome():
    ratio, outcome = np.arange(14.0), np.repeat([1, 2, 3, 0], [5, 5, 2, 2])
    defined, seed = np.arange(14) != 0, np.zeros(14, int)
    found = Generated(ratio, defined, outcome, seed)
    by_outcome = found.by_outcome()
    assert list(by_outcome) == list(OUTCOMES[1:3])  # of the others fewer than three
    assert by_outcome["hallucination"] == (*mean_interval(np.array([1.0, 2, 3, 4])), 4)
    assert found.difference() is None  # four hallucinations with a ratio are too few
    mean, low, high, seeds = found._replace(defined=np.ones(14, bool)).difference()
    assert mean == np.arange(5).mean() - np.arange(5, 12).mean() and seeds == 1
    assert low < mean < high < 0


def test_dependency_is_of_the_first_record_and_regions_of_all(scalars):
    arrays = scalars.records[0].arrays
    found = scalars.dependency(0)
    np.testing.assert_array_equal(found["network"], arrays["matrix"][0])
    np.testing.assert_array_equal(found["train"], arrays["matrix_reference"][2, 0])
    assert list(found) == ["network", *NAMES]
    ratios = scalars.region_ratios(0)
    matrix = scalars.records[1].arrays["matrix"][0]
    np.testing.assert_allclose(ratios[1], [matrix[i, i] / matrix[i].sum() for i in range(8)])


def test_heat_along_training(digits):
    arrays, region = digits.records[0].arrays, np.zeros((28, 28), bool)
    region[:14, :14] = True
    found = dict(digits.heats(0))
    assert list(found) == [0, 10, 20]
    np.testing.assert_array_equal(found[20].region, region)
    np.testing.assert_array_equal(found[20].heats["heat"], arrays["heat"][2, 0])
    np.testing.assert_array_equal(
        found[10].images["x̂0"], from_pixels(arrays["denoised"][1, 0, 0]).numpy()
    )
    share = arrays["heat"][2, 0][region].sum() / arrays["heat"][2, 0].sum()
    assert found[20].ratios == {"heat": pytest.approx(share, rel=1e-6)}


def test_no_heat_has_no_ratio():
    heat = Heat({}, {"none": np.zeros((2, 2)), "all": np.eye(2)}, np.eye(2, dtype=bool))
    assert math.isnan(heat.ratios["none"]) and heat.ratios["all"] == 1


def test_moments_have_samples_outcomes_heat_and_ratio_of_their_step(digits):
    level, arrays = digits.probing.closer[0], digits.records[0].arrays
    first, last = digits.moments(level, 3)
    assert (first.step, last.step) == tuple(digits.steps)
    np.testing.assert_array_equal(last.samples, arrays["samples"][1, :3, 0])
    np.testing.assert_array_equal(last.outcomes, digits.outcomes()[1, :3])
    assert last.shares == pytest.approx(digits.counts[0, 1] / digits.counts[0, 1].sum())
    assert last.ratio == digits.ratios()[0, 2, digits.place(level)]  # row 0 is the untrained one
    np.testing.assert_array_equal(last.heat.heats["heat"], arrays["heat"][2, 0])
    assert last.brightness.max() == 1
    (only,) = digits.moments(level, 1, rows=[0])
    assert only.step == first.step and len(only.samples) == 1
    with pytest.raises(ValueError, match="level 0.12345; 'quarter-unet-470' has heat at "):
        digits.moments(0.12345, 3)


def test_heat_over_levels_is_the_exact_ratio(digits):
    setup, region = digits.setup, digits.setup.renderer.region(0)
    ((_, inside), (_, clear)) = digits.heats_by_level([0.3, 0.95], seed=4)
    assert math.isnan(clear.ratios["heat, exact rule"])  # where nothing is left to guess
    clean = from_pixels(digits.records[0].arrays["clean"])[None]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(4))
    t = setup.schedule.index(sqrt_alpha_bar=0.3)
    x_t = setup.schedule.add_noise(clean, noise, t)
    of_rule = partial(setup.references["rule"], t=t)
    of_network = partial(setup.schedule.predict, digits.network(), t=t, target="x0")
    exact = local_dependency_ratio(of_rule, x_t.double(), region).item()
    assert inside.ratios["heat, exact rule"] == pytest.approx(exact)
    exact = local_dependency_ratio(of_network, x_t, region).item()
    assert inside.ratios["heat, network"] == pytest.approx(exact, rel=1e-4)
    np.testing.assert_array_equal(inside.images["x_t"], x_t[0, 0])


def test_the_network_is_the_last_that_was_kept(run, scalars):
    untrained = scalars.network()
    for p, q in zip(untrained.parameters(), scalars.setup.denoiser().parameters(), strict=True):
        assert torch.equal(p, q)
    kept = Results([run("parity-8-scalars", keep=(10, 20))])
    last = engine.load_network(kept.records[0], 20)
    pairs = zip(kept.network().parameters(), last.parameters(), untrained.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q, _ in pairs)
    assert not all(torch.equal(p, q) for p, q in zip(last.parameters(), untrained.parameters()))


def test_what_exact_denoisers_draw_obeys_their_law(scalars):
    counts = reference_counts(scalars.setup)
    assert counts["rule"][:2].sum() == 0 and counts["train"].tolist() == [0, 0, 16, 0]
    assert {name: row.sum() for name, row in counts.items()} == dict.fromkeys(NAMES, 16)


def test_perfect_networks_by_their_jacobians():
    """On scalars the first symbol's region is one number: eight probes are exact."""
    setup = Setup(catalogue.make("parity-8-scalars", "smoke"))
    found = perfect_ratios(setup, (0.5, 0.8), signals=6, seed=2)
    generator = torch.Generator().manual_seed(2)
    strings = setup.train_strings[torch.randint(64, (6,), generator=generator)]
    x0 = setup.renderer(strings, generator)
    for v, level in enumerate((0.5, 0.8)):
        t = setup.schedule.index(sqrt_alpha_bar=level)
        x_t = setup.schedule.add_noise(x0, torch.randn(6, 8, generator=generator), t).double()
        for name, ratios in found.items():
            x = x_t.clone().requires_grad_()
            (row,) = torch.autograd.grad(setup.references[name](x, t)[:, 0].sum(), x)
            assert ratios["x0"][v] == pytest.approx(
                (row[:, 0] ** 2 / (row**2).sum(1)).mean().item()
            )
    assert found.keys() == {"rule", "train"} and found["rule"].keys() == {"x0", "v", "noise"}


def test_a_jacobian_below_rounding_has_no_ratio():
    setup = Setup(catalogue.make("quarter-unet-470", "smoke"))
    found = perfect_ratios(setup, (0.9,), signals=4, seed=0, probes=2)
    assert np.isnan(found["rule"]["x0"]).all() and found["rule"]["noise"] == pytest.approx(1)


def test_what_is_not_there_is_named(run, scalars):
    with pytest.raises(ValueError, match=r"level 0.5; 'parity-8-scalars' is probed at 0.3, 0.9"):
        scalars.along(0.5)
    unprobed = run("parity-8-scalars", probing=None)
    with pytest.raises(ValueError, match="'parity-8-scalars' was not probed"):
        Results([unprobed]).levels
    with pytest.raises(ValueError, match="holds no 'ldr': its run was not probed"):
        products_of(unprobed)


def test_slopes_are_those_of_what_was_read(scalars):
    slopes, errors = scalars.slopes(least=4)
    assert slopes.shape == errors.shape == (2, 2, 8)
    for seed, setup in enumerate(scalars.setups):
        tokens = scalars.tokens(seed)[-1]
        readable = tokens[(tokens >= 0).all(1)]
        wrong = (readable.sum(1) % 2).double().mean().item()
        assert slopes[seed, -1, -1] == pytest.approx(1 - 2 * wrong)  # every training string has 1
        t = 1.0 - 2 * setup.train_strings.double().mean(0)
        g = 1.0 - 2 * readable.double().mean(0)
        assert slopes[seed, -1, 0] == pytest.approx(float((t * g).sum() / (t * t).sum()))
    assert np.isnan(scalars.slopes(least=1000)[0]).all()


def test_other_ways_of_sampling_have_their_counts(run, scalars):
    found = Results([run("dyck-8-unet", seed) for seed in (0, 1)])
    (how,) = found.sampled_also
    assert how == found.experiment.also[0] and how.eta == 1
    for seed, record in enumerate(found.records):
        np.testing.assert_array_equal(found.sampled_also[how][seed], record.arrays["also"][0])
    assert Results([run("dyck-8-dit")]).sampled_also == {}
    assert found.images_seen == 20 * 16


def test_records_of_nothing_or_of_two_experiments_are_refused(scalars):
    with pytest.raises(ValueError, match=r"records of \[\]; allowed: of one experiment"):
        Results([])
    (record, *_) = scalars.records
    other = Record(record.path, record.origin | {"experiment": record.experiment | {"name": "b"}})
    with pytest.raises(ValueError, match="'b'.*; allowed: of one experiment"):
        Results([record, other])
