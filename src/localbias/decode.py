"""Signals to tokens: which symbol every cell shows, or −1 where a careful reader would not say.

Symbols with one exemplar are read by their distance to the templates. Other digits are read by a small network with an
eleventh class, "unreadable"; `python -m localbias.decode SIDE` trains the ones that the package ships.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from math import inf

import torch
import typer
from safetensors.torch import save
from torch import Tensor, nn

from localbias import assets
from localbias.files import write_atomically
from localbias.reader import SPOILED, digit_probabilities, examples, shipped_reader, spoil, train_reader
from localbias.render import Digits, Pictures, Renderer, Words, fit

NEAR = 0.3  # root mean square a pixel, of signals from −1 to 1: less than a lost stroke makes
Decoder = Callable[[Tensor], Tensor]  # signals [B, *shape] -> tokens int64 [B, L]


def read(renderer: Renderer, signals: Tensor) -> Tensor:
    """The strings that signals [B, *shape] show: int64 [B, L], −1 where a symbol is unreadable."""
    return decoder(renderer)(signals)


def decoder(renderer: Renderer) -> Decoder:
    """The decoder of a renderer's signals: `PictureReader` for whole pictures, `Templates` where a symbol has one exemplar,
    `DigitReader` for other digits.

    Where the data hold one image of each digit, closeness to it is the stricter test: the network reads digits out of
    strokes that are none, since nobody can show it everything that is not a digit. ValueError where neither applies.
    """
    if isinstance(renderer, Pictures):
        return PictureReader(renderer)
    if isinstance(renderer, Words):
        return Templates(renderer, near=NEAR)
    if renderer.pool.shape[1] == 1:
        return Templates(renderer)
    if isinstance(renderer, Digits):
        return DigitReader(renderer, *shipped_reader(min(renderer.height, 28)))
    raise ValueError(f"no decoder for {type(renderer).__name__} with {renderer.pool.shape[1]} exemplars a symbol; "
                     "allowed: Digits, or one exemplar a symbol")


class Templates:
    """Reads a cell as the nearest template if it is clearly nearer than every other one, and near enough.

    Both bounds are in units of the distance between templates. On the line from the nearest template (0) to another
    one (1), the cell is ambiguous if it projects beyond `ambiguity`; it is foreign if it is farther from the nearest
    template than `distance` times the gap to the next one. A half blend projects to ½. Noise of standard deviation σ
    lies about σ√(h·w) away. On ±1 scalars the defaults read 0.5 ≤ |x| ≤ 2.5. Where some templates are alike, as letters
    are, that bound is too strict: with `near`, the root mean square distance a pixel is held to that instead.

    ValueError for bounds out of range, several exemplars a symbol, or templates that are not distinct.
    """

    def __init__(self, renderer: Renderer, ambiguity: float = 0.25, distance: float = 0.75, near: float | None = None):
        if not 0 <= ambiguity <= 0.5 or not distance > 0 or not (near is None or near > 0):
            raise ValueError(f"ambiguity={ambiguity}, distance={distance}, near={near}; allowed: 0 to 0.5, and above 0")
        if renderer.pool.shape[1] != 1:
            raise ValueError(f"{renderer.pool.shape[1]} exemplars a symbol; templates need one")
        self.renderer, self.ambiguity, self.distance, self.near = renderer, ambiguity, distance, near
        self.templates = renderer.pool.flatten(1)  # [K, h·w]
        gaps = torch.cdist(self.templates, self.templates, compute_mode="donot_use_mm_for_euclid_dist")
        self.gaps = gaps.fill_diagonal_(inf)
        if not 0 < self.gaps.min() < inf:
            raise ValueError(f"{len(gaps)} templates, not all distinct; reading needs two or more that are")

    def __call__(self, signals: Tensor) -> Tensor:
        """Signals [B, *shape] -> tokens int64 [B, L], −1 where refused."""
        cells = _cells(self.renderer, signals)
        templates, gaps = self.templates.to(cells), self.gaps.to(cells)
        match = cells @ templates.T - templates.square().sum(1) / 2  # matched filters: the largest is the nearest
        best, token = match.max(-1)
        gaps = gaps[token]  # [B, L, K]; infinite to itself, so that its own projection is ½ and must not count
        projection = (0.5 - (best[..., None] - match) / gaps.square()).masked_fill(gaps.isinf(), -inf).amax(-1)
        away = (cells - templates[token]).norm(dim=-1)
        reach = self.near * cells.shape[-1] ** 0.5 if self.near else self.distance * gaps.amin(-1)
        clear = (projection <= self.ambiguity) & (away <= reach)  # False for NaN
        return token.where(clear, -1)


class PictureReader:
    """Reads a picture as the nearest known one, or else cell by cell.

    As a whole it is read as by `Templates` with the bound `near`, among the renderer's pictures. If that refuses and
    there are several cells, each is read as the nearest of the cells that occur in its place, within the same bound:
    symbols of different pictures, put together. That one cell is clearly nearer than others is not asked, since
    different pictures may well share a cell (a blank corner, a common radical). So a picture that leans towards another
    one a little too far to be read as a whole may still be read by its cells.

    ValueError for a bound that is not above 0.
    """

    def __init__(self, renderer: Pictures, near: float = NEAR):
        self.renderer, self.near = renderer, near
        whole = renderer.draw(renderer.strings, torch.zeros_like(renderer.strings))
        self.whole = Templates(Renderer(whole.reshape(-1, 1, *renderer.shape[-2:]), (1, 1)), near=near)

    def __call__(self, signals: Tensor) -> Tensor:
        """Signals [B, *shape] -> tokens int64 [B, L], −1 where refused."""
        cells, strings = _cells(self.renderer, signals), self.renderer.strings.to(signals.device)
        found = self.whole(signals)
        if self.renderer.length == 1:
            return strings[found[:, 0]].where(found >= 0, -1)
        known = self.renderer.pool[strings.T, 0].flatten(2).to(cells)  # [L, n, h·w]
        away, nearest = torch.cdist(cells.transpose(0, 1), known).min(-1)  # [L, B]
        near = away / known.shape[-1] ** 0.5 <= self.near  # False for NaN
        tokens = strings.T.gather(1, nearest).where(near, -1).T
        return strings[found[:, 0]].where(found >= 0, tokens)


def known_pieces(signals: Tensor, pictures: Tensor, size: int, near: float = NEAR) -> tuple[Tensor, Tensor]:
    """Which pieces of signals occur, in the same place, in some picture: what was put together, however small.

    signals [B, 1, h, w] and pictures [n, 1, h, w] are cut into squares of `size` pixels, row by row: bool [B, h·w/size²]
    twice, whether a piece is within `near` (root mean square a pixel) of that piece of a picture, and whether it has ink at
    all (a pixel above 0), since a blank piece is known everywhere.

    ValueError where `size` does not divide the sides, for signals and pictures of different shapes, and for no pictures.
    """
    if signals.ndim != 4 or signals.shape[1] != 1 or signals.shape[1:] != pictures.shape[1:]:
        raise ValueError(f"signals {tuple(signals.shape)}, pictures {tuple(pictures.shape)}; allowed: [B, 1, h, w], alike but for B")
    if not len(pictures):
        raise ValueError("no pictures to compare with; allowed: at least one")
    if not isinstance(size, int) or size < 1 or any(side % size for side in signals.shape[2:]):
        raise ValueError(f"size={size}; allowed: what divides {signals.shape[2]} and {signals.shape[3]}")
    pieces, known = (nn.functional.unfold(images, size, stride=size).permute(2, 0, 1) for images in (signals, pictures))
    away = torch.cdist(pieces, known).amin(-1) / size
    return (away <= near).T, (pieces.amax(-1) > 0).T


class DigitReader:
    """Reads digits with a network, and refuses where no digit has at least the probability `threshold`.

    Cells of more than 28 pixels are cut to the middle 28, where the digit is.

    network    images [n, 1, s, s] -> logits [n, 11], with s the smaller of the cell's side and 28
    threshold  a probability; `shipped_reader` has the calibrated one

    ValueError for a renderer of anything but ten symbols in square cells.
    """

    def __init__(self, renderer: Renderer, network: nn.Module, threshold: float):
        if renderer.height != renderer.width or len(renderer.pool) != 10:
            raise ValueError(f"{len(renderer.pool)} symbols in cells of {renderer.height}×{renderer.width}; "
                             "the reader needs ten digits in square cells")
        self.renderer, self.network, self.threshold = renderer, network, threshold

    def __call__(self, signals: Tensor) -> Tensor:
        """Signals [B, *shape] -> tokens int64 [B, L], −1 where refused."""
        cells = _cells(self.renderer, signals)
        margin = max(0, (self.renderer.height - 28) // 2)
        middle = slice(margin, margin + 28)
        images = cells.reshape(-1, 1, self.renderer.height, self.renderer.width)[..., middle, middle]
        probability, digit = digit_probabilities(self.network.to(cells.device), images).max(1)
        return digit.where(probability >= self.threshold, -1).reshape(cells.shape[:2])  # refused if NaN


def accuracy(decode: Decoder, signals: Tensor, tokens: Tensor, noise: Sequence[float] = (0, 0.1, 0.2, 0.4, 0.8),
             seed: int = 0) -> dict[str, list[float]]:
    """How signals [B, *shape] of the strings [B, L] are read under Gaussian noise of each standard deviation.

    Returns the columns "noise", "right", "refused" and "wrong", the last three as fractions of all symbols.
    """
    generator = torch.Generator().manual_seed(seed)
    table = {"noise": list(noise), "right": [], "refused": [], "wrong": []}
    for sigma in noise:
        seen = decode(signals + sigma * torch.randn(signals.shape, generator=generator).to(signals))
        right, refused = seen == tokens, seen < 0
        for name, symbols in ("right", right), ("refused", refused), ("wrong", ~(right | refused)):
            table[name].append(symbols.double().mean().item())
    return table


def make_reader(side: int, steps: int = 2000, seed: int = 0) -> None:
    """Trains a reader, calibrates it on its training digits, measures it on the held-out ones, and writes both files.

    The threshold refuses 96 % of half blends of training digits. It lies well below ½, because half of what the
    network saw was unreadable.
    """
    from localbias.outcome import wilson  # for the origin alone: reading stands before outcomes

    torch.set_num_threads(1)  # the weights' last bits depend on it
    generator = torch.Generator().manual_seed(seed)
    trained, _ = train_reader(side, steps, seed)
    blends = spoil(*examples(side, held_out=False), generator, {"half blend": 1})
    threshold = digit_probabilities(trained, blends).amax(1).quantile(0.96).item()

    signals, labels = examples(side, held_out=True)
    reader = DigitReader(Renderer(fit(assets.digits(), side), (1, 1)), trained, threshold)
    table = accuracy(reader, signals, labels[:, None])
    right = round(table["right"][0] * len(labels))
    weights = save(trained.state_dict())
    origin = {
        "command": f"python -m localbias.decode {side} --steps {steps} --seed {seed}",
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in trained.parameters()),
        "data_sha256": sha256(assets.digits().numpy().tobytes()).hexdigest(),
        "weights_sha256": sha256(weights).hexdigest(),
        "threshold": threshold,
        "held_out": {
            "digits": len(labels), "right": right, "right_95": [float(end) for end in wilson(right, len(labels))],
            "accuracy": table,
            "refused": {kind: (reader(spoil(signals, labels, generator, {kind: 1})) < 0).double().mean().item()
                        for kind in SPOILED},
        },
    }
    path = assets.FOLDER / f"reader_{side}.safetensors"
    write_atomically(path, weights)
    write_atomically(path.with_suffix(".json"), (json.dumps(origin, indent=1) + "\n").encode())


def _cells(renderer: Renderer, signals: Tensor) -> Tensor:
    if tuple(signals.shape[1:]) != tuple(renderer.shape):
        raise ValueError(f"signals of shape {tuple(signals.shape[1:])}; the renderer's have {tuple(renderer.shape)}")
    return renderer.split(signals)


if __name__ == "__main__":
    typer.run(make_reader)
