"""The ledger computes what it says from records, and says so when it can't."""

import re

import numpy as np
import pytest
import yaml

from localbias.book import ledger
from localbias.book.claims import CLAIMS
from localbias.experiments import Setup, catalogue
from localbias.statistics import wilson
from localbias.store import all_records, save

ENTRY = {
    "id": "claim",
    "where": "§0",
    "says": "half",
    "why": "because",
    "expects": [0.4, 0.6],
    "measure": [{"experiment": "toy", "outcome": ["hallucination"]}],
}


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    """Let the ledger find records of experiments that the catalogue does not have."""
    monkeypatch.setattr(
        ledger.catalogue,
        "found",
        lambda name, tier, seeds, folder: all_records(f"{name}-{tier}-s*", folder),
    )


def store(folder, seed, counts, name="toy", tier="laptop"):
    made = catalogue.make("parity-8-scalars", "smoke", seed).configuration
    origin = {
        "key": "k",
        "processes": [],
        "fingerprint": {},
        "chance": [0, 0.5, 0.2, 0.3],
        "experiment": made | {"name": name, "tier": tier},
    }
    arrays = {"step": np.array([10, 20, 40]), "counts": np.array(counts)}
    save(f"{name}-{tier}-s{seed}-k", origin, arrays, None, folder)


def rows(tmp_path, **changes):
    claims = tmp_path / "claims.yml"
    entry = {key: value for key, value in (ENTRY | changes).items() if value is not None}
    claims.write_text(yaml.safe_dump([entry]))
    return ledger.rows(claims, tmp_path)


RATIO = {"experiment": "toy", "ldr": {"target": "x0", "levels": [0.3, 0.9]}}
COUNTS = [[100, 0, 0, 0], [4, 70, 20, 6], [0, 50, 40, 10]]


def test_one_seed_gets_its_wilson_interval_and_the_chance(tmp_path):
    store(tmp_path, 0, COUNTS)
    (row,) = rows(tmp_path)
    low, high = wilson(50, 100)
    assert (
        f"**50.0%** hallucination ({low:.1%} to {high:.1%}) after 40 steps; chance 50.0%"
        in row["finds"]
    )
    assert row["verdict"] == "holds"


def test_seeds_widen_the_interval_to_their_range(tmp_path):
    for seed, last in enumerate(([0, 20, 70, 10], [0, 80, 15, 5], [0, 50, 40, 10])):
        store(tmp_path, seed, [*COUNTS[:2], last])
    (row,) = rows(tmp_path)
    assert "**50.0%** hallucination (20.0% to 80.0%)" in row["finds"]
    assert "3 seeds" in row["finds"]


def test_outcomes_add_up_and_the_highest_is_found(tmp_path):
    store(tmp_path, 0, COUNTS)
    both = [{"experiment": "toy", "outcome": ["in dataset", "extrapolation"]}]
    assert "**50.0%** in dataset or extrapolation" in rows(tmp_path, measure=both)[0]["finds"]
    highest = [{"experiment": "toy", "outcome": ["hallucination"], "quantity": "highest"}]
    found = rows(tmp_path, measure=highest)[0]
    assert "**70.0%**" in found["finds"] and "after 20 steps" in found["finds"]
    assert found["verdict"] == "does not hold"


def test_first_below_is_a_share_of_the_training(tmp_path):
    store(tmp_path, 0, COUNTS)
    below = [
        {"experiment": "toy", "outcome": ["invalid"], "quantity": "first_below", "level": 0.05}
    ]
    assert (
        "below 5% after 20 of 40 steps"
        in rows(tmp_path, measure=below, expects=[0, 0.5])[0]["finds"]
    )
    assert rows(tmp_path, measure=below, expects=[0, 0.5])[0]["verdict"] == "holds"
    assert rows(tmp_path, measure=below, expects=[0, 0.4])[0]["verdict"] == "does not hold"
    never = [below[0] | {"outcome": ["hallucination"], "level": 0.0}]
    found = rows(tmp_path, measure=never)[0]
    assert "never below 0%" in found["finds"] and found["verdict"] == "does not hold"


def test_measures_that_disagree_are_partly_in_agreement(tmp_path):
    store(tmp_path, 0, COUNTS)
    store(tmp_path, 0, [*COUNTS[:2], [0, 0, 100, 0]], name="other")
    measure = [{"experiment": name, "outcome": ["hallucination"]} for name in ("toy", "other")]
    assert rows(tmp_path, measure=measure)[0]["verdict"] == "holds in part"


def test_what_is_found_otherwise_in_a_shorter_training_is_not_reached(tmp_path):
    """The toy's trainings have 20 steps of 16 signals."""
    store(tmp_path, 0, COUNTS)
    seen = 20 * 16
    for expects, images, verdict in (
        ([0.9, 1], seen + 1, "not reached"),
        ([0.9, 1], seen, "does not hold"),
        ([0.4, 0.6], seen + 1, "holds"),
    ):
        (row,) = rows(tmp_path, expects=expects, images=images)
        assert row["verdict"] == verdict


def test_networks_of_another_kind_stand_beside_and_do_not_count(tmp_path):
    """The toy's network is an MLP."""
    store(tmp_path, 0, COUNTS)
    (row,) = rows(tmp_path, network=["mlp", "dit"])
    assert (
        row["verdict"] == "holds"
        and "({ref}`toy <record-toy>`: MLP; laptop tier, 1 seed)" in row["finds"]
    )
    (row,) = rows(tmp_path, network=["unet", "dit"])
    assert row["verdict"] == "not measured"
    assert (
        "({ref}`toy <record-toy>`: MLP, beside the paper's UNet or DiT; laptop tier, 1 seed)"
        in row["finds"]
    )
    assert row["finds"].endswith("(no record of the paper's kind of network yet)\n")


def test_a_claim_that_nothing_measures_says_why(tmp_path):
    (row,) = rows(tmp_path, measure=None, expects=None, unmeasured="It needs a GPU.")
    assert (row["finds"], row["verdict"]) == ("It needs a GPU.", "not measured")
    with pytest.raises(ValueError, match="claim 'claim' in the ledger is malformed"):
        rows(tmp_path, unmeasured="both")


def test_every_figure_and_statement_has_its_place():
    """1 to 23, the observations, the assumption, the theorems with their bullets, the lemmas."""
    found = [entry["item"] for entry in ledger.items()]
    assert found[:23] == [f"Figure {number}" for number in range(1, 24)]
    assert [item for item in found if item.startswith("Lemma")] == [
        f"Lemma A.{number}" for number in range(1, 6)
    ]
    bullets = ["head", "bullet 1", "bullet 2", "bullet 3"]
    assert [item for item in found if item.startswith("Theorem 5.3")] == [
        f"Theorem 5.3, {part}" for part in bullets
    ]
    assert {"Assumption 5.1", "Theorem 5.2"} <= set(found) and len(found) == len(set(found))
    assert sum(item.startswith("Observation") for item in found) == 3


def test_a_row_names_the_figures_that_it_stands_for():
    """Whoever looks for Figure 7 in the ledger finds it where the list says."""
    where = {row["id"]: row["where"] for row in yaml.safe_load(ledger.CLAIMS.read_text("utf-8"))}
    for entry in ledger.items():
        if entry["item"].startswith("Figure"):
            number = int(entry["item"].split()[1])
            for row in entry.get("rows", ()):
                assert number in _figures(where[row]), (entry, where[row])


def _figures(where):
    """The numbers of figures in a place such as "A.7.2, Figs 8 to 13, 17"."""
    text = re.sub(r"(\d+) to (\d+)", lambda m: _listed(*map(int, m.groups())), where)
    after = re.search(r"Figs? (.*)", text)
    return {int(n) for n in re.findall(r"\d+", after[1])} if after else set()


def _listed(first, last):
    return ", ".join(map(str, range(first, last + 1)))


@pytest.mark.parametrize(
    "entry, message",
    [
        ({"item": "Figure 1"}, "malformed"),
        ({"item": "Figure 1", "rows": ["nowhere"]}, "Figure 1: no claim nowhere"),
        ({"item": "Figure 1", "rows": [], "why_not": "both"}, "malformed"),
    ],
)
def test_a_malformed_item_is_named(entry, message, tmp_path):
    path = tmp_path / "items.yml"
    path.write_text(yaml.safe_dump([entry]))
    with pytest.raises(ValueError, match=message):
        ledger.items(path)


@pytest.mark.parametrize("claim", ["thm-5.2", "thm-5.3-2-parity"])
def test_a_claim_on_theory_has_its_verdict_and_its_numbers(tmp_path, claim):
    (row,) = rows(tmp_path, measure=[{"theory": claim}], expects=None)
    theory = CLAIMS[claim]
    assert row["verdict"] == theory.verdict and row["says"] == "half"
    assert row["finds"] == f"{theory.evidence().says} {{ref}}`How it is checked <check-{claim}>`"


def test_every_verdict_on_theory_in_the_ledger_is_of_the_row_of_that_name():
    entries = [
        entry
        for entry in yaml.safe_load(ledger.CLAIMS.read_text())
        if "theory" in entry.get("measure", [{}])[0]
    ]
    assert {entry["id"]: entry["measure"] for entry in entries} == {
        claim: [{"theory": claim}]
        for claim in (
            *("asm-5.1", "thm-5.2", "thm-5.3", "thm-5.3-1", "thm-5.3-2", "thm-5.3-2-least"),
            *("thm-5.3-3", "stairs", "attention-set"),
        )
    }


def test_nothing_recorded_is_said(tmp_path):
    store(tmp_path, 0, COUNTS, name="toy-other")  # a longer name is another experiment
    (row,) = rows(tmp_path)
    assert row["finds"] == "(no record yet)" and row["verdict"] == "not measured"


@pytest.mark.parametrize(
    "changes, names",
    [
        ({"measure": [{"experiment": "toy", "outcome": ["halucination"]}]}, "halucination"),
        ({"measure": [{"experiment": "toy", "outcome": ["invalid"], "quantity": "mean"}]}, "mean"),
        ({"measure": [RATIO | {"outcome": ["invalid"]}]}, "'outcome' was unexpected"),
        ({"measure": [{"experiment": "toy"}]}, "'outcome' is a required property"),
        ({"measure": [RATIO | {"quantity": "first_below"}]}, "first_below"),
        ({"measure": [{"experiment": "toy", "ldr": {"target": "x0", "levels": [0.25]}}]}, "0.25"),
        (
            {"measure": [{"experiment": "toy", "ldr": {"target": "score", "levels": [0.3]}}]},
            "score",
        ),
        ({"measure": [{"experiment": "toy", "ldr": {"target": "x0", "levels": []}}]}, "levels"),
        ({"measure": [{"experiment": "toy", "ldr": {"levels": [0.3]}}]}, "target"),
        ({"expects": 0.5}, "claim"),
        ({"measure": [{"theory": "thm-5.4"}], "expects": None}, "thm-5.4"),
        ({"measure": [{"theory": "thm-5.2"}]}, "expects"),
        (
            {"measure": [{"theory": "thm-5.2", "level": 0.5}], "expects": None},
            "'level' was unexpected",
        ),
        ({"measure": [{"theory": "thm-5.2"}, {"theory": "thm-5.3-1"}], "expects": None}, "claim"),
        ({"why": None, "says": None, "expects": []}, "claim"),
    ],
)
def test_a_malformed_claim_is_named(tmp_path, changes, names):
    store(tmp_path, 0, COUNTS)
    if names == "0.25":
        store_probed(tmp_path, 0, np.full((4, 2), 0.5))
    with pytest.raises(ValueError, match=f"claim.*{names}|{names}"):
        rows(tmp_path, **changes)


def test_the_committed_claims_speak_of_experiments_that_exist():
    entries = yaml.safe_load(ledger.CLAIMS.read_text())
    assert len({entry["id"] for entry in entries}) == len(entries)
    measures = [one for entry in entries for one in entry.get("measure", ()) if "theory" not in one]
    assert {measure["experiment"] for measure in measures} <= set(catalogue.EXPERIMENTS)
    assert len(ledger.rows()) == len(entries)


def store_probed(folder, seed, ratios, vanishing=()):
    """A record of 2 levels, 3 steps and 4 signals of a one-number region; `ratios` float [1 + 3, 2], of x0."""
    made = catalogue.make("parity-8-scalars", "smoke", seed)
    inside = np.repeat(np.array(ratios, dtype=np.float32)[..., None], 4, -1)
    moments = np.stack([np.sqrt(inside), inside, np.ones_like(inside)], -1)
    for index in vanishing:
        moments[index] = 0
    origin = {
        "key": "k",
        "processes": [],
        "fingerprint": {},
        "chance": [],
        "experiment": made.configuration | {"name": "toy", "tier": "laptop"},
    }
    arrays = {"step": np.array([10, 20, 40]), "ldr": moments, "probe_t": np.array([485, 140])}
    save(f"toy-laptop-s{seed}-k", origin, arrays, None, folder)


def test_the_ratio_at_the_end_over_levels_and_its_lowest_on_the_way(tmp_path):
    for seed, shift in enumerate((0.0, 0.02)):
        store_probed(
            tmp_path, seed, np.array([[0.1, 0.1], [0.9, 0.5], [0.4, 0.6], [0.8, 0.7]]) + shift
        )
    (row,) = rows(tmp_path, measure=[RATIO], expects=[0.75, 1])
    assert (
        "lowest **0.710** (0.700 to 0.720) at √ᾱ = 0.9, highest **0.810** (0.800 to 0.820) at 0.3"
        in row["finds"]
    )
    assert (
        "after 40 steps" in row["finds"] and "2 seeds" in row["finds"] and row["verdict"] == "holds"
    )  # in part above
    (row,) = rows(tmp_path, measure=[RATIO | {"quantity": "highest"}], expects=[0, 0.75])
    assert row["verdict"] == "does not hold"  # one level above it is enough
    (row,) = rows(tmp_path, measure=[RATIO | {"quantity": "lowest"}], expects=[0.75, 1])
    assert (
        "**0.410** (0.400 to 0.420) at √ᾱ = 0.3, step 20" in row["finds"]
    )  # before training does not count
    assert row["verdict"] == "does not hold"


def test_the_ratio_of_another_target_and_without_a_level_that_vanishes(tmp_path):
    store_probed(tmp_path, 0, np.full((4, 2), 0.36), vanishing=[(3, 1)])
    (row,) = rows(tmp_path, measure=[RATIO], expects=[0, 1])
    assert (
        "lowest **0.360**" in row["finds"]
        and "at √ᾱ = 0.3" in row["finds"]
        and "at 0.9" not in row["finds"].split("highest")[0]
    )
    schedule = catalogue.make("parity-8-scalars", "smoke").schedule
    c = schedule.alpha_bar[485].sqrt().item()
    expected = (1 - c * 0.6) ** 2 / (
        (1 - c * 0.6) ** 2 + c**2 * 0.64
    )  # J_RR = .6, the rest of J_R has norm .8
    only = {"experiment": "toy", "ldr": {"target": "noise", "levels": [0.3]}}
    assert (
        f"LDR of the noise after 40 steps: lowest **{expected:.3f}**"
        in rows(tmp_path, measure=[only], expects=[0, 1])[0]["finds"]
    )


def test_a_ratio_that_is_nowhere_defined(tmp_path):
    store_probed(tmp_path, 0, np.full((4, 2), 0.36), vanishing=[(3, 0), (3, 1)])
    with pytest.raises(ValueError, match="'toy' in the ledger: every Jacobian vanishes"):
        rows(tmp_path, measure=[RATIO])


def test_a_damaged_record_is_not_blamed_on_the_claim(tmp_path):
    store(tmp_path, 0, COUNTS)
    (tmp_path / "toy-laptop-s0-k.npz").write_bytes(b"torn")
    with pytest.raises(ValueError, match="toy-laptop-s0-k.npz is damaged"):
        rows(tmp_path)


@pytest.mark.parametrize("changes", [{"seed": 3}, {"rendering": "fresh"}, {}])
def test_only_the_books_seeds_and_configurations_speak(tmp_path, changes, monkeypatch):
    monkeypatch.undo()  # the real look-up
    made = catalogue.make("parity-8-unet", "laptop", changes.get("seed", 0)).replace(**changes)
    origin = {"key": made.key, "fingerprint": {}, "experiment": made.configuration}
    origin |= {"data_sha256": Setup(made).data_hash(), "processes": []}
    save(made.stem, origin, {"step": np.zeros(1)}, None, tmp_path)
    assert len(catalogue.found("parity-8-unet", "laptop", (0, 1, 2), folder=tmp_path)) == (
        not changes
    )
