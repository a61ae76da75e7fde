"""The committed records as the site shows them: what was run, what it cost, how to run it again.

Only the JSON of a record is read here. `Results` reads what was measured.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from localbias.store import RECORDS, duration

CHAIN, FLOW, SAMPLES, TRAINING = "chain", "flow", "samples", "training"
KINDS = (TRAINING, SAMPLES, CHAIN, FLOW)
DIGITS = 12  # of a hash that are shown


@dataclass(frozen=True)
class Run:
    """One record.

    Attributes:
        file: its JSON in records/, such as "theory/flow-3-s0-….json".
        origin: what stands in it.
    """

    file: str
    origin: dict[str, Any]

    @property
    def kind(self) -> str:
        """One of KINDS."""
        if "flow" in self.origin["experiment"]:
            return FLOW
        if "step" in self.origin["experiment"]:
            return SAMPLES
        return CHAIN if "treatment" in self.origin["experiment"] else TRAINING

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """Of the run, as the JSON has it; of a chain and of samples, that of their networks."""
        whole = self.origin["experiment"]
        return whole["experiment"] if "experiment" in whole else whole.get("flow", whole)

    @property
    def name(self) -> str:
        """Of the experiment; it says a chain's treatment, a flow's signs, how samples are drawn."""
        if self.kind == SAMPLES:
            given = self.origin["experiment"]
            how = "".join(f"-{name}-{value}" for name, value in _told(given).items())
            return f"{self.configuration['name']}{how.replace('.', '_')}"  # a name of a link
        if self.kind == CHAIN:
            return f"{self.configuration['name']}-chain-{self.origin['experiment']['treatment']}"
        if self.kind == FLOW:
            printed = "-printed" * (self.configuration.get("beginning") == "printed")
            until = self.origin["experiment"]["until"]
            end = "" if until == "left" else f"-to-{until or 'the-last-step'}"
            return f"flow-{self.configuration['d']}{printed}{end}"
        return self.configuration["name"]

    @property
    def tier(self) -> str:
        return self.configuration.get("tier", "laptop")

    @property
    def seed(self) -> int:
        return self.configuration["seed"]

    @property
    def steps(self) -> int:
        """Of training, up to the end; of samples, the steps of sampling."""
        return self.origin["processes"][-1]["steps"][1]

    @property
    def seconds(self) -> float:
        """Wall time of all its processes."""
        return sum(process["seconds"] for process in self.origin["processes"])

    @property
    def machine(self) -> str:
        """The devices and the threads of all its processes."""
        machines = [
            process["device"]
            if process["device"] != "cpu"
            else f"CPU ({process['machine']}), {counted(process['threads'], 'thread')}"
            for process in self.origin["processes"]
        ]
        return "; ".join(dict.fromkeys(machines))

    @property
    def libraries(self) -> str:
        """Their versions in the last process."""
        versions = self.origin["processes"][-1]["libraries"]
        return ", ".join(f"{name} {version}" for name, version in versions.items())

    @property
    def code(self) -> str:
        """The commits of all its processes, shortened."""
        codes = dict.fromkeys(process["code"] for process in self.origin["processes"])
        return ", ".join(
            f"{code[:DIGITS]}{'-dirty' * code.endswith('-dirty')}" if len(code) > 20 else code
            for code in codes
        )

    @property
    def arrays(self) -> str:
        """The first digits of the arrays' SHA-256."""
        return self.origin["arrays_sha256"][:DIGITS]


@dataclass(frozen=True)
class Runs:
    """The records of one experiment in one tier, by seed; at least one.

    Attributes:
        runs: in the order of their seeds.
    """

    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        return self.runs[0].name

    @property
    def tier(self) -> str:
        return self.runs[0].tier

    @property
    def kind(self) -> str:
        return self.runs[0].kind

    @property
    def target(self) -> str:
        """By which pages link to it."""
        return record_target(self.name, self.tier)

    @property
    def seconds(self) -> float:
        """Wall time of all."""
        return sum(run.seconds for run in self.runs)

    @property
    def commands(self) -> list[str]:
        """What runs it again from nothing, and what compares that with the records."""
        seeds = " ".join(f"--seed {run.seed}" for run in self.runs)
        if self.kind == TRAINING:
            return [f"localbias {what} {self.name} --tier {self.tier} {seeds}" for what in _VERBS]
        if self.kind == SAMPLES:
            return [line for run in self.runs for line in _drawn_again(run)]
        again = f"localbias notebooks {_CHAPTERS[self.kind]} --force"
        return [f"rm records/{self.runs[0].file}", again]

    def differing(self) -> dict[str, Any]:
        """The configuration of the first run where it is not at its default, without the seed."""
        from localbias.experiments import from_configuration
        from localbias.store import beyond_defaults
        from localbias.theory.flow import Flow

        run = self.runs[0]
        if run.kind == FLOW:
            found = beyond_defaults(Flow(**run.configuration))
            return {name: value for name, value in found.items() if name != "seed"}
        experiment = from_configuration(run.configuration)
        found = beyond_defaults(experiment) | experiment.parts
        if run.kind in (CHAIN, SAMPLES):
            given = run.origin["experiment"]
            return {k: given[k] for k in given if k != "experiment"} | {"experiment": found}
        return {k: v for k, v in found.items() if k not in ("name", "tier", "seed")}


def _told(given: dict[str, Any]) -> dict[str, str]:
    """What `localbias sample` is told of the configuration of samples."""
    how = {"at": given["step"]} | given["sampling"]
    if how["variance"] == "small":
        how.pop("variance")
    return {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in how.items()
        if value is not None
    }


def _drawn_again(run: Run) -> list[str]:
    """The commands that draw samples again."""
    chosen = " ".join(
        f"--{name} {value}" for name, value in _told(run.origin["experiment"]).items()
    )
    whose = f"{run.configuration['name']} --tier {run.tier} --seed {run.seed}"
    return [f"rm records/{run.file}", f"localbias sample {whose} {chosen}"]


_VERBS = ("run", "verify")
_CHAPTERS = {CHAIN: "05_mode_interpolation", FLOW: "03_hypercube_theory"}


@cache
def all_runs(folder: Path = RECORDS) -> dict[str, Run]:
    """The records of a folder and of those in it, by file; read once a process."""
    return {
        name: Run(name, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.rglob("*.json"))
        for name in [path.relative_to(folder).as_posix()]
    }


def grouped(runs: Iterable[Run]) -> list[Runs]:
    """Runs by experiment and tier, in the order of the first of each; seeds in theirs."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.name, run.tier), []).append(run)
    return [Runs(tuple(sorted(group, key=lambda run: run.seed))) for group in groups.values()]


def record_target(name: str, tier: str) -> str:
    """By which pages link to the records of an experiment in a tier."""
    return f"record-{name}".lower() + f"-{tier}" * (tier != "laptop")


def in_words(runs: Iterable[Run]) -> str:
    """What some runs are, in a line: "3 records of 1 experiment, laptop tier, seeds 0 to 2, …"."""
    runs = list(runs)
    groups = counted(len(grouped(runs)), "experiment")
    return f"{counted(len(runs), 'record')} of {groups}, {extent(runs)}"


def extent(runs: Iterable[Run]) -> str:
    """Their tier, seeds, steps and time: "laptop tier, seeds 0 to 2, 12,000 steps, 5 minutes"."""
    runs = list(runs)
    tiers, seeds, steps = (
        sorted({getattr(run, name) for run in runs}) for name in ("tier", "seed", "steps")
    )
    parts = [
        f"{' and '.join(tiers)} tier",
        f"seed{'s' * (len(seeds) > 1)} {_range(seeds)}",
        f"{_range(steps)} steps",
        duration(sum(run.seconds for run in runs)),
    ]
    return ", ".join(parts)


def counted(count: int, what: str) -> str:
    """A number of things: "1 seed", "3 seeds"."""
    return f"{count} {what}{'s' * (count != 1)}"


def _range(numbers: list[int]) -> str:
    low, high = f"{numbers[0]:,}", f"{numbers[-1]:,}"
    return low if low == high else f"{low} to {high}"
