"""The book's tables: rows of cells as Markdown, and the tables that chapters share."""

from collections.abc import Iterable, Mapping

import pandas as pd
from IPython.display import Markdown


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
