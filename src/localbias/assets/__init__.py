"""What the package ships or fetches: digits. Licences stand in README.md beside the files."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent
_SCHEMAS = torch.library.Library("torchvision", "FRAGMENT")  # a Library withdraws its schemas when collected


@cache
def digits() -> Tensor:
    """The embedded MNIST digits, 1,000 of each: uint8 [10, 1000, 28, 28], by digit and then in the file's order."""
    with np.load(FOLDER / "mnist_10k.npz") as file:
        images, labels = file["x"], file["y"]
    return torch.from_numpy(np.stack([images[labels == digit] for digit in range(10)]))


def full_digits(folder: str | Path = "~/.cache/localbias") -> Tensor:
    """The 60,000 training digits of MNIST through torchvision, downloaded to `folder` the first time.

    Returns uint8 [10, 5421, 28, 28]: the classes are cut to the size of the rarest one, the fives.
    """
    mnist = torchvision().datasets.MNIST(Path(folder).expanduser(), train=True, download=True)
    classes = [mnist.data[mnist.targets == digit] for digit in range(10)]
    return torch.stack([images[: min(map(len, classes))] for images in classes])


def torchvision():
    """The torchvision module, also where its compiled operators don't fit the installed torch.

    A torchvision built for CUDA stops at import beside a CPU-only torch, because it annotates operators that it could
    not load. Naming their schemas is enough: nothing here calls them.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for operator in ("nms", "qnms"):
            _SCHEMAS.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision
