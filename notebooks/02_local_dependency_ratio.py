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
# # The local dependency ratio
#
# Chapter 1 found sharp symbols in random strings, and told the paper's explanation: the network
# draws each symbol from the noise at that symbol's own place. This chapter measures it. The paper's
# instrument (§4.3) is a number between 0 and 1. Let $f$ be the network at one noise level and $R$
# the pixels of one symbol. Nudge an input pixel a little, and each output moves by so much: the
# table of these numbers, a row an output and a column an input, is the *Jacobian*. Let $J_R$ be its
# rows in $R$, and $J_{RR}$ the columns of these that are in $R$ too. Then
#
# $$\mathrm{LDR}(x_t) = \frac{\lVert J_{RR}\rVert_F^2}{\lVert J_R\rVert_F^2}$$ (eq-ldr)
#
# is the **local dependency ratio**, where $\lVert\cdot\rVert_F^2$ is the sum of the squares of all
# entries. It is 1 if the symbol listens to its own place alone, and $|R|/d$, the region's share of
# all $d$ pixels, if it listens to every pixel alike. The paper reports the mean over noised samples
# and finds it high as long as the network hallucinates.
#
# A ratio near 1 sounds like a diagnosis. Whether it is one depends on what a *perfect* model would
# show. For our data that can be computed, and the networks' curves stand beside it. Three questions
# come first: what do exact denoisers show, at which noise levels, and does it matter what the
# network's output is taken for?

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, with its
# records, and its package, which `pip install -e '.[book]' -c constraints.txt` installs there.
# Binder has both. Elsewhere, Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" goes through everything in a minute or two, "paper" wants a GPU and days
device = "auto"  # "cpu" or "cuda"
seed = 0  # 0 shows the recorded seeds; any other number only that seed
signals = 48  # noised signals at each level where this notebook itself measures

# %% tags=["hide-input"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from tqdm import tqdm

from localbias import figures
from localbias.book import parameters, tables
from localbias.exact import over_levels
from localbias.experiments import TIERS, Setup, catalogue, perfect_ratios
from localbias.experiments.recorded import Recorded
from localbias.ldr import local_dependency_ratio
from localbias.training import use_threads

parameters(
    globals(),
    tier=TIERS,
    device=("auto", "cpu", "cuda"),
    seed=range(2**31),
    signals=range(2, 10**5),
)
use_threads()
figures.use_style()
setup = partial(catalogue.setup, tier=tier, seed=seed)
recorded = Recorded(2, tier, seed, device)
level = setup("quarter-unet-470").experiment.probing.closer[0]  # of the digits: inside the band

# %% [markdown]
# ## What a perfect model would show
#
# **The ratio can tell only inside a band of noise levels: in more noise the rule itself is local,
# in less noise nobody needs it.**
#
# ```{margin}
# **Band**: the noise levels at which it pays to know the rule. Figures shade it.
# ```
#
# Chapter 1's three exact denoisers are functions like any network's, so they have a local
# dependency ratio too: {term}`rule` (all valid strings), {term}`train` (the training set) and
# {term}`marginals` (every symbol on its own, which is perfect locality).
# {numref}`fig-ldr-exact-denoisers` runs through all noise levels, from pure noise at the left to
# clean at the right. The bottom row shows where it makes a difference to know the rule: how much
# larger the marginals denoiser's loss (of {term}`x̂0`) is than the rule's.

# %% tags=["hide-input"]
#| label: ldr-exact-denoisers
#| fig-cap: >-
#|   Exact denoisers: the mean LDR of the first symbol over noised valid strings, of the prediction
#|   of x0 (top) and of the noise (middle). Curves end where more than half of the Jacobians vanish.
#|   Bottom: the loss of the marginals denoiser beyond the rule's. Shaded: where that is at least a
#|   tenth of its peak. Thin vertical lines: the levels that the paper probes.
#| fig-alt: >-
#|   Nine panels: local dependency ratio of the exact rule, training set and marginals against the
#|   noise level for scalars, parentheses and digits, for two targets, and the loss that the rule
#|   saves
PAPER_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
LEVELS = np.array([0.03, 0.06, *np.arange(2, 20) / 20])
setups = {
    "scalars, L = 8": setup("parity-8-scalars"),
    "parentheses, L = 8": setup("parity-8-unet"),
    "Quarter-MNIST": setup("quarter-unet-470"),
}
exact = {}
for title, one in tqdm(setups.items(), desc="exact denoisers", unit="rendering"):
    exact[title] = over_levels(
        one.grammar, one.renderer, one.schedule, one.references, LEVELS, seed, signals=signals
    )
figures.exact_panels(exact, PAPER_LEVELS)
plt.show()

# %% tags=["remove-cell"]
if tier == "laptop" and seed == 0 and signals >= 48:
    for panel in exact.values():
        rule, marginals = (panel.ratios["x0"][name] for name in ("rule", "marginals"))
        assert np.nanmin(marginals) > 1 - 1e-9
        below = max(panel.band[0], LEVELS[1])
        assert rule[panel.levels < below].max() > 0.9
        assert np.nanmin(rule[[panel.inside(at) for at in LEVELS]]) < 0.9

# %% [markdown]
# Four things to read off before any network is looked at.
#
# 1. **At high noise the rule itself is local.** To the left of the {term}`band` the rule has a
#    ratio near 1: its symbols are independent in pairs, or nearly so, and in so much noise nothing
#    beyond pairs can be seen. A high LDR there shows no failure. It is what the optimum does.
# 2. **At low noise nobody needs the rule.** To the right of the band each symbol can be recognised
#    by itself. The rule saves no loss there, and yet its ratio is low: the little doubt that is
#    left is about two symbols at once, for a single other one would break the rule. In the end
#    nothing moves $\hat{x}_0$ any more, and the ratio is 0/0. So a low LDR near √ᾱ = 0.9 doesn't
#    show that something was memorised.
# 3. **Inside the band the ratio can tell.** There the rule's ratio lies clearly below 1 and
#    marginals' does not. But *where* the band lies depends on the rendering: what counts is how far
#    apart the symbols' pictures are, measured in noise. Scalars ±1 are decided late, digits of 14 ×
#    14 pixels early. Of the paper's five levels only one or two fall inside.
# 4. **The training set's ratio of $\hat{x}_0$ is below the rule's.** Whoever knows the training
#    strings has more reason to look around than whoever knows the rule. A falling LDR is therefore
#    no sign that the *rule* has been learned.

# %% tags=["hide-input"]
tables.bands(
    exact,
    PAPER_LEVELS,
    "From the first to the last of the levels above (they lie 0.05 apart) at which the rule saves "
    "at least a tenth of the most that it saves:",
)

# %% [markdown]
# ## Of what is the ratio taken?
#
# **On pictures, the ratio of a well predicted noise is near 1 whatever a network knows; so from
# here on it is that of x̂0.**
#
# The middle row of {numref}`fig-ldr-exact-denoisers` is the same measurement for the *noise* that a
# denoiser predicts, and it tells another story: for the digits all three references have a ratio of
# nearly 1 at every level. The reason takes two lines. Given $x_t$, each of the three usual targets
# is an affine function of each other,
#
# $$\hat\varepsilon = \frac{x_t - \sqrt{\bar\alpha}\,\hat{x}_0}{\sqrt{1-\bar\alpha}},\qquad
# \hat v = \frac{\sqrt{\bar\alpha}\,x_t - \hat{x}_0}{\sqrt{1-\bar\alpha}},$$
#
# and so are their Jacobians:
#
# $$J_{\varepsilon} = \frac{I - \sqrt{\bar\alpha}\,J_{x_0}}{\sqrt{1-\bar\alpha}},\qquad
# J_{v} = \frac{\sqrt{\bar\alpha}\,I - J_{x_0}}{\sqrt{1-\bar\alpha}}.$$ (eq-targets)
#
# ```{margin}
# One set of Jacobian products gives all three ratios: the squared norms of $aI + bJ$ need only
# $\lVert J_{RR}\rVert^2$, $\lVert J_R\rVert^2$ and $\operatorname{tr} J_{RR}$.
# ```
#
# The identity $I$ joins each pixel to itself alone, so that all of it lies in the region. It adds
# about $|R|$ to the numerator *and* the denominator, and with hundreds of pixels in a region it
# drowns what a good denoiser adds.
#
# To see whether this is the identity's doing or the network's, here are networks of one shape,
# trained on the same loss, that differ only in what their output is read as: $v$ or the noise.

# %% tags=["hide-input"]
#| label: ldr-three-targets
#| fig-cap: >-
#|   One measurement, three targets, at √ᾱ = 0.3 (the exact rule: dashed). Columns: UNet and DiT,
#|   their output read as v or as noise. Lines are means over the seeds that were run, bands their
#|   range.
#| fig-alt: >-
#|   LDR along training for the three targets in four networks
readings = {
    "UNet,\nread as v": recorded("quarter-unet-470"),
    "UNet,\nread as noise": recorded("quarter-unet-470-noise"),
    "DiT,\nread as v": recorded("quarter-dit-470"),
    "DiT,\nread as noise": recorded("quarter-dit-470-noise"),
}
figures.three_targets({title: results.by_target(level) for title, results in readings.items()})
plt.show()

# %% tags=["hide-input"]
lowest = "; ".join(
    f"{title}: **{np.nanmin(results.ratios('noise')):.3f}**".replace("\n", " ")
    for title, results in readings.items()
)
Markdown(
    "The lowest mean LDR **of the noise** at any level and any step, before training included: "
    f"{lowest}."
)

# %% [markdown]
# Once trained, the noise's ratio is near 1 in every column, also for the networks that *output* the
# noise. The paper takes the ratio of its network (Eq. 1), which is trained to predict the noise
# (Eq. 8): read to the letter, it is the ratio **of the noise**. Figure 5 then shows a UNet that
# stays above 0.75, and a DiT whose ratio falls when its accuracy rises. Can it? As far as one
# exemplar a digit goes the paper's own size of image settles that: at 64 × 64 pixels, here is what
# a network would show that has learned the rule, or the training set, *perfectly*.

# %% tags=["hide-input"]
of_paper = dict(renderer=dict(name="digits", size=64), rendering="fixed")  # one exemplar a digit
size = ("smoke", {}) if tier == "smoke" else ("paper", of_paper)
large = Setup(catalogue.make("quarter-unet-470", size[0], seed, **size[1]))
perfect = perfect_ratios(large, PAPER_LEVELS, signals // 2, seed)
_, height, width = large.renderer.shape
tables.perfect(
    perfect,
    PAPER_LEVELS,
    f"A perfect network at {height} × {width} pixels, noised training images:",
)

# %% tags=["remove-cell"]
if tier == "laptop" and seed == 0 and signals >= 48:
    assert min(by_target["noise"].min() for by_target in perfect.values()) > 0.99

# %% [markdown]
# On these data, then, a network that learns more and predicts the noise well cannot come to a lower
# ratio of the noise: a perfect one stands at 1. If Figure 5 shows the ratio of the noise, its fall
# cannot come from a network that is good on such pictures. It may come from one that is not, from
# pictures with many handwritings, or from a ratio of $\hat{x}_0$ (or, at high noise, of $v$).
#
# ## Measuring it
#
# **A few random vector-Jacobian products do nearly as well as one for every pixel of the region.**
#
# An exact ratio costs one product for every pixel. With a random vector $u$ on the region, $g =
# J_R^\top u$ has $\mathbb{E}\lVert g_R\rVert^2 = \lVert J_{RR}\rVert^2$ and $\mathbb{E}\lVert
# g\rVert^2 = \lVert J_R\rVert^2$: one product serves numerator and denominator. The vectors are
# drawn as columns of a random orthonormal frame, so that all $|R|$ of them give the exact value
# again, and the bias of a ratio of two estimates is taken off.
#
# ```{margin}
# In the tables a Jacobian counts as {term}`vanishing` where it is no more than rounding: its ratio
# would be 0/0.
# ```

# %% tags=["hide-input"]
#| label: ldr-probe-errors
#| fig-cap: >-
#|   A trained network: the estimate minus the exact ratio for each of 24 signals, with its 95 %
#|   intervals, against the number of probes; the region has 196 pixels. Right: the mean over the
#|   signals, as a share of the exact mean, in 20 repetitions.
#| fig-alt: >-
#|   Errors of the estimated ratio shrinking with the number of random probes
dit = recorded("quarter-dit-470")
probe = dit.setup.probe
x_t, t = probe.at(level)
x0_of = partial(dit.setup.schedule.predict, dit.network(), t=t, target="x0")
measure = partial(local_dependency_ratio, x0_of, x_t, probe.region, details=True)
whole = measure()
tries = {
    probes: [measure(probes, torch.Generator().manual_seed(i)) for i in range(20)]
    for probes in (2, 4, 8, 16, 32)
}
figures.estimates(whole, tries)
plt.show()

# %% tags=["hide-input"]
tables.estimates(whole, tries)

# %% [markdown]
# `benchmarks/ldr.py` measures what that saves, and compares the exact ratio with
# `torch.func.jacrev` and its relatives. To use the probe on a network of your own, go to [Probe
# your own model](probe_your_own_model.ipynb).
#
# ## Along training
#
# **While networks hallucinate, their x̂0 is mostly nearest, of the exact ones, to that of
# independent symbols; but a ratio can fall while the samples get no better, and be low in a network
# that has learned nothing.**
#
# Now the networks of chapter 1. First parity, where the scalars go through all phases and the UNet
# stays in the second. The level is one inside the band. Top: what comes out. Middle: how locally it
# is made, beside what the exact denoisers and the untrained network show at the very same noised
# signals. Bottom: how far the network's $\hat{x}_0$ is from each exact one, in mean square. The
# distance from the *rule* is the network's *excess loss*, what it loses beyond the best possible,
# for the noised signals are drawn from all valid strings.

# %% tags=["hide-input"]
#| label: ldr-along-training
#| fig-cap: >-
#|   Parity of length 8. Lines are means over the seeds, bands their range; top: dashed lines are
#|   chance.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances from the exact denoisers along training for
#|   scalars and for the UNet on parentheses
parity = {
    "scalars, MLP": (recorded("parity-8-scalars"), 0.9 if tier == "smoke" else 0.8),
    "parentheses, UNet": (recorded("parity-8-unet"), 0.9 if tier == "smoke" else 0.7),
}
figures.along_training({title: results.along(at) for title, (results, at) in parity.items()})
plt.show()

# %% [markdown]
# On scalars the ratio sinks in two steps, and its two summaries tell them apart. The *mean of
# ratios*, which is what the paper reports, falls first, while samples become readable: it counts
# all signals alike, and where a symbol is already decided the Jacobian is small and its ratio low.
# The *ratio of means*, which weighs each signal by its Jacobian, falls later, as the share of
# training strings rises. The bottom row says what happens meanwhile. In the hallucination phase the
# network's $\hat{x}_0$ is, of these three, nearest to the **marginals** denoiser's, though its
# samples say that it knows pairs and triples, too (chapter 6). After that it leaves the marginals
# *and* the rule and comes nearer to the training set.
# The UNet stays at chance, at its high ratio, and nearest to the marginals, to the end.
#
# Next Quarter-MNIST, with the UNet, the DiT, and the MLP on 470 tuples and on 50.

# %% tags=["hide-input"]
#| label: ldr-along-training-quarter
#| fig-cap: >-
#|   Quarter-MNIST at √ᾱ = 0.3, inside the band. The number in a title is that of the training
#|   tuples.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances from the exact denoisers along training for
#|   UNet, DiT and two MLPs on Quarter-MNIST
quarter = {
    "UNet, 470": (recorded("quarter-unet-470"), level),
    "DiT, 470": (recorded("quarter-dit-470"), level),
    "MLP, 470": (recorded("quarter-mlp-470"), level),
    "MLP, 50": (recorded("quarter-mlp-50"), level),
}
figures.along_training({title: results.along(at) for title, (results, at) in quarter.items()})
plt.show()

# %% tags=["hide-input"]
tables.along_training(
    parity | quarter, "LDR of x̂0 (mean of ratios; over the seeds, and their range):"
)

# %% tags=["hide-input"]
tables.nearest(parity | quarter)

# %% [markdown]
# Now the questions.
#
# - **Does the ratio fall when accuracy rises?** In the two experiments whose accuracy rises far
#   above chance it does, after its highest value: in the MLP on 50 tuples almost to that of the
#   exact training set, on scalars below even that. These are also the two that end nearest to the
#   training set.
# - **Can it fall without?** Yes. The DiT's falls from 1, furthest at high noise, while its readable
#   samples keep the rule about as often as by chance; it learns to look across its patches, and
#   across digits, before any of that helps the sum. The UNet's *rises* a little instead.
# - **Can it be low without?** Yes: an MLP that is read as $\hat{x}_0$ *begins* at the share of the
#   region, a quarter, because it mixes all pixels before it has learned anything. With 470 tuples
#   it becomes ever *more* local as its samples become readable. So the untrained network has to
#   stand beside the trained one: the direction in which a ratio moves means as much as where it is.
# - **Is a high ratio a failure?** Here it is. Inside the band the exact rule lies far below the
#   UNet, the DiT and the MLP on 470 tuples, and all three are nearest to the marginals, which says
#   the same without any Jacobian.
#
# ### Where the ratio falls with the accuracy
#
# **In the DiT that leaves hallucination the ratio of x̂0 falls while the share of valid samples
# rises, and it begins to fall first; the ratio of the noise hardly moves.**
#
# Chapter 1's last networks escape. Here is the DiT with a token a digit on 50, 150 and 470 tuples:
# the paper's Figure 5 (right). Its left half is a UNet, and so is our last column: the UNet on 470
# tuples, which is only a little above chance at the end.

# %% tags=["hide-input"]
#| label: ldr-along-training-escapes
#| fig-cap: >-
#|   A DiT that leaves the hallucination phase, by the number of its training tuples, and a UNet
#|   that does not, at a level inside the band.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances from the exact denoisers along training: the
#|   ratios fall as the shares of valid samples rise; those of the last network do neither
escaping = {
    **{f"DiT, {n} tuples": (recorded(f"quarter-token-dit-{n}"), level) for n in (50, 150, 470)},
    "UNet, 470 tuples": (recorded("quarter-x0-unet-470"), level),
}
figures.along_training({title: results.along(at) for title, (results, at) in escaping.items()})
plt.show()

# %% tags=["hide-input"]
tables.along_training(escaping, "LDR of x̂0 (mean of ratios):")

# %% tags=["hide-input"]
of_470 = {title: escaping[title] for title in ("DiT, 470 tuples", "UNet, 470 tuples")}
steps = [set(results.steps.tolist()) for results, _ in of_470.values()]
tables.along_training(of_470, "After as many images:", step=max(set.intersection(*steps)))

# %% tags=["hide-input"]
tables.nearest(escaping)

# %% tags=["hide-input"]
places = {"indices": "-spacing-1", "indices × 4": "-spacing-4", "drawn at random": ""}
by_place = {
    title: (recorded(f"quarter-token-dit-50{name}"), level) for title, name in places.items()
}
shown, _ = by_place["indices"]
tables.along_training(by_place, "50 tuples, positions:", step=shown.steps[shown.row(0.7)])

# %% [markdown]
# For $\hat{x}_0$ the paper's observation is seen. On 50 tuples the network ends nearest to the
# training set, on 150 about as near to it as to the marginals. On 470 the ratio has come down more
# than half of the way to the rule's when about half of the samples are valid; the mean over the
# seeds stays nearest to the marginals', barely so in the end, and one seed of three has come
# nearest to the rule's. An untrained UNet's ratio is lower, and rises before it falls; on 470
# tuples it has only begun to fall, as the samples have only begun to leave chance. How well the
# DiT can tell its places apart (chapter 1) decides when it stops being local, and when it leaves
# hallucination: at the last table's step the ratio is down at the rule's with positions drawn at
# random, and has come less than half as far with the grid's indices.
#
# The paper's figure has five levels, and the ratio is, read to the letter, that of the noise
# (Eqs. 1 and 8). Here are both.

# %% tags=["hide-input"]
#| label: ldr-five-levels
#| fig-cap: >-
#|   Figure 5 of the paper: the ratio along training at the paper's levels, of the prediction of x0
#|   and, converted from it, of the noise. Vanishing ratios are left out.
#| fig-alt: >-
#|   Local dependency ratios at five noise levels along training for the DiT on 50, 150 and 470
#|   tuples and the UNet on 470: those of x0 fall where the network escapes, most at 0.3 and 0.5,
#|   those of the noise stay near one
targets = ("x0", "noise")
figures.ratios_along(
    {
        title: (results.steps, results.levels, {one: results.ratios(one) for one in targets})
        for title, (results, _) in escaping.items()
    },
    PAPER_LEVELS,
)
plt.show()

# %% tags=["hide-input"]
tables.beside_paper(
    "Figure 5",
    {
        "UNet": catalogue.make("quarter-unet-470", "paper"),
        "DiT": catalogue.make("quarter-dit-470", "paper"),
    },
    {title: results for title, (results, _) in escaping.items()},
    level,
)

# %% [markdown]
# Of $\hat{x}_0$ the levels part: the ratio falls furthest inside the band as the network leaves
# hallucination. On 470 tuples it hardly moves far from the band; on 50 it falls there as well. Of
# the noise it stays near 1 at every level, while the same network goes from chance to its training
# set. The Jacobian of a good prediction of the noise is nearly the identity, divided by
# $\sqrt{1-\bar\alpha}$, and beside that what one digit tells of another does not count. So a fall
# such as the paper's can be seen here in the upper row alone.
#
# ### A low ratio beside hallucinations
#
# **On squares of length 16 the mean of ratios comes down to the rule's while half of the samples
# break the rule; the ratio of means ends at 1.**
#
# The UNet on parity of length 8 overfits, in plain squares and, later, in parentheses (chapter 1).
# On length 16 it does not leave chance.

# %% tags=["hide-input"]
#| label: ldr-along-training-squares
#| fig-cap: >-
#|   The UNet on parity in plain squares and in parentheses.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances from exact denoisers along training. Length 8:
#|   the ratio falls as the share of training strings rises. Length 16: the mean of ratios falls to
#|   the rule's while half of the samples are wrong, and the ratio of means ends at one
inside = 0.5 if tier == "smoke" else 0.6
parities = {
    "squares, L = 8": (recorded("parity-8-unet-blocks"), inside),
    "squares, L = 16": (recorded("parity-16-unet-blocks"), 0.5 if tier == "smoke" else 0.7),
    "parentheses, L = 8": (recorded("parity-8-unet-small-glyphs"), inside),
}
figures.along_training({title: results.along(at) for title, (results, at) in parities.items()})
plt.show()

# %% tags=["hide-input"]
tables.along_training(parities, "LDR of x̂0 (mean of ratios):")

# %% tags=["hide-input"]
tables.nearest(parities)

# %% tags=["hide-input"]
low = {title: (results, min(results.levels)) for title, (results, _) in parities.items()}
tables.along_training(low, "The same at the lowest level that was probed:")

# %% [markdown]
# On squares of length 8 nine samples in ten are training strings in the end, and at this level the
# prediction is about as near to the training set's as to that of its triples: nearer to the
# training set's in two seeds of three, in the mean to that of the triples. Of parentheses it is
# nearest to the training set's in two seeds of three and in the mean.
#
# At √ᾱ = 0.1, the level of the paper's Figure 14, nothing of this is seen: the ratio is as high in
# the end as the exact training set's, though nine samples in ten are training strings. So a high
# ratio at that level does not say that a network hallucinates, nor that it has memorised nothing.
#
# Of length 16 the prediction is the nearest to that of independent symbols (beside the rule's and
# the training set's; that of pairs, most of which it knows, was not computed), and half of the
# samples break the rule. Yet the mean of ratios, which is the paper's (Eq. 2), ends where the exact
# rule's is. It gives each picture the same weight, also where the prediction hardly listens to
# anything, as it may where the symbol is decided already. The ratio of means weighs pictures by how
# much their prediction listens. Since it ends at 1, the low ratios are those of pictures with next
# to no weight. So a low mean of ratios alone does not say that a network looks far, and a
# hallucinating network need not have a high one.
#
# ## Over noise levels
#
# **To the right of the band the ratio of the networks on images stays high, where the optimum's
# falls: there it speaks of strokes, not of rules.**
#
# The same records, now with √ᾱ along the axis. Here the shape can be compared with the optimum's,
# and the paper's five levels with those that matter.

# %% tags=["hide-input"]
#| label: ldr-over-levels
#| fig-cap: >-
#|   LDR of the prediction of x0 over noise levels, early, midway and at the end of training, with
#|   the exact denoisers; below, the excess loss over the rule's optimum. Shaded: where the rule
#|   matters. Bands are the range of the seeds.
#| fig-alt: >-
#|   Local dependency ratio and excess loss against the noise level for scalars, parentheses, and
#|   digits with three networks
by_level = {
    "scalars, MLP": parity["scalars, MLP"][0].by_level(),
    "parentheses, UNet": parity["parentheses, UNet"][0].by_level(),
    "digits, UNet": quarter["UNet, 470"][0].by_level(),
}
bands = {
    "scalars, MLP": exact["scalars, L = 8"].band,
    "parentheses, UNet": exact["parentheses, L = 8"].band,
    "digits, UNet": exact["Quarter-MNIST"].band,
}
figures.over_levels(by_level, bands)
plt.show()

# %% [markdown]
# To the right of the band, for images at √ᾱ = 0.7 or 0.9, the optimum's Jacobian is nearly zero and
# the network's is what is left of its imperfection, which is local. At the left end the network on
# scalars falls far below *every* reference: it predicts the noise, and $\hat{x}_0 = (x_t -
# \sqrt{1-\bar\alpha}\,\hat\varepsilon)/\sqrt{\bar\alpha}$ multiplies each error of that prediction
# by ten at √ᾱ = 0.1. The excess loss below shows it.
#
# ## Three networks of one size
#
# **Where a ratio starts is the doing of the network and of how it is read; inside the band all
# three end more local than the rule's optimum.**
#
# Chapter 1's MLP has four times the parameters of its UNet. Here is one cut to their size. The
# three differ by less than a fifth in parameters and see the same tuples. They still differ in
# steps and batch, and in the reading: UNet and DiT are read as $v$ with the noise's loss, the MLP
# as $x_0$ with its loss, without which it stays unreadable at this size (the last table of this
# chapter).

# %% tags=["hide-input"]
#| label: ldr-same-size
#| fig-cap: >-
#|   Quarter-MNIST, 470 tuples: three networks of about the same number of parameters. Bands are the
#|   range of the seeds.
#| fig-alt: >-
#|   Local dependency ratio and excess loss against the noise level for UNet, DiT and an MLP of the
#|   same size
same_size = {
    "UNet": (recorded("quarter-unet-470"), level),
    "DiT": (recorded("quarter-dit-470"), level),
    "MLP": (recorded("quarter-mlp-470-small"), level),
}
columns = {
    f"{title}, {results.parameters:,}": results.by_level()
    for title, (results, _) in same_size.items()
}
figures.over_levels(columns, dict.fromkeys(columns, exact["Quarter-MNIST"].band))
plt.show()

# %% tags=["hide-input"]
tables.along_training(same_size, parameters=True)

# %% [markdown]
# They start in three different places, and part of that is the reading: $J_{x_0} =
# \sqrt{\bar\alpha}\,I - \sqrt{1-\bar\alpha}\,J_v$ brings an identity of its own, which an untrained
# network read as $x_0$ has not. To compare ratios between networks, compare each with its own
# untrained value first.
#
# ## Do hallucinating samples look around less?
#
# **Hardly: in the networks on images a hallucination is generated as locally as a valid sample, but
# for one row; on scalars, where memory has set in, a little more locally.**
#
# The paper compares checkpoints, not samples. Here the ratio of each generated sample is taken on
# the network's own way to it, at the visited step nearest to two levels in the band or at its edge,
# and samples are grouped by what they became.

# %% tags=["hide-input"]
#| label: ldr-by-outcome
#| fig-cap: >-
#|   LDR of generated samples by their outcome, after training, all seeds together. Bars are 95 %
#|   intervals of the mean over samples, as if these were of one seed; the table below keeps the
#|   seeds apart.
#| fig-alt: >-
#|   Mean local dependency ratio of hallucinated and of valid generated samples for each network
samples = {
    (title, at): results.generated(place)
    for title, (results, _) in (parity | quarter).items()
    for place, at in enumerate(results.probing.closer)
}
figures.by_outcome(
    {f"{title}, √ᾱ ≈ {at:g}": generated.by_outcome() for (title, at), generated in samples.items()}
)
plt.show()

# %% tags=["hide-input"]
tables.differences(
    samples,
    "Mean LDR of hallucinations minus that of valid samples, within each seed; mean over the "
    "seeds, with the 95 % interval widened to their range:",
)

# %% [markdown]
# So many comparisons at 95 % would call one in twenty real by chance alone, were it not for the
# widening; single rows near the line should not be leaned on. And a difference need not be the
# network's: hallucinations and valid samples pass through different noised signals, where an exact
# denoiser's ratio would differ too.
#
# ## Which symbol listens to which?
#
# **The choice of the region matters little: where regions seem to differ, so do the seeds.**
#
# The paper takes one region: the top-left digit (§4.3), the second parenthesis (Figures 15 and 16),
# the first two letters (Figure 21). Nothing forbids the others:
# with all regions as rows *and* columns one gets a matrix, and the ratio of each region (of means,
# here) is its diagonal entry over the row's sum. All of them, the exact rule's too, are estimated
# with the records' few random probes.

# %% tags=["hide-input"]
#| label: dependency-quarter
#| fig-cap: >-
#|   Shares of each output symbol's dependency on each input symbol, after training, first seed;
#|   inside the band. The digits are numbered along the rows of the image.
#| fig-alt: >-
#|   Matrices of which symbol listens to which for UNet, DiT, MLP and the exact rule
trained = {title: quarter[title][0] for title in ("UNet, 470", "DiT, 470", "MLP, 50")}
panels = {title: results.dependency(0)["network"] for title, results in trained.items()}
figures.matrices(panels | {"exact rule": trained["UNet, 470"].dependency(0)["rule"]})
plt.show()

# %% tags=["hide-input"]
#| label: dependency-scalars
#| fig-cap: >-
#|   The same for parity on scalars.
#| fig-alt: >-
#|   Matrices of which symbol listens to which for the MLP on scalars and the exact denoisers
figures.matrices(parity["scalars, MLP"][0].dependency(-1))
plt.show()

# %% tags=["hide-input"]
tables.regions(
    {title: results for title, (results, _) in (parity | quarter).items()},
    "The ratio of means of every region in turn, at the first of the two levels:",
)

# %% [markdown]
# Does the choice of region matter? The rows with a narrow span could have used any region. Where
# the span is wide, so is the range over the seeds, which share the regions and not the signals:
# what looks like a difference between regions is then mostly chance.
#
# ## Heat
#
# **Where the exact rule listens to the other digits, the UNet listens to the digit's own place.**
#
# A Jacobian can be looked at, too. The squared norm of each input pixel's column of $J_R$ is a heat
# map (Figures 1, 15 and 19 of the paper), and the share of the heat that lies in the region is the
# ratio. Move the slider through the training of the UNet: the noised signal, what the network makes
# of it, and where the framed digit's prediction listens. The colour is the square root of the heat,
# so that faint places can be seen.

# %% tags=["hide-input"]
#| label: heat-unet
#| fig-cap: >-
#|   The UNet along training: the signal, its noised version, the prediction, and where the framed
#|   digit's prediction listens.
unet = quarter["UNet, 470"][0]
frames = {
    f"step {step:,}: LDR {heat.ratios['heat']:.2f}": figures.heat_frame(*heat)
    for step, heat in unet.heats(0)
}
figures.slider(
    frames,
    "training step of the UNet",
    alt="The clean and the noised signal, the network's prediction and its heat map",
)

# %% [markdown]
# The DiT, at the same signal:

# %% tags=["hide-input"]
#| label: heat-dit
#| fig-cap: >-
#|   The same of the DiT with patches.
frames_of_dit = {
    f"step {step:,}: LDR {heat.ratios['heat']:.2f}": figures.heat_frame(*heat)
    for step, heat in quarter["DiT, 470"][0].heats(0)
}
figures.slider(
    frames_of_dit,
    "training step of the DiT",
    alt="The clean and the noised signal, the network's prediction and its heat map",
)

# %% [markdown]
# And over noise levels, for the trained UNet, computed here from its kept weights, beside the heat
# map of the exact rule.

# %% tags=["hide-input"]
#| label: heat-over-levels
#| fig-cap: >-
#|   Over noise levels: where the trained UNet listens, and where the exact rule does.
levels = (0.05, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 0.9)
frames_by_level = {}
for at, heat in unet.heats_by_level(tqdm(levels, desc="heat maps", unit="level"), seed):
    network, rule = map(tables.ratio, heat.ratios.values())
    title = f"√ᾱ = {at:g}: LDR of the network {network}, of the exact rule {rule}"
    frames_by_level[title] = figures.heat_frame(*heat)
figures.slider(
    frames_by_level,
    "noise level",
    alt="The noised signal, the network's prediction, and the heat maps of the network and of the "
    "exact rule",
)

# %% [markdown]
# ## What the paper leaves unsaid, and what we depart from
#
# **The reading of the output, the schedule, the batch, the sampler and the number of exemplars move
# the outcome, a clamp and averaging hardly; and nothing turns memory into rule.**
#
# **Unsaid** are the noise schedule and its length, a clamp of $\hat{x}_0$, averaging of the
# weights, how many exemplars a digit has, and the seeds. **Stated, and departed from** in most of
# our runs, are that the output is read as noise (Eq. 8), that samples are drawn by ancestral
# sampling through all steps (Eq. 7: η = 1; DDIM has η = 0), and that a digit has many handwritings
# (A.5); and the batch of 16. Each could be the reason for a difference between the paper's figures
# and somebody else's. So each is changed here from one base, at a fixed number of steps, on two
# cheap experiments with three seeds each. The sampler and the clamp act on one trained network and
# cannot move its ratio.

# %% tags=["hide-input"]
unsaid = {
    base: {choice: recorded(f"{base}-{choice}") for choice in choices}
    for base, choices in catalogue.UNSAID.items()
}
bases = {base: recorded(base) for base in unsaid}
short = "parity-8-scalars-short"
tables.unsaid(bases[short], unsaid[short], 0.9)

# %% tags=["hide-input"]
tables.unsaid(bases["quarter-mlp-470"], unsaid["quarter-mlp-470"], level)

# %% tags=["hide-input"]
changed = [results for choices in unsaid.values() for results in choices.values()]
tables.above_chance([*bases.values(), *changed])

# %% [markdown]
# What moves the outcome most is among what we depart from.
#
# - **The reading, with its loss**, decides everything on the digits: the MLP that is read as $v$ or
#   as noise gives not one readable sample. On scalars the same change hardly shows.
# - **The schedule** comes next. With cosine and sigmoid far more of the MLP's digits can be read,
#   and on scalars they favour the training strings more than the linear one does.
# - **The batch**, at a fixed number of steps, is the number of signals seen. A larger one carries
#   the network further along the same phases.
# - **The sampler** does not touch the network, and yet a coarse one leaves half of the scalars
#   unreadable, an ancestral one with all steps next to none.
# - **The exemplars**: with ten a digit the MLP makes next to nothing readable in these steps.
# - **The clamp and averaging** hardly show; averaging on the digits does not because the learning
#   rate ends at zero.
#
# No choice lifts the valid strings that were never seen above chance. And the ratio moves with how
# far the training has come, or with a network that has learned no symbols at all, more than with
# any of these choices by itself.
#
# ## The paper says, we find

# %% [markdown]
# ```{ledger} high-when-wrong parity-8-ldr ldr-unet ldr-dit saliency
# ```

# %% [markdown]
# ## What to take along
#
# - **Name the level, the target and the references**, or a local dependency ratio means little. At
#   high noise the rule itself is local, at low noise the ratio speaks of strokes or of nothing, and
#   for a good prediction of the noise it is 1.
# - **Inside the band, beside the optimum, it is a good instrument.** Nearly all networks that
#   hallucinate have a ratio far above what the rule would show, and their $\hat{x}_0$ is nearest to
#   that of independent symbols. There the paper's explanation holds, with two qualifications. Half
#   of the samples break the rule, too, where a network knows its training set's pairs and triples
#   ({numref}`fig-beyond-ladder`). And the mean of ratios can be low without that: on parity of 16
#   the ratio of means has to stand beside it ({numref}`fig-ldr-along-training-squares`).
# - **A falling ratio is not the rule arriving.** Where it falls together with rising accuracy the
#   network mostly ends nearest to the *training set's* denoiser; on Dyck words (chapter 4) to the
#   rule's, or, the UNet on length 12, to that of its training words' pairs. Where it falls without,
#   as in the first DiT, accuracy need not follow.
# - **The untrained network belongs into the figure.** From below, from above, or from 1: where a
#   ratio starts is the doing of the architecture and of the reading.
# - **Samples differ little.** In the networks on images a hallucination is generated as locally as
#   a valid sample, within the intervals, but for one row with one seed; on scalars, where memory
#   has set in, hallucinations are made a little more locally.
