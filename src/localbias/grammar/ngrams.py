"""Letter models between "each letter on its own" and "the words themselves": Markov chains.

In a Markov chain of order k, letter i is drawn from its law in the words given the k letters before
it, at that very place: P_i(letter i | letters i−k … i−1). Samples so keep the law of any k + 1
neighbouring letters wherever they stand. Order 0 is the product of the marginals, order L − 1 the
words themselves. A word begins at place 0 and ends where blanks begin: from order 1 on, a blank is
followed by nothing but blanks. Nothing is smoothed: what never occurs is impossible.
"""

from math import inf

import torch
from torch import Tensor

from localbias.grammar.law import Grammar

EDGE = "\n"  # stands before a word's first letter and after its last


class MarkovChain:
    """The letter model of a grammar: the chain of that order nearest to it by likelihood.

    At each place the chain is in a *state*: which of the occurring strings of the last `order`
    letters comes before it.

    Attributes:
        order: letters that the next one depends on, k.
        length: symbols in a string, L.
        states: int [L + 1], how many states there are before each place, and after the last.
        log_p: of each place float64 [states, K], log P_i(letter | state); −∞ for letters that never
            follow.
        next: of each place int64 [states, K], the state after that letter.

    Args:
        grammar: whose strings are modelled.
        order: 0 to L − 1.

    Raises:
        ValueError: for an order out of range.
    """

    def __init__(self, grammar: Grammar, order: int):
        strings, length, letters = grammar.support, grammar.length, len(grammar.alphabet)
        if not 0 <= order < length:
            raise ValueError(
                f"order={order}; allowed: 0 to {length - 1}, with strings of {length} symbols"
            )
        self.order, self.length = order, length
        # The state of each string before each place; after the last letter one is enough.
        before = [_numbered(strings[:, max(0, i - order) : i]) for i in range(length)]
        before.append(torch.zeros_like(before[0]))
        self.states = [int(state.max()) + 1 for state in before]
        self.log_p: list[Tensor] = []
        self.next: list[Tensor] = []
        for i in range(length):
            entry = before[i], strings[:, i]
            weights = torch.zeros(self.states[i], letters, dtype=torch.float64)
            weights.index_put_(entry, grammar.probabilities, accumulate=True)
            self.log_p.append((weights / weights.sum(1, keepdim=True)).log())
            after = torch.zeros(self.states[i], letters, dtype=torch.int64)
            self.next.append(after.index_put_(entry, before[i + 1]))

    def log_probability(self, tokens: Tensor) -> Tensor:
        """Natural logarithm of each string's probability.

        Its mean over words, negated, is how many nats the model needs for a word. The book draws
        from the chain alone.

        Args:
            tokens: int [n, L].

        Returns:
            float64 [n], −∞ for strings that are impossible or unreadable.

        Raises:
            ValueError: for strings of another length.
        """
        if tokens.ndim != 2 or tokens.shape[1] != self.length:
            raise ValueError(f"strings {tuple(tokens.shape)}; allowed: [n, {self.length}]")
        known = ((tokens >= 0) & (tokens < self.log_p[0].shape[1])).all(1)
        tokens = tokens.where(known[:, None], 0)
        state = torch.zeros(len(tokens), dtype=torch.int64)
        total = torch.zeros(len(tokens), dtype=torch.float64)
        for log_p, after, letter in zip(self.log_p, self.next, tokens.T):
            total = total + log_p[state, letter]
            state = after[state, letter]
        return total.where(known, -inf)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Strings drawn from the chain: int64 [n, L]."""
        state, letters = torch.zeros(n, dtype=torch.int64), []
        for log_p, after in zip(self.log_p, self.next):
            letters.append(torch.multinomial(log_p.exp()[state], 1, generator=generator)[:, 0])
            state = after[state, letters[-1]]
        return torch.stack(letters, 1)


def known_ngrams(tokens: Tensor, grammar: Grammar, n: int) -> Tensor:
    """The share of each string's n-letter windows that occur in some word of the grammar.

    A mark stands before a word's first letter and after its last, so that windows know beginnings
    and endings; a word with fewer symbols than n, marks counted, is one window. A window with an
    unreadable letter, or a blank within, occurs nowhere.

    Args:
        tokens: int [m, L].
        grammar: whose words are known.
        n: letters in a window, at least 1.

    Returns:
        float64 [m].

    Raises:
        ValueError: for n below 1.
    """
    if n < 1:
        raise ValueError(f"n={n}; allowed: from 1")
    known = {window for word in grammar.text(grammar.support) for window in _windows(word, n)}
    shares = [[window in known for window in _windows(word, n)] for word in grammar.text(tokens)]
    return torch.tensor([sum(share) / len(share) for share in shares], dtype=torch.float64)


def _windows(word: str, n: int) -> list[str]:
    """The n-letter windows of a word with its marks."""
    marked = EDGE + word.rstrip(" ") + EDGE
    return [marked[i : i + n] for i in range(max(1, len(marked) - n + 1))]


def _numbered(strings: Tensor) -> Tensor:
    """Which of the distinct rows each row [n, k] is: int64 [n]; without columns all are alike."""
    if not strings.shape[1]:
        return strings.new_zeros(len(strings))
    return strings.unique(dim=0, return_inverse=True)[1]
