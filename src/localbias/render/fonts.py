"""Text as pixels: characters of a font drawn fine and averaged down, background −1 and ink +1."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from localbias import assets

FINE = 8  # drawn this many times larger, then averaged down
EM = 200  # pixels to an em where ink is measured


@cache
def face(name: str, size: float) -> ImageFont.FreeTypeFont:
    """A font at so many pixels to the em: "mono" and "sans" are DejaVu's (shipped with matplotlib), "kai" is embedded."""
    if name == "kai":
        return ImageFont.truetype(assets.KAI, size)
    file = {"mono": "DejaVuSansMono.ttf", "sans": "DejaVuSans.ttf"}[name]
    # By its file: matplotlib's own search follows the reader's style, and training data must not.
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", file), size)


@cache
def ink(text: str, name: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the ink in ems, from the middle of the advance and the baseline."""
    font = face(name, EM)
    mask, (left, top) = font.getmask2(text, mode="L", anchor="ms")
    box = mask.getbbox()
    return tuple((offset + side) / EM for offset, side in zip((left, top, left, top), box))


def extent(texts: tuple[str, ...], name: str) -> tuple[float, float, float, float]:
    """The box, in ems, that holds the ink of all texts when their advances' middles and baselines coincide."""
    lefts, tops, rights, bottoms = zip(*(ink(text, name) for text in texts))
    return min(lefts), min(tops), max(rights), max(bottoms)


def draw(
    text: str, name: str, size: float, at: tuple[float, float], height: int, width: int
) -> Tensor:
    """The text at `size` pixels to the em, the middle of its advance and its baseline `at` (x, y): [height, width]."""
    canvas = Image.new("L", (width * FINE, height * FINE))
    where = at[0] * FINE, at[1] * FINE
    ImageDraw.Draw(canvas).text(where, text, fill=255, font=face(name, size * FINE), anchor="ms")
    return _averaged(canvas, height, width)


def filling(character: str, height: int, width: int) -> Tensor:
    """The character as large as fits inside a free rim, its ink centred: [height, width]."""
    rim = max(1, round(min(height, width) / 10))
    font = face("mono", 1000)
    box = font.getmask(character).getbbox()  # the ink; font.getbbox counts the advance too
    if not box:
        return torch.full((height, width), -1.0)  # a blank
    left, top, right, bottom = box
    scale = FINE * min((width - 2 * rim) / (right - left), (height - 2 * rim) / (bottom - top))
    wide, high = width * FINE, height * FINE
    canvas = Image.new(
        "L", (2 * wide, 2 * high)
    )  # room for ink that lies off the font's own middle, as a "g"'s
    ImageDraw.Draw(canvas).text(
        (wide, high), character, fill=255, font=font.font_variant(size=1000 * scale), anchor="mm"
    )
    left, top, right, bottom = canvas.getbbox()
    x, y = (
        wide // 2 - (2 * wide - left - right) // 2,
        high // 2 - (2 * high - top - bottom) // 2,
    )  # the ink in the middle
    return _averaged(canvas.crop((x, y, x + wide, y + high)), height, width)


def _averaged(canvas: Image.Image, height: int, width: int) -> Tensor:
    return (
        torch.from_numpy(np.array(canvas.resize((width, height), Image.Resampling.BOX))) / 127.5 - 1
    )
