"""Signals to tokens: which symbol every cell shows, or −1 where a careful reader would not say.

Symbols with one exemplar are read by their distance to the templates. Digits are read by a small network with an
eleventh class, "unreadable", trained on blends, overlays, halves, blurs, blanks and noise; its weights are in the package.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache

import torch
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from localbias import assets
from localbias.render import Digits, Renderer, fit

TRAINING = 800  # of each digit's 1,000 the first are the reader's training set, the rest are held out
UNREADABLE = 10  # the reader's eleventh class

Decoder = Callable[[Tensor], Tensor]


def read(renderer: Renderer, signals: Tensor) -> Tensor:
    """The strings that signals [B, *shape] show: int64 [B, L], −1 where a symbol is unreadable."""
    return decoder(renderer)(signals)


def decoder(renderer: Renderer) -> Decoder:
    """The decoder of a renderer's signals: `DigitReader` for digits, `Templates` where a symbol has one exemplar."""
    if isinstance(renderer, Digits):
        return DigitReader(renderer)
    if renderer.pool.shape[1] == 1:
        return Templates(renderer)
    raise ValueError(f"no decoder for {type(renderer).__name__} with {renderer.pool.shape[1]} exemplars a symbol; "
                     "allowed: Digits, or any renderer with one exemplar")


class Templates:
    """Reads a cell as the nearest template, when it is clearly nearer than the others and near enough.

    Both bounds are in units of the distance between templates. Seen from the nearest template at 0, every other one
    stands at 1 along the line that joins them; the cell is ambiguous where its foot on one of these lines lies beyond
    `ambiguity`, and foreign where it is farther away than `distance` times the nearest other template.
    For ±1 scalars the defaults read 0.5 ≤ |x| ≤ 2. A blank, a half blend and unit noise are refused.

    ambiguity  0 to 0.5; ½ refuses no blend
    distance   above 0; noise of standard deviation σ lies σ√(h·w) away

    ValueError for parameters out of range and for templates that are not distinct.
    """

    def __init__(self, renderer: Renderer, ambiguity: float = 0.25, distance: float = 0.5):
        if not 0 <= ambiguity <= 0.5 or not distance > 0:
            raise ValueError(f"ambiguity={ambiguity}, distance={distance}; allowed: 0 to 0.5, and above 0")
        if renderer.pool.shape[1] != 1:
            raise ValueError(f"{renderer.pool.shape[1]} exemplars a symbol; templates need one")
        self.renderer, self.ambiguity, self.distance = renderer, ambiguity, distance
        self.templates = renderer.pool.flatten(1)  # [K, h·w]
        self.gaps = torch.cdist(self.templates, self.templates, compute_mode="donot_use_mm_for_euclid_dist")
        self.gaps.fill_diagonal_(torch.inf)
        if not 0 < self.gaps.min() < torch.inf:
            raise ValueError("two symbols at least, with distinct templates, are needed to tell them apart")

    def __call__(self, signals: Tensor) -> Tensor:
        """Signals [B, *shape] -> tokens int64 [B, L], −1 where refused."""
        cells = _cells(self.renderer, signals)
        templates, gaps = self.templates.to(cells), self.gaps.to(cells)
        match = cells @ templates.T - templates.square().sum(1) / 2  # matched filters: the largest is the nearest
        best, token = match.max(-1, keepdim=True)
        gap = gaps[token[..., 0]]  # [B, L, K], from the nearest template to the others
        foot = (0.5 - (best - match) / gap.square()).scatter(-1, token, 0).amax(-1)
        away = (cells - templates[token[..., 0]]).norm(dim=-1)
        clear = (foot <= self.ambiguity) & (away <= self.distance * gap.amin(-1))  # False for NaN
        return token[..., 0].where(clear, -1)


class DigitReader:
    """Reads digits with a small network; refuses where its best digit has less than the calibrated probability.

    Cells of 28 pixels and more are cut to the middle 28, where the digit is. The package has readers for 14 and 28
    pixels. ValueError for cells that are not square or have no reader.
    """

    def __init__(self, renderer: Renderer):
        if renderer.height != renderer.width or len(renderer.pool) != 10:
            raise ValueError(f"{len(renderer.pool)} symbols in cells of {renderer.height}×{renderer.width}; "
                             "the reader needs ten digits in square cells")
        self.renderer = renderer
        self.side = min(renderer.height, 28)
        self.network, self.threshold = _shipped(self.side)

    @torch.inference_mode()
    def __call__(self, signals: Tensor) -> Tensor:
        """Signals [B, *shape] -> tokens int64 [B, L], −1 where refused."""
        cells = _cells(self.renderer, signals)
        images = cells.reshape(-1, 1, self.renderer.height, self.renderer.width)
        before = (self.renderer.height - self.side) // 2
        images = images[..., before : before + self.side, before : before + self.side]
        score, digit = _probabilities(self.network.to(cells.device), images).max(1)
        return digit.where(score >= self.threshold, -1).reshape(cells.shape[:2])  # False for NaN


def accuracy(decode: Decoder, signals: Tensor, tokens: Tensor, noise: Sequence[float] = (0, 0.1, 0.2, 0.4, 0.8),
             seed: int = 0) -> dict[str, list[float]]:
    """How well signals [B, *shape] of the strings [B, L] are read under Gaussian noise of each standard deviation.

    Returns columns "noise", "right", "refused" and "wrong"; the last three are fractions of the symbols.
    """
    generator = torch.Generator().manual_seed(seed)
    table = {"noise": [], "right": [], "refused": [], "wrong": []}
    for sigma in noise:
        seen = decode(signals + sigma * torch.randn(signals.shape, generator=generator))
        right, refused = (seen == tokens).double().mean().item(), (seen < 0).double().mean().item()
        for column, value in zip(table.values(), (float(sigma), right, refused, 1 - right - refused)):
            column.append(value)
    return table


def held_out(renderer: Renderer) -> tuple[Tensor, Tensor]:
    """Every digit that the reader was not trained on, once, four a signal: [500, *shape] and its tokens [500, 4]."""
    images = fit(assets.digits()[:, TRAINING:], renderer.height).transpose(0, 1)
    tokens = torch.arange(10).repeat(len(images))
    return renderer.join(images.reshape(-1, renderer.length, renderer.height**2)), tokens.reshape(-1, renderer.length)


def _average(images: Tensor, width: int) -> Tensor:
    """Mean over a square of odd width; outside the image there is no ink."""
    return functional.avg_pool2d(images + 1, width, 1, width // 2) - 1


def _halved(images: Tensor) -> Tensor:
    """The first half of the images keeps its upper half, the rest its left half."""
    half, images = images.shape[-1] // 2, images.clone()
    images[: len(images) // 2, ..., half:, :] = -1
    images[len(images) // 2 :, ..., half:] = -1
    return images


# What is no digit: made from two sets of images [n, 1, s, s] that show different digits.
SPOILED: dict[str, Callable[[Tensor, Tensor, torch.Generator], Tensor]] = {
    "half blend": lambda a, b, generator: (a + b) / 2,
    "overlay": lambda a, b, generator: torch.maximum(a, b),
    "fuzzy": lambda a, b, generator: _average(_average(a, a.shape[-1] // 3 | 1), a.shape[-1] // 3 | 1),
    "blank": lambda a, b, generator: torch.full_like(a, -1),
    "noise": lambda a, b, generator: torch.randn(a.shape, generator=generator),
}


class Network(nn.Module):
    """Four convolutions and a linear map: images [n, 1, s, s] -> logits [n, 11], the last for "unreadable".

    The first convolution brings 28 pixels to 14, so that both sides cost alike.
    """

    def __init__(self, side: int):
        super().__init__()
        stride = max(1, side // 14)
        self.layers = nn.Sequential(
            *_convolution(1, 32, 5, stride), *_convolution(32, 32), nn.MaxPool2d(2),
            *_convolution(32, 64), *_convolution(64, 64), nn.AdaptiveMaxPool2d(3),
            nn.Flatten(), nn.Linear(64 * 9, UNREADABLE + 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def _convolution(channels: int, out: int, width: int = 3, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, width, stride, width // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()


def train_reader(side: int, epochs: int = 30, seed: int = 0, batch: int = 128, rate: float = 3e-3,
                 ) -> tuple[Network, list[float]]:
    """A reader of cells of that side, and its loss at every step. About three minutes on one core."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(side)
    images = assets.digits()[:, :TRAINING].flatten(0, 1)
    labels = torch.arange(10).repeat_interleave(TRAINING)
    steps = epochs * (len(images) // batch)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    losses = []
    for step in (progress := tqdm(range(steps), desc=f"reader {side}", mininterval=10)):
        if step % (len(images) // batch) == 0:
            order = torch.randperm(len(images), generator=generator)
        chosen = order[: batch]; order = order[batch:]
        digits, classes = _augmented(images[chosen], side, generator), labels[chosen]
        spoiled, spoiled_classes = _spoiled(digits, classes, generator)
        seen = torch.cat([digits, spoiled])
        sigma = 0.3 * torch.rand(len(seen), 1, 1, 1, generator=generator).square()
        seen = seen + sigma * torch.randn(seen.shape, generator=generator)
        loss = functional.cross_entropy(network(seen), torch.cat([classes, spoiled_classes]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        losses.append(loss.item())
        progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return network.eval(), losses


def _augmented(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Digits uint8 [n, 28, 28] turned, sheared, scaled, shifted and blurred a little: [n, 1, side, side]."""
    warp = torch.eye(2, 3) + 0.1 * (2 * torch.rand(len(images), 2, 3, generator=generator) - 1)
    ink = images[:, None].float()
    grid = functional.affine_grid(warp, ink.shape, align_corners=False)
    digits = fit(functional.grid_sample(ink, grid, align_corners=False), side)
    return digits.lerp(_average(digits, 3), 0.3 * torch.rand(len(images), 1, 1, 1, generator=generator))


def _spoiled(digits: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What the reader must refuse, made of a batch of digits: images like them, and their labels."""
    partner = torch.randperm(len(digits), generator=generator)
    a, b = digits, digits[partner]
    spoiled = torch.empty_like(digits)
    level = torch.rand(2, len(digits), 1, 1, 1, generator=generator)
    noise = torch.randn(digits.shape, generator=generator)
    parts = {.55: lambda i: torch.lerp(a[i], b[i], 0.4 + 0.2 * level[0, i]),
             .85: lambda i: torch.maximum(a[i], b[i]),
             .92: lambda i: SPOILED["fuzzy"](a[i], b[i], generator),
             1: lambda i: level[0, i] * noise[i] - level[1, i].round()}
    start = 0
    for end, make in parts.items():
        i = slice(start, start := int(end * len(digits)))
        spoiled[i] = make(i)
    same = (labels == labels[partner])
    return spoiled, torch.full_like(labels, UNREADABLE).masked_fill(same, -100)


def _probabilities(network: nn.Module, images: Tensor) -> Tensor:
    """Of the ten digits: images [n, 1, s, s] -> [n, 10]; what is missing from one is "unreadable"."""
    chunks = [network(chunk).softmax(1)[:, :UNREADABLE] for chunk in images.split(4096)]
    return torch.cat(chunks) if chunks else images.new_empty(0, UNREADABLE)


def _cells(renderer: Renderer, signals: Tensor) -> Tensor:
    if signals.shape[1:] != torch.Size(renderer.shape):
        raise ValueError(f"signals of shape {tuple(signals.shape[1:])}; the renderer's are {tuple(renderer.shape)}")
    return renderer.split(signals)
@cache
def _shipped(side): pass
