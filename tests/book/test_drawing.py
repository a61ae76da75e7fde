"""One figure by its name: found, drawn by the cells that it needs, and refused by name."""

import io

import pytest
from PIL import Image

from localbias.book import drawing
from localbias.book.chapters import cell_options, find, sources
from localbias.experiments import engine

CHAPTER = """\
# %% tags=["parameters"]
tier = "laptop"
seed = 0

# %% tags=["hide-input"]
from pathlib import Path

import matplotlib.pyplot as plt

from localbias import figures
from localbias.book import parameters

parameters(globals(), tier=("smoke", "laptop"), seed=range(9))
log = Path(__file__ if "__file__" in globals() else "log.txt")

# %%
heights = {}
heights["a"] = 1 + seed

# %%
raise RuntimeError("what no figure needs is not run")

# %%
widths = [2]
widths.append(3)

# %%
#| label: bar
#| fig-cap: >-
#|   A bar, as high
#|   as it is.
#| fig-alt: One bar
plt.figure(figsize=(2, 1))
plt.bar(["a"], [heights["a"]])
plt.show()

# %%
#| label: squares
figures.slider({str(w): plt.figure(figsize=(w, 1)) for w in widths[:1]}, "width")

# %%
#| label: widths
#| fig-cap: Widths.
#| fig-alt: Widths
plt.figure(figsize=(1, 1))
plt.plot(widths)
plt.show()
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/02_toy.py").write_text(CHAPTER)
    (tmp_path / "notebooks/page.py").write_text("# %%\n1\n")
    return tmp_path


def test_the_named_figures_of_a_chapter(root):
    found = drawing.figure_cells(root / "notebooks/02_toy.py")
    assert [(cell.name, cell.caption) for cell in found] == [
        ("bar", "A bar, as high as it is."),
        ("squares", ""),
        ("widths", "Widths."),
    ]


@pytest.mark.parametrize("chapter", ["2", "02", "02_toy"])
def test_a_chapter_is_found_by_number_and_name(root, chapter):
    assert find(chapter, root).name == "02_toy.py"
    assert find("page", root).name == "page.py"


def test_only_the_cells_that_a_figure_needs(root):
    code = [cell.source for cell in drawing._code_cells(root / "notebooks/02_toy.py")]
    assert drawing.cells_needed(code, 5) == [0, 1, 2, 5]  # `heights` is changed where it is made
    assert drawing.cells_needed(code, 7) == [0, 1, 4, 7]  # and `widths` by a call


def test_a_figure_is_drawn_with_the_parameters_given(root, tmp_path):
    for suffix in (".png", ".svg", ".pdf"):
        out = tmp_path / "figures" / f"bar{suffix}"
        assert drawing.draw("2", "bar", out, {"seed": 3}, root) == out and out.stat().st_size > 1000
    tall, short = tmp_path / "tall.svg", tmp_path / "short.svg"
    drawing.draw("2", "bar", tall, {"seed": 3}, root)
    drawing.draw("2", "bar", short, {}, root)
    assert tall.read_text() != short.read_text()
    assert Image.open(io.BytesIO((tmp_path / "figures/bar.png").read_bytes())).size == (200, 100)


def test_a_slider_gives_its_first_frame(root, tmp_path):
    out = drawing.draw("2", "squares", tmp_path / "squares.png", {}, root)
    assert Image.open(io.BytesIO(out.read_bytes())).size == (200, 100)
    with pytest.raises(ValueError, match="squares.svg; a slider's frame .* ends in .png"):
        drawing.draw("2", "squares", tmp_path / "squares.svg", {}, root)


def test_a_cell_that_draws_nothing_says_so(root, tmp_path):
    cell = "\n# %%\n#| label: empty\n#| fig-cap: x\n#| fig-alt: x\nplt.show()\n"
    (root / "notebooks/02_toy.py").write_text(CHAPTER + cell)
    with pytest.raises(
        ValueError, match="empty.png: with these parameters there is nothing to draw"
    ):
        drawing.draw("2", "empty", tmp_path / "empty.png", {}, root)


def test_what_a_needed_cell_draws_is_not_taken_for_it(root, tmp_path):
    before = "\n# %%\nplt.figure(figsize=(3, 3))\nsize = 1\nplt.show()\n"
    cell = (
        '\n# %%\n#| label: later\nfigures.slider({"one": plt.figure(figsize=(size, 1))}, "size")\n'
    )
    (root / "notebooks/02_toy.py").write_text(CHAPTER + before + cell)
    out = drawing.draw("2", "later", tmp_path / "later.png", {}, root)
    assert Image.open(io.BytesIO(out.read_bytes())).size == (100, 100)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("3", "bar", "x.png"), "no chapter '3'; there are: 02_toy, page"),
        (("2", "bra", "x.png"), "no figure 'bra' in 02_toy; there are: bar, squares, widths"),
        (("2", "bar", "x.gif"), "x.gif; allowed: a file that ends in .png, .svg, .pdf"),
        (("2", "bar", "x.png", {"seed": 9}), "parameter seed = 9; it may be an int from 0 to 8"),
        (("2", "bar", "x.png", {"sede": 1}), "unknown parameter sede = 1; there are: tier, seed"),
    ],
)
def test_what_is_not_there_is_named(root, tmp_path, arguments, message):
    chapter, name, file, *parameters = arguments
    with pytest.raises(ValueError, match=message):
        drawing.draw(chapter, name, tmp_path / file, *(parameters or [{}]), root)
    assert not (tmp_path / file).exists()


@pytest.mark.parametrize(
    "code, options",
    [
        ("1", {}),
        (
            "#| label: a-b\n#| fig-cap: >-\n#|   One\n#|   two.\n#| fig-alt: x\n1",
            {"label": "a-b", "fig-cap": "One two.", "fig-alt": "x"},
        ),
        ("# | label: no\n", {}),
    ],
)
def test_options_of_a_cell(code, options):
    assert cell_options(code) == options


@pytest.mark.parametrize("code", ["#| caption: x", "#| only text"])
def test_options_that_there_are_not(code):
    with pytest.raises(ValueError, match="allowed: label, fig-cap, fig-alt"):
        cell_options(code)


def test_every_figure_of_the_book_has_a_name_of_its_own():
    names = [cell.name for source in sources() for cell in drawing.figure_cells(source)]
    assert len(names) == len(set(names)) and names
    assert all(name == name.lower() and " " not in name for name in names)


@pytest.mark.parametrize(
    "chapter, name",  # Figures 3, 4, 5, 7 and 16
    [
        ("1", "outcomes-blocks"),
        ("1", "outcomes-token-dit"),
        ("1", "outcomes-x0-unet"),
        ("2", "ldr-along-training-escapes"),
        ("2", "ldr-five-levels"),
        ("4", "words-unet-along-training"),
        ("4", "dyck-unet-along-training"),
    ],
)
def test_the_papers_headline_figures_are_drawn_from_records(chapter, name, tmp_path, monkeypatch):
    def trained(*_):
        raise AssertionError("a figure of the book trains")

    monkeypatch.setattr(engine, "_run", trained)
    made = drawing.draw(chapter, name, tmp_path / "made.png")
    with Image.open(made) as image:
        assert image.width > 900


@pytest.mark.parametrize(
    "code, place, needed",
    [
        # Names of comprehensions, lambdas and loops are a cell's own; an iterable is not.
        (
            ["", "", "rows = [1]", "names = [row for row in 'ab']", "[row for row in rows]"],
            4,
            [0, 1, 2, 4],
        ),
        (
            [
                "",
                "",
                "for row in (1, 2):\n    one = row",
                "for row in 'ab':\n    one = row\n    one",
            ],
            3,
            [0, 1, 3],
        ),
        (["", "", "x = 2", "f = lambda x: x + 1", "f(1)"], 4, [0, 1, 3, 4]),
        # The last cell that sets a name is enough, unless it may not have set it or needs its value.
        (["", "", "rows = [1]", "rows = [2]", "rows"], 4, [0, 1, 3, 4]),
        (["", "", "rows = [1]", "if False:\n    rows = [2]", "rows"], 4, [0, 1, 2, 3, 4]),
        (["", "", "rows = [1]", "rows = rows + [2]", "rows"], 4, [0, 1, 2, 3, 4]),
        (["", "", "n = 1", "n += 1", "n"], 4, [0, 1, 2, 3, 4]),
    ],
)
def test_a_name_ties_only_the_cells_that_share_its_value(code, place, needed):
    assert drawing.cells_needed(code, place) == needed
