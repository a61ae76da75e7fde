"""Where a network goes as it leaves chance: towards the rule, the pairs, or the training set."""

from dataclasses import dataclass

import numpy as np
import torch

from localbias.experiments.results import Results
from localbias.experiments.setup import Setup
from localbias.grammar import copies, maximum_entropy, softened
from localbias.statistics import share_over_seeds

# From next to nothing of the pairs' statistics to nearly all.
PENALTIES = np.geomspace(1, 1e-8, 33)
ERRORS = np.linspace(1, 0, 33)  # of copies, from independent symbols to none
FEWEST = 10  # valid samples of each seed, of which a share is told
READABLE = 0.5  # of each seed's samples, from which on what they say is a law over strings
ROUNDING = 1e-9


@dataclass(frozen=True)
class Directions:
    """How many strings keep the rule, and how many of those that do were trained on.

    Attributes:
        laws: where it goes -> [2, P], both shares along the way there from independent symbols;
            means over the seeds' training sets.
        steps: int [M], those measured steps at which enough samples can be read and are valid.
        valid: [M], the share of valid ones among readable samples, the mean over the seeds.
        kept: [M, 3], the share of training strings among the valid ones: mean and interval, as of
            `statistics.share_over_seeds`. All steps begin with the same noise.
    """

    laws: dict[str, np.ndarray]
    steps: np.ndarray
    valid: np.ndarray
    kept: np.ndarray

    @property
    def start(self) -> float:
        """The share of independent symbols that keeps the rule."""
        return float(next(iter(self.laws.values()))[0, 0])

    def at(self, share: float) -> dict[str, float]:
        """Of each law's valid strings, the share that was trained on, where it is as valid.

        Args:
            share: of strings that keep the rule.

        Returns:
            Where it goes -> share; NaN for a law that is never as valid, or whose share of valid
            strings does not grow along its way.
        """
        return {name: _between(share, *way) for name, way in self.laws.items()}


def directions(results: Results, order: int = 2) -> Directions:
    """Beside the laws on three ways from independent symbols, what the samples are along training.

    The ways to the rule and to the training set are those of copies with ever fewer mistakes, of
    all valid strings or of the training strings (`grammar.copies`); the way to the pairs is that of
    ever closer fits (`grammar.softened`).

    Args:
        results: the records of a rule whose strings can be enumerated: seconds a seed for a few
            thousand strings, half a minute for 2^16.
        order: of the statistics that are fitted, 2 for pairs.

    Raises:
        ValueError: for a rule with more than 2^17 strings to enumerate.
    """
    laws = [_laws(setup, order) for setup in results.setups]
    counts = results.counts  # [S, M, 4]
    readable, valid = counts[..., 1:].sum(-1), counts[..., 2:].sum(-1)
    enough = (valid >= FEWEST) & (readable >= READABLE * counts.sum(-1))
    chosen = np.flatnonzero(enough.all(0))
    known = [share_over_seeds(counts[:, one, 2], valid[:, one]) for one in chosen]
    return Directions(
        {name: np.mean([one[name] for one in laws], axis=0) for name in laws[0]},
        np.asarray(results.steps)[chosen],
        (valid[:, chosen] / np.maximum(readable[:, chosen], 1)).mean(0),
        np.array(known).reshape(-1, 3),
    )


def _laws(setup: Setup, order: int) -> dict[str, np.ndarray]:
    """The ways [2, P] of one seed: the shares of valid strings, and of training ones among them."""
    grammar, strings, weights = setup.grammar, setup.train_strings, setup.weights
    symbols = len(grammar.alphabet)

    alone, end = (maximum_entropy(strings, symbols, one, weights) for one in (1, order))
    held_back = softened(strings, symbols, order, PENALTIES, weights)  # all on the same strings
    fitted = setup.law_outcomes(
        alone.strings, torch.stack([one.probabilities for one in (alone, *held_back)])
    )
    of_all = copies(grammar.support, symbols, ERRORS, grammar.probabilities)
    of_training = copies(strings, symbols, ERRORS, weights)
    ways = {
        "the rule": setup.law_outcomes(*of_all),
        "pairs": np.vstack([fitted, setup.law_outcomes(end.strings, end.probabilities)]),
        "the training set": setup.law_outcomes(*of_training),
    }
    return {name: _shares(outcomes) for name, outcomes in ways.items()}


def _shares(outcomes: np.ndarray) -> np.ndarray:
    """Of outcomes [P, 4] the shares [2, P] of valid strings, and of training ones among them."""
    valid = outcomes[:, 2:].sum(1)
    return np.stack([valid, outcomes[:, 2] / valid])


def _between(valid: float, along: np.ndarray, kept: np.ndarray) -> float:
    """The share of training strings where so many are valid, NaN where there is no such place."""
    grows = (np.diff(along) > -ROUNDING).all() and np.ptp(along) > 0.01
    if not grows or not along[0] - ROUNDING <= valid <= along[-1] + ROUNDING:
        return float("nan")
    return float(np.interp(valid, along, kept))
