"""What the pages say of where things come from: a line under each figure, the page of records.

- under each named figure of a chapter, whether it is a picture or a slider: `FigureOrigins`
- `{records}`: all committed records, a fold an experiment, with the targets `record-<name>`
- `{costs}`: what the tiers cost, in time and in money
"""

import json
from collections.abc import Iterable, Sequence
from itertools import dropwhile
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

from localbias.book.nodes import anchor, figure_link, fold, joined, link, table, table_row
from localbias.book.origins import Origin, all_origins, chapter_origins
from localbias.book.runs import (
    CHAIN,
    FLOW,
    SAMPLES,
    TRAINING,
    Run,
    Runs,
    all_runs,
    extent,
    grouped,
    in_words,
)
from localbias.store import ROOT, duration

#: The heading of each kind of record.
HEADINGS = {
    TRAINING: "Trainings",
    SAMPLES: "Samples of kept networks (chapters 1 and 4)",
    CHAIN: "Chains of networks (chapter 5)",
    FLOW: "Gradient flows (chapter 3)",
}
SEED_COLUMNS = (
    ("Seed", 8),
    ("Time", 14),
    ("Machine", 30),
    ("Code", 16),
    ("Key", 16),
    ("Arrays", 16),
)


def pages_of_records(env: BuildEnvironment) -> set[str]:
    """The pages that show records or what follows from them, kept from build to build."""
    return vars(env).setdefault("localbias_ledgers", set())


class FigureOrigins(SphinxTransform):
    """Adds to each named figure of a chapter where it comes from.

    The options of its cell are for the machine: they are taken out of the code that is shown.
    """

    default_priority = 400  # before labels are collected, and after the cells are nodes

    def apply(self, **kwargs: Any) -> None:
        notebook = Path(self.env.doc2path(self.env.docname))
        if notebook.suffix != ".ipynb":
            return
        known = {origin.target: origin for origin in chapter_origins(notebook).values()}
        for figure in list(self.document.findall(nodes.figure)):
            for name in figure["names"]:
                if name in known:
                    pages_of_records(self.env).add(self.env.docname)
                    figure += nodes.legend("", *self._line(known[name]))
        for block in list(self.document.findall(nodes.literal_block)):
            if block.rawsource.startswith("#|"):
                code = block.rawsource.splitlines(keepends=True)
                block.rawsource = "".join(dropwhile(lambda line: line.startswith("#|"), code))
                block[:] = [nodes.Text(block.rawsource)]

    def _line(self, origin: Origin) -> list[nodes.Node]:
        """The fold: a line of what was read, and inside it each experiment and the command."""
        runs = [found for name in origin.records if (found := all_runs().get(name))]
        line = in_words(runs) if runs else "calculated in the chapter, from no record"
        inside: list[nodes.Node] = []
        if runs:
            inside.append(nodes.paragraph(text="Read by the cells that draw it:"))
            inside.append(nodes.bullet_list("", *(self._item(group) for group in grouped(runs))))
        inside.append(nodes.paragraph("", "Drawn again by ", nodes.literal(text=origin.command)))
        permalink = nodes.reference("", "Link to this figure", refuri=f"#{origin.target}")
        inside.append(nodes.paragraph("", "", permalink))
        return fold(f"Origin: {line}", inside, "origin")

    def _item(self, group: Runs) -> nodes.list_item:
        name = link(self.env, group.target, nodes.literal(text=group.name))
        text = nodes.Text(f": {extent(group.runs)}")
        return nodes.list_item("", nodes.paragraph("", "", name, text))


class Records(SphinxDirective):
    """The committed records, a section a kind, a fold an experiment."""

    def run(self) -> list[nodes.Node]:
        pages_of_records(self.env).add(self.env.docname)
        groups = grouped(all_runs().values())
        for notebook in ROOT.glob("book/notebooks/*.ipynb"):  # these name the records they read
            self.env.note_dependency(str(notebook))
        origins = [(origin, set(origin.records)) for origin in all_origins().values()]
        sections = []
        for kind, heading in HEADINGS.items():
            ours = [group for group in groups if group.kind == kind]
            if not ours:
                continue
            section = nodes.section("", nodes.title(text=heading), ids=[f"records-{kind}"])
            runs = (run for group in ours for run in group.runs)
            section += nodes.paragraph(text=f"{in_words(runs)}.")
            for group in ours:
                files = {run.file for run in group.runs}
                shown = [origin for origin, records in origins if files & records]
                section += self._fold(group, shown)
            sections.append(section)
        return sections

    def _fold(self, group: Runs, shown: Sequence[Origin]) -> nodes.container:
        """One experiment."""
        settings = yaml.safe_dump(
            group.differing(), sort_keys=False, default_flow_style=None, width=60
        )
        commands = "\n".join(group.commands)
        inside: list[nodes.Node] = [
            nodes.paragraph(text="Settings that are not at their default:"),
            nodes.literal_block(settings, settings, language="yaml"),
            nodes.paragraph(
                text="Run again from nothing, and compared:"
                if group.kind == TRAINING
                else "Run again from nothing:"
            ),
            nodes.literal_block(commands, commands, language="bash"),
            table(SEED_COLUMNS, map(_seed_row, group.runs), ["record-seeds"]),
        ]
        if shown:
            inside.append(
                nodes.paragraph(
                    "", "Shown in ", *joined(figure_link(self.env, one.target) for one in shown)
                )
            )
        line = f"{group.name}: {extent(group.runs)}"
        block = nodes.container("", *fold(line, inside, "record"))
        anchor(self.state, block, group.target)
        return block


class Costs(SphinxDirective):
    """What the trainings of each tier cost.

    Of tiers with records it is the time these took. Of the paper's it is the arithmetic of its
    trainings at the speed that the options say.

    Options:
        gpu-hour: the price of an hour of a GPU, in dollars.
        core-hour: the price of an hour of a CPU core.
        teraflops: what the GPU really does in a second of training.
    """

    option_spec = {"gpu-hour": float, "core-hour": float, "teraflops": float}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        pages_of_records(self.env).add(self.env.docname)
        columns = (("What", 34), ("Runs", 10), ("One takes", 22), ("Together", 18), ("Money", 16))
        kinds = {run.kind for run in all_runs().values()}
        lines = [
            *(self._recorded(kind) for kind in HEADINGS if kind in kinds),
            *self._papers(),
        ]
        rows = (
            table_row(
                zip((name for name, _ in columns), ([nodes.paragraph(text=cell)] for cell in line))
            )
            for line in lines
        )
        return [table(columns, rows, ["costs"])]

    def _recorded(self, kind: str) -> tuple[str, ...]:
        """A row of what records of a kind took."""
        runs = [run for run in all_runs().values() if run.kind == kind]
        seconds = sorted(run.seconds for run in runs)
        prices = {True: self.options["core-hour"], False: self.options["gpu-hour"]}
        money = sum(
            process["seconds"] / 3600 * prices[process["device"] == "cpu"]
            for run in runs
            for process in run.origin["processes"]
        )
        tiers = " and ".join(sorted({run.tier for run in runs}))
        return (
            f"{HEADINGS[kind]}, {tiers} tier, as recorded",
            str(len(runs)),
            f"{duration(seconds[0])} to {duration(seconds[-1])}",
            duration(sum(seconds)),
            f"${money:.2f}",
        )

    def _papers(self) -> Iterable[tuple[str, ...]]:
        """Rows of the paper's tier, a seed each, cheapest first."""
        from localbias.experiments import catalogue

        rate = self.options["teraflops"] * 1e12
        names = [name for name in catalogue.EXPERIMENTS if "paper" in catalogue.tiers(name)]
        hours = {name: _arithmetic(name) / rate / 3600 for name in names}
        whole = sum(hours.values())
        yield (
            "Trainings, paper tier, by arithmetic, a seed each",
            str(len(hours)),
            f"{duration(3600 * min(hours.values()))} to {duration(3600 * max(hours.values()))}",
            duration(3600 * whole),
            f"${whole * self.options['gpu-hour']:,.2f}",
        )


def _seed_row(run: Run) -> nodes.row:
    cells = (str(run.seed), duration(run.seconds), run.machine, run.code)
    plain = [[nodes.paragraph(text=cell)] for cell in cells]
    hashes = [
        [nodes.paragraph("", "", nodes.literal(text=text))]
        for text in (run.origin["key"], run.arrays)
    ]
    return table_row(zip((heading for heading, _ in SEED_COLUMNS), [*plain, *hashes]))


def _arithmetic(name: str) -> float:
    """Operations of an experiment's training in the paper's tier."""
    from localbias.experiments import catalogue, operations

    experiment = catalogue.make(name, "paper")
    kind = json.dumps([experiment.parts["network"], experiment.parts["renderer"]], sort_keys=True)
    if kind not in _A_SIGNAL:  # it takes a second to follow one of the paper's networks
        _A_SIGNAL[kind] = (
            operations(experiment)[1] / experiment.training.batch / experiment.training.steps
        )
    return _A_SIGNAL[kind] * experiment.training.batch * experiment.training.steps


_A_SIGNAL: dict[str, float] = {}
