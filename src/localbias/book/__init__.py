"""The book: its chapters, its ledger, its tables, its pages.

Here lives what turns results into a site: `chapters` (sources and executed copies), `ledger` (what
the paper says beside what the records say), `tables`, `claims` (verdicts on the theory), `drawing`
(one figure of a chapter by its name), and `extension`, which is what the build asks of Sphinx. Each
is imported where it is needed: the build names a stale chapter without loading torch.
"""

from localbias.book.chapters import parameters, refresh, stale

__all__ = ["parameters", "refresh", "stale"]
