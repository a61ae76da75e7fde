"""Every page in a real browser: nothing cut at any width, a clean console, no fault that axe finds, and its weight."""

import json

import pytest
import yaml

from localbias.store import ROOT

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"]] + [page["file"] for part in TOC["parts"] for page in part["chapters"]]
OTHERS = ["404", "search", "genindex"]
AXE = ROOT / "book/vendor/node_modules/axe-core/axe.min.js"
WEIGHT = 3_000_000  # bytes of a page and all that it loads, as they lie on the server
WIDTHS = (1280, 768, 390)

CUT = """
const cut = [];
for (const width of WIDTHS) {
  const frame = await open("PAGE", width), page = frame.contentDocument;
  await settled(frame);
  for (const fold of page.querySelectorAll(".bd-article details")) fold.open = true;
  await pause(300);
  const shown = "pre, table, .pst-scrollable-table-container, .cell_output, div.math, p, li, dd, figure";
  for (const part of page.querySelectorAll(".bd-article :is(" + shown + ")"))
    if (part.checkVisibility() && part.clientWidth && part.scrollWidth > part.clientWidth + 1)
      cut.push([width, part.tagName, part.scrollWidth - part.clientWidth, part.textContent.trim().slice(0, 60)]);
  frame.remove();
}
return cut;
"""

FAULTS = """
const faults = [];
for (const theme of ["light", "dark"]) {
  localStorage.setItem("mode", theme);
  localStorage.setItem("theme", theme);
  const frame = await open("PAGE", 1280);
  await settled(frame);
  const script = frame.contentDocument.createElement("script");
  script.src = frame.contentWindow.document.documentElement.dataset.content_root + "axe.min.js";
  frame.contentDocument.head.append(script);
  await until(() => frame.contentWindow.axe, "axe");
  const told = await frame.contentWindow.axe.run(frame.contentDocument, {resultTypes: ["violations"]});
  for (const fault of told.violations)
    faults.push([theme, fault.id, fault.nodes.length, fault.nodes[0].target.join(" "), fault.nodes[0].html.slice(0, 99)]);
  frame.remove();
}
return faults;
"""

LOADED = """
const frame = await open("PAGE", 1280);
await settled(frame);
for (const image of frame.contentDocument.images) image.loading = "eager";
await pause(500);
const view = frame.contentWindow, loaded = {};
for (const part of [...view.performance.getEntriesByType("navigation"), ...view.performance.getEntriesByType("resource")])
  loaded[part.name.split(/[?#]/)[0]] = part.decodedBodySize;
return Object.entries(loaded);
"""

ENLARGE = """
const frame = await open("PAGE", 390), page = frame.contentDocument;
await settled(frame);
const button = page.querySelector("figure button.enlarge"), dialog = page.querySelector("dialog.enlarged");
button.click();
const picture = dialog.querySelector("img");
await until(() => picture.complete, "the picture");
const told = [dialog.open, picture.clientWidth > button.parentElement.querySelector("img").clientWidth, Boolean(picture.alt)];
dialog.querySelector("button").click();
return [...told, dialog.open];
"""


@pytest.fixture
def pages(site):
    """The built site, with axe beside it where npm fetched it."""
    if AXE.exists() and not (site / "axe.min.js").exists():
        (site / "axe.min.js").write_bytes(AXE.read_bytes())
    return site


@pytest.mark.parametrize("page", PAGES + OTHERS)
def test_nothing_is_cut(pages, browse, page):
    script = CUT.replace("WIDTHS", json.dumps(WIDTHS)).replace("PAGE", page)
    cut, in_vain = browse(pages, script, seconds=60)
    assert cut == [] and in_vain == []


@pytest.mark.parametrize("page", PAGES + OTHERS)
def test_the_console_is_clean_and_the_page_light(pages, browse, fetched, page):
    if not fetched:
        pytest.skip("the pages' scripts were not fetched with npm")
    loaded, _ = browse(pages, LOADED.replace("PAGE", page), seconds=60)
    assert browse.console == []
    weight = sum(size for _, size in loaded)
    print(f"{page}: {weight / 1e6:.2f} MB in {len(loaded)} files")
    assert 0 < weight < WEIGHT, sorted(loaded, key=lambda part: -part[1])[:5]


@pytest.mark.parametrize("page", PAGES + OTHERS)
def test_axe_finds_no_fault_in_either_theme(pages, browse, page):
    if not AXE.exists():
        pytest.skip("axe-core was not fetched with npm")
    faults, _ = browse(pages, FAULTS.replace("PAGE", page), seconds=90)
    assert faults == []


def test_a_figure_opens_at_its_own_size_on_a_phone(pages, browse):
    told, _ = browse(
        pages, ENLARGE.replace("PAGE", "notebooks/01_synthetic_hallucination"), seconds=60
    )
    assert told == [True, True, True, False]
