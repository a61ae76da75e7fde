"""Characters of a fixed-pitch font, one a cell: parentheses, and the letters of words."""

import torch

from localbias import grammar
from localbias.render.cells import Cells, cell_size
from localbias.render.fonts import draw, filling, placed, require_glyphs


class Glyphs(Cells):
    """Characters of a font, one a cell: background −1, ink +1, edges between.

    The paper has parentheses in images of 64×64 pixels (§4.2, A.5).

    Args:
        grid: (rows, columns) of cells.
        image: (height, width) in pixels, a multiple of the grid.
        alphabet: distinct characters of DejaVu Sans Mono, one a symbol.

    Raises:
        ValueError: for an alphabet that is none, characters that the font lacks, cells below 8×4
            pixels, and an image that is no multiple of the grid.
    """

    def __init__(
        self, grid: tuple[int, int], image: tuple[int, int], alphabet: tuple[str, ...] = ("(", ")")
    ):
        if len(set(alphabet)) < len(alphabet) or any(len(character) != 1 for character in alphabet):
            raise ValueError(f"alphabet={alphabet!r}; allowed: distinct single characters")
        require_glyphs(alphabet, "mono")
        cell = cell_size(grid, image, (8, 4))  # in lower cells "(" and ")" look alike
        pool = torch.stack([filling(character, *cell) for character in alphabet])
        super().__init__(pool[:, None], grid)


class Words(Cells):
    """Letters of a fixed-pitch font, one a cell, of one size and on one baseline (§6).

    The letters keep off their cell's edges, so that no cell shows a part of its neighbour.

    Args:
        grid: (rows, columns) of cells.
        image: (height, width) in pixels, a multiple of the grid.
        words: the list whose letters are shown, as `grammar.Lexicon` takes it.
        longest: letters of the longest words that are taken of it, likewise.

    Raises:
        ValueError: for cells below 10×6 pixels, an image that is no multiple of the grid, and
            words that are none or have characters that the font lacks.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        image: tuple[int, int],
        words: str | tuple[str, ...] = "english",
        longest: int | None = None,
    ):
        height, width = cell_size(grid, image, (10, 6))
        letters = grammar.Lexicon(words, longest=longest).alphabet
        require_glyphs(letters, "mono")
        inked = tuple(letter for letter in letters if letter != " ")
        size, at = placed(inked, "mono", height, width, rim=2)
        pool = torch.stack([draw(letter, "mono", size, at, height, width) for letter in letters])
        super().__init__(pool[:, None], grid)
