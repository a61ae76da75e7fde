"""Tokens to signals: how the symbols of a string are shown.

Here lives every way to show strings, and the fonts they are drawn with; nothing here knows of
noise. What shows each symbol in a cell of its own, out of a pool of exemplars, is a `Cells`.
"""

from localbias.registry import Registry
from localbias.render.cells import (
    Cells,
    Characters,
    Digits,
    Glyphs,
    Lines,
    Pictures,
    Scalars,
    Words,
    fit,
    line,
)
from localbias.render.pixels import from_pixels, to_pixels
from localbias.render.renderer import Renderer

RENDERERS: Registry[Renderer] = Registry(
    "renderer",
    {
        "scalars": Scalars,
        "glyphs": Glyphs,
        "digits": Digits,
        "words": Words,
        "lines": Lines,
        "characters": Characters,
    },
)
make = RENDERERS.make
register = RENDERERS.register

__all__ = [
    "RENDERERS",
    "Cells",
    "Characters",
    "Digits",
    "Glyphs",
    "Lines",
    "Pictures",
    "Renderer",
    "Scalars",
    "Words",
    "fit",
    "from_pixels",
    "line",
    "make",
    "register",
    "to_pixels",
]
