"""Rules over symbols: which strings are valid, and what a string drawn from them looks like.

A grammar knows nothing of pixels. Its strings are int64 tensors of symbol indices into `alphabet`, and everything that
the references and the chance levels need (support, marginals, information) is computed by enumeration.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from localbias import assets

ENUMERABLE = 2**22  # strings; beyond that the support no longer fits comfortably in memory


@dataclass(frozen=True)
class Grammar:
    """A law over a finite set of strings of one length, uniform unless `weights` says otherwise.

    A rule of one's own is a subclass with `alphabet`, `length` and `support`; all the rest follows.
    """

    alphabet: ClassVar[tuple[str, ...]]
    length: ClassVar[int]

    @cached_property
    def support(self) -> Tensor:
        """Every valid string in lexicographic order: int64 [n, L], symbol indices."""
        raise TypeError(f"{type(self).__name__} does not say what its support is")

    @property
    def probabilities(self) -> Tensor:
        """The law over `support`: float64 [n], sums to one."""
        return self.weights(self.support)

    def weights(self, strings: Tensor) -> Tensor:
        """The law given that it is one of these valid strings [n, L], each with its probability: float64 [n]."""
        return torch.full((len(strings),), 1 / len(strings), dtype=torch.float64)

    def is_valid(self, tokens: Tensor) -> Tensor:
        """Whether each string keeps the rule: tokens int [..., L] -> bool [...]. An unreadable symbol (−1) breaks it."""
        if tokens.shape[-1] != self.length:
            raise ValueError(f"strings of {tokens.shape[-1]} symbols; {self} has length {self.length}")
        known = ((tokens >= 0) & (tokens < len(self.alphabet))).all(-1)
        return known & self._keeps_rule(tokens)

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        """The rule itself, for tokens [..., L] of the alphabet: here, to be in the support. Parity and others know faster ways."""
        place = len(self.alphabet) ** torch.arange(self.length - 1, -1, -1)
        return torch.isin((tokens.clamp_min(0) * place).sum(-1), (self.support * place).sum(-1))

    def marginals(self) -> Tensor:
        """P(symbol i is k): float64 [L, K]."""
        return torch.einsum("n,nlk->lk", self.probabilities, self._one_hot())

    def pairwise_information(self) -> Tensor:
        """Mutual information of symbols i and j in bits, [L, L]; the diagonal is each symbol's entropy.

        Zero off the diagonal is the paper's "any two symbols are independent" (§5.1, Assumption 5.1): true of Parity
        with L ≥ 3, false of QuarterSum and Dyck.
        """
        one_hot = self._one_hot()
        single = self.marginals()
        joint = torch.einsum("n,nik,njl->ijkl", self.probabilities, one_hot, one_hot)
        independent = torch.einsum("ik,jl->ijkl", single, single)
        ratio = torch.where(joint > 0, joint / independent.clamp_min(1e-300), 1.0)
        return (joint * ratio.log2()).sum((-2, -1)).clamp_min(0)

    def independent_probability(self, tokens: Tensor) -> Tensor:
        """Probability of strings [n, L] when every symbol is drawn from its own marginal: float64 [n].

        Summed over `support` it is the chance level of validity; over held-out strings, that of extrapolation.
        """
        return self.marginals().log()[torch.arange(self.length), tokens].sum(-1).exp()

    def split(self, n_train: int, seed: int) -> tuple[Tensor, Tensor]:
        """Training strings [n_train, L] and held-out strings [n − n_train, L], drawn without replacement."""
        n = len(self.support)
        if not 1 <= n_train <= n:
            raise ValueError(f"n_train={n_train}: {self} has {n} valid strings, so 1 to {n}")
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        return self.support[order[:n_train]], self.support[order[n_train:]]

    def text(self, tokens: Tensor) -> list[str]:
        """Strings [n, L] as people write them; an unreadable symbol (−1) is "?"."""
        return ["".join("?" if k < 0 else self.alphabet[k] for k in row) for row in tokens.tolist()]

    def _one_hot(self) -> Tensor:
        return torch.nn.functional.one_hot(self.support, len(self.alphabet)).double()


@dataclass(frozen=True)
class Parity(Grammar):
    """Parentheses whose signs multiply to +1: "(" is +1 (index 0), ")" is −1 (index 1) (§4.1).

    Equivalently an even number of ")". The paper's "even number of s_1" is the same only for even length.
    """

    length: int
    alphabet = ("(", ")")

    def __post_init__(self):
        _check_length(self, self.length >= 2 and 2 ** (self.length - 1) <= ENUMERABLE, "from 2 to 23")

    @cached_property
    def support(self) -> Tensor:
        codes = torch.arange(2 ** (self.length - 1))
        free = codes[:, None] >> torch.arange(self.length - 2, -1, -1) & 1
        return torch.cat([free, free.sum(1, keepdim=True) % 2], 1)

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens.sum(-1) % 2 == 0


@dataclass(frozen=True)
class Check(Grammar):
    """One parity check: the signs of the first `order` parentheses multiply to +1, all others are free.

    Whatever the order there are 2^(L−1) valid strings, one bit of rule, and a chance of ½. `correlation` is E[x_1 x_2] of
    the law, which is then ∝ 1 + correlation · x_1 x_2; it must be 0 for order 2, where x_1 x_2 is always +1.
    With order = L and no correlation it is Parity.
    """

    length: int
    order: int
    correlation: float = 0.0
    alphabet = ("(", ")")

    def __post_init__(self):
        _check_length(self, self.length >= 2 and 2 ** (self.length - 1) <= ENUMERABLE, "from 2 to 23")
        if not 2 <= self.order <= self.length:
            raise ValueError(f"order={self.order}; allowed: 2 to length={self.length}")
        if not -1 < self.correlation < 1 or (self.correlation and self.order == 2):
            raise ValueError(f"correlation={self.correlation}; allowed: inside (−1, 1), and 0 for order 2")

    @cached_property
    def support(self) -> Tensor:
        every = torch.cartesian_prod(*[torch.arange(2)] * self.length)
        return every[self._keeps_rule(every)]

    def weights(self, strings: Tensor) -> Tensor:
        pair = 1.0 - 2 * (strings[:, 0] ^ strings[:, 1]).double()
        weights = 1 + self.correlation * pair
        return weights / weights.sum()

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens[..., : self.order].sum(-1) % 2 == 0


@dataclass(frozen=True)
class Dyck(Grammar):
    """Balanced parentheses (§A.7.2): every prefix has at least as many "(" as ")", and the whole as many of each."""

    length: int
    alphabet = ("(", ")")

    def __post_init__(self):
        _check_length(self, 2 <= self.length <= 26 and self.length % 2 == 0, "an even number from 2 to 26")

    @cached_property
    def support(self) -> Tensor:
        words = torch.empty(1, 0, dtype=torch.int64)
        depth = torch.zeros(1, dtype=torch.int64)
        for left in range(self.length, 0, -1):
            opens, closes = depth < left, depth > 0  # room to close later; something to close
            words = torch.cat([_append(words[opens], 0), _append(words[closes], 1)])
            depth = torch.cat([depth[opens] + 1, depth[closes] - 1])
        place = 2 ** torch.arange(self.length - 1, -1, -1)
        return words[(words * place).sum(1).argsort()]

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        height = (1 - 2 * tokens).cumsum(-1)
        return (height >= 0).all(-1) & (height[..., -1] == 0)


@dataclass(frozen=True)
class QuarterSum(Grammar):
    """Four digits with s1 + s2 = s3 + s4: the rule of Quarter-MNIST (§4.1), 670 tuples of 10,000."""

    alphabet = tuple("0123456789")
    length = 4

    @cached_property
    def support(self) -> Tensor:
        every = torch.cartesian_prod(*[torch.arange(10)] * 4)
        return every[self._keeps_rule(every)]

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return tokens[..., :2].sum(-1) == tokens[..., 2:].sum(-1)


@dataclass(frozen=True)
class Lexicon(Grammar):
    """The words of a list (§6): strings over a blank and letters, blanks after the end of a word.

    words   "english" (the paper's list) or the words themselves
    whole   each word is a single symbol, as where its letters have no places of their own
    cells   letters and blanks in a string; None: as many as the longest word has letters
    """

    words: str | tuple[str, ...] = "english"
    whole: bool = False
    cells: int | None = None

    def __post_init__(self):
        if self.words != "english":
            words = () if isinstance(self.words, str) else tuple(self.words)
            if not words or len(set(words)) < len(words) or not all(word and word == word.strip() for word in words):
                raise ValueError(f"words={self.words!r}; allowed: 'english', or distinct words without blanks around them")
            object.__setattr__(self, "words", words)
        longest = max(map(len, self.entries))
        if self.cells is not None and (self.whole or self.cells < longest):
            raise ValueError(f"cells={self.cells}; allowed: from {longest}, the longest word's, and None for whole words")

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """The words in alphabetical order."""
        return tuple(sorted(assets.words() if self.words == "english" else self.words))

    @cached_property
    def alphabet(self) -> tuple[str, ...]:
        return self.entries if self.whole else tuple(sorted({" ", *"".join(self.entries)}))

    @cached_property
    def length(self) -> int:
        return 1 if self.whole else self.cells or max(map(len, self.entries))

    @cached_property
    def support(self) -> Tensor:
        if self.whole:
            return torch.arange(len(self.entries))[:, None]
        place = {letter: k for k, letter in enumerate(self.alphabet)}  # the blank sorts before all letters
        return torch.tensor([[place[letter] for letter in word.ljust(self.length)] for word in self.entries])

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        known = set(map(tuple, self.support.tolist()))
        flat = tokens.reshape(-1, self.length).tolist()
        return torch.tensor([tuple(string) in known for string in flat]).reshape(tokens.shape[:-1])


@dataclass(frozen=True)
class Characters(Grammar):
    """The `count` most frequent Chinese characters, each a string of its four quarters (§6).

    Symbol 4c + i is quarter i of character c (top left, top right, bottom left, bottom right); the rule is that all
    four come from one character and stand in their places. Quarters are what every character has and what a region
    can be: radicals stand in no common place, and lists of them don't say where.
    """

    count: int
    length = 4

    def __post_init__(self):
        if not 1 <= self.count <= len(assets.characters()):
            raise ValueError(f"count={self.count}; allowed: 1 to {len(assets.characters())}")

    @cached_property
    def alphabet(self) -> tuple[str, ...]:
        return tuple(character + quarter for character in assets.characters()[: self.count] for quarter in "▘▝▖▗")

    @cached_property
    def support(self) -> Tensor:
        return torch.arange(4 * self.count).reshape(-1, 4)

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        return ((tokens - torch.arange(4)) % 4 == 0).all(-1) & (tokens // 4 == tokens[..., :1] // 4).all(-1)

    def marginals(self) -> Tensor:
        own = torch.arange(4 * self.count) % 4 == torch.arange(4)[:, None]
        return own / own.sum(1, keepdim=True, dtype=torch.float64)


GRAMMARS = {
    "parity": Parity, "check": Check, "dyck": Dyck, "quarter_sum": QuarterSum, "lexicon": Lexicon,
    "characters": Characters,
}


def make(name: str, **options) -> Grammar:
    """The grammar of that name. ValueError for an unknown name or option."""
    if name not in GRAMMARS:
        raise ValueError(f"unknown grammar {name!r}; known: {', '.join(GRAMMARS)}")
    try:
        return GRAMMARS[name](**options)
    except TypeError as error:
        raise ValueError(f"grammar {name!r}: {error}") from None


def _append(words: Tensor, symbol: int) -> Tensor:
    return torch.nn.functional.pad(words, (0, 1), value=symbol)


def _check_length(grammar: Grammar, allowed: bool, what: str) -> None:
    if not allowed:
        raise ValueError(f"{type(grammar).__name__} length={grammar.length}; allowed: {what}")
