"""What torch calls as soon as it is imported, so that torchvision and all that need it can be, too.

A torchvision built for CUDA, such as PyPI's on Linux, stops at import beside a CPU-only torch: it
annotates operators that it could not load. diffusers imports it. To name their schemas is enough,
because nothing here calls them. torch finds this by the entry point `torch.backends` of
pyproject.toml; TORCH_DEVICE_BACKEND_AUTOLOAD=0 turns it off.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

_KEPT: list[Any] = []  # a Library withdraws its schemas when it is garbage-collected


def name_operators() -> None:
    """Name torchvision's operators where it cannot load them into this torch."""
    import torch

    if torch.version.cuda or torch.version.hip or not (spec := find_spec("torchvision")):
        return  # a build of torch for GPUs is installed with its own torchvision
    libraries = sorted(Path(spec.origin or "").parent.glob("_C*.so"))
    if not libraries or _loads(torch, libraries[0]):
        return
    schemas = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        schemas.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(schemas)


def _loads(torch: Any, library: Path) -> bool:
    """Whether a library of operators can be loaded, as torchvision itself would load it."""
    try:
        torch.ops.load_library(library)
    except OSError:
        return False
    return True
