"""What the exact denoisers of an experiment's data draw, and how locally they work."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from localbias.diffusion import TARGETS, last
from localbias.exact import RESOLUTION
from localbias.experiments.configuration import Sampling
from localbias.experiments.setup import Setup
from localbias.ldr import local_dependency_ratio, mean_ratio


def reference_counts(setup: Setup) -> dict[str, np.ndarray]:
    """What the exact denoisers of a setup draw: name -> outcome counts int [4]."""
    return {
        name: setup.tally(setup.reader(setup.sample(denoiser))).counts
        for name, denoiser in setup.references.items()
    }


def sampled_exactly(setup: Setup, ways: Sequence[Sampling], samples: int) -> list[np.ndarray]:
    """What the exact rule draws by each way of sampling: the control of every share of bad samples.

    Args:
        setup: whose rule it is.
        ways: how samples are drawn.
        samples: that are drawn, whatever the ways say.

    Returns:
        Outcome counts int [4] of each way.
    """
    rule = setup.references["rule"]
    drawn = (last(setup.reverse(rule, how=replace(how, samples=samples))) for how in ways)
    return [setup.tally(setup.reader(signals)).counts for signals in drawn]


def perfect_ratios(
    setup: Setup, levels: Sequence[float], signals: int, seed: int, probes: int = 8
) -> dict[str, dict[str, np.ndarray]]:
    """The local dependency ratio of networks that know the rule, or the training set, perfectly.

    Args:
        setup: whose training strings are shown and noised; the region is the first symbol's place.
        levels: [V], by √ᾱ.
        signals: of which the ratios are means.
        seed: of the signals, the noise and the random vectors.
        probes: random vectors a signal.

    Returns:
        "rule" and "train" -> target -> mean of ratios [V], NaN where more than half of the
        Jacobians vanish.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(setup.train_strings), (signals,), generator=generator)
    x0 = setup.renderer(setup.train_strings[chosen], generator)
    region, schedule = setup.renderer.region(0), setup.schedule
    found = {
        name: {target: np.zeros(len(levels)) for target in TARGETS} for name in ("rule", "train")
    }
    for v, level in enumerate(levels):
        t = schedule.index(sqrt_alpha_bar=level)
        x_t = schedule.add_noise(x0, torch.randn(x0.shape, generator=generator), t).double()
        for name, by_target in found.items():
            f = partial(schedule.predict, setup.references[name], t=t, target="x0")
            products = local_dependency_ratio(
                f, x_t, region, probes, generator, resolution=RESOLUTION, details=True
            )
            for target, ratios in by_target.items():
                ratios[v] = mean_ratio(products.converted(*schedule.affine(t, "x0", target)))
    return found
