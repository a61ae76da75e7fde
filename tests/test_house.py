"""The house: imports only run down, and nothing reaches past a seam."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localbias.store import ROOT

PACKAGE = ROOT / "src" / "localbias"


def modules():
    return {
        path.relative_to(PACKAGE): path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*.py")
    }


def test_imports_only_run_down():
    """import-linter's contracts in pyproject.toml: the floors, the engine, the ratio."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout[-3000:]
    assert "0 broken" in found.stdout and "3 kept" in found.stdout


def test_a_package_says_what_it_is_for():
    for path, text in modules().items():
        if path.name == "__init__.py" and len(path.parts) > 1:
            assert re.match(r'"""[^"]{80,}"""', text), f"{path} does not say what may live in it"


def test_only_cells_know_of_their_pool():
    """What else needs the exemplars reads `atoms`, `symbols` and `exemplars_a_symbol`."""
    readers = [str(path) for path, text in modules().items() if re.search(r"\.pool\b", text)]
    assert readers == ["render/cells.py"]


def test_nobody_asks_a_renderer_for_its_class():
    """Readers and exact denoisers are dispatched by registration."""
    for path, text in modules().items():
        assert not re.search(
            r"isinstance\([^)]*(Cells|Pictures|Digits|Words|Scalars|Glyphs)\b", text
        ), path


def test_figures_read_no_record_and_sample_nothing():
    for path, text in modules().items():
        if path.parts[0] == "figures":
            assert not re.search(
                r"import.*\b(Record|catalogue|engine|Setup|local_dependency_ratio)\b", text
            ), path


@pytest.mark.parametrize(
    "path",
    [
        "ldr.local_dependency_ratio",
        "grammar.Parity",
        "grammar.Dyck",
        "grammar.QuarterSum",
        "grammar.Lexicon",
        "networks.unet.UNet",
        "networks.dit.DiT",
        "theory.growth.growth_rate",
        "theory.growth.optimal_bias",
        "theory.target.posterior_mean",
    ],
)
def test_public_paths_stay(path):
    module, _, name = f"localbias.{path}".rpartition(".")
    code = f"from {module} import {name}"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_text_files_have_an_encoding():
    """Without one it is the locale's, and π in a record is another character on another machine."""
    for path, text in modules().items():
        for call in [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]:
            name = getattr(call.func, "attr", getattr(call.func, "id", None))
            given = {keyword.arg for keyword in call.keywords}
            if name in ("read_text", "write_text"):
                assert "encoding" in given, f"{path}:{call.lineno}"
            if isinstance(call.func, ast.Name) and name == "open":
                mode = call.args[1].value if len(call.args) > 1 else "r"
                assert "b" in mode or "encoding" in given, f"{path}:{call.lineno}"
