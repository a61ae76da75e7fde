"""The experiments of the book, by name, each in its tiers. `recipes` says how they are made."""

import difflib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from localbias.diffusion import Schedule
from localbias.experiments import engine
from localbias.experiments.beyond import BEYOND
from localbias.experiments.configuration import TIERS, Experiment, Sampling
from localbias.experiments.headline import (
    UNETS,
    Long,
    dyck_row,
    parity_blocks,
    parity_glyphs,
    parity_vectors,
    quarter_dit,
    quarter_unet,
    short_words,
    simple_shapes,
    some_characters,
)
from localbias.experiments.mixtures import (
    FOUR,
    GENTLE,
    GRID,
    PLAIN,
    RELEASED,
    SHRUNK,
    THREE,
    WAVES,
    Mixed,
    Watched,
    stretched,
)
from localbias.experiments.recipes import (
    NETWORKS,
    PARITY_8,
    SCALARS_AT,
    Recipe,
    Scalars,
    Variant,
    characters,
    lines,
    parentheses,
    quarter,
    words,
)
from localbias.experiments.recursion import Chain
from localbias.experiments.setup import Setup
from localbias.experiments.stress import STRESS
from localbias.measure import Watching
from localbias.training import Training

PARITY_16 = dict(name="parity", length=16)

# Chapters 1 and 2 (§4). Half of the valid strings of length 8 are trained on, and 5 % of those of
# length 16.
SYNTHETIC: dict[str, Recipe] = {
    "parity-8-scalars": Scalars(PARITY_8, SCALARS_AT, keep=(100, 1000, 12_000)),
    "parity-8-mlp": parentheses("mlp", PARITY_8, 64),
    "parity-8-unet": parentheses("unet", PARITY_8, 64, probing="parity", keep=True),
    "parity-16-unet": parentheses("unet", PARITY_16, 1638),
    "quarter-mlp-50": quarter("mlp", 50, probing="quarter"),
    "quarter-mlp-150": quarter("mlp", 150),
    "quarter-mlp-470": quarter("mlp", 470, probing="quarter", also=True),
    "quarter-unet-50": quarter("unet", 50),
    "quarter-unet-150": quarter("unet", 150),
    "quarter-unet-470": quarter("unet", 470, probing="quarter", keep=True),
    "quarter-dit-50": quarter("dit", 50),
    "quarter-dit-150": quarter("dit", 150),
    "quarter-dit-470": quarter("dit", 470, probing="quarter", keep=True),
    "parity-8-scalars-short": Scalars(
        PARITY_8, (1000, 3000, 6000), probing="scalars, three levels", also=True
    ),
}

# The other reading of the same networks' output, and an MLP with about as many parameters as the
# UNet and the DiT.
OTHERWISE: dict[str, Recipe] = {
    "quarter-unet-470-noise": Variant(SYNTHETIC["quarter-unet-470"], dict(reads="noise")),
    "quarter-dit-470-noise": Variant(SYNTHETIC["quarter-dit-470"], dict(reads="noise")),
    "quarter-mlp-470-small": Variant(SYNTHETIC["quarter-mlp-470"], dict(network=dict(width=216))),
}

# What the paper leaves unsaid (chapter 2): one choice changed at a time, on two cheap experiments.
SCHEDULES = {
    "cosine": dict(schedule=Schedule("cosine")),
    "sigmoid": dict(schedule=Schedule("sigmoid")),
    # β ten times as large: the same noise at the end
    "T-100": dict(schedule=Schedule("linear", 100, 1e-3, 0.2)),
}
UNSAID: dict[str, dict[str, dict[str, Any]]] = {
    "parity-8-scalars-short": SCHEDULES
    | {
        "batch-32": dict(training=dict(batch=32)),
        "batch-512": dict(training=dict(batch=512)),
        "ema": dict(training=dict(ema=0.999)),
        "reads-v": dict(reads="v"),
        "x0": dict(reads="x0", target="x0"),
    },
    "quarter-mlp-470": SCHEDULES
    | {
        "batch-16": dict(training=dict(batch=16)),
        "batch-128": dict(training=dict(batch=128)),
        "no-ema": dict(training=dict(ema=0.0)),
        "reads-v": dict(reads="v", target="noise"),
        "noise": dict(reads="noise", target="noise"),
        "exemplars-10": dict(renderer=dict(exemplars=10)),
    },
}
VARIANTS: dict[str, Recipe] = {
    f"{of}-{choice}": Variant(SYNTHETIC[of], fields)
    for of, choices in UNSAID.items()
    for choice, fields in choices.items()
}


# Real text and the Dyck words between (§6, A.7.2, A.7.4): all 14 words of length 8, half of the
# longer ones.
def _dyck(kind: str, length: int, n_train: int) -> Recipe:
    rule = dict(name="dyck", length=length)
    return parentheses(kind, rule, n_train, probing="dyck", keep=True)


TEXT: dict[str, Recipe] = {
    "dyck-8-dit": _dyck("dit", 8, 14),
    "dyck-12-dit": _dyck("dit", 12, 66),
    "dyck-16-dit": _dyck("dit", 16, 715),
    "dyck-16-unet": _dyck("unet", 16, 715),
    "words-dit-30": words("dit", 30),
    "words-dit-999": words("dit", 999),
    "words-unet-999": words("unet", 999),
    "lines-dit-30": lines("dit", 30),
    "lines-dit-999": lines("dit", 999),
    "lines-unet-999": lines("unet", 999),
    "characters-mlp-50": characters("mlp", 50),
    "characters-dit-50": characters("dit", 50),
    "characters-dit-300": characters("dit", 300),
    "characters-unet-1000": characters("unet", 1000),
}

# The paper's headline figures, each by its own kind of network, followed for up to hours.
HEADLINE: dict[str, Recipe] = {
    # Figs 4 and 5: a token a digit, at more and more training tuples
    "quarter-token-dit-20": quarter_dit(20, 8000),
    "quarter-token-dit-35": quarter_dit(35, 11_000),
    "quarter-token-dit-50": quarter_dit(50, 16_000, keep=(1000, 16_000), ancestral=True),
    "quarter-token-dit-100": quarter_dit(100, 32_000),
    "quarter-token-dit-150": quarter_dit(150, 45_000, ancestral=True),
    "quarter-token-dit-200": quarter_dit(200, 64_000),
    "quarter-token-dit-470": quarter_dit(470, 90_000, keep=(1400, 90_000), ancestral=True),
    # as in the published code, and as far apart as four tokens a digit would have them
    "quarter-token-dit-50-spacing-1": quarter_dit(50, 16_000, spacing=1.0),
    "quarter-token-dit-50-spacing-4": quarter_dit(50, 16_000, spacing=4.0),
    # as A.5 has it: another handwriting at every exposure
    "quarter-token-dit-150-fresh": quarter_dit(150, 45_000, exemplars=100),
    "quarter-x0-unet-470": quarter_unet(470, 32_000, keep=(1400, 32_000)),
    # the first part of that, again with another handwriting at every exposure
    "quarter-x0-unet-470-fresh": quarter_unet(
        470, 2000, probing=None, decay="constant", exemplars=100, first=350
    ),
    # Fig 3
    "parity-8-unet-blocks": parity_blocks(8, 64, 6000, "parity", keep=(350, 2800, 6000)),
    "parity-16-unet-blocks": parity_blocks(16, 1638, 6000, "parity of 16"),
    "parity-8-unet-small-glyphs": parity_glyphs(22_000),
    "parity-8-mlp-vectors": parity_vectors(32_000),
    # Figs 16 and 17
    "dyck-8-unet": dyck_row(8, 14, 8000, keep=(60, 8000), ancestral=True),
    "dyck-12-unet": dyck_row(12, 66, 8000, keep=(90, 8000), ancestral=True),
    "dyck-16-unet-row": dyck_row(16, 715, 11_000, keep=(90, 11_000)),
    # Figs 7, 20 and 21
    "short-words-unet-30": short_words(30, 11_000, keep=(1000, 11_000), ancestral=True),
    "characters-unet-50": some_characters(50, 8000, keep=(1000, 8000)),
}

# Chapter 5: the other paper's mixtures, and this book's experiments seen by its filter.
MODES: dict[str, Mixed | Watched | Long] = {
    "modes-3": Mixed(THREE, paper_steps=20_000, paper_points=6667, keep=(1000, 8000)),
    "modes-3-gentle": Mixed(THREE, schedule=GENTLE, keep=(1000, 8000)),
    "modes-3-gentle-T-100": Mixed(THREE, schedule=stretched(GENTLE, 100)),
    "modes-3-gentle-T-250": Mixed(THREE, schedule=stretched(GENTLE, 250)),
    "modes-3-narrow": Mixed(THREE, PLAIN | dict(width=16)),
    "modes-3-wide": Mixed(THREE, PLAIN | dict(width=256)),
    "modes-4": Mixed(FOUR, paper_steps=50_000, paper_points=12_500),
    "modes-3-points-10": Mixed(THREE | dict(points=10)),
    "modes-3-points-100": Mixed(THREE | dict(points=100)),
    "modes-3-points-1000": Mixed(THREE | dict(points=1000)),
    "grid-25": Mixed(GRID, WAVES, rate=2e-3, paper_steps=100_000, paper_points=4000),
    "grid-25-gentle": Mixed(GRID, WAVES, GENTLE, 2e-3, keep=(1000, 8000)),
    "grid-25-plain": Mixed(GRID, PLAIN | dict(width=128), GENTLE, 2e-3),
    "grid-25-layernorm": Mixed(GRID, RELEASED, GENTLE),
    "grid-25-turned": Mixed(GRID | dict(turn=45.0), WAVES, GENTLE, 2e-3),
    "grid-25-shrunk": Mixed(SHRUNK, WAVES, GENTLE, 2e-3, paper_steps=100_000, paper_points=4000),
    "board-13": Mixed(GRID, WAVES, GENTLE, 2e-3, checkerboard=True),
    "shapes-unet": simple_shapes(UNETS["pictures"], 8000, keep=(1000, 8000)),
    "parity-8-scalars-watched": Watched(
        SYNTHETIC["parity-8-scalars"],
        (100, 1000, 4000, 12_000),
        Watching(levels=(0.7, 0.9, 0.99), probes=2),
    ),
    "quarter-token-dit-50-watched": Watched(
        HEADLINE["quarter-token-dit-50"],
        (350, 1000, 4000, 16_000),
        Watching(levels=(0.3, 0.5, 0.9), probes=3),
        samples=400,
    ),
}

EXPERIMENTS: dict[str, Recipe] = (
    SYNTHETIC | OTHERWISE | VARIANTS | STRESS | TEXT | HEADLINE | MODES | BEYOND
)
# Those without a counterpart in the paper have no paper tier.
OURS = frozenset(OTHERWISE | VARIANTS | STRESS | HEADLINE | MODES | BEYOND) | {
    name for name in TEXT if "dit" in name
}


def make(name: str, tier: str = "laptop", seed: int = 0, **changes: Any) -> Experiment:
    """The experiment of that name, tier and seed.

    Args:
        name: one of EXPERIMENTS.
        tier: "smoke", "laptop" or "paper".
        seed: a whole number from 0.
        changes: fields that replace those of the experiment.

    Raises:
        ValueError: for what is unknown, naming what is like it.
    """
    if name not in EXPERIMENTS:
        raise ValueError(unknown(name))
    require_tier(tier)
    if tier not in tiers(name):
        raise ValueError(
            f"experiment {name!r} has no tier {tier!r}; it has: {', '.join(tiers(name))}"
        )
    return EXPERIMENTS[name](name, tier, seed).replace(**changes)


def require_tier(tier: str) -> None:
    """ValueError for a tier that there is not, naming those there are."""
    if tier not in TIERS:
        raise ValueError(f"unknown tier {tier!r}; known: {', '.join(TIERS)}")


def unknown(name: str) -> str:
    """What to say of a name or pattern that is no experiment's: those like it, if there are any."""
    alike = difflib.get_close_matches(name, EXPERIMENTS, n=3)
    meant = f"did you mean {', '.join(alike)}? " if alike else ""
    return f"unknown experiment {name!r}; {meant}`localbias list` names all"


# Treatment -> how many chains the book shows.
CHAINED = dict(filter=5, sorted=3, random=5, none=5, exact=5)
DIGITS_CHAINED = dict(filter=1, none=1, random=1)


def chain(treatment: str, tier: str = "laptop", seed: int = 0) -> Chain:
    """A chain of the grid's mixture, by networks that are trained so briefly that some samples err.

    Args:
        treatment: one of `recursion.TREATMENTS`.
        tier: "smoke" or "laptop"; "paper" for the other paper's network, steps and points.
        seed: of the chain.
    """
    one = make("grid-25" if tier == "paper" else "grid-25-gentle", tier, seed)
    one = one.replace(keep=(), also=(), watching=None)
    if tier == "paper":
        return Chain(one, treatment, 5, 100_000)
    if tier == "smoke":
        return Chain(one, treatment, 2, 200)
    training = replace(one.training, steps=2000)
    return Chain(one.replace(training=training, measure_at=(2000,)), treatment)


def digit_chain(treatment: str, tier: str = "laptop", seed: int = 0) -> Chain:
    """A chain of MNIST digits, whose networks are told the label.

    Args:
        treatment: one of `recursion.TREATMENTS`, but "exact".
        tier: "smoke" or "laptop"; "paper" for the other paper's picture size, steps and counts. Its
            network, schedule and guidance are not printed.
        seed: of the chain.

    Raises:
        ValueError: for an unknown tier or treatment.
    """
    require_tier(tier)
    most = dict(paper=60_000 * 50 // 256, laptop=1500, smoke=10)[tier]
    network: dict[str, Any] = dict(kind="mlp", width=16 if tier == "smoke" else 512, depth=3)
    shown: dict[str, Any] = dict(name="digit", side=14, exemplars=800)
    training = Training(most, 128, 1e-3, decay="linear", ema=0.99)
    sampling = Sampling(1, 5 if tier == "smoke" else 25, 1.0)
    if tier == "paper":
        network = dict(kind="unet", width=64, mults=[1, 2, 4])
        shown = dict(name="digit", side=28, exemplars=5421, source="full")
        training, sampling = Training(most, 256, 1e-4), Sampling(1, 500, 1.0)
    one = Experiment(
        "digits",
        tier,
        seed,
        grammar=dict(name="modes", count=10),
        renderer=shown,
        network=dict(kind="labelled", classes=10, network=network),
        n_train=10,
        training=training,
        measure_at=(most,),
        rendering="fresh",
        reads="x0",
        target="x0",
        schedule=Schedule("linear", 500),
        sampling=sampling,
    )
    if tier == "paper":
        return Chain(one, treatment, 5, 60_000, round(5 / 65, 4), guidance=0.5)
    if tier == "smoke":
        return Chain(one, treatment, 2, 200, window=3, guidance=0.5)
    return Chain(one, treatment, 3, 6000, guidance=0.5)


def tiers(name: str) -> tuple[str, ...]:
    """The tiers an experiment has: those of its network, if the paper has it.

    Its MLPs of parity (§4.2, A.5) have no printed settings; that of A.8 is `theory.flow`. Of MODES
    the paper is the other one.
    """
    if name in MODES:
        return MODES[name].tiers
    known = NETWORKS[EXPERIMENTS[name].kind]
    return tuple(tier for tier in TIERS if tier in known and (tier != "paper" or name not in OURS))


def tier_for(name: str, tier: str) -> str:
    """That tier where the experiment has it, else laptop.

    A chapter of the paper's tier shows ours beside it.
    """
    return tier if tier in tiers(name) else "laptop"


def run(
    name: str, tier: str = "laptop", seed: int = 0, device: str = "auto", **folders: Any
) -> engine.Record:
    """The record of an experiment of the book, made where there is none.

    It is fingerprinted by the experiment's smoke tier.

    Args:
        name: one of EXPERIMENTS.
        tier: one of its tiers.
        seed: a whole number from 0.
        device: "auto", "cpu" or "cuda".
        folders: `folder` and `runs`, as of `engine.run`.

    Raises:
        ValueError: for what is unknown, and as `engine.run`.
    """
    return engine.run(make(name, tier, seed), device, make(name, "smoke"), **folders)


def setup(name: str, tier: str = "laptop", seed: int = 0) -> Setup:
    """What an experiment describes, in that tier where it has it, else laptop."""
    return Setup(make(name, tier_for(name, tier), seed))


def found(name: str, tier: str, seeds: Iterable[int], **folder: Any) -> list[engine.Record]:
    """The records of an experiment as the catalogue has it now; none where it has no such tier."""
    if tier not in tiers(name):
        return []
    stored = (engine.find(make(name, tier, seed), **folder) for seed in seeds)
    return [record for record in stored if record]
