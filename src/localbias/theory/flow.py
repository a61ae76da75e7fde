"""Gradient flow of the paper's two-layer network on parity, as gradient descent on fresh symmetric batches (§5, A.8).

The network s(x) = Σ_j a_j ReLU(w_j·x + b_j) predicts ε^(1), the noise of coordinate 1 (here coordinate 0), from
x = √ᾱ x0 + √(1−ᾱ) ε with x0 uniform over the strings of even parity. Two things bring batches near the population:
each point counts with the expected target y(x) = E[ε^(1) | x] instead of one noise (Rao-Blackwell), and with all its
images under a group of sign flips that leaves the law as it is. On the set M where no neuron sees any other coordinate
(the part of the paper's invariant set on which Theorem 5.2 holds) the force off the axis then cancels within
every batch, as it does in the population; whatever leaves M does so because it began off it.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, reduce
from itertools import combinations, count
from operator import xor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from localbias.theory.target import parity_levels
from localbias.training import random_generator

CHUNK = 4096  # points of a held-out sample in one pass
CLOSE = 0.1  # a stair is reached when this share of its drop is left


@cache
def sign_flips(d: int) -> Tensor:
    """A group of flips of an even number of signs, no two coordinates alike: ±1, float64 [g, d].

    Flip u of 2^r turns coordinate k by (−1)^(u·c_k), with distinct c_k ≠ 0 that sum to zero: so every flip is even,
    and Σ g_k = Σ g_k g_l = 0 over the group. For even d the c_k share a bit, and products of three vanish as well.
    The smallest such group is taken (all 2^(d−1) even flips up to d = 6, Reed–Muller codes of 16 and 32 at d = 8 and
    16): points of one batch may then differ in more than signs. ValueError below d = 3, where two coordinates are equal.
    """
    if d < 3:
        raise ValueError(f"d={d}; allowed: at least 3 coordinates")
    for bits in count(2):
        labels = range(1, 2**bits, 1 if d % 2 else 2)
        chosen = next((c for c in combinations(labels, d) if not reduce(xor, c)), None)
        if chosen:
            parities = [[(u & label).bit_count() % 2 for label in chosen] for u in range(2**bits)]
            return 1 - 2 * torch.tensor(parities, dtype=torch.float64)


@dataclass(frozen=True)
class Flow:
    """What decides a flow. Time is rate × steps; the paper gives a rate of 1e-6 and no number of steps.

    d          length of the strings;  alpha_bar  ᾱ, one noise level as in §5
    steps      of plain gradient descent with step size `rate` on E(ε^(1) − s)², the paper's loss
    width      neurons;  scale  standard deviation σ of the initial w and b, where a = ±√(‖w‖² + b²) (balanced)
    batch      fresh points a step, a multiple of the group that each is expanded over
    """

    d: int
    alpha_bar: float = 0.7
    steps: int = 3000
    rate: float = 0.1
    width: int = 128
    scale: float = 1e-3
    batch: int = 2048
    seed: int = 0

    def __post_init__(self):
        flips = len(sign_flips(self.d))
        for name, allowed, what in (
            ("alpha_bar", 0 < self.alpha_bar < 1, "inside (0, 1)"),
            ("steps", self.steps >= 1, "at least 1"),
            ("rate", self.rate > 0, "above 0"),
            ("width", self.width >= 1, "at least 1"),
            ("scale", self.scale > 0, "above 0"),
            ("batch", self.batch > 0 and self.batch % flips == 0, f"a multiple of the {flips} sign flips of d={self.d}"),
        ):
            if not allowed:
                raise ValueError(f"{name}={getattr(self, name)}; allowed: {what}")


class State(NamedTuple):
    """The network after `step` steps, float64: a [m], w [m, d], b [m]; loss of the last batch, NaN before the first."""

    step: int
    loss: float
    a: Tensor
    w: Tensor
    b: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """s(x): [n, d] -> [n]."""
        return torch.cat([torch.addmm(self.b, part, self.w.T).relu_() @ self.a for part in x.split(CHUNK)])

    @property
    def axis(self) -> Tensor:
        """|a_j w_j^(1)| of each neuron [m]: what Figure 6 draws against the rest."""
        return (self.a * self.w[:, 0]).abs()

    @property
    def rest(self) -> Tensor:
        """|a_j| ‖w_j − w_j^(1) e_1‖ of each neuron [m]."""
        return self.a.abs() * self.w[:, 1:].norm(dim=1)

    @property
    def distance(self) -> float:
        """Euclidean distance of the weights to M = {w_j = w_j^(1) e_1 for all j}."""
        return self.w[:, 1:].norm().item()


def start(config: Flow) -> State:
    """The balanced initial weights, drawn from the seed."""
    generator = random_generator("flow", config.seed)
    first = config.scale * torch.randn(config.width, config.d + 1, generator=generator, dtype=torch.float64)
    sign = 1 - 2 * torch.randint(2, (config.width,), generator=generator)
    return State(0, math.nan, sign * first.norm(dim=1), first[:, :-1], first[:, -1])


def flow(config: Flow, state: State | None = None) -> Iterator[State]:
    """Yields the state before the first step and after each; it goes on from `state` where one is given.

    A step's batch comes from (seed, step) alone. FloatingPointError if the loss is no longer finite.
    """
    state = start(config) if state is None else state
    flips, orbits = sign_flips(config.d), config.batch // len(sign_flips(config.d))
    yield state
    for step in range(state.step, config.steps):
        x, y, _ = draw(config, orbits, random_generator("flow", config.seed, step))
        loss, (a, w, b) = gradient(state, *expand(x, y, flips))
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {step}: lower rate={config.rate}")
        a, w, b = state.a - config.rate * a, state.w - config.rate * w, state.b - config.rate * b
        state = State(step + 1, loss, a, w, b)
        yield state


def draw(config: Flow, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """n independent points x [n, d], y(x) = E[ε^(1) | x] and Var[ε^(1) | x], [n]."""
    x0 = 1.0 - 2 * torch.randint(2, (n, config.d), generator=generator)
    x0[:, -1] *= x0.prod(1)
    noise = torch.randn(n, config.d, generator=generator, dtype=torch.float64)
    signal, spread = math.sqrt(config.alpha_bar), math.sqrt(1 - config.alpha_bar)
    x = signal * x0 + spread * noise
    others = torch.tanh(signal / spread**2 * x[:, 1:]).prod(1)
    mean = torch.tanh(signal / spread**2 * x[:, 0] + torch.atanh(others))  # E[x0^(1) | x]
    return x, (x[:, 0] - signal * mean) / spread, (signal / spread) ** 2 * (1 - mean**2)


def expand(x: Tensor, y: Tensor, flips: Tensor) -> tuple[Tensor, Tensor]:
    """Points [n, d] and targets [n] with all their images, [n·g, d] and [n·g]: y(g x) = g^(1) y(x)."""
    return (x[:, None] * flips).flatten(0, 1), (y[:, None] * flips[:, 0]).flatten()


def gradient(state: State, x: Tensor, y: Tensor) -> tuple[float, tuple[Tensor, Tensor, Tensor]]:
    """The mean of (y − s(x))² over points [n, d] with targets [n], and its derivatives by a, w and b."""
    hidden = torch.addmm(state.b, x, state.w.T).relu_()
    error = hidden @ state.a - y
    loss, error = error.square().mean().item(), error * (2 / len(y))
    a = error @ hidden
    active = hidden.sign_()  # in place: the largest array of a step
    return loss, (a, state.a[:, None] * (active.T @ (error[:, None] * x)), state.a * (error @ active))


class Sample:
    """Held-out points x [n, d] with the loss of any network on them, E(ε^(1) − s)² with little chance in it.

    The losses on a sample of what is known exactly (zero, the best linear and univariate functions, the optimum) serve as
    control variates: what they miss of their exact levels is regressed out, and little is left near a stair.
    """

    def __init__(self, config: Flow, n: int = 2**15):
        self.x, self.y, self.floor = draw(config, n, random_generator("held out", config.seed))
        self.levels = parity_levels(config.alpha_bar, config.d)
        signal, spread = math.sqrt(config.alpha_bar), math.sqrt(1 - config.alpha_bar)
        axis = self.x[:, 0]
        univariate = (axis - signal * torch.tanh(signal / spread**2 * axis)) / spread
        known = (torch.zeros_like(axis), spread * axis, univariate, self.y)
        exact = torch.tensor([1.0, *(float(level) for level in self.levels[:3])], dtype=torch.float64)
        controls = torch.stack([self._losses(prediction) for prediction in known], 1) - exact
        self.basis = torch.linalg.qr(torch.cat([torch.ones(n, 1, dtype=torch.float64), controls], 1))

    def _losses(self, prediction: Tensor) -> Tensor:
        return (self.y - prediction).square() + self.floor

    def loss(self, state: State) -> tuple[float, float]:
        """The loss of the network and its standard error."""
        q, r = self.basis
        losses = self._losses(state(self.x))
        weights = q.T @ losses
        left = losses - q @ weights
        return torch.linalg.solve_triangular(r, weights[:, None], upper=True)[0].item(), left.std().item() / math.sqrt(len(left))
