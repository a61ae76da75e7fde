"""What figures and tables take of results: arrays that belong together, each kind by its name."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from localbias.measure import OUTCOMES
from localbias.statistics import contrast, mean_interval


class Generated(NamedTuple):
    """How locally each generated sample was made, all seeds together, [N] each.

    Attributes:
        ratio: local dependency ratio, 0 where it has none.
        defined: whether it has one.
        outcome: index into `measure.OUTCOMES`.
        seed: of the run.
    """

    ratio: np.ndarray
    defined: np.ndarray
    outcome: np.ndarray
    seed: np.ndarray

    def by_outcome(self) -> dict[str, tuple[float, float, float, int]]:
        """Outcome -> mean ratio, its interval of 95 %, samples: a row of `figures.by_outcome`.

        The interval takes the samples as if they were of one seed. Outcomes of fewer than three
        samples are left out.
        """
        groups = {
            name: self.ratio[self.defined & (self.outcome == k)] for k, name in enumerate(OUTCOMES)
        }
        return {
            name: (*mean_interval(values), len(values))
            for name, values in groups.items()
            if len(values) > 2
        }

    def difference(self) -> tuple[float, float, float, int] | None:
        """Mean ratio of hallucinations minus that of valid samples, as of `statistics.contrast`."""
        ratio, _, outcome, seed = (part[self.defined] for part in self)
        return contrast(ratio, outcome == 1, outcome >= 2, seed)


class Heat(NamedTuple):
    """Where the prediction of x̂0 in one region listens: what `figures.heat_frame` shows.

    Attributes:
        images: title -> [h, w] in [−1, 1].
        heats: title -> [h, w], squared norms of the columns of the region's Jacobian.
        region: bool [h, w].
    """

    images: dict[str, np.ndarray]
    heats: dict[str, np.ndarray]
    region: np.ndarray

    @property
    def ratios(self) -> dict[str, float]:
        """Title -> local dependency ratio, the share of heat in the region; NaN without heat."""
        return {
            title: float(heat[self.region].sum() / heat.sum()) if heat.any() else math.nan
            for title, heat in self.heats.items()
        }


class Moment(NamedTuple):
    """One moment of a training: what comes out, and where one region's prediction listens.

    Attributes:
        step: of training.
        samples: uint8 [n, h, w], from the same starting noise at every moment.
        outcomes: int [n], indices into `measure.OUTCOMES`.
        shares: [4], of the outcomes among all samples of that step.
        heat: at one noised signal.
        ratio: local dependency ratio of x̂0, its mean over all probed signals.
    """

    step: int
    samples: np.ndarray
    outcomes: np.ndarray
    shares: np.ndarray
    heat: Heat
    ratio: float

    @property
    def brightness(self) -> np.ndarray:
        """The heat as it is shown, [h, w]: the square root of its share of the largest."""
        heat = self.heat.heats["heat"]
        return np.sqrt(heat / (heat.max() or 1))


class AlongTraining(NamedTuple):
    """One experiment along training, at one noise level: what `figures.along_training` shows.

    Attributes:
        level: √ᾱ.
        steps: int [M].
        counts: int [S, M, 4], outcomes.
        chance: [4], their shares under independent symbols.
        ratios: [S, 1 + M], mean of ratios.
        pooled: [S, 1 + M], ratio of means.
        references: name of the exact denoiser -> its mean of ratios [S].
        excess: name -> mean squared distance of x̂0 from it [S, 1 + M].
    """

    level: float
    steps: np.ndarray
    counts: np.ndarray
    chance: Sequence[float]
    ratios: np.ndarray
    pooled: np.ndarray
    references: dict[str, np.ndarray]
    excess: dict[str, np.ndarray]


class ByTarget(NamedTuple):
    """The ratio of three targets along training at one noise level, for `figures.three_targets`.

    Attributes:
        steps: int [M].
        ratios: target -> [S, 1 + M].
        rule: target -> the exact rule's.
    """

    steps: np.ndarray
    ratios: dict[str, np.ndarray]
    rule: dict[str, float]


class ByLevel(NamedTuple):
    """The ratio over noise levels at K moments of training: what `figures.over_levels` shows.

    Attributes:
        levels: [V], by √ᾱ.
        steps: int [K].
        ratios: [S, K, V].
        untrained: [S, V].
        references: name of the exact denoiser -> [S, V].
        excess: [S, K, V], loss (of x̂0) over the rule's optimum.
    """

    levels: Sequence[float]
    steps: np.ndarray
    ratios: np.ndarray
    untrained: np.ndarray
    references: dict[str, np.ndarray]
    excess: np.ndarray
