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
    """Where the command's records of the smoke tier now go; those of the others lie beside."""
    monkeypatch.setattr(engine, "SMOKE_RECORDS", tmp_path / "smoke")
    monkeypatch.setattr(engine, "RECORDS", tmp_path / "records")
    monkeypatch.setattr(engine.run, "__defaults__", ("auto", None, None, tmp_path / "runs"))
    return tmp_path / "smoke"


def files_of(folder):
    """The files in a folder, by name; its locks apart."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


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
    line = f"{SMOKE.stem}.json  arrays {found.origin['arrays_sha256'][:16]}  "
    assert re.fullmatch(re.escape(line) + r"\d+ s\n", text)
    again = call("run", NAME, "--tier", "smoke", "--device", "cpu")
    assert again == (0, f"{line}already recorded\n")


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
    path, origin, seconds = store.RECORDS / "some.json", {"arrays_sha256": "0" * 64}, 1.0


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
    before = files_of(folder)
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
    assert files_of(folder) == before


def test_verify_trains_the_weights_again_too(call, folder, monkeypatch):
    kept = SMOKE.replace(keep=(20,))
    monkeypatch.setattr(catalogue, "make", lambda *arguments: kept)
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    assert call("verify", NAME, "--tier", "smoke", "--device", "cpu") == (
        0,
        f"{kept.stem}: the same arrays, bit for bit\n",
    )
    engine.find(kept).weights.write_bytes(b"torn")
    code, text = call("verify", NAME, "--tier", "smoke", "--device", "cpu")
    assert code == cli.DAMAGED and "safetensors is damaged" in text


def test_verify_finds_a_record_with_other_numbers(call, folder):
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    found = engine.find(SMOKE)
    forged = found.arrays | {"ldr": found.arrays["ldr"] / 2}
    store.save(SMOKE.stem, found.origin, forged, None, folder)
    assert call("verify", NAME, "--tier", "smoke", "--device", "cpu") == (
        cli.DIFFERS,
        f"{SMOKE.stem}: ldr differs\n",
    )


def test_verify_names_a_record_whose_arrays_were_changed(call):
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    found = engine.find(SMOKE)
    np.savez(found.path.with_suffix(".npz"), **found.arrays | {"loss": found.arrays["loss"] / 2})
    code, text = call("verify", NAME, "--tier", "smoke", "--device", "cpu")
    assert code == cli.DAMAGED
    assert re.match(f"{SMOKE.stem}: record .*{SMOKE.stem}.npz is damaged: its hash", text)
    refused, _ = call("run", NAME, "--tier", "smoke", "--device", "cpu")
    assert re.match(f"localbias: record .*{SMOKE.stem}.npz is damaged: its hash", str(refused))


def test_verify_without_a_record(call, folder):
    assert call("verify", NAME, "--tier", "smoke", "--device", "cpu") == (
        cli.MISSING,
        f"{SMOKE.stem}: no record to compare with\n",
    )
    assert not folder.exists()


def test_list_tells_odd_files_and_goes_on(call, folder, capsys):
    call("run", NAME, "--tier", "smoke")
    (folder / "settings.json").write_text("{}")
    sys.argv = ["localbias", "list"]
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr()
    assert end.value.code == cli.DAMAGED and f"{NAME} " in told.out
    assert "settings.json is damaged: it is no record" in told.err and told.err.count("\n") == 1


@pytest.mark.parametrize(
    "error, message",
    [
        (OSError(28, "No space left on device"), "localbias: [Errno 28] No space left on device"),
        (MemoryError(), "localbias: out of memory (MemoryError)"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory:\n you tried"),
            "localbias: out of memory (DefaultCPUAllocator: can't allocate memory: you tried)",
        ),
    ],
)
def test_what_the_machine_lacks_is_one_line(call, monkeypatch, error, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(engine, "run", fail)
    assert call("run", NAME, "--tier", "smoke")[0] == message


def test_migrate_says_how_many(call, tmp_path):
    assert call("migrate", tmp_path) == (0, "0 records were brought to the present schema\n")


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
