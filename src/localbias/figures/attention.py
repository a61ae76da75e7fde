"""The plots of a layer of attention: its flow from zero, and how the rule pulls at it."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from localbias.figures.style import CHANCE_DASH, DARK, GREEN, GREY, VERMILION
from localbias.figures.theory import LENGTHS
from localbias.theory.attention import Path

COLOURS = LENGTHS | {4: GREEN, 5: VERMILION, 6: DARK}
TIME = "time of the flow"


def healing(
    paths: Mapping[int, Path], first: Mapping[int, float], gaps: Mapping[int, float]
) -> Figure:
    """Flows from zero: 1 − LDR, and the loss beside that of the univariate optimum.

    Args:
        paths: d -> the flow.
        first: d -> 1 − LDR just after the start, by the formula.
        gaps: d -> the univariate optimum's loss above the optimum's.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.6))
    for d, path in paths.items():
        colour = COLOURS[d]
        left.plot(path.time, path.pooled, color=colour, label=f"d = {d}")
        left.plot(path.time[0], first[d], "D", color=colour, markersize=6, clip_on=False)
        right.plot(path.time, path.excess / gaps[d], color=colour, label=f"d = {d}")
    left.plot([], [], "D", color=GREY, label="at the start, by the formula")
    left.set(yscale="log", ylim=(1e-9, 0.1), ylabel="1 − LDR (ratio of means)")
    right.axhline(1, color=GREY, linestyle=CHANCE_DASH, linewidth=1.2, zorder=0)
    right.text(2e-3, 1.01, "best univariate", color=GREY, fontsize=9)
    right.set(
        ylim=(0.8, 1.3), ylabel="loss above the optimum's,\nin units of the best univariate's"
    )
    for axes in (left, right):
        axes.set(xscale="log", xlabel=TIME)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def pulls(
    keys: np.ndarray,
    found: Mapping[int, np.ndarray],
    leading: Mapping[int, np.ndarray],
    gains: Mapping[int, Sequence[float]],
) -> Figure:
    """How the rule pulls at attention by content from the univariate optimum, and what it gains.

    Args:
        keys: β [K].
        found: d -> the pull [K].
        leading: d -> its first order in β [K].
        gains: d -> by how much the best layer with these logits is below the univariate loss [K].
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.6), sharex=True)
    for d in found:
        colour = COLOURS[d]
        left.plot(keys, np.abs(found[d]), "o", color=colour)
        left.plot(keys, np.abs(leading[d]), color=colour, label=f"d = {d}: β{_raised(d - 2)}")
        right.plot(keys, gains[d], "o-", color=colour, label=f"d = {d}: β{_raised(2 * d - 4)}")
    left.plot([], [], "o", color=GREY, label="exact (lines: first order)")
    left.set(ylabel="|pull| of the rule on attention")
    right.set(ylabel="loss that one head gains")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="β, attention by content")
        axes.legend(fontsize=9)
    return figure


def _raised(power: int) -> str:
    """A power as raised digits; none for 1."""
    return "" if power == 1 else str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
