"""The ledger computes what it says from records, and says so when it can't."""

import numpy as np
import pytest
import yaml

from localbias import catalogue, ledger, record
from localbias.outcome import wilson

ENTRY = {
    "id": "claim", "where": "§0", "says": "half", "why": "because", "expects": [0.4, 0.6],
    "measure": [{"experiment": "toy", "outcome": ["hallucination"]}],
}


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    """Let the ledger find records of experiments that the catalogue does not have."""
    monkeypatch.setattr(ledger, "recorded", lambda name, tier, folder: record.every(f"{name}-{tier}-s*", folder))


def store(folder, seed, counts, name="toy", tier="laptop"):
    origin = {
        "key": "k", "fingerprint": {}, "chance": [0, 0.5, 0.2, 0.3],
        "experiment": {"name": name, "tier": tier, "seed": seed},
    }
    arrays = {"step": np.array([10, 20, 40]), "counts": np.array(counts)}
    record.save(f"{name}-{tier}-s{seed}-k", origin, arrays, None, folder)


def rows(tmp_path, **changes):
    claims = tmp_path / "claims.yml"
    claims.write_text(yaml.safe_dump([ENTRY | changes]))
    return ledger.rows(claims, tmp_path)


COUNTS = [[100, 0, 0, 0], [4, 70, 20, 6], [0, 50, 40, 10]]


def test_one_seed_gets_its_wilson_interval_and_the_chance(tmp_path):
    store(tmp_path, 0, COUNTS)
    (row,) = rows(tmp_path)
    low, high = wilson(50, 100)
    assert f"**50.0%** hallucination ({low:.1%} to {high:.1%}) after 40 steps; chance 50.0%" in row["finds"]
    assert row["verdict"] == "agrees"


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
    assert found["verdict"] == "differs"


def test_first_below_is_a_share_of_the_training(tmp_path):
    store(tmp_path, 0, COUNTS)
    below = [{"experiment": "toy", "outcome": ["invalid"], "quantity": "first_below", "level": 0.05}]
    assert "below 5% after 20 of 40 steps" in rows(tmp_path, measure=below, expects=[0, 0.5])[0]["finds"]
    assert rows(tmp_path, measure=below, expects=[0, 0.5])[0]["verdict"] == "agrees"
    assert rows(tmp_path, measure=below, expects=[0, 0.4])[0]["verdict"] == "differs"
    never = [below[0] | {"outcome": ["hallucination"], "level": 0.0}]
    found = rows(tmp_path, measure=never)[0]
    assert "never below 0%" in found["finds"] and found["verdict"] == "differs"


def test_measures_that_disagree_are_partly_in_agreement(tmp_path):
    store(tmp_path, 0, COUNTS)
    store(tmp_path, 0, [*COUNTS[:2], [0, 0, 100, 0]], name="other")
    measure = [{"experiment": name, "outcome": ["hallucination"]} for name in ("toy", "other")]
    assert rows(tmp_path, measure=measure)[0]["verdict"] == "partly"


def test_nothing_recorded_is_said(tmp_path):
    store(tmp_path, 0, COUNTS, name="toy-other")  # a longer name is another experiment
    (row,) = rows(tmp_path)
    assert row["finds"] == "(no record yet)" and row["verdict"] == "no record"


@pytest.mark.parametrize("changes, names", [
    ({"measure": [{"experiment": "toy", "outcome": ["halucination"]}]}, "halucination"),
    ({"measure": [{"experiment": "toy", "outcome": ["invalid"], "quantity": "mean"}]}, "mean"),
    ({"expects": 0.5}, "claim"),
    ({"why": None, "says": None, "expects": []}, "claim"),
])
def test_a_malformed_claim_is_named(tmp_path, changes, names):
    store(tmp_path, 0, COUNTS)
    with pytest.raises(ValueError, match=f"claim.*{names}|{names}"):
        rows(tmp_path, **changes)


def test_the_committed_claims_speak_of_experiments_that_exist():
    entries = yaml.safe_load(ledger.CLAIMS.read_text())
    assert len({entry["id"] for entry in entries}) == len(entries)
    assert {m["experiment"] for entry in entries for m in entry["measure"]} <= set(catalogue.EXPERIMENTS)
    assert len(ledger.rows()) == len(entries)


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
    record.save(made.stem, origin, {"step": np.zeros(1)}, None, tmp_path)
    assert len(ledger.recorded("parity-8-unet", "laptop", tmp_path)) == (not changes)
