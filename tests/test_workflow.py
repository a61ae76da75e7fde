"""The Snakefile: its jobs are those of `localbias sweep`, each makes one record, none stops others.

Snakemake comes with the extra `workflow`; without it these tests are skipped, by name.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from localbias.experiments import sweep
from localbias.store import ROOT

pytest.importorskip(
    "snakemake",
    reason="snakemake is not installed: pip install -e '.[workflow]' -c workflow/constraints.txt",
)
WORKFLOW = ROOT / "workflow"
NAME = "parity-8-scalars"
CONFIG = ["tier=smoke", "seeds=0-1", "set=training.batch=8,16 reads=v"]
SWEEP = ["--tier", "smoke", "--seeds", "0-1", "--set", "training.batch=8,16", "--set", "reads=v"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a copy of the package and the workflow: what is run writes there."""
    folder = tmp_path_factory.mktemp("sweep")
    shutil.copytree(WORKFLOW, folder / "workflow")
    shutil.copytree(
        ROOT / "src" / "localbias",
        folder / "src" / "localbias",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (folder / "pyproject.toml").write_text('[project]\nname = "localbias"\n', encoding="utf-8")
    return folder


@pytest.fixture
def call(place):
    """Start a command of this environment there; what it ended with and printed."""

    def call(*command):
        paths = [str(place / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TERM": "dumb"}
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    return call


def commands(text):
    """The commands of jobs that Snakemake prints, without where it has them run."""
    found = re.findall(r"^Shell command: (localbias run .*?) --device auto >", text, re.M)
    assert len(found) == len(set(found))
    return set(found)


def test_its_configuration_is_a_sweep():
    config = yaml.safe_load((WORKFLOW / "sweep.yaml").read_text(encoding="utf-8"))
    assert sweep.jobs(config["experiments"], config["tier"], sweep.seeds_of(config["seeds"]))


def test_a_dry_run_lists_the_jobs_of_the_sweep_that_have_no_record(call):
    status, listed = call("localbias.cli", "sweep", NAME, *SWEEP, "--list")
    jobs = set(listed.splitlines())
    assert status == 0 and len(jobs) == 4
    status, text = call("snakemake", "-n", "-c1", "--config", *CONFIG)
    assert status == 0 and commands(text) == jobs
    done, *others = sorted(jobs)
    status, text = call("localbias.cli", *done.split()[1:])
    assert status == 0, text
    status, text = call("snakemake", "-n", "-c1", "--config", *CONFIG)
    assert status == 0 and commands(text) == set(others)


def test_a_failed_job_is_named_and_stops_no_other(call, place):
    failing = ["tier=smoke", "seeds=5", "set=training.rate=1e38,0.002,0.001"]
    status, text = call("snakemake", "-c2", "--config", *failing)
    assert status == 1
    failed = f"localbias run {NAME} --tier smoke --seed 5 --set training.rate=1e+38"
    (named,) = re.findall(r"have no record:\n((?:  .*\n)+)", text)
    assert named.count("\n") == 1 and named.strip().startswith(failed)
    assert "lower rate=1e+38" in text  # the log of the failed job
    status, text = call(
        "localbias.cli",
        "sweep",
        NAME,
        "--tier",
        "smoke",
        "--seeds",
        "5",
        "--set",
        "training.rate=1e38,0.002,0.001",
        "--missing",
        "--list",
    )
    assert (status, text.strip()) == (0, failed)
    # What is recorded stays as it is when the sweep is started again.
    records = {path: path.stat().st_mtime_ns for path in (place / "runs/smoke").glob("*-s5-*.json")}
    assert len(records) == 2
    assert call("snakemake", "-c2", "--config", *failing)[0] == 1
    assert records == {path: path.stat().st_mtime_ns for path in records}


@pytest.mark.parametrize(
    "config, message",
    [
        ("tier=huge", "unknown tier 'huge'; known: smoke"),
        ("experiments=parity-8-scalers", "did you mean parity-8-scalars"),
        ("seeds=a", "seeds='a'; allowed"),
    ],
)
def test_a_mistake_is_named_before_anything_runs(call, config, message):
    status, text = call("snakemake", "-c1", "--config", config)
    assert status == 1 and message in text and "Traceback" not in text
