"""The book's build runs nothing, and names what is out of date or not there."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from localbias.store import ROOT


@pytest.fixture
def copied(tmp_path):
    """A book of one page and one chapter, with the configuration of the real one."""
    book = tmp_path / "book"
    (book / "notebooks").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "_config.yml", book)
    shutil.copy(ROOT / "book/references.bib", book)
    (book / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n  - file: notebooks/01_toy\n"
    )
    (book / "intro.md").write_text("# A book\n\n```{ledger} parity-9\n```\n")
    (tmp_path / "notebooks/01_toy.py").write_text("# %%\nprint('new')\n")
    cells = [nbformat.v4.new_markdown_cell("# Old"), nbformat.v4.new_code_cell("1 / 0")]
    nb = nbformat.v4.new_notebook(cells=cells)
    nb.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nb.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    nb.metadata["localbias"] = {"source": "of another text", "records": {}}
    nbformat.write(nb, book / "notebooks/01_toy.ipynb")
    return book


def test_the_build_names_a_stale_chapter_and_an_unknown_claim(copied):
    command = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        copied,
        "-W",
        "--keep-going",
    ]
    built = subprocess.run(command, capture_output=True, text=True)
    said = built.stdout + built.stderr
    assert (
        "chapter 01_toy is stale: its source changed; refresh it with: localbias notebooks" in said
    )
    assert "no claim 'parity-9' in the ledger; there are: " in said
    assert "2 warnings" in said  # and no other: the cell that would raise was not run
    assert built.returncode != 0
    assert (
        "ZeroDivisionError" not in said + (copied / "_build/html/notebooks/01_toy.html").read_text()
    )
