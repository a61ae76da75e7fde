"""The best linear denoiser: what a network could know from the data's covariance alone.

It has the least mean squared error among x̂0 = μ + W (x_t − √ᾱ μ):

    W = √ᾱ C (ᾱ C + (1−ᾱ) I)⁻¹   (Wiener 1949)

with the signals' mean μ and covariance C. Its Jacobian W is the same at every x_t, so its local
dependency ratio is a property of the covariance: where symbols are pairwise independent, it is 1
whatever the rule, and a ratio that is no lower than this needs no rule to explain it.
"""

from functools import singledispatch

import torch
from torch import Tensor

from localbias.diffusion import Schedule
from localbias.grammar import Grammar
from localbias.render import Cells, Renderer


class Wiener:
    """The best linear denoiser of x0.

    Attributes:
        target: "x0", what is predicted.
        mean: float64 `[*shape]`, of the signals.
        schedule: the noise.

    Args:
        mean: `[*shape]`.
        covariance: [d, d] of the d numbers of a signal; symmetric, without negative eigenvalues
            beyond rounding.
        schedule: as above.

    Raises:
        ValueError: for a covariance that is of another size or none.
    """

    target = "x0"

    def __init__(self, mean: Tensor, covariance: Tensor, schedule: Schedule):
        d, found = mean.numel(), tuple(covariance.shape)
        if found != (d, d) or not torch.allclose(covariance, covariance.T, atol=1e-9):
            raise ValueError(f"covariance {found}; allowed: symmetric, [{d}, {d}]")
        self.mean, self.schedule = mean.double(), schedule
        self._values, self._vectors = torch.linalg.eigh(covariance.double())
        if self._values[0] < -1e-6 * self._values[-1].abs():
            raise ValueError(
                f"covariance with the eigenvalue {self._values[0]:.1e}; allowed: from 0"
            )
        self._values = self._values.clamp(min=0)

    def __call__(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """x̂0 `[B, *shape]` of noised signals `[B, *shape]` at steps t, int [B] or a scalar.

        It is computed in float64 and returned in the dtype of x_t.

        Raises:
            ValueError: for signals of another shape.
        """
        if x_t.shape[1:] != self.mean.shape:
            raise ValueError(f"signals {tuple(x_t.shape[1:])}; allowed: {tuple(self.mean.shape)}")
        flat, mean = x_t.double().flatten(1), self.mean.flatten().to(x_t.device)
        vectors, values = (part.to(x_t.device) for part in (self._vectors, self._values))
        signal, spread = self.schedule.scales(t, flat)
        gains = signal * values / (signal**2 * values + spread**2)
        found = mean + ((flat - signal * mean) @ vectors * gains) @ vectors.T
        return found.view_as(x_t).to(x_t.dtype)

    def matrix(self, t: int) -> Tensor:
        """W at a step, float64 [d, d]."""
        signal, spread = (part.squeeze() for part in self.schedule.scales(t, self.mean))
        gains = signal * self._values / (signal**2 * self._values + spread**2)
        return self._vectors * gains @ self._vectors.T

    def ratio(self, t: int, region: Tensor) -> float:
        """The local dependency ratio at a step, of x̂0 and a region bool `[*shape]` (Eq. 2)."""
        rows = self.matrix(t)[region.flatten()].square()
        return (rows[:, region.flatten()].sum() / rows.sum()).item()


@singledispatch
def wiener(renderer: Renderer, grammar: Grammar, schedule: Schedule) -> Wiener:
    """The best linear denoiser of the rule's law: valid strings × exemplars of the pool.

    It depends on the renderer how the covariance follows; one of your own says it by
    `wiener.register(Class)(function)`.

    Args:
        renderer: shows the strings.
        grammar: whose strings are shown.
        schedule: the noise.

    Raises:
        ValueError: for a renderer whose covariance is not known.
    """
    known = ", ".join(kind.__name__ for kind in wiener.registry if kind is not object)
    raise ValueError(f"{renderer} shows signals of unknown covariance; known: {known}")


@wiener.register
def _of_cells(renderer: Cells, grammar: Grammar, schedule: Schedule) -> Wiener:
    atoms = renderer.atoms.double()  # [K, E, p]
    letters, law = atoms.mean(1), grammar.probabilities
    shown = torch.nn.functional.one_hot(grammar.support, renderer.symbols).double()
    single = torch.einsum("n,nik->ik", law, shown)
    joint = torch.einsum("n,nik,njl->ikjl", law, shown, shown)
    cross = joint - torch.einsum("ik,jl->ikjl", single, single)
    covariance = torch.einsum("ikjl,kp,lq->ipjq", cross, letters, letters)
    # Within a cell the exemplars of a symbol differ as well.
    centred = atoms - letters[:, None]
    spread = torch.einsum("kep,keq->kpq", centred, centred) / atoms.shape[1]
    own = torch.einsum("ik,kpq->ipq", single, spread)
    for i in range(grammar.length):
        covariance[i, :, i] += own[i]
    # `join` lays cells out as the signal has them: numbers are counted to see where each goes.
    size = grammar.length * atoms.shape[2]
    counted = torch.arange(size, dtype=torch.float64).view(1, grammar.length, -1)
    order = renderer.join(counted).flatten().long()
    covariance = covariance.reshape(size, size)[order][:, order]
    return Wiener(renderer.join((single @ letters)[None])[0], covariance, schedule)
