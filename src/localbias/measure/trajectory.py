"""How a sample came about: the predicted x̂0 along the reverse steps (Aithal et al. 2024, §5).

The other paper finds that x̂0 of a sample that ends between modes still moves in the last steps, and
filters samples by its variance there.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from localbias.checks import require, typed
from localbias.diffusion import Denoiser, Reverse, Schedule
from localbias.ldr import local_dependency_ratio
from localbias.seeds import random_generator

BATCH = 256  # signals whose Jacobians are taken in one pass


@dataclass(frozen=True)
class Watching:
    """What is kept of the way to each sample, at every measured step.

    Attributes:
        edges: of windows, by √ᾱ, rising: window w holds the visited steps from edges[w] up to, and
            not with, edges[w + 1]. By noise level, so that schedules can be compared.
        last: visited steps at the end that make one more window, as the other paper's filter has
            it.
        levels: by √ᾱ, at which the Jacobian is taken on the way.
        probes: random vectors for it; as many as the region has numbers, or more, is exact.
        symbol: whose place is the region.

    Raises:
        ValueError: for a field out of range.
    """

    edges: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
    last: int = 10
    levels: tuple[float, ...] = ()
    probes: int = 4
    symbol: int = 0

    def __post_init__(self):
        typed(self)
        rising = list(self.edges) == sorted(set(self.edges))
        inside = all(0 <= edge <= 1 for edge in self.edges)
        require(self, "edges", len(self.edges) > 1 and rising and inside, "two or more, 0 to 1")
        require(self, "last", self.last >= 2, "at least 2, for a variance")
        require(self, "levels", all(0 < one < 1 for one in self.levels), "inside (0, 1)")
        require(self, "probes", self.probes >= 2, "at least 2")
        require(self, "symbol", self.symbol >= 0, "from 0")


class Watch:
    """Looks on while samples are drawn.

    Args:
        watching: what is kept.
        schedule: the noise.
        region: bool `[*shape]`, whose x̂0 the Jacobian is of.
        seed: of the random vectors.
    """

    def __init__(self, watching: Watching, schedule: Schedule, region: Tensor, seed: int):
        self.watching, self.schedule, self.region, self.seed = watching, schedule, region, seed
        self._sums: dict[int, list[Tensor]] = {}
        self._counts: dict[int, int] = {}
        self._last: deque[Tensor] = deque(maxlen=watching.last)
        self._at: list[Reverse | None] = [None] * len(watching.levels)
        self._off = [float("inf")] * len(watching.levels)

    def through(self, states: Iterator[Reverse]) -> Iterator[Reverse]:
        """The states of a sampler, handed on as they are."""
        edges = torch.tensor(self.watching.edges, dtype=torch.float64)
        for state in states:
            level = self.schedule.alpha_bar[state.t].sqrt()
            window = int(torch.searchsorted(edges, level, right=True)) - 1
            x0 = state.x0.flatten(1)
            self._last.append(x0)
            if 0 <= window < len(edges) - 1:
                self._add(window, x0)
            for place, wanted in enumerate(self.watching.levels):
                if (off := abs(level.item() - wanted)) < self._off[place]:
                    self._at[place], self._off[place] = state, off
            yield state

    def arrays(self, denoiser: Denoiser) -> dict[str, Tensor]:
        """What was kept of n samples, after the last state.

        Args:
            denoiser: of which they were drawn.

        Returns:
            Arrays by name, with W windows and C levels.

            - trajectory float32 [1 + W, n]: variance of x̂0 over the last visited steps, then over
              each window, the mean over the numbers of a signal (each step's x̂0 counts once; the
              variance is that of these steps, divided by their number). NaN in a window with fewer
              than two visited steps.
            - watched_ldr float32 [C, n, 3]: moments of the Jacobian (`ldr.Products`) at the visited
              step nearest to each level; only where there are levels
        """
        found = {"trajectory": self.variances()}
        if self.watching.levels:
            generator = random_generator("probe", "watched", self.seed)
            moments = [self._moments(denoiser, one, generator) for one in self._at if one]
            found["watched_ldr"] = torch.stack(moments)
        return found

    def variances(self) -> Tensor:
        """The first of these arrays."""
        few = torch.full_like(self._last[0][:, 0], torch.nan)
        rows = [torch.stack(tuple(self._last)).var(0, correction=0).mean(1)]
        for window in range(len(self.watching.edges) - 1):
            enough = self._counts.get(window, 0) > 1
            rows.append(self._sums[window][1].mean(1) / self._counts[window] if enough else few)
        return torch.stack(rows).float().cpu()

    def _add(self, window: int, x0: Tensor) -> None:
        """Welford's update of the mean and the sum of squares of a window."""
        n = self._counts[window] = self._counts.get(window, 0) + 1
        mean, squares = self._sums.setdefault(window, [torch.zeros_like(x0), torch.zeros_like(x0)])
        before = x0 - mean
        mean += before / n
        squares += before * (x0 - mean)

    def _moments(self, denoiser: Denoiser, state: Reverse, generator: torch.Generator) -> Tensor:
        parts = [
            local_dependency_ratio(
                lambda x: self.schedule.predict(denoiser, x, state.t, "x0"),
                part,
                self.region,
                self.watching.probes,
                generator,
                details=True,
            ).moments
            for part in state.x_t.split(BATCH)
        ]
        return torch.cat(parts).float().cpu()
