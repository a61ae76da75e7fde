"""The command, in a folder of its own."""

import re
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from localbias import cli, store
from localbias.book import chapters
from localbias.cli import records
from localbias.experiments import catalogue, engine, samples

NAME = "parity-8-scalars"
SMOKE = catalogue.make(NAME, "smoke")
SMOKE_WORDS = ["--tier", "smoke", "--seed", "0"]
COMMANDS = (
    "list",
    "records",
    "show",
    "run",
    "verify",
    "sample",
    "sweep",
    "migrate",
    "figure",
    "notebooks",
    "recent",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the command's records of the smoke tier now go; those of the others lie beside."""
    monkeypatch.setattr(engine, "SMOKE_RECORDS", tmp_path / "smoke")
    monkeypatch.setattr(engine, "RECORDS", tmp_path / "records")
    monkeypatch.setattr(engine, "RUNS", tmp_path / "runs")
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


def test_list_takes_a_pattern(call):
    code, text = call("list", "parity-16-*")
    names = [line.split()[0] for line in text.splitlines()]
    assert code == 0 and names and all(name.startswith("parity-16-") for name in names)
    assert str(call("list", "parity-9")[0]).startswith("localbias: unknown experiment 'parity-9'")


def test_list_shows_the_seeds_that_are_recorded(call):
    call("run", NAME, "--tier", "smoke", "--seed", 2, "--seed", 0)
    _, text = call("list")
    lines = dict(line.split(None, 1) for line in text.splitlines())
    assert lines[NAME] == "smoke: seeds 0, 2 | laptop" and text.count("seeds") == 1


def test_run_stores_records_and_prints_their_hash(call, folder):
    code, text = call("run", NAME, "--tier", "smoke", "--device", "cpu")
    found = engine.find(SMOKE)
    assert code == 0 and found.path.parent == folder
    line = f"{found.path}  arrays {found.origin['arrays_sha256'][:16]}  "
    assert re.fullmatch(re.escape(line) + r"\d+ s\n", text)
    again = call("run", NAME, "--tier", "smoke", "--device", "cpu")
    assert again == (0, f"already recorded: {found.path}\n")


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
        (["parity-9"], "localbias: unknown experiment 'parity-9'; did you mean parity-8-"),
        (["parity-8-scalers"], "localbias: .*; did you mean parity-8-scalars, .*localbias list"),
        (["zzz"], "localbias: unknown experiment 'zzz'; `localbias list` names all"),
        (["parity-9*"], r"localbias: unknown experiment 'parity-9\*'"),
        ([NAME, "--tier", "huge"], "localbias: unknown tier 'huge'; known: smoke, laptop, paper"),
        (["*", "--tier", "huge"], "localbias: unknown tier 'huge'"),
        ([NAME, "--tier", "paper"], f"localbias: experiment '{NAME}' has no tier 'paper'"),
        (["parity-*-mlp", "--tier", "paper"], "localbias: .*paper"),
        ([NAME, "--tier", "smoke", "--seed", "-1"], r"localbias: experiment\.seed=-1"),
        ([NAME, "--set", "training.bach=1"], r"localbias: set: no field 'training\.bach'"),
        ([NAME, "--tier", "smoke", "--device", "tpu"], "localbias: device='tpu'"),
    ],
)
def test_what_is_unknown_is_named_and_nothing_run(command, arguments, message, call, folder):
    code, _ = call(command, *arguments)
    assert re.match(message, str(code)) and not folder.exists()


def test_what_is_not_there_is_refused_where_a_record_is_there_too(call, folder):
    call("run", NAME, "--tier", "smoke")
    before = files_of(folder)
    refused = {
        ("--tier", "smoke", "--device", "tpu"): "device='tpu'; allowed: auto, cpu",
        ("--tier", "huge"): "unknown tier 'huge'",
        ("--tier", "paper"): f"experiment '{NAME}' has no tier 'paper'",
    }
    for command in ("run", "verify", "sweep"):
        for arguments, message in refused.items():
            assert str(call(command, NAME, *arguments)[0]).startswith(f"localbias: {message}")
    assert files_of(folder) == before


@pytest.mark.parametrize("command", [("records",), ("show", NAME), ("figure", "2")])
def test_an_unknown_tier_is_always_named(command, call):
    assert str(call(*command, "--tier", "huge")[0]).startswith("localbias: unknown tier 'huge'")


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


def test_sample_draws_of_what_a_record_kept(call, folder, monkeypatch):
    kept = SMOKE.replace(keep=(20,))
    monkeypatch.setattr(catalogue, "make", lambda *arguments: kept)
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    code, text = call("sample", NAME, "--tier", "smoke", "--samples", 7, "--steps", 9)
    (path,) = (folder / "samples").glob("*.json")
    drawn = store.load(path)
    shares = drawn.arrays["counts"] / 7
    assert code == 0 and text.startswith(f"{path}  invalid {shares[0]:.0%}, hallucination ")
    assert drawn.experiment["sampling"]["steps"] == 9 and drawn.arrays["tokens"].shape == (7, 8)
    refused = {
        ("--at", 3): r"localbias: samples\.step=3; allowed: 20 \(of 'parity-8-scalars', smoke ",
        ("--eta", 2): r"localbias: sampling\.eta=2\.0; allowed: 0 ",
        ("--steps", 10**6): r"localbias: sampling\.steps=1000000; allowed: 2 to ",
        ("--clamp", 0): r"localbias: sampling\.clamp=0\.0; allowed: above 0",
    }
    for arguments, message in refused.items():
        assert re.match(message, str(call("sample", NAME, "--tier", "smoke", *arguments)[0]))
    assert len(list((folder / "samples").glob("*.json"))) == 1


def test_what_kept_nothing_cannot_be_sampled(call, folder):
    call("run", NAME, "--tier", "smoke", "--device", "cpu")
    message = r"localbias: samples\.step=20; allowed: none, since no weights are kept"
    assert re.match(message, str(call("sample", NAME, "--tier", "smoke")[0]))
    assert re.match(message, str(call("sample", "*-scalars", "--tier", "smoke")[0]))


def test_a_pattern_samples_those_that_keep_weights_once_all_are_there(call, monkeypatch):
    asked, missing = [], {"quarter-token-dit-470"}

    def network_of(one):
        if one.experiment.name in missing:
            raise ValueError(f"there is no record {one.experiment.stem}")

    monkeypatch.setattr(samples, "run", lambda one, _: asked.append(one.experiment.name) or Drawn)
    monkeypatch.setattr(samples, "network_of", network_of)
    message = "localbias: there is no record quarter-token-dit-470-laptop-s0"
    assert str(call("sample", "quarter-token-*")[0]).startswith(message) and asked == []
    missing.clear()
    code, text = call("sample", "quarter-token-*")
    assert code == 0 and asked == ["quarter-token-dit-50", "quarter-token-dit-470"]
    assert "invalid 25%, hallucination 0%, in dataset 75%, extrapolation 0%" in text


class Drawn:
    path, arrays = store.RECORDS / "samples" / "some.json", {"counts": np.array([1, 0, 3, 0])}


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


def test_a_dry_run_says_what_would_train_and_trains_nothing(call, folder):
    asked = ("run", NAME, "--tier", "smoke", "--seed", 0, "--seed", 1, "--dry-run")
    code, text = call(*asked)
    line, other, last = text.splitlines()
    assert code == 0 and line.split() == ["?", "minutes", *f"20 steps {NAME}".split(), *SMOKE_WORDS]
    assert last.endswith("no record tells how long") and not folder.exists()
    call("run", NAME, "--tier", "smoke")
    code, text = call(*asked)
    line, other, last = text.splitlines()
    assert line == f"already recorded: {engine.find(SMOKE).path}"
    assert re.match(rf" +\d+\.\d minutes +20 steps  {NAME} --tier smoke --seed 1", other)
    assert last.endswith("s") and len(list(folder.glob("*.json"))) == 1


def test_a_setting_makes_a_record_of_its_own(call, folder):
    code, _ = call("run", NAME, "--tier", "smoke", "--set", "training.batch=8,16")
    found = sorted(
        record.experiment["training"]["batch"] for record in store.all_records(folder=folder)
    )
    assert code == 0 and found == [8, 16]
    changed = ["--tier", "smoke", "--set", "training.batch=8"]
    code, text = call("verify", NAME, *changed)
    assert code == 0 and text.endswith(": the same arrays, bit for bit\n")
    assert call("list")[1].count("seeds") == 1  # the catalogue's own


def test_a_sweep_goes_on_after_a_failed_job_and_names_it(call, folder, capsys):
    asked = ["--tier", "smoke", "--seeds", "0-1", "--set", "training.rate=1e38,0.002"]
    sys.argv = ["localbias", "sweep", NAME, *asked]
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr()
    assert end.value.code == cli.FAILED and told.out.count("arrays") == 2
    last = told.err.splitlines()[-3:]
    assert last[0] == "2 of 4 jobs failed:"
    for line, seed in zip(last[1:], (0, 1)):
        assert line.startswith(
            f"  localbias run {NAME} --tier smoke --seed {seed} --set training.rate=1e+38: the loss"
        )
    # Again: what is recorded is not made again, what failed is tried again.
    before = files_of(folder)
    code, text = call("sweep", NAME, *asked)
    assert code == cli.FAILED and text.count("already recorded") == 2 and files_of(folder) == before


def test_a_sweep_lists_its_jobs_and_those_that_are_missing(call, folder):
    asked = ["sweep", "parity-8-scalars*", "--tier", "smoke", "--seeds", "0-1"]
    names = [name for name in catalogue.EXPERIMENTS if name.startswith("parity-8-scalars")]
    code, text = call(*asked, "--list")
    assert code == 0 and not folder.exists()
    assert text.splitlines() == [
        f"localbias run {name} --tier smoke --seed {seed}" for name in names for seed in (0, 1)
    ]
    call("run", NAME, "--tier", "smoke")
    left = call(*asked, "--list", "--missing")[1].splitlines()
    assert left == text.splitlines()[1:]
    code, told = call(*asked, "--missing")
    lines = told.splitlines()
    assert code == 0 and len(lines) == len(left) + 1
    assert lines[-1].startswith(f"{len(left)} trainings are to run, without a record yet: ")
    assert all(
        re.match(r" +[\d.?]+ minutes +20 steps  parity-8-scalars", line) for line in lines[:-1]
    )


def test_a_sweep_tells_a_damaged_record(call, folder):
    call("run", NAME, "--tier", "smoke")
    engine.find(SMOKE).path.write_text("{")
    assert call("sweep", NAME, "--tier", "smoke", "--missing") == (cli.DAMAGED, "")
    assert NAME in call("sweep", NAME, "--tier", "smoke", "--missing", "--list")[1]
    assert call("sweep", NAME, "--tier", "smoke")[0] == cli.FAILED


def test_records_are_a_table(call, folder):
    call("run", NAME, "--tier", "smoke", "--seed", 0, "--seed", 1)
    call("run", NAME, "--tier", "smoke", "--set", "reads=v")
    found = engine.find(SMOKE)
    code, text = call("records", "parity-*", "--tier", "smoke")
    head, first, second = text.splitlines()
    assert code == 0 and head.split()[:6] == "name tier seeds steps minutes made".split()
    day = found.origin["processes"][-1]["ended"][:10]
    cells = first.split()
    assert cells[:4] == [NAME, "smoke", "0-1", "20"] and cells[5] == day
    shares = [int(cell.rstrip("%")) for cell in cells[6:]]
    assert len(shares) == 4 and abs(sum(shares) - 100) <= 2
    assert second.endswith("  [reads=v]") and second.split()[2] == "0"
    message = "localbias: no record of 'zzz*'; `localbias records` names all"
    assert call("records", "zzz*") == (message, "")


def test_records_name_odd_files_and_list_the_others(call, folder, capsys):
    call("run", NAME, "--tier", "smoke", "--seed", 0, "--seed", 1)
    (folder / "settings.json").write_text("{}")
    broken = engine.find(catalogue.make(NAME, "smoke", 1)).path.with_suffix(".npz")
    broken.write_bytes(b"torn")
    sys.argv = ["localbias", "records"]
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr()
    assert end.value.code == cli.DAMAGED and told.out.splitlines()[1].split()[:3] == [
        NAME,
        "smoke",
        "0",
    ]
    assert told.err.count("\n") == 2 and "settings.json is damaged" in told.err
    assert f"{broken.name} is damaged" in told.err


def test_show_says_what_where_from_and_how_it_went(call, folder, tmp_path):
    call("run", NAME, "--tier", "smoke", "--seed", 0, "--seed", 1)
    call("run", NAME, "--tier", "smoke", "--set", "reads=v")
    found = engine.find(SMOKE)
    code, text = call("show", NAME, "--seed", 0, "--png", tmp_path / "curve.png")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert code == 0 and lines[0] == f"{NAME}, smoke, seed 0"
    assert {"training.batch 16", "network.width 32", "measure_at [10,20]"} <= set(lines)
    assert "schedule.kind linear" not in lines and str(found.path) in text
    assert f"torch {found.origin['processes'][0]['libraries']['torch']}" in text
    curve = {line.split()[0]: line for line in lines if line[:1].isdigit() or line[:6] == "chance"}
    ends = found.arrays["counts"][-1] / found.arrays["counts"][-1].sum()
    for share, cell in zip(ends, re.findall(r"(\d+)%", curve["20"])):
        assert int(cell) == round(100 * share)
    assert set(curve) >= {"10", "20", "chance"}
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "also recorded: --tier smoke --set reads=v, seed" in text
    assert "schedule.kind" in call("show", NAME, "--all")[1]
    changed = call("show", NAME, "--set", "reads=v")[1]
    assert (
        changed.split("\n\n")[1].split()
        == "differs from what the name stands for now reads v".split()
    )


def test_show_names_what_is_not_recorded(call):
    assert (
        call("show", NAME)[0]
        == f"localbias: {NAME!r} has no record yet; `localbias run {NAME}` makes one"
    )
    assert "--tier laptop` makes one" in call("show", NAME, "--tier", "laptop")[0]
    assert str(call("show", "zzz")[0]).startswith(
        "localbias: no record of 'zzz'; `localbias records`"
    )


def test_show_refuses_a_kind_of_picture_before_it_prints(call, folder, tmp_path):
    call("run", NAME, "--tier", "smoke")
    message = "localbias: curves.txt; allowed: a file that ends in .png, .svg, .pdf"
    assert call("show", NAME, "--png", tmp_path / "curves.txt") == (message, "")
    assert call("show", NAME, "--png", tmp_path / "new" / "curves.svg")[0] == 0
    assert (tmp_path / "new" / "curves.svg").exists()


def test_show_tells_a_damaged_record_of_that_name(call, folder, capsys):
    call("run", NAME, "--tier", "smoke")
    engine.find(SMOKE).path.write_text("{")
    sys.argv = ["localbias", "show", NAME]
    with pytest.raises(SystemExit):
        cli.main()
    assert f"{SMOKE.stem}.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "share, bar", [(0, ""), (1, "████████"), (0.5, "████"), (1 / 64, "▏"), (0.3, "██▍")]
)
def test_bars_have_eighths(share, bar):
    assert records.bar(share) == bar.ljust(8)


def test_the_version_is_that_of_the_package(call):
    code, text = call("--version")
    assert code == 0 and text.startswith(f"localbias {metadata.version('localbias')}")


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


def test_a_file_for_a_figure_needs_the_figures_name(call, tmp_path):
    assert str(call("figure", "2", "--out", tmp_path / "x.png")[0]).startswith("localbias: --out")


def test_notebooks_names_an_unknown_chapter(call):
    assert re.match(
        "localbias: no chapter '07_none'; there are: 01_", str(call("notebooks", "07_none")[0])
    )


def test_help_names_the_commands(call):
    code, text = call("--help")
    assert code == 0 and all(command in text for command in COMMANDS)
    assert call("-h") == (code, text)


def test_help_keeps_words_in_brackets(call):
    assert "[book,models]" in call("recent", "--help")[1]
