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
# # The other explanation: mode interpolation
#
# A second paper explains hallucination without a word about text. Aithal, Maini, Lipton and Kolter
# (*Understanding Hallucinations in Diffusion Models through Mode Interpolation*, NeurIPS 2024)
# train on Gaussian mixtures and find samples **between** the modes, where the data have none. A
# perfect denoiser jumps from mode to mode; a network is smooth, and what it draws on the slope of
# its jump is a mixture of two modes. Such samples give themselves away, the paper says: their
# predicted {term}`x̂0` still moves in the last steps of sampling, and a filter by that variance
# removes more than 95 % of them while it keeps 96 % of the others.
#
# Are the two papers about one thing? This chapter trains on the same mixtures, beside the exact
# score as a control, and then asks each paper's probe about the other's hallucinations. Trainings
# have three seeds: where a range is given, it is of these.

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, with its
# records, and its package, which `pip install -e '.[book]' -c constraints.txt` installs there.
# Binder has both. Elsewhere, Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" goes through everything in a minute, "paper" wants hours
device = "auto"  # "cpu" or "cuda"
seed = 0  # 0 shows the recorded seeds; any other number only that seed
controls = 4000  # samples of the exact score, by each way of sampling

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
from tqdm import tqdm

from localbias import figures, grammar
from localbias.book import parameters
from localbias.book.tables import modes as tables
from localbias.book.tables import rules, settings
from localbias.experiments import TIERS, filters, modes, sampled_exactly
from localbias.experiments.catalogue import setup
from localbias.experiments.distances import distances
from localbias.experiments.recorded import Recorded, chains, digit_chains
from localbias.statistics import roc
from localbias.training import use_threads

parameters(
    globals(),
    tier=TIERS,
    device=("auto", "cpu", "cuda"),
    seed=range(2**31),
    controls=range(10, 10**6),
)
use_threads()
figures.use_style()

recorded = Recorded(5, tier, seed, device)

# %% [markdown]
# ## A mode is a string
#
# **On a grid a mode is a string, and a sample can be wrong in two ways: it lies in no mode, or in a
# mode that the data lack.**
#
# ```{margin}
# A cut at three standard deviations would call one in two hundred points of the data bad.
# ```
#
# The papers meet once one writes a mixture as text. In one dimension, a mode is a letter. A grid of
# 5 × 5 modes in the plane is the 25 strings of two symbols out of five letters: the first says how
# far to the right, the second how far up. A point is *read* by the nearest position along each
# coordinate; where none is within five standard deviations the symbol is unreadable, and the sample
# lies **in no mode**. The other mistake, a mode that the data lack, needs a grid with holes; it
# comes further below.

# %% tags=["hide-input"]
rules([grammar.Modes(3), grammar.Modes(5, 2), grammar.Modes(5, 2, checkerboard=True)])

# %% [markdown]
# ## The jump, and what a network makes of it
#
# **The exact prediction jumps half way between two modes; a network's goes over in a slope, which
# becomes steeper with training.**
#
# The exact $\hat{x}_0 = \mathbb{E}[x_0 \mid x_t]$ of a mixture is known in closed form. In much
# noise it is a gentle slope, in little noise a staircase, which jumps half way between two modes.
# Noise and score are the same thing up to scale, so this is the paper's picture, too. Three modes
# at 1, 2 and 3, with σ = .05, and a network of three layers of 64 units, early and late:

# %% tags=["hide-input"]
#| label: modes-denoisers
#| fig-cap: >-
#|   Predicted x̂0 over the noised point at three noise levels: exact, and of the network of the
#|   first seed at two steps of training. Grey lines are the modes.
#| fig-alt: >-
#|   Three staircases: the exact one jumps between modes, the network's is smooth, more so early in
#|   training
three = recorded("modes-3-gentle")
levels = (0.8, 0.95, 0.99)
positions = three.setup.renderer.positions.tolist()
figures.denoisers({f"√ᾱ = {level:g}": modes.curves(three, level) for level in levels}, positions)
plt.show()

# %% [markdown]
# Move the slider from noise to data: left the same curves, right where 2,000 points are on their
# way, drawn by each.

# %% tags=["hide-input"]
#| label: modes-slider
#| fig-cap: >-
#|   Predictions of x̂0, exact and learned, and 2,000 points on their way, from noise to data.
ways = modes.on_the_way(three)
frames = {}
for level in tqdm((0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999), desc="levels"):
    x, by_name = modes.curves(three, level)
    frames[f"√ᾱ = {level:g}"] = figures.modes_frame(x, by_name, ways(level), positions)
figures.slider(
    frames,
    "noise level, from noise to data",
    alt="Exact and learned predictions over the noised point, and where samples are on their way",
)

# %% [markdown]
# ## How many samples lie in no mode?
#
# **Ever fewer as training goes on, and more of them with narrow networks, with a fourth mode and
# with larger gaps; the number of training points does nothing.**

# %% tags=["hide-input"]
#| label: modes-shares
#| fig-cap: >-
#|   Share of 2,000 samples a seed that lie in no mode, along training, for three modes (four in one
#|   curve) in one dimension. Sampled by all 1,000 steps, as in the paper. Bands are the range of
#|   the seeds, or the 95 % interval of a single one.
#| fig-alt: >-
#|   Shares of samples between modes fall with training in every panel; narrower networks and the
#|   steeper schedule keep more of them
panels = {
    title: {label: modes.shares(recorded(name)) for label, name in by.items()}
    for title, by in modes.LINE.items()
}
figures.shares_along(panels)
plt.show()

# %% [markdown]
# At the same number of steps ten points of each mode serve as well as endlessly many. The paper
# finds fewer mistakes with more data; its code fixes the epochs, so that more data are more steps.
# A fourth mode, and a gap of twice the distance, make it harder, not easier, and so do too few
# units.

# %% tags=["hide-input"]
#| label: grid-shares
#| fig-cap: >-
#|   The same for 25 modes in the plane. Waves: the network also gets sines and cosines of the
#|   coordinates.
#| fig-alt: >-
#|   Shares of samples in no mode along training for four networks on the grid, and for the grid
#|   turned and shrunk
panels = {
    title: {label: modes.shares(recorded(name)) for label, name in by.items()}
    for title, by in modes.PLANE.items()
}
figures.shares_along(panels)
plt.show()

# %% tags=["hide-input"]
#| label: grid-clouds
#| fig-cap: >-
#|   Generated points of the first seed, early and at the end.
#| fig-alt: >-
#|   Clouds of points in the plane: early most lie between the modes, at the end nearly all in them
early = {"waves": "grid-25-gentle", "plain": "grid-25-plain"}
clouds = {}
for title, name in early.items():
    found = recorded(name)
    for row in (len(found.steps) // 3, -1):
        points = found.records[0].arrays["samples"][row], found.outcomes()[row]
        clouds[f"{title}, step {found.steps[row]:,}"] = points
figures.clouds(clouds)
plt.show()

# %% [markdown]
# ### The control: what the exact score does
#
# **By all steps the exact score leaves no sample in no mode, so that what lies there is the
# network's doing; a coarse sampler without noise puts some there by itself.**
#
# A sampler makes mistakes of its own. The table draws with the same samplers from the network and
# from the exact score, which has no smooth slope to slip on.

# %% tags=["hide-input"]
controlled = {
    "3 modes, β .001 to .2": recorded("modes-3"),
    "3 modes, β .0001 to .02": recorded("modes-3-gentle"),
    "grid, β .001 to .2": recorded("grid-25"),
    "grid, β .0001 to .02": recorded("grid-25-gentle"),
}
ways = {title: list(one.sampled_also)[:3] for title, one in controlled.items()}
exactly = {
    title: sampled_exactly(one.setup, ways[title], controls)
    for title, one in tqdm(controlled.items(), desc="exact scores", unit="mixture")
}
tables.controls(controlled, exactly, ways)

# %% [markdown]
# That it is the network's doing, the paper says too. But on the paper's schedule {term}`DDIM` in 50
# steps puts several samples in a hundred there by the exact score itself. And for the network the
# sampler decides as much as its training does: of the same weights DDIM makes many times as many
# such samples as {term}`ancestral sampling`, whose noise carries points off the slope. A share of
# interpolated samples says little without its sampler and this control.

# %% tags=["hide-input"]
tables.widths(controlled)

# %% [markdown]
# Their modes are too wide, too, mostly: a network that is smooth half way between modes is smooth
# around them.
#
# ### Fewer steps of the schedule
#
# **The exact score leaves nothing in no mode with a tenth of the steps, too; a network that is
# trained and sampled by so few leaves more there.**
#
# The noise at the end is the same: each β is as much larger as there are fewer of them. So is the
# training. With fewer steps the last ones are coarser, and the noise of the very first is larger.

# %% tags=["hide-input"]
by_steps = {label: recorded(name) for label, name in modes.STEPS.items()}
all_and_50 = {label: list(one.sampled_also)[:2] for label, one in by_steps.items()}
exact_too = {
    label: sampled_exactly(one.setup, all_and_50[label], controls)
    for label, one in tqdm(by_steps.items(), desc="exact scores", unit="schedule")
}
tables.controls(by_steps, exact_too, all_and_50)

# %% tags=["hide-input"]
tables.widths(by_steps)

# %% [markdown]
# The network's share falls as T rises, and its modes become wider: with few steps more of the last
# noise is averaged away at the end. {term}`DDIM` in 50 steps gives about the same whatever T is,
# for it visits as many of them.
#
# ### Which modes are mixed?
#
# **Those that are next to each other for the network: the nearest ones on straight grids, mostly
# others on a turned one.**

# %% tags=["hide-input"]
compared = {name: label for by in modes.PLANE.values() for label, name in by.items()}
grids = {label: recorded(name) for name, label in compared.items()}
tables.whereabouts({"3 modes": recorded("modes-3"), "4 modes": recorded("modes-4"), **grids})

# %% [markdown]
# ```{margin}
# The released turned grid is also shrunk, which hides it.
# ```
#
# The paper finds that only nearest modes are mixed. On straight grids that is so in about nine
# cases out of ten. On the turned one it is not: with the same distances most samples in no mode lie
# in the middle of four, where neither coordinate is a mode's, and there are many times as many of
# them. The network's own coordinates (and its waves) lie along the diagonals there.
#
# ## A grid with holes: two ways to be wrong
#
# **Both mistakes are made, and in the other order than in text: missing modes are emptied first,
# and the space between modes last.**
#
# Take the squares of one colour of the 5 × 5 board as modes, and leave out the others. Now a
# network can be wrong as the one paper says, between modes, and as the other says: both symbols
# perfect, and a string that no rule allows.

# %% tags=["hide-input"]
#| label: board-clouds
#| fig-cap: >-
#|   A network on 13 of 25 modes, at four steps of training, first seed.
#| fig-alt: >-
#|   Points in the plane at four steps: first anywhere, then in modes, some in squares of the
#|   wrong colour
board = recorded("board-13")
rows = sorted({board.row(share) for share in (0, 0.34, 0.67, 1)})
figures.clouds(
    {
        f"step {board.steps[row]:,}": (
            board.records[0].arrays["samples"][row],
            board.outcomes()[row],
        )
        for row in rows
    }
)
plt.show()

# %% tags=["hide-input"]
#| label: board-outcomes
#| fig-cap: >-
#|   The same along training: invalid is in no mode, a hallucination a mode that the data lack.
#| fig-alt: >-
#|   Shares of samples in no mode, in a missing mode and in a mode of the data along training
figure, axis = plt.subplots(figsize=(6.4, 3.4))
figures.outcome_curves(axis, **board.curves)
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# At first more than a third of the readable points stand in modes that the data lack. These are
# emptied within a thousand steps, while several points in a hundred still lie between modes, and
# the last of those go many thousand steps later. In the plane the network takes in both symbols at
# once, and the rule is one of pairs; what is hard is to be sharp. In text symbols are sharp long
# before the rule of all of them is met.
#
# ## Simple shapes
#
# **Shapes come before their places: most early pictures have one in another's column; two of a
# kind, the paper's example, are rarer and stay longer.**
#
# The paper's pictures have three columns: a triangle somewhere in the first or none, a square in
# the second or none, a pentagon in the third or none, and never nothing at all. Hallucinations are
# two of a kind in a column, or a shape in another's column. Such a picture is again a string of
# three symbols, and it takes a detector to read it: connected spots, compared with each shape.

# %% tags=["hide-input"]
tables.detector(setup("shapes-unet").renderer, 200 if tier != "smoke" else 20, seed)

# %% [markdown]
# (Others have counted white pixels column by column. That lets every shape pass in a column that is
# not its own.) A UNet is trained on such pictures, each drawn anew.

# %% tags=["hide-input"]
#| label: shapes-outcomes
#| fig-cap: >-
#|   Simple shapes by a UNet. Invalid: no shape, or half of one. Hallucination: whole shapes as the
#|   data never have them. Lines are means over the seeds, bands their range, dashed lines chance if
#|   columns were independent.
#| fig-alt: >-
#|   Shares of pictures along training: hallucinations rise to three quarters while shapes become
#|   readable, and then fall as pictures of the data take their place
shapes = recorded("shapes-unet")
figure, axis = plt.subplots(figsize=(6.4, 3.4))
figures.outcome_curves(axis, **shapes.curves)
axis.legend(fontsize=8)
plt.show()

# %% tags=["hide-input"]
#| label: shapes-samples
#| fig-cap: >-
#|   The same starting noise at four steps of training.
#| fig-alt: >-
#|   Generated pictures of shapes: blurs, then shapes with mistakes, then right ones
moments = sorted({shapes.row(share) for share in (0.16, 0.42, 0.67, 1)})
figures.sample_grid(**shapes.phases(moments, 8))
plt.show()

# %% [markdown]
# Which mistakes are they?

# %% tags=["hide-input"]
tables.shape_mistakes(shapes, shapes.steps[moments])

# %% [markdown]
# First shapes are there and their places are not: a shape stands in another's column in most of
# the pictures that can be read. This is a local mistake, as local as can be: the network draws a
# shape without asking where it is. It goes completely. Two of a kind, the paper's own example, come
# later, are never many, and are what is left when everything else is right. The sampler takes fifty
# steps, and nobody knows the exact score here: a control like that of the mixtures is missing.
#
# ## Their filter
#
# **The filter is real, and it is worth as much as the training was.**
#
# ```{margin}
# The area under the **ROC curve** is the chance that of a bad and a good sample the bad one has the
# larger variance.
# ```
#
# The filter takes the variance of $\hat{x}_0$ over the last steps of sampling. Which steps are the
# best ones? The windows below are given by noise level, so that schedules can be compared, and the
# last ten steps are the paper's.

# %% tags=["hide-input"]
#| label: filter-windows
#| fig-cap: >-
#|   How well the variance of x̂0 in a window tells samples in no mode from the others: ½ is
#|   guessing, below ½ it points the wrong way. Bands are the range of the seeds.
#| fig-alt: >-
#|   Area under the ROC curve against the window for two mixtures and two schedules, at two steps
#|   of training
panels = {}
for title, results in controlled.items():
    by_window = filters.variances(results)
    found = {name: filters.areas(results, v, "unreadable") for name, v in by_window.items()}
    panels[title] = tables.by_moment(results, found)
figures.areas_by_window(panels)
plt.show()

# %% [markdown]
# Early in training no window tells much: what lies in no mode has moved as little as the rest.
# Later the windows near the data do, the last ten steps among them, and in the middle of the
# schedule some point the wrong way.
#
# What is it worth? Window and threshold are chosen on one half of the samples, so that 96 % of the
# good ones there stay, and judged on the other half.

# %% tags=["hide-input"]
moments = {title: range(2, len(one.steps)) for title, one in controlled.items()}
moments = moments if tier != "smoke" else {title: [-1] for title in controlled}
tables.cuts(controlled, moments)

# %% [markdown]
# The same with the paper's window, the last ten steps, for every schedule:

# %% tags=["hide-input"]
last = {title: [-1] for title in controlled}
tables.cuts(controlled, last, [f"last {filters.watching(three).last} steps"])

# %% tags=["hide-input"]
#| label: filter-rates
#| fig-cap: >-
#|   ROC (top) and precision–recall (bottom) of the best window, at the end of training, first
#|   seed. Thin line: 4 % of the good samples removed.
#| fig-alt: >-
#|   ROC and precision recall curves of the filter for four mixtures
best = {title: filters.cut(results) for title, results in controlled.items()}
panels = {}
for title, results in controlled.items():
    if best[title]:
        scores = filters.variances(results)[best[title].window][0, -1]
        panels[title] = {best[title].window: roc(scores, filters.outcomes(results)[0, -1] == 0)}
if panels:
    figures.rates(panels, keep=0.96)
plt.show()

# %% [markdown]
# Where many samples lie in no mode, it removes few more of them than of the others. Where hardly
# any are left it ranks nearly all of them behind the rest, but at 96 % kept it still leaves some:
# the paper's 95 % removed lie at the upper end of what is found here, or above it. And few are left
# then to judge it by.
#
# ## Trained on one's own samples
#
# **Mistakes feed on themselves, and the filter slows them.**
#
# The paper's last question is what becomes of networks that are trained on the samples of networks.
# Each generation here draws 10,000 points of the grid and the next one is trained on them, so
# briefly that some samples err. The filter drops the 2.4 % of what is drawn whose $\hat{x}_0$ moved
# most; a random quota drops as many; and a control without any network draws from the exact score
# of a mixture that is as wide as the last generation was. *Sorted*, in the table, filters as the
# released code does: what is left stays in the order of its variance, and is read in that order.

# %% tags=["hide-input"]
#| label: chains
#| fig-cap: >-
#|   Share of drawn points in no mode, and width of a mode, over generations. Lines are means over
#|   chains, bands 95 % intervals of the mean.
#| fig-alt: >-
#|   Shares of points in no mode rise over the generations, least with the filter; the width of the
#|   modes
generations = chains(tier, seed, device)
quantities = {"drawn in no mode": "bad", "width of a mode, in σ": "width"}
panels = {
    title: {key: arrays[name] for key, arrays in generations.items() if key != "sorted"}
    for title, name in quantities.items()
}
figures.chains(panels, {"drawn in no mode"})
plt.show()

# %% tags=["hide-input"]
tables.generations(generations)

# %% [markdown]
# With the filter fewer points lie in no mode after three generations than with none, or with a
# random quota, which to a network is the same as none. The control says what else goes on. Without
# any network, the sampler alone narrows the modes in each generation, since its samples are
# posterior means; these briefly trained networks widen them by more than that. What generations do
# to a mode is first of all the network's and the sampler's doing. Sorted batches do little here;
# [the errata](../errata) have the difference with its interval.
#
# ### Digits
#
# **Over generations digits become easier to read and less like digits that people write.**
#
# The paper's other chain is of MNIST. A network is told which digit to draw: the label has an
# embedding, which is added to that of the time, and one label in ten is hidden in training. Then
# the prediction can be pushed from "not told" past "told" (classifier-free guidance, here by one
# half). With its labels bound it is a denoiser like any other. Pictures have 14 × 14 pixels, the
# network is dense, and each generation is trained on 6,000 digits for 1,500 steps. What is drawn is
# measured in two ways. This book's reader reads it, and a digit that is not read as it was told is
# a mistake. And the reader's features have a Fréchet distance from those of digits that it was not
# trained on.

# %% tags=["hide-input"]
#| label: digit-chains
#| fig-cap: >-
#|   Digits over generations, by what is dropped before the next network is trained: share that is
#|   not read as it was told, and Fréchet distance from digits that people wrote.
#| fig-alt: >-
#|   The share of misread digits rises at the first generation and falls again, the distance rises
#|   from generation to generation
digits = digit_chains(tier, seed, device)
quantities = {"not read as told": "bad", "Fréchet distance": "distance"}
panels = {
    title: {treatment: arrays[name] for treatment, arrays in digits.items()}
    for title, name in quantities.items()
}
figures.chains(panels, {"not read as told"})
plt.show()

# %% tags=["hide-input"]
#| label: digit-pictures
#| fig-cap: >-
#|   What the networks of the first chain are trained on: the data, and the last generation.
#| fig-alt: >-
#|   A hundred handwritten digits, and a hundred drawn in the last generation, which are plainer and
#|   more alike
shown = {"data": digits["none"]["pictures"][0, 0]}
for treatment, arrays in digits.items():
    shown[f"generation {len(arrays['bad'][0]) - 1}, {treatment}"] = arrays["pictures"][0, -1]
figures.mosaics(shown, rows=1)
plt.show()

# %% tags=["hide-input"]
tables.digit_generations(digits)

# %% [markdown]
# The first generation errs most often: its network is small. From then on mistakes become fewer,
# without any filter, since what is ambiguous is rarely drawn by a network that learns from a
# network. The distance says what this costs: digits lose their variety, one generation after the
# other. A share of mistakes that falls is no sign of health. With one chain of each treatment, no
# difference between them is to be leaned on.
#
# ## Both probes on both problems
#
# **The variance finds what lies between modes, and early in text, while half of the strings break
# the rule, no probe tells these from valid ones.**
#
# Now the cross. Parity of eight on scalars, and Quarter-MNIST by a DiT with a token a digit, are
# drawn again, and the way to each sample is watched: the variance of $\hat{x}_0$ in the last steps
# and in its best window, the local dependency ratio of the first symbol, and the size of its
# Jacobian. Each is asked three questions: which samples cannot be read, which of the readable ones
# break the rule, and which of the valid ones were never seen.

# %% tags=["hide-input"]
#| label: both-probes
#| fig-cap: >-
#|   Area under the ROC curve of each probe, a question a row. Points are means over the seeds, bars
#|   their range, or the 95 % interval of a single seed.
#| fig-alt: >-
#|   Dot plot: variance finds unreadable samples, and is near one half for hallucinations of text
subjects = {
    "3 modes": recorded("modes-3-gentle"),
    "grid": recorded("grid-25-gentle"),
    "board": board,
    "shapes": shapes,
    "parity, scalars": recorded("parity-8-scalars-watched"),
    "digits, DiT": recorded("quarter-token-dit-50-watched"),
}
questions = tables.questions(subjects)
figures.probes(questions)
plt.show()

# %% tags=["hide-input"]
tables.probes(questions)

# %% [markdown]
# Read it from the questions. *Unreadable*, or in no mode, is the other paper's hallucination, and
# the variance finds it, better the longer the training. *Hallucination* is this book's: sharp
# symbols that keep no rule. In the hallucination phase of text (scalars at the earlier step) **no
# probe tells a hallucinated string from a valid one**. That is to be expected: to the exact
# denoiser of independent symbols a string that breaks the rule is a mode like any other, nothing
# about it is uncertain, and nothing moves. This network knows pairs and triples of its training
# strings, too (chapter 6), so *valid strings that were never seen* stand out already; the rule is
# in neither. Later, when training strings are learned by heart, the variance finds hallucinations
# well, and valid strings that were never seen as well or better. It fits how far a sample is from
# what the network remembers, not whether it keeps the rule.
#
# On the board, whose rule the network has learned by then, the few points in missing modes move,
# too.
#
# ### What an exact denoiser would know
#
# **The distance from the exact rule finds the wrong strings that no other probe finds; who can
# measure it knows the rule.**
#
# The same samples are drawn again by the weights that were kept. On the way x̂0 is compared with
# that of the exact denoisers at the same noised sample: independent symbols, the rule, and what was
# trained on. Midway is where the rule matters, late is near the data.

# %% tags=["hide-input"]
#| label: exact-probes
#| fig-cap: >-
#|   Area under the ROC curve of the distance from each exact denoiser, a question a row. Weights
#|   were kept of the first seed; bars are its 95 % intervals.
#| fig-alt: >-
#|   Dot plot: the distance from the rule finds hallucinations in both phases, that from independent
#|   symbols only late in training, and that from the training set what was never seen
drawn_again = {"3 modes": None, "parity, scalars": "parity-8-scalars"}
drawn_again["digits, DiT"] = "quarter-token-dit-50"
at = {"3 modes": (0.9, 0.99), "parity, scalars": (0.7, 0.99), "digits, DiT": (0.3, 0.9)}
away = {
    title: distances(subjects[title], at[title], name and recorded.existing(name))
    for title, name in drawn_again.items()
}
exact_questions = tables.from_exact({title: subjects[title] for title in away}, away)
if exact_questions:
    figures.probes(exact_questions)
plt.show()

# %% tags=["hide-input"]
tables.probes(exact_questions) if exact_questions else None

# %% [markdown]
# In the local phase hallucinated strings are as near to independent symbols as valid ones are: by
# these the network draws, and so nothing of its own gives them away. From the rule they are farther
# midway already, when nothing can be read yet. Late that distance amounts to reading the string.
# The distance from the training set finds what was never seen, the one from independent symbols
# what cannot be read. Of a mixture all three are the same law, and late on the way it finds what
# lies in no mode, early in training too, when the variance hardly does.
#
# ## Which probe for which failure
#
# **Against what is unsharp take the variance of x̂0; against wrong strings of sure symbols no probe
# of single samples helps.**
#
# A probe that is chosen on the samples that it is judged on flatters itself. Here every other
# sample chooses: the probe, the side of it that points to the failure, and the weights of a
# logistic regression on all of them. The other half says what they are worth.

# %% tags=["hide-input"]
tables.advice(subjects)

# %% [markdown]
# Some labelled samples choose the window of the variance; all probes together add little. While a
# network is in its hallucination phase, read the strings, or train on. Once it remembers, a
# probe finds wrong strings, and valid new ones with them: whoever filters by it keeps the training
# set.
#
# ## The paper says, we find
#
# ```{ledger} mode-interpolation mode-interpolation-filter mode-interpolation-shapes
# ```
#
# ```{ledger} mode-interpolation-recursion mode-interpolation-hands
# ```
#
# ## What to take along
#
# - **Two things are called hallucination.** One lies between modes, where the data are nowhere; the
#   other lies on a mode of every symbol, in a combination that no rule allows. A network can make
#   both, and a checkerboard shows them apart.
# - **The sampler is half of the story.** Without the same sampler on the exact score, a share of
#   interpolated samples cannot be read. Take all steps and ancestral noise before blaming a
#   network.
# - **Train longer before filtering.** Shares fall by orders of magnitude with training, and with a
#   network that can tell near points apart.
# - **The variance of x̂0 is a good alarm for what is unsharp or unremembered**, and blind to a
#   wrong string whose symbols are sure. The local dependency ratio speaks of how a network makes
#   such strings, and not of which ones.
#
# ## The settings

# %% tags=["hide-input"]
settings(recorded(name) for name in recorded.names)
