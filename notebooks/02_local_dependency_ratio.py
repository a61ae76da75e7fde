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
# Chapter 1 ended with sharp symbols in random strings, and with the paper's explanation: the network draws each symbol from the
# noise at that symbol's own place. This chapter measures it. The paper's instrument (§4.3) is a number between 0 and 1.
# Let $f$ be the network at one noise level, $R$ the pixels of one symbol, $J_R$ the Jacobian of the outputs in
# $R$ with respect to all inputs, and $J_{RR}$ its part with respect to the inputs in $R$. Then
#
# $$\mathrm{LDR}(x_t) = \frac{\lVert J_{RR}\rVert_F^2}{\lVert J_R\rVert_F^2}$$ (eq-ldr)
#
# is the **local dependency ratio**: 1 if the symbol listens to its own place alone, $|R|/d$ if it listens to every pixel alike.
# The paper reports the mean over noised samples and finds it high as long as the network hallucinates.
#
# A ratio near 1 sounds like a diagnosis. Whether it is one depends on what a *perfect* model would show. For our data that can be
# computed, and the networks' curves stand beside it. Three questions come first: what do exact denoisers show, at
# which noise levels, and does it matter what the network's output is taken for?

# %% tags=["parameters"]
tier = "laptop"  # "smoke" goes through everything in a minute or two, "paper" wants a GPU and days
device = "auto"  # "cpu" or "cuda"
seed = 0  # 0 shows the three recorded seeds 0, 1, 2; any other number only that seed
signals = 48  # noised signals at each level where this notebook itself measures

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from tqdm import tqdm

from localbias import catalogue, figures, figures_ldr, ldr, outcome, probe, products, reference, run
from localbias.chapters import parameters
from localbias.exact import over_levels
from localbias.experiment import TIERS, Setup
from localbias.reference import NAMES
from localbias.widgets import slider

parameters(globals(), tier=TIERS, device=("auto", "cpu", "cuda"), seed=range(2**31), signals=range(2, 10**5))
seeds = (0, 1, 2) if seed == 0 else (seed,)
figures.use_style()

def made(name, seed=seed):
    return catalogue.make(name, catalogue.tier_for(name, tier), seed)

def recorded(name, seeds=seeds):
    return [run.run(made(name, s), device) for s in seeds]

# %% [markdown]
# ## What a perfect model would show
#
# Chapter 1's three exact denoisers are functions like any network's, so they have a local dependency ratio too:
# **rule** (all valid strings), **train** (the training set) and **marginals** (every symbol on its own, which is
# perfect locality). The figure runs through all noise levels, from pure noise at the left to clean at the right. The
# bottom row shows where it makes a difference to know the rule: how much larger the marginals denoiser's loss (of $\hat{x}_0$) is than the rule's.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Exact denoisers: the mean LDR of the first symbol over noised valid strings, of the prediction of x0 (top) and of the noise (middle). Curves end where more than half of the Jacobians vanish. Bottom: the loss of the marginals denoiser beyond the rule's. Shaded: where that is at least a tenth of its peak. Thin vertical lines: the levels that the paper probes."}, "image": {"alt": "Nine panels: local dependency ratio of the exact rule, training set and marginals against the noise level for scalars, parentheses and digits, for two targets, and the loss that the rule saves"}}
PAPER_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
LEVELS = np.array([0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])

setups = {title: Setup(made(name)) for title, name in {
    "scalars, L = 8": "parity-8-scalars", "parentheses, L = 8": "parity-8-unet", "Quarter-MNIST": "quarter-unet-470",
}.items()}
exact = {title: over_levels(setup, LEVELS, seed, signals) for title, setup in tqdm(setups.items(), desc="exact denoisers", unit="rendering")}
figures_ldr.exact_panels(exact, PAPER_LEVELS)
plt.show()

# %%
for title, panel in exact.items():
    in_band = (LEVELS >= panel["band"][0]) & (LEVELS <= panel["band"][1])
    below = LEVELS < max(panel["band"][0], LEVELS[1])
    rule, marginals = (np.array(panel["x0"][name]) for name in ("rule", "marginals"))
    print(f"{title}: marginals 1 everywhere: {bool(np.nanmin(marginals) > 1 - 1e-9)};", end=" ")
    print(f"rule above .9 somewhere below the band: {bool(rule[below].max() > 0.9)};", end=" ")
    print(f"rule at its lowest inside the band under .9: {bool(np.nanmin(rule[in_band]) < 0.9)}")

# %% [markdown]
# Four things to read off before any network is looked at.
#
# 1. **At high noise the rule itself is local.** To the left of the band the exact rule has a ratio near 1: its symbols are independent in pairs, or
#    nearly so, and in so much noise nothing beyond pairs can be seen. A high LDR there shows no failure. It is what the optimum does.
# 2. **At low noise nobody needs the rule.** To the right of the band each symbol can be recognised by itself. The rule saves no loss there,
#    and yet its ratio is low: the little doubt that is left is about two symbols at once, for a single other one would break the rule.
#    In the end nothing moves $\hat{x}_0$ any more, and the ratio is 0/0. So a low LDR near √ᾱ = 0.9 doesn't show that something was memorised.
# 3. **Inside the band the ratio can tell.** There the rule's ratio lies clearly below 1 and marginals' does not. But *where* the band lies
#    depends on the rendering: what counts is how far apart the symbols' pictures are, measured in noise.
#    Scalars ±1 are decided late, digits of 14 × 14 pixels early. Of the paper's five levels only one or two fall inside.
# 4. **The training set's ratio of $\hat{x}_0$ is below the rule's.** Whoever knows the training strings has more reason to look around than
#    whoever knows the rule. A falling LDR is therefore no sign that the *rule* has been learned.

# %% tags=["hide-input"]
rows = [f"| {title} | {panel['band'][0]:.2f} to {panel['band'][1]:.2f} | "
        f"{', '.join(f'{c:g}' for c in PAPER_LEVELS if panel['band'][0] <= c <= panel['band'][1]) or 'none'} |" for title, panel in exact.items()]
Markdown("From the first to the last of the levels above (they lie 0.05 apart) at which the rule saves at least a tenth of the most that it saves:\n\n"
         "| rendering | √ᾱ at which the rule matters | of the paper's levels |\n|---|---|---|\n" + "\n".join(rows))

# %% [markdown]
# ## Of what is the ratio taken?
#
# The middle row above is the same measurement for the *noise* that a denoiser predicts, and it tells another story: for
# the digits all three references have a ratio of nearly 1 at every level. The reason takes two lines. Given $x_t$, each of the three
# usual targets is an affine function of each other,
#
# $$\hat\varepsilon = \frac{x_t - \sqrt{\bar\alpha}\,\hat{x}_0}{\sqrt{1-\bar\alpha}},\qquad
# \hat v = \frac{\sqrt{\bar\alpha}\,x_t - \hat{x}_0}{\sqrt{1-\bar\alpha}}
# \quad\Longrightarrow\quad
# J_{\varepsilon} = \frac{I - \sqrt{\bar\alpha}\,J_{x_0}}{\sqrt{1-\bar\alpha}},\qquad
# J_{v} = \frac{\sqrt{\bar\alpha}\,I - J_{x_0}}{\sqrt{1-\bar\alpha}}.$$ (eq-targets)
#
# The identity lies in the region by definition. It adds about $|R|$ to the numerator *and* the denominator, and with hundreds of pixels in
# a region it drowns what a good denoiser adds. The library measures all three from one set of Jacobian products, since the squared norms of
# $aI + bJ$ need only $\lVert J_{RR}\rVert^2$, $\lVert J_R\rVert^2$ and $\operatorname{tr} J_{RR}$.
#
# To see whether this is the identity's doing or the network's, here are networks of one shape, trained on the same loss, that differ only in
# what their output is read as: $v$ or the noise.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "One measurement, three targets, at √ᾱ = 0.3 (the exact rule: dashed). Columns: UNet and DiT, their output read as v or as noise. Lines are means over the seeds that were run, bands their range."}, "image": {"alt": "LDR along training for the three targets in four networks"}}
def of_targets(records, level):
    at, schedule = records[0].experiment["probing"]["levels"].index(level), Setup(made("quarter-unet-470")).schedule
    t = int(records[0].arrays["probe_t"][at])
    return {target: {name: np.stack([figures_ldr.mean_ratio(probe.stored(r, name)[:, at].converted(*schedule.affine(t, "x0", target))) for r in records])
                     for name in ("ldr", "reference_ldr")} for target in ("x0", "noise", "v")}

readings = {f"{network},\nread as {'noise' if suffix else 'v'}": recorded(f"quarter-{network.lower()}-470{suffix}", seeds if network == "DiT" or not suffix else seeds[:1])
            for network in ("UNet", "DiT") for suffix in ("", "-noise")}
figures_ldr.three_targets({title: (records, of_targets(records, made("quarter-unet-470").probing.closer[0])) for title, records in readings.items()})
plt.show()

# %% tags=["hide-input"]
lowest = {}
for title, records in readings.items():
    by_level = [run.ratios_by_level(r, "noise") for r in records]
    lowest[title] = min(summary.mean for one in by_level for summaries in one.values() for summary in summaries if summary)
Markdown("The lowest mean LDR **of the noise** at any level and any step, before training included: "
         + "; ".join(f"{title.replace(chr(10), ' ')}: **{value:.3f}**" for title, value in lowest.items()) + ".")

# %% [markdown]
# Once trained, the noise's ratio is near 1 in every column, also for the networks that *output* the noise. Which target can the
# paper's Figure 5 have used, then? It shows a UNet that stays above 0.75 and a DiT whose ratio falls when its accuracy rises. The
# paper trains to predict the noise and doesn't say what the ratio is taken of. Its own size of image settles it as far as one exemplar a digit
# goes: at 64 × 64 pixels, here is what a network would show that has learned the rule, or the training set, *perfectly*.

# %% tags=["hide-input"]
large, generator = Setup(catalogue.make("quarter-unet-470", "paper" if tier != "smoke" else "smoke", seed)), torch.Generator().manual_seed(seed)
x0 = large.renderer(large.train_strings[torch.randint(len(large.train_strings), (signals // 2,), generator=generator)], generator)
perfect = {name: {target: [] for target in ("x0", "v", "noise")} for name in ("rule", "train")}
for c in PAPER_LEVELS:
    t = large.schedule.index(sqrt_alpha_bar=c)
    x_t = large.schedule.add_noise(x0, torch.randn(x0.shape, generator=generator), t).double()
    for name, by_target in perfect.items():
        found = ldr.local_dependency_ratio(lambda x: large.references[name](x, t), x_t, large.renderer.region(0), 8, generator,
                                           resolution=reference.RESOLUTION, details=True)
        for target, ratios in by_target.items():
            ratios.append(float(figures_ldr.mean_ratio(found.converted(*large.schedule.affine(t, "x0", target)))))

def shown_ratio(value):
    return "0/0" if np.isnan(value) else f"{value:.2f}"

Markdown(f"A perfect network at {large.renderer.shape[1]} × {large.renderer.shape[2]} pixels, noised training images:\n\n| it knows | LDR of | "
         + " | ".join(f"√ᾱ = {c:g}" for c in PAPER_LEVELS) + " |\n|---|---|---|---|---|---|---|\n"
         + "\n".join(f"| the {'rule' if name == 'rule' else 'training set'} | {target} | {' | '.join(map(shown_ratio, ratios))} |"
                     for name, by_target in perfect.items() for target, ratios in by_target.items()))

# %%
print("noise, perfect knowledge, every level: above .99:", min(min(by_target["noise"]) for by_target in perfect.values()) > 0.99)

# %% [markdown]
# A network that comes to know more, and predicts the noise well, thus has no way to a lower ratio of the noise on these data: the end of the way is
# at 1. A figure in which the ratio falls as the accuracy rises is one of $\hat{x}_0$ (or, at high noise, of $v$), or of other pictures than these.
# From here on the ratio is that of $\hat{x}_0$.
#
# ## Measuring it
#
# An exact ratio costs one vector-Jacobian product for every pixel of the region. A few random ones do nearly as well. With a random vector
# $u$ on the region, $g = J_R^\top u$ has $\mathbb{E}\lVert g_R\rVert^2 = \lVert J_{RR}\rVert^2$ and $\mathbb{E}\lVert g\rVert^2 = \lVert J_R\rVert^2$: one
# product serves numerator and denominator. The vectors are drawn as columns of a random orthonormal frame, so that all $|R|$ of them give the
# exact value again, and the bias of a ratio of two estimates is taken off.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "A trained network: the estimate minus the exact ratio for each of 24 signals, with its 95 % intervals, against the number of probes; the region has 196 pixels. Right: the mean over the signals, as a share of the exact mean, in 20 repetitions."}, "image": {"alt": "Errors of the estimated ratio shrinking with the number of random probes"}}
watched = recorded("quarter-dit-470")[0] if seed == 0 and tier == "laptop" else None
setup = Setup(made("quarter-dit-470"))
network = run.load_network(watched, watched.experiment["keep"][-1]) if watched else setup.denoiser().eval()
prober, region = probe.Probe(setup), setup.renderer.region(0)
at = setup.experiment.probing.levels.index(setup.experiment.probing.closer[0])
x_t, t = prober.noised[at], prober.times[at]

def x0_of(x):
    return setup.schedule.predict(network, x, t, "x0")

whole = ldr.local_dependency_ratio(x0_of, x_t, region, details=True)
tries = {k: [ldr.local_dependency_ratio(x0_of, x_t, region, k, torch.Generator().manual_seed(i), details=True) for i in range(20)]
         for k in (2, 4, 8, 16, 32)}
figures_ldr.estimates(whole, tries)
plt.show()

# %% tags=["hide-input"]
inside = {k: np.mean([((low <= whole.ratio) & (whole.ratio <= high)).float().mean() for low, high in (f.interval() for f in found)]) for k, found in tries.items()}
off = {k: np.mean([abs(f.ratio.mean() / whole.ratio.mean() - 1) for f in found]) for k, found in tries.items()}
Markdown("| probes | 95 % intervals that contain the exact ratio | error of the mean over the signals |\n|---|---|---|\n"
         + "\n".join(f"| {k} | {inside[k]:.0%} | {off[k]:.2%} |" for k in tries))

# %% [markdown]
# `benchmarks/ldr.py` measures what that saves, and compares the exact ratio with `torch.func.jacrev` and its relatives. To
# use the probe on a network of your own, go to [Probe your own model](probe_your_own_model.ipynb).
#
# ## Along training
#
# Now the networks of chapter 1. First parity, where the scalars go through all phases and the UNet stays in the second. The level is one inside the
# band. Top: what comes out. Middle: how locally it is made, beside what the exact denoisers and the untrained network show at the very same noised signals.
# Bottom: how far the network's $\hat{x}_0$ is from each exact one. The distance from the *rule* is the network's excess loss, for the noised
# signals are drawn from all valid strings.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Parity of length 8. Lines are means over the seeds, bands their range; top: dashed lines are chance."}, "image": {"alt": "Outcomes, local dependency ratio and distances from the exact denoisers along training for scalars and for the UNet on parentheses"}}
parity = {"scalars, MLP": (recorded("parity-8-scalars"), 0.8), "parentheses, UNet": (recorded("parity-8-unet"), 0.7)}
if tier == "smoke":
    parity = {title: (records, 0.9) for title, (records, _) in parity.items()}
figures_ldr.along_training(parity)
plt.show()

# %% [markdown]
# On scalars the ratio sinks in two steps, and its two summaries tell them apart. The *mean of ratios*, which is what the paper reports, falls first, while samples become
# readable: it counts all signals alike, and where a symbol is already decided the Jacobian is small and its ratio low. The *ratio of means*, which
# weighs each signal by its Jacobian, falls later, as the share of training strings rises. The bottom row says what happens meanwhile. In the hallucination phase
# the network's $\hat{x}_0$ is nearest to the **marginals** denoiser's: it generates locally, to the letter. After that it leaves the marginals *and* the rule and
# comes nearer to the training set. The UNet stays at chance, at its high ratio, and nearest to the marginals, to the end.
#
# Next Quarter-MNIST, with the UNet, the DiT, and the MLP on 470 tuples and on 50.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Quarter-MNIST at √ᾱ = 0.3, inside the band. The number in a title is that of the training tuples."}, "image": {"alt": "Outcomes, local dependency ratio and distances from the exact denoisers along training for UNet, DiT and two MLPs on Quarter-MNIST"}}
level = made("quarter-unet-470").probing.closer[0]
quarter = {title: (recorded(name), level) for title, name in {
    "UNet, 470": "quarter-unet-470", "DiT, 470": "quarter-dit-470", "MLP, 470": "quarter-mlp-470", "MLP, 50": "quarter-mlp-50"}.items()}
figures_ldr.along_training(quarter)
plt.show()

# %% tags=["hide-input"]
def moment(records, row, at):
    values = [figures_ldr.mean_ratio(probe.stored(r))[row, at] for r in records]
    return f"{np.mean(values):.2f} ({min(values):.2f}–{max(values):.2f})"

def pooled(records, at):
    parts = [probe.stored(r)[-1, at] for r in records]
    return f"{np.mean([(p.inside.sum() / p.total.sum()).item() for p in parts]):.2f}, {int(sum(p.vanishing.sum() for p in parts))} of {sum(len(p) for p in parts)}"

def story(title, records, level):
    at = records[0].experiment["probing"]["levels"].index(level)
    exact = np.mean([figures_ldr.mean_ratio(probe.stored(r, "reference_ldr"))[:, at] for r in records], 0)
    counts = np.stack([r.arrays["counts"][-1] for r in records])
    invalid, hallucination, *valid = outcome.Outcomes(counts).over_seeds()[0]
    middle = len(records[0].arrays["step"]) // 2
    return (f"| {title} | {level:g} | {exact[NAMES.index('rule')]:.2f} | {exact[NAMES.index('train')]:.2f} | {moment(records, 0, at)} | "
            f"{moment(records, middle, at)} | {moment(records, -1, at)} | {pooled(records, at)} | {invalid:.0%}, {hallucination:.0%}, {sum(valid):.0%} |")

Markdown("LDR of x̂0 (mean of ratios; over the seeds, and their range):\n\n"
         "| network | √ᾱ | exact rule | exact training set | untrained | midway | at the end | ratio of means, vanishing, at the end | unreadable, hallucination, valid at the end |\n|---|---|---|---|---|---|---|---|---|\n"
         + "\n".join(story(title, *panel) for title, panel in (parity | quarter).items()))

# %%
def nearest(records, row, level):
    at = records[0].experiment["probing"]["levels"].index(level)
    return NAMES[np.mean([r.arrays["excess"][row, at] for r in records], 0).argmin()]

if tier == "laptop" and seed == 0:
    for title, (records, c) in (parity | quarter).items():
        print(f"{title:18} at √ᾱ = {c:g}: after training x̂0 is nearest to that of:", nearest(records, -1, c))

# %% [markdown]
# Now the questions.
#
# - **Does the ratio fall when accuracy rises?** In the two experiments whose accuracy rises far above chance it does, after its highest value: in the MLP on 50 tuples almost to that of the exact
#   training set, on scalars below even that. These are also the two that end nearest to the training set.
# - **Can it fall without?** Yes. The DiT's falls from 1, furthest at high noise, while its few valid samples stay below chance; it learns to
#   look across its patches, and across digits, before any of that helps the sum. The UNet's *rises* a little instead.
# - **Can it be low without?** Yes: an MLP that is read as $\hat{x}_0$ *begins* at the share of the region, a quarter, because it mixes all pixels before it has learned
#   anything. With 470 tuples it becomes ever *more* local as its samples become readable. So the untrained network has to stand beside the trained one: the direction in which a ratio
#   moves means as much as where it is.
# - **Is a high ratio a failure?** Here it is. Inside the band the exact rule lies far below the UNet, the DiT and the MLP on 470 tuples, and all three are
#   nearest to the marginals, which says the same without any Jacobian.
#
# ## Over noise levels
#
# The same records, now with √ᾱ along the axis. Here the shape can be compared with the optimum's, and the paper's five levels with those that
# matter.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "LDR of the prediction of x0 over noise levels, early, midway and at the end of training, with the exact denoisers; below, the excess loss over the rule's optimum. Shaded: where the rule matters. Bands are the range of the seeds."}, "image": {"alt": "Local dependency ratio and excess loss against the noise level for scalars, parentheses, and digits with three networks"}}
def moments_of(records):
    last = len(records[0].arrays["step"])
    return sorted({1, -(-last // 2), last})

bands = {title: panel["band"] for title, panel in exact.items()}
figures_ldr.over_levels({
    "scalars, MLP": (parity["scalars, MLP"][0], moments_of(parity["scalars, MLP"][0]), bands["scalars, L = 8"]),
    "parentheses, UNet": (parity["parentheses, UNet"][0], moments_of(parity["parentheses, UNet"][0]), bands["parentheses, L = 8"]),
    "digits, UNet": (quarter["UNet, 470"][0], moments_of(quarter["UNet, 470"][0]), bands["Quarter-MNIST"]),
})
plt.show()

# %% [markdown]
# To the right of the band the ratio of the networks on images stays high while the optimum's falls or ceases to exist. There the optimum's Jacobian is nearly
# zero and the network's is what is left of its imperfection, which is local. A ratio at √ᾱ = 0.7 or 0.9 of an image
# speaks of strokes, not of rules. At the left end the network on scalars falls far below *every* reference: it predicts the noise, and
# $\hat{x}_0 = (x_t - \sqrt{1-\bar\alpha}\,\hat\varepsilon)/\sqrt{\bar\alpha}$ multiplies each error of that prediction by ten at √ᾱ = 0.1. The excess loss below shows it.
#
# ## Three networks of one size
#
# Chapter 1's MLP has four times the parameters of its UNet. Here is one cut to their size. The three differ by less than a fifth in parameters and see the same tuples. They
# still differ in steps and batch, and in the reading: UNet and DiT are read as $v$ with the noise's loss, the MLP as $x_0$ with its loss, without which it stays
# unreadable at this size (the last table of this chapter).

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Quarter-MNIST, 470 tuples: three networks of about the same number of parameters. Bands are the range of the seeds."}, "image": {"alt": "Local dependency ratio and excess loss against the noise level for UNet, DiT and an MLP of the same size"}}
same_size = {title: recorded(name) for title, name in {"UNet": "quarter-unet-470", "DiT": "quarter-dit-470", "MLP": "quarter-mlp-470-small"}.items()}
figures_ldr.over_levels({f"{title}, {records[0].origin['parameters']:,}": (records, moments_of(records), bands["Quarter-MNIST"])
                         for title, records in same_size.items()})
plt.show()

# %% tags=["hide-input"]
Markdown("| network | parameters | √ᾱ | exact rule | exact training set | untrained | midway | at the end | ratio of means, vanishing, at the end | unreadable, hallucination, valid at the end |\n|---|---|---|---|---|---|---|---|---|---|\n"
         + "\n".join(story(title, records, level).replace(f"| {title} |", f"| {title} | {records[0].origin['parameters']:,} |") for title, records in same_size.items()))

# %% [markdown]
# They start in three different places, and part of that is the reading: $J_{x_0} = \sqrt{\bar\alpha}\,I - \sqrt{1-\bar\alpha}\,J_v$ brings an identity of its own, which
# an untrained network read as $x_0$ has not. At the level of the table all three end more local than the rule's optimum. To compare ratios between networks, compare each with its own untrained
# value first.
#
# ## Do hallucinating samples look around less?
#
# The reviewers of the paper asked. The ratio of each generated sample is taken on the network's own way to it, at the visited step nearest to
# two levels in the band or at its edge, and samples are grouped by what they became.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "LDR of generated samples by their outcome, after training, all seeds together. Bars are 95 % intervals of the mean over samples, as if these were of one seed; the table below keeps the seeds apart."}, "image": {"alt": "Mean local dependency ratio of hallucinated and of valid generated samples for each network"}}
def generated(records, at):
    """Of each generated sample, over the seeds: its ratio, whether it has one, its outcome, its seed."""
    kinds, ratios, there, which = [], [], [], []
    for r in records:
        setup = Setup(made(r.experiment["name"], r.experiment["seed"]))
        tokens = torch.from_numpy(r.arrays["tokens"][-1]).long()
        kinds.append(outcome.classify(tokens, setup.grammar, setup.train_strings).numpy())
        found = probe.stored(r, "generated_ldr")[at]
        ratios.append(found.ratio.numpy())
        there.append(~found.vanishing.numpy())
        which.append(np.full(len(found), r.experiment["seed"]))
    return tuple(map(np.concatenate, (ratios, there, kinds, which)))

def groups(ratios, there, kinds, which):
    picked = {name: ratios[there & (kinds == k)] for k, name in enumerate(outcome.OUTCOMES)}
    return {name: (*products.mean_interval(values), len(values)) for name, values in picked.items() if len(values) > 2}

probed = {"scalars, MLP": parity["scalars, MLP"][0], "parentheses, UNet": parity["parentheses, UNet"][0]} | {t: p[0] for t, p in quarter.items()}
ways = {(title, level): generated(records, at) for title, records in probed.items()
        for at, level in enumerate(records[0].experiment["probing"]["closer"])}
figures_ldr.by_outcome({f"{title}, √ᾱ ≈ {level:g}": groups(*way) for (title, level), way in ways.items()})
plt.show()

# %% tags=["hide-input"]
def difference(ratios, there, kinds, which):
    found = products.contrast(ratios[there], (kinds == 1)[there], (kinds >= 2)[there], which[there])
    if found is None:
        return "too few of one kind in every seed"
    mean, low, high, used = found
    told = ": **told apart**" if low > 0 or high < 0 else ""
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f}), {used} seed{'s' * (used > 1)}{told}"

Markdown("Mean LDR of hallucinations minus that of valid samples, within each seed; mean over the seeds, with the 95 % interval widened to their range:\n\n| network | √ᾱ ≈ | difference |\n|---|---|---|\n"
         + "\n".join(f"| {title} | {level:g} | {difference(*way)} |" for (title, level), way in ways.items()))

# %% [markdown]
# Twelve comparisons at 95 % would call one in twenty real by chance alone, were it not for the widening; single rows near the line should not be leaned on. And a difference need not be the network's:
# hallucinations and valid samples pass through different noised signals, where an exact denoiser's ratio would differ too.
#
# ## Which symbol listens to which?
#
# The paper takes one region, the first symbol or the top-left digit. Nothing forbids the others: with all regions as rows
# *and* columns one gets a matrix, and the ratio of each region (of means, here) is its diagonal entry over the row's sum. All of them, the exact rule's too, are estimated with
# the records' few random probes.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Shares of each output symbol's dependency on each input symbol, after training, first seed; inside the band. The digits are numbered along the rows of the image."}, "image": {"alt": "Matrices of which symbol listens to which for UNet, DiT, MLP and the exact rule"}}
at = 0
panels = {title: quarter[title][0][0].arrays["matrix"][at] for title in ("UNet, 470", "DiT, 470", "MLP, 50")}
figures_ldr.matrices(panels | {"exact rule": quarter["UNet, 470"][0][0].arrays["matrix_reference"][NAMES.index("rule")][at]})
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for parity on scalars."}, "image": {"alt": "Matrices of which symbol listens to which for the MLP on scalars and the exact denoisers"}}
first = parity["scalars, MLP"][0][0]
figures_ldr.matrices({"network": first.arrays["matrix"][-1]} | {name: first.arrays["matrix_reference"][i][-1] for i, name in enumerate(NAMES)})
plt.show()

# %% tags=["hide-input"]
def by_region(title, records):
    matrix = np.stack([r.arrays["matrix"][0] for r in records])
    shares = np.diagonal(matrix, axis1=1, axis2=2) / matrix.sum(2)  # [seeds, L]
    return f"| {title} | " + " to ".join(f"{x:.2f}" for x in (shares.mean(0).min(), shares.mean(0).max())) + f" | {np.ptp(shares, axis=0).max():.2f} |"

Markdown("The ratio of means of every region in turn, at the first of the two levels:\n\n| network | smallest to largest over regions | widest range over seeds |\n|---|---|---|\n"
         + "\n".join(by_region(title, records) for title, records in probed.items()))

# %% [markdown]
# **Does the choice of region matter?** The table says how much: the rows with a narrow span could have used any region. Where the span is wide, so is the range over the seeds, which share the regions and not the
# signals: what looks like a difference between regions is then mostly chance.
#
# ## Heat
#
# A Jacobian can be looked at, too. The squared norm of each input pixel's column of $J_R$ is a heat map (Figures 1, 15 and 19 of the paper), and the share of the
# heat that lies in the region is the ratio. Move the slider through the training of the UNet: the noised signal, what the network makes of it, and where
# the framed digit's prediction listens. The colour is the square root of the heat, so that faint places can be seen.

# %% tags=["hide-input"]
shown = quarter["UNet, 470"][0][0]
renderer = Setup(made("quarter-unet-470")).renderer
frame = renderer.region(0)[0].numpy()

def heat_frames(record, at):
    pictures = {name: record.arrays[name] / 127.5 - 1 for name in ("clean", "noised", "denoised")}
    for row, step in enumerate([0, *record.arrays["step"].tolist()]):
        heat = record.arrays["heat"][row, at]
        share = heat[frame].sum() / max(heat.sum(), 1e-30)
        images = {"clean": pictures["clean"][0], "x_t": pictures["noised"][at, 0], "x̂0": pictures["denoised"][row, at, 0]}
        yield f"step {step:,}: LDR {share:.2f}", figures_ldr.heat_frame(images, {"heat": heat}, frame)

slider(heat_frames(shown, 0), "training step of the UNet", alt="The clean and the noised signal, the network's prediction and its heat map")

# %% [markdown]
# The DiT, at the same signal:

# %% tags=["hide-input"]
slider(heat_frames(quarter["DiT, 470"][0][0], 0), "training step of the DiT", alt="The clean and the noised signal, the network's prediction and its heat map")

# %% [markdown]
# And over noise levels, for the trained UNet, computed here from its kept weights, beside the heat map of the exact rule.

# %% tags=["hide-input"]
unet = run.load_network(shown, shown.experiment["keep"][-1]) if shown.experiment["keep"] else Setup(made("quarter-unet-470")).denoiser().eval()
setup = Setup(made("quarter-unet-470"))
clean = torch.from_numpy(shown.arrays["clean"])[None] / 127.5 - 1
noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))

def level_frames():
    for level in tqdm((0.05, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 0.9), desc="heat maps", unit="level"):
        t = setup.schedule.index(sqrt_alpha_bar=level)
        x_t = setup.schedule.add_noise(clean, noise, t)
        by_network, by_rule = (ldr.saliency(lambda x: setup.schedule.predict(of, x, t, "x0"), x, setup.renderer.region(0))[0].numpy()
                               for of, x in ((unet, x_t), (setup.references["rule"], x_t.double())))
        with torch.no_grad():
            x0 = setup.schedule.predict(unet, x_t, t, "x0")
        clear = by_rule.sum() > reference.RESOLUTION**2  # below, the rule's Jacobian is rounding
        shares = [f"{by_network[frame].sum() / by_network.sum():.2f}", f"{by_rule[frame].sum() / by_rule.sum():.2f}" if clear else "0/0"]
        images = {"x_t": x_t[0, 0].numpy(), "x̂0": x0[0, 0].numpy()}
        yield (f"√ᾱ = {level:g}: LDR of the network {shares[0]}, of the exact rule {shares[1]}",
               figures_ldr.heat_frame(images, {"heat, network": by_network, "heat, exact rule": by_rule if clear else 0 * by_rule}, frame))

slider(level_frames(), "noise level", alt="The noised signal, the network's prediction, and the heat maps of the network and of the exact rule")

# %% [markdown]
# ## What the paper leaves unsaid
#
# The paper doesn't give its noise schedule, its length, the sampler, a clamp of $\hat{x}_0$, averaging of the weights, how the output is read, how
# many exemplars a digit has; nor does it vary the batch. Each could be the reason for a difference between its figures and somebody else's. So each is changed here
# from one base, at a fixed number of steps, on two cheap experiments with three seeds each. The sampler and the clamp act on one trained network and cannot move its ratio.

# %% tags=["hide-input"]
def sampler(how):
    kind = "DDPM" if how["eta"] else "DDIM"
    return f"{kind}, {how['steps']:,} steps" + (", no clamp of x̂0" if how["clamp"] is None else "")

NAMES_OF = {
    "cosine": "cosine schedule", "sigmoid": "sigmoid schedule", "T-100": "T = 100, β ten times as large", "batch-32": "batch 32", "batch-512": "batch 512",
    "batch-16": "batch 16", "batch-128": "batch 128", "ema": "weights averaged (0.999)", "no-ema": "weights not averaged", "reads-v": "output read as v, noise loss",
    "x0": "output read as x0, x0 loss", "noise": "output read as noise, noise loss", "exemplars-10": "10 exemplars a digit",
}

def cells(counts):
    mean, low, high = outcome.Outcomes(np.stack(counts)).over_seeds()
    return " | ".join(f"{m:.0%} ({a:.0%}–{b:.0%})" for m, a, b in zip(mean, low, high))

def ratio_cell(records, level):
    return moment(records, -1, records[0].experiment["probing"]["levels"].index(level))

def unsaid(of, level):
    base = recorded(of)
    e = base[0].experiment
    about = (f"**{e['schedule']['kind']}, T = {e['schedule']['steps']:,}, DDIM {e['sampling']['steps']} steps, clamp {e['sampling']['clamp']:g}, batch {e['training']['batch']}, "
             f"{'average ' + format(e['training']['ema'], 'g') if e['training']['ema'] else 'no average'}, read as {e['reads']}, loss on {e['target']}**")
    rows = [f"| {about} | {cells([r.arrays['counts'][-1] for r in base])} | {ratio_cell(base, level)} |"]
    for i, how in enumerate(e["also"]):
        rows.append(f"| {sampler(how)} | {cells([r.arrays['also'][i] for r in base])} | the same |")
    for choice in catalogue.UNSAID[of]:
        records = recorded(f"{of}-{choice}")
        rows.append(f"| {NAMES_OF[choice]} | {cells([r.arrays['counts'][-1] for r in records])} | {ratio_cell(records, level)} |")
    head = f"| choice | {' | '.join(outcome.OUTCOMES)} | LDR of x̂0 at √ᾱ = {level:g} |\n|---|---|---|---|---|---|\n"
    return f"`{of}`, {e['training']['steps']:,} steps, {len(base)} seed{'s' * (len(base) > 1)}; mean (range). The first row is the base; the others change what they name.\n\n" + head + "\n".join(rows)

Markdown(unsaid("parity-8-scalars-short", 0.9))

# %% tags=["hide-input"]
Markdown(unsaid("quarter-mlp-470", level))

# %%
if tier == "laptop" and seed == 0:
    for of in catalogue.UNSAID:
        for name in (of, *(f"{of}-{choice}" for choice in catalogue.UNSAID[of])):
            records = recorded(name)
            extra = np.stack([r.arrays["counts"][-1] for r in records]).sum(0)
            if extra[1:].any() and outcome.wilson(extra[3], extra[1:].sum())[0] > records[0].origin["chance"][3]:
                print(name, "extrapolates above chance")
    print("looked through", sum(1 + len(choices) for choices in catalogue.UNSAID.values()), "rows for extrapolation above chance among readable samples")

# %% [markdown]
# What moves the outcome most is what the paper leaves out most quietly. On the digits the *reading*, with its loss, decides everything: the MLP that is read as $v$ or as noise
# gives not one readable sample, while on scalars the same change hardly shows. The *schedule* comes next: with cosine and sigmoid far more of the MLP's digits can be read, and on scalars they favour the
# training strings more than the linear one does. Then the *batch*, which at a fixed number of steps is the number of signals seen: a larger one carries the network further along the same
# phases. A coarse *sampler* leaves half of the scalars unreadable and an ancestral one with all steps next to none, though it does not touch the network. The clamp hardly shows, and neither does
# averaging, on the digits because the learning rate ends at zero. With ten *exemplars* a digit the MLP makes next to nothing readable in these steps.
#
# Nothing in either table turns memory into rule: no choice lifts the valid strings that were never seen above chance. And the ratio moves with how far the training has come, or with a
# network that has learned no symbols at all, more than with any of these choices by itself.
#
# ## The paper says, we find

# %% [markdown]
# ```{ledger} ldr-unet ldr-dit saliency
# ```
#
# %% [markdown]
# ## What to take along
#
# - **Name the level, the target and the references**, or a local dependency ratio means little. At high noise the rule itself is local, at low noise the ratio speaks
#   of strokes or of nothing, and for a good prediction of the noise it is 1.
# - **Inside the band, beside the optimum, it is a good instrument.** The networks that hallucinate have a ratio far above what the rule
#   would show, and their $\hat{x}_0$ is nearest to that of independent symbols. There the paper's explanation holds.
# - **A falling ratio is not the rule arriving.** Where it falls together with rising accuracy the network ends nearest to the *training set's* denoiser. Where it
#   falls without, as in the DiT, accuracy need not follow.
# - **The untrained network belongs into the figure.** From below, from above, or from 1: where a ratio starts is the doing of the architecture and of the reading.
# - **Samples differ little.** In the networks on images a hallucination is generated as locally as a valid sample, within the intervals, but for one row with one seed; on scalars, where memory has set in, hallucinations are
#   made a little more locally.
