"""What records say of the order up to which a network knows its training set, and when.

A network that knows a training set's statistics up to some order and assumes nothing else draws
from the maximum-entropy law of that order. So the outcomes of that law are a prediction for it,
without a parameter; and the steps at which it reaches one thing and another are its clocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from localbias.exact import wiener
from localbias.experiments.results import Results
from localbias.experiments.setup import Setup
from localbias.grammar import maximum_entropy

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
    return setup.law_outcomes(law.strings, law.probabilities)


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
    predicted: dict[int, list[np.ndarray]] = {order: [] for order in orders}
    for results in tqdm(by_count.values(), desc="laws", unit="training set", leave=False):
        for order, found in predicted.items():
            found.append(np.array([law_shares(one, order)[1] for one in results.setups]))
    measured = [plateau(results) for results in by_count.values()]
    return Threshold(np.array(list(by_count)), measured, predicted)


@dataclass(frozen=True)
class Clocks:
    """The first measured steps from which on something holds, a seed each [S]; infinite for never.

    Attributes:
        low: a mean slope of the orders 1 to 3 of at least a half.
        four: the same of order 4.
        pooled: the ratio of means half way from 1 to the ratio of means of the exact denoiser of
            the training set.
        mean: the mean of ratios half way from 1 to the mean of ratios of that denoiser.
        halved: the share that breaks the rule is half of chance's.
    """

    low: np.ndarray
    four: np.ndarray
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
    train = results.references.index("train")
    chance = results.chance[1] / sum(results.chance[1:])

    def known(orders: slice) -> np.ndarray:
        part = np.nan_to_num(slopes[..., orders], nan=0.0)
        counted = (~np.isnan(slopes[..., orders])).sum(-1)
        return part.sum(-1) / np.maximum(counted, 1) >= KNOWN

    def half_way(ratios: np.ndarray, references: np.ndarray) -> np.ndarray:
        return ratios[:, 1:, v] <= (1 + references[:, train, v])[:, None] / 2

    shares = np.nan_to_num(hallucinating(results.counts), nan=1.0)
    return Clocks(
        *(
            since(steps, holds)
            for holds in (
                known(slice(0, 3)),
                known(slice(3, 4)),
                half_way(results.pooled_ratios(), results.pooled_reference_ratios()),
                half_way(results.ratios(), results.reference_ratios()),
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


def splits(results: Results) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """What readable samples are along training, and what laws of orders 1 to 3 would draw.

    Returns:
        Steps [M]; shares [S, M, 3] of readable samples (breaks the rule, in the training set, never
        seen), NaN where too few are readable; order -> the same shares [S, 3] of its law.
    """
    counts = results.counts[..., 1:]
    shares = counts / np.maximum(counts.sum(-1, keepdims=True), 1)
    shares[np.isnan(hallucinating(results.counts))] = np.nan
    laws = {
        order: np.stack([law_shares(setup, order)[1:] for setup in results.setups])
        for order in (1, 2, 3)
    }
    return results.steps, shares, laws


def along(results: Results, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The ratio at a noise level and hallucination along training, and the exact rule's ratio.

    Returns:
        Steps [M]; mean of ratios of x̂0 [S, M]; shares of readable samples that break the rule
        [S, M], NaN where too few are readable; the exact rule's mean of ratios.

    Raises:
        ValueError: for a level that is not probed.
    """
    v = results.place(level)
    rule = results.reference_ratios()[:, results.references.index("rule"), v].mean()
    ratios, shares = results.ratios()[:, 1:, v], hallucinating(results.counts)
    return results.steps, ratios, shares, float(rule)


Treated = dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]


def treatments(
    rules: Mapping[str, Mapping[str, Results]], level: float
) -> tuple[Treated, dict[str, dict[str, tuple[float, float]]]]:
    """Where treatments take the ratio and hallucination by the end, beside exact denoisers.

    Args:
        rules: rule -> treatment -> records; one of them is "nothing".
        level: √ᾱ, of the ratio.

    Returns:
        Rule -> treatment -> the ratio of x̂0 [S] and the share of readable samples that break the
        rule [S]; and rule -> "rule" and "train" -> the same two of the exact denoisers.
    """
    found: Treated = {}
    exact = {}
    for rule, by_treatment in rules.items():
        found[rule] = {}
        for name, results in by_treatment.items():
            _, ratios, shares, _ = along(results, level)
            found[rule][name] = ratios[:, -1], shares[:, -1]
        base = by_treatment["nothing"]
        references = base.reference_ratios()[..., base.place(level)].mean(0)
        by_name = dict(zip(base.references, references))
        exact[rule] = {name: (float(by_name[name]), 0.0) for name in ("rule", "train")}
    return found, exact


def beside_linear(results: Results) -> tuple[tuple[float, ...], dict[str, np.ndarray]]:
    """The ratio of x̂0 of the best linear denoiser, the exact rule and the network, by level.

    Args:
        results: records that were probed.

    Returns:
        Levels [V], by √ᾱ; and name -> ratios, [V] of the exact ones and [S, V] of the network.

    Raises:
        ValueError: where the runs were not probed, or show signals of unknown covariance.
    """
    setup, levels, ratios = results.setup, results.levels, results.ratios()
    model = wiener(setup.renderer, setup.grammar, setup.schedule)
    region = setup.renderer.region(results.probing.symbol)
    times = [setup.schedule.index(sqrt_alpha_bar=level) for level in levels]
    return levels, {
        "linear": np.array([model.ratio(t, region) for t in times]),
        "rule": results.reference_ratios()[:, results.references.index("rule")].mean(0),
        "network, half way": ratios[:, 1 + results.row(0.5)],
        "network, at the end": ratios[:, -1],
    }
