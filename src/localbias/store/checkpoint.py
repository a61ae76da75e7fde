"""Checkpoints: where an unfinished run stands, in one file with a checksum over all of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from localbias.store.files import write_atomically
from localbias.store.record import hash_arrays


def save_checkpoint(path: Path, key: str, arrays: dict[str, np.ndarray], notes: Any) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: of the file, a safetensors file.
        key: of the configuration, checked when the file is read.
        arrays: by name.
        notes: what else is to be kept; anything that JSON can write.

    Raises:
        OSError: where it cannot be written; an older one stays.
    """
    header = {"key": key, "notes": json.dumps(notes)}
    write_atomically(path, save(arrays, header | {"sha256": _digest(header, arrays)}))


def load_checkpoint(path: Path, key: str) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays and the notes of a checkpoint.

    Args:
        path: of the file.
        key: of the configuration that goes on.

    Raises:
        ValueError: where the file is damaged or belongs to another configuration, naming it.
    """
    try:
        with safe_open(path, "numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in list(file.keys())}
        sha256 = header.pop("sha256")
    except Exception as error:  # a torn file raises any of a dozen types
        raise ValueError(
            f"checkpoint {path} is damaged ({error}); delete it to start afresh"
        ) from None
    if sha256 != _digest(header, arrays):
        raise ValueError(
            f"checkpoint {path} is damaged (its checksum is another); delete it to start afresh"
        )
    if header["key"] != key:
        raise ValueError(f"checkpoint {path} belongs to {header['key']}, not to {key}")
    return arrays, json.loads(header["notes"])


def _digest(header: dict[str, str], arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over the header and all names, types, shapes and numbers."""
    whole = json.dumps(header, sort_keys=True) + hash_arrays(arrays)
    return hashlib.sha256(whole.encode()).hexdigest()
