"""The other paper's experiments: mixtures of Gaussians, and samples watched as they come about.

Aithal, Maini, Lipton and Kolter (2024) train on modes at 1, 2, 3 (and 1, 2, 4, 5) and on a grid of
25 in the plane, with σ = .05. Their settings are the paper tier. The laptop tier has their modes,
schedule and sampler, a smaller network and batch, and a few thousand steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from localbias.diffusion import Schedule
from localbias.experiments.configuration import Experiment, Sampling
from localbias.experiments.recipes import Recipe
from localbias.measure import Watching
from localbias.training import Training

THEIRS = Schedule("linear", 1000, 1e-3, 0.2)  # ᾱ is below 1e-4 in 70 % of its steps
GENTLE = Schedule()  # β from 1e-4 to .02, where the other experiments of the book are
AT = (250, 500, 1000, 2000, 4000, 8000)


def stretched(schedule: Schedule, steps: int) -> Schedule:
    """A linear schedule in another number of steps, with the same noise at its end.

    Each β is as much larger as there are fewer steps, so the last steps of sampling are coarser.

    Raises:
        ValueError: where β would not stay below 1.
    """
    ratio = schedule.steps / steps
    start, end = (round(ratio * beta, 12) for beta in (schedule.beta_start, schedule.beta_end))
    return replace(schedule, steps=steps, beta_start=start, beta_end=end)


THREE: dict[str, Any] = dict(name="points", positions=[1.0, 2.0, 3.0], spread=0.05)
FOUR: dict[str, Any] = dict(name="points", positions=[1.0, 2.0, 4.0, 5.0], spread=0.05)
# 2·{−2 … 2} with σ = .05, all divided by √(.05² + 8), the standard deviation.
SCALE = (0.05**2 + 8) ** 0.5
GRID: dict[str, Any] = dict(
    name="points",
    positions=[round(2 * place / SCALE, 6) for place in (-2, -1, 0, 1, 2)],
    spread=round(0.05 / SCALE, 6),
    length=2,
)
# As released, the turned grid has its modes nearer to each other, too: by √½.
SHRUNK = GRID | dict(positions=[round(p / 2**0.5, 6) for p in GRID["positions"]], turn=45.0)

PLAIN: dict[str, Any] = dict(kind="mlp", width=64, depth=3)
WAVES = PLAIN | dict(frequencies=[4.0, 8.0, 16.0])
RELEASED: dict[str, Any] = dict(kind="layernorm", width=128, layers=3, shared=True)

WINDOWS = Watching((0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0))


@dataclass(frozen=True)
class Mixed:
    """A mixture of Gaussians.

    Attributes:
        points: name and options of the renderer.
        network: of the laptop tier.
        schedule: of the laptop tier.
        rate: of learning there.
        checkerboard: whether every other mode is missing.
        paper_steps: of the other paper's training, with batches of 10,000; None where it has no
            such experiment.
        paper_points: of each mode, that its training set has.
        keep: steps whose weights the first seed keeps.
    """

    points: Mapping[str, Any]
    network: Mapping[str, Any] = field(default_factory=lambda: PLAIN)
    schedule: Schedule = THEIRS
    rate: float = 1e-3
    checkerboard: bool = False
    paper_steps: int | None = None
    paper_points: int | None = None
    keep: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        return self.network["kind"]

    @property
    def tiers(self) -> tuple[str, ...]:
        return ("smoke", "laptop", "paper") if self.paper_steps else ("smoke", "laptop")

    def __call__(self, name: str, tier: str, seed: int) -> Experiment:
        count, length = len(self.points["positions"]), self.points.get("length", 1)
        rule: dict[str, Any] = dict(name="modes", count=count)
        rule |= dict(length=length) if length > 1 else {}
        rule |= dict(checkerboard=True) if self.checkerboard else {}
        modes = count**length if not self.checkerboard else -(-(count**length) // 2)
        data: dict[str, Any] = dict(
            grammar=rule, renderer=dict(self.points), n_train=modes, rendering="fresh"
        )
        # Their sampler adds noise of variance β.
        large = "large" if self.schedule == THEIRS else "small"
        most = self.schedule.steps
        ancestral = Sampling(2000, most, 1.0, None, large)
        if tier == "paper":
            training = Training(steps=self.paper_steps or 0, batch=10_000, rate=1e-3, ema=0.0)
            made: dict[str, Any] = dict(
                renderer=dict(self.points) | dict(points=self.paper_points),
                network=dict(RELEASED),
                training=training,
                measure_at=(training.steps // 10, training.steps),
                sampling=ancestral,
                schedule=THEIRS,
                watching=WINDOWS,
            )
        elif tier == "smoke":
            made = dict(
                network=dict(self.network) | dict(width=16),
                training=Training(steps=20, batch=32, rate=self.rate, ema=0.9),
                measure_at=(10, 20),
                sampling=replace(ancestral, samples=32, steps=10, clamp=4.0),
                schedule=self.schedule,
                watching=replace(WINDOWS, edges=(0.1, 0.5, 0.9, 1.0), last=3),
                also=(Sampling(32, 5, clamp=4.0),),
            )
        else:
            ways = [Sampling(10_000, most, 1.0, None, large)]
            fewer = [steps for steps in (50, 250) if steps < most]
            ways += [Sampling(10_000, steps, clamp=None) for steps in (*fewer, most)]
            made = dict(
                network=dict(self.network),
                training=Training(steps=AT[-1], batch=512, rate=self.rate, ema=0.99),
                measure_at=AT,
                sampling=ancestral,
                schedule=self.schedule,
                watching=WINDOWS,
                also=tuple(ways),
                keep=self.keep if seed == 0 else (),
            )
        return Experiment(name, tier, seed, **data | made)


@dataclass(frozen=True)
class Watched:
    """An experiment of the book, with the way to each of its samples.

    Attributes:
        of: makes it.
        measure_at: in the laptop tier, in place of its own steps.
        watching: what is kept of the way.
        samples: that are drawn at each of them.
    """

    of: Recipe
    measure_at: tuple[int, ...]
    watching: Watching
    samples: int = 1000

    @property
    def kind(self) -> str:
        return self.of.kind

    @property
    def tiers(self) -> tuple[str, ...]:
        return ("smoke", "laptop")

    def __call__(self, name: str, tier: str, seed: int) -> Experiment:
        found = self.of(name, tier, seed).replace(keep=(), probing=None, also=())
        if tier == "smoke":
            few = replace(self.watching, edges=(0.1, 0.5, 0.9, 1.0), last=3)
            return found.replace(watching=few)
        return found.replace(
            watching=self.watching,
            measure_at=self.measure_at,
            training=replace(found.training, steps=self.measure_at[-1]),
            sampling=replace(found.sampling, samples=self.samples, steps=100),
        )
