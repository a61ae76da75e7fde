"""Renderers that show each symbol in a cell of its own, as one of several exemplars.

They all are a grid of equal cells and a pool of exemplars for each symbol, so the exact references
and the readers treat all of them alike.
"""

from math import prod

import torch
from torch import Tensor

from localbias.checks import within
from localbias.render.renderer import Renderer, require_place, require_strings
from localbias.seeds import random_generator


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
        require_strings(self, tokens)
        within("exemplars", exemplars, self.exemplars_a_symbol)
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
        require_place(self, i)
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


class Blocks(Cells):
    """Plain squares, one a cell: symbol 0 is +1 in every pixel, symbol 1 is −1.

    Pictures with nothing to draw, so what a network learns of them is how cells depend on each
    other. A.5 allows any two templates.

    Args:
        grid: (rows, columns) of cells.
        side: pixels a side of a cell.

    Raises:
        ValueError: for a side below 1.
    """

    def __init__(self, grid: tuple[int, int], side: int = 2):
        if side < 1:
            raise ValueError(f"side={side}; allowed: 1 pixel or more")
        pool = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1).expand(2, 1, side, side)
        super().__init__(pool.contiguous(), grid)


class Vectors(Cells):
    """Embedding vectors (A.5): each symbol is a fixed vector, a signal their concatenation.

    Args:
        length: symbols in a string, L.
        width: numbers in a vector, drawn once, uniform in [−1, 1], for everyone the same.
        symbols: how many there are.

    Raises:
        ValueError: for a width or number of symbols below 1.
    """

    def __init__(self, length: int, width: int = 16, symbols: int = 2):
        if width < 1 or symbols < 1:
            raise ValueError(f"width={width}, symbols={symbols}; allowed: 1 or more of each")
        vectors = 2 * torch.rand(symbols, width, generator=random_generator("vectors", width)) - 1
        super().__init__(vectors[:, None, None], (1, length), (length * width,))


def cell_size(
    grid: tuple[int, int], image: tuple[int, int], least: tuple[int, int]
) -> tuple[int, int]:
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


def check_size(size: int) -> None:
    """ValueError unless an image of that many pixels a side has quarters of at least 8."""
    if size % 2 or size < 16:
        raise ValueError(f"size={size}; allowed: an even number of at least 16")
