"""How far a network's x̂0 is from the exact denoisers', on the way to each of its samples."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from localbias.diffusion import Denoiser, nearest
from localbias.exact import NAMES
from localbias.experiments.configuration import Experiment
from localbias.experiments.engine import load_network
from localbias.experiments.results import Results
from localbias.experiments.setup import Setup


def distances(
    results: Results, levels: Sequence[float], kept: Results | None = None
) -> dict[str, np.ndarray]:
    """Mean squared distance of x̂0 from each exact denoiser's, sample by sample.

    The samples of the records are drawn again by the weights that were kept, from the same noise.
    They are the same up to the weights' half precision.

    Args:
        results: of a watched experiment.
        levels: by √ᾱ; the visited steps nearest to them are taken.
        kept: records of the same trainings that kept weights; None: the records themselves.

    Returns:
        "distance to <reference> at <level>" -> [S, M, n], NaN where no weights were kept.

    Raises:
        ValueError: where `kept` are records of other trainings.
    """
    shape = len(results.records), len(results.steps), results.experiment.sampling.samples
    empty = np.full(shape, np.nan)
    found = {_name(name, level): empty.copy() for level in levels for name in NAMES}
    for seed, row, setup, denoiser in tqdm(
        list(_networks(results, kept or results)), desc=f"{results.name} drawn again", unit="step"
    ):
        for level, (t, x_t, x0) in _at(setup, denoiser, levels).items():
            for name in NAMES:
                exact = setup.schedule.predict(setup.references[name], x_t, t, "x0")
                away = (x0 - exact).double().square().flatten(1).mean(1)
                found[_name(name, level)][seed, row] = away.numpy()
    return found


def _name(reference: str, level: float) -> str:
    return f"distance to {reference} at {level:g}"


def _networks(results: Results, kept: Results) -> Iterator[tuple[int, int, Setup, Denoiser]]:
    """The networks whose weights there are: place of the seed, row of the step, setup, network."""
    by_seed = dict(zip((one.seed for one in kept.experiments), kept.records))
    same = {one.seed: _training(one) for one in kept.experiments}
    for seed, setup in enumerate(results.setups):
        one = setup.experiment
        if one.seed not in by_seed:
            continue
        if _training(one) != same[one.seed]:
            raise ValueError(f"{kept.name!r} is another training than {results.name!r}")
        record = by_seed[one.seed]
        for row, step in enumerate(results.steps.tolist()):
            if step in record.experiment["keep"]:
                yield seed, row, setup, load_network(record, step)


def _training(experiment: Experiment) -> tuple[object, ...]:
    """What decides the weights at a step, and the samples' noise: not how they are measured."""
    one, training = experiment, experiment.training
    if training.decay == "constant":  # then the weights at a step do not depend on the last one
        training = replace(training, steps=10**9)
    data = one.parts, one.n_train, one.rendering
    return *data, one.reads, one.target, one.schedule, training


@torch.no_grad()
def _at(
    setup: Setup, denoiser: Denoiser, levels: Sequence[float]
) -> dict[float, tuple[int, Tensor, Tensor]]:
    """Level -> step, x_t and x̂0 of the visited step nearest to it."""
    visited = nearest(setup.reverse(denoiser), setup.schedule, levels)
    return {level: (one.t, one.x_t, one.x0) for level, one in zip(levels, visited) if one}
