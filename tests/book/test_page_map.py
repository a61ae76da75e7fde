"""The script of the ledger, of folds and of the opening, in a real browser on small pages."""

import json
import shutil

import pytest

from localbias.store import ROOT

ROWS = (
    ("b-claim", "holds", "Dyck"),
    ("a-claim", "does not hold", "parity"),
    ("c", "holds", "Fig 5"),
)
TABLE = "".join(
    f'<tr id="claim-{name}"><td>{name}</td><td><p class="verdict">{verdict}</p>{text}</td></tr>'
    for name, verdict, text in ROWS
)
TALLY = "".join(
    f'<li><p><strong>1</strong> <span class="verdict">{verdict}</span></p></li>'
    for verdict in ("holds", "does not hold")
)
MOMENTS = "".join(
    f'<div class="moment" data-step="step {step}"{hidden}>{step}</div>'
    for step, hidden in ((10, " hidden"), (20, ""))
)
PAGE = f"""<!doctype html><html lang="en"><script src="map.js"></script><body>
<ul class="tally">{TALLY}</ul>
<table class="ledger map"><thead><tr><th>Claim</th></tr></thead><tbody>{TABLE}</tbody></table>
<div id="record-toy"><details class="record"><summary>toy</summary>inside</details></div>
<figure class="opening"><input type="range" min="0" max="1" value="1" disabled><output></output>{MOMENTS}</figure>
</body></html>"""

SCRIPT = """
const frame = await open("page"), page = frame.contentDocument, told = {};
const shown = () => [...page.querySelectorAll("tbody tr")].filter(row => !row.hidden).map(row => row.id);
const [holds, fails] = page.querySelectorAll("ul.tally button");
const type = text => { const box = page.querySelector("input[type=search]"); box.value = text; box.dispatchEvent(new Event("input")); };
const sort = by => { const list = page.querySelector("select"); list.value = by; list.dispatchEvent(new Event("change")); };
told.all = shown();
holds.click();
told.holding = [shown(), holds.getAttribute("aria-pressed"), page.querySelector("[role=status]").textContent];
fails.click();
told.both = shown();
holds.click();
told.failing = shown();
fails.click();
type("fig 5");
told.words = shown();
frame.contentWindow.location.hash = "#claim-a-claim";  // it is hidden, and linked to
await until(() => shown().length == 3, "the row that was linked to");
sort("name");
told.byName = shown();
sort("verdict");
told.byVerdict = shown();
sort("the paper's order");
told.paper = shown();
const fold = page.querySelector("details");
told.before = fold.open;
frame.contentWindow.location.hash = "#record-toy";
await until(() => fold.open, "the fold");
const knob = page.querySelector("input[type=range]"), seen = () => [...page.querySelectorAll(".moment:not([hidden])")].map(one => one.textContent);
told.moments = [[seen(), page.querySelector("output").textContent]];
knob.value = 0;
knob.dispatchEvent(new Event("input"));
told.moments.push([seen(), page.querySelector("output").textContent, knob.getAttribute("aria-valuetext"), knob.disabled]);
told.labels = [...page.querySelectorAll("input[type=search], select")].every(one => one.labels.length == 1);
return told;
"""


@pytest.fixture
def pages(tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    shutil.copy(ROOT / "book" / "_static" / "map.js", folder)
    (folder / "page.html").write_text(PAGE)
    return folder


def test_the_table_is_filtered_and_sorted_and_what_is_linked_to_is_seen(pages, browse):
    told, in_vain = browse(pages, SCRIPT, seconds=20)
    b, a, c = (f"claim-{name}" for name, *_ in ROWS)
    assert told == {
        "all": [b, a, c],
        "holding": [[b, c], "true", "2 of 3 claims"],
        "both": [b, a, c],
        "failing": [a],
        "words": [c],
        "byName": [a, b, c],
        "byVerdict": [b, c, a],
        "paper": [b, a, c],
        "before": False,
        "moments": [[["20"], "step 20"], [["10"], "step 10", "step 10", False]],
        "labels": True,
    }, json.dumps(told, indent=1)
    assert in_vain == []
