"""Configurations and their keys, and what a configuration sets up."""

import json
from dataclasses import fields, replace

import pytest
import torch
from scipy.stats import chi2

from localbias import exact
from localbias.diffusion import Schedule
from localbias.experiments import Experiment, Sampling, Setup, from_configuration
from localbias.measure import Probing, Watching, smallest_integer
from localbias.training import Penalty, Training

HAND_MADE = Experiment(
    name="hand-made",
    tier="smoke",
    seed=3,
    grammar=dict(name="parity", length=4),
    renderer=dict(name="scalars", length=4),
    network=dict(kind="mlp", width=8, depth=1),
    n_train=5,
    training=Training(steps=20, batch=7, ema=0.5),
    measure_at=(10, 20),
    schedule=Schedule(steps=30),
    sampling=Sampling(samples=6, steps=5),
)

# Another valid value of each field.
OTHER = dict(
    name="other",
    tier="laptop",
    seed=4,
    grammar=dict(name="dyck", length=4),
    renderer=dict(name="scalars", length=5),
    network=dict(kind="mlp", width=8, depth=2),
    n_train=6,
    measure_at=(20,),
    keep=(20,),
    rendering="fresh",
    reads="v",
    target="x0",
    probing=Probing((0.3,)),
    also=(Sampling(samples=6, steps=4),),
    shown=3,
    watching=Watching(),
)
OTHER_PARTS = dict(
    training=dict(
        steps=21,
        batch=8,
        rate=0.1,
        warmup=1,
        decay="linear",
        ema=0.6,
        clip=1.0,
        focus=(0.5, 0.9),
        penalty=Penalty(1.0),
    ),
    schedule=dict(kind="cosine", steps=31, beta_start=1e-3, beta_end=0.1),
    sampling=dict(samples=7, steps=6, eta=1.0, clamp=None),
)
VARIANTS = (
    {name: HAND_MADE.replace(**{name: value}) for name, value in OTHER.items()}
    | {
        f"{part}.{name}": HAND_MADE.replace(
            **{part: replace(getattr(HAND_MADE, part), **{name: value})}
        )
        for part, values in OTHER_PARTS.items()
        for name, value in values.items()
    }
    | {
        f"probing.{name}": HAND_MADE.replace(probing=Probing(**dict(levels=(0.3,)) | {name: value}))
        for name, value in dict(levels=(0.4,), samples=5, probes=3, symbol=2, closer=(0.3,)).items()
    }
    | {
        f"watching.{name}": HAND_MADE.replace(watching=Watching(**{name: value}))
        for name, value in dict(edges=(0.1, 0.9), last=5, levels=(0.5,), probes=3, symbol=1).items()
    }
    | {
        f"penalty.{name}": HAND_MADE.replace(
            training=replace(
                HAND_MADE.training, penalty=Penalty(**dict(weight=1.0) | {name: value})
            )
        )
        for name, value in dict(
            weight=2.0, aim=0.5, pooled=True, levels=(0.5, 0.6), signals=8
        ).items()
    }
    | {"also.eta": HAND_MADE.replace(also=(Sampling(samples=6, steps=4, eta=1.0),))}
    | {
        "also.variance": HAND_MADE.replace(
            also=(Sampling(samples=6, steps=4, eta=1.0, variance="large"),)
        )
    }
)
DIGITS = HAND_MADE.replace(
    grammar=dict(name="quarter_sum"),
    renderer=dict(name="digits", size=28, exemplars=20),
    n_train=40,
)


def test_the_key_of_a_configuration_never_changes():
    """Records are found by their key: were it to change, every committed record would be lost."""
    assert HAND_MADE.key == "4e9d3baff163"
    assert HAND_MADE.stem == "hand-made-smoke-s3-" + HAND_MADE.key


def test_every_field_has_its_own_key():
    asked = {f.name for f in fields(Experiment)} - OTHER_PARTS.keys()
    assert asked == OTHER.keys()
    elsewhere = {"sampling": {"variance"}}  # it needs eta = 1: "also.variance"
    for part, values in OTHER_PARTS.items():
        known = values.keys() | elsewhere.get(part, set())
        assert {f.name for f in fields(getattr(HAND_MADE, part))} == known
    keys = {HAND_MADE.key} | {variant.key for variant in VARIANTS.values()}
    assert len(keys) == 1 + len(VARIANTS)


def test_a_field_at_its_default_leaves_the_key_as_it_is():
    """So a field that is added later, with the behaviour until then as its default, orphans no record."""
    spelled_out = Experiment(**{f.name: getattr(HAND_MADE, f.name) for f in fields(Experiment)})
    at_default = ("keep", "rendering", "reads", "target", "probing", "also", "watching")
    left_out = Experiment(
        **{
            f.name: getattr(HAND_MADE, f.name)
            for f in fields(Experiment)
            if f.name not in at_default
        }
    )
    assert spelled_out.key == left_out.key == HAND_MADE.key
    assert (
        HAND_MADE.replace(training=Training(steps=20, batch=7, ema=0.5, rate=1e-3, clip=None)).key
        == HAND_MADE.key
    )
    with_defaults = HAND_MADE.replace(schedule=Schedule(), sampling=Sampling())
    bare = {
        f.name: getattr(HAND_MADE, f.name)
        for f in fields(Experiment)
        if f.name not in ("schedule", "sampling")
    }
    assert with_defaults.key == Experiment(**bare).key != HAND_MADE.key


def test_tuples_and_lists_are_one_configuration():
    listed = HAND_MADE.replace(network=dict(kind="unet", mults=[1, 2]))
    assert HAND_MADE.replace(network=dict(kind="unet", mults=(1, 2))).key == listed.key


@pytest.mark.parametrize(
    "experiment", [HAND_MADE, *VARIANTS.values()], ids=["hand-made", *VARIANTS]
)
def test_a_configuration_survives_json(experiment):
    configuration = json.loads(json.dumps(experiment.configuration))
    assert configuration == experiment.configuration
    back = from_configuration(configuration)
    assert back == experiment and back.key == experiment.key and back.configuration == configuration
    back.grammar["length"] = 99  # nor does the copy share anything with the record's
    assert configuration == experiment.configuration


def test_a_configuration_older_than_a_field_is_read():
    configuration = HAND_MADE.configuration
    del configuration["reads"], configuration["training"]["clip"], configuration["sampling"]["eta"]
    assert from_configuration(configuration) == HAND_MADE


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(tier="huge"), "'huge'.*smoke, laptop, paper"),
        (dict(rendering="stale"), "'stale'.*fresh, fixed"),
        (dict(reads="score"), "reads='score'.*noise, x0, v"),
        (dict(target="score"), "target='score'.*noise, x0, v"),
        (dict(seed=-1), "seed=-1"),
        (dict(seed=1.5), r"seed=1\.5"),
        (dict(seed="1"), "seed='1'"),
        (dict(shown=0), "shown=0"),
        (dict(measure_at=()), r"measure_at=\(\)"),
        (dict(measure_at=(20, 10)), r"measure_at=\(20, 10\)"),
        (dict(measure_at=(10, 10)), r"measure_at=\(10, 10\)"),
        (dict(measure_at=(0, 10)), "1 to training.steps=20"),
        (dict(measure_at=(10, 21)), "1 to training.steps=20"),
        (dict(keep=(15,)), r"keep=\(15,\).*\(10, 20\)"),
    ],
)
def test_bad_experiments(changes, message):
    with pytest.raises(ValueError, match=message):
        HAND_MADE.replace(**changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(samples=0), "samples=0"),
        (dict(steps=1), "steps=1;.*30"),
        (dict(steps=31), "steps=31;.*30"),
        (dict(eta=1.5), r"eta=1\.5"),
        (dict(clamp=0.0), r"clamp=0\.0"),
    ],
)
def test_bad_sampling_is_refused_before_any_training(changes, message):
    with pytest.raises(ValueError, match=message):
        HAND_MADE.replace(sampling=replace(HAND_MADE.sampling, **changes))


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            dict(renderer=dict(name="scalars", length=5)),
            "4 symbols of 2; the renderer shows 5 of 2",
        ),
        (dict(renderer=dict(name="digits", size=28)), "4 symbols of 2; the renderer shows 4 of 10"),
        (dict(n_train=9), "n_train=9.*1 to 8"),
        (dict(n_train=0), "n_train=0.*1 to 8"),
        (dict(grammar=dict(name="prime")), "unknown grammar 'prime'"),
        (dict(grammar=dict(name="dyck", length=5)), "length=5"),
        (dict(renderer=dict(name="braille")), "unknown renderer 'braille'"),
    ],
)
def test_bad_setups(changes, message):
    with pytest.raises(ValueError, match=message):
        Setup(HAND_MADE.replace(**changes))


def test_an_unknown_network_is_refused():
    with pytest.raises(ValueError, match="unknown network 'cnn'"):
        Setup(HAND_MADE.replace(network=dict(kind="cnn"))).denoiser()


def drawn_strings(setup, n=400):
    """Training signals and the strings they show, for ±1 scalars or by their nearest exemplars."""
    signals = setup.draw(torch.Generator().manual_seed(0), n)
    cells = setup.renderer.split(signals)
    pool = setup.renderer.pool.flatten(2)
    distance = torch.cdist(cells, pool.flatten(0, 1)[None])
    best = distance.argmin(-1)
    assert distance.amin() < 1e-3
    return signals, best // pool.shape[1]


def test_only_training_strings_are_drawn_and_all_of_them():
    setup = Setup(HAND_MADE)
    _, strings = drawn_strings(setup)
    wanted = set(map(tuple, setup.train_strings.tolist()))
    assert set(map(tuple, strings.tolist())) == wanted and len(wanted) == 5
    assert wanted.isdisjoint(map(tuple, setup.held_out.tolist())) and len(setup.held_out) == 3


@pytest.mark.parametrize("rendering", ["fixed", "fresh"])
def test_a_fixed_string_has_one_image_and_a_fresh_one_many(rendering):
    setup = Setup(DIGITS.replace(rendering=rendering))
    signals, strings = drawn_strings(setup)
    images: dict[tuple, set] = {}
    for signal, string in zip(signals, strings.tolist()):
        images.setdefault(tuple(string), set()).add(signal.numpy().tobytes())
    assert len(images) == 40
    counts = [len(found) for found in images.values()]
    assert max(counts) == 1 if rendering == "fixed" else min(counts) > 1


def test_fixed_images_come_from_the_seed():
    first, again, other = (Setup(DIGITS.replace(seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(first.exemplars, again.exemplars) and not torch.equal(
        first.exemplars, other.exemplars
    )
    assert first.data_hash() == again.data_hash() != other.data_hash()


def test_the_data_hash_sees_strings_pool_and_exemplars():
    setups = [
        Setup(DIGITS),
        Setup(DIGITS.replace(n_train=41)),
        Setup(DIGITS.replace(rendering="fresh")),
        Setup(DIGITS.replace(renderer=dict(name="digits", size=28, exemplars=21))),
    ]
    swapped = Setup(DIGITS)
    swapped.exemplars[0, 0] = (swapped.exemplars[0, 0] + 1) % 20
    assert len({setup.data_hash() for setup in [*setups, swapped]}) == 5
    assert Setup(DIGITS.replace(reads="v")).data_hash() == setups[0].data_hash()


def weights(setup):
    return torch.cat([p.flatten() for p in setup.denoiser().parameters()])


def test_initial_weights_come_from_the_seed_alone():
    torch.manual_seed(1)
    first = weights(Setup(HAND_MADE))
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(weights(Setup(HAND_MADE)), first)
    torch.manual_seed(1)
    weights(Setup(HAND_MADE))
    assert torch.equal(torch.get_rng_state(), state)  # nor is the global generator moved
    assert not torch.equal(weights(Setup(HAND_MADE.replace(seed=4))), first)


def test_what_the_output_is_read_as_and_what_the_loss_compares():
    assert (Setup(HAND_MADE).denoiser().reads, Setup(HAND_MADE).denoiser().target) == (
        "noise",
        "noise",
    )
    denoiser = Setup(HAND_MADE.replace(reads="v", target="x0")).denoiser()
    assert (denoiser.reads, denoiser.target, denoiser.schedule) == ("v", "x0", HAND_MADE.schedule)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_samples_start_from_the_same_noise_whatever_the_denoiser(eta, monkeypatch):
    setup = Setup(HAND_MADE.replace(sampling=replace(HAND_MADE.sampling, eta=eta)))
    starts = []

    def first_input(denoiser):
        inputs = []
        denoiser.network.register_forward_pre_hook(lambda _, given: inputs.append(given[0].clone()))
        signals = setup.sample(denoiser)
        starts.append(inputs[0])
        assert len(inputs) == 5 and signals.shape == (6, 4) and signals.abs().max() <= 1
        assert not signals.requires_grad
        return signals

    trained = setup.denoiser()
    torch.nn.init.normal_(trained.network.last.weight)
    untrained = setup.denoiser()
    first = first_input(untrained)
    torch.rand(3)
    other = first_input(trained)
    assert torch.equal(*starts) and abs(starts[0].mean()) < 1 and not torch.equal(first, other)
    assert torch.equal(setup.sample(untrained), first)
    other_seed = Setup(setup.experiment.replace(seed=4))
    assert not torch.allclose(other_seed.sample(untrained), first, atol=0.1)


CORRELATED = HAND_MADE.replace(grammar=dict(name="check", length=4, order=4, correlation=0.6))


@pytest.mark.parametrize("rendering", ["fixed", "fresh"])
def test_training_signals_are_drawn_by_the_law(rendering):
    setup, n = Setup(CORRELATED.replace(rendering=rendering)), 20_000
    pair = 1 - 2 * (setup.train_strings[:, 0] != setup.train_strings[:, 1]).double()
    law = (1 + 0.6 * pair) / (1 + 0.6 * pair).sum()
    assert 0 < pair.gt(0).sum() < 5
    torch.testing.assert_close(setup.weights, law, rtol=1e-12, atol=0)
    _, strings = drawn_strings(setup, n)
    counts = torch.stack([(strings == string).all(1).sum() for string in setup.train_strings])

    def chi_square(expected):
        return ((counts - n * expected).square() / (n * expected)).sum().item()

    assert counts.sum() == n and chi_square(law) < chi2.isf(1e-4, df=4)
    assert chi_square(torch.full((5,), 0.2)) > 1000


def test_a_uniform_law_has_no_weights():
    assert Setup(HAND_MADE).weights is None
    assert Setup(CORRELATED.replace(grammar=dict(name="check", length=4, order=4))).weights is None
    assert Setup(CORRELATED.replace(n_train=1)).weights is None  # one string is drawn always


@pytest.mark.parametrize("experiment", [HAND_MADE, CORRELATED], ids=["uniform", "correlated"])
def test_the_references_know_the_law(experiment):
    setup, t = Setup(experiment.replace(schedule=Schedule())), 400
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    strings, signs = setup.train_strings, 1 - 2 * setup.train_strings.double()
    alpha_bar = setup.schedule.alpha_bar[t]
    weights = setup.grammar.weights(strings)
    evidence = x @ signs.T * alpha_bar.sqrt() / (1 - alpha_bar)
    truth = (evidence + weights.log()).softmax(1) @ signs
    torch.testing.assert_close(setup.references["train"](x, t), truth, rtol=1e-8, atol=1e-8)
    unweighted = exact.train(strings, setup.renderer, setup.schedule)(x, t)
    assert ((truth - unweighted).abs().max() > 1e-2) == (experiment is CORRELATED)
    assert list(setup.references) == list(exact.NAMES)


@pytest.mark.parametrize("symbols", [2, 10, 127, 128, 999, 12_000])
def test_the_smallest_integer_holds_every_symbol(symbols):
    tokens = torch.tensor([-1, 0, symbols - 1])
    stored = tokens.to(smallest_integer(symbols))
    assert torch.equal(stored.long(), tokens) and stored.element_size() == (
        1 if symbols <= 127 else 2
    )
