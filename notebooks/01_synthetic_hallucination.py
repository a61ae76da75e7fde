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
# Ask an image generator for a page of text and it draws letters: each one crisp, well shaped, in its place, and
# together they say nothing. The paper calls this *text hallucination* and gives a reason. A diffusion
# model learns to draw each symbol from the noise **at that symbol's own place** long before it learns to look at the
# other symbols, so it puts together strings of perfect symbols that no rule allows. The paper calls this a **local
# generation bias**.
#
# To see it one needs data where "the rule" is known exactly. This chapter follows §4.1 and §4.2 of the paper: strings
# of parentheses with a parity, and pictures of four handwritten digits whose sums agree. We know every valid string,
# so every sample can be judged, and we can compute what a perfect model would do. How *local* the networks really
# are is the paper's next question (§4.3); here we look at what comes out.
#
# The figures show runs of the **laptop tier**: the paper's ideas in networks that train within minutes on one CPU
# core. Each run is stored as a record, and the cells below read the records. Ask for another seed and the chapter
# trains anew:
#
# ```
# papermill book/notebooks/01_synthetic_hallucination.ipynb out.ipynb -p seed 3
# ```

# %% tags=["parameters"]
tier = "laptop"  # "smoke" goes through everything in a minute or two, "paper" wants a GPU and days
device = "auto"  # "cpu" or "cuda"
seed = 0  # 0 shows the three recorded seeds 0, 1, 2; any other number only that seed
live_steps = 4000  # of the training that runs in this notebook

# %% tags=["hide-input"]
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from tqdm import tqdm

from localbias import catalogue, decode, figures, grammar, outcome, reader, render, run
from localbias.chapters import parameters
from localbias.experiment import TIERS, Setup
from localbias.training import State, auto_device, train

parameters(globals(), tier=TIERS, device=("auto", "cpu", "cuda"), seed=range(2**31), live_steps=range(1, 10**7))
seeds = (0, 1, 2) if seed == 0 else (seed,)
here = auto_device(device)
figures.use_style()

# %% [markdown]
# ## The rules
#
# **Parity.** A string of $L$ parentheses, where "(" stands for $+1$ and ")" for $-1$, is valid when the signs multiply
# to $+1$. Look at any $L-1$ of the symbols and the last is a fair coin; look at all of them and it is certain. Any
# two symbols are independent, so nothing is learned from pairs: the rule lives in all $L$ symbols at once.
#
# **Quarter sum.** Four digits with $s_1 + s_2 = s_3 + s_4$.

# %%
rules = grammar.Parity(8), grammar.Parity(16), grammar.QuarterSum()
for rule in rules:
    valid = len(rule.support)
    chance = rule.independent_probability(rule.support).sum().item()
    pair = rule.pairwise_information()[0, 1].item()
    print(f"{rule!s:20} {valid:6,} valid of {len(rule.alphabet) ** rule.length:6,};", end=" ")
    print(f"symbols drawn independently are valid in {chance:.1%}; two symbols share {pair:.4f} bit")
print("parity 8:", *grammar.Parity(8).text(grammar.Parity(8).support[[0, 5, 90]]), sep="  ")

# %% [markdown]
# The last column is worth a second look. The paper motivates its theory with "any two symbols are independent"
# (Assumption 5.1). That is exactly so for parity, and not quite so for Quarter-MNIST: two digits of a valid tuple do
# carry a little information about each other. And the middle column gives the **chance level**: a model that knew how often
# each digit occurs in each place and nothing else would produce a valid tuple that often. Every share below has
# to be read against it.
#
# ## From strings to pictures
#
# A renderer shows each symbol in a cell of its own. We use three: plain numbers $\pm 1$, which train in a minute and show
# everything; parentheses as glyphs; and MNIST digits in the four quarters of an image. The paper's pictures have 64 × 64
# pixels. The laptop tier keeps the layout and shrinks the cells.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same strings in the sizes of the laptop tier and of the paper (64 × 64)."}, "image": {"alt": "Four example images: parentheses of length 8 at 16 by 32 and 64 by 64 pixels, of length 16 at 32 by 32, and four digits at 28 by 28 and 64 by 64"}}
eight, sixteen, quarter = (rule.support[[rule.support.shape[0] // 3]] for rule in rules)
figures.show_signals({
    "parity, L = 8": render.Glyphs((2, 4), (16, 32))(eight)[0, 0],
    "as the paper": render.Glyphs((2, 4), (64, 64))(eight)[0, 0],
    "parity, L = 16": render.Glyphs((4, 4), (32, 32))(sixteen)[0, 0],
    "quarter sum": render.Digits(28)(quarter)[0, 0],
    "quarter, paper": render.Digits(64)(quarter)[0, 0],
})
plt.show()

# %% [markdown]
# A network is trained on *some* of the valid strings; the others are held out. The paper does not say whether a
# digit is always the same handwriting or a new one at every exposure. Here each training string is one fixed
# image and each digit has one exemplar; `rendering` and `exemplars` are fields of the configuration.
#
# ## What can come out
#
# A generated sample is read back, symbol by symbol. Then there are four outcomes (Figure 3 of the paper):
#
# | outcome | every symbol readable? | rule kept? | among the training strings? |
# |---|---|---|---|
# | **invalid** | no | – | – |
# | **hallucination** | yes | no | no |
# | **in dataset** | yes | yes | yes |
# | **extrapolation** | yes | yes | no: valid and never seen |
#
# Before any training we can ask what *exact* models would do. For our data the best possible denoiser
# $\mathbb{E}[x_0 \mid x_t]$ is a finite sum, so it can be computed: for the **rule** (all valid strings), for the
# **training** set, and for the **marginals**, where every symbol ignores the others. We sample from each as we sample from
# the networks.

# %%
def made(name, seed=seed):
    return catalogue.make(name, catalogue.tier_for(name, tier), seed)

setups = {name: Setup(made(name)) for name in ("parity-8-scalars", "parity-8-unet", "quarter-unet-470")}
exact = {name: run.reference_counts(setup) for name, setup in setups.items()}
for name, drawn in exact.items():
    setup = setups[name]
    valid = {source: counts[2:].sum() / counts.sum() for source, counts in drawn.items()}
    chance = outcome.chance(setup.grammar, setup.train_strings)[2:].sum()
    low, high = outcome.wilson(drawn["marginals"][2:].sum(), drawn["marginals"].sum(), 0.999)
    print(f"{name:17} exact rule: {valid['rule']:.0%} valid; exact training set: {valid['train']:.0%} valid,", end=" ")
    print(f"{drawn['train'][3]} outside it; marginals at the chance level {chance:.1%}: {low <= chance <= high}")

# %% [markdown]
# So the sampler is not to blame: fed with the rule, it produces valid strings only. Whatever goes wrong below is in
# what the network has learned.
#
# ## Parity on scalars, live
#
# The smallest case first: eight numbers, half of the 128 valid strings, a multilayer perceptron. The next cell trains it
# here and now and samples along the way.

# %%
setup = setups["parity-8-scalars"]
config = replace(setup.experiment.training, steps=live_steps)
state = State.fresh(setup.denoiser().to(here), config)
watched = np.unique(np.geomspace(min(50, live_steps), live_steps, 12).round().astype(int)).tolist()
counts = []
for state in tqdm(train(state, config, setup.draw, seed), total=live_steps, desc="training", unit="step"):
    if state.step in watched:
        tokens = setup.decoder(setup.sample(state.denoiser, here).cpu())
        counts.append(outcome.tally(tokens, setup.grammar, setup.train_strings).counts)
live = outcome.Outcomes(np.array(counts)).proportions

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Trained in this notebook, one seed; bands are 95 % intervals. Right: samples of the exact denoisers."}, "image": {"alt": "Shares of the four outcomes along the live training on scalars, with chance levels"}}
chance = outcome.chance(setup.grammar, setup.train_strings)
panel = {"steps": watched, "counts": np.array(counts)[None], "chance": chance}
figures.outcome_panels({"parity on scalars, live": panel}, {"parity on scalars, live": exact["parity-8-scalars"]}, columns=1)
plt.show()

# %%
if tier == "laptop" and live_steps >= 4000:
    readable = live[:, 1:] / live[:, 1:].sum(1, keepdims=True)
    print("at the first look nearly everything is unreadable:", bool(live[0, 0] > 0.9))
    print("most samples are readable at the end:", bool(live[-1, 0] < 0.5))
    print("by then the training strings are favoured over the held-out ones:", bool(live[-1, 2] > 2 * live[-1, 3]))

# %% [markdown]
# Three phases, one after the other, in an order the rule alone would never suggest:
#
# 1. **Fuzzy.** No symbol is sharp yet; nearly everything is unreadable.
# 2. **Hallucination.** Symbols become sharp, and about half of the readable strings break the rule, as if every symbol had
#    been drawn by itself. In this dense network the blue curve runs ahead of the green one from the start: the valid strings
#    that appear are mostly training strings.
# 3. **Overfitting.** Hallucinations become fewer and the green curve falls towards zero: the network gets to know
#    the *training strings*, not the rule. It does not extrapolate.
#
# The records of the same experiment go further, with several seeds.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Parity on scalars. Lines are means over the seeds, bands their range. Dashed: the shares under independent symbols."}, "image": {"alt": "Shares of the four outcomes along the recorded trainings on scalars"}}
def recorded(name, seeds=seeds):
    return [run.run(made(name, s), device) for s in seeds]

def panel_of(records):
    return {"steps": records[0].arrays["step"], "counts": np.stack([r.arrays["counts"] for r in records]),
            "chance": records[0].origin["chance"]}

def label(records):
    experiment = records[0].experiment
    return f"{experiment['name']} ({experiment['tier']}, {len(records)} seed{'s' * (len(records) > 1)})"

scalars = recorded("parity-8-scalars")
figures.outcome_panels({label(scalars): panel_of(scalars)}, {label(scalars): exact["parity-8-scalars"]}, columns=1)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Samples of the first seed early, in the hallucination phase and at the end. Each row is one string of eight numbers."}, "image": {"alt": "Strips of eight generated numbers at three steps of training"}}
def kinds_of(found):
    setup = Setup(made(found.experiment["name"], found.experiment["seed"]))
    tokens = torch.from_numpy(found.arrays["tokens"]).long()
    return np.stack([outcome.classify(row, setup.grammar, setup.train_strings).numpy() for row in tokens])

def phases_of(found, shares=(0, 0.5, 1)):
    rows = [round(share * (len(found.arrays["step"]) - 1)) for share in shares]
    return found.arrays["samples"][rows], kinds_of(found)[rows], [f"step {found.arrays['step'][i]:,}" for i in rows]

figures.scalar_strips(*phases_of(scalars[0], (0.15, 0.5, 1)))
plt.show()

# %% [markdown]
# ## Parity with glyphs
#
# Now parentheses as pictures, with two networks: a scaled-down version of the paper's UNet, and a dense MLP on the
# flattened image. The UNet reaches far through its attention, but its convolutions make neighbours easy; to the MLP all
# pixels are alike. Length 8 trains on half of the valid strings, length 16 on 5 %.
#
# Minutes suffice because much is smaller or faster than in the paper: images, networks, the number of steps, and a learning
# rate that is higher, with warm-up and decay. The networks' output is read as $v$, which changes nothing about the loss. The MLP alone has
# another loss: it is trained to predict the clean image, because read as the noise or as $v$ it stays unreadable in these steps
# ([chapter 2](02_local_dependency_ratio.ipynb) has the numbers).
# The settings of every run stand in a table at the end of this chapter.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Parity with glyphs. Lines are means over the seeds, bands their range, dashed lines chance. The bars show samples of the exact denoisers."}, "image": {"alt": "Three panels of outcome shares along training: UNet and MLP with length 8, UNet with length 16"}}
glyphs = {name: recorded(name) for name in ("parity-8-unet", "parity-8-mlp", "parity-16-unet")}
exact["parity-16-unet"] = run.reference_counts(Setup(made("parity-16-unet")))
exact["parity-8-mlp"] = exact["parity-8-unet"]  # the same strings
figures.outcome_panels({name: panel_of(records) for name, records in glyphs.items()}, exact, columns=3)
plt.show()

# %% tags=["hide-input", "readme"] mystnb={"figure": {"caption": "Samples of the UNet on parity of length 8, from the same starting noise at three moments. The frame's colour is the outcome."}, "image": {"alt": "Generated parentheses at three steps of training, framed by outcome"}}
figures.sample_grid(*phases_of(glyphs["parity-8-unet"][0]), shown=6)
plt.show()

# %%
if tier == "laptop" and seed == 0:
    for name in ("parity-8-unet", "parity-16-unet", "parity-8-mlp"):
        chance = glyphs[name][0].origin["chance"]
        for what, outcomes in {"valid": [2, 3], "held-out": [3]}.items():
            mean, low, high = outcome.readable_share(np.stack([r.arrays["counts"][-1] for r in glyphs[name]]), outcomes)
            level = sum(chance[k] for k in outcomes)
            side = "at chance" if low <= level <= high else "below chance" if high < level else "above chance"
            print(f"{name:15} {what:8} among readable: {mean:4.0%} ({low:.0%} to {high:.0%}), chance {level:.0%}: {side}")

# %% [markdown]
# The UNet goes from fuzzy straight onto the dashed lines. Its symbols are perfect and its strings are
# independent coin tosses; training strings and strings it has never seen come equally often *per string*. This is the
# paper's hallucination phase, and our UNet does not leave it in the steps it has. The dense network behaves like the one on scalars:
# by the time its symbols are readable, held-out strings are already rare.
#
# The outcomes at the end of each training: mean over the seeds, and their range.

# %% tags=["hide-input"]
def ends(name, records):
    merged = outcome.Outcomes(np.stack([r.arrays["counts"] for r in records]))
    mean, low, high = (bound[-1] for bound in merged.over_seeds())
    shares = " | ".join(f"{m:.0%} ({a:.0%}–{b:.0%})" for m, a, b in zip(mean, low, high))
    return f"| `{name}` | {shares} |"

head = f"| experiment | {' | '.join(outcome.OUTCOMES)} |\n|---|---|---|---|---|\n"
Markdown(head + "\n".join(ends(name, records) for name, records in ({"parity-8-scalars": scalars} | glyphs).items()))

# %% [markdown]
# ## Reading symbols
#
# Samples are read by a machine, and the machine can be wrong. Where the data show a symbol in one way only, as here,
# a cell is read as the nearest template, if it is near enough and clearly nearer than every other. For data with
# many handwritings the package ships a small convolutional network, trained on 8,000 of the 10,000 embedded digits, with an
# eleventh answer, "this is no digit". How both read clean and noised symbols:

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How symbols are read under Gaussian noise of growing size (the signal runs from −1 to 1). Left: handwriting that the reading network was not trained on."}, "image": {"alt": "Shares of symbols read right, refused and read wrong against the noise level, for the network on held-out digits, templates of digits and templates of glyphs"}}
images, labels = reader.examples(14, held_out=True)
cell = render.Renderer(images.new_zeros(10, 1, 14, 14), (1, 1))
network = decode.DigitReader(cell, *reader.shipped_reader(14))
digits, parity = setups["quarter-unet-470"], setups["parity-8-unet"]
tables = {"network, held-out digits": decode.accuracy(network, images, labels[:, None])}
for title, setup in {"templates of digits": digits, "templates of glyphs": parity}.items():
    strings = setup.grammar.support
    tables[title] = decode.accuracy(setup.decoder, setup.renderer(strings), strings)
figures.decoding(tables)
plt.show()

# %%
clean = tables["network, held-out digits"]
print(f"network: held-out digits read right: more than 97.5 %: {clean['right'][0] > 0.975}; read wrong: below 2 %: {clean['wrong'][0] < 0.02}")
print("templates: clean symbols read without a mistake:", all(tables[t]["right"][0] == 1 for t in ("templates of digits", "templates of glyphs")))

# %% [markdown]
# Why not the network for everything? Because half-made digits are not among the things it learned to refuse. The
# next cell lets both read the cells of a DiT's samples halfway through the measured steps: loose strokes, as the pictures further
# down show.

# %% tags=["hide-input"]
early = recorded("quarter-dit-470")[0]
row = len(early.arrays["step"]) // 2
signals = torch.from_numpy(early.arrays["samples"][row]) / 127.5 - 1
cells = digits.renderer.split(signals).reshape(-1, 1, digits.renderer.height, digits.renderer.width)
by_network, by_template = (network(cells) >= 0).float().mean(), (digits.decoder(signals) >= 0).float().mean()
Markdown(f"Of {len(cells)} cells at step {early.arrays['step'][row]:,}, the network reads a digit in "
         f"{by_network:.0%}, the templates in {by_template:.0%}.")

# %% [markdown]
# ## Quarter-MNIST
#
# The paper trains on 470 of the 670 valid tuples. How many tuples there are decides how soon they can be memorised,
# so we turn that dial where it is cheap: the UNet trains on 470 tuples, the DiT on 50 and 470, the MLP on 50, 150 and 470.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Quarter-MNIST with three networks. The number in a title is that of the training tuples. Lines are means over the seeds, bands their range, dashed lines chance."}, "image": {"alt": "Six panels of outcome shares along training: UNet with 470 training tuples, DiT with 50 and 470, MLP with 50, 150 and 470"}}
names = [f"quarter-{network}" for network in ("unet-470", "dit-470", "dit-50", "mlp-470", "mlp-150", "mlp-50")]
quarters = {name: recorded(name) for name in names}
by_size = {"470": exact["quarter-unet-470"]} | {n: run.reference_counts(Setup(made(f"quarter-mlp-{n}"))) for n in ("50", "150")}
drawn = {name: by_size[name.split("-")[-1]] for name in names}
figures.outcome_panels({name: panel_of(records) for name, records in quarters.items()}, drawn, columns=3)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The MLP on 50 tuples."}, "image": {"alt": "Generated quarters of digits by the MLP at three steps of training"}}
figures.sample_grid(*phases_of(quarters["quarter-mlp-50"][0]))
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The UNet on 470 tuples."}, "image": {"alt": "Generated quarters of digits by the UNet at three steps of training"}}
figures.sample_grid(*phases_of(quarters["quarter-unet-470"][0]))
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The DiT on 470 tuples."}, "image": {"alt": "Generated quarters of digits by the DiT at three steps of training"}}
figures.sample_grid(*phases_of(quarters["quarter-dit-470"][0]))
plt.show()

# %%
if tier == "laptop" and seed == 0:
    for name, records in quarters.items():
        mean, low, high = outcome.readable_share(np.stack([r.arrays["counts"][-1] for r in records]), [2, 3])
        print(f"{name:16} valid among readable: {mean:4.0%} ({low:.0%} to {high:.0%}), chance {sum(records[0].origin['chance'][2:]):.0%}")

# %% [markdown]
# Look at the pictures before the curves. The UNet's digits and most of the DiT's could have come from the data; only the
# arithmetic is wrong. Halfway, the DiT shows locality at a smaller scale still: strokes are put together inside each of its patches
# of 7 × 7 pixels, and do not yet continue across them.
#
# Both networks then stay near the chance level, the DiT whether there are 50 training tuples or 470. The MLP is another world: with 50
# tuples the samples that can be read *are* training tuples, and there is no hallucination phase to speak of. With more tuples
# it becomes slower and mixes them. So the bias is not a property of diffusion as such. How much of the difference is the
# architecture and how much is the MLP's other target these runs cannot tell: that needs networks compared at equal settings.

# %% tags=["hide-input"]
Markdown(head + "\n".join(ends(name, records) for name, records in quarters.items()))

# %% [markdown]
# ## Against chance
#
# All endings in one picture. Unreadable samples are left aside: of those that can be read, how many are valid, and how many
# are valid *and new*? The black ticks are what independent symbols would give.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The last measured step of every experiment. Points are means over the seeds, bars their range, widened to the 95 % interval of all samples together. Left: valid among readable samples. Right: valid and held out."}, "image": {"alt": "Dots with intervals for every experiment against ticks at the chance level"}}
every = {"parity-8-scalars": scalars} | glyphs | quarters
figures.against_chance({
    name: (np.stack([r.arrays["counts"][-1] for r in records]), records[0].origin["chance"]) for name, records in every.items()
})
plt.show()

# %% [markdown]
# ## The paper says, we find
#
# The rows of the [ledger](../ledger.md) that belong to this chapter, as the site shows them. The numbers are read from
# the records of seeds 0, 1 and 2; the interval is the range of the seeds, widened to the 95 % interval of all their samples
# together.
#
# ```{ledger} parity-8-early parity-8-half parity-8-end parity-16 quarter-unet quarter-dit quarter-extrapolation
# ```
#
# %% [markdown]
# ## What to take along
#
# - A sharp sample is no sign of a correct one. In the UNet, and with more unreadable digits in the DiT, symbols become
#   sharp while strings stay random, with the very shares of independent symbols.
# - What follows, where something follows, is not the rule but the training set: the scalars and the dense networks come to
#   favour training strings, and held-out strings fall *below* chance. Nowhere do they rise above it.
# - Compare with chance, always. "20 % valid" would be far *above* chance for Quarter-MNIST and far *below* it for parity.
#
# The paper's explanation is that the network looks only at the symbol's own place. That can be measured: it is what
# [the local dependency ratio](02_local_dependency_ratio.ipynb) is for.
#
# ## The settings
#
# What the paper leaves open (the schedule, its length $T$, the sampler, the clamp of $\hat{x}_0$, averaging of the weights, one
# exemplar or many) is a field of every configuration. These are the values of the runs above; outcomes are measured
# on the averaged weights where there is an average.

# %% tags=["hide-input"]
def settings(name):
    e, origin = made(name).configuration, every[name][0].origin
    t, s, d = e["training"], e["sampling"], e["schedule"]
    return (f"| `{name}` | {e['tier']} | {origin['parameters']:,} | {origin['seconds'] / 60:.0f} | {e['n_train']:,}, {e['rendering']} | {e['reads']}, {e['target']} | {t['steps']:,} × {t['batch']} | "
            f"{t['rate']:g}, {t['decay']} | {t['ema'] or 'none'} | {d['kind']}, {d['steps']:,} | {s['samples']} in {s['steps']} steps, η = {s['eta']:g}, clamp {s['clamp']} |")

top = ("| experiment | tier | parameters | minutes | training strings | output read as, loss on | steps × batch | rate | average | β, T | samples |\n"
       "|---|---|---|---|---|---|---|---|---|---|---|\n")
Markdown(top + "\n".join(map(settings, every)))
