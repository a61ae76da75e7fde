"""When trainings leave hallucination, as bounds: between which two measured steps."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from localbias.experiments.results import Results
from localbias.measure import escape
from localbias.statistics import PowerLaw, power_law, power_law_at

POINTS = 13  # at which the law is told
Bounds = tuple[np.ndarray, np.ndarray]  # until when not, by when; [S] each, infinite for not seen


def escape_bounds(results: Results, share: float = 0.5) -> Bounds:
    """Between which measured steps each seed leaves hallucination for good (`measure.escape`).

    Args:
        results: the records.
        share: of the readable samples that may still break the rule.

    Returns:
        The last measured step before it, and the step at which it has left; where it has not by the
        end, the last step and infinity.
    """
    steps, after, until = results.steps, [], []
    for counts in results.counts:
        left = escape(steps, counts, share)
        place = len(steps) if np.isinf(left) else int(np.flatnonzero(steps == left)[0])
        after.append(float(steps[place - 1]) if place else 1.0)
        until.append(left)
    return np.array(after), np.array(until)


@dataclass(frozen=True)
class EscapeLaw:
    """A power law of escape steps over a dial.

    Attributes:
        law: its exponent and spread.
        settings: [P], from the first setting to the last, and beyond.
        expected: [P, 3], the law's steps there, and their 95 % interval.
    """

    law: PowerLaw
    settings: np.ndarray
    expected: np.ndarray


def escape_law(bounds: Mapping[float, Bounds], beyond: float | None = None) -> EscapeLaw | None:
    """The power law of escape steps over a dial.

    Args:
        bounds: setting -> bounds of its seeds.
        beyond: a setting up to which the law is told, though it takes no part in the fit.

    Returns:
        None where fewer than two settings have trainings that escape.
    """
    x = np.repeat(list(bounds), [len(after) for after, _ in bounds.values()])
    after, until = (np.concatenate([pair[k] for pair in bounds.values()]) for k in (0, 1))
    law = power_law(x, after, until)
    if law is None:
        return None
    settings = np.geomspace(x.min(), beyond or x.max(), POINTS)
    expected = [power_law_at(x, after, until, one) for one in settings]
    return EscapeLaw(law, settings, np.array(expected, dtype=np.float64))
