"""The network that reads digits, and its training: ten classes for the digits and an eleventh, "unreadable".

What the package ships is made by `python -m localbias.reading.digits SIDE`.
"""

import json
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from itertools import accumulate

import torch
import typer
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from localbias import assets
from localbias.reading.accuracy import symbol_accuracy
from localbias.reading.templates import cells_of
from localbias.render import Cells, fit
from localbias.statistics import wilson
from localbias.store import write_atomically

TRAINING = 800  # of each digit's 1,000 embedded images; the reader never sees the others
UNREADABLE = 10  # the reader's eleventh class


def examples(side: int, held_out: bool) -> tuple[Tensor, Tensor]:
    """Embedded digits, those held out from the reader or those it was trained on, and their labels.

    Returns signals [n, 1, side, side] and labels [n], n = 2,000 held out and 8,000 others.
    """
    images = assets.digits()[:, TRAINING:] if held_out else assets.digits()[:, :TRAINING]
    return fit(images, side).flatten(0, 1)[:, None], torch.arange(10).repeat_interleave(
        images.shape[1]
    )


def network(side: int) -> nn.Sequential:
    """An untrained reader: images [n, 1, side, side] -> logits [n, 11], the last for "unreadable"."""
    return nn.Sequential(
        *_convolution(1, 24, 5),
        nn.AdaptiveMaxPool2d(min(side, 14)),  # from here both sides cost the same
        *_convolution(24, 32),
        nn.MaxPool2d(2),
        *_convolution(32, 64),
        *_convolution(64, 64),
        nn.AdaptiveMaxPool2d(3),
        nn.Flatten(),
        nn.Linear(64 * 9, UNREADABLE + 1),
    )


# What shows no digit, made of images [n, 1, s, s] of two different digits, and how often training meets it.
SPOILED: dict[str, Callable[[Tensor, Tensor, torch.Generator], Tensor]] = {
    "half blend": lambda a, b, g: a.lerp(b, 0.4 + 0.2 * _uniform(a, g)),
    "overlay": lambda a, b, g: a.maximum(b),
    "fuzzy": lambda a, b, g: _average(_average(a, a.shape[-1] // 3 | 1), a.shape[-1] // 3 | 1),
    "noise": lambda a, b, g: (
        _uniform(a, g) * torch.randn(a.shape, generator=g) - _uniform(a, g).round()
    ),
    "blank": lambda a, b, g: torch.full_like(a, -1),
}
SHARES = {"half blend": 0.5, "overlay": 0.3, "fuzzy": 0.08, "noise": 0.08, "blank": 0.04}


def spoil(
    digits: Tensor, labels: Tensor, generator: torch.Generator, shares: dict[str, float] = SHARES
) -> Tensor:
    """Images [n, 1, s, s] of digits with labels [n], made into what shows no digit, each kind with its share.

    Each is paired with another digit, for which no digit may have more than half of the labels.
    """
    turn = torch.randperm(10, generator=generator)[labels].argsort(stable=True)
    other = torch.empty_like(turn).scatter(0, turn, turn.roll(len(turn) // 2))  # half a turn on
    ends = [round(end * len(digits)) for end in accumulate(shares.values())][:-1]
    parts = zip(shares, digits.tensor_split(ends), digits[other].tensor_split(ends))
    return torch.cat([SPOILED[kind](a, b, generator) for kind, a, b in parts])


def train_reader(
    side: int,
    steps: int,
    seed: int = 0,
    batch: int = 128,
    rate: float = 3e-3,
) -> tuple[nn.Module, list[float]]:
    """A reader of digits of that side, and its loss at every step.

    Half of what it sees is a digit, half is spoiled; all of it bears a little noise.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = network(side).to(memory_format=torch.channels_last)  # faster on a CPU
    images, labels = (
        assets.digits()[:, :TRAINING].flatten(0, 1),
        torch.arange(10).repeat_interleave(TRAINING),
    )
    optimizer = torch.optim.AdamW(reader.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    losses = []
    for _ in tqdm(range(steps), desc=f"reader {side}"):
        chosen = torch.randint(len(images), (batch,), generator=generator)
        digits, truth = _handled(images[chosen], side, generator), labels[chosen]
        seen = torch.cat([digits, spoil(digits, truth, generator)])
        seen = seen + 0.3 * _uniform(seen, generator).square() * torch.randn(
            seen.shape, generator=generator
        )
        loss = functional.cross_entropy(
            reader(seen), torch.cat([truth, torch.full_like(truth, UNREADABLE)])
        )
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
        known = sorted(
            path.stem.removeprefix("reader_") for path in assets.FOLDER.glob("reader_*.safetensors")
        )
        raise ValueError(
            f"no digit reader for cells of {side} pixels; allowed: {', '.join(known)} and more"
        )
    reader = network(side)
    reader.load_state_dict(load_file(weights))
    return reader.eval().requires_grad_(False), json.loads(
        weights.with_suffix(".json").read_text()
    )["threshold"]


@torch.inference_mode()
def digit_probabilities(reader: nn.Module, images: Tensor) -> Tensor:
    """Images [n, 1, s, s] -> probabilities of the ten digits [n, 10]; they lack that of "unreadable" to be one."""
    return torch.cat([reader(some).softmax(1)[:, :UNREADABLE] for some in images.split(4096)])


class DigitReader:
    """Reads digits with a network, and refuses where no digit has at least the probability `threshold`.

    Cells of more than 28 pixels are cut to the middle 28, where the digit is.

    network    images [n, 1, s, s] -> logits [n, 11], with s the smaller of the cell's side and 28
    threshold  a probability; `shipped_reader` has the calibrated one

    ValueError for a renderer of anything but ten symbols in square cells.
    """

    def __init__(self, renderer: Cells, network: nn.Module, threshold: float):
        if renderer.height != renderer.width or renderer.symbols != 10:
            raise ValueError(
                f"{renderer.symbols} symbols in cells of {renderer.height}×{renderer.width}; "
                "the reader needs ten digits in square cells"
            )
        self.renderer, self.network, self.threshold = renderer, network, threshold

    def __call__(self, signals: Tensor) -> Tensor:
        """Signals [B, *shape] -> tokens int64 [B, L], −1 where refused."""
        cells = cells_of(self.renderer, signals)
        margin = max(0, (self.renderer.height - 28) // 2)
        middle = slice(margin, margin + 28)
        images = cells.reshape(-1, 1, self.renderer.height, self.renderer.width)[
            ..., middle, middle
        ]
        probability, digit = digit_probabilities(self.network.to(cells.device), images).max(1)
        return digit.where(probability >= self.threshold, -1).reshape(
            cells.shape[:2]
        )  # refused if NaN


def make_reader(side: int, steps: int = 2000, seed: int = 0) -> None:
    """Trains a reader, calibrates it on its training digits, measures it on the held-out ones, and writes both files.

    The threshold refuses 96 % of half blends of training digits. It lies well below ½, because half of what the
    network saw was unreadable.
    """
    torch.set_num_threads(1)  # the weights' last bits depend on it
    generator = torch.Generator().manual_seed(seed)
    trained, _ = train_reader(side, steps, seed)
    blends = spoil(*examples(side, held_out=False), generator, {"half blend": 1})
    threshold = digit_probabilities(trained, blends).amax(1).quantile(0.96).item()

    signals, labels = examples(side, held_out=True)
    reader = DigitReader(Cells(fit(assets.digits(), side), (1, 1)), trained, threshold)
    table = symbol_accuracy(reader, signals, labels[:, None])
    right = round(table["right"][0] * len(labels))
    weights = save(trained.state_dict())
    origin = {
        "command": f"python -m localbias.reading.digits {side} --steps {steps} --seed {seed}",
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in trained.parameters()),
        "data_sha256": sha256(assets.digits().numpy().tobytes()).hexdigest(),
        "weights_sha256": sha256(weights).hexdigest(),
        "threshold": threshold,
        "held_out": {
            "digits": len(labels),
            "right": right,
            "right_95": [float(end) for end in wilson(right, len(labels))],
            "accuracy": table,
            "refused": {
                kind: (reader(spoil(signals, labels, generator, {kind: 1})) < 0)
                .double()
                .mean()
                .item()
                for kind in SPOILED
            },
        },
    }
    path = assets.FOLDER / f"reader_{side}.safetensors"
    write_atomically(path, weights)
    write_atomically(path.with_suffix(".json"), (json.dumps(origin, indent=1) + "\n").encode())


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
    return (
        nn.Conv2d(channels, out, width, padding=width // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


if __name__ == "__main__":
    typer.run(make_reader)
