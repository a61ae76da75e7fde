"""Runs: stored once, killed anywhere without a trace, and compared."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata

import numpy as np
import pytest
import torch

from localbias import measure, store
from localbias.experiments import (
    Sampling,
    Setup,
    catalogue,
    engine,
    from_configuration,
    reference_counts,
)
from localbias.training import State, train

SMOKE = catalogue.make("parity-8-scalars", "smoke")
KEEPING = SMOKE.replace(
    keep=(10, 20), training=replace(SMOKE.training, clip=1.0, warmup=2, decay="linear")
)

PROBED_ONCE = {"probe_tokens", "probe_t", "reference_ldr", "clean", "noised"}
PROBED_ALONG = {"ldr", "ldr_covariance", "excess", "denoised", "heat"}
PROBED_AT_THE_END = {
    "generated_ldr",
    "generated_covariance",
    "generated_t",
    "matrix",
    "matrix_reference",
}


class Killed(BaseException):
    """What ends a run at a chosen moment."""


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return dict(device="cpu", folder=folder / "records", runs=folder / "runs")


@pytest.fixture(scope="module")
def undisturbed(places):
    return engine.run(KEEPING, smoke=SMOKE, **places)


@pytest.fixture
def elsewhere(tmp_path):
    return dict(device="cpu", folder=tmp_path / "records", runs=tmp_path / "runs")


def arrays_of(found):
    return found.origin["arrays_sha256"], found.weights and found.weights.read_bytes()


def files_of(folder):
    """The names of the files in a folder, its locks apart."""
    return sorted(path.name for path in folder.glob("*") if path.name != ".locks")


def test_a_run_is_stored(undisturbed, places):
    assert undisturbed.path == places["folder"] / f"{KEEPING.stem}.json"
    assert not files_of(places["runs"])  # a finished run leaves no checkpoint
    assert engine.find(KEEPING, places["folder"]) == undisturbed

    arrays, samples = undisturbed.arrays, KEEPING.sampling.samples
    probed = PROBED_ONCE | PROBED_ALONG | PROBED_AT_THE_END
    assert arrays.keys() == {"step", "counts", "tokens", "samples", "loss"} | probed
    assert all(
        len(arrays[name]) == 3 for name in PROBED_ALONG
    )  # before training and at both measured steps
    assert arrays["step"].tolist() == [10, 20]
    assert arrays["counts"].shape == (2, 4) and (arrays["counts"].sum(1) == samples).all()
    assert arrays["tokens"].shape == (2, samples, 8) and arrays["tokens"].dtype == np.int8
    assert arrays["samples"].shape == (2, KEEPING.shown, 8) and arrays["samples"].dtype == np.uint8
    assert (
        arrays["loss"].shape == (20,)
        and np.isfinite(arrays["loss"]).all()
        and (arrays["loss"] > 0).all()
    )


def test_the_arrays_agree_with_each_other(undisturbed):
    """Counts are the outcomes of the tokens, and tokens are what the decoder reads in the pixels."""
    setup, arrays = Setup(KEEPING), undisturbed.arrays
    for counts, tokens, pixels in zip(arrays["counts"], arrays["tokens"], arrays["samples"]):
        tokens = torch.from_numpy(tokens).long()
        assert (
            measure.tally(tokens, setup.grammar, setup.train_strings).counts.tolist()
            == counts.tolist()
        )
        signals = torch.from_numpy(pixels).float() / 127.5 - 1
        sure = (
            signals.abs() - 0.5
        ).abs() > 0.01  # the decoder reads |x| ≥ ½; the pixels are rounded
        assert (
            (setup.reader(signals) == tokens[: KEEPING.shown]) | ~sure
        ).all() and sure.float().mean() > 0.9


def test_an_origin_says_where_the_numbers_came_from(undisturbed):
    origin = undisturbed.origin
    assert origin["key"] == KEEPING.key and origin["experiment"] == KEEPING.configuration
    assert origin["data_sha256"] == Setup(KEEPING).data_hash()
    assert origin["parameters"] == sum(p.numel() for p in Setup(KEEPING).denoiser().parameters())
    assert origin["fingerprint"] == engine.fingerprint(SMOKE)
    assert (
        origin["chance"]
        == measure.chance(Setup(KEEPING).grammar, Setup(KEEPING).train_strings).tolist()
    )
    (process,) = origin["processes"]
    assert process["device"] == "cpu" and process["threads"] == torch.get_num_threads()
    assert process["libraries"]["torch"] == metadata.version("torch") and process["code"]
    assert process["steps"] == [0, 20] and undisturbed.seconds == process["seconds"] >= 0


def test_a_long_curve_is_averaged_over_equal_stretches(monkeypatch, undisturbed, elsewhere):
    monkeypatch.setattr(engine, "LOSS_POINTS", 6)
    loss = engine.run(KEEPING, **elsewhere).arrays["loss"]
    assert np.allclose(loss, undisturbed.arrays["loss"].reshape(5, 4).mean(1), rtol=1e-5)


def test_a_stored_run_is_returned_without_training(undisturbed, places, monkeypatch):
    monkeypatch.setattr(engine, "_train", None)
    assert engine.run(KEEPING, **places) == undisturbed
    with pytest.raises(TypeError):  # another experiment would train
        engine.run(KEEPING.replace(seed=1), **places)


def often(monkeypatch):
    """Checkpoints after every step."""
    monkeypatch.setattr(engine, "FIRST_SAVE", -1)
    monkeypatch.setattr(engine, "SAVE_EVERY", -1)


def kill_at_step(step):
    def killing(*arguments):
        for state in run_train(*arguments):
            if state.step == step and state.denoiser is not state.average:
                raise Killed
            yield state

    run_train = engine.train
    return "train", killing


def kill_after_checkpoint(step):
    def killing(path, state, *rest):
        save(path, state, *rest)
        if state.step == step:
            raise Killed

    save = engine.save_checkpoint
    return "save_checkpoint", killing


def kill_after_measuring(step):
    def killing(setup, state, measured):
        measure(setup, state, measured)
        if state.step == step and setup.experiment == KEEPING:
            raise Killed

    measure = engine._measure
    return "_measure", killing


def killed_then_run_again(name, killing, places, monkeypatch):
    """A run with checkpoints at every step is killed and started again; with it, the steps of the second start."""
    often(monkeypatch)
    monkeypatch.setattr(engine, "fingerprint", lambda _: {})  # a training of its own
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(engine, name, killing)
        engine.run(KEEPING, **places)
    assert store.all_records(folder=places["folder"]) == []

    steps, real = [], engine.train

    def counted(*arguments):
        for state in real(*arguments):
            steps.append(state.step)
            yield state

    monkeypatch.setattr(engine, "train", counted)
    found = engine.run(KEEPING, **places)
    assert not files_of(places["runs"])
    return found, steps


@pytest.mark.parametrize(
    "killing, first",
    [
        (kill_at_step(1), 1),
        (kill_at_step(2), 2),
        (kill_at_step(11), 11),
        (kill_at_step(20), 20),
        (kill_after_checkpoint(10), 11),
        (kill_after_checkpoint(19), 20),
        (kill_after_checkpoint(20), 21),
        (kill_after_measuring(10), 10),
        (kill_after_measuring(20), 20),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_killed_and_run_again_ends_with_the_same_arrays(
    killing, first, undisturbed, elsewhere, monkeypatch
):
    found, steps = killed_then_run_again(*killing, elsewhere, monkeypatch)
    assert steps == list(range(first, 21))
    assert arrays_of(found) == arrays_of(undisturbed)
    between = [process["steps"] for process in found.origin["processes"]]
    assert between == ([[0, first - 1], [first - 1, 20]] if first > 1 else [[0, 20]])


def test_killed_while_its_record_is_written(undisturbed, elsewhere, monkeypatch):
    def killing(*_):
        raise Killed

    often(monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(store.record, "write_atomically", killing)
        engine.run(KEEPING, **elsewhere)
    assert store.all_records(folder=elsewhere["folder"]) == []
    assert arrays_of(engine.run(KEEPING, **elsewhere)) == arrays_of(undisturbed)


LONGER = KEEPING.replace(
    training=replace(KEEPING.training, steps=300), measure_at=(150, 300), keep=(300,)
)
CHILD = """
import json, sys, time
from pathlib import Path
import torch
from localbias import store
from localbias.experiments import engine, from_configuration
torch.set_num_threads(int(sys.argv[1]))
engine.FIRST_SAVE = engine.SAVE_EVERY = -1
store.save = lambda *_: time.sleep(60)  # were the killer slow, it would still find the run unfinished
engine.run(from_configuration(json.loads(sys.argv[2])), "cpu", None, Path(sys.argv[3]), Path(sys.argv[4]))
"""


def test_a_process_killed_by_the_system(elsewhere, places):
    arguments = [
        torch.get_num_threads(),
        json.dumps(LONGER.configuration),
        elsewhere["folder"],
        elsewhere["runs"],
    ]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, arguments)], stderr=subprocess.DEVNULL
    )
    checkpoint = elsewhere["runs"] / f"{LONGER.stem}.safetensors"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # into the middle of things
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL and checkpoint.exists()
    assert store.all_records(folder=elsewhere["folder"]) == []
    assert arrays_of(engine.run(LONGER, **elsewhere)) == arrays_of(engine.run(LONGER, **places))


def test_a_record_holds_each_loss_and_what_the_averaged_network_drew(undisturbed):
    """Trained again by hand; kept weights are the averaged ones at half precision."""
    setup, losses, tokens = Setup(KEEPING), [], []
    state = State.fresh(setup.denoiser(), KEEPING.training)
    for state in train(state, KEEPING.training, setup.draw, KEEPING.seed):
        losses.append(state.loss)
        if state.step in KEEPING.keep:
            tokens.append(setup.reader(setup.sample(state.average)))
            kept = engine.load_network(undisturbed, state.step)
            assert not kept.training and kept.reads == KEEPING.reads
            for name, weight in state.average.state_dict().items():
                assert torch.equal(kept.state_dict()[name], weight.half().float()), name
    assert np.array_equal(undisturbed.arrays["loss"], np.float32(losses))
    assert np.array_equal(undisturbed.arrays["tokens"], torch.stack(tokens))
    assert not torch.equal(state.average.network.first.weight, state.denoiser.network.first.weight)


def test_weights_that_were_not_kept(undisturbed, places):
    with pytest.raises(
        ValueError, match=r"step 15; record parity-8-scalars.*kept the weights of \[10, 20\]"
    ):
        engine.load_network(undisturbed, 15)
    with pytest.raises(ValueError, match=r"step 20.*kept the weights of \[\]"):
        engine.load_network(engine.run(SMOKE, **places), 20)


def test_a_record_of_another_configuration_under_the_same_name(undisturbed, elsewhere):
    origin = undisturbed.origin | {"experiment": KEEPING.replace(n_train=65).configuration}
    found = store.save(KEEPING.stem, origin, {}, None, elsewhere["folder"])
    with pytest.raises(ValueError, match=f"{found.path.name} holds another configuration"):
        engine.run(KEEPING, **elsewhere)


def test_a_record_of_other_data_is_refused(undisturbed, elsewhere):
    origin = undisturbed.origin | {"data_sha256": "0" * 64}
    found = store.save(KEEPING.stem, origin, {}, None, elsewhere["folder"])
    with pytest.raises(ValueError, match=f"{found.path.name} was made of other data"):
        engine.run(KEEPING, **elsewhere)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_record_whose_files_are_gone_is_refused(suffix, undisturbed, elsewhere):
    weights = undisturbed.weights.read_bytes()
    found = store.save(
        KEEPING.stem, undisturbed.origin, undisturbed.arrays, weights, elsewhere["folder"]
    )
    found.path.with_suffix(f".{suffix}").unlink()
    with pytest.raises(ValueError, match=f"{suffix} is damaged: No such file"):
        engine.run(KEEPING, **elsewhere)


def test_a_record_older_than_a_field_is_found(undisturbed, elsewhere):
    """Its configuration lacks the field; its key, from which fields at their default are left out, is the same."""
    configuration = {
        name: value for name, value in KEEPING.configuration.items() if name != "rendering"
    }
    store.save(
        KEEPING.stem,
        undisturbed.origin | {"experiment": configuration},
        {},
        None,
        elsewhere["folder"],
    )
    assert engine.find(KEEPING, elsewhere["folder"]).experiment == configuration


def test_several_processes_train_once(elsewhere):
    """Two want the same record at once: one trains it, the other waits, and both return it."""
    code = CHILD.replace("store.save = ", "unused = ") + "print(torch.initial_seed())"
    arguments = [
        torch.get_num_threads(),
        json.dumps(KEEPING.configuration),
        elsewhere["folder"],
        elsewhere["runs"],
    ]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    both = [
        subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [child.communicate(timeout=120)[1] for child in both]
    assert [child.returncode for child in both] == [0, 0], told
    found = engine.find(KEEPING, elsewhere["folder"])
    assert len(found.origin["processes"]) == 1 and not files_of(elsewhere["runs"])
    trained = [text.count("20/20") > 0 for text in told]
    assert sum(trained) == 1, told


def test_what_diverges_is_never_stored(elsewhere):
    wild = SMOKE.replace(
        training=replace(SMOKE.training, steps=1, rate=1e20), measure_at=(1,), probing=None
    )
    with pytest.raises(FloatingPointError, match=r"NaN or infinity at step 1: lower rate=1e\+20"):
        engine.run(wild, **elsewhere)
    assert not files_of(elsewhere["folder"])


def test_weights_too_large_for_half_precision_are_refused(undisturbed):
    denoiser = Setup(KEEPING).denoiser()
    torch.nn.init.constant_(denoiser.network.last.bias, 1e6)
    with pytest.raises(
        FloatingPointError, match=r"last\.bias at step 3 is too large to be kept as float16"
    ):
        engine.Measured(20).keep(3, denoiser)


@pytest.mark.parametrize("which", ["folder", "runs"])
def test_a_folder_that_cannot_be_written_into_stops_before_the_training(
    which, elsewhere, monkeypatch
):
    elsewhere[which].parent.mkdir(exist_ok=True)
    elsewhere[which].write_text("a file in the way")
    monkeypatch.setattr(engine, "_train", None)
    with pytest.raises(OSError, match=f"nothing can be written into .*{elsewhere[which].name}"):
        engine.run(SMOKE, **elsewhere)


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_run_goes_on(
    undisturbed, elsewhere, monkeypatch, capsys
):
    def full(*_):
        raise OSError(28, "No space left on device")

    often(monkeypatch)
    monkeypatch.setattr(engine, "save_checkpoint", full)
    found = engine.run(KEEPING, **elsewhere)
    assert arrays_of(found) == arrays_of(undisturbed)
    assert "could not be written: [Errno 28] No space left on device" in capsys.readouterr().err


def test_the_last_step_leaves_a_checkpoint(undisturbed, elsewhere, monkeypatch):
    """Nothing is due in these seconds, and yet what comes after the training can be tried again."""
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(engine, "_measure_end", lambda *_: (_ for _ in ()).throw(Killed()))
        engine.run(KEEPING, **elsewhere)
    assert files_of(elsewhere["runs"]) == [f"{KEEPING.stem}.safetensors"]
    monkeypatch.setattr(engine, "train", lambda *_: iter(()))
    assert arrays_of(engine.run(KEEPING, **elsewhere)) == arrays_of(undisturbed)


@pytest.mark.parametrize("name", ["../../evil", "", "a/b", ".hidden", "a b", "x" * 101, None, "ä"])
def test_names_cannot_leave_the_folder(name):
    with pytest.raises(
        ValueError, match=r"experiment\.name=.*allowed: (letters, digits|a value of the type str)"
    ):
        SMOKE.replace(name=name)


def test_smoke_records_lie_apart():
    assert engine.records_of("smoke") == store.RUNS / "smoke" != engine.records_of("laptop")


def test_a_damaged_checkpoint_stops_the_run_by_name(elsewhere):
    elsewhere["runs"].mkdir()
    (elsewhere["runs"] / f"{SMOKE.stem}.safetensors").write_bytes(b"half")
    with pytest.raises(ValueError, match=f"{SMOKE.stem}.safetensors is damaged"):
        engine.run(SMOKE, **elsewhere)


def test_an_unknown_device(elsewhere):
    with pytest.raises(ValueError, match="device='tpu'"):
        engine.run(SMOKE, **elsewhere | {"device": "tpu"})


def test_an_experiment_of_ones_own_is_recorded_without_a_fingerprint(elsewhere):
    found = engine.run(SMOKE.replace(name="mine"), **elsewhere)
    assert found.origin["fingerprint"] is None and found.arrays["step"].tolist() == list(
        SMOKE.measure_at
    )


def test_what_the_exact_denoisers_draw():
    """rule: valid strings only, seen or held out alike; train: training strings only; marginals: chance."""
    setup = Setup(SMOKE.replace(sampling=Sampling(samples=400, steps=100)))
    counts = reference_counts(setup)
    assert counts.keys() == {"marginals", "rule", "train"}
    assert counts["train"].tolist() == [0, 0, 400, 0]
    assert counts["rule"][:2].tolist() == [0, 0] and abs(counts["rule"][3] - 200) < 4 * 10
    for count, share in zip(
        counts["marginals"], measure.chance(setup.grammar, setup.train_strings), strict=True
    ):
        assert abs(count - 400 * share) <= 4 * (400 * share * (1 - share)) ** 0.5


def test_fingerprints_are_repeatable_and_see_the_seed():
    assert (
        engine.fingerprint(SMOKE)
        == engine.fingerprint(SMOKE)
        != engine.fingerprint(SMOKE.replace(seed=1))
    )


RECORDS = sorted(store.RECORDS.glob("*-laptop-*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_what_a_record_shows_is_read_as_it_was_counted(path):
    """The present decoder reads the stored pictures as the stored tokens: it has not changed since the engine."""
    found = store.load(path)
    reader = Setup(from_configuration(found.experiment)).reader
    pixels, tokens = found.arrays["samples"], found.arrays["tokens"]
    shown = pixels.shape[1]
    signals = torch.from_numpy(pixels).flatten(0, 1)
    signals = signals if found.arrays["samples"].dtype == np.float32 else signals / 127.5 - 1
    again = reader(signals).reshape(len(pixels), shown, -1)
    same = (again.numpy() == tokens[:, :shown]).mean()
    assert (
        same > 0.97
    )  # all but a few symbols at a threshold, which eight bits a pixel can push over it
