"""Pictures of where small neurons go, as arrays: slices of their sphere, and paths from random starts (§5.4).

A globe is a slice of the sphere of neurons that the flow never leaves: the neurons (w^(1), v · lean, b) for a unit
vector `lean` that says how the weight v is shared among the other coordinates. b points north, and e_1 lies on
the equator. A disc looks along all axes but w^(1) and b.
"""

from typing import NamedTuple

import numpy as np

from localbias.theory import directions, growth, target

STARTS = 70  # neurons that start on a globe


class Path(NamedTuple):
    """Where the flow takes one neuron.

    Attributes:
        points: [k, 3] in (w^(1), v, b) on a globe, [k, 2] in (w^(1), b) on a disc.
        end: a field of `directions.Ends`.
        sign: of the neuron's a.
    """

    points: np.ndarray
    end: str
    sign: int = 1


class Globe(NamedTuple):
    """The growth rate on a slice of the sphere, seen from a latitude of its own, and paths of neurons with a > 0.

    Attributes:
        eye: [3], towards whoever looks, in (w^(1), v, b).
        screen: [2, 3], from there to the picture's plane.
        line: [n], the picture's coordinates along either side.
        rate: [n, n], K/√(1−ᾱ) at each point of the picture.
        paths: of neurons that do not die.
        maxima: of K that lie on the slice, each a path of one point.
    """

    eye: np.ndarray
    screen: np.ndarray
    line: np.ndarray
    rate: np.ndarray
    paths: list[Path]
    maxima: list[Path]


class Disc(NamedTuple):
    """Paths of neurons from random directions, half of them with a < 0; and the best bias on the axis."""

    paths: list[Path]
    bias: float


def globe(d: int, lean: np.ndarray, alpha_bar: float, latitude: float = 0.5) -> Globe:
    """The globe of a lean [d−1], for the parity of d signs. The lean is made a unit vector."""
    support, lean = target.parity(d), np.divide(lean, np.linalg.norm(lean))
    eye = np.array([np.cos(latitude), 0, np.sin(latitude)])
    screen = np.array([[0, 1, 0], [-np.sin(latitude), 0, np.cos(latitude)]])

    def neurons(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate([points[..., :1], points[..., 1:2] * lean], -1), points[..., 2]

    def on_slice(along: np.ndarray) -> np.ndarray:
        return np.stack([along[..., 0], along[..., 1:-1] @ lean, along[..., -1]], -1)

    line = np.linspace(-1, 1, 181)
    grid = np.stack(np.meshgrid(line, line), -1)
    points = grid @ screen + np.sqrt((1 - (grid**2).sum(-1)).clip(0))[..., None] * eye
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    rate = growth.growth_rate(*neurons(points), alpha_bar, support) / np.sqrt(1 - alpha_bar)

    along = directions.paths(*neurons(_spiral(STARTS)), alpha_bar, support)
    ends = _ends(along[-1], alpha_bar, support)
    paths = [
        Path(on_slice(path), end) for path, end in zip(along.swapaxes(0, 1), ends) if end != "dead"
    ]

    maxima = np.column_stack(directions.local_maxima(alpha_bar, support, neurons=150)[:2])
    off = np.abs(maxima[:, 1:-1] - (maxima[:, 1:-1] @ lean)[:, None] * lean).max(1)
    kept = maxima[off < 1e-3]
    tops = [
        Path(on_slice(top)[None], end) for top, end in zip(kept, _ends(kept, alpha_bar, support))
    ]
    return Globe(eye, screen, line, rate, paths, tops)


def leaves_slice(d: int, lean: np.ndarray, alpha_bar: float = 0.9) -> float:
    """How far the gradient of K points out of a slice, at most, at 500 random neurons on it: 0 if it never does."""
    points, lean = (
        np.random.default_rng(0).standard_normal((500, 3)),
        np.divide(lean, np.linalg.norm(lean)),
    )
    weights = np.column_stack([points[:, 0], points[:, 1:2] * lean])
    by_w, _ = growth.growth_gradient(weights, points[:, 2], alpha_bar, target.parity(d))
    return np.abs(by_w[:, 1:] - (by_w[:, 1:] @ lean)[:, None] * lean).max()


def disc(d: int, alpha_bar: float, neurons: int = 60, seed: int = 0) -> Disc:
    """Paths of neurons from uniform directions on the whole sphere, for the parity of d signs."""
    support, sign = target.parity(d), np.where(np.arange(neurons) % 2, -1, 1)
    starts = np.random.default_rng(seed).standard_normal((neurons, d + 1))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    along = directions.paths(starts[:, :-1], starts[:, -1], alpha_bar, support, sign=sign)
    mirrored = along[
        -1
    ].copy()  # with two signs turned the law stays the same, and K changes its sign
    mirrored[:, :2] *= sign[:, None]
    ends = _ends(mirrored, alpha_bar, support)
    paths = [
        Path(path[:, [0, -1]], end, side)
        for path, end, side in zip(along.swapaxes(0, 1), ends, sign)
    ]
    return Disc(paths, float(growth.optimal_bias(alpha_bar)))


def _spiral(n: int) -> np.ndarray:
    """n points spread evenly over the sphere: [n, 3]."""
    north, angle = 1 - (2 * np.arange(n) + 1) / n, np.arange(n) * np.pi * (3 - np.sqrt(5))
    return np.stack([np.sqrt(1 - north**2) * f(angle) for f in (np.cos, np.sin)] + [north], -1)


def _ends(neurons: np.ndarray, alpha_bar: float, support: np.ndarray) -> np.ndarray:
    """Where the flow takes neurons [m, d + 1] with a > 0: fields of `directions.Ends` [m]."""
    settled = directions.settle(neurons[:, :-1], neurons[:, -1], alpha_bar, support)
    return directions.kinds(*settled, alpha_bar, support)
