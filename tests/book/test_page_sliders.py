"""The sliders of the pages work in a real browser, with no kernel and no network behind them."""

import json

import pytest
from bs4 import BeautifulSoup

from localbias.book import chapters
from localbias.store import ROOT

CHAPTERS = [
    path.stem
    for path in sorted((ROOT / "book/notebooks").glob("*.ipynb"))
    if "widgets" in json.loads(path.read_text())["metadata"]
]

TOY = """
# %% [markdown]
# # Two sliders and a formula
# $x_t = a x_0$

# %%
import matplotlib.pyplot as plt
from localbias.figures import slider

colours = ("#ff0000", "#00ff00", "#0000ff", "#000000")
slider(((colour, plt.figure(facecolor=colour, figsize=(9, 2))) for colour in colours),
       "colour of the page", alt="A plain square", start="#00ff00")

# %%
slider({label: plt.figure(figsize=(2, 2)) for label in ("before", "after")}, "time")
"""

LIBRARY = """
const frame = await open(PAGE), page = frame.contentDocument;
const sliders = () => [...page.querySelectorAll(".picture-slider")];
const pictures = slider => [...slider.querySelectorAll("img")].map(image => image.alt);
await until(() => sliders().length && sliders().every(slider => slider.querySelector("img")?.naturalWidth), "pictures");

async function press(slider, ...keys) {
  for (const key of keys)
    slider.querySelector("[role=slider]").dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  await pause(50);  // one picture goes before the next one comes
  await until(() => slider.querySelector("img")?.naturalWidth, "the next picture");
}
function colour(slider) {  // of the picture's middle, as it is drawn
  const canvas = page.createElement("canvas"), image = slider.querySelector("img");
  canvas.width = canvas.height = 1;
  const drawn = canvas.getContext("2d");
  drawn.drawImage(image, image.naturalWidth / 2, image.naturalHeight / 2, 1, 1, 0, 0, 1, 1);
  return [...drawn.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}
const width = page.documentElement.scrollWidth;
"""

MOVE_TOY = (
    LIBRARY
    + """
const [first, second] = sliders();
const seen = [[...pictures(first), colour(first)]];
for (const keys of [["ArrowRight"], ["ArrowLeft", "ArrowLeft"], ["End"], ["ArrowRight"]]) {
  await press(first, ...keys);
  seen.push([...pictures(first), colour(first)]);
}
const caption = first.querySelector("figcaption").textContent;
await until(() => page.querySelector("mjx-container"), "the formula");
const asked = frame.contentWindow.require.toUrl("@jupyter-widgets/html-manager/dist/embed-amd.js");
const beside_fonts = new URL(asked, frame.contentWindow.location).pathname;
return {seen, caption, second: pictures(second), count: sliders().length, width, beside_fonts};
"""
)

MOVE_ALL = (
    LIBRARY
    + """
const same = [];
for (const slider of sliders()) {
  for (const key of ["Home", "End"]) {
    const before = slider.querySelector("img").src, at = slider.querySelector("[role=slider]").ariaValueNow;
    await press(slider, key);
    if (slider.querySelector("[role=slider]").ariaValueNow != at && slider.querySelector("img").src == before)
      same.push([key, ...pictures(slider)]);
  }
  if (slider.querySelector("[role=slider]").ariaValueNow == 0) same.push(["it does not move", ...pictures(slider)]);
}
return {same, width};
"""
)


@pytest.fixture
def own_browse(fetched, browse):
    if not fetched:
        pytest.skip("the widgets' scripts were not fetched with npm")
    return browse


@pytest.fixture(scope="module")
def toy(build, tmp_path_factory):
    """The pages of a book of one page without widgets and one chapter with two, run and built as the book is."""
    root = tmp_path_factory.mktemp("toy")
    (root / "notebooks").mkdir()
    (root / "notebooks/01_toy.py").write_text(TOY)
    chapters.refresh(root=root)
    for name in ("_config.yml", "references.bib", "_static", "vendor"):
        (root / "book" / name).symlink_to(ROOT / "book" / name)
    (root / "book/_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n  - file: notebooks/01_toy\n"
    )
    (root / "book/intro.md").write_text("# A page without widgets\n")
    return build(root / "book", root / "out")


def test_only_a_page_with_widgets_loads_their_scripts(toy):
    loaded = {}
    for page in ("intro", "notebooks/01_toy"):
        scripts = BeautifulSoup((toy / f"{page}.html").read_text(), "html.parser").select(
            "script[src]"
        )
        loaded[page] = [script["src"].rpartition("/")[2].partition("?")[0] for script in scripts]
    assert [name for name in loaded["notebooks/01_toy"] if name not in loaded["intro"]] in (
        ["require.js", "embed-amd.js"],
        ["require.min.js", "embed-amd.js"],
    )


def test_moving_the_slider_changes_the_picture(toy, own_browse):
    told, in_vain = own_browse(toy, MOVE_TOY.replace("PAGE", '"notebooks/01_toy"'), seconds=30)
    assert told == {
        # It begins where it was told to, moves by keys, ends at the ends, and shows one picture at a time.
        "seen": [
            ["A plain square: #00ff00", [0, 255, 0]],
            ["A plain square: #0000ff", [0, 0, 255]],
            ["A plain square: #ff0000", [255, 0, 0]],
            ["A plain square: #000000", [0, 0, 0]],
            ["A plain square: #000000", [0, 0, 0]],
        ],
        "caption": "#000000",
        "second": ["time: before"],
        "count": 2,
        "width": 390,
        "beside_fonts": "/_static/widgets/@jupyter-widgets/html-manager/dist/embed-amd.js",
    }
    assert in_vain == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_slider_of_a_chapter_changes_its_picture(site, own_browse, chapter):
    told, in_vain = own_browse(
        site, MOVE_ALL.replace("PAGE", json.dumps(f"notebooks/{chapter}")), seconds=60
    )
    assert told == {"same": [], "width": 390}
    assert in_vain == []
