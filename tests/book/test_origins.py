"""Where figures come from: the records that their cells read, and no others."""

import nbformat
import pytest

from localbias.book import ledger
from localbias.book.chapters import find, notebook, sources
from localbias.book.drawing import figure_cells
from localbias.book.origins import all_origins, chapter_origins
from localbias.book.runs import all_runs, record_target
from localbias.store import RECORDS


def cell(source, *records):
    metadata = {"localbias": {"records": list(records)}} if records else {}
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def test_a_figure_comes_from_its_cell_and_those_it_needs(tmp_path):
    nb = nbformat.v4.new_notebook()
    nb.cells = [
        cell("seed = 0"),
        cell("import matplotlib.pyplot as plt"),
        cell("one = load('one')", "one.json"),
        cell("two = load('two')", "two.json"),
        nbformat.v4.new_markdown_cell("between"),
        cell("#| label: first\n#| fig-cap: x\n#| fig-alt: x\nplt.plot(one)"),
        cell("#| label: both\nplt.plot(one, two, load('three'))", "three.json"),
        cell("#| label: none\nplt.plot([seed])"),
    ]
    path = tmp_path / "07_toy.ipynb"
    nbformat.write(nb, path)
    origins = chapter_origins(path)
    assert {name: origin.records for name, origin in origins.items()} == {
        "first": ("one.json",),
        "both": ("one.json", "three.json", "two.json"),
        "none": (),
    }
    assert origins["both"].command == "localbias figure 7 both"
    assert origins["both"].target == "fig-both"


def test_every_figure_of_the_book_has_its_origin_and_a_command_that_finds_it():
    origins = all_origins()
    executed = [source for source in sources() if notebook(source).exists()]
    names = [one.name for source in executed for one in figure_cells(source)]
    assert list(origins) == names
    for origin in origins.values():
        *_, chapter, name = origin.command.split()
        assert find(chapter).stem == origin.chapter and name == origin.figure
        assert all((RECORDS / record).exists() for record in origin.records)
    assert sum(bool(origin.records) for origin in origins.values()) > len(origins) / 2


@pytest.mark.parametrize("row", ledger.rows(), ids=lambda row: row["id"])
def test_a_row_of_the_ledger_is_shown_by_figures_that_read_its_records(row):
    """Each of them reads some of the records that the row's numbers come from."""
    origins, runs = all_origins(), all_runs()
    known = [one.name for source in sources() for one in figure_cells(source)]
    for name in row["figures"]:
        assert name in known, f"no figure {name!r}"
    if row["records"]:
        assert row["figures"], "it is measured, and no figure shows it"
        for name in origins.keys() & set(row["figures"]):  # of chapters that were executed
            read = {record_target(runs[one].name, runs[one].tier) for one in origins[name].records}
            assert read & set(row["records"]), name
