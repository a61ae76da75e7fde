"""Tables of how locally networks work: along training, between samples, between choices."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from IPython.display import Markdown

from localbias.book.tables.markdown import interval, ratio, seeds, spread, table
from localbias.book.tables.outcomes import outcome_cells, sampler
from localbias.exact import OverLevels
from localbias.experiments import Experiment, Generated, Results
from localbias.ldr import Products
from localbias.measure import Outcomes
from localbias.statistics import wilson

# What the experiments of `catalogue.UNSAID` change, in words.
CHOICES = {
    "cosine": "cosine schedule",
    "sigmoid": "sigmoid schedule",
    "T-100": "T = 100, β ten times as large",
    "batch-16": "batch 16",
    "batch-32": "batch 32",
    "batch-128": "batch 128",
    "batch-512": "batch 512",
    "ema": "weights averaged (0.999)",
    "no-ema": "weights not averaged",
    "reads-v": "output read as v, noise loss",
    "x0": "output read as x0, x0 loss",
    "noise": "output read as noise, noise loss",
    "exemplars-10": "10 exemplars a digit",
}
UNSAID = "unsaid"
# What the paper has in place of each choice, where it says (A.1, A.5).
STATED = {
    "batch": "16",
    "reads-v": "noise, noise loss",
    "x0": "noise, noise loss",
    "noise": "noise, noise loss",
    "exemplars-10": "many",
}


def bands(panels: Mapping[str, OverLevels], levels: Sequence[float], before: str = "") -> Markdown:
    """Between which noise levels the rule matters, and which of some levels lie there.

    Args:
        panels: rendering -> what `exact.over_levels` returns.
        levels: those levels, the paper's, by √ᾱ.
        before: a sentence above the table.
    """
    rows = []
    for title, panel in panels.items():
        low, high = panel.band
        inside = ", ".join(f"{level:g}" for level in levels if panel.inside(level))
        rows.append(
            {
                "rendering": title,
                "√ᾱ at which the rule matters": f"{low:.2f} to {high:.2f}",
                "of the paper's levels": inside or "none",
            }
        )
    return table(rows, before)


def perfect(
    ratios: Mapping[str, Mapping[str, np.ndarray]], levels: Sequence[float], before: str = ""
) -> Markdown:
    """The ratio of networks that know the rule, or the training set, perfectly.

    Args:
        ratios: what `perfect_ratios` returns, at these levels.
        levels: by √ᾱ.
        before: a sentence above the table.
    """
    titles = {"rule": "the rule", "train": "the training set"}
    rows = []
    for name, title in titles.items():
        for target in ("x0", "v", "noise"):
            cells = {f"√ᾱ = {c:g}": ratio(x) for c, x in zip(levels, ratios[name][target])}
            rows.append({"it knows": title, "LDR of": target} | cells)
    return table(rows, before)


def estimates(exact: Products, tries: Mapping[int, Sequence[Products]]) -> Markdown:
    """How good estimates with random probes are, beside the exact ratios [B].

    Args:
        exact: all products of the region, at B signals.
        tries: number of probes -> repetitions of the measurement.
    """
    rows = []
    for probes, found in tries.items():
        intervals = [one.interval() for one in found]
        inside = [
            ((low <= exact.ratio) & (exact.ratio <= high)).float().mean() for low, high in intervals
        ]
        off = [abs(one.ratio.mean() / exact.ratio.mean() - 1) for one in found]
        rows.append(
            {
                "probes": probes,
                "95 % intervals that contain the exact ratio": f"{np.mean(inside):.0%}",
                "error of the mean over the signals": f"{np.mean(off):.2%}",
            }
        )
    return table(rows)


def along_training(
    networks: Mapping[str, tuple[Results, float]],
    before: str = "",
    parameters: bool = False,
    step: int | None = None,
) -> Markdown:
    """The ratio of x̂0 at moments of training, beside the exact denoisers and the outcomes.

    Args:
        networks: title -> results and a noise level, by √ᾱ.
        before: a sentence above the table.
        parameters: whether their number stands in a column too.
        step: a measured step to be told of in place of the middle and the end.

    Raises:
        ValueError: for a step at which a network was not measured.
    """
    rows = []
    for title, (results, level) in networks.items():
        count = {"parameters": f"{results.parameters:,}"} if parameters else {}
        rows.append({"network": title} | count | _moments(results, level, step))
    return table(rows, before)


def _moments(results: Results, level: float, step: int | None) -> dict[str, str]:
    """The columns of one network at one noise level."""
    along, v = results.along(level), results.place(level)
    row = len(along.steps) - 1 if step is None else results.row_at(step)
    when = "at the end" if step is None else f"at step {step:,}"
    # Ratios begin before training, outcomes at the first measured step.
    moments = {"untrained": 0} | ({"midway": len(along.steps) // 2} if step is None else {})
    moments[when] = row + 1
    invalid, hallucination, *valid = Outcomes(along.counts[:, row]).proportions.mean(0)
    vanishing = results.vanishing()[:, row + 1, v].sum()
    signals = len(results.records) * results.probing.samples
    return {
        "√ᾱ": f"{level:g}",
        "exact rule": f"{along.references['rule'].mean():.2f}",
        "exact training set": f"{along.references['train'].mean():.2f}",
        **{name: spread(along.ratios[:, at], ".2f") for name, at in moments.items()},
        f"ratio of means, vanishing, {when}": f"{along.pooled[:, row + 1].mean():.2f}, "
        f"{vanishing} of {signals}",
        f"unreadable, hallucination, valid {when}": f"{invalid:.0%}, {hallucination:.0%}, "
        f"{sum(valid):.0%}",
    }


def nearest(networks: Mapping[str, tuple[Results, float]]) -> Markdown:
    """The exact denoiser whose x̂0 each trained network's is nearest to.

    Args:
        networks: title -> results and a noise level, by √ᾱ.
    """
    rows = []
    for title, (results, level) in networks.items():
        found = results.nearest(level)
        rows.append(
            {"network": title, "√ᾱ": f"{level:g}", "after training x̂0 is nearest to that of": found}
        )
    return table(rows)


def differences(samples: Mapping[tuple[str, float], Generated], before: str = "") -> Markdown:
    """By how much more locally hallucinations are made than valid samples, within each seed.

    Args:
        samples: network and noise level √ᾱ -> what `Results.generated` returns.
        before: a sentence above the table.
    """
    rows = []
    for (title, level), generated in samples.items():
        cell, found = "too few of one kind in every seed", generated.difference()
        if found:
            mean, low, high, used = found
            apart = ": **told apart**" if low > 0 or high < 0 else ""
            cell = f"{interval(mean, low, high, '+.3f')}, {seeds(used)}{apart}"
        rows.append({"network": title, "√ᾱ ≈": f"{level:g}", "difference": cell})
    return table(rows, before)


def regions(networks: Mapping[str, Results], before: str = "") -> Markdown:
    """How much the ratio of means depends on the region, after training.

    Args:
        networks: title -> results; the noise level is the first of their closer ones.
        before: a sentence above the table.
    """
    rows = []
    for title, results in networks.items():
        ratios = results.region_ratios(0)
        means, ranges = ratios.mean(0), np.ptp(ratios, axis=0)
        rows.append(
            {
                "network": title,
                "smallest to largest over regions": f"{means.min():.2f} to {means.max():.2f}",
                "widest range over seeds": f"{ranges.max():.2f}",
            }
        )
    return table(rows, before)


def unsaid(base: Results, variants: Mapping[str, Results], level: float) -> Markdown:
    """Outcomes and ratio where one choice is changed, unsaid in the paper or departed from.

    Args:
        base: from which each differs; its first rows are other ways to sample its networks.
        variants: choice, one of CHOICES -> results.
        level: of the ratio, by √ᾱ.
    """
    column, e = f"LDR of x̂0 at √ᾱ = {level:g}", base.experiment
    paper = "the paper has"
    rows = [{"choice": f"**{_choices(e)}**", paper: ""} | _outcomes_and_ratio(base, level, column)]
    for place, how in enumerate(e.also):
        counts = np.stack([record.arrays["also"][place] for record in base.records])
        stated = UNSAID if how.clamp is None and not how.eta else "ancestral, all steps"
        rows.append(
            {"choice": sampler(how), paper: stated} | outcome_cells(counts) | {column: "the same"}
        )
    for choice, results in variants.items():
        stated = STATED.get("batch" if choice.startswith("batch") else choice, UNSAID)
        rows.append(
            {"choice": CHOICES[choice], paper: stated} | _outcomes_and_ratio(results, level, column)
        )
    before = (
        f"`{e.name}`, {e.training.steps:,} steps, {seeds(len(base.records))}; mean (range). "
        "The first row is the base; the others change what they name."
    )
    return table(rows, before)


def _outcomes_and_ratio(results: Results, level: float, column: str) -> dict[str, str]:
    ratios = results.along(level).ratios[:, -1]
    return outcome_cells(results.counts[:, -1]) | {column: spread(ratios, ".2f")}


def _choices(e: Experiment) -> str:
    """What an experiment chose where the paper is silent."""
    average = f"average {e.training.ema:g}" if e.training.ema else "no average"
    return (
        f"{e.schedule.kind}, T = {e.schedule.steps:,}, DDIM {e.sampling.steps} steps, "
        f"clamp {e.sampling.clamp:g}, batch {e.training.batch}, {average}, "
        f"read as {e.reads}, loss on {e.target}"
    )


def above_chance(experiments: Iterable[Results]) -> Markdown:
    """Which experiments extrapolate above chance at the end of training, in a sentence.

    That is: the 95 % interval of the share of valid strings never seen, among the readable samples
    of all seeds, lies above what independent symbols would give.
    """
    found, looked = [], 0
    for results in experiments:
        looked += 1
        counts = results.counts[:, -1].sum(0)
        if counts[1:].any() and wilson(counts[3], counts[1:].sum())[0] > results.chance[3]:
            found.append(f"`{results.name}`")
    which = f"only {', '.join(found)}" if found else "none"
    return Markdown(
        f"Of these {looked} experiments {which} extrapolates above chance among readable samples."
    )
