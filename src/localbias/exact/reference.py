"""What every exact denoiser of cells is: E[x0 | x_t] over signals made of a few atoms.

With x_t = √ᾱ x0 + √(1−ᾱ) ε, the posterior mean over a finite set of signals is a softmax of
Gaussian log-likelihoods. Here a signal is cells, each one of a few atoms, so the likelihood factors
by cell and only strings are enumerated. All is computed in float64, returned in x_t's dtype on its
device, and differentiable in x_t.
"""

import torch
from torch import Tensor

from localbias.diffusion import Schedule
from localbias.render import Cells

# Relative rounding of a reference's Jacobian by autograd. Where one string has nearly all the
# probability, the true Jacobian falls below this, and a local dependency ratio would be noise.
RESOLUTION = 1e-11
CHUNK = 2**23  # float64 numbers in the largest table of one pass: 64 MiB


class Reference:
    """E[x0 | x_t] where each cell shows one atom: exemplar e of letter k, uniform over e.

    Letters are the grammar's symbols, or single images under fixed rendering. Subclasses say how
    cells depend on each other.

    Attributes:
        target: "x0", what is predicted.
        letters: how many there are, K.
        exemplars: of each letter, E.
        renderer: which cells make a signal.
        schedule: the noise.
        numbers_per_sample: float64 numbers of the largest table for one signal.
        tables: tensors that follow the signals to their device.

    Args:
        pool: [K, E, p], the atoms as flat cells.
        renderer: as above.
        schedule: as above.
    """

    target = "x0"

    def __init__(self, pool: Tensor, renderer: Cells, schedule: Schedule):
        self.letters, self.exemplars, _ = pool.shape
        self.renderer, self.schedule = renderer, schedule
        self.numbers_per_sample = renderer.length * self.letters * self.exemplars
        self.tables = {"atoms": pool.flatten(0, 1).double()}

    def __call__(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """The posterior means of noised signals.

        Args:
            x_t: `[B, *shape]`.
            t: their steps, int [B] or a scalar.

        Returns:
            `[B, *shape]`, of x_t's dtype.

        Raises:
            ValueError: where the signals are not of the renderer's shape.
        """
        size = max(1, CHUNK // self.numbers_per_sample)
        chunks = zip(*(part.split(size) for part in self._inputs(x_t, t)))
        means = [
            self._atoms(self._log_likelihood(*chunk)) @ self.tables["atoms"] for chunk in chunks
        ]
        return self.renderer.join(torch.cat(means)).to(x_t.dtype)

    def _atoms(self, log_likelihood: Tensor) -> Tensor:
        """Posterior of each cell's atom, from log-likelihoods [B, L, K·E]; the same shape."""
        raise TypeError(f"{type(self).__name__} does not say how its cells depend on each other")

    def _inputs(self, x_t: Tensor, t: Tensor | int) -> tuple[Tensor, Tensor, Tensor]:
        """Cells [B, L, p], √ᾱ and √(1−ᾱ) [B, 1, 1] in float64; tables move to the device of x_t."""
        if tuple(x_t.shape[1:]) != self.renderer.shape:
            raise ValueError(
                f"signals of shape {tuple(x_t.shape[1:])}; "
                f"this reference knows {self.renderer.shape}"
            )
        if self.tables["atoms"].device != x_t.device:
            self.tables = {name: table.to(x_t.device) for name, table in self.tables.items()}
        cells = self.renderer.split(x_t.double())
        signal, spread = self.schedule.scales(t, cells)
        return cells, signal.expand(len(x_t), 1, 1), spread.expand(len(x_t), 1, 1)

    def _log_likelihood(self, cells: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        """log N(x; √ᾱ a, (1−ᾱ) I) of atoms a in their cells, less terms free of a: [B, L, K·E]."""
        # Without the term |x|² one matrix product is enough, and no [B, L, K·E, p] is made.
        atoms = self.tables["atoms"]
        return (signal * (cells @ atoms.T) - signal**2 * atoms.square().sum(1) / 2) / spread**2

    def _by_letter(self, log_likelihood: Tensor) -> tuple[Tensor, Tensor]:
        """Each letter's evidence, whichever its exemplar, and its exemplars' posterior.

        The factor 1/E that all letters share is left out of the evidence.

        Args:
            log_likelihood: of atoms, [B, L, K·E].

        Returns:
            Log-likelihoods of letters [B, L, K]; probabilities of exemplars given their letter
            [B, L, K, E].
        """
        by_letter = log_likelihood.unflatten(-1, (self.letters, self.exemplars))
        evidence = by_letter.logsumexp(-1)
        return evidence, (by_letter - evidence[..., None]).exp()
