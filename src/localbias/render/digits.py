"""MNIST digits, in the quarters of an image or one alone."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from localbias import assets
from localbias.render.cells import Cells, check_size


class Digits(Cells):
    """MNIST digits in the four quarters of an image: Quarter-MNIST (§4.1). Never flipped.

    Args:
        size: pixels a side, even: 64 as in the paper, 28 for laptops. A quarter of at least 28
            pixels shows the digit at its own size with a margin, a smaller one averaged down.
        exemplars: images a digit, the first of the set.
        source: "embedded" (10,000 digits, in the package) or "full" (all of MNIST, downloaded
            through torchvision).

    Raises:
        ValueError: for an odd size or one below 16, for more exemplars than there are, and for
            another source.
    """

    def __init__(self, size: int = 64, exemplars: int = 1, source: str = "embedded"):
        check_size(size)
        super().__init__(fit(_images(source, exemplars), size // 2), (2, 2))


class Digit(Cells):
    """A single MNIST digit, as the other paper's chain has it. Never flipped.

    Args:
        side: pixels a side.
        exemplars: images a digit, the first of the set.
        source: as of `Digits`.

    Raises:
        ValueError: for a side below 14, for more exemplars than there are, and for another source.
    """

    def __init__(self, side: int = 28, exemplars: int = 1, source: str = "embedded"):
        if side < 14:
            raise ValueError(f"side={side}; allowed: 14 or more")
        super().__init__(fit(_images(source, exemplars), side), (1, 1))


def _images(source: str, exemplars: int) -> Tensor:
    """The first images of each digit: uint8 [10, exemplars, 28, 28]."""
    sources: dict[str, Callable[[], Tensor]] = {
        "embedded": assets.digits,
        "full": assets.full_digits,
    }
    if source not in sources:
        raise ValueError(f"source={source!r}; allowed: {', '.join(sources)}")
    images = sources[source]()
    if not 1 <= exemplars <= images.shape[1]:
        raise ValueError(f"exemplars={exemplars}; {source!r} has 1 to {images.shape[1]} a digit")
    return images[:, :exemplars]


def fit(images: Tensor, side: int) -> Tensor:
    """Digits as signals of another size: padded to a larger one, averaged down to a smaller one.

    Args:
        images: uint8 or float [..., 28, 28], from 0 to 255.
        side: pixels of the signals.

    Returns:
        float32 [..., side, side] in [-1, 1].
    """
    signals = images.float() / 127.5 - 1
    if side >= 28:
        before = (side - 28) // 2
        return functional.pad(signals, (before, side - 28 - before) * 2, value=-1.0)
    averaged = functional.adaptive_avg_pool2d(signals.reshape(-1, 28, 28), side)
    return averaged.reshape(*images.shape[:-2], side, side)
