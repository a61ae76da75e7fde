"""Samples of a recorded network, drawn in another way."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from localbias import store
from localbias.experiments import Setup, catalogue, engine, samples
from localbias.experiments.samples import Samples, run

SMOKE = catalogue.make("dyck-8-unet", "smoke")
STEP = SMOKE.measure_at[-1]
KEEPING = SMOKE.replace(keep=(STEP,))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    engine.run(KEEPING, "cpu", folder=folder / "records", runs=folder / "runs")
    return folder


@pytest.fixture
def draw(trained):
    """draw(samples): its record, in the folder of the trained network's."""
    return lambda one: run(one, "cpu", trained / "records")


def test_the_ways_of_the_training_give_what_was_counted_then(draw, trained):
    """Of weights in half precision: a picture at the edge of being read may differ."""
    network = engine.find(KEEPING, trained / "records")
    for how, counts in (
        (KEEPING.sampling, network.arrays["counts"][-1]),
        (KEEPING.also[0], network.arrays["also"][0]),
    ):
        found = draw(Samples(KEEPING, STEP, how))
        assert found.arrays["counts"].sum() == how.samples
        assert np.abs(found.arrays["counts"] - counts).sum() <= 2
    pixels = draw(Samples(KEEPING, STEP, KEEPING.sampling)).arrays["samples"].astype(int)
    assert np.abs(pixels - network.arrays["samples"][-1].astype(int)).max() <= 4  # of 255


def test_they_are_drawn_once_and_found_again(draw, trained, monkeypatch):
    ancestral = Samples.ancestral(KEEPING, samples=5)
    assert (ancestral.step, ancestral.sampling.steps, ancestral.sampling.eta) == (STEP, 1000, 1.0)
    assert ancestral.sampling.clamp is None and ancestral.sampling.samples == 5
    quick = Samples.ancestral(KEEPING, samples=5, steps=8)
    first = draw(quick)
    assert first.path.parent == trained / "records" / "samples"
    assert samples.stem_of(first.experiment) == quick.stem
    monkeypatch.setattr(samples, "_run", None)
    assert draw(quick).path == first.path
    other = replace(quick, sampling=replace(quick.sampling, eta=0.5))
    assert (
        other.key != quick.key
        and quick.key == Samples.ancestral(KEEPING, None, samples=5, steps=8).key
    )


def test_noise_changes_the_samples_and_not_where_they_begin(draw):
    ways = [replace(KEEPING.sampling, eta=eta) for eta in (0.0, 1.0)]
    still, noisy = (draw(Samples(KEEPING, STEP, how)).arrays["samples"] for how in ways)
    assert (still != noisy).any()
    setup = Setup(KEEPING)
    first, second = (next(setup.reverse(setup.denoiser(), how=how)).x_t for how in ways)
    assert torch.equal(first, second)


def test_a_network_that_is_not_there_or_another_one_is_named(draw, trained, tmp_path):
    one = Samples.ancestral(KEEPING, samples=3, steps=4)
    with pytest.raises(ValueError, match=r"no record dyck-8-unet-smoke-s0-\w+, .*`localbias run`"):
        run(one, "cpu", tmp_path / "records")
    found = draw(one)
    origin = {k: v for k, v in found.origin.items() if k not in ("files", "arrays_sha256")}
    store.save(
        one.stem, origin | {"weights_sha256": "0" * 64}, found.arrays, None, found.path.parent
    )
    with pytest.raises(ValueError, match="was drawn of another network than dyck-8-unet-smoke"):
        draw(one)
    found.path.unlink()


def test_what_is_out_of_range_is_refused():
    with pytest.raises(
        ValueError, match=r"samples\.step=7; allowed: \d+ \(of 'dyck-8-unet', smoke"
    ):
        Samples.ancestral(KEEPING, 7)
    with pytest.raises(ValueError, match=r"samples\.step=20; allowed: none, since no weights"):
        Samples.ancestral(SMOKE)
    with pytest.raises(ValueError, match=r"sampling\.steps=1001; allowed: 2 to 1000"):
        Samples.ancestral(KEEPING, steps=1001)


def test_a_sample_that_is_no_number_is_no_result(draw, monkeypatch):
    monkeypatch.setattr(samples, "last", lambda states: torch.full((3, 1, 8, 32), torch.nan))
    with pytest.raises(
        FloatingPointError, match=r"holds NaN or infinity, drawn by Sampling\(samples=3, .*a clamp"
    ):
        draw(Samples.ancestral(KEEPING, samples=3, steps=5))
