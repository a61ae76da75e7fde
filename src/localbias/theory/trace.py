"""A gradient flow as measured: its loss, its weights on and off the axis, its stairs (§5, A.8)."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from localbias.seeds import random_generator
from localbias.theory.flow import Flow, State, draw, flow
from localbias.theory.target import Levels, parity_levels

SPACING = 1.1  # from one measured step to the next


class Sample:
    """Held-out points that give any network's loss E(ε^(1) − s)² with little chance in it.

    Of zero, the best linear function, the best univariate one and the optimum the exact losses are
    known (`levels`). They are control variates: by how much the sample misses those losses is
    regressed out of the network's, so that little error is left near a stair.

    Args:
        config: the flow whose networks are measured; the points come from its law and its seed.
        n: how many points.

    Attributes:
        config: the flow.
        levels: the exact losses.
        x: [n, d], the points.
        y: [n], E[ε^(1) | x].
        variance: [n], Var[ε^(1) | x].
    """

    def __init__(self, config: Flow, n: int = 2**15):
        self.config, self.levels = config, parity_levels(config.alpha_bar, config.d)
        self.x, self.y, self.variance = draw(config, n, random_generator("held out", config.seed))
        signal, spread = math.sqrt(config.alpha_bar), math.sqrt(1 - config.alpha_bar)
        own = self.x[:, 0]
        univariate = (own - signal * torch.tanh(signal / spread**2 * own)) / spread
        functions = (torch.zeros_like(own), spread * own, univariate, self.y)
        misses = torch.stack([self._losses(prediction) for prediction in functions], 1)
        misses -= torch.tensor([1.0, *map(float, self.levels[:3])], dtype=torch.float64)
        self._basis = torch.cat([torch.ones(n, 1, dtype=torch.float64), misses], 1)
        # By its singular values: for large d the univariate function and the optimum are all but
        # the same.
        self._inverse = torch.linalg.pinv(self._basis, rtol=1e-9)

    def _losses(self, prediction: Tensor) -> Tensor:
        """E[(ε^(1) − prediction)² | x] at each point [n]."""
        return (self.y - prediction).square() + self.variance

    def loss(self, state: State) -> tuple[float, float]:
        """The network's loss and its standard error."""
        losses = self._losses(state(self.x))
        fitted = self._inverse @ losses
        error = (losses - self._basis @ fitted).std() / math.sqrt(len(losses))
        return fitted[0].item(), error.item()

    def scatter(self, state: State, n: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x^(1), s(x) and the target y(x) at the first n points, [n] each (Figure 22 c–e)."""
        x = self.x[:n]
        return x[:, 0].numpy(), state(x).numpy(), self.y[:n].numpy()


@dataclass(frozen=True)
class Trace:
    """A flow as measured at k steps.

    Attributes:
        config: the flow.
        levels: the exact losses.
        states: step -> state, of those that were to be kept.
        step: [k].
        time: [k].
        loss: [k], on the sample.
        error: [k], the loss's standard error.
        distance: [k], of the weights to M.
        axis: [k, m], as `State` has it.
        rest: [k, m].
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

    def state_after(self, time: float) -> State:
        """The first of the kept states that is later than a time; the last one where none is."""
        states = list(self.states.values())
        return next((state for state in states if state.time > time), states[-1])

    def state_nearest(self, level: float) -> State:
        """The one of the kept states whose loss is nearest to a level."""
        loss = dict(zip(self.step.tolist(), self.loss.tolist()))
        return min(self.states.values(), key=lambda state: abs(loss[state.step] - level))


class Rows:
    """What was measured of a flow so far, a row a measured step.

    Attributes:
        columns: name -> a number or a tensor for each row.
    """

    NAMES = ("step", "time", "loss", "error", "distance", "axis", "rest")

    def __init__(self) -> None:
        self.columns: dict[str, list[Tensor]] = {name: [] for name in self.NAMES}

    def add(self, state: State, sample: Sample) -> float:
        """Measure a state; its loss."""
        loss, error = sample.loss(state)
        row = (state.step, state.time, loss, error, state.distance, state.axis, state.rest)
        for name, value in zip(self.NAMES, row):
            self.columns[name].append(torch.as_tensor(value, dtype=torch.float64))
        return loss

    def due(self, step: int, last: int) -> bool:
        """Whether a step is to be measured: the first, the last, and such that grow by a tenth."""
        if not self.columns["step"]:
            return True
        before = int(self.columns["step"][-1])
        return step > before and (step == last or step >= max(before + 1, int(SPACING * before)))

    def stacked(self) -> dict[str, Tensor]:
        """The columns as tensors with a first axis of rows; steps are whole numbers."""
        found = {name: torch.stack(values) for name, values in self.columns.items()}
        return found | {"step": found["step"].long()}

    @classmethod
    def of(cls, columns: Mapping[str, Tensor]) -> "Rows":
        """What `stacked` gave."""
        rows = cls()
        rows.columns = {name: list(columns[name].double()) for name in cls.NAMES}
        return rows


def measuring(
    states: Iterable[State],
    sample: Sample,
    rows: Rows,
    keep: Iterable[int] = (),
    below: float = -math.inf,
) -> Iterator[State]:
    """Pass a flow on, measured as it goes.

    Args:
        states: the flow.
        sample: of the same configuration.
        rows: to which is added what is measured.
        keep: steps that are measured whatever their distance.
        below: the flow ends early where a measured loss is under this.

    Yields:
        Each state, after it was measured.
    """
    wanted = set(keep)
    for state in states:
        loss = math.inf
        if state.step in wanted or rows.due(state.step, sample.config.steps):
            loss = rows.add(state, sample)
        yield state
        if loss < below:
            return


def measure(
    states: Iterable[State], sample: Sample, keep: Iterable[int] = (), below: float = -math.inf
) -> Trace:
    """Measure a flow to its end.

    At its first and last step, those to keep, and between them at steps that grow by a tenth.

    Args:
        states: the flow.
        sample: of the same configuration.
        keep: the steps whose states the trace keeps.
        below: the flow ends early where the loss is under this.
    """
    rows, wanted = Rows(), set(keep)
    passed = measuring(states, sample, rows, wanted, below)
    kept = {state.step: state for state in passed if state.step in wanted}
    return Trace(sample.config, sample.levels, kept, **rows.stacked())


def follow(sample: Sample, keep: int = 60) -> Trace:
    """Run the flow of a sample's configuration beside a progress bar, measure it and keep states.

    Args:
        sample: the points to measure it on.
        keep: how many states, at steps evenly spaced in their logarithm.
    """
    config = sample.config
    steps = np.geomspace(1, config.steps, keep).astype(int).tolist()
    name, total = f"d = {config.d}", config.steps + 1
    with tqdm(flow(config), desc=name, total=total, unit="step", mininterval=1) as states:
        return measure(states, sample, steps)


class Stairs(NamedTuple):
    """The three stairs and leaving M: the losses that count as there, or when a flow gets there.

    Attributes:
        linear: the best linear level.
        univariate: the best univariate level.
        left: on the way from there to the optimum.
        optimum: the least loss.
    """

    linear: float
    univariate: float
    left: float
    optimum: float


def goals(levels: Levels, share: float = 0.1) -> Stairs:
    """The losses that count as there.

    Args:
        levels: the exact ones.
        share: of the drop to a stair that may be left; where as much of the third drop is done,
            the flow has left M.
    """
    linear, univariate, optimum = map(float, levels[:3])
    drops = 1 - linear, linear - univariate, univariate - optimum
    return Stairs(
        linear + share * drops[0],
        univariate + share * drops[1],
        univariate - share * drops[2],
        optimum + share * drops[2],
    )


def stairs(trace: Trace, share: float = 0.1) -> Stairs:
    """When the loss first falls to each of the `goals`, interpolated; infinite where it never does.

    Args:
        trace: the flow.
        share: as in `goals`.
    """
    return Stairs(*(_time_of(trace, goal) for goal in goals(trace.levels, share)))


def _time_of(trace: Trace, goal: float) -> float:
    """When the loss first is at most `goal`, interpolated; infinite if it never is."""
    there = (trace.loss <= goal).nonzero().flatten().tolist()
    if not there:
        return math.inf
    i, before = there[0], max(there[0] - 1, 0)
    part = (trace.loss[before] - goal) / (trace.loss[before] - trace.loss[i]) if i else 0
    return float(trace.time[before] + part * (trace.time[i] - trace.time[before]))


def first_growth(trace: Trace) -> float:
    """The rate in time at which a and w grow while the network is small.

    It is half the slope of ln Σ_j |a_j w_j^(1)|, from where the sum has grown tenfold to where the
    loss has done a tenth of its drop to the first stair. For small weights and steps it is twice
    the maximum of K (Theorem 5.3; the loss has no ½).

    Raises:
        ValueError: where fewer than four measurements lie between.
    """
    size, fallen = trace.axis.sum(1), 1 - trace.loss
    early = (size > 10 * size[0]) & (fallen < 0.1 * (1 - float(trace.levels.linear)))
    if early.sum() < 4:
        raise ValueError(
            f"{early.sum()} measurements of first growth; allowed: at least 4 (lower scale or rate)"
        )
    centred, logs = trace.time[early] - trace.time[early].mean(), size[early].log()
    return 0.5 * (centred @ logs / (centred @ centred)).item()


def paper_steps(trace: Trace, rate: float = 1e-6) -> tuple[float, float]:
    """Steps of plain gradient descent at the paper's rate (A.8) to the first two stairs.

    They are this flow's times / rate, and hold for the flow's own scale of initial weights; the
    paper gives neither its steps nor its optimizer. The first grows with −ln(scale), the second
    much faster below about 1e-4, where nearly all neurons align while still small and few are left
    to bend the line.
    """
    times = stairs(trace)
    return times.linear / rate, times.univariate / rate


def growth_per_sign(times: Mapping[int, Sequence[float]]) -> float:
    """The factor by which a further sign multiplies a time: a least-squares fit of its logarithm.

    Args:
        times: d -> a time for each seed; infinite ones are left out.

    Returns:
        NaN where there are not two lengths to compare.
    """
    points = [(d, math.log(t)) for d, of_seeds in times.items() for t in of_seeds if t < math.inf]
    if len({d for d, _ in points}) < 2:
        return math.nan
    lengths, logs = zip(*points)
    return math.exp(np.polyfit(lengths, logs, 1)[0])
