"""How the book's experiments are made, by kind of data: sizes, steps, measurements of each tier.

Where the paper is silent the commonest setting stands: T = 1000, linear β, x̂0 clamped to [−1, 1].
The paper tier follows every choice that the paper states: networks, images, batch, rate and steps
(§4.2, A.5), the output read as noise (Eq. 8), ancestral sampling by all steps (Eq. 7), a digit's
many handwritings, drawn anew at every exposure (A.5). The laptop tier is cut to minutes on one CPU
core, by DDIM among other things; the smoke tier goes through the same code in seconds.

A recipe is called with name, tier and seed and gives the experiment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from localbias.experiments.configuration import Experiment, Sampling
from localbias.measure import Probing
from localbias.training import Training

NETWORKS: dict[str, dict[str, dict[str, Any]]] = {
    "mlp": {
        "smoke": dict(kind="mlp", width=32, depth=1),
        "laptop": dict(kind="mlp", width=512, depth=3),
    },
    "unet": {
        "smoke": dict(kind="unet", width=8, mults=[1, 2], heads=1, head_width=8),
        "laptop": dict(kind="unet", width=16, mults=[1, 2, 4], heads=2, head_width=16),
        "paper": dict(kind="unet", width=64),
    },
    "dit": {
        "smoke": dict(kind="dit", width=16, depth=1, heads=2, patch=7),
        # A patch is half a digit wide.
        "laptop": dict(kind="dit", width=96, depth=4, heads=4, patch=7),
        "paper": dict(kind="dit"),
    },
}
SMOKE: dict[str, Any] = dict(
    training=Training(steps=20, batch=16, ema=0.9),
    sampling=Sampling(samples=16, steps=10),
    measure_at=(10, 20),
)
SMOKE_PROBING = Probing(levels=(0.3, 0.9), samples=4, probes=2, closer=(0.3,))
# The paper's levels .1, .3, .5, .7, .9 (§4.3; .2 for text, §6), and more inside the band where the
# rule matters, which for each rendering lies elsewhere: chapters 2 and 4 compute it.
PROBING = {
    "scalars": Probing((0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), samples=256, closer=(0.7, 0.9)),
    "scalars, three levels": Probing((0.5, 0.7, 0.9), samples=256),
    "parity": Probing((0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9), samples=24, probes=3, closer=(0.5, 0.7)),
    "quarter": Probing(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9), samples=24, probes=3, closer=(0.3, 0.5)
    ),
    "quarter, paper": Probing(
        (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 0.9), samples=24, probes=4, closer=(0.1, 0.3)
    ),
    "check scalars": Probing((0.5, 0.7, 0.8, 0.9), samples=128),
    "dyck scalars": Probing((0.3, 0.5, 0.7, 0.8, 0.9), samples=256, symbol=3),
    "check glyphs": Probing((0.3, 0.5, 0.6, 0.7, 0.8), samples=24, probes=3),
    # The first parenthesis of a Dyck word is always "(".
    "dyck": Probing(
        (0.2, 0.4, 0.5, 0.6, 0.7, 0.8), samples=24, probes=3, symbol=3, closer=(0.5, 0.7)
    ),
    # A.7.2: the second parenthesis; t = 96 of a linear schedule of 1,000 steps is √ᾱ = .95.
    "dyck, paper": Probing(
        (0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95), samples=24, probes=4, symbol=1, closer=(0.3, 0.95)
    ),
    "words": Probing((0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8), samples=16, probes=3, closer=(0.2, 0.5)),
    "characters": Probing((0.05, 0.1, 0.2, 0.3, 0.4, 0.5), samples=12, probes=3, closer=(0.2, 0.3)),
}
LAPTOP_TRAINING: dict[str, dict[str, Any]] = {
    "mlp": dict(steps=6000, batch=64),
    "unet": dict(steps=1200, batch=16),
    "dit": dict(steps=4000, batch=32),
    "dit on x0": dict(steps=6000, batch=32),
}
PARITY_8: dict[str, Any] = dict(name="parity", length=8)
# Steps at which networks on scalars are measured.
SCALARS_AT = (50, 100, 200, 400, 700, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 10_000, 12_000)
SHARES = (0.025, 0.05, 0.1, 0.2, 0.4, 0.7, 1)  # of the steps, after which outcomes are measured
PARITY_STEPS = 1_100_000  # A.5
DYCK_STEPS = 170_000  # the last step at which the paper shows heat maps of Dyck words (Fig 17)
QUARTER_STEPS = 180_000  # A.5
TEXT_STEPS = 200_000  # the last step at which the paper shows heat maps of text (Fig 21)


class Recipe(Protocol):
    """Makes an experiment in any of its tiers.

    Attributes:
        kind: of the network: "mlp", "unet" or "dit".
    """

    @property
    def kind(self) -> str: ...

    def __call__(self, name: str, tier: str, seed: int) -> Experiment: ...


@dataclass(frozen=True)
class Scalars:
    """±1 scalars, most often half of the valid strings of length 8: all phases within a minute.

    Attributes:
        grammar: of the experiment.
        measure_at: steps of the laptop run, of which the last is the end of training.
        keep: those whose weights the first seed keeps.
        probing: by its name in PROBING.
        also: whether it is sampled in several ways.
        n_train: valid strings that are trained on.
        network: kind and options of the network, where they are not those of an MLP of width 256.
    """

    grammar: dict
    measure_at: tuple[int, ...]
    keep: tuple[int, ...] = ()
    probing: str = "scalars"
    also: bool = False
    n_train: int = 64
    network: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "mlp"

    def __call__(self, name: str, tier: str, seed: int) -> Experiment:
        shared: dict[str, Any] = dict(
            grammar=self.grammar,
            renderer=dict(name="scalars", length=self.grammar["length"]),
            n_train=self.n_train,
        )
        if tier == "smoke":
            network = NETWORKS["mlp"]["smoke"] | dict(self.network) | dict(width=32, depth=1)
            shared |= SMOKE | dict(network=network, probing=SMOKE_PROBING)
            return Experiment(name, tier, seed, also=SMOKE_ALSO if self.also else (), **shared)
        return Experiment(
            name,
            tier,
            seed,
            network=dict(kind="mlp", width=256, depth=3) | dict(self.network),
            training=Training(steps=self.measure_at[-1], batch=128, rate=1e-3),
            measure_at=self.measure_at,
            keep=self.keep if seed == 0 else (),
            sampling=Sampling(samples=1000),
            probing=PROBING[self.probing],
            also=_other_sampling(1000, 50) if self.also else (),
            **shared,
        )


@dataclass(frozen=True)
class Images:
    """An experiment on images.

    Outside the paper's tier small convolutional and attention networks read their output as v while
    the loss stays the noise's. The MLP is no wider than the image: read as v it stays fuzzy in
    these minutes, so it is trained on x0, as is a DiT with a token a symbol.

    Attributes:
        kind: of the network.
        data: tier -> what the data decide: grammar, renderer, n_train and, of some, how many
            samples are shown.
        paper_steps: of training in the paper's tier.
        patch: pixels a side of a token of the DiT outside the paper's tier; None: NETWORKS' own.
        on_x0: whether a DiT reads and predicts x0 there.
        probing: by its name in PROBING; None for not at all.
        keep: whether the first seed keeps weights: of an early, a middle and the last measured
            step.
        also: whether it is sampled in several ways.
    """

    kind: str
    data: Mapping[str, dict[str, Any]]
    paper_steps: int
    patch: int | None = None
    on_x0: bool = False
    probing: str | None = None
    keep: bool = False
    also: bool = False

    def __call__(self, name: str, tier: str, seed: int) -> Experiment:
        tiers = {"smoke": self._smoke, "laptop": self._laptop, "paper": self._paper}
        return Experiment(name, tier, seed, **self.data[tier], **tiers[tier](seed))

    @property
    def _small(self) -> dict[str, Any]:
        """What smoke and laptop have in common."""
        on_x0 = self.kind == "mlp" or (self.kind == "dit" and self.on_x0)
        return dict(reads="x0", target="x0") if on_x0 else dict(reads="v")

    def _network(self, tier: str) -> dict[str, Any]:
        cut = {"patch": self.patch} if self.kind == "dit" and self.patch else {}
        return NETWORKS[self.kind][tier] | cut

    def _smoke(self, seed: int) -> dict[str, Any]:
        more: dict[str, Any] = dict(also=SMOKE_ALSO) if self.also else {}
        more |= dict(probing=SMOKE_PROBING) if self.probing else {}
        return self._small | SMOKE | more | dict(network=self._network("smoke"))

    def _laptop(self, seed: int) -> dict[str, Any]:
        size = LAPTOP_TRAINING["dit on x0" if self.kind == "dit" and self.on_x0 else self.kind]
        training = Training(rate=1e-3, warmup=100, decay="linear", ema=0.99, clip=1.0, **size)
        measure_at = _steps(training.steps, SHARES)
        return self._small | dict(
            network=self._network("laptop"),
            training=training,
            measure_at=measure_at,
            keep=(measure_at[0], measure_at[3], measure_at[-1]) if seed == 0 and self.keep else (),
            sampling=Sampling(samples=150, steps=25),
            probing=PROBING[self.probing] if self.probing else None,
            also=_other_sampling(150, 25) if self.also else (),
        )

    def _paper(self, seed: int) -> dict[str, Any]:
        probing = PROBING.get(f"{self.probing}, paper") or PROBING.get(self.probing or "")
        return dict(
            network=NETWORKS[self.kind]["paper"],
            training=Training(steps=self.paper_steps, batch=16, rate=8e-5, ema=0.995),
            measure_at=_steps(self.paper_steps, (0.005, 0.01, *SHARES)),
            sampling=Sampling(samples=200, steps=1000, eta=1.0),
            probing=probing,
        )


@dataclass(frozen=True)
class MeasuredAt:
    """Another recipe, its laptop run measured at these steps; the last ends the training."""

    of: Recipe
    measure_at: tuple[int, ...]

    @property
    def kind(self) -> str:
        return self.of.kind

    def __call__(self, name: str, tier: str, seed: int) -> Experiment:
        made = self.of(name, tier, seed)
        if tier != "laptop":
            return made
        training = replace(made.training, steps=self.measure_at[-1])
        return made.replace(training=training, measure_at=self.measure_at)


@dataclass(frozen=True)
class Variant:
    """Another recipe that differs in a few fields; those of its nested parts are merged into them.

    Attributes:
        of: the other recipe.
        fields: of `Experiment`. A network's are of the laptop tier alone, as smoke has sizes of its
            own.
    """

    of: Recipe
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.of.kind

    def __call__(self, name: str, tier: str, seed: int) -> Experiment:
        made = self.of(name, tier, seed).replace(keep=(), also=())
        changed = dict(self.fields)
        if "training" in changed:
            changed["training"] = replace(made.training, **changed["training"])
        if "renderer" in changed:
            changed["renderer"] = made.renderer | changed["renderer"]
        if "network" in changed:
            network: Any = made.network  # a recipe's parts have names and options
            changed["network"] = network | (changed["network"] if tier == "laptop" else {})
        return made.replace(**changed)


def parentheses(
    kind: str, grammar: dict, n_train: int, probing: str | None = None, keep: bool = False
) -> Images:
    """Parentheses drawn as glyphs, four a row (§4.1, A.7.2).

    In the paper's tier an image has 64 × 64 pixels. On a laptop a parenthesis has 8 × 8 pixels and
    is one token of a DiT that predicts x0, as in `words`.
    """
    grid = [grammar["length"] // 4, 4]

    def data(image: list[int]) -> dict[str, Any]:
        renderer = dict(name="glyphs", grid=grid, image=image)
        return dict(grammar=grammar, renderer=renderer, n_train=n_train)

    small = data([grid[0] * 8, grid[1] * 8])
    return Images(
        kind,
        dict(smoke=small, laptop=small, paper=data([64, 64])),
        DYCK_STEPS if grammar["name"] == "dyck" else PARITY_STEPS,
        patch=8,
        on_x0=True,
        probing=probing,
        keep=keep,
    )


def quarter(
    kind: str, n_train: int, probing: str | None = None, keep: bool = False, also: bool = False
) -> Images:
    """Quarter-MNIST (§4.1): four digits with s1 + s2 = s3 + s4; the paper trains on 470 of 670.

    In the paper's tier each exposure draws another of the 1,000 handwritings a digit.
    """

    def data(size: int) -> dict[str, Any]:
        renderer = dict(name="digits", size=size)
        return dict(grammar=dict(name="quarter_sum"), renderer=renderer, n_train=n_train)

    paper = data(64) | dict(rendering="fresh")
    paper["renderer"] = paper["renderer"] | dict(exemplars=1000)
    tiers = dict(smoke=data(28), laptop=data(28), paper=paper)
    return Images(kind, tiers, QUARTER_STEPS, probing=probing, keep=keep, also=also)


def words(kind: str, n_train: int) -> Images:
    """English words in a fixed-pitch font (§6): 14 cells in a row; in the paper tier 2 × 8.

    On a laptop a letter is one token of a DiT that predicts x0: the noise of so many pixels would
    not fit its width.
    """
    small = dict(
        grammar=dict(name="lexicon"),
        renderer=dict(name="words", grid=[1, 14], image=[12, 168]),
        n_train=n_train,
    )
    paper = dict(
        grammar=dict(name="lexicon", cells=16),
        renderer=dict(name="words", grid=[2, 8], image=[64, 64]),
        n_train=n_train,
    )
    tiers = dict(smoke=small, laptop=small, paper=paper)
    return Images(kind, tiers, TEXT_STEPS, patch=12, on_x0=True, probing="words", keep=True)


def lines(kind: str, n_train: int) -> Images:
    """English words in a proportional font (§6, which names none): pictures, read by Tesseract.

    The pixels of 100 samples are kept, of which the reader makes the counts. A token of the DiT is
    as wide as a letter, and half as high.
    """

    def data(image: list[int], shown: int) -> dict[str, Any]:
        grammar, renderer = dict(name="lexicon", whole=True), dict(name="lines", image=image)
        return dict(grammar=grammar, renderer=renderer, n_train=n_train, shown=shown)

    tiers = dict(smoke=data([16, 96], 16), laptop=data([16, 96], 100), paper=data([64, 64], 100))
    return Images(kind, tiers, TEXT_STEPS, patch=8, on_x0=True)


def characters(kind: str, count: int) -> Images:
    """The most frequent Chinese characters in a Kai face (A.7.4), all of them trained on.

    The dense MLP keeps no weights: they are large.
    """

    def data(n: int, size: int) -> dict[str, Any]:
        renderer = dict(name="characters", count=n, size=size)
        return dict(grammar=dict(name="characters", count=n), renderer=renderer, n_train=n)

    tiers = dict(smoke=data(min(count, 20), 32), laptop=data(count, 32), paper=data(count, 64))
    return Images(
        kind, tiers, TEXT_STEPS, patch=8, on_x0=True, probing="characters", keep=kind == "dit"
    )


SMOKE_ALSO = (Sampling(16, steps=10, eta=1.0), Sampling(16, steps=10, clamp=None))


def _other_sampling(samples: int, steps: int) -> tuple[Sampling, ...]:
    """Of the same trained network: coarser, finer, ancestral, and without the clamp of x̂0."""
    return (
        Sampling(samples, steps=10),
        Sampling(samples, steps=250),
        Sampling(samples, steps=1000, eta=1.0),
        Sampling(samples, steps=steps, clamp=None),
    )


def _steps(total: int, shares: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(total * share) for share in shares)
