"""The experiments of the book, by name, each in its tiers.

Where the paper is silent the commonest setting stands: T = 1000, linear β, DDIM, x̂0 clamped to [−1, 1].
The paper tier has the paper's networks, images, batch, rate and steps (§4.2, A.5); the laptop tier is cut to minutes on
one CPU core; the smoke tier goes through the same code in seconds.
"""

from collections.abc import Callable
from dataclasses import replace

from localbias.diffusion import Schedule
from localbias.experiment import TIERS, Experiment, Sampling
from localbias.probe import Probing
from localbias.training import Training

NETWORKS = {
    "mlp": {"smoke": dict(kind="mlp", width=32, depth=1), "laptop": dict(kind="mlp", width=512, depth=3)},
    "unet": {
        "smoke": dict(kind="unet", width=8, mults=[1, 2], heads=1, head_width=8),
        "laptop": dict(kind="unet", width=16, mults=[1, 2, 4], heads=2, head_width=16),
        "paper": dict(kind="unet", width=64),
    },
    "dit": {
        "smoke": dict(kind="dit", width=16, depth=1, heads=2, patch=7),
        "laptop": dict(kind="dit", width=96, depth=4, heads=4, patch=7),  # a patch is half a digit wide
        "paper": dict(kind="dit"),
    },
}
SMOKE = dict(sampling=Sampling(samples=16, steps=10), measure_at=(10, 20))
SMOKE_TRAINING = Training(steps=20, batch=16, ema=0.9)
SMOKE_PROBING = Probing(levels=(0.3, 0.9), samples=4, probes=2, closer=(0.3,))
# The paper's levels .1, .3, .5, .7, .9 (§4.3), and more inside the band where the rule matters, which for each
# rendering lies elsewhere: chapter 2 computes it.
PROBING = {
    "scalars": Probing((0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), samples=256, closer=(0.7, 0.9)),
    "parity": Probing((0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9), samples=24, probes=3, closer=(0.5, 0.7)),
    "quarter": Probing((0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9), samples=24, probes=3, closer=(0.3, 0.5)),
    "quarter, paper": Probing((0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 0.9), samples=24, probes=4, closer=(0.1, 0.3)),
}


def make(name: str, tier: str = "laptop", seed: int = 0, **changes) -> Experiment:
    """The experiment of that name, tier and seed; `changes` replace fields of it. ValueError names what is unknown."""
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    if tier not in TIERS:
        raise ValueError(f"unknown tier {tier!r}; known: {', '.join(TIERS)}")
    if tier not in tiers(name):
        raise ValueError(f"experiment {name!r} has no tier {tier!r}; it has: {', '.join(tiers(name))}")
    return EXPERIMENTS[name][1](name, tier, seed).replace(**changes)


def tiers(name: str) -> tuple[str, ...]:
    """The tiers an experiment has: those of its network, if the paper has it. It trains no MLP on these data."""
    return tuple(tier for tier in TIERS if tier in NETWORKS[EXPERIMENTS[name][0]] and (tier != "paper" or name not in OURS))


def tier_for(name: str, tier: str) -> str:
    """That tier where the experiment has it, else laptop: a chapter of the paper's tier shows those of ours beside it."""
    return tier if tier in tiers(name) else "laptop"


def smoke_of(experiment: Experiment) -> Experiment:
    """The smoke configuration by which a record of this experiment is fingerprinted."""
    return make(experiment.name, "smoke")


def _parity_scalars(name: str, tier: str, seed: int) -> Experiment:
    """±1 scalars, length 8, half of the valid strings: all phases within a minute."""
    shared = dict(
        grammar=dict(name="parity", length=8),
        renderer=dict(name="scalars", length=8),
        n_train=64,
    )
    if tier == "smoke":
        network = NETWORKS["mlp"]["smoke"]
        return Experiment(
            name, tier, seed, network=network, training=SMOKE_TRAINING, probing=SMOKE_PROBING, **SMOKE, **shared
        )
    training = Training(steps=12_000, batch=128, rate=1e-3)
    return Experiment(
        name, tier, seed, network=dict(kind="mlp", width=256, depth=3), training=training,
        measure_at=(50, 100, 200, 400, 700, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 10_000, 12_000),
        keep=(100, 1000, 12_000) if seed == 0 else (), sampling=Sampling(samples=1000),
        probing=PROBING["scalars"], **shared,
    )


def _parity_scalars_short(name: str, tier: str, seed: int) -> Experiment:
    """Half as long, and sampled in several ways: the base of a table."""
    made = _parity_scalars(name, tier, seed).replace(also=_other_sampling(1000 if tier == "laptop" else 16, tier))
    if tier == "smoke":
        return made
    probing = Probing((0.5, 0.7, 0.9), samples=256)
    training = replace(made.training, steps=6000)
    return made.replace(training=training, measure_at=(1000, 3000, 6000), keep=(), probing=probing)


def _other_sampling(samples: int, tier: str) -> tuple[Sampling, ...]:
    """Of the same trained network: coarser, finer, ancestral, and without the clamp of x̂0."""
    if tier == "smoke":
        return (Sampling(samples, steps=10, eta=1.0), Sampling(samples, steps=10, clamp=None))
    finer = Sampling(samples, steps=10), Sampling(samples, steps=250), Sampling(samples, steps=1000, eta=1.0)
    return *finer, Sampling(samples, steps=50 if samples == 1000 else 25, clamp=None)


def _parity_glyphs(length: int, kind: str) -> Callable[[str, str, int], Experiment]:
    """Parentheses drawn as glyphs: half of the valid strings of length 8, 5 % of those of length 16 (§4.1)."""
    grid = {8: [2, 4], 16: [4, 4]}[length]

    def build(name: str, tier: str, seed: int) -> Experiment:
        cell = 16 if tier == "paper" else 8
        image = [64, 64] if tier == "paper" else [grid[0] * cell, grid[1] * cell]
        shared = dict(
            grammar=dict(name="parity", length=length),
            renderer=dict(name="glyphs", grid=grid, image=image),
            n_train={8: 64, 16: 1638}[length],  # half, and 5 %
            network=NETWORKS[kind][tier],
        )
        return _images(name, tier, seed, kind, paper_steps=1_100_000, **shared)

    return build


def _quarter(kind: str, n_train: int) -> Callable[[str, str, int], Experiment]:
    """Quarter-MNIST (§4.1): four digits with s1 + s2 = s3 + s4; the paper trains on 470 of the 670 tuples."""

    def build(name: str, tier: str, seed: int) -> Experiment:
        shared = dict(
            grammar=dict(name="quarter_sum"),
            renderer=dict(name="digits", size=64 if tier == "paper" else 28),
            n_train=n_train,
            network=NETWORKS[kind][tier],
        )
        return _images(name, tier, seed, kind, paper_steps=180_000, **shared)

    return build


LAPTOP_TRAINING = {
    "mlp": dict(steps=6000, batch=64),
    "unet": dict(steps=1200, batch=16),
    "dit": dict(steps=4000, batch=32),
}
KEPT = ("parity-8-unet", "quarter-unet-470", "quarter-dit-470")  # whose first seed keeps its weights, for probing
PROBED = {"parity-8-unet": "parity"} | {
    f"quarter-{which}": "quarter" for which in ("unet-470", "dit-470", "mlp-470", "mlp-50")
}  # of the experiments on images, by which of PROBING
SHARES = (0.025, 0.05, 0.1, 0.2, 0.4, 0.7, 1)  # of the steps, after which outcomes are measured


def _images(name: str, tier: str, seed: int, kind: str, paper_steps: int, **shared) -> Experiment:
    """What the experiments on images have in common.

    Small convolutional and attention networks read their output as v while the loss stays the noise's. The MLP is
    no wider than the image: read as v it stays fuzzy in these minutes, so it is trained on x0.
    """
    if tier != "paper":
        shared |= dict(reads="x0", target="x0") if kind == "mlp" else dict(reads="v")
    if probed := PROBED.get(name):
        paper = PROBING.get(f"{probed}, paper") if tier == "paper" else None
        shared |= dict(probing=SMOKE_PROBING if tier == "smoke" else paper or PROBING[probed])
    if name == "quarter-mlp-470":
        shared |= dict(also=_other_sampling(150 if tier == "laptop" else 16, tier))
    if tier == "smoke":
        return Experiment(name, tier, seed, training=SMOKE_TRAINING, **SMOKE, **shared)
    if tier == "paper":
        training = Training(steps=paper_steps, batch=16, rate=8e-5, ema=0.995)
        measure_at = _steps(paper_steps, (0.005, 0.01, *SHARES))
        return Experiment(name, tier, seed, training=training, measure_at=measure_at, **shared)
    training = Training(rate=1e-3, warmup=100, decay="linear", ema=0.99, clip=1.0, **LAPTOP_TRAINING[kind])
    measure_at = _steps(training.steps, SHARES)
    keep = (measure_at[0], measure_at[3], measure_at[-1]) if seed == 0 and name in KEPT else ()
    sampling = Sampling(samples=150, steps=25)
    return Experiment(
        name, tier, seed, training=training, measure_at=measure_at, keep=keep, sampling=sampling, **shared
    )


def _steps(total: int, shares: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(total * share) for share in shares)


def _variant(of: str, fields: dict) -> tuple[str, Callable[[str, str, int], Experiment]]:
    """An experiment that differs from another in a few fields; those of its nested parts are merged into them."""
    kind, build = EXPERIMENTS[of]

    def vary(name: str, tier: str, seed: int) -> Experiment:
        made = build(of, tier, seed).replace(name=name, keep=(), also=())
        changed = dict(fields)
        if training := fields.get("training"):
            changed["training"] = replace(made.training, **training)
        if renderer := fields.get("renderer"):
            changed["renderer"] = made.renderer | renderer
        if network := fields.get("network"):
            changed["network"] = made.network | (network if tier == "laptop" else {})
        return made.replace(**changed)

    return kind, vary


# The kind of network, and what builds the configuration from name, tier and seed.
EXPERIMENTS: dict[str, tuple[str, Callable[[str, str, int], Experiment]]] = {
    "parity-8-scalars": ("mlp", _parity_scalars),
    "parity-8-mlp": ("mlp", _parity_glyphs(8, "mlp")),
    "parity-8-unet": ("unet", _parity_glyphs(8, "unet")),
    "parity-16-unet": ("unet", _parity_glyphs(16, "unet")),
    **{f"quarter-{kind}-{n}": (kind, _quarter(kind, n)) for kind in NETWORKS for n in (50, 150, 470)},
    "parity-8-scalars-short": ("mlp", _parity_scalars_short),
}

# The other reading of the same networks' output, and an MLP with about as many parameters as the UNet and the DiT.
ALSO_READ = {f"quarter-{kind}-470-noise": (f"quarter-{kind}-470", dict(reads="noise")) for kind in ("unet", "dit")}
SMALL = {"quarter-mlp-470-small": ("quarter-mlp-470", dict(network=dict(width=216)))}

# What the paper leaves unsaid (chapter 2), one choice changed at a time.
SCHEDULES = {
    "cosine": dict(schedule=Schedule("cosine")),
    "sigmoid": dict(schedule=Schedule("sigmoid")),
    "T-100": dict(schedule=Schedule("linear", 100, 1e-3, 0.2)),  # β ten times as large: the same noise at the end
}
UNSAID = {
    "parity-8-scalars-short": SCHEDULES | {
        "batch-32": dict(training=dict(batch=32)),
        "batch-512": dict(training=dict(batch=512)),
        "ema": dict(training=dict(ema=0.999)),
        "reads-v": dict(reads="v"),
        "x0": dict(reads="x0", target="x0"),
    },
    "quarter-mlp-470": SCHEDULES | {
        "batch-16": dict(training=dict(batch=16)),
        "batch-128": dict(training=dict(batch=128)),
        "no-ema": dict(training=dict(ema=0.0)),
        "reads-v": dict(reads="v", target="noise"),
        "noise": dict(reads="noise", target="noise"),
        "exemplars-10": dict(renderer=dict(exemplars=10)),
    },
}
VARIANTS = {f"{of}-{choice}": (of, fields) for of, choices in UNSAID.items() for choice, fields in choices.items()}
EXPERIMENTS |= {name: _variant(of, fields) for name, (of, fields) in (ALSO_READ | SMALL | VARIANTS).items()}
OURS = frozenset(ALSO_READ | SMALL | VARIANTS)  # of which the paper has no counterpart
