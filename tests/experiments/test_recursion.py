"""Chains of networks on each other's samples, and what each treatment keeps."""

import numpy as np
import pytest
import torch

from localbias.experiments import Setup, catalogue, recursion
from localbias.experiments.generations import Drawn, balanced, row
from localbias.experiments.recursion import Chain, _treated, run


@pytest.fixture
def smoke():
    return {name: catalogue.chain(name, "smoke") for name in recursion.TREATMENTS}


def test_a_chain_is_stored_once_and_found_again(smoke, tmp_path):
    folders = {"folder": tmp_path / "chains", "runs": tmp_path / "runs"}
    first = run(smoke["none"], "cpu", **folders)
    again = run(smoke["none"], "cpu", **folders)
    assert first.path == again.path and len(list((tmp_path / "chains").glob("*.json"))) == 1
    assert recursion.stem_of(first.experiment) == smoke["none"].stem
    arrays = first.arrays
    assert arrays["bad"].shape == (3,) and arrays["modes"].shape == (3, 25)
    assert arrays["bad"][0] == 0 and arrays["width"][0] == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(arrays["modes"].sum(1) / 200, 1 - arrays["bad"])
    fresh = run(smoke["none"], "cpu", tmp_path / "other", tmp_path / "runs")
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, fresh.arrays[name])


def test_the_control_has_no_network_and_lies_near_its_modes(tmp_path):
    made = catalogue.chain("exact", "smoke")
    fine = made.experiment.sampling.__class__(200, 1000, 1.0, None)
    control = Chain(made.experiment.replace(sampling=fine), "exact", 2, 200)
    arrays = run(control, "cpu", tmp_path / "chains", tmp_path / "runs").arrays
    assert (arrays["bad"] == 0).all() and (np.diff(arrays["width"]) < 0).all()


def test_treatments_keep_what_they_say():
    drawn, moves = torch.arange(50.0)[:, None], torch.arange(50.0).flip(0)
    kept = {}
    for name in ("filter", "random", "none"):
        chain = Chain(catalogue.make("grid-25-gentle", "smoke"), name, 1, 40)
        treated = _treated(chain, Drawn(drawn), moves, torch.Generator().manual_seed(0))
        kept[name] = treated.signals[:, 0]
    assert kept["filter"].sort().values.tolist() == list(range(10, 50))  # the 40 that moved least
    assert kept["filter"].tolist() != sorted(kept["filter"].tolist(), reverse=True)  # not by order
    assert len(set(kept["random"].tolist())) == 40 and kept["random"].min() < 10


def test_sorted_points_stay_in_order_and_are_read_so():
    """What the released code does: the last batches are those that moved most."""
    drawn, moves = torch.arange(50.0)[:, None], torch.arange(50.0).flip(0)
    chain = Chain(catalogue.make("grid-25-gentle", "smoke"), "sorted", 1, 40)
    kept = _treated(chain, Drawn(drawn), moves, torch.Generator().manual_seed(0))
    assert kept.signals[:, 0].tolist() == list(range(49, 9, -1))


def test_batches_in_order_go_through_the_points_and_begin_again(monkeypatch):
    chain, seen = catalogue.chain("sorted", "smoke"), []

    def train(state, config, draw, seed):
        for state.step in range(3):
            seen.append(draw(torch.Generator(), 4)[:, 0].tolist())
            yield state

    monkeypatch.setattr(recursion, "train", train)
    points = Drawn(torch.arange(5.0)[:, None].expand(-1, 2))
    recursion._trained(chain, Setup(chain.experiment), points, 1, torch.device("cpu"))
    assert seen == [[0, 1, 2, 3], [4, 0, 1, 2], [3, 4, 0, 1]]


def test_keys_tell_treatments_and_experiments_apart(smoke):
    keys = {chain.key for chain in smoke.values()}
    other = Chain(smoke["none"].experiment.replace(seed=1), "none", 2, 200)
    assert len(keys | {other.key}) == 6
    assert smoke["none"].stem.startswith("grid-25-gentle-none-smoke-s0-")


@pytest.mark.parametrize(
    "options, sentence",
    [
        (dict(treatment="drop"), "treatment='drop'; allowed: filter, sorted, random, none, exact"),
        (dict(generations=0), "generations=0"),
        (dict(points=1), "points=1"),
        (dict(dropped=1.0), r"dropped=1\.0"),
        (dict(window=1), "window=1"),
    ],
)
def test_what_is_no_chain_is_refused(options, sentence):
    fields = dict(treatment="none") | options
    with pytest.raises(ValueError, match=sentence):
        Chain(catalogue.make("grid-25-gentle", "smoke"), **fields)


def test_a_chain_of_pictures_is_refused(tmp_path):
    chain = Chain(catalogue.make("parity-8-unet", "smoke"), "none", 1, 10)
    with pytest.raises(ValueError, match="'parity-8-unet', which shows no points and no single"):
        run(chain, "cpu", tmp_path / "chains", tmp_path / "runs")


def test_a_network_of_digits_is_told_most_labels(monkeypatch):
    chain, told = catalogue.digit_chain("none", "smoke"), []

    def train(state, config, draw, seed):
        draw(torch.Generator().manual_seed(0), 10_000)
        told.append(state.denoiser.network.labels)
        yield state

    monkeypatch.setattr(recursion, "train", train)
    data = Drawn(torch.zeros(50, 1, 14, 14), balanced(50))
    recursion._trained(chain, Setup(chain.experiment), data, 0, torch.device("cpu"))
    counts = told[0].bincount(minlength=11) / 10_000
    assert counts[10].item() == pytest.approx(0.1, abs=0.01)
    assert counts[:10].tolist() == pytest.approx([0.09] * 10, abs=0.01)


def test_digits_need_a_network_with_labels_and_have_no_exact_score(tmp_path):
    chain = catalogue.digit_chain("none", "smoke")
    plain = chain.experiment.replace(network=dict(kind="mlp", width=8))
    folders = tmp_path / "chains", tmp_path / "runs"
    with pytest.raises(ValueError, match="a MLP for signals with labels; allowed: labelled"):
        run(Chain(plain, "none", 1, 100), "cpu", *folders)
    with pytest.raises(ValueError, match="treatment='exact' of 'digits'; allowed: of points"):
        run(Chain(chain.experiment, "exact", 1, 100), "cpu", *folders)


def test_the_paper_tier_of_digits_is_the_other_papers():
    made = catalogue.digit_chain("filter", "paper")
    training, drawn = made.experiment.training, made.points / (1 - made.dropped)
    assert (made.generations, made.points) == (5, 60_000) and round(drawn, -2) == 65_000
    assert training.rate == 1e-4 and training.steps * training.batch == pytest.approx(
        50 * 60_000, rel=1e-3
    )
    assert made.experiment.schedule.steps == made.experiment.sampling.steps == 500


def test_a_renderer_that_nothing_is_measured_of_is_named():
    with pytest.raises(ValueError, match=r"renderer str; chains are measured of: \w+, \w+"):
        row("pictures", None, None, None)
