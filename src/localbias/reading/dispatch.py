"""Who reads a renderer's signals: by its class, so that one of your own can bring its reader."""

from collections.abc import Callable
from functools import singledispatch

from torch import Tensor

from localbias.reading.digits import DigitReader, shipped_network
from localbias.reading.points import PointReader
from localbias.reading.shapes import ShapeReader
from localbias.reading.templates import NEAR, PictureReader, Templates
from localbias.render import Cells, Digit, Digits, Pictures, Points, Renderer, Shapes, Words

Reader = Callable[[Tensor], Tensor]  # signals [B, *shape] -> tokens int64 [B, L]


@singledispatch
def reader(renderer: Renderer) -> Reader:
    """The reader of a renderer's signals.

    A renderer of your own gets one by `reader.register(Class)(function)`.

    Args:
        renderer: what shows the symbols.

    Returns:
        A function of signals `[B, *shape]` that gives tokens int64 [B, L], −1 where a symbol is
        unreadable.

    Raises:
        ValueError: where no reader fits.
    """
    raise ValueError(
        f"no reader for a {type(renderer).__name__}; allowed: cells with one exemplar a symbol, "
        "digits, or a class for which one is registered (localbias.reading.reader.register)"
    )


@reader.register
def _of_cells(renderer: Cells) -> Reader:
    if renderer.exemplars_a_symbol != 1:
        raise ValueError(
            f"no reader for {type(renderer).__name__} with {renderer.exemplars_a_symbol} "
            "exemplars a symbol; allowed: Digits, one exemplar a symbol, or a class for which one "
            "is registered"
        )
    return Templates(renderer)


@reader.register
def _of_words(renderer: Words) -> Reader:
    return Templates(renderer, near=NEAR)


@reader.register
def _of_pictures(renderer: Pictures) -> Reader:
    return PictureReader(renderer)


@reader.register(Digit)
@reader.register(Digits)
def _of_digits(renderer: Digit | Digits) -> Reader:
    """Templates where the data hold one image of each digit, else the network.

    Closeness to a template is the stricter test. A network also reads digits out of strokes that
    are none, since its training cannot show it everything that is not a digit.
    """
    if renderer.exemplars_a_symbol == 1:
        return Templates(renderer)
    return DigitReader(renderer, *shipped_network(min(renderer.height, 28)))


@reader.register
def _of_points(renderer: Points) -> Reader:
    return PointReader(renderer)


@reader.register
def _of_shapes(renderer: Shapes) -> Reader:
    return ShapeReader(renderer)
