"""The ledger: what the paper says beside what the records say, one row a claim, read from book/claims.yml.

A claim names the experiments that speak to it and the quantity that is read from their records; the number, its
interval and the verdict are computed here and stand nowhere else. A claim on theory names an entry of `book.claims`,
which computes both.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from localbias.book.claims import CLAIMS as THEORY
from localbias.experiments import Results, catalogue
from localbias.measure import OUTCOMES
from localbias.statistics import share_over_seeds
from localbias.store import RECORDS, ROOT

CLAIMS = ROOT / "book" / "claims.yml"
VALIDATOR = Draft202012Validator(
    json.loads(Path(__file__).with_name("claims.schema.json").read_text(encoding="utf-8"))
)
SEEDS = (0, 1, 2)  # that the book commits; a reader's own runs do not change what it says
TIERS = ("laptop", "paper")  # in which a claim is measured
TARGETS = {"noise": "the noise", "x0": "x̂0", "v": "v"}


@dataclass(frozen=True)
class Finding:
    """What one experiment says of a claim: a sentence (markdown), and the range that the verdict compares."""

    says: str
    low: float
    high: float


def rows(claims: Path = CLAIMS, folder: Path = RECORDS) -> list[dict[str, str]]:
    """The claims in their order: id, where, says, finds, verdict, why (markdown).

    The verdict is "agrees", "differs" or "partly" where the measured ranges overlap `expects` all, not at all or in
    part, and "no record" before anything was measured; on theory it is one of `claims.VERDICTS`.

    Raises:
        ValueError: for an entry that is malformed, naming its claim.
    """
    entries = yaml.safe_load(claims.read_text(encoding="utf-8"))
    return [_row(entry, folder) for entry in entries]


def _row(entry: dict[str, Any], folder: Path) -> dict[str, str]:
    if error := best_match(VALIDATOR.iter_errors(entry)):
        claim = entry.get("id", entry) if isinstance(entry, dict) else entry
        raise ValueError(
            f"claim {claim!r} in the ledger is malformed, {error.json_path}: {error.message}"
        )
    row = {name: str(entry[name]).strip() for name in ("id", "where", "says", "why")}
    if "theory" in entry["measure"][0]:
        claim = THEORY[entry["measure"][0]["theory"]]
        says = f"{claim.evidence().says} {{ref}}`How it is checked <check-{claim.id}>`"
        return row | {"finds": says, "verdict": claim.verdict}
    found = [finding for measure in entry["measure"] for finding in _findings(measure, folder)]
    return row | {
        "finds": "; ".join(finding.says for finding in found) or "(no record yet)",
        "verdict": _verdict(found, *entry["expects"]),
    }


def _verdict(found: Iterable[Finding], low: float, high: float) -> str:
    overlaps = {bool(finding.low <= high and finding.high >= low) for finding in found}
    if not overlaps:
        return "no record"
    if len(overlaps) == 2:
        return "partly"
    return "agrees" if overlaps.pop() else "differs"


def _findings(measure: dict[str, Any], folder: Path) -> list[Finding]:
    """What each tier that has records of the measure's experiment says."""
    found = []
    for tier in TIERS:
        records = catalogue.found(measure["experiment"], tier, SEEDS, folder=folder)
        if records:
            results = Results(records)
            finding = _ratios(results, measure) if "ldr" in measure else _shares(results, measure)
            origin = (
                f"(`{results.name}`, {tier} tier, {len(records)} seed{'s' * (len(records) > 1)})"
            )
            found.append(Finding(f"{finding.says} {origin}", finding.low, finding.high))
    return found


def _shares(results: Results, measure: dict[str, Any]) -> Finding:
    """The share of some outcomes: at the last step, at its highest, or the step from which it is below a level."""
    columns = [OUTCOMES.index(name) for name in measure["outcome"]]
    quantity, name = measure.get("quantity", "last"), " or ".join(measure["outcome"])
    merged, n = results.counts[..., columns].sum(-1), results.counts.sum(-1)  # [S, M]
    if quantity == "first_below":
        return _first_below(results.steps, merged / n, measure["level"], name)
    place = -1 if quantity == "last" else int((merged / n).mean(0).argmax())
    mean, low, high = share_over_seeds(merged[:, place], n[:, place])
    chance = sum(results.chance[column] for column in columns)
    says = (
        f"**{mean:.1%}** {name} ({low:.1%} to {high:.1%}) after {results.steps[place]:,} steps; "
        f"chance {chance:.1%}"
    )
    return Finding(says, low, high)


def _first_below(steps: np.ndarray, shares: np.ndarray, level: float, name: str) -> Finding:
    """From which step on a share [S, M] is below the level, as a share of the training; infinite for never."""
    below = shares < level
    first = np.where(below.any(1), steps[below.argmax(1)], np.inf)  # [S]
    start, end, last = first.min(), first.max(), steps[-1]
    if not np.isfinite(start):
        when = f"never below {level:.0%} in {last:,} steps"
    elif start == end:
        when = f"below {level:.0%} after {start:,.0f} of {last:,} steps"
    elif np.isfinite(end):
        when = f"below {level:.0%} after {start:,.0f} to {end:,.0f} of {last:,} steps"
    else:
        when = f"below {level:.0%} after {start:,.0f} (not all seeds) of {last:,} steps"
    return Finding(f"{name} {when}", start / last, end / last)


@dataclass(frozen=True, order=True)
class _Ratio:
    """The mean ratio at one level and step; the seeds' range, widened to the 95 % interval of all their samples."""

    mean: float
    low: float
    high: float
    level: float
    step: int


def _ratios(results: Results, measure: dict[str, Any]) -> Finding:
    """The local dependency ratio over noise levels: after training, or at its lowest at any measured step."""
    target, levels = measure["ldr"]["target"], measure["ldr"]["levels"]
    quantity, last = measure.get("quantity", "last"), int(results.steps[-1])
    if unknown := [level for level in levels if level not in results.levels]:
        probed = ", ".join(map(str, results.levels))
        raise ValueError(f"levels {unknown} of {results.name!r} in the ledger; probed: {probed}")
    found = _ratios_at(results, target, levels, every_step=quantity == "lowest")
    if not found:
        raise ValueError(
            f"no ratio of {results.name!r} in the ledger: every Jacobian vanishes at levels {levels}"
        )
    least, most = min(found), max(found)
    when = "at any measured step" if quantity == "lowest" else f"after {last:,} steps"
    says = (
        f"LDR of {TARGETS[target]} {when}: lowest **{least.mean:.3f}** ({least.low:.3f} to {least.high:.3f}) "
        f"at √ᾱ = {least.level:g}"
    )
    if quantity == "lowest":
        says += f", step {least.step:,}"
    elif len(levels) > 1:
        says += (
            f", highest **{most.mean:.3f}** ({most.low:.3f} to {most.high:.3f}) at {most.level:g}"
        )
    low = most.low if quantity == "highest" else least.low
    high = least.high if quantity == "lowest" else most.high
    return Finding(says, low, high)


def _ratios_at(
    results: Results, target: str, levels: list[float], every_step: bool
) -> list[_Ratio]:
    """The ratio at each level, after training or at every measured step, where some seed has one."""
    steps, summaries = results.steps.tolist(), results.summaries(target, levels)
    rows = range(1, len(steps) + 1) if every_step else [len(steps)]
    found = []
    for level in levels:
        for row in rows:
            seeds = [by_row[row] for by_row in summaries[level] if by_row[row]]
            if seeds:
                means = [summary.mean for summary in seeds]
                mean = float(np.mean(means))
                half = float(np.sqrt(sum((s.high - s.mean) ** 2 for s in seeds)) / len(seeds))
                low, high = min(mean - half, *means), max(mean + half, *means)
                found.append(_Ratio(mean, low, high, level, steps[row - 1]))
    return found
