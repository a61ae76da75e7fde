"""What a run measures of locality along training, and the references at the same signals.

Everything is of the prediction of x0; `Products.converted` gives the other targets. The noised
signals come from the rule's law (valid strings, whether trained on or not) and stay the same over
the steps, so curves differ by the network alone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from localbias.checks import require, typed
from localbias.diffusion import DenoiserLike, Reverse, Schedule, device_of, nearest
from localbias.exact import FURTHER, RESOLUTION
from localbias.grammar import Grammar
from localbias.ldr import dependency, local_dependency_ratio, saliency
from localbias.render import Renderer, to_pixels
from localbias.seeds import random_generator


@dataclass(frozen=True)
class Probing:
    """Where and how finely locality is measured.

    Attributes:
        levels: the noise levels, by √ᾱ as the paper names them (§4.3).
        samples: noised signals a level.
        probes: random vectors each; as many as the region has numbers, or more, is exact.
        symbol: whose place is the region.
        closer: those of the levels at which more is kept: heat maps of the first signal and, after
            training, which symbol listens to which and how locally the network worked on the way to
            its own samples.
        further: exact denoisers to be measured beside those of `exact.NAMES`: names of
            `exact.FURTHER`.

    Raises:
        ValueError: for a field out of range.
    """

    levels: tuple[float, ...]
    samples: int = 32
    probes: int = 4
    symbol: int = 0
    closer: tuple[float, ...] = ()
    further: tuple[str, ...] = ()

    def __post_init__(self):
        typed(self)
        inside = all(0 < level < 1 for level in self.levels)
        in_order = tuple(level for level in self.levels if level in self.closer)
        require(self, "levels", bool(self.levels) and inside, "one or more inside (0, 1)")
        require(self, "samples", self.samples >= 1, "at least 1")
        require(self, "probes", self.probes >= 2, "at least 2, so that the error can be estimated")
        require(self, "symbol", self.symbol >= 0, "from 0")
        some = f"some of levels={self.levels}, in their order"
        require(self, "closer", self.closer == in_order, some)
        known = f"some of {', '.join(FURTHER)}"
        require(self, "further", set(self.further) <= set(FURTHER), known)


class Probe:
    """Measures the locality of any denoiser of one set of data, always at the same noised signals.

    Attributes:
        tokens: int64 [n, L], the strings of the signals, drawn from the grammar's law.
        x0: `[n, *shape]`, the signals.
        times: the step of each level.
        noised: x_t `[n, *shape]` at each level.

    Args:
        grammar: whose valid strings are shown.
        renderer: shows them.
        schedule: the noise.
        references: exact denoisers by name, to be measured at the same signals; there may be none.
        probing: where and how finely.
        seed: of the signals, the noise and the random vectors.
    """

    def __init__(
        self,
        grammar: Grammar,
        renderer: Renderer,
        schedule: Schedule,
        references: Mapping[str, DenoiserLike],
        probing: Probing,
        seed: int,
    ):
        self.grammar, self.renderer, self.schedule = grammar, renderer, schedule
        self.references, self.probing, self.seed = references, probing, seed
        self.region = renderer.region(probing.symbol)
        self.times = [schedule.index(sqrt_alpha_bar=level) for level in probing.levels]
        generator = random_generator("probe", seed)
        self.tokens = grammar.sample(probing.samples, generator)
        self.x0 = renderer(self.tokens, generator)
        noise = torch.randn(len(self.times), *self.x0.shape, generator=generator)
        self.noised = [schedule.add_noise(self.x0, e, t) for e, t in zip(noise, self.times)]

    def at(self, level: float) -> tuple[Tensor, int]:
        """x_t `[n, *shape]` and t of one of the levels.

        ValueError for a level that is not probed.
        """
        if level not in self.probing.levels:
            raise ValueError(f"level {level}; probed: {', '.join(map(str, self.probing.levels))}")
        place = self.probing.levels.index(level)
        return self.noised[place], self.times[place]

    def constants(self) -> dict[str, Tensor]:
        """What no network changes.

        Returns:
            Arrays by name, with V levels, C of them closer, and n samples.

            - probe_tokens int8 or int16 [n, L], probe_t int [V]
            - reference_ldr float32 [R, V, n, 3]: exact moments of the references, in their order
            - clean uint8 `[*shape]`, noised uint8 `[C, *shape]`: the signal of the heat maps, where
              C > 0
        """
        found = {
            "probe_tokens": self.tokens.to(smallest_integer(len(self.grammar.alphabet))),
            "probe_t": torch.tensor(self.times),
        }
        if self.references:
            moments = [
                [
                    local_dependency_ratio(
                        self._x0_at(denoiser, t),
                        x.double(),
                        self.region,
                        resolution=RESOLUTION,
                        details=True,
                    ).moments
                    for x, t in zip(self.noised, self.times)
                ]
                for denoiser in self.references.values()
            ]
            found["reference_ldr"] = torch.stack(
                [torch.stack(by_level) for by_level in moments]
            ).float()
        if self.probing.closer:
            found["clean"] = to_pixels(self.x0[0])
            found["noised"] = to_pixels(
                torch.stack([self.at(level)[0][0] for level in self.probing.closer])
            )
        return found

    def along(self, denoiser: DenoiserLike) -> dict[str, Tensor]:
        """What is measured at every step of interest.

        Args:
            denoiser: in evaluation mode, on any device.

        Returns:
            Arrays by name, with V levels, C of them closer, n samples and R references.

            - ldr float32 [V, n, 3] and ldr_covariance [V, n, 3, 3]: moments as in `Products`
            - excess float32 [V, R]: mean squared distance of x̂0 from each reference's, a number of
              the signal
            - denoised uint8 `[C, *shape]`, heat float32 `[C, *spatial]`: x̂0 and exact saliency of
              the first signal
        """
        generator, device = self._generator("vectors"), device_of(denoiser)
        rows: dict[str, list[Tensor]] = {}
        for x, t, level in zip(self.noised, self.times, self.probing.levels):
            f, here = self._x0_at(denoiser, t), x.to(device)
            found = local_dependency_ratio(
                f, here, self.region, self.probing.probes, generator, details=True
            )
            with torch.no_grad():
                x0 = f(here).cpu()
            row = {
                "ldr": found.moments.float().cpu(),
                "ldr_covariance": found.covariance.float().cpu(),
            }
            if self.references:
                gaps = [(x0 - exact(x, t)).square().mean() for exact in self.references.values()]
                row["excess"] = torch.stack(gaps).float()
            if level in self.probing.closer:
                row["denoised"] = to_pixels(x0[0])
                row["heat"] = saliency(f, here[:1], self.region)[0].float().cpu()
            for name, tensor in row.items():
                rows.setdefault(name, []).append(tensor)
        return {name: torch.stack(tensors) for name, tensors in rows.items()}

    def at_the_end(self, denoiser: DenoiserLike, states: Iterable[Reverse]) -> dict[str, Tensor]:
        """What is measured once, after training, at the closer levels.

        Args:
            denoiser: in evaluation mode, on any device.
            states: the network's own way from noise to N samples.

        Returns:
            Arrays by name, with C closer levels, L symbols and R references.

            - generated_ldr float32 [C, N, 3], generated_covariance [C, N, 3, 3]: moments at the
              visited steps nearest to the levels; generated_t int [C]: those steps
            - matrix float32 [C, L, L]: which symbol listens to which (`ldr.dependency`), the mean
              over the noised signals; matrix_reference [R, C, L, L]: the same of the references
        """
        generator, device = self._generator("generated"), device_of(denoiser)
        noised = [self.at(level)[1] for level in self.probing.closer]
        wanted = self.schedule.alpha_bar[noised].sqrt().tolist()
        visited = [state for state in nearest(states, self.schedule, wanted) if state]
        products = [self._in_batches(self._x0_at(denoiser, s.t), s.x_t, generator) for s in visited]
        closer = [self.at(level) for level in self.probing.closer]
        regions = torch.stack([self.renderer.region(i) for i in range(self.renderer.length)])

        def matrices(of: DenoiserLike, precise: bool) -> Tensor:
            return torch.stack(
                [
                    dependency(
                        self._x0_at(of, t),
                        x.double() if precise else x.to(device),
                        regions,
                        self.probing.probes,
                        generator,
                    ).mean(0)
                    for x, t in closer
                ]
            )

        found = {
            "generated_ldr": torch.stack([moments for moments, _ in products]).float(),
            "generated_covariance": torch.stack([covariance for _, covariance in products]).float(),
            "generated_t": torch.tensor([state.t for state in visited]),
            "matrix": matrices(denoiser, precise=False).float().cpu(),
        }
        if self.references:
            by_reference = [matrices(of, precise=True) for of in self.references.values()]
            found["matrix_reference"] = torch.stack(by_reference).float()
        return found

    def _in_batches(
        self, f: Callable[[Tensor], Tensor], x: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Moments and covariance of any number of signals, `probing.samples` at a time."""
        found = [
            local_dependency_ratio(
                f, part, self.region, self.probing.probes, generator, details=True
            )
            for part in x.split(self.probing.samples)
        ]
        moments = torch.cat([one.moments for one in found]).cpu()
        return moments, torch.cat([one.covariance for one in found]).cpu()

    def _x0_at(self, denoiser: DenoiserLike, t: int) -> Callable[[Tensor], Tensor]:
        return lambda x: self.schedule.predict(denoiser, x, t, "x0")

    def _generator(self, name: str) -> torch.Generator:
        return random_generator("probe", name, self.seed)


def smallest_integer(symbols: int) -> torch.dtype:
    """The smallest type that holds so many symbols and −1."""
    return torch.int8 if symbols <= 127 else torch.int16
