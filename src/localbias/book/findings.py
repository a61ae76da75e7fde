"""The results of this book that surprised us: sentences whose numbers are read from records."""

from collections.abc import Callable

import numpy as np

from localbias.book.claims import CLAIMS
from localbias.book.ledger import SEEDS
from localbias.exact import NAMES
from localbias.experiments import Results, catalogue
from localbias.experiments.recursion import stem_of
from localbias.measure import readable_share
from localbias.statistics import mean_interval, share_over_seeds
from localbias.store import RECORDS, find

Finding = Callable[[], str]


def findings() -> list[str]:
    """The sentences, in Markdown with links to figures and to rows of the ledger.

    Raises:
        ValueError: where a record is missing, naming the experiment.
    """
    return [
        finding() for finding in (chance, perfect, one_half, new_ones_too, without_memory, sign)
    ]


def chance() -> str:
    """The UNet on four digits keeps the rule as often as independent digits do."""
    shown = _results("quarter-unet-470")
    mean, low, high = readable_share(shown.counts[:, -1], [2, 3])
    by_chance = sum(shown.chance[2:])
    return (
        f"**Nothing but chance.** A UNet draws four digits, and of those that can be read "
        f"{mean:.1%} ({low:.1%} to {high:.1%}) keep the rule. Digits drawn one by one would keep "
        f"it in {by_chance:.1%}. {{numref}}`fig-outcomes-quarter`, "
        f"{{ref}}`in the ledger <claim-quarter-unet>`."
    )


def perfect() -> str:
    """The ratio of the noise is near 1 for a perfect network too."""
    shown, level = _results("quarter-unet-470"), 0.3
    rule, at = NAMES.index("rule"), shown.place(level)
    noise, clean = (
        shown.reference_ratios(target)[:, rule, at].mean() for target in ("noise", "x0")
    )
    return (
        f"**A perfect network has a ratio of {noise:.3f}.** That is the exact denoiser of the rule "
        f"on four digits, at √ᾱ = {level:g}, and the ratio is that of the noise, which the paper's "
        f"formula names: there it says nothing about locality. Of the predicted clean image the "
        f"same denoiser has {clean:.2f}. {{numref}}`fig-ldr-three-targets`, "
        f"{{ref}}`in the ledger <claim-ldr-dit>`."
    )


def one_half() -> str:
    """Two networks break parity's rule equally often and know different things."""
    local, climbing = _results("parity-8-unet"), _results("parity-8-scalars")
    middle = list(climbing.steps).index(2000)
    broken, trained = [], []
    for counts in (local.counts[:, -1], climbing.counts[:, middle]):
        total = counts.sum(0)
        broken.append(total[1] / total[1:].sum())
        trained.append(total[2] / total[2:].sum())
    return (
        f"**One half can be two laws.** A UNet and a dense network break parity's rule in "
        f"{broken[0]:.0%} and {broken[1]:.0%} of what can be read. Of their valid strings "
        f"{trained[0]:.0%} and {trained[1]:.0%} are training strings: the first tosses coins, the "
        f"second knows its training set's pairs and triples. {{numref}}`fig-beyond-ladder`, "
        f"{{ref}}`in the ledger <claim-parity-8-half>`."
    )


def without_memory() -> str:
    """On Dyck words the ratio falls while the network learns the rule."""
    shown, level = _results("dyck-16-unet-row"), 0.7
    place, rule = shown.place(level), NAMES.index("rule")
    ratios = shown.ratios()[:, 1:, place].mean(0)
    exact = shown.reference_ratios()[:, rule, place].mean()
    total, known = len(shown.setup.grammar.support), shown.experiment.n_train
    counts = shown.counts[:, -1]
    valid, new = (share_over_seeds(counts[:, first:].sum(1), counts.sum(1)) for first in (2, 3))
    return (
        f"**The ratio falls without memorising.** A UNet is shown {known} of the {total:,} Dyck "
        f"words of length 16. Its ratio falls from {ratios.max():.2f} to {ratios[-1]:.2f}, near "
        f"the exact rule's {exact:.2f}, and in the end {valid[0]:.0%} ({valid[1]:.0%} to "
        f"{valid[2]:.0%}) of its samples are valid, {new[0]:.0%} ({new[1]:.0%} to {new[2]:.0%}) "
        f"valid words that it never saw. "
        f"{{numref}}`fig-dyck-unet-along-training`, "
        f"{{ref}}`in the ledger <claim-fall-is-memory>`."
    )


def new_ones_too() -> str:
    """Of the valid sums that a DiT draws it was shown as many as of all, or all, if it saw few."""
    few, many = _results("quarter-token-dit-50"), _results("quarter-token-dit-470")
    known = [
        share_over_seeds(one.counts[:, -1, 2], one.counts[:, -1, 2:].sum(1)) for one in (few, many)
    ]
    (memory, *_), (mean, low, high) = known
    shown, total = many.experiment.n_train, len(many.setup.grammar.support)
    valid = readable_share(many.counts[:, -1], [2, 3])[0]
    return (
        f"**With many strings, new ones too.** A DiT is shown {shown} of the {total} sums, "
        f"{shown / total:.0%}. At the end of training {valid:.0%} of its samples keep the rule, "
        f"and {mean:.0%} ({low:.0%} to {high:.0%}) of those are sums that it was shown. Shown "
        f"only {few.experiment.n_train}, the same DiT draws next to no others: {memory:.0%} of its "
        f"valid samples are among them. {{numref}}`fig-directions`, "
        f"{{ref}}`in the ledger <claim-quarter-extrapolation>`."
    )


def sign() -> str:
    """A sign in Theorem 5.3."""
    claim = CLAIMS["thm-5.3-2-least"]
    return (
        f"**A sign in Theorem 5.3.** The second half of its second bullet "
        f"{{verdict}}`thm-5.3-2-least`: {claim.evidence().says} "
        f"{{ref}}`In the ledger <claim-thm-5.3-2-least>`, with what "
        f"{{ref}}`checks it <check-thm-5.3-2-least>`."
    )


def sorted_batches() -> str:
    """What reading filtered points in the order of their variance does to the next networks.

    Chains of both kinds with the same seed are compared: they have the same first network.
    """
    folder, pairs = RECORDS / "chains", []
    for seed in range(catalogue.CHAINED["sorted"]):
        both = [catalogue.chain(name, "laptop", seed) for name in ("sorted", "filter")]
        found = [find(one.stem, stem_of, folder) for one in both]
        if not all(found):
            raise ValueError(f"no record of {both[0].stem} or of {both[1].stem}")
        pairs.append([record.arrays for record in found if record])
    bad, width = (
        mean_interval(np.array([after[name][-1] - before[name][-1] for after, before in pairs]))
        for name in ("bad", "width")
    )
    plain = np.mean([before["bad"][-1] for _, before in pairs])
    said = [
        f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"
        for mean, low, high in (100 * np.array(bad), width)
    ]
    return (
        f"With the same seeds, {len(pairs)} chains of three generations here end with "
        f"{said[0]} percentage points more of their samples in no mode than with batches at random "
        f"({plain:.1%}), and with modes that are {said[1]} σ wider (means and 95 % intervals over "
        "the pairs)."
    )


ASIDES: dict[str, Finding] = {"sorted-batches": sorted_batches}


def _results(name: str) -> Results:
    """The book's records of an experiment."""
    records = catalogue.found(name, "laptop", SEEDS)
    if not records:
        raise ValueError(f"no record of {name!r}, of which the book's first page speaks")
    return Results(records)
