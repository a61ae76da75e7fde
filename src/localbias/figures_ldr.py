"""The plots of locality: the ratio beside its exact references, along training and over noise levels; heat and matrices.

Everywhere a reference has its own colour and dash, the untrained network is dotted grey, and the band of noise levels
where the rule matters is shaded.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from torch import Tensor

from localbias import figures, probe
from localbias.outcome import OUTCOMES
from localbias.products import Products, mean_ratio
from localbias.record import Record
from localbias.reference import NAMES

REFERENCES = dict(zip(NAMES, (("#D55E00", (0, (1, 1.2))), ("#009E73", (0, (5, 1.5))), ("#0072B2", (0, (4, 1.5, 1, 1.5))))))
PHASES = ("#56B4E9", "#CC79A7", "#000000")  # of a network: early, on the way, at the end
UNTRAINED = dict(color="#777777", linestyle=(0, (1, 2)), linewidth=1.6)
BAND = dict(color="#E69F00", alpha=0.13, linewidth=0)


def exact_panels(panels: Mapping[str, dict], paper_levels: Sequence[float]) -> Figure:
    """The ratio of the exact denoisers over noise levels for two targets, and the loss that the rule saves, a column a title.

    panels  title -> {"levels" [V], "x0" and "noise" (name of the reference -> ratios [V]), "gap" [V], "band" (low, high)}
    """
    figure, axes = plt.subplots(3, len(panels), figsize=(9.4, 6.4), sharex=True, sharey="row", squeeze=False)
    for column, (title, panel) in zip(axes.T, panels.items()):
        for axis, target in zip(column, ("x0", "noise")):
            for name, (colour, dash) in REFERENCES.items():
                axis.plot(panel["levels"], panel[target][name], color=colour, linestyle=dash, label=name)
            axis.set_ylim(0, 1.04)
        column[2].plot(panel["levels"], panel["gap"] / panel["gap"].max(), color="#444444")
        column[2].set(xlabel="noise level √ᾱ (1 is clean)", ylim=(-0.02, 1.04), xlim=(0, 1))
        for axis in column:
            axis.axvspan(*panel["band"], **BAND)
            for level in paper_levels:
                axis.axvline(level, color="#bbbbbb", linewidth=0.6, zorder=0)
        column[0].set_title(title)
    for axis, label in zip(axes[:, 0], ("LDR of x̂0", "LDR of the noise", "loss that the rule saves\n(share of its peak)")):
        axis.set_ylabel(label)
    _legend(figure, axes[0, 0], band=True)
    return figure


def along_training(columns: Mapping[str, tuple[Sequence[Record], float]], chance: bool = True) -> Figure:
    """Outcomes, the ratio at one noise level and the excess loss there, on one time axis; a column a title.

    columns  title -> (records of the seeds, √ᾱ). Lines are means over the seeds, bands their range; the references and the
             untrained network at the same noised signals are horizontal.
    """
    figure, axes = plt.subplots(3, len(columns), figsize=(9.4, 7), sharex="col", sharey="row", squeeze=False)
    for column, (title, (records, level)) in zip(axes.T, columns.items()):
        steps, at = records[0].arrays["step"], records[0].experiment["probing"]["levels"].index(level)
        counts = np.stack([r.arrays["counts"] for r in records])
        figures.outcome_curves(column[0], steps, counts, records[0].origin["chance"] if chance else None)
        column[0].set(title=title, xlabel="", ylabel="")
        ratios = np.stack([mean_ratio(probe.stored(r)) for r in records])[:, :, at]  # [seeds, 1 + M]
        exact = np.stack([mean_ratio(probe.stored(r, "reference_ldr")) for r in records])[..., at].mean(0)
        _range(column[1], steps, ratios[:, 1:], PHASES[-1], "network")
        sums = np.stack([probe.stored(r).moments.sum(-2).numpy()[1:, at] for r in records])  # [seeds, M, 3]
        column[1].plot(steps, (sums[..., 1] / sums[..., 2]).mean(0), color="#CC79A7", linewidth=1.3, label="network, ratio of means")
        column[1].axhline(ratios[:, 0].mean(), **UNTRAINED, label="untrained")
        for (name, (colour, dash)), value in zip(REFERENCES.items(), exact):
            column[1].axhline(value, color=colour, linestyle=dash, linewidth=1.5, label=name)
        column[1].set(ylim=(0, 1.04))
        column[1].text(0.02, 0.04, f"√ᾱ = {level:g}", transform=column[1].transAxes, fontsize=9)
        excess = np.stack([r.arrays["excess"] for r in records])[:, 1:, at]  # [seeds, M, references]
        for k, (name, (colour, dash)) in enumerate(REFERENCES.items()):
            mean = excess[..., k].mean(0)
            column[2].plot(steps, mean, color=colour, linestyle=dash)
            column[2].fill_between(steps, excess[..., k].min(0), excess[..., k].max(0), color=colour, alpha=0.15, linewidth=0)
        column[2].set(yscale="log", xlabel="training step")
    for axis, label in zip(axes[:, 0], ("share of samples", "LDR of x̂0", "mean squared distance of x̂0\nfrom each reference's")):
        axis.set_ylabel(label)
    figures.outcome_legend(figure, "upper")
    _legend(figure, axes[1, 0])
    return figure


def three_targets(columns: Mapping[str, tuple[Sequence[Record], Mapping[str, Mapping[str, np.ndarray]]]]) -> Figure:
    """The ratio along training of x0, the noise and v, a column a title; dashed the exact rule's.

    columns  title -> (records of the seeds, target -> {"ldr" [seeds, 1 + M], "reference_ldr" [seeds, 3]})
    """
    figure, axes = plt.subplots(1, len(columns), figsize=(9.4, 2.9), sharey=True, squeeze=False)
    looks = {"x0": ("#000000", "o"), "noise": ("#CC79A7", "s"), "v": ("#56B4E9", "^")}
    for axis, (title, (records, targets)) in zip(axes[0], columns.items()):
        steps = records[0].arrays["step"]
        for target, (colour, marker) in looks.items():
            values = targets[target]["ldr"][:, 1:]
            axis.plot(steps, values.mean(0), color=colour, marker=marker, markersize=3.5, label=f"of {target}")
            axis.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)
            rule = targets[target]["reference_ldr"][:, NAMES.index("rule")].mean()
            axis.axhline(rule, color=colour, linestyle=(0, (5, 1.5)), linewidth=1)
        axis.set(title=f"{title} ({len(records)} seed{'s' * (len(records) > 1)})", xscale="log", ylim=(0, 1.04), xlabel="training step")
        axis.title.set_fontsize(8.5)
        axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("LDR")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(plt.Line2D([], [], color="#444444", linestyle=(0, (5, 1.5)), linewidth=1))
    figure.legend(handles, [*labels, "exact rule"], loc="outside lower center", ncols=4)
    return figure


def over_levels(columns: Mapping[str, tuple[Sequence[Record], Sequence[int], tuple[float, float]]]) -> Figure:
    """The ratio over noise levels at a few moments of training, with the excess loss over the rule's optimum below.

    columns  title -> (records of the seeds, rows of the measured steps shown (0 is untrained), band of noise levels)
    """
    figure, axes = plt.subplots(2, len(columns), figsize=(9.4, 5.2), sharex=True, sharey="row", squeeze=False)
    for column, (title, (records, rows, band)) in zip(axes.T, columns.items()):
        levels = records[0].experiment["probing"]["levels"]
        steps = [0, *records[0].arrays["step"].tolist()]
        ratios = np.stack([mean_ratio(probe.stored(r)) for r in records])  # [seeds, 1 + M, V]
        exact = np.stack([mean_ratio(probe.stored(r, "reference_ldr")) for r in records]).mean(0)
        excess = np.stack([r.arrays["excess"] for r in records])[..., NAMES.index("rule")]
        for (name, (colour, dash)), values in zip(REFERENCES.items(), exact):
            column[0].plot(levels, values, color=colour, linestyle=dash, label=name)
        column[0].plot(levels, ratios[:, 0].mean(0), **UNTRAINED, label="untrained")
        for row, colour, name in zip(rows, PHASES, ("network, early", "network, on the way", "network, at the end")):
            _range(column[0], levels, ratios[:, row], colour, name)
            _range(column[1], levels, excess[:, row], colour, name)
            column[1].annotate(f"{steps[row]:,}", (levels[0], excess[:, row, 0].mean()), color=colour, fontsize=7.5,
                               xytext=(-3, 3), textcoords="offset points")
        column[0].set(title=title, ylim=(0, 1.04))
        column[1].set(yscale="log", xlabel="noise level √ᾱ", xlim=(0, 1))
        for axis in column:
            axis.axvspan(*band, **BAND)
    axes[0, 0].set_ylabel("LDR of x̂0")
    axes[1, 0].set_ylabel("excess loss (of x̂0) over\nthe rule's optimum")
    _legend(figure, axes[0, 0], band=True)
    return figure


def estimates(exact: Products, tries: Mapping[int, Sequence[Products]]) -> Figure:
    """How estimates with random probes lie about the exact ratios [B]: probes -> repetitions of the measurement."""
    figure, (one, mean) = plt.subplots(1, 2, figsize=(9.2, 2.9))
    for place, (probes, found) in enumerate(tries.items()):
        low, high = found[0].interval()
        x = place + np.linspace(-0.36, 0.36, len(exact))
        one.vlines(x, low - exact.ratio, high - exact.ratio, color=figures.CYCLE[0], alpha=0.4, linewidth=1.5)
        one.plot(x, found[0].ratio - exact.ratio, ".", color=figures.CYCLE[0], markersize=4)
        shares = [100 * (f.ratio.mean() / exact.ratio.mean() - 1).item() for f in found]
        mean.plot(place + np.linspace(-0.25, 0.25, len(shares)), shares, ".", color=figures.CYCLE[0])
    for axis in (one, mean):
        axis.axhline(0, color="black", linewidth=1)
        axis.set_xticks(range(len(tries)), tries)
        axis.set_xlabel("random probes")
    one.set(ylabel="estimate − exact LDR", ylim=(-0.5, 0.5))
    mean.set_ylabel("error of the mean, %")
    return figure


def by_outcome(rows: Mapping[str, Mapping[str, tuple[float, float, float, int]]]) -> Figure:
    """The ratio of generated samples by what they turned out to be: title -> outcome -> (mean, low, high, how many)."""
    figure, axis = plt.subplots(figsize=(9.2, 0.62 * len(rows) + 1.4))
    for y, groups in enumerate(rows.values()):
        for offset, name in zip(np.linspace(-0.27, 0.27, len(OUTCOMES)), OUTCOMES):
            if name not in groups:
                continue
            colour, (mean, low, high, n) = figures.COLOURS[name], groups[name]
            axis.plot([low, high], [y + offset] * 2, color=colour, linewidth=2.5, alpha=0.5)
            axis.plot(mean, y + offset, figures.MARKERS[name], color=colour)
            axis.annotate(f"n = {n}", (high, y + offset), xytext=(5, -3), textcoords="offset points", fontsize=7.5, color="#555555")
    axis.set_yticks(range(len(rows)), rows)
    axis.invert_yaxis()
    axis.set(xlabel="LDR of x̂0 on the way to the sample")
    figures.outcome_legend(figure)
    return figure


def matrices(panels: Mapping[str, np.ndarray | Tensor], label: str = "share of the dependency") -> Figure:
    """Which symbol (row) listens to which (column): energies [L, L], shown as shares of each row. 1/L everywhere is no preference."""
    figure, axes = plt.subplots(1, len(panels), figsize=(min(9.4, 2.35 * len(panels) + 0.6), 2.7), squeeze=False)
    for axis, (title, energies) in zip(axes[0], panels.items()):
        energies = np.asarray(energies, dtype=float)
        whole = energies.sum(1, keepdims=True)
        shares = np.divide(energies, whole, out=np.full_like(energies, np.nan), where=whole > 0)  # a symbol that never changes
        picture = axis.imshow(shares, vmin=0, vmax=1, cmap="cividis")
        ticks = range(len(shares))
        axis.set(xticks=ticks, yticks=ticks, xticklabels=[i + 1 for i in ticks], yticklabels=[i + 1 for i in ticks])
        axis.set_title(title, fontsize=9.5)
        axis.grid(visible=False)
        axis.set_xlabel("input symbol")
        if len(shares) <= 4:
            for i, j in np.ndindex(shares.shape):
                axis.text(j, i, f"{shares[i, j]:.2f}", ha="center", va="center", fontsize=7.5,
                          color="white" if shares[i, j] < 0.6 else "black")
    axes[0, 0].set_ylabel("output symbol")
    figure.colorbar(picture, ax=axes, label=label, shrink=0.8)
    return figure


def heat_frame(images: Mapping[str, np.ndarray], heats: Mapping[str, np.ndarray], region: np.ndarray) -> Figure:
    """One frame of a slider: images in [−1, 1], and where the framed region's output listens.

    images  title -> [h, w];  heats  title -> [h, w], squared norms, each shown as the root of its share of its largest;
    region  bool [h, w]
    """
    count, (height, width) = len(images) + len(heats), region.shape
    if width > 4 * height:  # lines of text, one below the other
        figure, axes = plt.subplots(count, 1, figsize=(7.2, count * (7.2 * height / width + 0.3)))
    else:
        figure, axes = plt.subplots(1, count, figsize=(7.2, 7.2 / count * height / width + 0.5))
    for axis, (title, image) in zip(axes, images.items()):
        axis.imshow(image, vmin=-1, vmax=1)
        axis.set_title(title, fontsize=9.5)
    for axis, (title, heat) in zip(axes[len(images):], heats.items()):
        axis.imshow(np.sqrt(heat / (heat.max() or 1)), vmin=0, vmax=1, cmap="magma_r")
        axis.set_title(title, fontsize=9.5)
    for axis in axes:
        axis.contour(region, levels=[0.5], colors="#009E73", linewidths=1.6)
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
    return figure


def _range(axis: Axes, x: Sequence[float], values: np.ndarray, colour: str, label: str) -> None:
    """The mean over the seeds (first axis) as a line, their range as a band."""
    axis.plot(x, values.mean(0), color=colour, marker="o", markersize=3.5, label=label)
    axis.fill_between(x, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)


def _legend(figure: Figure, axis: Axes, band: bool = False) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if band:
        handles.append(plt.Rectangle((0, 0), 1, 1, **BAND))
        labels.append("where the rule matters")
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)))
