"""The record store: what a run measured (arrays), where it came from (origin), and the weights it kept.

A record is three files of one stem in `records/`: <stem>.json (origin), <stem>.npz (arrays) and, where weights were
kept, <stem>.safetensors. The JSON names the hashes of the other two and is written last, so a record is there whole
or not at all.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from localbias.store.files import write_atomically
from localbias.store.paths import RECORDS

READS = "LOCALBIAS_READS"  # environment variable: a file to which the name of every record read is appended
FIELDS = ("key", "experiment", "fingerprint", "arrays_sha256", "weights_sha256")


@dataclass(frozen=True)
class Record:
    """One run. `origin` holds the configuration, the hashes, the fingerprint and the machine; `path` is its JSON."""

    path: Path
    origin: dict

    @property
    def experiment(self) -> dict:
        """The whole configuration, as the JSON has it."""
        return self.origin["experiment"]

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """What was measured, checked against its hash. ValueError, naming the file, where it is damaged."""
        path = self.path.with_suffix(".npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
        except Exception as error:  # a broken zip raises any of a dozen types
            raise ValueError(f"record {path} is damaged: {error}") from None
        _check(path, hash_arrays(arrays), self.origin["arrays_sha256"])
        return arrays

    @property
    def weights(self) -> Path:
        """The safetensors file of kept weights, checked against its hash. FileNotFoundError if the run kept none."""
        path = self.path.with_suffix(".safetensors")
        if self.origin["weights_sha256"] is None:
            raise FileNotFoundError(f"record {self.path} kept no weights")
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ValueError(f"record {path} is damaged: {error}") from None
        _check(path, found, self.origin["weights_sha256"])
        return path


def save(
    stem: str,
    origin: dict,
    arrays: dict[str, np.ndarray],
    weights: bytes | None,
    folder: Path = RECORDS,
) -> Record:
    """Write a record whole or not at all; the one of the same stem, if any, is replaced."""
    path = folder / f"{stem}.json"
    origin = origin | {
        "arrays_sha256": hash_arrays(arrays),
        "weights_sha256": hashlib.sha256(weights).hexdigest() if weights else None,
    }
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    path.unlink(missing_ok=True)  # from here to the last line there is no record
    write_atomically(path.with_suffix(".npz"), content.getvalue())
    if weights:
        write_atomically(path.with_suffix(".safetensors"), weights)
    write_atomically(path, (json.dumps(origin, indent=1, ensure_ascii=False) + "\n").encode())
    return Record(path, origin)


def load(path: Path) -> Record:
    """Read a record's origin; its arrays are read and checked when they are asked for.

    ValueError, naming the file, where it is damaged; FileNotFoundError where there is none.
    """
    try:
        origin = json.loads(path.read_text())
        missing = set(FIELDS) - origin.keys()
    except (ValueError, AttributeError) as error:
        raise ValueError(f"record {path} is damaged: {error}") from None
    if missing:
        raise ValueError(f"record {path} is damaged: it lacks {', '.join(sorted(missing))}")
    if os.environ.get(READS):
        name = (
            path.relative_to(RECORDS) if path.is_relative_to(RECORDS) else path.name
        )  # flows lie in a folder of theirs
        with open(os.environ[READS], "a") as file:
            file.write(f"{name}\n")
    return Record(path, origin)


def find(stem: str, stem_of: Callable[[dict], str], folder: Path = RECORDS) -> Record | None:
    """The record of that stem, or None where there is none.

    Args:
        stem: the name of its files, which ends in the key of its configuration.
        stem_of: the stem that belongs to the configuration a record holds.
        folder: where it lies.

    Raises:
        ValueError: where it is damaged, or holds another configuration than its name says.
    """
    path = folder / f"{stem}.json"
    if not path.exists():
        return None
    found = load(path)
    try:
        held = stem_of(found.experiment)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"record {path} is damaged: its configuration is not one ({error!r})"
        ) from None
    if held != stem:
        raise ValueError(
            f"record {path} holds another configuration than its name says; delete it to run again"
        )
    return found


def all_records(pattern: str = "*", folder: Path = RECORDS) -> list[Record]:
    """The records of a folder whose stem matches the pattern, by name."""
    return [load(path) for path in sorted(folder.glob(f"{pattern}.json"))]


def hash_arrays(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and numbers, in the order of the names."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _check(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(
            f"record {path} is damaged: its hash is {found[:12]}…, its origin says {expected[:12]}…"
        )
