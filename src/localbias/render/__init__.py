"""Tokens to signals: how the symbols of a string are shown.

Here lives every way to show strings, and the fonts they are drawn with; nothing here knows of
noise. What shows each symbol in a cell of its own, out of a pool of exemplars, is a `Cells`.
"""

from localbias.registry import Registry
from localbias.render.cells import Blocks, Cells, Scalars, Vectors
from localbias.render.digits import Digit, Digits, fit
from localbias.render.glyphs import Glyphs, Words
from localbias.render.pictures import Characters, Lines, Pictures, line
from localbias.render.pixels import from_pixels, to_pixels
from localbias.render.points import Points
from localbias.render.renderer import Renderer
from localbias.render.shapes import Shapes

RENDERERS: Registry[Renderer] = Registry(
    "renderer",
    {
        "scalars": Scalars,
        "vectors": Vectors,
        "blocks": Blocks,
        "glyphs": Glyphs,
        "digit": Digit,
        "digits": Digits,
        "words": Words,
        "lines": Lines,
        "characters": Characters,
        "points": Points,
        "shapes": Shapes,
    },
)
make = RENDERERS.make
register = RENDERERS.register

__all__ = [
    "RENDERERS",
    "Blocks",
    "Cells",
    "Characters",
    "Digit",
    "Digits",
    "Glyphs",
    "Lines",
    "Pictures",
    "Points",
    "Renderer",
    "Scalars",
    "Shapes",
    "Vectors",
    "Words",
    "fit",
    "from_pixels",
    "line",
    "make",
    "register",
    "to_pixels",
]
