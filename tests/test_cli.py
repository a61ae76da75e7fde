"""The command, in a folder of its own."""

import re
import subprocess
import sys

import numpy as np
import pytest

from localbias import cli, store
from localbias.book import chapters
from localbias.experiments import catalogue, engine

NAME = "parity-8-scalars"
SMOKE = catalogue.make(NAME, "smoke")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the command's records now go by default."""
    folder = tmp_path / "records"
    monkeypatch.setattr(engine.run, "__defaults__", ("auto", None, folder, tmp_path / "runs"))
    monkeypatch.setattr(engine.find, "__defaults__", (folder,))
    monkeypatch.setattr(store.all_records, "__defaults__", ("*", folder))
    return folder


@pytest.fixture
def call(monkeypatch, capsys, folder):
    """Call the command: its exit status, or the message it ends with, and what it prints."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["localbias", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, capsys.readouterr().out

    return call


def test_list_names_every_experiment_and_its_tiers(call):
    code, text = call("list")
    lines = dict(line.split(None, 1) for line in text.splitlines())
    assert code == 0 and list(lines) == list(catalogue.EXPERIMENTS)
    for name, line in lines.items():
        assert line.split(" | ") == list(catalogue.tiers(name))


def test_list_shows_the_seeds_that_are_recorded(call):
    call("run", NAME, "--tier", "smoke", "--seed", 2, "--seed", 0)
    _, text = call("list")
    lines = dict(line.split(None, 1) for line in text.splitlines())
    assert lines[NAME] == "smoke: seeds 0, 2 | laptop" and text.count("seeds") == 1


def test_run_stores_records_and_prints_their_hash(call, folder):
    code, text = call("run", NAME, "--tier", "smoke", "--device", "cpu")
    found = engine.find(SMOKE)
    assert code == 0 and found.path.parent == folder
    assert text == f"{SMOKE.stem}.json  arrays {found.origin['arrays_sha256'][:16]}\n"
    assert call("run", NAME, "--tier", "smoke", "--device", "cpu") == (0, text)


def test_a_pattern_runs_what_it_matches_in_that_tier(call, monkeypatch):
    made = []
    monkeypatch.setattr(
        engine, "run", lambda experiment, *_, **__: made.append(experiment) or Stored
    )
    assert (
        call("run", "quarter-*-50", "parity-8-*", "quarter-unet-*", "--tier", "paper", "--seed", 1)[
            0
        ]
        == 0
    )
    assert [experiment.name for experiment in made] == [
        "quarter-unet-50",
        "quarter-dit-50",
        "parity-8-unet",
        "quarter-unet-150",
        "quarter-unet-470",
    ]
    assert {(experiment.tier, experiment.seed) for experiment in made} == {("paper", 1)}


class Stored:
    path, origin = store.RECORDS / "some.json", {"arrays_sha256": "0" * 64}


@pytest.mark.parametrize("command", ["run", "verify"])
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["parity-9"], "localbias: unknown experiment 'parity-9'; known: parity-8-scalars,"),
        (["parity-9*"], r"localbias: unknown experiment 'parity-9\*'"),
        ([NAME, "--tier", "huge"], "localbias: unknown tier 'huge'; known: smoke, laptop, paper"),
        (["*", "--tier", "huge"], "localbias: unknown tier 'huge'"),
        ([NAME, "--tier", "paper"], f"localbias: experiment '{NAME}' has no tier 'paper'"),
        (["parity-*-mlp", "--tier", "paper"], "localbias: .*paper"),
        ([NAME, "--tier", "smoke", "--seed", "-1"], r"localbias: experiment\.seed=-1"),
    ],
)
def test_what_is_unknown_is_named_and_nothing_run(command, arguments, message, call, folder):
    code, _ = call(command, *arguments)
    assert re.match(message, str(code)) and not folder.exists()


def test_an_unknown_device_is_named(call):
    assert call("run", NAME, "--tier", "smoke", "--device", "tpu")[0].startswith(
        "localbias: device='tpu'"
    )


def test_an_error_is_one_line_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "localbias.cli", "run", "parity-9"], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stdout == ""
    assert (
        done.stderr.startswith("localbias: unknown experiment 'parity-9'")
        and done.stderr.count("\n") == 1
    )


def test_verify_trains_again_and_finds_the_same_arrays(call, folder, monkeypatch):
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    steps, real = [], engine.train

    def counted(*arguments):
        for state in real(*arguments):
            steps.append(state.step)
            yield state

    monkeypatch.setattr(engine, "train", counted)
    assert call("verify", NAME, "--tier", "smoke", "--device", "cpu") == (
        0,
        f"{SMOKE.stem}: the same arrays, bit for bit\n",
    )
    assert len(steps) >= SMOKE.training.steps
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_verify_trains_the_weights_again_too(call, folder, monkeypatch):
    kept = SMOKE.replace(keep=(20,))
    monkeypatch.setattr(catalogue, "make", lambda *arguments: kept)
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    assert call("verify", NAME, "--tier", "smoke", "--device", "cpu") == (
        0,
        f"{kept.stem}: the same arrays, bit for bit\n",
    )
    engine.find(kept).path.with_suffix(".safetensors").write_bytes(b"torn")
    assert "safetensors is damaged" in str(
        call("verify", NAME, "--tier", "smoke", "--device", "cpu")[0]
    )


def test_verify_finds_a_record_with_other_outcomes(call, folder):
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    found = engine.find(SMOKE)
    counts = np.array([[0, 0, 0, 16]] * 2)  # an untrained network extrapolates hardly ever
    store.save(SMOKE.stem, found.origin, found.arrays | {"counts": counts}, None, folder)
    assert call("verify", NAME, "--tier", "smoke", "--device", "cpu") == (
        1,
        f"{SMOKE.stem}: other outcomes at steps [10, 20]\n",
    )


def test_verify_names_a_record_whose_arrays_were_changed(call):
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    found = engine.find(SMOKE)
    np.savez(found.path.with_suffix(".npz"), **found.arrays | {"loss": found.arrays["loss"] / 2})
    code, _ = call("verify", NAME, "--tier", "smoke", "--device", "cpu")
    assert re.match(f"localbias: record .*{SMOKE.stem}.npz is damaged: its hash", str(code))


def test_verify_without_a_record(call, folder):
    assert call("verify", NAME, "--tier", "smoke", "--device", "cpu") == (
        1,
        f"{SMOKE.stem}: no record to compare with\n",
    )
    assert not folder.exists()


def test_notebooks_passes_on_which_are_meant(call, monkeypatch):
    asked = []
    monkeypatch.setattr(
        chapters, "refresh", lambda names, force: asked.append((names, force)) or names
    )
    assert call("notebooks") == (0, "the chapters are up to date\n")
    assert call("notebooks", "04_real_text", "--force") == (0, "")
    assert asked == [(None, False), (["04_real_text"], True)]


def test_notebooks_names_an_unknown_chapter(call):
    assert re.match(
        "localbias: no chapter '07_none'; there are: 01_", str(call("notebooks", "07_none")[0])
    )


def test_help_names_the_commands(call):
    code, text = call("--help")
    assert code == 0 and all(command in text for command in ("list", "run", "verify", "notebooks"))
