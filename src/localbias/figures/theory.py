"""The plots of Section 5 but for training: exact levels, small neurons on the sphere, forces.

A length d has one colour everywhere. The best univariate function and the optimum look as the
marginals and the rule do in the plots of locality, for that is what they are.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from scipy.integrate import cumulative_trapezoid

from localbias.figures.style import (
    BLUE,
    CYCLE,
    DARK,
    GUIDE,
    ORANGE,
    PURPLE,
    REFERENCES,
    SKY,
    VERMILION,
    percent,
)
from localbias.theory import directions
from localbias.theory.growth import BiasCurves
from localbias.theory.slices import Disc, Globe

LENGTHS = {3: BLUE, 8: PURPLE, 16: ORANGE, 64: SKY}
# name -> label, colour, dashes
LEVELS = {
    "linear": ("best linear", PURPLE, (0, (6, 2))),
    "univariate": ("best univariate", *REFERENCES["marginals"]),
    "optimum": ("optimum", *REFERENCES["rule"]),
}
# field of `directions.Ends` -> label, colour
ENDS = {
    "best": ("to (±e₁, D*)", BLUE),
    "axis": ("elsewhere on the axis", SKY),
    "off": ("off the axis", VERMILION),
    "dead": ("dies", "#999999"),
    "unsettled": ("not settled", DARK),
}
# Light greys, so that lines drawn over them can be seen.
GREYS = ListedColormap(np.repeat(np.linspace(0.99, 0.66, 256)[:, None], 3, 1))


def one_bit(gamma: np.ndarray, gaps: Mapping[int, np.ndarray]) -> Figure:
    """What looking at the other signs saves at each noise level, and the area under it so far.

    Args:
        gamma: γ [G], signal-to-noise ratios from nearly 0.
        gaps: d -> ½ Σ_i gap_i [G], nats per unit of γ.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.1))
    for d, gap in gaps.items():
        left.plot(gamma, gap, color=LENGTHS[d], label=f"d = {d}")
        area = cumulative_trapezoid(gap, gamma, initial=0) / np.log(2)  # bits
        right.plot(gamma, area, color=LENGTHS[d])
    right.axhline(1, color=DARK, linewidth=1, linestyle=(0, (4, 3)))
    left.set(ylabel="½ Σ gap of the squared errors", ylim=(0, None))
    right.set(ylabel="area up to γ, in bits", ylim=(0, 1.08))
    for axis in (left, right):
        axis.set(xlabel="signal to noise, γ = ᾱ/(1−ᾱ)", xlim=(0, gamma[-1]))
    left.legend()
    return figure


def globes(panels: Mapping[str, Globe]) -> Figure:
    """K/√(1−ᾱ) on slices of the sphere of neurons, and where the flow takes neurons with a > 0.

    Args:
        panels: title -> what `slices.globe` returns.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.65 * len(panels), 3.9), squeeze=False)
    for axis, (title, globe) in zip(axes[0], panels.items()):
        shown = _landscape(axis, globe)
        _circles(axis, globe)
        _paths_on(axis, globe)
        for name, place in {"e₁": (1, 0, 0), "b": (0, 0, 1), "v": (0, 1, 0)}.items():
            x, y = globe.screen @ place
            axis.annotate(name, (x, y), xytext=(4, 4), textcoords="offset points")
        axis.set(title=title, xlim=(-1.03, 1.12), ylim=(-1.03, 1.03), aspect="equal")
        axis.axis("off")
    figure.colorbar(
        shown, ax=axes, label="K / √(1−ᾱ)", shrink=0.8, pad=0.02, ticks=np.arange(0, 0.7, 0.1)
    )
    _ends_legend(figure, ("best", "axis", "off"))
    return figure


def _landscape(axis: Axes, globe: Globe) -> ContourSet:
    """Contours of the growth rate within the edge of the globe."""
    edge = axis.add_patch(Circle((0, 0), 1, fill=False))
    grid = globe.line, globe.line, globe.rate
    areas = axis.contourf(*grid, np.linspace(0, 0.65, 14), cmap=GREYS)
    lines = axis.contour(*grid, areas.levels, colors=DARK, linewidths=0.4)
    for contours in (areas, lines):
        contours.set_clip_path(edge)
    return areas


def _circles(axis: Axes, globe: Globe) -> None:
    """The meridian v = 0, where neurons are on the axis, and dotted the equator b = 0."""
    turn = np.linspace(0, 2 * np.pi, 300)
    cos, sin, zero = np.cos(turn), np.sin(turn), np.zeros(300)
    for circle, dash in (((cos, zero, sin), "-"), ((cos, sin, zero), ":")):
        points = _in_sight(globe, np.stack(circle, -1))
        axis.plot(*points, color=DARK, linewidth=1.2, linestyle=dash)


def _paths_on(axis: Axes, globe: Globe) -> None:
    """The paths of neurons, and the maxima: a star for the best one, triangles for others."""
    for path in globe.paths:
        axis.plot(*_in_sight(globe, path.points), color=ENDS[path.end][1], linewidth=1.1)
    for top in globe.maxima:
        marker, size = ("*", 15) if top.end == "best" else ("^", 9)
        x, y = globe.screen @ top.points[0]
        _mark(axis, x, y, marker, size, top.end)


def _mark(axis: Axes, x: float, y: float, marker: str, size: float, end: str) -> None:
    """A maximum of K, in the colour of the neurons that end there."""
    axis.plot(x, y, marker, color=ENDS[end][1], markersize=size, markeredgecolor="white", zorder=5)


def _in_sight(globe: Globe, points: np.ndarray) -> np.ndarray:
    """Points [k, 3] in the picture's plane [2, k]; NaN for those on the far side."""
    return np.where((points @ globe.eye > 0)[:, None], points @ globe.screen.T, np.nan).T


def discs(panels: Mapping[str, Disc]) -> Figure:
    """Paths of small neurons from random starts, seen along all axes but w^(1) and b.

    On the rim of the disc a neuron sees x^(1) alone. Solid lines have a > 0, dashed ones a < 0.

    Args:
        panels: title -> what `slices.disc` returns.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(9.3, 9.3 / len(panels) + 0.7), squeeze=False
    )
    for axis, (title, disc) in zip(axes[0], panels.items()):
        for points, end, sign in disc.paths:
            colour, dash = ENDS[end][1], "-" if sign > 0 else (0, (3, 1.5))
            axis.plot(*points.T, color=colour, linewidth=1, linestyle=dash)
            axis.plot(*points[0], ".", color=DARK, markersize=3)
            if end != "best":
                axis.plot(*points[-1], "o", color=colour, markersize=5, markeredgecolor="white")
        axis.add_patch(Circle((0, 0), 1, fill=False))
        length = np.hypot(1, disc.bias)
        for side in (1, -1):
            _mark(axis, side / length, disc.bias / length, "*", 14, "best")
        axis.set(title=title, xlim=(-1.06, 1.06), ylim=(-1.06, 1.06), aspect="equal", xlabel="w⁽¹⁾")
        axis.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    axes[0, 0].set_ylabel("b")
    _ends_legend(figure, ("best", "axis", "off", "dead"))
    return figure


def shares(levels: np.ndarray, ends: Mapping[int, Sequence[directions.Ends]]) -> Figure:
    """Where neurons from random starts end, against ᾱ.

    Args:
        levels: ᾱ [V].
        ends: d -> the shares at each level [V].
    """
    figure, axes = plt.subplots(1, len(ends), figsize=(9.2, 2.9), sharey=True, squeeze=False)
    colours = [colour for _, colour in ENDS.values()]
    for axis, (d, rows) in zip(axes[0], ends.items()):
        axis.stackplot(levels, *zip(*rows), colors=colours, alpha=0.85)
        axis.set(title=f"d = {d}", xlabel="ᾱ", xlim=(levels[0], levels[-1]), ylim=(0, 1))
        percent(axis.yaxis)
    axes[0, 0].set_ylabel("share of neurons")
    _ends_legend(figure, ("best", "axis", "off", "dead"), linewidth=7)
    return figure


def _ends_legend(figure: Figure, names: Sequence[str], linewidth: float | None = None) -> None:
    """What the colours of ends mean, below the panels."""
    handles = [
        Line2D([], [], color=colour, label=label, linewidth=linewidth)
        for label, colour in (ENDS[name] for name in names)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(names))


def biases(curves: BiasCurves) -> Figure:
    """The stationary biases on the axis against ᾱ, and K along the axis at a few levels.

    Args:
        curves: what `growth.bias_curves` returns.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.3))
    levels, three = curves.levels, np.isfinite(curves.roots).all(1)
    left.plot(levels, curves.best, color=DARK, linewidth=2.4, label="D*, the highest maximum")
    second, minimum, _ = curves.roots[three].T
    left.plot(levels[three], second, color=SKY, linestyle=(0, (5, 1.5)), label="a second maximum")
    left.plot(
        levels[three], minimum, color="#999999", linestyle=":", label="a minimum between them"
    )
    left.axvline(levels[three.argmax()], **GUIDE)
    left.set(xlabel="ᾱ", ylabel="bias D = b / w⁽¹⁾", xlim=(levels[0], 1), ylim=(-0.03, None))
    left.legend(loc="upper left")
    for (alpha_bar, (rate, tops)), colour in zip(curves.shown.items(), CYCLE):
        right.plot(curves.grid, rate, color=colour, label=f"ᾱ = {alpha_bar:g}")
        right.plot(*tops, "o", color=colour)
    right.set(xlabel="bias D = b / w⁽¹⁾", ylabel="K / √(1−ᾱ) at (e₁, D), scaled to length 1")
    right.set_xlim(curves.grid[0], curves.grid[-1])
    right.legend()
    return figure


def forces(strengths: np.ndarray, curves: Mapping[str, np.ndarray]) -> Figure:
    """The force off the axis on one neuron against how strong a dependence is.

    Args:
        strengths: Fourier coefficients [S].
        curves: what depends -> the force [S].
    """
    figure, axis = plt.subplots(figsize=(6.2, 3))
    dashes = "-", (0, (5, 1.5)), (0, (1, 1.2))
    for (label, force), colour, dash in zip(curves.items(), CYCLE, dashes):
        axis.plot(strengths, force, color=colour, linestyle=dash, linewidth=2.2, label=label)
    axis.set(
        xlabel="Fourier coefficient of the law",
        xlim=(-1, 1),
        ylabel="force on the weight of\nanother coordinate",
    )
    axis.legend()
    return figure


def localities(
    levels: np.ndarray,
    ratios: Mapping[str, Mapping[int, np.ndarray]],
    paper_levels: Sequence[float],
) -> Figure:
    """The optimum's local dependency ratio over noise levels, a column for each target.

    Args:
        levels: √ᾱ [V].
        ratios: title -> d -> means and standard errors [V, 2].
        paper_levels: √ᾱ that the paper probes, marked by thin lines.
    """
    figure, axes = plt.subplots(1, len(ratios), figsize=(9.2, 3.3), sharey=True, squeeze=False)
    _, colour, dash = LEVELS["univariate"]
    for axis, (title, by_length) in zip(axes[0], ratios.items()):
        for level in paper_levels:
            axis.axvline(level, **GUIDE)
        axis.axhline(1, color=colour, linestyle=dash, label="univariate, any d")
        for d, values in by_length.items():
            mean, error = values.T
            axis.plot(levels, mean, color=LENGTHS[d], label=f"optimum, d = {d}")
            low, high = mean - 2 * error, mean + 2 * error
            axis.fill_between(levels, low, high, color=LENGTHS[d], alpha=0.25, linewidth=0)
        axis.set(title=title, xlabel="noise level √ᾱ (1 is clean)", xlim=(0, 1), ylim=(0, 1.04))
    axes[0, 0].set_ylabel("LDR of the optimum")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure
