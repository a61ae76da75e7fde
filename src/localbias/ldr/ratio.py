"""The local dependency ratio (§4.3, Eq. 1, 2): how far a region's output depends on its own input.

For f: `[B, *shape]` -> `[B, *shape]` and a region R of the signal, with J_R the |R| × d Jacobian of
the outputs in R at one x and J_RR its columns in R,

    LDR(x) = ‖J_RR‖²_F / ‖J_R‖²_F:

1 where the region depends on itself alone, |R|/d where it depends on all numbers alike.

One vector v on R and one vector-Jacobian product g = J_Rᵀ v serve both norms: E‖g_R‖² = ‖J_RR‖²
and E‖g‖² = ‖J_R‖² if E v vᵀ = I. The |R| unit vectors give the exact value. Random probes are the
columns of a random orthonormal frame of R, scaled by √|R|. That is sampling without replacement:
the error falls faster than with independent probes, |R| probes are exact again, and the variance of
K probes has the survey sampler's finite-population correction 1 − K/|R|.
"""

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from operator import index
from typing import Any, Literal, SupportsIndex, overload

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from localbias.ldr.products import Products

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
    several, regions = _regions(region, x)
    probes, chunk = _checked(probes, chunk, generator)
    if resolution is not None and not 0 < resolution < math.inf:
        raise ValueError(f"resolution={resolution!r}; allowed: numbers above 0, or None")
    with _pullback(f, x, chunk) as pull:
        found = [_products(pull, one, probes, generator, resolution) for one in regions]
    products = _stack(found) if several else found[0]
    return products if details else _ratio(products)


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
    several, regions = _regions(region, x)
    if several:
        raise ValueError(
            f"region {tuple(region.shape)}; a saliency map is of one region, {tuple(x.shape[1:])}"
        )
    probes, chunk = _checked(probes, chunk, generator)
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
    several, masks = _regions(regions, x)
    if not several:
        raise ValueError(
            f"regions {tuple(regions.shape)}; allowed: [n, {', '.join(map(str, x.shape[1:]))}]"
        )
    probes, chunk = _checked(probes, chunk, generator)
    inputs = masks.flatten(1).double().T  # [d, n]
    matrix = torch.zeros(len(x), len(masks), len(masks), dtype=torch.float64, device=x.device)
    with _pullback(f, x, chunk) as pull:
        for i, mask in enumerate(masks):
            for _, g in _pulled(pull, mask, probes, generator):
                matrix[:, i] += g.double().square().sum(0).flatten(1) @ inputs
            matrix[:, i] /= _divisor(mask, probes)
    return matrix


def _ratio(products: Products) -> Tensor:
    """The ratio of each sample; a warning to the caller's caller counts those that have none."""
    if lost := int(products.vanishing.sum()):
        warnings.warn(
            f"{lost} of {products.vanishing.numel()} Jacobians vanish: their ratio is 0/0 and "
            "stands here as 0; details=True gives the mask and the ratio of means",
            stacklevel=3,
        )
    return products.ratio


class _Pullback:
    """One forward pass of f at x, kept for any number of vector-Jacobian products.

    Attributes:
        x: the inputs, with a gradient.
        y: f's outputs.
        at_once: vectors a sample that are pulled back together.
    """

    def __init__(self, f: Callable[[Tensor], Tensor], x: Tensor, chunk: int):
        if not x.is_floating_point() or x.ndim < 2 or not len(x):
            raise ValueError(
                f"x of {tuple(x.shape)}, {x.dtype}; allowed: floating point [B ≥ 1, *shape]"
            )
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
    count, size = _count(region, probes), int(region.sum())
    frames = None if count == size else _frames(pull.x, size, count, generator)
    done = 0
    bar = tqdm(total=count, desc="products a sample", delay=PATIENCE, leave=False)
    while done < count:
        chunk = torch.arange(done, min(done + pull.at_once, count), device=pull.x.device)
        if frames is None:
            units = torch.nn.functional.one_hot(chunk, size).to(pull.x)
            v = units[:, None].expand(-1, len(pull.x), -1)
        else:
            v = frames[chunk]
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


def _frames(x: Tensor, size: int, count: int, generator: torch.Generator | None) -> Tensor:
    """Columns of a random orthonormal frame a sample, times √size: [count, B, size]."""
    device = generator.device if generator is not None else x.device
    precise = torch.promote_types(x.dtype, torch.float32)
    gaussian = torch.randn(len(x), size, count, generator=generator, device=device, dtype=precise)
    return torch.linalg.qr(gaussian)[0].permute(2, 0, 1).to(x) * math.sqrt(size)


def _products(
    pull: _Pullback,
    region: Tensor,
    probes: int | None,
    generator: torch.Generator | None,
    resolution: float | None,
) -> Products:
    """The moments of one region's Jacobian."""
    count, size = _count(region, probes), int(region.sum())
    # Allocated once: a tensor per chunk fragments memory.
    samples = torch.empty(count, len(pull.x), 3, dtype=torch.float64, device=pull.x.device)
    done = 0
    for v, g in _pulled(pull, region, probes, generator):
        g = g.double()
        inside = g[:, :, region]
        row = torch.stack(
            [(v * inside).sum(-1), inside.square().sum(-1), g.flatten(2).square().sum(-1)], -1
        )
        samples[done : done + len(row)] = row
        done += len(row)
    if count == size:
        moments, freedom = samples.sum(0), math.inf
        covariance = samples.new_zeros(len(pull.x), 3, 3)
    else:
        moments, freedom = samples.mean(0), count - 1
        centred = (samples - moments).transpose(0, 1)
        # The finite-population correction: vectors are drawn without replacement.
        left = 1 - count / size
        covariance = centred.mT @ centred / max(1, freedom) * left / count
    eps = resolution or 8 * torch.finfo(pull.x.dtype).eps
    outputs, inputs = (part.detach().flatten(1).double().square() for part in (pull.y, pull.x))
    # A ‖J_R‖² up to this is rounding: a change of the input by its own norm, or by 1 a number if
    # that is more, changes the region's outputs by at most eps of their norm.
    floor = eps**2 * outputs[:, region.flatten()].sum(1) / inputs.sum(1).clamp(min=inputs.shape[1])
    return Products(
        moments, covariance, moments.new_tensor([freedom]), moments.new_tensor([size]), floor, eps
    )


def _stack(found: list[Products]) -> Products:
    """The products of several regions as one, regions first."""
    names = ("moments", "covariance", "freedom", "size", "floor")
    parts: dict[str, Any] = {
        name: torch.stack([getattr(one, name) for one in found]) for name in names
    }
    return replace(found[0], **parts)


def _regions(region: Tensor, x: Tensor) -> tuple[bool, Tensor]:
    """Whether several regions are meant, and the masks bool `[n, *shape]`.

    Raises:
        ValueError: for what is no region of x.
    """
    shape = x.shape[1:]
    if region.dtype != torch.bool:
        raise ValueError(f"region of {region.dtype}; allowed: a mask of torch.bool")
    several = region.ndim == len(shape) + 1
    try:
        masks = region.expand(len(region), *shape) if several else region.expand(shape)[None]
    except RuntimeError:
        raise ValueError(
            f"region {tuple(region.shape)} for signals {tuple(shape)}; the mask must fit them"
        ) from None
    if not len(masks):
        raise ValueError(f"region {tuple(region.shape)} holds no mask; at least one")
    for i, mask in enumerate(masks):
        if not mask.any():
            raise ValueError(
                f"region{f' {i}' if several else ''} is empty: it must hold at least one number of "
                "the signal"
            )
    return several, masks.to(x.device)


def _checked(
    probes: int | None, chunk: int, generator: torch.Generator | None
) -> tuple[int | None, int]:
    """Probes and chunk as ints, be they NumPy's; ValueError for what they and a generator can't."""
    if not isinstance(generator, torch.Generator | None):
        raise ValueError(f"generator={generator!r}; allowed: a torch.Generator or None")
    few = None if probes is None else _whole("probes", probes, "whole numbers from 1 or None")
    return few, _whole("chunk", chunk, "whole numbers from 1")


def _whole(name: str, value: Any, allowed: str) -> int:
    """A whole number from 1, of whatever type; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or index(value) < 1:
        raise ValueError(f"{name}={value!r}; allowed: {allowed}")
    return index(value)


def _count(region: Tensor, probes: int | None) -> int:
    """How many vectors are pulled back: `probes` random ones, or the |R| unit vectors if fewer."""
    size = int(region.sum())
    return size if probes is None else min(probes, size)


def _divisor(region: Tensor, probes: int | None) -> int:
    """What a sum over the vectors is divided by: random ones are averaged, unit vectors added."""
    count = _count(region, probes)
    return 1 if count == int(region.sum()) else count
