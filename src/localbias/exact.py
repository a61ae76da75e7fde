"""How locally the exact denoisers of a setup work over all noise levels, and where it matters to know the rule."""

from collections.abc import Sequence

import numpy as np
import torch

from localbias import ldr, reference
from localbias.experiment import Setup
from localbias.products import mean_ratio


def over_levels(setup: Setup, levels: Sequence[float], seed: int, signals: int = 48, probes: int = 16, symbol: int = 0) -> dict:
    """At each noise level √ᾱ, on noised signals of valid strings:

    levels [V];  "x0" and "noise": name of the reference -> the mean local dependency ratio of that symbol's cell [V], NaN
    where more than half of the Jacobians vanish;  gap [V], the loss (of x0) of marginals beyond the rule's, over 20 times as many
    signals;  band, the levels between which the gap is at least a tenth of its largest
    """
    generator = torch.Generator().manual_seed(seed)
    support = setup.grammar.support

    def drawn(n):
        return setup.renderer(support[torch.multinomial(setup.grammar.probabilities, n, replacement=True, generator=generator)], generator)

    x0, region, many = drawn(signals), setup.renderer.region(symbol), drawn(20 * signals)
    panel = {"levels": np.asarray(levels), **{target: {n: [] for n in reference.NAMES} for target in ("x0", "noise")}, "gap": []}
    for level in levels:
        t = setup.schedule.index(sqrt_alpha_bar=level)
        x_t = setup.schedule.add_noise(x0, torch.randn(x0.shape, generator=generator), t).double()
        gap = reference.gap(setup.references["rule"], setup.references["marginals"], many, t, generator)
        panel["gap"].append(gap.mean().item())
        for name, denoiser in setup.references.items():
            found = ldr.local_dependency_ratio(
                lambda x: denoiser(x, t), x_t, region, probes, generator, resolution=reference.RESOLUTION, details=True
            )
            for target in ("x0", "noise"):
                panel[target][name].append(float(mean_ratio(found.converted(*setup.schedule.affine(t, "x0", target)))))
    panel["gap"] = np.array(panel["gap"])
    return panel | {"band": reference.band(torch.as_tensor(panel["levels"]), torch.from_numpy(panel["gap"]))}
