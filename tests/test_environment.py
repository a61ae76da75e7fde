"""The several places that say what to install agree."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from localbias.store import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = ("book", "test")  # of the usual environment; sweeps and pretrained models have their own


def pins(path):
    return [Requirement(line) for line in (ROOT / path).read_text().splitlines()]


# By the file of constraints: the extras that are installed with it.
LOCKED = {"constraints.txt": (*EXTRAS, "models"), "workflow/constraints.txt": ("workflow",)}


def installs(text):
    """The extras and the constraints file of each editable install in a text."""
    return re.findall(r"-e ['\"]?\.\[([\w,]+)\]['\"]?\s+(?:-\s)?-c (\S+)", text)


def test_conda_pip_and_make_install_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python = next(entry for entry in environment if str(entry).startswith("python="))
    assert PROJECT["requires-python"] == ">=" + python.removeprefix("python=")
    pip = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    extras = ",".join(EXTRAS)
    assert pip == [f"-e .[{extras}]", "-c constraints.txt"]

    make = (ROOT / "Makefile").read_text()
    assert re.findall(r"^EXTRAS := (.*)$", make, re.M) == [f".[{extras}]"]
    assert "pip install -e '$(EXTRAS)' -c constraints.txt" in make
    for page in ("README.md", "book/reproduce.md"):
        for install in installs((ROOT / page).read_text()):
            assert install == (extras, "constraints.txt"), page


@pytest.mark.parametrize("page", ["README.md", "book/reproduce.md"])
def test_every_make_command_that_is_told_exists(page):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    told = set(re.findall(r"(?:^|`)make (?:\w+=\S+ )?(\w+)", (ROOT / page).read_text(), re.M))
    assert {"book", "test"} <= told <= targets


def test_every_extra_has_constraints():
    assert set(sum(LOCKED.values(), ())) == set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("path", LOCKED)
def test_constraints_pin_what_pyproject_asks_for(path):
    extras = sum((PROJECT["optional-dependencies"][extra] for extra in LOCKED[path]), [])
    for want in map(Requirement, PROJECT["dependencies"] + extras):
        versions = [pin.specifier for pin in pins(path) if pin.name == want.name]
        assert versions, f"{want.name} is not in {path}; run `make lock`"
        for pin in versions:
            (exact,) = pin
            assert exact.operator == "==" and want.specifier.contains(exact.version), want.name


def test_constraints_hold_the_versions_that_were_seen_to_work():
    found = {(pin.name, str(pin.specifier)) for pin in pins("constraints.txt")}
    for seen in map(Requirement, PYPROJECT["tool"]["uv"]["constraint-dependencies"]):
        assert (seen.name, str(seen.specifier)) in found


def test_what_decides_a_records_numbers_is_the_same_in_a_sweep():
    usual, sweeps = ({pin.name: pin for pin in pins(path)} for path in LOCKED)
    for want in map(Requirement, PROJECT["dependencies"]):
        assert str(usual[want.name]) == str(sweeps[want.name])


@pytest.mark.parametrize("path", LOCKED)
def test_constraints_name_no_place_of_one_machine(path):
    assert all(pin.url is None for pin in pins(path))


def test_the_workflow_is_one_and_tests_the_versions_that_are_promised():
    workflow = ROOT / ".github/workflows/ci.yml"
    command = [
        Path(sys.executable).with_name("check-jsonschema"),
        "--builtin-schema",
        "vendor.github-workflows",
    ]
    checked = subprocess.run([*command, workflow], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    tested = set(jobs["test"]["strategy"]["matrix"]["python-version"])
    promised = {text.rpartition(" ")[2] for text in PROJECT["classifiers"] if ":: 3." in text}
    assert tested == promised and f">={min(tested)}" == PROJECT["requires-python"]
    assert set(jobs["publish"]["needs"]) <= set(jobs)


def test_the_readme_names_both_ways_to_test():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "`pytest --nbval`" in readme and "make test" in readme and "make lint" in readme
