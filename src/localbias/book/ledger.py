"""The ledger: what the paper says beside what the records say, one row a claim of book/claims.yml.

A claim names experiments and the quantity that is read from their records; the number, its interval
and the verdict are computed here and stand nowhere else. A claim on theory names an entry of
`book.claims`, which computes them. Verdicts are the same words for both, `verdicts.VERDICTS`.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from localbias.book.claims import CLAIMS as THEORY
from localbias.book.runs import counted, record_target
from localbias.book.verdicts import (
    CONDITION,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_REACHED,
    VERDICTS,
)
from localbias.experiments import Results, catalogue
from localbias.experiments.filters import cut
from localbias.ldr import Summary
from localbias.measure import OUTCOMES
from localbias.statistics import share_over_seeds
from localbias.store import RECORDS, ROOT

CLAIMS = ROOT / "book" / "claims.yml"
ITEMS = ROOT / "book" / "items.yml"
VALIDATOR = Draft202012Validator(
    json.loads(Path(__file__).with_name("claims.schema.json").read_text(encoding="utf-8"))
)
SEEDS = (0, 1, 2)  # those whose records are committed; runs of one's own do not change the ledger
TIERS = ("laptop", "paper")  # in which a claim is measured
TARGET_NAMES = {"noise": "the noise", "x0": "x̂0", "v": "v"}
NETWORK_NAMES = {"mlp": "MLP", "layernorm": "MLP with LayerNorm", "unet": "UNet", "dit": "DiT"}
ENOUGH = 10  # bad samples of a seed, to judge a filter by


@dataclass(frozen=True)
class Finding:
    """What one experiment says about a claim.

    Attributes:
        says: a sentence, Markdown.
        low: end of the range that the verdict compares with what the paper expects.
        high: its other end.
        images: signals that the training had seen, steps × batch.
        counts: whether the network is of the paper's kind, so that the verdict takes it.
        target: of its records, by which pages link to them.
    """

    says: str
    low: float
    high: float
    images: int = 0
    counts: bool = True
    target: str = ""


def rows(claims: Path = CLAIMS, folder: Path = RECORDS) -> list[dict[str, Any]]:
    """The rows of the ledger.

    The verdict is "holds" or "holds in part" where all or some of the ranges that count overlap
    with `expects`. Where none does it is "not reached" if no run has seen as many `images` as the
    paper's, else "does not hold". Before anything was measured that counts it is "not measured".

    Args:
        claims: the file of claims.
        folder: of the records.

    Returns:
        The claims in their order, each with id, where, says, finds, verdict and why (Markdown); and
        with the names of the figures that show it and of the runs (`runs.Runs.target`) it is read
        from.

    Raises:
        ValueError: for an entry that is malformed, naming its claim.
    """
    entries = yaml.safe_load(claims.read_text(encoding="utf-8"))
    return [_row(entry, folder) for entry in entries]


def items(path: Path = ITEMS) -> list[dict[str, Any]]:
    """What the paper numbers, in its order, and where the book deals with it.

    Args:
        path: the file of items.

    Returns:
        Each with `item`, its name, and either `rows`, ids of the ledger or of the theory's claims,
        or `why_not`.

    Raises:
        ValueError: for an entry that is malformed, or names what there is not.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    claims = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    known = {claim["id"] for claim in claims} | set(THEORY)
    for entry in entries:
        if set(entry) not in ({"item", "rows"}, {"item", "why_not"}):
            raise ValueError(f"item {entry} is malformed; allowed: item, and rows or why_not")
        if unknown := sorted(set(entry.get("rows", ())) - known):
            raise ValueError(f"{entry['item']}: no claim {', '.join(unknown)}")
    return entries


def says(item: str) -> list[str]:
    """What the paper says by the ledger's rows of one of its items. ValueError for another item."""
    known = {entry["item"]: entry for entry in items()}
    if item not in known:
        raise ValueError(f"no item {item!r}; there are: {', '.join(known)}")
    claims = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    wanted = known[item].get("rows", ())
    return [claim["says"].strip() for claim in claims if claim["id"] in wanted]


def tally(found: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many of some rows have each verdict, in the order of `verdicts.VERDICTS`."""
    counts = Counter(row["verdict"] for row in found)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def _row(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The row of one claim."""
    if error := best_match(VALIDATOR.iter_errors(entry)):
        claim = entry.get("id", entry) if isinstance(entry, dict) else entry
        raise ValueError(
            f"claim {claim!r} in the ledger is malformed, {error.json_path}: {error.message}"
        )
    row: dict[str, Any] = {
        name: str(entry[name]).strip() for name in ("id", "where", "says", "why")
    }
    row |= {"figures": entry.get("figures", []), "records": []}
    if "unmeasured" in entry:
        return row | {"finds": str(entry["unmeasured"]).strip(), "verdict": NOT_MEASURED}
    if "theory" in entry["measure"][0]:
        claim = THEORY[entry["measure"][0]["theory"]]
        finds = f"{claim.evidence().says} {{ref}}`How it is checked <check-{claim.id}>`"
        return row | {"finds": finds, "verdict": claim.verdict}
    kinds = entry.get("network", list(NETWORK_NAMES))
    found = [one for measure in entry["measure"] for one in _findings(measure, kinds, folder)]
    counted = [finding for finding in found if finding.counts]
    says = [finding.says for finding in found]
    if not counted:
        says.append(
            "(no record of the paper's kind of network yet)" if found else "(no record yet)"
        )
    low, high = entry["expects"]
    verdict = _verdict(counted, low, high, entry.get("images", 0))
    row["records"] = list(dict.fromkeys(finding.target for finding in found))
    several = "".join(f"- {one}\n" for one in says)
    return row | {"finds": several if len(says) > 1 else says[0], "verdict": verdict}


def _verdict(found: Sequence[Finding], low: float, high: float, images: int) -> str:
    """Whether findings overlap with the range from `low` to `high`, in a word.

    Args:
        found: those that count.
        low: what is expected, its end.
        high: its other end.
        images: that the paper's training had seen.
    """
    if not found:
        return NOT_MEASURED
    overlaps = [finding.low <= high and finding.high >= low for finding in found]
    if all(overlaps):
        return HOLDS
    if any(overlaps):
        return CONDITION
    return NOT_REACHED if all(finding.images < images for finding in found) else FAILS


def _findings(measure: dict[str, Any], kinds: Sequence[str], folder: Path) -> list[Finding]:
    """What the records of a measure's experiment say, a finding for each tier that has some.

    Args:
        measure: of the entry.
        kinds: of networks that the paper has.
        folder: of the records.
    """
    found = []
    for tier in TIERS:
        records = catalogue.found(measure["experiment"], tier, SEEDS, folder=folder)
        if records:
            results = Results(records)
            kind_of = {"ldr": _ratios, "filter": _filtered}
            read = next((kind_of[name] for name in kind_of if name in measure), _shares)
            finding = read(results, measure)
            seeds = counted(len(records), "seed")
            kind, training = results.network_kind, results.experiment.training
            ours = (
                ""
                if kind in kinds
                else ", beside the paper's " + " or ".join(NETWORK_NAMES[one] for one in kinds)
            )
            network = NETWORK_NAMES.get(kind, kind) + ours
            images = training.steps * training.batch
            target = record_target(results.name, tier)
            name = f"{{ref}}`{results.name} <{target}>`"
            says = f"{finding.says} ({name}: {network}; {tier} tier, {seeds})"
            found.append(Finding(says, finding.low, finding.high, images, kind in kinds, target))
    return found


def _shares(results: Results, measure: dict[str, Any]) -> Finding:
    """The share of some outcomes.

    By the measure's "quantity" it is that at the last step, the highest one, or the step after
    which it is first below a level.
    """
    columns = [OUTCOMES.index(name) for name in measure["outcome"]]
    quantity, name = measure.get("quantity", "last"), " or ".join(measure["outcome"])
    counts, n = results.counts[..., columns].sum(-1), results.counts.sum(-1)  # [S, M]
    if quantity == "first_below":
        return _first_below(results.steps, counts / n, measure["level"], name)
    row = -1 if quantity == "last" else int((counts / n).mean(0).argmax())
    mean, low, high = share_over_seeds(counts[:, row], n[:, row])
    chance = sum(results.chance[column] for column in columns)
    says = (
        f"**{mean:.1%}** {name} ({low:.1%} to {high:.1%}) after {results.steps[row]:,} steps; "
        f"chance {chance:.1%}"
    )
    return Finding(says, low, high)


def _filtered(results: Results, measure: dict[str, Any]) -> Finding:
    """The share of samples in no mode that a filter removes (`experiments.filters.cut`).

    It is read at the last step that leaves enough of them to judge it by.

    Raises:
        ValueError: where no measured step does.
    """
    keep = measure["filter"]["keep"]
    for row in reversed(range(len(results.steps))):
        cuts = [cut(results, row, keep, seed=seed) for seed in range(len(results.records))]
        known = [one for one in cuts if one and one.bad >= ENOUGH]
        if len(known) == len(cuts):
            shares = [one.removed for one in known]
            mean, low = float(np.mean([s[0] for s in shares])), min(s[1] for s in shares)
            high = max(s[2] for s in shares)
            kept = np.mean([one.kept[0] for one in known])
            says = (
                f"**{mean:.0%}** removed ({low:.0%} to {high:.0%}) with {kept:.0%} of the others "
                f"kept, after {results.steps[row]:,} steps"
            )
            return Finding(says, low, high)
    raise ValueError(f"fewer than {ENOUGH} bad samples of {results.name!r} at every step")


def _first_below(steps: np.ndarray, shares: np.ndarray, level: float, name: str) -> Finding:
    """The first step at which a share is below a level.

    Args:
        steps: [M], the measured steps.
        shares: [S, M].
        level: of the share.
        name: of what it is a share of.

    Returns:
        The range over the seeds, as a share of the training; infinite for never.
    """
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
    """The mean ratio at one noise level and step; ratios are ordered by it.

    Attributes:
        mean: over the seeds.
        low: end of the seeds' range, widened to the 95 % interval of all their samples.
        high: its other end.
        level: by √ᾱ.
        step: of training.
    """

    mean: float
    low: float
    high: float
    level: float
    step: int


def _ratios(results: Results, measure: dict[str, Any]) -> Finding:
    """The local dependency ratio over noise levels.

    By the measure's "quantity" it is that after training, the highest of the levels there, or the
    lowest at any measured step and level.
    """
    target, levels = measure["ldr"]["target"], measure["ldr"]["levels"]
    quantity, last = measure.get("quantity", "last"), int(results.steps[-1])
    if unknown := [level for level in levels if level not in results.levels]:
        probed = ", ".join(map(str, results.levels))
        raise ValueError(f"levels {unknown} of {results.name!r} in the ledger; probed: {probed}")
    found = _ratios_at(results, target, levels, every_step=quantity == "lowest")
    if not found:
        raise ValueError(
            f"no ratio of {results.name!r} in the ledger: "
            f"every Jacobian vanishes at levels {levels}"
        )
    least, most = min(found), max(found)
    when = "at any measured step" if quantity == "lowest" else f"after {last:,} steps"
    says = (
        f"LDR of {TARGET_NAMES[target]} {when}: lowest **{least.mean:.3f}** "
        f"({least.low:.3f} to {least.high:.3f}) at √ᾱ = {least.level:g}"
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
    """The ratio at each level, after training or at all measured steps, where a seed has one."""
    steps, summaries = results.steps.tolist(), results.summaries(target, levels)
    rows = range(1, len(steps) + 1) if every_step else [len(steps)]
    found = []
    for level in levels:
        for row in rows:
            of_seeds = [by_row[row] for by_row in summaries[level]]
            defined = [summary for summary in of_seeds if summary is not None]
            if defined:
                mean, low, high = _over_seeds(defined)
                found.append(_Ratio(mean, low, high, level, steps[row - 1]))
    return found


def _over_seeds(summaries: list[Summary]) -> tuple[float, float, float]:
    """The mean ratio, and the seeds' range, widened to the 95 % interval of all their samples."""
    means = [summary.mean for summary in summaries]
    mean = float(np.mean(means))
    halves = [summary.high - summary.mean for summary in summaries]
    half = float(np.sqrt(sum(half**2 for half in halves)) / len(summaries))
    return mean, min(mean - half, *means), max(mean + half, *means)
