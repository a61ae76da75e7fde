"""What pages say of where things come from: under figures, on the page of records, of the costs."""

import io
from dataclasses import replace

import nbformat
import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from localbias.book import provenance, runs
from localbias.store import duration

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
SAMPLES = "parity-8-unet-blocks-at-6000-samples-1000-steps-1000-eta-1"
NAMES = ("parity-8-unet", SAMPLES, "flow-16", "grid-25-gentle-chain-random")


@pytest.fixture(scope="module")
def some():
    """The committed records of one experiment of each kind."""
    return {name: run for name, run in runs.all_runs().items() if run.name in NAMES}


@pytest.fixture
def build(tmp_path, monkeypatch, some):
    """build(pages): their parsed HTML by name and the build's warnings; a page is Markdown or a notebook."""
    monkeypatch.setattr(provenance, "all_runs", lambda: some)
    monkeypatch.setattr(provenance, "all_origins", lambda: {})

    def run(**pages):
        source, out, warnings = tmp_path / "book", tmp_path / "out", io.StringIO()
        source.mkdir()
        (source / "index.md").write_text(
            "# Book\n\n```{toctree}\n:numbered: 1\n" + "\n".join(pages) + "\n```\n"
        )
        for name, page in pages.items():
            if isinstance(page, str):
                (source / f"{name}.md").write_text(f"# {name}\n\n{page}\n")
            else:
                nbformat.write(page, source / f"{name}.ipynb")
        config = dict(
            extensions=["sphinx.ext.autodoc", "myst_nb", "localbias.book.extension"], numfig=True
        )
        config |= dict(nb_execution_mode="off", html_theme="basic")
        # Sphinx writes into its own default, which all of this process's builds would share.
        config["source_suffix"] = {".md": "myst-nb", ".ipynb": "myst-nb"}
        with docutils_namespace():
            app = Sphinx(source, None, out, out, "html", config, status=None, warning=warnings)
            app.build()
        parsed = {
            name: BeautifulSoup((out / f"{name}.html").read_text(), "html.parser") for name in pages
        }
        return parsed, warnings.getvalue()

    return run


def words(node):
    return " ".join(node.get_text(" ").split())


def notebook(*records):
    """A chapter with a figure, of a cell that read these records, after one that read none."""
    picture = nbformat.v4.new_output("display_data", {"image/png": PIXEL})
    figure = {"name": "fig-dots", "caption": "Some dots."}
    shown = nbformat.v4.new_code_cell(
        "#| label: dots\n#| fig-cap: Some dots.\n#| fig-alt: Dots\nplt.show()",
        metadata={"mystnb": {"figure": figure}, "localbias": {"records": list(records)}},
        outputs=[picture],
    )
    other = nbformat.v4.new_code_cell("#| label: more\n2 + 2", outputs=[])
    cells = [nbformat.v4.new_markdown_cell("# A chapter\n\n{numref}`fig-dots`"), shown, other]
    python = {"name": "python3", "display_name": "Python", "language": "python"}
    language = {"name": "python", "pygments_lexer": "ipython3"}
    metadata = {"kernelspec": python, "language_info": language}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def test_a_figure_says_where_it_comes_from(build, some):
    ours = [name for name, run in some.items() if run.name == "parity-8-unet"]
    pages, warnings = build(**{"03_dots": notebook(*ours), "records": "```{records}\n```"})
    assert warnings == ""
    figure = pages["03_dots"].find("figure", id="fig-dots")
    fold = figure.select_one("figcaption details.origin")
    assert words(fold.summary) == f"Origin: {runs.in_words(some[name] for name in ours)}"
    assert "localbias figure 3 dots" in words(fold)
    assert [link["href"] for link in fold.select("a")] == [
        "records.html#record-parity-8-unet",
        "#fig-dots",
    ]
    assert words(figure.select_one(".caption-number")) == "Fig. 1.1"
    assert pages["03_dots"].find("a", href="#fig-dots", class_="reference").text == "Fig. 1.1"
    # The options of a cell are not shown as code.
    assert [block.get_text().strip() for block in pages["03_dots"].select("pre")] == [
        "plt.show()",
        "2 + 2",
    ]


def test_a_figure_of_no_record_says_so(build):
    pages, warnings = build(**{"03_dots": notebook()})
    assert warnings == ""
    fold = pages["03_dots"].select_one("details.origin")
    assert words(fold.summary) == "Origin: calculated in the chapter, from no record"


def test_a_record_has_its_settings_its_seeds_and_its_commands(build, some):
    pages, warnings = build(records="```{records}\n```")
    assert warnings == ""
    page = pages["records"]
    block = page.find(id="record-parity-8-unet")
    settings, commands = (part.get_text() for part in block.select("pre"))
    assert "n_train: 64\n" in settings and "rendering" not in settings  # which is at its default
    assert "localbias verify parity-8-unet --tier laptop --seed 0 --seed 1 --seed 2" in commands
    ours = [run for run in some.values() if run.name == "parity-8-unet"]
    for run, row in zip(ours, block.select("tbody tr")):
        cells = [words(cell) for cell in row.select("td")]
        assert cells[:3] == [str(run.seed), duration(run.seconds), run.machine]
        assert cells[4:] == [run.origin["key"], run.origin["arrays_sha256"][:12]]
    assert page.find(id="record-flow-16") and page.find(id="record-grid-25-gentle-chain-random")
    chain = page.find(id="record-grid-25-gentle-chain-random")
    assert "treatment: random" in chain.pre.get_text()
    assert words(chain).count("compared") == 0 and words(block).count("compared") == 1
    drawn = page.find(id=f"record-{SAMPLES}")
    settings, commands = (part.get_text() for part in drawn.select("pre"))
    assert "step: 6000" in settings and "\nlocalbias sample parity-8-unet-blocks" in commands


def test_a_kind_without_records_is_left_out(build, some, monkeypatch):
    ours = {name: run for name, run in some.items() if run.kind == runs.TRAINING}
    monkeypatch.setattr(provenance, "all_runs", lambda: ours)
    pages, warnings = build(records="```{records}\n```")
    assert warnings == "" and len(pages["records"].select("section section")) == 1


def test_costs_are_the_records_seconds_and_the_papers_arithmetic(build, some, monkeypatch):
    from localbias.experiments import catalogue, operations

    names = ("modes-3", "modes-4")
    monkeypatch.setattr(
        catalogue, "EXPERIMENTS", {name: catalogue.EXPERIMENTS[name] for name in names}
    )
    pages, warnings = build(
        costs="```{costs}\n:core-hour: 0.5\n:gpu-hour: 3000\n:teraflops: 0.5\n```"
    )
    assert warnings == ""
    rows = [[words(cell) for cell in row.select("td")] for row in pages["costs"].select("tbody tr")]
    seconds = sum(run.seconds for run in some.values() if run.name == "parity-8-unet")
    assert rows[0][1] == "3" and rows[0][3:] == [duration(seconds), f"${seconds / 7200:.2f}"]
    hours = sum(operations(catalogue.make(name, "paper"))[1] for name in names) / 0.5e12 / 3600
    assert rows[-1][1] == "2"
    assert rows[-1][3:] == [duration(3600 * hours), f"${3000 * hours:,.2f}"]


def test_what_a_gpu_computed_costs_what_a_gpu_costs(build, some, monkeypatch):
    from localbias.experiments import catalogue

    name, run = next((name, run) for name, run in some.items() if run.kind == runs.TRAINING)
    process = run.origin["processes"][0] | {"seconds": 1800.0}
    changed = run.origin | {"processes": [process, process | {"device": "some card"}]}
    monkeypatch.setattr(provenance, "all_runs", lambda: some | {name: replace(run, origin=changed)})
    monkeypatch.setattr(catalogue, "EXPERIMENTS", {"modes-3": catalogue.EXPERIMENTS["modes-3"]})
    told = "```{costs}\n:core-hour: 0\n:gpu-hour: 6\n:teraflops: 10\n```"
    pages, _ = build(costs=told)
    assert words(pages["costs"].select("tbody tr")[0].select("td")[-1]) == "$3.00"


def test_a_figure_that_there_is_not_is_a_warning(build, monkeypatch):
    from localbias.book import directives

    row = dict(id="one", where="§1", says="a", finds="b", verdict="holds", why="c")
    row |= dict(figures=["nowhere"], records=[])
    monkeypatch.setattr(directives, "ledger_rows", lambda: [row])
    _, warnings = build(table="```{ledger}\n```")
    assert "fig-nowhere" in warnings


def test_the_tally_has_a_badge_for_each_verdict(build, monkeypatch):
    from localbias.book import front

    rows = [{"verdict": verdict} for verdict in ("holds", "not reached", "holds")]
    monkeypatch.setattr(front, "ledger_rows", lambda: rows)
    pages, warnings = build(page="```{tally}\n```")
    assert warnings == ""
    items = [words(item) for item in pages["page"].select("ul.tally li")]
    assert items == [
        "2 holds",
        "0 holds in part",
        "0 does not hold",
        "1 not reached",
        "0 not measured",
    ]
    assert pages["page"].select_one("span.verdict.not-reached")
