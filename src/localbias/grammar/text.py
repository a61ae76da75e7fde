"""Real text, which has no rule but its list: English words and Chinese characters (§6)."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from localbias import assets
from localbias.checks import require, typed
from localbias.grammar.law import UNREADABLE, Grammar


@dataclass(frozen=True)
class Lexicon(Grammar):
    """The words of a list (§6): strings over a blank and letters, blanks after the end of a word.

    Attributes:
        words: "english" (the paper's list) or the words themselves.
        whole: whether each word is a single symbol, for where its letters have no places of their
            own.
        cells: letters and blanks in a string; None: as many as the longest word has letters.
        longest: letters of the longest words that are taken of the list; None for all.

    Raises:
        ValueError: for words that are none, cells that cannot hold them, and a bound that no word
            keeps.
    """

    words: str | tuple[str, ...] = "english"
    whole: bool = False
    cells: int | None = None
    longest: int | None = None

    def __post_init__(self):
        typed(self)
        if self.words != "english":
            words = () if isinstance(self.words, str) else tuple(self.words)
            distinct = bool(words) and len(set(words)) == len(words)
            require(
                self,
                "words",
                distinct and all(map(_is_word, words)),
                "'english', or distinct words without blanks around them, line breaks and "
                f"{UNREADABLE!r}",
            )
            object.__setattr__(self, "words", words)
        shortest = min(map(len, self._listed))
        kept = self.longest is None or self.longest >= shortest
        require(self, "longest", kept, f"from {shortest}, the shortest word's letters, or None")
        most = max(map(len, self.entries))
        enough = self.cells is None or (not self.whole and self.cells >= most)
        allowed = f"from {most}, the longest word's, and None for whole words"
        require(self, "cells", enough, allowed)

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """The words in alphabetical order."""
        most = self.longest
        return tuple(sorted(w for w in self._listed if most is None or len(w) <= most))

    @property
    def _listed(self) -> tuple[str, ...]:
        return assets.words() if self.words == "english" else tuple(self.words)

    @cached_property
    def alphabet(self) -> tuple[str, ...]:
        return self.entries if self.whole else tuple(sorted({" ", *"".join(self.entries)}))

    @cached_property
    def length(self) -> int:
        return 1 if self.whole else self.cells or max(map(len, self.entries))

    @cached_property
    def support(self) -> Tensor:
        if self.whole:
            return torch.arange(len(self.entries))[:, None]
        symbol = {letter: k for k, letter in enumerate(self.alphabet)}
        # The blank sorts before all letters, so these are in lexicographic order.
        padded = [word.ljust(self.length) for word in self.entries]
        return torch.tensor([[symbol[letter] for letter in word] for word in padded])


@dataclass(frozen=True)
class Characters(Grammar):
    """The `count` most frequent Chinese characters, each a string of its four quarters (A.7.4).

    Symbol 4c + i is quarter i of character c (top left, top right, bottom left, bottom right). The
    rule is that all four come from one character and stand in their places. Quarters are what every
    character has and what a region can be: radicals stand in no common place, and lists of them
    don't say where.

    Attributes:
        count: characters, 1 to 3,000.

    Raises:
        ValueError: for another count.
    """

    count: int
    length = 4

    def __post_init__(self):
        most = len(assets.characters())
        typed(self)
        require(self, "count", 1 <= self.count <= most, f"1 to {most}")

    @cached_property
    def alphabet(self) -> tuple[str, ...]:
        return tuple(
            character + quarter
            for character in assets.characters()[: self.count]
            for quarter in "▘▝▖▗"
        )

    @cached_property
    def support(self) -> Tensor:
        return torch.arange(4 * self.count).reshape(-1, 4)

    def _keeps_rule(self, tokens: Tensor) -> Tensor:
        character, quarter = tokens // 4, tokens % 4
        return ((quarter == torch.arange(4)) & (character == character[..., :1])).all(-1)

    # The general way lists all pairs of symbols: gigabytes for a thousand characters.
    def pairwise_information(self) -> Tensor:
        # Each quarter determines the others, so any two share the entropy of the character.
        return torch.full((4, 4), self.count, dtype=torch.float64).log2()

    def marginals(self) -> Tensor:
        own = torch.arange(4 * self.count) % 4 == torch.arange(4)[:, None]
        return own / own.sum(1, keepdim=True, dtype=torch.float64)


def _is_word(word: object) -> bool:
    """Whether it is text without blanks around it, line breaks or the mark of the unreadable."""
    return (
        isinstance(word, str)
        and bool(word)
        and word == word.strip()
        and not {UNREADABLE, "\n"} & set(word)
    )
