"""The experiments of the book: what they are made of, that each runs, and whether the records speak for this code."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from localbias import networks, store
from localbias.experiments import TIERS, Sampling, Setup, catalogue, engine, from_configuration
from localbias.training import State, train

# Between thread counts and instruction sets (AVX-512, plain x86-64) these numbers differed by 3e-6 of themselves at
# most; a learning rate larger by a tenth moves at least one of them by 1.6e-2.
TOLERANCE = 1e-3
NAMES = list(catalogue.EXPERIMENTS)
OTHER = set(catalogue.MODES)  # of the other paper: tests/experiments/test_mixtures.py
PAPER = [name for name in NAMES if "paper" in catalogue.tiers(name) and name not in OTHER]
RECORDS = sorted(path.name for path in store.RECORDS.glob("*.json"))


@cache
def fingerprint(name):
    return engine.fingerprint(catalogue.make(name, "smoke"))


def agrees(found, expected):
    return found.keys() == expected.keys() and all(
        found[name] == pytest.approx(expected[name], rel=TOLERANCE) for name in expected
    )


def test_what_the_paper_trains_has_a_paper_tier_and_nothing_else():
    """§4.2: a UNet on parity, a UNet and a DiT on Quarter-MNIST."""
    assert {"parity-8-unet", "parity-16-unet", "quarter-unet-470", "quarter-dit-470"} <= set(PAPER)
    for name in set(NAMES) - OTHER:
        kind = catalogue.make(name).network["kind"]
        assert catalogue.tiers(name) == (
            TIERS if kind in ("unet", "dit") and name not in catalogue.OURS else TIERS[:2]
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_tier_is_an_experiment_of_its_own(name):
    keys = set()
    for tier in catalogue.tiers(name):
        for seed in (0, 1, 2):
            made = catalogue.make(name, tier, seed)
            assert (made.name, made.tier, made.seed) == (name, tier, seed)
            assert (
                made.measure_at[-1] == made.training.steps
            )  # the end of training is always looked at
            keys.add(made.key)
    assert len(keys) == 3 * len(catalogue.tiers(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_laptop_experiment_can_be_set_up(name):
    setup = Setup(catalogue.make(name, "laptop"))
    network = setup.denoiser().network
    assert network(torch.zeros(1, *setup.renderer.shape), torch.tensor([0])).shape == (
        1,
        *setup.renderer.shape,
    )
    assert setup.reader(setup.draw(torch.Generator().manual_seed(0), 1)).shape == (
        1,
        setup.grammar.length,
    )


@pytest.mark.parametrize(
    "name, share",
    [
        ("parity-8-unet", 0.5),
        ("parity-16-unet", 0.05),
        ("quarter-unet-470", 470 / 670),
    ],
)
def test_the_papers_share_of_the_valid_strings_is_trained_on(name, share):
    for tier in TIERS:
        setup = Setup(catalogue.make(name, tier))
        n, m = len(setup.train_strings), len(setup.held_out)
        assert n / (n + m) == pytest.approx(share, abs=1e-4)


def test_changes_replace_fields():
    changed = catalogue.make("parity-8-mlp", seed=2, n_train=32, reads="noise")
    assert changed.tier == "laptop" and (changed.n_train, changed.reads) == (32, "noise")
    assert changed.replace(n_train=64, reads="x0") == catalogue.make("parity-8-mlp", seed=2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("parity-9",), "unknown experiment 'parity-9'; did you mean parity-8-"),
        (("parity-8-scalers",), "did you mean parity-8-scalars, .*localbias list"),
        (("zzz",), "unknown experiment 'zzz'; `localbias list` names all"),
        (("parity-8-mlp", "huge"), "unknown tier 'huge'; known: smoke, laptop, paper"),
        (("parity-8-mlp", "paper"), "'parity-8-mlp' has no tier 'paper'; it has: smoke, laptop"),
        (("quarter-mlp-50", "paper"), "has no tier 'paper'"),
        (("parity-8-scalars", "paper"), "has no tier 'paper'"),
    ],
)
def test_what_is_unknown_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        catalogue.make(*arguments)


@pytest.mark.parametrize("name", NAMES)
def test_every_smoke_experiment_runs_to_its_end(name):
    numbers = fingerprint(name)
    assert all(map(math.isfinite, numbers.values()))
    large = "gain" in catalogue.make(name, "smoke").parts["network"]  # initial weights
    assert 0 < numbers["loss_last"] < numbers["loss_first"] < (100 if large else 3)
    low, high = (-4, 4) if catalogue.make(name).grammar["name"] == "modes" else (0, 255)
    assert low <= numbers["samples_mean"] <= high  # points stand as they are, pictures in bytes
    assert numbers["samples_std"] > 0


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_tier_has_the_papers_settings(name):
    """§4.2, A.1 and A.5 of the paper: every choice that it states."""
    made = catalogue.make(name, "paper")
    assert made.target == "noise" and (made.sampling.steps, made.sampling.eta) == (1000, 1)  # Eq. 7
    if made.grammar["name"] == "quarter_sum":
        assert made.rendering == "fresh" and made.renderer["exemplars"] == 1000  # A.5, of 6,000
    if made.grammar["name"] == "dyck":  # A.7.2: the second parenthesis, t = 96
        probing, at_96 = made.probing, made.schedule.alpha_bar[95].sqrt().item()
        assert probing.symbol == 1 and min(abs(at_96 - c) for c in probing.levels) < 0.002
    assert Setup(made).renderer.shape == (1, 64, 64)
    with torch.device("meta"):  # counted without being filled
        network = networks.make(shape=(1, 64, 64), **made.network)
    assert sum(p.numel() for p in network.parameters()) == (
        32_536_000 if "dit" in name else 35_705_089
    )
    training = made.training
    assert (training.batch, training.rate, training.warmup, training.decay) == (
        16,
        8e-5,
        0,
        "constant",
    )
    steps = {"parity": 1_100_000, "dyck": 170_000, "quarter": 180_000}
    assert training.steps == steps.get(
        name.partition("-")[0], 200_000
    )  # of Dyck words and text the last step that is shown (Figs 17, 21)
    assert made.reads == "noise" and (made.schedule.kind, made.schedule.steps) == ("linear", 1000)


@pytest.mark.parametrize("name", ["parity-8-unet", "quarter-dit-470"])
def test_the_paper_tier_takes_a_step(name):
    """With two signals a batch instead of sixteen, and two sampling steps, to keep it within seconds."""
    made = catalogue.make(name, "paper").replace(sampling=Sampling(samples=1, steps=2))
    config = replace(made.training, batch=2)
    setup = Setup(made)
    state = State.fresh(setup.denoiser(), config)
    before = [p.detach().clone() for p in state.denoiser.parameters()]
    state = next(train(state, config, setup.draw, made.seed))
    moved = max((p - q).abs().max().item() for p, q in zip(state.denoiser.parameters(), before))
    assert state.step == 1 and 0 < state.loss < 10
    assert moved == pytest.approx(8e-5, rel=0.01)  # Adam's first step is the learning rate
    signals = setup.sample(state.average)
    assert signals.shape == (1, 1, 64, 64) and setup.reader(signals).shape == (
        1,
        setup.grammar.length,
    )


def test_a_fingerprint_tells_a_learning_rate_from_another():
    """On the experiment that tells them apart least."""
    made = catalogue.make("quarter-dit-470", "smoke")
    training = replace(made.training, rate=1.1 * made.training.rate)
    assert agrees(engine.fingerprint(made), fingerprint("quarter-dit-470"))
    assert not agrees(
        engine.fingerprint(made.replace(training=training)), fingerprint("quarter-dit-470")
    )


def test_a_run_of_the_book_is_fingerprinted_by_its_smoke_tier(tmp_path):
    folders = {"folder": tmp_path / "records", "runs": tmp_path / "runs"}
    found = catalogue.run("parity-8-scalars", "smoke", 7, "cpu", **folders)
    assert found.origin["fingerprint"] == fingerprint("parity-8-scalars")  # of seed 0
    assert from_configuration(found.experiment).seed == 7


@pytest.mark.parametrize("name", RECORDS)
def test_a_committed_record_is_whole_and_of_the_catalogue(name):
    found = store.load(store.RECORDS / name)
    made = from_configuration(found.experiment)
    current = catalogue.make(made.name, made.tier, made.seed)
    assert found.origin["key"] == current.key, (
        f"{name} has a configuration that the catalogue no longer has"
    )
    assert engine.find(current) == found
    assert (found.arrays["counts"].sum(1) == current.sampling.samples).all()
    assert found.origin["data_sha256"] == Setup(current).data_hash(), (
        f"{name} was trained on other pictures than are drawn now"
    )
    if current.keep:
        assert found.weights.exists()


@pytest.mark.parametrize("name", RECORDS)
def test_a_committed_record_speaks_for_the_present_code(name):
    found = store.load(store.RECORDS / name)
    now = fingerprint(found.experiment["name"])
    assert agrees(found.origin["fingerprint"], now), (
        f"{name} was made by code that trained otherwise ({found.origin['fingerprint']}; now {now}): run it again"
    )


def test_no_file_of_the_records_is_without_its_origin():
    stems = {name.removesuffix(".json") for name in RECORDS}
    for path in store.RECORDS.glob("*"):
        assert path.suffix not in (".npz", ".safetensors") or path.stem in stems, path.name
