"""Gradient flow of the paper's two-layer network on parity: descent on symmetric batches (§5, A.8).

The network s(x) = Σ_j a_j ReLU(w_j·x + b_j) predicts ε^(1), the noise of coordinate 1 (here
coordinate 0), from x = √ᾱ x0 + √(1−ᾱ) ε with x0 uniform over the strings of even parity. Batches
are always fresh. Two things bring them near the population: each point counts with the expected
target y(x) = E[ε^(1) | x] in place of one noise (Rao-Blackwell), and with all its images under a
group of sign flips that leave the law as it is. On the set M where no neuron sees any other
coordinate (the part of the paper's invariant set on which Theorem 5.2 holds) the force off the axis
then cancels within every batch, as it does in the population. All is float64.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce
from itertools import combinations
from operator import xor
from typing import NamedTuple

import torch
from torch import Tensor

from localbias.checks import require, typed
from localbias.seeds import random_generator

BEGINNINGS = ("balanced", "printed")
CHUNK = 4096  # points that a network reads in one pass


@cache
def sign_flips(d: int) -> Tensor:
    """A group of flips of an even number of signs that tells all coordinates apart: ±1, [g, d].

    Flip u turns coordinate k by (−1)^(u·c_k), for distinct bit strings c_k ≠ 0 that sum to zero:
    every flip is even, and Σ g_k = Σ g_k g_l = 0 over the group. For even d all c_k share a bit, so
    that products of three vanish as well. The smallest such group is taken: all 2^(d−1) even flips
    for d = 3 to 6, 16 and 32 of them (Reed-Muller codes) for d = 8 and 16.

    Raises:
        ValueError: for d below 3, where the coordinates are not pairwise independent.
    """
    if d < 3:
        raise ValueError(f"d={d}; allowed: at least 3")
    bits, chosen = 1, None
    while chosen is None:
        bits += 1
        labels = range(1, 2**bits, 1 if d % 2 else 2)
        chosen = next((c for c in combinations(labels, d) if reduce(xor, c) == 0), None)
    turned = [[(u & label).bit_count() % 2 for label in chosen] for u in range(2**bits)]
    return 1 - 2 * torch.tensor(turned, dtype=torch.float64)


@dataclass(frozen=True)
class Flow:
    """What decides a flow.

    Attributes:
        d: signs in a string, from 3.
        alpha_bar: ᾱ, one noise level as in §5.
        steps: of gradient descent on E(ε^(1) − s)², the paper's loss.
        rate: the largest step in time.
        bound: a step is no longer than bound / Σ a_j², since longer ones overshoot as the network
            grows.
        width: neurons.
        scale: standard deviation of the initial w, and of b where it is drawn.
        beginning: "balanced", a = ±√(‖w‖² + b²) with b drawn as w is (§5.4), or "printed", a = ‖w‖²
            and b = 0 (A.8).
        batch: points a step, images included; a multiple of the flips of d.
        seed: of the initial weights and the batches.

    Raises:
        ValueError: for a field that is out of range.
    """

    d: int
    alpha_bar: float = 0.7
    steps: int = 3000
    rate: float = 0.1
    bound: float = 0.8
    width: int = 128
    scale: float = 1e-3
    batch: int = 1024
    seed: int = 0
    beginning: str = "balanced"

    def __post_init__(self):
        typed(self)
        flips = len(sign_flips(self.d))
        whole = self.batch > 0 and self.batch % flips == 0
        known = self.beginning in BEGINNINGS
        require(self, "beginning", known, ", ".join(BEGINNINGS))
        require(self, "alpha_bar", 0 < self.alpha_bar < 1, "inside (0, 1)")
        require(self, "steps", self.steps >= 1, "at least 1")
        require(self, "rate", 0 < self.rate < math.inf, "above 0")
        require(self, "bound", self.bound > 0, "above 0")
        require(self, "width", self.width >= 1, "at least 1")
        require(self, "scale", 0 < self.scale < math.inf, "above 0")
        require(self, "batch", whole, f"multiples of {flips}, the flips of d={self.d}")


class State(NamedTuple):
    """The network during a flow.

    Attributes:
        step: how many steps were taken.
        time: the sum of their sizes.
        loss: of the last batch, before its step.
        a: [m], output weights.
        w: [m, d], input weights.
        b: [m], biases.
    """

    step: int
    time: float
    loss: float
    a: Tensor
    w: Tensor
    b: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """s(x): [n, d] -> [n]."""
        hidden = (torch.addmm(self.b, part, self.w.T).relu_() for part in x.split(CHUNK))
        return torch.cat([part @ self.a for part in hidden])

    @property
    def axis(self) -> Tensor:
        """|a_j w_j^(1)| of each neuron [m], which Figure 6 sets against the rest."""
        return (self.a * self.w[:, 0]).abs()

    @property
    def rest(self) -> Tensor:
        """|a_j| ‖w_j − w_j^(1) e_1‖ of each neuron [m]."""
        return self.a.abs() * self.w[:, 1:].norm(dim=1)

    @property
    def distance(self) -> float:
        """Euclidean distance of the weights to M, where w_j = w_j^(1) e_1 for all j."""
        return self.w[:, 1:].norm().item()


def start(config: Flow) -> State:
    """The initial weights, drawn from the seed."""
    generator = random_generator("flow", config.seed)
    first = config.scale * torch.randn(
        config.width, config.d + 1, generator=generator, dtype=torch.float64
    )
    if config.beginning == "printed":
        w = first[:, :-1]
        return State(0, 0.0, math.nan, w.square().sum(1), w, torch.zeros_like(first[:, -1]))
    sign = 1 - 2 * torch.randint(2, (config.width,), generator=generator)
    return State(0, 0.0, math.nan, sign * first.norm(dim=1), first[:, :-1], first[:, -1])


def onto_axis(state: State) -> State:
    """The network brought onto M: all weights but w_j^(1) set to zero."""
    w = torch.zeros_like(state.w)
    w[:, 0] = state.w[:, 0]
    return state._replace(w=w)


def balanced_in_printed_m() -> State:
    """A network of balanced neurons in M as printed (Theorem 5.2), for four signs.

    Four neurons lie on the axis, two have a = w = b = 0.
    """
    state = onto_axis(start(Flow(4, batch=512, width=6, scale=0.5)))
    alive = torch.arange(6) < 4
    w, b = state.w * alive[:, None], state.b * alive
    length = (w.square().sum(1) + b.square()).sqrt()
    return state._replace(a=state.a.sign() * length, w=w, b=b)


def flow(config: Flow, state: State | None = None) -> Iterator[State]:
    """The state that a flow starts from, and the state after each step, to the last.

    A step's batch comes from (seed, step) alone.

    Args:
        config: the flow.
        state: to start from; None: `start(config)`.

    Raises:
        FloatingPointError: where the loss is no longer finite.
    """
    state, flips = start(config) if state is None else state, sign_flips(config.d)
    yield state
    while state.step < config.steps:
        generator = random_generator("flow", config.seed, state.step)
        x, y, _ = draw(config, config.batch // len(flips), generator)
        loss, (by_a, by_w, by_b) = gradient(state, *expand(x, y, flips))
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss} at step {state.step}: lower rate={config.rate}"
            )
        rate = min(config.rate, config.bound / state.a.square().sum().item())
        weights = state.a - rate * by_a, state.w - rate * by_w, state.b - rate * by_b
        state = State(state.step + 1, state.time + rate, loss, *weights)
        yield state


def draw(config: Flow, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """n independent points x [n, d] with y = E[ε^(1) | x] [n] and Var[ε^(1) | x] [n]."""
    x0 = 1.0 - 2 * torch.randint(2, (n, config.d), generator=generator)
    x0[:, -1] *= x0.prod(1)
    noise = torch.randn(n, config.d, generator=generator, dtype=torch.float64)
    signal, spread = math.sqrt(config.alpha_bar), math.sqrt(1 - config.alpha_bar)
    x = signal * x0 + spread * noise
    field = signal / spread**2 * x
    mean = torch.tanh(field[:, 0] + torch.atanh(field[:, 1:].tanh().prod(1)))  # E[x0^(1) | x]
    return x, (x[:, 0] - signal * mean) / spread, (signal / spread) ** 2 * (1 - mean**2)


def expand(x: Tensor, y: Tensor, flips: Tensor) -> tuple[Tensor, Tensor]:
    """Points [n, d] and targets [n] with all their images under the flips [g, d]: [n·g, d], [n·g].

    The target of an image is y(g x) = g^(1) y(x).
    """
    return (x[:, None] * flips).flatten(0, 1), (y[:, None] * flips[:, 0]).flatten()


def gradient(state: State, x: Tensor, y: Tensor) -> tuple[float, tuple[Tensor, Tensor, Tensor]]:
    """The mean of (y − s(x))² over points and its derivatives.

    Args:
        state: the network.
        x: [n, d].
        y: [n].

    Returns:
        The loss, and its derivatives by a [m], w [m, d] and b [m].
    """
    hidden = torch.addmm(state.b, x, state.w.T).relu_()
    error = hidden @ state.a - y
    loss, slope = error.square().mean().item(), error * (2 / len(y))
    by_a = slope @ hidden
    active = hidden.sign_()  # in place: it is the largest array of a step
    by_w = state.a[:, None] * (active.T @ (slope[:, None] * x))
    return loss, (by_a, by_w, state.a * (slope @ active))
