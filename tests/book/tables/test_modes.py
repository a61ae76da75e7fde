"""The tables of chapter 5 say what counts, points and ways say."""

import numpy as np
import pytest
import torch

from localbias.book.tables import modes as tables
from localbias.experiments import Results, Sampling, catalogue, engine, filters
from localbias.grammar.columns import MORE, NONE, ONE, OTHER
from localbias.render import Shapes
from localbias.statistics import Auc


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modes")
    found = [
        engine.run(
            catalogue.make("grid-25-gentle", "smoke", seed),
            "cpu",
            folder=folder / "records",
            runs=folder / "runs",
        )
        for seed in (0, 1)
    ]
    return Results(found)


def test_controls_stand_beside_the_network(rows, results):
    also = np.array([[[1, 0, 9, 0]], [[3, 0, 7, 0]]])
    how = Sampling(10, 50, clamp=None)
    ours = results([[[10, 0, 0, 0]] * 2] * 2, arrays={"also": also}, also=(how,))
    (row,) = rows(tables.controls({"x": ours}, {"x": [np.array([1, 0, 99, 0])]}, {"x": [how]}))
    assert row["network"].startswith("20.00% (") and row["exact score"].startswith("1.00% (0.18%")
    assert row["sampled by"] == "DDIM, 50 steps, no clamp of x̂0"


def test_widths_are_in_units_of_sigma(rows, grid):
    shown = grid.setup.renderer
    tokens = np.tile(np.array([[1, 3]]), (2, 500, 1))
    noise = np.random.default_rng(0).normal(size=(2, 500, 2)) * shown.spread / 2
    points = (shown.positions.numpy()[[1, 3]] + noise).astype(np.float32)
    record = grid.records[0]
    before = record.__dict__["arrays"] if "arrays" in record.__dict__ else record.arrays
    record.__dict__["arrays"] = dict(before) | {"tokens": tokens, "samples": points}
    (row,) = rows(tables.widths({"half": Results([record])}))
    assert row["width of a mode, in σ (range of the seeds)"].startswith("0.5")
    record.__dict__["arrays"] = before


def test_whereabouts_add_up_to_all_that_is_in_no_mode(rows, grid):
    (row,) = rows(tables.whereabouts({"grid": grid}))
    numbers = [
        int(row[name].split(" ")[0]) for name in ("between neighbours", "between more", "outside")
    ]
    assert sum(numbers) == grid.counts[:, -1, 0].sum()


def test_cuts_and_questions_are_those_of_filters(rows, grid):
    (row,) = rows(tables.cuts({"grid": grid}, {"grid": [-1]}))
    assert row["step"] == "20"
    if filters.cut(grid, -1) is None and filters.cut(grid, -1, seed=1) is None:
        assert row["window chosen"] == "too few"
    by_window = filters.variances(grid)
    found = {name: filters.areas(grid, v, "unreadable") for name, v in by_window.items()}
    names, curves = tables.by_moment(grid, found)
    assert names == list(by_window) and set(curves) == {"step 10", "step 20"}
    assert all(areas.shape == (2, len(names)) for areas in curves.values())


def test_questions_take_the_best_window_and_both_ends_of_the_levels(tmp_path):
    made = catalogue.make("parity-8-scalars-watched", "smoke", 0)
    record = engine.run(made, "cpu", folder=tmp_path / "records", runs=tmp_path / "runs")
    n = record.arrays["tokens"].shape[1]
    tokens = np.zeros((2, n, 8), int)
    tokens[:, ::2, 0] = -1
    moves = np.random.default_rng(0).random((2, 4, n))
    moves[:, 2, ::2] += 3
    record.__dict__["arrays"] = dict(record.arrays) | {"tokens": tokens, "trajectory": moves}
    asked = tables.questions({"p": Results([record])})
    assert list(asked) == ["p, step 10: unreadable", "p, step 20: unreadable"]
    by = asked["p, step 20: unreadable"]
    assert list(by) == [
        "variance, last steps",
        "variance, best window",
        *("LDR, in the band", "‖J‖², in the band", "LDR, late", "‖J‖², late"),
    ]
    assert by["variance, best window"][0].value == 1


def test_areas_are_ranges_of_seeds_or_an_interval():
    one, other = Auc(0.8, 0.7, 0.9, 5, 5), Auc(0.6, 0.5, 0.7, 5, 5)
    assert tables.areas([one, None, other]) == "0.70 (0.60 to 0.80)"
    assert tables.areas([one]) == "0.80 (0.70 to 0.90)" and tables.areas([None]) == "too few"


def test_the_detector_is_right_where_who_counts_pixels_is_not(rows):
    found = {row["picture"]: row for row in rows(tables.detector(Shapes(24, 12, 26.0), 60, 0))}
    right, passes = "detector reads all three columns right", "passes a count of white pixels"
    assert all(row[right].startswith("100.0%") for row in found.values())
    assert found["as in the data"][passes] == found["another column's shape"][passes] == "100%"
    assert found["nothing at all"][passes] == found["two of a kind in a column"][passes] == "0%"


def test_mistakes_in_shapes_are_counted_by_their_kind(rows):
    class Two:
        steps = np.array([5, 7])
        records = [None, None]

        def tokens(self, seed):
            right = [[ONE, ONE, NONE]] * 4
            first = [[OTHER, MORE, ONE], [ONE, MORE, NONE], [NONE, NONE, NONE], [OTHER, ONE, -1]]
            return torch.tensor([first if seed == 0 else [[OTHER, ONE, ONE]] * 4, right])

    early, late = rows(tables.shape_mistakes(Two(), (5, 7)))
    assert early["step"] == "5" and late["step"] == "7"
    shares = [early[kind].split(" ")[0] for kind in list(early)[1:]]
    assert shares == ["62.5%", "25.0%", "12.5%"], "means over the seeds"
    assert {late[kind].split(" ")[0] for kind in list(late)[1:]} == {"0.0%"}


def test_generations_are_means_of_the_last_one(rows):
    values = np.array([[0.0, 0.1], [0.0, 0.3]])
    (row,) = rows(tables.generations({"none": {"bad": values, "kept": values, "width": values}}))
    assert row["chains"] == "2" and row["drawn in no mode"].startswith("20.00% (")
    assert row["width of a mode, in σ"].startswith("0.20 (")


def test_generations_of_digits_are_told_one_by_one(rows):
    arrays = {name: np.array([[0.1, 0.3]]) for name in ("bad", "refused", "kept")}
    arrays["distance"] = np.array([[12.0, 99.6]])
    first, second = rows(tables.digit_generations({"none": arrays}))
    assert (first["generation"], second["generation"]) == ("data", "1")
    assert second["not read as told"] == "30.0%" and second["Fréchet distance"] == "100"
