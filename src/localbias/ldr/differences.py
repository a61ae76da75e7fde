"""The local dependency ratio without gradients: from a function's values alone (§4.3, Eq. 1, 2).

A step along v changes the region's outputs by J_R v. Of random v on the region the mean of ‖J_R v‖²
is a = ‖J_RR‖², of random v on the rest it is b = ‖J_R‖² − ‖J_RR‖², so that

    LDR(x) = a / (a + b).

Each probe is split: one vector on the region, one on the rest, and for each a central difference,
(f(x + h v) − f(x − h v)) / 2h. That is four calls of f a probe. The two parts have errors of their
own, where a vector-Jacobian product has one for both norms that cancels in part; so it takes more
probes than `local_dependency_ratio` for the same standard error.

The step h is what each number of x is changed by, as a standard deviation. A central difference
misses by the order of h² by the function's bend, and by rounding as eps/h. The two balance near the
cube root of eps, .005 of float32 and 6e-6 of float64, for x of size 1.
"""

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from localbias.ldr.probes import (
    checked,
    count_of,
    frames,
    masks_of,
    moments_of,
    require_signals,
)
from localbias.ldr.products import Products, ratio_with_warning, stacked

# Rounding of one difference of outputs, in units of their size times eps.
ROUNDING = 8.0


@overload
def ratio_by_differences(
    f: Callable[[Tensor], Tensor | np.ndarray],
    x: Tensor,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    step: float | None = None,
    details: Literal[False] = False,
) -> Tensor: ...


@overload
def ratio_by_differences(
    f: Callable[[Tensor], Tensor | np.ndarray],
    x: Tensor,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    step: float | None = None,
    details: Literal[True],
) -> Products: ...


def ratio_by_differences(
    f: Callable[[Tensor], Tensor | np.ndarray],
    x: Tensor,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    step: float | None = None,
    details: bool = False,
) -> Tensor | Products:
    """The local dependency ratio of f at each x, by calls of f alone (Eq. 2, without its mean).

    For what has no gradient: an exported network, NumPy, a service. Where there is one,
    `local_dependency_ratio` is more precise at the same cost.

    Args:
        f: maps `[B, *shape]` to `[B, *shape]`, each sample by itself, and gives the same output for
            the same input. It is called without gradients, on x's own batch; it may return an
            array.
        x: floating point `[B, *shape]`.
        region: as of `local_dependency_ratio`.
        probes: the number of random vectors on the region, and as many on the rest: 4 calls of f
            each. None: every number of x is moved by itself, 2 calls each, which leaves the error
            of the differences alone.
        generator: of the random vectors.
        step: h, above 0; None: the cube root of the precision of x's type, for x of size 1.
        details: return the `Products` instead: numerator, denominator, standard error, interval,
            other targets, summary.

    Returns:
        float64 [B], or [n, B] for n regions; as of `local_dependency_ratio`, vanishing Jacobians
        included. The ratio of two estimates is biased by O(1/probes), and its leading term is
        subtracted. `Products.summary` has the ratio of means over samples, of which that bias is
        smaller by their number.

    Raises:
        ValueError: for a region, probes, a step or an f that cannot be used.
    """
    require_signals(x)
    several, regions = masks_of(region, x)
    probes = checked(probes, generator)
    eps = torch.finfo(x.dtype).eps
    h = eps ** (1 / 3) if step is None else step
    if not (isinstance(h, float | int) and eps < h < 1 / eps):
        raise ValueError(f"step={step!r}; allowed: numbers above {eps:.1e}, or None")
    call = _Calls(f, x.detach(), float(h))
    found = [_products(call, one, probes, generator) for one in regions]
    products = stacked(found) if several else found[0]
    return products if details else ratio_with_warning(products)


class _Calls:
    """f about x, as float64.

    Attributes:
        x: `[B, *shape]`.
        y: f(x) `[B, *shape]`.
        h: the step.
    """

    def __init__(self, f: Callable[[Tensor], Any], x: Tensor, h: float):
        self.f, self.x, self.h = f, x, h
        self.y = self._value(x.clone())
        if not torch.equal(self.y, self._value(x.clone())):
            raise ValueError(
                "f gives two outputs for one x; differences need one that does not change: "
                "evaluation mode, or a seed set in each call"
            )

    def along(self, v: Tensor) -> Tensor:
        """The central difference along v `[B, *shape]`: about J v, `[B, *shape]`."""
        ahead, behind = self.x + self.h * v, self.x - self.h * v
        return (self._value(ahead) - self._value(behind)) / (2 * self.h)

    @torch.no_grad()
    def _value(self, x: Tensor) -> Tensor:
        y = torch.as_tensor(self.f(x))
        if y.shape != self.x.shape:
            raise ValueError(
                f"f returned {tuple(y.shape)} for x of {tuple(self.x.shape)}; it must map "
                "[B, *shape] to [B, *shape]"
            )
        if not y.isfinite().all():
            broken = (~y.isfinite()).flatten(1).any(1).nonzero()[:, 0].tolist()
            raise ValueError(f"f is infinite or not a number at samples {broken}")
        return y.to(self.x.device).double()


def _products(
    call: _Calls, region: Tensor, probes: int | None, generator: torch.Generator | None
) -> Products:
    """The moments of one region's Jacobian, from vectors on the region and on the rest."""
    inside, own_covariance, own_freedom = _part(call, region, region, probes, generator)
    outside, covariance, freedom = _part(call, region, ~region, probes, generator)
    moments = torch.stack([inside[:, 0], inside[:, 1], inside[:, 1] + outside[:, 1]], 1)
    # The parts are independent, and the total is their sum.
    spread = inside.new_tensor([[1, 0], [0, 1], [0, 1]])
    alone = inside.new_tensor([0, 0, 1])
    both = spread @ own_covariance @ spread.T
    both = both + covariance[:, 1, 1, None, None] * torch.outer(alone, alone)
    eps = ROUNDING * torch.finfo(call.x.dtype).eps
    size, d = int(region.sum()), region.numel()
    # Rounding alone makes of each difference a number of this size; unit vectors add them up.
    added = sum(of if probes is None or probes >= of else 1 for of in (size, d - size))
    floor = added * (eps / call.h) ** 2 * call.y[:, region].square().sum(1)
    return Products(
        moments,
        both,
        moments.new_tensor([min(own_freedom, freedom)]),
        moments.new_tensor([size]),
        floor,
        eps,
    )


def _part(
    call: _Calls,
    region: Tensor,
    where: Tensor,
    probes: int | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor, float]:
    """What vectors on some of the numbers say: v·J_R v (of the region only) and ‖J_R v‖².

    Args:
        call: f.
        region: whose outputs are looked at.
        where: the numbers that are moved.
        probes: how many vectors; None: each number by itself.
        generator: of the vectors.

    Returns:
        The moments [B, 2], the covariance of their estimates [B, 2, 2], and the freedom of that.
    """
    size, batch = int(where.sum()), len(call.x)
    count = count_of(size, probes)
    rows = call.y.new_zeros(count, batch, 2)
    random = None if count == size else frames(call.x, size, count, generator)
    for place in range(count):
        v = torch.zeros_like(call.x)
        if random is None:
            v.view(batch, -1)[:, where.flatten().nonzero()[place]] = 1
        else:
            v[:, where] = random[place]
        change = call.along(v)[:, region]
        own = (change * v[:, region]).sum(1)
        rows[place] = torch.stack([own, change.square().sum(1)], 1)
    return moments_of(rows, size)
