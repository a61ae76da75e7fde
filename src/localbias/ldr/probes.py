"""What a Jacobian is looked at by: regions, checked, and random vectors on them, drawn.

Random vectors are the columns of a random orthonormal frame of the region, scaled by √|R|, so they
are a sample without replacement of its |R| directions, and all |R| of them are exact.
"""

import math
from operator import index
from typing import Any, SupportsIndex

import torch
from torch import Tensor


def require_signals(x: Tensor) -> None:
    """ValueError for x that is no batch of floating point."""
    if not x.is_floating_point() or x.ndim < 2 or not len(x):
        raise ValueError(
            f"x of {tuple(x.shape)}, {x.dtype}; allowed: floating point [B ≥ 1, *shape]"
        )


def masks_of(region: Tensor, x: Tensor) -> tuple[bool, Tensor]:
    """Whether several regions are meant, and the masks bool `[n, *shape]`.

    Raises:
        ValueError: for what is no region of x.
    """
    shape = x.shape[1:]
    if region.dtype != torch.bool:
        raise ValueError(f"region of {region.dtype}; allowed: a mask of torch.bool")
    several = region.ndim == len(shape) + 1
    try:
        masks = region.expand(len(region), *shape) if several else region.expand(shape)[None]
    except RuntimeError:
        raise ValueError(
            f"region {tuple(region.shape)} for signals {tuple(shape)}; the mask must fit them"
        ) from None
    if not len(masks):
        raise ValueError(f"region {tuple(region.shape)} holds no mask; at least one")
    for i, mask in enumerate(masks):
        if not mask.any():
            raise ValueError(
                f"region{f' {i}' if several else ''} is empty: it must hold at least one number of "
                "the signal"
            )
    return several, masks.to(x.device)


def checked(probes: int | None, generator: torch.Generator | None) -> int | None:
    """The number of probes as an int, be it NumPy's.

    ValueError for one below 1, and for what is no generator.
    """
    if not isinstance(generator, torch.Generator | None):
        raise ValueError(f"generator={generator!r}; allowed: a torch.Generator or None")
    return None if probes is None else whole("probes", probes, "whole numbers from 1 or None")


def whole(name: str, value: Any, allowed: str = "whole numbers from 1") -> int:
    """A whole number from 1, of whatever type; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or index(value) < 1:
        raise ValueError(f"{name}={value!r}; allowed: {allowed}")
    return index(value)


def count_of(size: int, probes: int | None) -> int:
    """How many vectors are taken of |R| numbers: `probes` random ones, or all |R| if fewer."""
    return size if probes is None else min(probes, size)


def frames(x: Tensor, size: int, count: int, generator: torch.Generator | None) -> Tensor:
    """Columns of a random orthonormal frame a sample, times √size: [count, B, size]."""
    device = generator.device if generator is not None else x.device
    precise = torch.promote_types(x.dtype, torch.float32)
    gaussian = torch.randn(len(x), size, count, generator=generator, device=device, dtype=precise)
    return torch.linalg.qr(gaussian)[0].permute(2, 0, 1).to(x) * math.sqrt(size)


def moments_of(rows: Tensor, size: int) -> tuple[Tensor, Tensor, float]:
    """The moments that vectors on `size` numbers estimate, with their covariance and its freedom.

    Args:
        rows: float64 [K, B, m], what each of K vectors says.
        size: |R|; with as many vectors the moments are exact.

    Returns:
        Moments [B, m]; the covariance of these estimates [B, m, m], with the finite-population
        correction 1 − K/|R| of a sample without replacement; K − 1, or infinity where it is exact.
    """
    count = len(rows)
    if count == size:
        return rows.sum(0), rows.new_zeros(rows.shape[1], *rows.shape[2:] * 2), math.inf
    moments = rows.mean(0)
    centred = (rows - moments).transpose(0, 1)
    left = 1 - count / size
    return moments, centred.mT @ centred / max(1, count - 1) * left / count, float(count - 1)
