"""Text as pixels: characters of a font drawn fine and averaged down, background −1 and ink +1.

The pictures are training data, so nothing of the reader's may change them: fonts are taken by their
files, laid out by Raqm (Pillow's own engine gives other pixels), as English whatever the locale.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, features
from torch import Tensor

from localbias import assets

FINE = 8  # drawn this many times larger, then averaged down
EM = 200  # pixels to an em where ink is measured
LANGUAGE = "en"
NOTHING = "\U0010ffff"  # never assigned, so every font shows its sign for a missing character


@cache
def face(name: str, size: float) -> ImageFont.FreeTypeFont:
    """A font at `size` pixels to the em.

    Args:
        name: "mono" or "sans", which are DejaVu's and come with matplotlib, or "kai", which comes
            with the package.
        size: pixels to the em.

    Raises:
        ImportError: where Pillow was built without Raqm.
    """
    if not features.check("raqm"):
        raise ImportError(
            "Pillow has no Raqm here, without which text is drawn with other pixels; the wheels "
            "on PyPI have it: pip install --force-reinstall --only-binary :all: pillow"
        )
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    files = {
        "kai": assets.KAI,
        "mono": folder / "DejaVuSansMono.ttf",
        "sans": folder / "DejaVuSans.ttf",
    }
    return ImageFont.truetype(files[name], size, layout_engine=ImageFont.Layout.RAQM)


def require_glyphs(texts: Iterable[str], name: str) -> None:
    """Refuse characters that a font cannot show: it would draw a box, or nothing.

    Args:
        texts: to be drawn; the blank between words is allowed.
        name: of the face.

    Raises:
        ValueError: naming them.
    """
    characters = sorted(set("".join(texts)) - {" "})
    if lacking := [one for one in characters if _is_lacking(one, name)]:
        listed = ", ".join(f"{one!r} (U+{ord(one):04X})" for one in lacking)
        raise ValueError(
            f"no ink for {listed} in the font {face(name, EM).getname()[0]}; allowed: characters "
            "that it shows"
        )


@cache
def _is_lacking(character: str, name: str) -> bool:
    """Whether a font draws a character as a missing one, or draws nothing."""
    font = face(name, EM)

    def picture(text: str) -> tuple[tuple[int, int], bytes]:
        mask = font.getmask(text, language=LANGUAGE)
        return mask.size, bytes(mask)

    return not any(picture(character)[1]) or picture(character) == picture(NOTHING)


@cache
def ink(text: str, name: str) -> tuple[float, float, float, float]:
    """The box of a text's ink, in ems from the middle of its advance and its baseline.

    Returns:
        Left, top, right and bottom; y points down.

    Raises:
        ValueError: for a text without ink.
    """
    font = face(name, EM)
    mask, (x, y) = font.getmask2(text, mode="L", anchor="ms", language=LANGUAGE)
    box = mask.getbbox()
    if box is None:
        raise ValueError(f"{text!r} has no ink; allowed: text with at least one letter")
    left, top, right, bottom = box
    return (x + left) / EM, (y + top) / EM, (x + right) / EM, (y + bottom) / EM


def extent(texts: tuple[str, ...], name: str) -> tuple[float, float, float, float]:
    """The box that holds the ink of all texts when their advances' middles and baselines coincide.

    Returns:
        As of `ink`.
    """
    lefts, tops, rights, bottoms = zip(*(ink(text, name) for text in texts))
    return min(lefts), min(tops), max(rights), max(bottoms)


def placed(
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


def draw(
    text: str, name: str, size: float, at: tuple[float, float], height: int, width: int
) -> Tensor:
    """A text as pixels.

    Args:
        text: to draw.
        name: of the face.
        size: pixels to the em.
        at: (x, y), where the middle of its advance stands on the baseline, in pixels.
        height: of the picture, in pixels.
        width: of the picture.

    Returns:
        float32 [height, width], −1 background and +1 ink.
    """
    canvas = Image.new("L", (width * FINE, height * FINE))
    where = at[0] * FINE, at[1] * FINE
    ImageDraw.Draw(canvas).text(
        where, text, fill=255, font=face(name, size * FINE), anchor="ms", language=LANGUAGE
    )
    return _averaged(canvas, height, width)


def filling(character: str, height: int, width: int) -> Tensor:
    """A character as large as fits inside a free rim, its ink centred: float32 [height, width].

    Raises:
        ValueError: for one that cannot be drawn so large, such as a full stop.
    """
    rim = max(1, round(min(height, width) / 10))
    font = face("mono", 1000)
    box = font.getmask(
        character, language=LANGUAGE
    ).getbbox()  # of the ink; font.getbbox counts the advance too
    if not box:
        return torch.full((height, width), -1.0)  # a blank has no ink
    left, top, right, bottom = box
    scale = FINE * min((width - 2 * rim) / (right - left), (height - 2 * rim) / (bottom - top))
    wide, high = width * FINE, height * FINE
    # Twice as large as the cell: ink may lie off the font's own middle, as a "g"'s does.
    canvas = Image.new("L", (2 * wide, 2 * high))
    ImageDraw.Draw(canvas).text(
        (wide, high),
        character,
        fill=255,
        font=font.font_variant(size=1000 * scale),
        anchor="mm",
        language=LANGUAGE,
    )
    drawn = canvas.getbbox()
    if drawn is None:
        raise ValueError(f"{character!r} has its ink too far off the middle of the font's line")
    left, top, right, bottom = drawn
    # The cell is cut out so that the ink is in its middle.
    x, y = wide // 2 - (2 * wide - left - right) // 2, high // 2 - (2 * high - top - bottom) // 2
    return _averaged(canvas.crop((x, y, x + wide, y + high)), height, width)


def _averaged(canvas: Image.Image, height: int, width: int) -> Tensor:
    """A canvas averaged down to float32 [height, width] in [-1, 1]."""
    small = canvas.resize((width, height), Image.Resampling.BOX)
    return torch.from_numpy(np.array(small)) / 127.5 - 1
