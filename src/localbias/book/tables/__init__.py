"""The book's tables: what results say, as Markdown.

Here lives every table that a chapter shows: `table` writes rows of cells, the other modules choose what
the rows are. No chapter types one.
"""

from localbias.book.tables.markdown import table

__all__ = ["table"]
