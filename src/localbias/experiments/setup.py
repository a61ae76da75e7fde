"""A setup: what a configuration describes, built and ready to train and sample."""

import json
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from localbias import diffusion, exact
from localbias.diffusion import Denoiser, DenoiserLike, Reverse
from localbias.experiments.configuration import Experiment, Sampling
from localbias.experiments.parts import grammar_of, network_of, renderer_of
from localbias.measure import OUTCOMES, Outcomes, Probe, Watch, chance, classify, tally
from localbias.reading import reader
from localbias.render import to_pixels
from localbias.seeds import random_generator
from localbias.store import hash_arrays
from localbias.training import Locality


class Setup:
    """Grammar, renderer, strings, exemplars, denoiser and reader of one experiment.

    Attributes:
        experiment: the configuration.
        grammar: the rule.
        renderer: shows its strings.
        schedule: the noise.
        train_strings: int64 [n_train, L].
        held_out: int64 [n − n_train, L], the other valid strings.
        weights: float64 [n_train], how often each training string is drawn; None: all alike.
        exemplars: what each training string is always shown with, where rendering is fixed; else
            None.
        reader: signals to tokens, −1 where a symbol is unreadable.

    Raises:
        ValueError: where the renderer does not show the grammar's strings.
    """

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.grammar = grammar_of(experiment.grammar)
        self.renderer = renderer_of(experiment.renderer)
        symbols = len(self.grammar.alphabet)
        if (self.renderer.length, self.renderer.symbols) != (self.grammar.length, symbols):
            raise ValueError(
                f"{self.grammar} has {self.grammar.length} symbols of {symbols}; the renderer "
                f"shows {self.renderer.length} of {self.renderer.symbols}"
            )
        self.train_strings, self.held_out = self.grammar.split(experiment.n_train, experiment.seed)
        weights = self.grammar.weights(self.train_strings)
        self.weights = None if (weights == weights[0]).all() else weights
        self.exemplars = None
        if experiment.rendering == "fixed":
            generator = random_generator("exemplars", experiment.seed)
            self.exemplars = self.renderer.exemplars(self.train_strings, generator)
        self.schedule = experiment.schedule
        self.reader = reader(self.renderer)

    def draw(self, generator: torch.Generator, n: int) -> Tensor:
        """Training signals `[n, *shape]`, drawn with replacement, by the grammar's law."""
        if self.weights is None:
            chosen = torch.randint(len(self.train_strings), (n,), generator=generator)
        else:
            chosen = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        if self.exemplars is None:
            return self.renderer(self.train_strings[chosen], generator)
        return self.renderer.draw(self.train_strings[chosen], self.exemplars[chosen])

    def denoiser(self) -> Denoiser:
        """An untrained denoiser; its initial weights come from the seed."""
        network = network_of(self.experiment.network, self.renderer.shape, self.experiment.seed)
        return Denoiser(network, self.schedule, self.experiment.reads, self.experiment.target)

    @cached_property
    def references(self) -> dict[str, DenoiserLike]:
        """The exact denoisers of these data by name, if any.

        They are those of `exact.NAMES`, then the further ones that the probing asks for.
        """
        probing = self.experiment.probing
        return exact.references(
            self.renderer,
            self.grammar,
            self.schedule,
            self.train_strings,
            self.exemplars,
            self.weights,
            probing.further if probing else (),
        )

    @property
    def locality(self) -> Locality | None:
        """What the training's penalty needs to know of the data; None where there is no penalty."""
        penalty = self.experiment.training.penalty
        if penalty is None:
            return None
        places = range(self.grammar.length)
        regions = torch.stack([self.renderer.region(place) for place in places])
        return Locality(regions, self.references.get("rule") if penalty.aim == "rule" else None)

    @cached_property
    def probe(self) -> Probe:
        """What measures locality. ValueError where the experiment has no probing."""
        if self.experiment.probing is None:
            raise ValueError(
                f"experiment {self.experiment.name!r} has probing=None; allowed: a Probing"
            )
        return Probe(
            self.grammar,
            self.renderer,
            self.schedule,
            self.references,
            self.experiment.probing,
            self.experiment.seed,
        )

    def watch(self) -> Watch | None:
        """What looks on while samples are drawn, new for every drawing; None where nothing does."""
        watching = self.experiment.watching
        if watching is None:
            return None
        everything = torch.ones(self.renderer.shape, dtype=torch.bool)  # of a plane without regions
        region = self.renderer.region(watching.symbol) if watching.levels else everything
        return Watch(watching, self.schedule, region, self.experiment.seed)

    def kept(self, signals: Tensor) -> Tensor:
        """What a record keeps of samples: some as pixels, or all of them where they are points."""
        if self.renderer.bounded:
            return to_pixels(signals[: self.experiment.shown])
        return signals.float().cpu()

    @property
    def chance(self) -> list[float]:
        """The shares of the outcomes that independent symbols would give (`measure.chance`)."""
        return chance(self.grammar, self.train_strings).tolist()

    def outcomes(self, tokens: Tensor) -> Tensor:
        """Which outcome each string [n, L] is: int64 [n], indices into `measure.OUTCOMES`."""
        return classify(tokens, self.grammar, self.train_strings)

    def tally(self, tokens: Tensor) -> Outcomes:
        """The outcomes of decoded strings [n, L], counted."""
        return tally(tokens, self.grammar, self.train_strings)

    def law_outcomes(self, strings: Tensor, probabilities: Tensor) -> np.ndarray:
        """The outcomes of laws on strings [n, L]: float64 [..., n] -> shares float64 [..., 4]."""
        which = one_hot(self.outcomes(strings), len(OUTCOMES)).to(probabilities)
        return (probabilities @ which).numpy()

    def sample(self, denoiser: DenoiserLike, device: str | torch.device = "cpu") -> Tensor:
        """Signals `[samples, *shape]` of a denoiser on that device, always from the same noise."""
        return diffusion.last(self.reverse(denoiser, device))

    @torch.no_grad()
    def reverse(
        self,
        denoiser: DenoiserLike,
        device: str | torch.device = "cpu",
        how: Sampling | None = None,
    ) -> Iterator[Reverse]:
        """The steps from noise to the signals of `sample`.

        Args:
            denoiser: what samples are drawn of.
            device: where it is.
            how: another way than the experiment's.
        """
        how = how or self.experiment.sampling
        generator = random_generator("sample", self.experiment.seed)
        x_T = torch.randn(how.samples, *self.renderer.shape, generator=generator).to(device)
        yield from diffusion.ddim(
            denoiser, self.schedule, x_T, how.steps, how.eta, how.clamp, generator, how.variance
        )

    def data_hash(self) -> str:
        """SHA-256 of the training strings, their exemplars and what they are rendered with."""
        parts = {"strings": self.train_strings, **self.renderer.content()}
        if self.exemplars is not None:
            parts["exemplars"] = self.exemplars
        return hash_arrays({name: tensor.numpy() for name, tensor in parts.items()})


def data_hash(experiment: Experiment) -> str:
    """`Setup.data_hash` of an experiment; those with the same data are set up once a process."""
    data = (experiment.parts["grammar"], experiment.parts["renderer"])
    how = (experiment.n_train, experiment.rendering, experiment.seed)
    asked = json.dumps((*data, *how), sort_keys=True)
    if asked not in _HASHES:
        _HASHES[asked] = Setup(experiment).data_hash()
    return _HASHES[asked]


_HASHES: dict[str, str] = {}
