"""Random numbers that say what they are for."""

import hashlib
import json

import torch


def random_generator(*key: str | int) -> torch.Generator:
    """A CPU generator seeded by what it is for, such as ("batch", seed, step)."""
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
