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
# # A rule of your own
#
# From a class to its outcomes and its local dependency ratio, in under forty lines. The rule here:
# six parentheses that read the same from both ends. All of this page's code is shown; copy it and
# change the class.

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, and its
# package, which `pip install -e '.[book]' -c constraints.txt` installs there. Binder has both.
# Elsewhere, Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" only shows that everything runs
seed = 0

# %%
from functools import cached_property

import matplotlib.pyplot as plt
import torch

from localbias import figures
from localbias.book import parameters
from localbias.experiments import Experiment, Results, run
from localbias.grammar import Grammar
from localbias.measure import Probing
from localbias.render import Scalars
from localbias.store import RUNS
from localbias.training import Training

parameters(globals(), tier=("smoke", "laptop"), seed=range(2**31))
figures.use_style()

# %% [markdown]
# **The rule** is an alphabet, a length and the strings that keep it. Marginals, chance levels, the
# split into training and held-out strings and the exact denoisers follow from these.


# %%
class Palindrome(Grammar):
    """Six parentheses that read the same from both ends."""

    alphabet, length = ("(", ")"), 6

    @cached_property
    def support(self):
        strings = torch.cartesian_prod(*[torch.arange(2)] * 6)
        return strings[(strings == strings.flip(-1)).all(-1)]


# %% [markdown]
# **The experiment** takes it as it is: here each symbol is a number, the network a small MLP, and
# six of the eight valid strings are trained on.

# %%
steps = {"smoke": (20, 40), "laptop": (50, 100, 200, 400, 800, 1500)}[tier]
experiment = Experiment(
    name="palindrome",
    tier=tier,
    seed=seed,
    grammar=Palindrome(),
    renderer=Scalars(6),
    network=dict(kind="mlp", width=64, depth=2),
    n_train=6,
    training=Training(steps=steps[-1], batch=64),
    measure_at=steps,
    probing=Probing(levels=(0.5, 0.8)),
)
results = Results([run(experiment, folder=RUNS / "mine")])

# %% [markdown]
# `run` trains where there is no record yet, and keeps one in that folder; run the same lines again
# and it is read. **The results** have everything that the chapters draw.

# %%
#| label: a-rule-along-training
#| fig-cap: >-
#|   A rule of one's own along training: outcomes, local dependency ratio, and how far the
#|   prediction is from that of each exact denoiser.
#| fig-alt: >-
#|   Outcome shares, the ratio at one noise level and the distances from exact denoisers against
#|   training steps
figures.along_training({results.label: results.along(0.8)})
plt.show()

# %% tags=["remove-cell"]
if tier == "laptop" and seed == 0:
    assert results.counts[0, -1, 2:].sum() > 150  # of 200: palindromes at the end

# %% [markdown]
# Pairs of symbols decide this rule, so the network learns it quickly, and its ratio falls as it
# does: to know a symbol it must look at the mirrored one.
#
# **Further.** A renderer of your own is any object with the members of `localbias.render.Renderer`;
# [a network of your own](a_network_of_your_own.ipynb) is a class. To name a rule in a configuration
# instead of passing it, register it first: `localbias.grammar.register("palindrome", Palindrome)`,
# then `grammar=dict(name="palindrome")`. What is passed or registered so enters the record's key by
# its content, not by its name alone. CONTRIBUTING.md says how one becomes a part of the book.
