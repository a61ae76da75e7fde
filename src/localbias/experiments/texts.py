"""What records of text say: what samples read, of what kind that is, and what it is made of.

`Results` has what every experiment has; here is what only words, characters and checks are asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from localbias import grammar, reading, render
from localbias.experiments.engine import load_network
from localbias.experiments.results import Results
from localbias.experiments.setup import Setup
from localbias.measure import escape
from localbias.reading import tesseract, words
from localbias.render import from_pixels


def training_pictures(setup: Setup, count: int, generator: torch.Generator) -> list[np.ndarray]:
    """Some of the training strings as they are shown, [h, w] each, no string twice.

    Args:
        setup: whose renderer shows pictures.
        count: how many.
        generator: by which they are chosen.
    """
    chosen = torch.randperm(len(setup.train_strings), generator=generator)[:count]
    return [picture[0].numpy() for picture in setup.renderer(setup.train_strings[chosen])]


def trained_words(setup: Setup) -> list[str]:
    """The texts of the training strings, without the blanks after them."""
    return [text.rstrip() for text in setup.grammar.text(setup.train_strings)]


@dataclass(frozen=True)
class ReadTexts:
    """What the samples of some records read, S seeds at M measured steps, n samples each.

    Attributes:
        texts: [S][M][n]; with "?" where a symbol is unreadable, "" where nothing is read.
        kinds: int [S, M, n], indices into `reading.words.KINDS`, by the words trained on.
    """

    texts: list[list[list[str]]]
    kinds: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How many of each kind: int [S, M, 4]."""
        return np.stack([(self.kinds == kind).sum(-1) for kind in range(len(words.KINDS))], -1)


def read_symbols(results: Results) -> ReadTexts:
    """The texts of samples that were read symbol by symbol when their record was made."""
    return _classified(
        results,
        [
            [[text.rstrip() for text in setup.grammar.text(row)] for row in results.tokens(seed)]
            for seed, setup in enumerate(results.setups)
        ],
    )


def read_pictures(results: Results) -> ReadTexts:
    """The texts that Tesseract finds in the pictures that the records keep."""
    bar = tqdm(results.records, desc=f"Tesseract, {results.name}", unit="training")
    return _classified(
        results,
        [
            [tesseract.read(from_pixels(pixels)) for pixels in record.arrays["samples"]]
            for record in bar
        ],
    )


def _classified(results: Results, texts: list[list[list[str]]]) -> ReadTexts:
    """The texts with their kinds, by the words that each record was trained on."""
    kinds = [
        [words.classify(row, trained_words(setup)) for row in by_step]
        for setup, by_step in zip(results.setups, texts)
    ]
    return ReadTexts(texts, np.vectorize(words.KINDS.index)(kinds))


class Misspelt(NamedTuple):
    """A sample that reads as no word.

    Attributes:
        picture: [h, w], from −1 to 1.
        text: what it reads.
    """

    picture: np.ndarray
    text: str


def misspelt(results: Results, read: ReadTexts, row: int) -> list[Misspelt]:
    """The misspelt samples among those whose pictures are kept, record by record.

    Args:
        results: the records.
        read: what their samples read.
        row: the place among the measured steps.
    """
    wrong = words.KINDS.index("misspelt")
    return [
        Misspelt(picture[0].numpy(), text)
        for record, texts, kinds in zip(results.records, read.texts, read.kinds)
        for picture, text, kind in zip(
            from_pixels(record.arrays["samples"][row]), texts[row], kinds[row]
        )
        if kind == wrong
    ]


def beside_nearest(
    samples: Sequence[Misspelt], entries: Sequence[str]
) -> list[tuple[Misspelt, str]]:
    """Each sample with the word that its text is nearest to.

    First stand those of which the smallest share of letters differs, of equals the longest.

    Args:
        samples: misspelt ones.
        entries: the words to compare with.
    """
    found = [(sample, *words.nearest(sample.text, entries)) for sample in samples]
    found.sort(key=lambda one: (one[2] / len(one[0].text), -len(one[0].text)))
    return [(sample, word) for sample, word, _ in found]


def known_ngrams(results: Results, n: int) -> tuple[np.ndarray, list[float]]:
    """The share of n-letter windows of readable samples that occur in some word of the list.

    Args:
        results: the records, whose samples count together.
        n: letters in a window.

    Returns:
        The measured steps with readable samples (the first where there is none), and the mean share
        at each, NaN without a sample.
    """
    pooled = torch.cat([results.tokens(seed) for seed in range(len(results.records))], 1)
    readable = (pooled >= 0).all(-1)
    rows = readable.any(1).nonzero()[:, 0].tolist() or [0]
    law = results.setup.grammar
    shares = [grammar.known_ngrams(pooled[row][readable[row]], law, n).mean() for row in rows]
    return results.steps[rows], [share.item() for share in shares]


def distances(
    results: Results, denoisers: Mapping[str, Callable]
) -> dict[tuple[float, int], dict[str, float]]:
    """How far the network's x̂0 is from that of exact denoisers, at the probe's noised signals.

    Args:
        results: the first record is taken, at the steps whose weights it keeps.
        denoisers: by name.

    Returns:
        (√ᾱ, step) -> name -> mean squared distance a number of the signal, for each level that is
        probed closer and each step; nothing where no weights are kept.
    """
    setup, found = results.setup, {}
    for level in results.probing.closer:
        x_t, t = setup.probe.at(level)
        for step in setup.experiment.keep:
            network = load_network(results.records[0], step)
            with torch.no_grad():
                x0 = setup.schedule.predict(network, x_t, t, "x0")
            found[level, step] = {
                name: (x0 - denoiser(x_t, t)).square().mean().item()
                for name, denoiser in denoisers.items()
            }
    return found


def known_pieces(results: Results, size: int) -> list[float]:
    """The share of inked pieces that some training picture has in the same place, at each step.

    Args:
        results: the records, whose kept samples count together.
        size: of the pieces, in pixels.
    """
    known: list[list[Tensor]] = [[] for _ in results.steps]
    for record, setup in zip(results.records, results.setups):
        trained = setup.renderer(setup.train_strings)
        for row, pixels in zip(known, record.arrays["samples"]):
            found, ink = reading.known_pieces(from_pixels(pixels), trained, size)
            row.append(found[ink])
    return [torch.cat(row).double().mean().item() for row in known]


def known_pieces_of_others(results: Results, size: int, count: int = 300) -> float:
    """The same share for the characters that come next in frequency, on which none was trained.

    Args:
        results: of an experiment on the most frequent characters.
        size: of the pieces, in pixels.
        count: how many others.
    """
    setup, n = results.setup, results.experiment.n_train
    options = {**results.experiment.parts["renderer"], "count": n + count}
    others = render.make(**options)(grammar.Characters(n + count).support[n:])
    known, ink = reading.known_pieces(others, setup.renderer(setup.train_strings), size)
    return known[ink].double().mean().item()


def escape_steps(
    renderings: Mapping[str, Mapping[float, Results]], share: float = 0.25
) -> dict[str, dict[float, list[float]]]:
    """When trainings leave the hallucination phase: rendering -> setting -> step of each seed.

    Args:
        renderings: rendering -> setting -> records.
        share: of the readable samples that may still break the rule (`measure.escape`).
    """
    return {
        rendering: {
            setting: [escape(results.steps, counts, share) for counts in results.counts]
            for setting, results in by_setting.items()
        }
        for rendering, by_setting in renderings.items()
    }


def beside_rule(results: Results, level: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The ratio along training beside the exact rule's: what `figures.setting_ratios` shows.

    Args:
        results: the records.
        level: √ᾱ.

    Returns:
        The measured steps [M], the ratio of x0 of each seed [S, M], and the rule's at the same
        signals, the mean over the seeds.
    """
    along = results.along(level)
    return along.steps, along.ratios[:, 1:], float(along.references["rule"].mean())
