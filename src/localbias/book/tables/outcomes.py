"""Tables of what came out: rules and chance, the endings of trainings, their settings."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from IPython.display import Markdown

from localbias.book.tables.markdown import interval, table
from localbias.diffusion import Schedule
from localbias.experiments import Results, Sampling, Setup
from localbias.grammar import Grammar
from localbias.measure import OUTCOMES, readable_share
from localbias.statistics import share_over_seeds, wilson


def rules(grammars: Iterable[Grammar], after: str = "") -> Markdown:
    """How many strings each rule allows, how often chance meets it, what pairs of symbols tell.

    Args:
        grammars: the rules.
        after: a sentence below the table.
    """
    rows = []
    for grammar in grammars:
        chance = grammar.independent_probability(grammar.support).sum().item()
        alone = grammar.length == 1
        bits = "" if alone else f"{grammar.pairwise_information()[0, 1].item():.4f}"
        strings = len(grammar.alphabet) ** grammar.length
        rows.append(
            {
                "rule": grammar,
                "valid strings": f"{len(grammar.support):,} of {strings:,}",
                "valid, if symbols are drawn independently": f"{chance:.1%}",
                "bits that the first two symbols share": bits,
            }
        )
    return table(rows, after=after)


def exact_samples(
    setups: Mapping[str, Setup], drawn: Mapping[str, Mapping[str, np.ndarray]]
) -> Markdown:
    """What samples of the exact denoisers are.

    Args:
        setups: experiment -> its setup.
        drawn: experiment -> its `reference_counts`.
    """
    rows = []
    for name, setup in setups.items():
        valid = {source: counts[2:].sum() for source, counts in drawn[name].items()}
        n = {source: counts.sum() for source, counts in drawn[name].items()}
        chance = sum(setup.chance[2:])
        low, high = wilson(valid["marginals"], n["marginals"], 0.999)
        rows.append(
            {
                "experiment": f"`{name}`",
                "exact rule: valid": f"{valid['rule'] / n['rule']:.0%}",
                "exact training set: valid": f"{valid['train'] / n['train']:.0%}",
                "exact training set: outside it": drawn[name]["train"][3],
                "exact marginals: valid": _beside(chance, float(low), float(high)),
                "chance": f"{chance:.1%}",
            }
        )
    return table(rows)


def readable_shares(
    experiments: Iterable[Results], shares: Mapping[str, Sequence[int]]
) -> Markdown:
    """Shares of the readable samples at the end of training, beside chance.

    Args:
        experiments: a group of rows each.
        shares: name -> the outcomes that count, as indices into `measure.OUTCOMES`.
    """
    rows = []
    for results in experiments:
        for name, outcomes in shares.items():
            mean, low, high = readable_share(results.counts[:, -1], list(outcomes))
            chance = sum(results.chance[k] for k in outcomes)
            share = "none readable" if np.isnan(mean) else interval(mean, low, high, ".0%")
            rows.append(
                {
                    "experiment": f"`{results.name}`",
                    "of the readable samples": name,
                    "share": share,
                    "chance": f"{chance:.0%}",
                    "which is": _beside(chance, low, high),
                }
            )
    return table(rows)


def endings(experiments: Iterable[Results], step: int | None = None) -> Markdown:
    """The share of each outcome at the end of training: mean over the seeds, and interval.

    Args:
        experiments: a row each.
        step: a measured step to be told of in place of the last one, the same in all rows.

    Raises:
        ValueError: for a step at which an experiment was not measured.
    """
    rows = []
    for results in experiments:
        place = -1 if step is None else results.row_at(step)
        batch = results.experiment.training.batch
        seen = {} if step is None else {"images seen": f"{step * batch:,}"}
        cells = outcome_cells(results.counts[:, place])
        rows.append({"experiment": f"`{results.name}`"} | seen | cells)
    return table(rows)


def settings(experiments: Iterable[Results]) -> Markdown:
    """What the paper leaves open, and all else that decides a run, one experiment a row."""
    rows = []
    for results in experiments:
        e = results.experiment
        training, sampling, schedule = e.training, e.sampling, e.schedule
        rows.append(
            {
                "experiment": f"`{e.name}`",
                "tier": e.tier,
                "parameters": f"{results.parameters:,}",
                "seeds": len(results.records),
                "minutes a seed": f"{results.seconds / 60:.0f}",
                "training strings": f"{e.n_train:,}, {e.rendering}",
                "output read as, loss on": f"{e.reads}, {e.target}",
                "steps × batch": f"{training.steps:,} × {training.batch}",
                "images seen": f"{results.images_seen:,}",
                "rate": f"{training.rate:g}, {training.decay}",
                "average": training.ema or "none",
                "β, T": f"{noise(schedule)}, {schedule.steps:,}",
                "samples": f"{sampling.samples} in {sampling.steps} steps, η = {sampling.eta:g}, "
                f"clamp {sampling.clamp}",
            }
        )
    return table(rows)


def noise(schedule: Schedule) -> str:
    """The kind of a schedule, with its β where that is constant."""
    constant = schedule.kind == "linear" and schedule.beta_start == schedule.beta_end
    return f"constant β = {schedule.beta_start:g}" if constant else schedule.kind


def outcome_cells(counts: np.ndarray) -> dict[str, str]:
    """Outcome -> its share, mean over the seeds and interval: a part of a row, of int [S, 4].

    The interval is that of `statistics.share_over_seeds`.
    """
    n = counts.sum(1)
    shares = (share_over_seeds(counts[:, k], n) for k in range(len(OUTCOMES)))
    cells = (f"{mean:.0%} ({low:.0%}–{high:.0%})" for mean, low, high in shares)
    return dict(zip(OUTCOMES, cells))


def sampler(how: Sampling) -> str:
    """How samples are drawn, in a few words."""
    kind = {0.0: "DDIM", 1.0: "ancestral"}.get(how.eta, f"η = {how.eta:g}")
    return f"{kind}, {how.steps:,} steps" + (", no clamp of x̂0" if how.clamp is None else "")


def _beside(level: float, low: float, high: float) -> str:
    """Where an interval lies beside the chance level; nothing for one that is NaN."""
    if np.isnan(low):
        return ""
    if low <= level <= high:
        return "at chance"
    return "below chance" if high < level else "above chance"
