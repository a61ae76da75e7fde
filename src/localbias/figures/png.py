"""PNG pictures as small as a page wants them."""

import io

import numpy as np
from PIL import Image


def shrink(png: bytes) -> bytes:
    """The same picture in 256 colours.

    A plot has few colours: a palette takes a third of the bytes, and a page carries all its plots.
    What would not get smaller stays as it is.

    Args:
        png: with or without transparency.
    """
    picture = Image.open(io.BytesIO(png))
    if picture.mode == "P":
        return png
    if picture.mode == "RGBA" and np.asarray(picture)[..., 3].min() < 255:
        few = picture.quantize(256, Image.Quantize.FASTOCTREE)
    else:
        few = picture.convert("RGB").quantize(256)
    small = io.BytesIO()
    few.save(small, format="PNG", optimize=True)
    return min(small.getvalue(), png, key=len)
