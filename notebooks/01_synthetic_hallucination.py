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
# # Synthetic hallucination
#
# Ask an image generator for a page of text and it draws letters: each one crisp, well shaped, in
# its place, and together they say nothing. The paper calls this *text hallucination* and gives a
# reason. A diffusion model learns to draw each symbol from the noise **at that symbol's own place**
# long before it learns to look at the other symbols, so it puts together strings of perfect symbols
# that no rule allows. The paper calls this a **local generation bias**.
#
# To see it one needs data where "the rule" is known exactly. This chapter follows §4.1 and §4.2 of
# the paper: strings of parentheses with a parity, and pictures of four handwritten digits whose
# sums agree. We know every valid string, so every sample can be judged, and we can compute what a
# perfect model would do. How *local* the networks really are is the paper's next question (§4.3);
# here we look at what comes out.
#
# The figures show runs of the **laptop tier**: the paper's ideas in networks that train on one CPU
# core, most within minutes, the longest for three hours (a GPU had a part in a few seeds). Each run
# is stored as a record, and the cells below read the records. Ask for another seed and the chapter
# trains anew:
#
# ```
# papermill book/notebooks/01_synthetic_hallucination.ipynb out.ipynb -p seed 3
# ```

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, with its
# records, and its package, which `pip install -e '.[book]' -c constraints.txt` installs there.
# Binder has both. Elsewhere, Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" goes through everything in a minute or two, "paper" wants a GPU and days
device = "auto"  # "cpu" or "cuda"
seed = 0  # 0 shows the recorded seeds; any other number only that seed
live_steps = 4000  # of the training that runs in this notebook

# %% tags=["hide-input"]
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from tqdm import tqdm

from localbias import figures, grammar, reading, render
from localbias.book import parameters, tables
from localbias.experiments import TIERS, catalogue, reference_counts
from localbias.experiments.directions import directions
from localbias.experiments.escapes import escape_bounds, escape_law
from localbias.experiments.recorded import TUPLES, Recorded
from localbias.reading.digits import examples
from localbias.training import State, auto_device, train, use_threads

parameters(
    globals(),
    tier=TIERS,
    device=("auto", "cpu", "cuda"),
    seed=range(2**31),
    live_steps=range(1, 10**7),
)
use_threads()
figures.use_style()
here = auto_device(device)
setup = partial(catalogue.setup, tier=tier, seed=seed)
recorded = Recorded(1, tier, seed, device)

# %% [markdown]
# ## In one picture
#
# **First nothing is sharp; then the letters are, each made mostly of what stands at its own place,
# and the words are wrong; at the end the first letter listens to all others, and the words are
# those of the training.**
#
# ```{margin}
# **√ᾱ** says how much of the signal is left at a noise level: at 1 there is no noise, at 0 nothing
# else.
# ```
#
# Here a UNet learns to draw thirty short words. [Chapter 4](04_real_text.ipynb) follows it closely;
# the book's [first page](../intro.md) has all its measured steps.

# %% tags=["hide-input", "readme"]
#| label: three-moments
#| fig-cap: >-
#|   Samples from the same starting noise at three moments of a training on thirty words, framed by
#|   outcome (invalid: letters that cannot be read; hallucination: no such word; extrapolation: a
#|   word that it was not trained on); below, where the prediction of the first letter listens (√ᾱ =
#|   0.2, darker is more).
#| fig-alt: >-
#|   Three columns of generated words: blurs, then sharp letters that are no words, then words; the
#|   heat below covers the first letter alone at first and the whole word at the end
words = recorded("short-words-unet-30")
wrong = int(np.argmax(words.counts[0, :, 1]))
rows = (words.row(0.15), wrong, words.row(1))
of_words = words.moments(words.probing.closer[0 if tier == "smoke" else 1], 8, rows)
figures.moments(of_words, ("first", "most hallucinations", "at the end"), "the first letter")
plt.show()

# %% [markdown]
# ## The rules
#
# **A parity leaves any two symbols independent, a sum of digits nearly so; and each rule has a
# chance level, at which a model that knows its symbols alone keeps it.**
#
# **Parity.** A string of $L$ parentheses, where "(" stands for $+1$ and ")" for $-1$, is valid when
# the signs multiply to $+1$: the number of ")" is even. Whoever sees fewer than $L-1$ of the
# symbols can only toss a coin for another one; whoever sees $L-1$ of them knows the last. Any two
# symbols are independent, so nothing is learned from pairs: the rule lives in all $L$ symbols at
# once.
#
# **Quarter sum.** Four digits with $s_1 + s_2 = s_3 + s_4$. Drawn by MNIST's handwriting, one in
# each quarter of an image, they are the paper's *Quarter-MNIST*.

# %%
rules = grammar.Parity(8), grammar.Parity(16), grammar.QuarterSum()
some = rules[0].text(rules[0].support[[0, 5, 90]])
tables.rules(rules, after=f"Valid strings of parity 8: {', '.join(f'`{one}`' for one in some)}, …")

# %% [markdown]
# The last column, on the first two symbols, is worth a second look. The paper motivates its theory
# by symbols that are independent in pairs (§4.3; as an assumption §5.3). That is exactly so for
# parity, and not quite so for Quarter-MNIST: two digits of a valid tuple do carry a little
# information about each other. And the third column gives the **chance level**: a model that knew
# how often each symbol occurs in each place and nothing else would produce a valid string that
# often. Every share below has to be read against it.
#
# ## From strings to pictures
#
# **Our pictures have the paper's layout at a smaller size, and most runs depart from the paper in
# three more things: how digits vary, what a network puts out, and how samples are drawn.**
#
# A renderer shows each symbol in a cell of its own. We use three: plain numbers $\pm 1$, which
# train in a minute and show everything; parentheses as glyphs; and MNIST digits in the four
# quarters of an image. The paper's pictures have 64 × 64 pixels. The laptop tier keeps the layout
# and shrinks the cells.

# %% tags=["hide-input"]
#| label: rendered-strings
#| fig-cap: >-
#|   The same strings in the sizes of the laptop tier and of the paper (64 × 64).
#| fig-alt: >-
#|   Four example images: parentheses of length 8 at 16 by 32 and 64 by 64 pixels, of length 16 at
#|   32 by 32, and four digits at 28 by 28 and 64 by 64
eight, sixteen, quarter = (rule.support[[len(rule.support) // 3]] for rule in rules)
figures.show_signals(
    {
        "parity, L = 8": render.Glyphs((2, 4), (16, 32))(eight)[0, 0],
        "as the paper": render.Glyphs((2, 4), (64, 64))(eight)[0, 0],
        "parity, L = 16": render.Glyphs((4, 4), (32, 32))(sixteen)[0, 0],
        "quarter sum": render.Digits(28)(quarter)[0, 0],
        "quarter, paper": render.Digits(64)(quarter)[0, 0],
    }
)
plt.show()

# %% [markdown]
# A network is trained on *some* of the valid strings; the others are {term}`held-out`. The paper
# draws a digit with a *probabilistic* function (A.5): it has many handwritings. How many, and
# whether a string keeps its own, the paper doesn't say. The laptop tier departs from that: a digit
# always looks the same (it has one *exemplar*, a picture of a symbol), so each training string is
# one fixed image. The paper tier draws another handwriting each time a string is shown.
#
# ```{margin}
# A signal $x_0$ is noised to $x_t = \sqrt{\bar\alpha}\,x_0 + \sqrt{1-\bar\alpha}\,\varepsilon$.
# **x̂0** is what a network's prediction says of $x_0$. **η** is how much fresh noise a sampler adds
# at each step: 0 is DDIM, 1 ancestral sampling.
# ```
#
# It departs in two more points that the paper states (A.1). The paper's network puts out the noise,
# and its samples are drawn by {term}`ancestral sampling`: all noise levels from pure noise to data,
# one after the other, each with fresh noise (Eq. 7). Ours are drawn by {term}`DDIM`, which visits
# 25 or 50 of the levels and adds no noise, and after each prediction {term}`x̂0` is *clamped* to
# the range of the pixels. And most of our networks put out {term}`v`, from which the noise follows,
# as is said below. [Chapter 2](02_local_dependency_ratio.ipynb) measures what these choices do.
#
# ## What can come out
#
# **A sample is unreadable, hallucinated, a training string or an extrapolation; and the sampler
# alone is not to blame for hallucinations, for fed with the exact rule it produces valid strings
# only.**
#
# A generated sample is read back, symbol by symbol. Then there are four outcomes (Figure 3 of the
# paper):
#
# | outcome | every symbol readable? | rule kept? | among the training strings? |
# |---|---|---|---|
# | **invalid** | no | – | – |
# | **hallucination** | yes | no | no |
# | **in dataset** | yes | yes | yes |
# | **extrapolation** | yes | yes | no: valid and never seen |
#
# Before any training we can ask what *exact* models would do. A diffusion model is a *denoiser*: it
# is shown a noised signal and says what the clean one was, on average. For our data the best answer
# $\mathbb{E}[x_0 \mid x_t]$ is a finite sum, so it can be computed: for the **rule** (all valid
# strings), for the **training** set, and for the **marginals**, where every symbol ignores the
# others. We sample from each as we sample from the networks.

# %%
setups = {name: setup(name) for name in ("parity-8-scalars", "parity-8-unet", "quarter-unet-470")}
drawn = {name: reference_counts(one) for name, one in setups.items()}
tables.exact_samples(setups, drawn)

# %% [markdown]
# With an imperfect network it matters how one samples (chapter 2). But fed with the exact rule this
# sampler breaks no string: what breaks them is in what the network has learned.
#
# ## Parity on scalars, live
#
# **Training has three phases: fuzzy, hallucination as often as if every symbol were drawn by
# itself, and then the training strings, not the rule.**
#
# The smallest case first: eight numbers, half of the 128 valid strings, and a multilayer perceptron
# (MLP), in which every input reaches every output. The next cell trains it here and now and samples
# along the way.

# %%
lesson = setups["parity-8-scalars"]
config = replace(lesson.experiment.training, steps=live_steps)
state = State.fresh(lesson.denoiser().to(here), config)
watched = np.geomspace(min(50, live_steps), live_steps, 12).round().astype(int)
steps, counts = np.unique(watched).tolist(), []
states = train(state, config, lesson.draw, seed)
for state in tqdm(states, total=live_steps, desc="training", unit="step"):
    if state.step in steps:
        tokens = lesson.reader(lesson.sample(state.denoiser, here).cpu())
        counts.append(lesson.tally(tokens).counts)
live = {"steps": steps, "counts": np.array(counts)[None], "chance": lesson.chance}

# %% tags=["hide-input"]
#| label: outcomes-scalars-live
#| fig-cap: >-
#|   Trained in this notebook, one seed; bands are 95 % intervals. Right: samples of the exact
#|   denoisers.
#| fig-alt: >-
#|   Shares of the four outcomes along the live training on scalars, with chance levels
live_title = "parity on scalars, live"
figures.outcome_panels({live_title: live}, {live_title: drawn["parity-8-scalars"]}, columns=1)
plt.show()

# %% tags=["remove-cell"]
if tier == "laptop" and seed == 0 and live_steps >= 4000:
    live_shares = live["counts"][0] / live["counts"][0].sum(1, keepdims=True)
    assert live_shares[0, 0] > 0.9  # at first nearly everything is unreadable
    assert live_shares[-1, 0] < 0.5  # most samples are readable at the end
    assert live_shares[-1, 2] > 2 * live_shares[-1, 3]  # and favour the training strings

# %% [markdown]
# Three phases, one after the other:
#
# 1. **Fuzzy.** No symbol is sharp yet; nearly everything is unreadable.
# 2. **Hallucination.** Symbols become sharp, and about half of the readable strings break the rule,
#    as often as if every symbol had been drawn by itself. Yet in this dense network the blue curve
#    runs ahead of the green one from the start: the valid strings that appear are mostly training
#    strings. It knows more than its symbols; {numref}`fig-beyond-ladder` says
#    what.
# 3. **Overfitting.** Hallucinations become fewer and the green curve falls towards zero: the
#    network gets to know the *training strings*, not the rule. It does not extrapolate.
#
# The records of the same experiment go further, with several seeds.

# %% tags=["hide-input"]
#| label: outcomes-scalars
#| fig-cap: >-
#|   Parity on scalars. Lines are means over the seeds, bands their range. Dashed: the shares under
#|   independent symbols.
#| fig-alt: >-
#|   Shares of the four outcomes along the recorded trainings on scalars
scalars = recorded("parity-8-scalars")
exact_scalars = {scalars.label: drawn["parity-8-scalars"]}
figures.outcome_panels({scalars.label: scalars.curves}, exact_scalars, columns=1)
plt.show()

# %% tags=["hide-input"]
#| label: samples-scalars
#| fig-cap: >-
#|   Samples of the first seed early, in the hallucination phase and at the end. Each row is one
#|   string of eight numbers.
#| fig-alt: >-
#|   Strips of eight generated numbers at three steps of training
figures.scalar_strips(**scalars.phases([scalars.row(share) for share in (0.15, 0.5, 1)]))
plt.show()

# %% [markdown]
# ## Parity with glyphs
#
# **The UNet goes from fuzzy straight to chance and stays there: its symbols are perfect, and its
# strings come as often as if they were independent coin tosses.**
#
# ```{margin}
# A **UNet** is made of convolutions over an image that is made smaller and larger again, with some
# attention; a **DiT** is a transformer whose tokens are patches of the image; an **MLP** takes all
# pixels alike.
# ```
#
# Now parentheses as pictures, with two networks: a scaled-down version of the paper's UNet, and a
# dense MLP on the flattened image. The UNet reaches far through its attention, but its convolutions
# make neighbours easy; to the MLP all pixels are alike. Length 8 trains on half of the valid
# strings, length 16 on 5 %.
#
# Minutes suffice because much is smaller or faster than in the paper: the images, the networks and
# the number of steps are smaller, and the learning rate is higher, with warm-up and decay. The
# networks' output is read as $v = \sqrt{\bar\alpha}\,\varepsilon - \sqrt{1-\bar\alpha}\,x_0$, from
# which the noise follows, and the loss stays that of the noise. The MLP alone has another loss: it
# is trained to predict the clean image, because read as the noise or as $v$ it stays unreadable in
# these steps ([chapter 2](02_local_dependency_ratio.ipynb) has the numbers). The settings of every
# run stand in a table at the end of this chapter.

# %% tags=["hide-input"]
#| label: outcomes-glyphs
#| fig-cap: >-
#|   Parity with glyphs. Lines are means over the seeds, bands their range, dashed lines chance. The
#|   bars show samples of the exact denoisers.
#| fig-alt: >-
#|   Three panels of outcome shares along training: UNet and MLP with length 8, UNet with length 16
glyphs = {name: recorded(name) for name in ("parity-8-unet", "parity-8-mlp", "parity-16-unet")}
exact_glyphs = {name: reference_counts(one.setup) for name, one in glyphs.items()}
glyph_curves = {name: one.curves for name, one in glyphs.items()}
figures.outcome_panels(glyph_curves, exact_glyphs, columns=3)
plt.show()

# %% tags=["hide-input"]
#| label: samples-glyphs
#| fig-cap: >-
#|   Samples of the UNet on parity of length 8, from the same starting noise at three moments. The
#|   frame's colour is the outcome.
#| fig-alt: >-
#|   Generated parentheses at three steps of training, framed by outcome
figures.sample_grid(**glyphs["parity-8-unet"].phases(), shown=6)
plt.show()

# %% tags=["hide-input"]
tables.readable_shares(glyphs.values(), {"valid": [2, 3], "held-out": [3]})

# %% [markdown]
# The UNet's curves lie on the dashed lines: training strings and strings that it has never seen
# come equally often *per string*. This is the paper's hallucination phase, and our UNet does not
# leave it in the steps it has. The dense network behaves like the one on scalars: by the time its
# symbols are readable, held-out strings are already rare.
#
# The outcomes at the end of each training: the mean over the seeds, and their range, widened to the
# 95 % interval of all samples together.

# %% tags=["hide-input"]
tables.endings([scalars, *glyphs.values()])

# %% [markdown]
# ## Reading symbols
#
# **Clean symbols are read without a mistake by templates; a network that reads handwriting finds
# digits in loose strokes, and so is not used for everything.**
#
# Samples are read by a machine, and the machine can be wrong. Where the data show a symbol in one
# way only, as here, a cell is read as the nearest template, if it is near enough and clearly nearer
# than every other. For data with many handwritings the package ships a small convolutional network,
# trained on 8,000 of the 10,000 embedded digits, with an eleventh answer, "this is no digit". How
# both read clean and noised symbols:

# %% tags=["hide-input"]
#| label: digit-reader-accuracy
#| fig-cap: >-
#|   How symbols are read under Gaussian noise of growing size (the signal runs from −1 to 1). Left:
#|   handwriting that the reading network was not trained on.
#| fig-alt: >-
#|   Shares of symbols read right, refused and read wrong against the noise level, for the network
#|   on held-out digits, templates of digits and templates of glyphs
images, labels = examples(14, held_out=True)
cell = render.Cells(images.new_zeros(10, 1, 14, 14), (1, 1))
network = reading.DigitReader(cell, *reading.shipped_network(14))
held_out = "network, held-out digits"
accuracy = {held_out: reading.symbol_accuracy(network, images, labels[:, None])}
by_templates = {"templates of digits": "quarter-unet-470", "templates of glyphs": "parity-8-unet"}
for title, name in by_templates.items():
    one, strings = setups[name], setups[name].grammar.support
    accuracy[title] = reading.symbol_accuracy(one.reader, one.renderer(strings), strings)
figures.reader_accuracy(accuracy)
plt.show()

# %% tags=["remove-cell"]
assert accuracy[held_out]["right"][0] > 0.975 and accuracy[held_out]["wrong"][0] < 0.02
assert all(accuracy[title]["right"][0] == 1 for title in by_templates)

# %% [markdown]
# Half-made digits are not among the things that the network learned to refuse. The next cell lets
# both read the cells of a DiT's samples halfway through the measured steps: loose strokes, as
# {numref}`fig-samples-quarter-dit` shows.

# %% tags=["hide-input"]
halfway = recorded("quarter-dit-470")
row, digits = len(halfway.steps) // 2, halfway.setup.renderer
signals = render.from_pixels(halfway.records[0].arrays["samples"][row])
cells = digits.split(signals).reshape(-1, 1, digits.height, digits.width)
by_network = (network(cells) >= 0).float().mean()
by_template = (halfway.setup.reader(signals) >= 0).float().mean()
Markdown(
    f"Of {len(cells)} cells at step {halfway.steps[row]:,}, the network reads a digit in "
    f"{by_network:.0%}, the templates in {by_template:.0%}."
)

# %% [markdown]
# ## Quarter-MNIST
#
# **The UNet and the DiT stay near chance, for of what can be read most sums are wrong; an MLP on
# few tuples goes straight to its training set.**
#
# The paper trains on 470 of the 670 valid tuples. How many tuples there are decides how soon they
# can be memorised, so we turn that dial where it is cheap: the UNet trains on 470 tuples, the DiT
# on 50 and 470, the MLP on 50, 150 and 470.

# %% tags=["hide-input"]
#| label: outcomes-quarter
#| fig-cap: >-
#|   Quarter-MNIST with three networks. The number in a title is that of the training tuples. Lines
#|   are means over the seeds, bands their range, dashed lines chance.
#| fig-alt: >-
#|   Six panels of outcome shares along training: UNet with 470 training tuples, DiT with 50 and
#|   470, MLP with 50, 150 and 470
networks = ("unet-470", "dit-470", "dit-50", "mlp-470", "mlp-150", "mlp-50")
quarters = {f"quarter-{network}": recorded(f"quarter-{network}") for network in networks}
exact_quarters = {name: reference_counts(one.setup) for name, one in quarters.items()}
quarter_curves = {name: one.curves for name, one in quarters.items()}
figures.outcome_panels(quarter_curves, exact_quarters, columns=3)
plt.show()

# %% tags=["hide-input"]
#| label: samples-quarter-mlp
#| fig-cap: >-
#|   The MLP on 50 tuples.
#| fig-alt: >-
#|   Generated quarters of digits by the MLP at three steps of training
figures.sample_grid(**quarters["quarter-mlp-50"].phases())
plt.show()

# %% tags=["hide-input"]
#| label: samples-quarter-unet
#| fig-cap: >-
#|   The UNet on 470 tuples.
#| fig-alt: >-
#|   Generated quarters of digits by the UNet at three steps of training
figures.sample_grid(**quarters["quarter-unet-470"].phases())
plt.show()

# %% tags=["hide-input"]
#| label: samples-quarter-dit
#| fig-cap: >-
#|   The DiT on 470 tuples.
#| fig-alt: >-
#|   Generated quarters of digits by the DiT at three steps of training
figures.sample_grid(**quarters["quarter-dit-470"].phases())
plt.show()

# %% tags=["hide-input"]
tables.readable_shares(quarters.values(), {"valid": [2, 3]})

# %% [markdown]
# Look at the samples ({numref}`fig-samples-quarter-mlp` to {numref}`fig-samples-quarter-dit`)
# before the curves. The UNet's digits and most of the DiT's could have come from the data; only the
# arithmetic is wrong. Halfway, the DiT shows locality at a smaller scale still: strokes are put
# together inside each of its patches of 7 × 7 pixels, and do not yet continue across them.
#
# Both networks then stay near the chance level, the DiT whether there are 50 training tuples or
# 470. The MLP is another world: with 50 tuples the samples that can be read *are* training tuples,
# and there is no hallucination phase to speak of. With more tuples it becomes slower and mixes
# them. But it is trained on another target, $x_0$, and one handwriting a digit makes tuples easy to
# remember. How much of the difference is the architecture, how much the target, and how much the
# data, these runs cannot tell: that needs networks compared at equal settings.

# %% tags=["hide-input"]
tables.endings(quarters.values())

# %% [markdown]
# ## Long enough to leave
#
# **Where the pictures are easy to draw, a UNet and a DiT leave hallucination within an hour: the
# UNet learns its training set from low orders to high ones, and the DiT takes the longer, the more
# tuples it has.**
#
# Above, only dense networks left the hallucination phase. The paper's UNet does on parity of eight
# (Figure 3), and its DiT on Quarter-MNIST (Figure 4). Both can be seen within minutes to two hours
# of one core, where the pictures are made easy to draw, so that most of what is left to learn is
# the rule. All of these networks read and predict $x_0$, at higher rates than the paper's. Those
# that draw pictures do so in a schedule that spends more of its steps where the rule matters. There
# are three seeds of each, of the last UNet, on many handwritings, one.
#
# ### Parity in plain squares and in parentheses
#
# **The phases are the paper's: fuzzy, hallucination at one half, overfitting; parentheses leave
# it several times as late as squares.**
#
# A symbol is a grey square of 2 × 2 pixels, an image 4 × 8, and the network a small UNet. It is
# trained on half of the valid strings. Of length 16, in an image of 8 × 8, it is trained on 5 %, as
# in the paper. The same network, noise and rate then go to parentheses of 8 × 4 pixels, eight in an
# image of 16 × 16. The last panel is another network, an MLP: it sees each symbol as a vector of 16
# numbers, an *embedding vector*, another of the paper's ways to show symbols (§4.2, A.5).

# %% tags=["hide-input"]
#| label: outcomes-blocks
#| fig-cap: >-
#|   Figure 3 of the paper by a small UNet: parity of eight and of sixteen in plain squares, and of
#|   eight in parentheses; beside it an MLP on vectors. Three seeds each. Bands are ranges over the
#|   seeds; dashed lines chance. Pictures, noise schedule, rate and target are not the paper's.
#| fig-alt: >-
#|   Shares of the four outcomes against training steps. Squares, length 8: hallucinations stay at
#|   one half for about a thousand steps, then fall below a tenth, while strings of the training set
#|   rise above nine tenths; parentheses: the same, later. Squares, length 16: hallucinations stay
#|   at one half to the end. Vectors: training strings rise as soon as symbols can be read
blocks, sixteen_blocks = recorded("parity-8-unet-blocks"), recorded("parity-16-unet-blocks")
small_glyphs, vectors = recorded("parity-8-unet-small-glyphs"), recorded("parity-8-mlp-vectors")
escaping = {
    "squares, UNet": blocks,
    "squares, UNet, L = 16": sixteen_blocks,
    "parentheses, UNet": small_glyphs,
    "vectors, MLP": vectors,
}
exact_escaping = {title: reference_counts(one.setup) for title, one in escaping.items()}
escaping_curves = {title: one.curves for title, one in escaping.items()}
figures.outcome_panels(escaping_curves, exact_escaping)
plt.show()

# %% [markdown]
# Of length 8, where the paper's share of hallucinations ends at about a quarter, ours passes
# through it and goes on falling, in squares and in parentheses. The valid strings that were never
# seen go first. Of length 16 it stays at chance, as the paper's does. It was given as many steps
# and images as for squares of length 8, about a fiftieth of the paper's images.
#
# So parentheses by themselves need not keep a UNet in the hallucination phase. The one at the
# beginning of this chapter does not leave it, but it saw a small part of these images, twice
# as large, and is another network, with another target, rate, batch and noise: which of these
# decides was not tried.
#
# ### What happens while the curve is flat?
#
# **These networks are not idle: they learn the accidents of their training set from low orders to
# high ones, and the rule, the highest, comes about with order 5, no later than 6 and 7.**
#
# Write the symbols as signs. A law on strings is then its *Fourier coefficients*, the means of the
# products of some symbols: of one symbol ({term}`order` 1), of pairs (order 2), and so on. The rule
# is the product of all eight. A training set of 64 strings has coefficients of its own in every
# order, by accident. The *slope* says how much of them the samples give back: 0 is nothing, 1 is as
# much as the training set has. On the right is the MLP on vectors.

# %% tags=["hide-input"]
#| label: fourier-slopes
#| fig-cap: >-
#|   What samples share with the training strings, order by order. Means and ranges over three
#|   seeds. The last order is one minus twice the share of hallucinations among readable samples.
#| fig-alt: >-
#|   Slopes of generated on training Fourier coefficients against training steps. Squares, UNet:
#|   order one is near one early, order two at two thirds; then two, three and four rise in turn,
#|   five to eight last. Parentheses, UNet: order one is near one, order two below a third until
#|   step 1,000; then two, three and the others rise in turn. MLP: one to three are near one when
#|   samples become readable, the others rise later
climbing = {title: one for title, one in escaping.items() if one is not sixteen_blocks}
figures.fourier_slopes({title: (one.steps, *one.slopes()) for title, one in climbing.items()})
plt.show()

# %% [markdown]
# A share of hallucinations of one half says that one coefficient is zero, that of all symbols. It
# does not say that nothing has been learned. The UNet on length 16, at chance to the end, knows
# most of its training set's pairs by then, and a little of its triples; of order 4 and of the rule
# what it knows cannot be told from nothing:

# %% tags=["hide-input"]
tables.slopes(escaping)

# %% tags=["hide-input"]
tables.beside_paper(
    "Figure 3",
    {
        "UNet, L = 8": catalogue.make("parity-8-unet", "paper"),
        "UNet, L = 16": catalogue.make("parity-16-unet", "paper"),
    },
    {"UNet, glyphs": glyphs["parity-8-unet"], **escaping},
)

# %% [markdown]
# ### A DiT with a token a digit
#
# **It leaves chance for valid samples, as the paper's does: with few training tuples for the
# training set and nothing else, with 470 for new ones as well, of which the paper's draws next to
# none.**
#
# On Quarter-MNIST, too, there is a network that leaves. Its tokens are digits, and its four
# positions are vectors drawn at random, far from each other: the usual ones nearly coincide on a
# grid of 2 × 2. The number of training tuples is the dial. At 470 tuples it sees as many images as
# the paper's.

# %% tags=["hide-input"]
#| label: outcomes-token-dit
#| fig-cap: >-
#|   Figure 4 (right) of the paper, at three numbers of training tuples: a DiT with a token a digit.
#| fig-alt: >-
#|   Shares of the four outcomes against training steps for 50, 150 and 470 tuples: hallucinations
#|   fall from nine tenths, below a tenth for 50 tuples, to a fifth for 150 and a half for 470
dial = {n: recorded(f"quarter-token-dit-{n}") for n in TUPLES}
token_dits = {f"{n} tuples": dial[n] for n in (50, 150, 470)}
exact_token_dits = {title: reference_counts(one.setup) for title, one in token_dits.items()}
token_curves = {title: one.curves for title, one in token_dits.items()}
figures.outcome_panels(token_curves, exact_token_dits, columns=3)
plt.show()

# %% tags=["hide-input"]
tables.endings([*escaping.values(), *dial.values()])

# %% [markdown]
# The bars show one more exact denoiser, *pairs*. It knows how often any two symbols stand together
# in the training set, and nothing more. How much of a rule is that? The table has the law that has
# the statistics of some strings up to an order and assumes nothing else (the *maximum-entropy* law)
# and asks how often it keeps the rule.

# %% tags=["hide-input"]
half = min(64, recorded("parity-8-mlp").experiment.n_train)
tables.orders(
    {
        "parity, L = 8": (grammar.Parity(8), None, (2, 7)),
        "parity, half of it": (grammar.Parity(8), half, (1, 2, 3)),
        "Dyck, L = 12": (grammar.Dyck(12), None, (1, 2)),
        "sums of digits": (grammar.QuarterSum(), None, (1, 2)),
        "sums, 470 tuples": (grammar.QuarterSum(), 470, (1, 2)),
        "sums, 150 tuples": (grammar.QuarterSum(), 150, (2,)),
    },
    seed,
)

# %% [markdown]
# The rules differ in kind. Parity is in no statistic below the last order. The sum of digits is
# settled by pairs: the mean of $(s_1+s_2-s_3-s_4)^2$ is zero only if all tuples are valid, and
# multiplied out it is made of pairs. A network that learned the pairs of the *rule* would never
# hallucinate. Dyck words lie between; that a word must end with as many closed as opened
# parentheses is a statement on pairs, that it must never close too many is not wholly one. And of
# few training tuples pairs leave no choice: they already are the training set.
#
# ### Where do they go?
#
# **On parity and on 50 tuples, to the training set; on 200 to new tuples as well at first, and then
# to the training set; on 470, as long as we watched, each new valid tuple comes nearly as often as
# each known one.**
#
# A network that leaves chance has learned something: the rule, or pairs, or its training set by
# heart. Each shows in the samples. Of those that keep the rule, how many was it trained on? We
# compare with three made-up samplers. The first two copy strings with mistakes: now and then a
# symbol is drawn anew, at random. One copies from *all valid strings*, the other from the *training
# set*, and with ever fewer mistakes ever more of their copies keep the rule. The third is fitted to
# the *pairs* of the training set, each pair by itself, ever more closely (a *ridge*, a penalty on
# its parameters, holds it back). All three begin with independent symbols.

# %% tags=["hide-input"]
#| label: directions
#| fig-cap: >-
#|   How many samples keep the rule, and how many of these were trained on. Points: a network at
#|   each measured step at which half of each seed's samples can be read and ten are valid. Lines:
#|   copies of all valid strings and of the training set with ever fewer mistakes, and ever closer
#|   fits to its pairs, all from independent symbols (square).
#| fig-alt: >-
#|   On parity the points rise along the curve of the training set to the upper right corner, and so
#|   they do for 50 tuples; for 200 they begin beside the steep curves, fall half-way to the flat
#|   one of the rule, and come back later; for 470 they go to the right along the curve of the rule
ways = {"parity, UNet": directions(blocks)}
ways |= {f"{n} tuples, DiT": directions(dial[n]) for n in (50, 200, 470)}
figures.directions(ways)
plt.show()

# %% tags=["hide-input"]
tables.directions(ways)

# %% [markdown]
# On parity the share of valid samples stays at one half while ever more of them are known: that is
# what orders below the last do. On 50 tuples copies with mistakes and pairs are the same, and so is
# the network. On 200 half of its valid samples are new at first, well below the curves of pairs and
# of copies, and in the end hardly any. With 470 tuples the network was shown seven in ten of all
# valid ones, and about as many of its own valid samples are among these; of fitted pairs more would
# be, of copies nearly all. So what it has learned holds for tuples that it never saw.
#
# Three things stay open. The network on 470 may yet turn as that on 200 did: half of its samples
# still break the rule. Drawn by all steps of the process, with more valid samples, it has a larger
# share of known ones, between the rule's and that of pairs (see [the sampler](#the-sampler) below).
# And the sum of digits is itself made of pairs. A network that knows pairs by what the digits are
# worth, not each by itself, would be on the rule's line as well. In the paper fewer than half a per
# cent of the DiT's samples are valid and new; the table above has ours.
#
# [Chapter 2](02_local_dependency_ratio.ipynb) shows how locally this network works meanwhile.
#
# ### How long does it take?
#
# **For this DiT the wait grows faster than the number of training tuples, up to 200 of them; 470
# come sooner than that law has it.**
#
# A training has *escaped* at the measured step from which on, to the end, most of its samples can
# be read and at least half of these keep the rule.

# %% tags=["hide-input"]
#| label: escape-law
#| fig-cap: >-
#|   Steps until escape against the number of training tuples, and the power law of largest
#|   likelihood through 20 to 200 tuples with the 95 % interval of its value; a training that has
#|   not escaped counts as later.
#| fig-alt: >-
#|   Escape steps rise along a straight line in logarithmic axes, faster than the number of tuples;
#|   at 470 tuples the trainings stand below the line
bounds = {n: escape_bounds(one) for n, one in dial.items()}
law = escape_law({n: bounds[n] for n in TUPLES if n <= 200}, beyond=470)
figures.escape_law(bounds, law, "training tuples, n")
plt.show()

# %% tags=["hide-input"]
tables.expected_escape(law, dial[470])

# %% [markdown]
# On 470 tuples the network comes to one half about when its training ends, sooner than the law
# through the smaller sets expects. It also goes elsewhere ({numref}`fig-directions`): what it has
# to learn is no longer a list.
#
# ### How far apart are two places?
#
# **On 50 tuples this transformer leaves hallucination the sooner, the better it can tell its places
# apart.**
#
# A transformer is told *where* a token is by a vector added to it. Those of the DiT's published
# code are sines and cosines of the grid's indices. With a token a digit the grid is 2 × 2 and the
# vectors of neighbours nearly coincide; with 4 × 4 tokens a digit the indices of two digits are
# four apart.

# %% tags=["hide-input"]
#| label: outcomes-spacing
#| fig-cap: >-
#|   The same network, the same 50 tuples, three kinds of positions, three seeds each.
#| fig-alt: >-
#|   Shares of the four outcomes against training steps for positions at the grid's indices, at four
#|   times the indices, and drawn at random
spacing = {
    "indices": recorded("quarter-token-dit-50-spacing-1"),
    "indices × 4": recorded("quarter-token-dit-50-spacing-4"),
    "drawn at random": dial[50],
}
exact_spacing = {title: reference_counts(one.setup) for title, one in spacing.items()}
spacing_curves = {title: one.curves for title, one in spacing.items()}
figures.outcome_panels(spacing_curves, exact_spacing, columns=3)
plt.show()

# %% tags=["hide-input"]
tables.endings(spacing.values())

# %% [markdown]
# The positions drawn at random are the same ones in every run with them, so that the ranges are
# those of weights, batches and samples. All three come to the training set in the end. With the
# indices of the 2 × 2 grid the network hallucinates two to three times as long as with positions
# drawn at random, and four times the indices lie between.
#
# ### And the UNet?
#
# **When it has seen as many images, the UNet is only a little above chance.**
#
# The same pictures, noise, batches and target go to a UNet of three fifths as many parameters. Its
# rate begins at twice the DiT's, which is constant, and falls to zero by the end. The paper's UNet,
# too, falls behind its DiT (Figure 4).

# %% tags=["hide-input"]
#| label: outcomes-x0-unet
#| fig-cap: >-
#|   Figure 4 of the paper: a UNet and the DiT with a token a digit, both on 470 tuples; three seeds
#|   each.
#| fig-alt: >-
#|   Shares of the four outcomes against training steps: of the UNet nine tenths are hallucinations
#|   to the end, of the DiT half
unet = recorded("quarter-x0-unet-470")
of_470 = {"UNet": unet, "DiT": dial[470]}
exact_470 = {title: reference_counts(one.setup) for title, one in of_470.items()}
figures.outcome_panels({title: one.curves for title, one in of_470.items()}, exact_470)
plt.show()

# %% tags=["hide-input"]
tables.endings(of_470.values(), max(set(unet.steps.tolist()) & set(dial[470].steps.tolist())))

# %% [markdown]
# (the-sampler)=
#
# ### Does the sampler matter?
#
# **It does not decide: ancestral sampling leaves more valid samples than DDIM does, most of them
# known ones, and takes no network from one phase to another.**
#
# The paper draws by ancestral sampling through all steps (Eq. 7); the counts above are by DDIM. The
# records of the DiTs hold both. Of two UNets the weights of one seed are kept, rounded to half
# precision, and these were sampled again; those on parentheses and on length 16 were not.

# %% tags=["hide-input"]
several = [f"quarter-token-dit-{n}" for n in (50, 150, 470)]
several += ["quarter-x0-unet-470", "parity-8-unet-blocks"]
tables.samplers({name: recorded.by_sampler(name) for name in several})

# %% [markdown]
# ### Does the handwriting matter?
#
# **Yes: where each digit is drawn by another hand every time, digits become readable later, and the
# DiT on 150 tuples is at chance (one seed of three) or a little above it when the one with a single
# hand has learned its training set; the UNet, as far as it was followed, is at chance either way.**
#
# So far each digit has one handwriting, so that a tuple is one picture. The paper's digits have
# many. Here each exposure takes each digit's picture anew from a hundred. The UNet repeats the
# first part of its training so. Many handwritings are read by the reading network, which finds
# digits in loose strokes ({numref}`fig-digit-reader-accuracy`), one by its template. So the steps
# at which digits become readable compare only roughly; of the readable, the valid shares compare.

# %% tags=["hide-input"]
#| label: outcomes-fresh
#| fig-cap: >-
#|   The DiT with a token a digit on 150 tuples, in one handwriting and in a hundred, three seeds
#|   each; the UNet on 470 tuples in a hundred, one seed.
#| fig-alt: >-
#|   Shares of the four outcomes against training steps: of the DiT with one handwriting
#|   hallucinations fall to a fifth; with a hundred, of the DiT and of the UNet, they rise as
#|   unreadable samples fall
hands = {
    "DiT, one handwriting": dial[150],
    "DiT, a hundred": recorded("quarter-token-dit-150-fresh"),
    "UNet, a hundred": recorded("quarter-x0-unet-470-fresh"),
}
exact_hands = {title: reference_counts(one.setup) for title, one in hands.items()}
figures.outcome_panels({title: one.curves for title, one in hands.items()}, exact_hands)
plt.show()

# %% tags=["hide-input"]
tables.readable_shares(hands.values(), {"valid": [2, 3], "held-out": [3]})

# %% tags=["hide-input"]
tables.endings([unet, hands["UNet, a hundred"]], hands["UNet, a hundred"].steps[-1])

# %% [markdown]
# What was run here, beside the paper's:

# %% tags=["hide-input"]
tables.beside_paper(
    "Figure 4",
    {
        "UNet": catalogue.make("quarter-unet-470", "paper"),
        "DiT": catalogue.make("quarter-dit-470", "paper"),
    },
    {"UNet": unet, "DiT, a token a digit": dial[470]},
)

# %% [markdown]
# ## Against chance
#
# **Where a network leaves chance, it comes to favour its training strings, and new valid ones
# mostly become rarer than by chance; the DiT on 200 tuples has about as many, that on 470 more.**
#
# All endings in one picture. Unreadable samples are left aside: of those that can be read, how many
# are valid, and how many are valid *and new*? The dark ticks are what independent symbols would
# give.

# %% tags=["hide-input"]
#| label: endings-against-chance
#| fig-cap: >-
#|   The last measured step of every experiment. Points are means over the seeds, bars their range,
#|   widened to the 95 % interval of all samples together. Left: valid among readable samples.
#|   Right: valid and held out.
#| fig-alt: >-
#|   Dots with intervals for every experiment against ticks at the chance level
more = [*escaping.values(), *dial.values(), *list(spacing.values())[:2], unet]
more += list(hands.values())[1:]
everything = [scalars, *glyphs.values(), *quarters.values(), *more]
figures.against_chance({one.name: (one.counts[:, -1], one.chance) for one in everything})
plt.show()

# %% [markdown]
# ## The paper says, we find
#
# The rows of the [ledger](../ledger.md) that belong to this chapter, as the site shows them. The
# numbers are read from the records, with as many seeds as each says; the interval is the range of
# the seeds, widened to the 95 % interval of all their samples together.
#
# ```{ledger} ubiquitous parity-8-early parity-8-half parity-8-end parity-16
# ```
#
# ```{ledger} quarter-unet quarter-dit quarter-extrapolation
# ```

# %% [markdown]
# ## What to take along
#
# - A sharp sample is no sign of a correct one. In the UNet, and with more unreadable digits in the
#   first DiT, symbols become sharp while strings stay random: the UNet's shares are those of
#   independent symbols, the DiT's are near them.
# - What follows, where something follows, is mostly not the rule but the training set: the scalars,
#   the dense networks, the UNet on plain squares and, longer trained, on parentheses, and the DiT
#   on up to 150 tuples come to favour training strings, and held-out strings fall *below* chance.
#   On 470 tuples the DiT's stand above.
# - For this DiT the wait grew faster than the number of training tuples, from 20 to 200 of them. On
#   470 it came sooner than that, and to each new valid tuple nearly as readily as to a known one.
# - Compare with chance, always. "20 % valid" would be far *above* chance for Quarter-MNIST and far
#   *below* it for parity. The paper's UNet ends at such a share, three times what independent
#   digits give. Our first is at chance after a small part of its images, our second, after a third
#   of them, a little above.
#
# The paper's explanation is that the network looks only at the symbol's own place. That can be
# measured: it is what [the local dependency ratio](02_local_dependency_ratio.ipynb) is for.
#
# ## The settings
#
# ```{margin}
# η = 0 is DDIM, η = 1 ancestral sampling.
# ```
#
# What the paper leaves open (the schedule, its length $T$, the clamp of $\hat{x}_0$, averaging of
# the weights, how many exemplars) is a field of every configuration, and so is what it states and
# these runs depart from (the sampler, what the output is read as, more exemplars than one). These
# are the values of the runs above; outcomes are measured on the averaged weights where there is an
# average.

# %% tags=["hide-input"]
tables.settings(everything)
