"""The site, built once for all tests of its pages, and a browser to open them in."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from filelock import FileLock

from localbias.book.extension import MATHJAX, SCRIPTS
from localbias.store import ROOT

FETCHED = (ROOT / "book" / SCRIPTS / MATHJAX).exists()
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

# open(page, width) puts it in a frame, as wide as a phone if nothing is said; until(true of what) waits for it, in the
# browser's own time, and settled(frame) for its formulas.
PROBE = """<!doctype html><body><pre></pre><script>
const pause = time => new Promise(done => setTimeout(done, time));
async function until(reached, what) {
  for (let tries = 0; tries < 100; tries++, await pause(100)) if (reached()) return;
  throw Error(`waited in vain for ${what}`);
}
async function open(page, width = 390) {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 800px; border: 0`;
  frame.src = page + ".html";
  document.body.append(frame);
  await new Promise(done => frame.onload = done);
  return frame;
}
async function settled(frame) {
  const page = frame.contentWindow;
  await until(() => page.document.readyState === "complete", "the page");
  if (page.MathJax) await until(() => page.MathJax.startup?.promise, "mathjax");
  await page.MathJax?.startup.promise;
  await pause(300);
}
(async () => { SCRIPT })().catch(error => `${error}`).then(
  result => document.querySelector("pre").textContent = JSON.stringify(result));
</script></body>"""


@pytest.fixture(scope="session")
def build():
    """build(book, out): the folder of the book's built pages; a warning is an error."""

    def run(book, out):
        command = [
            Path(sys.executable).with_name("jupyter-book"),
            "build",
            book,
            "--path-output",
            out,
            "-W",
            "--keep-going",
        ]
        built = subprocess.run(command, capture_output=True, text=True)
        assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
        return out / "_build/html"

    return run


@pytest.fixture(scope="session")
def site(build, tmp_path_factory, request):
    """The folder of the built site, built once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # the workers' common one
    built = folder / "site" / "_build/html"
    with FileLock(folder / "site.lock"):
        return built if built.exists() else build(ROOT / "book", folder / "site")


@pytest.fixture(scope="session")
def fetched():
    """Whether npm fetched the pages' scripts; without them the pages name CDNs."""
    return FETCHED


@pytest.fixture
def browse(tmp_path):
    """browse(pages, script, seconds): what the script of a page beside them returns, in a real browser.

    script   the body of an async function;  seconds  the most it may take, in the browser's own time
    Returns that and what the pages asked for in vain: what is not there, and all that lies elsewhere, which the server
    forbids unless the pages' scripts come from CDNs. browse.console is then what the pages wrote there but for notes.
    """
    if not CHROMIUM:
        pytest.skip("no chromium here to open the pages in")

    def run(pages, script, seconds):
        (pages / "probe.html").write_text(PROBE.replace("SCRIPT", script))
        handler = functools.partial(Handler, directory=pages)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.in_vain = []
            threading.Thread(target=server.serve_forever, daemon=True).start()
            shown = subprocess.run(
                [
                    CHROMIUM,
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-background-networking",
                    "--hide-scrollbars",
                    "--enable-logging=stderr",
                    f"--user-data-dir={tmp_path}",
                    f"--virtual-time-budget={1000 * seconds}",
                    "--dump-dom",
                    f"http://127.0.0.1:{server.server_port}/probe.html",
                ],
                capture_output=True,
                text=True,
                timeout=300,
            )
            server.shutdown()
        run.console = console(shown.stderr)
        told = BeautifulSoup(shown.stdout, "html.parser").pre.text
        return json.loads(told or '"the script did not end in time"'), server.in_vain

    return run


def console(log):
    """The warnings and errors of pages in what chromium writes; it marks scripts' own notes as INFO."""
    lines = re.findall(r"^\[.*?:(?:INFO|WARNING|ERROR):CONSOLE[^\]]*\] (.*)$", log, re.MULTILINE)
    notes = ("[togglebutton]", "[PST]", "MathJax(a11y")
    return [line for line in lines if not line.strip('"').startswith(notes)]


class Handler(http.server.SimpleHTTPRequestHandler):
    policy = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; report-uri /elsewhere"

    def end_headers(self):
        if FETCHED:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def do_POST(self):
        report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.in_vain.append(report["csp-report"]["blocked-uri"])
        self.send_response(204)
        self.end_headers()

    def send_error(self, code, *rest):
        if not self.path.endswith("/favicon.ico"):  # of the probe itself; the pages name theirs
            self.server.in_vain.append(self.path)
        super().send_error(code, *rest)

    def log_message(self, *_):
        pass
