"""Records of an older schema, brought to the present one: keys and arrays stay as they are.

Schema 1 knew one process a run and had no checksum over the origin. Each record is checked before
it is written anew: its arrays and weights against their hashes, its data against what its
configuration draws now. What is up to date is left alone: migrating twice changes nothing.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from localbias.experiments.configuration import from_configuration
from localbias.experiments.setup import data_hash
from localbias.store import SCHEMA, hash_arrays, write_origin

MADE_BY = ("code", "device", "threads", "machine", "libraries")  # as in `store.process_of`


def migrate(folder: Path) -> int:
    """Bring the records below a folder to the present schema.

    Returns:
        How many were changed.

    Raises:
        NotADirectoryError: where there is no such folder.
        ValueError: for a file that is no record, and a record that is damaged or was made of other
            data, naming it.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder of records")
    changed = 0
    for path in sorted(folder.glob("**/*.json")):
        origin = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(origin, dict) or not {"key", "experiment"} <= origin.keys():
            raise ValueError(f"{path} is no record")
        if origin.get("schema", 1) == SCHEMA:
            continue
        write_origin(path, _migrated(path, origin))
        changed += 1
    return changed


def _migrated(path: Path, origin: dict[str, Any]) -> dict[str, Any]:
    """The origin of a record of schema 1 as the present one has it."""
    arrays, weights = path.with_suffix(".npz"), path.with_suffix(".safetensors")
    with np.load(arrays, allow_pickle=False) as file:
        held = dict(file)
    files = {arrays.name: hashlib.sha256(arrays.read_bytes()).hexdigest()}
    _require(path, "arrays", hash_arrays(held), origin["arrays_sha256"])
    if origin["weights_sha256"]:
        files[weights.name] = hashlib.sha256(weights.read_bytes()).hexdigest()
        _require(path, "weights", files[weights.name], origin["weights_sha256"])
    if "data_sha256" in origin:  # flows draw theirs as they go
        now = data_hash(from_configuration(origin["experiment"]))
        _require(path, "data", now, origin["data_sha256"])
    process = {name: origin[name] for name in MADE_BY}
    process |= {"steps": [0, int(_last(origin, held))], "seconds": origin["seconds"]}
    dropped = {*MADE_BY, "seconds", "arrays_sha256", "weights_sha256"}
    kept = {name: value for name, value in origin.items() if name not in dropped}
    return kept | {
        "processes": [process],
        "arrays_sha256": origin["arrays_sha256"],
        "files": files,
    }


def _last(origin: dict[str, Any], arrays: dict[str, np.ndarray]) -> int:
    """The step that a run ended at."""
    training = origin["experiment"].get("training")
    return training["steps"] if training else arrays["step"][-1]


def _require(path: Path, what: str, found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(
            f"record {path} is damaged: the hash of its {what} is {found[:12]}…, "
            f"its origin says {expected[:12]}…"
        )
