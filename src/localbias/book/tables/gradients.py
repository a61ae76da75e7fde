"""A table on the ratio with and without gradients."""

import math
from collections.abc import Callable, Mapping

import torch
from IPython.display import Markdown
from torch import Tensor

from localbias.book.tables.markdown import table
from localbias.ldr import Products, local_dependency_ratio, ratio_by_differences


def without_gradients(
    maps: Mapping[str, tuple[Callable[[Tensor], Tensor], Tensor, Tensor]], probes: int, seed: int
) -> Markdown:
    """The ratio of several maps: exact, by vector-Jacobian products, and by differences.

    Args:
        maps: title -> a map, signals `[B, *shape]` and a region `[*shape]`.
        probes: of either estimate.
        seed: of the probes.
    """
    rows = []
    for title, (f, x, region) in maps.items():
        exact = local_dependency_ratio(f, x, region)
        first, second = (torch.Generator().manual_seed(seed) for _ in range(2))
        products = local_dependency_ratio(f, x, region, probes, first, details=True)
        differences = ratio_by_differences(f, x, region, probes, second, details=True)
        whole = ratio_by_differences(f, x, region)
        rows.append(
            {
                "map": title,
                "exact": f"{exact.mean():.4f}",
                "differences, each number by itself": f"{whole.mean():.4f}",
                f"{probes} products": _estimate(products),
                f"{probes} split probes": _estimate(differences),
            }
        )
    return table(rows, "Means over the signals, ± one standard error of the probes:")


def _estimate(found: Products) -> str:
    """The mean ratio and its standard error from the probes."""
    error = found.standard_error.square().mean().sqrt() / math.sqrt(len(found))
    return f"{found.ratio.mean():.3f} ± {error:.3f}"
