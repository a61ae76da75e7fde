"""The network that reads digits, and its training: ten classes for the digits and an eleventh, "unreadable".

What the package ships is made by `python -m localbias.decode SIDE`.
"""

import json
from collections.abc import Callable
from functools import cache
from itertools import accumulate

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from localbias import assets
from localbias.render import fit

TRAINING = 800  # of each digit's 1,000 embedded images; the reader never sees the others
UNREADABLE = 10  # the reader's eleventh class


def examples(side: int, held_out: bool) -> tuple[Tensor, Tensor]:
    """Embedded digits, those held out from the reader or those it was trained on, and their labels.

    Returns signals [n, 1, side, side] and labels [n], n = 2,000 held out and 8,000 others.
    """
    images = assets.digits()[:, TRAINING:] if held_out else assets.digits()[:, :TRAINING]
    return fit(images, side).flatten(0, 1)[:, None], torch.arange(10).repeat_interleave(images.shape[1])


def network(side: int) -> nn.Sequential:
    """An untrained reader: images [n, 1, side, side] -> logits [n, 11], the last for "unreadable"."""
    return nn.Sequential(
        *_convolution(1, 24, 5), nn.AdaptiveMaxPool2d(min(side, 14)),  # from here both sides cost the same
        *_convolution(24, 32), nn.MaxPool2d(2),
        *_convolution(32, 64), *_convolution(64, 64), nn.AdaptiveMaxPool2d(3),
        nn.Flatten(), nn.Linear(64 * 9, UNREADABLE + 1),
    )


# What shows no digit, made of images [n, 1, s, s] of two different digits, and how often training meets it.
SPOILED: dict[str, Callable[[Tensor, Tensor, torch.Generator], Tensor]] = {
    "half blend": lambda a, b, g: a.lerp(b, 0.4 + 0.2 * _uniform(a, g)),
    "overlay": lambda a, b, g: a.maximum(b),
    "fuzzy": lambda a, b, g: _average(_average(a, a.shape[-1] // 3 | 1), a.shape[-1] // 3 | 1),
    "noise": lambda a, b, g: _uniform(a, g) * torch.randn(a.shape, generator=g) - _uniform(a, g).round(),
    "blank": lambda a, b, g: torch.full_like(a, -1),
}
SHARES = {"half blend": 0.5, "overlay": 0.3, "fuzzy": 0.08, "noise": 0.08, "blank": 0.04}


def spoil(digits: Tensor, labels: Tensor, generator: torch.Generator, shares: dict[str, float] = SHARES) -> Tensor:
    """Images [n, 1, s, s] of digits with labels [n], made into what shows no digit, each kind with its share.

    Each is paired with another digit, for which no digit may have more than half of the labels.
    """
    turn = torch.randperm(10, generator=generator)[labels].argsort(stable=True)
    other = torch.empty_like(turn).scatter(0, turn, turn.roll(len(turn) // 2))  # half a turn on
    ends = [round(end * len(digits)) for end in accumulate(shares.values())][:-1]
    parts = zip(shares, digits.tensor_split(ends), digits[other].tensor_split(ends))
    return torch.cat([SPOILED[kind](a, b, generator) for kind, a, b in parts])


def train_reader(side: int, steps: int, seed: int = 0, batch: int = 128, rate: float = 3e-3,
                 ) -> tuple[nn.Module, list[float]]:
    """A reader of digits of that side, and its loss at every step.

    Half of what it sees is a digit, half is spoiled; all of it bears a little noise.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = network(side).to(memory_format=torch.channels_last)  # faster on a CPU
    images, labels = assets.digits()[:, :TRAINING].flatten(0, 1), torch.arange(10).repeat_interleave(TRAINING)
    optimizer = torch.optim.AdamW(reader.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    losses = []
    for _ in tqdm(range(steps), desc=f"reader {side}"):
        chosen = torch.randint(len(images), (batch,), generator=generator)
        digits, truth = _handled(images[chosen], side, generator), labels[chosen]
        seen = torch.cat([digits, spoil(digits, truth, generator)])
        seen = seen + 0.3 * _uniform(seen, generator).square() * torch.randn(seen.shape, generator=generator)
        loss = functional.cross_entropy(reader(seen), torch.cat([truth, torch.full_like(truth, UNREADABLE)]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return reader.eval().to(memory_format=torch.contiguous_format), losses


@cache
def shipped_reader(side: int) -> tuple[nn.Module, float]:
    """The package's reader for digits of that side, and its threshold. ValueError for a side that it has none for."""
    weights = assets.FOLDER / f"reader_{side}.safetensors"
    if not weights.exists():
        known = sorted(path.stem.removeprefix("reader_") for path in assets.FOLDER.glob("reader_*.safetensors"))
        raise ValueError(f"no digit reader for cells of {side} pixels; allowed: {', '.join(known)} and more")
    reader = network(side)
    reader.load_state_dict(load_file(weights))
    return reader.eval().requires_grad_(False), json.loads(weights.with_suffix(".json").read_text())["threshold"]


@torch.inference_mode()
def digit_probabilities(reader: nn.Module, images: Tensor) -> Tensor:
    """Images [n, 1, s, s] -> probabilities of the ten digits [n, 10]; they lack that of "unreadable" to be one."""
    return torch.cat([reader(some).softmax(1)[:, :UNREADABLE] for some in images.split(4096)])


def _handled(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Digits uint8 [n, 28, 28], a third as they are, the others turned, sheared, scaled, shifted and blurred a little.

    Returns signals [n, 1, side, side].
    """
    images = images[:, None].float()
    warp = torch.eye(2, 3) + 0.15 * (2 * torch.rand(len(images), 2, 3, generator=generator) - 1)
    grid = functional.affine_grid(warp, images.shape, align_corners=False)
    warped = fit(functional.grid_sample(images, grid, align_corners=False), side)
    warped = warped.lerp(_average(warped, 3), 0.3 * _uniform(warped, generator))
    return torch.where(_uniform(warped, generator) < 1 / 3, fit(images, side), warped)


def _average(images: Tensor, width: int) -> Tensor:
    """The mean over squares of an odd width; there is no ink outside."""
    return functional.avg_pool2d(images + 1, width, 1, width // 2) - 1


def _uniform(images: Tensor, generator: torch.Generator) -> Tensor:
    """One number from 0 to 1 an image, [n, 1, 1, 1]."""
    return torch.rand(len(images), 1, 1, 1, generator=generator)


def _convolution(channels: int, out: int, width: int = 3) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, width, padding=width // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()
