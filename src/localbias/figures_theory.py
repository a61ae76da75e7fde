"""The plots of Section 5 but for training: exact levels, small neurons on the sphere, what holds them on the axis.

A length d has one colour everywhere. The best univariate function and the optimum look as the marginals and the rule
do in `figures_ldr`, for that is what they are.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from localbias import figures
from localbias.figures_ldr import REFERENCES
from localbias.theory import directions, growth, target

LENGTHS = {3: "#0072B2", 8: "#CC79A7", 16: "#E69F00", 64: "#56B4E9"}
LEVELS = {
    "linear": ("best linear", "#CC79A7", (0, (6, 2))),
    "univariate": ("best univariate", *REFERENCES["marginals"]),
    "optimum": ("optimum", *REFERENCES["rule"]),
}
ENDS = {
    "best": ("to (±e₁, D*)", "#0072B2"),
    "axis": ("elsewhere on the axis", "#56B4E9"),
    "off": ("off the axis", "#D55E00"),
    "dead": ("dies", "#999999"),
    "unsettled": ("not settled", "#000000"),
}
GREYS = ListedColormap(np.repeat(np.linspace(0.99, 0.66, 256)[:, None], 3, 1))  # light, for lines lie on it


def one_bit(gamma: np.ndarray, gaps: Mapping[int, np.ndarray]) -> Figure:
    """What looking at the other signs saves at each signal-to-noise ratio γ [G], d -> ½ Σ_i gap_i [G]; its areas."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.1))
    for d, gap in gaps.items():
        left.plot(gamma, gap, color=LENGTHS[d], label=f"d = {d}")
        area = np.concatenate([[0], np.cumsum(np.diff(gamma) * (gap[1:] + gap[:-1]) / 2)])
        right.plot(gamma, area / np.log(2), color=LENGTHS[d])
    right.axhline(1, color="black", linewidth=1, linestyle=(0, (4, 3)))
    left.set(ylabel="½ Σ gap of the squared errors", ylim=(0, None))
    right.set(ylabel="area up to γ, in bits", ylim=(0, 1.08))
    for axis in (left, right):
        axis.set(xlabel="signal to noise, γ = ᾱ/(1−ᾱ)", xlim=(0, gamma[-1]))
    left.legend()
    return figure


def globes(panels: Mapping[str, tuple[int, Sequence[float]]], alpha_bar: float) -> Figure:
    """K/√(1−ᾱ) on slices of the sphere of neurons, and where the flow takes small neurons with a > 0 in them.

    panels  title -> (d, lean [d−1]): the neurons (w^(1), v · lean, b), for a unit lean that makes the slice invariant
            under the parity of d signs. It is a globe: b points north, e_1 lies on the equator.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.65 * len(panels), 3.9), squeeze=False)
    for axis, (title, (d, lean)) in zip(axes[0], panels.items()):
        shown = _globe(axis, target.parity(d), np.divide(lean, np.linalg.norm(lean)), alpha_bar)
        axis.set_title(title)
    figure.colorbar(shown, ax=axes, label="K / √(1−ᾱ)", shrink=0.8, pad=0.02, ticks=np.arange(0, 0.7, 0.1))
    _ends_legend(figure, ("best", "axis", "off"))
    return figure


def _globe(axis: Axes, support: np.ndarray, lean: np.ndarray, alpha_bar: float, latitude: float = 0.5) -> ContourSet:
    eye = np.array([np.cos(latitude), 0, np.sin(latitude)])  # in (w^(1), v, b)
    screen = np.array([[0, 1, 0], [-np.sin(latitude), 0, np.cos(latitude)]])

    def neurons(points):
        return np.concatenate([points[..., :1], points[..., 1:2] * lean], -1), points[..., 2]

    def draw(points, **look):  # but for what lies behind
        axis.plot(*np.where((points @ eye > 0)[:, None], points @ screen.T, np.nan).T, **look)

    line = np.linspace(-1, 1, 181)
    grid = np.stack(np.meshgrid(line, line), -1)
    points = grid @ screen + np.sqrt((1 - (grid**2).sum(-1)).clip(0))[..., None] * eye
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    rate = growth.growth_rate(*neurons(points), alpha_bar, support) / np.sqrt(1 - alpha_bar)
    edge = axis.add_patch(plt.Circle((0, 0), 1, fill=False))
    shown = axis.contourf(line, line, rate, np.linspace(0, 0.65, 14), cmap=GREYS)
    lines = axis.contour(line, line, rate, shown.levels, colors="#666666", linewidths=0.4)
    for part in (shown, lines):
        part.set_clip_path(edge)
    turn, zero = np.linspace(0, 2 * np.pi, 300), np.zeros(300)
    draw(np.stack([np.cos(turn), zero, np.sin(turn)], -1), color="black", linewidth=1.2)
    draw(np.stack([np.cos(turn), np.sin(turn), zero], -1), color="black", linewidth=1.2, linestyle=":")
    north, angle = 1 - (2 * np.arange(70) + 1) / 70, np.arange(70) * np.pi * (3 - np.sqrt(5))  # a spiral: evenly spread
    starts = np.stack([np.sqrt(1 - north**2) * f(angle) for f in (np.cos, np.sin)] + [north], -1)
    along = directions.paths(*neurons(starts), alpha_bar, support)
    for path, end in zip(along.swapaxes(0, 1), _kinds(along[-1], alpha_bar, support)):
        if end != "dead":  # it stays behind, but for its beginning
            draw(np.stack([path[:, 0], path[:, 1:-1] @ lean, path[:, -1]], -1), color=ENDS[end][1], linewidth=1.1)
    maxima = np.column_stack(directions.local_maxima(alpha_bar, support, neurons=150)[:2])
    for maximum, end in zip(maxima, _kinds(maxima, alpha_bar, support)):
        v = maximum[1:-1] @ lean
        if np.abs(maximum[1:-1] - v * lean).max() < 1e-3:
            marker, size = ("*", 15) if end == "best" else ("^", 9)
            place = screen @ [maximum[0], v, maximum[-1]]
            axis.plot(*place, marker, color=ENDS[end][1], markersize=size, markeredgecolor="white", zorder=5)
    for name, at in {"e₁": (1, 0, 0), "b": (0, 0, 1), "v": (0, 1, 0)}.items():
        axis.annotate(name, screen @ at, xytext=(4, 4), textcoords="offset points")
    axis.set(xlim=(-1.03, 1.12), ylim=(-1.03, 1.03), aspect="equal")
    axis.axis("off")
    return shown


def _kinds(neurons: np.ndarray, alpha_bar: float, support: np.ndarray) -> np.ndarray:
    """Where the flow takes each of the neurons [m, d + 1] with a > 0, by its name in ENDS."""
    settled = directions.settle(neurons[:, :-1], neurons[:, -1], alpha_bar, support)
    return directions.kinds(*settled, alpha_bar, support)


def discs(panels: Mapping[str, tuple[int, float]], neurons: int = 60, seed: int = 0) -> Figure:
    """Paths of small neurons from random starts, seen along all axes but w^(1) and b: title -> (d, ᾱ), for parity.

    On the rim of the disc a neuron sees x^(1) alone. Solid lines have a > 0, dashed ones a < 0.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.3, 9.3 / len(panels) + 0.7), squeeze=False)
    for axis, (title, (d, alpha_bar)) in zip(axes[0], panels.items()):
        support, sign = target.parity(d), np.where(np.arange(neurons) % 2, -1, 1)
        starts = np.random.default_rng(seed).standard_normal((neurons, d + 1))
        starts /= np.linalg.norm(starts, axis=1, keepdims=True)
        along = directions.paths(starts[:, :-1], starts[:, -1], alpha_bar, support, sign=sign)
        mirrored = along[-1].copy()  # two signs turned: the law stays, K changes its sign
        mirrored[:, :2] *= sign[:, None]
        for path, side, end in zip(along.swapaxes(0, 1), sign, _kinds(mirrored, alpha_bar, support)):
            colour = ENDS[end][1]
            axis.plot(path[:, 0], path[:, -1], color=colour, linewidth=1, linestyle="-" if side > 0 else (0, (3, 1.5)))
            axis.plot(path[0, 0], path[0, -1], ".", color="#444444", markersize=3)
            if end != "best":
                axis.plot(path[-1, 0], path[-1, -1], "o", color=colour, markersize=5, markeredgecolor="white")
        axis.add_patch(plt.Circle((0, 0), 1, fill=False))
        bias = growth.optimal_bias(alpha_bar)
        for side in (1, -1):
            axis.plot(side / np.hypot(1, bias), bias / np.hypot(1, bias), "*", color=ENDS["best"][1], markersize=14,
                      markeredgecolor="white", zorder=5)
        axis.set(title=title, xlim=(-1.06, 1.06), ylim=(-1.06, 1.06), aspect="equal", xlabel="w⁽¹⁾")
        axis.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    axes[0, 0].set_ylabel("b")
    _ends_legend(figure, ("best", "axis", "off", "dead"))
    return figure


def shares(levels: Sequence[float], ends: Mapping[int, Sequence[directions.Ends]]) -> Figure:
    """Where neurons from random starts end, against ᾱ: d -> a row of `Ends` for each level."""
    figure, axes = plt.subplots(1, len(ends), figsize=(9.2, 2.9), sharey=True, squeeze=False)
    for axis, (d, found) in zip(axes[0], ends.items()):
        axis.stackplot(levels, *zip(*found), colors=[colour for _, colour in ENDS.values()], alpha=0.85)
        axis.set(title=f"d = {d}", xlabel="ᾱ", xlim=(levels[0], levels[-1]), ylim=(0, 1))
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes[0, 0].set_ylabel("share of neurons")
    _ends_legend(figure, ("best", "axis", "off", "dead"), linewidth=7)
    return figure


def _ends_legend(figure: Figure, names: Sequence[str], **look) -> None:
    handles = [plt.Line2D([], [], color=ENDS[name][1], label=ENDS[name][0], **look) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(names))


def biases(levels: np.ndarray, shown: Sequence[float]) -> Figure:
    """All stationary biases on the axis against ᾱ [V]; and K along the axis at a few levels, with its maxima."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.3))
    roots = growth.stationary_biases(levels)
    three = np.isfinite(roots).all(1)
    left.plot(levels, growth.optimal_bias(levels), color="black", linewidth=2.4, label="D*, the highest maximum")
    others = ("a second maximum", "#56B4E9", (0, (5, 1.5))), ("a minimum between them", "#999999", ":")
    for k, (label, colour, dash) in enumerate(others):
        left.plot(levels[three], roots[three, k], color=colour, linestyle=dash, label=label)
    left.axvline(levels[three.argmax()], color="#bbbbbb", linewidth=0.8, zorder=0)
    left.set(xlabel="ᾱ", ylabel="bias D = b / w⁽¹⁾", xlim=(levels[0], 1), ylim=(-0.03, None))
    left.legend(loc="upper left")
    grid = np.linspace(-0.5, 2.5, 601)
    for alpha_bar, colour in zip(shown, figures.CYCLE):
        right.plot(grid, growth.axis_rate(grid, alpha_bar), color=colour, label=f"ᾱ = {alpha_bar:g}")
        tops = growth.stationary_biases(alpha_bar)[::2]
        right.plot(tops, growth.axis_rate(tops, alpha_bar), "o", color=colour)
    right.set(xlabel="bias D = b / w⁽¹⁾", ylabel="K / √(1−ᾱ) at (e₁, D), scaled to length 1", xlim=(grid[0], grid[-1]))
    right.legend()
    return figure


def forces(strengths: np.ndarray, curves: Mapping[str, np.ndarray]) -> Figure:
    """The force off the axis on one neuron against how strong a dependence is [S]: what depends -> force [S]."""
    figure, axis = plt.subplots(figsize=(6.2, 3))
    for (label, force), colour, dash in zip(curves.items(), figures.CYCLE, ("-", (0, (5, 1.5)), (0, (1, 1.2)))):
        axis.plot(strengths, force, color=colour, linestyle=dash, linewidth=2.2, label=label)
    axis.set(xlabel="Fourier coefficient of the law", xlim=(-1, 1), ylabel="force on the weight of\nanother coordinate")
    axis.legend()
    return figure


def localities(
    levels: np.ndarray, ratios: Mapping[str, Mapping[int, np.ndarray]], paper_levels: Sequence[float]
) -> Figure:
    """The optimum's local dependency ratio over √ᾱ [V], a column a target: target -> d -> means and errors [V, 2]."""
    figure, axes = plt.subplots(1, len(ratios), figsize=(9.2, 3.3), sharey=True, squeeze=False)
    for axis, (title, by_length) in zip(axes[0], ratios.items()):
        for level in paper_levels:
            axis.axvline(level, color="#bbbbbb", linewidth=0.8, zorder=0)
        axis.axhline(1, color=LEVELS["univariate"][1], linestyle=LEVELS["univariate"][2], label="univariate, any d")
        for d, found in by_length.items():
            mean, error = found.T
            axis.plot(levels, mean, color=LENGTHS[d], label=f"optimum, d = {d}")
            axis.fill_between(levels, mean - 2 * error, mean + 2 * error, color=LENGTHS[d], alpha=0.25, linewidth=0)
        axis.set(title=title, xlabel="noise level √ᾱ (1 is clean)", xlim=(0, 1), ylim=(0, 1.04))
    axes[0, 0].set_ylabel("LDR of the optimum")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure
