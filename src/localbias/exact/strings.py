"""Exact denoisers: E[x0 | x_t] for data laws that are known, called like any denoiser.

With x_t = √ᾱ x0 + √(1−ᾱ) ε, the posterior mean over a finite set of signals is a softmax of Gaussian log-likelihoods.
Here a signal is cells, each one of a few atoms, so the likelihood factors by cell and nothing is ever enumerated but
strings. Which law the data follow must be named, or a comparison with a network means nothing:

    rule       valid strings × independent exemplars of the pool
    marginals  every cell on its own: the rule's law of that symbol × pool
    train      the training strings × pool (fresh rendering), or the finite set of training images (fixed)
    patches    every cell on its own: what the training set shows there

rule and train know how cells depend on each other; marginals and patches are what perfectly local generation learns of
them. All are computed in float64 and returned in x_t's dtype, on its device, and are differentiable in x_t.
"""

from collections.abc import Callable
from functools import singledispatch

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from localbias.diffusion import Schedule
from localbias.grammar import Grammar
from localbias.render import Cells, Renderer

NAMES = ("marginals", "rule", "train")  # the order in which records hold them
# Of the Jacobian, by autograd: where one string has nearly all the probability, its softmax leaves rounding of this size
# beside what is there, and the local dependency ratio of anything smaller says nothing.
RESOLUTION = 1e-11
MANY = 64  # letters; with more of them strings are added up by index, since a product would run over mostly zeros
CHUNK = 2**23  # float64 numbers in the largest table of one pass: 64 MiB


class Reference:
    """E[x0 | x_t] where each cell shows one atom: exemplar e of letter k, uniform over e.

    pool  [K, E, p]: the atoms as flat cells. Letters are the grammar's symbols, or single images under fixed rendering.
    """

    target = "x0"

    def __init__(self, pool: Tensor, renderer: Cells, schedule: Schedule):
        self.letters, self.exemplars, _ = pool.shape
        self.renderer, self.schedule = renderer, schedule
        self.numbers_per_sample = renderer.length * self.letters * self.exemplars
        self.tables = {"atoms": pool.flatten(0, 1).double()}

    def __call__(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """Noised signals [B, *shape] at steps t (int [B] or a scalar) -> posterior means [B, *shape].

        ValueError if the signals are not of the renderer's shape.
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
        """Cells [B, L, p], √ᾱ and √(1−ᾱ) [B, 1, 1] in float64, with the tables brought to the device of x_t."""
        if tuple(x_t.shape[1:]) != self.renderer.shape:
            raise ValueError(
                f"signals of shape {tuple(x_t.shape[1:])}; this reference knows {self.renderer.shape}"
            )
        if self.tables["atoms"].device != x_t.device:
            self.tables = {name: table.to(x_t.device) for name, table in self.tables.items()}
        cells = self.renderer.split(x_t.double())
        return cells, *(scale.expand(len(x_t), 1, 1) for scale in self.schedule.scales(t, cells))

    def _log_likelihood(self, cells: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        """log N(x; √ᾱ a, (1−ᾱ) I) of every atom a in every cell, less the terms free of a: [B, L, K·E]."""
        atoms = self.tables[
            "atoms"
        ]  # |x|² is left out, so that one matrix product does and no [B, L, K·E, p] arises
        return (signal * (cells @ atoms.T) - signal**2 * atoms.square().sum(1) / 2) / spread**2


class Strings(Reference):
    """A law over strings [n, L] of letters with probabilities [n]; given the string, cells are independent."""

    def __init__(
        self,
        strings: Tensor,
        probabilities: Tensor,
        pool: Tensor,
        renderer: Cells,
        schedule: Schedule,
    ):
        super().__init__(pool, renderer, schedule)
        _check_strings(strings, self.letters, renderer)
        self.tables["log_prior"] = probabilities.double().log()
        self.places = strings + self.letters * torch.arange(
            strings.shape[1]
        )  # [n, L], each an entry of [L·K]
        self.many = self.letters > MANY
        self.numbers_per_sample = max(
            self.numbers_per_sample, self.places.numel() if self.many else len(strings)
        )
        if not self.many:
            self.tables["strings"] = (
                one_hot(strings, self.letters).flatten(1).T.double().contiguous()
            )  # [L·K, n]

    def posterior(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """Probability of each string given noised signals [B, *shape] at steps t: float64 [B, n], n as constructed."""
        return self._strings(self._log_likelihood(*self._inputs(x_t, t)))[0]

    def _strings(self, log_likelihood: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior of strings [B, n], and of each cell's exemplar given its letter [B, L, K, E]."""
        by_letter = log_likelihood.unflatten(-1, (self.letters, self.exemplars))
        evidence = by_letter.logsumexp(
            -1
        )  # of a letter whichever its exemplar; the common 1/E cancels
        strings = (self._of_strings(evidence.flatten(1)) + self.tables["log_prior"]).softmax(-1)
        return strings, (by_letter - evidence[..., None]).exp()

    def _of_strings(self, by_letter: Tensor) -> Tensor:
        """The sum over each string's letters: [B, L·K] -> [B, n]."""
        if self.many:
            return by_letter[:, self.places.to(by_letter.device)].sum(-1)
        return by_letter @ self.tables["strings"]

    def _of_letters(self, by_string: Tensor) -> Tensor:
        """The sum over the strings that have the letter in that cell: [B, n] -> [B, L·K]."""
        if self.many:
            places = self.places.to(by_string.device)
            zeros = by_string.new_zeros(len(by_string), self.renderer.length * self.letters)
            return zeros.index_add(
                1, places.flatten(), by_string.repeat_interleave(places.shape[1], 1)
            )
        return by_string @ self.tables["strings"].T

    def _atoms(self, log_likelihood: Tensor) -> Tensor:
        strings, exemplars = self._strings(log_likelihood)
        letters = self._of_letters(strings).reshape(exemplars.shape[:-1])
        return (letters[..., None] * exemplars).flatten(2)


class Independent(Reference):
    """Independent cells: letter k in cell i with probability weights[i, k], [L, K]."""

    def __init__(self, weights: Tensor, pool: Tensor, renderer: Cells, schedule: Schedule):
        super().__init__(pool, renderer, schedule)
        self.tables["log_prior"] = (
            weights.double().log().repeat_interleave(self.exemplars, 1)
        )  # −∞: never there

    def _atoms(self, log_likelihood: Tensor) -> Tensor:
        return (log_likelihood + self.tables["log_prior"]).softmax(-1)


def rule(grammar: Grammar, renderer: Cells, schedule: Schedule) -> Strings:
    """The law of the rule: every valid string with its probability, each symbol an independent exemplar of the pool."""
    return Strings(grammar.support, grammar.probabilities, renderer.atoms, renderer, schedule)


def marginals(grammar: Grammar, renderer: Cells, schedule: Schedule) -> Independent:
    """Each symbol from its own marginal under the rule, independent of the others: perfectly local generation."""
    _check_strings(grammar.support, renderer.symbols, renderer)
    return Independent(grammar.marginals(), renderer.atoms, renderer, schedule)


def train(
    strings: Tensor,
    renderer: Cells,
    schedule: Schedule,
    exemplars: Tensor | None = None,
    weights: Tensor | None = None,
) -> Strings:
    """The training set: strings int [n, L], repeats counting as often as they occur.

    exemplars  None for fresh rendering (each exposure draws from the pool), or int [n, L] for fixed (the one image that
               each string is always shown as);  weights  how often each is drawn, [n] that sum to 1; None: all alike

    ValueError for strings that the renderer cannot show, exemplars that its pool does not hold, and other weights.
    """
    letters, pool = _letters(strings, renderer, exemplars)
    n = len(letters)
    weights = torch.full((n,), 1 / n, dtype=torch.float64) if weights is None else weights
    if weights.shape != (n,) or (weights < 0).any() or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(
            f"weights {tuple(weights.shape)} that sum to {weights.sum():g}; allowed: ({n},), not below 0, sum 1"
        )
    return Strings(letters, weights, pool, renderer, schedule)


def patches(
    strings: Tensor, renderer: Cells, schedule: Schedule, exemplars: Tensor | None = None
) -> Independent:
    """Each cell from what the training set shows there, independent of the others. Arguments as for `train`, without weights.

    fresh: the cell's symbol frequencies × pool;  fixed: the images seen in that cell, as often as they are.
    """
    letters, pool = _letters(strings, renderer, exemplars)
    weights = torch.stack([column.bincount(minlength=len(pool)) for column in letters.T]) / len(
        letters
    )
    return Independent(weights, pool, renderer, schedule)


@singledispatch
def references(
    renderer: Renderer,
    grammar: Grammar,
    schedule: Schedule,
    strings: Tensor,
    exemplars: Tensor | None = None,
    weights: Tensor | None = None,
) -> dict[str, Callable]:
    """The exact denoisers of one set of data by name, in the order of `NAMES`.

    It depends on the renderer which there are: a renderer of one's own gets them by
    `references.register(Class)(function)`. Without that there are none.

    Args:
        renderer: shows the strings.
        grammar: their law.
        schedule: the noise.
        strings: int [n, L], the training set.
        exemplars: what each training string is always shown with; None where it is drawn anew each time.
        weights: how often each is drawn, [n] that sum to 1; None: all alike.
    """
    return {}


@references.register
def _of_cells(
    renderer: Cells,
    grammar: Grammar,
    schedule: Schedule,
    strings: Tensor,
    exemplars: Tensor | None = None,
    weights: Tensor | None = None,
) -> dict[str, Callable]:
    return {
        "marginals": marginals(grammar, renderer, schedule),
        "rule": rule(grammar, renderer, schedule),
        "train": train(strings, renderer, schedule, exemplars, weights),
    }


def _letters(strings: Tensor, renderer: Cells, exemplars: Tensor | None) -> tuple[Tensor, Tensor]:
    """Strings of letters [n, L] and the letters' pool [K, E, p]; under fixed rendering each image is a letter."""
    _check_strings(strings, renderer.symbols, renderer)
    if exemplars is None:
        return strings, renderer.atoms
    per_symbol = renderer.exemplars_a_symbol
    if exemplars.shape != strings.shape or exemplars.min() < 0 or exemplars.max() >= per_symbol:
        raise ValueError(
            f"exemplars {tuple(exemplars.shape)} from {exemplars.min()} to {exemplars.max()}; "
            f"allowed: {tuple(strings.shape)} from 0 to {per_symbol - 1}"
        )
    used, letters = (strings * per_symbol + exemplars).unique(return_inverse=True)
    return letters, renderer.atoms.flatten(0, 1)[used][:, None]


def _check_strings(strings: Tensor, letters: int, renderer: Cells) -> None:
    if strings.ndim != 2 or not len(strings) or strings.shape[1] != renderer.length:
        raise ValueError(
            f"strings {tuple(strings.shape)}; allowed: [n ≥ 1, {renderer.length}], the renderer's cells"
        )
    if strings.min() < 0 or strings.max() >= letters:
        raise ValueError(
            f"symbols {strings.min()} to {strings.max()}; the pool has 0 to {letters - 1}"
        )
