"""Records: whole or not at all, and damage named."""

import io
import json
import subprocess
import sys
import zipfile
from hashlib import sha256

import numpy as np
import pytest

from localbias import store

ARRAYS = {
    "step": np.array([10, 20]),
    "loss": np.float32([0.5, np.nan]),
    "tokens": np.zeros((2, 3), np.int8),
}
PROCESS = store.process_of(
    code="abc", device="cpu", threads=1, libraries=("numpy",), steps=(0, 20), seconds=1.5
)
ORIGIN = {
    "key": "abc",
    "experiment": {"name": "π"},
    "fingerprint": {"loss": 1.0},
    "processes": [PROCESS],
}
SUFFIXES = ("json", "npz", "safetensors")


def save(folder, arrays=ARRAYS, weights=b"weights"):
    return store.save("one", ORIGIN, arrays, weights, folder)


def files_of(folder):
    """The names of the files in a folder, its locks apart."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".locks")


def same(left, right):
    for name in left.keys() | right.keys():
        np.testing.assert_array_equal(left[name], right[name], strict=True)
    return True


def test_round_trip(tmp_path):
    saved = save(tmp_path / "new")
    found = store.load(tmp_path / "new" / "one.json")
    assert found == saved and found.experiment == {"name": "π"}
    assert found.origin | ORIGIN == found.origin
    assert same(found.arrays, ARRAYS)
    assert (
        found.weights == tmp_path / "new" / "one.safetensors"
        and found.weights.read_bytes() == b"weights"
    )
    assert files_of(saved.path.parent) == [f"one.{suffix}" for suffix in SUFFIXES]
    assert found.seconds == 1.5


def test_a_time_is_told_of_what_a_cpu_made(tmp_path):
    """Where it made none, of what there is; a run that a GPU began counts as the GPU's."""
    gpu = PROCESS | {"device": "some card"}
    made = {"cpu": [PROCESS], "gpu": [gpu], "both": [gpu, PROCESS]}
    records = [
        store.save(name, ORIGIN | {"processes": processes}, ARRAYS, None, tmp_path)
        for name, processes in made.items()
    ]
    assert [found.on_cpu for found in records] == [True, False, False]
    assert store.timed(records) == records[:1] and store.timed(records[1:]) == records[1:]
    assert store.timed([]) == []


def test_a_record_without_weights(tmp_path):
    found = save(tmp_path, weights=None)
    assert files_of(tmp_path) == ["one.json", "one.npz"] and found.weights is None


def test_every_record_by_name(tmp_path):
    assert (
        store.all_records(folder=tmp_path) == store.all_records(folder=tmp_path / "nowhere") == []
    )
    for stem in ("b", "a", "c"):
        store.save(stem, ORIGIN, ARRAYS, None, tmp_path)
    assert [found.path.name for found in store.all_records(folder=tmp_path)] == [
        "a.json",
        "b.json",
        "c.json",
    ]
    assert [found.path.name for found in store.all_records("[ab]", tmp_path)] == [
        "a.json",
        "b.json",
    ]


def test_a_second_save_replaces_the_first(tmp_path):
    save(tmp_path)
    save(tmp_path, {"step": np.array([1])}, b"other")
    found = store.load(tmp_path / "one.json")
    assert found.arrays.keys() == {"step"} and found.weights.read_bytes() == b"other"
    assert set(files_of(tmp_path)) == {"one.json", *found.origin["files"]}
    again = save(tmp_path)
    assert same(again.arrays, ARRAYS) and set(files_of(tmp_path)) == {
        "one.json",
        *again.origin["files"],
    }


def test_the_same_record_is_the_same_bytes(tmp_path, monkeypatch):
    save(tmp_path / "now")
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    save(tmp_path / "later", dict(reversed(ARRAYS.items())))
    one, other = (store.load(tmp_path / when / "one.json").origin for when in ("now", "later"))
    assert one["arrays_sha256"] == other["arrays_sha256"]
    save(tmp_path / "again")
    for suffix in SUFFIXES:
        assert (tmp_path / f"now/one.{suffix}").read_bytes() == (
            tmp_path / f"again/one.{suffix}"
        ).read_bytes()


def test_the_hash_sees_name_type_shape_and_content():
    array = np.arange(6, dtype=np.int32)
    others = [
        {"a": array},
        {"b": array},
        {"a": array.astype(np.int64)},
        {"a": array.view(np.float32)},
        {"a": array.reshape(2, 3)},
        {"a": array.reshape(3, 2)},
        {"a": array[::-1]},
        {"a": array, "b": array},
        {},
    ]
    assert len({store.hash_arrays(arrays) for arrays in others}) == len(others)
    assert store.hash_arrays({"a": array, "b": array + 1}) == store.hash_arrays(
        {"b": array + 1, "a": array}
    )
    table = array.reshape(2, 3)
    assert store.hash_arrays({"a": np.asfortranarray(table)}) == store.hash_arrays({"a": table})


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("keep", [0, 3, 0.5, -2])
def test_a_truncated_file_is_refused_by_name(keep, suffix, tmp_path):
    save(tmp_path)
    path = tmp_path / f"one.{suffix}"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else keep])
    with pytest.raises(ValueError, match=f"one.{suffix} is damaged"):
        store.load(tmp_path / "one.json")


def meaning_of(path):
    """What a reader takes from a record."""
    found = store.load(path)
    return found.origin, store.hash_arrays(found.arrays), found.weights.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_flipped_bit_is_refused_by_name(suffix, tmp_path):
    """One in every place, or nearly so; in JSON a flip may leave the meaning as it is."""
    save(tmp_path)
    path = tmp_path / f"one.{suffix}"
    content, expected = path.read_bytes(), meaning_of(tmp_path / "one.json")
    for place in range(0, len(content), 1 if suffix == "json" else 7):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            assert meaning_of(tmp_path / "one.json") == expected, place
        except ValueError as error:
            assert "record" in str(error) and "one." in str(error), place


def change(path, **fields):
    """Change fields of a record's JSON, as someone who knows nothing of its checksum would."""
    origin = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(origin | fields), encoding="utf-8")


@pytest.mark.parametrize(
    "fields",
    [
        {"fingerprint": {"loss": 0.5}},
        {"processes": []},
        {"key": "abd"},
        {"experiment": {"name": "p"}},
        {"arrays_sha256": "0" * 64},
        {"chance": [1, 0, 0, 0]},
    ],
)
def test_a_changed_origin_is_refused_by_name(fields, tmp_path):
    path = save(tmp_path).path
    change(path, **fields)
    with pytest.raises(ValueError, match="one.json is damaged: its hash is"):
        store.load(path)


def with_arrays_file(folder, content, arrays_sha256=None):
    """A record whose arrays lie in a file of that content, correctly signed."""
    record = save(folder)
    (folder / "one.npz").write_bytes(content)
    files = record.origin["files"] | {"one.npz": sha256(content).hexdigest()}
    return store.write_origin(record.path, record.origin | {"files": files})


def npz(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def test_other_arrays_than_the_origin_says_are_refused_by_name(tmp_path):
    with_arrays_file(tmp_path, npz(**ARRAYS | {"step": np.array([10, 21])}))
    with pytest.raises(ValueError, match="one.npz is damaged: its hash is"):
        store.load(tmp_path / "one.json").arrays


def test_pickled_arrays_are_refused(tmp_path):
    with_arrays_file(tmp_path, npz(step=np.array([{}], dtype=object)))
    with pytest.raises(ValueError, match="one.npz is damaged.*pickle"):
        store.load(tmp_path / "one.json").arrays
    with pytest.raises(ValueError):
        save(tmp_path, {"step": np.array([{}], dtype=object)})


def test_a_foreign_member_and_a_bomb_are_refused(tmp_path, monkeypatch):
    content = io.BytesIO(npz(**ARRAYS))
    with zipfile.ZipFile(content, "a") as file:
        file.writestr("readme.txt", "no array")
    with_arrays_file(tmp_path, content.getvalue())
    with pytest.raises(ValueError, match="one.npz is damaged"):
        store.load(tmp_path / "one.json").arrays
    monkeypatch.setattr(store.record, "LARGEST", 100)
    with_arrays_file(tmp_path, npz(**ARRAYS))
    with pytest.raises(ValueError, match="bytes of arrays; allowed: 100"):
        store.load(tmp_path / "one.json").arrays


@pytest.mark.parametrize(
    "content, message",
    [
        ("", ""),
        ('{"key": "abc"', ""),
        ("[]", ": it is no record"),
        ("null", ": it is no record"),
        ('{"some": "settings"}', ": it is no record"),
        ("[" * 100_000, ""),
        (
            '{"key": "abc", "experiment": {}, "schema": 2}',
            ": it lacks arrays_sha256, files, fingerprint, processes",
        ),
    ],
)
def test_a_damaged_origin_is_refused_by_name(content, message, tmp_path):
    save(tmp_path)
    (tmp_path / "one.json").write_text(content)
    with pytest.raises(ValueError, match="one.json is damaged" + message):
        store.load(tmp_path / "one.json")


def test_a_folder_named_as_a_record_is_refused_by_name(tmp_path):
    (tmp_path / "one.json").mkdir()
    with pytest.raises(ValueError, match="one.json is damaged"):
        store.load(tmp_path / "one.json")


def test_files_that_lie_elsewhere_are_refused(tmp_path):
    record = save(tmp_path)
    files = {f"../{name}": found for name, found in record.origin["files"].items()}
    store.write_origin(record.path, record.origin | {"files": files})
    with pytest.raises(ValueError, match="one.json is damaged: its files lie elsewhere"):
        store.load(record.path)


def test_an_older_schema_is_named_with_the_way_up(tmp_path):
    path = save(tmp_path).path
    origin = json.loads(path.read_text())
    del origin["schema"]
    path.write_text(json.dumps(origin))
    with pytest.raises(ValueError, match="has schema 1, this version reads 2: `localbias migrate`"):
        store.load(path)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_missing_file_is_named(suffix, tmp_path):
    save(tmp_path)
    (tmp_path / f"one.{suffix}").unlink()
    with pytest.raises(ValueError, match=f"one.{suffix} is damaged: No such file"):
        store.load(tmp_path / "one.json")


def test_odd_files_are_told_and_the_others_found(tmp_path):
    save(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="other.json is damaged"):
        store.all_records(folder=tmp_path)
    odd = []
    assert [found.path.name for found in store.all_records(folder=tmp_path, odd=odd.append)] == [
        "one.json"
    ]
    assert len(odd) == 1 and "other.json is damaged" in odd[0] and "\n" not in odd[0]


def test_no_record_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        store.load(tmp_path / "one.json")


@pytest.mark.parametrize("written", [0, 1, 2])
@pytest.mark.parametrize("before", [False, True])
def test_killed_between_its_files_the_old_record_stays(written, before, tmp_path, monkeypatch):
    """After 0, 1 or 2 of the three files, and with an older record in their place or not."""
    older = save(tmp_path, {"step": np.array([1])}, b"other") if before else None
    write, done = store.write_atomically, []

    def killed(path, content):
        if len(done) == written:
            raise KeyboardInterrupt
        write(path, content)
        done.append(path)

    monkeypatch.setattr(store.record, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path)
    assert store.all_records(folder=tmp_path) == ([older] if older else [])
    if older:
        assert same(store.load(older.path).arrays, {"step": np.array([1])})
    monkeypatch.undo()
    found = save(tmp_path)
    assert same(found.arrays, ARRAYS)
    assert set(files_of(tmp_path)) == {"one.json", *found.origin["files"]}


def test_killed_while_writing_a_file_leaves_no_part_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path)
    assert files_of(tmp_path) == []


def test_records_that_are_read_are_logged_where_asked(tmp_path, monkeypatch):
    first, second = (
        store.save(stem, ORIGIN, ARRAYS, None, tmp_path / "records").path for stem in ("b", "a")
    )
    store.load(first)
    log = tmp_path / "reads"
    monkeypatch.setenv(store.READS, str(log))
    for path in (first, second, first):
        store.load(path)
    assert log.read_text() == "b.json\na.json\nb.json\n"


def test_reading_records_does_not_load_torch():
    code = "import sys, localbias.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_folder_is_the_checkouts():
    assert store.RECORDS == store.ROOT / "records" and (store.ROOT / "pyproject.toml").exists()


def test_the_origin_is_readable_text(tmp_path):
    text = save(tmp_path).path.read_text()
    assert "π" in text and text.endswith("}\n") and json.loads(text)["files"]["one.safetensors"]
