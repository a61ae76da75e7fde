"""The verdicts on the paper's theory in the book's pages: badges, a table, and the tests behind them.

    {verdict}`thm-5.2`    the badge of a claim, linked to its check
    {verdicts}            the table of all claims, or of those named
    {checks}              every claim with its numbers and the source of its tests; or the named tests alone

Their entries have the targets `check-<claim>` and `<file>.<test>`. The numbers are computed when a page is read, each
once a build; all of them take a few seconds.
"""

from itertools import chain
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from localbias import __version__
from localbias.record import ROOT
from localbias.sphinx import anchor, link, parsed, table, table_row
from localbias.theory.claim import Claim, checks_in, number, source
from localbias.theory.verdicts import CLAIMS

#: Heading and share of the width.
COLUMNS = (("Claim", 34), ("Verdict", 21), ("Computed", 31), ("Missed by", 14))


def badge(env: BuildEnvironment, claim: Claim) -> nodes.Node:
    """The verdict on a claim, linked to its check."""
    target = link(env, f"check-{claim.id}", nodes.Text(claim.verdict))
    return nodes.inline("", "", target, classes=["verdict", nodes.make_id(claim.verdict)])


def missed(claim: Claim) -> str:
    """By how much a claim is missed and how precisely that is known."""
    found = claim.evidence()
    text = f"{number(found.miss if found.miss > found.error else 0)} ± {number(found.error)}"
    return text if found.beyond is None else f"{text}; where the condition fails, {number(found.beyond)}"


def note_dependencies(env: BuildEnvironment) -> None:
    """Have this page read again when the theory or its tests change."""
    for path in (__file__, *Path(__file__).parent.glob("theory/*.py"), *ROOT.glob("tests/theory/*.py")):
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
            claims = [CLAIMS[id] for id in (self.arguments[0].split() if self.arguments else CLAIMS)]
            return [table(COLUMNS, map(self._row, claims), ["ledger", "verdicts"])]
        except ValueError as error:
            raise self.error(str(error)) from None

    def _row(self, claim: Claim) -> nodes.row:
        name = nodes.paragraph("", "", nodes.strong(text=f"{claim.name}."), nodes.Text(f" {claim.place}."))
        cells = (
            [name, *parsed(self.state, claim.statement, claim.id)],
            [nodes.paragraph("", "", badge(self.env, claim)), *parsed(self.state, claim.condition, claim.id)],
            parsed(self.state, claim.evidence().says, claim.id),
            [nodes.paragraph(text=missed(claim))],
        )
        return table_row(zip((heading for heading, _ in COLUMNS), cells))


class Checks(SphinxDirective):
    """A section for each claim, with the sources of its tests; or the sources of the named tests and files of tests.

    A test that several claims share is shown once a page.
    """

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        note_dependencies(self.env)
        try:
            if not self.arguments:
                return [self._section(claim) for claim in CLAIMS.values()]
            named = [(name,) if "::" in name else checks_in(name) for name in self.arguments[0].split()]
            return [node for test in chain(*named) for node in self._test(test)]
        except ValueError as error:
            raise self.error(str(error)) from None

    def _section(self, claim: Claim) -> nodes.section:
        section = nodes.section("", nodes.title(text=claim.name))
        anchor(self.state, section, f"check-{claim.id}")
        shown = nodes.inline(text=claim.verdict, classes=["verdict", nodes.make_id(claim.verdict)])
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


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point, called by that of `localbias.sphinx`."""
    app.add_role("verdict", Verdict())
    app.add_directive("verdicts", Verdicts)
    app.add_directive("checks", Checks)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
