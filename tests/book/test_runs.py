"""The records as the site shows them: what their JSON says, and settings that make the same key."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from localbias import cli
from localbias.book.runs import (
    CHAIN,
    FLOW,
    KINDS,
    SAMPLES,
    TRAINING,
    Run,
    all_runs,
    grouped,
    in_words,
)
from localbias.experiments import Experiment, from_configuration, samples
from localbias.experiments.samples import Samples
from localbias.store import RECORDS, beyond_defaults, key_of, load, revive
from localbias.theory.flow import Flow

RUNS = list(all_runs().values())
GROUPS = grouped(RUNS)


def process(seconds, steps, **changes):
    made = {"code": "c" * 40, "device": "cpu", "threads": 1, "machine": "x86_64"}
    return made | {"libraries": {"torch": "2.13.0"}, "steps": steps, "seconds": seconds} | changes


def run(name="toy", seed=0, tier="laptop", processes=(process(60, [0, 100]),)):
    origin = {"experiment": {"name": name, "seed": seed, "tier": tier}, "key": "k"}
    return Run(f"{name}-{seed}.json", origin | {"processes": processes, "arrays_sha256": "a" * 64})


def test_every_committed_record_is_there_once_and_of_a_kind():
    assert {one.file for one in RUNS} == {
        path.relative_to(RECORDS).as_posix() for path in RECORDS.rglob("*.json")
    }
    assert {one.kind for one in RUNS} == set(KINDS)
    assert sum(len(group.runs) for group in GROUPS) == len(RUNS)
    targets = [group.target for group in GROUPS]
    assert len(set(targets)) == len(targets)


def test_runs_of_a_group_differ_in_nothing_but_their_seed():
    """And in what some of them keep beside: the first one weights."""
    for group in GROUPS:
        seeds = [one.seed for one in group.runs]
        assert seeds == sorted(set(seeds)), group.name
        if group.kind == FLOW:
            settings = [one.configuration | {"seed": 0} for one in group.runs]
        else:
            experiments = [from_configuration(one.configuration) for one in group.runs]
            settings = [one.replace(seed=0, keep=(), also=()) for one in experiments]
        assert all(one == settings[0] for one in settings), group.name


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_that_are_shown_make_the_same_run(kind):
    """Whoever types them in again, with the seed, gets the record's key."""
    for group in GROUPS:
        first = group.runs[0]
        if group.kind != kind:
            continue
        shown = group.differing()
        if kind == FLOW:
            flow = {"flow": shown | {"seed": first.seed} if first.seed else shown}
            until = {"until": first.origin["experiment"]["until"]}
            assert key_of(flow | until) == first.origin["key"], group.name
            assert beyond_defaults(Flow(**shown)) == shown
        elif kind == TRAINING:
            named = {"name": group.name, "tier": group.tier, "seed": first.seed}
            again = revive(Experiment, json.loads(json.dumps(shown)) | named)
            assert again.key == first.origin["key"], group.name
        elif kind == SAMPLES:
            again = revive(Samples, json.loads(json.dumps(first.origin["experiment"])))
            assert again.key == first.origin["key"] and again.stem in first.file, group.name
            whole = beyond_defaults(again.experiment) | again.experiment.parts
            assert shown == first.origin["experiment"] | {"experiment": whole}, group.name
        elif kind == CHAIN:
            again = from_configuration(first.configuration)
            assert shown["experiment"] == beyond_defaults(again) | again.parts, group.name


def test_what_a_line_tells():
    runs = [run(seed=0), run(seed=1, processes=[process(3600, [0, 900])]), run("other", seed=2)]
    assert in_words(runs) == (
        "3 records of 2 experiments, laptop tier, seeds 0 to 2, 100 to 900 steps, 62 minutes"
    )
    assert in_words(runs[:1]) == "1 record of 1 experiment, laptop tier, seed 0, 100 steps, 60 s"


def test_a_run_of_several_processes_adds_them_up():
    one = run(
        processes=[
            process(30, [0, 40]),
            process(20, [40, 100], device="NVIDIA H100", code="d" * 40 + "-dirty"),
        ]
    )
    assert (one.seconds, one.steps) == (50, 100)
    assert one.machine == "CPU (x86_64), 1 thread; NVIDIA H100"
    assert one.code == "c" * 12 + ", " + "d" * 12 + "-dirty"


def test_the_commands_name_seeds_and_tier_and_the_target_the_tier_of_the_paper():
    (group,) = grouped([run("Toy", seed=3, tier="paper"), run("Toy", seed=0, tier="paper")])
    assert group.commands == [
        "localbias run Toy --tier paper --seed 0 --seed 3",
        "localbias verify Toy --tier paper --seed 0 --seed 3",
    ]
    assert group.target == "record-toy-paper"


def test_samples_are_named_and_drawn_again_by_what_they_are_drawn_of():
    experiment = {"name": "Toy", "tier": "laptop"}
    how = dict(samples=200, steps=1000, eta=1.0, clamp=None, variance="small")
    origin = {"key": "k", "processes": [process(60, [0, 1000])], "arrays_sha256": "a" * 64}

    def drawn(seed, **changes):
        whole = {"experiment": experiment | {"seed": seed}, "step": 60, "sampling": how | changes}
        return Run(f"samples/{seed}.json", origin | {"experiment": whole})

    both, other = grouped([drawn(0), drawn(1), drawn(0, eta=0.0, clamp=1.5)])
    assert both.kind == SAMPLES and both.name == "Toy-at-60-samples-200-steps-1000-eta-1"
    assert both.commands == [
        f"{line} {rest}".rstrip()
        for seed in (0, 1)
        for line, rest in (
            (f"rm records/samples/{seed}.json", ""),
            (
                f"localbias sample Toy --tier laptop --seed {seed}",
                "--at 60 --samples 200 --steps 1000 --eta 1",
            ),
        )
    ]
    assert other.name == "Toy-at-60-samples-200-steps-1000-eta-0-clamp-1_5"


def test_the_command_of_samples_gives_their_key(monkeypatch):
    """The command line takes it, and what it would draw is what was drawn."""
    asked = []
    drawn = [group for group in GROUPS if group.kind == SAMPLES]
    for group in drawn:
        for one, command in zip(group.runs, group.commands[1::2]):
            found = load(RECORDS / one.file)
            monkeypatch.setattr(samples, "run", lambda which, _: asked.append(which) or found)  # noqa: B023
            assert CliRunner().invoke(cli.app, shlex.split(command)[1:]).exit_code == 0, command
            assert asked.pop().key == one.origin["key"], command
    assert drawn
