"""Checkpoints: all that a training needs to go on, bit for bit, in one file."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from localbias.store import write_atomically
from localbias.training.loop import State


def save_checkpoint(path: Path, state: State, key: str, arrays: dict[str, Tensor]) -> None:
    """Write all that resuming needs to one safetensors file, whole or not at all.

    Args:
        path: of the file.
        state: of the training.
        key: of the experiment, checked when the file is read.
        arrays: what was measured so far.
    """
    tensors = {f"network.{name}": tensor for name, tensor in state.denoiser.state_dict().items()}
    if state.average is not state.denoiser:
        tensors |= {
            f"average.{name}": tensor for name, tensor in state.average.state_dict().items()
        }
    for i, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": tensor for name, tensor in moments.items()}
    tensors |= {f"array.{name}": tensor for name, tensor in arrays.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"step": str(state.step), "loss": json.dumps(state.loss), "key": key}
    write_atomically(path, save(tensors, header))


def load_checkpoint(path: Path, state: State, key: str) -> dict[str, Tensor]:
    """Bring a state to where the checkpoint was saved.

    Args:
        path: of the file.
        state: of the same training; it is changed.
        key: of the experiment.

    Returns:
        The arrays that were measured until then.

    Raises:
        ValueError: where the file is damaged, belongs to another experiment or holds a number that
            is not finite, naming it.
    """
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            names = file.keys()  # the file itself is no mapping
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"checkpoint {path} is damaged ({error}); delete it to start afresh"
        ) from None
    if header.get("key") != key:
        raise ValueError(f"checkpoint {path} belongs to experiment {header.get('key')}, not {key}")
    parts: dict[str, dict[str, Tensor]] = {
        part: {} for part in ("network", "average", "optimizer", "array")
    }
    for name, tensor in tensors.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = tensor
        # What was measured may hold NaN: it is not computed with.
        if part != "array" and not tensor.isfinite().all():
            raise ValueError(
                f"checkpoint {path}: {name} holds NaN or infinity; delete it to start afresh"
            )
    try:
        state.denoiser.load_state_dict(parts["network"])
        if state.average is not state.denoiser:
            state.average.load_state_dict(parts["average"])
        _restore_moments(state.optimizer, parts["optimizer"])
    except RuntimeError as error:  # the code that builds the network has changed since
        raise ValueError(
            f"checkpoint {path} does not fit the network ({error}); delete it to start afresh"
        ) from None
    state.step, state.loss = int(header["step"]), json.loads(header["loss"])
    return parts["array"]


def _restore_moments(optimizer: torch.optim.Optimizer, saved: dict[str, Tensor]) -> None:
    """Give the optimizer its moments, saved as "<place of the parameter>.<name>"."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for name, tensor in saved.items():
        i, moment = name.split(".", 1)
        parameter = parameters[int(i)]
        if moment != "step":  # Adam(fused=True) needs the moments in the parameter's memory format
            tensor = torch.empty_like(parameter).copy_(tensor)
        optimizer.state[parameter][moment] = tensor.to(parameter.device)
