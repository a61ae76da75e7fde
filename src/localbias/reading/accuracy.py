"""How a reader does under noise: the shares that it reads right, refuses and reads wrong."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

Table = dict[str, list[float]]  # column -> a number for each level of noise


def symbol_accuracy(
    reader: Callable[[Tensor], Tensor],
    signals: Tensor,
    tokens: Tensor,
    noise: Sequence[float] = (0, 0.1, 0.2, 0.4, 0.8),
    seed: int = 0,
) -> Table:
    """How symbols are read under Gaussian noise.

    Args:
        reader: signals `[B, *shape]` to tokens int64 [B, L], −1 where it refuses.
        signals: `[B, *shape]`, clean.
        tokens: int64 [B, L], what they show.
        noise: the standard deviations.
        seed: of the noise.

    Returns:
        The columns "noise", "right", "refused" and "wrong", the last three as fractions of all
        symbols.
    """
    table: Table = {"noise": list(noise), "right": [], "refused": [], "wrong": []}
    for noised in _noised(signals, noise, seed):
        read = reader(noised)
        right, refused = read == tokens, read < 0
        for name, symbols in ("right", right), ("refused", refused), ("wrong", ~(right | refused)):
            table[name].append(symbols.double().mean().item())
    return table


def text_accuracy(
    reader: Callable[[Tensor], list[str]],
    signals: Tensor,
    texts: Sequence[str],
    noise: Sequence[float] = (0, 0.1, 0.2, 0.3),
    seed: int = 0,
) -> Table:
    """How pictures of texts are read under Gaussian noise.

    Args:
        reader: pictures [B, 1, h, w] to texts, "" where it refuses.
        signals: [B, 1, h, w], clean.
        texts: what they show.
        noise: the standard deviations.
        seed: of the noise.

    Returns:
        The columns "noise", "right", "right but for case" (with the right ones), "refused" and
        "wrong" (neither right nor refused, case counting), the last four as fractions of the
        pictures.
    """
    table: Table = {
        name: [] for name in ("noise", "right", "right but for case", "refused", "wrong")
    }
    table["noise"] += noise
    for noised in _noised(signals, noise, seed):
        read = reader(noised)
        pairs = list(zip(read, texts, strict=True))
        counts = {
            "right": sum(a == b for a, b in pairs),
            "right but for case": sum(a.lower() == b.lower() for a, b in pairs),
            "refused": read.count(""),
            "wrong": sum(a not in (b, "") for a, b in pairs),
        }
        for name, count in counts.items():
            table[name].append(count / len(texts))
    return table


def _noised(signals: Tensor, noise: Sequence[float], seed: int) -> Iterator[Tensor]:
    """The signals with Gaussian noise of each standard deviation."""
    generator = torch.Generator().manual_seed(seed)
    for sigma in noise:
        yield signals + sigma * torch.randn(signals.shape, generator=generator).to(signals)
