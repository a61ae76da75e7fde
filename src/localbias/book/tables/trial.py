"""The table of what a trial found before the book's runs, and what became of it.

The trial had one seed for the most part. Its numbers are written here as it had them, and its words
where it had no number; beside them stand those of the records.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from IPython.display import Markdown

from localbias.book.tables.markdown import table
from localbias.experiments import Results, beyond, ladder

NEAR = 0.03  # by which shares, slopes and ratios may miss those of the trial
CONFIRMED, CHANGED, WITHDRAWN = "confirmed", "changed", "withdrawn"
# The places of the shares in `ladder.splits`.
BROKEN, TRAINED, UNSEEN = range(3)

Records = Callable[[str], Results]


class Compared(NamedTuple):
    """A number of the trial beside the records'.

    Attributes:
        what: it is.
        trial: the lowest and the highest that the trial had.
        ours: one a seed, [S].
        near: how far the two ranges may lie apart.
        words: of the trial, where it had no number; `trial` is then what they allow.
    """

    what: str
    trial: tuple[float, float]
    ours: np.ndarray
    near: float = NEAR
    words: str = ""

    @property
    def met(self) -> bool:
        """Whether the range of the seeds comes as near to the trial's as it may miss it."""
        low, high = self.trial
        return bool(self.ours.min() <= high + self.near and self.ours.max() >= low - self.near)

    def __str__(self) -> str:
        seeds = (float(self.ours.min()), float(self.ours.max()))
        return f"{self.what}: {self.words or _range(self.trial)}, now {_range(seeds)}"


class Finding(NamedTuple):
    """What a trial found, and how it is compared.

    Attributes:
        says: the trial's sentence.
        compared: the numbers, from records and the level √ᾱ at which the ratio is looked at.
    """

    says: str
    compared: Callable[[Records, float], Iterable[Compared]]


def _near_step(results: Results, step: int) -> int:
    """The place of the measured step next to one."""
    return int(np.abs(results.steps - step).argmin())


def _plateaus(records: Records, level: float) -> Iterable[Compared]:
    scalars, unet = records("parity-8-scalars"), records("parity-8-unet")
    _, shares, laws = ladder.splits(scalars)
    law, middle = laws[3], shares[:, _near_step(scalars, 2000)]
    _, of_unet, _ = ladder.splits(unet)
    yield Compared("training strings, law of order 3", (0.44, 0.44), law[:, TRAINED])
    yield Compared("new ones", (0.06, 0.06), law[:, UNSEEN])
    yield Compared("training strings, MLP on scalars", (0.42, 0.44), middle[:, TRAINED])
    yield Compared("new ones", (0.06, 0.09), middle[:, UNSEEN])
    yield Compared("training strings, UNet on glyphs", (0.26, 0.26), of_unet[:, -1, TRAINED])
    yield Compared("new ones", (0.25, 0.25), of_unet[:, -1, UNSEEN])


def _slopes(records: Records, level: float) -> Iterable[Compared]:
    results = records("parity-8-scalars")
    slopes, _ = results.slopes()
    early, late = slopes[:, _near_step(results, 1000)], slopes[:, -1]
    yield Compared("orders 1 to 3, step 1,000", (0.55, 1.7), early[:, :3].ravel())
    yield Compared("order 4", (0.12, 0.23), early[:, 3])
    yield Compared("orders 5 to 8, mean", (0, 0), early[:, 4:].mean(1), 0.1)
    yield Compared("order 4, at the end", (0.65, 0.83), late[:, 3])
    yield Compared("orders 5 to 7", (0.4, 0.6), late[:, 4:7].ravel())
    yield Compared("order 8", (0.5, 0.5), late[:, 7])


def _laws(records: Records, level: float) -> Iterable[Compared]:
    for count, trial in ((64, (0.49, 0.49)), (40, (0.13, 0.18)), (32, (0, 0)), (16, (0, 0))):
        setups = records(beyond.COUNTS[count]).setups
        broken = np.array([ladder.law_shares(setup, 3)[1] for setup in setups])
        yield Compared(f"{count} strings", trial, broken)


def _phases(records: Records, level: float) -> Iterable[Compared]:
    for count in (16, 24, 32):
        most = ladder.plateau(records(beyond.COUNTS[count]))
        yield Compared(f"the most that {count} strings ever break", (0, 0), most)
    plateaus = np.array([ladder.plateau(records(name)) for name in beyond.COUNTS.values()])
    first = np.array(list(beyond.COUNTS))[(plateaus > 0.25).argmax(0)]  # half of chance's share
    yield Compared("more than a quarter is broken from so many strings on", (40, 48), first, 0)


def _checks(records: Records, level: float) -> Iterable[Compared]:
    trial = {4: (0.98, 1), 5: (0.36, 0.9), 6: (0.19, 0.77), 8: (0.1, 0.54)}
    for order, (first, last) in trial.items():
        results = records(f"check-{order}-scalars")
        known = 1 - 2 * ladder.hallucinating(results.counts, least=0)
        at_first = known[:, _near_step(results, 700)]
        yield Compared(f"order {order}, step 700", (first, first), at_first)
        yield Compared("at the end", (last, last), known[:, -1])


def _clocks(records: Records, level: float) -> Iterable[Compared]:
    results = records("parity-8-scalars")
    found = ladder.clocks(results, level)
    ratios = results.ratios()[:, 1 + _near_step(results, 1000), results.place(level)]
    yield Compared("mean of ratios, step 1,000", (0.6, 0.75), ratios)
    yield Compared("orders 1 to 3 known from step", (700, 1000), found.low, 0)
    yield Compared("order 4", (6000, 8000), found.four, 0)
    yield Compared("ratio of means half way", (6000, 8000), found.pooled, 0)
    yield Compared("hallucination halves", (12_000, 12_000), found.halved, 0)


def _treatments(records: Records, level: float) -> Iterable[Compared]:
    ends = {
        rule: {words: _end(records(name)) for words, name in by_words.items()}
        for rule, by_words in beyond.TREATMENTS.items()
    }
    for rule, by_words in ends.items():
        nothing, held = by_words["nothing"], by_words["LDR held at the rule's"]
        for what, share in ((f"more that break {rule}", BROKEN), ("more new ones", UNSEEN)):
            more = held[:, share] - nothing[:, share].mean()
            yield Compared(f"held at the rule's, {what}", (0, 0), more, words="none")
    parity = ends["parity-8"]
    for words in ("flips that keep the rule", "all places alike"):
        broken = parity[words][:, BROKEN]
        yield Compared(f"{words}, breaks parity-8", (0.5, 0.5), broken, words="as by chance")
    for words in ("LDR pulled to 0", "half of the batch at √ᾱ .7–.9"):
        more = parity[words][:, TRAINED] - parity["nothing"][:, TRAINED].mean()
        yield Compared(f"{words}, more training strings", (NEAR, 1), more, 0, "some")


def _end(results: Results) -> np.ndarray:
    """Shares of readable samples at the end, [S, 3]."""
    counts = results.counts[:, -1, 1:]
    return counts / np.maximum(counts.sum(-1, keepdims=True), 1)


def _covariance(records: Records, level: float) -> Iterable[Compared]:
    cases = {
        "parity": ("parity-8-scalars", (1.0, 1.0)),
        "sums of digits": ("quarter-unet-470", (0.98, 0.98)),
        "Dyck words of length 8": ("dyck-8-unet", (0.8, 0.83)),
    }
    below = {"quarter-unet-470": (0.3, 0.36), "dyck-8-unet": (0.4, 0.1)}  # √ᾱ, by how much
    for title, (name, trial) in cases.items():
        levels, curves = ladder.beside_linear(records(name))
        yield Compared(f"linear ratio, {title}", trial, curves["linear"])
        at, trials = below.get(name, (np.nan, np.nan))
        if at in levels:
            less = (curves["linear"] - curves["rule"])[[levels.index(at)]]
            yield Compared(f"the rule's is lower at √ᾱ = {at:g} by", (trials, trials), less)
    unet = ladder.beside_linear(records("quarter-unet-470"))[1]
    away = np.abs(unet["network, at the end"] - unet["linear"]).max(1)
    yield Compared("the UNet on sums of digits is off the linear by", (0, 0.035), away)


FINDINGS = (
    Finding(
        "On the plateau of 64 training strings the MLP's readable samples are split as the law of "
        "order 3 splits them, a UNet's on glyphs as independent symbols do.",
        _plateaus,
    ),
    Finding("Slopes of the MLP's coefficients on its training set's, by order.", _slopes),
    Finding(
        "The law of order 3 breaks the rule with 64 strings, less with 40, not with 32 or fewer.",
        _laws,
    ),
    Finding("There is no phase of hallucination at 32 strings and fewer.", _phases),
    Finding("The coefficient of a check comes the later the higher its order.", _checks),
    Finding(
        "Orders up to 3 come first, then the ratio of means with order 4, then hallucination "
        "halves; the mean of ratios is low already with the first.",
        _clocks,
    ),
    Finding(
        "No cure: to hold the ratio at the rule's changes nothing, to close the way to memory "
        "leaves one half, to push the ratio down or to weight the middle levels memorises.",
        _treatments,
    ),
    Finding("Covariance alone gives a ratio below 1 where symbols are correlated.", _covariance),
)


def judged(compared: Iterable[Compared]) -> str:
    """*confirmed* where all the trial's numbers are met, *withdrawn* where none is, else *changed*.

    Args:
        compared: one number or more.
    """
    met = [one.met for one in compared]
    return CONFIRMED if all(met) else CHANGED if any(met) else WITHDRAWN


def findings(records: Records, level: float) -> Markdown:
    """What became of the trial's findings, one a row; numbers that are not met are bold.

    Args:
        records: name of an experiment -> its records.
        level: √ᾱ, of the ratio.

    Raises:
        ValueError: for a level that is not probed.
    """
    rows = []
    for place, finding in enumerate(FINDINGS, 1):
        compared = list(finding.compared(records, level))
        says = "<br>".join(f"{one}" if one.met else f"**{one}**" for one in compared)
        rows.append(
            {
                "": place,
                "found in a trial": finding.says,
                "now": judged(compared),
                "the trial's numbers, and those of the records": says,
            }
        )
    return table(rows)


def _range(ends: tuple[float, float]) -> str:
    """Two ends as "0.44", "0.42–0.47", "−0.03 to −0.02", "6,000–8,000", "12,000–never"."""
    low, high = (_written(end) for end in ends)
    if low == high:
        return low
    return f"{low} to {high}" if ends[0] < 0 else f"{low}–{high}"


def _written(value: float) -> str:
    if np.isinf(value):
        return "never"
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:z.2f}".replace("-", "−")
