"""What the way to a sample tells of it: scores, ROC, and cuts that are chosen on other samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from localbias.experiments.results import Results
from localbias.measure import Watching
from localbias.render import Points
from localbias.statistics import Auc, auc, removed

# What is told from what, by outcome (`measure.OUTCOMES`): the first should score higher.
GROUPS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "unreadable": ((0,), (1, 2, 3)),
    "hallucination": ((1,), (2, 3)),
    "never seen": ((3,), (2,)),
}


def watching(results: Results) -> Watching:
    """What was kept of the way. ValueError where nothing was."""
    if results.experiment.watching is None:
        raise ValueError(f"experiment {results.name!r} was not watched")
    return results.experiment.watching


def outcomes(results: Results) -> np.ndarray:
    """Which outcome each sample is: int [S, M, n]."""
    return np.stack([results.outcomes(seed) for seed in range(len(results.records))])


def variances(results: Results) -> dict[str, np.ndarray]:
    """Window -> variance of x̂0 on the way, [S, M, n]; windows without a variance are left out.

    The first window is the last visited steps, the others are named by their edges.
    """
    how = watching(results)
    names = [f"last {how.last} steps"]
    names += [f"{low:g} to {high:g}" for low, high in zip(how.edges, how.edges[1:])]
    stacked = np.stack([record.arrays["trajectory"] for record in results.records])
    found = {name: stacked[:, :, place] for place, name in enumerate(names)}
    return {name: values for name, values in found.items() if np.isfinite(values).all()}


def jacobians(results: Results) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Level -> local dependency ratio and ‖J_R‖² on the way to each sample, [S, M, n] each.

    Where the Jacobian is zero there is no ratio; 1 stands in its place.
    """
    levels = watching(results).levels
    if not levels:
        return {}
    stacked = np.stack([record.arrays["watched_ldr"] for record in results.records])
    found = {}
    for place, level in enumerate(levels):
        _, inside, total = np.moveaxis(stacked[:, :, place], -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(total > 0, inside / total, 1.0)
        found[level] = ratio, total
    return found


def areas(results: Results, scores: np.ndarray, group: str) -> list[list[Auc | None]]:
    """How well a score tells two groups of samples apart, at each measured step, seed by seed.

    Args:
        results: the records.
        scores: [S, M, n].
        group: one of GROUPS.

    Returns:
        [M][S]; None where a group has fewer than two samples, or a sample no score.
    """
    first, second = GROUPS[group]
    found: list[list[Auc | None]] = []
    for row in range(len(results.steps)):
        by_seed = []
        for seed, kinds in enumerate(outcomes(results)[:, row]):
            among, here = np.isin(kinds, (*first, *second)), scores[seed, row]
            known = bool(np.isfinite(here).all())
            by_seed.append(auc(here[among], np.isin(kinds[among], first)) if known else None)
        found.append(by_seed)
    return found


@dataclass(frozen=True)
class Cut:
    """A filter, chosen on one half of the samples and judged on the other.

    Attributes:
        window: whose variance it cuts.
        threshold: above which samples go.
        removed: share of the bad ones that it removes, with the ends of its interval.
        kept: share of the good ones that it keeps, likewise.
        area: of the other half.
        bad: how many there were to be removed.
    """

    window: str
    threshold: float
    removed: tuple[float, float, float]
    kept: tuple[float, float, float]
    area: Auc
    bad: int


def cut(
    results: Results,
    row: int = -1,
    keep: float = 0.96,
    group: str = "unreadable",
    windows: Sequence[str] | None = None,
    seed: int = 0,
) -> Cut | None:
    """The filter by the variance of x̂0 that keeps a share of the good samples.

    The window and the threshold are chosen on every other sample: the window with the largest area
    under the ROC curve, the threshold at that share of the good ones. The rest decides what it is
    worth.

    Args:
        results: the records.
        row: of the measured steps.
        keep: share of the good samples.
        group: one of GROUPS; its first is bad.
        windows: names among those of `variances`; None: all.
        seed: by its place.

    Returns:
        None where a half has fewer than two of either.
    """
    first, second = GROUPS[group]
    kinds = outcomes(results)[seed, row]
    among = np.flatnonzero(np.isin(kinds, (*first, *second)))
    bad = np.isin(kinds[among], first)
    by_window = {
        name: values[seed, row, among]
        for name, values in variances(results).items()
        if windows is None or name in windows
    }
    halves = np.arange(len(among)) % 2 == 0
    areas_there = {name: auc(values[halves], bad[halves]) for name, values in by_window.items()}
    known = {name: area.value for name, area in areas_there.items() if area}
    if not known:
        return None
    window = max(known, key=lambda name: known[name])
    values = by_window[window]
    area = auc(values[~halves], bad[~halves])
    if not area:
        return None
    threshold = float(np.quantile(values[halves & ~bad], keep))
    gone, kept = removed(values[~halves], bad[~halves], threshold)
    return Cut(window, threshold, gone, kept, area, int(bad[~halves].sum()))


@dataclass(frozen=True)
class Advice:
    """Which probe tells two groups apart, chosen on one half of the samples, judged on the other.

    Attributes:
        probe: the best single one, with "low" before it where low values point to the first group.
        alone: its area.
        together: the area of all probes in a logistic regression on their ranks.
    """

    probe: str
    alone: Auc
    together: Auc


def probes(results: Results) -> dict[str, np.ndarray]:
    """Every probe of the way to a sample: name -> scores [S, M, n]."""
    found = {f"variance, {name}": values for name, values in variances(results).items()}
    for level, (ratio, size) in jacobians(results).items():
        found |= {f"LDR at {level:g}": ratio, f"‖J‖² at {level:g}": size}
    return found


def advice(results: Results, group: str, row: int = -1, seed: int = 0) -> Advice | None:
    """Which probe to use for a question, and what all of them together are worth.

    Every other sample chooses the probe, the side that points to the first group, and the weights;
    the rest decides what they are worth.

    Args:
        results: the records.
        group: one of GROUPS.
        row: of the measured steps.
        seed: by its place.

    Returns:
        None where a half has fewer than two samples of either group.
    """
    first, second = GROUPS[group]
    kinds = outcomes(results)[seed, row]
    among = np.flatnonzero(np.isin(kinds, (*first, *second)))
    bad, chosen = np.isin(kinds[among], first), np.arange(len(among)) % 2 == 0
    scores = {name: values[seed, row, among] for name, values in probes(results).items()}
    there = {name: auc(values[chosen], bad[chosen]) for name, values in scores.items()}
    known = {name: area.value for name, area in there.items() if area}
    if not known:
        return None
    best = max(known, key=lambda name: abs(known[name] - 0.5))
    side = 1 if known[best] >= 0.5 else -1
    alone = auc(side * scores[best][~chosen], bad[~chosen])
    ranks = np.column_stack([_ranks(values, chosen) for values in scores.values()])
    together = auc(ranks[~chosen] @ _weights(ranks[chosen], bad[chosen]), bad[~chosen])
    if not (alone and together):
        return None
    return Advice(best if side > 0 else f"low {best}", alone, together)


def _ranks(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The share of chosen samples below each value, less a half: free of the probe's own scale."""
    return np.searchsorted(np.sort(values[chosen]), values) / chosen.sum() - 0.5


def _weights(ranks: np.ndarray, bad: np.ndarray, ridge: float = 1.0) -> np.ndarray:
    """Weights [F] of a logistic regression with an intercept, which is not returned."""
    sign, design = np.where(bad, 1.0, -1.0), np.column_stack([ranks, np.ones(len(ranks))])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (design @ weights)
        shrunk = np.append(ridge * weights[:-1], 0.0)
        slope = -(design.T @ (sign * expit(-margin))) + shrunk
        return float(np.logaddexp(0, -margin).sum() + shrunk @ weights / 2), slope

    return minimize(loss, np.zeros(design.shape[1]), jac=True).x[:-1]


def points_of(results: Results) -> Points:
    """What shows an experiment's points. ValueError where its signals are no points."""
    shown = results.setup.renderer
    if not isinstance(shown, Points):
        raise ValueError(f"experiment {results.name!r} shows no points")
    return shown


def places(results: Results, seed: int = 0) -> Mapping[str, np.ndarray]:
    """Where the samples of mixtures lie that are in no mode, along training.

    Args:
        results: of points.
        seed: by its place.

    Returns:
        Counts [M] by place: "between neighbours", where all but one coordinate are a mode's and
        that one lies between two positions; "between more", where several do; "outside", where one
        lies beyond the outermost position.

    Raises:
        ValueError: for signals that are no points.
    """
    shown = points_of(results)
    x = results.records[seed].arrays["samples"] @ shown.rotation.numpy()
    positions = shown.positions.numpy()
    unread = results.tokens(seed).numpy() < 0
    beyond = (unread & ((x < positions.min()) | (x > positions.max()))).any(-1)
    lost = unread.sum(-1)
    return {
        "between neighbours": ((lost == 1) & ~beyond).sum(1),
        "between more": ((lost > 1) & ~beyond).sum(1),
        "outside": beyond.sum(1),
    }
