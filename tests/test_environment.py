"""The several places that say what to install agree."""

import re
import tomllib

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
