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

SHOWN = """
const cut = [], loaded = {};
for (const width of WIDTHS) {
  const frame = await open("PAGE", width), page = frame.contentDocument;
  await settled(frame);
  for (const fold of page.querySelectorAll(".bd-article details")) fold.open = true;
  await pause(300);
  const parts = "pre, table, .pst-scrollable-table-container, .cell_output, div.math, p, li, dd, figure";
  for (const part of page.querySelectorAll(".bd-article :is(" + parts + ")"))
    if (part.checkVisibility() && part.clientWidth && part.scrollWidth > part.clientWidth + 1)
      cut.push([width, part.tagName, part.scrollWidth - part.clientWidth, part.textContent.trim().slice(0, 60)]);
  const timed = kind => frame.contentWindow.performance.getEntriesByType(kind);
  for (const part of [...timed("navigation"), ...timed("resource")]) {
    const name = part.name.split(/[?#]/)[0];  // the next frame has it from memory, where it weighs nothing
    loaded[name] = Math.max(loaded[name] ?? 0, part.decodedBodySize);
  }
  frame.remove();
}
return {cut, loaded};
"""

# What a theme changes is the contrast alone.
FAULTS = """
const faults = [];
let rules = 0;
for (const theme of ["light", "dark"]) {
  localStorage.setItem("mode", theme);
  localStorage.setItem("theme", theme);
  const frame = await open("PAGE", 1280), page = frame.contentDocument;
  await settled(frame);
  const script = page.createElement("script");
  script.src = page.documentElement.dataset.content_root + "axe.min.js";
  page.head.append(script);
  await until(() => frame.contentWindow.axe, "axe");
  const which = theme === "light" ? {} : {runOnly: ["color-contrast"]};
  const told = await frame.contentWindow.axe.run(page, {resultTypes: ["violations"], ...which});
  rules += told.passes.length;
  for (const fault of told.violations)
    faults.push([theme, fault.id, fault.nodes.length, fault.nodes[0].target.join(" "), fault.nodes[0].html.slice(0, 99)]);
  frame.remove();
}
return {faults, rules};
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


def test_the_gates_would_notice(tmp_path, browse):
    """A page with a fault of each kind: what is cut, what it complains of, what it asks for in vain."""
    (tmp_path / "bad.html").write_text(
        '<body><article class="bd-article"><pre style="overflow: auto; white-space: pre">'
        + "long " * 200
        + '</pre></article><img src="gone.png"><script>console.error("oh"); nothing()</script></body>'
    )
    script = SHOWN.replace("WIDTHS", "[390]").replace("PAGE", "bad")
    told, in_vain = browse(tmp_path, script, seconds=20)
    assert [part[1] for part in told["cut"]] == ["PRE"]
    assert in_vain == ["/gone.png"]
    assert "oh" in str(browse.console) and "nothing is not defined" in str(browse.console)


VISITS = {}  # by page: what a browser told of it, what it asked for in vain, what it wrote in the console


@pytest.fixture
def pages(site):
    """The built site, with axe beside it where npm fetched it."""
    if AXE.exists() and not (site / "axe.min.js").exists():
        (site / "axe.min.js").write_bytes(AXE.read_bytes())
    return site


@pytest.fixture
def visit(pages, browse):
    """visit(page): its entry of VISITS. One browser looks at all that the tests ask of a page."""

    def visited(page):
        if page not in VISITS:
            parts = {"shown": SHOWN.replace("WIDTHS", json.dumps(WIDTHS))}
            parts |= {"axe": FAULTS} if AXE.exists() else {}
            calls = (f"{name}: await (async () => {{ {part} }})()" for name, part in parts.items())
            script = f"return {{ {', '.join(calls)} }};".replace("PAGE", page)
            told, in_vain = browse(pages, script, seconds=150)
            assert isinstance(told, dict), told
            VISITS[page] = told, in_vain, browse.console
        return VISITS[page]

    return visited


@pytest.mark.parametrize("page", PAGES + OTHERS)
def test_nothing_is_cut_the_console_is_clean_and_the_page_light(visit, fetched, page):
    told, in_vain, console = visit(page)
    assert told["shown"]["cut"] == []
    assert in_vain == []
    assert console == []
    if not fetched:
        pytest.skip("without the scripts that npm fetches the page was not weighed")
    loaded = told["shown"]["loaded"]
    weight = sum(loaded.values())
    print(f"{page}: {weight / 1e6:.2f} MB in {len(loaded)} files")
    assert 0 < weight < WEIGHT, sorted(loaded.items(), key=lambda part: -part[1])[:5]


@pytest.mark.parametrize("page", PAGES + OTHERS)
def test_axe_finds_no_fault_in_either_theme(visit, page):
    if not AXE.exists():
        pytest.skip("axe-core was not fetched with npm")
    told = visit(page)[0]["axe"]
    print(f"{page}: axe finds {len(told['faults'])} faults, {told['rules']} rules are kept")
    assert told["faults"] == []
    assert told["rules"] > 10


def test_a_figure_opens_at_its_own_size_on_a_phone(pages, browse):
    told, _ = browse(
        pages, ENLARGE.replace("PAGE", "notebooks/01_synthetic_hallucination"), seconds=60
    )
    assert told == [True, True, True, False]
