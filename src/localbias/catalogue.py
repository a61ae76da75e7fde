"""The experiments of the book, by name, each in its tiers. `recipes` says how they are made."""

from localbias import recipes
from localbias.diffusion import Schedule
from localbias.experiment import TIERS, Experiment
from localbias.recipes import NETWORKS, Recipe

PARITY_8 = dict(name="parity", length=8)
# The kind of network, and what builds the configuration from name, tier and seed.
EXPERIMENTS: dict[str, tuple[str, Recipe]] = {
    "parity-8-scalars": ("mlp", recipes.scalars(
        PARITY_8, keep=(100, 1000, 12_000),
        measure_at=(50, 100, 200, 400, 700, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 10_000, 12_000),
    )),
    # Half of the valid strings of length 8, and 5 % of those of length 16 (§4.1).
    "parity-8-mlp": ("mlp", recipes.parentheses(PARITY_8, "mlp", 64)),
    "parity-8-unet": ("unet", recipes.parentheses(PARITY_8, "unet", 64, probing="parity", keep=True)),
    "parity-16-unet": ("unet", recipes.parentheses(dict(name="parity", length=16), "unet", 1638)),
    **{
        f"quarter-{kind}-{n}": (kind, recipes.quarter(
            kind, n,
            probing="quarter" if n == 470 or (kind, n) == ("mlp", 50) else None,
            keep=n == 470 and kind != "mlp",
            also=(kind, n) == ("mlp", 470),
        ))
        for kind in NETWORKS for n in (50, 150, 470)
    },
    "parity-8-scalars-short": ("mlp", recipes.scalars_short(PARITY_8)),
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
EXPERIMENTS |= {
    name: (EXPERIMENTS[of][0], recipes.variant(EXPERIMENTS[of][1], fields))
    for name, (of, fields) in (ALSO_READ | SMALL | VARIANTS).items()
}

# The stress test of chapter 4: one check over 2 to 8 symbols, and, over 8, a pair of symbols correlated.
ORDERS = {f"check-{order}": dict(name="check", length=8, order=order) for order in (2, 3, 4, 5, 6, 8)}
CORRELATIONS = {
    f"check-8-rho-{rho}": dict(name="check", length=8, order=8, correlation=rho / 100) for rho in (30, 60, 90)
}
STRESS = {}
for name, checked in (ORDERS | CORRELATIONS).items():
    STRESS[f"{name}-scalars"] = "mlp", recipes.scalars(
        checked, probing="check scalars",
        measure_at=(200, 400, 700, 1000, 1400, 2000, 2800, 4000, 5600, 8000, 12_000),
    )
    STRESS[f"{name}-dit"] = "dit", recipes.looked_at(
        recipes.parentheses(checked, "dit", 64, probing="check glyphs"),
        measure_at=(150, 300, 600, 1000, 1500, 2200, 3000, 4000, 5500, 8000),
    )
# Four times as long: do checks of three and four end in glyphs as well?
for order in (3, 4):
    STRESS[f"check-{order}-dit-long"] = "dit", recipes.looked_at(
        STRESS[f"check-{order}-dit"][1], measure_at=(600, 1500, 3000, 5500, 8000, 12_000, 16_000, 22_000, 32_000)
    )
# Real text and the Dyck words between (§6, A.7.2, A.7.4): all 14 words of length 8, half of the longer ones.
TEXT = {
    **{
        f"dyck-{length}-dit": ("dit", recipes.parentheses(
            dict(name="dyck", length=length), "dit", n_train, probing="dyck", keep=True
        ))
        for length, n_train in {8: 14, 12: 66, 16: 715}.items()
    },
    **{f"words-dit-{n}": ("dit", recipes.words("dit", n)) for n in (30, 999)},
    **{f"lines-{kind}-{n}": (kind, recipes.lines(kind, n)) for kind, n in (("dit", 30), ("dit", 999), ("unet", 999))},
    **{
        f"characters-{kind}-{n}": (kind, recipes.characters(kind, n))
        for kind, n in (("mlp", 50), ("dit", 50), ("dit", 300), ("unet", 1000))
    },
    "words-unet-999": ("unet", recipes.words("unet", 999)),
    "dyck-16-unet": ("unet", recipes.parentheses(dict(name="dyck", length=16), "unet", 715, probing="dyck", keep=True)),
}
EXPERIMENTS |= STRESS | TEXT
# Of which the paper has no counterpart.
OURS = frozenset(ALSO_READ | SMALL | VARIANTS | STRESS) | {name for name in TEXT if "dit" in name}


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
