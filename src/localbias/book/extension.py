"""What the book asks of Sphinx beyond Jupyter Book: stale chapters, ledger, verdicts, own scripts.

The build itself never runs a chapter. See `sphinx: extra_extensions` in `_config.yml`, and
`directives` and `pages`.
"""

import os

# The build's own calculations are small: more threads gain nothing. The variable counts only if it
# is set before numpy and torch are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.typing import stringify_annotation

from localbias import __version__
from localbias.book import chapters, nodes, pages
from localbias.store import RECORDS, ROOT

logger = logging.getLogger(__name__)

#: Where `make book` puts the scripts that it fetches: a folder beside the pages' sources.
SCRIPTS = "vendor/static"
MATHJAX = "mathjax/startup.js"


def name_stale_chapters(app: Sphinx, config: Config) -> None:
    """Warn of each chapter whose executed copy is out of date, naming the command to refresh it."""
    for chapter, reason in chapters.stale(Path(app.srcdir).parent):
        logger.warning(
            "chapter %s is stale: %s; refresh it with: localbias notebooks",
            chapter,
            reason,
            type="localbias",
            subtype="stale",
        )


def use_own_scripts(app: Sphinx, config: Config) -> None:
    """Serve mathjax from `vendor/static`, where `make book` has put it; else it comes from a CDN.

    It goes through `html_static_path` and not `_static`, since Jupyter Book loads each script of
    `_static` on each page.
    """
    own = Path(app.srcdir) / SCRIPTS
    if (own / MATHJAX).exists():
        config.html_static_path.append(SCRIPTS)
        config.mathjax_path = MATHJAX
        settings = config.mathjax3_config = config.mathjax3_config or {}
        settings.setdefault("loader", {})["paths"] = {"fonts": "[mathjax]/fonts"}


def pages_of_changed_records(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """The pages with rows of the ledger, where claims, a record or their code changed since.

    Sphinx knows a page's dependencies file by file; a record that is new is in none of them, nor
    is the code that makes the rows.
    """
    digest = hashlib.sha256()
    code = sorted(Path(__file__).parent.glob("**/*.py"))
    for path in [ROOT / "book" / "claims.yml", *sorted(RECORDS.glob("**/*.json")), *code]:
        digest.update(path.name.encode() + path.read_bytes())
    kept = vars(env)  # Sphinx keeps its environment from build to build
    before, kept["localbias_records"] = kept.get("localbias_records"), digest.hexdigest()
    if before == kept["localbias_records"]:
        return set()
    return kept.get("localbias_ledgers", set()) & env.found_docs


def escape_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Escape stars, bars and final underscores outside of code, which reST would take for marks.

    Docstrings are Google style, which napoleon reads; shapes such as [B, *shape] and bars such as
    |x| stand in them as they are.
    """
    lines[:] = [_escape(line) for line in lines]


def _escape(text: str) -> str:
    """The text with a backslash before each mark that reST would take for its own."""
    code, mark = r"(`+[^`]+`+)", r"([*|\\]|(?<=\w)_(?!\w))"
    return re.sub(f"{code}|{mark}", lambda found: found[1] or "\\" + found[2], text)


def skip_field(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of named tuples, which their class lists as its attributes."""
    return True if str(obj.__doc__).startswith("Alias for field number") else None


def name_array_like(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str, returns: str
) -> tuple[str, str] | None:
    """Write numpy's ArrayLike as such, and not as the union of a dozen types that it stands for."""
    union = stringify_annotation(ArrayLike, "smart")
    if not arguments or union not in arguments:
        return None
    return arguments.replace(union, "ArrayLike"), returns


def add_directives(app: Sphinx, env: BuildEnvironment, pages: list[str]) -> None:
    """Register the pages' own markup, where a page is to be read: only then is torch loaded."""
    if pages:
        from localbias.book import directives, front, provenance

        app.add_role("verdict", directives.Verdict(), override=True)
        app.add_directive("ledger", directives.Ledger, override=True)
        app.add_directive("tally", front.Tally, override=True)
        app.add_directive("opening", front.Opening, override=True)
        app.add_directive("findings", front.Findings, override=True)
        app.add_directive("finding", front.Finding, override=True)
        app.add_directive("records", provenance.Records, override=True)
        app.add_directive("costs", provenance.Costs, override=True)
        if provenance.FigureOrigins not in app.registry.get_transforms():
            app.add_transform(provenance.FigureOrigins)
        app.add_directive("items", directives.Items, override=True)
        app.add_directive("verdicts", directives.Verdicts, override=True)
        app.add_directive("checks", directives.Checks, override=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of the extension."""
    pages.connect(app)
    app.connect("config-inited", name_stale_chapters)
    app.connect("config-inited", use_own_scripts)
    app.connect("missing-reference", nodes.resolve_figure)
    app.connect("env-get-outdated", pages_of_changed_records)
    app.connect("env-before-read-docs", add_directives)
    # Before napoleon, whose priority is 500.
    app.connect("autodoc-process-docstring", escape_docstring, priority=400)
    app.connect("autodoc-skip-member", skip_field)
    app.connect("autodoc-process-signature", name_array_like)
    return {"version": __version__, "parallel_read_safe": False, "parallel_write_safe": True}
