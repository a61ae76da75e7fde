"""The plots of locality: the ratio beside exact references, along training and over levels."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from torch import Tensor

from localbias.exact import OverLevels
from localbias.experiments import AlongTraining, ByLevel, ByTarget, Heat
from localbias.figures.outcomes import outcome_curves
from localbias.figures.style import (
    BAND,
    COLOURS,
    CYCLE,
    DARK,
    GREEN,
    GUIDE,
    MARKERS,
    PHASES,
    PURPLE,
    REFERENCES,
    SKY,
    UNTRAINED,
    mean_and_range,
    outcome_legend,
    picture_of_heat,
    shades,
    step_axis,
    without_ticks,
)
from localbias.ldr import Products
from localbias.measure import OUTCOMES

RULE_DASH = REFERENCES["rule"][1]


def exact_panels(panels: Mapping[str, OverLevels], paper_levels: Sequence[float]) -> Figure:
    """The ratio of exact denoisers over noise levels, of two targets, and the loss the rule saves.

    Args:
        panels: title -> what `exact.over_levels` returns; a column each.
        paper_levels: thin vertical lines, by √ᾱ.
    """
    figure, axes = plt.subplots(
        3, len(panels), figsize=(9.4, 6.4), sharex=True, sharey="row", squeeze=False
    )
    for column, (title, panel) in zip(axes.T, panels.items()):
        for axis, target in zip(column, ("x0", "noise")):
            for name, ratios in panel.ratios[target].items():
                colour, dash = REFERENCES[name]
                axis.plot(panel.levels, ratios, color=colour, linestyle=dash, label=name)
            axis.set_ylim(0, 1.04)
        column[2].plot(panel.levels, panel.gap / panel.gap.max(), color=DARK)
        column[2].set(xlabel="noise level √ᾱ (1 is clean)", ylim=(-0.02, 1.04), xlim=(0, 1))
        for axis in column:
            axis.axvspan(*panel.band, **BAND)
            for level in paper_levels:
                axis.axvline(level, **GUIDE)
        column[0].set_title(title)
    for axis, label in zip(
        axes[:, 0],
        ("LDR of x̂0", "LDR of the noise", "loss that the rule saves\n(share of its peak)"),
    ):
        axis.set_ylabel(label)
    _legend(figure, axes[0, 0], band=True)
    return figure


def along_training(columns: Mapping[str, AlongTraining]) -> Figure:
    """Outcomes, the ratio at one noise level and the distance from each reference, along training.

    Args:
        columns: title -> what `Results.along` returns. Lines are means over the seeds, bands their
            range; the references and the untrained network at the same noised signals are
            horizontal.
    """
    figure, axes = plt.subplots(
        3, len(columns), figsize=(9.4, 7), sharex="col", sharey="row", squeeze=False
    )
    for (top, middle, bottom), (title, along) in zip(axes.T, columns.items()):
        outcome_curves(top, along.steps, along.counts, along.chance)
        top.set(title=title, xlabel="", ylabel="")
        mean_and_range(
            middle,
            along.steps,
            along.ratios[:, 1:],
            colour=DARK,
            marker="o",
            markersize=3.5,
            label="network",
        )
        middle.plot(
            along.steps,
            along.pooled[:, 1:].mean(0),
            color=PURPLE,
            linewidth=1.3,
            label="network, ratio of means",
        )
        middle.axhline(along.ratios[:, 0].mean(), **UNTRAINED, label="untrained")
        for name, ratios in along.references.items():
            colour, dash = REFERENCES[name]
            middle.axhline(ratios.mean(), color=colour, linestyle=dash, linewidth=1.5, label=name)
        middle.set(ylim=(0, 1.04))
        middle.text(0.02, 0.04, f"√ᾱ = {along.level:g}", transform=middle.transAxes, fontsize=9)
        for name, excess in along.excess.items():
            colour, dash = REFERENCES[name]
            mean_and_range(bottom, along.steps, excess[:, 1:], colour=colour, linestyle=dash)
        bottom.set(yscale="log", xlabel="training step")
    distance = "mean squared distance of x̂0\nfrom each reference's"
    for axis, label in zip(axes[:, 0], ("share of samples", "LDR of x̂0", distance)):
        axis.set_ylabel(label)
    outcome_legend(figure, "upper")
    _legend(figure, axes[1, 0])
    return figure


def three_targets(columns: Mapping[str, ByTarget]) -> Figure:
    """The ratio along training of x0, the noise and v, a column a title; dashed the exact rule's.

    Args:
        columns: title -> what `Results.by_target` returns.
    """
    figure, axes = plt.subplots(1, len(columns), figsize=(9.4, 2.9), sharey=True, squeeze=False)
    looks = {"x0": (DARK, "o"), "noise": (PURPLE, "s"), "v": (SKY, "^")}
    for axis, (title, panel) in zip(axes[0], columns.items()):
        for target, (colour, marker) in looks.items():
            values = panel.ratios[target][:, 1:]
            mean_and_range(
                axis,
                panel.steps,
                values,
                colour=colour,
                marker=marker,
                markersize=3.5,
                label=f"of {target}",
            )
            axis.axhline(panel.rule[target], color=colour, linestyle=RULE_DASH, linewidth=1)
        seeds = len(values)
        axis.set(
            title=f"{title} ({seeds} seed{'s' * (seeds > 1)})",
            xscale="log",
            ylim=(0, 1.04),
            xlabel="training step",
        )
        axis.title.set_fontsize(8.5)
        axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("LDR")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(plt.Line2D([], [], color=DARK, linestyle=RULE_DASH, linewidth=1))
    figure.legend(handles, [*labels, "exact rule"], loc="outside lower center", ncols=4)
    return figure


def over_levels(columns: Mapping[str, ByLevel], bands: Mapping[str, tuple[float, float]]) -> Figure:
    """The ratio over noise levels at a few steps of training, above the loss beyond the rule's.

    Args:
        columns: title -> what `Results.by_level` returns.
        bands: title -> the noise levels between which the rule matters.
    """
    figure, axes = plt.subplots(
        2, len(columns), figsize=(9.4, 5.2), sharex=True, sharey="row", squeeze=False
    )
    for (top, bottom), (title, panel) in zip(axes.T, columns.items()):
        for name, values in panel.references.items():
            colour, dash = REFERENCES[name]
            top.plot(panel.levels, values.mean(0), color=colour, linestyle=dash, label=name)
        top.plot(panel.levels, panel.untrained.mean(0), **UNTRAINED, label="untrained")
        names = ("network, early", "network, on the way", "network, at the end")
        for step, ratios, excess, colour, name in zip(
            panel.steps, panel.ratios.swapaxes(0, 1), panel.excess.swapaxes(0, 1), PHASES, names
        ):
            for axis, values in ((top, ratios), (bottom, excess)):
                mean_and_range(
                    axis,
                    panel.levels,
                    values,
                    colour=colour,
                    marker="o",
                    markersize=3.5,
                    label=name,
                )
            bottom.annotate(
                f"{step:,}",
                (panel.levels[0], excess[:, 0].mean()),
                color=colour,
                fontsize=7.5,
                xytext=(-3, 3),
                textcoords="offset points",
            )
        top.set(title=title, ylim=(0, 1.04))
        bottom.set(yscale="log", xlabel="noise level √ᾱ", xlim=(0, 1))
        for axis in (top, bottom):
            axis.axvspan(*bands[title], **BAND)
    axes[0, 0].set_ylabel("LDR of x̂0")
    axes[1, 0].set_ylabel("excess loss (of x̂0) over\nthe rule's optimum")
    _legend(figure, axes[0, 0], band=True)
    return figure


def estimates(exact: Products, tries: Mapping[int, Sequence[Products]]) -> Figure:
    """How estimates with random probes lie about the exact ratios.

    Args:
        exact: of B samples.
        tries: probes -> repetitions of the measurement.
    """
    figure, (one, mean) = plt.subplots(1, 2, figsize=(9.2, 2.9))
    for place, found in enumerate(tries.values()):
        low, high = found[0].interval()
        x = place + np.linspace(-0.36, 0.36, len(exact))
        one.vlines(
            x, low - exact.ratio, high - exact.ratio, color=CYCLE[0], alpha=0.4, linewidth=1.5
        )
        one.plot(x, found[0].ratio - exact.ratio, ".", color=CYCLE[0], markersize=4)
        shares = [100 * (f.ratio.mean() / exact.ratio.mean() - 1).item() for f in found]
        mean.plot(place + np.linspace(-0.25, 0.25, len(shares)), shares, ".", color=CYCLE[0])
    for axis in (one, mean):
        axis.axhline(0, color=DARK, linewidth=1)
        axis.set_xticks(range(len(tries)), tries)
        axis.set_xlabel("random probes")
    one.set(ylabel="estimate − exact LDR", ylim=(-0.5, 0.5))
    mean.set_ylabel("error of the mean, %")
    return figure


def by_outcome(rows: Mapping[str, Mapping[str, tuple[float, float, float, int]]]) -> Figure:
    """The ratio of generated samples by their outcome.

    Args:
        rows: title -> outcome -> (mean, low, high, number of samples).
    """
    figure, axis = plt.subplots(figsize=(9.2, 0.62 * len(rows) + 1.4))
    for y, groups in enumerate(rows.values()):
        for offset, name in zip(np.linspace(-0.27, 0.27, len(OUTCOMES)), OUTCOMES):
            if name not in groups:
                continue
            colour, (mean, low, high, n) = COLOURS[name], groups[name]
            axis.plot([low, high], [y + offset] * 2, color=colour, linewidth=2.5, alpha=0.5)
            axis.plot(mean, y + offset, MARKERS[name], color=colour)
            axis.annotate(
                f"n = {n}",
                (high, y + offset),
                xytext=(5, -3),
                textcoords="offset points",
                fontsize=7.5,
                color=DARK,
            )
    axis.set_yticks(range(len(rows)), rows)
    axis.invert_yaxis()
    axis.set(xlabel="LDR of x̂0 on the way to the sample")
    outcome_legend(figure)
    return figure


def matrices(
    panels: Mapping[str, np.ndarray | Tensor], label: str = "share of the dependency"
) -> Figure:
    """Which symbol (row) listens to which (column).

    Args:
        panels: title -> squared norms [L, L], shown as shares of their row; 1/L everywhere is no
            preference.
        label: of the colours.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(min(9.4, 2.35 * len(panels) + 0.6), 2.7), squeeze=False
    )
    for axis, (title, energies) in zip(axes[0], panels.items()):
        energies = np.asarray(energies, dtype=float)
        whole = energies.sum(1, keepdims=True)
        # NaN for a symbol that never changes.
        undefined = np.full_like(energies, np.nan)
        shares = np.divide(energies, whole, out=undefined, where=whole > 0)
        picture = axis.imshow(shares, vmin=0, vmax=1, cmap="cividis")
        ticks = range(len(shares))
        axis.set(
            xticks=ticks,
            yticks=ticks,
            xticklabels=[i + 1 for i in ticks],
            yticklabels=[i + 1 for i in ticks],
        )
        axis.set_title(title, fontsize=9.5)
        axis.grid(visible=False)
        axis.set_xlabel("input symbol")
        if len(shares) <= 4:
            for i, j in np.ndindex(shares.shape):
                axis.text(
                    j,
                    i,
                    f"{shares[i, j]:.2f}",
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color="white" if shares[i, j] < 0.6 else "black",
                )
    axes[0, 0].set_ylabel("output symbol")
    figure.colorbar(picture, ax=axes, label=label, shrink=0.8)
    return figure


def heat_frame(
    images: Mapping[str, np.ndarray], heats: Mapping[str, np.ndarray], region: np.ndarray
) -> Figure:
    """One frame of a slider: images, and where the framed region's output listens.

    Args:
        images: title -> [h, w] in [-1, 1].
        heats: title -> squared norms [h, w], shown as the root of their share of the largest.
        region: bool [h, w].
    """
    count, (height, width) = len(images) + len(heats), region.shape
    if width > 4 * height:  # lines of text, one below the other
        figure, axes = plt.subplots(count, 1, figsize=(7.2, count * (7.2 * height / width + 0.3)))
    else:
        figure, axes = plt.subplots(1, count, figsize=(7.2, 7.2 / count * height / width + 0.5))
    for axis, (title, image) in zip(axes, images.items()):
        axis.imshow(image, vmin=-1, vmax=1)
        axis.set_title(title, fontsize=9.5)
    for axis, (title, heat) in zip(axes[len(images) :], heats.items()):
        picture_of_heat(axis, heat)
        axis.set_title(title, fontsize=9.5)
    for axis in axes:
        axis.contour(region, levels=[0.5], colors=GREEN, linewidths=1.6)
        without_ticks(axis)
    return figure


def ratios_along(
    panels: Mapping[str, tuple[Sequence[int], Sequence[float], Mapping[str, np.ndarray]]],
    paper_levels: Sequence[float],
) -> Figure:
    """The ratio at the paper's noise levels along training, of several targets (Fig 5).

    Args:
        panels: title -> steps [M], levels [V] and, by target, ratios [S, 1 + M, V]; a column each,
            a row a target. Lines are means over the seeds, bands their range.
        paper_levels: by √ᾱ; those that a panel has are drawn.
    """
    targets = list(next(iter(panels.values()))[2])
    figure, axes = plt.subplots(
        len(targets),
        len(panels),
        figsize=(9.4, 2.5 * len(targets) + 0.5),
        sharex="col",
        sharey=True,
        squeeze=False,
    )
    colours = shades(len(paper_levels))
    for column, (title, (steps, levels, ratios)) in zip(axes.T, panels.items()):
        for axis, target in zip(column, targets):
            for level, colour in zip(paper_levels, colours):
                if level in levels:
                    along = ratios[target][:, 1:, list(levels).index(level)]
                    label = f"√ᾱ = {level:g}"
                    mean_and_range(axis, steps, along, colour=colour, marker="o", label=label)
            axis.set_ylim(0, 1.04)
            step_axis(axis, steps)
            axis.set_xlabel("training step" if target == targets[-1] else "")
        column[0].set_title(title)
    for axis, target in zip(axes[:, 0], targets):
        axis.set_ylabel(f"LDR of {'x̂0' if target == 'x0' else 'the ' + target}")
    _legend(figure, axes[0, 0])
    return figure


def heat_phases(heats: Mapping[str, Heat]) -> Figure:
    """Noised signal, prediction and heat, a row a moment of training (as the paper's Figure 17).

    Args:
        heats: title -> what `Results.heats` gives; the local dependency ratio is added to it.
    """
    height, width = next(iter(heats.values())).region.shape
    tall = 2.9 * height / width + 0.42
    figure, axes = plt.subplots(len(heats), 3, figsize=(9.2, len(heats) * tall), squeeze=False)
    for row, (title, (images, maps, region)) in zip(axes, heats.items()):
        heat, ratio = maps["heat"], heats[title].ratios["heat"]
        for axis, name in zip(row, ("x_t", "x̂0")):
            axis.imshow(images[name], vmin=-1, vmax=1)
            axis.set_title(name, fontsize=9.5, fontweight="normal")
        picture_of_heat(row[2], heat)
        row[2].set_title(f"heat, LDR {ratio:.2f}", fontsize=9.5, fontweight="normal")
        row[0].set_title(f"{title}: x_t", fontsize=9.5)
        for axis in row:
            axis.contour(region, levels=[0.5], colors=GREEN, linewidths=1.6)
            without_ticks(axis)
    return figure


def _legend(figure: Figure, axis: Axes, band: bool = False) -> None:
    """One legend below the figure, of what an axis shows and, with `band`, of the shaded levels."""
    handles, labels = axis.get_legend_handles_labels()
    if band:
        handles.append(plt.Rectangle((0, 0), 1, 1, **BAND))
        labels.append("where the rule matters")
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)))
