"""The first page: the picture has the record's numbers, and what surprised us has the ledger's."""

import re

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from localbias import store
from localbias.book import findings, ledger, opening
from localbias.book.chapters import CARD
from localbias.experiments import catalogue, recursion
from localbias.measure import OUTCOMES
from localbias.statistics import share_over_seeds, wilson
from localbias.store import ROOT


@pytest.fixture(scope="module")
def shown():
    return opening.results()


@pytest.fixture(scope="module")
def page(shown):
    return BeautifulSoup(opening.opening(shown), "html.parser")


def test_every_measured_step_is_a_moment_and_one_is_seen(page, shown):
    moments = page.select(".moment")
    assert [one["data-step"] for one in moments] == [f"step {step:,}" for step in shown.steps]
    (seen,) = [place for place, one in enumerate(moments) if not one.has_attr("hidden")]
    assert seen == np.argmax(shown.counts[0, :, 1])
    knob = page.select_one("input[type=range]")
    assert (knob["value"], knob["max"]) == (str(seen), str(len(moments) - 1))
    assert page.select_one(f"label[for={knob['id']}]") and knob.has_attr("disabled")


def test_a_moment_says_what_its_record_does(page, shown):
    words = list(opening.WORDS.values())
    for row, moment in enumerate(page.select(".moment")):
        text = " ".join(moment.get_text(" ").split())
        shares = shown.counts[0, row] / shown.counts[0, row].sum()
        assert ", ".join(f"{share:.0%} {word}" for share, word in zip(shares, words)) in text
        ratio = shown.ratios()[0, row + 1, shown.place(opening.LEVEL)]
        assert f"{ratio:.0%} of it lies in the letter's own place" in text
        kinds = [item["class"][0] for item in moment.select("ul.drawn li")]
        expected = [OUTCOMES[k].replace(" ", "-") for k in shown.outcomes()[row, : opening.SHOWN]]
        assert kinds == expected
        for item, kind in zip(moment.select("ul.drawn li"), kinds):
            # The outcome is written, and what can be read is read out: colour only helps.
            assert item.get_text() == opening.WORDS[kind.replace("in-dataset", "in dataset")]
            assert item.img["alt"].startswith("Not readable" if kind == "invalid" else "Reads “")


def test_the_picture_is_light(page):
    assert len(str(page)) < 200_000


def test_the_card_has_the_size_that_previews_ask_for():
    for name, size in (("card", CARD), ("readme", None)):
        image = Image.open(ROOT / "book" / "images" / f"{name}.png")
        assert size in (None, image.size)
        assert np.asarray(image.convert("L")).std() > 40  # not blank


def test_results_with_numbers_figures_and_rows():
    found = findings.findings()
    rows = {row["id"] for row in ledger.rows()}
    assert len(found) == 6
    for text in found:
        assert re.search(r"\d", text) and "nan" not in text
        claims = re.findall(r"<claim-([\w.-]+)>", text)
        assert claims and set(claims) <= rows
    figures = re.findall(r"`fig-([\w-]+)`", " ".join(found))
    from localbias.book.origins import all_origins

    assert len(figures) == 5 and set(figures) <= set(all_origins())


def test_a_finding_has_the_number_of_the_record():
    from localbias.experiments import Results, catalogue

    unet = Results(catalogue.found("quarter-unet-470", "laptop", (0, 1, 2)))
    counts = unet.counts[:, -1]
    share = (counts[:, 2:].sum(1) / counts[:, 1:].sum(1)).mean()
    assert f"can be read {share:.1%} (" in findings.chance()
    assert f"keep it in {unet.chance[2] + unet.chance[3]:.1%}" in findings.chance()


def test_of_many_strings_new_ones_come_as_the_rule_has_them_and_of_few_none():
    """What the sentence says in words holds of the records; if not, it has to say something else."""
    from localbias.experiments import Results, catalogue

    known, shares = {}, {}
    for n in (50, 470):
        one = Results(catalogue.found(f"quarter-token-dit-{n}", "laptop", (0, 1, 2)))
        known[n], new = (one.counts[:, -1, k] for k in (2, 3))
        shares[n] = share_over_seeds(known[n], known[n] + new)
    assert shares[470][1] <= 470 / 670 <= shares[470][2] < 0.85 and shares[50][1] > 0.95
    text = findings.new_ones_too()
    assert "shown 470 of the 670 sums, 70%" in text and f"and {shares[470][0]:.0%} (" in text
    assert "Shown only 50" in text and f"{shares[50][0]:.0%} of its valid" in text


def test_the_unet_on_long_dyck_words_knows_more_than_pairs_and_favours_no_word():
    """What the first page and chapter 4 say in words holds of the records."""
    from localbias.experiments import Results, catalogue
    from localbias.grammar import maximum_entropy

    unet = Results(catalogue.found("dyck-16-unet-row", "laptop", (0, 1, 2)))
    setup, counts = unet.setup, unet.counts[:, -1]
    valid, shown = counts[:, 2:].sum(1), setup.experiment.n_train / len(setup.grammar.support)
    _, low, high = share_over_seeds(counts[:, 2], valid)
    assert low <= shown <= high < 0.6
    pairs = maximum_entropy(setup.train_strings, 2, 2)
    by_pairs = pairs.probabilities[setup.grammar.is_valid(pairs.strings)].sum()
    assert wilson(valid.sum(), counts.sum())[0] > by_pairs
    ratios = unet.ratios()[:, 1:, unet.place(0.7)].mean(0)
    exact = unet.reference_ratios()[:, :, unet.place(0.7)].mean(0)
    away = dict(zip(unet.references, np.abs(exact - ratios[-1])))
    assert max(away["rule"], away["pairs"]) < 0.05 < 0.1 < away["train"]
    assert ratios.max() - ratios[-1] > 0.1 and unet.nearest(0.7) == "rule"
    assert 0.8 < ratios.max() < 0.9
    told = f"Its ratio falls from {ratios.max():.2f} to {ratios[-1]:.2f}, near"
    assert told in findings.without_memory()


def test_a_missing_record_is_named(monkeypatch):
    for module, asked in ((findings, findings.chance), (opening, opening.results)):
        monkeypatch.setattr(module.catalogue, "found", lambda *_, **__: [])
        with pytest.raises(
            ValueError, match="no record of '(quarter-unet-470|short-words-unet-30)'"
        ):
            asked()


def test_the_tally_counts_every_row():
    rows = ledger.rows()
    counts = ledger.tally(rows)
    assert sum(counts.values()) == len(rows) and list(counts) == list(ledger.VERDICTS)
    assert counts["holds"] == sum(row["verdict"] == "holds" for row in rows)


def test_the_effect_of_sorted_batches_is_of_pairs_with_the_same_beginning():
    for seed in range(catalogue.CHAINED["sorted"]):
        both = [
            store.find(
                catalogue.chain(name, "laptop", seed).stem,
                recursion.stem_of,
                recursion.CHAINS,
            ).arrays["bad"]
            for name in ("sorted", "filter")
        ]
        assert both[0][1] == both[1][1] and both[0][2] != both[1][2]
    said = findings.ASIDES["sorted-batches"]()
    mean, low, high = map(float, re.findall(r"[+-]\d+\.\d+", said)[:3])
    assert low < mean < high
