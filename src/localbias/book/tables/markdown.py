"""How the book's tables are written: rows of cells, and numbers with their range or interval."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from IPython.display import Markdown

from localbias.book.runs import counted


def table(rows: Iterable[Mapping[str, object]], before: str = "", after: str = "") -> Markdown:
    """A table, with a sentence before it and one after it.

    Args:
        rows: column -> cell, the columns of the first row in order; a cell is shown as text.
        before: a sentence, Markdown.
        after: another.

    Raises:
        ValueError: where there is no row.
    """
    frame = pd.DataFrame([{column: str(cell) for column, cell in row.items()} for row in rows])
    if frame.empty:
        raise ValueError("a table without a row; allowed: one or more")
    drawn = frame.fillna("").to_markdown(index=False, disable_numparse=True)
    return Markdown("\n\n".join(part for part in (before, drawn, after) if part))


def spread(values: np.ndarray, form: str) -> str:
    """The mean over the seeds [S] and their range, each in that format: "13% (12%–14%)".

    One seed has no range, and its number stands alone: "13%". "0/0" where a seed has no number.
    """
    if np.isnan(values).any():
        return "0/0"
    if len(values) == 1:
        return format(values[0], form)
    mean, low, high = (format(x, form) for x in (values.mean(), values.min(), values.max()))
    return f"{mean} ({low}–{high})"


def interval(mean: float, low: float, high: float, form: str) -> str:
    """A number and its interval, each in that format: "52% (47% to 57%)"."""
    return f"{mean:{form}} ({low:{form}} to {high:{form}})"


def ratio(value: float) -> str:
    """A local dependency ratio: "0.63", or "0/0" for NaN."""
    return "0/0" if np.isnan(value) else f"{value:.2f}"


def seeds(count: int) -> str:
    """How many seeds: "1 seed", "3 seeds"."""
    return counted(count, "seed")
