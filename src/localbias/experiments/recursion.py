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
from localbias.diffusion import DenoiserLike, last
from localbias.exact import Mixture
from localbias.experiments.configuration import Experiment
from localbias.experiments.setup import Setup
from localbias.measure import Watch, Watching
from localbias.render import Points
from localbias.seeds import random_generator
from localbias.store import RECORDS, RUNS, Record, beyond_defaults, key_of, revive
from localbias.training import State, auto_device, train

CHAINS = RECORDS / "chains"
TREATMENTS = ("filter", "sorted", "random", "none", "exact")
SHOWN = 400  # points of each generation that a record keeps


@dataclass(frozen=True)
class Chain:
    """A chain of generations of one mixture.

    Attributes:
        experiment: the mixture, the network and how it is trained and sampled; its seed is the
            chain's.
        treatment: of the samples before the next network is trained on them. "filter" drops those
            whose x̂0 moved most in the last steps, "random" drops as many at random, "none" draws no
            more than are wanted. "sorted" drops the same as "filter" and leaves the others in the
            order of their variance, in which batches are read, as the released code does. "exact"
            is the control without a network: the exact score of a
            mixture with the data's modes, as wide as the last generation's points are, so that
            nothing but the sampler acts.
        generations: that draw samples, the first one being trained on the data.
        points: that each generation is trained on.
        dropped: share of what is drawn that "filter" and "random" drop. The released code draws
            102,500 and keeps 100,000.
        window: visited steps at the end whose variance the filter takes.

    Raises:
        ValueError: for a field out of range.
    """

    experiment: Experiment
    treatment: str
    generations: int = 3
    points: int = 10_000
    dropped: float = 0.0244
    window: int = 10

    def __post_init__(self):
        typed(self)
        require(self, "treatment", self.treatment in TREATMENTS, ", ".join(TREATMENTS))
        require(self, "generations", self.generations >= 1, "at least 1")
        require(self, "points", self.points >= 2, "at least 2")
        require(self, "dropped", 0 <= self.dropped < 1, "0 to below 1")
        require(self, "window", self.window >= 2, "at least 2")

    @property
    def key(self) -> str:
        """12 hexadecimal digits of the configuration's hash, as of an experiment."""
        whole = beyond_defaults(self.experiment) | self.experiment.parts
        return key_of(beyond_defaults(self) | {"experiment": whole})

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

    - bad float64 [1 + G]: share of the points, before the treatment, that lie in no mode
    - kept float64 [1 + G]: the same of the points that the next network is trained on
    - width float64 [1 + G]: standard deviation of points around their mode, in the data's σ
    - modes int64 [1 + G, K^L]: points in each mode
    - points float32 [1 + G, ≤ 400, L]

    Args:
        chain: what to run.
        device: "auto", "cpu" or "cuda".
        folder: of the records.
        runs: folder of the locks.

    Raises:
        ValueError: for a device that is not here, and signals that are no points.
        FloatingPointError: where a training diverges.
    """
    chosen = auto_device(device)
    found = store.find(chain.stem, _stem_of, folder)
    if found:
        return found
    with store.only_writer(chain.stem, folder, runs):
        found = store.find(chain.stem, _stem_of, folder)
        return found or _run(chain, chosen, folder)


def _stem_of(held: dict[str, Any]) -> str:
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
    experiment = chain.experiment
    setup, seed = Setup(experiment), experiment.seed
    if not isinstance(setup.renderer, Points):
        raise ValueError(f"a chain of {experiment.name!r}, which shows no points")
    data = setup.draw(random_generator("chain", seed), chain.points)
    row = _row(setup, data, data)
    yield row
    for generation in range(chain.generations):
        if chain.treatment == "exact":
            denoiser: DenoiserLike = _mixture(setup, float(row["width"]))
        else:
            in_order = chain.treatment == "sorted" and generation > 0
            denoiser = _trained(setup, data, seed, generation, device, in_order)
        drawn, moves = _sampled(chain, setup, denoiser, generation, device)
        data = _treated(chain, drawn, moves, random_generator("chain", "drop", seed, generation))
        row = _row(setup, drawn, data)
        yield row


def _mixture(setup: Setup, width: float) -> Mixture:
    """The exact denoiser of the data's modes with another width, in the data's σ."""
    shown, grammar = setup.renderer, setup.grammar
    assert isinstance(shown, Points)
    covariance = (width * shown.spread) ** 2 * torch.eye(shown.length, dtype=torch.float64)
    return Mixture(shown.means(grammar.support), covariance, setup.schedule, grammar.probabilities)


def _trained(
    setup: Setup,
    data: Tensor,
    seed: int,
    generation: int,
    device: torch.device,
    in_order: bool = False,
) -> DenoiserLike:
    """A new network, trained on points [n, L], in batches at random or in the points' order."""
    one = Setup(setup.experiment.replace(seed=1000 * (seed + 1) + generation))
    state = State.fresh(one.denoiser().to(device), one.experiment.training)

    def draw(generator: torch.Generator, n: int) -> Tensor:
        if in_order:
            return data[(state.step * n + torch.arange(n)) % len(data)]
        return data[torch.randint(len(data), (n,), generator=generator)]

    for _ in train(state, one.experiment.training, draw, one.experiment.seed):
        pass
    return state.average.eval()


def _sampled(
    chain: Chain, setup: Setup, denoiser: DenoiserLike, generation: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Points [n, L], and by how much the x̂0 of each moved at the end [n]."""
    more = 0.0 if chain.treatment in ("none", "exact") else chain.dropped
    how = replace(setup.experiment.sampling, samples=round(chain.points / (1 - more)))
    one = Setup(setup.experiment.replace(seed=1000 * (setup.experiment.seed + 1) + generation))
    everything = torch.ones(setup.renderer.shape, dtype=torch.bool)
    watching = Watching(edges=(0.0, 1.0), last=chain.window)
    watch = Watch(watching, setup.schedule, everything, one.experiment.seed)
    drawn = last(watch.through(one.reverse(denoiser, device, how))).cpu().float()
    return drawn, watch.variances()[0]


def _treated(chain: Chain, drawn: Tensor, moves: Tensor, generator: torch.Generator) -> Tensor:
    """The points that stay, in random order but for "sorted"."""
    order = torch.randperm(len(drawn), generator=generator)
    if chain.treatment in ("filter", "sorted"):
        order = moves.argsort()[: chain.points]
    if chain.treatment == "filter":
        # Handed on in random order: sorted, batches would not be alike.
        order = order[torch.randperm(len(order), generator=generator)]
    return drawn[order[: chain.points]]


def _row(setup: Setup, drawn: Tensor, kept: Tensor) -> dict[str, np.ndarray]:
    shown = setup.renderer
    assert isinstance(shown, Points)
    tokens, left = setup.reader(drawn), setup.reader(kept)
    inside = (tokens >= 0).all(1)
    away = drawn[inside] - shown.means(tokens[inside])
    powers = shown.symbols ** torch.arange(shown.length - 1, -1, -1)
    modes = (tokens[inside] @ powers).bincount(minlength=shown.symbols**shown.length)
    return {
        "bad": np.array((~inside).double().mean().item()),
        "kept": np.array((left < 0).any(1).double().mean().item()),
        "width": np.array(away.double().square().mean().sqrt().item() / shown.spread),
        "modes": modes.numpy(),
        "points": kept[:SHOWN].numpy(),
    }
