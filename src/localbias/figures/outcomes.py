"""The plots of what came out: outcomes along training and at its end, samples, readers."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from localbias.experiments.directions import Directions
from localbias.experiments.escapes import EscapeLaw
from localbias.figures.style import (
    CHANCE_DASH,
    COLOURS,
    CYCLE,
    DARK,
    GREY,
    MARKERS,
    REFERENCES,
    VERMILION,
    Numbers,
    legend_below,
    outcome_legend,
    percent,
    shades,
    step_axis,
)
from localbias.measure import OUTCOMES, Outcomes, readable_share


def outcome_curves(
    axes: Axes, steps: Numbers, counts: np.ndarray, chance: Sequence[float] | None = None
) -> None:
    """The share of each outcome along training, on a logarithmic axis of steps.

    Lines are means over the seeds, bands their range, or for a single seed the 95 % Wilson
    interval.

    Args:
        axes: where.
        steps: [M], the measured steps.
        counts: int [S, M, 4], outcomes of each seed.
        chance: [4], the shares under independent symbols, dashed.
    """
    outcomes = Outcomes(counts)
    mean, low, high = outcomes.over_seeds()
    if len(counts) == 1:
        low, high = (bound[0] for bound in outcomes.intervals())
    for k, (name, colour) in enumerate(COLOURS.items()):
        axes.plot(steps, mean[:, k], color=colour, marker=MARKERS[name], label=name)
        axes.fill_between(steps, low[:, k], high[:, k], color=colour, alpha=0.18, linewidth=0)
        if chance is not None and k:
            axes.axhline(chance[k], color=colour, linestyle=CHANCE_DASH, linewidth=1)
    axes.set(ylabel="share of samples", ylim=(-0.02, 1.02))
    step_axis(axes, steps)
    percent(axes.yaxis)


def outcome_bars(axes: Axes, counts: Mapping[str, np.ndarray]) -> None:
    """Stacked shares of the outcomes, a bar a source.

    Args:
        axes: where.
        counts: label -> int [4].
    """
    shares = np.stack([Outcomes(row).proportions for row in counts.values()])
    bottom = np.zeros(len(shares))
    for k, (name, colour) in enumerate(COLOURS.items()):
        axes.bar(
            range(len(shares)), shares[:, k], bottom=bottom, color=colour, width=0.8, label=name
        )
        bottom += shares[:, k]
    axes.set_xticks(range(len(shares)), counts, rotation=90)
    axes.set(ylim=(-0.02, 1.02), yticks=[])
    axes.grid(visible=False)


def outcome_panels(
    panels: Mapping[str, dict], references: Mapping[str, Mapping[str, np.ndarray]], columns: int = 2
) -> Figure:
    """A panel of curves a title, the exact references as bars at its right edge, one legend below.

    Args:
        panels: title -> the keyword arguments of `outcome_curves`.
        references: title -> the argument of `outcome_bars`.
        columns: panels in a row.
    """
    rows = -(-len(panels) // columns)
    figure = plt.figure(figsize=(min(4.6 * columns, 9.4), 2.6 * rows + 0.5))
    grid = figure.add_gridspec(rows, 2 * columns, width_ratios=[4.4, 1] * columns)
    for i, (title, panel) in enumerate(panels.items()):
        row, column = divmod(i, columns)
        curves = figure.add_subplot(grid[row, 2 * column])
        outcome_curves(curves, **panel)
        curves.set_title(title)
        bars = figure.add_subplot(grid[row, 2 * column + 1])
        outcome_bars(bars, references[title])
        bars.set_title("exact", fontweight="normal", fontsize=9)
        if column:
            curves.set_ylabel("")
            curves.tick_params(labelleft=False)
        if row < rows - 1 and i + columns < len(panels):
            curves.set_xlabel("")
    handles, labels = curves.get_legend_handles_labels()
    handles.append(plt.Line2D([], [], color=DARK, linestyle=CHANCE_DASH, linewidth=1))
    figure.legend(handles, [*labels, "chance"], loc="outside lower center", ncols=len(labels) + 1)
    return figure


def against_chance(ends: Mapping[str, tuple[np.ndarray, Sequence[float]]]) -> Figure:
    """How many readable samples are valid and how many extrapolate at the end, against chance.

    Args:
        ends: experiment -> (counts int [S, 4], chance [4]).
    """
    figure, panels = plt.subplots(1, 2, figsize=(9.2, 0.34 * len(ends) + 1.5), sharey=True)
    shown = {"valid": [2, 3], "valid and never seen": [3]}
    for axis, (title, outcomes), colour in zip(
        panels, shown.items(), (COLOURS["in dataset"], COLOURS["extrapolation"])
    ):
        for row, (counts, chance) in enumerate(ends.values()):
            level = sum(chance[k] for k in outcomes)
            axis.plot(
                [level, level],
                [row - 0.33, row + 0.33],
                color=DARK,
                linewidth=2.2,
                label="chance",
            )
            mean, low, high = readable_share(counts, outcomes)
            axis.plot([low, high], [row, row], color=colour, linewidth=3, alpha=0.45)
            axis.plot(mean, row, "o", color=colour, label="mean and interval over the seeds")
        axis.set(title=title, xlabel="share of readable samples", xlim=(-0.02, 1.02))
        percent(axis.xaxis)
    panels[0].set_yticks(range(len(ends)), ends)
    panels[0].invert_yaxis()
    legend_below(figure, panels[:1], ncols=2)
    return figure


def sample_grid(
    samples: np.ndarray, outcomes: np.ndarray, titles: Sequence[str], shown: int = 8
) -> Figure:
    """Generated images, a row a phase, each framed in the colour of its outcome.

    Args:
        samples: uint8 [phases, n, 1, h, w].
        outcomes: int [phases, n], indices into OUTCOMES.
        titles: of the phases.
        shown: images in a row.
    """
    phases, (height, width) = len(samples), samples.shape[-2:]
    size = 8.8 / shown
    figure, axes = plt.subplots(
        phases, shown, squeeze=False, figsize=(9.4, phases * (size * height / width + 0.34) + 0.4)
    )
    for row, images, kinds, title in zip(axes, samples, outcomes, titles):
        for cell, image, kind in zip(row, images, kinds):
            cell.imshow(image[0], vmin=0, vmax=255)
            cell.set(xticks=[], yticks=[])
            for spine in cell.spines.values():
                spine.set(visible=True, color=COLOURS[OUTCOMES[kind]], linewidth=2.6)
        row[0].set_title(title, fontsize=9.5)
    outcome_legend(figure)
    return figure


def scalar_strips(samples: np.ndarray, outcomes: np.ndarray, titles: Sequence[str]) -> Figure:
    """Generated ±1 vectors as strips of colour, a panel a phase, each marked with its outcome.

    Args:
        samples: uint8 [phases, n, L], −1 to 1 as 0 to 255.
        outcomes: int [phases, n], indices into OUTCOMES.
        titles: of the phases.
    """
    figure, axes = plt.subplots(1, len(samples), figsize=(9, 3.4), squeeze=False, sharey=True)
    for axis, strips, kinds, title in zip(axes[0], samples, outcomes, titles):
        picture = axis.imshow(strips / 127.5 - 1, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        for row, (_, kind) in enumerate(zip(strips, kinds)):
            axis.plot(
                strips.shape[1] - 0.05,
                row,
                MARKERS[OUTCOMES[kind]],
                color=COLOURS[OUTCOMES[kind]],
                clip_on=False,
            )
        axis.set(title=title, xlabel="symbol", xticks=range(strips.shape[1]), yticks=[])
        axis.grid(visible=False)
    axes[0, 0].set_ylabel("samples")
    figure.colorbar(picture, ax=axes, label="value", shrink=0.8, pad=0.03)
    outcome_legend(figure)
    return figure


def show_signals(signals: Mapping[str, np.ndarray]) -> Figure:
    """Images side by side at one scale, the title above each.

    Args:
        signals: title -> float [h, w] in [-1, 1].
    """
    widths = [image.shape[1] / image.shape[0] for image in signals.values()]
    figure, axes = plt.subplots(
        1, len(signals), figsize=(9.2, 2.4), width_ratios=widths, squeeze=False
    )
    for axis, (title, image) in zip(axes[0], signals.items()):
        axis.imshow(image, vmin=-1, vmax=1)
        axis.set(title=title, xticks=[], yticks=[])
        axis.set_xlabel(f"{image.shape[0]} × {image.shape[1]} pixels", fontsize=8.5)
    return figure


def reader_accuracy(tables: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """How readers do under noise, a panel a title.

    Args:
        tables: title -> what `reading.symbol_accuracy` returns.
    """
    figure, axes = plt.subplots(
        1, len(tables), figsize=(min(4.6 * len(tables), 9.4), 2.9), sharey=True, squeeze=False
    )
    looks = {"right": (CYCLE[0], "^"), "refused": (GREY, "s"), "wrong": (CYCLE[1], "o")}
    for axis, (title, table) in zip(axes[0], tables.items()):
        for name, (colour, marker) in looks.items():
            axis.plot(table["noise"], table[name], color=colour, marker=marker, label=name)
        axis.set(title=title, xlabel="standard deviation of the noise", ylim=(-0.02, 1.02))
        percent(axis.yaxis)
    axes[0, 0].set_ylabel("share of symbols")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def outcome_ends(bars: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Shares of outcomes at the end, stacked, a panel a title.

    Args:
        bars: title -> label -> counts int [S, 4], which are pooled over the seeds.
    """
    figure, axes = plt.subplots(
        1,
        len(bars),
        figsize=(9.4, 3.3),
        width_ratios=[len(by) + 0.6 for by in bars.values()],
        squeeze=False,
    )
    for axis, (title, by) in zip(axes[0], bars.items()):
        outcome_bars(axis, {label: counts.sum(0) for label, counts in by.items()})
        axis.set_title(title)
        axis.tick_params(axis="x", rotation=0, labelsize=8.5)
    axes[0, 0].set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes[0, 0].set_ylabel("share of samples")
    outcome_legend(figure)
    return figure


def escape_law(
    bounds: Mapping[float, tuple[np.ndarray, np.ndarray]], law: EscapeLaw | None, dial: str
) -> Figure:
    """Steps until trainings escape, over a dial, with the power law through them and its interval.

    Args:
        bounds: setting -> until when each seed had not escaped and by when it had, infinite for a
            seed that had not by the end.
        law: through them, or through some; None for none.
        dial: what is turned, for the axis.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.6))
    settings = np.array(list(bounds), float)
    if law:
        value, low, high = law.expected.T
        exponent = law.law
        label = f"∝ n^{exponent.exponent:.2f} ({exponent.low:.2f} to {exponent.high:.2f})"
        axis.plot(law.settings, value, color=DARK, linewidth=1, label=label)
        axis.fill_between(law.settings, low, high, color=GREY, alpha=0.3, linewidth=0)
    for setting, (after, until) in bounds.items():
        # Seeds side by side: many have the same bounds.
        for place, (low, high) in enumerate(zip(after, until)):
            x = setting * 1.03 ** (place - (len(after) - 1) / 2)
            if np.isfinite(high):
                axis.plot([x, x], [low, high], color=CYCLE[0], linewidth=3, alpha=0.8)
            else:
                axis.plot(x, low, "^", color=CYCLE[1], markersize=8)
    axis.plot([], [], color=CYCLE[0], linewidth=3, label="between two measured steps, a seed")
    axis.plot([], [], "^", color=CYCLE[1], markersize=8, label="not by the end")
    axis.set(xscale="log", yscale="log", xlabel=dial, ylabel="training steps until escape")
    axis.set_xticks(settings, [f"{setting:g}" for setting in settings])
    axis.minorticks_off()
    axis.legend(fontsize=9)
    return figure


def directions(panels: Mapping[str, Directions], columns: int = 2) -> Figure:
    """Where networks go as they leave chance, beside three ways that they could go.

    Args:
        panels: title -> the network's shares and the laws'.
        columns: panels in a row.
    """
    rows = -(-len(panels) // columns)
    size = min(4.6 * columns, 9.4), 2.9 * rows + 0.7
    figure, axes = plt.subplots(rows, columns, figsize=size, sharey=True, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    looks = {"the rule": "rule", "pairs": "pairs", "the training set": "train"}
    for axis, (title, one) in zip(axes.flat, panels.items()):
        for name, way in one.laws.items():
            colour, dash = REFERENCES[looks[name]]
            axis.plot(*way, color=colour, linestyle=dash, label=f"towards {name}")
        start = next(iter(one.laws.values()))[:, 0]
        axis.plot(*start, "s", color=DARK, markerfacecolor="none", label="independent symbols")
        share, low, high = one.kept.T
        axis.plot(one.valid, share, color=DARK, linewidth=0.8)
        axis.vlines(one.valid, low, high, color=DARK, linewidth=1.2, alpha=0.7)
        axis.plot(one.valid, share, "o", color=DARK, label="the network, 95 % interval")
        if len(one.steps):
            said = f"steps {one.steps[0]:,} to {one.steps[-1]:,}"
            axis.text(0.98, 0.02, said, transform=axis.transAxes, ha="right", fontsize=8)
        axis.set(title=title, xlabel="valid, of the readable", xlim=(0, 1.03), ylim=(-0.08, 1.05))
        percent(axis.xaxis)
        percent(axis.yaxis)
    for axis in axes[:, 0]:
        axis.set_ylabel("trained on, of the valid")
    legend_below(figure, axes[0][:1], ncols=3)
    return figure


def fourier_slopes(panels: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Figure:
    """How much of the training set's coefficients samples give back, by order, along training.

    Args:
        panels: title -> steps [M], and slopes and standard errors [S, M, L] (`Results.slopes`).
            Lines are means over the seeds; bands are their range, or for a single seed 1.96
            standard errors.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(min(5.4 * len(panels), 9.4), 3.4), sharey=True, squeeze=False
    )
    for axis, (title, (steps, slopes, errors)) in zip(axes[0], panels.items()):
        length = slopes.shape[-1]
        colours = shades(length)
        one = len(slopes) == 1
        low, high = (slopes - 1.96 * errors, slopes + 1.96 * errors) if one else (slopes, slopes)
        for k, colour in enumerate(colours):
            rule = k == length - 1
            look = dict(color=VERMILION, linewidth=2.6) if rule else dict(color=colour)
            name = f"{length}, the rule" if rule else f"{k + 1}"
            axis.plot(steps, slopes[..., k].mean(0), label=name, **look)
            band = low[..., k].min(0), high[..., k].max(0)
            axis.fill_between(steps, *band, color=look["color"], alpha=0.13, linewidth=0)
        for level in (0, 1):
            axis.axhline(level, color=DARK, linestyle=CHANCE_DASH, linewidth=1)
        step_axis(axis, steps)
        # Limits of their own: where nothing is readable there is no line to take them from.
        axis.set(title=title, ylim=(-0.45, 1.45), xlim=(0.9 * steps[0], 1.1 * steps[-1]))
    axes[0, 0].set_ylabel("slope of generated on\ntraining coefficients")
    for level, name in ((1, "as in the\ntraining set"), (0, "independent\nof it")):
        place = ("axes fraction", "data")
        axis.annotate(name, (1.02, level), xycoords=place, va="center", fontsize=8.5)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, title="order", loc="outside lower center", ncols=len(labels))
    return figure
