"""What records say, as the arrays that figures, tables and the ledger take."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from localbias.diffusion import TARGETS, Denoiser
from localbias.exact import NAMES, RESOLUTION
from localbias.experiments.configuration import Experiment, Sampling, from_configuration
from localbias.experiments.engine import load_network
from localbias.experiments.panels import AlongTraining, ByLevel, ByTarget, Generated, Heat, Moment
from localbias.experiments.products import pooled_ratio, products_of, summaries_at
from localbias.experiments.setup import Setup
from localbias.ldr import Products, Summary, mean_ratio, saliency
from localbias.measure import Probing, order_slopes
from localbias.render import from_pixels
from localbias.store import Record, timed


@dataclass(frozen=True)
class Results:
    """The records of one experiment, a seed each.

    Axes: S seeds, M measured steps, V probed levels, C closer levels of these, L symbols, R
    references in the order of `references`. Row 0 of what has 1 + M rows is the untrained network.

    Attributes:
        records: of one experiment, at least one.

    Raises:
        ValueError: for no records, and for those of several experiments.
    """

    records: Sequence[Record]

    def __post_init__(self) -> None:
        names = {record.experiment["name"] for record in self.records}
        if len(names) != 1:
            raise ValueError(f"records of {sorted(names)}; allowed: of one experiment")

    @cached_property
    def experiments(self) -> list[Experiment]:
        """The configuration of each record."""
        return [from_configuration(record.experiment) for record in self.records]

    @cached_property
    def setups(self) -> list[Setup]:
        """What each configuration describes."""
        return [Setup(experiment) for experiment in self.experiments]

    @property
    def experiment(self) -> Experiment:
        """The configuration of the first record."""
        return self.experiments[0]

    @property
    def setup(self) -> Setup:
        """What that describes."""
        return self.setups[0]

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def network_kind(self) -> str:
        """Of its network, such as "dit"; of one of one's own, its name."""
        return self.experiment.parts["network"]["kind"]

    @property
    def label(self) -> str:
        """Name, tier and number of seeds, for a title."""
        seeds = f"{len(self.records)} seed{'s' * (len(self.records) > 1)}"
        return f"{self.name} ({self.experiment.tier}, {seeds})"

    @property
    def steps(self) -> np.ndarray:
        """The measured steps, int [M]."""
        return self.records[0].arrays["step"]

    @cached_property
    def counts(self) -> np.ndarray:
        """Outcomes, int [S, M, 4]."""
        return self._stacked("counts")

    @property
    def chance(self) -> list[float]:
        """The shares of the outcomes under independent symbols, [4]."""
        return self.records[0].origin["chance"]

    @property
    def parameters(self) -> int:
        """How many the network has."""
        return self.records[0].origin["parameters"]

    def network(self) -> Denoiser:
        """The first record's network, averaged, at the last step whose weights it kept.

        The untrained network where it kept none: only seed 0 of some experiments keeps weights.
        """
        if self.experiment.keep:
            return load_network(self.records[0], self.experiment.keep[-1])
        return self.setup.denoiser().eval()

    @property
    def images_seen(self) -> int:
        """Signals that one training has seen by its end, batch times steps."""
        return self.experiment.training.batch * self.experiment.training.steps

    @property
    def seconds(self) -> float:
        """Median wall time of a seed, of those that a CPU made where there are any."""
        return float(np.median([record.seconds for record in timed(self.records)]))

    @property
    def sampled_also(self) -> dict[Sampling, np.ndarray]:
        """Another way of sampling the trained network -> its outcomes, int [S, 4]."""
        if not self.experiment.also:
            return {}
        return dict(zip(self.experiment.also, self._stacked("also").swapaxes(0, 1)))

    @property
    def by_sampler(self) -> dict[Sampling, np.ndarray]:
        """How the trained network was sampled -> its outcomes, int [S, 4], the experiment's first.

        The others are those of `sampled_also`.
        """
        return {self.experiment.sampling: self.counts[:, -1], **self.sampled_also}

    def slopes(self, least: int = 50) -> tuple[np.ndarray, np.ndarray]:
        """The slope of the generated on the training strings' law, by order (`order_slopes`).

        Args:
            least: readable samples of a measured step; fewer give no slope.

        Returns:
            Slopes and their standard errors by order, [S, M, L] each, NaN where there is none.
        """
        length, symbols = self.setup.grammar.length, len(self.setup.grammar.alphabet)
        found = np.full((2, len(self.records), len(self.steps), length), np.nan)
        for seed, setup in enumerate(self.setups):
            for row, tokens in enumerate(self.tokens(seed)):
                readable = tokens[(tokens >= 0).all(1)]
                if len(readable) >= least:
                    found[:, seed, row] = order_slopes(readable, setup.train_strings, symbols)
        return found[0], found[1]

    @property
    def curves(self) -> dict[str, object]:
        """What `figures.outcome_curves` takes: steps, counts, chance."""
        return {"steps": self.steps, "counts": self.counts, "chance": self.chance}

    def tokens(self, seed: int = 0) -> Tensor:
        """What samples of one record (by its place) were read as: int64 [M, n, L]."""
        return torch.from_numpy(self.records[seed].arrays["tokens"]).long()

    def outcomes(self, seed: int = 0) -> np.ndarray:
        """Which outcome each of these samples is: int [M, n]."""
        return np.stack([self.setups[seed].outcomes(row).numpy() for row in self.tokens(seed)])

    def row(self, share: float) -> int:
        """The measured step nearest to a share of their number: 0 is the first, 1 the last."""
        return round(share * (len(self.steps) - 1))

    def row_at(self, step: int) -> int:
        """Where a step stands among the measured ones. ValueError names those there are."""
        if step not in self.steps:
            known = ", ".join(map(str, self.steps))
            raise ValueError(f"step={step}; {self.name!r} was measured at {known}")
        return self.steps.tolist().index(step)

    def phases(
        self, rows: Sequence[int] | None = None, count: int | None = None
    ) -> dict[str, object]:
        """What `figures.sample_grid` and `figures.scalar_strips` take, of the first record.

        Args:
            rows: places among the measured steps; None: the first, the middle one and the last.
            count: samples of each; None: all that were kept.
        """
        rows = [self.row(share) for share in (0, 0.5, 1)] if rows is None else list(rows)
        return {
            "samples": self.records[0].arrays["samples"][rows, :count],
            "outcomes": self.outcomes()[rows, :count],
            "titles": [f"step {step:,}" for step in self.steps[rows]],
        }

    @property
    def probing(self) -> Probing:
        """Where locality was measured. ValueError where the runs were not probed."""
        if self.experiment.probing is None:
            raise ValueError(f"experiment {self.name!r} was not probed")
        return self.experiment.probing

    @property
    def references(self) -> tuple[str, ...]:
        """The names of the R exact denoisers that were measured beside the network."""
        return (*NAMES, *self.probing.further)

    @property
    def levels(self) -> tuple[float, ...]:
        """The probed noise levels, by √ᾱ. ValueError where the runs were not probed."""
        return self.probing.levels

    def place(self, level: float) -> int:
        """Where a level stands among the probed ones. ValueError names those there are."""
        if level not in self.levels:
            raise ValueError(
                f"level {level}; {self.name!r} is probed at {', '.join(map(str, self.levels))}"
            )
        return self.levels.index(level)

    def products(self, name: str = "ldr", target: str = "x0") -> list[Products]:
        """The products of each record, as `products_of` has them, read as those of a target."""
        times = "generated_t" if name == "generated_ldr" else "probe_t"
        found = []
        for record in self.records:
            t = torch.from_numpy(record.arrays[times])
            slope, shift = self.experiment.schedule.affine(t, "x0", target)
            found.append(products_of(record, name).converted(slope[:, None], shift[:, None]))
        return found

    def ratios(self, target: str = "x0") -> np.ndarray:
        """Mean of ratios [S, 1 + M, V], NaN where more than half of the Jacobians vanish."""
        return np.stack([mean_ratio(products) for products in self.products("ldr", target)])

    def pooled_ratios(self, target: str = "x0") -> np.ndarray:
        """Ratio of means [S, 1 + M, V]."""
        return np.stack([pooled_ratio(products) for products in self.products("ldr", target)])

    def reference_ratios(self, target: str = "x0") -> np.ndarray:
        """Mean of ratios of the exact denoisers at the same noised signals, [S, R, V]."""
        return np.stack([mean_ratio(one) for one in self.products("reference_ldr", target)])

    def pooled_reference_ratios(self, target: str = "x0") -> np.ndarray:
        """Ratio of means of the exact denoisers at the same noised signals, [S, R, V]."""
        return np.stack([pooled_ratio(one) for one in self.products("reference_ldr", target)])

    def vanishing(self) -> np.ndarray:
        """How many Jacobians (of x0) vanish: int [S, 1 + M, V]."""
        return np.stack([products.vanishing.sum(-1).numpy() for products in self.products()])

    def summaries(
        self, target: str = "x0", levels: Sequence[float] | None = None
    ) -> dict[float, list[list[Summary | None]]]:
        """Level -> seed -> the summary before training and at each measured step.

        None stands where more than half of the Jacobians vanish.

        Args:
            target: "x0", "noise" or "v".
            levels: some of the probed ones; None: all.
        """
        found = self.products("ldr", target)
        chosen = self.levels if levels is None else levels
        return {level: [summaries_at(one, self.place(level)) for one in found] for level in chosen}

    @cached_property
    def excess(self) -> np.ndarray:
        """Mean squared distance of x̂0 from each reference's, [S, 1 + M, V, R]."""
        return self._stacked("excess")

    def nearest(self, level: float, row: int = -1) -> str:
        """The reference whose x̂0 the network's is nearest to, on average over the seeds."""
        return self.references[self.excess[:, row, self.place(level)].mean(0).argmin()]

    def along(self, level: float) -> AlongTraining:
        """Outcomes and locality along training, at one noise level."""
        v = self.place(level)
        return AlongTraining(
            level,
            self.steps,
            self.counts,
            self.chance,
            self.ratios()[..., v],
            self.pooled_ratios()[..., v],
            dict(zip(self.references, self.reference_ratios()[..., v].T)),
            dict(zip(self.references, np.moveaxis(self.excess[:, :, v], -1, 0))),
        )

    def by_target(self, level: float) -> ByTarget:
        """The ratio of each target along training, at one noise level."""
        v, rule = self.place(level), NAMES.index("rule")
        ratios = {target: self.ratios(target)[..., v] for target in TARGETS}
        of_rule = {
            target: float(self.reference_ratios(target)[:, rule, v].mean()) for target in TARGETS
        }
        return ByTarget(self.steps, ratios, of_rule)

    def by_level(self, rows: Sequence[int] | None = None) -> ByLevel:
        """The ratio over noise levels.

        Args:
            rows: among the 1 + M; None: the first measured step, the middle one and the last.
        """
        last, ratios = len(self.steps), self.ratios()
        rows = sorted({1, -(-last // 2), last}) if rows is None else list(rows)
        steps = np.array([0, *self.steps])[rows]
        excess = self.excess[..., NAMES.index("rule")]
        return ByLevel(
            self.levels,
            steps,
            ratios[:, rows],
            ratios[:, 0],
            dict(zip(self.references, np.moveaxis(self.reference_ratios(), 1, 0))),
            excess[:, rows],
        )

    def generated(self, place: int) -> Generated:
        """How locally each generated sample was made.

        Args:
            place: of a closer level among the C.
        """
        parts = []
        for seed, record in enumerate(self.records):
            products = products_of(record, "generated_ldr")[place]
            ratio, defined = products.ratio.numpy(), ~products.vanishing.numpy()
            seeds = np.full(len(ratio), self.experiments[seed].seed)
            parts.append((ratio, defined, self.outcomes(seed)[-1], seeds))
        return Generated(*map(np.concatenate, zip(*parts)))

    def dependency(self, place: int) -> dict[str, np.ndarray]:
        """Which symbol (row) listens to which (column) in the first record, after training.

        Args:
            place: of a closer level among the C.

        Returns:
            "network" and the name of each reference -> [L, L], squared norms, means over signals.
        """
        arrays = self.records[0].arrays
        references = zip(self.references, arrays["matrix_reference"][:, place])
        return {"network": arrays["matrix"][place], **dict(references)}

    def region_ratios(self, place: int) -> np.ndarray:
        """The ratio of means of each symbol's place in turn, after training: [S, L].

        Args:
            place: of a closer level among the C.
        """
        matrices = self._stacked("matrix")[:, place]
        return np.diagonal(matrices, axis1=1, axis2=2) / matrices.sum(2)

    def heats(self, place: int) -> Iterator[tuple[int, Heat]]:
        """Steps, 0 among them, with the heat at the first record's first signal; of pictures.

        Args:
            place: of a closer level among the C.
        """
        arrays, region = self.records[0].arrays, self._region()
        clean, noised = (from_pixels(arrays[name]).numpy() for name in ("clean", "noised"))
        denoised = from_pixels(arrays["denoised"][:, place, 0]).numpy()
        for step, x0, heat in zip([0, *self.steps.tolist()], denoised, arrays["heat"][:, place]):
            images = {"clean": clean[0], "x_t": noised[place, 0], "x̂0": x0}
            yield step, Heat(images, {"heat": heat}, region)

    def moments(self, level: float, count: int, rows: Sequence[int] | None = None) -> list[Moment]:
        """What comes out of the first record's training as it goes, and who listens; of pictures.

        Args:
            level: of the heat, one of the closer ones, by √ᾱ.
            count: samples of each moment.
            rows: places among the measured steps; None: all.

        Raises:
            ValueError: for a level at which no heat was kept.
        """
        closer = self.probing.closer
        if level not in closer:
            raise ValueError(
                f"level {level}; {self.name!r} has heat at {', '.join(map(str, closer))}"
            )
        heats = dict(self.heats(closer.index(level)))
        ratios = self.ratios()[0, 1:, self.place(level)]
        samples, outcomes = self.records[0].arrays["samples"][:, :count, 0], self.outcomes()
        shares = self.counts[0] / self.counts[0].sum(1, keepdims=True)
        return [
            Moment(
                step := int(self.steps[row]),
                samples[row],
                outcomes[row, :count],
                shares[row],
                heats[step],
                float(ratios[row]),
            )
            for row in (range(len(self.steps)) if rows is None else rows)
        ]

    def heats_by_level(self, levels: Iterable[float], seed: int) -> Iterator[tuple[float, Heat]]:
        """Levels with the heat of the trained `network` and of the exact rule; of pictures.

        The signal is that of `heats`, its noise the same at all levels. Where the rule's Jacobian
        is no more than rounding its heat is 0.

        Args:
            levels: by √ᾱ.
            seed: of the noise.
        """
        schedule, network, region = self.setup.schedule, self.network(), self._region()
        clean = from_pixels(self.records[0].arrays["clean"])[None]
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
        mask = torch.from_numpy(region)[None]
        for level in levels:
            t = schedule.index(sqrt_alpha_bar=level)
            x_t = schedule.add_noise(clean, noise, t)
            of_network = partial(schedule.predict, network, t=t, target="x0")
            rule = self.setup.references["rule"]
            of_rule = partial(schedule.predict, rule, t=t, target="x0")
            by_network = saliency(of_network, x_t, mask)[0].numpy()
            by_rule = saliency(of_rule, x_t.double(), mask)[0].numpy()
            by_rule = by_rule * (by_rule.sum() > RESOLUTION**2)
            with torch.no_grad():
                images = {"x_t": x_t[0, 0].numpy(), "x̂0": of_network(x_t)[0, 0].numpy()}
            heats = {"heat, network": by_network, "heat, exact rule": by_rule}
            yield level, Heat(images, heats, region)

    def _region(self) -> np.ndarray:
        """The probed symbol's place in a picture, bool [h, w]."""
        return self.setup.renderer.region(self.probing.symbol)[0].numpy()

    def _stacked(self, name: str) -> np.ndarray:
        return np.stack([record.arrays[name] for record in self.records])
