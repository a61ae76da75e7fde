"""The inventory: what records there are, the seeds of one configuration in one entry."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from localbias.experiments import catalogue, engine
from localbias.experiments.configuration import TIERS, Experiment, from_configuration
from localbias.experiments.settings import as_text, beyond, changes, combinations
from localbias.measure import OUTCOMES, Outcomes
from localbias.store import Record, all_records, committed_on, key_of


@dataclass(frozen=True)
class Entry:
    """The records of one configuration, a seed each.

    Attributes:
        records: by their seeds, at least one.
        experiments: the configuration of each.
        settings: fields in which the configuration differs from what the catalogue has under its
            name now; None for a name that the catalogue does not have in that tier.
        days: on which each was made, as 2025-03-09; "" where nothing says.
    """

    records: Sequence[Record]
    experiments: Sequence[Experiment]
    settings: dict[str, Any] | None
    days: Sequence[str]

    @property
    def experiment(self) -> Experiment:
        """The configuration of the first record."""
        return self.experiments[0]

    @property
    def seeds(self) -> list[int]:
        return [experiment.seed for experiment in self.experiments]

    @property
    def minutes(self) -> float:
        """That a record took, on average."""
        return mean(record.seconds for record in self.records) / 60

    @property
    def changed(self) -> list[str]:
        """Its settings, field=value each."""
        return as_text(self.settings or {})

    @property
    def steps(self) -> np.ndarray:
        """The measured steps, int [M]."""
        return np.array(self.experiment.measure_at)

    @cached_property
    def counts(self) -> np.ndarray:
        """Outcomes, int [S, M, 4]. ValueError where a record is damaged or holds none."""
        found = [record.arrays.get("counts", np.zeros(0)) for record in self.records]
        for record, counts in zip(self.records, found):
            if counts.shape != (len(self.steps), len(OUTCOMES)):
                raise ValueError(
                    f"record {record.path} is damaged: its outcomes have shape {counts.shape}"
                )
        return np.stack(found)

    @property
    def shares(self) -> np.ndarray:
        """The mean share of each outcome over the seeds, along training: float64 [M, 4]."""
        return Outcomes(self.counts).over_seeds()[0]

    def of_seeds(self, seeds: Sequence[int]) -> "Entry | None":
        """The part of it that has these seeds; None where it has none of them."""
        kept = [place for place, seed in enumerate(self.seeds) if seed in seeds]
        if not kept:
            return None
        return Entry(
            [self.records[place] for place in kept],
            [self.experiments[place] for place in kept],
            self.settings,
            [self.days[place] for place in kept],
        )


def entries(
    pattern: str = "*", tier: str | None = None, odd: Callable[[str], object] | None = None
) -> list[Entry]:
    """What is recorded, by name and tier; what the catalogue has now comes first.

    Chains, flows and samples of kept networks lie in folders of their own and are left out.

    Args:
        pattern: of names.
        tier: "smoke", "laptop" or "paper"; None: all of them.
        odd: called with a sentence about each file that is no whole record of an experiment;
            without it that is an error.

    Raises:
        ValueError: for an unknown tier, and as of `odd`.
    """
    if tier is not None:
        catalogue.require_tier(tier)
    folders = {engine.records_of(one): None for one in ([tier] if tier else TIERS)}
    made: dict[tuple[Any, ...], list[tuple[Experiment, Record, str]]] = {}
    settings: dict[tuple[Any, ...], dict[str, Any] | None] = {}
    for folder in folders:
        days = committed_on(folder)
        for found in all_records(folder=folder, odd=odd):
            try:
                experiment = _described(found)
            except ValueError as error:
                if odd is None:
                    raise
                odd(str(error))
                continue
            if not fnmatch(experiment.name, pattern) or tier not in (None, experiment.tier):
                continue
            changed = _settings(experiment)
            label = _unseeded(experiment) if changed is None else key_of(changed)
            place = (experiment.name, TIERS.index(experiment.tier), bool(changed), label)
            day = found.day or days.get(found.path.name, "")
            made.setdefault(place, []).append((experiment, found, day))
            settings[place] = changed
    result = []
    for place in sorted(made):
        by_seed = sorted(made[place], key=lambda one: one[0].seed)
        experiments, records, some_days = zip(*by_seed)
        result.append(Entry(records, experiments, settings[place], some_days))
    return result


def pick(
    name: str,
    tier: str | None = None,
    seeds: Sequence[int] = (),
    settings: Sequence[str] = (),
    odd: Callable[[str], object] | None = None,
) -> tuple[Entry, list[Entry]]:
    """What one means by a name: the laptop tier and the catalogue's own settings come first.

    Args:
        name: of an experiment, or of one record (its stem, with or without .json).
        tier: "smoke", "laptop" or "paper"; None: any.
        seeds: of the experiment; none: all that are recorded.
        settings: field=value, where the record of other settings is meant.
        odd: as of `entries`, for the files of that experiment.

    Returns:
        The entry, and the others of that name.

    Raises:
        ValueError: where there is no such record, saying what there is.
    """
    wanted = combinations(settings)
    if len(wanted) != 1:
        raise ValueError(f"set={' '.join(settings)}; allowed: one value a field")
    stem = Path(name).name.removesuffix(".json")
    strange: list[str] = []
    known = entries(tier=tier, odd=strange.append)
    for sentence in strange:
        if odd is not None and f"/{stem}" in sentence.replace("\\", "/"):
            odd(sentence)
    of_file = [
        part
        for entry in known
        for seed, record in zip(entry.seeds, entry.records)
        if record.path.stem == stem and (part := entry.of_seeds([seed]))
    ]
    named = of_file or [entry for entry in known if entry.experiment.name == name]
    if not named:
        raise ValueError(nothing(name, tier))
    usual = sorted(named, key=lambda entry: entry.experiment.tier != "laptop")
    for entry in usual:
        meant = (entry.settings or {}) == wanted[0] if settings else True
        part = entry.of_seeds(seeds) if seeds else entry
        if meant and part:
            return part, [other for other in usual if other is not entry]
    there = "; ".join(
        " ".join([one.experiment.tier, *one.changed, f"seeds {', '.join(map(str, one.seeds))}"])
        for one in usual
    )
    raise ValueError(f"no such record of {name!r}; there are: {there}")


def nothing(name: str, tier: str | None = None) -> str:
    """What to say where there is no record of an experiment, of a pattern or of a file."""
    if Path(name).is_file():
        return f"{name} is no record of the project; `localbias records` names all"
    if not any(fnmatch(one, name) for one in catalogue.EXPERIMENTS):
        recorded = [entry.experiment.name for entry in entries(tier=tier, odd=lambda _: None)]
        alike = difflib.get_close_matches(name, dict.fromkeys(recorded), n=3)
        meant = f"did you mean {', '.join(alike)}? " if alike else ""
        return f"no record of {name!r}; {meant}`localbias records` names all"
    where, words = (f" in the tier {tier!r}", f" --tier {tier}") if tier else ("", "")
    return f"{name!r} has no record{where} yet; `localbias run {name}{words}` makes one"


def _described(found: Record) -> Experiment:
    """The configuration of a record. ValueError where it holds none."""
    try:
        float(found.seconds)
        return from_configuration(found.experiment)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"record {found.path} is damaged: its configuration is not one ({error!r})"
        ) from None


def _settings(experiment: Experiment) -> dict[str, Any] | None:
    """In what it differs from the catalogue; None where that has no such name in that tier."""
    name, tier = experiment.name, experiment.tier
    if name not in catalogue.EXPERIMENTS or tier not in catalogue.tiers(name):
        return None
    return changes(experiment, catalogue.make(name, tier, experiment.seed))


def _unseeded(experiment: Experiment) -> str:
    """A key of what it has in common with other seeds; only the first may keep weights."""
    return key_of({k: v for k, v in beyond(experiment).items() if k not in ("seed", "keep")})
