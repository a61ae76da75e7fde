"""The tables of chapter 3: least losses, where neurons end, stairs and escapes of flows."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from IPython.display import Markdown

from localbias.book.claims import number
from localbias.book.tables.markdown import table
from localbias.theory import trace
from localbias.theory.counterexample import Excess
from localbias.theory.directions import Ends, Maxima, others_seen
from localbias.theory.flow import Flow
from localbias.theory.target import Levels
from localbias.theory.trace import Trace

PAPER_RATE = 1e-6  # the learning rate of A.8
PRECISION = 1e-13  # of an excess; one below it is rounding


def least_losses(alpha_bar: float, levels: Mapping[int, Levels]) -> Markdown:
    """The least losses of linear, univariate and all functions.

    Args:
        alpha_bar: ᾱ.
        levels: d -> the levels there.
    """
    rows = [
        {
            "d": d,
            "best linear": f"{v.linear:.6f}",
            "best univariate": f"{v.univariate:.6f}",
            "optimum": f"{v.optimum:.6f}",
            "error of the calculation": f"{v.error:.0e}",
            "left to the rule, of the whole drop from 1": _share_of_rule(v),
        }
        for d, v in levels.items()
    ]
    return table(rows, f"The least losses at ᾱ = {alpha_bar:g}:")


def maxima(found: Mapping[float, Maxima], before: str = "") -> Markdown:
    """How many local maxima of K there are, and how many of them off the axis.

    Args:
        found: ᾱ -> maxima.
        before: a sentence above the table.
    """
    rows = [
        {
            "ᾱ": f"{alpha_bar:g}",
            "maxima with K > 0": len(tops.w),
            "of them off the axis": (others_seen(tops.w) > 0).sum(),
        }
        for alpha_bar, tops in found.items()
    ]
    return table(rows, before)


def maxima_with_one_other(found: Mapping[float, Mapping[int, Maxima]]) -> Markdown:
    """How many local maxima of K lean on one other coordinate: ᾱ -> d -> maxima."""
    rows = [
        {"ᾱ": f"{alpha_bar:g}"}
        | {f"d = {d}": (others_seen(tops.w) == 1).sum() for d, tops in by_length.items()}
        for alpha_bar, by_length in found.items()
    ]
    return table(rows, "Maxima that lean on one other coordinate:")


def off_axis(levels: np.ndarray, ends: Mapping[int, Sequence[Ends]]) -> Markdown:
    """From which noise level on neurons end off the axis.

    Args:
        levels: ᾱ [V], ascending.
        ends: d -> the shares at each level [V].
    """
    rows = [
        {
            "d": d,
            "first ᾱ shown at which a neuron ends off the axis": _first(levels, shares, 0),
            "first at which most do": _first(levels, shares, 0.5),
        }
        for d, shares in ends.items()
    ]
    return table(rows)


def counterexamples(
    excesses: Mapping[tuple[float, int], Excess], limits: Mapping[float, float]
) -> Markdown:
    """Where the best neuron is under the law of the counterexample.

    Args:
        excesses: (ᾱ, n) -> what `counterexample.excess` returns.
        limits: ᾱ -> what `counterexample.limit` returns.
    """
    rows = [
        {
            "ᾱ": f"{alpha_bar:g}",
            "n": f"{n:,}",
            "the best neuron is": f"off the axis, by {excess.value:.2e} in K/√(1−ᾱ)"
            if excess.value > PRECISION
            else "on the axis",
        }
        for (alpha_bar, n), excess in excesses.items()
    ]
    sides = (
        f"{'off' if limit > 0 else 'on'} the axis at ᾱ = {alpha_bar:g}"
        for alpha_bar, limit in limits.items()
    )
    return table(rows, after=f"With however many others: {', '.join(sides)}.")


def flows(runs: Mapping[int, Trace]) -> Markdown:
    """When flows reach the stairs, and where they end: d -> the flow."""
    rows = []
    for d, run in runs.items():
        times, on, off = trace.stairs(run), run.axis[-1].sum(), run.rest[-1].sum()
        rows.append(
            {
                "d": d,
                "first stair at time": _time(times.linear),
                "second stair": _time(times.univariate),
                "leaves M": _time(times.left),
                "loss at the end": f"{run.loss[-1]:.3f} at time {run.time[-1]:.0f}",
                "of the end's weight, on the own coordinate": f"{on / (on + off):.0%}",
            }
        )
    return table(rows)


def first_growth(config: Flow, measured: float | None, maximum: float) -> Markdown:
    """How fast the weights first grow, beside what K says, in a sentence.

    Args:
        config: the flow that was measured.
        measured: its rate; None where it was not.
        maximum: of K.
    """
    rate = "(not in the smoke tier)" if measured is None else f"{measured:.3f}"
    return Markdown(
        f"The weights' first growth from σ = {number(config.scale)}, d = {config.d}: a rate of "
        f"**{rate}**; twice the maximum of K is **{2 * maximum:.3f}**."
    )


def stair_times(by_scale: Mapping[str, Sequence[Trace]]) -> Markdown:
    """When flows reach the two stairs: scale of the weights -> flows, one a seed."""
    rows = []
    for label, runs in by_scale.items():
        times = [trace.stairs(run) for run in runs]
        rows.append(
            {
                "scale": label,
                "first": _times(reached.linear for reached in times),
                "second": _times(reached.univariate for reached in times),
            }
        )
    return table(rows, "Times to the two stairs, one number a seed:")


def to_the_end(flows: Mapping[str, Sequence[Trace]]) -> Markdown:
    """When flows reach each stair, and where they end: what they are -> flows, one a seed."""
    rows = []
    for label, runs in flows.items():
        times = [trace.stairs(run) for run in runs]
        names = ("linear", "univariate", "left", "optimum")
        headings = ("first stair", "second", "leaves M", "third")
        rows.append(
            {"flow": label}
            | {
                head: _times(getattr(one, name) for one in times)
                for head, name in zip(headings, names)
            }
            | {
                "loss at the end": ", ".join(f"{run.loss[-1]:.3f}" for run in runs),
                "optimum": f"{float(runs[0].levels.optimum):.3f}",
                "steps": ", ".join(f"{run.step[-1]:,}" for run in runs),
            }
        )
    return table(rows, "Times, one number a seed:")


def escape_times(times: Mapping[int, Sequence[float]], eight: Trace) -> Markdown:
    """When flows leave M, and how many steps that would be at the paper's learning rate.

    Args:
        times: d -> a time for each seed, infinite where a flow did not leave.
        eight: a flow of eight signs that reached the two stairs.
    """
    rows = [
        {"d": d, "leaves M at time, one number a seed": _times(of_seeds)}
        for d, of_seeds in times.items()
    ]
    first, second = trace.paper_steps(eight, PAPER_RATE)
    left = f", and leaving M **{np.median(times[8]) / PAPER_RATE:.0e}**" if 8 in times else ""
    return table(
        rows,
        after=f"Each further sign multiplies the time by about **{trace.growth_per_sign(times):.1f}"
        f"**. With plain gradient descent at the paper's learning rate of {number(PAPER_RATE)} "
        f"(A.8) the first two stairs of d = 8, from our scale σ = {eight.config.scale:g}, would "
        f"take **{first:.0e}** and **{second:.0e}** steps{left}.",
    )


def levels_below(
    ratios: Mapping[int, Sequence[float]], levels: Sequence[float], bound: float
) -> Markdown:
    """At which of the paper's levels the optimum's own local dependency ratio of x̂0 is low.

    Args:
        ratios: d -> the ratio at each level [V].
        levels: √ᾱ [V].
        bound: the ratios that are below it count.
    """
    column = f"levels of the paper at which the optimum's own ratio of x̂0 is below {bound:g}"
    rows = [
        {
            "d": d,
            column: ", ".join(f"{c:g}" for c, ratio in zip(levels, at) if ratio < bound) or "none",
        }
        for d, at in ratios.items()
    ]
    return table(rows)


def _share_of_rule(levels: Levels) -> str:
    """How much of what there is to gain, from a loss of 1 to the optimum, only the rule gives."""
    return f"{(levels.univariate - levels.optimum) / (1 - levels.optimum):.1%}"


def _first(levels: np.ndarray, ends: Sequence[Ends], share: float) -> str:
    """The first level at which more than a share of the neurons ends off the axis."""
    above = (level for level, at in zip(levels, ends) if at.off > share)
    first = next(above, None)
    return "none" if first is None else f"{first:g}"


def _times(times: Iterable[float]) -> str:
    """One number a seed."""
    return ", ".join(map(_time, times))


def _time(time: float) -> str:
    """A time in whole numbers; words where it is infinite."""
    return f"{time:.0f}" if math.isfinite(time) else "not reached"
