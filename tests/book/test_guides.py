"""The guide to a chapter of one's own: its example is run, drawn and known as any chapter is."""

import re

import jupytext
import pytest
from PIL import Image

from localbias.book import chapters, drawing, origins
from localbias.store import RECORDS, ROOT

GUIDE = (ROOT / "book" / "a_chapter_of_your_own.md").read_text(encoding="utf-8")
(CHAPTER,) = re.findall(r"```python\n(.*?)```", GUIDE, re.S)
NAME = "07_my_chapter"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / f"{NAME}.py").write_text(CHAPTER, encoding="utf-8")
    (tmp_path / "records").symlink_to(RECORDS)
    return tmp_path


def test_the_example_is_short_and_named_as_the_guide_says():
    assert sum(bool(line.strip()) for line in CHAPTER.splitlines()) < 40
    cells = jupytext.reads(CHAPTER, fmt="py:percent").cells
    (options,) = [
        chapters.cell_options(cell.source) for cell in cells if cell.source.startswith("#|")
    ]
    assert options.keys() == set(chapters.OPTIONS)
    assert (
        f"localbias figure 7 {options['label']}" in GUIDE and f"localbias notebooks {NAME}" in GUIDE
    )


def test_the_example_runs_and_its_figure_names_its_record(root):
    assert chapters.refresh([NAME], root=root) == [NAME]
    (origin,) = origins.all_origins(root).values()
    assert origin.command == "localbias figure 7 scalars-once-more"
    (record,) = origin.records
    assert record.startswith("parity-8-scalars-laptop-s0-")
    assert chapters.stale(root) == []
    out = drawing.draw("7", "scalars-once-more", root / "one.png", root=root)
    with Image.open(out) as image:
        assert image.size[0] > 300
