"""What vector-Jacobian products say about a region: moments of its Jacobian, the ratio, its error.

Three moments are kept, tr J_RR, ‖J_RR‖² and ‖J_R‖². Those of a·I + b·J are affine in those of J, so
the products of one target's Jacobian give the ratio of any other target, with its error.
"""

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from localbias.statistics import mean_interval, student_quantile


@dataclass(frozen=True)
class Products:
    """What vector-Jacobian products say about J_R at each sample, for any number of leading axes.

    Attributes:
        moments: float64 [..., B, 3]: tr J_RR, ‖J_RR‖² and ‖J_R‖², exact or the means over probes.
        covariance: float64 [..., B, 3, 3], of those means; 0 where they are exact.
        freedom: [..., 1], probes less one, from which the covariance is estimated; infinite where
            the moments are exact.
        size: [..., 1], |R|, the numbers in the region.
        floor: [..., B]; a ‖J_R‖² up to this is rounding, and its ratio 0/0.
        eps: relative rounding error of one product.
    """

    moments: Tensor
    covariance: Tensor
    freedom: Tensor
    size: Tensor
    floor: Tensor
    eps: float

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, index: Any) -> "Products":
        """Some of the leading axes, as a tensor is indexed."""
        several = self.freedom.ndim > 1  # regions, each with its own freedom and size
        return replace(
            self,
            moments=self.moments[index],
            covariance=self.covariance[index],
            floor=self.floor[index],
            freedom=self.freedom[index] if several else self.freedom,
            size=self.size[index] if several else self.size,
        )

    @property
    def inside(self) -> Tensor:
        """The numerator ‖J_RR‖² [..., B]."""
        return self.moments[..., 1]

    @property
    def total(self) -> Tensor:
        """The denominator ‖J_R‖² [..., B]."""
        return self.moments[..., 2]

    @property
    def vanishing(self) -> Tensor:
        """Where the Jacobian is zero but for rounding, so that there is no ratio: bool [..., B]."""
        return ~(self.total > self.floor)

    @property
    def mostly_there(self) -> Tensor:
        """Whether at least half of the samples have a ratio: bool [...].

        Only then does a mean stand for all of them.
        """
        return 2 * self.vanishing.sum(-1) <= self.vanishing.shape[-1]

    @property
    def ratio(self) -> Tensor:
        """The local dependency ratio [..., B] of each sample, 0 where the Jacobian vanishes.

        The ratio of two estimates is biased by O(1/probes). The leading term is subtracted, so a
        ratio near 1 may come out a little above it.
        """
        total = self.total.where(~self.vanishing, 1)
        plain = self.inside / total
        bias = (plain * self.covariance[..., 2, 2] - self.covariance[..., 1, 2]) / total / total
        return (plain - bias).where(~self.vanishing, 0)

    @property
    def standard_error(self) -> Tensor:
        """The ratio's standard error [..., B], by the delta method.

        It is 0 where the ratio is exact, and infinite for a single probe.
        """
        total, covariance = self.total.where(~self.vanishing, 1), self.covariance
        plain = self.inside / total
        variance = (
            covariance[..., 1, 1]
            - 2 * plain * covariance[..., 1, 2]
            + plain**2 * covariance[..., 2, 2]
        )
        error = (variance.clamp(min=0).sqrt() / total).where(~self.vanishing, 0)
        return error.where(self.freedom > 0, math.inf)

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """Student's interval of the exact ratio, sample by sample, about the linearised estimate.

        It holds its level where the Jacobian has many directions. Where it has few, an interval of
        95 % contains the ratio less often: of two directions about four times in five with 2 to 4
        probes, and six in seven with 8 or 16. The interval of `summary` does not depend on it.

        Args:
            level: the probability with which the interval should hold the exact ratio.

        Returns:
            Low and high end, [..., B].
        """
        quantile = torch.from_numpy(student_quantile(level, self.freedom.cpu().numpy()))
        wide = quantile.to(self.total) * self.standard_error
        return self.ratio - wide, self.ratio + wide

    def converted(self, slope: Tensor | float, shift: Tensor | float) -> "Products":
        """The products of shift·x + slope·f(x), whose Jacobian is shift·I + slope·J.

        So another target is read from the same products.

        Args:
            slope: a number, or a tensor that broadcasts against [..., B] (`Schedule.affine`).
            shift: a number, or such a tensor.
        """
        slope, shift = (
            torch.as_tensor(part).to(self.total).expand_as(self.total) for part in (slope, shift)
        )
        zero = torch.zeros_like(slope)
        rows = [
            [slope, zero, zero],
            [2 * shift * slope, slope**2, zero],
            [2 * shift * slope, zero, slope**2],
        ]
        linear = torch.stack([torch.stack(row, -1) for row in rows], -2)
        constant = torch.stack([shift * self.size, shift**2 * self.size, shift**2 * self.size], -1)
        # shift·I and slope·J can cancel; what remains is rounding of this size.
        scale = shift**2 * self.size + slope**2 * self.total
        return Products(
            (linear @ self.moments[..., None])[..., 0] + constant,
            linear @ self.covariance @ linear.mT,
            self.freedom,
            self.size,
            slope**2 * self.floor + self.eps * scale * (shift != 0),
            self.eps,
        )

    def summary(self, level: float = 0.95) -> "Summary":
        """The mean of ratios over the samples of one region, and the ratio of means beside it.

        The intervals are over the samples and include the probes' randomness. The mean of ratios
        leaves out samples that have no ratio; the ratio of means keeps them all.

        Args:
            level: the probability with which the intervals should hold the true values.

        Raises:
            ValueError: for several regions or other leading axes, and where every Jacobian
                vanishes.
        """
        if self.moments.ndim != 2:
            raise ValueError(
                f"moments {tuple(self.moments.shape)}; a summary is of one region: [B, 3]"
            )
        ratios = self.ratio[~self.vanishing]
        if not len(ratios):
            raise ValueError(f"all {len(self.moments)} Jacobians vanish: no ratio is defined")
        n = len(self.moments)
        centred = self.moments - self.moments.mean(0)
        pooled = Products(
            self.moments.mean(0, keepdim=True),
            (centred.T @ centred / max(1, n - 1) / n)[None],
            torch.full_like(self.size, n - 1),
            self.size,
            self.floor.mean(0, keepdim=True),
            self.eps,
        )
        low, high = (bound.item() for bound in pooled.interval(level))
        counts = len(ratios), n - len(ratios)
        return Summary(*mean_interval(ratios, level), pooled.ratio.item(), low, high, *counts)


class Summary(NamedTuple):
    """The ratio over many samples.

    Attributes:
        mean: of the ratios.
        low: end of its interval.
        high: end of its interval.
        pooled: the ratio of means.
        pooled_low: end of its interval.
        pooled_high: end of its interval.
        samples: that have a ratio.
        vanishing: samples that have none.
    """

    mean: float
    low: float
    high: float
    pooled: float
    pooled_low: float
    pooled_high: float
    samples: int
    vanishing: int


def mean_ratio(products: Products) -> np.ndarray:
    """The mean of ratios over the last axis, NaN where most of its Jacobians vanish: [...]."""
    defined = (~products.vanishing).sum(-1).clamp(min=1)
    mean = products.ratio.sum(-1) / defined  # the sum has a 0 for each that vanishes
    return mean.where(products.mostly_there, torch.nan).numpy()


def stacked(found: list[Products]) -> Products:
    """The products of several regions as one, regions first."""
    names = ("moments", "covariance", "freedom", "size", "floor")
    parts: dict[str, Any] = {
        name: torch.stack([getattr(one, name) for one in found]) for name in names
    }
    return replace(found[0], **parts)


def ratio_with_warning(products: Products) -> Tensor:
    """The ratio of each sample; a warning to the caller's caller counts those that have none."""
    if lost := int(products.vanishing.sum()):
        warnings.warn(
            f"{lost} of {products.vanishing.numel()} Jacobians vanish: their ratio is 0/0 and "
            "stands here as 0; details=True gives the mask and the ratio of means",
            stacklevel=3,
        )
    return products.ratio
