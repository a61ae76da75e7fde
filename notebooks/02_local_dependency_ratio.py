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
# computed, so every curve of this chapter stands beside it. Three questions come first: what do exact denoisers show, at
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
# bottom row shows where it makes a difference to know the rule: how much larger the loss of the marginals denoiser is than that of the rule.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Exact denoisers: the mean LDR of the first symbol over noised valid strings, of the prediction of x0 (top) and of the noise (middle). Curves end where more than half of the Jacobians vanish. Bottom: the loss of the marginals denoiser beyond the rule's. Shaded: where that is at least a tenth of its peak. Thin vertical lines: the levels that the paper probes."}, "image": {"alt": "Nine panels: local dependency ratio of the exact rule, training set and marginals against the noise level for scalars, parentheses and digits, for two targets, and the loss that the rule saves"}}
PAPER_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
LEVELS = np.array([0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])

def exact_panel(setup):
    generator = torch.Generator().manual_seed(seed)
    strings = setup.grammar.support[torch.randint(len(setup.grammar.support), (signals,), generator=generator)]
    x0, region = setup.renderer(strings, generator), setup.renderer.region(0)
    many = setup.renderer(setup.grammar.support[torch.randint(len(setup.grammar.support), (20 * signals,), generator=generator)], generator)
    panel = {"levels": LEVELS, "x0": {n: [] for n in NAMES}, "noise": {n: [] for n in NAMES}, "gap": []}
    for level in LEVELS:
        t = setup.schedule.index(sqrt_alpha_bar=level)
        x_t = setup.schedule.add_noise(x0, torch.randn(x0.shape, generator=generator), t).double()
        panel["gap"].append(reference.gap(setup.references["rule"], setup.references["marginals"], many, t, generator).mean().item())
        for name, denoiser in setup.references.items():
            found = ldr.local_dependency_ratio(lambda x: denoiser(x, t), x_t, region, 16, generator, details=True)
            for target in ("x0", "noise"):
                panel[target][name].append(figures_ldr.mean_ratio(found.converted(*setup.schedule.affine(t, "x0", target))))
    panel["gap"] = np.array(panel["gap"])
    panel["band"] = reference.band(torch.from_numpy(LEVELS), torch.from_numpy(panel["gap"]))
    return panel

setups = {title: Setup(made(name)) for title, name in {
    "scalars, L = 8": "parity-8-scalars", "parentheses, L = 8": "parity-8-unet", "Quarter-MNIST": "quarter-unet-470",
}.items()}
exact = {title: exact_panel(setup) for title, setup in tqdm(setups.items(), desc="exact denoisers", unit="rendering")}
figures_ldr.exact_panels(exact, PAPER_LEVELS)
plt.show()

# %%
for title, panel in exact.items():
    in_band = (LEVELS >= panel["band"][0]) & (LEVELS <= panel["band"][1])
    below = LEVELS < panel["band"][0]
    rule, marginals = (np.array(panel["x0"][name]) for name in ("rule", "marginals"))
    print(f"{title}: marginals 1 everywhere: {bool(np.nanmin(marginals) > 1 - 1e-9)};", end=" ")
    print(f"rule above .9 somewhere below the band: {bool(rule[below].max() > 0.9)};", end=" ")
    print(f"rule at its lowest inside the band under .9: {bool(np.nanmin(rule[in_band]) < 0.9)}")

# %% [markdown]
# Four things to read off before any network is looked at.
#
# 1. **At high noise everybody is local.** To the left of the band the exact *rule* has a ratio near 1 as well: with so much noise, the other
#    symbols say next to nothing about this one. A high LDR there shows no failure. It is what the optimum does.
# 2. **At low noise nobody needs the rule.** To the right of the band each symbol can be recognised by itself. The rule saves no loss there,
#    and its ratio is low for another reason: $\hat{x}_0$ hardly moves at all, and what is left of the Jacobian is a small
#    rest, spread over the signal. Where it vanishes altogether the ratio is 0/0. So a low LDR near √ᾱ = 0.9 doesn't show that
#    something was memorised.
# 3. **Inside the band the ratio can tell.** There the rule's ratio lies clearly below 1 and marginals' does not. But *where* the band lies
#    depends on the rendering: what counts is how far apart the symbols' pictures are, measured in noise.
#    Scalars ±1 are decided late, digits of 14 × 14 pixels early. Of the paper's five levels only one or two fall inside.
# 4. **The training set's ratio is below the rule's.** Whoever knows the training strings has more reason to look around than
#    whoever knows the rule. A falling LDR is therefore no sign that the *rule* has been learned.

# %% tags=["hide-input"]
rows = [f"| {title} | {panel['band'][0]:.2f} to {panel['band'][1]:.2f} | "
        f"{', '.join(f'{c:g}' for c in PAPER_LEVELS if panel['band'][0] <= c <= panel['band'][1]) or 'none'} |" for title, panel in exact.items()]
Markdown("| rendering | √ᾱ at which the rule matters | of the paper's levels |\n|---|---|---|\n" + "\n".join(rows))

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
# a region it drowns whatever the network does. The library measures all three from one set of Jacobian products, since the squared norms of
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
# The noise's ratio is near 1 in every column, for networks as unlike as these, and also for those that *output* the noise. Which target can the
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
        found = ldr.local_dependency_ratio(lambda x: large.references[name](x, t), x_t, large.renderer.region(0), 8, generator, details=True)
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
# A ratio of the noise that falls visibly is thus out of reach for these data: it could not fall if the network became perfect.
# A figure in which it falls is one of $\hat{x}_0$ (or, at high noise, of $v$), or of other pictures than these. From here on the ratio is
# that of $\hat{x}_0$.
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
parity = {"scalars, MLP": (recorded("parity-8-scalars"), 0.9), "parentheses, UNet": (recorded("parity-8-unet"), 0.7)}
if tier == "smoke":
    parity = {title: (records, 0.9) for title, (records, _) in parity.items()}
figures_ldr.along_training(parity)
plt.show()

# %% [markdown]
# On scalars everything the paper tells happens, in its order: the ratio stays near 1 while strings are random, and sinks as the share of training strings rises.
# But look at the last row. The distance from the *training* denoiser shrinks and that from the rule grows. What makes the ratio fall is memory.
# The UNet stays at chance, and at its high ratio, to the end.
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

def story(title, records, level):
    at = records[0].experiment["probing"]["levels"].index(level)
    exact = np.mean([figures_ldr.mean_ratio(probe.stored(r, "reference_ldr"))[:, at] for r in records], 0)
    counts = np.stack([r.arrays["counts"][-1] for r in records])
    invalid, hallucination, *valid = outcome.Outcomes(counts).over_seeds()[0]
    middle = len(records[0].arrays["step"]) // 2
    return (f"| {title} | {level:g} | {exact[NAMES.index('rule')]:.2f} | {exact[NAMES.index('train')]:.2f} | {moment(records, 0, at)} | "
            f"{moment(records, middle, at)} | {moment(records, -1, at)} | {invalid:.0%}, {hallucination:.0%}, {sum(valid):.0%} |")

Markdown("LDR of x̂0 (mean over the seeds, and their range):\n\n"
         "| network | √ᾱ | exact rule | exact training set | untrained | midway | at the end | unreadable, hallucination, valid at the end |\n|---|---|---|---|---|---|---|---|\n"
         + "\n".join(story(title, *panel) for title, panel in (parity | quarter).items()))

# %% [markdown]
# Read the table by its columns.
#
# - **Does the ratio fall when accuracy rises?** In the MLP on 50 tuples and on scalars, the two experiments whose accuracy rises far above chance,
#   it ends low, between the untrained start and the exact training set.
# - **Can it be low without?** Yes. An MLP *begins* at the share of the region, about a quarter: it mixes all pixels before it has learned
#   anything, and becomes *more* local as it learns, with 470 tuples at any rate. A UNet begins near 1, by its architecture, and
#   a DiT that reads its output as $v$ begins at exactly 1, because its last layer begins at zero. So the untrained network has to stand beside the trained one:
#   the direction in which a ratio moves means as much as where it is.
# - **Is a high ratio a failure?** Here it is: inside the band the exact rule would stand far below the UNet and the DiT, and
#   their excess loss says the same without any Jacobian.
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
# To the right of the band a network's ratio stays high while the optimum's falls or ceases to exist. There the optimum's Jacobian is nearly
# zero and the network's is what is left of its imperfection, which is local. A ratio at √ᾱ = 0.7 or 0.9 of an image
# speaks of strokes, not of rules.
#
# ## Three networks of one size
#
# Chapter 1's MLP has four times the parameters of its UNet. Here is one cut to their size. The three differ by less than a fifth in parameters, see the same tuples, and still
# differ in steps, batch and what they are trained to predict, which their architecture forces on them at this size.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Quarter-MNIST, 470 tuples: three networks of about the same number of parameters. Bands are the range of the seeds."}, "image": {"alt": "Local dependency ratio and excess loss against the noise level for UNet, DiT and an MLP of the same size"}}
same_size = {title: recorded(name) for title, name in {"UNet": "quarter-unet-470", "DiT": "quarter-dit-470", "MLP": "quarter-mlp-470-small"}.items()}
figures_ldr.over_levels({f"{title}, {records[0].origin['parameters']:,}": (records, moments_of(records), bands["Quarter-MNIST"])
                         for title, records in same_size.items()})
plt.show()

# %% tags=["hide-input"]
Markdown("| network | parameters | √ᾱ | exact rule | exact training set | untrained | midway | at the end | unreadable, hallucination, valid at the end |\n|---|---|---|---|---|---|---|---|---|\n"
         + "\n".join(story(title, records, level).replace(f"| {title} |", f"| {title} | {records[0].origin['parameters']:,} |") for title, records in same_size.items()))

# %% [markdown]
# They start in three different places and, this early, all end on the same side: more local than the rule's optimum. What differs more than the ratio is what comes
# out, so a ratio cannot be compared between architectures without their own untrained values.
#
# ## Do hallucinating samples look around less?
#
# The reviewers of the paper asked. The ratio of each generated sample is taken on the network's own way to it, at the visited step nearest to
# a level of the band, and samples are grouped by what they became.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "LDR of generated samples by their outcome, after training, all seeds together. Bars are 95 % intervals of the mean over samples."}, "image": {"alt": "Mean local dependency ratio of hallucinated and of valid generated samples for each network"}}
def generated(records, at):
    """Of each generated sample, over the seeds: its ratio, whether it has one, its outcome."""
    kinds, ratios, there = [], [], []
    for r in records:
        setup = Setup(made(r.experiment["name"], r.experiment["seed"]))
        tokens = torch.from_numpy(r.arrays["tokens"][-1]).long()
        kinds.append(outcome.classify(tokens, setup.grammar, setup.train_strings).numpy())
        found = probe.stored(r, "generated_ldr")[at]
        ratios.append(found.ratio.numpy())
        there.append(~found.vanishing.numpy())
    return np.concatenate(ratios), np.concatenate(there), np.concatenate(kinds)

def groups(ratios, there, kinds):
    picked = {name: ratios[there & (kinds == k)] for k, name in enumerate(outcome.OUTCOMES)}
    return {name: (*products.mean_interval(values), len(values)) for name, values in picked.items() if len(values) > 2}

probed = {"scalars, MLP": parity["scalars, MLP"][0], "parentheses, UNet": parity["parentheses, UNet"][0]} | {t: p[0] for t, p in quarter.items()}
ways = {(title, level): generated(records, at) for title, records in probed.items()
        for at, level in enumerate(records[0].experiment["probing"]["closer"])}
figures_ldr.by_outcome({f"{title}, √ᾱ ≈ {level:g}": groups(*way) for (title, level), way in ways.items()})
plt.show()

# %% tags=["hide-input"]
def difference(ratios, there, kinds):
    wrong, right = ratios[there & (kinds == 1)], ratios[there & (kinds >= 2)]
    if min(len(wrong), len(right)) < 3:
        return "too few of one kind"
    gap, wide = wrong.mean() - right.mean(), 1.96 * np.sqrt(wrong.var(ddof=1) / len(wrong) + right.var(ddof=1) / len(right))
    return f"{gap:+.3f} ({gap - wide:+.3f} to {gap + wide:+.3f})" + (": **told apart**" if abs(gap) > wide else "")

Markdown("Mean LDR of hallucinations minus that of valid samples, with a 95 % interval:\n\n| network | √ᾱ ≈ | difference |\n|---|---|---|\n"
         + "\n".join(f"| {title} | {level:g} | {difference(*way)} |" for (title, level), way in ways.items()))

# %% [markdown]
# Twelve comparisons at 95 % will call about one difference in twenty real by chance alone, so single rows near the line should not be leaned on.
#
# ## Which symbol listens to which?
#
# The paper takes one region, the first symbol or the top-left digit. Nothing forbids the others: with all regions as rows
# *and* columns one gets a matrix, and the ratio of each region is its diagonal entry over the row's sum. Here for the trained networks and, in the
# right half, for the exact rule.

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

Markdown("The ratio of means of every region in turn, at the first of the levels above:\n\n| network | smallest to largest over regions | widest range over seeds |\n|---|---|---|\n"
         + "\n".join(by_region(title, records) for title, records in probed.items()))

# %% [markdown]
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
        share = heat[frame].sum() / heat.sum()
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
        shares = [heat[frame].sum() / heat.sum() if heat.sum() else float("nan") for heat in (by_network, by_rule)]
        images = {"x_t": x_t[0, 0].numpy(), "x̂0": x0[0, 0].numpy()}
        yield (f"√ᾱ = {level:g}: LDR of the network {shares[0]:.2f}, of the exact rule {shares[1]:.2f}",
               figures_ldr.heat_frame(images, {"heat, network": by_network, "heat, exact rule": by_rule}, frame))

slider(level_frames(), "noise level", alt="The noised signal, the network's prediction, and the heat maps of the network and of the exact rule")

# %% [markdown]
# ## What the paper leaves unsaid
#
# The paper doesn't give its noise schedule, its length, the sampler, a clamp of $\hat{x}_0$, averaging of the weights, how the output is read, how
# many exemplars a digit has; nor does it vary the batch. Each could be the reason for a difference between its figures and somebody else's. So each is changed here by
# itself, at a fixed number of steps, on two cheap experiments with three seeds each. The sampler and the clamp act on one trained network and cannot move its ratio.

# %% tags=["hide-input"]
SAMPLERS = ("DDIM, 10 steps", "DDIM, 250 steps", "DDPM, all 1,000 steps", "no clamp of x̂0")
NAMES_OF = {
    "cosine": "cosine schedule", "sigmoid": "sigmoid schedule", "T-100": "T = 100", "batch-32": "batch 32", "batch-512": "batch 512",
    "batch-16": "batch 16", "ema": "weights averaged (0.999)", "no-ema": "weights not averaged", "reads-v": "output read as v, noise loss",
    "x0": "output read as x0, x0 loss", "noise": "output read as noise, noise loss", "exemplars-10": "10 exemplars a digit",
}

def cells(counts, base=None):
    counts = np.stack(counts)
    mean, low, high = outcome.Outcomes(counts).over_seeds()
    return " | ".join(f"{m:.0%} ({a:.0%}–{b:.0%})" for m, a, b in zip(mean, low, high))

def ratio_cell(records, level):
    return moment(records, -1, records[0].experiment["probing"]["levels"].index(level))

def unsaid(of, level):
    base = recorded(of)
    e = base[0].experiment
    about = (f"**{e['schedule']['kind']}, T = {e['schedule']['steps']:,}, DDIM {e['sampling']['steps']} steps, clamp {e['sampling']['clamp']:g}, batch {e['training']['batch']}, "
             f"{'average ' + format(e['training']['ema'], 'g') if e['training']['ema'] else 'no average'}, read as {e['reads']}, loss on {e['target']}**")
    rows = [f"| {about} | {cells([r.arrays['counts'][-1] for r in base])} | {ratio_cell(base, level)} |"]
    for i, name in enumerate(SAMPLERS if tier == "laptop" else SAMPLERS[:2]):
        rows.append(f"| {name} | {cells([r.arrays['also'][i] for r in base])} | the same |")
    for choice in catalogue.UNSAID[of]:
        records = recorded(f"{of}-{choice}")
        rows.append(f"| {NAMES_OF[choice]} | {cells([r.arrays['counts'][-1] for r in records])} | {ratio_cell(records, level)} |")
    head = f"| choice | {' | '.join(outcome.OUTCOMES)} | LDR of x̂0 at √ᾱ = {level:g} |\n|---|---|---|---|---|---|\n"
    return f"`{of}`, {e['training']['steps']:,} steps, {len(base)} seed{'s' * (len(base) > 1)}; mean (range). The first row is the base, the others change one thing.\n\n" + head + "\n".join(rows)

Markdown(unsaid("parity-8-scalars-short", 0.9))

# %% tags=["hide-input"]
Markdown(unsaid("quarter-mlp-470", level))

# %% [markdown]
# TABLE PROSE
#
# ## The paper says, we find

# %% [markdown]
# ```{ledger} ldr-unet ldr-dit saliency
# ```
#
# %% [markdown]
# ## What to take along
#
# - **Name the level, the target and the references**, or a local dependency ratio means little. High noise makes everything local, low noise makes
#   the ratio a statement about strokes or about nothing, the noise target makes it 1.
# - **Inside the band, beside the optimum, it is a good instrument.** The UNet and the DiT that hallucinate have a ratio far above what the rule
#   would show.
# - **It falls with memory, not with the rule**, in every experiment here in which it falls with accuracy: the network comes nearer to the training set's denoiser and leaves
#   the rule's.
# - **The untrained network belongs into the figure.** From below, from above, or from 1: where a ratio starts is the architecture's doing.
