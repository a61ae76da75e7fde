"""The ledger: what the paper says beside what the records say, one row a claim, read from book/claims.yml.

A claim names the experiments that speak to it and the quantity that is read from their records; the number, its
interval and the verdict are computed here and stand nowhere else.
"""

from pathlib import Path

import numpy as np
import yaml

from localbias import record
from localbias.outcome import OUTCOMES, share_over_seeds
from localbias.record import Record

CLAIMS = record.ROOT / "book" / "claims.yml"
SEEDS = (0, 1, 2)  # that the book commits; a reader's own runs do not change what it says
QUANTITIES = ("last", "highest", "first_below")


def rows(claims: Path = CLAIMS, folder: Path = record.FOLDER) -> list[dict[str, str]]:
    """The claims in their order: id, where, says, finds, verdict, why (markdown).

    verdict is "agrees", "differs" or "partly" where measured ranges overlap `expects` all, not at all or in part, and
    "no record" before anything was measured. ValueError names a claim whose entry is malformed.
    """
    return [_row(entry, folder) for entry in yaml.safe_load(claims.read_text())]


def _row(entry: dict, folder: Path) -> dict[str, str]:
    try:
        measures, (low, high) = entry["measure"], entry["expects"]
        for measure in measures:
            _check(**measure)
        row = {name: str(entry[name]).strip() for name in ("id", "where", "says", "why")}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"claim {entry.get('id', entry)!r} in the ledger is malformed: {error!r}") from None
    found = [sentence for measure in measures for sentence in _findings(measure, folder)]
    overlaps = {bool(a <= high and b >= low) for _, a, b in found}
    verdict = {frozenset(): "no record", frozenset({True}): "agrees", frozenset({False}): "differs"}
    return row | {
        "finds": "; ".join(text for text, _, _ in found) or "(no record yet)",
        "verdict": verdict.get(frozenset(overlaps), "partly"),
    }


def _check(experiment: str, outcome: list[str], quantity: str = "last", level: float = 0.0) -> None:
    """ValueError where a measure names an outcome or a quantity that there is not."""
    for name, known in [(o, OUTCOMES) for o in outcome] + [(quantity, QUANTITIES)]:
        if name not in known:
            raise ValueError(f"{name!r}; allowed: {', '.join(known)}")


def recorded(experiment: str, tier: str, folder: Path) -> list[Record]:
    """The records of an experiment of the catalogue, as it stands now, for the book's seeds."""
    from localbias import catalogue, run  # with torch, which the rest of this module does without

    if tier not in catalogue.tiers(experiment):
        return []
    found = (run.find(catalogue.make(experiment, tier, seed), folder) for seed in SEEDS)
    return [one for one in found if one]


def _findings(measure: dict, folder: Path) -> list[tuple[str, float, float]]:
    """A sentence, a low and a high end for each tier that has records of the measure's experiment."""
    experiment, quantity = measure["experiment"], measure.get("quantity", "last")
    columns = [OUTCOMES.index(name) for name in measure["outcome"]]
    findings = []
    for tier in ("laptop", "paper"):
        runs = recorded(experiment, tier, folder)
        if not runs:
            continue
        steps = runs[0].arrays["step"]
        counts = np.stack([r.arrays["counts"] for r in runs])  # [seeds, M, 4]
        where = f"`{experiment}`, {tier} tier, {_seeds(len(runs))}"
        if quantity == "first_below":
            share, level = counts[..., columns].sum(-1) / counts.sum(-1), measure["level"]
            first = np.where((share < level).any(1), steps[(share < level).argmax(1)], np.inf)  # [seeds]
            low, high = first.min() / steps[-1], first.max() / steps[-1]
            name = " or ".join(measure["outcome"])
            text = f"{name} {_when(first.min(), first.max(), level, steps[-1])} ({where})"
        else:
            merged = counts[..., columns].sum(-1)  # [seeds, M]
            n = counts.sum(-1)
            at = -1 if quantity == "last" else int((merged / n).mean(0).argmax())
            mean, low, high = share_over_seeds(merged[:, at], n[:, at])
            chance = sum(runs[0].origin["chance"][c] for c in columns)
            name = " or ".join(measure["outcome"])
            text = (
                f"**{mean:.1%}** {name} ({low:.1%} to {high:.1%}) after {steps[at]:,} steps; "
                f"chance {chance:.1%} ({where})"
            )
        findings.append((text, low, high))
    return findings


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"


def _when(first: float, last: float, level: float, steps: int) -> str:
    """From which step on a share is below the level, over the seeds; infinity stands for never."""
    if not np.isfinite(first):
        return f"never below {level:.0%} in {steps:,} steps"
    span = f"{first:,.0f}" if first == last else f"{first:,.0f} to {last:,.0f}" if np.isfinite(last) else f"{first:,.0f} (not all seeds)"
    return f"below {level:.0%} after {span} of {steps:,} steps"
