"""What came out: the four outcomes of a generated sample (§4.2, Fig. 3), counted, beside chance."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from localbias.grammar import Grammar
from localbias.statistics import share_over_seeds, wilson

# Each outcome passes one test more than the one before: readable, keeps the rule, held out.
OUTCOMES = ("invalid", "hallucination", "in dataset", "extrapolation")


def classify(tokens: Tensor, grammar: Grammar, train_strings: Tensor) -> Tensor:
    """The outcome of each string.

    - invalid: some symbol is unreadable
    - hallucination: readable, but against the rule
    - in dataset: one of the training strings
    - extrapolation: valid and held out

    Args:
        tokens: int [n, L], what was read, −1 where a symbol is unreadable.
        grammar: whose rule it is.
        train_strings: int [m, L].

    Returns:
        Indices into OUTCOMES, int64 [n].

    Raises:
        ValueError: where a training string breaks the rule.
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
    """How many samples had each outcome.

    Attributes:
        counts: int [..., 4], in the order of OUTCOMES. The leading axes are whatever was varied:
            training steps, or seeds and steps.

    Raises:
        ValueError: for counts of another shape, and for numbers that are no counts.
    """

    counts: np.ndarray

    def __post_init__(self):
        counts = np.asarray(self.counts)
        are_counts = counts.dtype.kind in "iu" and (counts >= 0).all()
        if counts.shape[-1:] != (len(OUTCOMES),) or not are_counts:
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
        """Wilson intervals of the proportions, one outcome at a time.

        They are about one network: where would the share settle, were more samples drawn from it?

        Args:
            level: the probability with which an interval holds the true share.

        Returns:
            Low and high ends, each [..., 4].
        """
        return wilson(self.counts, self.n[..., None], level)

    def over_seeds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean and range of the proportions over the first axis, the seeds.

        Pooling the samples of several networks into one Wilson interval would hide that networks
        differ more than samples do. The range assumes nothing about how they differ, stays in
        [0, 1] and covers the median network with probability 1 − 2^(1−seeds), 75 % for three. A t
        interval over three seeds would be wide mostly for its quantile, 4.3.

        Returns:
            Mean, lowest and highest, each [..., 4] without the axis of seeds.

        Raises:
            ValueError: for counts without an axis of seeds.
        """
        if self.counts.ndim < 2:
            raise ValueError(f"counts {self.counts.shape}; allowed: [seeds, ..., 4]")
        shares = self.proportions
        return shares.mean(0), shares.min(0), shares.max(0)


def tally(tokens: Tensor, grammar: Grammar, train_strings: Tensor) -> Outcomes:
    """The outcomes of strings, counted; arguments and errors are those of `classify`."""
    found = classify(tokens, grammar, train_strings).cpu().numpy()
    return Outcomes(np.bincount(found, minlength=len(OUTCOMES)))


def chance(grammar: Grammar, train_strings: Tensor) -> np.ndarray:
    """The proportions of the outcomes, were each symbol drawn from its own marginal under the rule.

    Nothing is unreadable then. The last is the chance of extrapolation: the probability of the
    valid strings that are not trained on.

    Args:
        grammar: whose rule it is.
        train_strings: int [m, L].

    Returns:
        float64 [4], in the order of OUTCOMES.
    """
    valid = grammar.independent_probability(grammar.support).sum().item()
    seen = grammar.independent_probability(train_strings.unique(dim=0)).sum().item()
    return np.array([0, 1 - valid, seen, valid - seen])


def escape(steps: np.ndarray, counts: np.ndarray, level: float) -> float:
    """When a training leaves hallucination for good.

    That is the first measured step from which on, to the end, at least half of the samples are
    readable and at most a share of these hallucinate.

    Args:
        steps: [M], the measured steps.
        counts: int [M, 4], of one training.
        level: the share of hallucinations among readable samples, up to which it has left.

    Returns:
        The step; infinite where it never comes to that.
    """
    readable = counts[:, 1:].sum(1)
    left = (2 * readable >= counts.sum(1)) & (counts[:, 1] <= level * readable)
    outside = np.flatnonzero(~left)  # measured steps at which it has not left, or is back
    first = outside[-1] + 1 if len(outside) else 0
    return float(steps[first]) if first < len(steps) else np.inf


def readable_share(counts: np.ndarray, outcomes: list[int]) -> tuple[float, float, float]:
    """The share of some outcomes among readable samples, over seeds.

    Args:
        counts: int [seeds, 4].
        outcomes: indices into OUTCOMES.

    Returns:
        Mean, low and high end, as of `statistics.share_over_seeds`. Seeds without a readable sample
        are left out; NaN where none has one.
    """
    readable = counts[:, 1:].sum(1)
    some = readable > 0
    if not some.any():
        return np.nan, np.nan, np.nan
    return share_over_seeds(counts[some][:, outcomes].sum(1), readable[some])
