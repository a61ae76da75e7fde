"""Gaussian diffusion: schedules, noising, the three targets and their conversion, and sampling.

The notation is the paper's (§5.2, A.1) with ᾱ_t throughout: x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε for
t = 0 … T−1, ᾱ_t falling. Given x_t each of three quantities determines the others: the noise ε, the
signal x_0, and v = √ᾱ ε − √(1−ᾱ) x_0. A network may predict any of them.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import NamedTuple, Protocol, SupportsIndex

import numpy as np
import torch
from torch import Tensor, nn

from localbias.checks import require, typed

TARGETS = ("noise", "x0", "v")
VARIANCES = ("small", "large")  # of ancestral sampling
SCHEDULES = ("linear", "cosine", "sigmoid")
# Of the first step: less is lost beside the signal in single precision. Of the last step: x̂0 from
# the noise divides by it and must stay finite there. The other paper's schedule ends at 4e-24:
# x̂0 means nothing there, but a sampler that goes back to the noise loses nothing by it.
LEAST_NOISE, LEAST_SIGNAL = 1e-6, 1e-30


class DenoiserLike(Protocol):
    """What is called as a denoiser: a `Denoiser`, an exact one, or a model of one's own."""

    @property
    def target(self) -> str:
        """What is predicted: "noise", "x0" or "v"."""

    def __call__(self, x_t: Tensor, t: Tensor | int, /) -> Tensor:
        """The prediction `[B, *shape]` at x_t `[B, *shape]` and t, int [B] or a scalar."""


@dataclass(frozen=True)
class Schedule:
    """How much noise each of T steps carries.

    Attributes:
        kind: "linear": β from `beta_start` to `beta_end` (Ho et al. 2020; the paper doesn't name
            its schedule); "cosine": ᾱ a squared cosine (Nichol & Dhariwal 2021); "sigmoid": ᾱ a
            falling sigmoid from −3 to 3 (Jabri et al. 2022).
        steps: T, at least 2.
        beta_start: the first β of a linear schedule.
        beta_end: its last.

    Raises:
        ValueError: for an unknown kind, for values out of range, and where the last step has no
            signal left, or the first no noise, that single precision could tell from none.
    """

    kind: str = "linear"
    steps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02

    def __post_init__(self):
        typed(self)
        require(self, "kind", self.kind in SCHEDULES, ", ".join(SCHEDULES))
        require(self, "steps", self.steps >= 2, "at least 2")
        if not 0 < self.beta_start <= self.beta_end < 1:
            raise ValueError(
                f"β from {self.beta_start} to {self.beta_end}; must rise inside (0, 1)"
            )
        ends = self.alpha_bar[-1].sqrt().item(), (1 - self.alpha_bar[0]).sqrt().item()
        names = "signal √ᾱ of the last", "noise √(1−ᾱ) of the first"
        for what, scale, least in zip(names, ends, (LEAST_SIGNAL, LEAST_NOISE)):
            if scale < least:
                raise ValueError(f"{self}: the {what} step is {scale:.1e}; allowed: from {least}")

    @cached_property
    def alpha_bar(self) -> Tensor:
        """ᾱ_t, float64 [T]."""
        if self.kind == "linear":
            betas = torch.linspace(self.beta_start, self.beta_end, self.steps, dtype=torch.float64)
        else:
            time = torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)
            if self.kind == "cosine":
                level = ((time + 0.008) / 1.008 * math.pi / 2).cos() ** 2
            else:
                level = (3 - 6 * time).sigmoid() - torch.tensor(-3.0, dtype=torch.float64).sigmoid()
            # Without this bound the last steps would remove the whole signal.
            betas = (1 - level[1:] / level[:-1]).clamp(max=0.999)
        return (1 - betas).cumprod(0)

    def index(self, *, sqrt_alpha_bar: float) -> int:
        """The step t whose √ᾱ_t is nearest; the paper names its noise levels by √ᾱ (§4.3)."""
        if not 0 < sqrt_alpha_bar < 1:
            raise ValueError(f"sqrt_alpha_bar={sqrt_alpha_bar}; must lie inside (0, 1)")
        return int((self.alpha_bar.sqrt() - sqrt_alpha_bar).abs().argmin())

    def scales(self, t: Tensor | int, like: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1−ᾱ_t), to be multiplied with a batch.

        Args:
            t: int [B] or a scalar.
            like: [B, ...], whose dtype and device they get.

        Returns:
            Two tensors of as many axes as `like`, of length 1 but for the first.

        Raises:
            ValueError: for what is no step of the schedule.
        """
        signal, spread = self._scales_on(like.device, like.dtype)
        if type(t) is not int or not 0 <= t < self.steps:  # a plain number needs no tensor
            t = self._steps(t).to(like.device)
        shape = (-1, *[1] * (like.ndim - 1))
        return signal[t].reshape(shape), spread[t].reshape(shape)

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor | int) -> Tensor:
        """x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε (§5.2): x0 and noise [B, ...], t int [B] or a scalar."""
        signal, spread = self.scales(t, x0)
        return signal * x0 + spread * noise

    def convert(
        self, prediction: Tensor, x_t: Tensor, t: Tensor | int, source: str, target: str
    ) -> Tensor:
        """A prediction of one quantity as that of another.

        Args:
            prediction: `[B, *shape]`, of `source`.
            x_t: `[B, *shape]`, the noised signals.
            t: int [B] or a scalar.
            source: what it predicts: "noise", "x0" or "v".
            target: which of these it is converted to.

        Returns:
            `[B, *shape]`, the prediction of `target`.

        Raises:
            ValueError: for an unknown quantity.
        """
        if source == target and source in TARGETS:
            return prediction
        slope, shift = _affine(*self.scales(t, x_t), source, target)
        return shift * x_t + slope * prediction

    def affine(
        self, t: Tensor | np.ndarray | int, source: str, target: str
    ) -> tuple[Tensor, Tensor]:
        """Slope and shift of target = slope·source + shift·x_t.

        So if J is the Jacobian of a prediction of `source`, that of the prediction read as `target`
        is shift·I + slope·J (`Products.converted`).

        Args:
            t: steps of any shape.
            source: what is predicted: "noise", "x0" or "v".
            target: which of these it is converted to.

        Returns:
            Slope and shift, float64 of the shape of t.

        Raises:
            ValueError: for an unknown quantity, and for what is no step of the schedule.
        """
        alpha_bar = self.alpha_bar[self._steps(t).cpu()]
        return _affine(alpha_bar.sqrt(), (1 - alpha_bar).sqrt(), source, target)

    def predict(self, denoiser: DenoiserLike, x_t: Tensor, t: Tensor | int, target: str) -> Tensor:
        """A denoiser's prediction at (x_t, t), converted to one of `target`: `[B, *shape]`."""
        return self.convert(denoiser(x_t, t), x_t, t, denoiser.target, target)

    def _steps(self, t: Tensor | np.ndarray | int) -> Tensor:
        """Steps as int64, which index; ValueError for others than 0 to T−1."""
        steps = torch.as_tensor(t)
        whole = not (steps.is_floating_point() or steps.is_complex() or steps.dtype == torch.bool)
        try:
            inside = not steps.numel() or bool(0 <= steps.min() <= steps.max() < self.steps)
        except RuntimeError:  # torch.vmap hides the values
            inside = True
        if not (whole and inside):
            shown = f"{steps.dtype} {steps.flatten()[:4].tolist()}"
            raise ValueError(f"steps t, {shown}; allowed: whole numbers from 0 to {self.steps - 1}")
        return steps.long()

    def _scales_on(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """√ᾱ and √(1−ᾱ) of all steps on a device, copied there once."""
        cache = self.__dict__.setdefault("_by_device", {})
        if (device, dtype) not in cache:
            roots = self.alpha_bar.sqrt(), (1 - self.alpha_bar).sqrt()
            cache[device, dtype] = tuple(root.to(device, dtype) for root in roots)
        return cache[device, dtype]


def _affine(c: Tensor, s: Tensor, source: str, target: str) -> tuple[Tensor, Tensor]:
    """Slope and shift from √ᾱ and √(1−ᾱ), the cosine and sine of one angle."""
    for name in (source, target):
        if name not in TARGETS:
            raise ValueError(f"unknown target {name!r}; known: {', '.join(TARGETS)}")
    match source, target:  # only the pair that is asked for is computed: it happens at every step
        case "noise", "x0":
            return -s / c, 1 / c
        case "noise", "v":
            return 1 / c, -s / c
        case "x0", "noise":
            return -c / s, 1 / s
        case "x0", "v":
            return -1 / s, c / s
        case "v", "noise":
            return c, s
        case "v", "x0":
            return -s, c
    return torch.ones_like(c), torch.zeros_like(c)


class Denoiser(nn.Module):
    """A network whose output is read as one quantity and handed on as a prediction of another.

    Attributes:
        network: maps x `[B, *shape]` and t int [B] to `[B, *shape]`.
        schedule: whose steps t are.
        reads: what the network's output is read as: "noise", "x0" or "v".
        target: what the denoiser predicts. The paper's loss compares noise (Eq. 8), whatever the
            output is read as: ‖ε − ε̂‖² = ᾱ ‖v − v̂‖².

    Raises:
        ValueError: for an unknown quantity.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, reads: str = "noise", target: str = "noise"
    ):
        super().__init__()
        for name in (reads, target):
            if name not in TARGETS:
                raise ValueError(f"unknown target {name!r}; known: {', '.join(TARGETS)}")
        self.network, self.schedule, self.reads, self.target = network, schedule, reads, target

    def forward(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """The prediction of `target` at x_t `[B, *shape]` and t, int [B] or a scalar."""
        t = torch.as_tensor(t, device=x_t.device).expand(len(x_t))
        return self.schedule.convert(self.network(x_t, t), x_t, t, self.reads, self.target)


class Reverse(NamedTuple):
    """One step of sampling.

    Attributes:
        t: the step.
        x_t: `[B, *shape]`, the state there.
        x0: `[B, *shape]`, the x̂0 that is predicted from it.
    """

    t: int
    x_t: Tensor
    x0: Tensor


def ddim(
    denoiser: DenoiserLike,
    schedule: Schedule,
    x_T: Tensor,
    steps: int | None = None,
    eta: float = 0.0,
    clamp: float | None = None,
    generator: torch.Generator | None = None,
    variance: str = "small",
) -> Iterator[Reverse]:
    """DDIM sampling (Song et al. 2021, Eq. 12); the last x̂0 yielded is the sample.

    Args:
        denoiser: what is sampled from.
        schedule: the noise.
        x_T: `[B, *shape]`, the noise to begin with.
        steps: how many of the schedule's T steps are visited, evenly spaced and both ends among
            them; None is all.
        eta: 0 is deterministic, 1 is ancestral.
        clamp: x̂0 is clipped to [−clamp, clamp] and ε̂ recomputed from it; None leaves both alone.
        generator: of the noise that is added where eta is above 0.
        variance: of that noise with eta = 1: "small" is β̃ (Eq. 7), "large" is β (Ho et al. 2020,
            §3.2), of the step between two visited ones.

    Yields:
        Each visited step, from the noisiest on.

    Raises:
        ValueError: for steps, eta, clamp or variance out of range.
    """
    steps = schedule.steps if steps is None else steps
    if not isinstance(steps, SupportsIndex) or not 2 <= index(steps) <= schedule.steps:
        raise ValueError(f"steps={steps}; the schedule allows 2 to {schedule.steps}")
    if not 0 <= eta <= 1:
        raise ValueError(f"eta={eta}; allowed: 0 (deterministic) to 1 (ancestral)")
    if clamp is not None and not clamp > 0:
        raise ValueError(f"clamp={clamp}; allowed: above 0, or None")
    if variance not in VARIANCES or (variance == "large" and eta != 1):
        raise ValueError(f"variance={variance!r}, eta={eta}; allowed: small, or large with eta=1")
    times = (
        torch.linspace(schedule.steps - 1, 0, steps, dtype=torch.float64).round().long().tolist()
    )
    x = x_T
    for t, earlier in zip(times, [*times[1:], None]):
        x0 = schedule.predict(denoiser, x, t, "x0")
        x0 = x0 if clamp is None else x0.clamp(-clamp, clamp)
        yield Reverse(t, x, x0)
        if earlier is None:
            return
        noise = schedule.convert(x0, x, t, "x0", "noise")
        now, then = schedule.alpha_bar[t], schedule.alpha_bar[earlier]
        sigma = eta * ((1 - then) / (1 - now) * (1 - now / then)).sqrt()  # η = 1: the √β̃_t of DDPM
        x = then.sqrt().item() * x0 + (1 - then - sigma**2).sqrt().item() * noise
        if eta:
            fresh = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
            added = sigma if variance == "small" else (1 - now / then).sqrt()
            x = x + added.item() * fresh


def nearest(
    states: Iterable[Reverse], schedule: Schedule, levels: Sequence[float]
) -> list[Reverse | None]:
    """The visited state nearest to each level, by √ᾱ; the first of equals.

    Args:
        states: of a sampler.
        schedule: the noise.
        levels: by √ᾱ.

    Returns:
        In the order of the levels; None where nothing was visited.
    """
    found: list[Reverse | None] = [None] * len(levels)
    off = [math.inf] * len(levels)
    for state in states:
        here = schedule.alpha_bar[state.t].sqrt().item()
        for place, level in enumerate(levels):
            if abs(here - level) < off[place]:
                found[place], off[place] = state, abs(here - level)
    return found


def device_of(denoiser: DenoiserLike) -> torch.device:
    """Where a denoiser computes; one without parameters, such as an exact one, anywhere: "cpu"."""
    parameters = denoiser.parameters() if isinstance(denoiser, nn.Module) else iter(())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


def last(states: Iterator[Reverse]) -> Tensor:
    """The sample `[B, *shape]` that a sampler ends in."""
    (state,) = deque(states, maxlen=1)
    return state.x0
