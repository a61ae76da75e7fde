"""The sliders of the pages work in a real browser, with no kernel and no network behind them."""

import json

import pytest

from localbias.book import chapters
from localbias.store import ROOT

CHAPTERS = [
    path.stem
    for path in sorted((ROOT / "book/notebooks").glob("*.ipynb"))
    if "picture-slider" in path.read_text(encoding="utf-8")
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
const shown = slider => [...slider.querySelectorAll(":scope > figure:not([hidden]) img")];
const pictures = slider => shown(slider).map(image => image.alt);
await until(() => sliders().length && sliders().every(slider => shown(slider)[0]?.naturalWidth), "pictures");

async function move(slider, place) {  // what the browser does when a key or a thumb moves it
  const knob = slider.querySelector("input");
  knob.value = place;
  knob.dispatchEvent(new Event("input", {bubbles: true}));
  await until(() => shown(slider)[0]?.naturalWidth, "the next picture");
}
function colour(slider) {  // of the picture's middle, as it is drawn
  const canvas = page.createElement("canvas"), image = shown(slider)[0];
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
for (const place of [2, 0, 3]) {
  await move(first, place);
  seen.push([...pictures(first), colour(first), first.querySelector("input").ariaValueText]);
}
await until(() => page.querySelector("mjx-container"), "the formula");
const name = first.querySelector("input").labels[0].textContent;
return {seen, name, second: pictures(second), count: sliders().length, width};
"""
)

MOVE_ALL = (
    LIBRARY
    + """
const same = [];
for (const slider of sliders()) {
  const last = slider.querySelector("input").max, seen = new Set();
  for (const place of [0, last]) {
    await move(slider, place);
    seen.add(shown(slider)[0].src);
  }
  if (last == 0 || seen.size < 2) same.push(pictures(slider));
}
return {same, width};
"""
)


@pytest.fixture(scope="module")
def toy(build, tmp_path_factory):
    """The pages of a book of one page without sliders and one chapter with two, run and built as the book is."""
    root = tmp_path_factory.mktemp("toy")
    (root / "notebooks").mkdir()
    (root / "notebooks/01_toy.py").write_text(TOY)
    chapters.refresh(root=root)
    for name in ("_config.yml", "references.bib", "_static", "_templates", "vendor"):
        (root / "book" / name).symlink_to(ROOT / "book" / name)
    (root / "book/_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n  - file: notebooks/01_toy\n"
    )
    (root / "book/intro.md").write_text("# A page without sliders\n")
    return build(root / "book", root / "out")


def test_moving_the_slider_changes_the_picture(toy, browse, fetched):
    if not fetched:
        pytest.skip("the pages' scripts were not fetched with npm")
    told, in_vain = browse(toy, MOVE_TOY.replace("PAGE", '"notebooks/01_toy"'), seconds=30)
    assert told == {
        # It begins where it was told to, shows one picture at a time, and tells its label.
        "seen": [
            ["A plain square: #00ff00", [0, 255, 0]],
            ["A plain square: #0000ff", [0, 0, 255], "#0000ff"],
            ["A plain square: #ff0000", [255, 0, 0], "#ff0000"],
            ["A plain square: #000000", [0, 0, 0], "#000000"],
        ],
        "name": "colour of the page",
        "second": ["time: before"],
        "count": 2,
        "width": 390,
    }
    assert in_vain == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_slider_of_a_chapter_changes_its_picture(site, browse, chapter):
    told, in_vain = browse(
        site, MOVE_ALL.replace("PAGE", json.dumps(f"notebooks/{chapter}")), seconds=60
    )
    assert told == {"same": [], "width": 390}
    assert in_vain == []
