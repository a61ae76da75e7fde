"""Records of schema 1 become records of the present one, and nothing else changes."""

import json

import numpy as np
import pytest

from localbias import store
from localbias.experiments import catalogue, engine, migration

SMOKE = catalogue.make("parity-8-scalars", "smoke").replace(keep=(20,))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return engine.run(SMOKE, "cpu", SMOKE, folder / "records", folder / "runs")


@pytest.fixture
def old(made, tmp_path):
    """A folder with the record as schema 1 had it, and the path of its JSON."""
    origin = {k: v for k, v in made.origin.items() if k not in ("schema", "sha256", "files")}
    (process,) = origin.pop("processes")
    process = {name: value for name, value in process.items() if name not in ("steps", "ended")}
    weights = made.origin["files"][made.weights.name]
    for name in made.origin["files"]:
        (tmp_path / name).write_bytes(made.path.with_name(name).read_bytes())
    path = tmp_path / made.path.name
    path.write_text(json.dumps(origin | process | {"weights_sha256": weights}), encoding="utf-8")
    return path


def test_a_record_is_brought_up_once(made, old):
    assert migration.migrate(old.parent) == 1
    (process,) = made.origin["processes"]
    undated = {name: value for name, value in process.items() if name != "ended"}
    same = made.origin | {"processes": [undated], "sha256": store.load(old).origin["sha256"]}
    assert store.load(old).origin == same and store.load(old).day == ""
    before = old.read_bytes()
    assert migration.migrate(old.parent) == 0 and old.read_bytes() == before


def test_what_is_no_folder_of_records_is_named(old):
    with pytest.raises(NotADirectoryError, match="gone is no folder of records"):
        migration.migrate(old.parent / "gone")
    before = old.read_bytes()
    (old.parent / "another.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"another\.json is no record"):
        migration.migrate(old.parent)
    assert old.read_bytes() == before


def damage_arrays(path):
    arrays = dict(np.load(path.with_suffix(".npz")))
    np.savez(path.with_suffix(".npz"), **arrays | {"loss": arrays["loss"] + 1})


def damage_weights(path):
    path.with_suffix(".safetensors").write_bytes(b"torn")


def damage_data(path):
    origin = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(origin | {"data_sha256": "0" * 64}), encoding="utf-8")


@pytest.mark.parametrize(
    "damage, what",
    [(damage_arrays, "arrays"), (damage_weights, "weights"), (damage_data, "data")],
)
def test_what_is_damaged_is_left_as_it_is(damage, what, old):
    damage(old)
    before = old.read_bytes()
    with pytest.raises(ValueError, match=f"{old.name} is damaged: the hash of its {what}"):
        migration.migrate(old.parent)
    assert old.read_bytes() == before
