"""The book's idea in one picture: what comes out at some moments of a training, and who listens."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from localbias.experiments import Moment
from localbias.figures.style import COLOURS, GREEN, outcome_legend, without_ticks
from localbias.measure import OUTCOMES

WIDTH, HEIGHT = 12.0, 6.3  # inches: the shape of a social card
COLUMNS = 2  # of samples


def moments(shown: Sequence[Moment], names: Sequence[str], region: str) -> Figure:
    """Samples framed by outcome, above the heat of one region, a column a moment.

    Args:
        shown: what `Results.moments` gives; their pictures have one size.
        names: of the moments, in a word or two.
        region: what is framed in the heat, such as "the first letter".
    """
    figure = plt.figure(figsize=(WIDTH, HEIGHT))
    columns = figure.subfigures(1, len(shown), wspace=0.04, squeeze=False)[0]
    for column, moment, name in zip(columns, shown, names):
        lines = -(-len(moment.samples) // COLUMNS)
        above, below = column.subfigures(2, 1, height_ratios=(lines, 2.1))
        above.suptitle(f"{name}: step {moment.step:,}", fontsize=16, fontweight="bold")
        axes = above.subplots(lines, COLUMNS, squeeze=False).flat
        for axis, image, kind in zip(axes, moment.samples, moment.outcomes):
            axis.imshow(image, vmin=0, vmax=255)
            without_ticks(axis)
            for spine in axis.spines.values():
                spine.set(visible=True, color=COLOURS[OUTCOMES[kind]], linewidth=4)
        axis = below.subplots()
        axis.imshow(moment.brightness, vmin=0, vmax=1, cmap="magma_r")
        axis.add_patch(_frame(moment.heat.region))
        without_ticks(axis)
        axis.set_title(
            f"{region} listens here: LDR {moment.ratio:.2f}", fontsize=14, fontweight="normal"
        )
    with plt.rc_context({"font.size": 14, "lines.markersize": 10}):
        outcome_legend(figure)
    return figure


def _frame(region: np.ndarray) -> Rectangle:
    """A frame round a region bool [h, w], inside the picture's edge."""
    (top, left), (bottom, right) = (edge(np.argwhere(region), 0) for edge in (np.min, np.max))
    corner, size = (left - 0.4, top - 0.4), (right - left + 0.8, bottom - top + 0.8)
    return Rectangle(corner, *size, fill=False, edgecolor=GREEN, linewidth=3)
