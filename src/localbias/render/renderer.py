"""What every renderer can do, whatever it shows."""

from abc import abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from localbias.checks import within


class Renderer(Protocol):
    """Shows strings as signals. One of your own inherits from this class or has the same members.

    What a rendering leaves to chance, such as the handwriting of a digit, is its *exemplars*:
    strings that are drawn with the same exemplars are the same signals. So a training set can be
    rendered anew at every exposure, or once and for all.

    Attributes:
        length: symbols in a string.
        symbols: how many different symbols can be shown, K.
        shape: of one signal, without the batch axis.
        bounded: whether signals lie in [−1, 1], as pixels do.
    """

    length: int
    symbols: int
    shape: tuple[int, ...]
    bounded: bool = True

    def __call__(self, tokens: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Fresh signals: float32 `[n, *shape]` of strings int64 [n, L]."""
        return self.draw(tokens, self.exemplars(tokens, generator))

    def exemplars(self, tokens: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """What chance decides about strings [n, L]: [n, ...]. Here nothing, [n, 0]."""
        return torch.zeros(len(tokens), 0, dtype=torch.int64)

    @abstractmethod
    def draw(self, tokens: Tensor, exemplars: Tensor) -> Tensor:
        """Signals `[n, *shape]` of strings [n, L] that are shown with the given exemplars."""

    @abstractmethod
    def region(self, i: int) -> Tensor:
        """Where symbol i is shown, its whole place and not its ink alone: bool `[*shape]`."""

    @abstractmethod
    def content(self) -> dict[str, Tensor]:
        """What tells this rendering from every other, for hashing."""


def require_strings(renderer: Renderer, tokens: Tensor) -> None:
    """ValueError for strings of another length, and for symbols that the renderer does not show."""
    if tokens.shape[-1] != renderer.length:
        raise ValueError(f"strings of {tokens.shape[-1]} symbols; allowed: {renderer.length}")
    within("symbols", tokens, renderer.symbols)


def require_place(renderer: Renderer, i: int) -> None:
    """ValueError for a symbol that the renderer's signals do not show."""
    if not 0 <= i < renderer.length:
        raise ValueError(f"region {i}; allowed: 0 to {renderer.length - 1}, the places of symbols")
