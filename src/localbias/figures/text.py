"""The plots of chapter 4: renderings, bits between symbols, escapes, kinds of words."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from localbias.figures.style import (
    COLOURS,
    CYCLE,
    DARK,
    MARKERS,
    mean_and_range,
    percent,
    shades,
    step_axis,
    without_ticks,
)
from localbias.statistics import share_over_seeds


def gallery(rows: Mapping[str, Sequence[np.ndarray]], columns: int) -> Figure:
    """Images in rows of at most `columns`, a group a title.

    Args:
        rows: title -> images [h, w], from −1 to 1.
        columns: images in a row.
    """
    lines = [
        (title if not i else "", images[i : i + columns])
        for title, images in rows.items()
        for i in range(0, len(images), columns)
    ]
    shape = next(iter(rows.values()))[0].shape
    wide = 9.2 / columns
    figure, axes = plt.subplots(
        len(lines),
        columns,
        figsize=(9.4, len(lines) * (wide * shape[0] / shape[1] + 0.24) + 0.2),
        squeeze=False,
    )
    for row, (title, images) in zip(axes, lines):
        for cell in row:
            cell.axis("off")
        for cell, image in zip(row, images):
            cell.imshow(image, vmin=-1, vmax=1)
        row[0].set_title(title, fontsize=9.5)
    return figure


def captioned(images: Sequence[np.ndarray], captions: Sequence[str], columns: int) -> Figure:
    """Images, each with a line of text below.

    Args:
        images: [h, w] each, from −1 to 1; at least one.
        captions: of each.
        columns: images in a row.
    """
    height, width = images[0].shape
    rows, wide = -(-len(images) // columns), 9.2 / columns
    figure, axes = plt.subplots(
        rows, columns, figsize=(9.4, rows * (wide * height / width + 0.42)), squeeze=False
    )
    for cell in axes.flat:
        without_ticks(cell)
        cell.spines[:].set_visible(False)
    for cell, image, caption in zip(axes.flat, images, captions):
        cell.imshow(image, vmin=-1, vmax=1)
        cell.set_xlabel(caption, fontsize=8.5)
    return figure


def information(curves: Mapping[str, np.ndarray]) -> Figure:
    """How much m other symbols tell about one, on average over the choices of m.

    Args:
        curves: title -> bits [L], for m = 0 … L − 1.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.2))
    for (title, bits), colour, marker in zip(curves.items(), CYCLE, "os^Dvp"):
        axis.plot(
            np.arange(len(bits)) / (len(bits) - 1), bits, marker=marker, color=colour, label=title
        )
    axis.set(
        xlabel="share of the other symbols that is known",
        ylabel="bits about one symbol",
        xlim=(-0.02, 1.02),
    )
    axis.legend()
    return figure


def escapes(
    dials: Mapping[str, Mapping[str, Mapping[float, Sequence[float]]]], last: Mapping[str, int]
) -> Figure:
    """Steps until a training escapes from hallucination, against a dial.

    Args:
        dials: dial -> rendering -> setting -> step of each seed, infinite without escape.
        last: rendering -> the last step, where a training without escape stands as a triangle.
    """
    figure, axes = plt.subplots(1, len(dials), figsize=(9.4, 3.4), sharey=True, squeeze=False)
    for axis, (dial, renderings) in zip(axes[0], dials.items()):
        settings = sorted({setting for by in renderings.values() for setting in by})
        for shift, (rendering, by), colour in zip(
            np.linspace(-0.12, 0.12, len(renderings)), renderings.items(), CYCLE
        ):
            for place, setting in enumerate(settings):
                steps = np.asarray(by.get(setting, []), float)
                there = np.isfinite(steps)
                x = place + shift + np.linspace(-0.07, 0.07, len(steps))
                axis.plot(x[there], steps[there], "o", color=colour, markersize=4.5)
                axis.plot(
                    x[~there],
                    np.full((~there).sum(), last[rendering]),
                    "^",
                    color=colour,
                    markerfacecolor="none",
                )
            axis.plot([], [], "o", color=colour, label=rendering)
        axis.set_xticks(range(len(settings)), [f"{setting:g}" for setting in settings])
        axis.set(xlabel=dial, yscale="log")
    axes[0, 0].set_ylabel("training steps until escape")
    handles, labels = max(
        (axis.get_legend_handles_labels() for axis in axes[0]), key=lambda found: len(found[1])
    )
    handles.append(
        plt.Line2D([], [], color=DARK, marker="^", markerfacecolor="none", linestyle="none")
    )
    figure.legend(handles, [*labels, "not until the end"], loc="outside lower center", ncols=4)
    return figure


def kinds(panels: Mapping[str, tuple[Sequence[int], np.ndarray]], names: Sequence[str]) -> Figure:
    """Shares of kinds along training, with the intervals of `statistics.share_over_seeds`.

    Args:
        panels: title -> (steps [M], counts int [S, M, kinds]).
        names: of the kinds.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 3.1), sharey=True, squeeze=False)
    for axis, (title, (steps, counts)) in zip(axes[0], panels.items()):
        n = counts.sum(-1).T
        for k, (name, colour, marker) in enumerate(zip(names, COLOURS.values(), MARKERS.values())):
            mean, low, high = np.transpose(
                [share_over_seeds(count, all_) for count, all_ in zip(counts[..., k].T, n)]
            )
            axis.plot(steps, mean, color=colour, marker=marker, label=name)
            axis.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0)
        axis.set(title=title, ylim=(-0.02, 1.02))
        step_axis(axis, steps)
        percent(axis.yaxis)
    axes[0, 0].set_ylabel("share of samples")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def likeness(
    panels: Mapping[str, Mapping[str, tuple[Sequence[int], Sequence[float]]]], label: str
) -> Figure:
    """Quantities of what is generated along training, beside references.

    Args:
        panels: title -> name -> (steps, values); without steps, the one value is a level.
        label: what the quantity is.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 3.2), sharey=True, squeeze=False)
    for axis, (title, series) in zip(axes[0], panels.items()):
        for (name, (x, y)), colour, marker in zip(series.items(), CYCLE, "os^Dvp"):
            if not len(x):
                axis.axhline(y[0], color=colour, linestyle="--", linewidth=1.4, label=name)
            else:
                axis.plot(x, y, color=colour, marker=marker, label=name)
                step_axis(axis, x)
        axis.set_title(title)
    axes[0, 0].set_ylabel(label)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def setting_ratios(
    panels: Mapping[str, Mapping[str, tuple[Sequence[int], np.ndarray, float]]],
) -> Figure:
    """The local dependency ratio of x0 along training at one noise level, a colour a setting.

    Args:
        panels: title -> setting -> (steps [M], ratios [S, M], the exact rule's ratio). Lines are
            means over the seeds, bands their range; the exact rule is dotted.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 3.6), sharey=True, squeeze=False)
    for axis, (title, settings) in zip(axes[0], panels.items()):
        for k, (setting, (steps, ratios, rule)) in enumerate(settings.items()):
            colour = shades(len(settings))[k]
            mean_and_range(axis, steps, ratios, colour=colour, label=setting)
            axis.axhline(rule, color=colour, linestyle=":", linewidth=1.2)
        axis.set_ylim(0, 1.04)
        step_axis(axis, steps)
        axis.set_title(title, fontsize=9)
        axis.legend(fontsize=8, handlelength=1.2)
    axes[0, 0].set_ylabel("local dependency ratio")
    return figure
