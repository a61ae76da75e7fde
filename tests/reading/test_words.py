"""Kinds of generated words, and the edit distance against a search by single edits."""

import builtins
import itertools

import pytest

from localbias import assets
from localbias.grammar import Lexicon
from localbias.reading import words
from localbias.reading.tesseract import misspell
from localbias.reading.words import KINDS, classify, english, nearest

TRAINED = ("people", "Congress", "n't", "it")


def test_each_kind_in_words():
    kinds = {
        "fuzzy": [None, "", "   ", "pe?ple", "?", "it?"],
        "misspelt": ["peopel", "peo ple", " it", "xqj", "Cong ress", "it it", "pcople"],
        "in the training set": ["people", "people   ", "congress", "People", "CONGRESS", "n't"],
        "another English word": ["person", "Tuesday", "TV", "photosynthesis", "the"],
    }
    assert tuple(kinds) == KINDS
    for kind, texts in kinds.items():
        assert classify(texts, TRAINED) == [kind] * len(texts)
    mixed = itertools.chain.from_iterable(zip(*(texts[:5] for texts in kinds.values())))
    assert classify(mixed, TRAINED) == list(KINDS) * 5 and classify([], TRAINED) == []


def test_strings_of_the_grammar_are_of_their_kinds():
    law = Lexicon()
    trained, held_out = law.split(100, seed=0)
    words = [text.rstrip() for text in law.text(trained)]
    assert set(classify(law.text(trained), words)) == {"in the training set"}
    # of words that differ by a capital alone the list has none, so a held-out word is always another one
    assert set(classify(law.text(held_out), words)) == {"another English word"}
    unreadable = trained.clone()
    unreadable[:, 3] = -1
    assert set(classify(law.text(unreadable), words)) == {"fuzzy"}


def test_most_words_with_a_letter_exchanged_are_misspelt():
    long = [word for word in assets.words() if len(word) >= 6]
    kinds = classify(misspell(long), assets.words())
    assert kinds.count("misspelt") > 0.95 * len(long) and "in the training set" not in kinds


def test_english_is_a_list_of_small_words():
    words = english()
    assert len(words) > 150_000 and {"the", "photosynthesis", "tuesday", "tv", "n't"} <= words
    assert all(word == word.lower() and word == word.strip() and word for word in words)
    assert not words & {"", "teh", "recieve", "definately", "abotu"}


def within(text: str, edits: int, alphabet: str) -> set[str]:
    """All texts that so many single edits can make."""
    found = {text}
    for _ in range(edits):
        for one in list(found):
            for i in range(len(one) + 1):
                found |= {one[:i] + letter + one[i:] for letter in alphabet}
                found |= {
                    one[:i] + letter + one[i + 1 :] for letter in ("", *alphabet) if i < len(one)
                }
    return found


def distance(one, other):
    return nearest(one, [other])[1]


def test_the_distance_by_searching():
    start, previous = "abba", set()
    for edits in range(4):
        reached = within(start, edits, "ab")
        for text in reached - previous:
            assert distance(start, text) == distance(text, start) == edits
        previous = reached


def test_nearest_words():
    assert nearest("becuse", assets.words()) == ("because", 1)
    assert nearest("governmant", assets.words()) == ("government", 1)
    assert nearest("it", TRAINED) == ("it", 0)
    assert nearest("b", ("ab", "cb", "b c")) == ("ab", 1)  # the first of equals
    with pytest.raises(ValueError, match="no words"):
        nearest("it", ())


def test_a_missing_list_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "spellchecker":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    english.cache_clear()
    with pytest.raises(ImportError, match=r"pyspellchecker: pip install .*\[book\]"):
        english()
    assert words.classify(["it", "?"], TRAINED) == [
        "in the training set",
        "fuzzy",
    ]  # for which no list is needed
