"""Exact denoisers: E[x0 | x_t] for data laws that are known, called like any denoiser.

With x_t = √ᾱ x0 + √(1−ᾱ) ε, the posterior mean over a finite set of signals is a softmax of
Gaussian log-likelihoods. Here a signal is cells, each one of a few atoms, so the likelihood factors
by cell and only strings are enumerated. Which law the data follow must be named, or a comparison
with a network means nothing:

- `rule`: valid strings × independent exemplars of the pool
- `marginals`: every cell on its own, the rule's law of that symbol × pool
- `train`: the training strings × pool (fresh rendering), or the finite set of training images
  (fixed rendering)
- `patches`: every cell on its own, what the training set shows there
- `moments`: the maximum-entropy law with the training strings' statistics up to an order × pool;
  order 2 is the law of `pairs`

rule and train know how cells depend on each other; marginals and patches are what perfectly local
generation learns of them. All are computed in float64 and returned in x_t's dtype, on its device,
and are differentiable in x_t.
"""

from collections.abc import Sequence
from functools import singledispatch

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from localbias.diffusion import DenoiserLike, Schedule
from localbias.grammar import Grammar, maximum_entropy
from localbias.render import Cells, Renderer

NAMES = ("marginals", "rule", "train")  # the order in which records hold them
FURTHER = {"pairs": 2, "triples": 3}  # maximum-entropy laws by the order of their statistics
# Relative rounding of a reference's Jacobian by autograd. Where one string has nearly all the
# probability, the true Jacobian falls below this, and a local dependency ratio would be noise.
RESOLUTION = 1e-11
# With more letters than this, sums over strings go by index: a matrix would be nearly all zeros.
MANY = 64
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


@singledispatch
def references(
    renderer: Renderer,
    grammar: Grammar,
    schedule: Schedule,
    strings: Tensor,
    exemplars: Tensor | None = None,
    weights: Tensor | None = None,
    further: Sequence[str] = (),
) -> dict[str, DenoiserLike]:
    """The exact denoisers of one set of data by name: those of `NAMES`, then the further ones.

    It depends on the renderer which there are: a renderer of one's own gets them by
    `references.register(Class)(function)`. Without that there are none.

    Args:
        renderer: shows the strings.
        grammar: their law.
        schedule: the noise.
        strings: int [n, L], the training set.
        exemplars: what each training string is always shown with; None where it is drawn anew each
            time.
        weights: how often each is drawn, [n] that sum to 1; None: all alike.
        further: names of FURTHER.

    Raises:
        ValueError: for another name, and as each of them.
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
    further: Sequence[str] = (),
) -> dict[str, DenoiserLike]:
    if unknown := set(further) - FURTHER.keys():
        raise ValueError(f"reference {', '.join(unknown)}; allowed: {', '.join(FURTHER)}")
    return {
        "marginals": marginals(grammar, renderer, schedule),
        "rule": rule(grammar, renderer, schedule),
        "train": train(strings, renderer, schedule, exemplars, weights),
        **{name: moments(strings, renderer, schedule, FURTHER[name], weights) for name in further},
    }


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
    if strings.min() < 0 or strings.max() >= letters:
        raise ValueError(
            f"symbols {strings.min()} to {strings.max()}; the pool has 0 to {letters - 1}"
        )
