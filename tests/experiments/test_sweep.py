"""Sweeps: which jobs there are, and what each is going to cost."""

import shlex

import pytest

from localbias.experiments import catalogue, engine
from localbias.experiments.sweep import Job, chosen, jobs, plan, seeds_of

NAME = "parity-8-scalars"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Records and checkpoints in folders of the test's own."""
    monkeypatch.setattr(engine, "records_of", lambda tier: tmp_path)
    monkeypatch.setattr(engine, "RUNS", tmp_path / "runs")
    return {"folder": tmp_path, "runs": tmp_path / "runs"}


def test_a_sweep_is_a_product():
    found = jobs([NAME, "parity-8-mlp"], "smoke", [0, 2], ["training.batch=4,8"])
    assert [(job.name, job.seed, job.experiment.training.batch) for job in found] == [
        (name, seed, batch)
        for name in (NAME, "parity-8-mlp")
        for seed in (0, 2)
        for batch in (4, 8)
    ]
    assert len({job.record for job in found}) == 8
    assert all(job.tier == job.experiment.tier == "smoke" for job in found)


def test_a_record_is_made_once():
    """Batch 16 is what the experiment has, so setting it is no other record."""
    twice = jobs([NAME, "parity-8-scalar?"], "smoke", [1, 1], ["training.batch=16"])
    (job,) = twice
    assert job.experiment == catalogue.make(NAME, "smoke", 1)


def test_a_command_says_all_of_a_job():
    job = Job(NAME, "smoke", 3, {"measure_at": [20], "reads": "v"})
    words = shlex.split(job.command)
    assert words[:2] == ["localbias", "run"] and words[2:] == job.arguments
    assert words[2:] == [
        *(NAME, "--tier", "smoke", "--seed", "3"),
        *("--set", "measure_at=[20]", "--set", "reads=v"),
    ]


def test_a_pattern_means_those_that_have_the_tier():
    assert chosen(["parity-8-mlp", "parity-8-unet"], "laptop") == ["parity-8-mlp", "parity-8-unet"]
    with pytest.raises(
        ValueError, match="no experiment of parity-8-scalars-\\* has the tier 'paper'"
    ):
        chosen(["parity-8-scalars-*"], "paper")
    with pytest.raises(ValueError, match="unknown tier 'huge'"):
        chosen(["*"], "huge")


def test_a_bad_setting_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match="steps=0"):
        jobs([NAME], "smoke", settings=["training.steps=0,20"])
    with pytest.raises(ValueError, match=r"experiment\.seed=-1"):
        jobs([NAME], "smoke", seeds=[-1])


@pytest.mark.parametrize(
    "text, seeds", [("0", [0]), ("0-2", [0, 1, 2]), ("3, 0-1,1", [3, 0, 1]), ("7-7", [7])]
)
def test_seeds_are_numbers_and_ranges(text, seeds):
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "2-0", "-1", "1-", "0;1"])
def test_other_seeds_are_refused(text):
    with pytest.raises(ValueError, match=f"seeds='{text}'; allowed"):
        seeds_of(text)


def test_a_plan_tells_what_is_there_and_what_the_rest_costs(elsewhere):
    asked = jobs([NAME], "smoke", [0, 1], ["training.batch=16,8"])
    done = asked[0].run("cpu", **elsewhere)
    elsewhere["runs"].mkdir(exist_ok=True)
    (elsewhere["runs"] / f"{asked[2].experiment.stem}.safetensors").touch()
    planned = plan(asked, odd=pytest.fail)
    assert [one.job for one in planned] == asked
    assert [one.record == done for one in planned] == [True, False, False, False]
    # Of the same batch there is a record, of the other there is none.
    assert [one.seconds for one in planned] == [None, None, pytest.approx(done.seconds), None]
    assert [one.begun for one in planned] == [False, False, True, False]


def test_a_changed_job_is_recorded_as_such(elsewhere):
    (job,) = jobs([NAME], "smoke", settings=["training.batch=8"])
    found = job.run("cpu", **elsewhere)
    assert found.path == job.record and found.experiment["training"]["batch"] == 8
    assert job.find() == found and Job(NAME, "smoke").find() is None
    assert found.origin["fingerprint"] == engine.fingerprint(catalogue.make(NAME, "smoke"))


def test_a_damaged_record_is_told_and_left_out(elsewhere):
    asked = jobs([NAME], "smoke", [0, 1])
    asked[0].record.write_text("{")
    told = []
    (left,) = plan(asked, told.append)
    assert left.job == asked[1] and len(told) == 1
    assert f"record {asked[0].record} is damaged" in told[0]
