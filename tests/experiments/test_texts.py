"""What records of text say, on records made by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from localbias import grammar, render
from localbias.experiments import Results, Setup, catalogue, texts
from localbias.reading.words import KINDS
from localbias.store import Record

# Words of at most four letters; no network of this shape is built.
WORDS = dict(
    grammar=dict(name="lexicon", words=["cat", "cot", "dog", "rate"]),
    renderer=dict(name="words", grid=[1, 4], image=[12, 48], words=["cat", "cot", "dog", "rate"]),
    n_train=2,
)


def record(experiment, **arrays):
    """A record that was never stored."""
    found = Record(Path(f"{experiment.stem}.json"), {"experiment": experiment.configuration})
    found.__dict__["arrays"] = arrays
    return found


def of_words(seed=0, **arrays):
    return record(catalogue.make("words-dit-30", "smoke", seed).replace(**WORDS), **arrays)


def spelt(law, *words):
    """Tokens int8 [n, L]; "?" is unreadable."""
    return np.array(
        [[law.alphabet.index(c) if c != "?" else -1 for c in word.ljust(4)] for word in words],
        np.int8,
    )


@pytest.fixture(scope="module")
def words():
    """Two seeds, two steps: words that were trained on, others, and what is no word."""
    setups = [Setup(catalogue.make("words-dit-30", "smoke", s).replace(**WORDS)) for s in (0, 1)]
    law = setups[0].grammar
    records = []
    for seed, setup in enumerate(setups):
        seen, other = (law.text(some)[0].rstrip() for some in (setup.train_strings, setup.held_out))
        rows = [spelt(law, "????", "c?t", seen), spelt(law, "tgc", other, "o o")]
        pixels = np.arange(2 * 2 * 12 * 48, dtype=np.uint8).reshape(2, 2, 1, 12, 48) + seed
        tokens = np.stack(rows)
        records.append(of_words(seed, step=np.array([10, 20]), tokens=tokens, samples=pixels))
    return Results(records)


def test_training_pictures_are_distinct_strings_as_they_are_shown():
    setup = Setup(catalogue.make("characters-dit-50", "smoke"))
    shown = texts.training_pictures(setup, 3, torch.Generator().manual_seed(1))
    every = [picture[0].numpy() for picture in setup.renderer(setup.train_strings)]
    places = {
        next(k for k, one in enumerate(every) if np.array_equal(one, picture)) for picture in shown
    }
    assert len(places) == 3


def test_trained_words_have_no_blanks_around_them():
    setup = Setup(catalogue.make("words-dit-30", "smoke"))
    found = texts.trained_words(setup)
    assert len(set(found)) == 30 and set(found) <= set(setup.grammar.entries)


def test_symbols_are_read_to_texts_of_every_kind(words):
    read = texts.read_symbols(words)
    assert [read.texts[0][0][:2], read.texts[1][1][0]] == [["????", "c?t"], "tgc"]
    names = [[KINDS[kind] for kind in row] for row in read.kinds[1]]
    assert names == [
        ["fuzzy", "fuzzy", "in the training set"],
        ["misspelt", "another English word", "misspelt"],
    ]
    assert read.counts.tolist() == [[[2, 0, 1, 0], [0, 2, 0, 1]]] * 2


def test_pictures_are_read_by_tesseract():
    few = ["because", "letter", "picture"]
    experiment = catalogue.make("lines-dit-30", "smoke").replace(
        grammar=dict(name="lexicon", whole=True, words=few),
        renderer=dict(name="lines", image=[16, 96], words=few),
        n_train=2,
    )
    setup = Setup(experiment)
    word = texts.trained_words(setup)[0]
    shown = setup.renderer(torch.tensor([[setup.grammar.entries.index(word)]]))
    blank = torch.full_like(shown, -1)
    pixels = render.to_pixels(torch.cat([shown, blank])).numpy()[None]
    read = texts.read_pictures(Results([record(experiment, samples=pixels)]))
    assert read.texts == [[[word, ""]]]
    assert read.counts.tolist() == [[[1, 0, 1, 0]]]


def test_misspelt_samples_come_with_their_pictures(words):
    found = texts.misspelt(words, texts.read_symbols(words), 1)
    assert [one.text for one in found] == ["tgc", "tgc"]  # the third picture was not kept
    first = words.records[0].arrays["samples"][1, 0, 0] / 127.5 - 1
    np.testing.assert_allclose(found[0].picture, first, atol=1e-6)
    assert not texts.misspelt(words, texts.read_symbols(words), 0)


def test_the_nearest_in_share_of_their_letters_stand_first():
    samples = [texts.Misspelt(np.zeros((1, 1)), text) for text in ("xog", "cot", "houze", "house")]
    found = [(one.text, word) for one, word in texts.beside_nearest(samples, ["dog", "house"])]
    assert found == [("house", "house"), ("houze", "house"), ("xog", "dog"), ("cot", "dog")]


def test_known_ngrams_are_of_readable_samples_of_all_seeds(words):
    steps, shares = texts.known_ngrams(words, 2)
    assert steps.tolist() == [10, 20]
    law = words.setup.grammar
    assert shares[0] == 1  # one training word of each seed, and unreadable ones that do not count
    pooled = torch.cat([words.tokens(0)[1], words.tokens(1)[1]])
    assert shares[1] == grammar.known_ngrams(pooled, law, 2).mean().item() < 1


def test_known_ngrams_where_nothing_is_readable():
    tokens = np.full((2, 3, 4), -1, np.int8)
    steps, shares = texts.known_ngrams(Results([of_words(step=np.array([1, 2]), tokens=tokens)]), 2)
    assert steps.tolist() == [1] and np.isnan(shares).all()


def test_distances_are_mean_squares_at_the_probes_signals(monkeypatch):
    experiment = catalogue.make("words-dit-30", "smoke").replace(**WORDS)
    results = Results([record(experiment.replace(keep=experiment.measure_at[-1:]))])
    setup = results.setup
    by_name = {name: setup.references[name] for name in ("marginals", "rule")}
    monkeypatch.setattr(texts, "load_network", lambda found, step: by_name["marginals"])
    found = texts.distances(results, by_name)
    level, step = setup.experiment.probing.closer[0], setup.experiment.keep[0]
    assert found.keys() == {(one, step) for one in setup.experiment.probing.closer}
    x_t, t = setup.probe.at(level)
    gap = (by_name["marginals"](x_t, t) - by_name["rule"](x_t, t)).square().mean().item()
    assert found[level, step] == {"marginals": 0, "rule": gap} and gap > 0
    assert texts.distances(Results([record(experiment.replace(keep=()))]), by_name) == {}


@pytest.fixture(scope="module")
def characters():
    """Samples of the first step are training characters, of the second others and a blank."""
    experiment = catalogue.make("characters-dit-50", "smoke")
    n, size = experiment.n_train, experiment.renderer["size"]
    shown = render.Characters(n + 8, size)(grammar.Characters(n + 8).support)
    blank = torch.full_like(shown[:1], -1)
    samples = torch.stack([shown[:4], torch.cat([shown[n : n + 3], blank])])
    pixels = render.to_pixels(samples).numpy()
    return Results([record(experiment, step=np.array([1, 2]), samples=pixels)]), shown


def brute_share(signals, known, size):
    """Of the pieces with ink, how many are near that very piece of a known picture."""
    found = []
    for signal in signals:
        for top in range(0, signal.shape[-2], size):
            for left in range(0, signal.shape[-1], size):
                place = slice(top, top + size), slice(left, left + size)
                piece, pieces = signal[0][place], known[:, 0, place[0], place[1]]
                if (piece > 0).any():
                    away = (pieces - piece).square().mean((1, 2)).sqrt().min()
                    found.append(bool(away <= 0.3))
    return np.mean(found)


def test_known_pieces_by_brute_force(characters):
    results, shown = characters
    n = results.experiment.n_train
    known = texts.known_pieces(results, 8)
    assert known[0] == 1  # blank pieces do not count
    assert known[1] == pytest.approx(brute_share(shown[n : n + 3], shown[:n], 8))
    assert 0 < known[1] < 1


def test_pieces_of_characters_that_come_next_by_brute_force(characters):
    results, shown = characters
    n = results.experiment.n_train
    found = texts.known_pieces_of_others(results, 8, count=8)
    assert found == pytest.approx(brute_share(shown[n : n + 8], shown[:n], 8))


def test_escapes_are_of_each_setting_and_seed():
    readable, broken = [0, 10, 80, 10], [0, 80, 10, 10]
    counts = np.array([[broken, readable, readable], [broken, broken, broken]])
    results = SimpleNamespace(steps=np.array([10, 20, 30]), counts=counts)
    assert texts.escape_steps({"glyphs": {2: results}}) == {"glyphs": {2: [20, np.inf]}}
    strict = texts.escape_steps({"glyphs": {2: results}}, 0.05)
    assert strict == {"glyphs": {2: [np.inf, np.inf]}}


def test_the_ratio_stands_beside_the_exact_rules():
    along = SimpleNamespace(
        steps=np.array([1, 2]),
        ratios=np.array([[0.1, 0.9, 0.8], [0.2, 0.7, 0.6]]),
        references={"marginals": np.ones(2), "rule": np.array([0.5, 0.7])},
    )
    results = SimpleNamespace(along=lambda level: along)
    steps, ratios, rule = texts.beside_rule(results, 0.7)
    assert steps.tolist() == [1, 2] and ratios.tolist() == [[0.9, 0.8], [0.7, 0.6]]
    assert rule == pytest.approx(0.6)
