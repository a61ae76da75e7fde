"""The benchmarks made small: the same tables as the real runs."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "ldr.py"
SOAK = SCRIPT.with_name("soak.py")
BESIDE = {  # of each kind of network, what it is compared with
    "dit": {
        "localbias",
        "the same network, a naive loop",
        "diffusers, DiT",
        "diffusers, DiT, parameters matched",
    },
    "unet": {
        "localbias",
        "the same network, a naive loop",
        "denoising-diffusion-pytorch, Trainer",
        "diffusers, UNet2DModel",
    },
}
EXACT = {
    "plain loop of VJPs",
    "local_dependency_ratio",
    "local_dependency_ratio, chunk=8",
    "torch.func.jacrev",
    "torch.func.jacrev, chunk_size=64",
    "torch.func.jacrev, chunk_size=16",
    "torch.autograd.functional.jacobian",
    "torch.autograd.functional.jacobian, vectorize=True",
}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """What the smoke run prints, and the file it writes."""
    file = tmp_path_factory.mktemp("benchmark") / "results.md"
    command = [sys.executable, SCRIPT, "--smoke", "--output", file]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, file.read_text()


def tables(text):
    """Each table of the markdown text: its header, and its rows by their first cell."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        header, _, *rows = (
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()
        )
        assert {len(row) for row in rows} == {len(header)}
        found.append((header, {row[0]: row[1:] for row in rows}))
    return found


def test_every_exact_method_finds_the_same_ratio(smoke):
    (header, rows), _ = tables(smoke[0])
    assert header[1:] == ["CPU time, s", "of the loop's", "peak memory, MB", "largest error"]
    assert set(rows) == EXACT
    for seconds, share, memory, error in rows.values():
        assert float(seconds) > 0 and float(share) > 0 and float(memory) >= 0
        assert 0 <= float(error) < 1e-5  # rounding of float32
    assert rows["plain loop of VJPs"][1] == "1.00"
    ratio = float(re.search(r"sample's ratio is (0\.\d+)", smoke[0])[1])
    assert (
        0.05 < ratio < 0.95
    )  # the patches listen to each other: neither 0 nor 1, where any method is right


def test_more_probes_cost_more_and_err_less(smoke):
    _, (header, rows) = tables(smoke[0])
    assert header[2:] == ["speed-up", "peak memory, MB", "error of the mean", "of one sample (rms)"]
    assert list(rows) == ["exact", "1", "8", "64"]
    times = [float(row[0]) for row in rows.values()]
    assert times[1] < times[3]
    one, eight, all_64 = (float(rows[n][4].rstrip("%")) for n in ("1", "8", "64"))
    assert one > eight > 0.1
    assert (
        all_64 == float(rows["64"][3].rstrip("%")) == 0
    )  # as many probes as pixels in the region are exact
    assert float(rows["1"][1]) == pytest.approx(times[0] / times[1], abs=0.1)


def test_the_file_holds_what_is_printed(smoke):
    printed, written = smoke
    assert printed == written and "## dit, region of 64 in 16×16 pixels" in printed


@pytest.mark.parametrize("script", ["training", "sampling"])
def test_every_library_takes_its_turns(script, tmp_path):
    """In tiny networks, once: a row a contestant, and no row without a number."""
    file = tmp_path / "results.md"
    command = [sys.executable, SCRIPT.with_name(f"{script}.py"), "--smoke", "--output", file]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == file.read_text() and "Left out" not in done.stdout
    for (header, rows), kind in zip(tables(done.stdout), ("dit", "unet"), strict=True):
        names = {name.removesuffix(", Trainer") for name in BESIDE[kind]}
        assert {name.removesuffix(", Trainer") for name in rows} == names
        at = {name: header.index(name) - 1 for name in header[1:]}
        assert at.keys() >= {"parameters", "ours of its time", "peak memory, MB", "GFLOP"}
        for name, cells in rows.items():
            number = [cell.split()[0].replace(",", "") for cell in cells if cell]
            assert all(float(one.rstrip("%")) >= 0 for one in number), (name, cells)
            assert bool(cells[at["ours of its time"]]) == (name != "localbias")
        # The same network does the same arithmetic; a library's copy of it too.
        counted = {name: cells[at["GFLOP"]] for name, cells in rows.items()}
        assert counted["the same network, a naive loop"] == counted["localbias"]
        for name in rows:
            if name.startswith("denoising-diffusion-pytorch"):
                assert counted[name] == counted["localbias"]
                assert rows[name][at["parameters"]] == rows["localbias"][at["parameters"]]
    assert done.stdout.count("the aim, 0.7 at most, is ") == 4
    assert done.stdout.count("At that rate the same arithmetic would take") == 2


@pytest.mark.parametrize(
    "script, arguments, message",
    [
        ("ldr", ["--network", "mlp"], "'mlp'; known: unet, dit"),
        ("ldr", ["--size", "40"], "size 40; allowed: multiples of 16"),
        ("ldr", ["--probes", "4", "--probes", "0"], "probes 0; allowed: 1 or more"),
        ("training", ["--network", "mlp"], "'mlp'; known: unet, dit"),
        ("training", ["--size", "huge"], "'huge'; known: laptop, paper"),
        ("sampling", ["--rounds", "0"], "rounds 0; allowed: 1 or more"),
    ],
)
def test_what_cannot_be_run_is_refused(script, arguments, message, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)  # as it is where the script is started
    app = runpy.run_path(str(SCRIPT.with_name(f"{script}.py")))["app"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert message in re.sub(r"[\s│]+", " ", done.output)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks and no SIGKILL")
def test_a_short_soak_loses_nothing(tmp_path):
    """Kills, several processes, no room, flipped bits: what is read is right or refused."""
    file = tmp_path / "soak.md"
    command = [sys.executable, SOAK, "--kills", "9", "--others", "3", "--output", file]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, (header, rows) = next(iter(tables(file.read_text()))), tables(file.read_text())[0]
    assert file.read_text() in done.stdout and len(rows) == 6
    for title, cells in rows.items():
        seen = dict(zip(header[1:], map(int, cells)))
        assert seen["faults"] >= 3, title
        for wrong in ("lost", "false", "two at once", "tracebacks", "left over"):
            assert seen[wrong] == 0, (title, wrong)
    assert sum(int(cells[header.index("resumed") - 1]) for cells in rows.values()) > 0


def test_a_step_of_each_network_is_timed(tmp_path, monkeypatch):
    script, file = SCRIPT.with_name("gpu.py"), tmp_path / "table.md"
    small = [sys.executable, script, "--smoke", "--output", file]
    subprocess.run(small, check=True, capture_output=True)
    monkeypatch.syspath_prepend(script.parent)
    names = runpy.run_path(str(script))["EXPERIMENTS"]
    ((_, rows),) = tables(file.read_text(encoding="utf-8"))
    assert list(rows) == [f"`{name}`" for name in names]
    assert all(float(row[2].split()[0]) > 0 for row in rows.values())
