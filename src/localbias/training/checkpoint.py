"""Checkpoints of a training: all that it needs to go on bit for bit, and what it measured."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from localbias import store
from localbias.training.loop import State

PARTS = ("network", "average", "optimizer", "array")


def save_checkpoint(
    path: Path, state: State, key: str, arrays: dict[str, Tensor], notes: Any = None
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: of the file.
        state: of the training.
        key: of the experiment, checked when the file is read.
        arrays: what was measured so far.
        notes: what else is to be kept; anything that JSON can write.

    Raises:
        OSError: where it cannot be written; an older one stays.
    """
    tensors = {f"network.{name}": tensor for name, tensor in state.denoiser.state_dict().items()}
    if state.average is not state.denoiser:
        tensors |= {
            f"average.{name}": tensor for name, tensor in state.average.state_dict().items()
        }
    for i, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": tensor for name, tensor in moments.items()}
    tensors |= {f"array.{name}": tensor for name, tensor in arrays.items()}
    plain = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
    header = {"step": state.step, "loss": state.loss, "notes": notes}
    store.save_checkpoint(path, key, plain, header)


def load_checkpoint(path: Path, state: State, key: str) -> tuple[dict[str, Tensor], Any]:
    """Bring a state to where the checkpoint was saved.

    Args:
        path: of the file.
        state: of the same training; it is changed.
        key: of the experiment.

    Returns:
        The arrays that were measured until then, and the notes.

    Raises:
        ValueError: where the file is damaged, belongs to another experiment, does not fit the
            network or holds a number that is not finite, naming it.
    """
    arrays, header = store.load_checkpoint(path, key)
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for name, array in arrays.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = torch.from_numpy(array)
        # What was measured may hold NaN: it is not computed with.
        if part != "array" and not np.isfinite(array).all():
            raise ValueError(
                f"checkpoint {path}: {name} holds NaN or infinity; delete it to start afresh"
            )
    try:
        state.denoiser.load_state_dict(parts["network"])
        if state.average is not state.denoiser:
            state.average.load_state_dict(parts["average"])
        _restore_moments(state.optimizer, parts["optimizer"])
        state.step, state.loss = header["step"], header["loss"]
    except (RuntimeError, KeyError) as error:  # the code that builds the network has changed since
        raise ValueError(
            f"checkpoint {path} does not fit the network ({error}); delete it to start afresh"
        ) from None
    return parts["array"], header["notes"]


def _restore_moments(optimizer: torch.optim.Optimizer, saved: dict[str, Tensor]) -> None:
    """Give the optimizer its moments, saved as "<place of the parameter>.<name>".

    A parameter that never got a gradient has none. KeyError where only some are there, or more
    than there are parameters.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    rest = dict(saved)
    for i, parameter in enumerate(parameters):
        if not any(name.startswith(f"{i}.") for name in rest):
            continue
        for moment in ("step", "exp_avg", "exp_avg_sq"):
            tensor = rest.pop(f"{i}.{moment}")
            if moment != "step":  # Adam(fused=True) needs the parameter's memory format
                tensor = torch.empty_like(parameter).copy_(tensor)
            optimizer.state[parameter][moment] = tensor.to(parameter.device)
    if rest or not saved:
        raise KeyError(f"optimizer.{min(rest, default='')}")
