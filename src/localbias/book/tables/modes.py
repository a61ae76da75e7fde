"""Tables of chapter 5: shares of samples in no mode, beside the exact score; filters; probes."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from IPython.display import Markdown

from localbias.book.tables.markdown import interval, table
from localbias.book.tables.outcomes import sampler
from localbias.exact import NAMES
from localbias.experiments import Results, Sampling, filters
from localbias.experiments.filters import Cut, cut, places
from localbias.grammar import every_string
from localbias.grammar.columns import MORE, NONE, OTHER, Columns
from localbias.reading.shapes import ShapeReader, by_pixels
from localbias.render import Shapes
from localbias.statistics import Auc, mean_interval, share_over_seeds, wilson


def bad_share(counts: np.ndarray) -> str:
    """The share of samples in no mode, of outcomes int [S, 4]: mean over the seeds and interval."""
    return interval(*share_over_seeds(counts[:, 0], counts.sum(1)), ".2%")


def controls(
    experiments: Mapping[str, Results],
    exactly: Mapping[str, Sequence[np.ndarray]],
    ways: Mapping[str, Sequence[Sampling]],
) -> Markdown:
    """Samples in no mode by each way of sampling: of the trained network and of the exact score.

    Args:
        experiments: title -> records.
        exactly: title -> outcomes int [4] of the exact score, a way each (`sampled_exactly`).
        ways: title -> the ways, among those that the records hold.
    """
    rows = []
    for title, results in experiments.items():
        also = results.sampled_also
        for how, counts in zip(ways[title], exactly[title]):
            low, high = wilson(counts[0], counts.sum())
            rows.append(
                {
                    "mixture": title,
                    "sampled by": sampler(how),
                    "network": bad_share(also[how]),
                    "exact score": interval(
                        counts[0] / counts.sum(), float(low), float(high), ".2%"
                    ),
                }
            )
    return table(rows)


def whereabouts(experiments: Mapping[str, Results]) -> Markdown:
    """Where samples in no mode lie, at the end of training, all seeds together."""
    rows = []
    for title, results in experiments.items():
        seeds = range(len(results.records))
        found = [{name: n[-1] for name, n in places(results, seed).items()} for seed in seeds]
        total = {name: sum(one[name] for one in found) for name in found[0]}
        bad = sum(total.values())
        cells = {name: f"{n:,} ({n / max(bad, 1):.0%})" for name, n in total.items()}
        rows.append({"experiment": title, "in no mode": bad_share(results.counts[:, -1])} | cells)
    return table(rows)


def widths(experiments: Mapping[str, Results]) -> Markdown:
    """How wide generated modes are, against the data's σ: all seeds, at the end of training.

    ValueError for signals that are no points.
    """
    rows = []
    for title, results in experiments.items():
        shown, ratios = filters.points_of(results), []
        for seed, record in enumerate(results.records):
            tokens = results.tokens(seed)[-1]
            inside = (tokens >= 0).all(1)
            points = record.arrays["samples"][-1][inside.numpy()]
            away = points - shown.means(tokens[inside]).numpy()
            ratios.append(float(np.sqrt((away**2).mean())) / shown.spread)
        cell = interval(float(np.mean(ratios)), min(ratios), max(ratios), ".2f")
        rows.append({"experiment": title, "width of a mode, in σ (range of the seeds)": cell})
    return table(rows)


def cuts(
    experiments: Mapping[str, Results],
    rows_of: Mapping[str, Sequence[int]],
    windows: Sequence[str] | None = None,
    keep: float = 0.96,
) -> Markdown:
    """What the filter is worth that keeps a share of the good samples, along training.

    Args:
        experiments: title -> records.
        rows_of: title -> places among the measured steps.
        windows: that may be chosen; None: all.
        keep: the share.
    """
    rows = []
    for title, results in experiments.items():
        for row in rows_of[title]:
            found = [
                cut(results, row, keep, windows=windows, seed=seed)
                for seed in range(len(results.records))
            ]
            rows.append(
                {
                    "experiment": title,
                    "step": f"{results.steps[row]:,}",
                    "in no mode": bad_share(results.counts[:, row]),
                    **_cut_cells([one for one in found if one]),
                }
            )
    return table(rows)


def detector(renderer: Shapes, count: int, seed: int) -> Markdown:
    """How often the detector of simple shapes is right, and who counts pixels is content.

    Args:
        renderer: draws the shapes.
        count: pictures of each kind.
        seed: of their places.
    """
    every = every_string(renderer.symbols, renderer.length)
    most = every.max(1).values
    kinds = {
        "as in the data": every[Columns().is_valid(every)],
        "nothing at all": every[most == NONE],
        "two of a kind in a column": every[(every == MORE).any(1) & (every != OTHER).all(1)],
        "another column's shape": every[(every == OTHER).any(1) & (every != MORE).all(1)],
    }
    read, generator, rows = ShapeReader(renderer), torch.Generator().manual_seed(seed), []
    for kind, strings in kinds.items():
        tokens = strings[torch.randint(len(strings), (count,), generator=generator)]
        pictures = renderer(tokens, generator)
        right = int((read(pictures) == tokens).all(1).sum())
        content = int(by_pixels(pictures, renderer).sum())
        low, high = wilson(right, count)
        rows.append(
            {
                "picture": kind,
                "detector reads all three columns right": interval(
                    right / count, float(low), float(high), ".1%"
                ),
                "passes a count of white pixels": f"{content / count:.0%}",
            }
        )
    return table(rows)


def shape_mistakes(results: Results, steps: Sequence[int]) -> Markdown:
    """Which mistakes a network makes in pictures of simple shapes, along training.

    Shares of all pictures; those that cannot be read count as without. A picture may have several.
    Means over the seeds, with their range or the 95 % interval of all samples, the wider one.

    Args:
        results: records of simple shapes.
        steps: measured steps.
    """
    rows = []
    for step in steps:
        place = int(np.flatnonzero(results.steps == step)[0])
        tokens = [results.tokens(seed)[place].numpy() for seed in range(len(results.records))]
        readable = [(one >= 0).all(1) for one in tokens]
        kinds = {
            "another column's shape": [(one == OTHER).any(1) for one in tokens],
            "two of a kind in a column": [(one == MORE).any(1) for one in tokens],
            "nothing at all": [(one == NONE).all(1) for one in tokens],
        }
        sizes, cells = np.array([len(one) for one in tokens]), {}
        for kind, seen in kinds.items():
            counts = np.array([(one & sure).sum() for one, sure in zip(seen, readable)])
            cells[kind] = interval(*share_over_seeds(counts, sizes), ".1%")
        rows.append({"step": f"{step:,}"} | cells)
    return table(rows)


def generations(chains: Mapping[str, Mapping[str, np.ndarray]]) -> Markdown:
    """What the last generation of each treatment is: mean over the chains and 95 % interval.

    Args:
        chains: treatment -> array of the chains' records, values [S, 1 + G] each.
    """
    rows = []
    for treatment, arrays in chains.items():
        last = {name: values[:, -1] for name, values in arrays.items()}
        rows.append(
            {
                "treatment": treatment,
                "chains": len(last["bad"]),
                "drawn in no mode": interval(*mean_interval(last["bad"]), ".2%"),
                "left in no mode": interval(*mean_interval(last["kept"]), ".2%"),
                "width of a mode, in σ": interval(*mean_interval(last["width"]), ".2f"),
            }
        )
    return table(rows)


def digit_generations(chains: Mapping[str, Mapping[str, np.ndarray]]) -> Markdown:
    """What each generation of digits is: means over the chains, and 95 % intervals where several.

    Args:
        chains: treatment -> arrays as of `recorded.digit_chains`.
    """
    columns = {
        "not read as told": ("bad", ".1%"),
        "of these unreadable": ("refused", ".1%"),
        "left after the treatment": ("kept", ".1%"),
        "Fréchet distance": ("distance", ".0f"),
    }
    rows = []
    for treatment, arrays in chains.items():
        for generation in range(arrays["bad"].shape[1]):
            row = {"treatment": treatment, "generation": str(generation) if generation else "data"}
            for title, (name, form) in columns.items():
                values = arrays[name][:, generation]
                known = mean_interval(values) if len(values) > 1 else None
                row[title] = interval(*known, form) if known else format(values[0], form)
            rows.append(row)
    return table(rows)


def _cut_cells(found: Sequence[Cut]) -> dict[str, str]:
    """Means over the seeds and ranges, widened to the intervals of single seeds where few."""
    if not found:
        return {"window chosen": "too few", "bad removed": "", "good kept": "", "area": ""}
    names = list(dict.fromkeys(one.window for one in found))
    return {
        "window chosen": ", ".join(names),
        "bad removed": _spread([one.removed for one in found]),
        "good kept": _spread([one.kept for one in found]),
        "area": areas([one.area for one in found]),
    }


def _spread(found: Sequence[tuple[float, float, float]]) -> str:
    values = [value for value, _, _ in found]
    low, high = min(values), max(values)
    if len(found) == 1:
        _, low, high = found[0]
    return interval(float(np.mean(values)), low, high, ".0%")


def areas(found: Sequence[Auc | None]) -> str:
    """Areas under ROC curves: mean over the seeds and their range, or one seed's interval."""
    known = [one for one in found if one]
    if not known:
        return "too few"
    values = [one.value for one in known]
    low, high = min(values), max(values)
    if len(known) == 1:
        low, high = known[0].low, known[0].high
    return interval(float(np.mean(values)), low, high, ".2f")


def by_moment(
    results: Results, found: Mapping[str, Sequence[Sequence[Auc | None]]]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Areas by window at an early and at the last measured step, for `figures.areas_by_window`.

    Args:
        results: the records.
        found: window -> what `filters.areas` gives.

    Returns:
        Names of the windows [W], and by step the areas [S, W].
    """
    curves = {}
    for row in _early_and_last(results):
        values = [[one.value if one else np.nan for one in by[row]] for by in found.values()]
        curves[f"step {results.steps[row]:,}"] = np.array(values).T
    return list(found), curves


def questions(
    subjects: Mapping[str, Results],
) -> dict[str, dict[str, list[Auc | None]]]:
    """Question -> probe -> areas of the seeds, for `figures.probes` and `probes`.

    Each experiment is asked at an early and at the last measured step what there are samples for.
    The best window is the one with the largest area on average over the seeds, so it flatters
    itself a little where bad samples are few.

    Args:
        subjects: title -> records.
    """
    asked: dict[str, dict[str, list[Auc | None]]] = {}
    for title, results in subjects.items():
        by_window, at = filters.variances(results), filters.jacobians(results)
        for row in _early_and_last(results):
            for group in filters.GROUPS:
                found = {
                    name: filters.areas(results, values, group)[row]
                    for name, values in by_window.items()
                }
                if not any(area for areas_there in found.values() for area in areas_there):
                    continue
                best = max(found, key=lambda name: _mean(found[name]))
                by: dict[str, list[Auc | None]] = {
                    "variance, last steps": next(iter(found.values())),
                    "variance, best window": found[best],
                }
                for when, level in _ends(at):
                    ratio, size = at[level]
                    by[f"LDR, {when}"] = filters.areas(results, ratio, group)[row]
                    by[f"‖J‖², {when}"] = filters.areas(results, size, group)[row]
                asked[f"{title}, step {results.steps[row]:,}: {group}"] = by
    return asked


def from_exact(
    subjects: Mapping[str, Results], away: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, dict[str, list[Auc | None]]]:
    """Question -> exact denoiser -> areas by the distance from it, for `figures.probes`.

    Questions without weights to draw the samples by, or without enough samples, are left out.

    Args:
        subjects: title -> records.
        away: title -> what `distances` gives of two levels, the earlier one first.
    """
    names = [f"{name}, {when}" for when in ("midway", "late") for name in NAMES]
    asked = {}
    for title, results in subjects.items():
        for row in _early_and_last(results):
            for group in filters.GROUPS:
                areas_of = [filters.areas(results, far, group)[row] for far in away[title].values()]
                if any(area for found in areas_of for area in found):
                    asked[f"{title}, step {results.steps[row]:,}: {group}"] = dict(
                        zip(names, areas_of)
                    )
    return asked


def _early_and_last(results: Results) -> list[int]:
    """Places among the measured steps: a third of the way, and the last."""
    return sorted({len(results.steps) // 3, len(results.steps) - 1})


def _ends(at: Mapping[float, object]) -> list[tuple[str, float]]:
    """The first and the last of the levels, by what they are."""
    return [("in the band", min(at)), ("late", max(at))] if at else []


def _mean(found: Sequence[Auc | None]) -> float:
    values = [one.value for one in found if one]
    return float(np.mean(values)) if values else 0.0


def probes(rows: Mapping[str, Mapping[str, Sequence[Auc | None]]]) -> Markdown:
    """How well each probe tells two groups apart: question -> probe -> areas of the seeds."""
    return table(
        {"question": question} | {name: areas(found) for name, found in by.items()}
        for question, by in rows.items()
    )


def advice(subjects: Mapping[str, Results]) -> Markdown:
    """Which probe for which question, chosen on one half of the samples and judged on the other.

    Args:
        subjects: title -> records.
    """
    rows = []
    for group in filters.GROUPS:
        for title, results in subjects.items():
            for row in _early_and_last(results):
                seeds = range(len(results.records))
                found = [filters.advice(results, group, row, seed) for seed in seeds]
                known = [one for one in found if one]
                if not known:
                    continue
                names = list(dict.fromkeys(one.probe for one in known))
                rows.append(
                    {
                        "to find": group,
                        "in": f"{title}, step {results.steps[row]:,}",
                        "best single probe": ", ".join(names),
                        "its area": areas([one.alone for one in known]),
                        "all probes together": areas([one.together for one in known]),
                    }
                )
    return table(rows)
