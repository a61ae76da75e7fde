"""Letter models between "each letter on its own" and "the words themselves": what a letter owes to those before it.

In a Markov chain of order k, letter i is drawn from its law in the words given the k letters before it, at that very place:
P_i(letter i | letters i−k … i−1). Samples so keep the law of any k + 1 neighbouring letters wherever they stand.
Order 0 is the product of the marginals, order L − 1 the words themselves. A word begins at place 0 and ends where
blanks begin: from order 1 on, a blank is followed by nothing but blanks. Nothing is smoothed: what never occurs is
impossible.
"""

from math import inf

import torch
from torch import Tensor

from localbias.grammar.law import Grammar

EDGE = "\n"  # stands before a word's first letter and after its last


class MarkovChain:
    """The letter model of a grammar: the chain of that order nearest to it by likelihood.

    states  int [L + 1]: how many pasts matter at each place; a past is the last `order` letters, if they occur there
    log_p   float64 [states, K] of each place: log P_i(letter | past), −∞ for letters that never follow
    next    int64 [states, K] of each place: the past that it then is

    ValueError for an order out of range.
    """

    def __init__(self, grammar: Grammar, order: int):
        strings, length, letters = grammar.support, grammar.length, len(grammar.alphabet)
        if not 0 <= order < length:
            raise ValueError(
                f"order={order}; allowed: 0 to {length - 1}, with strings of {length} symbols"
            )
        self.order, self.length = order, length
        pasts = [_numbered(strings[:, max(0, i - order) : i]) for i in range(length)]
        pasts.append(torch.zeros_like(pasts[0]))  # after the end nothing matters
        self.states = [int(past.max()) + 1 for past in pasts]
        self.log_p, self.next = [], []
        for i in range(length):
            step = pasts[i], strings[:, i]
            weights = torch.zeros(self.states[i], letters, dtype=torch.float64)
            weights.index_put_(step, grammar.probabilities, accumulate=True)
            self.log_p.append((weights / weights.sum(1, keepdim=True)).log())
            self.next.append(
                torch.zeros(self.states[i], letters, dtype=torch.int64).index_put_(
                    step, pasts[i + 1]
                )
            )

    def log_probability(self, tokens: Tensor) -> Tensor:
        """Natural logarithm of each string's probability: int [n, L] -> float64 [n], −∞ if impossible or unreadable."""
        if tokens.ndim != 2 or tokens.shape[1] != self.length:
            raise ValueError(f"strings {tuple(tokens.shape)}; allowed: [n, {self.length}]")
        known = ((tokens >= 0) & (tokens < self.log_p[0].shape[1])).all(1)
        tokens = tokens.where(known[:, None], 0)
        past, total = (
            torch.zeros(len(tokens), dtype=torch.int64),
            torch.zeros(len(tokens), dtype=torch.float64),
        )
        for log_p, following, letter in zip(self.log_p, self.next, tokens.T):
            total = total + log_p[past, letter]
            past = following[past, letter]
        return total.where(known, -inf)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Strings drawn from the chain: int64 [n, L]."""
        past, letters = torch.zeros(n, dtype=torch.int64), []
        for log_p, following in zip(self.log_p, self.next):
            letters.append(torch.multinomial(log_p.exp()[past], 1, generator=generator)[:, 0])
            past = following[past, letters[-1]]
        return torch.stack(letters, 1)


def known_ngrams(tokens: Tensor, grammar: Grammar, n: int) -> Tensor:
    """The share of each string's n-letter windows that occur in some word of the grammar: int [m, L] -> float64 [m].

    A mark stands before a word's first letter and after its last, so that windows know beginnings and endings; a word
    with fewer symbols than n is one window. A window with an unreadable letter, or a blank within, occurs nowhere.
    """
    if n < 1:
        raise ValueError(f"n={n}; allowed: from 1")
    known = {window for word in grammar.text(grammar.support) for window in _windows(word, n)}
    shares = [[window in known for window in _windows(word, n)] for word in grammar.text(tokens)]
    return torch.tensor([sum(share) / len(share) for share in shares], dtype=torch.float64)


def _windows(word: str, n: int) -> list[str]:
    marked = EDGE + word.rstrip(" ") + EDGE
    return [marked[i : i + n] for i in range(max(1, len(marked) - n + 1))]


def _numbered(strings: Tensor) -> Tensor:
    """Which of the distinct rows each row [n, k] is: int64 [n]. Rows of no columns are all alike."""
    return (
        strings.unique(dim=0, return_inverse=True)[1]
        if strings.shape[1]
        else strings.new_zeros(len(strings))
    )
