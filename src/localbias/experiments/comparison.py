"""Whether two runs of one configuration agree: bit for bit, or within what rounding explains.

Another machine, or another number of threads, rounds otherwise, and a training drifts apart. What
is not trained must then still be the same up to rounding; what is trained is held to tolerances
that are stated here, by kind of array.
"""

import numpy as np
import torch

from localbias.experiments.configuration import from_configuration
from localbias.experiments.setup import Setup
from localbias.measure import Outcomes
from localbias.store import Record

SAME_MACHINE = ("device", "threads", "machine", "libraries")
NOT_TRAINED = ("step", "probe_tokens", "probe_t", "clean", "noised")
EXACT_REFERENCES = ("reference_ldr", "matrix_reference")
COUNTED = ("counts", "also")
REFERENCE_TOLERANCE = 1e-3  # of the largest number of the array
DRIFT = 0.5  # Euclidean distance of two trained arrays by the norm of the first
CONFIDENCE = 0.99  # of the Wilson intervals of outcomes that must overlap
FINGERPRINT = 1e-3  # relative


def differences(stored: Record, again: Record) -> list[str]:
    """What does not agree, a sentence each; empty where all does.

    Where the same kind of machine made both with as many threads, in one go, that is every bit of
    every array and weight. Else:

    - `step`, the probe's strings, steps and pictures: equal, but for one of 256 grey values
    - the exact references: to a thousandth of the largest number
    - outcomes, `counts` and `also`: 99 % Wilson intervals overlap
    - all else that a network made: names, types and shapes are equal, and the distance is at most
      half of the norm; `tokens` are held to their counts

    In both cases the tokens of the stored record must give its counts.

    Args:
        stored: a record.
        again: another of the same configuration.
    """
    found = [
        f"{name} is {stored.origin[name]}, now {again.origin[name]}"
        for name in ("data_sha256", "chance", "parameters")
        if stored.origin[name] != again.origin[name]
    ]
    if not same_fingerprint(*(one.origin["fingerprint"] for one in (stored, again))):
        found.append("the fingerprint differs")
    if bit_for_bit(stored, again):
        return found
    if _counted(stored) != stored.arrays["counts"].tolist():
        found.append("counts are not those of tokens")
    alike = comparable(stored, again)
    for name in sorted({*stored.arrays, *again.arrays}):
        one, other = stored.arrays.get(name), again.arrays.get(name)
        if difference := _difference(name, one, other, alike):
            found.append(f"{name} {difference}")
    if alike and _weights(stored) != _weights(again):
        found.append("the kept weights differ")
    return found


def bit_for_bit(stored: Record, again: Record) -> bool:
    """Whether arrays and kept weights are the same."""
    same = stored.origin["arrays_sha256"] == again.origin["arrays_sha256"]
    return same and _weights(stored) == _weights(again)


def comparable(stored: Record, again: Record) -> bool:
    """Whether both were made alike: one kind of machine, its threads and libraries throughout."""
    processes = [*stored.origin["processes"], *again.origin["processes"]]
    made = [[process[name] for name in SAME_MACHINE] for process in processes]
    return all(one == made[0] for one in made) and made[0][0] == "cpu"


def same_fingerprint(stored: dict | None, now: dict | None) -> bool:
    """Whether two fingerprints agree up to rounding."""
    if stored is None or now is None:
        return stored is now
    return stored.keys() == now.keys() and bool(
        np.allclose(list(stored.values()), list(now.values()), rtol=FINGERPRINT, atol=1e-5)
    )


def _counted(found: Record) -> list[list[int]]:
    """The outcomes of a record's tokens, counted anew."""
    setup = Setup(from_configuration(found.experiment))
    tokens = torch.from_numpy(found.arrays["tokens"]).long()
    return [setup.tally(row).counts.tolist() for row in tokens]


def _difference(
    name: str, stored: np.ndarray | None, again: np.ndarray | None, alike: bool
) -> str | None:
    """What is too different in an array, in words; `alike`: whether every bit must be the same."""
    if stored is None or again is None:
        return "is in one of them only"
    if (stored.dtype, stored.shape) != (again.dtype, again.shape):
        return f"is {stored.dtype} {stored.shape}, now {again.dtype} {again.shape}"
    if np.array_equal(stored, again, equal_nan=stored.dtype.kind == "f"):
        return None
    if alike:
        return "differs"
    if name in COUNTED:
        low, high = Outcomes(stored).intervals(CONFIDENCE)
        low_again, high_again = Outcomes(again).intervals(CONFIDENCE)
        apart = ((low > high_again) | (low_again > high)).any(-1)
        return f"of rows {np.flatnonzero(apart).tolist()} lie apart" if apart.any() else None
    if name == "tokens":
        return None
    gap = stored.astype(float) - again.astype(float)
    if name in NOT_TRAINED:
        allowed = 1 if stored.dtype == np.uint8 else 0
        return f"differs by up to {np.abs(gap).max():g}" if np.abs(gap).max() > allowed else None
    known = np.isfinite(gap)
    size = np.abs(stored[known]).max(initial=0)
    if name in EXACT_REFERENCES:
        worst = np.abs(gap[known]).max(initial=0)
        return f"differs by {worst:g} of {size:g}" if worst > REFERENCE_TOLERANCE * size else None
    away, norm = (float(np.linalg.norm(part[known])) for part in (gap, stored.astype(float)))
    return f"is {away:.3g} away, its norm is {norm:.3g}" if away > DRIFT * norm else None


def _weights(found: Record) -> bytes | None:
    """The file of the weights that a record kept, if any."""
    return found.weights.read_bytes() if found.weights else None
