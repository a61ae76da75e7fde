"""What a chapter needs of the records: told at its start, with what the missing ones will cost."""

import json
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np

from localbias.experiments import beyond, catalogue, engine
from localbias.experiments.configuration import Experiment, Sampling
from localbias.experiments.recursion import Chain
from localbias.experiments.recursion import run as run_chain
from localbias.experiments.results import Results
from localbias.experiments.samples import Samples, path_of
from localbias.experiments.samples import run as run_samples
from localbias.store import Record, all_records, cost, note_read, timed
from localbias.training import auto_device

TUPLES = (20, 35, 50, 100, 150, 200, 470)  # that the DiT with a token a digit is trained on
# The experiments of each chapter, and of how many seeds the book has records where not of three.
CHAPTERS: dict[int, tuple[str, ...]] = {
    1: (
        "short-words-unet-30",
        *("parity-8-scalars", "parity-8-unet", "parity-8-mlp", "parity-16-unet"),
        *("quarter-unet-470", "quarter-dit-470", "quarter-dit-50"),
        *("quarter-mlp-470", "quarter-mlp-150", "quarter-mlp-50"),
        *("parity-8-unet-blocks", "parity-16-unet-blocks", "parity-8-mlp-vectors"),
        "parity-8-unet-small-glyphs",
        *(f"quarter-token-dit-{n}" for n in TUPLES),
        *("quarter-x0-unet-470", "quarter-token-dit-150-fresh", "quarter-x0-unet-470-fresh"),
        *("quarter-token-dit-50-spacing-1", "quarter-token-dit-50-spacing-4"),
    ),
    2: (
        *("parity-8-scalars", "parity-8-unet", "quarter-mlp-470", "quarter-mlp-50"),
        *("quarter-unet-470", "quarter-dit-470", *catalogue.OTHERWISE),
        *(*catalogue.UNSAID, *catalogue.VARIANTS),
        *(f"quarter-token-dit-{n}" for n in (50, 150, 470)),
        *("quarter-token-dit-50-spacing-1", "quarter-token-dit-50-spacing-4"),
        *("parity-8-unet-blocks", "parity-16-unet-blocks", "parity-8-unet-small-glyphs"),
        "quarter-x0-unet-470",
    ),
    5: tuple(catalogue.MODES),
    4: (
        *(name for name in catalogue.STRESS if name not in ("check-5-dit", "check-6-dit")),
        *("dyck-8-dit", "dyck-12-dit", "dyck-16-dit", "words-dit-30", "words-dit-999"),
        *(
            "dyck-8-unet",
            "dyck-12-unet",
            "dyck-16-unet-row",
            "short-words-unet-30",
            "characters-unet-50",
        ),
        *("lines-dit-30", "lines-dit-999"),
        *("characters-dit-50", "characters-dit-300", "characters-mlp-50"),
    ),
    6: (
        *("parity-8-scalars", "parity-8-unet", "parity-8-unet-blocks", "parity-8-mlp-vectors"),
        *(f"check-{order}-scalars" for order in (2, 3, 4, 5, 6, 8)),
        *("quarter-unet-470", "quarter-token-dit-470", "dyck-8-unet"),
        *(*beyond.COUNTS.values(), *beyond.NESTED, *beyond.LONG),
        *(name for by_words in beyond.TREATMENTS.values() for name in by_words.values()),
    ),
}
SEEDS = (
    {"quarter-x0-unet-470-fresh": 1, "parity-8-scalars-long": 1}
    | dict.fromkeys(catalogue.STRESS, 5)
    | {
        "check-3-dit-long": 3,
        "check-4-dit-long": 2,
        "quarter-unet-470-noise": 1,
    }
)

# Those of one way of sampling whose kept network the book also samples as of Eq. 7.
SAMPLED = (
    *("quarter-x0-unet-470", "parity-8-unet-blocks"),
    *("dyck-16-unet-row", "characters-unet-50"),
)


class Recorded:
    """The results of a chapter's experiments by name, trained where there is no record.

    How many trainings and drawings are missing and how long they take is printed at once.

    Args:
        chapter: its number, one of CHAPTERS.
        tier: taken where an experiment has it, else laptop.
        seed: 0 for all the seeds of which the book has records; any other for that one alone.
        device: "auto", "cpu" or "cuda".

    Raises:
        ValueError: for a chapter without experiments, or a device that is not here.
    """

    def __init__(self, chapter: int, tier: str = "laptop", seed: int = 0, device: str = "auto"):
        auto_device(device)
        if chapter not in CHAPTERS:
            known = ", ".join(str(number) for number in sorted(CHAPTERS))
            raise ValueError(f"chapter={chapter!r} has no experiments; these have: {known}")
        self.names = tuple(dict.fromkeys(CHAPTERS[chapter]))
        self.tier, self.seed, self.device = tier, seed, device
        self._results: dict[str, Results] = {}
        if missing := self.missing:
            print(cost("trainings", expected_seconds(missing)), flush=True)
        if undrawn := self.undrawn:
            print(cost("drawings of samples", [None] * len(undrawn)), flush=True)

    def __call__(self, name: str) -> Results:
        """What the records of one of the chapter's experiments say. ValueError for another."""
        if name not in self.names:
            known = ", ".join(self.names)
            raise ValueError(f"{name!r} is no experiment of this chapter; there are: {known}")
        if name not in self._results:
            tier = catalogue.tier_for(name, self.tier)
            self._results[name] = Results(
                [catalogue.run(name, tier, seed, self.device) for seed in self.seeds(name)]
            )
        for record in self._results[name].records:
            note_read(record)  # each cell that uses it says so, not the first one alone
        return self._results[name]

    def by_sampler(self, name: str) -> dict[Sampling, np.ndarray]:
        """How trained networks were sampled -> their outcomes, int [S, 4].

        First comes how they were sampled in training. Of SAMPLED it is the one network whose
        weights are kept, that of seed 0, and the other way is that of Eq. 7. Where none are kept,
        of other seeds and in the smoke tier, it is `Results.by_sampler`.
        """
        results = self(name)
        drawn = self._drawn(name)
        if drawn is None:
            return results.by_sampler
        place, row = self.seeds(name).index(drawn.experiment.seed), results.row_at(drawn.step)
        return {
            results.experiment.sampling: results.counts[[place], row],
            drawn.sampling: run_samples(drawn, self.device).arrays["counts"][None],
        }

    @property
    def undrawn(self) -> list[Samples]:
        """The samples of kept networks that the chapter shows and that have no record yet."""
        drawn = [one for name in self.names if (one := self._drawn(name))]
        return [one for one in drawn if not path_of(one).exists()]

    def _drawn(self, name: str) -> Samples | None:
        """What is drawn of the network that is kept of a name in SAMPLED; None where none is."""
        if name not in SAMPLED:
            return None
        tier = catalogue.tier_for(name, self.tier)
        made = [catalogue.make(name, tier, seed) for seed in self.seeds(name)]
        kept = [one for one in made if one.keep]
        return Samples.ancestral(kept[0]) if kept else None

    def existing(self, name: str) -> Results | None:
        """What records of any experiment say that are there already; nothing is trained for it."""
        tier = catalogue.tier_for(name, self.tier)
        records = catalogue.found(name, tier, self.seeds(name))
        for record in records:
            note_read(record)
        return Results(records) if records else None

    def seeds(self, name: str) -> Sequence[int]:
        """The seeds of an experiment that the chapter shows."""
        return range(SEEDS.get(name, 3)) if self.seed == 0 else (self.seed,)

    @property
    def missing(self) -> list[Experiment]:
        """The chapter's experiments that have no record yet."""
        asked = [
            catalogue.make(name, catalogue.tier_for(name, self.tier), seed)
            for name in self.names
            for seed in self.seeds(name)
        ]
        # To look whether a file is there is not to read it: origins of figures go by what is read.
        paths = [engine.records_of(one.tier) / f"{one.stem}.json" for one in asked]
        return [one for one, path in zip(asked, paths) if not path.exists()]


def chains(tier: str = "laptop", seed: int = 0, device: str = "auto") -> dict[str, dict[str, Any]]:
    """What chains of each treatment measured, run where there is no record.

    Args:
        tier: "smoke", "laptop" or "paper".
        seed: 0 for all the chains of the book (in the smoke tier for one); any other for that one.
        device: "auto", "cpu" or "cuda".

    Returns:
        Treatment -> name of the array -> [S, 1 + G].
    """
    return {
        treatment: _chained(
            [catalogue.chain(treatment, tier, one) for one in _seeds(count, tier, seed)],
            ("bad", "kept", "width"),
            device,
        )
        for treatment, count in catalogue.CHAINED.items()
    }


def digit_chains(
    tier: str = "laptop", seed: int = 0, device: str = "auto"
) -> dict[str, dict[str, Any]]:
    """What chains of digits measured, as of `chains`.

    Returns:
        Treatment -> name of the array -> [S, 1 + G], of pictures [S, 1 + G, n, 1, side, side].
    """
    return {
        treatment: _chained(
            [catalogue.digit_chain(treatment, tier, one) for one in _seeds(count, tier, seed)],
            ("bad", "kept", "refused", "distance", "pictures"),
            device,
        )
        for treatment, count in catalogue.DIGITS_CHAINED.items()
    }


def _seeds(count: int, tier: str, seed: int) -> Sequence[int]:
    """The chains that a chapter shows."""
    return range(1 if tier == "smoke" else count) if seed == 0 else (seed,)


def _chained(chosen: Sequence[Chain], names: Sequence[str], device: str) -> dict[str, np.ndarray]:
    """Some arrays of chains, stacked."""
    records = [
        run_chain(one, device, engine.records_of(one.experiment.tier) / "chains") for one in chosen
    ]
    return {name: np.stack([record.arrays[name] for record in records]) for name in names}


def expected_seconds(experiments: Sequence[Experiment]) -> list[float | None]:
    """How long trainings take by the records of their kind, None where there is none.

    Those of the same name and tier that took as many such steps come first. Else it is a matter of
    seconds a step with the same network, renderer and batch. Records that a GPU made count only
    where a CPU made none of the kind.
    """
    folders = {engine.records_of(one.tier) for one in experiments}
    records = [found for folder in folders for found in all_records(folder=folder, odd=_ignore)]
    return [_expected(one, records) for one in experiments]


def _expected(experiment: Experiment, records: Sequence[Record]) -> float | None:
    kind = _kind(experiment.configuration)
    alike = timed([found for found in records if _kind(found.experiment) == kind])
    same = (experiment.name, experiment.tier, experiment.training.steps)
    named = [found.seconds for found in alike if _name_and_steps(found.experiment) == same]
    if named:
        return mean(named)
    a_step = [found.seconds / found.experiment["training"]["steps"] for found in alike]
    return mean(a_step) * experiment.training.steps if a_step else None


def _name_and_steps(configuration: Mapping[str, Any]) -> tuple[str, str, int]:
    return configuration["name"], configuration["tier"], configuration["training"]["steps"]


def _kind(configuration: Mapping[str, Any]) -> str:
    """What decides the time of a step."""
    batch = configuration["training"]["batch"]
    return json.dumps([configuration["network"], configuration["renderer"], batch], sort_keys=True)


def _ignore(sentence: str) -> None:
    """An odd file is another's to tell (`localbias records`)."""
