"""Where gradient flow on the sphere takes the directions of small neurons (§5.4).

On the unit sphere the direction (w, b) of a small neuron climbs K where its a > 0 and descends it
where a < 0 (see `growth`). It goes to a maximum on whose slope it was born, which need not be the
highest one, or dies.

w is [..., d] and b [...]; a law is a `target.Law`, and the errors are those that `target`
describes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from localbias.theory.growth import growth_gradient, growth_rate, optimal_bias
from localbias.theory.target import Law, check

SETTLED = 1e-7  # the gradient of K/√(1−ᾱ) along the sphere of a neuron that moves no more
NEAR = 1e-3  # two directions, biases or rates nearer than this are one


class Settled(NamedTuple):
    """Where the flow takes neurons.

    Attributes:
        w: [..., d], of length 1 together with b.
        b: [...].
        settled: bool [...], whether they move no more.
    """

    w: np.ndarray
    b: np.ndarray
    settled: np.ndarray


def settle(
    w: ArrayLike,
    b: ArrayLike,
    alpha_bar: ArrayLike,
    law: Law,
    sign: ArrayLike = 1,
    steps: int = 4000,
) -> Settled:
    """Where gradient flow on the unit sphere takes neurons.

    Heun's method with a step of its own for each neuron, so that a step turns it and its gradient
    by a little only.

    Args:
        w: [..., d], where they start, of any length.
        b: [...].
        alpha_bar: ᾱ [...].
        law: of the data.
        sign: [...] of the neurons' a, ±1: they climb K or descend it.
        steps: at most; neurons that still move then are not settled.
    """
    w, b = np.asarray(w, float), np.asarray(b, float)
    alpha_bar, support, weights = check(alpha_bar, *law)
    law = Law(support, weights, law.coordinate)
    shape = np.broadcast_shapes(w.shape[:-1], b.shape, alpha_bar.shape, np.shape(sign))
    flat_w = np.broadcast_to(w, (*shape, w.shape[-1])).reshape(-1, w.shape[-1])
    flat_b, level, side = (
        np.broadcast_to(part, shape).reshape(-1) for part in (b, alpha_bar, sign)
    )
    u = _unit(np.column_stack([flat_w, flat_b]))
    moving, step = np.arange(len(u)), np.full(len(u), 0.01)
    for _ in range(steps):
        here = _uphill(u[moving], level[moving], law, side[moving])
        length = np.linalg.norm(here, axis=1)
        moving, here, length = (part[length > SETTLED] for part in (moving, here, length))
        if not len(moving):
            break
        h = np.minimum(step[moving], 0.1 / length)
        ahead = _unit(u[moving] + h[:, None] * here)
        there = _uphill(ahead, level[moving], law, side[moving])
        turn = np.linalg.norm(there - here, axis=1) / length
        good = turn <= 0.3  # other steps are tried again, shorter
        u[moving[good]] = _unit(u[moving] + h[:, None] * (here + there) / 2)[good]
        step[moving] = h * np.clip(0.24 / np.maximum(turn, 1e-9), 0.2, 2)
    settled = np.ones(len(u), bool)
    settled[moving] = False
    return Settled(u[:, :-1].reshape(*shape, -1), u[:, -1].reshape(shape), settled.reshape(shape))


def paths(
    w: np.ndarray, b: np.ndarray, alpha_bar: float, law: Law, sign: ArrayLike = 1, n: int = 100
) -> np.ndarray:
    """Directions (w, b) of neurons w [m, d], b [m] as the flow turns them: [n + 1, m, d + 1]."""
    along = [np.column_stack([w, b])]
    for _ in range(n):
        w, b, _ = settle(w, b, alpha_bar, law, sign, steps=5)
        along.append(np.column_stack([w, b]))
    return np.stack(along)


class Ends(NamedTuple):
    """Shares of neurons by where gradient flow takes them; they sum to 1.

    Attributes:
        best: (e_i, D*).
        axis: elsewhere on the axis, the other maxima of the bias, or facing −e_i.
        off: off-axis local maxima of K.
        dead: towards P(w·x_t + b > 0) = 0, where K and its gradient vanish.
        unsettled: still moving.
    """

    best: float
    axis: float
    off: float
    dead: float
    unsettled: float


def kinds(
    w: np.ndarray, b: np.ndarray, settled: np.ndarray, alpha_bar: ArrayLike, law: Law
) -> np.ndarray:
    """Which field of `Ends` each neuron that `settle` returned belongs to: names [...].

    For neurons with a > 0, and a fair x0_i.
    """
    dead = np.abs(_relative_rate(w, b, alpha_bar, law)) < NEAR
    off = others_seen(w, law.coordinate) > 0
    best = np.abs(b - optimal_bias(alpha_bar) * w[..., law.coordinate]) < NEAR
    return np.select([~settled, dead, off, best], ["unsettled", "dead", "off", "best"], "axis")


def ends(w: np.ndarray, b: np.ndarray, settled: np.ndarray, alpha_bar: float, law: Law) -> Ends:
    """The shares of the `kinds` of neurons [n], from the same arguments."""
    names = kinds(w, b, settled, alpha_bar, law)
    return Ends(*(float((names == name).mean()) for name in Ends._fields))


def others_seen(w: np.ndarray, coordinate: int = 0) -> np.ndarray:
    """How many coordinates other than its own each neuron on the unit sphere sees: int [...]."""
    return (np.abs(np.delete(w, coordinate, -1)) > NEAR).sum(-1)


class Maxima(NamedTuple):
    """Local maxima of K on the sphere with K > 0, the highest first.

    Attributes:
        w: [m, d].
        b: [m].
        rate: K/√(1−ᾱ) [m].
        ends: where the neurons of the search ended, dead ones included.
    """

    w: np.ndarray
    b: np.ndarray
    rate: np.ndarray
    ends: Ends


def local_maxima(alpha_bar: float, law: Law, neurons: int = 400, seed: int = 0) -> Maxima:
    """The local maxima that `settle` reaches from uniform directions; small ones may be missed.

    Args:
        alpha_bar: ᾱ.
        law: of the data, with a fair x0_i.
        neurons: how many directions.
        seed: of the directions.
    """
    start = np.random.default_rng(seed).standard_normal((neurons, np.shape(law.support)[1] + 1))
    w, b, settled = settle(start[:, :-1], start[:, -1], alpha_bar, law)
    shares = ends(w, b, settled, alpha_bar, law)
    rate = _relative_rate(w, b, alpha_bar, law)
    kept = np.flatnonzero(settled & (rate > NEAR))
    distinct: list[np.ndarray] = []
    for point in np.column_stack([w, b])[kept[np.argsort(-rate[kept])]]:
        if all(np.abs(point - other).max() > NEAR for other in distinct):
            distinct.append(point)
    points = np.reshape(distinct, (-1, start.shape[1]))
    w, b = points[:, :-1], points[:, -1]
    return Maxima(w, b, _relative_rate(w, b, alpha_bar, law), shares)


def _uphill(u: np.ndarray, alpha_bar: np.ndarray, law: Law, sign: np.ndarray) -> np.ndarray:
    """The gradient of sign · K/√(1−ᾱ) along the sphere at directions u [m, d + 1]: [m, d + 1]."""
    gradient = np.column_stack(growth_gradient(u[:, :-1], u[:, -1], alpha_bar, *law))
    gradient *= (sign / np.sqrt(1 - alpha_bar))[:, None]
    return gradient - (gradient * u).sum(1, keepdims=True) * u


def _relative_rate(w: np.ndarray, b: np.ndarray, alpha_bar: ArrayLike, law: Law) -> np.ndarray:
    """K/√(1−ᾱ): [...]."""
    return growth_rate(w, b, alpha_bar, *law) / np.sqrt(1 - np.asarray(alpha_bar))


def _unit(u: np.ndarray) -> np.ndarray:
    """u [..., k] at length 1."""
    return u / np.linalg.norm(u, axis=-1, keepdims=True)
