"""The chapters' sources hold story, calls and plots: no functions, no long cells or lines, no typed tables."""

import ast
import re
from itertools import pairwise

import jupytext
import pytest

from localbias.book import chapters

SOURCES = chapters.sources()
LINES = 15  # of a code cell, its options and blank lines aside; about
WIDTH = 100

EXTENDING = ("a_rule_of_your_own", "a_network_of_your_own")  # pages that show a class of one's own

#: Sections that find nothing of their own.
WITHOUT_A_FINDING = {
    "The paper says, we find",
    "The paper leaves open, we find",
    "What holds",
    "What others have found since",
    "What to take along",
    "The settings",
}
NUMBERED = [source for source in SOURCES if source.stem[0].isdigit()]

every_chapter = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def code_cells(source):
    cells = jupytext.read(source, fmt="py:percent").cells
    return [cell for cell in cells if cell.cell_type == "code"]


@every_chapter
def test_no_function_is_defined(source):
    if source.stem in EXTENDING:
        return
    for cell in code_cells(source):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef), (
                node.name
            )


@pytest.mark.parametrize("name", EXTENDING)
def test_what_is_of_ones_own_takes_less_than_forty_lines(name):
    """The class, the experiment and the figure; imports, parameters and what is not shown aside."""
    (source,) = [source for source in SOURCES if source.stem == name]
    cells = [
        cell.source
        for cell in code_cells(source)[2:]
        if "remove-cell" not in cell.metadata.get("tags", ())
    ]
    lines = [
        line
        for cell in cells
        for line in cell.splitlines()
        if line.strip() and not line.startswith("#|")
    ]
    assert 20 < len(lines) < 40


@every_chapter
def test_no_line_is_long(source):
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        assert len(line) <= WIDTH, f"line {number} has {len(line)} characters"


@every_chapter
def test_no_cell_is_long(source):
    for place, cell in enumerate(code_cells(source)):
        lines = [
            line for line in cell.source.splitlines() if line.strip() and not line.startswith("#|")
        ]
        imports = place == 1  # with the parameters' check and the chapter's own short names
        assert len(lines) <= (2 * LINES if imports else LINES + 3), cell.source


@every_chapter
def test_no_table_is_typed_in_code(source):
    for cell in code_cells(source):
        assert not re.search(r"\|\s*-{3,}\s*\|", cell.source), cell.source


@every_chapter
def test_readers_are_shown_no_check(source):
    """What is checked is an assert in a cell that the page does not show; "…: True" tells a reader nothing."""
    nb = jupytext.reads(chapters.notebook(source).read_text(encoding="utf-8"), fmt="ipynb")
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            assert not re.search(r": (True|False)\b", output.get("text", "")), output["text"]


@every_chapter
def test_every_figure_has_a_name_a_caption_and_an_alternative_text(source):
    for cell in code_cells(source):
        options = chapters.cell_options(cell.source)
        if "plt.show()" in cell.source:
            assert options.keys() == set(chapters.OPTIONS), cell.source
        elif "figures.slider(" in cell.source:
            assert options.keys() == {"label", "fig-cap"}, cell.source


@every_chapter
def test_a_downloaded_notebook_says_what_it_needs(source):
    """In a cell that the page leaves out, before the first code."""
    cells = jupytext.read(source, fmt="py:percent").cells
    needs = cells[[cell.cell_type for cell in cells].index("code") - 1]
    assert "checkout" in needs.source and needs.metadata["tags"] == ["remove-cell"]


@pytest.mark.parametrize("source", NUMBERED, ids=lambda source: source.stem)
def test_below_each_heading_of_a_chapter_stands_what_was_found(source):
    """One sentence in bold, and no measured number in it: who reads these alone has the chapter."""
    found = 0
    for cell in jupytext.read(source, fmt="py:percent").cells:
        if cell.cell_type != "markdown":
            continue
        for heading, below in pairwise([*cell.source.split("\n\n"), ""]):
            title = re.fullmatch(r"##+ (.*)", heading)
            if not title or title[1] in WITHOUT_A_FINDING:
                continue
            assert re.fullmatch(r"\*\*[^*]+\.\*\*", below), f"{title[1]}: {below}"
            sentence = " ".join(below.split()).replace("Theorem 5.2", "")
            assert ". " not in sentence and not re.search(r"%|\d\.\d", sentence), sentence
            found += 1
    assert found >= 8
