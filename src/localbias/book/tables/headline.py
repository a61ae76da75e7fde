"""Tables that stand beside the paper's headline figures: sizes and costs, samplers, orders."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from IPython.display import Markdown

from localbias.book.ledger import NETWORK_NAMES, says
from localbias.book.tables.markdown import interval, seeds, spread, table
from localbias.book.tables.outcomes import noise, outcome_cells, sampler
from localbias.experiments import Experiment, Results, Sampling, Setup, operations
from localbias.experiments.directions import Directions
from localbias.experiments.escapes import EscapeLaw, escape_bounds
from localbias.grammar import Grammar, maximum_entropy
from localbias.measure import OUTCOMES
from localbias.statistics import change_over_seeds

# Seconds of a step of the paper's networks on an H200, as benchmarks/results.md has them.
STEP = {"unet": 0.067, "dit": 0.0301}


def beside_paper(
    figure: str,
    paper: Mapping[str, Experiment],
    ours: Mapping[str, Results],
    level: float | None = None,
) -> Markdown:
    """One of the paper's figures beside ours: what was trained, on how much, and what came out.

    Args:
        figure: as the paper numbers it, such as "Figure 4".
        paper: title -> the paper's tier of an experiment of that figure; its size is computed.
        ours: title -> records of the same rule.
        level: √ᾱ, at which the local dependency ratio of x0 is told; None: it is not. A run that
            was not probed there has an empty cell.
    """
    columns = {f"the paper's {title}": _of_paper(one) for title, one in paper.items()}
    seen = max(one.training.batch * one.training.steps for one in paper.values())
    columns |= {title: _of_results(one, seen, level) for title, one in ours.items()}
    names = dict.fromkeys(name for cells in columns.values() for name in cells)
    rows = [
        {"": name} | {title: cells.get(name, "") for title, cells in columns.items()}
        for name in names
    ]
    claims = " · ".join(says(figure))
    after = (
        "The paper's columns are this book's paper tier: what the paper leaves open is our choice. "
        "Their hours are those of so many steps as timed on a GPU, without sampling and probing; "
        "none was run to its end ([how to reproduce](../reproduce.md) has the steps)."
    )
    return table(rows, f"**{figure} of the paper.** {claims}", after)


def _size(experiment: Experiment, shape: Sequence[int], valid: int) -> dict[str, str]:
    parameters, total = operations(experiment)
    training, sampling = experiment.training, experiment.sampling
    kind = experiment.parts["network"]["kind"]
    picture = " × ".join(map(str, shape[1:] if len(shape) == 3 else shape))
    return {
        "network": f"{NETWORK_NAMES.get(kind, kind)}, {_short(parameters)} parameters",
        "tier": experiment.tier,
        "picture": f"{picture} {'pixels' if len(shape) == 3 else 'numbers'}",
        "trained on": f"{experiment.n_train:,} of {valid:,} strings",
        "output read as, loss on": f"{experiment.reads}, {experiment.target}",
        "β, T": f"{noise(experiment.schedule)}, {experiment.schedule.steps:,}",
        "rate": f"{training.rate:g}, {training.decay}",
        "steps × batch": f"{training.steps:,} × {training.batch}",
        "images seen": _short(training.steps * training.batch),
        "sampled by": sampler(sampling),
        "arithmetic": f"{_two_digits(total / 1e15)} PFLOP",
    }


def _of_paper(experiment: Experiment) -> dict[str, str]:
    setup = Setup(experiment)
    cells = _size(experiment, setup.renderer.shape, len(setup.grammar.support))
    cells["tier"] = "paper, not run here"
    kind, steps = experiment.parts["network"]["kind"], experiment.training.steps
    return cells | {"time": f"{_hours(STEP[kind] * steps)} on a GPU" if kind in STEP else ""}


def _of_results(results: Results, seen: int, level: float | None) -> dict[str, str]:
    setup = results.setup
    cells = _size(results.experiment, setup.renderer.shape, len(setup.grammar.support))
    further = results.seconds * seen / results.images_seen
    more = f"{_hours(further)} in all" if results.images_seen < seen else "reached"
    cells["time"] = _seconds(results)
    cells["to the paper's images"] = more
    ends = outcome_cells(results.counts[:, -1])
    cells |= {f"at the end: {name}": ends[name] for name in OUTCOMES}
    cells["valid, gained since about half of the steps"] = _change(results)
    if level is not None:
        cells[f"LDR of x̂0, √ᾱ = {level:g}, at most and at the end"] = _fall(results, level)
    return cells


def _seconds(results: Results) -> str:
    """What a seed took, on a core where any ran on one alone, and in how many a GPU had a part."""
    count, on_gpu = len(results.records), sum(not one.on_cpu for one in results.records)
    where = " on a core" if on_gpu < count else ""
    by_gpu = f", {on_gpu} of them by a GPU or begun there" if on_gpu else ""
    return f"{_hours(results.seconds)} a seed{where}, {seeds(count)}{by_gpu}"


def _change(results: Results) -> str:
    """By how much the valid share rose since the measured step nearest to half of the training."""
    valid, n = results.counts[..., 2:].sum(-1), results.counts.sum(-1)  # [S, M]
    if len(results.steps) == 1:
        return "measured once"
    half = int(np.abs(results.steps[:-1] - results.steps[-1] / 2).argmin())
    mean, low, high = change_over_seeds(valid[:, half], n[:, half], valid[:, -1], n[:, -1])
    return f"{mean:+.0%} ({low:+.0%} to {high:+.0%}) since step {results.steps[half]:,}"


def _fall(results: Results, level: float) -> str:
    """The highest ratio of any measured step, that at the end, and the exact denoisers'."""
    if results.experiment.probing is None or level not in results.levels:
        return ""
    place = results.place(level)
    ratios = results.ratios()[:, 1:, place]  # [S, M]
    exact = results.reference_ratios()[:, :, place].mean(0)
    beside = ", ".join(
        f"{name} {exact[results.references.index(name)]:.2f}" for name in ("rule", "train")
    )
    return f"{ratios.mean(0).max():.2f}, then {spread(ratios[:, -1], '.2f')}; {beside}"


def samplers(experiments: Mapping[str, Mapping[Sampling, np.ndarray]]) -> Markdown:
    """The outcomes of trained networks by each way of sampling them.

    Args:
        experiments: experiment -> its `by_sampler`.
    """
    rows = [
        {"experiment": f"`{name}`", "sampled by": sampler(how), "networks": len(counts)}
        | outcome_cells(counts)
        for name, ways in experiments.items()
        for how, counts in ways.items()
    ]
    return table(rows)


def orders(rules: Mapping[str, tuple[Grammar, int | None, Sequence[int]]], seed: int) -> Markdown:
    """Which part of a rule, and of a training set, the statistics of each order fix.

    Args:
        rules: title -> grammar, number of training strings (None: all valid strings), orders.
        seed: of the splits.
    """
    rows = []
    for title, (grammar, n_train, chosen) in rules.items():
        support = grammar.support
        strings = support if n_train is None else grammar.split(n_train, seed)[0]
        known = set(map(tuple, strings.tolist()))
        for order in chosen:
            law = maximum_entropy(strings, len(grammar.alphabet), order)
            valid = law.probabilities[grammar.is_valid(law.strings)].sum()
            within = torch.tensor([tuple(one) in known for one in law.strings.tolist()])
            trained = law.probabilities[within].sum()
            rows.append(
                {
                    "rule": title,
                    "statistics of": f"{len(strings):,} strings",
                    "order": order,
                    "strings that it allows": f"{len(law.strings):,}",
                    "keeps the rule": f"{valid:.1%}",
                    "one of these strings": f"{trained:.1%}",
                    "entropy": f"{law.entropy:.3f} (of theirs: {np.log(len(strings)):.3f})",
                }
            )
    return table(rows)


def slopes(networks: Mapping[str, Results], most: int = 4) -> Markdown:
    """How much of the training set's coefficients samples give back, at the end of training.

    Args:
        networks: title -> records of parity, whose rule is the last order.
        most: the highest order that is shown beside it.
    """
    rows = []
    for title, results in networks.items():
        found, errors = (values[:, -1] for values in results.slopes())  # [S, L] each
        length = found.shape[1]
        shown = {f"order {k}": k for k in range(1, min(most + 1, length))} | {"the rule": length}
        rows.append(
            {"network": title, "step": f"{results.steps[-1]:,}"}
            | {name: _slope(found[:, k - 1], errors[:, k - 1]) for name, k in shown.items()}
        )
    after = "Means over the seeds, and their range, widened to the 95 % interval of all samples."
    return table(rows, after=after)


def directions(networks: Mapping[str, Directions], part: float = 0.25) -> Markdown:
    """How many valid samples were trained on, beside laws that are as valid.

    Args:
        networks: title -> a network's shares and the laws'.
        part: of the way from independent symbols to all valid: the first step that is so far is
            shown, and the last.
    """
    rows = []
    for title, one in networks.items():
        share = one.start + part * (1 - one.start)
        places = [*np.flatnonzero(one.valid >= share)[:1], *range(len(one.steps))[-1:]]
        for place in sorted(set(places)):
            kept, low, high = one.kept[place]
            rows.append(
                {
                    "network": title,
                    "step": f"{one.steps[place]:,}",
                    "valid": f"{one.valid[place]:.0%}",
                    "trained on, of the valid": interval(kept, low, high, ".0%"),
                }
                | {
                    f"as valid, towards {name}": _share(expected)
                    for name, expected in one.at(one.valid[place]).items()
                }
            )
        if not places:
            rows.append({"network": title, "step": "too few valid samples at any"})
    return table(rows, after="–: no law on this way has so many valid strings.")


def expected_escape(law: EscapeLaw | None, results: Results) -> Markdown:
    """When a law expects trainings to escape, and how many did by their end.

    Args:
        law: told up to the setting of these trainings; None where there is none.
        results: the trainings.
    """
    _, until = escape_bounds(results)
    seen = f"{np.isfinite(until).sum()} of {len(until)}"
    outcome = f"By step {results.steps[-1]:,} {seen} trainings had escaped."
    if law is None:
        return Markdown(f"Too few trainings escaped for a law. {outcome}")
    value, low, high = (f"{float(f'{number:.3g}'):,.0f}" for number in law.expected[-1])
    scatter = f"{np.expm1(law.law.spread):.0%}"
    return Markdown(
        f"The wait grows as n to the power {interval(*law.law[:3], '.2f')}, 95 %. The law expects "
        f"a typical training on {law.settings[-1]:.0f} to escape at step {value} ({low} to {high}, "
        f"95 %); single ones scatter about that by {scatter} (a standard "
        f"deviation). {outcome}"
    )


def _slope(found: np.ndarray, errors: np.ndarray) -> str:
    """Slopes [S] and standard errors [S]: the mean, and the range widened to its 95 % interval."""
    if np.isnan(found).any():
        return "0/0"
    mean, half = found.mean(), 1.96 * np.sqrt((errors**2).sum()) / len(errors)
    return interval(mean, min(found.min(), mean - half), max(found.max(), mean + half), ".2f")


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0%}"


def _short(number: float) -> str:
    """ "193,553", "2.88 million"."""
    return f"{number:,}" if number < 1e6 else f"{number / 1e6:.3g} million"


def _two_digits(number: float) -> str:
    """Two significant digits, without an exponent."""
    return f"{float(f'{number:.2g}'):g}"


def _hours(seconds: float) -> str:
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 100 * 3600 else f"{seconds / 86400:.0f} days"
