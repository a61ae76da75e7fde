"""What the book asks of Sphinx beyond Jupyter Book: stale chapters named, the ledger, scripts of its own.

The build itself never runs a chapter. See `sphinx: extra_extensions` in `_config.yml`, and `sphinx_verdicts`.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from localbias import __version__, chapters

logger = logging.getLogger(__name__)

#: One line of a docstring's list of arguments: names, two spaces or more, what they are.
ENTRY = re.compile(r"(\S+(?:, \S+)*) {2,}(\S.*)")

#: Where `make book` puts the scripts that it fetches: the folder beside the pages' sources, and the files in it.
SCRIPTS = "vendor/static"
MATHJAX = "mathjax/tex-mml-chtml.js"
WIDGETS = {
    # The second script's modules look for their fonts where their names say, seen from here.
    "widgets/require.js": {"onload": "require.config({baseUrl: this.src.replace(/require.js.*/, '')})"},
    "widgets/@jupyter-widgets/html-manager/dist/embed-amd.js": {},
}

#: Heading, key of a row of localbias.ledger.rows, share of the width.
COLUMNS = (
    ("Claim", "where", 16),
    ("The paper says", "says", 28),
    ("We find", "finds", 28),
    ("Why they differ", "why", 28),
)


class Ledger(SphinxDirective):
    """The table of what the paper says beside what is found here.

    Without an argument all claims stand in it, and each gets the target `claim-<id>`. With claim ids as the
    argument only those do, linked to the whole table.
    """

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        from localbias import ledger

        self.env.note_reread()  # the rows come from records, whose change Sphinx does not see
        rows = ledger.rows()
        if self.arguments:
            wanted = self.arguments[0].split()
            known = {row["id"]: row for row in rows}
            for claim in wanted:
                if claim not in known:
                    raise self.error(f"no claim {claim!r} in the ledger; there are: {', '.join(known)}")
            rows = [known[claim] for claim in wanted]
        columns = ((heading, width) for heading, _, width in COLUMNS)
        return [table(columns, map(self._row, rows), ["ledger"])]

    def _row(self, row: dict[str, Any]) -> nodes.row:
        name, target = nodes.strong(text=row["id"]), f"claim-{row['id']}"
        claim = link(self.env, target, name) if self.arguments else name
        verdict = nodes.paragraph("", row["verdict"], classes=["verdict", nodes.make_id(row["verdict"])])
        first = {"where": [nodes.paragraph("", "", claim)], "finds": [verdict]}
        line = table_row((heading, [*first.get(key, []), *parsed(self.state, row[key], row["id"])])
                         for heading, key, _ in COLUMNS)
        if not self.arguments:
            anchor(self.state, line, target)
        return line


def table(columns: Iterable[tuple[str, int]], rows: Iterable[nodes.row], classes: list[str]) -> nodes.table:
    """A table of these headings, each with its share of the width."""
    group = nodes.tgroup(cols=len(columns := list(columns)))
    group += [nodes.colspec(colwidth=width) for _, width in columns]
    head = nodes.row()
    head += [nodes.entry("", nodes.paragraph(text=heading)) for heading, _ in columns]
    group += [nodes.thead("", head), nodes.tbody("", *rows)]
    return nodes.table("", group, classes=[*classes, "colwidths-given"])


def table_row(cells: Iterable[tuple[str, list[nodes.Node]]]) -> nodes.row:
    """A row of cells, each with its column's heading: by the class the style sheet knows what a phone prints above."""
    return nodes.row("", *(nodes.entry("", *cell, classes=[nodes.make_id(heading)]) for heading, cell in cells))


def parsed(state: Any, markdown: str, name: str) -> list[nodes.Node]:
    """The nodes of a text in the page's own markup."""
    inside = nodes.Element()
    state.nested_parse(StringList(str(markdown or "").splitlines(), name), 0, inside)
    return inside.children


def link(env: BuildEnvironment, target: str, child: nodes.Node) -> pending_xref:
    """A link to where `anchor` put a target, on any page; of the child only the text is kept."""
    return pending_xref("", child, refdomain="std", reftype="ref", reftarget=target,
                        refexplicit=True, refwarn=True, refdoc=env.docname)


def anchor(state: Any, node: nodes.Element, target: str) -> None:
    """Make a node one that can be linked to; its id is the target as it is, dots and all."""
    node["names"].append(nodes.fully_normalize_name(target))
    node["ids"].append(target)
    state.document.note_explicit_target(node, node)


def name_stale_chapters(app: Sphinx, config: Config) -> None:
    """Warn of each chapter whose executed copy is out of date, with the command that refreshes it."""
    for chapter, reason in chapters.stale(Path(app.srcdir).parent):
        logger.warning("chapter %s is stale: %s; refresh it with: localbias notebooks", chapter, reason,
                       type="localbias", subtype="stale")


def use_own_scripts(app: Sphinx, config: Config) -> None:
    """Serve mathjax and the widgets' scripts from `vendor/static` where `make book` has put them, else from CDNs.

    They go through `html_static_path` and not `_static`: Jupyter Book loads every script of `_static`
    on every page. The widgets' scripts are loaded by pages with widgets only.
    """
    own = Path(app.srcdir) / SCRIPTS
    if own.exists():
        config.html_static_path.append(SCRIPTS)
    if (own / MATHJAX).exists():
        config.mathjax_path = MATHJAX
    if all((own / script).exists() for script in WIDGETS):
        config.nb_ipywidgets_js = WIDGETS


def docstring_to_rest(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make reST of a docstring that is written as plain text.

    The package's docstrings are paragraphs, bullets and two-column lists of arguments ("name  what it is"),
    with code in single backticks. Shapes such as [B, *shape] and bars such as |x| stand in them as they are.
    """
    rest, block = [], None
    for line in lines:
        entry = ENTRY.fullmatch(line)
        indented = line.startswith(" ")
        if block == "literal" and (indented or not line):
            rest.append(line)
            continue
        if not line:
            rest.append(line)
        elif entry:
            rest += ["", f"`{entry[1]}`", "    " + _escape(entry[2])]
            block = "entry"
        elif block == "entry" and indented:
            rest.append("    " + _escape(line.strip()))
        elif line.startswith("- "):
            rest += ([] if block == "bullet" else [""]) + [_escape(line)]
            block = "bullet"
        elif block == "bullet" and indented:
            rest.append(_escape(line))
        else:
            rest += ([""] if block else []) + [_escape(line.strip())]
            block = "literal" if line.endswith("::") else None
    lines[:] = rest


def _escape(text: str) -> str:
    """Take their reST meaning from stars, bars and final underscores outside of code."""
    return re.sub(r"(`+[^`]+`+)|([*|\\]|(?<=\w)_(?!\w))", lambda mark: mark[1] or "\\" + mark[2], text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of the extension."""
    app.connect("config-inited", name_stale_chapters)
    app.connect("config-inited", use_own_scripts)
    app.connect("autodoc-process-docstring", docstring_to_rest)
    app.add_directive("ledger", Ledger)
    app.setup_extension("localbias.sphinx_verdicts")
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
