"""An experiment is one frozen configuration; a setup is what it describes, built and ready to train and sample."""

import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from localbias import decode, diffusion, grammar, networks, record, reference, render
from localbias.diffusion import Denoiser, Reverse, Schedule
from localbias.probe import Probing
from localbias.training import Training, random_generator

TIERS = ("smoke", "laptop", "paper")


@dataclass(frozen=True)
class Sampling:
    """How outcomes are measured: `samples` signals by DDIM with `steps` of the schedule's steps.

    eta    0 deterministic, 1 ancestral;  clamp  bound on x̂0, None for none
    """

    samples: int = 200
    steps: int = 50
    eta: float = 0.0
    clamp: float | None = 1.0

    def __post_init__(self):
        for name, allowed, what in (
            ("samples", self.samples >= 1, "at least 1"),
            ("eta", 0 <= self.eta <= 1, "0 (deterministic) to 1 (ancestral)"),
            ("clamp", self.clamp is None or self.clamp > 0, "above 0, or None"),
        ):
            if not allowed:
                raise ValueError(f"{name}={getattr(self, name)}; allowed: {what}")


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run's numbers, and nothing else.

    grammar, renderer, network   what `make` of the module of that name takes
    n_train     valid strings that are trained on; the others are held out
    rendering   "fresh": every exposure draws its exemplars anew; "fixed": one image a string (the paper doesn't say)
    reads       what the network's output is read as: "noise", "v" or "x0"
    target      what the loss compares, whatever the output is read as: the paper's compares the noise (§3.1)
    measure_at  steps at which outcomes are measured;  keep  those of them whose weights are kept
    probing     how locality is measured, at the same steps and before training; None for not at all
    also        other ways of sampling the trained network
    shown       samples whose pixels are kept, of those that are counted
    """

    name: str
    tier: str
    seed: int
    grammar: dict
    renderer: dict
    network: dict
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

    def __post_init__(self):
        if self.shown < 1:
            raise ValueError(f"shown={self.shown}; allowed: at least 1")
        if self.tier not in TIERS:
            raise ValueError(f"unknown tier {self.tier!r}; known: {', '.join(TIERS)}")
        if self.rendering not in ("fresh", "fixed"):
            raise ValueError(f"rendering={self.rendering!r}; allowed: fresh, fixed")
        for name in ("reads", "target"):
            if getattr(self, name) not in diffusion.TARGETS:
                raise ValueError(f"{name}={getattr(self, name)!r}; allowed: {', '.join(diffusion.TARGETS)}")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed={self.seed!r}; allowed: whole numbers from 0")
        for how in (self.sampling, *self.also):
            if not 2 <= how.steps <= self.schedule.steps:
                raise ValueError(f"sampling.steps={how.steps}; allowed: 2 to schedule.steps={self.schedule.steps}")
        if list(self.measure_at) != sorted(set(self.measure_at)) or not self.measure_at:
            raise ValueError(f"measure_at={self.measure_at}; allowed: rising steps, at least one")
        if self.measure_at[0] < 1 or self.measure_at[-1] > self.training.steps:
            raise ValueError(f"measure_at={self.measure_at}; allowed: 1 to training.steps={self.training.steps}")
        if self.probing and self.probing.closer and self.measure_at[-1] != self.training.steps:
            raise ValueError(f"measure_at={self.measure_at}; to probe closer its last must be training.steps={self.training.steps}")
        if not set(self.keep) <= set(self.measure_at):
            raise ValueError(f"keep={self.keep}; allowed: steps of measure_at={self.measure_at}")

    @property
    def configuration(self) -> dict:
        """All fields, as JSON has them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @property
    def key(self) -> str:
        """12 hexadecimal digits of the configuration's hash.

        Fields at their default are left out of the hash, so a field that is added later, with the behaviour until
        then as its default, leaves the keys of old records as they are.
        """
        return hashlib.sha256(json.dumps(beyond_defaults(self), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def stem(self) -> str:
        """The name of the record's files."""
        return f"{self.name}-{self.tier}-s{self.seed}-{self.key}"

    def replace(self, **changes) -> "Experiment":
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)


class Setup:
    """What a configuration describes, built: grammar, renderer, strings, exemplars, denoiser, decoder."""

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.grammar = grammar.make(**experiment.grammar)
        self.renderer = render.make(**experiment.renderer)
        if self.renderer.length != self.grammar.length or len(self.renderer.pool) != len(self.grammar.alphabet):
            raise ValueError(
                f"{self.grammar} has {self.grammar.length} symbols of {len(self.grammar.alphabet)}; the renderer shows "
                f"{self.renderer.length} of {len(self.renderer.pool)}"
            )
        self.train_strings, self.held_out = self.grammar.split(experiment.n_train, experiment.seed)
        weights = self.grammar.weights(self.train_strings)
        self.weights = None if (weights == weights[0]).all() else weights  # how often each is drawn; None: all alike
        self.exemplars = None  # of each training string, where rendering is fixed
        if experiment.rendering == "fixed":
            chosen = random_generator("exemplars", experiment.seed)
            self.exemplars = self.renderer.exemplars(self.train_strings, chosen)
        self.schedule = experiment.schedule
        self.decoder = decode.decoder(self.renderer)

    def draw(self, generator: torch.Generator, n: int) -> Tensor:
        """Training signals [n, *shape], drawn with replacement, by the grammar's law."""
        if self.weights is None:
            chosen = torch.randint(len(self.train_strings), (n,), generator=generator)
        else:
            chosen = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        if self.exemplars is None:
            return self.renderer(self.train_strings[chosen], generator)
        return self.renderer.draw(self.train_strings[chosen], self.exemplars[chosen])

    def denoiser(self) -> Denoiser:
        """An untrained denoiser; its initial weights come from the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.random.set_rng_state(random_generator("weights", self.experiment.seed).get_state())
            network = networks.make(shape=self.renderer.shape, **self.experiment.network)
        return Denoiser(network, self.schedule, self.experiment.reads, self.experiment.target)

    @cached_property
    def references(self) -> dict[str, reference.Reference]:
        """The exact denoisers of these data, by name, in the order of `reference.NAMES`."""
        return {
            "marginals": reference.marginals(self.grammar, self.renderer, self.schedule),
            "rule": reference.rule(self.grammar, self.renderer, self.schedule),
            "train": reference.train(self.train_strings, self.renderer, self.schedule, self.exemplars, self.weights),
        }

    def sample(self, denoiser: Callable, device: str | torch.device = "cpu") -> Tensor:
        """Signals [samples, *shape] of a denoiser on that device, from the same starting noise whatever the denoiser."""
        return diffusion.last(self.reverse(denoiser, device))

    @torch.no_grad()
    def reverse(
        self, denoiser: Callable, device: str | torch.device = "cpu", how: Sampling | None = None
    ) -> Iterator[Reverse]:
        """The steps from noise to the signals of `sample`; `how` in another way than the experiment's."""
        how = how or self.experiment.sampling
        generator = random_generator("sample", self.experiment.seed)
        x_T = torch.randn(how.samples, *self.renderer.shape, generator=generator).to(device)
        yield from diffusion.ddim(denoiser, self.schedule, x_T, how.steps, how.eta, how.clamp, generator)

    def data_hash(self) -> str:
        """SHA-256 of the training strings, their exemplars and the pool they are drawn from."""
        parts = {"strings": self.train_strings, "pool": self.renderer.pool}
        if self.exemplars is not None:
            parts["exemplars"] = self.exemplars
        return record.hash_arrays({name: tensor.numpy() for name, tensor in parts.items()})


def from_configuration(configuration: dict) -> Experiment:
    """The experiment that a record's configuration describes."""
    parts = copy.deepcopy(configuration)
    parts |= {"training": Training(**parts["training"]), "schedule": Schedule(**parts["schedule"])}
    parts |= {"sampling": Sampling(**parts["sampling"])}
    parts |= {name: tuple(parts[name]) for name in ("measure_at", "keep")}
    parts["also"] = tuple(Sampling(**how) for how in parts.get("also", ()))
    if probing := parts.get("probing"):
        parts["probing"] = Probing(**probing | {name: tuple(probing[name]) for name in ("levels", "closer")})
    return Experiment(**parts)


def beyond_defaults(part) -> dict:
    """A dataclass as a nested dictionary without the fields that are at their default."""
    found = {}
    for f in dataclasses.fields(part):
        value = getattr(part, f.name)
        default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
        if default is dataclasses.MISSING or value != default:
            found[f.name] = _plain(value)
    return found


def _plain(value):
    if dataclasses.is_dataclass(value):
        return beyond_defaults(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
