"""The book's tables: what results say, as Markdown.

Here lives every table that a chapter shows: `table` writes rows of cells, the other modules choose
what the rows are. No chapter types one.
"""

from localbias.book.tables.headline import (
    beside_paper,
    directions,
    expected_escape,
    orders,
    samplers,
    slopes,
)
from localbias.book.tables.locality import (
    CHOICES,
    above_chance,
    along_training,
    bands,
    differences,
    estimates,
    nearest,
    perfect,
    regions,
    unsaid,
)
from localbias.book.tables.markdown import interval, ratio, seeds, spread, table
from localbias.book.tables.outcomes import (
    endings,
    exact_samples,
    outcome_cells,
    readable_shares,
    rules,
    settings,
)

__all__ = [
    "CHOICES",
    "above_chance",
    "along_training",
    "bands",
    "beside_paper",
    "differences",
    "directions",
    "endings",
    "estimates",
    "exact_samples",
    "expected_escape",
    "interval",
    "nearest",
    "orders",
    "outcome_cells",
    "perfect",
    "ratio",
    "readable_shares",
    "regions",
    "rules",
    "samplers",
    "seeds",
    "settings",
    "slopes",
    "spread",
    "table",
    "unsaid",
]
