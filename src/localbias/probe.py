"""What a run measures of locality along training, and the exact references at the very same noised signals.

Everything is of the prediction of x0; `Products.converted` gives the other targets. The noised signals come from the
rule's law (valid strings, whether trained on or not) and stay the same over the steps, so curves differ by the
network alone.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from localbias import ldr, reference, render
from localbias.diffusion import Reverse
from localbias.products import Products
from localbias.record import Record
from localbias.training import random_generator


@dataclass(frozen=True)
class Probing:
    """Where and how finely locality is measured.

    levels   the noise levels, by √ᾱ as the paper names them
    samples  noised signals a level;  probes  random vectors each (as many as the region has numbers, or more: exact)
    symbol   whose cell is the region
    closer   those of the levels at which more is kept: heat maps of the first signal and, after training, which symbol
             listens to which and how locally the network worked on the way to its own samples
    """

    levels: tuple[float, ...]
    samples: int = 32
    probes: int = 4
    symbol: int = 0
    closer: tuple[float, ...] = ()

    def __post_init__(self):
        for name, allowed, what in (
            ("levels", self.levels and all(0 < level < 1 for level in self.levels), "one or more inside (0, 1)"),
            ("samples", self.samples >= 1, "at least 1"),
            ("probes", self.probes >= 2, "at least 2, so that the error can be told"),
            ("symbol", self.symbol >= 0, "from 0"),
            ("closer", self.closer == tuple(c for c in self.levels if c in self.closer), f"some of levels={self.levels}, in their order"),
        ):
            if not allowed:
                raise ValueError(f"probing.{name}={getattr(self, name)}; allowed: {what}")


class Probe:
    """The probing of one setup: the same noised signals for every denoiser that is measured."""

    def __init__(self, setup):
        self.setup, self.probing = setup, setup.experiment.probing
        self.schedule, self.times = setup.schedule, [setup.schedule.index(sqrt_alpha_bar=c) for c in self.probing.levels]
        n, generator = self.probing.samples, random_generator("probe", setup.experiment.seed)
        chosen = torch.multinomial(setup.grammar.probabilities, n, replacement=True, generator=generator)
        self.tokens = setup.grammar.support[chosen]
        self.x0 = setup.renderer(self.tokens, generator)
        noise = torch.randn(len(self.times), *self.x0.shape, generator=generator)
        self.noised = [self.schedule.add_noise(self.x0, e, t) for e, t in zip(noise, self.times)]
        self.references = setup.references

    def constants(self) -> dict[str, Tensor]:
        """What no network changes, with V levels and n samples:

        probe_tokens int8 or int16 [n, L] · probe_t int [V] · reference_ldr float32 [3, V, n, 3] the exact moments of the
        references in the order of `reference.NAMES` · clean [*shape], noised [closer, *shape] uint8, the signal of the heat maps
        """
        region = self.setup.renderer.region(self.probing.symbol)
        exact = torch.stack([
            torch.stack([
                ldr.local_dependency_ratio(
                    self._at(denoiser, t), x.double(), region, resolution=reference.RESOLUTION, details=True
                ).moments
                for x, t in zip(self.noised, self.times)
            ])
            for denoiser in self.references.values()
        ])
        shown = [x[0] for x, level in zip(self.noised, self.probing.levels) if level in self.probing.closer]
        pictures = {"clean": _pixels(self.x0[0]), "noised": _pixels(torch.stack(shown))} if shown else {}
        tokens = self.tokens.to(smallest_integer(len(self.setup.grammar.alphabet)))
        times = torch.tensor(self.times)
        return {"probe_tokens": tokens, "probe_t": times, "reference_ldr": exact.float(), **pictures}

    def along(self, denoiser: Callable) -> dict[str, Tensor]:
        """What is measured at every step of interest, with V levels and n samples:

        ldr float32 [V, n, 3] moments and ldr_covariance [V, n, 3, 3] as in `Products` · excess float32 [V, 3] mean squared
        distance of x̂0 from each reference's, a number of the signal · denoised uint8 [closer, *shape] · heat float32
        [closer, *spatial] exact saliency
        """
        region, generator = self.setup.renderer.region(self.probing.symbol), self._generator("vectors")
        device = _device(denoiser)
        rows: dict[str, list[Tensor]] = {}
        for x, t, level in zip(self.noised, self.times, self.probing.levels):
            f, here = self._at(denoiser, t), x.to(device)
            found = ldr.local_dependency_ratio(f, here, region, self.probing.probes, generator, details=True)
            with torch.no_grad():
                x0 = f(here).cpu()
            row = {"ldr": found.moments.float().cpu(), "ldr_covariance": found.covariance.float().cpu()}
            gaps = [(x0 - exact(x, t)).square().mean() for exact in self.references.values()]
            row["excess"] = torch.stack(gaps).float()
            if level in self.probing.closer:
                row["denoised"] = _pixels(x0[0])
                row["heat"] = ldr.saliency(f, here[:1], region)[0].float().cpu()
            for name, tensor in row.items():
                rows.setdefault(name, []).append(tensor)
        return {name: torch.stack(tensors) for name, tensors in rows.items()}

    def at_the_end(self, denoiser: Callable, states: Iterable[Reverse]) -> dict[str, Tensor]:
        """What is measured once, after training, with V closer levels and N generated samples:

        generated_ldr float32 [V, N, 3] moments on the network's own way to its samples, at the visited steps nearest to
        the levels, generated_t int [V] · generated_covariance float32 [V, N, 3, 3] · matrix float32 [V, L, L] which symbol
        listens to which (`ldr.dependency`, the mean over the noised signals), matrix_reference [3, V, L, L] the same of the references
        """
        renderer, generator = self.setup.renderer, self._generator("generated")
        region = renderer.region(self.probing.symbol)
        regions = torch.stack([renderer.region(i) for i in range(renderer.length)])
        device = _device(denoiser)
        closer = [(x, t) for x, t, c in zip(self.noised, self.times, self.probing.levels) if c in self.probing.closer]
        wanted = self.schedule.alpha_bar[[t for _, t in closer]].sqrt()
        nearest: list[Reverse | None] = [None] * len(wanted)
        off = torch.full_like(wanted, torch.inf)
        for state in states:
            distance = (self.schedule.alpha_bar[state.t].sqrt() - wanted).abs()
            for i in (distance < off).nonzero()[:, 0].tolist():
                nearest[i], off[i] = state, distance[i]
        size, vectors = self.probing.samples, self.probing.probes
        products = [_in_batches(self._at(denoiser, s.t), s.x_t, region, vectors, generator, size) for s in nearest]
        matrix = [
            ldr.dependency(self._at(denoiser, t), x.to(device), regions, self.probing.probes, generator).mean(0)
            for x, t in closer
        ]
        exact = [
            torch.stack([
                ldr.dependency(self._at(of, t), x.double(), regions, self.probing.probes, generator).mean(0)
                for x, t in closer
            ])
            for of in self.references.values()
        ]
        return {
            "generated_ldr": torch.stack([p[0] for p in products]).float(),
            "generated_covariance": torch.stack([p[1] for p in products]).float(),
            "generated_t": torch.tensor([s.t for s in nearest]),
            "matrix": torch.stack(matrix).float().cpu(),
            "matrix_reference": torch.stack(exact).float(),
        }

    def _at(self, denoiser: Callable, t: int) -> Callable[[Tensor], Tensor]:
        return lambda x: self.schedule.predict(denoiser, x, t, "x0")

    def _generator(self, name: str) -> torch.Generator:
        return random_generator("probe", name, self.setup.experiment.seed)


def _device(denoiser: Callable) -> torch.device:
    """Where a denoiser computes; one without parameters, such as a reference, anywhere."""
    parameters = denoiser.parameters() if isinstance(denoiser, nn.Module) else iter(())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


def _in_batches(f: Callable, x: Tensor, region: Tensor, probes: int, generator: torch.Generator, size: int):
    """Moments and covariance of any number of signals, `size` at a time."""
    found = [ldr.local_dependency_ratio(f, part, region, probes, generator, details=True) for part in x.split(size)]
    return torch.cat([one.moments for one in found]).cpu(), torch.cat([one.covariance for one in found]).cpu()


def smallest_integer(symbols: int) -> torch.dtype:
    """The smallest type that holds so many symbols and −1."""
    return torch.int8 if symbols <= 127 else torch.int16


def _pixels(signals: Tensor) -> Tensor:
    """−1 … 1 as uint8 0 … 255."""
    return ((signals.cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def stored(found: Record, name: str = "ldr") -> Products:
    """The products that a record holds: name "ldr" [1 + M, V, n], "reference_ldr" [3, V, n] or "generated_ldr" [V, N].

    Of the prediction of x0, whose values are about 1 at most: that sets the size of a Jacobian that counts as zero.
    ValueError for a record that was not probed.
    """
    if name not in found.arrays:
        raise ValueError(f"record {found.path.name} holds no {name!r}: its run was not probed")
    probing, renderer = found.experiment["probing"], render.make(**found.experiment["renderer"])
    moments = torch.from_numpy(found.arrays[name]).double()
    size = int(renderer.region(probing["symbol"]).sum())
    if name == "reference_ldr" or probing["probes"] >= size:
        covariance, freedom = moments.new_zeros(*moments.shape, 3), math.inf
    else:
        error = {"ldr": "ldr_covariance", "generated_ldr": "generated_covariance"}[name]
        covariance, freedom = torch.from_numpy(found.arrays[error]).double(), probing["probes"] - 1
    eps = reference.RESOLUTION if name == "reference_ldr" else 8 * torch.finfo(torch.float32).eps
    floor = moments.new_full(moments.shape[:-1], eps**2 * size / prod(renderer.shape))
    return Products(moments, covariance, moments.new_tensor([freedom]), moments.new_tensor([size]), floor, eps)
