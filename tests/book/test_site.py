"""The site as a reader meets it: built without a warning, whole, and fit for a phone."""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

from localbias.record import ROOT

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"]] + [page["file"] for part in TOC["parts"] for page in part["chapters"]]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE = 390  # pixels across


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; a warning is an error."""
    out = tmp_path_factory.mktemp("site")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ROOT / "book", "--path-output", out,
               "-W", "--keep-going"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return out / "_build/html"


@functools.cache
def parse(path):
    return BeautifulSoup(path.read_text(), "html.parser")


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
            assert parse(target).find(id=unquote(url.fragment)), link["href"]


@pytest.mark.parametrize("page", PAGES)
def test_images_say_what_they_show(site, page):
    for image in parse(site / f"{page}.html").select("article img"):
        # Sphinx puts the file's name where there is no text.
        assert image.get("alt") and "_images/" not in image["alt"], f"no alt text: {image}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere_but_mathjax(site, page):
    html = parse(site / f"{page}.html")
    loaded = [tag["src"] for tag in html.select("script[src], img[src], iframe[src]")]
    loaded += [tag["href"] for tag in html.select("link[rel=stylesheet], link[rel=preload]")]
    elsewhere = [url for url in loaded if urlsplit(url).netloc]
    own_mathjax = (ROOT / "book/vendor/static/mathjax").exists()
    assert [url for url in elsewhere if own_mathjax or "/mathjax@3/" not in url] == []


def test_each_claim_of_the_ledger_can_be_linked_to(site):
    from localbias import ledger

    page = parse(site / "ledger.html")
    rows = ledger.rows()
    assert rows
    for row in rows:
        assert page.find("tr", id=f"claim-{row['id']}"), row["id"]


PROBE = """<!doctype html><body><script>
(async () => {
  const widths = {};
  for (const page of PAGES) {
    const frame = document.createElement("iframe");
    frame.style = "width: WIDTHpx; height: 800px; border: 0";
    frame.src = page + ".html";
    document.body.append(frame);
    await new Promise(done => frame.onload = done);
    await new Promise(done => setTimeout(done, 2000));  // mathjax sets the formulas after the page has loaded
    widths[page] = frame.contentDocument.documentElement.scrollWidth;
    frame.remove();
  }
  document.body.innerHTML = `<pre>${JSON.stringify(widths)}</pre>`;
})();
</script></body>"""


@pytest.mark.skipif(not CHROMIUM, reason="no chromium here to lay the pages out")
def test_no_page_is_wider_than_a_phone(site, tmp_path):
    probe = PROBE.replace("PAGES", json.dumps(PAGES)).replace("WIDTH", str(PHONE))
    (site / "probe.html").write_text(probe)
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--hide-scrollbars", f"--user-data-dir={tmp_path}",
             f"--virtual-time-budget={5000 * len(PAGES)}", "--dump-dom",
             f"http://127.0.0.1:{server.server_port}/probe.html"],
            capture_output=True, text=True, timeout=300).stdout
        server.shutdown()
    widths = json.loads(BeautifulSoup(page, "html.parser").pre.text)
    assert widths == dict.fromkeys(PAGES, PHONE)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
