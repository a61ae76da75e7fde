"""How the experiments of the book are made, by kind of data: the sizes, steps and measurements of each tier.

Where the paper is silent the commonest setting stands: T = 1000, linear β, DDIM, x̂0 clamped to [−1, 1].
The paper tier has the paper's networks, images, batch, rate and steps (§4.2, A.5); the laptop tier is cut to minutes on
one CPU core; the smoke tier goes through the same code in seconds.
"""

from collections.abc import Callable
from dataclasses import replace

from localbias.experiment import Experiment, Sampling
from localbias.probe import Probing
from localbias.training import Training

Recipe = Callable[[str, str, int], Experiment]  # of name, tier and seed

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
# The paper's levels .1, .3, .5, .7, .9 (§4.3; .2 for text, §6), and more inside the band where the rule matters, which
# for each rendering lies elsewhere: chapters 2 and 4 compute it.
PROBING = {
    "scalars": Probing((0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), samples=256, closer=(0.7, 0.9)),
    "parity": Probing((0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9), samples=24, probes=3, closer=(0.5, 0.7)),
    "quarter": Probing((0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9), samples=24, probes=3, closer=(0.3, 0.5)),
    "quarter, paper": Probing((0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 0.9), samples=24, probes=4, closer=(0.1, 0.3)),
    "check scalars": Probing((0.5, 0.7, 0.8, 0.9), samples=128),
    "check glyphs": Probing((0.3, 0.5, 0.6, 0.7, 0.8), samples=24, probes=3),
    # The first parenthesis of a Dyck word is always "(".
    "dyck": Probing((0.2, 0.4, 0.5, 0.6, 0.7, 0.8), samples=24, probes=3, symbol=3, closer=(0.5, 0.7)),
    "words": Probing((0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8), samples=16, probes=3, closer=(0.2, 0.5)),
    "characters": Probing((0.05, 0.1, 0.2, 0.3, 0.4, 0.5), samples=12, probes=3, closer=(0.2, 0.3)),
}
LAPTOP_TRAINING = {
    "mlp": dict(steps=6000, batch=64),
    "unet": dict(steps=1200, batch=16),
    "dit": dict(steps=4000, batch=32),
    "dit on x0": dict(steps=6000, batch=32),
}
SHARES = (0.025, 0.05, 0.1, 0.2, 0.4, 0.7, 1)  # of the steps, after which outcomes are measured


def scalars(grammar: dict, measure_at: tuple[int, ...], keep: tuple[int, ...] = (), probing: str = "scalars") -> Recipe:
    """±1 scalars of length 8, half of the valid strings: all phases within a minute. `keep` is of the first seed."""

    def build(name: str, tier: str, seed: int) -> Experiment:
        shared = dict(grammar=grammar, renderer=dict(name="scalars", length=8), n_train=64)
        if tier == "smoke":
            network = NETWORKS["mlp"]["smoke"]
            return Experiment(
                name, tier, seed, network=network, training=SMOKE_TRAINING, probing=SMOKE_PROBING, **SMOKE, **shared
            )
        return Experiment(
            name, tier, seed, network=dict(kind="mlp", width=256, depth=3),
            training=Training(steps=measure_at[-1], batch=128, rate=1e-3), measure_at=measure_at,
            keep=keep if seed == 0 else (), sampling=Sampling(samples=1000), probing=PROBING[probing], **shared,
        )

    return build


def scalars_short(grammar: dict) -> Recipe:
    """Half as long, and sampled in several ways: the base of a table."""
    long = scalars(grammar, (1000, 3000, 6000))

    def build(name: str, tier: str, seed: int) -> Experiment:
        made = long(name, tier, seed).replace(also=_other_sampling(1000 if tier == "laptop" else 16, tier))
        return made if tier == "smoke" else made.replace(probing=Probing((0.5, 0.7, 0.9), samples=256))

    return build


def parentheses(
    grammar: dict, kind: str, n_train: int, probing: str | None = None, keep: bool = False
) -> Recipe:
    """Parentheses drawn as glyphs, four a row; in the paper's tier an image has 64 × 64 pixels.

    On a laptop a parenthesis is one token of a DiT that predicts x0, as in `words`.
    """

    def build(name: str, tier: str, seed: int) -> Experiment:
        grid = [grammar["length"] // 4, 4]
        image = [64, 64] if tier == "paper" else [grid[0] * 8, grid[1] * 8]
        network = NETWORKS[kind][tier] | (dict(patch=8) if kind == "dit" and tier != "paper" else {})
        shared = dict(
            grammar=grammar, renderer=dict(name="glyphs", grid=grid, image=image), n_train=n_train, network=network
        )
        on_x0 = kind == "dit" and tier != "paper"
        return _images(name, tier, seed, kind, 1_100_000, probing=probing, keep=keep, on_x0=on_x0, **shared)

    return build


def looked_at(of: Recipe, measure_at: tuple[int, ...]) -> Recipe:
    """The same with its laptop run measured at these steps, of which the last is the end of training."""

    def build(name: str, tier: str, seed: int) -> Experiment:
        made = of(name, tier, seed)
        if tier != "laptop":
            return made
        return made.replace(training=replace(made.training, steps=measure_at[-1]), measure_at=measure_at)

    return build


def quarter(kind: str, n_train: int, probing: str | None = None, keep: bool = False, also: bool = False) -> Recipe:
    """Quarter-MNIST (§4.1): four digits with s1 + s2 = s3 + s4; the paper trains on 470 of the 670 tuples."""

    def build(name: str, tier: str, seed: int) -> Experiment:
        shared = dict(
            grammar=dict(name="quarter_sum"),
            renderer=dict(name="digits", size=64 if tier == "paper" else 28),
            n_train=n_train,
            network=NETWORKS[kind][tier],
        )
        return _images(
            name, tier, seed, kind, paper_steps=180_000, probing=probing, keep=keep, also=also, **shared
        )

    return build


def words(kind: str, n_train: int) -> Recipe:
    """English words in a fixed-pitch font (§6): 14 cells in a row; in the paper's tier two rows of eight.

    On a laptop a letter is one token of a DiT that predicts x0: the noise of so many pixels would not fit its width.
    """

    def build(name: str, tier: str, seed: int) -> Experiment:
        paper = tier == "paper"
        shared = dict(
            grammar=dict(name="lexicon", cells=16) if paper else dict(name="lexicon"),
            renderer=dict(name="words", grid=[2, 8] if paper else [1, 14], image=[64, 64] if paper else [12, 168]),
            n_train=n_train,
            network=NETWORKS[kind][tier] | (dict(patch=12) if kind == "dit" and not paper else {}),  # a token a letter
        )
        on_x0 = kind == "dit" and not paper
        return _images(name, tier, seed, kind, TEXT_STEPS, probing="words", keep=True, on_x0=on_x0, **shared)

    return build


def lines(kind: str, n_train: int) -> Recipe:
    """English words in a proportional font, as the paper's (§6): each a picture as a whole, to be read by OCR.

    The pixels of 100 samples are kept, of which the reader makes the counts. A token is as wide as a letter, and half as high.
    """

    def build(name: str, tier: str, seed: int) -> Experiment:
        shared = dict(
            grammar=dict(name="lexicon", whole=True),
            renderer=dict(name="lines", image=[64, 64] if tier == "paper" else [16, 96]),
            n_train=n_train,
            network=NETWORKS[kind][tier] | (dict(patch=8) if kind == "dit" and tier != "paper" else {}),
            shown=16 if tier == "smoke" else 100,
        )
        return _images(name, tier, seed, kind, TEXT_STEPS, on_x0=kind == "dit" and tier != "paper", **shared)

    return build


def characters(kind: str, count: int) -> Recipe:
    """The most frequent Chinese characters in a Kai face (§6), all of them trained on."""

    def build(name: str, tier: str, seed: int) -> Experiment:
        size, n = 64 if tier == "paper" else 32, min(count, 20) if tier == "smoke" else count
        shared = dict(
            grammar=dict(name="characters", count=n),
            renderer=dict(name="characters", count=n, size=size),
            n_train=n,
            network=NETWORKS[kind][tier] | (dict(patch=8) if kind == "dit" and tier != "paper" else {}),
        )
        of_dit = kind == "dit"  # whose weights are small
        return _images(
            name, tier, seed, kind, TEXT_STEPS, probing="characters", keep=of_dit, on_x0=of_dit and tier != "paper", **shared
        )

    return build


TEXT_STEPS = 200_000  # the last step at which the paper shows heat maps of text (Fig 21)


def variant(of: Recipe, fields: dict) -> Recipe:
    """An experiment that differs from another in a few fields; those of its nested parts are merged into them."""

    def vary(name: str, tier: str, seed: int) -> Experiment:
        made = of(name, tier, seed).replace(keep=(), also=())
        changed = dict(fields)
        if training := fields.get("training"):
            changed["training"] = replace(made.training, **training)
        if renderer := fields.get("renderer"):
            changed["renderer"] = made.renderer | renderer
        if network := fields.get("network"):
            changed["network"] = made.network | (network if tier == "laptop" else {})
        return made.replace(**changed)

    return vary


def _images(
    name: str, tier: str, seed: int, kind: str, paper_steps: int, probing: str | None = None, keep: bool = False,
    also: bool = False, on_x0: bool = False, **shared,
) -> Experiment:
    """What the experiments on images have in common; the first seed keeps its weights if `keep`, for probing.

    Small convolutional and attention networks read their output as v while the loss stays the noise's. The MLP is
    no wider than the image: read as v it stays fuzzy in these minutes, so it is trained on x0.
    """
    if tier != "paper":
        shared |= dict(reads="x0", target="x0") if kind == "mlp" or on_x0 else dict(reads="v")
    if probing:
        paper = PROBING.get(f"{probing}, paper") if tier == "paper" else None
        shared |= dict(probing=SMOKE_PROBING if tier == "smoke" else paper or PROBING[probing])
    if also:
        shared |= dict(also=_other_sampling(150 if tier == "laptop" else 16, tier))
    if tier == "smoke":
        return Experiment(name, tier, seed, training=SMOKE_TRAINING, **SMOKE, **shared)
    if tier == "paper":
        training = Training(steps=paper_steps, batch=16, rate=8e-5, ema=0.995)
        measure_at = _steps(paper_steps, (0.005, 0.01, *SHARES))
        return Experiment(name, tier, seed, training=training, measure_at=measure_at, **shared)
    size = LAPTOP_TRAINING["dit on x0" if on_x0 else kind]
    training = Training(rate=1e-3, warmup=100, decay="linear", ema=0.99, clip=1.0, **size)
    measure_at = _steps(training.steps, SHARES)
    kept = (measure_at[0], measure_at[3], measure_at[-1]) if seed == 0 and keep else ()
    sampling = Sampling(samples=150, steps=25)
    return Experiment(
        name, tier, seed, training=training, measure_at=measure_at, keep=kept, sampling=sampling, **shared
    )


def _other_sampling(samples: int, tier: str) -> tuple[Sampling, ...]:
    """Of the same trained network: coarser, finer, ancestral, and without the clamp of x̂0."""
    if tier == "smoke":
        return (Sampling(samples, steps=10, eta=1.0), Sampling(samples, steps=10, clamp=None))
    finer = Sampling(samples, steps=10), Sampling(samples, steps=250), Sampling(samples, steps=1000, eta=1.0)
    return *finer, Sampling(samples, steps=50 if samples == 1000 else 25, clamp=None)


def _steps(total: int, shares: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(total * share) for share in shares)
