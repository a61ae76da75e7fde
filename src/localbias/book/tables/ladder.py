"""The tables of chapter 6: ways to hallucinate, clocks, treatments, depth, linear denoisers."""

from collections.abc import Iterable, Mapping

import numpy as np
from IPython.display import Markdown

from localbias.book.tables.markdown import ratio, spread, table
from localbias.experiments import Results, ladder

SHARES = ("breaks the rule", "in the training set", "never seen")


def ways(cases: Mapping[str, tuple[Results, int]]) -> Markdown:
    """What readable samples are at one step of a training, and by the laws of orders 1 to 3.

    Args:
        cases: title -> records of the same training strings, and a place among their measured
            steps. The laws are those of the first.
    """
    rows: list[dict[str, str]] = []
    laws: dict[int, np.ndarray] = {}
    for title, (results, row) in cases.items():
        steps, shares, by_order = ladder.splits(results)
        laws = laws or by_order
        cells = _shares(shares[:, row]) | _slopes(results.slopes()[0][:, row])
        rows.append({"": f"{title}, step {steps[row]:,}"} | cells)
    empty = dict.fromkeys(_slopes(np.zeros((1, 8))), "")
    rows += [{"": f"law of order {k}"} | _shares(law) | empty for k, law in laws.items()]
    return table(rows)


def _shares(shares: np.ndarray) -> dict[str, str]:
    return {name: spread(column, ".0%") for name, column in zip(SHARES, shares.T)}


def _slopes(slopes: np.ndarray) -> dict[str, str]:
    """Means over groups of orders, of slopes [S, L]."""
    groups = {"orders 1–3": slice(0, 3), "order 4": slice(3, 4), "above": slice(4, None)}
    return {
        f"slope, {name}": spread(np.nanmean(slopes[:, some], 1), ".2f")
        for name, some in groups.items()
    }


def clocks(experiments: Mapping[str, Results], level: float) -> Markdown:
    """The steps from which on each thing holds to the end, the earliest and latest of the seeds.

    Args:
        experiments: title -> records of strings of two symbols.
        level: √ᾱ, at which the ratio is looked at.
    """
    rows = []
    for title, results in experiments.items():
        found = ladder.clocks(results, level)
        rows.append(
            {
                "trained on": title,
                "orders 1–3 known": _steps(found.low),
                "mean of ratios half way": _steps(found.mean),
                "order 4 known": _steps(found.four),
                "ratio of means half way": _steps(found.pooled),
                "hallucination halves": _steps(found.halved),
            }
        )
    return table(rows)


def _steps(steps: np.ndarray) -> str:
    """ "700", "6,000–8,000", "12,000 or never", "never"."""
    seen = steps[np.isfinite(steps)]
    if not len(seen):
        return "never"
    low, high = f"{seen.min():,.0f}", f"{seen.max():,.0f}"
    within = low if low == high else f"{low}–{high}"
    return within if len(seen) == len(steps) else f"{within} or never"


def treated(
    rules: Mapping[str, Mapping[str, Results]], level: float, early: int = 1000
) -> Markdown:
    """What was tried against the bias: the ratio, what samples are, and how long it took.

    Args:
        rules: rule -> treatment -> records.
        level: √ᾱ, of the ratio.
        early: a step; the measured one next to it is looked at.
    """
    rows = []
    for rule, by_treatment in rules.items():
        for name, results in by_treatment.items():
            v = results.place(level)
            at = int(np.abs(results.steps - early).argmin())
            ratios = results.ratios()[:, 1:, v]
            counts = results.counts[:, -1, 1:]
            shares = counts / np.maximum(counts.sum(-1, keepdims=True), 1)
            broken, unseen = shares[:, 0], shares[:, 2]
            rule_ratio = results.reference_ratios()[:, results.references.index("rule"), v]
            rows.append(
                {
                    "rule": rule,
                    "treatment": name,
                    f"LDR at step {results.steps[at]:,}": spread(ratios[:, at], ".2f"),
                    "at the end": spread(ratios[:, -1], ".2f"),
                    "exact rule's": ratio(rule_ratio.mean()),
                    "breaks the rule at the end": spread(broken, ".0%"),
                    "valid and never seen": spread(unseen, ".0%"),
                    "valid among unseen": spread(unseen / (unseen + broken), ".0%"),
                    "hallucination halves": _steps(ladder.clocks(results, level).halved),
                }
            )
    return table(rows)


def depths(experiments: Iterable[Results], level: float, at: int = 1000) -> Markdown:
    """Dyck words by depth: how local the rule is, and the network early and at the end.

    Args:
        experiments: records of `grammar.Dyck` with a deepest nesting.
        level: √ᾱ, of the ratio.
        at: an early step; the measured one next to it is looked at.
    """
    rows = []
    for results in experiments:
        v, place = results.place(level), int(np.abs(results.steps - at).argmin())
        references = results.reference_ratios()[..., v].mean(0)
        exact = dict(zip(results.references, references))
        ratios = results.ratios()[:, 1:, v]
        _, curves = ladder.beside_linear(results)
        rows.append(
            {
                "deepest nesting": results.experiment.parts["grammar"]["deepest"],
                "words, trained on": f"{len(results.setup.grammar.support)}, "
                f"{results.experiment.n_train}",
                "exact marginals": ratio(exact["marginals"]),
                "best linear": ratio(curves["linear"][v]),
                "exact rule": ratio(exact["rule"]),
                "exact training set": ratio(exact["train"]),
                f"network, step {results.steps[place]:,}": spread(ratios[:, place], ".2f"),
                "network, end": spread(ratios[:, -1], ".2f"),
            }
        )
    return table(rows, f"LDR of x̂0 at √ᾱ = {level:g}, of the fourth parenthesis.")


def linear(experiments: Iterable[Results]) -> Markdown:
    """The ratio of x̂0 where the exact rule is furthest below the best linear denoiser.

    Args:
        experiments: records that were probed.
    """
    rows = []
    for results in experiments:
        levels, curves = ladder.beside_linear(results)
        v = int(np.nanargmax(curves["linear"] - curves["rule"]))
        cells = {name: _cell(ratios, v) for name, ratios in curves.items()}
        away = np.abs(curves["network, at the end"] - curves["linear"]).max(1)
        furthest = {"network at the end, furthest from linear at any level": spread(away, ".2f")}
        rows.append({"experiment": f"`{results.name}`", "√ᾱ": f"{levels[v]:g}"} | cells | furthest)
    return table(rows)


def _cell(ratios: np.ndarray, v: int) -> str:
    return ratio(ratios[v]) if ratios.ndim == 1 else spread(ratios[:, v], ".2f")
