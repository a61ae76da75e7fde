"""Checkpoints: what is read is what was written, or an error that names the file."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from localbias.store import load_checkpoint, save_checkpoint

ARRAYS = {
    "weights": np.arange(12, dtype=np.float32).reshape(3, 4),
    "half": np.float16([1, np.nan]),
    "step": np.array(3),
    "none": np.zeros((0, 2)),
}
NOTES = {"step": 3, "loss": 0.1, "processes": [{"code": "π"}]}


@pytest.fixture
def path(tmp_path):
    save_checkpoint(tmp_path / "new" / "run.safetensors", "mine", ARRAYS, NOTES)
    return tmp_path / "new" / "run.safetensors"


def test_round_trip(path):
    arrays, notes = load_checkpoint(path, "mine")
    assert notes == NOTES and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)
    assert list(path.parent.iterdir()) == [path]


def test_every_flipped_bit_is_found(path):
    """A flip anywhere either is refused by name or leaves what is read as it was (in padding)."""
    content, refused = path.read_bytes(), 0
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            arrays, notes = load_checkpoint(path, "mine")
        except ValueError as error:
            assert "run.safetensors" in str(error), place
            refused += 1
            continue
        assert notes == NOTES, place
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(arrays[name], array, strict=True)
    assert refused > 0.95 * len(content)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_truncated_one_is_refused_by_name(share, path):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="run.safetensors is damaged.*delete it to start afresh"):
        load_checkpoint(path, "mine")


def test_another_configurations_is_refused(path):
    with pytest.raises(ValueError, match="run.safetensors belongs to mine, not to yours"):
        load_checkpoint(path, "yours")


def test_some_other_safetensors_file_is_refused(path):
    save_file({"weight": np.ones(2, np.float32)}, path)
    with pytest.raises(ValueError, match="run.safetensors is damaged"):
        load_checkpoint(path, "mine")
