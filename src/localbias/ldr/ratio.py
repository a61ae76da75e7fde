"""The local dependency ratio (§4.3, Eq. 1 and 2): how much of a region's output depends on the region's own input.

For f: [B, *shape] -> [B, *shape] and a region R of the signal, with J_R the |R| × d Jacobian of the outputs in R at
one x and J_RR its columns in R,

    LDR(x) = ‖J_RR‖²_F / ‖J_R‖²_F,      1 where the region listens to itself alone, |R|/d where it listens to all alike.

One vector v on R and one vector-Jacobian product g = J_Rᵀ v serve both norms: E‖g_R‖² = ‖J_RR‖² and E‖g‖² = ‖J_R‖² if
E v vᵀ = I. The |R| unit vectors give the exact value. Random probes are drawn here as the columns of a random
orthonormal frame of R, scaled by √|R|: the more of the frame is drawn the less is left to chance, and |R| probes are
exact again. That is sampling without replacement, so the survey sampler's correction 1 − K/|R| makes the error honest.
"""

import math
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from localbias.ldr.products import Products

CHUNK = 16  # vector-Jacobian products at once, samples × vectors: about the fastest on a CPU (benchmarks/); a GPU takes more


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
    """The local dependency ratio of f at each x (Eq. 1): float64 [B], or [n, B] for n regions.

    f        maps [B, *shape] to [B, *shape], each sample by itself (a network in eval mode). It is called once, on x.
    region   bool [*shape], or what broadcasts to it: which numbers of a signal are the region. Or several: [n, *shape],
             with an axis for the channels too, be it of length 1
    probes   None for the exact ratio (|R| vector-Jacobian products), else how many random vectors; |R| or more is exact
    chunk    products carried at once, samples × vectors, but never fewer than the samples: memory grows with it, the
             result does not change. The forward pass of all of x is kept as well: give a large x in parts
    resolution  relative rounding of f's Jacobian, below which it counts as zero; None: a few units of x's precision
    details  return the `Products` instead: numerator, denominator, standard error, interval, other targets, summary

    A sample whose Jacobian vanishes has no ratio. It is counted in a warning and its value is 0; `details` masks it.
    ValueError for a region, probes or an f that cannot be used.
    """
    several, regions = _regions(region, x)
    _check(probes, chunk)
    found = []
    with (
        torch.enable_grad(),
        sdpa_kernel(SDPBackend.MATH),
    ):  # other attention kernels have no batching rule
        pull = _Pullback(f, x, chunk)
        for one in regions:
            found.append(_products(pull, one, probes, generator, resolution))
    products = _stack(found) if several else found[0]
    if details:
        return products
    if lost := int(products.vanishing.sum()):
        warnings.warn(
            f"{lost} of {products.vanishing.numel()} Jacobians vanish: their ratio is 0/0 and stands here as 0; "
            "details=True gives the mask and the ratio of means",
            stacklevel=2,
        )
    return products.ratio


def saliency(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    region: Tensor,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    *,
    chunk: int = CHUNK,
) -> Tensor:
    """Which inputs the region's outputs listen to (Fig. 1, 15, 19): float64 [B, *spatial].

    The squared norm of each input's column of J_R, so that the share of the heat that lies in the region is the local
    dependency ratio. Channels, the first axis of a shape of two or more, are summed. Arguments and errors as there.
    """
    several, regions = _regions(region, x)
    if several:
        raise ValueError(
            f"region {tuple(region.shape)}; a saliency map is of one region, {tuple(x.shape[1:])}"
        )
    _check(probes, chunk)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        pull = _Pullback(f, x, chunk)
        heat = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
        for _, g in _pulled(pull, regions[0], probes, generator):
            heat += g.double().square().sum(0)
    heat /= _count(regions[0], probes)
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
    """Which region listens to which: float64 [B, n, n], entry i, j being ‖J_{R_i R_j}‖² for regions [n, *shape].

    Where the regions partition the signal, a diagonal entry over its row's sum is the local dependency ratio of that
    region. Arguments and errors as for `local_dependency_ratio`.
    """
    several, masks = _regions(regions, x)
    if not several:
        raise ValueError(
            f"regions {tuple(regions.shape)}; allowed: [n, {', '.join(map(str, x.shape[1:]))}]"
        )
    _check(probes, chunk)
    inputs = masks.flatten(1).double().T  # [d, n]
    rows = []
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        pull = _Pullback(f, x, chunk)
        for one in masks:
            parts = [
                g.double().square().sum(0).flatten(1) @ inputs
                for _, g in _pulled(pull, one, probes, generator)
            ]
            rows.append(sum(parts) / _count(one, probes))
    return torch.stack(rows, 1)


class _Pullback:
    """One forward pass of f at x, kept for any number of vector-Jacobian products."""

    def __init__(self, f: Callable[[Tensor], Tensor], x: Tensor, chunk: int):
        if not x.is_floating_point() or x.ndim < 2 or not len(x):
            raise ValueError(
                f"x of {tuple(x.shape)}, {x.dtype}; allowed: floating point [B ≥ 1, *shape]"
            )
        self.x, self.at_once = x.detach().clone().requires_grad_(), max(1, chunk // len(x))
        self.y = f(self.x)
        if not isinstance(self.y, Tensor) or self.y.shape != x.shape:
            got = tuple(self.y.shape) if isinstance(self.y, Tensor) else type(self.y).__name__
            raise ValueError(
                f"f returned {got} for x of {tuple(x.shape)}; it must map [B, *shape] to [B, *shape]"
            )
        if not self.y.requires_grad:
            raise ValueError(
                "f's output has no gradient: does it run under torch.no_grad() or inference_mode(), or detach?"
            )

    def __call__(self, vectors: Tensor) -> Tensor:
        """Vectors [C, B, *shape], C ≤ at_once, pulled back: g = Jᵀ v [C, B, *shape]."""
        if len(vectors) > 1:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of operations that are looped over
                    return self._gradient(vectors, is_grads_batched=True)
            except RuntimeError as error:
                if "out of memory" in str(error):
                    raise
                self.at_once = 1  # an operation of f that cannot be batched: one by one is slower, and the same
        return torch.stack([self._gradient(v) for v in vectors])

    def _gradient(self, vectors: Tensor, **options) -> Tensor:
        (g,) = torch.autograd.grad(
            self.y, self.x, vectors, retain_graph=True, allow_unused=True, **options
        )
        return torch.zeros_like(vectors) if g is None else g.detach()  # an output that ignores x


def _pulled(
    pull: _Pullback, region: Tensor, probes: int | None, generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Vectors v on the region [C, B, |R|], and what they are pulled back to [C, B, *shape], chunk by chunk."""
    batch, size = len(pull.x), int(region.sum())
    exact = probes is None or probes >= size
    if not exact:
        device = generator.device if generator is not None else pull.x.device
        precise = torch.promote_types(pull.x.dtype, torch.float32)
        gaussian = torch.randn(
            batch, size, probes, generator=generator, device=device, dtype=precise
        )
        frames = torch.linalg.qr(gaussian)[0].permute(2, 0, 1).to(pull.x) * math.sqrt(
            size
        )  # [K, B, |R|]
    done, count = 0, size if exact else probes
    while done < count:
        chunk = torch.arange(done, min(done + pull.at_once, count), device=pull.x.device)
        if exact:
            v = torch.nn.functional.one_hot(chunk, size).to(pull.x)[:, None].expand(-1, batch, -1)
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


def _products(
    pull: _Pullback, region: Tensor, probes: int | None, generator, resolution: float | None
) -> Products:
    size = int(region.sum())
    count = size if probes is None else min(probes, size)
    # Allocated once: a tensor a chunk would fragment memory.
    each = torch.empty(count, len(pull.x), 3, dtype=torch.float64, device=pull.x.device)
    done = 0
    for v, g in _pulled(pull, region, probes, generator):
        g = g.double()
        inside = g[:, :, region]
        row = torch.stack(
            [(v * inside).sum(-1), inside.square().sum(-1), g.flatten(2).square().sum(-1)], -1
        )
        each[done : done + len(row)] = row
        done += len(row)
    if probes is None or probes >= size:
        moments, covariance, freedom = each.sum(0), each.new_zeros(each.shape[1], 3, 3), math.inf
    else:
        moments, freedom = each.mean(0), len(each) - 1
        centred = (each - moments).transpose(0, 1)
        left = 1 - len(each) / size  # nothing is left to chance when the frame is complete
        covariance = centred.mT @ centred / max(1, freedom) * left / len(each)
    eps = resolution or 8 * torch.finfo(pull.x.dtype).eps
    outputs, inputs = (part.detach().flatten(1).double().square() for part in (pull.y, pull.x))
    # An output that an input changed by its own size, or by 1 a number, would not change in its last digit.
    floor = eps**2 * outputs[:, region.flatten()].sum(1) / inputs.sum(1).clamp(min=inputs.shape[1])
    return Products(
        moments, covariance, moments.new_tensor([freedom]), moments.new_tensor([size]), floor, eps
    )


def _stack(found: list[Products]) -> Products:
    names = ("moments", "covariance", "freedom", "size", "floor")
    return Products(
        **{name: torch.stack([getattr(one, name) for one in found]) for name in names},
        eps=found[0].eps,
    )


def _regions(region: Tensor, x: Tensor) -> tuple[bool, Tensor]:
    """Whether several regions are meant, and the masks bool [n, *shape]. ValueError for what is no region of x."""
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
                f"region {i if several else ''} is empty: it must hold at least one number of the signal"
            )
    return several, masks.to(x.device)


def _check(probes: int | None, chunk: int) -> None:
    for name, value in (("probes", 1 if probes is None else probes), ("chunk", chunk)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"{name}={value!r}; allowed: whole numbers from 1" + " or None" * (name == "probes")
            )


def _count(region: Tensor, probes: int | None) -> int:
    """What a sum over the vectors is divided by: random vectors are averaged, unit vectors added."""
    return 1 if probes is None or probes >= int(region.sum()) else probes
