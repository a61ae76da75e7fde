"""Two runs of one configuration: every array is compared, exactly or within stated tolerances."""

import numpy as np
import pytest

from localbias import store
from localbias.experiments import bit_for_bit, catalogue, differences, engine
from localbias.experiments.comparison import COUNTED, comparable

SMOKE = catalogue.make("parity-8-scalars", "smoke").replace(keep=(10, 20))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    return engine.run(SMOKE, "cpu", SMOKE, folder / "records", folder / "runs")


@pytest.fixture
def forged(stored, tmp_path):
    """A record that differs in some arrays or fields, correctly signed."""

    def make(arrays=None, threads=None, weights=None, **fields):
        processes = stored.origin["processes"]
        if threads:
            processes = [processes[0] | {"threads": threads}]
        origin = stored.origin | {"processes": processes} | fields
        kept = stored.weights.read_bytes() if weights is None else weights
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return store.save(SMOKE.stem, origin, stored.arrays | (arrays or {}), kept, folder)

    return make


def test_the_same_run_agrees_bit_for_bit(stored, forged):
    again = forged()
    assert bit_for_bit(stored, again) and differences(stored, again) == []
    assert comparable(stored, again) and not comparable(stored, forged(threads=99))


def changes(stored):
    """Every array changed in its last number."""
    for name, array in stored.arrays.items():
        changed = array.copy()
        changed.reshape(-1)[-1] = not changed.reshape(-1)[-1]
        yield name, changed


def test_on_the_same_machine_any_changed_number_is_told(stored, forged):
    told = {name: differences(forged({name: array}), stored) for name, array in changes(stored)}
    assert all(f"{name} differs" in told[name] for name in told), told
    assert differences(stored, forged(weights=b"other")) == ["the kept weights differ"]


@pytest.mark.parametrize("threads", [None, 99])
def test_counts_that_tokens_do_not_give_are_told(stored, forged, threads):
    counts = stored.arrays["counts"][:, [0, 1, 3, 2]]
    assert "counts are not those of tokens" in differences(
        forged({"counts": counts}, threads), stored
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"data_sha256": "0" * 64},
        {"chance": [1.0, 0.0, 0.0, 0.0]},
        {"parameters": 1},
        {"fingerprint": {"loss": 1.0}},
        {"fingerprint": None},
    ],
)
def test_a_changed_origin_is_told(stored, forged, fields):
    (name,) = fields
    (sentence,) = differences(forged(**fields), stored)
    assert name in sentence


def forgeries(stored):
    """What a forger or a bug might leave on another machine, array by array."""
    arrays = stored.arrays
    return {
        "a single row for all": {
            "ldr": np.broadcast_to(arrays["ldr"][-1:] * 0, arrays["ldr"].shape)
        },
        "a wrong shape": {"ldr": arrays["ldr"][:1]},
        "a wrong type": {"loss": arrays["loss"].astype(np.float64)},
        "other losses": {"loss": arrays["loss"] * 3},
        "other pictures": {"samples": 255 - arrays["samples"]},
        "other steps": {"step": arrays["step"] + 1},
        "other signals": {"probe_tokens": 1 - arrays["probe_tokens"]},
        "another reference": {"reference_ldr": arrays["reference_ldr"] * 1.01},
        "another excess": {"excess": arrays["excess"] + 10},
        "an array too many": {"more": np.zeros(1)},
    }


def test_within_tolerances_forgeries_are_told(stored, forged):
    for what, arrays in forgeries(stored).items():
        told = differences(forged(arrays, threads=99), stored)
        (name,) = arrays
        assert len(told) == 1 and told[0].startswith(name), (what, told)


def test_within_tolerances_rounding_passes(stored, forged):
    arrays = {
        name: array * np.float32(1 + 1e-4) if array.dtype.kind == "f" else array
        for name, array in stored.arrays.items()
    }
    assert differences(forged(arrays, threads=99), stored) == []


def test_outcomes_are_held_to_intervals(stored, forged):
    """99 % Wilson intervals of 8 and 10 in 16 overlap widely; those of 0 and 16 do not."""
    assert COUNTED == ("counts", "also")

    def told(counts):
        one = forged({"counts": np.array(counts)}, threads=99)
        left = forged({"counts": np.array([[0, 8, 8, 0], [0, 16, 0, 0]])}, threads=98)
        return [line for line in differences(left, one) if line.startswith("counts of")]

    assert told([[0, 10, 6, 0], [1, 15, 0, 0]]) == []
    assert told([[0, 8, 8, 0], [16, 0, 0, 0]]) == ["counts of rows [1] lie apart"]
