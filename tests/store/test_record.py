"""Records: whole or not at all, and damage named."""

import json
import subprocess
import sys

import numpy as np
import pytest

from localbias import store

ARRAYS = {
    "step": np.array([10, 20]),
    "loss": np.float32([0.5, np.nan]),
    "tokens": np.zeros((2, 3), np.int8),
}
ORIGIN = {"key": "abc", "experiment": {"name": "π"}, "fingerprint": {"loss": 1.0}}
SUFFIXES = ("json", "npz", "safetensors")


def save(folder, arrays=ARRAYS, weights=b"weights"):
    return store.save("one", ORIGIN, arrays, weights, folder)


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
    assert sorted(path.name for path in saved.path.parent.iterdir()) == [
        f"one.{suffix}" for suffix in SUFFIXES
    ]


def test_a_record_without_weights(tmp_path):
    found = save(tmp_path, weights=None)
    assert not (tmp_path / "one.safetensors").exists() and found.origin["weights_sha256"] is None
    with pytest.raises(FileNotFoundError, match="one.json kept no weights"):
        found.weights


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


def test_the_same_record_is_the_same_bytes(tmp_path, monkeypatch):
    save(tmp_path / "now")
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    save(tmp_path / "later", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "now/one.json").read_bytes() == (tmp_path / "later/one.json").read_bytes()
    save(tmp_path / "later")
    for suffix in SUFFIXES:
        assert (tmp_path / f"now/one.{suffix}").read_bytes() == (
            tmp_path / f"later/one.{suffix}"
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


@pytest.mark.parametrize("keep", [0, 10, 0.5, -1])
def test_a_truncated_array_file_is_refused_by_name(keep, tmp_path):
    save(tmp_path)
    path = tmp_path / "one.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else keep])
    found = store.load(tmp_path / "one.json")
    with pytest.raises(ValueError, match="one.npz is damaged"):
        found.arrays


def test_a_flipped_bit_is_refused_by_name(tmp_path):
    save(tmp_path)
    path = tmp_path / "one.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="one.npz is damaged"):
        store.load(tmp_path / "one.json").arrays


def test_other_arrays_than_the_origin_says_are_refused_by_name(tmp_path):
    save(tmp_path)
    np.savez(tmp_path / "one.npz", **ARRAYS | {"step": np.array([10, 21])})
    found = store.load(tmp_path / "one.json")
    with pytest.raises(ValueError, match="one.npz is damaged: its hash is"):
        found.arrays


def test_pickled_arrays_are_refused(tmp_path):
    save(tmp_path)
    np.savez(tmp_path / "one.npz", step=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="one.npz is damaged.*pickle"):
        store.load(tmp_path / "one.json").arrays
    with pytest.raises(ValueError):
        save(tmp_path, {"step": np.array([{}], dtype=object)})


@pytest.mark.parametrize(
    "content, message",
    [
        ("", ""),
        ('{"key": "abc"', ""),
        ("[]", ""),
        ("null", ""),
        ('{"key": "abc", "experiment": {}}', ".*lacks arrays_sha256, fingerprint, weights_sha256"),
    ],
)
def test_a_damaged_origin_is_refused_by_name(content, message, tmp_path):
    save(tmp_path)
    (tmp_path / "one.json").write_text(content)
    with pytest.raises(ValueError, match="one.json is damaged" + message):
        store.load(tmp_path / "one.json")


@pytest.mark.parametrize(
    "suffix, read", [("npz", lambda r: r.arrays), ("safetensors", lambda r: r.weights)]
)
def test_a_missing_file_is_named(suffix, read, tmp_path):
    save(tmp_path)
    (tmp_path / f"one.{suffix}").unlink()
    found = store.load(tmp_path / "one.json")
    with pytest.raises(ValueError, match=f"one.{suffix} is damaged: .*No such file"):
        read(found)


def test_changed_weights_are_refused_by_name(tmp_path):
    found = save(tmp_path)
    (tmp_path / "one.safetensors").write_bytes(b"Weights")
    with pytest.raises(ValueError, match="one.safetensors is damaged: its hash is"):
        found.weights


def test_no_record_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        store.load(tmp_path / "one.json")


@pytest.mark.parametrize("written", [0, 1, 2])
@pytest.mark.parametrize("before", [False, True])
def test_killed_between_its_files_there_is_no_record(written, before, tmp_path, monkeypatch):
    """After 0, 1 or 2 of the three files, and with an older record in their place or not."""
    if before:
        save(tmp_path, {"step": np.array([1])}, b"other")
    write, done = store.write_atomically, []

    def killed(path, content):
        if len(done) == written:
            raise KeyboardInterrupt
        write(path, content)
        done.append(path)

    monkeypatch.setattr(store.record, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path)
    assert store.all_records(folder=tmp_path) == []
    monkeypatch.undo()
    assert same(save(tmp_path).arrays, ARRAYS)


def test_killed_while_writing_a_file_leaves_no_part_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path)
    assert list(tmp_path.iterdir()) == []


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
    assert "π" in text and text.endswith("}\n") and json.loads(text)["weights_sha256"]
