"""The pieces that the pages' own markup is made of: tables, folds, links and their targets."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

FIGURE = "figure-number"  # the type of such a link


def table(
    columns: Iterable[tuple[str, int]], rows: Iterable[nodes.row], classes: list[str]
) -> nodes.table:
    """A table of these headings, each with its share of the width."""
    headings, widths = zip(*columns)
    group = nodes.tgroup(cols=len(headings))
    group += [nodes.colspec(colwidth=width) for width in widths]
    head = nodes.row()
    head += [nodes.entry("", nodes.paragraph(text=heading)) for heading in headings]
    group += [nodes.thead("", head), nodes.tbody("", *rows)]
    return nodes.table("", group, classes=[*classes, "colwidths-given"])


def table_row(cells: Iterable[tuple[str, list[nodes.Node]]]) -> nodes.row:
    """A row of cells, each with its column's heading.

    The heading becomes a class, by which the style sheet puts it above the cell on a phone.
    """
    entries = (nodes.entry("", *cell, classes=[nodes.make_id(heading)]) for heading, cell in cells)
    return nodes.row("", *entries)


def parsed(state: Any, markdown: str, name: str) -> list[nodes.Node]:
    """The nodes of a text in the page's own markup."""
    inside = nodes.Element()
    state.nested_parse(StringList(str(markdown or "").splitlines(), name), 0, inside)
    return inside.children


def link(env: BuildEnvironment, target: str, child: nodes.Node) -> pending_xref:
    """A link to where `anchor` put a target, on any page; of the child only the text is kept."""
    how = dict(refdomain="std", reftype="ref", refexplicit=True, refwarn=True)
    return pending_xref("", child, reftarget=target, refdoc=env.docname, **how)


def anchor(state: Any, node: nodes.Element, target: str) -> None:
    """Make a node one that can be linked to; its id is the target as it is, dots and all."""
    node["names"].append(nodes.fully_normalize_name(target))
    node["ids"].append(target)
    state.document.note_explicit_target(node, node)


def figure_link(env: BuildEnvironment, target: str) -> pending_xref:
    """A link to a figure of a chapter, whose text is its number, such as "Fig. 2.3".

    `{numref}` gives the same. It reads the whole page of the figure from the disk for each link.
    """
    return pending_xref(
        "",
        nodes.literal(text=target),
        reftype=FIGURE,
        reftarget=target,
        refdoc=env.docname,
        refwarn=True,
    )


def resolve_figure(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, child: nodes.Node
) -> nodes.reference | None:
    """What becomes of such a link when all figures are numbered; None for one that is not there."""
    if node["reftype"] != FIGURE:
        return None
    labels = env.get_domain("std").data["anonlabels"]
    page, label = labels.get(node["reftarget"], ("", ""))
    numbers = env.toc_fignumbers.get(page, {}).get("figure", {}).get(label)
    if numbers is None:
        return None
    text = nodes.inline(text=app.config.numfig_format["figure"] % ".".join(map(str, numbers)))
    return make_refnode(app.builder, node["refdoc"], page, label, text)


def fold(line: str, inside: Sequence[nodes.Node], kind: str) -> list[nodes.Node]:
    """Nodes that a page folds away behind a line; what has no folds shows them as they are.

    Args:
        line: that stands there when it is folded.
        inside: what is folded.
        kind: the class of the fold.
    """
    shown = f'<details class="{kind}"><summary>{html.escape(line)}</summary>'
    return [
        nodes.raw("", shown, format="html"),
        *inside,
        nodes.raw("", "</details>", format="html"),
    ]


def joined(links: Iterable[nodes.Node]) -> list[nodes.Node]:
    """Links with commas between them."""
    found: list[nodes.Node] = []
    for one in links:
        found += [nodes.Text(", ")] * bool(found) + [one]
    return found


def verdict_classes(verdict: str) -> list[str]:
    """The classes of a verdict's badge: its colour and its sign come from the style sheet."""
    return ["verdict", nodes.make_id(verdict)]
