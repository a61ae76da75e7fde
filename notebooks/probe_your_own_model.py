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
# # Probe your own model
#
# You have a diffusion model and want to know how locally it generates. This page takes you from a
# network that can be called to a number you can defend, with a small UNet and a small transformer
# of the *diffusers* library as examples. Both have random weights: nothing is downloaded, the page
# runs in seconds, and you see what the ratio says of networks that have learned nothing, which is
# where most misreadings begin. Your own model needs PyTorch only; *diffusers* is here for the
# examples.
#
# **What is measured.** Pick a region $R$ of the signal and ask of the network's outputs *in* $R$
# how much they would change if each input number were nudged, inside $R$ or outside. The **local
# dependency ratio** (LDR) is the share of that sensitivity, in squares, that comes from inside:
# with $J_R$ the rows of the Jacobian that belong to $R$, and $J_{RR}$ its columns in $R$,
#
# $$\mathrm{LDR}(x) = \frac{\lVert J_{RR} \rVert_F^2}{\lVert J_R \rVert_F^2}.$$
#
# It is 1 where the region listens to itself alone, $|R|/d$ where it listens to all $d$ input
# numbers alike (we call that *chance*), and 0 where it listens to everything but itself.

# %% [markdown] tags=["remove-cell"]
# *What this notebook needs to run: a checkout of the repository that it comes from, with its
# records, and its package, which `pip install -e '.[book]' -c constraints.txt` installs there.
# Binder has both. Elsewhere, Colab too, clone the repository and open the notebook in the clone.*

# %% tags=["parameters"]
tier = "laptop"  # "smoke" only shows that everything runs
seed = 0  # of the random weights, the signals and the noise

# %% tags=["hide-input"]
import copy
import textwrap
import warnings
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import avg_pool2d, pixel_unshuffle

from localbias import exact, figures, grammar, ldr, networks, render
from localbias.book import parameters
from localbias.diffusion import TARGETS, Denoiser, Schedule
from localbias.ldr import dependency, local_dependency_ratio, saliency
from localbias.training import State, Training, train, use_threads

parameters(globals(), tier=("smoke", "laptop"), seed=range(2**31))
use_threads()
figures.use_style()
samples, live_steps = {"smoke": (4, 150), "laptop": (16, 1200)}[tier]

# %% [markdown]
# Trust no ruler that you have not held against something of known length. Four maps of 16 × 16
# images, and the top left quarter as the region:

# %%
region = torch.zeros(1, 16, 16, dtype=torch.bool)
region[:, :8, :8] = True
chance = region.sum().item() / region.numel()

known = {
    "the identity": lambda x: x,
    "a blur over 3 × 3 pixels": lambda x: avg_pool2d(x, 3, 1, padding=1),
    "every pixel the mean of all": lambda x: x * 0 + x.mean((2, 3), True),
    "left and right half swapped": lambda x: x.roll(8, dims=-1),
}
print(f"chance, |R|/d: {chance}")
for name, f in known.items():
    one = local_dependency_ratio(f, torch.ones(1, 1, 16, 16), region)
    print(f"{name:28} {one.item():.2f}")

# %% [markdown]
# ## Three steps
#
# **The data.** A ratio belongs to an input, so you need noised signals $x_t$ of the kind that your
# network meets. Ours are four digits in the quarters of an image. Noise levels come from the
# scheduler: `alphas_cumprod` is $\bar\alpha_t$, and we name a level by $\sqrt{\bar\alpha}$, the
# share of the signal that is left, as the paper does.

# %%
from diffusers import DDPMScheduler, DiTTransformer2DModel, UNet2DModel

torch.manual_seed(seed)
generator = torch.Generator().manual_seed(seed)
digits, rule = render.Digits(16), grammar.QuarterSum()
chosen = torch.randint(len(rule.support), (samples,), generator=generator)
x0 = digits(rule.support[chosen])
noise = torch.randn(x0.shape, generator=generator)

scheduler = DDPMScheduler()
signal = scheduler.alphas_cumprod.double().sqrt()
step_at = lambda level: int((signal - level).abs().argmin())
noised = lambda t: scheduler.add_noise(x0, noise, torch.full((samples,), t))

t = step_at(0.5)
x_t = noised(t)
print(f"√ᾱ = 0.5 is step {t} of {len(signal)};", end=" ")
print("the network is to predict:", scheduler.config.prediction_type)

# %% [markdown]
# **Step 1: wrap your model** in a function that maps `[B, *shape]` to `[B, *shape]`. A lambda will
# do, and the time step is fixed inside it. No base class, no hooks.

# %%
unet = UNet2DModel(
    sample_size=16,
    in_channels=1,
    out_channels=1,
    block_out_channels=(8, 16),
    layers_per_block=1,
    norm_num_groups=4,
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    attention_head_dim=8,
    dropout=0.1,
)
unet.eval().requires_grad_(False)

f = lambda x: unet(x, t).sample

# %% [markdown]
# **Step 2: choose a region**, a Boolean mask of the shape of one signal. Above we made that of the
# top left quarter. A mask `[16, 16]` or `[1, 16, 16]` is spread over the channels of a colour
# image.
#
# **Step 3: call** `local_dependency_ratio`. It returns one ratio a signal:

# %%
ratio = local_dependency_ratio(f, x_t, region)
print(f"{len(ratio)} signals, {len(ratio)} ratios, from {ratio.min():.1f} to {ratio.max():.1f}")

# %% [markdown]
# That is all. Ask for `details` and you get the sums it was made from, with a summary over the
# signals: mean of the ratios, 95 % interval, ratio of the mean sums, and how many signals had no
# ratio at all.

# %%
found = local_dependency_ratio(f, x_t, region, details=True)
row = found.summary()
print(f"mean of ratios {row.mean:.2f}, 95 % interval {row.low:.2f} to {row.high:.2f};", end=" ")
print(f"ratio of means {row.pooled:.2f}")
print("signals without a ratio:", row.vanishing)

# %% [markdown]
# **A transformer**, conditioned on a class. What the network is conditioned on is closed over; it
# is part of the function, not of the input that is nudged. The function is called **once, with the
# whole batch**, so give it labels for each of the $B$ signals.

# %%
dit = DiTTransformer2DModel(
    sample_size=16,
    in_channels=1,
    out_channels=1,
    patch_size=2,
    num_layers=2,
    num_attention_heads=2,
    attention_head_dim=16,
    num_embeds_ada_norm=10,
    norm_num_groups=4,
)
dit.eval().requires_grad_(False)
labels = torch.arange(samples) % 10

f_dit = lambda x: dit(x, torch.full((len(x),), t), class_labels=labels).sample

ratio_dit = local_dependency_ratio(f_dit, x_t, region)
print(f"UNet {ratio.mean():.2f}, transformer {ratio_dit.mean():.3f}")

# %% [markdown]
# Look at that again. The transformer's attention can reach every patch from every patch, it has
# never been trained, and it is *all but perfectly local*, more so than the convolutional UNet.
# Nothing has taught it to be. With random weights the attention is nearly uniform: a patch hears
# each of the 64 patches faintly, and itself through the residual path at full strength. **A high
# ratio can be a property of the architecture.** Hence the most useful rule of this page: measure an
# untrained copy beside the trained network, always.
#
# ## Look before you average
#
# `saliency` shows *where* a region listens: the map's share inside the region is the ratio.
# `dependency` takes several regions and says which listens to which; where they tile the image, a
# row divided by its sum has the ratios on its diagonal.

# %% tags=["hide-input"]
#| label: probe-untrained-networks
#| fig-cap: >-
#|   Two untrained networks, mean over the signals. Left: share of each input pixel in what the
#|   outlined quarter listens to. Right: share of each quarter in what a quarter listens to; the
#|   diagonal holds the ratios. Colours are logarithmic; the line in the right colour bars is
#|   chance, 0.25.
#| fig-alt: >-
#|   Two rows, UNet and transformer. The UNet's heat leaks over the region's edges and falls off
#|   with distance; its matrix has 0.7 to 0.8 on the diagonal, about 0.1 for adjacent quarters and a
#|   few hundredths for opposite ones. The transformer's heat fills the region and is faint and even
#|   elsewhere; its matrix is nearly 1 on the diagonal and below 0.001 everywhere else.
both = {"UNet": f, "transformer": f_dit}
quarters = torch.stack([digits.region(i) for i in range(4)])  # [4, 1, 16, 16]
names = ["top left", "top right", "bottom left", "bottom right"]
heats, matrices = {}, {}
for name, one in both.items():
    heat = saliency(one, x_t, region)
    heats[name] = (heat / heat.sum((1, 2), keepdim=True)).mean(0)
    matrix = dependency(one, x_t, quarters, probes=16, generator=generator)
    matrices[name] = (matrix / matrix.sum(2, keepdim=True)).mean(0)
figures.heats_and_matrices(heats, matrices, region[0], names, chance)
plt.show()

# %% tags=["hide-input"]
print("how many times as much as the opposite quarter an adjacent one counts")
for name, matrix in matrices.items():
    print(f"- in the {name}: {(matrix[0, 1] + matrix[0, 2]) / 2 / matrix[0, 3]:.1f}")

# %% [markdown]
# One number would have hidden the difference in kind. To the UNet distance matters: its
# convolutions hear the neighbours' edges best. The transformer hears all other places alike, and
# each hardly at all.
#
# ## Choices, and their traps
#
# ### Which target
#
# A network may predict the noise, $x_0$ or $v$. Given $x_t$ each determines the others, as
# $\text{slope} \cdot f(x_t) + \text{shift} \cdot x_t$, so its Jacobian is
# $\text{slope} \cdot J + \text{shift} \cdot I$: **the ratio depends on the target**, and one set of
# Jacobian products serves all of them, errors included. That is `converted`:

# %%
c, s = signal[t], (1 - signal[t] ** 2).sqrt()  # √ᾱ, √(1−ᾱ)
as_x0 = found.converted(slope=-s / c, shift=1 / c)  # x̂0 = (x_t − s ε̂) / c

x0_hat = lambda x: (x - s.float() * f(x)) / c.float()
directly = local_dependency_ratio(x0_hat, x_t, region)
print(f"ratio of x̂0: converted {as_x0.ratio.mean():.2f}, measured {directly.mean():.2f}")
slope, shift = Schedule().affine(t, "noise", "x0")
print(f"slope {-s / c:.2f}, by Schedule().affine {slope:.2f};", end=" ")
print(f"shift {1 / c:.2f}, by Schedule().affine {shift:.2f}")

# %% [markdown]
# `Schedule.affine(t, source, target)` knows the slopes and shifts of this package's schedules;
# DDPM's default is one of them. For another scheduler take $c = \sqrt{\bar\alpha_t}$ and
# $s = \sqrt{1 - \bar\alpha_t}$ from its `alphas_cumprod`:
#
# | the network predicts | as $x_0$: slope, shift | as noise: slope, shift |
# |---|---|---|
# | noise $\varepsilon$ | $-s/c$, $1/c$ | $1$, $0$ |
# | $v = c\,\varepsilon - s\,x_0$ | $-s$, $c$ | $c$, $s$ |
# | $x_0$ | $1$, $0$ | $-c/s$, $1/s$ |
# | $\varepsilon - x_0$ (flow matching) | $-\sigma$, $1$ | $1-\sigma$, $1$ |
#
# In flow matching $x_t = (1-\sigma) x_0 + \sigma\varepsilon$.
#
# Scaling the output or the input as a whole changes nothing. If your sampler scales the input or
# preconditions the network (`scale_model_input`, EDM), put that *inside* the function, so that it
# maps $x_t$ to the prediction.
#
# Now the trap. The noise in a pixel is first of all in that pixel:
# $\hat\varepsilon = (x_t - \sqrt{\bar\alpha}\,\hat x_0)/\sqrt{1-\bar\alpha}$. The identity
# contributes a 1 for every number of the region, to the numerator and the denominator alike, while
# what there is to know about a symbol is a few directions, however many pixels show it. So for a
# region of many pixels the **noise** target gives a ratio near 1 almost whatever the network does.
# Here is a denoiser that could not be less local in its way: the exact optimum for a training set
# of just these images, which knows each by heart (it is made
# [below](#references-for-your-own-data)).

# %%
optimum = exact.of_images(x0, Schedule())
memory = {}
for level in (0.05, 0.1, 0.3, 0.5, 0.95):
    remembered = partial(optimum, t=step_at(level))
    x = noised(step_at(level)).double()  # it is exact: worth double precision
    memory[level] = local_dependency_ratio(remembered, x, region, details=True)

print("a memorised training set at √ᾱ = 0.3, LDR of")
for target in ("x0", "v", "noise"):
    slope, shift = Schedule().affine(step_at(0.3), "x0", target)
    print(f"{target:5} {memory[0.3].converted(slope, shift).summary().mean:.2f}")

# %% [markdown]
# Three answers, one denoiser. **Ask for $x_0$** when you want to know what the network makes of the
# picture.
#
# The identity can also enter through the other door. An untrained network that is *read as* noise
# predicts $\hat x_0 = (x_t - s\,\hat\varepsilon)/c$, and its faint response is drowned by that of
# $x_t/c$: local, by no merit or fault of its own. The figure reads the same untrained UNet in three
# ways and asks each for three targets.

# %% tags=["hide-input"]
levels = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
products = {}
for now in map(step_at, levels):
    f_now = lambda x, now=now: unet(x, now).sample
    products[now] = local_dependency_ratio(
        f_now, noised(now), region, probes=16, generator=generator, details=True
    )

# %% tags=["hide-input"]
#| label: probe-targets
#| fig-cap: >-
#|   One untrained UNet, one set of Jacobian products at each noise level (16 random probes), nine
#|   answers. Bands are 95 % intervals over the signals; the dashed line is chance.
#| fig-alt: >-
#|   Three panels of the ratio against the square root of alpha bar, for an output read as noise, as
#|   x0 and as v. In each, the target that the network is read as gives 0.75 to 0.8 at all levels
#|   and the other targets are often near 1: x0 of a network read as noise stays above 0.95.
readings = {
    reads: {
        target: [
            one.converted(*Schedule().affine(now, reads, target)).summary()
            for now, one in products.items()
        ]
        for target in TARGETS
    }
    for reads in TARGETS
}
figures.readings(levels, readings, chance)
plt.show()

# %% [markdown]
# So two networks may be compared only at the same target, and a trained one with an untrained copy
# that is **read in the same way**.
#
# ### Which noise level, and which $x_t$
#
# The Jacobian of the perfect denoiser is
# $\frac{\sqrt{\bar\alpha}}{1-\bar\alpha}\,\mathrm{Cov}[x_0 \mid x_t]$. At high noise that is the
# covariance of the data: symbols of which any two are uncorrelated, as under a parity, do not hear
# each other, and rightly. At low noise the picture is already decided, and the ratio speaks of
# strokes and edges. What you want to know lives in between, and where that is depends on your data:
# large, clear symbols are decided at very small $\sqrt{\bar\alpha}$. Measure at several levels. Say
# too where $x_t$ came from: noised training data, noised held-out data or the model's own sampling.
# They are different questions. An $x$ that is pure noise at a step that promises a picture is none
# of them.
#
# ### Evaluation mode
#
# The function must treat each signal by itself and give the same answer twice. `from_pretrained`
# hands out networks in evaluation mode, a constructor and `from_config` **do not**. Ours have
# dropout, or drop class labels at random; others have batch norm, which mixes the signals of a
# batch and with them their gradients.

# %%
unet.train()
print("how far two calls of the same function are apart, at most")
print(f"- in training mode: {(f(x_t) - f(x_t)).abs().max():.1f}")
unet.eval()
print(f"- in evaluation mode: {(f(x_t) - f(x_t)).abs().max():.1f}")

# %% [markdown]
# Gradients must flow, though only to the input: pipelines run under `no_grad`, so call the network
# itself. What cannot work is refused with the reason:

# %%
attempts = {
    "under no_grad": (torch.no_grad()(f), region),
    "the output object, not its sample": (lambda x: unet(x, t), region),
    "a mask of numbers": (f, region.float()),
}
for name, (broken, mask) in attempts.items():
    try:
        local_dependency_ratio(broken, x_t, mask)
    except ValueError as error:
        print(textwrap.fill(f"{name}: {error}", subsequent_indent="    "))

# %% [markdown]
# ### Exact, or how many probes
#
# Without `probes` the ratio is exact and costs $|R|$ vector-Jacobian products: 64 here, 1,024 for a
# quarter of a 64 × 64 image. With `probes=K` it costs $K$, for any region. Each probe is a random
# direction of the region; the bias that a ratio of estimates has is taken off, and `standard_error`
# and `interval()` say what is left to chance. The directions of one signal are orthogonal, so the
# error falls faster than $1/\sqrt K$ as $K$ nears $|R|$, and vanishes there.

# %% tags=["hide-input"]
#| label: probe-estimates
#| fig-cap: >-
#|   Left: each signal's ratio with 8 probes, 95 % interval, against the exact value. Right: error
#|   of one signal's ratio, root mean square over the signals, as it is and as the estimator says it
#|   is.
#| fig-alt: >-
#|   Left: dots with bars scattered around dark ticks of the exact ratio between 0.6 and 0.9, the
#|   chance line far below. Right: two falling lines that lie near each other on logarithmic axes,
#|   dropping more steeply towards 64 probes.
estimates = {
    K: local_dependency_ratio(f, x_t, region, probes=K, generator=generator, details=True)
    for K in (2, 4, 8, 16, 32, 56)
}
figures.estimate_errors(found, estimates, chance)
plt.show()

# %% tags=["hide-input"]
low, high = estimates[8].interval()
inside = ((low <= found.ratio) & (found.ratio <= high)).sum()
print(f"8 probes: {inside} of {samples} intervals hold the exact ratio")
worst = max((estimates[K].ratio - found.ratio).mean().abs() for K in (8, 16, 32, 56))
print(f"from 8 probes on, the mean over the signals is off by at most {worst:.3f}")
full = local_dependency_ratio(f_dit, x_t, region, probes=64)
print(f"64 probes of 64: off by at most {(full - ratio_dit).abs().max():.4f}")

# %% [markdown]
# With fewer than about eight probes the standard error of a single signal is itself a rough guess;
# `interval()` is wider to allow for it. The mean over the signals hardly minds. What the probes
# leave to chance averages out over signals, and the difference between signals does only that way:
# with a budget of products take **more signals and few probes**, at least 2 so that the error can
# be told. The interval of `summary()` is over the signals and contains the chance of the probes
# already. A bias-corrected ratio may come out a little above 1; leave it so, or the mean is biased
# again.
#
# ### Several regions at once
#
# Give masks `[n, *shape]` and get `[n, B]`, from one forward pass:

# %%
by_quarter = local_dependency_ratio(f, x_t, quarters, probes=16, generator=generator)
print("ratios [regions, signals]:", list(by_quarter.shape))
print("means of the quarters:", ", ".join(f"{one:.1f}" for one in by_quarter.mean(1)))

# %% [markdown]
# Mind the axis. Masks `[n, H, W]` for signals `[C, H, W]` have as many axes as one signal, so they
# are taken for **one** mask that differs by channel. With four quarters and four channels of a
# latent that even fits. Write `masks[:, None]`.
#
# Regions of different size have different chance levels $|R|/d$. A region that cuts through symbols
# has a long border, where neighbours are heard by any convolution; whole cells answer the question
# about symbols.
#
# ### Chunk and memory
#
# `chunk` (`localbias.ldr.ratio.CHUNK` by default) is how many products are carried at once, signals
# × vectors. It bounds the memory of the backward pass and changes nothing else:

# %%
small, large = (local_dependency_ratio(f_dit, x_t, region, chunk=chunk) for chunk in (16, 512))
print(f"apart by at most {(small - large).abs().max():.4f}; by default chunk={ldr.ratio.CHUNK}")

# %% [markdown]
# The forward pass of all $B$ signals is kept for as long as products are taken, however small the
# chunk. If that is too much, split the signals:
# `torch.cat([local_dependency_ratio(f, part, region) for part in x_t.split(4)])`, with conditioning
# to match. Freezing the weights (`requires_grad_(False)`, as above) saves some of it. Attention
# runs in its plain form while products are taken, as the fused kernels cannot carry several
# vectors; where some other operation cannot, as in this UNet's attention, one vector follows the
# other, which is slower and the same. On a GPU, put $x_t$, the network and its conditioning there;
# the mask follows.
#
# ### Vanishing Jacobians
#
# Once a denoiser is sure, nudging its input changes nothing: $J_R = 0$, and the ratio is 0/0. The
# memorised training set again, at two noise levels:

# %%
for level in (0.3, 0.95):
    lost = memory[level].vanishing.double().mean()
    print(f"√ᾱ = {level}: {lost:.0%} of the Jacobians vanish")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    clear = step_at(0.95)
    local_dependency_ratio(partial(optimum, t=clear), noised(clear).double(), region)
print("without details, a warning:")
print(textwrap.indent(textwrap.fill(str(caught[0].message)), "    "))

# %% [markdown]
# Such signals are masked and counted, never NaN: `summary()` leaves them out of the mean of ratios
# and tells how many they were. But to leave out the sure ones is to select the unsure. The **ratio
# of means** beside it keeps all signals, and weighs each by how strongly it reacts. Give both where
# they differ, and the count.
#
# ### Conditioning and guidance
#
# Text works like a class: close over it, one row a signal.
#
# ```python
# # text [B, tokens, width]
# f = lambda x: unet(x, t, encoder_hidden_states=text).sample
# ```
#
# Under classifier-free guidance the sampler follows neither prediction but a mixture, and that has
# a ratio of its own. Measure what you sample with:

# %%
nothing = torch.full_like(labels, 10)  # the label that stands for none
f_nothing = lambda x: dit(x, torch.full((len(x),), t), class_labels=nothing).sample

weight = 4.0
guided = lambda x: f_nothing(x) + weight * (f_dit(x) - f_nothing(x))

ratio_guided = local_dependency_ratio(guided, x_t, region)
print(f"share from outside the region: {1 - ratio_dit.mean():.2%},", end=" ")
print(f"under guidance {1 - ratio_guided.mean():.2%}")

# %% [markdown]
# ### Latent diffusion
#
# There the network's input is a latent, and so is the region: a mask `[1, h, w]` over all channels,
# one cell for every 8 × 8 or so pixels of the image. Or you may ask about *pixels*, with the
# decoder composed. Decoded images have another shape than latents, and the function must keep the
# shape. Fold the pixels of a cell into channels with `pixel_unshuffle`, and give the latents as
# many channels by appending zeros, which the function ignores:

# %%
from diffusers import AutoencoderKL

vae = AutoencoderKL(
    in_channels=3,
    out_channels=3,
    latent_channels=4,
    block_out_channels=(8, 16),
    norm_num_groups=4,
    down_block_types=("DownEncoderBlock2D",) * 2,
    up_block_types=("UpDecoderBlock2D",) * 2,
)

# %%
latent_dit = DiTTransformer2DModel(
    sample_size=8,
    in_channels=4,
    out_channels=4,
    patch_size=2,
    num_layers=2,
    num_attention_heads=2,
    attention_head_dim=16,
    num_embeds_ada_norm=10,
    norm_num_groups=4,
)
for part in (vae, latent_dit):
    part.eval().requires_grad_(False)

# %%
predicted_noise = lambda z: latent_dit(z, torch.full((len(z),), t), class_labels=labels).sample
# x̂0, a latent [B, 4, 8, 8]
predicted = lambda z: (z - s.float() * predicted_noise(z)) / c.float()
# [B, 3, 16, 16] as [B, 3 · 2 · 2, 8, 8]; of z / scaling_factor, if any
pixels = lambda z: pixel_unshuffle(vae.decode(z).sample, 2)

z_t = torch.randn(samples, 4, 8, 8)  # in earnest: noised latents of your data
padded = torch.cat([z_t, torch.zeros(samples, 12 - 4, 8, 8)], dim=1)
cell = torch.zeros(1, 8, 8, dtype=torch.bool)
cell[:, :4, :4] = True

# %%
asked = {
    "x̂0 as a latent": (predicted, z_t),
    "x̂0 decoded": (lambda x: pixels(predicted(x[:, :4])), padded),
    "the decoder alone": (lambda x: pixels(x[:, :4]), padded),
}
for name, (f_latent, z) in asked.items():
    one = local_dependency_ratio(f_latent, z, cell, probes=16, generator=generator)
    print(f"LDR of {name}: {one.mean():.2f}")

# %% [markdown]
# A decoder with attention or a wide receptive field mixes places too. Measure it alone, or what it
# does is put down to the diffusion model.
#
# ## Calibrate
#
# A ratio without something to hold it against means little. Three references, by rising price:
#
# 1. **Chance**, $|R|/d$: free, and about where a network without a sense of place begins.
# 2. **An untrained copy**, read the same way: with *diffusers*, the class's
#    `from_config(unet.config)`, then `eval()`. Better a few, with several seeds.
# 3. **Exact denoisers**, where the data are finite: the optimum $\mathbb{E}[x_0 \mid x_t]$ for the
#    training set, and the best that each cell can do by itself.
#
# All three on a problem that trains in seconds: four numbers $\pm 1$ whose product is $+1$, and a
# small dense network that predicts $x_0$. Every number is a region, $|R|/d = 1/4$; all eight valid
# strings are the training set.

# %%
schedule = Schedule("cosine")
parity, scalars = grammar.Parity(4), render.Scalars(4)
strings = scalars(parity.support)
exactly = {
    "exact: training set": exact.train(parity.support, scalars, schedule),
    "exact: each number by itself": exact.marginals(parity, scalars, schedule),
}

# %%
torch.manual_seed(seed)
mlp = networks.make("mlp", (4,), width=128, depth=2)
network = Denoiser(mlp, schedule, reads="x0", target="x0")
training = Training(live_steps, batch=128, rate=5e-3, warmup=50, decay="linear")
draw = lambda generator, n: strings[torch.randint(len(strings), (n,), generator=generator)]

kept = {"untrained": copy.deepcopy(network)}
start = State.fresh(network, training)
for state in train(start, training, draw, seed):
    if state.step == 100:
        kept["after 100 steps"] = copy.deepcopy(network)
kept[f"after {live_steps:,} steps"] = network

# %% [markdown]
# Everything is measured at the very same $x_t$. Beside the ratio stands what it is meant to
# explain: by how much each network's $\hat x_0$ misses the optimum's. The ratio drawn is that of
# means, as some of these denoisers are all but sure.

# %% tags=["hide-input"]
levels = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
times = [schedule.index(sqrt_alpha_bar=level) for level in levels]
regions = torch.eye(4, dtype=torch.bool)  # [4, 4]: each number a region
clean = draw(generator, 64)
grain = torch.randn(clean.shape, generator=generator)
sums, excess = {}, {}
for name, denoiser in (kept | exactly).items():
    x = [schedule.add_noise(clean, grain, now) for now in times]
    x = [one.double() for one in x] if name in exactly else x
    sums[name] = [
        local_dependency_ratio(partial(denoiser, t=now), one, regions, details=True)
        for one, now in zip(x, times)
    ]
    best = [exactly["exact: training set"](one.double(), now) for one, now in zip(x, times)]
    with torch.no_grad():
        off = [denoiser(one, now) - x0_best for one, now, x0_best in zip(x, times, best)]
    excess[name] = [one.square().mean().item() for one in off]

# %% tags=["hide-input"]
#| label: probe-calibration
#| fig-cap: >-
#|   A dense network on four numbers with a parity, against its references; ratios of means over 64
#|   signals and four regions, x0 target. Left: the dashed line is chance, 1/4. Right: mean squared
#|   distance from the optimum's prediction, the excess of the loss over the best that is possible.
#| fig-alt: >-
#|   Left: the untrained network is flat near 0.3, after 100 steps the ratio is near 1 at most
#|   levels as for the exact denoiser that takes each number by itself, and at the end it falls with
#|   the noise much like the exact denoiser of the training set. Right: the distance from the
#|   optimum is largest untrained, comparable to that of the exact local denoiser after 100 steps,
#|   and several times smaller at the end.
pooled = {
    name: [(one.inside.sum() / one.total.sum()).item() for one in by_level]
    for name, by_level in sums.items()
}
others = {name: excess[name] for name in excess if name != "exact: training set"}
figures.calibration(levels, pooled, others, 1 / 4)
plt.show()

# %% tags=["hide-input"]
at = levels.index(0.8)
print("ratio of means at √ᾱ = 0.8")
print(f"- exact: training set {pooled['exact: training set'][at]:.2f},", end=" ")
print(f"each number by itself {pooled['exact: each number by itself'][at]:.2f}")
for name in kept:
    print(f"- {name}: {pooled[name][at]:.1f}")

# %% tags=["remove-cell"]
if seed == 0 and tier == "laptop":
    first, early, final = kept
    last = sums[final][-1]  # at √ᾱ = 0.9
    assert last.ratio[~last.vanishing].mean() < pooled[final][-1] - 0.1
    assert excess[first][at] > 10 * excess[final][at]
    assert excess[early][at] > 2 * excess[final][at]

# %% [markdown]
# In the order of training this is the paper's story in small, and the reason for the caution on
# this page:
#
# - The ratio is **low before training and low at the end**, for opposite reasons: a dense network
#   listens to everything because it knows nothing, and later because it has to. Only the right
#   panel tells the two apart.
# - In between it is near 1. That is the local generation bias: the network has found what each
#   number can do by itself. However well it does that, it comes no nearer to the optimum than the
#   exact local denoiser.
# - At high noise (small $\sqrt{\bar\alpha}$) the optimum itself has a ratio of 1, since any two of
#   the numbers are uncorrelated. A high ratio there is no failure. Nor is a low one an achievement:
#   all the Jacobians are small, and the ratio weighs a network's errors.
# - The trained network's ratio is to be compared with the *optimum's curve*, not with 1 and not
#   with 0. Its *mean of ratios* would fall well below that curve where the strings are nearly
#   decided: signals whose Jacobians have all but vanished then count as much as any.
#
# (references-for-your-own-data)=
# ### References for your own data
#
# A finite training set of any images has an exact optimum: a softmax over the images.
# `localbias.exact.of_images` is that optimum. This is how the memorised training set above was
# made; it takes any shape, colour too, and thousands of small images.
#
# ```python
# optimum = exact.of_images(images, Schedule())
# ```
#
# Nobody's network should *be* that optimum, for it can only repeat the training images. It shows
# how low the ratio of a perfect memory is, level by level: the other end of the scale from the
# untrained copy. If your data have a grammar, a `Grammar` and a renderer ([how
# to](../reproduce.md)) give you the exact denoisers of the rule and of independent symbols as well.

# %%
for level, one in memory.items():
    if one.mostly_there:
        row = one.summary()
        print(f"√ᾱ = {level:<4}  mean of ratios {row.mean:.2f}, ratio of means {row.pooled:.2f}")

# %% [markdown]
# ## What a number shows, and what it does not
#
# **A high ratio** (near 1)
#
# - shows that at these $x_t$ small changes elsewhere hardly move the prediction in the region;
# - does *not* show that training made it so: see the untrained transformer;
# - does *not* show a fault: where symbols are independent the optimum is local, and at high noise
#   where they are uncorrelated;
# - shows *nothing* where an identity makes it so: at the noise target, or in an untrained network
#   that is read as noise;
# - points to a local generation bias where the optimum's ratio at the same $x_t$ is clearly lower
#   **and** the loss is above the optimum.
#
# **A low ratio** (towards $|R|/d$)
#
# - shows that the prediction in the region reacts to other places;
# - does *not* show that it reacts *rightly*: untrained dense networks do it best;
# - does *not* tell knowing the rule from knowing the training set by heart: for that, look at what
#   comes out, as [the first chapter](01_synthetic_hallucination) does;
# - does *not* speak of the diffusion model alone if a decoder or guidance is in the function;
# - means little where the Jacobian is nearly zero.
#
# **Either way** the ratio is about infinitesimal nudges at one step of sampling. It says nothing
# about how far locality at one step carries through all the others, and nothing about quality.
#
# **When you report one**, say: the target; the noise level; the region and $|R|/d$; where $x_t$
# came from; raw or averaged weights; exact or how many probes; how many signals, and the interval;
# how many Jacobians vanished, with the ratio of means; and the untrained copy's number beside it.
