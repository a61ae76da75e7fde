"""The plots of chapter 5: mixtures, their scores, and what tells bad samples from good ones."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from localbias.figures.style import (
    BLUE,
    CHANCE_DASH,
    CYCLE,
    DARK,
    GREEN,
    GREY,
    GUIDE,
    VERMILION,
    Numbers,
    legend_below,
    mean_and_range,
    percent,
    step_axis,
)
from localbias.statistics import Auc, mean_interval, wilson

SYMBOLS = tuple("os^Dvp*")
# Of the exact score, and of networks: early and late.
LOOKS: tuple[dict[str, Any], ...] = (
    dict(color=DARK, linewidth=2.4),
    dict(color=VERMILION),
    dict(color=BLUE),
)


def denoisers(
    panels: Mapping[str, tuple[np.ndarray, Mapping[str, np.ndarray]]], positions: Sequence[float]
) -> Figure:
    """x̂0 over the noised point, exact and learned: a column a noise level.

    Args:
        panels: title -> x_t/√ᾱ [n] and, by name, x̂0 [n]; the first is drawn as the exact one.
        positions: of the modes, as thin lines.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(9.4, 3.2), sharey=True, squeeze=False, sharex=True
    )
    for axis, (title, (x, curves)) in zip(axes[0], panels.items()):
        for position in positions:
            axis.axhline(position, **GUIDE)
        for (name, x0), look in zip(curves.items(), LOOKS):
            axis.plot(x, x0, label=name, **look)
        axis.set(title=title, xlabel="noised point, x_t / √ᾱ", xlim=(x.min(), x.max()))
        margin = 0.35 * (max(positions) - min(positions)) / len(positions)
        axis.set_ylim(min(positions) - margin, max(positions) + margin)
    axes[0, 0].set_ylabel("predicted x̂0")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def modes_frame(
    x: np.ndarray,
    curves: Mapping[str, np.ndarray],
    points: Mapping[str, np.ndarray],
    positions: Sequence[float],
) -> Figure:
    """One frame of a slider: x̂0 over the noised point, and where samples are at that moment.

    Args:
        x: [n], x_t/√ᾱ.
        curves: as of `denoisers`.
        points: name -> x_t/√ᾱ of samples on their way, one histogram each.
        positions: of the modes.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 2.9))
    for position in positions:
        left.axhline(position, **GUIDE)
        right.axvline(position, **GUIDE)
    for (name, x0), look in zip(curves.items(), LOOKS):
        left.plot(x, x0, label=name, **look)
    # In much noise points are far from the modes: then their axis reaches further than the curves'.
    everything = np.concatenate([x, *points.values()])
    low, high = np.quantile(everything, [0.001, 0.999])
    bins = np.linspace(low, high, 80)
    for (name, values), look in zip(points.items(), LOOKS):
        right.hist(values, bins, histtype="step", color=look["color"], label=name)
    left.set(xlabel="noised point, x_t / √ᾱ", ylabel="predicted x̂0", xlim=(x.min(), x.max()))
    left.set_ylim(min(positions) - 0.5, max(positions) + 0.5)
    right.set(xlabel="where samples are, x_t / √ᾱ", ylabel="samples", xlim=(low, high))
    left.legend(fontsize=8, loc="upper left")
    return figure


def clouds(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray]], columns: int = 4, reach: float = 2.0
) -> Figure:
    """Generated points in the plane, those in no mode marked.

    Args:
        panels: title -> points [n, 2] and outcomes int [n], indices into `measure.OUTCOMES`.
        columns: panels in a row.
        reach: of the axes.
    """
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(9.4, 9.4 / columns * rows + 0.6 * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    kinds = {
        "in a mode": ((2, 3), BLUE, 2),
        "in a mode that the data lack": ((1,), GREEN, 6),
        "in no mode": ((0,), VERMILION, 5),
    }
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    shown = {
        name
        for name, (outcomes, *_) in kinds.items()
        for _, k in panels.values()
        if np.isin(k, outcomes).any()
    }
    for axis, (title, (points, outcomes)) in zip(axes.flat, panels.items()):
        for chosen, colour, size in kinds.values():
            of = np.isin(outcomes, chosen)
            axis.scatter(*points[of].T, s=size, color=colour, linewidths=0, alpha=0.8)
        axis.set(title=title, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axis.grid(visible=False)
    handles = [
        plt.Line2D([], [], color=colour, marker="o", linestyle="none", label=name)
        for name, (_, colour, _) in kinds.items()
        if name in shown
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def shares_along(
    panels: Mapping[str, Mapping[str, tuple[Numbers, np.ndarray]]],
    controls: Mapping[str, float] | None = None,
    least: float = 3e-4,
) -> Figure:
    """The share of samples in no mode along training, on logarithmic axes.

    Args:
        panels: title -> label -> steps [M] and counts int [S, M, 2], of bad and of all samples.
            Lines are means over the seeds, bands their range, or for a single seed the 95 %
            Wilson interval.
        controls: title -> the share of the exact score by the same sampler, dashed.
        least: share at which the axis ends; none at all is drawn there.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 3.5), sharey=True, squeeze=False)
    for axis, (title, curves) in zip(axes[0], panels.items()):
        for (label, (steps, counts)), colour, marker in zip(curves.items(), CYCLE, SYMBOLS):
            shares = counts[..., 0] / counts[..., 1]
            low, high = shares.min(0), shares.max(0)
            if len(shares) == 1:
                low, high = (bound[0] for bound in wilson(counts[..., 0], counts[..., 1]))
            axis.plot(steps, shares.mean(0).clip(least), color=colour, marker=marker, label=label)
            axis.fill_between(
                steps, low.clip(least), high.clip(least), color=colour, alpha=0.15, linewidth=0
            )
        if controls and title in controls:
            axis.axhline(
                max(controls[title], least),
                color=DARK,
                linestyle=CHANCE_DASH,
                linewidth=1.2,
                label="exact score",
            )
        step_axis(axis, steps)
        axis.set(title=title, yscale="log", ylim=(least / 1.3, 1.2))
        axis.yaxis.set_minor_formatter(NullFormatter())
        percent_of_log(axis)
        axis.legend(fontsize=8, loc="lower left")
    axes[0, 0].set_ylabel("share of samples in no mode")
    return figure


def percent_of_log(axis: Axes) -> None:
    """Label shares on a logarithmic axis as percents, with as many digits as they need."""
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")


def areas_by_window(
    panels: Mapping[str, tuple[Sequence[str], Mapping[str, np.ndarray]]],
) -> Figure:
    """How well the variance of x̂0 tells bad samples from good ones, by its window.

    Args:
        panels: title -> names of windows [W] and, by moment of training, areas under the ROC
            curve [S, W], NaN where there is none.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 3.7), sharey=True, squeeze=False)
    for axis, (title, (windows, curves)) in zip(axes[0], panels.items()):
        for (label, areas), colour, marker in zip(curves.items(), CYCLE, SYMBOLS):
            known = np.isfinite(areas).all(0)
            if known.any():
                place = np.flatnonzero(known)
                mean_and_range(
                    axis, place, areas[:, known], colour=colour, marker=marker, label=label
                )
        axis.axhline(0.5, color=DARK, linestyle=CHANCE_DASH, linewidth=1)
        axis.set_xticks(range(len(windows)), windows, rotation=90, fontsize=8.5)
        axis.set(title=title, ylim=(0, 1.03), xlabel="window of x̂0, by √ᾱ")
        axis.legend(fontsize=8, loc="lower right")
    axes[0, 0].set_ylabel("area under the ROC curve")
    return figure


def rates(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]],
    keep: float,
) -> Figure:
    """ROC and precision–recall curves of filters.

    Args:
        panels: title -> label -> what `statistics.roc` returns; a column of two each.
        keep: share of good samples that the other paper keeps, a thin line in the ROC.
    """
    figure, axes = plt.subplots(2, len(panels), figsize=(9.4, 5.6), sharey=True, squeeze=False)
    for (top, bottom), (title, curves) in zip(axes.T, panels.items()):
        for (label, (false, true, precision)), colour in zip(curves.items(), CYCLE):
            top.plot(np.append(0, false), np.append(0, true), color=colour, label=label)
            bottom.plot(true, precision, color=colour, label=label)
        top.plot([0, 1], [0, 1], color=DARK, linestyle=CHANCE_DASH, linewidth=1)
        top.axvline(1 - keep, color=GREY, linewidth=0.8)
        top.set(title=title, xlabel="share of good samples removed", xlim=(-0.02, 1.02))
        bottom.set(xlabel="share of bad samples removed", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        for axis in (top, bottom):
            percent(axis.xaxis)
            percent(axis.yaxis)
        top.legend(fontsize=8, loc="lower right")
    axes[0, 0].set_ylabel("share of bad samples\nremoved")
    axes[1, 0].set_ylabel("bad among those removed")
    return figure


def probes(rows: Mapping[str, Mapping[str, Sequence[Auc | None]]]) -> Figure:
    """How well each probe tells two groups apart, a row a question.

    Args:
        rows: question -> probe -> areas of the seeds. Points are means; bars are the range of the
            seeds, or for a single seed its 95 % interval.
    """
    names = list(dict.fromkeys(name for by in rows.values() for name in by))
    figure, axis = plt.subplots(figsize=(9.2, 0.62 * len(rows) + 1.6))
    for k, name in enumerate(names):
        colour, marker = CYCLE[k % len(CYCLE)], SYMBOLS[k % len(SYMBOLS)]
        for row, by in enumerate(rows.values()):
            found = [area for area in by.get(name, ()) if area]
            if not found:
                continue
            values = [area.value for area in found]
            low, high = min(values), max(values)
            if len(found) == 1:
                low, high = found[0].low, found[0].high
            y = row + 0.8 / len(names) * (k - (len(names) - 1) / 2)
            axis.plot([low, high], [y, y], color=colour, linewidth=2.4, alpha=0.5)
            axis.plot(np.mean(values), y, marker, color=colour, label=name)
    axis.axvline(0.5, color=DARK, linestyle=CHANCE_DASH, linewidth=1)
    axis.set_yticks(range(len(rows)), rows)
    axis.invert_yaxis()
    axis.set(xlim=(-0.02, 1.02), xlabel="area under the ROC curve (½: tells nothing)")
    legend_below(figure, [axis], ncols=min(3, len(names)))
    return figure


def chains(panels: Mapping[str, Mapping[str, np.ndarray]], shares: Collection[str]) -> Figure:
    """What becomes of generations, by treatment.

    Args:
        panels: title of the quantity -> treatment -> values [S, 1 + G] of the chains. Lines are
            means, bands 95 % intervals of the mean over the chains.
        shares: titles of quantities that are shown in percent.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 3.4), squeeze=False)
    for axis, (title, curves) in zip(axes[0], panels.items()):
        for (name, values), colour, marker in zip(curves.items(), CYCLE, SYMBOLS):
            generations = np.arange(values.shape[1])
            found = np.array([mean_interval(column) for column in values.T])
            axis.plot(generations, found[:, 0], color=colour, marker=marker, label=name)
            if len(values) > 1:
                axis.fill_between(
                    generations, found[:, 1], found[:, 2], color=colour, alpha=0.15, linewidth=0
                )
        axis.set(title=title, xlabel="generation (0: the data)", xticks=generations, ylim=(0, None))
        if title in shares:
            percent(axis.yaxis)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def mosaics(panels: Mapping[str, np.ndarray], rows: int, columns: int = 10) -> Figure:
    """Small pictures, side by side: a panel each.

    Args:
        panels: title -> uint8 [n, 1, side, side].
        rows: of panels.
        columns: of pictures in a panel.
    """
    across = -(-len(panels) // rows)
    figure, axes = plt.subplots(
        rows, across, figsize=(9.4, 9.4 / across * rows + 0.3 * rows), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, pictures) in zip(axes.flat, panels.items()):
        down = -(-len(pictures) // columns)
        sides = pictures.shape[-2:]
        whole = np.zeros((down * columns, *sides), np.uint8)
        whole[: len(pictures)] = pictures[:, 0]
        lines = whole.reshape(down, columns, *sides).swapaxes(1, 2)
        axis.imshow(lines.reshape(down * sides[0], -1), cmap="gray", vmin=0, vmax=255)
        axis.set_title(title)
    return figure
