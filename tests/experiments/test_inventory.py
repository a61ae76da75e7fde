"""The inventory: records by configuration, whatever else lies in their folder."""

import numpy as np
import pytest

from localbias import store
from localbias.experiments import catalogue, engine
from localbias.experiments.inventory import entries, pick
from localbias.experiments.sweep import Job

NAME = "parity-8-scalars"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two seeds of an experiment, one of it with another batch, and one of nobody's name."""
    folder = tmp_path_factory.mktemp("records")
    places = {"folder": folder, "runs": folder / "runs"}
    for job in (Job(NAME, "smoke", 1), Job(NAME, "smoke"), Job(NAME, "smoke", 0, {"n_train": 32})):
        job.run("cpu", **places)
    own = catalogue.make(NAME, "smoke").replace(name="my-own")
    engine.run(own, "cpu", **places)
    return folder


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.setattr(engine, "records_of", lambda tier: made)
    return made


def test_seeds_of_one_configuration_are_one_entry(folder):
    own, usual, changed = entries()
    assert [one.experiment.name for one in (own, usual, changed)] == ["my-own", NAME, NAME]
    assert usual.seeds == [0, 1] and usual.settings == {} and usual.changed == []
    assert changed.seeds == [0] and changed.changed == ["n_train=32"]
    assert own.settings is None and own.changed == []


def test_an_entry_holds_what_its_records_hold(folder):
    entry = entries(NAME)[0]
    zero, one = entry.records
    assert entry.minutes == pytest.approx((zero.seconds + one.seconds) / 120)
    assert entry.steps.tolist() == [10, 20] and entry.counts.shape == (2, 2, 4)
    mean = (zero.arrays["counts"][-1] / 16 + one.arrays["counts"][-1] / 16) / 2
    assert np.allclose(entry.shares[-1], mean)
    ended = zero.origin["processes"][-1]["ended"]
    assert entry.days[0] == ended[:10] == zero.day


def test_patterns_and_tiers_choose(folder):
    assert {one.experiment.name for one in entries("my-*")} == {"my-own"}
    assert entries(tier="laptop") == [] and entries("none-*") == []
    with pytest.raises(ValueError, match="unknown tier 'huge'"):
        entries(tier="huge")


@pytest.fixture
def with_oddities(folder, tmp_path, monkeypatch):
    """The same beside files that are no whole record, and the names of these."""
    for path in folder.glob("*-*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(engine, "records_of", lambda tier: tmp_path)
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "torn.json").write_text('{"key": ')
    whole = store.load(Job(NAME, "smoke", 1).record)
    foreign = whole.origin | {"experiment": {"name": NAME, "seed": []}}
    store.write_origin(tmp_path / "foreign.json", foreign)
    store.write_origin(tmp_path / "timeless.json", whole.origin | {"processes": [{}]})
    return {"settings", "torn", "foreign", "timeless"}


def test_odd_files_are_told_and_the_others_listed(with_oddities):
    told = []
    found = entries(odd=told.append)
    assert [one.seeds for one in found] == [[0], [0, 1], [0]]
    assert len(told) == 4
    for name in with_oddities:
        assert sum(f"{name}.json " in sentence for sentence in told) == 1, name
    with pytest.raises(ValueError, match="record "):
        entries()


def test_a_record_without_outcomes_is_named(folder, tmp_path, monkeypatch):
    whole = Job(NAME, "smoke").find()
    arrays = {name: array for name, array in whole.arrays.items() if name != "counts"}
    store.save(whole.path.stem, whole.origin, arrays, None, tmp_path)
    monkeypatch.setattr(engine, "records_of", lambda tier: tmp_path)
    (entry,) = entries()
    with pytest.raises(ValueError, match=f"{whole.path.stem}.json is damaged: its outcomes"):
        entry.counts


def test_a_name_means_the_catalogues_own_settings_first(folder):
    entry, others = pick(NAME)
    assert entry.settings == {} and entry.seeds == [0, 1]
    assert [other.changed for other in others] == [["n_train=32"]]
    assert pick(NAME, "smoke", [1])[0].seeds == [1]
    assert pick(NAME, settings=["n_train=32"])[0].experiment.n_train == 32


def test_a_record_is_meant_by_its_file(folder):
    stem = Job(NAME, "smoke", 1).experiment.stem
    for named in (stem, f"{stem}.json", f"records/{stem}.json"):
        entry, _ = pick(named)
        assert entry.seeds == [1] and entry.records[0].path.stem == stem


@pytest.mark.parametrize(
    "asked, message",
    [
        (("parity-8-scalers",), "no record of 'parity-8-scalers'; did you mean parity-8-scalars"),
        (("parity-8-mlp",), "'parity-8-mlp' has no record yet; `localbias run parity-8-mlp`"),
        (("parity-8-mlp", "smoke"), "yet; `localbias run parity-8-mlp --tier smoke` makes one"),
        ((__file__,), "test_inventory.py is no record of the project"),
        ((NAME, "laptop"), "has no record in the tier 'laptop' yet"),
        ((NAME, None, [5]), "no such record of .* smoke seeds 0, 1; smoke n_train=32 seeds 0"),
        ((NAME, None, [], ["n_train=3"]), "no such record"),
        ((NAME, None, [], ["n_train=3,4"]), "allowed: one value a field"),
    ],
)
def test_what_is_not_there_is_said(folder, asked, message):
    with pytest.raises(ValueError, match=message):
        pick(*asked)


def test_every_record_of_the_book_is_listed():
    """As the catalogue has them now, or said to be otherwise."""
    records = store.all_records()
    found = entries()
    listed = [record.path for entry in found for record in entry.records]
    assert {one.path for one in records} <= set(listed) and len(set(listed)) == len(listed)
    for entry in found:
        name, tier = entry.experiment.name, entry.experiment.tier
        if entry.settings == {}:
            assert entry.experiment == catalogue.make(name, tier, entry.seeds[0])
