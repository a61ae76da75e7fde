"""How locally exact denoisers work over all noise levels, and where it matters to know the rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from localbias.diffusion import DenoiserLike, Schedule
from localbias.exact.reference import RESOLUTION, Reference
from localbias.grammar import Grammar
from localbias.ldr import local_dependency_ratio, mean_ratio
from localbias.render import Renderer

READ_AS = ("x0", "noise")  # targets whose ratios are compared


@dataclass(frozen=True)
class OverLevels:
    """What the exact denoisers of one set of data show at V noise levels.

    Attributes:
        levels: [V], by √ᾱ.
        ratios: target ("x0", "noise") -> name of the reference -> mean local dependency ratio [V],
            NaN where more than half of the Jacobians vanish.
        gap: [V], the loss (of x0) of the marginals denoiser beyond the rule's.
        band: the levels between which the gap is at least a tenth of its largest.
    """

    levels: np.ndarray
    ratios: Mapping[str, Mapping[str, np.ndarray]]
    gap: np.ndarray
    band: tuple[float, float]

    def inside(self, level: float) -> bool:
        """Whether knowing the rule matters at that level."""
        return self.band[0] <= level <= self.band[1]


def over_levels(
    grammar: Grammar,
    renderer: Renderer,
    schedule: Schedule,
    references: Mapping[str, Reference],
    levels: Sequence[float],
    seed: int,
    *,
    signals: int = 48,
    probes: int = 16,
    symbol: int = 0,
) -> OverLevels:
    """The local dependency ratio of exact denoisers, and the loss that the rule saves, by level.

    Args:
        grammar: whose valid strings are shown and noised.
        renderer: shows them.
        schedule: the noise.
        references: the exact denoisers by name, "rule" and "marginals" among them
            (`exact.references`).
        levels: [V], by √ᾱ.
        seed: of the signals and the noise.
        signals: of which the ratios are means; the gap is over 20 times as many.
        probes: random vectors a signal.
        symbol: whose place is the region.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(n: int) -> Tensor:
        return renderer(grammar.sample(n, generator), generator)

    x0, region, many = drawn(signals), renderer.region(symbol), drawn(20 * signals)
    rule, marginals = references["rule"], references["marginals"]
    ratios: dict[str, dict[str, list[float]]] = {
        target: {name: [] for name in references} for target in READ_AS
    }
    gaps = []
    for level in levels:
        t = schedule.index(sqrt_alpha_bar=level)
        x_t = schedule.add_noise(x0, torch.randn(x0.shape, generator=generator), t).double()
        gaps.append(gap(rule, marginals, many, t, generator).mean().item())
        for name, denoiser in references.items():
            products = local_dependency_ratio(
                _at(denoiser, t),
                x_t,
                region,
                probes,
                generator,
                resolution=RESOLUTION,
                details=True,
            )
            for target in READ_AS:
                converted = products.converted(*schedule.affine(t, "x0", target))
                ratios[target][name].append(float(mean_ratio(converted)))
    arrays = {
        target: {name: np.array(column) for name, column in by_name.items()}
        for target, by_name in ratios.items()
    }
    inside = band(torch.as_tensor(levels), torch.tensor(gaps))
    return OverLevels(np.asarray(levels), arrays, np.array(gaps), inside)


def gap(
    better: Reference,
    worse: DenoiserLike,
    x0: Tensor,
    t: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean squared distance per number of two denoisers' x̂0, at the same noised signals.

    Where x0 follows the law of `better`, its mean is the excess loss (of x0) of `worse` over the
    optimum: E‖x̂0 − x0‖² is least for E[x0 | x_t], and larger for any other x̂0 by its distance
    from that. Only at levels where rule and marginals differ does a network's output show whether
    it knows the rule.

    Args:
        better: an exact denoiser.
        worse: any other, a network in its own precision.
        x0: `[n, *shape]`, the signals that are noised.
        t: the step.
        generator: of the noise.

    Returns:
        float64 [n], a value for each signal.
    """
    x0 = x0.double()
    x_t = better.schedule.add_noise(
        x0, torch.randn(x0.shape, generator=generator, dtype=x0.dtype), t
    )
    precision = next(worse.parameters(), x_t).dtype if isinstance(worse, nn.Module) else x_t.dtype
    with torch.no_grad():
        found = better.schedule.predict(worse, x_t.to(precision), t, "x0")
    return (better(x_t, t) - found).square().flatten(1).mean(1)


def band(levels: Tensor, gaps: Tensor, share: float = 0.1) -> tuple[float, float]:
    """The noise levels between which the gap is at least a share of its largest.

    Args:
        levels: [V], by √ᾱ.
        gaps: [V], as of `gap`.
        share: of the largest gap.

    Returns:
        The lowest and the highest such level.

    Raises:
        ValueError: where no gap is above 0: then there is no such level.
    """
    if not gaps.max() > 0:
        raise ValueError(f"gaps up to {gaps.max()}: nowhere above 0")
    inside = levels[gaps >= share * gaps.max()]
    return inside.min().item(), inside.max().item()


def _at(denoiser: Reference, t: int) -> Callable[[Tensor], Tensor]:
    """A denoiser at one step, as a function of x_t alone."""
    return lambda x_t: denoiser(x_t, t)
