"""What came out: the four outcomes of a generated sample (§4.2, Figure 3), counted, with intervals and chance levels.

Free of torch at import (tensors are only asked for their own methods), so that the pages which quote an interval
need no framework.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from localbias.grammar import Grammar

# A ladder: each outcome passes one test more than the one before (readable, keeps the rule, not in the training set).
OUTCOMES = ("invalid", "hallucination", "in dataset", "extrapolation")


def classify(tokens: Tensor, grammar: Grammar, train_strings: Tensor) -> Tensor:
    """The outcome of each decoded string: tokens int [n, L], −1 unreadable -> indices into OUTCOMES, int64 [n].

    invalid: some symbol is unreadable;  hallucination: readable, but against the rule;  in dataset: one of
    `train_strings` [m, L];  extrapolation: valid and held out. ValueError if a training string breaks the rule.
    """
    if not grammar.is_valid(train_strings).all():
        raise ValueError(f"a training string is not valid under {grammar}; in dataset would not mean valid")
    readable = ((tokens >= 0) & (tokens < len(grammar.alphabet))).all(-1)
    valid = grammar.is_valid(tokens)
    seen = set(map(tuple, train_strings.tolist()))
    held_out = tokens.new_tensor([tuple(string) not in seen for string in tokens.tolist()]).bool()
    return readable.long() + valid.long() + (valid & held_out).long()


@dataclass(frozen=True, eq=False)
class Outcomes:
    """How many samples had each outcome: counts int [..., 4], in the order of OUTCOMES.

    The leading axes are whatever was swept: training steps, or seeds and steps.
    """

    counts: np.ndarray

    def __post_init__(self):
        counts = np.asarray(self.counts)
        if counts.shape[-1:] != (len(OUTCOMES),) or counts.dtype.kind not in "iu" or (counts < 0).any():
            raise ValueError(f"counts {counts.dtype} {counts.shape}; allowed: integers ≥ 0 of shape [..., 4]")
        object.__setattr__(self, "counts", counts)

    @property
    def n(self) -> np.ndarray:
        """Samples: int [...]."""
        return self.counts.sum(-1)

    @property
    def proportions(self) -> np.ndarray:
        """Share of each outcome: float64 [..., 4]."""
        return self.counts / self.n[..., None]

    def intervals(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Wilson intervals of the proportions, one outcome at a time: (low, high), each [..., 4].

        They speak of one network: had more samples been drawn from it, where would the share have settled?
        """
        return wilson(self.counts, self.n[..., None], level)

    def over_seeds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, lowest and highest proportion over the first axis (seeds): each [..., 4] without it.

        Pooling the samples of several networks into one Wilson interval would hide that networks differ more than
        samples do. The range assumes nothing about how they differ, stays in [0, 1] and covers the median network with
        probability 1 − 2^(1−seeds) (75 % for three), where a t interval over three seeds is mostly its quantile, 4.3.
        """
        if self.counts.ndim < 2:
            raise ValueError(f"counts {self.counts.shape}; allowed: [seeds, ..., 4]")
        shares = self.proportions
        return shares.mean(0), shares.min(0), shares.max(0)


def tally(tokens: Tensor, grammar: Grammar, train_strings: Tensor) -> Outcomes:
    """The outcomes of decoded strings [n, L], counted; `classify` says which is which."""
    return Outcomes(np.bincount(classify(tokens, grammar, train_strings).cpu().numpy(), minlength=len(OUTCOMES)))


def chance(grammar: Grammar, train_strings: Tensor) -> np.ndarray:
    """The proportions of the four outcomes, float64 [4], were each symbol drawn from its own marginal under the rule.

    Nothing is unreadable then. The last is the chance of extrapolation: the mass of the valid strings [n, L] that are
    not among `train_strings` [m, L].
    """
    valid = grammar.independent_probability(grammar.support).sum().item()
    seen = grammar.independent_probability(train_strings.unique(dim=0)).sum().item()
    return np.array([0, 1 - valid, seen, valid - seen])


def share_over_seeds(count: np.ndarray, n: np.ndarray) -> tuple[float, float, float]:
    """One share from several seeds, `count` of `n`, both int [seeds]: mean, low and high.

    The interval is the range of the seeds, widened where it is narrower than the 95 % Wilson interval of all samples
    together, so that seeds that agree by luck do not look more certain than their samples allow.
    """
    low, high = wilson(count.sum(), n.sum())
    shares = count / n
    return float(shares.mean()), float(min(low, shares.min())), float(max(high, shares.max()))


def escape(steps: np.ndarray, counts: np.ndarray, level: float) -> float:
    """The first measured step from which on, to the end, most samples are readable and at most `level` of these hallucinate.

    steps [M], counts int [M, 4] of one training; infinite if it never comes to that.
    """
    readable = counts[:, 1:].sum(1)
    there = (2 * readable >= counts.sum(1)) & (counts[:, 1] <= level * readable)
    stays = there[::-1].cumprod()[::-1].astype(bool)
    return float(steps[stays.argmax()]) if stays.any() else np.inf


def readable_share(counts: np.ndarray, outcomes: list[int]) -> tuple[float, float, float]:
    """The share of those outcomes (indices) among readable samples, over seeds: counts [seeds, 4] -> mean, low, high.

    Seeds without a readable sample are left out; NaN where none has one.
    """
    readable = counts[:, 1:].sum(1)
    counts, readable = counts[readable > 0], readable[readable > 0]
    return share_over_seeds(counts[:, outcomes].sum(1), readable) if len(counts) else (np.nan,) * 3


def wilson(count: np.ndarray | int, n: np.ndarray | int, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The score interval of a proportion of `count` in `n` (arrays broadcast): (low, high).

    With p = count/n and z the normal quantile of (1 + level)/2, (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n):
    Wilson, JASA 22 (1927) 209–212. It keeps its level near 0 and 1, where p ± z·error would not.
    """
    count, n = np.asarray(count, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if (n < 1).any() or (count < 0).any() or (count > n).any():
        raise ValueError(f"count={count} of n={n}; allowed: n ≥ 1 and 0 ≤ count ≤ n")
    if not 0 < level < 1:
        raise ValueError(f"level={level}; allowed: between 0 and 1")
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = count + z**2 / 2
    half = z * np.sqrt(count * (n - count) / n + z**2 / 4)
    return np.clip((centre - half) / (n + z**2), 0, 1), np.clip((centre + half) / (n + z**2), 0, 1)
