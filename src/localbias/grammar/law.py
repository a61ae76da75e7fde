"""A law over strings: what every grammar knows of itself, by enumeration."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

UNREADABLE = "?"  # how `text` writes a symbol that could not be read


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
            raise ValueError(
                f"strings of {tokens.shape[-1]} symbols; {self} has length {self.length}"
            )
        known = ((tokens >= 0) & (tokens < len(self.alphabet))).all(-1)
        return known & self._keeps_rule(tokens)

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        """The rule itself, for tokens [..., L] of the alphabet: here, to be in the support. Parity and others know faster ways."""
        # Sets of tuples: numbers in base K would overflow for long strings of many symbols.
        valid = set(map(tuple, self.support.tolist()))
        flat = tokens.reshape(-1, self.length).tolist()
        return torch.tensor([tuple(string) in valid for string in flat], dtype=torch.bool).reshape(
            tokens.shape[:-1]
        )

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
        ValueError for symbols outside the alphabet.
        """
        if tokens.numel() and not 0 <= tokens.min() <= tokens.max() < len(self.alphabet):
            raise ValueError(
                f"symbols {tokens.min()} to {tokens.max()}; the alphabet has 0 to {len(self.alphabet) - 1}"
            )
        return self.marginals().log()[torch.arange(self.length), tokens].sum(-1).exp()

    def split(self, n_train: int, seed: int) -> tuple[Tensor, Tensor]:
        """Training strings [n_train, L] and held-out strings [n − n_train, L], drawn without replacement."""
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
