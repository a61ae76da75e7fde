"""Where the figures of the chapters come from: the records that their cells read.

A cell of an executed notebook names the records that it read (`chapters`). A figure comes from
those of its own cell and of the cells that it needs, which are the ones that `localbias figure`
runs (`drawing.cells_needed`).
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localbias.book.chapters import cell_options
from localbias.book.drawing import cells_needed
from localbias.store import ROOT


@dataclass(frozen=True)
class Origin:
    """Of one figure.

    Attributes:
        figure: its name, unique in the book.
        chapter: the notebook's stem.
        records: files in records/, in the order of their names; none where it reads none.
    """

    figure: str
    chapter: str
    records: tuple[str, ...]

    @property
    def target(self) -> str:
        """By which pages link to it."""
        return f"fig-{self.figure}"

    @property
    def command(self) -> str:
        """What draws it again."""
        number = self.chapter.partition("_")[0].lstrip("0")
        return f"localbias figure {number if number.isdigit() else self.chapter} {self.figure}"


def all_origins(root: Path = ROOT) -> dict[str, Origin]:
    """Those of every figure of the book, by its name, in the book's order."""
    notebooks = sorted((root / "book" / "notebooks").glob("*.ipynb"))
    return {
        origin.figure: origin for path in notebooks for origin in chapter_origins(path).values()
    }


def chapter_origins(notebook: Path) -> dict[str, Origin]:
    """Those of the figures of one executed notebook, by their names."""
    return _chapter_origins(notebook, notebook.stat().st_mtime_ns)


@cache
def _chapter_origins(notebook: Path, changed: int) -> dict[str, Origin]:
    cells = [
        cell
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    code = ["".join(cell["source"]) for cell in cells]
    reads = [cell["metadata"].get("localbias", {}).get("records", []) for cell in cells]
    found = {}
    for place, source in enumerate(code):
        if name := cell_options(source).get("label"):
            needed = cells_needed(code, place)
            records = sorted({record for one in needed for record in reads[one]})
            found[name] = Origin(name, notebook.stem, tuple(records))
    return found
