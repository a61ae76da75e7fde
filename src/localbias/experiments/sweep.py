"""Sweeps: experiments × seeds × settings, one job for each, one record for each job.

A sweep only lists its jobs; `localbias sweep` runs them one after another, and `workflow/Snakefile`
on many cores or machines.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

from localbias.experiments import catalogue, engine
from localbias.experiments.configuration import Experiment
from localbias.experiments.recorded import expected_seconds
from localbias.experiments.settings import as_text, combinations, with_settings
from localbias.store import Record


@dataclass(frozen=True)
class Job:
    """One run of an experiment of the book, perhaps with other values in some fields.

    Attributes:
        name: of the experiment.
        tier: one of its tiers.
        seed: a whole number from 0.
        settings: dotted names of fields -> values that take the place of the experiment's.
    """

    name: str
    tier: str = "laptop"
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def experiment(self) -> Experiment:
        """What is run. ValueError for what is unknown or not allowed."""
        made = catalogue.make(self.name, self.tier, self.seed)
        return with_settings(made, self.settings)

    @property
    def arguments(self) -> list[str]:
        """Of `localbias run`."""
        chosen = [part for text in as_text(self.settings) for part in ("--set", text)]
        return [self.name, "--tier", self.tier, "--seed", str(self.seed), *chosen]

    @property
    def command(self) -> str:
        """The line for a shell that makes its record."""
        return shlex.join(["localbias", "run", *self.arguments])

    @property
    def record(self) -> Path:
        """The JSON file of its record, whether it is there or not."""
        return engine.records_of(self.tier) / f"{self.experiment.stem}.json"

    @property
    def begun(self) -> bool:
        """Whether an interrupted run has left a checkpoint, from which the next one goes on."""
        return (engine.RUNS / f"{self.experiment.stem}.safetensors").exists()

    def find(self) -> Record | None:
        """Its record, or None. Errors as of `engine.find`."""
        return engine.find(self.experiment)

    def run(self, device: str = "auto", **folders: Any) -> Record:
        """Its record, made where there is none; arguments and errors as of `catalogue.run`."""
        smoke = catalogue.make(self.name, "smoke")
        return engine.run(self.experiment, device, smoke, **folders)


@dataclass(frozen=True)
class Planned:
    """What is to be done for a job.

    Attributes:
        job: in question.
        record: that it has already, or None.
        seconds: that a whole training takes by the records of its kind; None where none tells.
        begun: whether it goes on from a checkpoint.
    """

    job: Job
    record: Record | None
    seconds: float | None
    begun: bool


def chosen(patterns: Iterable[str], tier: str) -> list[str]:
    """The experiments that names and patterns mean; a pattern means those that have the tier.

    Raises:
        ValueError: for what is unknown, naming what is like it.
    """
    catalogue.require_tier(tier)
    patterns = list(patterns)
    found: list[str] = []
    for pattern in patterns:
        matches = [name for name in catalogue.EXPERIMENTS if fnmatch(name, pattern)]
        if not matches:
            raise ValueError(catalogue.unknown(pattern))
        wanted = [name for name in matches if tier in catalogue.tiers(name) or name == pattern]
        found += [name for name in wanted if name not in found]
    if not found:
        raise ValueError(f"no experiment of {', '.join(patterns)} has the tier {tier!r}")
    return found


def jobs(
    patterns: Iterable[str],
    tier: str = "laptop",
    seeds: Iterable[int] = (0,),
    settings: Sequence[str] = (),
) -> list[Job]:
    """The jobs of a sweep, each of them checked.

    Args:
        patterns: names of experiments, or patterns such as "parity-*".
        tier: of all of them.
        seeds: of each.
        settings: field=value[,value …] (`settings.combinations`); every combination is a job.

    Raises:
        ValueError: for what is unknown or not allowed.
    """
    chosen_names, several, seeds = chosen(patterns, tier), combinations(settings), list(seeds)
    found = [
        Job(name, tier, seed, some) for name in chosen_names for seed in seeds for some in several
    ]
    # Two jobs of one record, such as a seed that is given twice, are one.
    return list({job.experiment.stem: job for job in found}.values())


def plan(asked: Iterable[Job], odd: Callable[[str], object]) -> list[Planned]:
    """What is to be done for each job; one whose record is damaged is left out.

    Args:
        asked: jobs.
        odd: called with a sentence about each record that is damaged.
    """
    found: list[tuple[Job, Record | None]] = []
    for job in asked:
        try:
            found.append((job, job.find()))
        except ValueError as error:
            odd(str(error))
    seconds = iter(expected_seconds([job.experiment for job, record in found if not record]))
    return [
        Planned(job, record, None if record else next(seconds), not record and job.begun)
        for job, record in found
    ]


def seeds_of(text: str) -> list[int]:
    """Seeds from text such as "0-2" or "0,3,5-7". ValueError for another."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"seeds={text!r}; allowed: numbers and ranges, such as 0-2 or 0,3")
        span = range(int(first), int(last or first) + 1)
        if not span:
            raise ValueError(f"seeds={text!r}; allowed: ranges that rise, such as 0-2")
        seeds += [seed for seed in span if seed not in seeds]
    return seeds
