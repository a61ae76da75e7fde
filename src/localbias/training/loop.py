"""The training loop: a generator that yields its state after every step.

Nothing is called back: the caller iterates, and between steps it samples, probes, draws or saves.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from localbias.checks import require, typed
from localbias.diffusion import Denoiser
from localbias.seeds import random_generator
from localbias.training.penalty import Locality, Penalty, penalty


@dataclass(frozen=True)
class Training:
    """How a network is trained: Adam on the mean squared error of the denoiser's target.

    All noise levels count alike. With the target "noise" that is the paper's loss, E‖ε − ε̂‖²
    (§5.2, Eq. 8).

    Attributes:
        steps: of the optimizer.
        batch: signals a step.
        rate: Adam's learning rate; the paper's is 8e-5.
        warmup: steps over which it is reached linearly.
        decay: of the rate: "constant", or "linear" to zero at the last step.
        ema: decay of the average of the weights, 0 for none; samples are drawn from the average.
        clip: largest norm of the gradient, None for no limit.
        focus: by √ᾱ, noise levels between which those of half of each batch lie; None: all of a
            batch have any level alike.
        penalty: on locality, added to the loss; None for none.

    Raises:
        ValueError: for a field out of range.
    """

    steps: int
    batch: int = 128
    rate: float = 1e-3
    warmup: int = 0
    decay: str = "constant"
    ema: float = 0.0
    clip: float | None = None
    focus: tuple[float, float] | None = None
    penalty: Penalty | None = None

    def __post_init__(self):
        typed(self)
        require(self, "decay", self.decay in ("constant", "linear"), "constant, linear")
        require(self, "steps", self.steps >= 1, "at least 1")
        require(self, "batch", self.batch >= 1, "at least 1")
        require(self, "rate", self.rate > 0, "above 0")
        require(self, "warmup", 0 <= self.warmup <= self.steps, "0 to steps")
        require(self, "ema", 0 <= self.ema < 1, "0 to below 1")
        require(self, "clip", self.clip is None or self.clip > 0, "above 0, or None")
        inside = self.focus is None or 0 < self.focus[0] < self.focus[1] < 1
        require(self, "focus", inside, "rising, inside (0, 1), or None")

    def rate_at(self, step: int) -> float:
        """The learning rate of the step that follows `step` finished ones."""
        warm = min(1.0, (step + 1) / (self.warmup + 1))
        left = 1 - step / self.steps if self.decay == "linear" else 1
        return self.rate * warm * left


@dataclass
class State:
    """Where a training stands.

    Attributes:
        denoiser: the network being trained.
        average: its averaged copy; the same object where there is no average.
        optimizer: of the network.
        step: steps that were taken.
        loss: the last batch's mean squared error of the denoiser's target, without a penalty.
    """

    denoiser: Denoiser
    average: Denoiser
    optimizer: torch.optim.Optimizer
    step: int = 0
    loss: float = float("nan")

    @classmethod
    def fresh(cls, denoiser: Denoiser, config: Training) -> "State":
        """The state before the first step."""
        average = copy.deepcopy(denoiser).requires_grad_(False) if config.ema else denoiser
        optimizer = torch.optim.Adam(denoiser.parameters(), lr=config.rate, fused=True)
        return cls(denoiser, average, optimizer)


def train(
    state: State,
    config: Training,
    draw: Callable[[torch.Generator, int], Tensor],
    seed: int,
    locality: Locality | None = None,
) -> Iterator[State]:
    """Train from a state to the end.

    Signals, noise levels and noise of a step come from (seed, step) alone, on the CPU, so that
    neither the device nor an interruption changes them.

    Args:
        state: where to begin; it is changed.
        config: how to train.
        draw: called with a generator and n, gives n training signals `[n, *shape]`.
        seed: of the batches.
        locality: what a penalty needs to know of the data.

    Yields:
        The same state after each step.

    Raises:
        ValueError: for a penalty without `locality`, or one that aims at the rule where no exact
            denoiser is known.
        FloatingPointError: where the loss is no longer finite.
    """
    denoiser, optimizer = state.denoiser, state.optimizer
    schedule, device = denoiser.schedule, next(denoiser.parameters()).device
    if config.penalty and locality is None:
        raise ValueError(f"training.penalty={config.penalty}; it needs the regions: give locality")
    weights: list[Tensor] = list(denoiser.parameters())
    averages: list[Tensor] = list(state.average.parameters())
    while state.step < config.steps:
        generator = random_generator("batch", seed, state.step)
        x0 = draw(generator, config.batch)
        t = torch.randint(schedule.steps, (len(x0),), generator=generator).to(device)
        noise = torch.randn(x0.shape, generator=generator).to(device)
        if config.focus:
            first, last = (schedule.index(sqrt_alpha_bar=level) for level in config.focus[::-1])
            half = len(x0) // 2
            t[:half] = torch.randint(first, last + 1, (half,), generator=generator).to(device)
        x_t = schedule.add_noise(x0.to(device), noise, t)
        target = schedule.convert(noise, x_t, t, "noise", denoiser.target)
        loss = (denoiser(x_t, t) - target).square().mean()
        optimizer.zero_grad()
        if config.penalty and locality:
            added = penalty(config.penalty, denoiser, x0.to(device), locality, seed, state.step)
            (loss + added).backward()
        else:
            loss.backward()
        if config.clip is not None:
            torch.nn.utils.clip_grad_norm_(weights, config.clip, foreach=True)
        for group in optimizer.param_groups:
            group["lr"] = config.rate_at(state.step)
        optimizer.step()
        state.step += 1
        if config.ema:
            # A short memory at first, so that the average forgets the initial weights.
            keep = min(config.ema, state.step / (10 + state.step))
            with torch.no_grad():
                torch._foreach_lerp_(averages, weights, 1 - keep)
        state.loss = loss.item()
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {state.loss} at step {state.step}: "
                f"lower rate={config.rate} or set clip"
            )
        yield state
