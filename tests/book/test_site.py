"""The site as a reader meets it: built without a warning, whole, and fit for a phone."""

import functools
import json
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

from localbias.store import ROOT

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"]] + [page["file"] for part in TOC["parts"] for page in part["chapters"]]
PHONE = 390  # pixels across


@functools.cache
def parse(path):
    return BeautifulSoup(path.read_text(), "html.parser")


@functools.cache
def targets(path):
    """The ids of a page, gathered once: many links lead to the longest ones."""
    return {tag["id"] for tag in parse(path).find_all(id=True)}


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_site_lead_somewhere(site, page):
    path = site / f"{page}.html"
    for link in parse(path).select("a[href]"):
        url = urlsplit(link["href"])
        if url.scheme or url.netloc:
            continue
        target = (path.parent / unquote(url.path)).resolve() if url.path else path
        assert target.exists(), link["href"]
        if url.fragment and target.suffix == ".html":
            assert unquote(url.fragment) in targets(target), link["href"]


@pytest.mark.parametrize("page", PAGES)
def test_images_say_what_they_show(site, page):
    for image in parse(site / f"{page}.html").select("article img"):
        # Sphinx puts the file's name where there is no text.
        assert image.get("alt") and "_images/" not in image["alt"], f"no alt text: {image}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere_but_scripts_that_npm_did_not_fetch(
    site, page, fetched
):
    html = parse(site / f"{page}.html")
    loaded = [tag["src"] for tag in html.select("script[src], img[src], iframe[src]")]
    loaded += [tag["href"] for tag in html.select("link[rel=stylesheet], link[rel=preload]")]
    elsewhere = [url for url in loaded if urlsplit(url).netloc]
    cdns = () if fetched else ("/mathjax@4/",)
    assert [url for url in elsewhere if not any(cdn in url for cdn in cdns)] == []


def test_each_claim_of_the_ledger_can_be_linked_to(site):
    from localbias.book import ledger

    rows = ledger.rows()
    assert rows
    linked = {row["id"] for row in parse(site / "ledger.html").select("tr[id]")}
    assert {f"claim-{row['id']}" for row in rows} <= linked


WIDTHS = """
const widths = {};
for (const page of PAGES) {
  const frame = await open(page);
  await pause(2000);  // mathjax sets the formulas after the page has loaded
  widths[page] = frame.contentDocument.documentElement.scrollWidth;
  frame.remove();
}
return widths;
"""


def test_no_page_is_wider_than_a_phone_or_asks_for_what_is_not_there(site, browse):
    widths, in_vain = browse(
        site, WIDTHS.replace("PAGES", json.dumps(PAGES)), seconds=5 * len(PAGES)
    )
    assert widths == dict.fromkeys(PAGES, PHONE)
    assert in_vain == []
