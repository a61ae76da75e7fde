"""The plots of chapter 6: orders of a training set, what was tried, the linear denoiser, depth."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from localbias.figures.style import (
    BLUE,
    CHANCE_DASH,
    CYCLE,
    DARK,
    GREY,
    ORANGE,
    PURPLE,
    REFERENCES,
    SKY,
    VERMILION,
    legend_below,
    mean_and_range,
    percent,
    shades,
    step_axis,
)

ORDERS = {1: SKY, 2: ORANGE, 3: "#8C564B", 4: PURPLE}  # of maximum-entropy laws
FORMS = "osD^vP*X<>"


def splits(panels: Mapping[str, tuple[np.ndarray, np.ndarray, Mapping[int, np.ndarray]]]) -> Figure:
    """Where readable samples go along training, beside where laws of each order would send them.

    The vertical axis is the share of *valid* samples that are training strings: it tells two laws
    apart that break the rule equally often.

    Args:
        panels: title -> steps [M]; outcomes of readable samples [S, M, 3] (breaks the rule, in the
            training set, never seen), NaN where too few are readable; order -> the same shares [S,
            3] of the maximum-entropy law.
    """
    figure, axes = plt.subplots(
        2, len(panels), figsize=(9.4, 5.2), sharex="col", sharey="row", squeeze=False
    )
    for (top, bottom), (title, (steps, shares, laws)) in zip(axes.T, panels.items()):
        for axis, values, of in (
            (top, shares[..., 0], lambda law: law[:, 0]),
            (
                bottom,
                shares[..., 1] / shares[..., 1:].sum(-1),
                lambda law: law[:, 1] / law[:, 1:].sum(1),
            ),
        ):
            mean_and_range(axis, steps, values, colour=DARK, marker="o", label="network")
            for order, law in laws.items():
                level = of(law).mean()
                look = dict(color=ORDERS[order], linestyle=CHANCE_DASH, linewidth=1.6)
                axis.axhline(level, label=f"order {order}", **look)
            percent(axis.yaxis)
        top.set(title=title, ylim=(-0.02, 0.72))
        bottom.set(ylim=(0.4, 1.02))
        step_axis(bottom, steps)
        readable = steps[~np.isnan(shares).any((0, 2))]
        first = readable[0] if len(readable) else steps[0]
        bottom.set_xlim(0.9 * first, 1.1 * steps[-1])
    axes[0, 0].set_ylabel("readable samples that\nbreak the rule")
    axes[1, 0].set_ylabel("valid samples that are\ntraining strings")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    labels = ["network", *(f"exactly the training set's {label}" for label in labels[1:])]
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def threshold(
    strings: Sequence[int],
    measured: Sequence[np.ndarray],
    predicted: Mapping[int, Sequence[np.ndarray]],
    valid: int,
) -> Figure:
    """The most that a training ever hallucinates, against the number of its strings.

    Args:
        strings: [N], how many are trained on.
        measured: [N][S], shares of readable samples.
        predicted: order -> [N][S], shares in the maximum-entropy law of that order.
        valid: strings that keep the rule; thus the most that can be trained on.
    """
    figure, axis = plt.subplots(figsize=(7.6, 4))
    for order, shares in predicted.items():
        line = [float(np.mean(seeds)) for seeds in shares]
        low, high = ([float(end(seeds)) for seeds in shares] for end in (np.min, np.max))
        axis.plot(strings, line, color=ORDERS[order], label=f"law of order {order}")
        axis.fill_between(strings, low, high, color=ORDERS[order], alpha=0.18, linewidth=0)
    for count, seeds in zip(strings, measured):
        axis.plot([count] * len(seeds), seeds, "o", color=DARK, markersize=6, alpha=0.75)
    axis.plot([], [], "o", color=DARK, label="network, a training each")
    axis.axhline(0.5, color=DARK, linestyle=CHANCE_DASH, linewidth=1, label="chance")
    axis.set(
        xlabel=f"training strings, of {valid} that keep the rule",
        ylabel="most that ever breaks the rule\n(of readable samples)",
        ylim=(-0.02, 0.6),
        xticks=list(strings),
    )
    percent(axis.yaxis)
    legend_below(figure, [axis], ncols=3)
    return figure


def coefficients(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """How much of the rule samples have along training: the coefficient of the check itself.

    Args:
        curves: label -> steps [M] and E ∏s over readable samples [S, M], NaN where too few are.
    """
    figure, axis = plt.subplots(figsize=(7.6, 3.8))
    colours = shades(len(curves))
    for (label, (steps, values)), colour in zip(curves.items(), colours):
        mean_and_range(axis, steps, values, colour=colour, marker="o", label=label)
    step_axis(axis, steps)
    axis.set(ylim=(-0.12, 1.05), ylabel="the rule's coefficient\n(1 − 2 · share that breaks it)")
    for level in (0, 1):
        axis.axhline(level, color=DARK, linestyle=CHANCE_DASH, linewidth=1)
    figure.legend(
        *axis.get_legend_handles_labels(),
        title="signs in the check",
        loc="outside lower center",
        ncols=len(curves),
    )
    return figure


def linear(
    panels: Mapping[str, tuple[Sequence[float], Mapping[str, np.ndarray]]],
) -> Figure:
    """The ratio of the best linear denoiser over noise levels, beside the rule's and a network's.

    Args:
        panels: title -> levels [V], by √ᾱ; and name -> ratios of x̂0, [V] or [S, V]: "linear",
            "rule", or a network's label.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 3.4), sharey=True, squeeze=False)
    colour, dash = REFERENCES["rule"]
    for axis, (title, (levels, curves)) in zip(axes[0], panels.items()):
        networks = iter((DARK, BLUE, VERMILION))
        for name, ratios in curves.items():
            if name == "linear":
                axis.plot(levels, ratios, color=PURPLE, linewidth=2.4, label=name)
            elif name == "rule":
                axis.plot(levels, ratios, color=colour, linestyle=dash, label=name)
            else:
                rows, own = np.atleast_2d(ratios), next(networks)
                mean_and_range(axis, levels, rows, colour=own, marker="o", label=name)
        axis.set(title=title, xlabel="noise level √ᾱ", ylim=(0, 1.04), xlim=(0, 1))
        axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1 (clean)"])
    axes[0, 0].set_ylabel("LDR of x̂0")
    legend_below(figure, axes[0], ncols=4)
    return figure


def cures(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    exact: Mapping[str, Mapping[str, tuple[float, float]]],
    level: float,
) -> Figure:
    """What was tried against the bias: where the ratio went, and whether hallucination followed.

    Args:
        panels: rule -> treatment -> the ratio of x̂0 [S] and the share of readable samples that
            break the rule [S].
        exact: rule -> name -> the same two of an exact denoiser.
        level: √ᾱ, of the ratio.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9.4, 4.4), sharey=True, squeeze=False)
    for axis, (title, treated) in zip(axes[0], panels.items()):
        for place, (name, (ratios, shares)) in enumerate(treated.items()):
            colour = CYCLE[place % len(CYCLE)] if name != "nothing" else DARK
            axis.plot(
                ratios, shares, FORMS[place % len(FORMS)], color=colour, label=name, markersize=7
            )
        for name, (ratio, share) in exact[title].items():
            colour = REFERENCES[name][0]
            axis.plot(ratio, share, "*", color=colour, markersize=15, label=f"exact: {name}")
        axis.axhline(0.5, color=DARK, linestyle=CHANCE_DASH, linewidth=1)
        axis.set(title=title, xlabel=f"LDR of x̂0 at √ᾱ = {level:g}", xlim=(-0.02, 1.04))
        percent(axis.yaxis)
    axes[0, 0].set(ylabel="readable samples that break the rule", ylim=(-0.03, 0.6))
    legend_below(figure, axes[0], ncols=4, fontsize=9)
    return figure


def depths(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, float]], level: float
) -> Figure:
    """The ratio along training of words nested to different depths, and what is made of them.

    Args:
        curves: label -> steps [M]; ratios of x̂0 [S, M]; shares of readable samples that break the
            rule [S, M], NaN where too few are readable; the exact rule's ratio.
        level: √ᾱ, of the ratio.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.6))
    colours = shades(len(curves))
    for (label, (steps, ratios, shares, rule)), colour in zip(curves.items(), colours):
        mean_and_range(left, steps, ratios, colour=colour, label=label)
        left.axhline(rule, color=colour, linestyle=REFERENCES["rule"][1], linewidth=1.2)
        mean_and_range(right, steps, shares, colour=colour, marker="o")
    left.set(ylim=(0, 1.04), ylabel=f"LDR of x̂0 at √ᾱ = {level:g}")
    right.set(ylim=(-0.02, 0.6), ylabel="readable samples that\nbreak the rule")
    percent(right.yaxis)
    for axis in (left, right):
        step_axis(axis, steps)
    handles, labels = left.get_legend_handles_labels()
    handles.append(plt.Line2D([], [], color=GREY, linestyle=REFERENCES["rule"][1], linewidth=1.2))
    figure.legend(
        handles,
        [*labels, "exact rule"],
        title="deepest nesting",
        loc="outside lower center",
        ncols=len(handles),
    )
    return figure
