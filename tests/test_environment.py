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
LOCKED = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]


def installs(text):
    """The extras and the constraints file of each editable install in a text."""
    return re.findall(r"-e ['\"]?\.\[([\w,]+)\]['\"]?\s+(?:-\s)?-c (\S+)", text)


def test_conda_pip_and_make_install_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python = next(entry for entry in environment if str(entry).startswith("python="))
    assert PROJECT["requires-python"] == ">=" + python.removeprefix("python=")
    pip = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    extras = ",".join(PROJECT["optional-dependencies"])
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


def test_constraints_pin_what_pyproject_asks_for():
    pins = {(pin.name, str(pin.specifier)) for pin in LOCKED}
    for seen in map(Requirement, PYPROJECT["tool"]["uv"]["constraint-dependencies"]):
        assert (seen.name, str(seen.specifier)) in pins

    wanted = PROJECT["dependencies"] + sum(PROJECT["optional-dependencies"].values(), [])
    for want in map(Requirement, wanted):
        versions = [pin.specifier for pin in LOCKED if pin.name == want.name]
        assert versions, f"{want.name} is not in constraints.txt; run `make lock`"
        for pin in versions:
            (exact,) = pin
            assert exact.operator == "==" and want.specifier.contains(exact.version), want.name


def test_constraints_name_no_place_of_one_machine():
    assert all(pin.url is None for pin in LOCKED)


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
