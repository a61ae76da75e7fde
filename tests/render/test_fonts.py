"""Text as pixels: what is drawn lies where it was asked for, at the size that was asked for."""

import os
import subprocess
import sys

import matplotlib
import pytest
import torch
from PIL import features

from localbias import assets, render
from localbias.grammar import Lexicon
from localbias.render.fonts import draw, extent, face, filling, ink, require_glyphs
from localbias.store import hash_arrays

FACES = ("mono", "sans", "kai")

TEXTS = {"mono": "agM'", "sans": "jumping", "kai": "\u7684"}


def inked(signal: torch.Tensor) -> tuple[int, int, int, int]:
    """First and last row, first and last column that hold any ink."""
    rows, columns = ((signal > -1).any(axis).nonzero()[:, 0].tolist() for axis in (1, 0))
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.mark.parametrize("name", FACES)
def test_ink_lies_where_it_was_measured(name):
    text, size, (x, y) = TEXTS[name], 20.0, (60.0, 30.0)
    left, top, right, bottom = (20 * side for side in ink(text, name))
    signal = draw(text, name, size, (x, y), 48, 120)
    assert signal.shape == (48, 120) and signal.dtype == torch.float32
    assert signal.min() == -1 and 0.5 < signal.max() <= 1
    first_row, last_row, first_column, last_column = inked(signal)
    for found, truth in (
        (first_row, y + top),
        (last_row + 1, y + bottom),
        (first_column, x + left),
        (last_column + 1, x + right),
    ):
        assert abs(found - truth) <= 1.2  # a pixel of the grid and a fine one of hinting


@pytest.mark.parametrize("name", FACES)
def test_twice_the_size_is_four_times_the_ink(name):
    small, large = (
        (draw(TEXTS[name], name, size, (80, 60), 80, 160) + 1).sum().item() / 2
        for size in (16.0, 32.0)
    )
    assert large / small == pytest.approx(4, rel=0.04)


def test_whole_pixels_move_the_picture_and_nothing_else():
    here = draw("quay", "sans", 12.5, (30, 20), 40, 60)
    there = draw("quay", "sans", 12.5, (33, 18), 40, 60)
    assert torch.equal(here.roll((-2, 3), (0, 1)), there)
    assert not torch.equal(
        draw("quay", "sans", 12.5, (30.5, 20), 40, 60), here
    )  # nor are fractions lost


def test_extent_holds_every_text():
    texts = ("a", "gap", "it's", "I")
    boxes = torch.tensor([ink(text, "sans") for text in texts])
    left, top, right, bottom = extent(texts, "sans")
    assert [left, top, right, bottom] == pytest.approx(
        [*boxes.amin(0)[:2].tolist(), *boxes.amax(0)[2:].tolist()]
    )
    assert (left, right) == pytest.approx((ink("it's", "sans")[0], ink("it's", "sans")[2]), abs=0.5)
    assert top < 0 < bottom and left < 0 < right  # "g" and "p" go below the baseline


def test_the_middle_is_that_of_the_advance():
    left, top, right, bottom = ink("I", "sans")
    assert left == pytest.approx(-right, abs=0.02) and bottom == pytest.approx(0, abs=0.01)
    assert top == pytest.approx(-0.73, abs=0.02)  # DejaVu's capitals: 1493 units of 2048
    left, top, right, _ = ink("-", "sans")
    assert left == pytest.approx(-right, abs=0.02) and top < 0


@pytest.mark.parametrize("height, width", [(8, 4), (16, 16), (32, 8), (64, 64)])
@pytest.mark.parametrize("character", ["(", ")", "a", "M", "g", "Q", "_"])
def test_filling_is_as_large_as_fits_and_centred(character, height, width):
    rim = max(1, round(min(height, width) / 10))
    first_row, last_row, first_column, last_column = inked(filling(character, height, width))
    margins = first_row, height - 1 - last_row, first_column, width - 1 - last_column
    assert min(margins) >= rim - 1
    assert min(margins) <= rim + 1  # in the tighter direction
    assert abs(margins[0] - margins[1]) <= 1 and abs(margins[2] - margins[3]) <= 1


def test_a_blank_is_background():
    assert torch.equal(filling(" ", 8, 5), torch.full((8, 5), -1.0))


def test_what_has_no_ink_or_none_in_sight_is_refused():
    with pytest.raises(ValueError, match="' ' has no ink"):
        ink(" ", "sans")
    with pytest.raises(ValueError, match=r"'\.' has its ink too far off"):
        filling(".", 16, 16)


def test_faces_are_kept_and_others_unknown():
    assert face("mono", 12.5) is face("mono", 12.5)
    assert [face(name, 100).getname()[0] for name in FACES] == [
        "DejaVu Sans Mono",
        "DejaVu Sans",
        "Companion Kai 3000",
    ]
    with pytest.raises(KeyError, match="serif"):
        face("serif", 12)


PICTURES = """
from localbias import render
from localbias.store import hash_arrays
made = {name: render.make(name, **options).content()["pool"].numpy() for name, options in (
    ("glyphs", dict(grid=(1, 2), image=(16, 16))),
    ("words", dict(grid=(1, 14), image=(14, 98))),
    ("lines", dict(image=(16, 96))),
    ("characters", dict(count=20, size=32)),
)}
print(hash_arrays(made))
"""


def test_pictures_depend_on_nothing_of_the_readers(tmp_path):
    """Neither on matplotlib's style nor on the locale."""
    (tmp_path / "matplotlibrc").write_text("font.weight: bold\nfont.family: serif\n")
    plain = {**os.environ, "LC_ALL": "C.UTF-8", "MATPLOTLIBRC": ""}
    other = {**os.environ, "LC_ALL": "sr_RS.UTF-8", "LANGUAGE": "sr", "MATPLOTLIBRC": str(tmp_path)}
    found = [
        subprocess.run(
            [sys.executable, "-c", PICTURES], env=env, capture_output=True, text=True, check=True
        ).stdout
        for env in (plain, other)
    ]
    assert found[0] == found[1] and len(found[0].strip()) == 64


def test_a_style_set_in_the_process_changes_no_picture():
    before = render.make("words", grid=(1, 14), image=(14, 98)).content()
    with matplotlib.rc_context({"font.weight": "bold", "font.monospace": ["serif"]}):
        face.cache_clear()
        ink.cache_clear()
        after = render.make("words", grid=(1, 14), image=(14, 98)).content()
    digests = [hash_arrays({"pool": made["pool"].numpy()}) for made in (before, after)]
    assert digests[0] == digests[1]


def test_a_pillow_that_would_draw_other_pixels_is_refused(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: name != "raqm")
    face.cache_clear()
    with pytest.raises(ImportError, match="Pillow has no Raqm"):
        draw("a", "sans", 12, (10, 12), 16, 20)


@pytest.mark.parametrize(
    "name, characters",
    [("mono", "()abcXYZ'é"), ("sans", "".join(Lexicon().alphabet)), ("kai", assets.characters())],
)
def test_what_a_font_shows_passes(name, characters):
    require_glyphs(characters, name)
