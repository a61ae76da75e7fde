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
# Parity is the hardest rule there is for whoever looks at one symbol at a time: all symbols but one tell *nothing* about the last. Real
# text is kinder. After a *q* comes a *u*, half of a Chinese character often is a character of its own, and a bracket that was opened
# will be closed. Does a diffusion model still generate locally where its symbols are correlated? The paper says yes: words and characters
# go through the same three phases, fuzzy, hallucination, overfitting (§6), and Dyck words too, though they are "easier to learn and
# extrapolate" (A.7.2). This chapter runs these experiments at laptop size, and then asks the question between them: *how much* correlation does it take?

# %% tags=["parameters"]
tier = "laptop"  # "smoke" goes through everything in a few minutes, "paper" wants a GPU and days
device = "auto"  # "cpu" or "cuda"
seed = 0  # 0 shows the recorded seeds; any other number only that seed: 28 networks, about two hours of one core

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from tqdm import tqdm

from localbias import catalogue, decode, figures, figures_ldr, figures_text, grammar, information, letters, ocr, outcome, probe, render, run, spelling
from localbias.chapters import parameters
from localbias.exact import over_levels
from localbias.experiment import TIERS, Setup
from localbias.reference import NAMES
from localbias.theory import trace
from localbias.widgets import slider

parameters(globals(), tier=TIERS, device=("auto", "cpu", "cuda"), seed=range(2**31))
figures.use_style()

def made(name, s=seed):
    return catalogue.make(name, catalogue.tier_for(name, tier), s)

def recorded(name, seeds=3):
    return [run.run(made(name, s), device) for s in (range(seeds) if seed == 0 else [seed])]

# %% [markdown]
# ## Words, characters, Dyck words
#
# So that every measurement of the last chapters applies, a text is again a string of symbols in cells.
#
# - **Words** of the paper's list, in a fixed-pitch font: a word is a string of letters, and of blanks after its end, one cell a letter.
# - **Words in a proportional font**, as the paper's own: their letters have no places, so a word is a single symbol, and what comes out is
#   read by a text recogniser.
# - **Chinese characters** in a Kai face. A character is cut into four quarters, and its string says which quarters they are. A quarter is
#   a region that every character has; radicals stand now left, now on top, and lists of them don't say where.
# - **Dyck words**: parentheses that match.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Training images at laptop size. The cell of the first symbol, the region of the local dependency ratio, is the leftmost letter's or the top left quarter."}, "image": {"alt": "Words in two fonts and Chinese characters as small images"}}
def shown(name, count, generator=torch.Generator().manual_seed(1)):
    setup = Setup(made(name))
    chosen = torch.randperm(len(setup.train_strings), generator=generator)[:count]
    return [image[0].numpy() for image in setup.renderer(setup.train_strings[chosen])]

figures_text.gallery({"words, fixed pitch": shown("words-dit-999", 8), "words, proportional": shown("lines-dit-999", 8)}, 4)
plt.show()
figures_text.gallery({"characters": shown("characters-dit-300", 12)}, 12)
plt.show()

# %% [markdown]
# ## Where the rule matters
#
# As in chapter 2, first the exact denoisers: at which noise levels does it pay to know the words, and how locally would a perfect model then work?
# For words the band is wide, for characters it lies deep in the noise: pairs of letters are correlated, and so are parts of a character, and correlated pairs can be seen through more noise than a parity of eight.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Exact denoisers of the whole lexicon, of 300 characters and of Dyck words: the mean LDR of x0 and of the noise (first letter, top left quarter, fourth parenthesis), and the loss of the marginals denoiser beyond the rule's. Shaded: where that is at least a tenth of its peak. Thin vertical line: the level that the paper probes for text, √ᾱ = 0.2."}, "image": {"alt": "Local dependency ratio of exact denoisers against the noise level for words, characters and Dyck words, and the loss that the rule saves"}}
LEVELS = np.array([0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])[:: 4 if tier == "smoke" else 1]
exact = {}
for title, name in tqdm({"words": "words-dit-30", "characters": "characters-dit-300", "Dyck words, L = 12": "dyck-12-dit"}.items(), desc="exact denoisers", unit="rendering"):
    setup = Setup(made(name))
    exact[title] = over_levels(setup, LEVELS, seed, signals=12, probes=6, symbol=made(name).probing.symbol)
figures_ldr.exact_panels(exact, (0.2,))
plt.show()

# %% tags=["hide-input"]
Markdown("| rendering | √ᾱ at which the rule matters | most at |\n|---|---|---|\n" + "\n".join(
    f"| {title} | {panel['band'][0]:.2f} to {panel['band'][1]:.2f} | {LEVELS[panel['gap'].argmax()]:g} |" for title, panel in exact.items())
    + "\n\nThe paper probes text at 0.2, as the level that decides the content: it is at the noisy end of the words' band.")

# %% [markdown]
# ## Reading what came out
#
# A count of misspelt words is worth as much as the reader behind it. Fixed-pitch letters and quarters of characters are read by their distance to the
# templates, and refused if they are not clearly one of them. Proportional words are read by Tesseract, a text recogniser. It comes with lists of English words by which it
# corrects what it sees, and such a reader would repair the very mistakes that are to be counted; so the lists are cut out of its model.

# %% tags=["hide-input"]
rng = np.random.default_rng(seed)
entries = grammar.Lexicon(whole=True).alphabet
some = [entries[k] for k in rng.choice(len(entries), 40 if tier == "smoke" else 200, replace=False)]
LINE = made("lines-dit-999").renderer["image"]

def pictures(words):
    return torch.stack([render.line(word, *LINE, entries) for word in words])[:, None]

by_ocr = {"words of the list": some, "the same, one letter exchanged": ocr.misspell(some, seed)}
accuracies = {title: ocr.accuracy(pictures(words), words, noise=(0, 0.1, 0.2, 0.3)) for title, words in by_ocr.items()}

def share(value, n):
    low, high = outcome.wilson(round(value * n), n)
    return f"{value:.1%} ({low:.1%} to {high:.1%})"

Markdown(f"Proportional words of {LINE[0]} × {LINE[1]} pixels, read by Tesseract; {len(some)} each, with 95 % intervals:\n\n| what is shown | noise | right | refused | wrong |\n|---|---|---|---|---|\n" + "\n".join(
    f"| {title} | {sigma:g} | {share(table['right'][k], len(some))} | {table['refused'][k]:.1%} | {table['wrong'][k]:.1%} |" for title, table in accuracies.items() for k, sigma in enumerate(table["noise"])))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How the readers of fixed-pitch letters, of quarters of characters and of parentheses do under Gaussian noise."}, "image": {"alt": "Shares of symbols read right, refused and wrong against the noise for letters, quarters of characters and parentheses"}}
def read_under_noise(name):
    setup = Setup(made(name))
    strings = setup.grammar.support[torch.randperm(len(setup.grammar.support), generator=torch.Generator().manual_seed(seed))[:200]]
    return decode.accuracy(setup.decoder, setup.renderer(strings), strings, noise=(0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4))

figures.decoding({"letters": read_under_noise("words-dit-999"), "quarters of characters": read_under_noise("characters-dit-300"), "parentheses": read_under_noise("dyck-12-dit")})
plt.show()

# %% [markdown]
# ## Dyck words
#
# A Dyck word is balanced: read from the left, there are never more ")" than "(", and in the end as many. A network is trained on half of the 132 words of length 12, and of
# the 1,430 of length 16; of the 14 of length 8 on all, so that there is nothing left to extrapolate to. It is the DiT, with a token a parenthesis, and it predicts $x_0$.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Dyck words drawn as glyphs. Top: what comes out. Middle: how locally the fourth parenthesis is made (the first of a Dyck word is always the same). Bottom: how far the network's prediction is from each exact denoiser's. Lines are means over the seeds, bands their range."}, "image": {"alt": "Outcomes, local dependency ratio and distances from exact denoisers along training for Dyck words of length 8, 12 and 16"}}
dyck = {f"Dyck, L = {length}": (recorded(f"dyck-{length}-dit"), 0.3 if tier == "smoke" else 0.7) for length in (8, 12, 16)}
figures_ldr.along_training(dyck)
plt.show()

# %% tags=["hide-input"]
def end(records, outcomes):
    counts = np.stack([r.arrays["counts"][-1] for r in records])
    mean, low, high = outcome.share_over_seeds(counts[:, outcomes].sum(1), counts.sum(1))
    return f"{mean:.0%} ({low:.0%} to {high:.0%})"

def closest(records, level):
    at = records[0].experiment["probing"]["levels"].index(level)
    return NAMES[np.mean([r.arrays["excess"][-1, at] for r in records], 0).argmin()]

Markdown("At the end of training; means over the seeds, with the wider of their range and the 95 % interval of all samples:\n\n| | hallucination | its chance | in the training set | valid and never seen | of the valid words never seen | x̂0 nearest to |\n|---|---|---|---|---|---|---|\n" + "\n".join(
    f"| {title} | {end(records, [1])} | {records[0].origin['chance'][1]:.0%} | {end(records, [2])} | {end(records, [3])} | {1 - records[0].experiment['n_train'] / len(Setup(made(f'dyck-{length}-dit')).grammar.support):.0%} | {closest(records, level)} |"
    for length, (title, (records, level)) in zip((8, 12, 16), dyck.items())))

# %% [markdown]
# The hallucination phase is there: sharp parentheses, and for the longer words few more valid ones than chance would give. But it is brief, and for them it ends in the *rule*: the network comes to draw words that
# it has never seen, two in five of its samples, and its prediction is nearer to the rule's than to the training set's. In all of chapter 1 nothing did that. (For L = 8 the rule and the training set are the same.) How local each
# parenthesis is along the way is the paper's observation too (Figures 16 and 17). Here the ratio falls as the accuracy rises, to below the rule's own, and for L = 8 and 12 it rises again a little while the last mistakes go.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Dyck words of length 12, the first seed: which symbol (row) listens to which (column) at √ᾱ = 0.7, after training, beside the exact denoisers; means over noised words."}, "image": {"alt": "Dependency matrices of the network, the marginals, the rule and the training set for Dyck words"}}
record = dyck["Dyck, L = 12"][0][0]
which = -1
figures_ldr.matrices({"the network": record.arrays["matrix"][which]} | {name: record.arrays["matrix_reference"][k][which] for k, name in enumerate(NAMES)})
plt.show()

# %% [markdown]
# ### Why is it easier?
#
# Because one need not look at everything at once. The figure asks of each rule: if I know some of the other symbols, how many bits does that tell me about this one? For parity the answer is *nothing*, until the last of them is known.
# Each parenthesis that is seen of a Dyck word tells a little.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Bits that m of the other symbols tell about one, the mean over all choices of the m; of a Dyck word one in the middle, of a check one of its members. Computed by enumeration."}, "image": {"alt": "For parity the curve is zero until all others are known; for Dyck words and checks of few symbols it rises earlier"}}
rules = {"Dyck, L = 8": (grammar.Dyck(8), 3), "Dyck, L = 10": (grammar.Dyck(10), 4), "check of 2, L = 8": (grammar.Check(8, 2), 0),
         "check of 4, L = 8": (grammar.Check(8, 4), 0), "parity, L = 8": (grammar.Parity(8), 0)}
figures_text.told({title: information.by_number(*rule)[0].numpy() for title, rule in rules.items()})
plt.show()

# %% tags=["hide-input"]
def pairs_and_triples(law, symbol):
    mean, best = information.by_number(law, symbol)
    return f"{best[1]:.3f} | {mean[1]:.3f} | {best[2]:.3f} | {mean[2]:.3f} | {best[-1]:.3f}"

Markdown("| rule | best single other symbol | any one, on average | best two | any two | all others |\n|---|---|---|---|---|---|\n"
         + "\n".join(f"| {title} | {pairs_and_triples(*rule)} |" for title, rule in rules.items()) + "\n\nBits about the symbol of the figure.")

# %% [markdown]
# ## The stress test
#
# Between a rule of pairs and a parity of eight there is a dial, and the paper leaves it untouched. Take strings of eight symbols with *one check*: the signs of the first $|I|$ of them multiply to $+1$, the
# others are free. Whatever $|I|$, there are 128 valid strings; the rule is worth one bit; chance is one half; half of the strings are trained on. Only the order of the dependency changes.
#
# A second dial leaves the order at eight and correlates one pair: $\mathbb{E}\,x^{(1)} x^{(2)} = \rho$ (by the check, the product of the other six then has that mean, too). It does not make the rule easier to state. But the theory of
# [chapter 3](03_hypercube_theory.ipynb) says that pairs give a force from the first step.
#
# A training has **escaped** at the measured step from which on, to the end, most of its samples are readable and at most a quarter of these break the rule, half of what chance gives.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "When trainings escape from hallucination, one point a seed. Left: the order of the check. Right: the correlation of one pair under a check of all eight symbols. Scalars go to the MLP (12,000 steps), glyphs to the DiT (8,000 steps; checks of three and four also to one that is trained for 32,000)."}, "image": {"alt": "Steps until escape against the order of the check, and against the correlation of a pair, for scalars and glyphs"}}
HOW = {  # how it is shown -> suffix of the experiments, orders, correlations, seeds
    "scalars, MLP": ("scalars", (2, 3, 4, 5, 6, 8), (0, 0.3, 0.6, 0.9), 5),
    "glyphs, DiT": ("dit", (2, 3, 4, 8), (0, 0.3, 0.6, 0.9), 5),
}

def by_setting(how, orders, rhos, seeds):
    by_order = {k: recorded(f"check-{k}-{how}", seeds) for k in orders}
    return by_order, {rho: by_order[8] if not rho else recorded(f"check-8-rho-{round(100 * rho)}-{how}", seeds) for rho in rhos}

stress = {title: by_setting(*how) for title, how in HOW.items()}
DIALS = "symbols in the check, |I|", "correlation of the pair, ρ"

def escapes(records):
    return [outcome.escape(r.arrays["step"], r.arrays["counts"], 0.25) for r in records]

longer = {3: recorded("check-3-dit-long"), 4: recorded("check-4-dit-long", 2)}
by_dial = {title: by[0] for title, by in stress.items()} | {"glyphs, DiT, longer": longer}, {title: by[1] for title, by in stress.items()}
dials = {dial: {title: {setting: escapes(records) for setting, records in by.items()} for title, by in found.items()} for dial, found in zip(DIALS, by_dial)}
figures_text.escapes(dials, {title: next(iter(by.values()))[0].experiment["training"]["steps"] for title, by in by_dial[0].items()})
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What comes out at the end of training, all seeds together."}, "image": {"alt": "Stacked shares of outcomes at the end of training against the order of the check and the correlation"}}
figures_text.ends({f"{title}: {name}": {f"{setting:g}": np.stack([r.arrays["counts"][-1] for r in records]) for setting, records in by[k].items()}
                   for title, by in stress.items() for k, name in enumerate(("|I|", "ρ"))})
plt.show()

# %% [markdown]
# How locally is the first symbol, a member of every check, made along the way? The level is one at which the exact rule of each check looks around.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "LDR of the first symbol's x0 along training, the mean over the seeds and their range; dotted: the exact rule's at the same noised strings. Left of each pair: by the order of the check. Right: by the correlation of the pair under a check of eight."}, "image": {"alt": "Local dependency ratio along training for checks of several orders and correlations, scalars and glyphs"}}
CURVES = {"scalars, MLP": 0.8, "glyphs, DiT": 0.7}
figures_text.ratios({f"{title}\nby {name}": ({f"{setting:g}": records for setting, records in by[k].items()}, 0.3 if tier == "smoke" else CURVES[title])
                     for title, by in stress.items() for k, name in enumerate(("|I|", "ρ"))})
plt.show()

# %% [markdown]
# And is it only a matter of time? Checks of three and of four once more, in a training four times as long, beside the check of two.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Glyphs, DiT: a check of two symbols (five seeds), and checks of three and four in trainings four times as long (three and two seeds). Top: what comes out. Middle: how locally the first symbol is made. Bottom: how far the network's prediction is from each exact denoiser's. Lines are means over the seeds, bands their range."}, "image": {"alt": "Outcomes, local dependency ratio and distances from exact denoisers along training for checks of two, three and four symbols"}}
in_time = {2: stress["glyphs, DiT"][0][2]} | longer
figures_ldr.along_training({f"a check of {k}": (records, 0.3 if tier == "smoke" else 0.7) for k, records in in_time.items()})
plt.show()

# %% tags=["hide-input"]
def when(steps):
    return ", ".join("–" if np.isinf(step) else f"{step:,.0f}" for step in steps)

flows = {d: [trace.stairs(trace.run(config)) for (k, _), config in trace.FLOWS.items() if k == d] for d in (3, 4, 5, 6, 8)}

def row(dial, setting, shown):
    return f"| {shown} | " + " | ".join(when(by[setting]) if setting in by else "not run" for by in dials[dial].values())

Markdown("Steps until escape, one number a seed (–: not until the end), beside the time at which chapter 3's two-layer network leaves the best univariate function for a parity of as many signs:\n\n| check of | "
         + " | ".join(dials[DIALS[0]]) + " | flow, chapter 3 |\n|---|---|---|---|---|\n"
         + "\n".join(row(DIALS[0], k, k) + f" | {', '.join(f'{one.left:,.0f}' for one in flows[k]) if k in flows else '(a pair: there is a force from the start)'} |" for k in stress["scalars, MLP"][0])
         + "\n\n| correlation ρ | " + " | ".join(stress) + " |\n|---|---|---|\n"
         + "\n".join(row(DIALS[1], rho, f"{rho:g}") + " |" for rho in stress["scalars, MLP"][1]))

# %%
if tier != "smoke" and seed == 0:
    middle = {title: {setting: np.median(steps) for setting, steps in by.items()} for title, by in dials[DIALS[0]].items()}
    print("scalars: the median step of escape never falls as the order grows:", list(middle["scalars, MLP"].values()) == sorted(middle["scalars, MLP"].values()))
    most = {k: max((r.arrays["counts"][:, 1] / r.arrays["counts"].sum(1)).max() for r in records) for k, records in stress["scalars, MLP"][0].items()}
    print("scalars: hallucinations are never more than a twentieth of the samples for orders", [k for k, share in most.items() if share < 0.05])
    for title in ("glyphs, DiT", "glyphs, DiT, longer"):
        print(f"{title}: orders that escape in most seeds:", [k for k, step in middle[title].items() if np.isfinite(step)])
    paired = stress["glyphs, DiT"][1][0.9]
    print("glyphs, ρ = .9, at the end: ratio below .85:", bool(np.mean([figures_ldr.mean_ratio(probe.stored(r))[-1].mean() for r in paired]) < 0.85),
          " and more than two fifths break the rule:", all(r.arrays["counts"][-1][1] > 0.4 * r.arrays["counts"][-1].sum() for r in paired))
    new = stress["glyphs, DiT"][0][2][0].arrays["counts"][-1]
    print("glyphs, order 2, at the end: more than two fifths of the samples valid and never seen:", bool(new[3] > 0.4 * new.sum()))

# %% [markdown]
# Two networks, and two answers.
#
# **For the DiT a pair is one thing, and three are another.** With a check of two symbols it hallucinates for a while, its ratio at 1. Then the ratio falls, and it learns the rule, whole: in the end hardly a
# sample breaks it, and of the valid ones nearly half were never seen. When that happens is a matter of luck: the first of five seeds has escaped at step 4,000, the last at the end.
# With one symbol more in the check any two symbols are independent, and in the same time all five seeds stay at chance, at a ratio of 1; so do those with longer checks. Chapter 3 said so of a much simpler network: of three signs that
# depend on each other only together, a neuron on the axis feels *nothing*; a pair it feels from the first step.
#
# **But nothing is not for ever.** In a training four times as long the check of three stands on the same plateau for about half of the time or longer, and then leaves it: two of three seeds escape, the third is on its way. And it goes where the pair went, if less
# evenly: in those two a third and more of the samples are valid and were never seen, and the prediction comes to be nearest to the rule's. That of four stays there to the end. So it was with the flow of chapter 3, whose second stair had an end for every $d$ that we could follow so far, and a later one for each further sign. Hallucination here is no fixed
# point. It is a plateau whose length grows steeply with the order, and a network that is stopped on it looks as if it could not do otherwise.
#
# **The dense MLP on scalars has a softer line.** Up to four symbols it has no hallucination phase at all: by the time that most of its samples are readable they keep the rule. From there on the phase grows
# with the order, as does the time that chapter 3's flow takes to leave the univariate function. The order also decides *how* it ends. For a pair about a
# fifth of the samples at the end are valid and were never seen; for eight nearly none are. What looks like the end of hallucination is then the memory of 64 strings.
#
# **A correlated pair helps, if it is strong.** At ρ = 0.3 no difference can be seen in what comes out, at ρ = 0.9 the MLP escapes in about half the steps, and its ratio is lower from the beginning, as the exact rule's is. But two things come
# together in this dial. The pair gives a force; and a law that nearly forbids half of the strings leaves fewer to be memorised. The MLP's way out is memory, so that the second may
# well be the reason. The DiT shows the pair by itself: at ρ = 0.9 its ratio falls in the second half of the training, as it did for the check of two, and half of its samples break the rule all the same.
# It has learned the pair, and the pair is not the check. A falling ratio says that a network has begun to look around, not that it has seen what matters.
#
# ## Words
#
# Now English. The DiT draws letters, one token each, and is trained on 30 words, and on all of the list. All three of the paper's phases stand in the first column: fuzzy, then
# misspelt, then more and more words of the training set. The ratio is at 1 when the first misspelt words come and falls while there are most of them, before the training set comes through. On the whole list the training ends in the second phase.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Words in a fixed-pitch font, trained on 30 words and on the whole list. Top: what comes out. Middle: how locally the first letter is made. Bottom: how far the network's prediction is from each exact denoiser's; those of the rule know the whole list."}, "image": {"alt": "Outcomes, local dependency ratio and distances along training for networks on 30 and on 999 words"}}
words = {title: (recorded(name), 0.3 if tier == "smoke" else 0.5) for title, name in {"30 words": "words-dit-30", "the whole list": "words-dit-999"}.items()}
figures_ldr.along_training(words)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same starting noise along the training on 30 words, framed by outcome: grey where any of the 14 cells cannot be read."}, "image": {"alt": "Generated words at five moments of training: blurs, then sharp letters in no word, then words"}}
record = words["30 words"][0][0]
setup = Setup(made("words-dit-30"))
rows = [0, 1] if tier == "smoke" else [2, 3, 4, 5, 6]
kinds_of = [outcome.classify(torch.from_numpy(record.arrays["tokens"][k][:3].astype(np.int64)), setup.grammar, setup.train_strings).numpy() for k in rows]
figures.sample_grid(record.arrays["samples"][rows], np.stack(kinds_of), [f"step {record.arrays['step'][k]:,}" for k in rows], shown=3)
plt.show()

# %% [markdown]
# ### Misspelt, or a word after all?
#
# "Hallucination" counts every readable string that is not on the list. Some of these are English words that the list happens not to have. A larger list of 160,000
# words tells them apart. How many such words chance makes, letters drawn at random as they stand in each place, is in the table further below.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What a sample is, along training; means over the seeds, with the wider of their range and the 95 % interval of all samples."}, "image": {"alt": "Shares of fuzzy, misspelt, training and other English words along training"}}
def texts(tokens, law=setup.grammar):
    return [None if "?" in text else text.rstrip() for text in law.text(torch.from_numpy(tokens.astype(np.int64)))]

def trained_words(record):
    setup = Setup(made(record.experiment["name"], record.experiment["seed"]))
    return [text.rstrip() for text in setup.grammar.text(setup.train_strings)]

def kind_counts(record):
    trained = trained_words(record)
    found = [spelling.classify(texts(tokens), trained) for tokens in record.arrays["tokens"]]
    return np.array([[kinds.count(kind) for kind in spelling.KINDS] for kinds in found])

by_kind = {title: (records[0].arrays["step"], np.stack([kind_counts(r) for r in records])) for title, (records, _) in words.items()}
figures_text.kinds(by_kind, spelling.KINDS)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Misspelt words drawn by the network on the whole list, those nearest to a word of the list first, and that word."}, "image": {"alt": "Twelve generated images of misspelt words with the nearest real word below each"}}
gallery = []
for r in words["the whole list"][0]:
    for image, text in zip(r.arrays["samples"][-1], texts(r.arrays["tokens"][-1][:16])):
        if text and spelling.classify([text], entries)[0] == "misspelt":
            gallery.append((spelling.nearest(text, entries), text, image[0] / 127.5 - 1))
gallery.sort(key=lambda one: (one[0][1] / len(one[1]), -len(one[1])))
best = gallery[:12]
best and figures_text.captioned([image for *_, image in best], [f"“{text}”: {near}?" for (near, _), text, _ in best], 3)
plt.show()

# %% [markdown]
# ### Which model of letters does the network look like?
#
# Between *every letter for itself* and *the list by heart* stand the models in which a letter knows the one before it, or the two before it. They have exact denoisers as well, so they can be asked the same question as the others:
# how far is the network's $\hat{x}_0$ from theirs? And what it draws can be compared with what they draw: how many of the pairs and triples of neighbouring letters occur in some word of the list at all?

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The network on the whole list. Share of the pairs (left) and of the triples (right) of neighbouring letters that occur in some word of the list, in its readable samples along training, all seeds together; dashed: in samples of the letter models, of which the one that looks one letter back knows all pairs by construction, and the one that looks two back all triples as well."}, "image": {"alt": "Shares of known pairs and triples of letters along training between those of the marginals and of letter models of order one and two"}}
listed = grammar.Lexicon()
models = {"marginals": 0, "one letter before": 1, "two letters before": 2}
generator = torch.Generator().manual_seed(seed)
drawn = {name: letters.Chain(listed, order).sample(2000, generator) for name, order in models.items()}

def known(tokens, n):
    readable = tokens[(tokens >= 0).all(1)]
    return letters.known_ngrams(readable, listed, n).mean().item()

records = words["the whole list"][0]
tokens_at = torch.from_numpy(np.concatenate([r.arrays["tokens"] for r in records], 1).astype(np.int64))  # of all seeds
rows = [k for k, tokens in enumerate(tokens_at) if (tokens >= 0).all(1).any()] or [0]  # with readable samples
steps = records[0].arrays["step"][rows]
likeness = {f"{n} letters": {"the network": (steps, [known(tokens_at[k], n) for k in rows])}
                            | {name: ([], [known(tokens, n)]) for name, tokens in drawn.items()} for n in (2, 3)}
figures_text.likeness(likeness, "share that occurs in a word")
plt.show()

# %% tags=["hide-input"]
def english(tokens):
    kinds = spelling.classify(texts(tokens.numpy(), listed), entries)
    return " | ".join(f"{kinds.count(kind) / len(kinds):.1%}" for kind in spelling.KINDS[1:])

Markdown("What letter models draw, 2,000 samples each; the network's curves above are to be held against these:\n\n| model | misspelt | on the list | another English word |\n|---|---|---|---|\n"
         + "\n".join(f"| {name} | {english(tokens)} |" for name, tokens in drawn.items()))

# %% tags=["hide-input"]
first = records[0]
if first.experiment["keep"]:
    listed_setup = Setup(made("words-dit-999"))
    denoisers = {name: letters.chain(listed, listed_setup.renderer, listed_setup.schedule, order) for name, order in models.items()} | {"the list": listed_setup.references["rule"]}
    prober = probe.Probe(listed_setup)
    def distances(step, level):
        at = listed_setup.experiment.probing.levels.index(level)
        x_t, t = prober.noised[at], prober.times[at]
        with torch.no_grad():
            own = listed_setup.schedule.predict(run.load_network(first, step), x_t, t, "x0")
        return {name: (own - denoiser(x_t, t)).square().mean().item() for name, denoiser in denoisers.items()}
    lines = []
    for level in listed_setup.experiment.probing.closer:
        for step in first.experiment["keep"]:
            found = distances(step, level)
            lines.append(f"| {level:g} | {step:,} | " + " | ".join(f"**{v:.4f}**" if v == min(found.values()) else f"{v:.4f}" for v in found.values()) + " |")
    table = ("Mean squared distance of the network's x̂0 (the first seed) from that of each exact denoiser, the nearest in bold:\n\n| √ᾱ | step | "
             + " | ".join(denoisers) + " |\n|---|---|" + "---|" * len(denoisers) + "\n" + "\n".join(lines))
else:
    table = "(This seed keeps no weights.)"
Markdown(table)

# %% [markdown]
# In much noise the network on the whole list has begun to use a letter's neighbour; in less noise its prediction is still nearest to the marginals', and its ratio is near 1. What it draws lies between the two: it knows more
# pairs and triples of letters than the marginals do, and fewer than a model that looks at one letter before. It may be enough for that to look at a neighbour in the noisy steps, where letters are chosen.
#
# ### In a proportional font
#
# The paper's words stand in an ordinary font, where no letter has a place of its own: where a letter stands depends on all that come before it. The DiT, with tokens about as wide as a letter and half as high,
# is trained on the same 30 words and on the whole list, and Tesseract reads 100 of its images at each step.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Words in a proportional font: what Tesseract reads, along training; means over three seeds, with the wider of their range and the 95 % interval of all samples."}, "image": {"alt": "Shares of fuzzy, misspelt, training and other English words along training in a proportional font, for 30 words and for the whole list"}}
def ocr_texts(record):
    return [ocr.read(torch.from_numpy(pixels / 127.5 - 1).float()) for pixels in record.arrays["samples"]]

in_lines = {"30 words": recorded("lines-dit-30"), "the whole list": recorded("lines-dit-999")}
read = {title: [ocr_texts(r) for r in tqdm(records, desc=f"Tesseract, {title}", unit="training")] for title, records in in_lines.items()}
kinds_read = {title: [[spelling.classify(texts, known) for texts in by_step] for known, by_step in zip(map(trained_words, records), read[title])] for title, records in in_lines.items()}
counts_read = {title: np.array([[[kinds.count(kind) for kind in spelling.KINDS] for kinds in by_step] for by_step in by_seed]) for title, by_seed in kinds_read.items()}
figures_text.kinds({title: (in_lines[title][0].arrays["step"], counts) for title, counts in counts_read.items()}, spelling.KINDS)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Generated words in a proportional font that Tesseract reads and that are no words: of the network on 30 words at the step with most of them (first two rows), and of the network on the whole list at its end."}, "image": {"alt": "Sixteen generated images of misspelt words with the text read from each below"}}
def misspelt(title, step, count):
    images, texts = in_lines[title][0].arrays["samples"][step], read[title][0][step]
    return [(image[0] / 127.5 - 1, f"“{text}”") for image, text, kind in zip(images, texts, kinds_read[title][0][step]) if kind == "misspelt"][:count]

chosen = misspelt("30 words", counts_read["30 words"][0, :, 1].argmax(), 8) + misspelt("the whole list", -1, 8)
chosen and figures_text.captioned(*zip(*chosen), 4)
plt.show()

# %% [markdown]
# Without places for the letters it is much the same story: 30 words go from blurs through misspelt words to the training set. On the whole list three in four images are still unreadable at the end, and most of the others are misspelt. The pictures show
# how: parts of several words of about the same length, joined where they happen to stand. (That a few samples of the first steps count as English is the reader's doing, who finds an "a" or an "o" in a blur.
# And as it misreads some clean words, too, some of the misspelt ones at the end may be its own.)
#
# ## Characters
#
# The 50 most frequent characters, and the 300 most frequent, with a DiT of which four tokens make a quarter; and a dense MLP on the 50.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Characters. Top: what comes out, where a hallucination is four known quarters that belong to no one character. Middle: how locally the top left quarter is made. Bottom: distance from the exact denoisers."}, "image": {"alt": "Outcomes, local dependency ratio and distances along training for characters with a DiT on 50 and 300 and an MLP on 50"}}
characters = {title: (recorded(name), 0.3) for title, name in {
    "50, DiT": "characters-dit-50", "300, DiT": "characters-dit-300", "50, MLP": "characters-mlp-50"}.items()}
figures_ldr.along_training(characters)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same starting noise along the training of the DiT on 50 characters. Frames: outcome; grey is unreadable by its quarters, which includes sharp strokes in an arrangement that no training character has."}, "image": {"alt": "Generated characters at five moments of training"}}
record, char_setup = characters["50, DiT"][0][0], Setup(made("characters-dit-50"))
rows = [0, 1] if tier == "smoke" else [2, 3, 4, 5, 6]
kinds_of = [outcome.classify(torch.from_numpy(record.arrays["tokens"][k][:10].astype(np.int64)), char_setup.grammar, char_setup.train_strings).numpy() for k in rows]
figures.sample_grid(record.arrays["samples"][rows], np.stack(kinds_of), [f"step {record.arrays['step'][k]:,}" for k in rows], shown=10)
plt.show()

# %% [markdown]
# The pictures say more than the counts. Before a character is right its strokes are sharp, and wrong. Nearly all of these are unreadable to a reader of quarters: hardly a quarter is one that was trained on.
# But the network builds with smaller stones, so we cut its images into its own tokens, of 8 × 8 pixels: how many of those that have ink at all does some training character have in that very place? Real characters that
# it was not trained on are the measure, for they share pieces with the others, too.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Share of the inked pieces of generated characters that some training character has in the same place, by the size of the pieces: a quarter, and a token of the DiT. The 16 kept images of each of three seeds. Dashed: the same share for others, the 300 characters that come next in frequency."}, "image": {"alt": "Shares of known quarters and known tokens along training for DiTs on 50 and 300 characters and an MLP on 50, beside those of other real characters"}}
def known_shares(records, size):
    pooled = []
    for r in records:
        setup = Setup(made(r.experiment["name"], r.experiment["seed"]))
        pictures = setup.renderer(setup.train_strings)
        pooled.append([decode.known_pieces(torch.from_numpy(pixels / 127.5 - 1).float(), pictures, size) for pixels in r.arrays["samples"]])
    return [np.mean(np.concatenate([found[ink].numpy() for found, ink in at_step])) for at_step in zip(*pooled)]

def among_others(record, size):
    n, setup = record.experiment["n_train"], Setup(made(record.experiment["name"]))
    every = render.make(**setup.experiment.renderer | dict(count=n + 300))
    known, ink = decode.known_pieces(every(grammar.Characters(n + 300).support[n:]), setup.renderer(setup.train_strings), size)
    return known[ink].float().mean().item()

sizes = {"quarters (16 × 16)": 16, "tokens (8 × 8)": 8}
figures_text.likeness({title: {name: (records[0].arrays["step"], known_shares(records, size)) for name, size in sizes.items()}
                       | {f"{name.split()[0]} of others": ([], [among_others(records[0], size)]) for name, size in sizes.items()}
                       for title, (records, _) in characters.items()}, "share of inked pieces known")
plt.show()

# %% [markdown]
# Token by token the DiT comes to draw what it was shown while few of its quarters are right: on 50 characters, in the middle of the training, clearly more of its tokens are known than of real characters that it never saw. On 300 characters it has not
# come so far when the training ends: its tokens are as familiar as those of real characters, its quarters less so. This is the paper's hallucination, at the size of what the network takes in at once. The MLP has no such phase. After its first blurs
# its pieces become known when its characters do.
#
# ### Where does it look?
#
# The heat maps of the paper's Figures 20 and 21: to which pixels does the output in one region listen? Move the slider from early to late.

# %% tags=["hide-input"]
def looking(title, records, level):
    record, region = records[0], Setup(made(records[0].experiment["name"])).renderer.region(records[0].experiment["probing"]["symbol"])[0].numpy()
    at = record.experiment["probing"]["closer"].index(level)
    noised = record.arrays["noised"][at, 0] / 127.5 - 1
    for row, step in enumerate([0, *record.arrays["step"].tolist()]):
        denoised = record.arrays["denoised"][row, at, 0] / 127.5 - 1
        yield f"step {step:,}", figures_ldr.heat_frame({"noised": noised, "denoised": denoised}, {"listens to": record.arrays["heat"][row, at]}, region)

slider(looking("characters", characters["50, DiT"][0], 0.3), "training of the DiT on 50 characters, √ᾱ = 0.3", alt="A noised character, its denoised picture, and where the top left quarter listens")

# %% tags=["hide-input"]
slider(looking("words", words["30 words"][0], words["30 words"][1]), "training of the DiT on 30 words", alt="A noised word, its denoised picture, and where the first letter listens")

# %% [markdown]
# ## The paper says, we find
#
# ```{ledger} dyck dyck-extrapolation dyck-ldr words words-ldr characters characters-ldr
# ```
#
# ## What to take along
#
# - **Correlation doesn't spare a model the hallucinations.** Words and Dyck words come to sharp symbols in wrong company, at a ratio near 1, and nearest to the marginals. Characters do so in pieces the size of the network's tokens, at a ratio that has begun to fall.
# - **It decides how they end.** In the DiT Dyck words and a check of two symbols end in the rule, with two in five samples valid and never seen before. Words and characters have no rule to be found: 50 characters end in the training
#   set, 30 words are on their way there, and longer lists come to neither in our time. For a check of three the DiT needs several times as long as for a pair, and of four we have not seen the end.
# - **A falling ratio says that a network has begun to look around, not what it will see.** It falls alike on the way to a rule and to a list, and where no more than a pair or the shape of strokes is learned. The held-out strings tell which; so do the exact denoisers beside it, where the noised signals are
#   such as the network has learned to denoise. (The network on 30 words is probed with words of the whole list, most of which it never saw: there it stays nearest to the marginals while a third of its samples are training words.)
# - **A dense network is another matter.** The MLP on characters goes from blurs to memory with nothing in between, and its ratio begins below the one where the others end, near that of a network which listens to all pixels alike.
# - **Count with care.** What counts as hallucination depends on the reader: letters are fine; of characters, quarters are too coarse for a network that recombines smaller pieces; and a text
#   recogniser must be kept from correcting what it reads.
