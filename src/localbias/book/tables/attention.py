"""Tables on attention: what became of the findings of a trial, and how long flows rest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from IPython.display import Markdown

from localbias.book.claims import CLAIMS, number
from localbias.book.claims.attention import LEVEL
from localbias.book.tables.markdown import table
from localbias.book.tables.trial import CHANGED, CONFIRMED, WITHDRAWN
from localbias.book.verdicts import FAILS, HOLDS
from localbias.theory import attention
from localbias.theory.attention import Path
from localbias.theory.trace import Trace, stairs

NEAR = 0.05  # a trial's number that is off by no more of itself is met
LEFT = 0.05  # of the way from the univariate optimum to the optimum, where a flow counts as away


class Finding(NamedTuple):
    """What a trial found once, and what it is held to here.

    Attributes:
        says: the trial's sentence.
        claims: ids of the claims that take it up.
        trial: the trial's numbers.
        ours: computes the same numbers.
    """

    says: str
    claims: tuple[str, ...]
    trial: tuple[float, ...] = ()
    ours: Callable[[], np.ndarray] | None = None


def _first_leaks() -> np.ndarray:
    """The largest 1 − LDR, a mean of ratios, along flows from zero of 4, 8 and 16 signs."""
    lengths = (4, 8, 16)
    times = [1e-4, 1.0, 3.0]
    paths = (attention.flow(attention.parity(d, LEVEL, 4), times) for d in lengths)
    return np.array([path.leak.max() for path in paths])


def _exponents() -> np.ndarray:
    """The exponents of the pull between β = .1 and .2, for d = 3 to 6."""
    keys = np.array([0.1, 0.2])
    pulled = (attention.content_pull(d, LEVEL, keys) for d in (3, 4, 5, 6))
    return np.array([attention.exponents(keys, one)[0] for one in pulled])


FINDINGS = (
    Finding(
        "If f_i depends on x_i alone, the mean of r_i ψ(x_k) is the product of the two means.",
        ("attention-factors",),
    ),
    Finding(
        "Layers whose product of value and output is 0 are no invariant set: the token's own share "
        "moves them. Every univariate optimum in it is critical.",
        ("attention-critical",),
    ),
    Finding(
        "The leak heals: 1 − LDR peaks low, at d = 4, 8, 16, and returns.",
        ("attention-heals",),
        (0.0084, 0.0015, 0.0002),
        _first_leaks,
    ),
    Finding(
        "A feature that ignores one other coordinate has no gradient; attention by content one of "
        "order β^(d−2), measured exponents at d = 3 to 6.",
        ("attention-pull", "attention-order"),
        (0.97, 1.95, 2.93, 3.79),
        _exponents,
    ),
    Finding(
        "Hard attention on oneself is at infinity, and Δ grows as ½ log time.",
        ("attention-diagonal",),
    ),
    Finding("An additive model's optimum is the marginals for d from 3.", ("attention-additive",)),
)


def judged(finding: Finding) -> tuple[str, str]:
    """The word for a finding, and what was computed of it (Markdown).

    It is *withdrawn* where a claim fails, *changed* where one holds in part only or the trial's
    numbers are not met, else *confirmed*.
    """
    claims = [CLAIMS[name] for name in finding.claims]
    verdicts = {claim.evidence().verdict for claim in claims}
    says = [claim.evidence().says for claim in claims]
    says += [f"It holds on a condition: {claim.condition}" for claim in claims if claim.condition]
    met = True
    if finding.ours is not None:
        ours = finding.ours()
        met = bool((np.abs(ours / np.array(finding.trial) - 1) <= NEAR).all())
        says.append(f"The trial had {_listed(finding.trial)}; computed: {_listed(ours)}.")
    if FAILS in verdicts:
        return WITHDRAWN, " ".join(says)
    return CONFIRMED if met and verdicts == {HOLDS} else CHANGED, " ".join(says)


def findings() -> Markdown:
    """What became of the trial's findings on attention, one a row."""
    rows = []
    for place, finding in enumerate(FINDINGS, 1):
        word, says = judged(finding)
        rows.append(
            {"": place, "found in a trial": finding.says, "now": f"**{word}**", "computed": says}
        )
    return table(rows)


def rests(
    paths: Mapping[int, Path], gaps: Mapping[int, float], mlps: Mapping[int, Sequence[Trace]]
) -> Markdown:
    """How the flows from zero go, and when they leave the univariate optimum.

    Args:
        paths: d -> a layer's flow.
        gaps: d -> the univariate optimum's loss above the optimum's.
        mlps: d -> flows of the two-layer network at the same noise level, one a seed.
    """
    rows = []
    for d, path in paths.items():
        left = np.flatnonzero((path.excess < (1 - LEFT) * gaps[d]) & (path.time > 1))
        rows.append(
            {
                "d": d,
                "1 − LDR at first": f"{path.pooled[0]:.5f}",
                "by the formula": f"{attention.first_leak(d):.5f}",
                "lowest": _small(path.pooled.min()),
                "at the end": f"{_small(path.pooled[-1])} at time {path.time[-1]:,.0f}",
                "the layer leaves at time": f"{path.time[left[0]]:,.0f}"
                if len(left)
                else "not yet",
                "the two-layer network": ", ".join(
                    _time(stairs(one, LEFT).left) for one in mlps.get(d, ())
                )
                or "not run",
            }
        )
    return table(rows)


def _small(leak: float) -> str:
    """A leak, of which below 1e-12 only rounding is left."""
    return number(leak) if leak > 1e-12 else "below 10⁻¹²"


def _time(time: float) -> str:
    return f"{time:,.0f}" if np.isfinite(time) else "not yet"


def _listed(numbers: Iterable[float]) -> str:
    return ", ".join(f"{one:.3g}" for one in numbers)
