"""Real text, which has no rule but its list: English words and Chinese characters (§6)."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from localbias import assets
from localbias.grammar.law import UNREADABLE, Grammar


@dataclass(frozen=True)
class Lexicon(Grammar):
    """The words of a list (§6): strings over a blank and letters, blanks after the end of a word.

    words   "english" (the paper's list) or the words themselves
    whole   each word is a single symbol, as where its letters have no places of their own
    cells   letters and blanks in a string; None: as many as the longest word has letters
    """

    words: str | tuple[str, ...] = "english"
    whole: bool = False
    cells: int | None = None

    def __post_init__(self):
        if self.words != "english":
            words = () if isinstance(self.words, str) else tuple(self.words)
            if not words or len(set(words)) < len(words) or not all(map(_is_word, words)):
                raise ValueError(
                    f"words={self.words!r}; allowed: 'english', or distinct words without blanks around them, "
                    f"line breaks and {UNREADABLE!r}"
                )
            object.__setattr__(self, "words", words)
        longest = max(map(len, self.entries))
        if self.cells is not None and (self.whole or self.cells < longest):
            raise ValueError(
                f"cells={self.cells}; allowed: from {longest}, the longest word's, and None for whole words"
            )

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """The words in alphabetical order."""
        return tuple(sorted(assets.words() if self.words == "english" else self.words))

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
        place = {
            letter: k for k, letter in enumerate(self.alphabet)
        }  # the blank sorts before all letters
        return torch.tensor(
            [[place[letter] for letter in word.ljust(self.length)] for word in self.entries]
        )


@dataclass(frozen=True)
class Characters(Grammar):
    """The `count` most frequent Chinese characters, each a string of its four quarters (§6).

    Symbol 4c + i is quarter i of character c (top left, top right, bottom left, bottom right); the rule is that all
    four come from one character and stand in their places. Quarters are what every character has and what a region
    can be: radicals stand in no common place, and lists of them don't say where.
    """

    count: int
    length = 4

    def __post_init__(self):
        if not isinstance(self.count, int) or not 1 <= self.count <= len(assets.characters()):
            raise ValueError(f"count={self.count}; allowed: 1 to {len(assets.characters())}")

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
        return ((tokens - torch.arange(4)) % 4 == 0).all(-1) & (
            tokens // 4 == tokens[..., :1] // 4
        ).all(-1)

    # The base would list every pair of all the symbols: gigabytes for a thousand characters.
    def pairwise_information(self) -> Tensor:
        return torch.full(
            (4, 4), self.count, dtype=torch.float64
        ).log2()  # each quarter gives the others away

    def marginals(self) -> Tensor:
        own = torch.arange(4 * self.count) % 4 == torch.arange(4)[:, None]
        return own / own.sum(1, keepdim=True, dtype=torch.float64)


def _is_word(word: object) -> bool:
    return (
        isinstance(word, str)
        and bool(word)
        and word == word.strip()
        and not {UNREADABLE, "\n"} & set(word)
    )
