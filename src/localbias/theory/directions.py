"""Where gradient flow on the sphere takes the directions of small neurons (§5.4).

On the unit sphere the direction (w, b) of a small neuron climbs K where its a > 0 and descends it where a < 0 (see
`growth`). It goes to a maximum on whose slope it was born, which need not be the highest one, or dies.

w is [..., d] and b [...]; alpha_bar, support and weights are as in `target`, and so are the errors; coordinate is i.
"""

from typing import NamedTuple

import numpy as np

from localbias.theory.growth import growth_gradient, growth_rate, optimal_bias
from localbias.theory.target import check


def settle(
    w, b, alpha_bar, support, weights=None, coordinate=0, sign=1, tolerance=1e-7, steps=4000
):
    """Where gradient flow on the unit sphere takes neurons: w [..., d] and b [...] on it, and settled bool [...].

    sign       of the neurons' a, ±1 or [...]: they climb K or descend it
    tolerance  a neuron has settled when the gradient of K/√(1−ᾱ) along the sphere is at most this long

    Heun's method with a step of its own for each neuron, so that a step turns it and its gradient by a little only.
    """
    w, b = np.asarray(w, float), np.asarray(b, float)
    alpha_bar, support, weights = check(alpha_bar, support, weights, coordinate)
    shape = np.broadcast_shapes(w.shape[:-1], b.shape, alpha_bar.shape, np.shape(sign))
    b, alpha_bar, sign = (np.broadcast_to(part, shape).reshape(-1) for part in (b, alpha_bar, sign))
    u = _unit(np.column_stack([np.broadcast_to(w, (*shape, w.shape[-1])).reshape(len(b), -1), b]))
    active, step = np.arange(len(u)), np.full(len(u), 0.01)

    def uphill(u, which):
        by_w, by_b = growth_gradient(
            u[:, :-1], u[:, -1], alpha_bar[which], support, weights, coordinate
        )
        g = np.column_stack([by_w, by_b]) * (sign / np.sqrt(1 - alpha_bar))[which, None]
        return g - (g * u).sum(1, keepdims=True) * u

    for _ in range(steps):
        here = uphill(u[active], active)
        length = np.linalg.norm(here, axis=1)
        active, here, length = (part[length > tolerance] for part in (active, here, length))
        if not len(active):
            break
        h = np.minimum(step[active], 0.1 / length)
        there = uphill(_unit(u[active] + h[:, None] * here), active)
        turn = np.linalg.norm(there - here, axis=1) / length
        good = turn <= 0.3
        u[active[good]] = _unit(u[active] + h[:, None] * (here + there) / 2)[good]
        step[active] = h * np.clip(0.24 / np.maximum(turn, 1e-9), 0.2, 2)
    settled = np.ones(len(u), bool)
    settled[active] = False
    return u[:, :-1].reshape(*shape, -1), u[:, -1].reshape(shape), settled.reshape(shape)


def paths(w, b, alpha_bar, support, weights=None, coordinate=0, sign=1, n=100):
    """Directions (w, b) of neurons w [m, d], b [m] as the flow turns them on the sphere: [n + 1, m, d + 1]."""
    along = [np.column_stack([w, b])]
    for _ in range(n):
        w, b, _ = settle(w, b, alpha_bar, support, weights, coordinate, sign, steps=5)
        along.append(np.column_stack([w, b]))
    return np.stack(along)


class Ends(NamedTuple):
    """Shares of neurons by where gradient flow takes them; they sum to 1."""

    best: float  # (e_i, D*)
    axis: float  # elsewhere on the axis: the other maxima of the bias, or facing −e_i
    off: float  # off-axis local maxima of K
    dead: float  # towards P(w·x_t + b > 0) = 0, where K and its gradient vanish
    unsettled: float


def kinds(w, b, settled, alpha_bar, support, weights=None, coordinate=0):
    """Which field of `Ends` each neuron with a > 0 that `settle` returned belongs to, for a fair x0_i: names [...]."""
    rest = np.delete(w, coordinate, -1)
    rate = growth_rate(w, b, alpha_bar, support, weights, coordinate) / np.sqrt(1 - alpha_bar)
    dead = np.abs(rate) < 1e-3
    off = np.abs(rest).max(-1, initial=0) > 1e-3
    best = np.abs(b - optimal_bias(alpha_bar) * w[..., coordinate]) < 1e-3
    return np.select([~settled, dead, off, best], ["unsettled", "dead", "off", "best"], "axis")


def ends(w, b, settled, alpha_bar, support, weights=None, coordinate=0):
    """`Ends` of neurons [n]: the shares of their `kinds`, from the same arguments and for one alpha_bar."""
    names = kinds(w, b, settled, alpha_bar, support, weights, coordinate)
    return Ends(*(float((names == name).mean()) for name in Ends._fields))


def local_maxima(alpha_bar, support, weights=None, coordinate=0, neurons=400, seed=0):
    """Local maxima of K on the sphere with K > 0, highest first: w [m, d], b [m], K/√(1−ᾱ) [m] and the `Ends`.

    They are where `settle` takes `neurons` uniform directions, for one alpha_bar; one that few reach may be missed.
    """
    start = np.random.default_rng(seed).standard_normal((neurons, np.shape(support)[1] + 1))
    w, b, settled = settle(start[:, :-1], start[:, -1], alpha_bar, support, weights, coordinate)
    shares = ends(w, b, settled, alpha_bar, support, weights, coordinate)
    rate = growth_rate(w, b, alpha_bar, support, weights, coordinate) / np.sqrt(1 - alpha_bar)
    kept = np.flatnonzero(settled & (rate > 1e-3))
    points = np.column_stack([w, b])[kept[np.argsort(-rate[kept])]]
    distinct = []
    for point in points:
        if all(np.abs(point - other).max() > 1e-3 for other in distinct):
            distinct.append(point)
    distinct = np.reshape(distinct, (-1, points.shape[1]))
    w, b = distinct[:, :-1], distinct[:, -1]
    return (
        w,
        b,
        growth_rate(w, b, alpha_bar, support, weights, coordinate) / np.sqrt(1 - alpha_bar),
        shares,
    )


def _unit(u):
    return u / np.linalg.norm(u, axis=-1, keepdims=True)
