"""An experiment: one frozen configuration, all that decides a run's numbers and nothing else."""

import dataclasses
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from localbias.checks import require, typed
from localbias.diffusion import TARGETS, VARIANCES, Schedule
from localbias.experiments.parts import GrammarPart, NetworkPart, RendererPart, described
from localbias.measure import Probing, Watching
from localbias.store import beyond_defaults, key_of, revive
from localbias.training import Training

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")  # a part of the names of files
TIERS = ("smoke", "laptop", "paper")


@dataclass(frozen=True)
class Sampling:
    """How outcomes are measured: signals drawn by DDIM (Song et al. 2021).

    Attributes:
        samples: signals.
        steps: of the schedule's steps that are visited.
        eta: 0 deterministic, 1 ancestral.
        clamp: bound on x̂0, None for none.
        variance: of the noise that is added with eta = 1, "small" or "large" (`diffusion.ddim`).

    Raises:
        ValueError: for a field out of range.
    """

    samples: int = 200
    steps: int = 50
    eta: float = 0.0
    clamp: float | None = 1.0
    variance: str = "small"

    def __post_init__(self):
        typed(self)
        require(self, "samples", self.samples >= 1, "at least 1")
        require(self, "eta", 0 <= self.eta <= 1, "0 (deterministic) to 1 (ancestral)")
        require(self, "clamp", self.clamp is None or self.clamp > 0, "above 0, or None")
        allowed = self.variance in VARIANCES and (self.variance == "small" or self.eta == 1)
        require(self, "variance", allowed, "small, or large with eta=1")


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run's numbers.

    Attributes:
        name: of the experiment; the tier and the seed are no part of it.
        tier: "smoke", "laptop" or "paper".
        seed: of the split, the exemplars, the weights, the batches, the samples and the probe.
        grammar: name and options as of `grammar.make`, or a grammar of one's own.
        renderer: name and options as of `render.make`, or a renderer of one's own.
        network: kind and options as of `networks.make`, or what is called with `shape` and returns
            a network.
        n_train: valid strings that are trained on; the others are held out.
        training: how the network is trained.
        measure_at: steps at which outcomes are measured.
        keep: those of them whose weights are kept.
        rendering: "fresh": every exposure draws its exemplars anew; "fixed": one image a string.
        reads: what the network's output is read as: "noise", "v" or "x0".
        target: what the loss compares, whatever the output is read as; the paper's is the noise
            (Eq. 8).
        schedule: the noise.
        sampling: how samples are drawn and counted.
        probing: how locality is measured, at the same steps and before training; None for not at
            all.
        also: other ways of sampling the trained network.
        shown: samples whose pixels are kept, of those that are counted; of points all are.
        watching: what is kept of the way to each sample; None for nothing.

    Raises:
        ValueError: for a field out of range, naming it and what is allowed.
    """

    name: str
    tier: str
    seed: int
    grammar: GrammarPart
    renderer: RendererPart
    network: NetworkPart
    n_train: int
    training: Training
    measure_at: tuple[int, ...]
    keep: tuple[int, ...] = ()
    rendering: str = "fixed"
    reads: str = "noise"
    target: str = "noise"
    schedule: Schedule = field(default_factory=Schedule)
    sampling: Sampling = field(default_factory=Sampling)
    probing: Probing | None = None
    also: tuple[Sampling, ...] = ()
    shown: int = 16
    watching: Watching | None = None

    def __post_init__(self):
        typed(self)
        named = NAME.fullmatch(self.name) is not None
        require(self, "name", named, "letters, digits, '-', '_' and '.', at most 100")
        require(self, "shown", self.shown >= 1, "at least 1")
        require(self, "tier", self.tier in TIERS, ", ".join(TIERS))
        require(self, "rendering", self.rendering in ("fresh", "fixed"), "fresh, fixed")
        for name in ("reads", "target"):
            require(self, name, getattr(self, name) in TARGETS, ", ".join(TARGETS))
        require(self, "seed", self.seed >= 0, "whole numbers from 0")
        most = self.schedule.steps
        for how in (self.sampling, *self.also):
            if not 2 <= how.steps <= most:
                raise ValueError(f"sampling.steps={how.steps}; allowed: 2 to schedule.steps={most}")
        measured, steps = f"measure_at={self.measure_at}", f"training.steps={self.training.steps}"
        if list(self.measure_at) != sorted(set(self.measure_at)) or not self.measure_at:
            raise ValueError(f"{measured}; allowed: rising steps, at least one")
        if self.measure_at[0] < 1 or self.measure_at[-1] > self.training.steps:
            raise ValueError(f"{measured}; allowed: 1 to {steps}")
        if self.probing and self.probing.closer and self.measure_at[-1] != self.training.steps:
            raise ValueError(f"{measured}; to probe closer its last must be {steps}")
        if not set(self.keep) <= set(self.measure_at):
            raise ValueError(f"keep={self.keep}; allowed: steps of {measured}")

    @cached_property
    def parts(self) -> dict[str, dict[str, Any]]:
        """The parts as the configuration holds them: name, options and, of one's own, a hash."""
        return described(self.grammar, self.renderer, self.network)

    @property
    def configuration(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        plain = dataclasses.asdict(dataclasses.replace(self, grammar={}, renderer={}, network={}))
        return json.loads(json.dumps(plain | self.parts))

    @property
    def key(self) -> str:
        """12 hexadecimal digits of the configuration's hash.

        Fields at their default are left out of the hash, so a field that is added later, with the
        behaviour until then as its default, leaves the keys of old records as they are.
        """
        return key_of(beyond_defaults(self) | self.parts)

    @property
    def stem(self) -> str:
        """The name of the record's files."""
        return f"{self.name}-{self.tier}-s{self.seed}-{self.key}"

    def replace(self, **changes: Any) -> "Experiment":
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)


def key_around(part: Any) -> str:
    """The key of a dataclass that holds an `experiment` among its fields."""
    whole = beyond_defaults(part.experiment) | part.experiment.parts
    return key_of(beyond_defaults(part) | {"experiment": whole})


def from_configuration(configuration: dict[str, Any]) -> Experiment:
    """The experiment that a record's configuration describes.

    Raises:
        TypeError: where fields are unknown or missing.
        ValueError: where one is out of range.
    """
    return revive(Experiment, configuration)
