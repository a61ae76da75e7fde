"""Chains: each network is trained on the samples of the one before (Aithal et al. 2024, §6).

A chain is stored when it is whole; it takes minutes, so one that is interrupted begins again. Its
records lie in records/chains.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from localbias import store
from localbias.checks import require, typed
from localbias.diffusion import Denoiser, DenoiserLike, last
from localbias.exact import Mixture
from localbias.experiments import generations
from localbias.experiments.configuration import Experiment, key_around
from localbias.experiments.generations import Drawn, balanced
from localbias.experiments.setup import Setup
from localbias.measure import Watch, Watching
from localbias.networks import Labelled
from localbias.render import Digit, Points
from localbias.seeds import random_generator
from localbias.store import RECORDS, RUNS, Record, beyond_defaults, revive
from localbias.training import State, auto_device, train

CHAINS = RECORDS / "chains"
TREATMENTS = ("filter", "sorted", "random", "none", "exact")


@dataclass(frozen=True)
class Chain:
    """A chain of generations of one mixture, or of digits with labels.

    Attributes:
        experiment: the mixture, the network and how it is trained and sampled; its seed is the
            chain's.
        treatment: of the samples before the next network is trained on them. "filter" drops those
            whose x̂0 moved most in the last steps, "random" drops as many at random, "none" draws no
            more than are wanted. "sorted" drops the same as "filter" and leaves the others in the
            order of their variance, in which batches are read, as the released code does. "exact"
            is the control without a network: the exact score of a mixture with the data's modes, as
            wide as the last generation's points are, so that nothing but the sampler acts.
        generations: that draw samples, the first one being trained on the data.
        points: that each generation is trained on.
        dropped: share of what is drawn that "filter" and "random" drop. The released code draws
            102,500 and keeps 100,000.
        window: visited steps at the end whose variance the filter takes.
        guidance: of a network that is told labels (`Labelled`), classifier-free (w).
        hidden: share of its training signals whose label it is not told.

    Raises:
        ValueError: for a field out of range.
    """

    experiment: Experiment
    treatment: str
    generations: int = 3
    points: int = 10_000
    dropped: float = 0.0244
    window: int = 10
    guidance: float = 0.0
    hidden: float = 0.1

    def __post_init__(self):
        typed(self)
        require(self, "treatment", self.treatment in TREATMENTS, ", ".join(TREATMENTS))
        require(self, "generations", self.generations >= 1, "at least 1")
        require(self, "points", self.points >= 2, "at least 2")
        require(self, "dropped", 0 <= self.dropped < 1, "0 to below 1")
        require(self, "window", self.window >= 2, "at least 2")
        require(self, "guidance", self.guidance >= 0, "0 or more")
        require(self, "hidden", 0 <= self.hidden < 1, "0 to below 1")

    @property
    def key(self) -> str:
        """12 hexadecimal digits of the configuration's hash, as of an experiment."""
        return key_around(self)

    @property
    def stem(self) -> str:
        """The name of the record's files."""
        one = self.experiment
        return f"{one.name}-{self.treatment}-{one.tier}-s{one.seed}-{self.key}"

    @property
    def configuration(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        plain = beyond_defaults(self) | {"experiment": self.experiment.configuration}
        return plain | {"treatment": self.treatment}


def run(chain: Chain, device: str = "auto", folder: Path = CHAINS, runs: Path = RUNS) -> Record:
    """The stored record of a chain; made where there is none.

    The arrays, with G generations, of which the first row is the data's:

    - bad float64 [1 + G]: share of the signals, before the treatment, that lie in no mode, or of
      digits that are not read as their label
    - kept float64 [1 + G]: the same of the signals that the next network is trained on
    - of points: width float64 [1 + G], standard deviation around their mode, in the data's σ; modes
      int64 [1 + G, K^L], points in each mode; points float32 [1 + G, ≤ 400, L]
    - of digits: refused float64 [1 + G], share that cannot be read; distance float64 [1 + G], the
      Fréchet distance of the reader's features from those of digits that were held out; pictures
      uint8 `[1 + G, ≤ 100, *shape]`

    Args:
        chain: what to run.
        device: "auto", "cpu" or "cuda".
        folder: of the records.
        runs: folder of the locks.

    Raises:
        ValueError: for a device that is not here, and signals that are neither points nor digits.
        FloatingPointError: where a training diverges.
    """
    chosen = auto_device(device)
    found = store.find(chain.stem, stem_of, folder)
    if found:
        return found
    with store.only_writer(chain.stem, folder, runs):
        found = store.find(chain.stem, stem_of, folder)
        return found or _run(chain, chosen, folder)


def stem_of(held: dict[str, Any]) -> str:
    """The name that belongs to the configuration of a record."""
    return revive(Chain, held).stem


def _run(chain: Chain, device: torch.device, folder: Path) -> Record:
    code, began = store.code_version(), monotonic()
    rows = list(tqdm(_generations(chain, device), desc=chain.stem, total=1 + chain.generations))
    steps = chain.experiment.training.steps * chain.generations
    process = store.process_of(
        code=code,
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        threads=torch.get_num_threads(),
        libraries=("torch", "numpy"),
        steps=(0, steps),
        seconds=monotonic() - began,
    )
    origin = {
        "key": chain.key,
        "experiment": chain.configuration,
        "fingerprint": None,
        "processes": [process],
    }
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return store.save(chain.stem, origin, arrays, None, folder)


def _generations(chain: Chain, device: torch.device) -> Iterator[dict[str, np.ndarray]]:
    """What each generation's points are, the data's first."""
    setup, seed = Setup(chain.experiment), chain.experiment.seed
    shown, beginning = setup.renderer, random_generator("chain", seed)
    data = generations.first_data(shown, setup, chain.points, beginning)
    row = generations.row(shown, setup, data, data)
    yield row
    for generation in range(chain.generations):
        if chain.treatment == "exact":
            denoiser: DenoiserLike = _mixture(setup, row)
        else:
            denoiser = _trained(chain, setup, data, generation, device)
        drawn, moves = _sampled(chain, setup, denoiser, generation, device)
        data = _treated(chain, drawn, moves, random_generator("chain", "drop", seed, generation))
        row = generations.row(shown, setup, drawn, data)
        yield row


def _mixture(setup: Setup, row: dict[str, np.ndarray]) -> Mixture:
    """The exact denoiser of the data's modes, as wide as the last generation's points."""
    shown, grammar = setup.renderer, setup.grammar
    if not isinstance(shown, Points):
        raise ValueError(f"treatment='exact' of {setup.experiment.name!r}; allowed: of points")
    covariance = (float(row["width"]) * shown.spread) ** 2 * torch.eye(
        shown.length, dtype=torch.float64
    )
    return Mixture(shown.means(grammar.support), covariance, setup.schedule, grammar.probabilities)


def _trained(
    chain: Chain, setup: Setup, data: Drawn, generation: int, device: torch.device
) -> Denoiser:
    """A new network, trained on the data in batches at random, or in their order."""
    one, n = _setup_of(setup, generation), len(data.signals)
    state = State.fresh(one.denoiser().to(device), one.experiment.training)
    in_order = chain.treatment == "sorted" and generation > 0

    def draw(generator: torch.Generator, batch: int) -> Tensor:
        if in_order:
            chosen = (state.step * batch + torch.arange(batch)) % n
        else:
            chosen = torch.randint(n, (batch,), generator=generator)
        signals, labels = data.chosen(chosen)
        if labels is not None:
            network = _labelled(state.denoiser)
            hidden = torch.rand(batch, generator=generator) < chain.hidden
            network.bind(torch.where(hidden, network.classes, labels))
        return signals

    for _ in train(state, one.experiment.training, draw, one.experiment.seed):
        pass
    return state.average.eval()


def _setup_of(setup: Setup, generation: int) -> Setup:
    """What a generation's network is trained and sampled with: its seed is its own."""
    seed = 1000 * (setup.experiment.seed + 1) + generation
    return Setup(setup.experiment.replace(seed=seed))


def _labelled(denoiser: DenoiserLike) -> Labelled:
    """The network of a denoiser that is told labels. ValueError where it is none."""
    network = getattr(denoiser, "network", None)
    if not isinstance(network, Labelled):
        raise ValueError(f"a {type(network).__name__} for signals with labels; allowed: labelled")
    return network


def _sampled(
    chain: Chain, setup: Setup, denoiser: DenoiserLike, generation: int, device: torch.device
) -> tuple[Drawn, Tensor]:
    """Signals of a network, and by how much the x̂0 of each moved at the end [n]."""
    more = 0.0 if chain.treatment in ("none", "exact") else chain.dropped
    how = replace(setup.experiment.sampling, samples=round(chain.points / (1 - more)))
    one, labels = _setup_of(setup, generation), None
    if isinstance(setup.renderer, Digit):
        labels = balanced(how.samples)
        _labelled(denoiser).bind(labels, chain.guidance)
    everything = torch.ones(setup.renderer.shape, dtype=torch.bool)
    watching = Watching(edges=(0.0, 1.0), last=chain.window)
    watch = Watch(watching, setup.schedule, everything, one.experiment.seed)
    signals = last(watch.through(one.reverse(denoiser, device, how))).cpu().float()
    return Drawn(signals, labels), watch.variances()[0]


def _treated(chain: Chain, drawn: Drawn, moves: Tensor, generator: torch.Generator) -> Drawn:
    """The signals that stay, in random order but for "sorted"."""
    order = torch.randperm(len(moves), generator=generator)
    if chain.treatment in ("filter", "sorted"):
        order = moves.argsort()[: chain.points]
    if chain.treatment == "filter":
        # Handed on in random order: sorted, batches would not be alike.
        order = order[torch.randperm(len(order), generator=generator)]
    return drawn.chosen(order[: chain.points])
