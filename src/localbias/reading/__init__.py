"""Signals back to symbols: who reads which pictures, and how well.

Here lives everything that reads: templates, digits, words in a proportional font (`tesseract`), and
what a text that was read is (`words`). `reader(renderer)` is the reader of a renderer's signals.
"""

from localbias.reading.accuracy import symbol_accuracy, text_accuracy
from localbias.reading.digits import DigitReader, shipped_network
from localbias.reading.dispatch import Reader, reader
from localbias.reading.templates import PictureReader, Templates, known_pieces

__all__ = [
    "DigitReader",
    "PictureReader",
    "Reader",
    "Templates",
    "known_pieces",
    "reader",
    "shipped_network",
    "symbol_accuracy",
    "text_accuracy",
]
