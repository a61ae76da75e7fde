"""The book's one look: colours, markers, dashes, axes and legends that every figure shares."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from localbias.exact import NAMES
from localbias.measure import OUTCOMES

# Okabe & Ito's palette, which people with any common kind of colour vision can tell apart. Figures
# are transparent, and their greys stand off from white paper and from the dark theme's page alike:
# text and axes by 4:1, lines by 3:1.
INK, DARK, GREY = "#767676", "#606060", "#949494"
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY = "#E69F00", "#56B4E9"
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, DARK)

Numbers = Sequence[float] | np.ndarray

COLOURS = dict(zip(OUTCOMES, (GREY, VERMILION, BLUE, GREEN)))  # of the outcomes
MARKERS = dict(zip(OUTCOMES, ("s", "o", "^", "D")))
# Of the exact denoisers: colour and dash.
DASHES = ((0, (1, 1.2)), (0, (5, 1.5)), (0, (4, 1.5, 1, 1.5)))
REFERENCES = dict(zip(NAMES, zip((VERMILION, GREEN, BLUE), DASHES)))
REFERENCES |= {"pairs": (ORANGE, (0, (3, 1))), "triples": ("#8C564B", (0, (3, 1, 1, 1, 1, 1)))}
PHASES = (SKY, PURPLE, DARK)  # of a network: early, on the way, at the end
# An untrained network is dotted grey; the band of noise levels where the rule matters is shaded.
UNTRAINED: dict[str, Any] = dict(color=GREY, linestyle=(0, (1, 2)), linewidth=1.6)
BAND: dict[str, Any] = dict(color=ORANGE, alpha=0.13, linewidth=0)
CHANCE_DASH = (0, (4, 3))
# A line to read by: a level, a moment, a mode.
GUIDE: dict[str, Any] = dict(color=GREY, alpha=0.6, linewidth=0.8, zorder=0)


def use_style() -> None:
    """The book's look for every figure that follows."""
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "none",
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "font.size": 10,
            "axes.titlesize": 10.5,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": GREY,
            "grid.alpha": 0.25,
            "axes.axisbelow": True,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 4.5,
            "image.cmap": "gray",
            "axes.prop_cycle": plt.cycler(color=CYCLE),
        }
    )


def shades(count: int) -> np.ndarray:
    """Colours [count, 4] of lines that have an order, such as levels or lengths.

    They are viridis without its ends, which fade on one theme's page or the other.
    """
    return plt.get_cmap("viridis")(np.linspace(0.22, 0.74, count))


def step_axis(axes: Axes, steps: Numbers) -> None:
    """Make the x axis one of training steps [M]: logarithmic, labelled in thousands from 1,000."""
    axes.set(xscale="log", xlabel="training step")
    subs = (1, 2, 5) if steps[-1] < 100 * steps[0] else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(
        lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
    )
    axes.xaxis.set_minor_formatter(NullFormatter())


def percent(axis: Axis) -> None:
    """Label shares from 0 to 1 as percents."""
    axis.set_major_formatter(PercentFormatter(1, 0))


def mean_and_range(axes: Axes, x: Numbers, values: np.ndarray, *, colour: str, **look: Any) -> None:
    """Draw the mean over the seeds as a line, their range as a band.

    Args:
        axes: where.
        x: [M].
        values: [S, M], seeds first.
        colour: of both.
        look: of the line, as matplotlib names it.
    """
    axes.plot(x, values.mean(0), color=colour, **look)
    axes.fill_between(x, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)


def outcome_legend(figure: Figure, side: Literal["lower", "upper"] = "lower") -> None:
    """A legend of the outcomes' colours and markers, below the figure or above it."""
    handles = [
        plt.Line2D([], [], color=colour, marker=MARKERS[name], linestyle="none", label=name)
        for name, colour in COLOURS.items()
    ]
    place: Literal["outside lower center", "outside upper center"] = (
        "outside lower center" if side == "lower" else "outside upper center"
    )
    figure.legend(handles=handles, loc=place, ncols=len(handles))


def legend_below(figure: Figure, axes: Iterable[Axes], **look: Any) -> None:
    """A legend below the figure, with one entry for each label that stands in some axes.

    Args:
        figure: that gets it.
        axes: whose labels count.
        look: of the legend, as matplotlib names it.
    """
    entries = {
        label: handle for one in axes for handle, label in zip(*one.get_legend_handles_labels())
    }
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", **look)


def picture_of_heat(axes: Axes, heat: np.ndarray) -> None:
    """Show squared norms [h, w], as the root of their share of the largest; darker is more."""
    axes.imshow(np.sqrt(heat / (heat.max() or 1)), vmin=0, vmax=1, cmap="magma_r")


def without_ticks(axes: Axes) -> None:
    """Make axes the frame of a picture: no ticks and no grid."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
