"""A gradient flow as measured: its loss on held-out points, its weights on and off the axis, its stairs (§5, A.8).

`run` keeps what it measured in records/theory, and reads it from there the next time.
"""

import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from localbias.seeds import random_generator
from localbias.store import (
    RECORDS,
    Record,
    beyond_defaults,
    code_version,
    find,
    key_of,
    origin_of,
    save,
)
from localbias.theory.flow import Flow, State, draw, flow
from localbias.theory.target import Levels, parity_levels

FLOWS_FOLDER = RECORDS / "theory"
SPACING = 1.1  # from one measured step to the next
# The flows that are stored, by (d, seed); those of 3 to 8 signs leave M in fewer steps, those of 16 do not.
FLOWS = {
    (d, seed): Flow(d, steps=100_000, seed=seed)
    for d in (3, 4, 5, 6, 7, 8, 16)
    for seed in range(1 if d == 16 else 3)
}


class Sample:
    """Held-out points that give any network's loss E(ε^(1) − s)² with little chance in it.

    Zero, the best linear and univariate functions and the optimum have losses on the sample and exact ones (`levels`);
    what the first miss of the second is regressed out of the network's, so little error is left near a stair.
    """

    def __init__(self, config: Flow, n: int = 2**15):
        self.config, self.levels = config, parity_levels(config.alpha_bar, config.d)
        self.x, self.y, self.variance = draw(config, n, random_generator("held out", config.seed))
        signal, spread, axis = (
            math.sqrt(config.alpha_bar),
            math.sqrt(1 - config.alpha_bar),
            self.x[:, 0],
        )
        univariate = (axis - signal * torch.tanh(signal / spread**2 * axis)) / spread
        known = torch.stack(
            [self._losses(s) for s in (torch.zeros_like(axis), spread * axis, univariate, self.y)],
            1,
        )
        known -= torch.tensor([1.0, *map(float, self.levels[:3])], dtype=torch.float64)
        self.basis = torch.cat([torch.ones(n, 1, dtype=torch.float64), known], 1)
        self.inverse = torch.linalg.pinv(
            self.basis, rtol=1e-9
        )  # of large d, univariate and optimum are one

    def _losses(self, prediction: Tensor) -> Tensor:
        return (self.y - prediction).square() + self.variance

    def loss(self, state: State) -> tuple[float, float]:
        """The network's loss and its standard error."""
        losses = self._losses(state(self.x))
        fitted = self.inverse @ losses
        return fitted[0].item(), (
            (losses - self.basis @ fitted).std() / math.sqrt(len(losses))
        ).item()

    def scatter(self, state: State, n: int = 2000) -> tuple[Tensor, Tensor, Tensor]:
        """x^(1), s(x) and the target y(x) at the first n points, [n] each (Figure 22 c–e)."""
        return self.x[:n, 0], state(self.x[:n]), self.y[:n]


@dataclass(frozen=True)
class Trace:
    """A flow as measured at k steps.

    step, time, loss, error (the loss's standard error), distance [k];  axis, rest [k, m], as `State` has them
    states  by step, those that were to be kept
    """

    config: Flow
    levels: Levels
    states: dict[int, State]
    step: Tensor
    time: Tensor
    loss: Tensor
    error: Tensor
    distance: Tensor
    axis: Tensor
    rest: Tensor


def record(
    states: Iterable[State], sample: Sample, keep: Iterable[int] = (), below: float = -math.inf
) -> Trace:
    """Measure a flow of the sample's configuration as it goes.

    At its first and last step, those to `keep`, and between them at steps that grow by a tenth; it ends early where the
    loss is under `below`.
    """
    rows, kept, keep, following = [], {}, set(keep), 0
    for state in states:
        if state.step in keep:
            kept[state.step] = state
        elif following > state.step != sample.config.steps:
            continue
        loss, error = sample.loss(state)
        rows.append((state.step, state.time, loss, error, state.distance, state.axis, state.rest))
        following = max(state.step + 1, int(SPACING * state.step))
        if loss < below:
            break
    steps, *numbers, axis, rest = zip(*rows)
    numbers = torch.tensor(numbers, dtype=torch.float64)
    columns = torch.tensor(steps), *numbers, torch.stack(axis), torch.stack(rest)
    return Trace(sample.config, sample.levels, kept, *columns)


class Stairs(NamedTuple):
    """Of the two stairs and of leaving M: a loss, or the time at which a flow gets there."""

    linear: float
    univariate: float
    left: float


def goals(levels: Levels, share: float = 0.1) -> Stairs:
    """The losses that count as there: a share of the drop to either stair is left, and as much of the third is done."""
    linear, univariate, optimum = map(float, levels[:3])
    drops = 1 - linear, linear - univariate, univariate - optimum
    return Stairs(
        linear + share * drops[0], univariate + share * drops[1], univariate - share * drops[2]
    )


def stairs(trace: Trace, share: float = 0.1) -> Stairs:
    """The times at which the loss first falls to each of the goals, interpolated; infinite if it never did."""
    return Stairs(*(_reached(trace, goal) for goal in goals(trace.levels, share)))


def _reached(trace: Trace, goal: float) -> float:
    there = (trace.loss <= goal).nonzero()
    if not len(there):
        return math.inf
    i = there[0].item()
    last = max(i - 1, 0)
    part = (trace.loss[last] - goal) / (trace.loss[last] - trace.loss[i]) if i else 0
    return float(trace.time[last] + part * (trace.time[i] - trace.time[last]))


def growth(trace: Trace) -> float:
    """The rate in time at which a and w first grow: half the slope of ln Σ_j |a_j w_j^(1)| while the network is small.

    From where the sum has grown tenfold to where the loss has done a tenth of its drop to the first stair. For small
    weights and steps it is twice the maximum of K (Theorem 5.3; the loss has no ½). ValueError if it was not measured.
    """
    size, fallen = trace.axis.sum(1), 1 - trace.loss
    early = (size > 10 * size[0]) & (fallen < 0.1 * (1 - float(trace.levels.linear)))
    if early.sum() < 4:
        raise ValueError(
            f"{early.sum()} measurements of first growth; allowed: at least 4 (lower scale or rate)"
        )
    time, logs = trace.time[early] - trace.time[early].mean(), size[early].log()
    return 0.5 * (time @ logs / (time @ time)).item()


def paper_steps(trace: Trace, rate: float = 1e-6) -> tuple[float, float]:
    """Steps of plain gradient descent at the paper's rate (A.8) to the first two stairs: this flow's times / rate.

    They hold for the flow's own scale of initial weights; the paper gives neither its steps nor its optimizer. The
    first grows with −ln(scale), the second much faster below about 1e-4, where nearly all neurons align while still
    small and few are left to bend the line.
    """
    return tuple(time / rate for time in stairs(trace)[:2])


def run(config: Flow, until: str | None = "left", folder: Path = FLOWS_FOLDER) -> Trace:
    """The stored trace of exactly this flow, without states, if there is one; else train, store it and read it.

    axis and rest have single precision.

    Args:
        config: the flow.
        until: the goal at which the flow ends, by its name in `goals`; None: it goes on to the last step.
        folder: of the records.

    Raises:
        ValueError: for another `until`, and for a record that is damaged or holds another flow.
    """
    if until not in (None, *Stairs._fields):
        raise ValueError(f"until={until!r}; allowed: {', '.join(Stairs._fields)}, None")
    stem = _stem(config, until)
    found = find(stem, _stem_of, folder) or _run(config, until, folder)
    columns = {name: torch.from_numpy(array) for name, array in found.arrays.items()}
    columns |= {name: columns[name].double() for name in ("axis", "rest")}
    return Trace(config, parity_levels(config.alpha_bar, config.d), {}, **columns)


def fingerprint(config: Flow) -> dict[str, float]:
    """What the present code makes of a flow's first hundred steps: loss, weight on the axis, weight off it."""
    short = replace(config, steps=100)
    trace = record(flow(short), Sample(short, 2**10))
    return {
        name: round(getattr(trace, name)[-1].sum().item(), 6) for name in ("loss", "axis", "rest")
    }


def _key(config: Flow, until: str | None) -> str:
    return key_of({"flow": beyond_defaults(config), "until": until})


def _stem(config: Flow, until: str | None) -> str:
    """The name of a record's files."""
    return f"flow-{config.d}-s{config.seed}-{_key(config, until)}"


def _stem_of(held: dict) -> str:
    """The name that belongs to the configuration of a record."""
    return _stem(Flow(**held["flow"]), held["until"])


def _run(config: Flow, until: str | None, folder: Path) -> Record:
    code, sample, began, stem = (
        code_version(),
        Sample(config),
        time.monotonic(),
        _stem(config, until),
    )
    below = -math.inf if until is None else getattr(goals(sample.levels), until)
    with tqdm(flow(config), total=config.steps + 1, desc=stem, unit="step") as states:
        trace = record(states, sample, below=below)
    origin = origin_of(
        key=_key(config, until),
        experiment={"flow": asdict(config), "until": until},
        fingerprint=fingerprint(config),
        code=code,
        device="cpu",
        threads=torch.get_num_threads(),
        libraries=("torch", "numpy", "scipy"),
        seconds=time.monotonic() - began,
    )
    columns = {name: getattr(trace, name) for name in ("step", "time", "loss", "error", "distance")}
    columns |= {name: getattr(trace, name).float() for name in ("axis", "rest")}
    return save(
        stem, origin, {name: column.numpy() for name, column in columns.items()}, None, folder
    )
