"""What records say of the order up to which a network knows its training set, and when.

A network that knows a training set's statistics up to some order and assumes nothing else draws
from the maximum-entropy law of that order. So the outcomes of that law are a prediction for it,
without a parameter; and the steps at which it reaches one thing and another are its clocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from localbias.experiments.results import Results
from localbias.experiments.setup import Setup
from localbias.grammar import maximum_entropy
from localbias.measure import OUTCOMES

READABLE = 0.5  # of the samples, from which on what they say is a law over strings
KNOWN = 0.5  # slope at which a network has learned half of a part


def law_shares(setup: Setup, order: int) -> np.ndarray:
    """The outcomes that the maximum-entropy law of an order would have.

    Args:
        setup: whose training strings have the statistics.
        order: of the statistics; 1 are the marginals.

    Returns:
        Shares float64 [4], in the order of `measure.OUTCOMES`.
    """
    law = maximum_entropy(setup.train_strings, len(setup.grammar.alphabet), order)
    outcomes = setup.outcomes(law.strings)
    return np.bincount(outcomes.numpy(), law.probabilities.numpy(), len(OUTCOMES))


def hallucinating(counts: np.ndarray, least: float = READABLE) -> np.ndarray:
    """The share of readable samples that break the rule, NaN where too few are readable.

    Args:
        counts: int [..., 4].
        least: share of the samples that must be readable.
    """
    readable = counts[..., 1:].sum(-1)
    enough = readable >= least * counts.sum(-1)
    return np.where(enough, counts[..., 1] / np.maximum(readable, 1), np.nan)


def plateau(results: Results) -> np.ndarray:
    """The largest share of readable samples that break the rule, at any measured step: [S].

    NaN where too few samples are readable throughout.
    """
    shares = hallucinating(results.counts)
    seen = ~np.isnan(shares).all(1)
    return np.array([np.nanmax(row) if some else np.nan for row, some in zip(shares, seen)])


@dataclass(frozen=True)
class Threshold:
    """How hallucination depends on the number of training strings.

    Attributes:
        strings: [N], how many are trained on.
        measured: one array [S] a number: the largest share that breaks the rule.
        predicted: order -> the same of the maximum-entropy law of that order.
    """

    strings: np.ndarray
    measured: Sequence[np.ndarray]
    predicted: Mapping[int, Sequence[np.ndarray]]


def threshold(by_count: Mapping[int, Results], orders: Sequence[int]) -> Threshold:
    """Hallucination against the number of training strings, predicted and measured.

    Args:
        by_count: number of training strings -> records.
        orders: of the maximum-entropy laws that predict.
    """
    predicted = {
        order: [
            np.array([law_shares(setup, order)[1] for setup in results.setups])
            for results in by_count.values()
        ]
        for order in orders
    }
    measured = [plateau(results) for results in by_count.values()]
    return Threshold(np.array(list(by_count)), measured, predicted)


@dataclass(frozen=True)
class Clocks:
    """The first measured steps from which on something holds, a seed each [S]; infinite for never.

    Attributes:
        low: a mean slope of the orders 1 to 3 of at least a half.
        four: the same of order 4.
        high: of the orders above 4, the rule's apart.
        rule: of the highest order, L.
        pooled: the ratio of means half way from 1 to that of the exact denoiser of the training
            set.
        mean: the mean of ratios half way.
        halved: the share that breaks the rule is half of chance's.
    """

    low: np.ndarray
    four: np.ndarray
    high: np.ndarray
    rule: np.ndarray
    pooled: np.ndarray
    mean: np.ndarray
    halved: np.ndarray


def clocks(results: Results, level: float) -> Clocks:
    """When a network knows which order, when its ratio falls, and when it stops hallucinating.

    Args:
        results: records of strings of two symbols, five or more of them, probed.
        level: √ᾱ, at which the ratio is looked at.

    Raises:
        ValueError: for a level that is not probed.
    """
    steps, v = results.steps, results.place(level)
    slopes, _ = results.slopes()
    end = results.reference_ratios()[:, results.references.index("train"), v]
    half = (1 + end)[:, None] / 2
    chance = results.chance[1] / sum(results.chance[1:])

    def known(orders: slice) -> np.ndarray:
        part = np.nan_to_num(slopes[..., orders], nan=0.0)
        counted = (~np.isnan(slopes[..., orders])).sum(-1)
        return part.sum(-1) / np.maximum(counted, 1) >= KNOWN

    shares = np.nan_to_num(hallucinating(results.counts, 0.5), nan=1.0)
    return Clocks(
        *(
            since(steps, holds)
            for holds in (
                known(slice(0, 3)),
                known(slice(3, 4)),
                known(slice(4, -1)),
                known(slice(-1, None)),
                results.pooled_ratios()[:, 1:, v] <= half,
                results.ratios()[:, 1:, v] <= half,
                shares <= chance / 2,
            )
        )
    )


def since(steps: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """The first measured step from which on something holds to the end.

    Args:
        steps: [M], rising.
        holds: bool [S, M].

    Returns:
        float64 [S], infinite where it does not hold at the end.
    """
    found = np.full(len(holds), np.inf)
    for seed, row in enumerate(holds):
        if row[-1]:
            broken = np.flatnonzero(~row)
            found[seed] = steps[broken[-1] + 1 if len(broken) else 0]
    return found


def ways_to_hallucinate(results: Results, row: int) -> dict[str, np.ndarray]:
    """Outcomes of readable samples at a measured step, all seeds, beside those of laws.

    Args:
        results: records of strings.
        row: place among the measured steps.

    Returns:
        "network" -> shares [S, 3] of readable samples: breaks the rule, in the training set, never
        seen; and the same of the maximum-entropy laws by name.
    """
    counts = results.counts[:, row, 1:]
    found = {"network": counts / np.maximum(counts.sum(-1, keepdims=True), 1)}
    for name, order in (("order 1", 1), ("order 2", 2), ("order 3", 3)):
        found[name] = np.stack([law_shares(setup, order)[1:] for setup in results.setups])
    return found


def nearest_order(results: Results, orders: Sequence[int]) -> np.ndarray:
    """Whose outcomes the network's are nearest to, of the laws of some orders: int [S, M].

    The distance is half the sum of differences of the three shares of readable samples; −1 stands
    where too few are readable.
    """
    counts = results.counts[..., 1:]
    shares = counts / np.maximum(counts.sum(-1, keepdims=True), 1)
    laws = np.stack(
        [[law_shares(setup, order)[1:] for order in orders] for setup in results.setups]
    )
    distance = np.abs(shares[:, :, None] - laws[:, None]).sum(-1) / 2
    found = np.array(orders)[distance.argmin(-1)]
    return np.where(np.isnan(hallucinating(results.counts)), -1, found)
