"""What the generations of a chain are: how the first is drawn, and what is measured of each.

Dispatched by what shows them: points of a mixture, or single digits, which have labels.
"""

from functools import singledispatch
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from localbias.experiments.setup import Setup
from localbias.reading.digits import digit_features, examples, shipped_network
from localbias.render import Digit, Points, Renderer, to_pixels
from localbias.statistics import frechet

SHOWN = 400  # points of each generation that a record keeps
PICTURES = 10  # of each digit


class Drawn(NamedTuple):
    """Signals `[n, *shape]` and, of digits, what each was told to be, int64 [n]."""

    signals: Tensor
    labels: Tensor | None = None

    def chosen(self, places: Tensor) -> "Drawn":
        """Those at some places, int [m]."""
        labels = None if self.labels is None else self.labels[places]
        return Drawn(self.signals[places], labels)


@singledispatch
def first_data(renderer: Renderer, setup: Setup, n: int, generator: torch.Generator) -> Drawn:
    """What the first network is trained on: n signals of the data.

    ValueError for what shows neither points nor single digits.
    """
    raise ValueError(
        f"a chain of {setup.experiment.name!r}, which shows no points and no single digits"
    )


@first_data.register
def _points(renderer: Points, setup: Setup, n: int, generator: torch.Generator) -> Drawn:
    return Drawn(setup.draw(generator, n))


@first_data.register
def _digits(renderer: Digit, setup: Setup, n: int, generator: torch.Generator) -> Drawn:
    labels = balanced(n)
    return Drawn(renderer(labels[:, None], generator), labels)


def balanced(n: int) -> Tensor:
    """As many of each digit: int64 [n]."""
    return torch.arange(n) % 10


@singledispatch
def row(renderer: Renderer, setup: Setup, drawn: Drawn, kept: Drawn) -> dict[str, np.ndarray]:
    """What is measured of a generation, an array each.

    Of both: bad, the share of what was drawn that lies in no mode, or is not read as its label; and
    kept, the same of what the next network is trained on.

    Args:
        renderer: of the setup.
        setup: of the chain.
        drawn: before the treatment.
        kept: after it.

    Raises:
        ValueError: for a renderer of whose pictures nothing is measured.
    """
    known = ", ".join(one.__name__ for one in row.registry if one is not object)
    raise ValueError(f"renderer {type(renderer).__name__}; chains are measured of: {known}")


@row.register
def _row_of_points(
    renderer: Points, setup: Setup, drawn: Drawn, kept: Drawn
) -> dict[str, np.ndarray]:
    tokens, left = setup.reader(drawn.signals), setup.reader(kept.signals)
    inside = (tokens >= 0).all(1)
    away = drawn.signals[inside] - renderer.means(tokens[inside])
    powers = renderer.symbols ** torch.arange(renderer.length - 1, -1, -1)
    modes = (tokens[inside] @ powers).bincount(minlength=renderer.symbols**renderer.length)
    return {
        "bad": np.array((~inside).double().mean().item()),
        "kept": np.array((left < 0).any(1).double().mean().item()),
        "width": np.array(away.double().square().mean().sqrt().item() / renderer.spread),
        "modes": modes.numpy(),
        "points": kept.signals[:SHOWN].numpy(),
    }


@row.register
def _row_of_digits(
    renderer: Digit, setup: Setup, drawn: Drawn, kept: Drawn
) -> dict[str, np.ndarray]:
    """Beside them: the share that is refused; the Fréchet distance; pictures, uint8.

    That distance is between features of the digit reader, of what was drawn (as many as are kept,
    so that treatments are compared at the same size) and of the digits that the reader and the
    networks were not trained on.
    """
    network, _ = shipped_network(renderer.height)
    tokens, left = setup.reader(drawn.signals)[:, 0], setup.reader(kept.signals)[:, 0]
    assert drawn.labels is not None and kept.labels is not None
    genuine, _ = examples(renderer.height, held_out=True)
    some = drawn.signals[: len(kept.signals)]
    features = (digit_features(network, images).numpy() for images in (some, genuine))
    order = kept.labels.argsort(stable=True)
    of_each = [order[kept.labels[order] == digit][:PICTURES] for digit in range(10)]
    return {
        "bad": np.array((tokens != drawn.labels).double().mean().item()),
        "kept": np.array((left != kept.labels).double().mean().item()),
        "refused": np.array((tokens < 0).double().mean().item()),
        "distance": np.array(frechet(*features)),
        "pictures": to_pixels(kept.signals[torch.cat(of_each)]).numpy(),
    }
