"""The tables beside the paper's headline figures say what configurations and counts say."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from localbias import grammar
from localbias.book import tables
from localbias.book.ledger import says
from localbias.book.tables import headline
from localbias.experiments import Sampling, catalogue
from localbias.experiments.directions import Directions
from localbias.experiments.escapes import EscapeLaw
from localbias.statistics import PowerLaw
from localbias.store import ROOT

COUNTS = [[[10, 0, 0, 0], [1, 2, 3, 4]], [[10, 0, 0, 0], [3, 2, 1, 4]]]


def test_a_figure_of_the_paper_beside_ours(rows, results):
    made = tables.beside_paper(
        "Figure 4", {"DiT": catalogue.make("quarter-dit-470", "paper")}, {"toy": results(COUNTS)}
    )
    for sentence in says("Figure 4"):
        assert sentence in made.data
    by_name = {row.pop(""): row for row in rows(made)}
    assert by_name["network"]["the paper's DiT"] == "DiT, 32.5 million parameters"
    assert by_name["images seen"] == {"the paper's DiT": "2.88 million", "toy": "14,000"}
    assert by_name["picture"] == {"the paper's DiT": "64 × 64 pixels", "toy": "4 numbers"}
    assert by_name["trained on"] == {
        "the paper's DiT": "470 of 670 strings",
        "toy": "5 of 8 strings",
    }
    # 119 s for 14,000 images, so 206 times as many in 24,480 s
    assert by_name["to the paper's images"]["toy"] == "6.8 h in all"
    assert by_name["at the end: invalid"] == {"the paper's DiT": "", "toy": "20% (8%–42%)"}
    assert by_name["β, T"]["toy"] == "linear, 1,000"
    # 0 of 20 valid at step 1,000, 12 of 20 at 2,000: Newcombe's interval from Wilson's
    low, high = (0.6 - math.hypot(0.6 - 0.38658, 0.16113), 0.6 + math.hypot(0.78119 - 0.6, 0))
    change = by_name["valid, gained since about half of the steps"]["toy"]
    assert change == f"+60% ({min(low, 0.5):+.0%} to {max(high, 0.7):+.0%}) since step 1,000"
    assert not any("LDR" in name for name in by_name)
    # 0.1354 TFLOP a step, as the paper's network is known to take
    assert by_name["arithmetic"]["the paper's DiT"] == "24 PFLOP"
    # 180,000 steps of 30.1 ms
    assert by_name["time"] == {
        "the paper's DiT": "1.5 h on a GPU",
        "toy": "2 min a seed on a core, 2 seeds",
    }


def test_a_time_says_which_seeds_a_gpu_made(rows, results):
    paper, ours = {"DiT": catalogue.make("quarter-dit-470", "paper")}, results(COUNTS)

    def told():
        by_name = {
            row.pop(""): row for row in rows(tables.beside_paper("Figure 4", paper, {"t": ours}))
        }
        return by_name["time"]["t"]

    first, second = (record.origin["processes"] for record in ours.records)
    second.append({**second[0], "device": "cuda"})  # begun on one, ended on the other
    assert told() == "2 min a seed on a core, 2 seeds, 1 of them by a GPU or begun there"
    second.pop(0)
    first[0]["device"] = "cuda"
    assert told() == "2 min a seed, 2 seeds, 2 of them by a GPU or begun there"


def test_a_gain_is_told_since_the_step_nearest_to_half(rows, results):
    """Measured steps are no even ones: of 2,000 steps 1,100 is nearer to half than 300."""
    counts = [[[10, 0, 0, 0], [0, 8, 1, 1], [0, 5, 4, 1]]]
    ours = results(counts)
    ours.records[0].arrays["step"] = np.array([300, 1100, 2000])
    paper = {"DiT": catalogue.make("quarter-dit-50", "paper")}
    by_name = {
        row.pop(""): row for row in rows(tables.beside_paper("Figure 5", paper, {"t": ours}))
    }
    told = by_name["valid, gained since about half of the steps"]["t"]
    assert told.startswith("+30% (") and told.endswith(" since step 1,100")


def test_a_step_on_a_gpu_and_the_books_speed_are_those_that_were_measured():
    measured = (ROOT / "benchmarks/results.md").read_text(encoding="utf-8")
    _, _, table = measured.partition("### a step on a GPU, paper tier")
    steps, speeds = {}, []
    for line in table.split("\n\n")[2].splitlines()[2:]:
        name, _, _, step, _, _, speed, *_ = (
            cell.strip(" `") for cell in line.strip("|").split("|")
        )
        kind = catalogue.make(name, "paper").parts["network"]["kind"]
        steps.setdefault(kind, []).append(float(step.split()[0]) / 1000)
        speeds.append(float(speed))
    assert {kind: np.median(found) for kind, found in steps.items()} == pytest.approx(headline.STEP)
    page = (ROOT / "book/reproduce.md").read_text(encoding="utf-8")
    (told,) = re.findall(r":teraflops: (.+)", page)
    assert min(speeds) <= float(told) <= max(speeds)


def test_the_ratio_is_told_at_most_and_at_the_end(rows, results):
    """Not before training, where an untrained network may have any."""
    products = np.array([[[1.0], [0.9], [0.5]], [[1.0], [0.8], [0.6]]])  # [S, 1 + M, n]
    exact = np.zeros((2, 3, 1, 1, 3))  # [S, R, V, n, 3]
    exact[..., 0], exact[..., 1], exact[..., 2] = np.sqrt(0.25), 0.25, 1
    paper = {"DiT": catalogue.make("quarter-dit-50", "paper")}
    ours = results(COUNTS, products, {"reference_ldr": exact})
    row = "LDR of x̂0, √ᾱ = {}, at most and at the end"
    for level, told in ((0.5, "0.85, then 0.55 (0.50–0.60); rule 0.25, train 0.25"), (0.3, "")):
        made = tables.beside_paper("Figure 5", paper, {"toy": ours}, level)
        by_name = {row.pop(""): row for row in rows(made)}
        assert by_name[row.format(level)] == {"the paper's DiT": "", "toy": told}


def test_a_run_that_saw_as_many_images_has_reached_them(rows, results):
    paper = catalogue.make("quarter-dit-470", "smoke")  # 20 steps of 16
    by_name = {
        row.pop(""): row
        for row in rows(tables.beside_paper("Figure 5", {"DiT": paper}, {"toy": results(COUNTS)}))
    }
    assert by_name["to the paper's images"]["toy"] == "reached"


def test_each_way_of_sampling_has_a_row(rows, results):
    also = np.array([[[0, 0, 10, 0]], [[0, 0, 0, 10]]])
    ours, another = (
        results(COUNTS, arrays={"also": also}, also=(Sampling(10, 1000, 1.0, None),)),
        results(COUNTS),
    )
    first, second, third = rows(
        tables.samplers({"ours": ours.by_sampler, "another": another.by_sampler})
    )
    assert [row["experiment"] for row in (first, second, third)] == [
        "`ours`",
        "`ours`",
        "`another`",
    ]
    assert first["networks"] == "2"
    assert first["sampled by"] == third["sampled by"] == "DDIM, 50 steps"
    assert second["sampled by"] == "ancestral, 1,000 steps, no clamp of x̂0"
    assert second["in dataset"] == "50% (0%–100%)" and first["hallucination"].startswith("20% (")


def test_orders_of_rules_that_are_known(rows):
    parity, pairs, half = rows(
        tables.orders(
            {
                "parity": (grammar.Parity(6), None, (5,)),
                "Dyck": (grammar.Dyck(6), None, (2,)),
                "half": (grammar.Parity(6), 16, (1,)),
            },
            0,
        )
    )
    # Of all strings of even parity no statistic below the last order differs from chance.
    assert parity["keeps the rule"] == "50.0%" and parity["strings that it allows"] == "64"
    assert pairs["keeps the rule"] == "100.0%"  # with six symbols pairs are enough
    assert half["statistics of"] == "16 strings" and half["order"] == "1"


def test_slopes_of_copies_are_one_and_of_all_strings_zero(rows, results):
    counts = [[[0, 40, 20, 20]] * 2] * 2
    every = grammar.every_string(2, 4).repeat(5, 1).numpy()
    known = [one.train_strings.repeat(16, 1).numpy() for one in results(counts).setups]

    def slopes(tokens, **more):
        tokens = np.stack([np.stack([every, last]) for last in tokens])
        made = results(counts[: len(tokens)], arrays={"tokens": tokens})
        (row,) = rows(tables.slopes({"toy": made}, **more))
        return row

    one = slopes(known[:1], most=2)
    assert list(one) == ["network", "step", "order 1", "order 2", "the rule"]
    assert one["step"] == "2,000" and one["the rule"] == "1.00 (1.00 to 1.00)"
    mean, low, high = (float(x) for x in re.findall(r"[\d.-]+", one["order 1"]))
    _, errors = results(counts, arrays={"tokens": np.stack(known)[:, None]}).slopes()
    half = 1.96 * errors[:, 0, 0]
    assert (mean, low, high) == pytest.approx((1, 1 - half[0], 1 + half[0]), abs=0.006)
    mean, low, high = (float(x) for x in re.findall(r"[\d.-]+", slopes(known, most=1)["order 1"]))
    assert mean == 1 and high - low == pytest.approx(np.hypot(*half), abs=0.011)
    assert slopes([known[0], every], most=1)["the rule"] == "0.50 (0.00 to 1.00)"
    assert list(slopes(known[:1], most=9))[2:] == ["order 1", "order 2", "order 3", "the rule"]
    unread = slopes([np.full_like(every, -1)])
    assert unread["order 1"] == unread["the rule"] == "0/0"


def test_directions_are_told_a_quarter_of_the_way_and_at_the_end(rows):
    laws = {
        "the rule": np.array([[0.2, 1.0], [0.4, 0.2]]),
        "pairs": np.array([[0.2, 0.6], [0.4, 0.8]]),
    }
    steps, valid = np.array([10, 200, 3000]), np.array([0.3, 0.4, 0.8])
    kept = np.array([[0.4, 0.1, 0.7], [0.5, 0.4, 0.6], [0.8, 0.7, 0.9]])
    one = Directions(laws, steps, valid, kept)
    nothing = replace(one, steps=steps[:0], valid=valid[:0], kept=kept[:0])
    early, late, none = rows(tables.directions({"50": one, "none": nothing}))
    assert (early["step"], late["step"]) == ("200", "3,000")
    assert late["valid"] == "80%" and late["trained on, of the valid"] == "80% (70% to 90%)"
    assert early["as valid, towards the rule"] == "35%"
    assert early["as valid, towards pairs"] == "60%"
    assert late["as valid, towards pairs"] == "–"  # pairs never know so much
    assert none["step"] == "too few valid samples at any" and none["valid"] == ""
    (end,) = rows(tables.directions({"near chance": replace(one, valid=valid / 4 + 0.15)}))
    assert end["step"] == "3,000"  # it never comes so far


def test_what_a_law_expects_is_beside_what_was_seen(results):
    law = EscapeLaw(
        PowerLaw(1.5, 1.2, 1.8, 2.0, math.log(1.25)),
        np.array([20.0, 470.0]),
        np.array([[100, 90, 120], [165_585.8, 118_703.2, 233_346.1]]),
    )
    ended = results([[[0, 9, 1, 0], [0, 4, 6, 0]], [[0, 9, 1, 0], [0, 9, 1, 0]]])
    said = tables.expected_escape(law, ended).data
    assert "on 470 to escape at step 166,000 (119,000 to 233,000, 95 %)" in said
    assert "as n to the power 1.50 (1.20 to 1.80)" in said
    assert "by 25%" in said and said.endswith("By step 2,000 1 of 2 trainings had escaped.")
    assert tables.expected_escape(None, ended).data.startswith("Too few trainings escaped")


def test_an_item_that_the_paper_does_not_number_is_refused():
    with pytest.raises(ValueError, match="no item 'Figure 99'; there are: Figure 1, "):
        says("Figure 99")
