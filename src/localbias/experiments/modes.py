"""What records of mixtures say of their denoisers: curves over the noised point, and shares."""

from collections.abc import Callable

import numpy as np
import torch

from localbias.diffusion import DenoiserLike
from localbias.experiments.engine import load_network
from localbias.experiments.results import Results
from localbias.render import Points

POINTS = 600  # along a curve
# What chapter 5 compares: question -> label -> experiment, in one dimension and in the plane; and
# the number of steps of the schedule.
LINE = {
    "the schedule": {"β .001 to .2": "modes-3", "β .0001 to .02": "modes-3-gentle"},
    "the network": {
        "16 units": "modes-3-narrow",
        "64 units": "modes-3",
        "256 units": "modes-3-wide",
    },
    "the data": {
        "endless": "modes-3",
        "10 points a mode": "modes-3-points-10",
        "100": "modes-3-points-100",
        "1,000": "modes-3-points-1000",
        "modes at 1, 2, 4, 5": "modes-4",
    },
}
STEPS = {
    "T = 100": "modes-3-gentle-T-100",
    "T = 250": "modes-3-gentle-T-250",
    "T = 1,000": "modes-3-gentle",
}
PLANE = {
    "the network": {
        "waves": "grid-25-gentle",
        "plain, 128 units": "grid-25-plain",
        "as released": "grid-25-layernorm",
    },
    "the schedule": {"β .001 to .2": "grid-25", "β .0001 to .02": "grid-25-gentle"},
    "the grid": {
        "straight": "grid-25-gentle",
        "turned by 45°": "grid-25-turned",
        "turned and shrunk": "grid-25-shrunk",
    },
}


def shares(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """Steps [M], and how many samples are in no mode and how many there are, int [S, M, 2]."""
    return results.steps, np.stack([results.counts[..., 0], results.counts.sum(-1)], -1)


def denoisers(results: Results) -> dict[str, DenoiserLike]:
    """The exact denoiser, and the first record's network at the steps that it kept, by name."""
    kept = results.experiment.keep
    found: dict[str, DenoiserLike] = {"exact": results.setup.references["rule"]}
    for step in kept:
        found[f"network, step {step:,}"] = load_network(results.records[0], step)
    if not kept:
        found["network, untrained"] = results.network()
    return found


@torch.no_grad()
def curves(results: Results, level: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """x̂0 over the noised point in one dimension, exact and learned.

    Args:
        results: of points of one coordinate.
        level: √ᾱ.

    Returns:
        x_t/√ᾱ [n], and by name x̂0 [n].

    Raises:
        ValueError: for signals that are no points of one coordinate.
    """
    shown, schedule = results.setup.renderer, results.setup.schedule
    if not isinstance(shown, Points) or shown.length != 1:
        raise ValueError(f"experiment {results.name!r} shows no points of one coordinate")
    positions, t = shown.positions, schedule.index(sqrt_alpha_bar=level)
    beyond = (positions.max() - positions.min()) / (2 * len(positions))
    x = torch.linspace(float(positions.min() - beyond), float(positions.max() + beyond), POINTS)
    x_t = (schedule.alpha_bar[t].sqrt().float() * x)[:, None]
    by_name = {
        name: schedule.predict(denoiser, x_t, t, "x0")[:, 0].numpy()
        for name, denoiser in denoisers(results).items()
    }
    return x.numpy(), by_name


def on_the_way(results: Results) -> Callable[[float], dict[str, np.ndarray]]:
    """Where samples in one dimension are at each level on their way, by each of `denoisers`.

    Args:
        results: as of `curves`.

    Returns:
        A function of √ᾱ that gives, by name, x_t/√ᾱ [n] at the visited step nearest to it.
    """
    schedule, how = results.setup.schedule, results.experiment.sampling
    ways = {}
    for name, denoiser in denoisers(results).items():
        states = list(results.setup.reverse(denoiser, how=how))
        ways[name] = [(schedule.alpha_bar[one.t].sqrt().item(), one.x_t[:, 0]) for one in states]

    def at(level: float) -> dict[str, np.ndarray]:
        found = {}
        for name, states in ways.items():
            here, x_t = min(states, key=lambda state: abs(state[0] - level))
            found[name] = (x_t / here).numpy()
        return found

    return at
