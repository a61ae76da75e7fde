"""Stored flows: run once, read from then on, and gone on with where they were interrupted."""

import math
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch

from localbias.store import RECORDS, load, write_origin
from localbias.theory import stored as stored_flows
from localbias.theory.flow import Flow, flow
from localbias.theory.stored import AS_PRINTED, FLOWS, TO_THE_OPTIMUM, fingerprint, run
from localbias.theory.trace import Sample, Trace, first_growth, goals, measure, stairs

SMALL = Flow(3, steps=500, width=24, batch=64)
MEASURED = [f.name for f in fields(Trace) if f.name not in ("config", "levels", "states")]


@pytest.fixture
def stored(tmp_path):
    """A folder with the record of one small flow."""
    run(SMALL, folder=tmp_path, runs=tmp_path / "runs")
    return tmp_path


def files_of(folder):
    """The names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def no_flow(*_):
    raise AssertionError("trained again")


def test_a_flow_is_run_once_and_read_from_then_on(tmp_path, monkeypatch):
    first = run(SMALL, folder=tmp_path, runs=tmp_path / "runs")
    monkeypatch.setattr("localbias.theory.stored.flow", no_flow)
    again = run(replace(SMALL), folder=tmp_path)
    sample = Sample(SMALL)
    plain = measure(flow(SMALL), sample, below=goals(sample.levels).left)
    assert (
        first.config == again.config == SMALL
        and first.levels == again.levels == plain.levels
        and not again.states
    )
    for name in MEASURED:
        one, other, expected = (getattr(trace, name) for trace in (first, again, plain))
        assert torch.equal(one, other) and one.dtype == expected.dtype
        assert torch.equal(one, expected.float().double() if name in ("axis", "rest") else expected)
    assert stairs(again).left < again.time[-1] and first_growth(again) == pytest.approx(
        first_growth(plain), rel=1e-6
    )


def test_where_a_flow_ends_is_part_of_its_record(stored):
    until = {name: run(SMALL, name, stored) for name in ("linear", "univariate", None)}
    until["left"] = run(SMALL, folder=stored)
    lengths = [len(until[name].step) for name in ("linear", "univariate", "left", None)]
    assert (
        lengths == sorted(set(lengths))
        and until[None].step[-1] == SMALL.steps
        and len(files_of(stored)) == 8
    )
    for name in ("linear", "univariate", "left"):
        goal = getattr(goals(until[name].levels), name)
        assert until[name].loss[-1] < goal < until[name].loss[:-1].min()
    with pytest.raises(
        ValueError, match="until='right'; allowed: linear, univariate, left, optimum, None"
    ):
        run(SMALL, "right", stored)


def test_a_stored_flow_says_where_it_comes_from(stored):
    (path,) = stored.glob("*.json")
    origin, arrays = load(path).origin, load(path).arrays
    assert origin["experiment"] == {"flow": asdict(SMALL), "until": "left"}
    assert path.stem == f"flow-3-s0-{origin['key']}" and origin["fingerprint"] == fingerprint(SMALL)
    (process,) = origin["processes"]
    assert process["seconds"] > 0 and process["steps"] == [0, arrays["step"][-1]]
    single = {name for name, array in arrays.items() if array.dtype == np.float32}
    assert arrays.keys() == set(MEASURED) and single == {"axis", "rest"}


def test_another_flow_has_another_record(stored):
    run(replace(SMALL, seed=1), folder=stored)
    run(replace(SMALL, rate=0.09), folder=stored)
    run(
        Flow(3, 0.7, 500, width=24, batch=64, rate=0.1), folder=stored
    )  # the first, its defaults spelt out
    assert len({path.stem for path in stored.glob("*.json")}) == 3


def test_a_record_of_another_flow_is_refused(stored):
    (path,) = stored.glob("*.json")
    origin = load(path).origin
    for part in (
        {"flow": asdict(replace(SMALL, seed=1)), "until": "left"},
        {"flow": asdict(SMALL), "until": None},
    ):
        write_origin(path, origin | {"experiment": part})
        with pytest.raises(
            ValueError, match=f"{path.name} holds another configuration than its name says"
        ):
            run(SMALL, folder=stored)


@pytest.mark.parametrize(
    "experiment",
    [
        {},
        {"flow": {}, "until": "left"},
        {"flow": {"d": 3, "no": 1}, "until": "left"},
        {"flow": {"d": 2}, "until": "left"},
    ],
)
def test_a_record_without_a_flow_is_refused(stored, experiment):
    (path,) = stored.glob("*.json")
    write_origin(path, load(path).origin | {"experiment": experiment})
    with pytest.raises(ValueError, match=f"{path.name} is damaged: its configuration is not one"):
        run(SMALL, folder=stored)


def test_damaged_arrays_are_refused(stored):
    (path,) = stored.glob("*.npz")
    arrays = dict(np.load(path))
    np.savez(path, **arrays | {"loss": arrays["loss"] + 1e-9})
    with pytest.raises(ValueError, match=f"{path.name} is damaged: its hash"):
        run(SMALL, folder=stored)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"{path.name} is damaged"):
        run(SMALL, folder=stored)


def test_a_flow_that_fails_leaves_no_record(tmp_path):
    with pytest.raises(FloatingPointError):
        run(replace(SMALL, rate=1e9, bound=math.inf), folder=tmp_path)
    assert files_of(tmp_path) == []


def test_fingerprints_are_repeatable_and_see_the_settings():
    now = fingerprint(SMALL)
    assert now == fingerprint(SMALL) == fingerprint(replace(SMALL, steps=7)) and now["loss"] < 0.8
    for change in ({"seed": 1}, {"rate": 0.101}, {"alpha_bar": 0.71}, {"batch": 128}):
        other = fingerprint(replace(SMALL, **change))
        assert all(abs(other[name] - now[name]) > 1e-4 for name in now), change


def test_committed_flows_are_whole_and_speak_for_the_present_code(monkeypatch):
    records = sorted((RECORDS / "theory").glob("*.json"))
    assert {path.stem for path in (RECORDS / "theory").glob("*.npz")} == {
        path.stem for path in records
    }
    expected = {(config, "left") for config in FLOWS.values()}
    expected |= {(config, "optimum") for config in TO_THE_OPTIMUM} | {(AS_PRINTED, None)}
    assert len(records) == len(expected)
    for path in records:
        found = load(path)
        config, until = Flow(**found.experiment["flow"]), found.experiment["until"]
        expected.remove((config, until))
        assert fingerprint(config) == pytest.approx(
            found.origin["fingerprint"], rel=1e-3, abs=1e-5
        ), path.name
        with monkeypatch.context() as patch:
            patch.setattr(
                "localbias.theory.stored.flow", no_flow
            )  # its record is this one, and nothing is trained
            trace = run(config, until)
        if until:
            there = getattr(stairs(trace), until) < math.inf
            assert there == (config.d <= 8) == (trace.step[-1] < config.steps), path.name
    assert not expected


class Killed(BaseException):
    """What ends a run at a chosen moment."""


@pytest.mark.parametrize("last", [1, 60, 239])
def test_a_flow_that_was_killed_goes_on_and_ends_the_same(last, tmp_path, monkeypatch):
    whole = run(SMALL, None, tmp_path / "whole", tmp_path / "runs")
    monkeypatch.setattr(stored_flows, "SAVE_EVERY", -1)

    def killed(config, state=None):
        for passed in flow(config, state):
            if passed.step > last:
                raise Killed
            yield passed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(stored_flows, "flow", killed)
        run(SMALL, None, tmp_path / "again", tmp_path / "runs")
    begun = []

    def counted(config, state=None):
        if state is not None:  # a fingerprint's flow starts afresh
            begun.append(state.step)
        return flow(config, state)

    monkeypatch.setattr(stored_flows, "flow", counted)
    again = run(SMALL, None, tmp_path / "again", tmp_path / "runs")
    assert begun == [last] and files_of(tmp_path / "runs") == []
    for name in MEASURED:
        assert torch.equal(getattr(whole, name), getattr(again, name)), name
    (path,) = (tmp_path / "again").glob("*.json")
    between = [process["steps"] for process in load(path).origin["processes"]]
    assert between == [[0, last], [last, SMALL.steps]]


def test_a_damaged_checkpoint_of_a_flow_is_named(tmp_path):
    stem = stored_flows._stem(SMALL, "left")
    (tmp_path / f"{stem}.safetensors").write_bytes(b"torn")
    with pytest.raises(ValueError, match=f"{stem}.safetensors is damaged"):
        run(SMALL, folder=tmp_path / "records", runs=tmp_path)
