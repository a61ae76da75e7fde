"""A law over strings: what every grammar knows of itself, by enumeration."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from localbias.checks import within

UNREADABLE = "?"  # how `text` writes a symbol that could not be read
LARGEST = 2**23  # strings that are enumerated: with more, memory runs out


@dataclass(frozen=True)
class Grammar:
    """A law over a finite set of strings of one length, uniform unless `weights` says otherwise.

    A rule of one's own is a subclass with `alphabet`, `length` and `support`; all the rest follows.

    Attributes:
        alphabet: the K symbols, as text.
        length: symbols in a string, L.
    """

    if TYPE_CHECKING:
        # Subclasses have these two as fields, constants or properties. Only a type checker sees
        # the properties here: `dataclass` would take them for the fields' defaults.
        @property
        def alphabet(self) -> tuple[str, ...]: ...
        @property
        def length(self) -> int: ...

    @cached_property
    def support(self) -> Tensor:
        """All valid strings in lexicographic order: int64 [n, L], symbol indices."""
        raise TypeError(f"{type(self).__name__} does not say what its support is")

    @property
    def probabilities(self) -> Tensor:
        """The law over `support`: float64 [n], sums to one."""
        return self.weights(self.support)

    def weights(self, strings: Tensor) -> Tensor:
        """The probabilities of valid strings [n, L], given that it is one of these: float64 [n]."""
        return torch.full((len(strings),), 1 / len(strings), dtype=torch.float64)

    def is_valid(self, tokens: Tensor) -> Tensor:
        """Whether each string keeps the rule.

        Args:
            tokens: int [..., L]; an unreadable symbol (−1) breaks the rule.

        Returns:
            bool [...].

        Raises:
            ValueError: for strings of another length.
        """
        if tokens.shape[-1] != self.length:
            raise ValueError(
                f"strings of {tokens.shape[-1]} symbols; {self} has length {self.length}"
            )
        known = ((tokens >= 0) & (tokens < len(self.alphabet))).all(-1)
        return known & self._keeps_rule(tokens)

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        """Whether tokens [..., L] of the alphabet are in the support: bool [...].

        A subclass that knows a faster test overrides it, as `Parity` does.
        """
        # A set of tuples: numbers in base K would overflow for long strings of many symbols.
        valid = set(map(tuple, self.support.tolist()))
        flat = tokens.reshape(-1, self.length).tolist()
        return torch.tensor([tuple(string) in valid for string in flat], dtype=torch.bool).reshape(
            tokens.shape[:-1]
        )

    def marginals(self) -> Tensor:
        """P(symbol i is k): float64 [L, K]."""
        return torch.einsum("n,nlk->lk", self.probabilities, self._one_hot())

    def pairwise_information(self) -> Tensor:
        """Mutual information of symbols i and j in bits, float64 [L, L].

        The diagonal is each symbol's entropy. Zero off the diagonal is the paper's "any two symbols
        are independent" (§5.1, Assumption 5.1): true of Parity with L ≥ 3, false of QuarterSum and
        Dyck.
        """
        one_hot = self._one_hot()
        single = self.marginals()
        joint = torch.einsum("n,nik,njl->ijkl", self.probabilities, one_hot, one_hot)
        independent = torch.einsum("ik,jl->ijkl", single, single)
        ratio = torch.where(joint > 0, joint / independent.clamp_min(1e-300), 1.0)
        return (joint * ratio.log2()).sum((-2, -1)).clamp_min(0)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Strings drawn from the law: int64 [n, L]."""
        chosen = torch.multinomial(self.probabilities, n, replacement=True, generator=generator)
        return self.support[chosen]

    def independent_probability(self, tokens: Tensor) -> Tensor:
        """Probability of strings when every symbol is drawn from its own marginal.

        Summed over `support` it is the chance level of validity; over held-out strings, that of
        extrapolation.

        Args:
            tokens: int [n, L].

        Returns:
            float64 [n].

        Raises:
            ValueError: for symbols outside the alphabet.
        """
        within("symbols", tokens, len(self.alphabet))
        return self.marginals().log()[torch.arange(self.length), tokens].sum(-1).exp()

    def split(self, n_train: int, seed: int) -> tuple[Tensor, Tensor]:
        """The valid strings, split at random.

        Args:
            n_train: how many are trained on.
            seed: of the split.

        Returns:
            Training strings [n_train, L] and held-out strings [n − n_train, L].

        Raises:
            ValueError: for more strings than there are, or fewer than one.
        """
        n = len(self.support)
        if not 1 <= n_train <= n:
            raise ValueError(f"n_train={n_train}: {self} has {n} valid strings, so 1 to {n}")
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        return self.support[order[:n_train]], self.support[order[n_train:]]

    def content(self) -> dict[str, Tensor]:
        """What tells this law from every other: its support and probabilities, for hashing."""
        return {"support": self.support, "probabilities": self.probabilities}

    def text(self, tokens: Tensor) -> list[str]:
        """Strings [n, L] as people write them; an unreadable symbol (−1) is `UNREADABLE`, "?"."""
        return [
            "".join(UNREADABLE if k < 0 else self.alphabet[k] for k in row)
            for row in tokens.tolist()
        ]

    def _one_hot(self) -> Tensor:
        return torch.nn.functional.one_hot(self.support, len(self.alphabet)).double()


def every_string(symbols: int, length: int, most: int = LARGEST) -> Tensor:
    """All strings over an alphabet, valid or not, in lexicographic order.

    Args:
        symbols: of the alphabet, K.
        length: of a string, L.
        most: strings that are allowed.

    Returns:
        int64 [K^L, L].

    Raises:
        ValueError: for more strings.
    """
    if symbols**length > most:
        raise ValueError(f"{symbols**length} strings; allowed: up to {most}")
    return torch.cartesian_prod(*[torch.arange(symbols)] * length).reshape(-1, length)
