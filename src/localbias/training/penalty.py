"""A penalty on locality: what is added to the loss so that a network's ratio goes where one wants.

The local dependency ratio of x̂0 is differentiated once more, by the weights. What it does to a
network is chapter 6's question; it works on any f that can be differentiated twice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from localbias.checks import require, typed
from localbias.diffusion import Denoiser, DenoiserLike
from localbias.seeds import random_generator

LEAST = 1e-12  # a smaller ‖J_R‖² counts as this: its ratio is 0 and pulls at nothing


@dataclass(frozen=True)
class Penalty:
    """What is added to the loss: weight × (LDR − aim)², of x̂0 at one noise level a signal.

    Attributes:
        weight: of the penalty beside the loss.
        aim: the ratio to be reached, 0 to 1; or "rule": that of the exact denoiser of the rule at
            the same x_t.
        pooled: whether it is the ratio of means over the batch that is compared, or each signal's.
        levels: by √ᾱ, between which the noise levels are drawn.
        signals: of the batch, the first, that are looked at in a step.

    Raises:
        ValueError: for a field out of range.
    """

    weight: float
    aim: float | str = "rule"
    pooled: bool = False
    levels: tuple[float, float] = (0.7, 0.9)
    signals: int = 64

    def __post_init__(self):
        typed(self)
        number = not isinstance(self.aim, str)
        within = 0 <= float(self.aim) <= 1 if number else self.aim == "rule"
        require(self, "weight", self.weight > 0, "above 0")
        require(self, "aim", within, "0 to 1, or 'rule'")
        require(self, "levels", 0 < self.levels[0] < self.levels[1] < 1, "rising, inside (0, 1)")
        require(self, "signals", self.signals >= 1, "at least 1")


@dataclass(frozen=True)
class Locality:
    """What a penalty needs to know of the data.

    Attributes:
        regions: bool `[n, *shape]`, of which each step takes one at random.
        rule: the exact denoiser of the rule; None where the aim is a number.
    """

    regions: Tensor
    rule: DenoiserLike | None = None


def norms(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    region: Tensor,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Estimates of ‖J_RR‖² and ‖J_R‖² (Eq. 2) that can be differentiated by f's weights.

    One random sign vector on the region a signal: unbiased, and exact for a region of one number.

    Args:
        f: maps `[B, *shape]` to `[B, *shape]`, each signal by itself.
        x: floating point `[B, *shape]`.
        region: bool `[*shape]`.
        generator: of the signs.

    Returns:
        Two tensors [B] with a graph.
    """
    signs = torch.randint(0, 2, x.shape, generator=generator).to(x) * 2 - 1
    x = x.detach().requires_grad_()
    # The fast kernels of attention cannot be differentiated twice.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        pulled = (f(x) * signs * region).sum()
        (gradient,) = torch.autograd.grad(pulled, x, create_graph=True)
    square = gradient.square()
    return (square * region).flatten(1).sum(1), square.flatten(1).sum(1)


def distance(
    found: tuple[Tensor, Tensor], aim: tuple[Tensor, Tensor] | float, pooled: bool
) -> Tensor:
    """The mean of (LDR − aim)² over signals, or that of the ratio of means.

    Args:
        found: what `norms` gives of the network.
        aim: a ratio, or what `norms` gives of what it should be like.
        pooled: whether the ratio of means is compared.

    Returns:
        A scalar with a graph.
    """
    goal = aim if isinstance(aim, float | int) else _ratio(aim, pooled).detach()
    return (_ratio(found, pooled) - goal).square().mean()


def penalty(
    config: Penalty, denoiser: Denoiser, x0: Tensor, locality: Locality, seed: int, step: int
) -> Tensor:
    """What is added to the loss in one step.

    Noise levels, noise, region and signs come from (seed, step), apart from those of the batch, so
    that a run with a penalty sees the very batches of one without.

    Args:
        config: the penalty.
        denoiser: being trained.
        x0: the batch `[n, *shape]`.
        locality: regions, and the rule where it is the aim.
        seed: of the run.
        step: steps that were taken.

    Raises:
        ValueError: where the aim is the rule and there is no exact denoiser of it.
    """
    if config.aim == "rule" and locality.rule is None:
        raise ValueError("penalty.aim='rule'; these data have no exact denoiser: give a number")
    schedule, generator = denoiser.schedule, random_generator("penalty", seed, step)
    low, high = (schedule.index(sqrt_alpha_bar=level) for level in reversed(config.levels))
    x0 = x0[: config.signals]
    t = torch.randint(low, high + 1, (len(x0),), generator=generator).to(x0.device)
    noise = torch.randn(x0.shape, generator=generator).to(x0.device)
    which = int(torch.randint(len(locality.regions), (1,), generator=generator))
    region, x_t = locality.regions[which].to(x0.device), schedule.add_noise(x0, noise, t)
    signs = generator.get_state()  # the rule is looked at along the same vectors

    def along(of: DenoiserLike) -> tuple[Tensor, Tensor]:
        generator.set_state(signs)
        return norms(lambda x: schedule.predict(of, x, t, "x0"), x_t, region, generator)

    aim = along(locality.rule) if isinstance(config.aim, str) and locality.rule else config.aim
    assert not isinstance(aim, str)
    return config.weight * distance(along(denoiser), aim, config.pooled)


def _ratio(norms: tuple[Tensor, Tensor], pooled: bool) -> Tensor:
    inside, total = (part.mean(0, keepdim=True) if pooled else part for part in norms)
    return inside / total.clamp(min=LEAST)
