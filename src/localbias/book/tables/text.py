"""The tables of chapter 4: readers, ends of training, bits, escapes, letter models, distances."""

from collections.abc import Mapping, Sequence

import numpy as np
from IPython.display import Markdown
from torch import Tensor

from localbias.book.tables.markdown import interval, table
from localbias.exact import OverLevels
from localbias.experiments import Results
from localbias.measure import OUTCOMES
from localbias.reading import words
from localbias.statistics import share_over_seeds, wilson

NO_FORCE_NEEDED = "(a pair: there is a force from the start)"


def rule_bands(panels: Mapping[str, OverLevels], after: str = "") -> Markdown:
    """At which noise levels it matters to know the rule, and where most.

    Args:
        panels: title -> what `exact.over_levels` returns.
        after: a sentence below.
    """
    return table(
        (
            {
                "rendering": title,
                "√ᾱ at which the rule matters": f"{panel.band[0]:.2f} to {panel.band[1]:.2f}",
                "most at": f"{panel.levels[panel.gap.argmax()]:g}",
            }
            for title, panel in panels.items()
        ),
        after=after,
    )


def text_accuracy(
    accuracies: Mapping[str, Mapping[str, Sequence[float]]], count: int, image: Sequence[int]
) -> Markdown:
    """How Tesseract reads pictures of words under noise.

    Args:
        accuracies: what is shown -> what `reading.text_accuracy` returns.
        count: pictures of each.
        image: their (height, width) in pixels.
    """
    rows = [
        {
            "what is shown": title,
            "noise": f"{sigma:g}",
            "right": _share(accuracy["right"][k], count),
            "refused": f"{accuracy['refused'][k]:.1%}",
            "wrong": f"{accuracy['wrong'][k]:.1%}",
        }
        for title, accuracy in accuracies.items()
        for k, sigma in enumerate(accuracy["noise"])
    ]
    height, width = image
    return table(
        rows,
        f"Proportional words of {height} × {width} pixels, read by Tesseract; {count} each, "
        "with 95 % intervals:",
    )


def ends(columns: Mapping[str, Results], level: float) -> Markdown:
    """What comes out at the end of training, beside chance, and which exact denoiser is nearest.

    Args:
        columns: title -> results, a row each.
        level: √ᾱ of the distances.
    """
    rows = []
    for title, results in columns.items():
        known = results.experiment.n_train / len(results.setup.grammar.support)
        rows.append(
            {
                "": title,
                "hallucination": _end(results, "hallucination"),
                "its chance": f"{results.chance[OUTCOMES.index('hallucination')]:.0%}",
                "in the training set": _end(results, "in dataset"),
                "valid and never seen": _end(results, "extrapolation"),
                "of the valid words never seen": f"{1 - known:.0%}",
                "x̂0 nearest to": results.nearest(level),
            }
        )
    return table(
        rows,
        "At the end of training; means over the seeds, with the wider of their range and the 95 % "
        "interval of all samples:",
    )


def information(bits: Mapping[str, tuple[Tensor, Tensor]]) -> Markdown:
    """How many bits other symbols tell about one, for one, two and all of them.

    Args:
        bits: rule -> what `grammar.information_by_number` returns.
    """
    rows = [
        {
            "rule": title,
            "best single other symbol": f"{best[1]:.3f}",
            "any one, on average": f"{mean[1]:.3f}",
            "best two": f"{best[2]:.3f}",
            "any two": f"{mean[2]:.3f}",
            "all others": f"{best[-1]:.3f}",
        }
        for title, (mean, best) in bits.items()
    ]
    return table(rows, after="Bits about the symbol of the figure.")


def escapes_by_order(
    steps: Mapping[str, Mapping[int, Sequence[float]]], flows: Mapping[int, Sequence[float]]
) -> Markdown:
    """Steps until escape by the order of the check, beside the times of chapter 3's flow.

    Args:
        steps: rendering -> order -> step of each seed, infinite where it does not escape.
        flows: order -> when each flow leaves the best univariate function.
    """
    rows = [
        {"check of": order}
        | {title: _steps(by.get(order)) for title, by in steps.items()}
        | {"flow, chapter 3": _steps(flows[order]) if order in flows else NO_FORCE_NEEDED}
        for order in next(iter(steps.values()))
    ]
    return table(
        rows,
        "Steps until escape, one number a seed (–: not until the end), beside the time at which "
        "chapter 3's two-layer network leaves the best univariate function for a parity of as many "
        "signs:",
    )


def escapes_by_correlation(steps: Mapping[str, Mapping[float, Sequence[float]]]) -> Markdown:
    """Steps until escape by the correlation of a pair: rendering -> correlation -> of each seed."""
    return table(
        {"correlation ρ": f"{rho:g}"} | {title: _steps(by[rho]) for title, by in steps.items()}
        for rho in next(iter(steps.values()))
    )


def letter_models(texts: Mapping[str, Sequence[str]], entries: Sequence[str]) -> Markdown:
    """What kinds of text letter models draw.

    Args:
        texts: model -> texts, as many of each.
        entries: the words of the list.
    """
    names = dict(zip(words.KINDS[1:], ("misspelt", "on the list", "another English word")))
    rows = []
    for title, drawn in texts.items():
        kinds = words.classify(drawn, entries)
        shares = {name: f"{kinds.count(kind) / len(kinds):.1%}" for kind, name in names.items()}
        rows.append({"model": title} | shares)
    count = len(next(iter(texts.values())))
    return table(
        rows,
        f"What letter models draw, {count:,} samples each; the network's curves above are to be "
        "held against these:",
    )


def distances(found: Mapping[tuple[float, int], Mapping[str, float]]) -> Markdown:
    """How far a network's x̂0 is from exact denoisers, the nearest in bold.

    Args:
        found: what `texts.distances` returns; there may be nothing.
    """
    if not found:
        return Markdown("(This seed keeps no weights.)")
    rows = [
        {"√ᾱ": f"{level:g}", "step": f"{step:,}"}
        | {
            name: f"**{value:.4f}**" if value == min(by_name.values()) else f"{value:.4f}"
            for name, value in by_name.items()
        }
        for (level, step), by_name in found.items()
    ]
    return table(
        rows,
        "Mean squared distance of the network's x̂0 (the first seed) from that of each exact "
        "denoiser, the nearest in bold:",
    )


def _share(value: float, count: int) -> str:
    low, high = wilson(round(value * count), count)
    return interval(value, float(low), float(high), ".1%")


def _end(results: Results, outcome: str) -> str:
    counts = results.counts[:, -1]
    return interval(*share_over_seeds(counts[:, OUTCOMES.index(outcome)], counts.sum(1)), ".0%")


def _steps(steps: Sequence[float] | None) -> str:
    """One number a seed; a dash where it is infinite."""
    if steps is None:
        return "not run"
    return ", ".join("–" if np.isinf(step) else f"{step:,.0f}" for step in steps)
