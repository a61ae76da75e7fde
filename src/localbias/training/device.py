"""Where a training runs, and on how many threads."""

import os

import torch


def auto_device(device: str = "auto") -> torch.device:
    """The device of that name; "auto" is the GPU where there is one, else the CPU.

    Raises:
        ValueError: for a device that is not here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        gpu = ", cuda" if torch.cuda.is_available() else " (there is no CUDA GPU here)"
        raise ValueError(f"device={device!r}; allowed: auto, cpu{gpu}")
    return torch.device(device)


def use_threads(count: int | None = None) -> None:
    """Have PyTorch compute on so many threads of the CPU.

    Networks this small gain nothing from more than one, and threads on cores that something else
    uses too would wait for each other.

    Args:
        count: how many; None: OMP_NUM_THREADS where it is set, else one.

    Raises:
        ValueError: for fewer than one.
    """
    if count is None:
        asked = os.environ.get("OMP_NUM_THREADS", "1")
        count = int(asked) if asked.isdecimal() else 1
    if count < 1:
        raise ValueError(f"threads={count}; allowed: at least 1")
    torch.set_num_threads(count)
