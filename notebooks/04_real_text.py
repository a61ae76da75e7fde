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
# # Real text, and the Dyck words between
#
# Parity is the hardest rule there is for whoever looks at one symbol at a time: all symbols but one
# tell *nothing* about the last. Real text is kinder. After a *q* comes a *u*, half of a Chinese
# character often is a character of its own, and a bracket that was opened will be closed. Does a
# diffusion model still generate locally where its symbols are correlated? The paper says yes: words
# and characters go through the same three phases, fuzzy, hallucination, overfitting (§6), and Dyck
# words too, though they are "easier to learn and extrapolate" (A.7.2). This chapter runs these
# experiments at laptop size, and then asks the question between them: *how much* correlation does
# it take?
#
# One thing it does otherwise throughout: the paper's network for all of these is the **UNet**
# (A.7.2, A.7.4, caption of Figure 7). Here it is mostly a **DiT** with a token a symbol, which
# predicts $x_0$ and is many times faster on these pictures. The ledger's rows at the end keep the
# two apart.

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, with its
# records, and its package, which `pip install -e '.[book]' -c constraints.txt` installs there.
# Binder has both. Elsewhere, Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" goes through everything in a few minutes, "paper" wants a GPU and days
device = "auto"  # "cpu" or "cuda"
seed = 0  # 0 shows the recorded seeds; any other number only that seed

# %% tags=["hide-input"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from tqdm import tqdm

from localbias import exact, figures, grammar, reading, render
from localbias.book import parameters
from localbias.book.tables import beside_paper, endings, samplers
from localbias.book.tables import directions as directions_table
from localbias.book.tables import text as tables
from localbias.experiments import TIERS, catalogue, texts
from localbias.experiments.directions import directions
from localbias.experiments.recorded import Recorded
from localbias.reading import tesseract
from localbias.reading.words import KINDS
from localbias.theory import stored, trace
from localbias.training import use_threads

parameters(globals(), tier=TIERS, device=("auto", "cpu", "cuda"), seed=range(2**31))
use_threads()
figures.use_style()

recorded = Recorded(4, tier, seed, device)
setup = partial(catalogue.setup, tier=tier, seed=seed)

# %% [markdown]
# ## Words, characters, Dyck words
#
# **A text is again a string of symbols in cells, so that every measurement of the last chapters
# applies.**
#
# - **Words** of the paper's list, in a fixed-pitch font: a word is a string of letters, and of
#   blanks after its end, one cell a letter.
# - **Words in a proportional font**, as those in the paper's Figure 21 (it names no font for
#   English): their letters have no places, so a word is a single symbol, and what comes out is read
#   by a text recogniser.
# - **Chinese characters** in a Kai face. A character is cut into four quarters, and its string says
#   which quarters they are. A quarter is a region that every character has; radicals stand now
#   left, now on top, and lists of them don't say where.
# - **Dyck words**: parentheses that match.

# %% tags=["hide-input"]
#| label: text-training-words
#| fig-cap: >-
#|   Training images at laptop size: words. The cell of the first symbol, the region of the local
#|   dependency ratio, is the leftmost letter's.
#| fig-alt: >-
#|   Words in two fonts as small images
generator = torch.Generator().manual_seed(1)
pictures = {
    name: texts.training_pictures(setup(name), count, generator)
    for name, count in (("words-dit-999", 8), ("lines-dit-999", 8), ("characters-dit-300", 12))
}
fonts = {"words, fixed pitch": "words-dit-999", "words, proportional": "lines-dit-999"}
figures.gallery({title: pictures[name] for title, name in fonts.items()}, 4)
plt.show()

# %% tags=["hide-input"]
#| label: text-training-characters
#| fig-cap: >-
#|   Training images at laptop size: characters. The cell of the first symbol, the region of the
#|   local dependency ratio, is the top left quarter.
#| fig-alt: >-
#|   Chinese characters as small images
figures.gallery({"characters": pictures["characters-dit-300"]}, 12)
plt.show()

# %% [markdown]
# ## Where the rule matters
#
# **For words the band is wide, for characters it lies deep in the noise: correlated pairs can be
# seen through more noise than a parity of eight.**
#
# As in chapter 2, first the {term}`exact denoisers <exact denoiser>`: at which noise levels, in
# which {term}`band`, does it pay to know the words, and how locally would a perfect model then
# work? Pairs of letters are correlated, and so are parts of a character.

# %% tags=["hide-input"]
#| label: text-exact-levels
#| fig-cap: >-
#|   Exact denoisers of the whole lexicon, of 300 characters and of Dyck words: the mean LDR of x0
#|   and of the noise (first letter, top left quarter, fourth parenthesis), and the loss of the
#|   marginals denoiser beyond the rule's. Shaded: where that is at least a tenth of its peak. Thin
#|   vertical line: the level that the paper probes for text, √ᾱ = 0.2.
#| fig-alt: >-
#|   Local dependency ratio of exact denoisers against the noise level for words, characters and
#|   Dyck words, and the loss that the rule saves
LEVELS = np.array([0.03, 0.06, *np.arange(2, 20) / 20])[:: 4 if tier == "smoke" else 1]
shown = {
    "words": "words-dit-30",
    "characters": "characters-dit-300",
    "Dyck words, L = 12": "dyck-12-dit",
}
exact_levels = {}
for title, name in tqdm(shown.items(), desc="exact denoisers", unit="rendering"):
    of = setup(name)
    data, symbol = (of.grammar, of.renderer, of.schedule), of.experiment.probing.symbol
    exact_levels[title] = exact.over_levels(
        *data, of.references, LEVELS, seed, signals=12, probes=6, symbol=symbol
    )
figures.exact_panels(exact_levels, (0.2,))
plt.show()

# %% tags=["hide-input"]
tables.rule_bands(
    exact_levels,
    "The paper probes text at 0.2, as the level that decides the content: it is at the noisy end "
    "of the words' band.",
)

# %% [markdown]
# ## Reading what came out
#
# **A count of misspelt words is worth as much as the reader behind it, and a reader that corrects
# what it sees would repair the very mistakes that are to be counted.**
#
# Fixed-pitch letters and quarters of characters are read by their distance to the templates, and
# refused if they are not clearly one of them. Proportional words are read by Tesseract, a text
# recogniser. It comes with lists of English words by which it corrects what it sees; these are cut
# out of its model.

# %% tags=["hide-input"]
entries = grammar.Lexicon(whole=True).alphabet
chosen = np.random.default_rng(seed).choice(len(entries), 40 if tier == "smoke" else 200, False)
listed = [entries[k] for k in chosen]
image = setup("lines-dit-999").experiment.renderer["image"]
spellings = {
    "words of the list": listed,
    "the same, one letter exchanged": tesseract.misspell(listed, seed),
}
accuracies = {}
for title, spelt in spellings.items():
    drawn = torch.stack([render.line(word, *image, entries) for word in spelt])[:, None]
    accuracies[title] = reading.text_accuracy(tesseract.read, drawn, spelt)
tables.text_accuracy(accuracies, len(listed), image)

# %% tags=["hide-input"]
#| label: text-reader-accuracy
#| fig-cap: >-
#|   How the readers of fixed-pitch letters, of quarters of characters and of parentheses do under
#|   Gaussian noise.
#| fig-alt: >-
#|   Shares of symbols read right, refused and wrong against the noise for letters, quarters of
#|   characters and parentheses
NOISE = (0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
shown = {
    "letters": "words-dit-999",
    "quarters of characters": "characters-dit-300",
    "parentheses": "dyck-12-dit",
}
read = {}
for title, name in shown.items():
    of = setup(name)
    strings, _ = of.grammar.split(min(200, len(of.grammar.support)), seed)
    read[title] = reading.symbol_accuracy(of.reader, of.renderer(strings), strings, NOISE)
figures.reader_accuracy(read)
plt.show()

# %% [markdown]
# ## Dyck words
#
# **The hallucination phase is there, but it is brief, and for the longer words it ends in the rule:
# the network comes to draw words that it has never seen.**
#
# ```{margin}
# For L = 8 the rule and the training set are the same.
# ```
#
# A Dyck word is balanced: read from the left, there are never more ")" than "(", and in the end as
# many. A network is trained on half of the 132 words of length 12, and of the 1,430 of length 16;
# of the 14 of length 8 on all, so that there is nothing left to extrapolate to. The paper probes
# the *second* parenthesis, at its step t = 96 (Figure 16), late in the denoising; here it is the
# fourth, at levels where the rule matters.

# %% tags=["hide-input"]
#| label: dyck-along-training
#| fig-cap: >-
#|   Dyck words drawn as glyphs. Top: what comes out. Middle: how locally the fourth parenthesis is
#|   made (the first of a Dyck word is always the same). Bottom: how far the network's prediction is
#|   from each exact denoiser's. Lines are means over the seeds, bands their range.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances from exact denoisers along training for Dyck
#|   words of length 8, 12 and 16
dyck_level = 0.3 if tier == "smoke" else 0.7
dyck = {
    "Dyck, L = 8": recorded("dyck-8-dit"),
    "Dyck, L = 12": recorded("dyck-12-dit"),
    "Dyck, L = 16": recorded("dyck-16-dit"),
}
figures.along_training({title: results.along(dyck_level) for title, results in dyck.items()})
plt.show()

# %% tags=["hide-input"]
tables.ends(dyck, dyck_level)

# %% [markdown]
# At first there are sharp parentheses, and for the longer words few more valid ones than chance
# would give. In the end two in five of their samples are valid and were never seen, and the
# network's prediction is nearer to the rule's than to the training set's. In chapter 1
# only the DiT on 470 tuples ended with more new valid strings than by chance. How local each
# parenthesis is along the way is the paper's observation too (Figures 16 and 17). Here the ratio
# falls as the accuracy rises, to below the rule's own, and for L = 8 and 12 it rises again a little
# while the last mistakes go.

# %% tags=["hide-input"]
#| label: dyck-matrices
#| fig-cap: >-
#|   Dyck words of length 12, the first seed: which symbol (row) listens to which (column) at √ᾱ =
#|   0.7, after training, beside the exact denoisers; means over noised words.
#| fig-alt: >-
#|   Dependency matrices of the network, the marginals, the rule and the training set for Dyck words
matrices = dyck["Dyck, L = 12"].dependency(-1)
figures.matrices({"the network": matrices.pop("network"), **matrices})
plt.show()

# %% [markdown]
# ### Dyck words by the paper's network
#
# **The UNet goes through the same phases, and its ratio falls while the mistakes become fewer; on
# length 16 two of 600 samples are wrong in the end, and half of the words drawn were never seen: it
# has learned the rule.**
#
# A UNet on the words of length 8, 12 and 16, in one row of small parentheses, probed at the second
# parenthesis as in the paper's Figure 16. Of length 8 it sees all words, of the others half.
# Three seeds of each length.

# %% tags=["hide-input"]
#| label: dyck-unet-along-training
#| fig-cap: >-
#|   Figure 16 of the paper: Dyck words by a UNet; the ratio is that of the second parenthesis, at a
#|   level inside the band.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances from exact denoisers along training for Dyck
#|   words of length 8, 12 and 16 by a UNet
unet_dyck = {
    "UNet, L = 8": recorded("dyck-8-unet"),
    "UNet, L = 12": recorded("dyck-12-unet"),
    "UNet, L = 16": recorded("dyck-16-unet-row"),
}
unet_level = 0.5 if tier == "smoke" else 0.7
figures.along_training({title: one.along(unet_level) for title, one in unet_dyck.items()})
plt.show()

# %% tags=["hide-input"]
endings(unet_dyck.values())

# %% [markdown]
# It is sharp after a hundred steps and wrong in half of the samples or more, and then makes ever
# fewer mistakes. Of length 12 the network comes to draw words that it never saw, as the DiT does,
# and the training words more often. Of length 16 it was shown 715 words, and draws them no more
# often than the 715 others; its prediction ends nearest to the exact rule's. Its ratio ends near
# those of the rule and of the pairs, and far above the training set's: it has fallen although the
# network does not overfit. The paper says both of its own: that it overfits (the text of A.7.2) and
# that it extrapolates (the captions).
#
# The paper probes at $t = 96$. That is √ᾱ = 0.95 if its schedule is the common one, which it does
# not say.

# %% tags=["hide-input"]
#| label: dyck-levels
#| fig-cap: >-
#|   The ratio of the second parenthesis along training, in the band (√ᾱ = 0.5 to 0.7) and at the
#|   paper's level, if that is 0.95. Means over the seeds, and their range.
#| fig-alt: >-
#|   Local dependency ratios at three noise levels along training for Dyck words of length 8, 12 and
#|   16: at 0.95 the ratio rises in the first hundred steps and falls most until step 1,000, of
#|   length 8 also after it; at 0.7 it falls later
figures.ratios_along(
    {title: (one.steps, one.levels, {"x0": one.ratios()}) for title, one in unet_dyck.items()},
    (0.5, 0.7, 0.95),
)
plt.show()

# %% [markdown]
# At √ᾱ = 0.95 a parenthesis can be seen in the noised word. The exact denoisers have decided it: of
# most pictures their Jacobians vanish, and they have no ratio. Of length 16 the network's has most
# of its fall behind it while half of the words are still wrong. It seems to speak of strokes there
# rather than of the rule. At √ᾱ = 0.7 it falls with the mistakes.
#
# ### Where does the UNet look?
#
# **As the paper's: at the parenthesis itself while most words are wrong, and in the end at the
# other parentheses as well.**
#
# The paper shows the heat of a parenthesis twice (Figure 17, which names neither the parenthesis
# nor the level): in the hallucination phase it stays at home, later it covers the word. Ours, of
# the second parenthesis, at an early and at the last step:

# %% tags=["hide-input"]
#| label: dyck-heat
#| fig-cap: >-
#|   Figure 17 of the paper: the noised word, the prediction, and where the second parenthesis
#|   (framed) listens, in the hallucination phase and at the end. UNet, length 16, √ᾱ = 0.7.
#| fig-alt: >-
#|   Two rows of a noised Dyck word, its denoised picture and a heat map, which is a spot at first
#|   and reaches over several parentheses at the end
longest = unet_dyck["UNet, L = 16"]
heats = dict(longest.heats(longest.probing.closer.index(unet_level)))
early, late = longest.steps[np.argmax(longest.counts[0, :, 1])], longest.steps[-1]
figures.heat_phases({f"step {step:,}": heats[step] for step in (early, late)})
plt.show()

# %% tags=["hide-input"]
samplers({one.name: recorded.by_sampler(one.name) for one in unet_dyck.values()})

# %% tags=["hide-input"]
beside_paper(
    "Figure 16",
    {"UNet": catalogue.make("dyck-16-unet", "paper")},
    unet_dyck | {"DiT, L = 16": dyck["Dyck, L = 16"]},
    unet_level,
)

# %% [markdown]
# How samples are drawn, by DDIM or as the paper does (of length 16 from the one network whose
# weights are kept), changes next to nothing.
#
# ### Why is it easier?
#
# **Because one need not look at everything at once: each parenthesis of a Dyck word that is seen
# tells a little about the others.**
#
# {numref}`fig-bits-by-number` asks of each rule: if I know some of the other symbols, how many bits
# does that tell me about this one? For parity the answer is *nothing*, until the last of them is
# known.

# %% tags=["hide-input"]
#| label: bits-by-number
#| fig-cap: >-
#|   Bits that m of the other symbols tell about one, the mean over all choices of the m; of a Dyck
#|   word one in the middle, of a check one of its members. Computed by enumeration.
#| fig-alt: >-
#|   For parity the curve is zero until all others are known; for Dyck words and checks of few
#|   symbols it rises earlier
rules = {
    "Dyck, L = 8": (grammar.Dyck(8), 3),
    "Dyck, L = 10": (grammar.Dyck(10), 4),
    "check of 2, L = 8": (grammar.Check(8, 2), 0),
    "check of 4, L = 8": (grammar.Check(8, 4), 0),
    "parity, L = 8": (grammar.Parity(8), 0),
}
bits = {title: grammar.information_by_number(*rule) for title, rule in rules.items()}
figures.information({title: mean.numpy() for title, (mean, _) in bits.items()})
plt.show()

# %% tags=["hide-input"]
tables.information(bits)

# %% [markdown]
# ## The stress test
#
# **For the DiT a pair is one thing and three symbols are another: with a check of two it learns the
# rule, with one of three it stays at chance several times as long, with one of four to the end; for
# the MLP the phase grows with the order.**
#
# Between a rule of pairs and a parity of eight there is a dial, and the paper leaves it untouched.
# Take strings of eight symbols with *one check*: the signs of the first $|I|$ of them multiply to
# $+1$, the others are free. Whatever $|I|$, there are 128 valid strings; the rule is worth one bit;
# chance is one half; half of the strings are trained on. Only the order of the dependency changes.
#
# ```{margin}
# By the check, the product of the other six then has the mean ρ, too.
# ```
#
# A second dial leaves the order at eight and correlates one pair: $\mathbb{E}\,x^{(1)} x^{(2)} =
# \rho$. It does not make the rule easier to state. But the theory of [chapter
# 3](03_hypercube_theory.ipynb) says that pairs give a force from the first step.
#
# A training has **escaped** at the measured step from which on, to the end, most of its samples are
# readable and at most a quarter of these break the rule, half of what chance gives.

# %% tags=["hide-input"]
MLP, DIT, LONGER = "scalars, MLP", "glyphs, DiT", "glyphs, DiT, longer"
by_order = {
    MLP: {k: recorded(f"check-{k}-scalars") for k in (2, 3, 4, 5, 6, 8)},
    DIT: {k: recorded(f"check-{k}-dit") for k in (2, 3, 4, 8)},
}
by_correlation = {
    title: {0: by_order[title][8]}
    | {p / 100: recorded(f"check-8-rho-{p}-{how}") for p in (30, 60, 90)}
    for title, how in ((MLP, "scalars"), (DIT, "dit"))
}
longer = {3: recorded("check-3-dit-long"), 4: recorded("check-4-dit-long")}

# %% tags=["hide-input"]
#| label: check-escapes
#| fig-cap: >-
#|   When trainings escape from hallucination, one point a seed. Left: the order of the check.
#|   Right: the correlation of one pair under a check of all eight symbols. Scalars go to the MLP
#|   (12,000 steps), glyphs to the DiT (8,000 steps; checks of three and four also to one that is
#|   trained for 32,000).
#| fig-alt: >-
#|   Steps until escape against the order of the check, and against the correlation of a pair, for
#|   scalars and glyphs
all_orders = by_order | {LONGER: longer}
order_escapes = texts.escape_steps(all_orders)
correlation_escapes = texts.escape_steps(by_correlation)
figures.escapes(
    {
        "symbols in the check, |I|": order_escapes,
        "correlation of the pair, ρ": correlation_escapes,
    },
    {title: by[3].experiment.training.steps for title, by in all_orders.items()},
)
plt.show()

# %% tags=["hide-input"]
#| label: check-outcomes
#| fig-cap: >-
#|   What comes out at the end of training, all seeds together.
#| fig-alt: >-
#|   Stacked shares of outcomes at the end of training against the order of the check and the
#|   correlation
dials = {"|I|": by_order, "ρ": by_correlation}
ends = {
    f"{title}: {dial}": {f"{setting:g}": one.counts[:, -1] for setting, one in by[title].items()}
    for title in (MLP, DIT)
    for dial, by in dials.items()
}
figures.outcome_ends(ends)
plt.show()

# %% [markdown]
# How locally is the first symbol, a member of every check, made along the way? The level is one at
# which the exact rule of each check looks around.

# %% tags=["hide-input"]
#| label: check-ldr-by-setting
#| fig-cap: >-
#|   LDR of the first symbol's x0 along training, the mean over the seeds and their range; dotted:
#|   the exact rule's at the same noised strings. Left of each pair: by the order of the check.
#|   Right: by the correlation of the pair under a check of eight.
#| fig-alt: >-
#|   Local dependency ratio along training for checks of several orders and correlations, scalars
#|   and glyphs
check_levels = {MLP: 0.3, DIT: 0.3} if tier == "smoke" else {MLP: 0.8, DIT: 0.7}
ratios = {
    f"{title}\nby {dial}, √ᾱ = {level:g}": {
        f"{setting:g}": texts.beside_rule(results, level) for setting, results in by[title].items()
    }
    for title, level in check_levels.items()
    for dial, by in dials.items()
}
figures.setting_ratios(ratios)
plt.show()

# %% [markdown]
# And is it only a matter of time? Checks of three and of four once more, in a training four times
# as long, beside the check of two.

# %% tags=["hide-input"]
#| label: check-longer
#| fig-cap: >-
#|   Glyphs, DiT: a check of two symbols (five seeds), and checks of three and four in trainings
#|   four times as long (three and two seeds). Top: what comes out. Middle: how locally the first
#|   symbol is made. Bottom: how far the network's prediction is from each exact denoiser's. Lines
#|   are means over the seeds, bands their range.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances from exact denoisers along training for checks
#|   of two, three and four symbols
in_time = {2: by_order[DIT][2]} | longer
level = check_levels[DIT]
figures.along_training({f"a check of {k}": one.along(level) for k, one in in_time.items()})
plt.show()

# %% tags=["hide-input"]
flows = {d: [] for d in (3, 4, 5, 6, 8)}
for (d, _), config in stored.FLOWS.items():
    if d in flows:
        flows[d].append(trace.stairs(stored.run(config)).left)
tables.escapes_by_order(order_escapes, flows)

# %% tags=["hide-input"]
tables.escapes_by_correlation(correlation_escapes)

# %% tags=["remove-cell"]
if tier != "smoke" and seed == 0:
    middle = {
        title: {order: np.median(steps) for order, steps in by.items()}
        for title, by in order_escapes.items()
    }
    assert list(middle[MLP].values()) == sorted(middle[MLP].values())
    most = {k: (r.counts[..., 1] / r.counts.sum(-1)).max() for k, r in by_order[MLP].items()}
    assert [k for k, share in most.items() if share < 0.05] == [2, 3, 4]
    assert [k for k, step in middle[DIT].items() if np.isfinite(step)] == [2]
    assert [k for k, step in middle[LONGER].items() if np.isfinite(step)] == [3]
    paired = by_correlation[DIT][0.9]
    assert paired.ratios()[:, -1].mean() < 0.85
    assert (paired.counts[:, -1, 1] > 0.4 * paired.counts[:, -1].sum(-1)).all()
    of_pair = by_order[DIT][2].counts[0, -1]
    assert of_pair[3] > 0.4 * of_pair.sum()

# %% [markdown]
# Two networks, and two answers.
#
# **For the DiT a pair is one thing, and three are another.** With a check of two symbols it
# hallucinates for a while, its ratio at 1. Then the ratio falls, and it learns the rule, whole: in
# the end hardly a sample breaks it, and of the valid ones nearly half were never seen. When that
# happens is a matter of luck: the first of five seeds has escaped at step 4,000, the last at the
# end. With one symbol more in the check any two symbols are independent, and in the same time all
# five seeds stay at chance, at a ratio of 1; so do those with longer checks. Chapter 3 said so of a
# much simpler network: of three signs that depend on each other only together, a neuron on the axis
# feels *nothing*; a pair it feels from the first step.
#
# **But nothing is not for ever.** In a training four times as long the check of three stands on the
# same plateau for about half of the time or longer, and then leaves it: two of three seeds escape,
# the third is on its way. And it goes where the pair went, if less evenly: in those two a third and
# more of the samples are valid and were never seen, and the prediction comes to be nearest to the
# rule's. That of four stays there to the end. So it was with the flow of chapter 3
# ({numref}`fig-time-to-leave-m`), whose second stair had an end for every $d$ that we could follow
# so far, and a later one for each further sign. Hallucination with a check of three is no fixed
# point. It is a plateau whose length grows steeply with the order, and a network that is stopped on
# it looks as if it could not do otherwise.
#
# **The dense MLP on scalars has a softer line.** Up to four symbols it has no hallucination phase
# at all: by the time that most of its samples are readable they keep the rule. From there on the
# phase grows with the order, as does the time that chapter 3's flow takes to leave the univariate
# function. The order also decides *how* it ends. For a pair about a fifth of the samples at the end
# are valid and were never seen; for eight nearly none are. What looks like the end of hallucination
# is then the memory of 64 strings.
#
# **A correlated pair helps, if it is strong.** At ρ = 0.3 no difference can be seen in what comes
# out, at ρ = 0.9 the MLP escapes in about half the steps, and its ratio is lower from the
# beginning, as the exact rule's is. But two things come together in this dial. The pair gives a
# force; and a law that nearly forbids half of the strings leaves fewer to be memorised. The MLP's
# way out is memory, so that the second may well be the reason. The DiT shows the pair by itself: at
# ρ = 0.9 its ratio falls in the second half of the training, as it did for the check of two, and
# half of its samples break the rule all the same. It has learned the pair, and the pair is not the
# check. A falling ratio says that a network has begun to look around, not that it has seen what
# matters.
#
# ### Where do they go?
#
# **The DiT goes near the rule on checks of two and three and on Dyck words, and comes to favour its
# training strings a little; the UNet goes to the rule on Dyck words of length 16 and favours its
# training words on length 12; the MLP on a check of eight goes to its training set.**
#
# Chapter 1 asked it of sums of digits ({numref}`fig-directions`): of the samples that keep the
# rule, how many was the network trained on? The lines are copies of all valid strings and of the
# training set, with ever fewer mistakes, and ever closer fits to the pairs of the training set.

# %% tags=["hide-input"]
#| label: text-directions
#| fig-cap: >-
#|   How many samples keep the rule, and how many of these were trained on. Points: a network at
#|   each measured step at which half of each seed's samples can be read and ten are valid. Lines:
#|   made-up samplers on their way from independent symbols (square).
#| fig-alt: >-
#|   The points of the DiT on checks of two and three and on Dyck words go to the right a little
#|   above the curve of the rule; those of the UNet along the curve of pairs for
#|   length 12, along that of the rule for length 16; those of the MLP on a check of eight along the
#|   curve of the training set
going = {
    "Dyck, L = 12, DiT": dyck["Dyck, L = 12"],
    "Dyck, L = 12, UNet": unet_dyck["UNet, L = 12"],
    "Dyck, L = 16, UNet": unet_dyck["UNet, L = 16"],
    "check of two, DiT": by_order[DIT][2],
    "check of three, DiT, longer": longer[3],
    "check of eight, MLP": by_order[MLP][8],
}
ways = {title: directions(one) for title, one in going.items()}
figures.directions(ways, columns=3)
plt.show()

# %% tags=["hide-input"]
directions_table(ways)

# %% [markdown]
# So one measurement tells a network near the rule from one that draws its list. It needs no probe,
# only a rule whose strings can be enumerated. Of length 12 the DiT ends a little above the rule's
# line, the UNet above its pairs': both come to favour their 66 training words in the end. Of length
# 16 the UNet is shown 715 words and does not favour them. Length, number of words and passes over
# them differ: which of these decides is not shown. Of both lengths the UNet
# goes further than pairs: the law that has the pairs of these words and assumes nothing else makes
# more mistakes. The DiT on a check of three comes to favour its training strings, far less than a
# copyist who is as often right. And the MLP draws what a copyist would, who knows 64 strings by
# heart and makes mistakes.
#
# ## Words
#
# **On 30 words all of the paper's phases come, fuzzy, misspelt, overfitting; on the whole list the
# training ends in the second.**
#
# Now English. The DiT draws letters, one token each, and is trained on 30 words, and on all of the
# list. In the first column the ratio is at 1 when the first misspelt words come and falls while
# there are most of them, before the training set comes through.

# %% tags=["hide-input"]
#| label: words-along-training
#| fig-cap: >-
#|   Words in a fixed-pitch font, trained on 30 words and on the whole list. Top: what comes out.
#|   Middle: how locally the first letter is made. Bottom: how far the network's prediction is from
#|   each exact denoiser's; those of the rule know the whole list.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances along training for networks on 30 and on 999
#|   words
words_level = 0.3 if tier == "smoke" else 0.5
whole_list = recorded("words-dit-999")
words = {"30 words": recorded("words-dit-30"), "the whole list": whole_list}
figures.along_training({title: results.along(words_level) for title, results in words.items()})
plt.show()

# %% tags=["hide-input"]
#| label: words-samples
#| fig-cap: >-
#|   The same starting noise along the training on 30 words, framed by outcome: grey where any of
#|   the 14 cells cannot be read.
#| fig-alt: >-
#|   Generated words at five moments of training: blurs, then sharp letters in no word, then words
rows = [0, 1] if tier == "smoke" else [2, 3, 4, 5, 6]
figures.sample_grid(**words["30 words"].phases(rows, 3), shown=3)
plt.show()

# %% [markdown]
# ### Misspelt, or a word after all?
#
# **Misspelt, nearly always: few of the strings that are not on the list are other English words.**
#
# "Hallucination" counts every readable string that is not on the list. Some of these are English
# words that the list happens not to have. A larger list of 160,000 words tells them apart. How many
# such words chance makes, letters drawn at random as they stand in each place, is in the table of
# the next section.

# %% tags=["hide-input"]
#| label: words-kinds
#| fig-cap: >-
#|   What a sample is, along training; means over the seeds, with the wider of their range and the
#|   95 % interval of all samples.
#| fig-alt: >-
#|   Shares of fuzzy, misspelt, training and other English words along training
words_read = {title: texts.read_symbols(results) for title, results in words.items()}
figures.kinds({title: (words[title].steps, one.counts) for title, one in words_read.items()}, KINDS)
plt.show()

# %% tags=["hide-input"]
#| label: words-misspelt
#| fig-cap: >-
#|   Misspelt words drawn by the network on the whole list, those nearest to a word of the list
#|   first, and that word.
#| fig-alt: >-
#|   Twelve generated images of misspelt words with the nearest real word below each
misspelt = texts.misspelt(whole_list, words_read["the whole list"], -1)
closest = texts.beside_nearest(misspelt, whole_list.setup.grammar.entries)[:12]
if closest:
    captions = [f"“{sample.text}”: {word}?" for sample, word in closest]
    figures.captioned([sample.picture for sample, _ in closest], captions, 3)
plt.show()

# %% [markdown]
# ### Which model of letters does the network look like?
#
# **It lies between letters that ignore each other and letters that know the one before: neighbours
# count in much noise, and not yet in less.**
#
# Between *every letter for itself* and *the list by heart* stand the models in which a letter knows
# the one before it, or the two before it. They have exact denoisers as well, so they can be asked
# the same question as the others: how far is the network's $\hat{x}_0$ from theirs? And what it
# draws can be compared with what they draw: how many of the pairs and triples of neighbouring
# letters occur in some word of the list at all?

# %% tags=["hide-input"]
#| label: words-ngrams
#| fig-cap: >-
#|   The network on the whole list. Share of the pairs (left) and of the triples (right) of
#|   neighbouring letters that occur in some word of the list, in its readable samples along
#|   training, all seeds together; dashed: in samples of the letter models, of which the one that
#|   looks one letter back knows all pairs by construction, and the one that looks two back all
#|   triples as well.
#| fig-alt: >-
#|   Shares of known pairs and triples of letters along training between those of the marginals and
#|   of letter models of order one and two
lexicon = grammar.Lexicon()
models = {"marginals": 0, "one letter before": 1, "two letters before": 2}
generator = torch.Generator().manual_seed(seed)
drawn = {
    name: grammar.MarkovChain(lexicon, order).sample(2000, generator)
    for name, order in models.items()
}
known = {}
for n in (2, 3):
    by_model = {name: grammar.known_ngrams(one, lexicon, n) for name, one in drawn.items()}
    known[f"{n} letters"] = {"the network": texts.known_ngrams(whole_list, n)}
    known[f"{n} letters"] |= {name: ([], [one.mean().item()]) for name, one in by_model.items()}
figures.likeness(known, "share that occurs in a word")
plt.show()

# %% tags=["hide-input"]
tables.letter_models({name: lexicon.text(one) for name, one in drawn.items()}, entries)

# %% tags=["hide-input"]
of = whole_list.setup
denoisers = {
    name: exact.markov(lexicon, of.renderer, of.schedule, order) for name, order in models.items()
}
tables.distances(texts.distances(whole_list, denoisers | {"the list": of.references["rule"]}))

# %% [markdown]
# In much noise the network on the whole list has begun to use a letter's neighbour; in less noise
# its prediction is still nearest to the marginals', and its ratio is near 1. What it draws knows
# more pairs and triples of letters than the marginals do, and fewer than a model that looks at one
# letter before. It may be enough for that to look at a neighbour in the noisy steps, where letters
# are chosen.
#
# ### Words and characters by the paper's network
#
# **On short words all of the paper's figure is there, by its own kind of network and at its own
# noise level; on characters the ratio falls, and next to no hallucination is counted on the way.**
#
# A UNet on 30 words of up to five letters, in cells of 12 × 8 pixels: small enough to be followed
# to the end.

# %% tags=["hide-input"]
#| label: words-unet-along-training
#| fig-cap: >-
#|   Figure 7 (left) of the paper: short words and characters by a UNet; the ratio is that of the
#|   first letter and of the top left quarter, at the paper's level. Three seeds each, bands are
#|   their range.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances from exact denoisers along training for 30 short
#|   words and for 50 characters by a UNet
text_unets = {
    "30 short words": (recorded("short-words-unet-30"), 0.2),
    "50 characters": (recorded("characters-unet-50"), 0.2),
}
figures.along_training({title: one.along(at) for title, (one, at) in text_unets.items()})
plt.show()

# %% tags=["hide-input"]
#| label: words-unet-samples
#| fig-cap: >-
#|   The same starting noise along the UNet's training on 30 short words.
#| fig-alt: >-
#|   Generated words at five moments of training: blurs, then sharp letters in no word, then words
short_words = text_unets["30 short words"][0]
moments = [short_words.row(share) for share in (0.4, 0.55, 0.7, 0.85, 1)]
figures.sample_grid(**short_words.phases(sorted(set(moments)), 6), shown=6)
plt.show()

# %% tags=["hide-input"]
#| label: characters-unet-samples
#| fig-cap: >-
#|   The same along the UNet's training on 50 characters (the paper's Figure 20 shows both).
#| fig-alt: >-
#|   Generated characters at five moments of training
some_characters = text_unets["50 characters"][0]
moments = [some_characters.row(share) for share in (0.4, 0.55, 0.7, 0.85, 1)]
figures.sample_grid(**some_characters.phases(sorted(set(moments)), 10), shown=10)
plt.show()

# %% tags=["hide-input"]
#| label: words-unet-heat
#| fig-cap: >-
#|   Figure 21 of the paper, the first letter alone: a noised word (√ᾱ = 0.1), the prediction, and
#|   where the first letter (framed) listens, when more than nine in ten of the words that can be
#|   read are misspelt, and at the end.
#| fig-alt: >-
#|   Two rows of a noised word, its denoised picture and a heat map
heats = dict(short_words.heats(short_words.probing.closer.index(0.1)))
_, misspelt, *words_right = short_words.counts[0].T
mostly = np.flatnonzero(sum(words_right) <= 0.1 * (misspelt + sum(words_right)))
early, late = short_words.steps[max(mostly, default=0)], short_words.steps[-1]
figures.heat_phases({f"step {step:,}": heats[step] for step in (early, late)})
plt.show()

# %% tags=["hide-input"]
endings(one for one, _ in text_unets.values())

# %% tags=["hide-input"]
samplers({one.name: recorded.by_sampler(one.name) for one, _ in text_unets.values()})

# %% tags=["hide-input"]
beside_paper(
    "Figure 7",
    {
        "words": catalogue.make("words-unet-999", "paper"),
        "characters": catalogue.make("characters-unet-1000", "paper"),
    },
    {title: one for title, (one, _) in text_unets.items()}
    | {"30 words, DiT": words["30 words"], "50 characters, DiT": recorded("characters-dit-50")},
    level=0.2,
)

# %% [markdown]
# On the short words samples are fuzzy for the first part, misspelt for the next, the training set
# at the end. The ratio begins to fall while nearly all readable words are misspelt, and goes on as
# the training words come. Words of the list that were not shown are a few in a hundred at most. The
# heat grows from the letter's own cell over the whole word. Drawn as the paper draws, by all steps,
# more of the samples are training words, and more of the characters training characters. On
# characters the ratio falls likewise, but next to no hallucination is counted on the way. The
# pictures show why ({numref}`fig-characters-unet-samples`): for most of the training they are clean
# strokes that form no real character. The reader knows whole quarters only, so it counts none of
# them. {numref}`fig-characters-pieces` asks of what they are put together.
#
# ### In a proportional font
#
# **Without places for the letters it is much the same story: blurs, misspelt words, the training
# set; and on the whole list most images cannot be read.**
#
# ```{margin}
# That a few samples of the first steps count as English is the reader's doing, which finds an "a"
# or an "o" in a blur.
# ```
#
# In an ordinary font no letter has a place of its own: where a letter stands depends on all that
# come before it. The DiT, with tokens about as wide as a letter and half as high, is trained on the
# same 30 words and on the whole list, and Tesseract reads 100 of its images at each step.

# %% tags=["hide-input"]
#| label: lines-kinds
#| fig-cap: >-
#|   Words in a proportional font: what Tesseract reads, along training; means over three seeds,
#|   with the wider of their range and the 95 % interval of all samples.
#| fig-alt: >-
#|   Shares of fuzzy, misspelt, training and other English words along training in a proportional
#|   font, for 30 words and for the whole list
lines = {"30 words": recorded("lines-dit-30"), "the whole list": recorded("lines-dit-999")}
lines_read = {title: texts.read_pictures(results) for title, results in lines.items()}
figures.kinds({title: (lines[title].steps, one.counts) for title, one in lines_read.items()}, KINDS)
plt.show()

# %% tags=["hide-input"]
#| label: lines-misspelt
#| fig-cap: >-
#|   Generated words in a proportional font that Tesseract reads and that are no words: of the
#|   network on 30 words at the step with most of them (first two rows), and of the network on the
#|   whole list at its end.
#| fig-alt: >-
#|   Sixteen generated images of misspelt words with the text read from each below
most = lines_read["30 words"].counts[0, :, KINDS.index("misspelt")].argmax()
samples = [
    *texts.misspelt(lines["30 words"], lines_read["30 words"], most)[:8],
    *texts.misspelt(lines["the whole list"], lines_read["the whole list"], -1)[:8],
]
if samples:
    captions = [f"“{sample.text}”" for sample in samples]
    figures.captioned([sample.picture for sample in samples], captions, 4)
plt.show()

# %% [markdown]
# On the whole list three in four images are still unreadable at the end, and most of the others are
# misspelt. The pictures show how: parts of several words of about the same length, joined where
# they happen to stand. As Tesseract misreads some clean words, too, some of the misspelt ones may
# be its own.
#
# ## Characters
#
# **The DiT's hallucination has the size of its tokens, which become known while few quarters are
# right; the MLP has no such phase.**
#
# The 50 most frequent characters, and the 300 most frequent, with a DiT of which four tokens make a
# quarter; and a dense MLP on the 50.

# %% tags=["hide-input"]
#| label: characters-along-training
#| fig-cap: >-
#|   Characters. Top: what comes out, where a hallucination is four known quarters that belong to no
#|   one character. Middle: how locally the top left quarter is made. Bottom: distance from the
#|   exact denoisers.
#| fig-alt: >-
#|   Outcomes, local dependency ratio and distances along training for characters with a DiT on 50
#|   and 300 and an MLP on 50
characters = {
    "50, DiT": recorded("characters-dit-50"),
    "300, DiT": recorded("characters-dit-300"),
    "50, MLP": recorded("characters-mlp-50"),
}
figures.along_training({title: results.along(0.3) for title, results in characters.items()})
plt.show()

# %% tags=["hide-input"]
#| label: characters-samples
#| fig-cap: >-
#|   The same starting noise along the training of the DiT on 50 characters. Frames: outcome; grey
#|   is unreadable by its quarters, which includes sharp strokes in an arrangement that no training
#|   character has.
#| fig-alt: >-
#|   Generated characters at five moments of training
figures.sample_grid(**characters["50, DiT"].phases(rows, 10), shown=10)
plt.show()

# %% [markdown]
# The pictures say more than the counts. Before a character is right its strokes are sharp, and
# wrong. Nearly all of these are unreadable to a reader of quarters: hardly a quarter is one that
# was trained on. But the network builds with smaller stones, so we cut its images into its own
# tokens, of 8 × 8 pixels: how many of those that have ink at all does some training character have
# in that very place? Real characters that it was not trained on are the measure, for they share
# pieces with the others, too.

# %% tags=["hide-input"]
#| label: characters-pieces
#| fig-cap: >-
#|   Share of the inked pieces of generated characters that some training character has in the same
#|   place, by the size of the pieces: a quarter, and a token of the DiT. The 16 kept images of each
#|   seed. Dashed: the same share for others, the 300 characters that come next in frequency.
#| fig-alt: >-
#|   Shares of known quarters and known tokens along training for DiTs on 50 and 300 characters, an
#|   MLP and a UNet on 50, beside those of other real characters
sizes = {"quarters": 16, "tokens": 8}
pieces = {}
for title, results in (characters | {"50, UNet": some_characters}).items():
    pieces[title] = {
        f"{name} ({size} × {size})": (results.steps, texts.known_pieces(results, size))
        for name, size in sizes.items()
    } | {
        f"{name} of others": ([], [texts.known_pieces_of_others(results, size)])
        for name, size in sizes.items()
    }
figures.likeness(pieces, "share of inked pieces known")
plt.show()

# %% [markdown]
# On 50 characters, in the middle of the training, clearly more of the DiT's tokens are known than
# of real characters that it never saw, while few of its quarters are right. On 300 characters it
# has not come so far when the training ends: its tokens are as familiar as those of real
# characters, its quarters less so. This is the paper's hallucination, at the size of what the
# network takes in at once. After the MLP's first blurs its pieces become known when its characters
# do. The UNet's strokes are sharp long before that ({numref}`fig-characters-unet-samples`), but
# until its quarters become known its smaller pieces are about as familiar as those of real
# characters: it has no tokens to put together.
#
# ### Where does it look?
#
# **First at the region itself, later at other parts of the character or the word as well.**
#
# The paper shows heat maps of words (Figure 21), none of characters: to which pixels does the
# output in one region listen? Move the slider from early to late.

# %% tags=["hide-input"]
#| label: characters-heat
#| fig-cap: >-
#|   Where the top left quarter of a character listens, along the training of the DiT.
place = characters["50, DiT"].probing.closer.index(0.3)
frames = {
    f"step {step:,}": figures.heat_frame(
        {"noised": heat.images["x_t"], "denoised": heat.images["x̂0"]},
        {"listens to": heat.heats["heat"]},
        heat.region,
    )
    for step, heat in characters["50, DiT"].heats(place)
}
figures.slider(
    frames,
    "training of the DiT on 50 characters, √ᾱ = 0.3",
    alt="A noised character, its denoised picture, and where the top left quarter listens",
)

# %% tags=["hide-input"]
#| label: words-heat
#| fig-cap: >-
#|   Where the first letter of a word listens, along the training of the DiT.
place = words["30 words"].probing.closer.index(words_level)
frames = {
    f"step {step:,}": figures.heat_frame(
        {"noised": heat.images["x_t"], "denoised": heat.images["x̂0"]},
        {"listens to": heat.heats["heat"]},
        heat.region,
    )
    for step, heat in words["30 words"].heats(place)
}
figures.slider(
    frames,
    "training of the DiT on 30 words",
    alt="A noised word, its denoised picture, and where the first letter listens",
)

# %% [markdown]
# ## The paper says, we find
#
# ```{ledger} fall-is-memory dyck dyck-extrapolation dyck-ldr words words-ldr text-heat
# ```
#
# ```{ledger} characters characters-ldr
# ```
#
# ## What to take along
#
# - **Correlation doesn't spare a model the hallucinations.** Words and Dyck words come to sharp
#   symbols in wrong company, nearest to the marginals, in the DiT at a ratio near 1, in the UNet at
#   about 0.8. Characters do so in pieces the size of the network's tokens, at a ratio that has
#   begun to fall.
# - **It decides how they end.** In the DiT Dyck words and a check of two symbols end in the rule,
#   with two in five samples valid and never seen before; in the UNet Dyck words of length 16 do,
#   half of its samples never seen. Words and characters have no rule to be found: 50 characters end
#   in the training set, and so do the UNet's 30 short words; the DiT's 30 words are on their way
#   there, and longer lists come to neither in our time. For a check of three the DiT needs several
#   times as long as for a pair, and of four we have not seen the end.
# - **A falling ratio says that a network has begun to look around, not what it will see.** It falls
#   alike on the way to a rule and to a list, and where no more than a pair or the shape of strokes
#   is learned. The held-out strings tell which; so do the exact denoisers beside it, where the
#   noised signals are such as the network has learned to denoise. (The DiT on 30 words is probed
#   with words of the whole list, most of which it never saw: at √ᾱ = 0.2 and 0.5 it stays nearest
#   to the marginals while a third of its samples are training words. The UNet on short words,
#   probed likewise, comes nearest to the training set's.)
# - **A dense network is another matter.** The MLP on characters goes from blurs to memory with
#   nothing in between, and its ratio begins below the one where the others end, near that of a
#   network which listens to all pixels alike.
# - **Count with care.** What counts as hallucination depends on the reader: letters are fine; of
#   characters, quarters are too coarse for a network that recombines smaller pieces; and a text
#   recogniser must be kept from correcting what it reads.
