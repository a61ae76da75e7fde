"""What the package ships or fetches: digits, words, characters and their font.

Licences stand in README.md beside the files.
"""

import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent
KAI = FOLDER / "kai_3000.woff2"  # a Kai face with the glyphs of `characters`


@cache
def digits() -> Tensor:
    """The embedded MNIST digits, 1,000 of each: uint8 [10, 1000, 28, 28], by digit."""
    with np.load(FOLDER / "mnist_10k.npz") as file:
        images, labels = file["x"], file["y"]
    return torch.from_numpy(np.stack([images[labels == digit] for digit in range(10)]))


@cache
def words() -> tuple[str, ...]:
    """The paper's list of frequent English words, in its order: 999 of 1 to 14 letters."""
    return tuple((FOLDER / "words_999.txt").read_text(encoding="utf-8").split())


@cache
def characters() -> tuple[str, ...]:
    """The 3,000 most frequent Chinese characters, the commonest first."""
    return tuple((FOLDER / "characters_3000.txt").read_text(encoding="utf-8").strip())


def full_digits(folder: str | Path = "~/.cache/localbias") -> Tensor:
    """The training digits of MNIST through torchvision.

    Args:
        folder: where they are downloaded to the first time.

    Returns:
        uint8 [10, 5421, 28, 28], by digit. All are cut to the number of the rarest, the fives.

    Raises:
        ValueError: where the files there are damaged, naming the folder.
    """
    from torchvision.datasets import MNIST  # here, because its import takes seconds

    where = Path(folder).expanduser()
    try:
        mnist = MNIST(where, train=True, download=True)
    except (AssertionError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise ValueError(
            f"MNIST cannot be read from {where / 'MNIST' / 'raw'} ({error or type(error).__name__})"
            ": delete that folder, and it is downloaded again"
        ) from error
    classes = [mnist.data[mnist.targets == digit] for digit in range(10)]
    return torch.stack([images[: min(map(len, classes))] for images in classes])
