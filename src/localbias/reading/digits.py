"""The reader of digits and its network: ten classes for the digits and an eleventh, "unreadable".

The networks that the package ships are made by `python -m localbias.reading.digits SIDE`.
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

TRAINING = 800  # of each digit's 1,000 embedded images; the network is never trained on the others
UNREADABLE = 10  # the network's eleventh class


def examples(side: int, held_out: bool) -> tuple[Tensor, Tensor]:
    """Embedded digits and their labels.

    Args:
        side: pixels of a signal's side.
        held_out: the 2,000 digits that the network is not trained on, or the 8,000 others.

    Returns:
        Signals [n, 1, side, side] and labels [n].
    """
    images = assets.digits()[:, TRAINING:] if held_out else assets.digits()[:, :TRAINING]
    labels = torch.arange(10).repeat_interleave(images.shape[1])
    return fit(images, side).flatten(0, 1)[:, None], labels


def untrained_network(side: int) -> nn.Sequential:
    """A network for images [n, 1, side, side] that gives logits [n, 11], the last "unreadable"."""
    return nn.Sequential(
        *_convolution(1, 24, 5),
        nn.AdaptiveMaxPool2d(min(side, 14)),  # from here all sides cost the same
        *_convolution(24, 32),
        nn.MaxPool2d(2),
        *_convolution(32, 64),
        *_convolution(64, 64),
        nn.AdaptiveMaxPool2d(3),
        nn.Flatten(),
        nn.Linear(64 * 9, UNREADABLE + 1),
    )


def _half_blend(digits: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """Between 40 % and 60 % of the way from one digit to another."""
    return digits.lerp(others, 0.4 + 0.2 * _uniform(digits, generator))


def _overlay(digits: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """The ink of both."""
    return digits.maximum(others)


def _fuzzy(digits: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """Blurred: averaged twice over a third of the side."""
    width = digits.shape[-1] // 3 | 1  # odd
    return _average(_average(digits, width), width)


def _noise(digits: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian noise of a random strength, on grey or on background."""
    strength = _uniform(digits, generator)
    noise = torch.randn(digits.shape, generator=generator)
    return strength * noise - _uniform(digits, generator).round()


def _blank(digits: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """Background alone."""
    return torch.full_like(digits, -1)


# What shows no digit: each is made of images [n, 1, s, s] of two different digits.
UNREADABLE_KINDS: dict[str, Callable[[Tensor, Tensor, torch.Generator], Tensor]] = {
    "half blend": _half_blend,
    "overlay": _overlay,
    "fuzzy": _fuzzy,
    "noise": _noise,
    "blank": _blank,
}
# How often training meets each of them.
SHARES = {"half blend": 0.5, "overlay": 0.3, "fuzzy": 0.08, "noise": 0.08, "blank": 0.04}


def unreadable_images(
    digits: Tensor, labels: Tensor, generator: torch.Generator, shares: dict[str, float] = SHARES
) -> Tensor:
    """Images that show no digit, made of images of digits.

    Args:
        digits: [n, 1, s, s].
        labels: int [n], of which no digit has more than half.
        generator: of what is left to chance.
        shares: kind, one of UNREADABLE_KINDS -> its share of the images; they sum to 1.

    Returns:
        [n, 1, s, s], the kinds in the order of `shares`.
    """
    # With the images in groups of one digit, whose order is random, the image half a turn further
    # is of another digit.
    order = torch.randperm(10, generator=generator)[labels].argsort(stable=True)
    partner = torch.empty_like(order)
    partner[order] = order.roll(len(order) // 2)
    ends = [round(end * len(digits)) for end in accumulate(shares.values())][:-1]
    parts = zip(shares, digits.tensor_split(ends), digits[partner].tensor_split(ends))
    return torch.cat([UNREADABLE_KINDS[kind](a, b, generator) for kind, a, b in parts])


def train_network(
    side: int,
    steps: int,
    seed: int = 0,
    batch: int = 128,
    rate: float = 3e-3,
) -> tuple[nn.Module, list[float]]:
    """Train a network to read digits.

    Half of what it sees is a digit, half is unreadable; all of it bears a little noise.

    Args:
        side: pixels of an image's side.
        steps: optimizer steps.
        seed: of the initial weights and of what is drawn.
        batch: digits a step, and as many unreadable images.
        rate: the largest learning rate.

    Returns:
        The network in evaluation mode, and its loss at each step.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = untrained_network(side)
    # Convolutions are faster so on a CPU. The overload is missing in torch's own annotations.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = assets.digits()[:, :TRAINING].flatten(0, 1)
    labels = torch.arange(10).repeat_interleave(TRAINING)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    losses = []
    for _ in tqdm(range(steps), desc=f"digits of {side} pixels"):
        chosen = torch.randint(len(images), (batch,), generator=generator)
        digits, truth = _handled(images[chosen], side, generator), labels[chosen]
        seen = torch.cat([digits, unreadable_images(digits, truth, generator)])
        strength = 0.3 * _uniform(seen, generator).square()
        seen = seen + strength * torch.randn(seen.shape, generator=generator)
        classes = torch.cat([truth, torch.full_like(truth, UNREADABLE)])
        loss = functional.cross_entropy(network(seen), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return network.eval(), losses


@cache
def shipped_network(side: int) -> tuple[nn.Sequential, float]:
    """The package's network for digits of a size, and the threshold of its reader.

    Args:
        side: pixels of an image's side.

    Raises:
        ValueError: for a side that there is none for.
    """
    weights = assets.FOLDER / f"reader_{side}.safetensors"
    if not weights.exists():
        known = sorted(
            path.stem.removeprefix("reader_") for path in assets.FOLDER.glob("reader_*.safetensors")
        )
        raise ValueError(
            f"no digit reader for cells of {side} pixels; allowed: {', '.join(known)} and more"
        )
    network = untrained_network(side)
    network.load_state_dict(load_file(weights))
    origin = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    return network.eval().requires_grad_(False), origin["threshold"]


@torch.inference_mode()
def digit_probabilities(network: nn.Module, images: Tensor) -> Tensor:
    """The probabilities [n, 10] of the digits in images [n, 1, s, s].

    They sum to one less the probability that the image is unreadable.
    """
    return torch.cat([network(some).softmax(1)[:, :UNREADABLE] for some in images.split(4096)])


@torch.inference_mode()
def digit_features(network: nn.Sequential, images: Tensor) -> Tensor:
    """What the network sees before it decides: features [n, F] of images [n, 1, s, s]."""
    return torch.cat([network[:-1](some) for some in images.split(4096)])


class DigitReader:
    """Reads digits with a network, and refuses where none is probable enough.

    Cells of more than 28 pixels are cut to the middle 28, where the digit is.

    Attributes:
        renderer: shows ten digits in square cells.
        network: maps images [n, 1, s, s] to logits [n, 11], with s the smaller of the cell's side
            and 28.
        threshold: the least probability at which a digit is read; `shipped_network` has the
            calibrated one.

    Raises:
        ValueError: for a renderer of anything but ten symbols in square cells.
    """

    def __init__(self, renderer: Cells, network: nn.Module, threshold: float):
        if renderer.height != renderer.width or renderer.symbols != 10:
            raise ValueError(
                f"{renderer.symbols} symbols in cells of {renderer.height}×{renderer.width}; "
                "the reader needs ten digits in square cells"
            )
        self.renderer, self.network, self.threshold = renderer, network, threshold

    def __call__(self, signals: Tensor) -> Tensor:
        """Tokens int64 [B, L] of signals `[B, *shape]`, −1 where refused."""
        cells, side = cells_of(self.renderer, signals), self.renderer.height
        margin = max(0, (side - 28) // 2)
        middle = slice(margin, margin + 28)
        images = cells.reshape(-1, 1, side, side)[..., middle, middle]
        probability, digit = digit_probabilities(self.network.to(cells.device), images).max(1)
        read = probability >= self.threshold  # False for NaN
        return digit.where(read, -1).reshape(cells.shape[:2])


def make_assets(side: int, steps: int = 2000, seed: int = 0) -> None:
    """Train a network, calibrate its reader, measure it, and write both files of the package.

    The threshold is such that 96 % of half blends of training digits are refused. It lies well
    below ½, because half of what the network saw was unreadable. The reader is measured on the
    held-out digits.

    Args:
        side: pixels of an image's side.
        steps: of training.
        seed: of training, and of the images that it is calibrated and measured on.
    """
    torch.set_num_threads(1)  # the weights' last bits depend on it
    generator = torch.Generator().manual_seed(seed)
    network, _ = train_network(side, steps, seed)
    blends = unreadable_images(*examples(side, held_out=False), generator, {"half blend": 1})
    threshold = digit_probabilities(network, blends).amax(1).quantile(0.96).item()
    reader = DigitReader(Cells(fit(assets.digits(), side), (1, 1)), network, threshold)
    weights = save(network.state_dict())
    origin = {
        "command": f"python -m localbias.reading.digits {side} --steps {steps} --seed {seed}",
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in network.parameters()),
        "data_sha256": sha256(assets.digits().numpy().tobytes()).hexdigest(),
        "weights_sha256": sha256(weights).hexdigest(),
        "threshold": threshold,
        "held_out": _measured(reader, side, generator),
    }
    path = assets.FOLDER / f"reader_{side}.safetensors"
    write_atomically(path, weights)
    write_atomically(path.with_suffix(".json"), (json.dumps(origin, indent=1) + "\n").encode())


def _measured(reader: DigitReader, side: int, generator: torch.Generator) -> dict[str, object]:
    """How a reader of single digits does on the held-out ones, and on what shows no digit."""
    signals, labels = examples(side, held_out=True)
    table = symbol_accuracy(reader, signals, labels[:, None])
    right = round(table["right"][0] * len(labels))
    refused = {}
    for kind in UNREADABLE_KINDS:
        tokens = reader(unreadable_images(signals, labels, generator, {kind: 1}))
        refused[kind] = (tokens < 0).double().mean().item()
    return {
        "digits": len(labels),
        "right": right,
        "right_95": [float(end) for end in wilson(right, len(labels))],
        "accuracy": table,
        "refused": refused,
    }


def _handled(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Digits as another hand might write them.

    A third stay as they are, the others are turned, sheared, scaled, shifted and blurred a little.

    Args:
        images: uint8 [n, 28, 28].
        side: pixels of a signal's side.
        generator: of what is left to chance.

    Returns:
        Signals [n, 1, side, side].
    """
    images = images[:, None].float()
    warp = torch.eye(2, 3) + 0.15 * (2 * torch.rand(len(images), 2, 3, generator=generator) - 1)
    grid = functional.affine_grid(warp, list(images.shape), align_corners=False)
    warped = fit(functional.grid_sample(images, grid, align_corners=False), side)
    warped = warped.lerp(_average(warped, 3), 0.3 * _uniform(warped, generator))
    return torch.where(_uniform(warped, generator) < 1 / 3, fit(images, side), warped)


def _average(images: Tensor, width: int) -> Tensor:
    """The mean over squares of an odd width; outside the image is background."""
    return functional.avg_pool2d(images + 1, width, 1, width // 2) - 1


def _uniform(images: Tensor, generator: torch.Generator) -> Tensor:
    """A random number from 0 to 1 for each image, [n, 1, 1, 1]."""
    return torch.rand(len(images), 1, 1, 1, generator=generator)


def _convolution(channels: int, out: int, width: int = 3) -> tuple[nn.Module, ...]:
    """A convolution of that width, its normalisation and activation."""
    return (
        nn.Conv2d(channels, out, width, padding=width // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


if __name__ == "__main__":
    typer.run(make_assets)
