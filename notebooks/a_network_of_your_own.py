# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A network of your own
#
# A network is a torch module that is made from the shape of a signal, and that maps noised signals
# and times to arrays of the same shape. This one is deaf: it sees one symbol at a time, so that it
# cannot but generate locally. What becomes of parity? All of the page's code is shown.

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, and its
# package, which `pip install -e '.[book]' -c constraints.txt` installs there. Binder has both.
# Elsewhere, Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" only shows that everything runs
seed = 0

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from localbias import figures
from localbias.book import parameters
from localbias.experiments import Experiment, Results, run
from localbias.measure import Probing
from localbias.store import RUNS
from localbias.training import Training

parameters(globals(), tier=("smoke", "laptop"), seed=range(2**31))
figures.use_style()


# %%
class Deaf(nn.Module):
    """The same small network at every symbol, which sees that symbol and the time alone."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        sizes = (2, 64, 64, 1)
        layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
        self.layers = nn.Sequential(layers[0], nn.SiLU(), layers[1], nn.SiLU(), layers[2])

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:  # [B, L], [B]
        time = (t / 1000).view(-1, 1).expand_as(x)
        return self.layers(torch.stack([x, time], -1)).squeeze(-1)


# %%
steps = {"smoke": (20, 40), "laptop": (50, 100, 200, 400, 800, 2000)}[tier]
experiment = Experiment(
    name="deaf",
    tier=tier,
    seed=seed,
    grammar=dict(name="parity", length=8),
    renderer=dict(name="scalars", length=8),
    network=Deaf,
    n_train=64,
    training=Training(steps=steps[-1], batch=64),
    measure_at=steps,
    probing=Probing(levels=(0.5, 0.8)),
)
results = Results([run(experiment, folder=RUNS / "mine")])

# %%
#| label: a-network-along-training
#| fig-cap: >-
#|   A network that sees one symbol at a time, on parity of eight: outcomes, local dependency ratio,
#|   and the distance from each exact denoiser.
#| fig-alt: >-
#|   Outcome shares, the ratio, which is one throughout, and the distances from exact denoisers
#|   against training steps
figures.along_training({results.label: results.along(0.8)})
plt.show()

# %% tags=["remove-cell"]
assert abs(results.ratios() - 1).max() < 1e-4
if tier == "laptop" and seed == 0:
    assert 0.35 < results.counts[0, -1, 1] / results.counts[0, -1, 1:].sum() < 0.65

# %% [markdown]
# Its ratio is 1 by construction. Its symbols become sharp and its strings remain a coin's toss, on
# the dashed lines of chance, however long it trains: the exact denoiser that it can come near is
# that of the *marginals*. The book's other networks begin the same way, though nothing forces them
# to.
#
# **Further.** A network with options: `functools.partial(Mine, width=64)`. To name it in a
# configuration, register it: `localbias.networks.register("deaf", Deaf)`, then
# `network=dict(kind="deaf")`. A network with a cell of its own per symbol, or with pictures, gets
# the shape that its renderer says, such as (1, 28, 28).
