"""What the first page shows: the picture that one can move through, the tally, what surprised.

- `{opening}`: a training on words, moment by moment
- `{tally}`: how many rows of the ledger have each verdict
- `{findings}`: results that surprised us, with their numbers
- `{finding}`, such as of sorted-batches: one that another page tells
"""

from docutils import nodes
from sphinx.addnodes import only
from sphinx.util.docutils import SphinxDirective

from localbias.book import findings, opening
from localbias.book.directives import ledger_rows, note_dependencies
from localbias.book.ledger import tally
from localbias.book.nodes import parsed, verdict_classes
from localbias.book.provenance import pages_of_records

STILL = "images/readme.png"  # the same at three moments, for what has no HTML
ALT = "Words generated at three moments of a training, above what the first letter listens to"


class Opening(SphinxDirective):
    """The picture; where there is no HTML, the one that stands still."""

    def run(self) -> list[nodes.Node]:
        pages_of_records(self.env).add(self.env.docname)
        for record in opening.results().records:
            self.env.note_dependency(str(record.path))
        still = nodes.image(uri=self.env.relfn2path(STILL)[0], alt=ALT, candidates={"*": STILL})
        return [
            nodes.raw("", opening.opening(opening.results()), format="html"),
            only("", still, expr="not html"),
        ]


class Tally(SphinxDirective):
    """How many rows of the ledger have each verdict, each with its badge.

    The page of the ledger makes buttons of them, which filter the table.
    """

    def run(self) -> list[nodes.Node]:
        pages_of_records(self.env).add(self.env.docname)
        note_dependencies(self.env)
        lines = []
        for verdict, count in tally(ledger_rows()).items():
            shown = nodes.inline(text=verdict, classes=verdict_classes(verdict))
            words = nodes.paragraph("", "", nodes.strong(text=str(count)), nodes.Text(" "), shown)
            lines.append(nodes.list_item("", words))
        return [nodes.bullet_list("", *lines, classes=["tally"])]


class Findings(SphinxDirective):
    """The list of what surprised us."""

    def run(self) -> list[nodes.Node]:
        pages_of_records(self.env).add(self.env.docname)
        note_dependencies(self.env)
        lines = (parsed(self.state, text, "findings") for text in findings.findings())
        return [
            nodes.bullet_list(
                "", *(nodes.list_item("", *line) for line in lines), classes=["findings"]
            )
        ]


class Finding(SphinxDirective):
    """A sentence of `findings.ASIDES`, by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        pages_of_records(self.env).add(self.env.docname)
        name = self.arguments[0]
        if name not in findings.ASIDES:
            raise self.error(f"no finding {name!r}; there are: {', '.join(findings.ASIDES)}")
        return parsed(self.state, findings.ASIDES[name](), name)
