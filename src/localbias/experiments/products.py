"""The vector-Jacobian products that records hold, and the ratios that are read from them."""

import json
import math
from functools import cache
from math import prod

import numpy as np
import torch

from localbias.exact import RESOLUTION
from localbias.experiments.parts import renderer_of
from localbias.ldr import Products, Summary
from localbias.store import Record

COVARIANCES = {"ldr": "ldr_covariance", "generated_ldr": "generated_covariance"}


def products_of(found: Record, name: str = "ldr") -> Products:
    """The products that a record holds, of the prediction of x0.

    Its values are about 1 at most: that sets the size of a Jacobian that counts as zero.

    Args:
        found: of a run that was probed.
        name: "ldr" [1 + M, V, n], "reference_ldr" [R, V, n] or "generated_ldr" [C, N].

    Raises:
        ValueError: for a record that holds none.
    """
    if name not in found.arrays:
        raise ValueError(f"record {found.path.name} holds no {name!r}: its run was not probed")
    probing = found.experiment["probing"]
    size, numbers = _sizes(json.dumps(found.experiment["renderer"]), probing["symbol"])
    moments = torch.from_numpy(found.arrays[name]).double()
    if name not in COVARIANCES or probing["probes"] >= size:
        covariance, freedom = moments.new_zeros(*moments.shape, 3), math.inf
    else:
        covariance = torch.from_numpy(found.arrays[COVARIANCES[name]]).double()
        freedom = probing["probes"] - 1
    eps = RESOLUTION if name == "reference_ldr" else 8 * torch.finfo(torch.float32).eps
    floor = moments.new_full(moments.shape[:-1], eps**2 * size / numbers)
    return Products(
        moments, covariance, moments.new_tensor([freedom]), moments.new_tensor([size]), floor, eps
    )


@cache
def _sizes(renderer: str, symbol: int) -> tuple[int, int]:
    """Numbers in the region of a symbol and in a signal, of a renderer given as JSON."""
    shown = renderer_of(json.loads(renderer))
    return int(shown.region(symbol).sum()), prod(shown.shape)


def pooled_ratio(products: Products) -> np.ndarray:
    """The ratio of means over the last axis, the samples: [...]."""
    sums = products.moments.sum(-2)
    return (sums[..., 1] / sums[..., 2]).numpy()


def summaries_at(products: Products, place: int) -> list[Summary | None]:
    """Of each row, at one level; None where more than half of the Jacobians vanish."""
    rows = [products[row, place] for row in range(len(products))]
    return [row.summary() if row.mostly_there else None for row in rows]
