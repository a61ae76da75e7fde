"""The plots of training in Section 5: gradient flows beside the exact levels, over time or not."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from localbias.figures.style import BLUE, DARK, GUIDE, SKY, VERMILION, shades
from localbias.figures.theory import LEVELS
from localbias.theory.trace import Trace, stairs

LOSS, TIME = "loss E(ε⁽¹⁾ − s)²", "time (rate × steps)"


def training(columns: Mapping[str, tuple[Trace, Trace]]) -> Figure:
    """Flows over time: loss beside the exact levels, weights on and off the axis, distance to M.

    Vertical lines stand at the times of `stairs`.

    Args:
        columns: title -> (the flow, how it goes on from a state brought onto M).
    """
    figure, axes = plt.subplots(
        3, len(columns), figsize=(9.4, 7.2), sharex=True, sharey="row", squeeze=False
    )
    for column, (title, (trace, on_m)) in zip(axes.T, columns.items()):
        _loss(column[0], trace, "network", color=DARK)
        _loss(column[0], on_m, "brought onto M", color=SKY, linewidth=3, alpha=0.7, zorder=1.9)
        time, on, off = trace.time[1:], trace.axis[1:].sum(1), trace.rest[1:].sum(1)
        column[1].plot(time, on, color=BLUE, label="Σ |a w⁽¹⁾|")
        column[1].plot(time, off, color=VERMILION, label="Σ |a| ‖w − w⁽¹⁾e₁‖")
        column[2].plot(time, trace.distance[1:], color=DARK)
        column[0].set(title=title, xscale="log", ylim=(0, 1.03))
        for axis in column[1:]:
            axis.set_yscale("log")
        column[2].set_xlabel(TIME)
        for axis in column:
            for reached in filter(np.isfinite, stairs(trace)):
                axis.axvline(reached, **GUIDE)
    labels = LOSS, "weight on and off the axis", "distance of the weights to M"
    for axis, label in zip(axes[:, 0], labels):
        axis.set_ylabel(label)
    axes[1, 0].legend(loc="lower right", fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


def scales(traces: Mapping[str, Sequence[Trace]]) -> Figure:
    """The losses of flows that differ in one thing.

    Args:
        traces: what it is -> flows, one a seed.
    """
    figure, axis = plt.subplots(figsize=(8.6, 3.2))
    colours = shades(len(traces))
    for (label, seeds), colour in zip(traces.items(), colours):
        for k, trace in enumerate(seeds):
            # The legend leaves out labels that begin with "_": one line a label stands in it.
            _loss(axis, trace, "_" * (k > 0) + label, color=colour, linewidth=1.3)
    axis.set(xscale="log", xlabel=TIME, ylabel=LOSS, ylim=(0.3, 1.03), xlim=(1, None))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    return figure


def _loss(axis: Axes, trace: Trace, label: str, **look: Any) -> None:
    """The loss of a flow, with the exact levels where they are not yet drawn.

    Args:
        axis: to draw on.
        trace: the flow.
        label: of the line.
        look: of the line, as matplotlib takes it.
    """
    if not axis.lines:
        for name, (level_label, colour, dash) in LEVELS.items():
            level = float(getattr(trace.levels, name))
            axis.axhline(level, color=colour, linestyle=dash, linewidth=1.5, label=level_label)
    later = trace.time > 0
    axis.plot(trace.time[later], trace.loss[later], label=label, **look)


def phases(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    line: np.ndarray,
    known: Mapping[str, np.ndarray],
) -> Figure:
    """The network over its own coordinate at a few moments.

    Args:
        panels: title -> (x^(1), s, the optimum y) at points [n] each.
        line: values of x^(1) [k].
        known: "linear" and "univariate" -> the best such function on the line [k].
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 3.3), sharey=True, squeeze=False)
    for axis, (title, (x, s, y)) in zip(axes[0], panels.items()):
        axis.plot(x, y, ".", color="#c9c9c9", markersize=2, label="optimum, E[ε⁽¹⁾ | x]")
        axis.plot(x, s, ".", color=DARK, markersize=2.5, label="network, s(x)")
        for name, values in known.items():
            label, colour, dash = LEVELS[name]
            axis.plot(line, values, color=colour, linestyle=dash, label=label)
        axis.set(title=title, xlabel="x⁽¹⁾", xlim=(line[0], line[-1]), ylim=(-3.2, 3.2))
    axes[0, 0].set_ylabel("noise ε⁽¹⁾")
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, markerscale=4)
    return figure


def escape(times: Mapping[int, Sequence[float]], ends: Mapping[int, float]) -> Figure:
    """The time at which flows leave M, against the number of signs.

    Args:
        times: d -> a time for each seed, infinite where the flow did not leave M.
        ends: d -> until when such a flow was followed.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.2))
    for d, of_seeds in times.items():
        left = [time for time in of_seeds if np.isfinite(time)]
        axis.plot([d] * len(left), left, "o", color=BLUE, markersize=6, alpha=0.7)
        if len(left) < len(of_seeds):
            axis.plot(d, ends[d], "^", color=VERMILION, markersize=8)
            axis.annotate(
                f"{len(of_seeds) - len(left)} not by then",
                (d, ends[d]),
                xytext=(-6, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=9,
            )
    axis.set(yscale="log", xlabel="signs in a string, d", xticks=list(times))
    axis.set_ylabel("time until a tenth of the\nlast drop is done")
    return figure
