"""Where small neurons go, as arrays for pictures: slices of their sphere, and paths (§5.4).

A slice is a two-dimensional sphere of neurons that the flow never leaves: (w^(1), v u, b) for a
fixed unit vector u [d−1], which says how the weight v is shared among the other coordinates. Shown
as a globe, b points north and e_1 lies on the equator. A disc looks along all axes but w^(1) and b.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from localbias.theory import directions, growth, target
from localbias.theory.target import Law

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
    """The growth rate on a slice, seen from a latitude, and the paths of neurons with a > 0.

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
    """Paths of neurons on the whole sphere, half of them with a < 0.

    Attributes:
        paths: of the neurons.
        bias: D*, the best bias on the axis.
    """

    paths: list[Path]
    bias: float


def globe(d: int, lean: ArrayLike, alpha_bar: float, latitude: float = 0.5) -> Globe:
    """The globe of a slice, for the parity of d signs.

    Args:
        d: signs in a string.
        lean: u [d−1], of any length; it should make a slice (`leaves_slice`).
        alpha_bar: ᾱ.
        latitude: of the eye, in radians; its longitude is that of e_1.
    """
    law, u = Law(target.parity(d)), _unit_vector(lean)
    eye = np.array([np.cos(latitude), 0, np.sin(latitude)])
    screen = np.array([[0, 1, 0], [-np.sin(latitude), 0, np.cos(latitude)]])
    line = np.linspace(-1, 1, 181)
    grid = np.stack(np.meshgrid(line, line), -1)
    height = np.sqrt((1 - (grid**2).sum(-1)).clip(0))  # beside the globe: at its edge
    points = grid @ screen + height[..., None] * eye
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    w, b = _neurons(points, u)
    rate = growth.growth_rate(w, b, alpha_bar, *law) / np.sqrt(1 - alpha_bar)
    paths, maxima = _paths_on_slice(u, alpha_bar, law), _maxima_on_slice(u, alpha_bar, law)
    return Globe(eye, screen, line, rate, paths, maxima)


def leaves_slice(d: int, lean: ArrayLike, alpha_bar: float = 0.9) -> float:
    """How far the gradient of K points out of a slice, at most, at 500 random neurons on it.

    0 (or rounding) where the flow never leaves it.

    Args:
        d: signs in a string, under their parity.
        lean: u [d−1], of any length.
        alpha_bar: ᾱ.
    """
    points, u = np.random.default_rng(0).standard_normal((500, 3)), _unit_vector(lean)
    by_w, _ = growth.growth_gradient(*_neurons(points, u), alpha_bar, target.parity(d))
    others = by_w[:, 1:]
    return float(np.abs(others - (others @ u)[:, None] * u).max())


def disc(d: int, alpha_bar: float, neurons: int = 60, seed: int = 0) -> Disc:
    """Paths of neurons from uniform directions on the whole sphere, for the parity of d signs.

    Args:
        d: signs in a string.
        alpha_bar: ᾱ.
        neurons: how many; every other one has a < 0.
        seed: of their directions.
    """
    law, sign = Law(target.parity(d)), np.where(np.arange(neurons) % 2, -1, 1)
    starts = np.random.default_rng(seed).standard_normal((neurons, d + 1))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    along = directions.paths(starts[:, :-1], starts[:, -1], alpha_bar, law, sign=sign)
    # With two signs turned the law stays the same and K changes its sign: a neuron with a < 0 ends
    # where its mirror image with a > 0 does.
    mirrored = along[-1].copy()
    mirrored[:, :2] *= sign[:, None]
    ends = _ends(mirrored, alpha_bar, law)
    paths = [
        Path(path[:, [0, -1]], end, side)
        for path, end, side in zip(along.swapaxes(0, 1), ends, sign)
    ]
    return Disc(paths, float(growth.optimal_bias(alpha_bar)))


def _unit_vector(lean: ArrayLike) -> np.ndarray:
    """The lean [d − 1] at length 1."""
    return np.divide(lean, np.linalg.norm(lean))


def _neurons(points: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w [..., d] and b [...] of points (w^(1), v, b) [..., 3] on a slice."""
    return np.concatenate([points[..., :1], points[..., 1:2] * u], -1), points[..., 2]


def _slice_points(neurons: np.ndarray, u: np.ndarray) -> np.ndarray:
    """(w^(1), v, b) [..., 3] of neurons [..., d + 1] on a slice."""
    return np.stack([neurons[..., 0], neurons[..., 1:-1] @ u, neurons[..., -1]], -1)


def _paths_on_slice(u: np.ndarray, alpha_bar: float, law: Law) -> list[Path]:
    """The paths of neurons from starts spread evenly over a slice, of those that do not die."""
    along = directions.paths(*_neurons(_spiral(STARTS), u), alpha_bar, law)
    ends = _ends(along[-1], alpha_bar, law)
    return [
        Path(_slice_points(path, u), end)
        for path, end in zip(along.swapaxes(0, 1), ends)
        if end != "dead"
    ]


def _maxima_on_slice(u: np.ndarray, alpha_bar: float, law: Law) -> list[Path]:
    """The local maxima of K that lie on a slice."""
    w, b, *_ = directions.local_maxima(alpha_bar, law, neurons=150)
    neurons = np.column_stack([w, b])
    points = _slice_points(neurons, u)
    on_slice = np.abs(w[:, 1:] - points[:, 1:2] * u).max(1) < directions.NEAR
    ends = _ends(neurons[on_slice], alpha_bar, law)
    return [Path(point[None], end) for point, end in zip(points[on_slice], ends)]


def _spiral(n: int) -> np.ndarray:
    """n points spread evenly over the sphere: [n, 3]."""
    north, angle = 1 - (2 * np.arange(n) + 1) / n, np.arange(n) * np.pi * (3 - np.sqrt(5))
    return np.stack([np.sqrt(1 - north**2) * f(angle) for f in (np.cos, np.sin)] + [north], -1)


def _ends(neurons: np.ndarray, alpha_bar: float, law: Law) -> np.ndarray:
    """Where the flow takes neurons [m, d + 1] with a > 0: fields of `directions.Ends` [m]."""
    settled = directions.settle(neurons[:, :-1], neurons[:, -1], alpha_bar, law)
    return directions.kinds(*settled, alpha_bar, law)
