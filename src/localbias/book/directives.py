"""What the book's pages can show: rows of the ledger, verdicts on the theory, and their tests.

- `{items}`: what the paper numbers, and where this book deals with it
- `{ledger}`: the table of what the paper says beside what is found here; or the named rows of it
- `{verdict}`, such as of thm-5.2: the badge of a claim, linked to its check
- `{verdicts}`: the table of the claims on Section 5, or of those named
- `{checks}`: all claims with their numbers and the sources of their tests; or the named tests alone

Their entries have the targets `claim-<id>`, `check-<claim>` and `<file>.<test>`. Numbers are
computed when a page is read, each once a build.
"""

from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from localbias.book.claims import CLAIMS, SECTION_5, Claim, checks_in, number, source
from localbias.book.ledger import items, rows
from localbias.book.nodes import (
    anchor,
    figure_link,
    joined,
    link,
    parsed,
    table,
    table_row,
    verdict_classes,
)
from localbias.book.provenance import pages_of_records
from localbias.store import ROOT

#: Heading, key of a row of `ledger.rows`, share of the width.
LEDGER_COLUMNS = (
    ("Claim", "where", 16),
    ("The paper says", "says", 22),
    ("We find", "finds", 38),
    ("Why they differ", "why", 24),
)
#: The test that holds each record to the code.
RECORD_CHECK = "test_catalogue.test_a_committed_record_speaks_for_the_present_code"
#: Heading and share of the width.
VERDICT_COLUMNS = (("Claim", 34), ("Verdict", 21), ("Computed", 31), ("Missed by", 14))


@cache
def ledger_rows() -> list[dict[str, str]]:
    """All rows, computed once a build."""
    return rows()


class Ledger(SphinxDirective):
    """The table of what the paper says beside what is found here.

    Without an argument all claims stand in it, and each gets the target `claim-<id>`. With claim
    ids as the argument only those do, linked to the whole table.
    """

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        pages_of_records(self.env).add(self.env.docname)
        note_dependencies(self.env)
        known = {row["id"]: row for row in ledger_rows()}
        wanted = self.arguments[0].split() if self.arguments else known
        for claim in wanted:
            if claim not in known:
                raise self.error(f"no claim {claim!r} in the ledger; there are: {', '.join(known)}")
        columns = ((heading, width) for heading, _, width in LEDGER_COLUMNS)
        kinds = ["ledger"] if self.arguments else ["ledger", "map"]
        return [table(columns, (self._row(known[claim]) for claim in wanted), kinds)]

    def _row(self, row: dict[str, Any]) -> nodes.row:
        name, target = nodes.strong(text=row["id"]), f"claim-{row['id']}"
        claim = link(self.env, target, name) if self.arguments else name
        verdict = nodes.paragraph("", row["verdict"], classes=verdict_classes(row["verdict"]))
        first = {"where": [nodes.paragraph("", "", claim)], "finds": [verdict]}
        last = {"finds": self._evidence(row)}
        line = table_row(
            (
                heading,
                [
                    *first.get(key, []),
                    *parsed(self.state, row[key], row["id"]),
                    *last.get(key, []),
                ],
            )
            for heading, key, _ in LEDGER_COLUMNS
        )
        if not self.arguments:
            anchor(self.state, line, target)
        return line

    def _evidence(self, row: dict[str, Any]) -> list[nodes.Node]:
        """Links to a row's figures and to the test that holds its records to the code."""
        found: list[nodes.Node] = []
        if row["figures"]:
            links = (figure_link(self.env, f"fig-{name}") for name in row["figures"])
            found += [nodes.Text("Shown in "), *joined(links), nodes.Text(". ")]
        if row["records"]:
            check = link(self.env, RECORD_CHECK, nodes.Text("held to the code"))
            found += [nodes.Text("The records are "), check, nodes.Text(" by a test.")]
        return [nodes.paragraph("", "", *found, classes=["evidence"])] if found else []


class Items(SphinxDirective):
    """The list of what the paper numbers, each with links to where this book deals with it."""

    def run(self) -> list[nodes.Node]:
        note_dependencies(self.env)
        in_ledger = {row["id"] for row in ledger_rows()}
        lines = []
        for entry in items():
            where: list[nodes.Node] = [nodes.Text(entry.get("why_not", ""))]
            for row in entry.get("rows", ()):
                kind = "claim" if row in in_ledger else "check"
                where += [link(self.env, f"{kind}-{row}", nodes.Text(row)), nodes.Text(" ")]
            cells = [nodes.paragraph(text=entry["item"])], [nodes.paragraph("", "", *where)]
            lines.append(table_row(zip(("Item", "Rows"), cells)))
        return [table((("Item", 40), ("Rows", 60)), lines, ["ledger", "items"])]


def badge(env: BuildEnvironment, claim: Claim) -> nodes.Node:
    """The verdict on a claim, linked to its check."""
    target = link(env, f"check-{claim.id}", nodes.Text(claim.verdict))
    return nodes.inline("", "", target, classes=verdict_classes(claim.verdict))


def missed(claim: Claim) -> str:
    """By how much a claim is missed and how precisely that is known."""
    found = claim.evidence()
    miss = found.miss if found.miss > found.error else 0
    text = f"{number(miss)} ± {number(found.error)}"
    if found.beyond is not None:
        text += f"; where the condition fails, {number(found.beyond)}"
    return text


def note_dependencies(env: BuildEnvironment) -> None:
    """Have this page read again when the theory or its tests change."""
    package = Path(__file__).parents[1]
    sources = package.glob("theory/*.py"), package.glob("book/claims/*.py")
    for path in chain(*sources, ROOT.glob("tests/theory/*.py")):
        env.note_dependency(str(path))


class Verdict(SphinxRole):
    """The badge of one claim."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        note_dependencies(self.env)
        try:
            return [badge(self.env, CLAIMS[self.text])], []
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


class Verdicts(SphinxDirective):
    """The table of claims: statement, verdict, condition, numbers, precision."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        note_dependencies(self.env)
        try:
            named = self.arguments[0].split() if self.arguments else SECTION_5
            claims = [CLAIMS[name] for name in named]
            return [table(VERDICT_COLUMNS, map(self._row, claims), ["ledger", "verdicts"])]
        except ValueError as error:
            raise self.error(str(error)) from None

    def _row(self, claim: Claim) -> nodes.row:
        name = nodes.paragraph(
            "", "", nodes.strong(text=f"{claim.name}."), nodes.Text(f" {claim.place}.")
        )
        cells = (
            [name, *parsed(self.state, claim.statement, claim.id)],
            [
                nodes.paragraph("", "", badge(self.env, claim)),
                *parsed(self.state, claim.condition, claim.id),
            ],
            parsed(self.state, claim.evidence().says, claim.id),
            [nodes.paragraph(text=missed(claim))],
        )
        return table_row(zip((heading for heading, _ in VERDICT_COLUMNS), cells))


class Checks(SphinxDirective):
    """A section for each claim, with the sources of its tests.

    With tests or files of tests as the argument, the sources of those alone. A test that several
    claims share is shown once a page.
    """

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        note_dependencies(self.env)
        try:
            if not self.arguments:
                return [self._section(claim) for claim in CLAIMS.values()]
            named = [
                (name,) if "::" in name else checks_in(name) for name in self.arguments[0].split()
            ]
            return [node for test in chain(*named) for node in self._test(test)]
        except ValueError as error:
            raise self.error(str(error)) from None

    def _section(self, claim: Claim) -> nodes.section:
        section = nodes.section("", nodes.title(text=claim.name))
        anchor(self.state, section, f"check-{claim.id}")
        shown = nodes.inline(text=claim.verdict, classes=verdict_classes(claim.verdict))
        section += nodes.paragraph("", f"{claim.place} ", shown)
        section += nodes.block_quote("", *parsed(self.state, claim.statement, claim.id))
        if claim.condition:
            section += parsed(self.state, f"**Condition.** {claim.condition}", claim.id)
        section += parsed(self.state, f"**Computed.** {claim.evidence().says}", claim.id)
        section += nodes.paragraph("", f"Missed by {missed(claim)}. Checked by:")
        section += [node for test in claim.tests for node in self._test(test)]
        return section

    def _test(self, test: str) -> list[nodes.Node]:
        path, _, name = test.partition("::")
        target = f"{Path(path).stem}.{name}"
        text, shown = source(test), self.env.temp_data.setdefault("localbias shown", set())
        label = nodes.literal(text=test)
        if test in shown:
            where = link(self.env, target, label)
            return [nodes.paragraph("", "", where, nodes.Text(", shown above"), classes=["test"])]
        shown.add(test)
        caption = nodes.paragraph("", "", label, classes=["test"])
        anchor(self.state, caption, target)
        return [caption, nodes.literal_block(text, text, language="python")]
