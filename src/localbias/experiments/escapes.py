"""When trainings leave hallucination, as bounds: between which two measured steps."""

from collections.abc import Mapping

import numpy as np

from localbias.experiments.results import Results
from localbias.measure import escape
from localbias.statistics import PowerLaw, power_law

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


def escape_law(bounds: Mapping[float, Bounds]) -> PowerLaw | None:
    """The power law of escape steps over a dial: setting -> bounds of its seeds."""
    settings = np.repeat(list(bounds), [len(after) for after, _ in bounds.values()])
    after, until = (np.concatenate([pair[k] for pair in bounds.values()]) for k in (0, 1))
    return power_law(settings, after, until)
