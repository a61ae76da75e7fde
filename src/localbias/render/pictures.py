"""Whole pictures, of which every cell is a symbol of its own: words as lines, characters."""

import torch
from torch import Tensor

from localbias import assets, grammar
from localbias.render.cells import Cells, cell_size, check_size
from localbias.render.fonts import draw, placed, require_glyphs


class Pictures(Cells):
    """Whole pictures, each a string of its own cells.

    Attributes:
        strings: int [n, L], the strings that make a picture; a cell's symbol has no other meaning.

    Args:
        pool: float32 [K, h, w] in [-1, 1], the cells, one a symbol.
        grid: (rows, columns).
        strings: as above.
    """

    def __init__(self, pool: Tensor, grid: tuple[int, int], strings: Tensor):
        super().__init__(pool[:, None], grid)
        self.strings = strings


class Lines(Pictures):
    """Words in a proportional font, each a picture and a single symbol.

    They are the strings of `grammar.Lexicon` with whole=True.

    Args:
        image: (height, width) in pixels.
        words: as `grammar.Lexicon` takes it.

    Raises:
        ValueError: for an image below 10×20 pixels, and words that are none or have characters
            that the font lacks.
    """

    def __init__(self, image: tuple[int, int], words: str | tuple[str, ...] = "english"):
        height, width = cell_size((1, 1), image, (10, 20))
        entries = grammar.Lexicon(words, whole=True).alphabet
        require_glyphs(entries, "sans")
        pool = torch.stack([line(word, height, width, entries) for word in entries])
        super().__init__(pool, (1, 1), torch.arange(len(entries))[:, None])


class Characters(Pictures):
    """Chinese characters in a Kai face, each cut into four quarters (A.7.4; the quarters are ours).

    Args:
        count: how many, the most frequent ones.
        size: pixels a side, even.

    Raises:
        ValueError: for a count that there is not, an odd size, and one below 16.
    """

    def __init__(self, count: int, size: int = 64):
        check_size(size)
        em = size * 0.9
        at = size / 2, size / 2 + em * 0.38  # the em square is centred
        characters = assets.characters()[: grammar.Characters(count).count]
        whole = torch.stack([draw(one, "kai", em, at, size, size) for one in characters])
        quarters = whole.unflatten(1, (2, -1)).unflatten(3, (2, -1)).transpose(2, 3).flatten(0, 2)
        super().__init__(quarters, (2, 2), torch.arange(len(quarters)).reshape(-1, 4))


def line(word: str, height: int, width: int, among: tuple[str, ...]) -> Tensor:
    """A word in DejaVu Sans, centred.

    Args:
        word: to draw.
        height: of the picture, in pixels.
        width: of the picture.
        among: words that are drawn at one size, the largest at which all of them fit.

    Returns:
        float32 [height, width] in [-1, 1].
    """
    size, at = placed(tuple(among), "sans", height, width, rim=3)
    return draw(word, "sans", size, at, height, width)
