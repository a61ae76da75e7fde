"""The tables of chapter 4 say what they are given."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from localbias.book.tables import text as tables
from localbias.exact import OverLevels


def cells(markdown):
    """The rows of a table, the header first, and what stands around it."""
    lines = markdown.data.splitlines()
    rows = [line for line in lines if line.startswith("|") and not line.startswith("|:")]
    around = [line for line in lines if line and not line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows], around


def test_the_band_of_the_rule():
    levels = np.array([0.1, 0.2, 0.3])
    panel = OverLevels(levels, {}, np.array([0.1, 5.0, 1.0]), (0.2, 0.3))
    rows, around = cells(tables.rule_bands({"words": panel}, "Below."))
    assert rows == [
        ["rendering", "√ᾱ at which the rule matters", "most at"],
        ["words", "0.20 to 0.30", "0.2"],
    ]
    assert around == ["Below."]


def test_accuracies_of_texts_come_with_intervals():
    accuracy = {"noise": [0, 0.25], "right": [0.5, 0.0], "refused": [0.25, 1.0], "wrong": [0.25, 0]}
    rows, around = cells(tables.text_accuracy({"words": accuracy}, 100, (16, 96)))
    assert rows[1:] == [
        ["words", "0", "50.0% (40.4% to 59.6%)", "25.0%", "25.0%"],
        ["words", "0.25", "0.0% (0.0% to 3.7%)", "100.0%", "0.0%"],
    ]
    assert around[0].startswith("Proportional words of 16 × 96 pixels, read by Tesseract; 100 each")


def test_ends_of_training_beside_chance():
    counts = np.array([[[0, 100, 0, 0], [0, 10, 60, 30]], [[0, 100, 0, 0], [0, 20, 40, 40]]])
    results = SimpleNamespace(
        counts=counts,
        chance=[0, 0.75, 0.2, 0.05],
        experiment=SimpleNamespace(n_train=30),
        setup=SimpleNamespace(grammar=SimpleNamespace(support=torch.zeros(40, 8))),
        nearest=lambda level: f"rule at {level}",
    )
    rows, around = cells(tables.ends({"Dyck": results}, 0.7))
    assert rows[0][1:3] == ["hallucination", "its chance"]
    # Means of two seeds; the range is wider than the interval of all 200 samples.
    assert rows[1] == [
        "Dyck",
        "15% (10% to 21%)",
        "75%",
        "50% (40% to 60%)",
        "35% (29% to 42%)",
        "25%",
        "rule at 0.7",
    ]
    assert around[0].startswith("At the end of training; means over the seeds")


def test_information_of_one_two_and_all_others():
    bits = torch.tensor([0, 0.1, 0.2, 1]), torch.tensor([0, 0.3, 0.4, 1])
    rows, around = cells(tables.information({"Dyck": bits}))
    assert rows[1] == ["Dyck", "0.300", "0.100", "0.400", "0.200", "1.000"]
    assert rows[0][1:3] == ["best single other symbol", "any one, on average"]
    assert around == ["Bits about the symbol of the figure."]


def test_escapes_by_order_stand_beside_the_flow():
    steps = {"MLP": {2: [1000.0, 2000.0], 3: [np.inf]}, "longer": {3: [22_000.0]}}
    rows, _ = cells(tables.escapes_by_order(steps, {3: [29.4, 1230.0]}))
    assert rows == [
        ["check of", "MLP", "longer", "flow, chapter 3"],
        ["2", "1,000, 2,000", "not run", "(a pair: there is a force from the start)"],
        ["3", "–", "22,000", "29, 1,230"],
    ]


def test_escapes_by_correlation():
    steps = {"MLP": {0: [np.inf], 0.9: [10.0]}, "DiT": {0: [5.0], 0.9: [np.inf]}}
    rows, around = cells(tables.escapes_by_correlation(steps))
    assert rows == [["correlation ρ", "MLP", "DiT"], ["0", "–", "5"], ["0.9", "10", "–"]]
    assert not around


def test_kinds_of_what_letter_models_draw():
    drawn = {"pairs": ["house", "tgc", "cat", "tgc "], "list": ["cat"] * 4}
    rows, around = cells(tables.letter_models(drawn, ["cat", "dog"]))
    assert rows == [
        ["model", "misspelt", "on the list", "another English word"],
        ["pairs", "50.0%", "25.0%", "25.0%"],
        ["list", "0.0%", "100.0%", "0.0%"],
    ]
    assert around[0].startswith("What letter models draw, 4 samples each")


def test_the_nearest_denoiser_is_in_bold():
    found = {
        (0.2, 1200): {"marginals": 0.001, "the list": 0.00171},
        (0.5, 150): {"marginals": 1.0, "the list": 0.5},
    }
    rows, _ = cells(tables.distances(found))
    assert rows == [
        ["√ᾱ", "step", "marginals", "the list"],
        ["0.2", "1,200", "**0.0010**", "0.0017"],
        ["0.5", "150", "1.0000", "**0.5000**"],
    ]
    assert tables.distances({}).data == "(This seed keeps no weights.)"


def test_a_table_without_rows_is_refused():
    with pytest.raises(ValueError, match="a table without a row"):
        tables.rule_bands({})
