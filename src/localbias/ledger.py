"""The ledger: what the paper says beside what the records say, one row a claim, read from book/claims.yml.

A claim names the experiments that speak to it and the quantity that is read from their records; the number, its
interval and the verdict are computed here and stand nowhere else. A claim on theory names an entry of
`theory.verdicts`, which computes both.
"""

from pathlib import Path

import numpy as np
import yaml

from localbias import record
from localbias.outcome import OUTCOMES, share_over_seeds
from localbias.record import Record
from localbias.theory.verdicts import CLAIMS as THEORY

CLAIMS = record.ROOT / "book" / "claims.yml"
SEEDS = (0, 1, 2)  # that the book commits; a reader's own runs do not change what it says
QUANTITIES = ("last", "highest", "first_below")  # of a share of outcomes
RATIOS = ("last", "lowest", "highest")  # of the local dependency ratio: after training; "lowest" at any measured
# step and level; "highest" of the levels after training
TARGETS = ("noise", "x0", "v")
NAMED = {"noise": "the noise", "x0": "x̂0", "v": "v"}


def rows(claims: Path = CLAIMS, folder: Path = record.FOLDER) -> list[dict[str, str]]:
    """The claims in their order: id, where, says, finds, verdict, why (markdown).

    verdict is "agrees", "differs" or "partly" where measured ranges overlap `expects` all, not at all or in part, and
    "no record" before anything was measured; on theory it is one of `theory.claim.VERDICTS`. ValueError names a claim
    whose entry is malformed.
    """
    return [_row(entry, folder) for entry in yaml.safe_load(claims.read_text())]


def _row(entry: dict, folder: Path) -> dict[str, str]:
    try:
        measures = entry["measure"]
        row = {name: str(entry[name]).strip() for name in ("id", "where", "says", "why")}
        if any("theory" in measure for measure in measures):
            return row | _theory(*measures, expects=entry.get("expects"))
        low, high = entry["expects"]
        for measure in measures:
            _check(**measure)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"claim {entry.get('id', entry)!r} in the ledger is malformed: {error!r}") from None
    found = [sentence for measure in measures for sentence in _findings(measure, folder)]
    overlaps = {bool(a <= high and b >= low) for _, a, b in found}
    verdict = {frozenset(): "no record", frozenset({True}): "agrees", frozenset({False}): "differs"}
    return row | {
        "finds": "; ".join(text for text, _, _ in found) or "(no record yet)",
        "verdict": verdict.get(frozenset(overlaps), "partly"),
    }


def _theory(measure: dict, expects: None) -> dict[str, str]:
    """What is found and the verdict of a claim on theory; ValueError where the measure says more than which claim."""
    if measure.keys() != {"theory"} or expects is not None:
        raise ValueError("a measure of theory has a claim's id and no expects: its numbers decide by themselves")
    claim = THEORY[measure["theory"]]
    return {"finds": f"{claim.evidence().says} {{ref}}`How it is checked <check-{claim.id}>`", "verdict": claim.verdict}


def _check(
    experiment: str, outcome: list[str] = (), quantity: str = "last", level: float = 0.0, ldr: dict | None = None
) -> None:
    """ValueError where a measure names an outcome, a target or a quantity that there is not, or does not say of what."""
    if bool(outcome) == bool(ldr):
        raise ValueError("a measure is of outcomes or of ldr, one of the two")
    if ldr:
        known = [(ldr.get("target"), TARGETS), (quantity, RATIOS)]
        if ldr.keys() != {"target", "levels"} or not ldr["levels"]:
            raise ValueError(f"ldr={ldr}; allowed: a target and levels")
    else:
        known = [(o, OUTCOMES) for o in outcome] + [(quantity, QUANTITIES)]
    for name, allowed in known:
        if name not in allowed:
            raise ValueError(f"{name!r}; allowed: {', '.join(allowed)}")


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
    if "ldr" in measure:
        runs = {tier: recorded(experiment, tier, folder) for tier in ("laptop", "paper")}
        return [_ratios(experiment, tier, found, quantity, **measure["ldr"]) for tier, found in runs.items() if found]
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


def _ratios(
    experiment: str, tier: str, runs: list[Record], quantity: str, target: str, levels: list[float]
) -> tuple[str, float, float]:
    """A sentence, and the range over noise levels of the ratio (the mean over samples and seeds).

    Of each level the seeds' range is widened to the 95 % interval of all their samples; the reported range runs from
    the lowest end to the highest.
    """
    from localbias import run  # with torch

    found = [run.ratios_by_level(r, target) for r in runs]  # of each seed: level -> list over steps of Summary
    if unknown := [level for level in levels if level not in found[0]]:
        raise ValueError(f"levels {unknown} of {experiment!r} in the ledger; probed: {', '.join(map(str, found[0]))}")
    steps = [0, *runs[0].arrays["step"].tolist()]
    picked = range(1, len(steps)) if quantity == "lowest" else [len(steps) - 1]
    spans = []
    for level in levels:
        for i in picked:
            seeds = [by_level[level][i] for by_level in found if by_level[level][i]]
            if seeds:
                mean = float(np.mean([s.mean for s in seeds]))
                wide = float(np.sqrt(sum((s.high - s.mean) ** 2 for s in seeds)) / len(seeds))
                low, high = min(mean - wide, *(s.mean for s in seeds)), max(mean + wide, *(s.mean for s in seeds))
                spans.append((mean, low, high, level, steps[i]))
    if not spans:
        raise ValueError(f"no ratio of {experiment!r} in the ledger: every Jacobian vanishes at levels {levels}")
    least, most = min(spans), max(spans)
    where = f"`{experiment}`, {tier} tier, {_seeds(len(runs))}"
    when = "at any measured step" if quantity == "lowest" else f"after {steps[-1]:,} steps"
    text = f"LDR of {NAMED[target]} {when}: lowest **{least[0]:.3f}** ({least[1]:.3f} to {least[2]:.3f}) at √ᾱ = {least[3]:g}"
    if quantity == "lowest":
        text += f", step {least[4]:,}"
    elif len(levels) > 1:
        text += f", highest **{most[0]:.3f}** ({most[1]:.3f} to {most[2]:.3f}) at {most[3]:g}"
    ends = {"last": (least[1], most[2]), "lowest": least[1:3], "highest": most[1:3]}[quantity]
    return f"{text} ({where})", *ends


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"


def _when(first: float, last: float, level: float, steps: int) -> str:
    """From which step on a share is below the level, over the seeds; infinity stands for never."""
    if not np.isfinite(first):
        return f"never below {level:.0%} in {steps:,} steps"
    span = f"{first:,.0f}" if first == last else f"{first:,.0f} to {last:,.0f}" if np.isfinite(last) else f"{first:,.0f} (not all seeds)"
    return f"below {level:.0%} after {span} of {steps:,} steps"
