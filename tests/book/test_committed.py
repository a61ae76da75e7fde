"""The committed chapters: fresh, true to their sources, and fit to be rerun."""

import re

import jupytext
import nbformat
import papermill
import pytest

from localbias.book import chapters
from localbias.experiments import catalogue
from localbias.experiments.recorded import CHAPTERS, Recorded
from localbias.store import ROOT

SOURCES = chapters.sources()


def committed(source):
    return nbformat.read(chapters.notebook(source), as_version=4)


def test_no_chapter_is_stale_and_none_is_an_orphan():
    assert chapters.stale() == []
    executed = sorted((ROOT / "book/notebooks").glob("*.ipynb"))
    assert executed == [chapters.notebook(source) for source in SOURCES]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_chapter_shows_its_source_and_nothing_of_the_machine(source):
    nb = committed(source)
    written = jupytext.read(source, fmt="py:percent")
    assert [cell.source for cell in nb.cells] == [cell.source for cell in written.cells]
    assert "FloatProgress" not in nbformat.writes(
        nb
    )  # tqdm.auto's bars are widgets; plain tqdm's are text
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {}).items()
            text = output.get("text", "")
            text += str([value for kind, value in data if not kind.startswith("image/")])
            assert not re.search(r"/(home|root|tmp|Users|work)/", text), text
            assert output.output_type != "error" and output.get("name") != "stderr", text


@pytest.mark.parametrize("number", CHAPTERS)
def test_a_chapter_has_read_all_the_seeds_that_the_book_has(number):
    """A seed more leaves a chapter that shows the experiment stale, though none of its files changed."""
    (source,) = [source for source in SOURCES if source.stem.startswith(f"{number:02}_")]
    read = set(committed(source).metadata["localbias"]["records"])
    recorded = Recorded(number)
    missing = []
    for name in recorded.names:
        tier = catalogue.tier_for(name, "laptop")
        for seed in recorded.seeds(name):
            if (file := f"{catalogue.make(name, tier, seed).stem}.json") not in read:
                missing.append(file)
    assert not missing


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_chapter_can_be_rerun_with_other_parameters(source):
    code = [cell for cell in committed(source).cells if cell.cell_type == "code"]
    assert code[0].metadata.get("tags") == ["parameters"]
    assert "import" not in code[0].source  # papermill injects the others right after this cell
    assert committed(source).metadata.kernelspec.name == "python3"


refused = pytest.mark.parametrize(
    "given, message",
    [
        ({"sede": 3}, "unknown parameter sede = 3; there are: .*tier"),
        ({"tier": "lapdog"}, "parameter tier = 'lapdog'; it may be one of .*'smoke'"),
    ],
    ids=["unknown", "bad"],
)


@refused
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_chapter_refuses_what_it_does_not_know(source, given, message):
    """Its first two code cells, with other parameters in between, as papermill puts them there."""
    first, second, *_ = [cell for cell in committed(source).cells if cell.cell_type == "code"]
    namespace = {"__name__": "__main__"}
    exec(first.source, namespace)
    namespace.update(given)
    with pytest.raises(ValueError, match=message):
        exec(second.source, namespace)


@refused
def test_papermill_passes_the_refusal_on(given, message):
    """In a kernel, which holds names of its own beside the parameters."""
    source, *_ = SOURCES
    with pytest.raises(papermill.PapermillExecutionError, match=message):
        papermill.execute_notebook(
            chapters.notebook(source), None, parameters=given, progress_bar=False
        )
