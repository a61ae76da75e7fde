"""Every chapter in its smoke tier, all cells twice in one kernel, beside somebody's startup file.

With one seed, which is trained here: of the several that chapters show by default, `pytest --nbval` reads the records.
"""

import copy

import jupytext
import papermill
import pytest

from localbias.book import chapters
from localbias.store import ROOT

FEW = {  # what a chapter trains or measures by itself, where its tier leaves that alone
    "01_synthetic_hallucination": "live_steps = 200",
    "02_local_dependency_ratio": "signals = 8",
    "05_mode_interpolation": "controls = 400",
}


@pytest.mark.parametrize("source", chapters.sources(), ids=lambda source: source.stem)
def test_a_chapter_runs_twice_in_one_kernel(source, tmp_path, monkeypatch):
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-mine.py").write_text("mine, tires = 5, [1, 2]\n", encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)  # it would take twice as long
    nb = jupytext.read(source, fmt="py:percent")
    nb.metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    code[0].source += f'\ntier, seed = "smoke", 1\n{FEW.get(source.stem, "")}'
    again = copy.deepcopy(code)
    for number, cell in enumerate(again):
        cell["id"] = f"again-{number}"
        cell.metadata["tags"] = []  # only one cell is the parameters'
    nb.cells = code + again
    papermill.execute_notebook(
        nb, None, kernel_name="python3", cwd=ROOT / "book" / "notebooks", progress_bar=False
    )
