"""What a number from a few samples or seeds can bear: intervals, ranks, power laws, distances.

Here lives what knows numbers alone. It is free of torch at import, so that the pages which quote an
interval need no framework; tensors are taken through their own methods.
"""

from localbias.statistics.distance import frechet
from localbias.statistics.intervals import (
    change_over_seeds,
    contrast,
    mean_interval,
    share_over_seeds,
    student_quantile,
    wilson,
)
from localbias.statistics.powerlaw import SPREAD, PowerLaw, power_law, power_law_at
from localbias.statistics.ranks import (
    Auc,
    RankCorrelation,
    auc,
    rank_correlation,
    removed,
    roc,
)

__all__ = [
    "SPREAD",
    "Auc",
    "PowerLaw",
    "RankCorrelation",
    "auc",
    "change_over_seeds",
    "contrast",
    "frechet",
    "mean_interval",
    "power_law",
    "power_law_at",
    "rank_correlation",
    "removed",
    "roc",
    "share_over_seeds",
    "student_quantile",
    "wilson",
]
