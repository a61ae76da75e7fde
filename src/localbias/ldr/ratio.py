"""The local dependency ratio (§4.3, Eq. 1, 2): how far a region's output depends on its own input.

For f: `[B, *shape]` -> `[B, *shape]` and a region R of the signal, with J_R the |R| × d Jacobian of
the outputs in R at one x and J_RR its columns in R,

    LDR(x) = ‖J_RR‖²_F / ‖J_R‖²_F:

1 where the region depends on itself alone, |R|/d where it depends on all numbers alike.

One vector v on R and one vector-Jacobian product g = J_Rᵀ v serve both norms: E‖g_R‖² = ‖J_RR‖²
and E‖g‖² = ‖J_R‖² if E v vᵀ = I. The |R| unit vectors give the exact value. Random probes are a
sample of directions without replacement (`probes`): the error falls faster than with independent
ones, |R| probes are exact again, and the variance of K probes has the survey sampler's
finite-population correction 1 − K/|R|.
"""

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, overload

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from localbias.ldr.probes import (
    checked,
    count_of,
    frames,
    masks_of,
    moments_of,
    require_signals,
    whole,
)
from localbias.ldr.products import Products, ratio_with_warning, stacked

# Vector-Jacobian products at once, samples × vectors. It is about the fastest on a CPU
# (benchmarks/ldr.py); a GPU takes more.
CHUNK = 16
PATIENCE = 3  # seconds after which a bar is shown
NO_GRADIENT = (
    "f's output has no gradient with respect to x: does f run under torch.no_grad() or "
    "inference_mode(), detach x, or not use it?"
)


@overload
def local_dependency_ratio(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    chunk: int = CHUNK,
    resolution: float | None = None,
    details: Literal[False] = False,
) -> Tensor: ...


@overload
def local_dependency_ratio(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    chunk: int = CHUNK,
    resolution: float | None = None,
    details: Literal[True],
) -> Products: ...


def local_dependency_ratio(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    chunk: int = CHUNK,
    resolution: float | None = None,
    details: bool = False,
) -> Tensor | Products:
    """The local dependency ratio of f at each x (Eq. 2, without its mean).

    Args:
        f: maps `[B, *shape]` to `[B, *shape]`, each sample by itself (a network in evaluation
            mode). It is called once, on a copy of x; a compiled one runs as it was before.
        x: floating point `[B, *shape]`.
        region: bool `[*shape]`, or what broadcasts to it: which numbers of a signal are the region.
            Or several regions `[n, *shape]`, with an axis for the channels too, be it of length 1.
        probes: None for the exact ratio (|R| vector-Jacobian products), else the number of random
            vectors; |R| or more is exact.
        generator: of the random vectors.
        chunk: products carried at once, samples × vectors, but never fewer than the samples. The
            result does not depend on it, memory does. The forward pass of all of x is kept as well:
            give a large x in parts.
        resolution: relative rounding of f's Jacobian, above 0, below which it counts as zero; None:
            a few units of x's precision.
        details: return the `Products` instead: numerator, denominator, standard error, interval,
            other targets, summary.

    Returns:
        float64 [B], or [n, B] for n regions. A sample whose Jacobian vanishes has no ratio. Its
        value is 0, and a warning counts such samples; `Products.vanishing` is their mask.

    Raises:
        ValueError: for a region, probes or an f that cannot be used.
    """
    several, regions = masks_of(region, x)
    probes, chunk = checked(probes, generator), whole("chunk", chunk)
    if resolution is not None and not 0 < resolution < math.inf:
        raise ValueError(f"resolution={resolution!r}; allowed: numbers above 0, or None")
    with _pullback(f, x, chunk) as pull:
        found = [_products(pull, one, probes, generator, resolution) for one in regions]
    products = stacked(found) if several else found[0]
    return products if details else ratio_with_warning(products)


def saliency(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    chunk: int = CHUNK,
) -> Tensor:
    """Which inputs the region's outputs depend on (Fig. 1, 15, 19).

    It is the squared norm of each input's column of J_R, so the share of it that lies in the region
    is the local dependency ratio. Arguments and errors are those of `local_dependency_ratio`.

    Returns:
        float64 `[B, *spatial]`, summed over channels, the first axis of a shape of two or more.
    """
    several, regions = masks_of(region, x)
    if several:
        raise ValueError(
            f"region {tuple(region.shape)}; a saliency map is of one region, {tuple(x.shape[1:])}"
        )
    probes, chunk = checked(probes, generator), whole("chunk", chunk)
    heat = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
    with _pullback(f, x, chunk) as pull:
        for _, g in _pulled(pull, regions[0], probes, generator):
            heat += g.double().square().sum(0)
    heat /= _divisor(regions[0], probes)
    return heat.sum(1) if heat.ndim > 2 else heat


def dependency(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    regions: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    chunk: int = CHUNK,
) -> Tensor:
    """Which region depends on which.

    Where the regions partition the signal, a diagonal entry over its row's sum is the local
    dependency ratio of that region. Arguments and errors are those of `local_dependency_ratio`,
    with several regions bool `[n, *shape]`.

    Returns:
        float64 [B, n, n], whose entry i, j is ‖J_{R_i R_j}‖².
    """
    several, masks = masks_of(regions, x)
    if not several:
        raise ValueError(
            f"regions {tuple(regions.shape)}; allowed: [n, {', '.join(map(str, x.shape[1:]))}]"
        )
    probes, chunk = checked(probes, generator), whole("chunk", chunk)
    inputs = masks.flatten(1).double().T  # [d, n]
    matrix = torch.zeros(len(x), len(masks), len(masks), dtype=torch.float64, device=x.device)
    with _pullback(f, x, chunk) as pull:
        for i, mask in enumerate(masks):
            for _, g in _pulled(pull, mask, probes, generator):
                matrix[:, i] += g.double().square().sum(0).flatten(1) @ inputs
            matrix[:, i] /= _divisor(mask, probes)
    return matrix


class _Pullback:
    """One forward pass of f at x, kept for any number of vector-Jacobian products.

    Attributes:
        x: the inputs, with a gradient.
        y: f's outputs.
        at_once: vectors a sample that are pulled back together.
    """

    def __init__(self, f: Callable[[Tensor], Tensor], x: Tensor, chunk: int):
        require_signals(x)
        self.x, self.at_once = x.detach().clone().requires_grad_(), max(1, chunk // len(x))
        with _eagerly():
            self.y = f(self.x.clone())  # a copy: f may work in place, which a leaf forbids
        if not isinstance(self.y, Tensor) or self.y.shape != x.shape:
            got = tuple(self.y.shape) if isinstance(self.y, Tensor) else type(self.y).__name__
            raise ValueError(
                f"f returned {got} for x of {tuple(x.shape)}; it must map [B, *shape] to "
                "[B, *shape]"
            )
        if not self.y.requires_grad:
            raise ValueError(NO_GRADIENT)

    def __call__(self, vectors: Tensor) -> Tensor:
        """Vectors `[C, B, *shape]`, C ≤ at_once, pulled back: g = Jᵀ v `[C, B, *shape]`."""
        if len(vectors) > 1:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # about operations that torch loops over
                    # Not is_grads_batched, which loops over what a convolution's gradient needs.
                    return torch.func.vmap(self._gradient)(vectors)
            except RuntimeError as error:
                if "out of memory" in str(error):
                    raise
                # Some operation of f cannot be batched: single vectors give the same, slower.
                self.at_once = 1
        return torch.stack([self._gradient(v) for v in vectors])

    def _gradient(self, vectors: Tensor) -> Tensor:
        (g,) = torch.autograd.grad(self.y, self.x, vectors, retain_graph=True, allow_unused=True)
        if g is None:  # the output's gradient is of parameters alone
            raise ValueError(NO_GRADIENT)
        return g.detach()


def _eagerly() -> AbstractContextManager[None]:
    """Has what torch.compile made run as it was: compiled graphs can be pulled back only once."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and its import takes a second
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


@contextmanager
def _pullback(f: Callable[[Tensor], Tensor], x: Tensor, chunk: int) -> Iterator[_Pullback]:
    """f's pullback at x, under the settings that it needs."""
    # Of the attention kernels only the plain one can be batched over vectors.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield _Pullback(f, x, chunk)


def _pulled(
    pull: _Pullback, region: Tensor, probes: int | None, generator: torch.Generator | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Chunk by chunk, vectors v on the region [C, B, |R|] and their pullbacks `[C, B, *shape]`."""
    size = int(region.sum())
    count = count_of(size, probes)
    random = None if count == size else frames(pull.x, size, count, generator)
    done = 0
    bar = tqdm(total=count, desc="products a sample", delay=PATIENCE, leave=False)
    while done < count:
        chunk = torch.arange(done, min(done + pull.at_once, count), device=pull.x.device)
        if random is None:
            units = torch.nn.functional.one_hot(chunk, size).to(pull.x)
            v = units[:, None].expand(-1, len(pull.x), -1)
        else:
            v = random[chunk]
        vectors = pull.x.new_zeros(len(chunk), *pull.x.shape)
        vectors[:, :, region] = v
        g = pull(vectors)
        if not g.isfinite().all():
            broken = (~g.isfinite()).flatten(2).any(2).any(0).nonzero()[:, 0].tolist()
            raise ValueError(f"f's Jacobian is infinite or not a number at samples {broken}")
        yield v, g
        done += len(chunk)
        bar.update(len(chunk))
    bar.close()


def _products(
    pull: _Pullback,
    region: Tensor,
    probes: int | None,
    generator: torch.Generator | None,
    resolution: float | None,
) -> Products:
    """The moments of one region's Jacobian."""
    size = int(region.sum())
    # Allocated once: a tensor per chunk fragments memory.
    rows = torch.empty(
        count_of(size, probes), len(pull.x), 3, dtype=torch.float64, device=pull.x.device
    )
    done = 0
    for v, g in _pulled(pull, region, probes, generator):
        g = g.double()
        inside = g[:, :, region]
        row = torch.stack(
            [(v * inside).sum(-1), inside.square().sum(-1), g.flatten(2).square().sum(-1)], -1
        )
        rows[done : done + len(row)] = row
        done += len(row)
    moments, covariance, freedom = moments_of(rows, size)
    eps = resolution or 8 * torch.finfo(pull.x.dtype).eps
    outputs, inputs = (part.detach().flatten(1).double().square() for part in (pull.y, pull.x))
    # A ‖J_R‖² up to this is rounding: a change of the input by its own norm, or by 1 a number if
    # that is more, changes the region's outputs by at most eps of their norm.
    floor = eps**2 * outputs[:, region.flatten()].sum(1) / inputs.sum(1).clamp(min=inputs.shape[1])
    return Products(
        moments, covariance, moments.new_tensor([freedom]), moments.new_tensor([size]), floor, eps
    )


def _divisor(region: Tensor, probes: int | None) -> int:
    """What a sum over the vectors is divided by: random ones are averaged, unit vectors added."""
    size = int(region.sum())
    count = count_of(size, probes)
    return 1 if count == size else count
