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
# # Beyond the paper: a ladder of orders
#
# The paper says that a network first generates every symbol on its own, and later remembers the
# training set. Between the two there is more. On parity some networks learn their training strings
# **from low orders to high ones**: symbols and pairs first, then triples, then what joins four
# symbols, and the rest together. The rule itself is of the last order, so for a long time every
# second sample breaks it, and all that time the network learns.
#
# This chapter measures that ladder, asks what it says about when a network hallucinates, and asks
# what helps against the bias: a penalty on the local dependency ratio, other noise levels, other
# initial weights, more strings, another architecture. None of them lets a network learn parity in
# the time that is given here. It then says what is left of the theory for a layer of attention, and
# how to measure the ratio of a model without gradients. Most trainings here are of one kind of
# network, an MLP on signs, with few seeds: a share or a ratio without a range is of one. Where
# others have been before is said at the end.

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, with its
# records, and its package, which `pip install -e '.[book]' -c constraints.txt` installs there.
# Binder has both. Elsewhere, Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" goes through everything in a minute or two
device = "auto"  # "cpu" or "cuda"
seed = 0  # 0 shows the recorded seeds; any other number only that seed
level = 0.8  # √ᾱ at which the local dependency ratio is read

# %% tags=["hide-input"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch

from localbias import figures
from localbias.book import parameters
from localbias.book.tables import attention as attention_tables
from localbias.book.tables import ladder as tables
from localbias.book.tables import orders, settings, trial
from localbias.book.tables.gradients import without_gradients
from localbias.experiments import beyond, ladder
from localbias.experiments.recorded import Recorded
from localbias.grammar import Dyck, Parity, QuarterSum, maximum_entropy, truncated
from localbias.networks import DiT, UNet
from localbias.theory import attention, trace
from localbias.theory.flow import Flow, flow
from localbias.training import use_threads

parameters(
    globals(),
    tier=("smoke", "laptop"),
    device=("auto", "cpu", "cuda"),
    seed=range(2**31),
    level=(0.5, 0.7, 0.8, 0.9),
)
use_threads()
figures.use_style()

level = 0.9 if tier == "smoke" else level  # it probes fewer levels
recorded = Recorded(6, tier, seed, device)

# %% [markdown]
# ## Hallucination at chance is one coefficient that is zero
#
# **A network breaks the rule as often as by chance exactly if the rule's own Fourier coefficient is
# zero, whatever it knows of the others.**
#
# Write a string of parentheses as signs $s_i = \pm 1$. Every law on such strings is given by its
# **Fourier coefficients** $\mathbb{E} \prod_{i \in S} s_i$, one for each set $S$ of places. The
# size of $S$ is the **order**: order 1 are the marginals, order 2 the pairs. Parity's rule says
# that the product of all eight signs is $+1$: it is the one coefficient of order 8. So
#
# $$\text{share that breaks the rule} = \tfrac{1}{2}
# \Bigl(1 - \mathbb{E} \prod_{i=1}^{8} s_i\Bigr).$$
#
# Two laws share the training set's coefficients up to some order. The *truncated* one has none
# above, and so breaks the rule at exactly one half (its values add up to one, though some may be
# below zero). The *maximum-entropy* one assumes nothing else; its higher coefficients follow from
# the lower ones, and need not be zero. From here on **the law of an order** is the second. That of
# order 1 is the paper's local generation: independent symbols.

# %%
strings, _ = Parity(8).split(64, seed)
for order in (1, 2, 3):
    every, values = truncated(strings, 2, order)
    law = maximum_entropy(strings, 2, order)
    broken = (
        values[~Parity(8).is_valid(every)].sum(),
        law.probabilities[~Parity(8).is_valid(law.strings)].sum(),
    )
    print(f"order {order}: truncated {broken[0]:.3f}, maximum entropy {broken[1]:.3f}")

# %% [markdown]
# ## Networks that hallucinate at 50 %, and know different things
#
# **What tells them apart is where their valid samples lie: who knows symbols alone finds training
# strings and new ones alike, who knows triples mostly training strings.**
#
# Here are networks in the middle of their hallucination, and below them what laws with exactly the
# training set's statistics up to order 1, 2 and 3 would draw. The rate of hallucination is about
# the same for all.

# %% tags=["hide-input"]
middle = {
    "UNet on glyphs": (recorded("parity-8-unet"), -1),
    "UNet on blocks": (recorded("parity-8-unet-blocks"), 8),
    "MLP on scalars": (recorded("parity-8-scalars"), 7),
    "MLP on vectors": (recorded("parity-8-mlp-vectors"), 13),
}
if tier == "smoke":
    middle = {title: (results, -1) for title, (results, _) in middle.items()}
tables.ways(middle)

# %% [markdown]
# The UNet on glyphs is what the paper describes: as far as its few samples tell, it knows nothing
# of its training set but the symbols. The MLP on scalars, which hallucinates as often, follows its
# training set's pairs and triples. The last columns say it directly: the **slope** of a network's
# coefficients on those of its training set, by order, is 1 where it gives them back, 0 where it
# knows nothing of them. Chapters 1 and 2 call this phase local generation; on scalars that is half
# of the truth.
#
# The MLP's shares are those of the law of order 3, but it does not draw from that law: it has too
# little of the triples and too much of order 4, and the two make up for each other. The law says
# what strings such knowledge leaves, not which ones the network draws.
#
# ## The ladder
#
# **While the rate of hallucination hardly moves, a network learns its training set, from low
# orders to high ones.**
#
# Follow two networks from beginning to end. The upper panels cannot tell the orders apart, and the
# lower ones can. Symbols and pairs are there as soon as there is something to read, in the MLP much
# of the triples as well. The UNet shows most: triples rise while half of its samples break the
# rule, then order 4, and orders 5 to 8 together, the rule among them.

# %% tags=["hide-input"]
#| label: beyond-ladder
#| fig-cap: >-
#|   Readable samples that break the rule (above), and the share of valid samples that are training
#|   strings (below), along training. Dashed: what the maximum-entropy law with exactly the
#|   training set's statistics up to an order would give; nothing is fitted.
#| fig-alt: >-
#|   Line plots: while hallucination is still near 50 % the share of training strings climbs towards
#|   that of the law of order 3, and past it as hallucination falls
climbing = {
    "MLP on scalars": recorded("parity-8-scalars"),
    "UNet on blocks": recorded("parity-8-unet-blocks"),
}
figures.splits({title: ladder.splits(one) for title, one in climbing.items()})
plt.show()

# %% tags=["hide-input"]
#| label: beyond-slopes
#| fig-cap: >-
#|   Slope of generated on training coefficients, by order. The rule is the last one. Lines are
#|   means over the seeds, bands their range (or 1.96 standard errors of one seed).
#| fig-alt: >-
#|   Line plots: orders 1 and 2 are near one at once, order 3 follows, order 4 next, and the highest
#|   ones last and together
figures.fourier_slopes({title: (one.steps, *one.slopes()) for title, one in climbing.items()})
plt.show()

# %% [markdown]
# ## How many strings make a network hallucinate
#
# **Where the law of order 3 of a training set breaks the rule, networks break it as often; where it
# does not, they break it less, and with few strings hardly ever.**
#
# The ladder makes a prediction. If triples are what a network knows before it stops hallucinating,
# then it hallucinates only where they leave it room. With few training strings they leave none: the
# law of order 3 **is** the training set, and there should be no phase of hallucination at all. The
# figure has that law, and networks. Nothing is fitted but the order, which the ladder gave.

# %% tags=["hide-input"]
#| label: beyond-threshold
#| fig-cap: >-
#|   The most that a network ever breaks the rule, against the number of its training strings;
#|   lines are the maximum-entropy laws of orders 1 to 3, means over the seeds' training sets, with
#|   their range.
#| fig-alt: >-
#|   Plot: the law of order 3 jumps from 0 to nearly one half between 40 and 48 strings; networks
#|   meet it from 48 on, and rise from 24 strings on, before it does
by_count = {count: recorded(name) for count, name in beyond.COUNTS.items()}
found = ladder.threshold(by_count, (1, 2, 3))
figures.threshold(found.strings, found.measured, found.predicted, valid=128)
plt.show()

# %% [markdown]
# Laws of order 1 and 2 say that all of these networks should hallucinate at one half. The law of
# order 3 says which of them do, and is wrong on the way there: at 32 and 40 strings it has no room
# for mistakes, and networks make them, at 40 a good many. These are the most at any step, which
# counts a moment in which triples are not yet known. Fewer strings are also learned sooner in every
# order (the table of clocks, below), so that the agreement is no proof that triples are the cause.
#
# ## The order of the rule decides when it is learned
#
# **On scalars a check of two, three or four signs has no phase of hallucination; above that, the
# higher the order, the later it is learned.**
#
# A check over the first $k$ of eight signs is a rule of order $k$. Its coefficient, one minus twice
# the share that breaks it, is there from the first readable samples on where $k \le 4$, and later
# the higher $k$ is. An accident of order 4 comes much later than a rule of order 4, whose
# coefficient is many times as large: the order does not decide alone. (Nor on pictures: a sum of
# digits is settled by pairs, as the table below says, and chapter 1 has networks that hallucinate
# on it for long.)

# %% tags=["hide-input"]
#| label: beyond-checks
#| fig-cap: >-
#|   The coefficient of the rule itself over readable samples, for checks of two to eight signs, 64
#|   of 128 strings; means over the seeds and their range.
#| fig-alt: >-
#|   Line plot: checks of two to four signs are at one throughout, five to eight rise later and
#|   later
checks = {order: recorded(f"check-{order}-scalars") for order in (2, 3, 4, 5, 6, 8)}
figures.coefficients(
    {
        f"{order}": (one.steps, 1 - 2 * ladder.hallucinating(one.counts))
        for order, one in checks.items()
    }
)
plt.show()

# %% [markdown]
# Other rules have their orders too. This is how much the statistics of an order of *some* of their
# strings fix, with nothing trained (chapter 1 has those of all strings):

# %% tags=["hide-input"]
rules = {
    "Parity(8)": (Parity(8), 64, (1, 2, 3)),
    "sum of two digits": (QuarterSum(), 50, (1, 2)),
    "Dyck(12)": (Dyck(12), 66, (1, 2)),
}
orders(rules, seed)

# %% [markdown]
# ## Three clocks
#
# **The mean of ratios falls early, at about the time of the low orders and before hallucination
# halves; the ratio of means on rules of high order falls later, or not at all.**
#
# When does the local dependency ratio fall: with the low orders, or when hallucination ends? The
# answer depends on the mean. The **mean of ratios**, as the paper defines it, is half way down at
# about the step at which orders 1 to 3 are known (with 112 strings, whose coefficients are small,
# before that), and in every row before hallucination has halved. The
# **ratio of means**, in which signals with a large Jacobian count for more, is never earlier. On 64
# strings of parity it comes with order 4 or a measured step later, on fewer strings after it, on
# more of them not at all; where the rule is of order 2 or 3, both fall together.
#
# ```{margin}
# **Known**: a slope of at least a half, for orders 1 to 3 their mean. **Half way**: from 1 to the
# same mean of the exact denoiser of the training set. **Halves**: half of chance's share of
# readable samples. Steps are the first measured ones from which on a thing holds to the end.
# ```

# %% tags=["hide-input"]
clocks = {f"{count} strings of parity": one for count, one in by_count.items()}
clocks |= {f"check of {order}, 64 strings": one for order, one in checks.items()}
tables.clocks(clocks, level)

# %% [markdown]
# So on parity of 48 strings and more "a high ratio when there is hallucination" fails of the mean
# of ratios, and holds better of the ratio of means. The table says what comes at the same time, not
# what causes what. When the low orders come, samples become readable too, and a symbol that is
# decided has a small Jacobian and a low ratio (chapter 2). The paper of Wang, Finn and Liu has two
# clocks, for the rule and for memory {cite:p}`wang2026clocks`; the table adds when the ratio falls.
#
# ## What covariance alone explains
#
# **On Dyck words a ratio below 1 is in part what covariance alone gives; on sums of digits that
# part is small, and on parity there is none.**
#
# Locality can have a duller cause. The best **linear** denoiser, Wiener's filter, looks at other
# pixels only where they are correlated, and Lukoianov and coauthors trace the locality of image
# models to just that {cite:p}`lukoianov2025locality`. Here it has the covariance of the rule's
# strings. On parity no two symbols are correlated: the linear denoiser has a ratio of 1, and what
# is below 1 needs more than the rule's covariance.

# %% tags=["hide-input"]
#| label: beyond-linear
#| fig-cap: >-
#|   The ratio of x̂0 over noise levels: the best linear denoiser, the exact rule, and a network
#|   half way through its measured steps and at the end.
#| fig-alt: >-
#|   Line plots: on parity the linear ratio is one and the rule's falls; on digits and Dyck words
#|   the linear one is below one as well
beside = ("parity-8-scalars", "quarter-unet-470", "quarter-token-dit-470", "dyck-8-unet")
figures.linear({name: ladder.beside_linear(recorded(name)) for name in beside})
plt.show()

# %% tags=["hide-input"]
tables.linear(recorded(name) for name in beside)

# %% [markdown]
# The UNet on Quarter-MNIST stays close to the linear denoiser at every level that was probed: its
# ratio is no proof that it knows the rule, nor that it is local by some bias of its own. (The
# linear denoiser is itself close to the marginals there; the two cannot be told apart.) Far below
# all of them, at high noise, the MLP on scalars shows the error of its reading (chapter 2) and no
# knowledge. A ratio is read best beside the exact ones: marginals, linear, rule and training set.
#
# ## What was tried against the bias
#
# **The ratio can be had: with it comes a rule that is within reach, and parity is not.**
#
# The paper leaves open whether training can be changed so that the ratio falls *without*
# memorising. Each row below changes one thing (the last of parity the whole network, which is also
# smaller). The most direct is a **penalty on locality**, at √ᾱ between .7 and .9:
# $\lambda\, (\mathrm{LDR}(x_t) - \text{aim})^2$ is added to the loss, where the aim is what the
# exact denoiser of the rule has at the very same $x_t$ (`training.penalty`; it works on any network
# that can be differentiated twice). The rule is tried twice: parity, and a check of five of the
# eight signs, of which networks learn something in this time: of the strings that they draw and
# never saw, more keep it than the third that would by chance.

# %% tags=["hide-input"]
#| label: beyond-cures
#| fig-cap: >-
#|   Where each treatment takes the local dependency ratio (across) and hallucination (up) by the
#|   end of training. A star is an exact denoiser: of the rule, of the training set.
#| fig-alt: >-
#|   Scatter plots: on parity hallucination is lowest where the ratio is pulled to zero and at one
#|   half where the ratio is near one; on the check all treatments but one end low
treated = {
    rule: {words: recorded(name) for words, name in by_words.items()}
    for rule, by_words in beyond.TREATMENTS.items()
}
panels, exact = ladder.treatments(treated, level)
figures.cures(panels, exact, level)
plt.show()

# %% tags=["hide-input"]
tables.treated(treated, level)

# %% [markdown]
# ```{margin}
# Goodhart's law: a measure that becomes a target is no measure any more.
# ```
#
# The penalty puts the ratio near where the rule's is, or near 1 or 0, and keeps it there. (The
# ratio of means, held, leaves the mean of ratios where it was.) On **parity** the network whose
# ratio is held breaks the rule more often at the end than one that is left alone: fewer of its
# samples are training strings, and of the others no more keep the rule than by chance. Pulled to 1
# it stays near chance. Where memory of strings would be the rule itself, since flips make all valid
# strings training strings, or since the architecture cannot tell a string from its permutations,
# hallucination stays at one half. What shortens the phase, more weight on the middle noise levels
# or a ratio that is pulled to 0, brings memory sooner: strings that were never seen become rarer,
# too.
#
# On the **check of five signs** hallucination falls in all rows, least where the ratio is pulled to
# 1. What falls there is by memory: of the strings that this network never saw, hardly more keep the
# rule than the third that would by chance. (It may look around at other noise levels: the penalty
# leaves those alone.) **Held at the rule's, the ratio helps.** A fifth of the samples are then
# valid strings that were never seen, more than in any untreated training, and of the unseen strings
# that are drawn nine in ten keep the rule, more than in any of those again. Memory is held back,
# and a rule within reach is not.
#
# So forcing the ratio moves memory: pulled down there is more of it at the end, pulled up less.
# What takes its place is the rule where a network finds it in this time, and nothing on parity.
# These are statements about these networks, these sizes and these steps. They do not show that
# parity cannot be learned.
#
# How long would one have to wait? One training goes on five times as long, and what it still learns
# is its training set:

# %% tags=["hide-input"]
#| label: beyond-long
#| fig-cap: >-
#|   Outcomes of a training of 60,000 steps on 64 of the 128 strings of parity; dashed: chance.
#| fig-alt: >-
#|   Line plot: training strings rise, hallucination falls, new valid strings stay rare
figure, axis = plt.subplots(figsize=(7.6, 3.6))
figures.outcome_curves(axis, **recorded("parity-8-scalars-long").curves)
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# ## Does the ratio tell how deep a rule is?
#
# **The exact ratios do: the deeper, the more local; of networks these runs cannot say it.**
#
# Dyck words of one length that may be nested two, three, four or six deep are rules of growing
# depth. A rule that allows deeper nesting forbids less. Does the network's ratio follow it?

# %% tags=["hide-input"]
#| label: beyond-depths
#| fig-cap: >-
#|   Ratio of x̂0 along training (left; dashed: the exact rule) and hallucination (right), of Dyck
#|   words of length 12 that are nested up to a depth.
#| fig-alt: >-
#|   Line plots: the ratio of each depth along training beside that of its exact rule
nested = {depth: recorded(f"dyck-12-depth-{depth}-scalars") for depth in beyond.DEPTHS}
figures.depths({str(depth): ladder.along(one, level) for depth, one in nested.items()}, level)
plt.show()

# %% tags=["hide-input"]
alike = [recorded(name) for name in beyond.NESTED if name.endswith(f"-n{beyond.ALIKE}")]
tables.depths([*nested.values(), *alike], level)

# %% [markdown]
# The exact rule's ratio rises with the depth that is allowed, and so do the linear denoiser's, most
# from depth two to three, and the training set's. The networks have no plateau that could be
# compared. At step 1,000 their ratios still fall, and few words can be read; by the end they have
# come below their rules', with the depths close together or in another order.
#
# And depth is not all that differs: the more it allows, the more words there are to train on. The
# last rows, like the first, have sixteen words. There the depths from three to six keep their order
# to the end; but it is the order of the training sets, to which these networks come close, and
# depth two, whose rule is by far the least local, is not the lowest.

# %% [markdown]
# ## Attention has the saddle, but not the set
#
# **From four signs on, a layer of attention comes to rest on the univariate function like a
# two-layer network, though no set keeps it there; where both were run, it leaves later.**
#
# Theorem 5.2 is about two-layer networks, and a DiT has attention. Does it have a set like $M$, in
# which the network stays blind to other symbols? Take the smallest layer there is. Each sign is a
# token, with the features $x_k$ and $t_k = \tanh(\sqrt{\bar\alpha}\,x_k/(1-\bar\alpha))$, and
# output $i$ guesses $x_{0,i}$:
#
# $$f_i(x) = c \cdot (x_i, t_i) + \sum_k A_{ik}\; p \cdot (x_k, t_k),\qquad
# A_{ik} \propto \exp\bigl(\Delta\,[k = i] + (\beta + \mu x_i)\,x_k\bigr).$$ (eq-attention)
#
# The **own path** $c$ is the skip connection with what follows it. The **product** $p$ is that of
# value and output matrices. Attention goes by position ($\Delta$) and by content ($\beta$, $\mu$).
# Write $r_i = f_i - \mathbb{E}[x_{0,i} \mid x]$. Since $t_i$ is the best univariate guess of
# $x_{0,i}$, the *univariate optimum* is $f_i = t_i$: there $c = (0, 1)$ and $p = 0$.
#
# The gradient of its loss is a sum over Gauss points of the noised signs, with no sampling: the
# other tokens are alike, so that one point stands for all their arrangements, and sixteen signs are
# within reach. Everything else follows from two lines of algebra.
#
# :::{prf:theorem} What the rule can do from the univariate optimum
# :label: attention-gradient
# :nonumber:
#
# Let all signs be fair, with Fourier coefficients $\bar p_0(S) = \mathbb{E}\prod_{k\in S} x_{0,k}$.
#
# 1. If any two signs are independent and $f_i$ depends on $x_i$ alone, then
#    $\mathbb{E}[r_i\,\chi(x_i)\,\psi(x_k)] = \mathbb{E}[r_i\,\chi(x_i)]\,\mathbb{E}[\psi(x_k)]$
#    for $k \ne i$. {verdict}`attention-factors`
# 2. At $f_i = t_i$ half the loss's slope along *any* feature $g(x)$, of any network, is
#    {verdict}`attention-pull`
#
#    $$\mathbb{E}[r_i\,g] = -\sum_{S \not\ni i} \bar p_0(S \cup \{i\})\;
#    \mathbb{E}_{\mathrm{ind}}\Bigl[(1 - t_i^2) \prod_{k\in S} t_k\; g(x)\Bigr],$$
#
#    where $\mathbb{E}_{\mathrm{ind}}$ is over independent fair signs.
# 3. So with the parity of $d$ signs a feature that ignores one of the other tokens has no slope.
# 4. If any two signs are independent, the best function $\sum_k h_k(x_k)$ is $t_i$.
#    {verdict}`attention-additive`
# :::
#
# :::{prf:proof}
# *1.* The pair $(x_{0,i}, x_i)$ is independent of $x_k$, and
# $\mathbb{E}[\mathbb{E}[x_{0,i} \mid x]\, \chi(x_i)\psi(x_k)] =
# \mathbb{E}[x_{0,i}\,\chi(x_i)\,\psi(x_k)]$.
#
# *2.* The density of $x$ is the independent one times $Z = \sum_S \bar p_0(S)\, t_S$, with
# $t_S = \prod_{k \in S} t_k$, and $Z\,\mathbb{E}[x_{0,i} \mid x] =
# \sum_S \bar p_0(S \mathbin{\triangle} \{i\})\, t_S$. Hence $\mathbb{E}[r_i g] =
# \mathbb{E}_{\mathrm{ind}}[Z r_i g]$ with
# $Z r_i = \sum_S (t_i\,\bar p_0(S) - \bar p_0(S \mathbin{\triangle} \{i\}))\, t_S$. Take $S$ and
# $S \cup \{i\}$ together, for $S \not\ni i$: the terms with $\bar p_0(S)$ cancel, those with
# $\bar p_0(S \cup \{i\})$ leave $(t_i^2 - 1)\, t_S$.
#
# *3.* Parity has $S = $ all others alone. If $g$ ignores $x_k$, the factor
# $\mathbb{E}_{\mathrm{ind}}\, t_k = 0$ splits off.
#
# *4.* By the first line with $f_i = 0$ the projection of $x_{0,i}$ on functions of $x_k$,
# $k \ne i$, is 0; on functions of $x_i$ it is $t_i$. Functions of different tokens are orthogonal
# up to their means.
# :::
#
# The second line has the steps of the ladder. From the univariate optimum a feature that joins $m$
# other tokens sees the coefficients of order $m + 1$ and below, and nothing above. It holds for
# every architecture; why features of few tokens should come first it does not say. What is special
# about attention is which set it starts in and how it leaves.

# %% tags=["hide-input"]
lengths = (3, 4) if tier == "smoke" else (3, 4, 8, 16)
signs = {d: attention.parity(d, attention_tables.LEVEL) for d in lengths}
ends = {3: 1e4, 4: 1e6 if tier != "smoke" else 1e3, 8: 1e4, 16: 1e4}
paths = {d: attention.flow(signs[d], np.geomspace(1e-3, ends[d], 80)) for d in lengths}
gaps = {d: points.excess(attention.UNIVARIATE) for d, points in signs.items()}

# %% tags=["hide-input"]
#| label: beyond-attention-flow
#| fig-cap: >-
#|   Gradient flow of one layer of attention on parities of d signs, from a layer that is 0. Left:
#|   1 − LDR of its output; diamonds: the closed form at the start. Right: its loss above the
#|   optimum's, in units of the best univariate function's.
#| fig-alt: >-
#|   Left: 1 − LDR falls from at most 0.02 by several orders of magnitude; for d = 3 and, much
#|   later, d = 4 it rises again. Right: the loss rests at the best univariate function, and goes on
#|   below it for d = 3 and 4 alone
firsts = {d: attention.first_leak(d) for d in lengths}
figures.healing(paths, firsts, gaps)
plt.show()

# %% [markdown]
# ```{margin}
# On the way the leak rises once more: $x$ and $t$ are exchanged between the own path and the
# product, slowly.
# ```
#
# **The set is left at once, and of four signs or more that heals.** A DiT starts with all products
# at 0 (adaLN-Zero). That set is not invariant {verdict}`attention-set`: a token also attends to
# itself, and this share of the mix helps to guess $x_{0,i}$. With it, other tokens come in. Their
# own part of the slope is 0, by the first line above. So the first thing a layer learns has a ratio
# (of means) just below 1: at the start $1 - \mathrm{LDR} = (d-1)/((d^2+1)^2 + d - 1)$, for any rule
# without correlated pairs. Then the own path learns the bend of $t_i$, the mix becomes a burden,
# and the leak heals {verdict}`attention-heals`. What the layer comes to rest on is the univariate
# optimum, a critical point as long as attention does not go by content
# {verdict}`attention-critical`. Of three signs there is no rest: content takes over on the way.
#
# If there is no own path, the layer can be univariate only by attending to itself alone. Then
# $\Delta$ grows without end, as half the logarithm of time {verdict}`attention-diagonal`.
#
# How does it get away? By content. With logits $\beta x_k$ the mix $\sum_k A_{ik} x_k$ is the
# derivative of $\ln \sum_k e^{\beta x_k}$, a series of cumulants of the tokens. A product of all
# $d - 1$ others first occurs in the cumulant of order $d - 1$, which comes with $\beta^{d-2}$. So
# the rule pulls at the product by {verdict}`attention-order`
#
# $$(-1)^{d+1}\,\frac{(d-1)!}{d^{\,d-1}}\;\bar\alpha^{(d-1)/2}\,
# \mathbb{E}(1 - t^2)\;\beta^{d-2} + O(\beta^d).$$ (eq-attention-pull)

# %% tags=["hide-input"]
#| label: beyond-attention-pull
#| fig-cap: >-
#|   At the univariate optimum, against how much attention goes by content. Left: the rule's pull
#|   at the product of value and output. Right: by how much the best own path and product get below
#|   the univariate loss with these logits.
#| fig-alt: >-
#|   Left: straight lines on logarithmic axes with slopes 1 to 4 for d = 3 to 6, points on them.
#|   Right: curves of slopes 2, 4, 6 and 8
keys, few = np.geomspace(0.02, 1, 12), (3, 4) if tier == "smoke" else (3, 4, 5, 6)
layers = [attention.Layer(key=key) for key in keys]
pulled = {d: attention.content_pull(d, attention_tables.LEVEL, keys) for d in few}
leading = {d: attention.leading_pull(d, attention_tables.LEVEL, keys) for d in few}
coarse = {d: attention.parity(d, attention_tables.LEVEL, 6) for d in few}
gains = {d: [attention.gain(coarse[d], layer) for layer in layers] for d in few}
figures.pulls(keys, pulled, leading, gains)
plt.show()

# %% [markdown]
# ```{margin}
# The losses differ by the factor $\gamma$, and the initial weights differ as well, so that times
# compare in their order of magnitude only.
# ```
#
# A mix of other tokens costs before it pays, in proportion to the square of the product. So what
# one head can gain goes with *twice* that power, $\beta^{2(d-2)}$ {verdict}`attention-gain`. The
# table says when the layer leaves, beside the two-layer network of chapter 3 at the same noise
# level.

# %% tags=["hide-input"]
escaping = {} if tier == "smoke" else {3: 3_000, 4: 20_000}
networks = {d: Flow(d, attention_tables.LEVEL, steps, seed=seed) for d, steps in escaping.items()}
samples = {d: trace.Sample(config, 2**11) for d, config in networks.items()}
mlps = {
    d: [trace.measure(flow(networks[d]), sample, below=trace.goals(sample.levels, 0.1).left)]
    for d, sample in samples.items()
}
attention_tables.rests(paths, gaps, mlps)

# %% [markdown]
# So this does **not** explain why the paper's DiT lets its ratio fall sooner than its UNet. On
# fresh data, with three signs and with four, this layer with its one head stays univariate longer
# than the two-layer network. Two things that it does not have are left as candidates: positions
# that tell tokens apart ({numref}`fig-outcomes-spacing`), and the accidents of a finite training
# set, whose coefficients of order 2 and 3 are not zero: by the second line above these pull at
# once, though a UNet has them too. Several heads could cancel the cost of each other's mixes; that
# was not computed.
#
# Six findings of a trial came before this section. What became of them:

# %% tags=["hide-input"]
attention_tables.findings()

# %% [markdown]
# ## The ratio of what has no gradient
#
# **What can be called can be probed, at the price of more calls.**
#
# An exported network or a program in NumPy cannot be differentiated. A step along a vector $v$
# changes the outputs in $R$ by $J_R v$. With random $v$ on $R$ the mean of $\lVert J_R v \rVert^2$
# is $a = \lVert J_{RR} \rVert^2$, and with random $v$ on the rest it is the rest of the
# denominator, $b$. So each probe is split in two, and the ratio is $a/(a+b)$:
#
# ```python
# from localbias.ldr import ratio_by_differences
#
# ratio_by_differences(f, x_t, region, probes=16)  # called as local_dependency_ratio is
# ```
#
# The step is a compromise. A longer one sees the function's bend, a shorter one its rounding. In
# single precision and for signals of size 1 everything from 0.003 to 0.01 is good; the default is
# the cube root of the precision, 0.005. A probe costs four calls of $f$. Its two halves have errors
# of their own, whereas one vector-Jacobian product serves both norms, so the standard error is
# larger for as many probes. A ratio of two estimates is biased, too: the leading term is
# subtracted, and of the ratio of means over many signals the bias is smaller by their number.

# %% tags=["hide-input"]
torch.manual_seed(seed)
images, time = torch.randn(4, 1, 8, 8), torch.full((4,), 300)
corner = torch.zeros(1, 8, 8, dtype=torch.bool)
corner[:, :4, :4] = True
small = {
    "UNet": UNet(width=8, mults=(1, 2), heads=1, head_width=4),
    "DiT": DiT(8, patch=2, width=16, depth=2, heads=2),
}
for network in small.values():
    for weights in filter(lambda one: one.requires_grad, network.parameters()):
        torch.nn.init.normal_(weights, std=0.2)
maps = {name: (partial(one.eval(), t=time), images, corner) for name, one in small.items()}

# %% tags=["hide-input"]
without_gradients(maps, 12, seed)

# %% [markdown]
# These networks have random weights; what is compared is the estimates.
#
# Is there a trained denoiser that one can install and probe? The package
# *adaptive-terrain-diffusion* (MIT) brings a network for height fields of 128 × 128 as an ONNX
# file, without gradients. The probe runs on it: an inference session in a function is all it takes.
# But this network was distilled to go from noise to a field in one step. It is no denoiser at the
# levels between, a ratio would say nothing of a guess that it does not make, and so it is in no
# table here. Nor are the paper's own large models, Stable Diffusion 3.5-medium and FLUX.1-dev:
# their weights could not be fetched. `localbias recent` draws, reads and probes them where there is
# a GPU, and [a page](recent_models) says how.

# %% [markdown]
# ## What a trial had found
#
# **Most of it stands; that few strings leave no phase of hallucination and that holding the ratio
# changes nothing do not.**
#
# Before these runs there was a trial, with one seed for the most part. Here are its numbers beside
# the range of the seeds; in bold what is not met. (That of attention has its own table above.) For
# rows 2, 5 and 6 and the MLP of row 1 the trial read runs that are among these: there the table
# repeats a calculation, and not an experiment.

# %% tags=["hide-input"]
trial.findings(recorded, level)

# %% [markdown]
# With 32 strings the law of order 3 has no room for mistakes, and networks make some. Holding the
# ratio costs on parity and helps on the check, as its section says.
#
# ## What others have found since
#
# - **Two clocks.** {cite:t}`wang2026clocks` train DiTs on group parity: the time to the rule rises
#   with the order of the check, the time to memory with the number of samples. The table of clocks
#   above adds when the ratio falls.
# - **Coarse before fine.** {cite:t}`han2025rules` find that coarse rules between parts of an image
#   are learned and fine ones are not; {cite:t}`favero2025compositional` that grammars are learned
#   level by level, as orders are here. {cite:t}`bonnaire2025memorize` have a time to generalise
#   that does not depend on the number of samples, and one to memorise that grows with it.
# - **Locality.** {cite:t}`kamb2024creativity` predict what convolutional models draw from local
#   score machines; {cite:t}`lukoianov2025locality` derive locality from the covariance of the
#   pixels, which is why the linear denoiser has its section above;
#   {cite:t}`niedoba2024mechanistic` find posteriors of patches in trained networks.
#
# ## The paper leaves open, we find
#
# ```{ledger} digest-open-questions digest-penalty attention-set digest-next-checks
# ```
#
# ## What to take along
#
# - **Parity's 50 % is one coefficient that is zero.** Look at where the valid samples lie before
#   calling a network local.
# - **Whether an MLP on scalars hallucinates on parity can nearly be told from its training set**,
#   by the law of order 3; it is off where that law changes.
# - **Say which mean.** The mean of ratios falls at about the time of the low orders, the ratio of
#   means no earlier and mostly later.
# - **Compare with the linear denoiser.** On correlated symbols a lower ratio is no sign of a rule.
# - **Forcing the ratio moves memory.** On parity the rule did not come with it. On a check of five
#   signs, a rule within reach, holding the ratio at the rule's kept memory back, and more of what
#   was new was right.
# - **Attention has the saddle without the set.** In no architecture does a feature that ignores
#   another token pull away from the univariate function; with three and four signs one head leaves
#   it later than a two-layer network.
# - **A model without gradients can be probed**, at the price of more calls.
#
# ## The settings

# %% tags=["hide-input"]
settings(recorded(name) for name in recorded.names)
