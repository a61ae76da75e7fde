"""What came out: the four outcomes of a generated sample (§4.2, Figure 3), counted, with intervals and chance levels."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from localbias.grammar import Grammar
from localbias.statistics import share_over_seeds, wilson

# A ladder: each outcome passes one test more than the one before (readable, keeps the rule, not in the training set).
OUTCOMES = ("invalid", "hallucination", "in dataset", "extrapolation")


def classify(tokens: Tensor, grammar: Grammar, train_strings: Tensor) -> Tensor:
    """The outcome of each decoded string: tokens int [n, L], −1 unreadable -> indices into OUTCOMES, int64 [n].

    invalid: some symbol is unreadable;  hallucination: readable, but against the rule;  in dataset: one of
    `train_strings` [m, L];  extrapolation: valid and held out. ValueError if a training string breaks the rule.
    """
    if not grammar.is_valid(train_strings).all():
        raise ValueError(
            f"a training string is not valid under {grammar}; in dataset would not mean valid"
        )
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
        if (
            counts.shape[-1:] != (len(OUTCOMES),)
            or counts.dtype.kind not in "iu"
            or (counts < 0).any()
        ):
            raise ValueError(
                f"counts {counts.dtype} {counts.shape}; allowed: integers ≥ 0 of shape [..., 4]"
            )
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
    return Outcomes(
        np.bincount(classify(tokens, grammar, train_strings).cpu().numpy(), minlength=len(OUTCOMES))
    )


def chance(grammar: Grammar, train_strings: Tensor) -> np.ndarray:
    """The proportions of the four outcomes, float64 [4], were each symbol drawn from its own marginal under the rule.

    Nothing is unreadable then. The last is the chance of extrapolation: the mass of the valid strings [n, L] that are
    not among `train_strings` [m, L].
    """
    valid = grammar.independent_probability(grammar.support).sum().item()
    seen = grammar.independent_probability(train_strings.unique(dim=0)).sum().item()
    return np.array([0, 1 - valid, seen, valid - seen])


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
