"""The paper's headline figures by its own kinds of network, at a size that two CPU cores reach.

Figures 3, 4, 5, 7, 16 and 21 show a UNet and a DiT that become sharp, hallucinate at chance and,
some of them, escape. Here are networks small enough to be followed as far: fewer pixels a symbol,
a token a digit, x0 read and predicted, a higher rate. Each departure is a field of the recipe, so
the record names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from localbias.diffusion import Schedule
from localbias.experiments.configuration import Experiment, Sampling
from localbias.experiments.recipes import NETWORKS, SMOKE, SMOKE_ALSO
from localbias.measure import Probing, Watching
from localbias.training import Training

# Where networks are measured: steps that grow by about the square root of two.
STEPS = (
    *(30, 60, 90, 125, 180, 250, 350, 500, 700, 1000, 1400, 2000, 2800, 4000, 5600, 8000),
    *(11_000, 16_000, 22_000, 32_000, 45_000, 64_000, 90_000),
)

COMMON = Schedule()
# Half of the steps at √ᾱ .15–.55 (.004: .2–.7), where the rule of such pictures matters.
CONSTANT = {beta: Schedule("linear", 1000, beta, beta) for beta in (0.004, 0.005)}

UNETS: dict[str, dict[str, Any]] = {
    "blocks": dict(kind="unet", width=16, mults=[1, 2], heads=2, head_width=16),
    "pictures": dict(kind="unet", width=16, mults=[1, 2, 4], heads=1, head_width=16),
}
PROBING = {
    "quarter": Probing(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9),
        samples=24,
        probes=3,
        closer=(0.1, 0.3, 0.5),
        further=("pairs",),
    ),
    "parity": Probing(
        (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9),
        samples=32,
        probes=3,
        closer=(0.5, 0.7),
        further=("pairs", "triples"),
    ),
    "parity of 16": Probing((0.3, 0.5, 0.6, 0.7, 0.8, 0.9), samples=24, probes=3),
    # The second parenthesis, and √ᾱ = .95 of the paper's t = 96 if its schedule is the common one.
    "dyck": Probing(
        (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95),
        samples=32,
        probes=3,
        symbol=1,
        closer=(0.5, 0.7, 0.95),
        further=("pairs",),
    ),
    "words": Probing(
        (0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8), samples=24, probes=3, closer=(0.1, 0.2, 0.5)
    ),
    "characters": Probing(
        (0.05, 0.1, 0.2, 0.3, 0.4, 0.5), samples=24, probes=3, closer=(0.1, 0.2, 0.3)
    ),
}


@dataclass(frozen=True)
class Long:
    """An experiment that is followed until it escapes, or for as long as hours on one core carry.

    Attributes:
        network: of the laptop tier.
        data: grammar, renderer, n_train and, where it is not the default, rendering, of both tiers.
        steps: of training; it is measured at those of STEPS up to there.
        probing: by its name in PROBING.
        training: what differs from Adam at 2e-3 that decays, after a warm-up of 100 steps.
        schedule: the noise.
        samples: signals that are counted at each measured step.
        first: the first step that is measured.
        keep: measured steps whose weights seed 0 keeps.
        ancestral: whether the trained network is also sampled as of Eq. 7, by all T steps.
        fields: of `Experiment`, what else differs.
    """

    network: Mapping[str, Any]
    data: Mapping[str, Any]
    steps: int
    probing: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = COMMON
    samples: int = 200
    first: int = 30
    keep: tuple[int, ...] = ()
    ancestral: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.network["kind"]

    @property
    def tiers(self) -> tuple[str, ...]:
        return ("smoke", "laptop")

    def __call__(self, name: str, tier: str, seed: int) -> Experiment:
        measured = tuple(step for step in STEPS if self.first <= step <= self.steps)
        common: dict[str, Any] = dict(rate=2e-3, warmup=100, decay="linear", ema=0.99, clip=1.0)
        probing = PROBING[self.probing] if self.probing else None
        made: dict[str, Any] = dict(
            network=dict(self.network),
            training=Training(steps=self.steps, **common | dict(self.training)),
            measure_at=measured if measured[-1] == self.steps else (*measured, self.steps),
            keep=self.keep if seed == 0 else (),
            sampling=Sampling(samples=self.samples, steps=50),
            probing=probing,
            also=(Sampling(self.samples, 1000, eta=1.0, clamp=None),) if self.ancestral else (),
        )
        if tier == "smoke":
            small = {k: v for k, v in self.network.items() if k in ("patch", "spacing")}
            made |= SMOKE | dict(network=NETWORKS[self.kind]["smoke"] | small, keep=())
            made["also"] = SMOKE_ALSO[:1] if self.ancestral else ()
            if probing:
                few: dict[str, Any] = dict(samples=4, probes=2, closer=probing.closer[:1])
                made["probing"] = replace(probing, levels=probing.levels[:3], **few)
        made |= dict(reads="x0", target="x0", schedule=self.schedule)
        return Experiment(name, tier, seed, **dict(self.data) | made | dict(self.fields))


def quarter_dit(
    n_train: int,
    steps: int,
    spacing: float | None = None,
    exemplars: int = 1,
    **options: Any,
) -> Long:
    """Quarter-MNIST by a DiT with a token a digit (Figs 4, 5).

    At a constant rate, so that the step at which a network escapes does not depend on where its
    training ends.

    Args:
        n_train: tuples of 670 that are trained on.
        steps: of training, batches of 32.
        spacing: of the positions of its tokens; None: drawn from N(0, 1).
        exemplars: images a digit; several are drawn anew at every exposure (A.5).
        options: of `Long`.
    """
    return Long(
        dict(kind="dit", width=128, depth=3, heads=4, patch=14, spacing=spacing),
        _quarter(n_train, exemplars),
        steps,
        "quarter",
        dict(batch=32, rate=5e-4, decay="constant", ema=0.995),
        CONSTANT[0.005],
        first=125,
        **options,
    )


def quarter_unet(
    n_train: int,
    steps: int,
    probing: str | None = "quarter",
    decay: str = "linear",
    exemplars: int = 1,
    **options: Any,
) -> Long:
    """The same pictures, noise, batches and target by a UNet (Figs 4, 5).

    Args:
        n_train: tuples of 670 that are trained on.
        steps: of training, batches of 32.
        probing: by its name in PROBING.
        decay: of the rate. A constant one is that of a longer training's first part, nearly.
        exemplars: images a digit; several are drawn anew at every exposure (A.5).
        options: of `Long`.
    """
    return Long(
        UNETS["pictures"],
        _quarter(n_train, exemplars),
        steps,
        probing,
        dict(batch=32, rate=1e-3, decay=decay, ema=0.995),
        CONSTANT[0.005],
        **options,
    )


def parity_blocks(length: int, n_train: int, steps: int, probing: str, **options: Any) -> Long:
    """Parity in plain squares of 2 × 2 pixels, four a row, by a UNet (Fig 3)."""
    renderer = dict(name="blocks", grid=[length // 4, 4])
    data = dict(grammar=dict(name="parity", length=length), renderer=renderer, n_train=n_train)
    return Long(
        UNETS["blocks"],
        data,
        steps,
        probing,
        dict(batch=64),
        CONSTANT[0.004],
        samples=1000,
        **options,
    )


def parity_glyphs(steps: int, **options: Any) -> Long:
    """Parity of eight parentheses of 8 × 4 pixels, four a row, by the same UNet (Fig 3)."""
    renderer = dict(name="glyphs", grid=[2, 4], image=[16, 16])
    data = dict(grammar=dict(name="parity", length=8), renderer=renderer, n_train=64)
    return Long(
        UNETS["blocks"],
        data,
        steps,
        "parity",
        dict(batch=64),
        CONSTANT[0.004],
        samples=500,
        **options,
    )


def parity_vectors(steps: int) -> Long:
    """Parity in embedding vectors by an MLP (§4.2, A.5)."""
    data = dict(
        grammar=dict(name="parity", length=8),
        renderer=dict(name="vectors", length=8, width=16),
        n_train=64,
    )
    network = dict(kind="mlp", width=256, depth=3)
    return Long(network, data, steps, "parity", dict(batch=128, rate=1e-3), samples=1000, first=60)


def dyck_row(length: int, n_train: int, steps: int, **options: Any) -> Long:
    """Dyck words of parentheses of 8 × 4 pixels in one row, by a UNet (Figs 16, 17)."""
    renderer = dict(name="glyphs", grid=[1, length], image=[8, 4 * length])
    data = dict(grammar=dict(name="dyck", length=length), renderer=renderer, n_train=n_train)
    return Long(UNETS["pictures"], data, steps, "dyck", dict(batch=32), **options)


def short_words(n_train: int, steps: int, **options: Any) -> Long:
    """Words of the paper's list of up to five letters of 12 × 8 pixels, by a UNet (Figs 7, 21)."""
    renderer = dict(name="words", grid=[1, 5], image=[12, 40], longest=5)
    grammar = dict(name="lexicon", longest=5)
    data = dict(grammar=grammar, renderer=renderer, n_train=n_train)
    return Long(UNETS["pictures"], data, steps, "words", dict(batch=16), **options)


def some_characters(count: int, steps: int, **options: Any) -> Long:
    """Chinese characters of 32 × 32 pixels by a UNet (Figs 7, 20)."""
    renderer = dict(name="characters", count=count, size=32)
    data = dict(grammar=dict(name="characters", count=count), renderer=renderer, n_train=count)
    return Long(UNETS["pictures"], data, steps, "characters", dict(batch=16), **options)


def simple_shapes(network: Mapping[str, Any], steps: int, **options: Any) -> Long:
    """The other paper's triangle, square and pentagon in columns, anew at every exposure."""
    renderer = dict(name="shapes", height=24, column=12, area=26.0)
    data = dict(grammar=dict(name="columns"), renderer=renderer, n_train=7)
    return Long(
        network,
        data,
        steps,
        None,
        dict(batch=16),
        samples=400,
        first=125,
        fields=dict(rendering="fresh", watching=Watching()),
        **options,
    )


def _quarter(n_train: int, exemplars: int = 1) -> dict[str, Any]:
    renderer: dict[str, Any] = dict(name="digits", size=28)
    data = dict(grammar=dict(name="quarter_sum"), renderer=renderer, n_train=n_train)
    if exemplars > 1:
        renderer["exemplars"], data["rendering"] = exemplars, "fresh"
    return data
