"""What vector-Jacobian products tell of a region: estimates with their covariance, and the ratio with its error.

All is affine in three numbers, tr J_RR, ‖J_RR‖² and ‖J_R‖², so products of one target's Jacobian J serve any other's,
a·I + b·J, error and all.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from localbias.statistics import mean_interval, student_quantile


@dataclass(frozen=True)
class Products:
    """What vector-Jacobian products tell of J_R at each sample, for any number of leading axes.

    moments     float64 [..., B, 3]: tr J_RR, ‖J_RR‖² and ‖J_R‖², exact or the means over the probes
    covariance  float64 [..., B, 3, 3]: of those means; 0 where they are exact
    freedom     [..., 1]: probes less one, of which the covariance is estimated; infinite where the moments are exact
    size        [..., 1]: |R|, the numbers in the region
    floor       [..., B]: a ‖J_R‖² up to this is rounding, and its ratio 0/0
    eps         relative rounding error of one product
    """

    moments: Tensor
    covariance: Tensor
    freedom: Tensor
    size: Tensor
    floor: Tensor
    eps: float

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, index) -> "Products":
        """Some of the leading axes, as a tensor is indexed."""
        parts = {
            "moments": self.moments[index],
            "covariance": self.covariance[index],
            "floor": self.floor[index],
        }
        keep = self.freedom.ndim > 1  # several regions, each with its own
        return replace(
            self,
            **parts,
            **({name: getattr(self, name)[index] for name in ("freedom", "size")} if keep else {}),
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
        """Samples whose Jacobian is zero but for rounding, so that they have no ratio: bool [..., B]."""
        return ~(self.total > self.floor)

    @property
    def mostly_there(self) -> Tensor:
        """Whether at least half of the samples have a ratio, so that a mean may stand for them: bool [...]."""
        return 2 * self.vanishing.sum(-1) <= self.vanishing.shape[-1]

    @property
    def ratio(self) -> Tensor:
        """The local dependency ratio [..., B] of each sample, 0 where the Jacobian vanishes.

        The ratio of two estimates is biased by O(1/probes); the leading term is taken off, so that a ratio near 1 may
        come out a little above it.
        """
        total = self.total.where(~self.vanishing, 1)
        plain = self.inside / total
        bias = (plain * self.covariance[..., 2, 2] - self.covariance[..., 1, 2]) / total / total
        return (plain - bias).where(~self.vanishing, 0)

    @property
    def standard_error(self) -> Tensor:
        """Of the ratio [..., B], by the delta method: 0 where it is exact, infinite for a single probe."""
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
        """Between what the exact ratios lie, sample by sample: low and high [..., B].

        Student's t about the linearised ratio. It holds its level where the Jacobian has many directions. Where it has
        few, an interval of 95 % contains the ratio less often: of two directions about four times in five with 2 to 4
        probes, and six in seven with 8 or 16. The interval of `summary` does not depend on it.
        """
        wide = (
            torch.from_numpy(student_quantile(level, self.freedom.cpu().numpy())).to(self.total)
            * self.standard_error
        )
        return self.ratio - wide, self.ratio + wide

    def converted(self, slope: Tensor | float, shift: Tensor | float) -> "Products":
        """The same of shift·x + slope·f(x), whose Jacobian is shift·I + slope·J: another target from the same products.

        slope, shift  numbers, or tensors that broadcast against [..., B], as `Schedule.affine` gives them
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
        """Over the samples of one region (moments [B, 3]): the mean of ratios, and the ratio of means beside it.

        The intervals are over the samples and contain the chance of the probes. Leaving out samples that have no
        ratio selects samples; the ratio of means keeps them all. ValueError if every Jacobian vanishes.
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
        return Summary(
            *mean_interval(ratios, level),
            pooled.ratio.item(),
            low,
            high,
            len(ratios),
            n - len(ratios),
        )


class Summary(NamedTuple):
    """The mean of ratios with its interval, the ratio of means with its, samples that counted, and that vanished."""

    mean: float
    low: float
    high: float
    pooled: float
    pooled_low: float
    pooled_high: float
    samples: int
    vanishing: int


def mean_ratio(products: Products) -> np.ndarray:
    """The mean of ratios over the last axis, NaN where more than half of its Jacobians vanish: [...]."""
    there = ~products.vanishing
    mean = products.ratio.sum(-1) / there.sum(-1).clamp(min=1)  # a vanishing one stands there as 0
    return mean.where(products.mostly_there, torch.nan).numpy()
