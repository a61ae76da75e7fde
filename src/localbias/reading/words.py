"""What a generated word is: unreadable, misspelt, trained on, or another word of English.

English is the list of pyspellchecker (160,000 words in use, names and abbreviations among them) and
the paper's own. Capitals do not count: a reader of pictures takes "s" for "S" now and then.
"""

from collections.abc import Iterable, Sequence
from functools import cache

from localbias import assets
from localbias.grammar.law import UNREADABLE

KINDS = ("fuzzy", "misspelt", "in the training set", "another English word")
FUZZY, MISSPELT, TRAINED, ENGLISH = KINDS


@cache
def english() -> frozenset[str]:
    """The words of English in lower case. ImportError where pyspellchecker is missing."""
    try:
        from spellchecker import SpellChecker
    except ImportError as error:
        raise ImportError(
            "a list of English words needs pyspellchecker: "
            "pip install -e '.[book]' -c constraints.txt"
        ) from error
    return frozenset(SpellChecker(language="en").word_frequency.words()) | {
        word.lower() for word in assets.words()
    }


def classify(texts: Iterable[str | None], train_words: Iterable[str]) -> list[str]:
    """The kind of each text.

    A text is fuzzy if nothing of it could be read (None, "" or blanks) or some symbol could not
    ("?"). It is misspelt if all was read and it is no word, as with a blank before or inside.

    Args:
        texts: what was read; blanks at the end are left out.
        train_words: that were trained on.

    Returns:
        One of KINDS a text.
    """
    trained = {word.lower() for word in train_words}

    def kind(text: str) -> str:
        if not text or UNREADABLE in text:
            return FUZZY
        if text.lower() in trained:
            return TRAINED
        return ENGLISH if text.lower() in english() else MISSPELT

    return [kind((text or "").rstrip()) for text in texts]


def nearest(text: str, words: Sequence[str]) -> tuple[str, int]:
    """The word with the fewest letters inserted, left out or exchanged (Levenshtein 1966).

    Args:
        text: what was read.
        words: to compare with.

    Returns:
        The word, the first of equals, and how many these are.

    Raises:
        ValueError: where there are no words.
        ImportError: where rapidfuzz is missing.
    """
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError as error:
        raise ImportError(
            "comparing words needs rapidfuzz: pip install -e '.[book]' -c constraints.txt"
        ) from error
    if not words:
        raise ValueError("no words to compare with; allowed: at least one")
    best = min(words, key=lambda word: Levenshtein.distance(text, word))
    return best, Levenshtein.distance(text, best)
