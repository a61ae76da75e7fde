"""What the book asks of Sphinx beyond Jupyter Book: stale chapters named, the ledger, verdicts, scripts of its own.

The build itself never runs a chapter. See `sphinx: extra_extensions` in `_config.yml`, and `directives`.
"""

import os

# The build's own calculations are small: more threads gain nothing. It must stand before numpy and torch load.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from localbias import __version__
from localbias.book import chapters
from localbias.store import RECORDS, ROOT

logger = logging.getLogger(__name__)

#: Where `make book` puts the scripts that it fetches: the folder beside the pages' sources, and the files in it.
SCRIPTS = "vendor/static"
MATHJAX = "mathjax/tex-mml-chtml.js"
WIDGETS = {
    # The second script's modules look for their fonts where their names say, seen from here.
    "widgets/require.js": {
        "onload": "require.config({baseUrl: this.src.replace(/require.js.*/, '')})"
    },
    "widgets/@jupyter-widgets/html-manager/dist/embed-amd.js": {},
}


def name_stale_chapters(app: Sphinx, config: Config) -> None:
    """Warn of each chapter whose executed copy is out of date, with the command that refreshes it."""
    for chapter, reason in chapters.stale(Path(app.srcdir).parent):
        logger.warning(
            "chapter %s is stale: %s; refresh it with: localbias notebooks",
            chapter,
            reason,
            type="localbias",
            subtype="stale",
        )


def use_own_scripts(app: Sphinx, config: Config) -> None:
    """Serve mathjax and the widgets' scripts from `vendor/static` where `make book` has put them, else from CDNs.

    They go through `html_static_path` and not `_static`: Jupyter Book loads every script of `_static` on every page.
    The widgets' scripts are loaded by pages with widgets only.
    """
    own = Path(app.srcdir) / SCRIPTS
    if own.exists():
        config.html_static_path.append(SCRIPTS)
    if (own / MATHJAX).exists():
        config.mathjax_path = MATHJAX
    if all((own / script).exists() for script in WIDGETS):
        config.nb_ipywidgets_js = WIDGETS


def pages_of_changed_records(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """The pages with rows of the ledger, where the claims or a record changed since the last build.

    Sphinx knows a page's dependencies file by file; a record that is new is in none of them.
    """
    digest = hashlib.sha256()
    for path in [ROOT / "book" / "claims.yml", *sorted(RECORDS.glob("**/*.json"))]:
        digest.update(f"{path.name} {path.stat().st_mtime_ns} ".encode())
    before = getattr(env, "localbias_records", None)
    env.localbias_records = digest.hexdigest()
    pages = getattr(env, "localbias_ledgers", set())
    return set() if before == env.localbias_records else pages & env.found_docs


def escape_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Take their reST meaning from stars, bars and final underscores outside of code.

    Docstrings are Google style, which napoleon reads; shapes such as [B, *shape] and bars such as |x| stand in them
    as they are.
    """
    lines[:] = [_escape(line) for line in lines]


def _escape(text: str) -> str:
    return re.sub(
        r"(`+[^`]+`+)|([*|\\]|(?<=\w)_(?!\w))", lambda mark: mark[1] or "\\" + mark[2], text
    )


def add_directives(app: Sphinx, env: BuildEnvironment, pages: list[str]) -> None:
    """The pages' own markup, where any page is to be read. Loaded here, for it needs torch."""
    if pages:
        from localbias.book import directives

        app.add_role("verdict", directives.Verdict(), override=True)
        app.add_directive("ledger", directives.Ledger, override=True)
        app.add_directive("verdicts", directives.Verdicts, override=True)
        app.add_directive("checks", directives.Checks, override=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of the extension."""
    app.connect("config-inited", name_stale_chapters)
    app.connect("config-inited", use_own_scripts)
    app.connect("env-get-outdated", pages_of_changed_records)
    app.connect("env-before-read-docs", add_directives)
    app.connect(
        "autodoc-process-docstring", escape_docstring, priority=400
    )  # before napoleon's, at 500
    return {"version": __version__, "parallel_read_safe": False, "parallel_write_safe": True}
