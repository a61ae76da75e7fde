"""The plots of the page on probing a model of one's own."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from localbias.figures.style import (
    BLUE,
    CHANCE_DASH,
    DARK,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    without_ticks,
)
from localbias.ldr import Products, Summary

CHANCE = dict(color=DARK, linestyle=CHANCE_DASH, linewidth=1.2, label="chance |R|/d")
RATIO, LEVEL = "local dependency ratio", r"$\sqrt{\bar\alpha}$"


def heats_and_matrices(
    heats: Mapping[str, Tensor],
    matrices: Mapping[str, Tensor],
    region: Tensor,
    names: Sequence[str],
    chance: float,
) -> Figure:
    """Where a region listens and which region listens to which, a row a network, in shares.

    Args:
        heats: network -> [h, w], each pixel's share of the heat.
        matrices: network -> [n, n], rows that sum to 1.
        region: bool [h, w], the rectangle whose heat is shown.
        names: of the n regions.
        chance: marked at the matrices' colour bars.
    """
    figure, axes = plt.subplots(len(heats), 2, figsize=(8.6, 3.4 * len(heats)), squeeze=False)
    for (left, right), name in zip(axes, heats):
        heat = heats[name].clamp(min=1e-6).numpy()
        picture = left.imshow(heat, cmap="cividis", norm=LogNorm(1e-6, 0.1))
        _outline(left, region)
        without_ticks(left)
        left.set_title(f"{name}: where the quarter listens")
        figure.colorbar(picture, ax=left, label="share of a pixel", shrink=0.85)
        table = right.imshow(matrices[name].numpy(), cmap="cividis", norm=LogNorm(1e-4, 1))
        _label_shares(right, matrices[name], names)
        right.set_title(f"{name}: who listens to whom")
        right.grid(visible=False)
        bar = figure.colorbar(table, ax=right, label="share of a quarter", shrink=0.85)
        bar.ax.axhline(chance, color="white", linewidth=2)
    return figure


def readings(
    levels: Sequence[float],
    panels: Mapping[str, Mapping[str, Sequence[Summary]]],
    chance: float,
) -> Figure:
    """The ratio over noise levels, by what an output is read as (a panel) and asked for (a line).

    Args:
        levels: [V], by √ᾱ.
        panels: read as -> target -> a summary at each level; bands are its intervals.
        chance: |R|/d.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.2, 3.2), sharey=True, squeeze=False)
    for axis, (reads, by_target) in zip(axes[0], panels.items()):
        for (target, rows), marker in zip(by_target.items(), "osD"):
            axis.plot(levels, [row.mean for row in rows], marker=marker, label=f"LDR of {target}")
            low, high = zip(*((row.low, row.high) for row in rows))
            axis.fill_between(levels, low, high, alpha=0.2, linewidth=0)
        axis.axhline(chance, **CHANCE)
        axis.set(title=f"output read as {reads}", xlabel=LEVEL, ylim=(0, 1.04))
    axes[0, 0].set_ylabel(RATIO)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def estimate_errors(
    exact: Products, estimates: Mapping[int, Products], chance: float, shown: int = 8
) -> Figure:
    """Estimates of each signal's ratio beside the exact one, and their error by number of probes.

    Args:
        exact: of B signals.
        estimates: probes -> an estimate of the same.
        chance: |R|/d.
        shown: the number of probes whose intervals are drawn.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.3))
    order, places, products = exact.ratio.argsort(), range(len(exact)), int(exact.size)
    low, high = (bound[order] for bound in estimates[shown].interval())
    left.vlines(places, low, high, color=BLUE, alpha=0.45, linewidth=4)
    left.plot(places, estimates[shown].ratio[order], "o", color=BLUE, label=f"{shown} probes")
    look = dict(color=DARK, markersize=11, mew=2, label=f"exact: {products} products")
    left.plot(places, exact.ratio[order], "_", **look)
    left.axhline(chance, **CHANCE)
    left.set(xlabel="signals, by exact ratio", ylabel=RATIO, xticks=[], ylim=(0, 1.12))
    left.legend(loc="upper center", ncols=3, fontsize=8.5, bbox_to_anchor=(0.5, 0.5))
    errors = {
        "off the exact ratio": [found.ratio - exact.ratio for found in estimates.values()],
        "standard error": [found.standard_error for found in estimates.values()],
    }
    for (label, by_count), line in zip(errors.items(), ("o-", "s--")):
        sizes = [error.square().mean().sqrt().item() for error in by_count]
        right.loglog(list(estimates), sizes, line, label=label)
    right.set_xticks(list(estimates), list(estimates))
    right.set_yticks([0.005, 0.01, 0.02, 0.05], [0.005, 0.01, 0.02, 0.05])
    right.minorticks_off()
    right.set(xlabel=f"probes of {products}", ylabel="error of one signal's ratio")
    right.legend()
    return figure


def calibration(
    levels: Sequence[float],
    ratios: Mapping[str, Sequence[float]],
    excess: Mapping[str, Sequence[float]],
    chance: float,
) -> Figure:
    """The ratio of networks and of exact denoisers over noise levels, and how far each is off.

    Args:
        levels: [V], by √ᾱ.
        ratios: denoiser -> [V].
        excess: denoiser -> [V], mean squared distance from the optimum's prediction; who is left
            out, as the optimum is, has no line.
        chance: |R|/d.
    """
    looks = zip((GREY, VERMILION, BLUE, GREEN, PURPLE), "soD^v", (":", "-", "-", "--", "--"))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.7))
    for name, (colour, marker, line) in zip(ratios, looks):
        look = dict(color=colour, marker=marker, linestyle=line)
        left.plot(levels, ratios[name], label=name, **look)
        if name in excess:
            right.semilogy(levels, excess[name], **look)
    left.axhline(chance, **CHANCE)
    left.set(xlabel=LEVEL, ylabel=RATIO, ylim=(0, 1.04))
    right.set(xlabel=LEVEL, ylabel="distance from the optimum")
    right.set_ylim(bottom=1e-4)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _outline(axis: Axes, region: Tensor) -> None:
    """A dashed frame around the rectangle that a mask marks."""
    rows, columns = region.nonzero().T
    height, width = (int(places.max() - places.min()) + 1 for places in (rows, columns))
    corner = int(columns.min()) - 0.5, int(rows.min()) - 0.5
    axis.add_patch(
        Rectangle(corner, width, height, fill=False, edgecolor="white", linewidth=2, linestyle="--")
    )


def _label_shares(axis: Axes, shares: Tensor, names: Sequence[str]) -> None:
    """The numbers of a matrix in its cells, and the names of rows and columns."""
    for i, j in np.ndindex(*shares.shape):
        share = shares[i, j].item()
        text, colour = (
            f"{share:.{2 if share >= 0.005 else 4}f}",
            "black" if share > 0.02 else "white",
        )
        axis.text(j, i, text, ha="center", va="center", color=colour, fontsize=9)
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.set(xlabel="listens to")
