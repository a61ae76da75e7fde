"""The record store: what a run measured (arrays), where it came from (origin), the weights it kept.

A record is up to three files in `records/`: <stem>.json (origin), an .npz (arrays) and, where
weights were kept, a .safetensors. The JSON names the other two with their hashes, bears a checksum
of its own and is written last, so a record is there whole or not at all: a new one takes the place
of an old one when its JSON does.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from localbias.store.files import only_writer, write_atomically
from localbias.store.paths import RECORDS

# An environment variable: the file to which the name of each record that is read is appended.
READS = "LOCALBIAS_READS"
SCHEMA = 2  # of the JSON; CHANGELOG.md says what each was
FIELDS = ("key", "experiment", "fingerprint", "processes", "arrays_sha256", "files")
LARGEST = 2**30  # bytes of the arrays that are read


@dataclass(frozen=True)
class Record:
    """One run that was stored.

    Attributes:
        path: of its JSON file.
        origin: the configuration, the hashes, the fingerprint and the machines (`origin_of`).
    """

    path: Path
    origin: dict

    @property
    def experiment(self) -> dict:
        """The whole configuration, as the JSON has it."""
        return self.origin["experiment"]

    @property
    def seconds(self) -> float:
        """Wall time of all processes that made it."""
        return sum(process["seconds"] for process in self.origin["processes"])

    @property
    def on_cpu(self) -> bool:
        """Whether no process that made it used a GPU."""
        return all(process["device"] == "cpu" for process in self.origin["processes"])

    @property
    def day(self) -> str:
        """On which it was made, as 2025-03-09; "" for one so old that its origin does not say."""
        return self.origin["processes"][-1].get("ended", "")[:10]

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """What was measured, checked against its hash.

        Raises:
            ValueError: where the file is damaged, naming it.
        """
        path = self._file(".npz")
        assert path  # every record has arrays
        try:
            # Opened here, since numpy leaves a file open that it cannot read.
            with path.open("rb") as content:
                size = sum(member.file_size for member in zipfile.ZipFile(content).infolist())
                if size > LARGEST:
                    raise ValueError(f"{size} bytes of arrays; allowed: {LARGEST}")
                content.seek(0)
                with np.load(content, allow_pickle=False) as file:
                    arrays = dict(file)
            found = hash_arrays(arrays)
        except Exception as error:  # a broken zip raises any of a dozen types
            raise ValueError(f"record {path} is damaged: {error}") from None
        _check(path, found, self.origin["arrays_sha256"])
        return arrays

    @property
    def weights(self) -> Path | None:
        """The safetensors file of kept weights; None where none were kept."""
        return self._file(".safetensors")

    def _file(self, suffix: str) -> Path | None:
        named = [name for name in self.origin["files"] if name.endswith(suffix)]
        return self.path.with_name(named[0]) if named else None

    def check_files(self) -> None:
        """Compare its files with the hashes that the origin has of them.

        Raises:
            ValueError: where one is damaged or gone, naming it.
        """
        for name, expected in self.origin["files"].items():
            path = self.path.with_name(name)
            try:
                found = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                raise ValueError(f"record {path} is damaged: {error.strerror}") from None
            _check(path, found, expected)


def save(
    stem: str,
    origin: dict,
    arrays: dict[str, np.ndarray],
    weights: bytes | None,
    folder: Path = RECORDS,
) -> Record:
    """Write a record whole or not at all; one of the same stem stays until the new one is whole.

    Args:
        stem: the name of its files.
        origin: where it comes from; the hashes of the other two files are added.
        arrays: what was measured.
        weights: a safetensors file, or None where none were kept.
        folder: where it lies.

    Raises:
        OSError: where it cannot be written; the old record stays.
    """
    path, content = folder / f"{stem}.json", io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    parts = {".npz": content.getvalue()} | ({".safetensors": weights} if weights else {})
    hashes = {suffix: hashlib.sha256(part).hexdigest() for suffix, part in parts.items()}
    with only_writer(path.name, folder):
        # Beside a record that is replaced, the new files need names of their own.
        names = {
            suffix: f"{stem}-{hashes[suffix][:8]}{suffix}" if path.exists() else f"{stem}{suffix}"
            for suffix in parts
        }
        files = {names[suffix]: hashes[suffix] for suffix in parts}
        for suffix, part in parts.items():
            write_atomically(folder / names[suffix], part)
        whole = origin | {"arrays_sha256": hash_arrays(arrays), "files": files}
        signed = write_origin(path, whole)
        for suffix in (".npz", ".safetensors"):
            for old in (
                folder / f"{stem}{suffix}",
                *folder.glob(f"{stem}-{'[0-9a-f]' * 8}{suffix}"),
            ):
                if old.name not in files:
                    old.unlink(missing_ok=True)
    return Record(path, signed)


def write_origin(path: Path, origin: dict[str, Any]) -> dict[str, Any]:
    """Write the JSON of a record: the origin, the number of its schema and a checksum over both."""
    signed = _signed(origin)
    write_atomically(path, _json(signed))
    return signed


def load(path: Path) -> Record:
    """The record of a JSON file, its files checked; the arrays are read when they are asked for.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it is damaged or of another schema, naming the file.
    """
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"record {path} is damaged: {error}") from None
    if not isinstance(origin, dict) or not {"key", "experiment"} <= origin.keys():
        raise ValueError(f"record {path} is damaged: it is no record of an experiment")
    if origin.get("schema") != SCHEMA:
        raise ValueError(
            f"record {path} has schema {origin.get('schema', 1)}, this version reads {SCHEMA}: "
            "`localbias migrate` brings older ones up to it"
        )
    missing = set(FIELDS) - origin.keys()
    if missing:
        raise ValueError(f"record {path} is damaged: it lacks {', '.join(sorted(missing))}")
    _check(path, _signed(origin)["sha256"], origin.get("sha256"))
    if any(Path(name).name != name for name in origin["files"]):
        raise ValueError(f"record {path} is damaged: its files lie elsewhere")
    record = Record(path, origin)
    record.check_files()
    note_read(record)
    return record


def note_read(record: Record) -> None:
    """Add a record's name to the list of those that were read, where one is kept (`READS`).

    `load` does so; whoever keeps a record in memory and takes it again does it for each use.
    """
    if os.environ.get(READS):
        # The path within records/, since flows lie in a folder of their own.
        path = record.path
        name = path.relative_to(RECORDS) if path.is_relative_to(RECORDS) else path.name
        with open(os.environ[READS], "a", encoding="utf-8") as file:
            file.write(f"{name}\n")


def timed(records: Sequence[Record]) -> list[Record]:
    """The records by whose seconds a time is told: those of a CPU, or all where it made none."""
    return [one for one in records if one.on_cpu] or [*records]


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


def all_records(
    pattern: str = "*", folder: Path = RECORDS, odd: Callable[[str], object] | None = None
) -> list[Record]:
    """The records of a folder whose stem matches the pattern, by name.

    Args:
        pattern: of stems.
        folder: where they lie.
        odd: called with a sentence about each file that is none; without it that is an error.

    Raises:
        ValueError: for a file that is no record, or a damaged one, naming it.
    """
    found = []
    for path in sorted(folder.glob(f"{pattern}.json")):
        try:
            found.append(load(path))
        except ValueError as error:
            if odd is None:
                raise
            odd(str(error))
    return found


def hash_arrays(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and numbers, in the order of the names."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _signed(origin: dict[str, Any]) -> dict[str, Any]:
    rest = {"schema": SCHEMA} | {k: v for k, v in origin.items() if k not in ("schema", "sha256")}
    return rest | {"sha256": hashlib.sha256(_json(rest)).hexdigest()}


def _json(origin: dict[str, Any]) -> bytes:
    return (json.dumps(origin, indent=1, ensure_ascii=False) + "\n").encode()


def _check(path: Path, found: str, expected: object) -> None:
    if found != expected:
        raise ValueError(
            f"record {path} is damaged: its hash is {found[:12]}…, "
            f"its origin says {str(expected)[:12]}…"
        )
