"""Exact denoiser, score and posterior of a mixture of Gaussians, of any covariances.

A mode k with weight w_k is N(μ_k, Σ_k). Noised, it is N(√ᾱ μ_k, C_k) with C_k = ᾱ Σ_k + (1−ᾱ) I,
so that with r_k the posterior of the modes

    ∇ log p_t(x) = Σ_k r_k C_k⁻¹ (√ᾱ μ_k − x)
    E[x0 | x]    = Σ_k r_k (μ_k + √ᾱ Σ_k C_k⁻¹ (x − √ᾱ μ_k))

and the two are bound by Tweedie's formula, √ᾱ E[x0 | x] = x + (1−ᾱ) ∇ log p_t(x). As ᾱ goes to 1
the score becomes discontinuous half way between modes: the other paper's explanation begins there.
"""

import torch
from torch import Tensor

from localbias.diffusion import Schedule


class Mixture:
    """E[x0 | x_t] of a mixture of Gaussians, called like any denoiser.

    Computed in float64 and returned in x_t's dtype, on its device; differentiable in x_t.

    Attributes:
        target: "x0", what is predicted.
        schedule: the noise.

    Args:
        means: [K, D].
        covariances: [K, D, D], or [D, D] of all modes; positive definite.
        schedule: as above.
        weights: [K], sum to 1; None: all alike.

    Raises:
        ValueError: for shapes that do not fit, covariances that are not symmetric and positive
            definite, and weights that are not above 0 or do not sum to 1.
    """

    target = "x0"

    def __init__(
        self,
        means: Tensor,
        covariances: Tensor,
        schedule: Schedule,
        weights: Tensor | None = None,
    ):
        if means.ndim != 2 or covariances.shape[-2:] != (means.shape[1],) * 2:
            raise ValueError(
                f"means {tuple(means.shape)}, covariances {tuple(covariances.shape)}; "
                "allowed: [K, D] and [K, D, D] or [D, D]"
            )
        k, d = means.shape
        weights = torch.full((k,), 1 / k, dtype=torch.float64) if weights is None else weights
        if weights.shape != (k,) or not (weights > 0).all() or abs(weights.sum() - 1) > 1e-9:
            raise ValueError(
                f"weights {tuple(weights.shape)} that sum to {weights.sum():g}; "
                f"allowed: ({k},), above 0, sum 1"
            )
        # Σ = V diag(s) Vᵀ makes every C_k diagonal, whatever ᾱ is.
        covariances = covariances.double().expand(k, d, d)
        sizes, axes = torch.linalg.eigh(covariances)
        if not (sizes > 0).all() or not torch.allclose(covariances, covariances.mT):
            raise ValueError(
                f"covariances with the least eigenvalue {sizes.min():.3g}, "
                f"{(covariances - covariances.mT).abs().max():.3g} off symmetry; "
                "allowed: symmetric and positive definite"
            )
        self.schedule = schedule
        self.tables = {
            "means": means.double(),
            "log_weights": weights.double().log(),
            "sizes": sizes,
            "axes": axes,
        }

    def __call__(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """The posterior means [B, D] of noised points [B, D] at steps t, int [B] or a scalar."""
        signal, away, variances = self._parts(x_t, t)
        # √ᾱ Σ C⁻¹ (x − √ᾱ μ), in the axes of each mode
        gained = signal * self.tables["sizes"] / variances * away
        centres = self.tables["means"] + torch.einsum("kde,bke->bkd", self.tables["axes"], gained)
        return self._mean(centres, away, variances).to(x_t.dtype)

    def posterior(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """The probability of each mode given noised points [B, D]: float64 [B, K]."""
        _, away, variances = self._parts(x_t, t)
        return self._log_joint(away, variances).softmax(1)

    def score(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """∇ log p_t at noised points [B, D]: [B, D], of x_t's dtype."""
        _, away, variances = self._parts(x_t, t)
        pulls = torch.einsum("kde,bke->bkd", self.tables["axes"], -away / variances)
        return self._mean(pulls, away, variances).to(x_t.dtype)

    def _mean(self, values: Tensor, away: Tensor, variances: Tensor) -> Tensor:
        """The posterior mean over the modes of values [B, K, D]."""
        return (self._log_joint(away, variances).softmax(1)[..., None] * values).sum(1)

    def _log_joint(self, away: Tensor, variances: Tensor) -> Tensor:
        """log w_k N(x; √ᾱ μ_k, C_k): [B, K]."""
        exponent = (away.square() / variances + (2 * torch.pi * variances).log()).sum(-1) / 2
        return self.tables["log_weights"] - exponent

    def _parts(self, x_t: Tensor, t: Tensor | int) -> tuple[Tensor, Tensor, Tensor]:
        """√ᾱ [B, 1, 1]; x − √ᾱ μ_k and the diagonal of C_k in each mode's axes, [B, K, D]."""
        dimensions = self.tables["means"].shape[1]
        if x_t.ndim != 2 or x_t.shape[1] != dimensions:
            raise ValueError(f"points {tuple(x_t.shape)}; allowed: [B, {dimensions}]")
        if self.tables["means"].device != x_t.device:
            self.tables = {name: table.to(x_t.device) for name, table in self.tables.items()}
        x = x_t.double()[:, None]
        signal, spread = self.schedule.scales(t, x)
        away = torch.einsum("kde,bkd->bke", self.tables["axes"], x - signal * self.tables["means"])
        return signal, away, (signal**2 * self.tables["sizes"] + spread**2).expand_as(away)
