"""Renderers that show each symbol in a cell of its own, as one of several exemplars.

They all are a grid of equal cells and a pool of exemplars for each symbol, so the exact references
and the readers treat all of them alike.
"""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from localbias import assets, grammar
from localbias.render.fonts import draw, extent, filling
from localbias.render.renderer import Renderer


class Cells(Renderer):
    """A grid of cells and a pool of exemplars.

    A signal is `join(pool[symbol, exemplar])` over its cells.

    Attributes:
        grid: (rows, columns); symbol i stands in row i // columns.
        height: of a cell, in pixels.
        width: of a cell.
        exemplars_a_symbol: E, how many pictures the pool has of each symbol.
        atoms: float32 [K, E, height·width] in [-1, 1], the pool as flat cells.

    Args:
        pool: float32 [K, E, h, w] in [-1, 1]: exemplar e of symbol k.
        grid: (rows, columns).
        shape: of one signal; None is (1, rows·h, columns·w).

    Raises:
        ValueError: for a shape that does not hold the cells.
    """

    def __init__(self, pool: Tensor, grid: tuple[int, int], shape: tuple[int, ...] | None = None):
        rows, columns = grid
        self.symbols, self.exemplars_a_symbol, self.height, self.width = pool.shape
        self.pool, self.grid, self.length = pool, tuple(grid), rows * columns
        self.shape = shape or (1, rows * self.height, columns * self.width)
        if prod(self.shape) != self.length * self.height * self.width:
            raise ValueError(
                f"shape {self.shape} cannot hold {self.length} cells of {self.height}×{self.width}"
            )

    def __repr__(self) -> str:
        pool = f"{self.symbols} symbols × {self.exemplars_a_symbol}"
        return (
            f"{type(self).__name__}({pool}, grid={self.grid}, cells of {self.height}×{self.width})"
        )

    @property
    def atoms(self) -> Tensor:
        return self.pool.flatten(2)

    def content(self) -> dict[str, Tensor]:
        return {"pool": self.pool}

    def exemplars(self, tokens: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Which exemplar each symbol of strings [n, L] is shown as, at random: int64 [n, L]."""
        return torch.randint(self.exemplars_a_symbol, tokens.shape, generator=generator)

    def draw(self, tokens: Tensor, exemplars: Tensor) -> Tensor:
        """Signals `[n, *shape]` of strings [n, L] shown as the given exemplars [n, L].

        Raises:
            ValueError: for strings of another length, and for symbols or exemplars that the pool
                lacks.
        """
        if tokens.shape[-1] != self.length:
            raise ValueError(
                f"strings of {tokens.shape[-1]} symbols; the grid {self.grid} shows {self.length}"
            )
        for what, chosen, count in (
            ("symbols", tokens, self.symbols),
            ("exemplars", exemplars, self.exemplars_a_symbol),
        ):
            if chosen.numel() and not 0 <= chosen.min() <= chosen.max() < count:
                raise ValueError(
                    f"{what} {chosen.min()} to {chosen.max()}; the pool has 0 to {count - 1}"
                )
        return self.join(self.pool[tokens, exemplars].flatten(2))

    def split(self, signals: Tensor) -> Tensor:
        """The cells of signals `[B, *shape]`: [B, L, h·w]."""
        (rows, columns), h, w = self.grid, self.height, self.width
        cells = signals.reshape(-1, rows, h, columns, w).transpose(2, 3)
        return cells.reshape(-1, self.length, h * w)

    def join(self, cells: Tensor) -> Tensor:
        """Signals `[B, *shape]` of cells [B, L, h·w]: the inverse of `split`."""
        (rows, columns), h, w = self.grid, self.height, self.width
        return cells.reshape(-1, rows, columns, h, w).transpose(2, 3).reshape(-1, *self.shape)

    def region(self, i: int) -> Tensor:
        """The whole cell of symbol i: bool `[*shape]`. ValueError for one that is not shown."""
        if not 0 <= i < self.length:
            raise ValueError(f"region {i}: the signal shows symbols 0 to {self.length - 1}")
        cells = torch.zeros(1, self.length, self.height * self.width, dtype=torch.bool)
        cells[:, i] = True
        return self.join(cells)[0]


class Scalars(Cells):
    """±1 scalars: symbol 0 is +1, symbol 1 is −1; a signal has the shape (L,).

    Args:
        length: symbols in a string, L.
    """

    def __init__(self, length: int):
        super().__init__(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1), (1, length), (length,))


class Glyphs(Cells):
    """Characters of a font, one a cell: background −1, ink +1, edges between.

    The paper has parentheses in images of 64×64 pixels (§4.1).

    Args:
        grid: (rows, columns) of cells.
        image: (height, width) in pixels, a multiple of the grid.
        alphabet: distinct characters of DejaVu Sans Mono, one a symbol.

    Raises:
        ValueError: for an alphabet that is none, cells below 8×4 pixels, and an image that is no
            multiple of the grid.
    """

    def __init__(
        self, grid: tuple[int, int], image: tuple[int, int], alphabet: tuple[str, ...] = ("(", ")")
    ):
        if len(set(alphabet)) < len(alphabet) or any(len(character) != 1 for character in alphabet):
            raise ValueError(f"alphabet={alphabet!r}; allowed: distinct single characters")
        cell = _cell(grid, image, (8, 4))  # in lower cells "(" and ")" look alike
        pool = torch.stack([filling(character, *cell) for character in alphabet])
        super().__init__(pool[:, None], grid)


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
        _check_size(size)
        sources: dict[str, Callable[[], Tensor]] = {
            "embedded": assets.digits,
            "full": assets.full_digits,
        }
        if source not in sources:
            raise ValueError(f"source={source!r}; allowed: {', '.join(sources)}")
        images = sources[source]()
        if not 1 <= exemplars <= images.shape[1]:
            raise ValueError(
                f"exemplars={exemplars}; {source!r} has 1 to {images.shape[1]} a digit"
            )
        super().__init__(fit(images[:, :exemplars], size // 2), (2, 2))


class Words(Cells):
    """Letters of a fixed-pitch font, one a cell, of one size and on one baseline (§6).

    The letters keep off their cell's edges, so that no cell shows a part of its neighbour.

    Args:
        grid: (rows, columns) of cells.
        image: (height, width) in pixels, a multiple of the grid.
        words: the list whose letters are shown, as `grammar.Lexicon` takes it.

    Raises:
        ValueError: for cells below 10×6 pixels, an image that is no multiple of the grid, and
            words that are none.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        image: tuple[int, int],
        words: str | tuple[str, ...] = "english",
    ):
        height, width = _cell(grid, image, (10, 6))
        letters = grammar.Lexicon(words).alphabet
        inked = tuple(letter for letter in letters if letter != " ")
        size, at = _placed(inked, "mono", height, width, rim=2)
        pool = torch.stack([draw(letter, "mono", size, at, height, width) for letter in letters])
        super().__init__(pool[:, None], grid)


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
        ValueError: for an image below 10×20 pixels, and words that are none.
    """

    def __init__(self, image: tuple[int, int], words: str | tuple[str, ...] = "english"):
        height, width = _cell((1, 1), image, (10, 20))
        entries = grammar.Lexicon(words, whole=True).alphabet
        pool = torch.stack([line(word, height, width, entries) for word in entries])
        super().__init__(pool, (1, 1), torch.arange(len(entries))[:, None])


class Characters(Pictures):
    """Chinese characters in a Kai face, each cut into four quarters (`grammar.Characters`, §6).

    Args:
        count: how many, the most frequent ones.
        size: pixels a side, even.

    Raises:
        ValueError: for a count that there is not, an odd size, and one below 16.
    """

    def __init__(self, count: int, size: int = 64):
        _check_size(size)
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
    size, at = _placed(tuple(among), "sans", height, width, rim=3)
    return draw(word, "sans", size, at, height, width)


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


def _placed(
    texts: tuple[str, ...], face: str, height: int, width: int, rim: int
) -> tuple[float, tuple[float, float]]:
    """The size at which all texts fit into a cell less `rim` pixels, and where they are drawn.

    Args:
        texts: drawn at one size, with one baseline.
        face: of the font.
        height: of the cell, in pixels.
        width: of the cell.
        rim: pixels that stay free in all, each way.

    Returns:
        Pixels to the em; and (x, y) of the middle of the advance, on the baseline.
    """
    left, top, right, bottom = extent(texts, face)
    size = min((height - rim) / (bottom - top), (width - rim) / (2 * max(-left, right)))
    return size, (width / 2, height / 2 - size * (top + bottom) / 2)


def _check_size(size: int) -> None:
    """ValueError unless an image of that many pixels a side has quarters of at least 8."""
    if size % 2 or size < 16:
        raise ValueError(f"size={size}; allowed: an even number of at least 16")


def _cell(grid: tuple[int, int], image: tuple[int, int], least: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a cell.

    Raises:
        ValueError: where the image is no multiple of the grid, or a cell smaller than `least`.
    """
    if min(*grid, *image) < 1 or image[0] % grid[0] or image[1] % grid[1]:
        raise ValueError(f"image {tuple(image)} is no multiple of the grid {tuple(grid)}")
    cell = image[0] // grid[0], image[1] // grid[1]
    if cell[0] < least[0] or cell[1] < least[1]:
        raise ValueError(
            f"cells of {cell[0]}×{cell[1]} pixels; allowed: at least {least[0]}×{least[1]}"
        )
    return cell
