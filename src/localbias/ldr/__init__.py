"""The local dependency ratio of any function of a batch: by its gradients, or by differences.

It needs torch, tqdm and `localbias.statistics` alone, so a project that only probes a model of its
own needs nothing else of the package.
"""

from localbias.ldr.differences import ratio_by_differences
from localbias.ldr.products import Products, Summary, mean_ratio
from localbias.ldr.ratio import dependency, local_dependency_ratio, saliency

__all__ = [
    "Products",
    "Summary",
    "dependency",
    "local_dependency_ratio",
    "mean_ratio",
    "ratio_by_differences",
    "saliency",
]
