"""Where a network goes as it leaves chance: towards the rule, the pairs, or the training set."""

from dataclasses import dataclass

import numpy as np

from localbias.experiments.results import Results
from localbias.experiments.setup import Setup
from localbias.grammar import maximum_entropy, softened
from localbias.measure import OUTCOMES
from localbias.statistics import wilson

# From next to nothing of the pairs' statistics to nearly all.
PENALTIES = np.geomspace(1, 1e-8, 33)
MIXED = np.linspace(0, 1, 33)  # how much of a law is mixed into the marginals'
FEWEST = 20  # valid samples, of all seeds together, of which a share is told


@dataclass(frozen=True)
class Directions:
    """How many strings keep the rule, and how many of those that do were trained on.

    Attributes:
        laws: where it goes -> [2, P], both shares along the way there from independent symbols.
        steps: int [M], those measured steps at which enough samples are valid.
        valid: [M], the share of valid ones among readable samples, the mean over the seeds.
        kept: [M, 3], the share of training strings among the valid ones: over all the seeds'
            samples, and its 95 % interval.
    """

    laws: dict[str, np.ndarray]
    steps: np.ndarray
    valid: np.ndarray
    kept: np.ndarray

    def at(self, share: float) -> dict[str, float]:
        """What share of the valid strings each law has in the training set, where it is as valid.

        Args:
            share: of strings that keep the rule.

        Returns:
            Where it goes -> share; NaN for a law that is never as valid.
        """
        return {name: _between(share, *way) for name, way in self.laws.items()}


def directions(results: Results, order: int = 2) -> Directions:
    """Beside the laws on three ways from independent symbols, what the samples are along training.

    Three laws are approached from the product of the training strings' marginals: the rule (all
    valid strings alike) and the training set by mixing in more and more of them, the law of the
    training strings' pairs by fitting it ever more closely (`grammar.softened`).

    Args:
        results: the records of a rule whose strings can be enumerated: seconds a seed for a few
            thousand strings, minutes for 2^16.
        order: of the statistics that are fitted, 2 for pairs.
    """
    laws = [_laws(setup, order) for setup in results.setups]
    counts = results.counts  # [S, M, 4]
    enough = counts[..., 2:].sum((0, 2)) >= FEWEST
    steps, counts = np.asarray(results.steps)[enough], counts[:, enough]
    readable, valid = counts[..., 1:].sum(-1), counts[..., 2:].sum(-1)
    kept, all_valid = counts[..., 2].sum(0), valid.sum(0)
    return Directions(
        {name: np.mean([one[name] for one in laws], axis=0) for name in laws[0]},
        steps,
        (valid / readable).mean(0),
        np.stack([kept / all_valid, *wilson(kept, all_valid)], axis=-1),
    )


def _laws(setup: Setup, order: int) -> dict[str, np.ndarray]:
    """The ways [2, P] of one seed: the shares of valid strings, and of training ones among them."""
    strings, symbols = setup.train_strings, len(setup.grammar.alphabet)
    fitted = [*softened(strings, symbols, order, PENALTIES)]
    fitted = [
        maximum_entropy(strings, symbols, 1),
        *fitted,
        maximum_entropy(strings, symbols, order),
    ]
    pairs = np.stack([setup.law_outcomes(law.strings, law.probabilities) for law in fitted])
    rule = setup.law_outcomes(setup.grammar.support, setup.grammar.probabilities)
    memory = np.eye(len(OUTCOMES))[OUTCOMES.index("in dataset")]
    share = MIXED[:, None]
    ways = {
        "the rule": (1 - share) * pairs[0] + share * rule,
        "pairs": pairs,
        "the training set": (1 - share) * pairs[0] + share * memory,
    }
    valid = {name: shares[:, 2:].sum(1) for name, shares in ways.items()}
    return {name: np.stack([valid[name], ways[name][:, 2] / valid[name]]) for name in ways}


def _between(valid: float, along: np.ndarray, kept: np.ndarray) -> float:
    """The share of training strings where so many are valid, NaN beyond both ends of the way."""
    rounding = 1e-9
    if not along.min() - rounding <= valid <= along.max() + rounding:
        return float("nan")
    return float(np.interp(valid, along, kept))
