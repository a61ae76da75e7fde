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
# # Recent models
#
# The paper shows pictures by Stable Diffusion 3.5-medium and FLUX.1-dev (A.6), with text that is
# none, and measures no ratio of these models. Do pictures with more misspelt words come from a
# more local network? The digest asks for that correlation. One command measures it:
#
# ```text
# pip install -e '.[book,models]' -c constraints.txt
# localbias recent out/
# ```
#
# **No number of these models stands in this book.** Where it is built there is no GPU, and the
# weights cannot be downloaded. What could be done here is done: the whole way is tested, on small
# pipelines of the same classes with random weights, and on pipelines whose ratio is known.

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, and its
# package, which `pip install -e '.[book,models]' -c constraints.txt` installs there. Elsewhere,
# Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" leaves out the count of operations
seed = 0  # of the noise that a picture begins with, and of the strings of letters
rate = 3e14  # operations a second that your GPU reaches in earnest

# %% tags=["hide-input"]
import random

import torch

from localbias.book import parameters, tables
from localbias.experiments import pretrained, recent
from localbias.measure import latent_products, latent_region, watched
from localbias.reading import tesseract
from localbias.reading.words import english
from localbias.store import duration
from localbias.training import use_threads

parameters(globals(), tier=("smoke", "laptop"), seed=range(2**31), rate=float)
use_threads()

# %% [markdown]
# ## What it does
#
# For each model, prompt and seed the command
#
# 1. **draws** the picture with the model's *diffusers* pipeline and writes it as a PNG;
# 2. **reads** it with Tesseract, from whose model the dictionary was cut out, so that it turns no
#    misspelt word into a word;
# 3. **probes** the transformer along the sampling, in a region of the latents;
# 4. and, at the end, **correlates** ratio and share of misspelt words by rank.
#
# The folder gets a JSON for each model, with everything. What is there is not drawn again, so an
# interrupted run goes on, and a finished one is only printed.
#
# Prompts and seeds are the paper's. It prints no more than these, so that **the rest is ours**:

# %% tags=["hide-input"]
print("prompts:", "; ".join(recent.PROMPTS))
print("seeds:", ", ".join(map(str, recent.SEEDS)))
for name, model in pretrained.MODELS.items():
    own = model.settings
    print(f"{name}: {own.steps} steps, guidance {own.guidance}, {own.size} × {own.size} pixels,")
    region = ", ".join(f"{side:g}" for side in own.region)
    print(f"  {own.text} tokens of text, region {region}, {own.probes} products a level,")
    print(f"  at √ᾱ = {', '.join(map(str, own.levels))}")

# %% [markdown]
# Steps, guidance and size are those of the models' own examples. The noise is drawn on the CPU, in
# the precision of the weights: with bfloat16 on a GPU the same seed is another picture than with
# float32. The levels are those of §4.3, the region is the middle of the picture. Most are options:
# `localbias recent --help`.
#
# ## Of which function
#
# Both models are trained by flow matching {cite:p}`esser2024scaling`. Their latents are
# $x_t = (1-\sigma)\,x_0 + \sigma\varepsilon$, and the transformer predicts the velocity
# $v = \varepsilon - x_0$. The ratio is taken of the picture that is in it,
#
# $$\hat x_0(x_t) = x_t - \sigma\,v(x_t, \sigma, \text{text}),$$
#
# at a step of the sampler, with its $\sigma$, its text, and the $v$ that it follows: under
# classifier-free guidance by $w$ this is $v_\varnothing + w\,(v_{\text{text}} - v_\varnothing)$,
# as in Stable Diffusion. FLUX.1-dev has learned to do without the second half. The ratio of $v$
# itself, whose Jacobian is $(I - J)/\sigma$, is in the JSON as well.
#
# A ratio does not change when $x_t$ is scaled. So $\sigma$ is the level of a diffusion with as much
# signal for its noise, $\sqrt{\bar\alpha} = (1-\sigma)/\sqrt{(1-\sigma)^2 + \sigma^2}$. The region
# is given in pixels. A latent belongs to it if its middle does. FLUX.1 packs 2 × 2 latents into a
# token, and the region is packed alike.
#
# The same by hand, with a tiny pipeline in place of the real one:

# %%
model = pretrained.smoke(pretrained.MODELS["sd-3.5-medium"])
pipeline = pretrained.tiny_pipeline(model)  # in earnest: pretrained.load(model, device="cuda")
how = dict(num_inference_steps=8, guidance_scale=4.5, height=64, width=64, max_sequence_length=32)
image, steps = watched(pipeline, recent.PROMPTS[2], seed, **how)
region = latent_region(pipeline, (16, 16, 48, 32), 64, 64)
generator = torch.Generator().manual_seed(seed)

# %%
print(f"chance {region.float().mean():.3f}; words read: {len(tesseract.words(image))}")
for step in steps[1:-1:2]:
    found, velocity = latent_products(pipeline.transformer, step, region, 8, generator, 4.5)
    print(f"σ = {step.sigma:.2f}, √ᾱ = {step.signal:.2f}:", end=" ")
    print(f"ratio of x̂0 {found.ratio.item():.1f}, of v {velocity.ratio.item():.1f}")

# %% [markdown]
# These weights are random, and the numbers mean nothing but that the way runs. The whole command
# does so, too: `localbias recent out/ --tier smoke` draws with tiny pipelines, in a minute and
# without downloading anything. Try it before you rent a GPU.
#
# ## What counts as a word
#
# A word is what Tesseract read with a confidence of 50 or more and has four letters or more, and
# nothing but letters. It is misspelt if the list of English words does not have it. Shorter strings
# are not counted, for the list has many of them:

# %% tags=["hide-input"]
drawn = random.Random(seed)
letters = "".join(word for word in sorted(english()) if word.isascii() and word.isalpha())
for length in (2, 3, 4, 5):
    strings = ["".join(drawn.choices(letters, k=length)) for _ in range(20_000)]
    share = sum(string in english() for string in strings) / len(strings)
    print(f"of {length} letters drawn at random, a word: {share:.1%}")

# %% [markdown]
# Tesseract reads English. Calligraphy in Chinese gives no word, nor do formulas: such pictures have
# no share, are counted, and are left out of the correlation.
#
# ## What it costs
#
# An estimate. The operations are counted by following the shapes of the published architectures;
# nothing is computed, and text encoders and decoder, which run once a picture, are left out. The
# time assumes the rate above, which is ours: some GPUs reach more, many less.

# %% tags=["hide-input"]
rows, count = [], len(recent.PROMPTS) * len(recent.SEEDS)
for name, model in pretrained.MODELS.items() if tier == "laptop" else ():
    size, drawing, probing = pretrained.operations(model)
    rows.append(
        {
            "model": name,
            "parameters, billions": f"{size / 1e9:.1f}",
            "in bfloat16, GB": f"{2 * size / 1e9:.0f}",
            "a picture, 10¹⁵ operations": f"{drawing / 1e15:.1f}",
            "its products, 10¹⁵ operations": f"{probing / 1e15:.1f}",
            f"{count} pictures": duration(count * (drawing + probing) / rate),
        }
    )
tables.table(rows or [{"model": "not counted in this tier"}])

# %% [markdown]
# The parts of a pipeline take turns on the GPU, so it must hold the largest of them, which is the
# transformer, and what the products need beside it. Attention runs in its plain form there, and the
# forward pass is made again for each product (checkpointing): that bounds the memory, at the price
# of time. Without a GPU the command says what it would take, and begins.
#
# The weights of both models are given to whoever has accepted their licence on the model's page and
# logged in with `hf auth login`. If you have them in a folder, name it by `--weights`, with the
# model it is of.
#
# ## How to read what it prints
#
# - **A row a picture**: how many words were read, the share of them that is real, and the ratio at
#   each level. A dash is a ratio that is 0/0: near pure noise $\hat x_0$ may depend on $x_t$ by
#   less than bfloat16 can tell.
# - **Rank correlation** is Spearman's, for each level and for the mean over the levels. Look at the
#   mean first: five levels are five chances for luck. The interval is a bootstrap over the
#   pictures, prompts × seeds.
# - **Over pictures** compares a newspaper with calligraphy, which differ in more than locality.
#   **Within prompts** ranks each prompt's pictures by themselves. Where the two disagree, the
#   prompts made the correlation.
# - Nine pictures a model tell little: expect wide intervals. `--seed` may be given many times.
#
# A positive correlation would fit the paper's account, and not prove it: a misreading counts as a
# misspelling, pictures with small text are both harder to read and harder to draw, and the region
# in the middle need not hold text. What the ratio alone can and can't show, [the page on
# probing](probe_your_own_model) says; its untrained copy is what this command does not measure.
