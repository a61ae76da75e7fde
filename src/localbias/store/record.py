"""The record store: what a run measured (arrays), where it came from (origin), the weights it kept.

A record is up to three files of one stem in `records/`: <stem>.json (origin), <stem>.npz (arrays)
and, where weights were kept, <stem>.safetensors. The JSON names the hashes of the other two and is
written last, so a record is there whole or not at all.
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

# An environment variable: the file to which the name of each record that is read is appended.
READS = "LOCALBIAS_READS"
FIELDS = ("key", "experiment", "fingerprint", "arrays_sha256", "weights_sha256")


@dataclass(frozen=True)
class Record:
    """One run that was stored.

    Attributes:
        path: of its JSON file.
        origin: the configuration, the hashes, the fingerprint and the machine (`origin_of`).
    """

    path: Path
    origin: dict

    @property
    def experiment(self) -> dict:
        """The whole configuration, as the JSON has it."""
        return self.origin["experiment"]

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """What was measured, checked against its hash.

        Raises:
            ValueError: where the file is damaged, naming it.
        """
        path = self.path.with_suffix(".npz")
        try:
            # Opened here, since numpy leaves a file open that it cannot read.
            with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
                arrays = dict(file)
        except Exception as error:  # a broken zip raises any of a dozen types
            raise ValueError(f"record {path} is damaged: {error}") from None
        _check(path, hash_arrays(arrays), self.origin["arrays_sha256"])
        return arrays

    @property
    def weights(self) -> Path:
        """The safetensors file of kept weights, checked against its hash.

        Raises:
            FileNotFoundError: where the run kept none.
            ValueError: where the file is damaged or gone, naming it.
        """
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
    """Write a record whole or not at all; the one of the same stem, if any, is replaced.

    Args:
        stem: the name of its files.
        origin: where it comes from; the hashes of the other two files are added.
        arrays: what was measured.
        weights: a safetensors file, or None where none were kept.
        folder: where it lies.
    """
    path = folder / f"{stem}.json"
    origin = origin | {
        "arrays_sha256": hash_arrays(arrays),
        "weights_sha256": hashlib.sha256(weights).hexdigest() if weights else None,
    }
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    # From here until the new JSON is written there is no record of this stem, so new arrays never
    # stand beside an old origin.
    path.unlink(missing_ok=True)
    write_atomically(path.with_suffix(".npz"), content.getvalue())
    if weights:
        write_atomically(path.with_suffix(".safetensors"), weights)
    write_atomically(path, (json.dumps(origin, indent=1, ensure_ascii=False) + "\n").encode())
    return Record(path, origin)


def load(path: Path) -> Record:
    """The record of a JSON file; its arrays are read and checked when they are asked for.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it is damaged, naming the file.
    """
    try:
        origin = json.loads(path.read_text())
        missing = set(FIELDS) - origin.keys()
    except (ValueError, AttributeError) as error:
        raise ValueError(f"record {path} is damaged: {error}") from None
    if missing:
        raise ValueError(f"record {path} is damaged: it lacks {', '.join(sorted(missing))}")
    if os.environ.get(READS):
        # The path within records/, since flows lie in a folder of their own.
        name = path.relative_to(RECORDS) if path.is_relative_to(RECORDS) else path.name
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
