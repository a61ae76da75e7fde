"""Exact denoisers of strings shown in cells, one for each law that the data may follow.

Which law that is must be named, or a comparison with a network means nothing:

- `rule`: valid strings × independent exemplars of the pool
- `marginals`: every cell on its own, the rule's law of that symbol × pool
- `train`: the training strings × pool (fresh rendering), or the finite set of training images
  (fixed rendering)
- `patches`: every cell on its own, what the training set shows there
- `moments`: the maximum-entropy law with the training strings' statistics up to an order × pool;
  order 2 is the law of `pairs`

rule and train know how cells depend on each other; marginals and patches are what perfectly local
generation learns of them.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from localbias.checks import within
from localbias.diffusion import Schedule
from localbias.exact.reference import Reference
from localbias.grammar import Grammar, maximum_entropy
from localbias.render import Cells

# With more letters than this, sums over strings go by index: a matrix would be nearly all zeros.
MANY = 64


class Strings(Reference):
    """A law over strings of letters; given the string, cells are independent.

    Attributes:
        places: int [n, L], each letter's place in a flat [L·K].
        many: whether sums over strings go by index.

    Args:
        strings: int [n, L].
        probabilities: [n].
        pool: [K, E, p], the atoms as flat cells.
        renderer: which cells make a signal.
        schedule: the noise.

    Raises:
        ValueError: for strings that the renderer cannot show.
    """

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
        self.places = strings + self.letters * torch.arange(strings.shape[1])
        self.many = self.letters > MANY
        self.numbers_per_sample = max(
            self.numbers_per_sample, self.places.numel() if self.many else len(strings)
        )
        if not self.many:
            of_letters = one_hot(strings, self.letters).flatten(1).T  # [L·K, n]
            self.tables["strings"] = of_letters.double().contiguous()

    def posterior(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """The probability of each string given noised signals.

        Args:
            x_t: `[B, *shape]`.
            t: their steps, int [B] or a scalar.

        Returns:
            float64 [B, n], strings in the order in which they were given.
        """
        return self._strings(self._log_likelihood(*self._inputs(x_t, t)))[0]

    def _strings(self, log_likelihood: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior of strings [B, n], and of each letter's exemplars in a cell [B, L, K, E]."""
        evidence, exemplars = self._by_letter(log_likelihood)
        strings = (self._of_strings(evidence.flatten(1)) + self.tables["log_prior"]).softmax(-1)
        return strings, exemplars

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
            repeated = by_string.repeat_interleave(places.shape[1], 1)
            return zeros.index_add(1, places.flatten(), repeated)
        return by_string @ self.tables["strings"].T

    def _atoms(self, log_likelihood: Tensor) -> Tensor:
        strings, exemplars = self._strings(log_likelihood)
        letters = self._of_letters(strings).reshape(exemplars.shape[:-1])
        return (letters[..., None] * exemplars).flatten(2)


class Independent(Reference):
    """Independent cells: letter k in cell i with probability `weights[i, k]`.

    Args:
        weights: [L, K].
        pool: [K, E, p], the atoms as flat cells.
        renderer: which cells make a signal.
        schedule: the noise.
    """

    def __init__(self, weights: Tensor, pool: Tensor, renderer: Cells, schedule: Schedule):
        super().__init__(pool, renderer, schedule)
        log_weights = weights.double().log()  # −∞ where a letter never stands
        self.tables["log_prior"] = log_weights.repeat_interleave(self.exemplars, 1)

    def _atoms(self, log_likelihood: Tensor) -> Tensor:
        return (log_likelihood + self.tables["log_prior"]).softmax(-1)


def rule(grammar: Grammar, renderer: Cells, schedule: Schedule) -> Strings:
    """The exact denoiser of the rule: all valid strings × independent exemplars of the pool."""
    return Strings(grammar.support, grammar.probabilities, renderer.atoms, renderer, schedule)


def marginals(grammar: Grammar, renderer: Cells, schedule: Schedule) -> Independent:
    """The exact denoiser of symbols that are independent, each with its marginal under the rule.

    It is perfectly local generation.
    """
    _check_strings(grammar.support, renderer.symbols, renderer)
    return Independent(grammar.marginals(), renderer.atoms, renderer, schedule)


def train(
    strings: Tensor,
    renderer: Cells,
    schedule: Schedule,
    exemplars: Tensor | None = None,
    weights: Tensor | None = None,
) -> Strings:
    """The exact denoiser of the training set, repeated strings counting as often as they occur.

    Args:
        strings: int [n, L].
        renderer: shows them.
        schedule: the noise.
        exemplars: None for fresh rendering (each exposure draws from the pool), or int [n, L] for
            fixed (the one image that each string is always shown as).
        weights: how often each string is drawn, [n] that sum to 1; None: all alike.

    Raises:
        ValueError: for strings that the renderer cannot show, exemplars that its pool does not
            hold, and other weights.
    """
    letters, pool = _letters(strings, renderer, exemplars)
    n = len(letters)
    weights = torch.full((n,), 1 / n, dtype=torch.float64) if weights is None else weights
    if weights.shape != (n,) or (weights < 0).any() or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(
            f"weights {tuple(weights.shape)} that sum to {weights.sum():g}; "
            f"allowed: ({n},), not below 0, sum 1"
        )
    return Strings(letters, weights, pool, renderer, schedule)


def patches(
    strings: Tensor, renderer: Cells, schedule: Schedule, exemplars: Tensor | None = None
) -> Independent:
    """The exact denoiser of independent cells, each as the training set shows it there.

    Under fresh rendering that is the cell's symbol frequencies × pool, under fixed rendering the
    images that occur in that cell, as often as they do. Arguments and errors are those of `train`.
    """
    letters, pool = _letters(strings, renderer, exemplars)
    counts = torch.stack([column.bincount(minlength=len(pool)) for column in letters.T])
    return Independent(counts / len(letters), pool, renderer, schedule)


def moments(
    strings: Tensor, renderer: Cells, schedule: Schedule, order: int, weights: Tensor | None = None
) -> Strings:
    """The exact denoiser of the maximum-entropy law with the training strings' statistics.

    Each symbol is an independent exemplar of the pool.

    Args:
        strings: int [n, L], the training set.
        renderer: shows them.
        schedule: the noise.
        order: up to which the statistics are the training set's: 2 is the law of pairs.
        weights: how often each string is drawn, [n] that sum to 1; None: all alike.

    Raises:
        ValueError: as `grammar.maximum_entropy`.
    """
    law = maximum_entropy(strings, renderer.symbols, order, weights)
    return Strings(law.strings, law.probabilities, renderer.atoms, renderer, schedule)


def of_images(images: Tensor, schedule: Schedule) -> Independent:
    """The optimum for a finite set of signals of any shape: a softmax over the whole of them.

    Args:
        images: `[n, *shape]`, each as probable as the others.
        schedule: the noise.

    Raises:
        ValueError: where there is no signal.
    """
    if images.ndim < 2 or not len(images):
        raise ValueError(f"images {tuple(images.shape)}; allowed: [n ≥ 1, *shape]")
    whole = Cells(images.flatten(1)[:, None, :, None], (1, 1), shape=tuple(images.shape[1:]))
    return patches(torch.arange(len(images))[:, None], whole, schedule)


def _letters(strings: Tensor, renderer: Cells, exemplars: Tensor | None) -> tuple[Tensor, Tensor]:
    """Strings of letters [n, L] and the letters' pool [K, E, p].

    Under fixed rendering each image is a letter of its own.
    """
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
    """ValueError for strings that the renderer cannot show with so many letters."""
    if strings.ndim != 2 or not len(strings) or strings.shape[1] != renderer.length:
        raise ValueError(
            f"strings {tuple(strings.shape)}; "
            f"allowed: [n ≥ 1, {renderer.length}], the renderer's cells"
        )
    within("symbols", strings, letters)
