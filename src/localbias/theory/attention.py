"""One layer of attention on strings of signs: its gradient, its flow, its locality (§5.3).

The paper's invariant set is one of two-layer networks. Here stands beside it the smallest layer of
attention. Token k is the number x_k, its features are x_k and t_k = tanh(√ᾱ x_k/(1−ᾱ)), the best
univariate guess of x0_k; with t_k among them every layer here can be the univariate optimum. Output
i guesses x0_i:

    f_i(x) = c·(x_i, t_i) + Σ_k A_ik p·(x_k, t_k),    A_ik ∝ exp(Δ [k = i] + (β + μ x_i) x_k)

c is the token's own path (a skip connection and what follows it), p the product of value and output
matrices, Δ what the logits have by position, β and μ what they have by content: by the key alone
and by the likeness of query and key. The loss is E(f_i − x0_i)²; that of the noise is γ times it.

With p0's Fourier coefficients p̂ and E_ind for signs that are fair and independent, the gradient at
the univariate optimum f_i = t_i along any feature g(x) is

    E[(t_i − E[x0_i | x]) g] = −Σ_{S∌i} p̂(S ∪ {i}) E_ind[(1 − t_i²) t_S g],    t_S = ∏_{k∈S} t_k

since the evidence is Σ_S p̂(S) t_S. A feature that ignores one token of each S gives 0.

All is float64. The outputs are alike, so i = 0 alone is looked at. Expectations are sums over the
points of Gauss's rule, in every coordinate. Such points are a law of their own, in which t has mean
0 and x0_i the posterior given above, so that what vanishes by symmetry does so at any number of
points; their number only decides how near other numbers are to those of Gaussian noise.
"""

import itertools
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.special import gammaln
from scipy.stats import norm
from torch import Tensor

from localbias.theory import numerics
from localbias.theory.target import Law, check, posterior_mean

NODES = {3: 12, 4: 10, 5: 8, 6: 8, 8: 6, 16: 4}  # a coordinate: a few thousand points each
MANY = 2_000_000  # points beyond which a sum is refused


class Layer(NamedTuple):
    """The weights of a layer, numbers each; at their defaults its output is 0.

    Attributes:
        own_x: of x_i on the own path.
        own_t: of t_i there.
        value_x: of x_k, in the product of value and output.
        value_t: of t_k there.
        diagonal: Δ, by which a token's logit for itself is raised.
        key: β, of x_k in the logits.
        alike: μ, of x_i x_k in the logits.
    """

    own_x: float = 0.0
    own_t: float = 0.0
    value_x: float = 0.0
    value_t: float = 0.0
    diagonal: float = 0.0
    key: float = 0.0
    alike: float = 0.0


OWN, VALUE, CONTENT = ("own_x", "own_t"), ("value_x", "value_t"), ("key", "alike")
UNIVARIATE = Layer(own_t=1.0)  # the univariate optimum


@dataclass(frozen=True)
class Points:
    """A law of x as points with weights, and what is to be guessed there.

    Attributes:
        alpha_bar: ᾱ.
        x: [n, d].
        weight: [n], sums to 1.
        target: E[x0_0 | x], [n].
    """

    alpha_bar: float
    x: Tensor
    weight: Tensor
    target: Tensor

    def squashed(self, x: Tensor) -> Tensor:
        """t = tanh(√ᾱ x/(1−ᾱ)), of x's shape."""
        return torch.tanh(math.sqrt(self.alpha_bar) / (1 - self.alpha_bar) * x)

    def mean(self, values: Tensor) -> float:
        """E of values [n]."""
        return float(self.weight @ values)

    def attention(self, layer: Tensor, x: Tensor) -> Tensor:
        """A_0k [n, d]: how much token 0 attends to each token.

        Args:
            layer: the seven weights of a `Layer`.
            x: [n, d].
        """
        _, _, _, _, diagonal, key, alike = layer
        itself = torch.zeros(x.shape[1], dtype=x.dtype)
        itself[0] = 1
        return ((key + alike * x[:, :1]) * x + diagonal * itself).softmax(1)

    def output(self, layer: Tensor, x: Tensor) -> Tensor:
        """f_0(x) [n] for the seven weights of a `Layer`."""
        features = torch.stack([x, self.squashed(x)], 2)
        mixed = (self.attention(layer, x)[:, :, None] * features).sum(1)
        return features[:, 0] @ layer[0:2] + mixed @ layer[2:4]

    def excess(self, layer: Layer | np.ndarray) -> float:
        """E(f_0 − E[x0_0 | x])², the loss above the optimum's."""
        return self._excess(_weights(layer)).item()

    def gradient(self, layer: Layer | np.ndarray) -> np.ndarray:
        """The gradient of the loss by the seven weights, in their order: [7]."""
        weights = _weights(layer).requires_grad_()
        (slope,) = torch.autograd.grad(self._excess(weights), weights)
        return slope.numpy()

    def curvature(self, layer: Layer | np.ndarray) -> np.ndarray:
        """The second derivatives of the loss by the seven weights: [7, 7]."""
        second = torch.autograd.functional.hessian(self._excess, _weights(layer), vectorize=True)
        return second.numpy()

    def pull(self, layer: Layer, feature: Callable[[Tensor], Tensor]) -> float:
        """E[(f_0 − E[x0_0 | x]) g], half the loss's slope where g is added to f_0.

        Args:
            layer: f.
            feature: g, points [n, d] to [n]; of a `parity`, symmetric in the tokens but the first.
        """
        residual = self.output(_weights(layer), self.x) - self.target
        return self.mean(residual * feature(self.x))

    def leak(self, layer: Layer | np.ndarray) -> tuple[float, float]:
        """1 − LDR of output 0, of f itself: the mean of ratios, and the ratio of means."""
        x = self.x.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(self.output(_weights(layer), x).sum(), x)
        squares = slopes.square()
        outside, total = squares[:, 1:].sum(1), squares.sum(1)
        return self.mean(outside / total), self.mean(outside) / self.mean(total)

    def _excess(self, weights: Tensor) -> Tensor:
        return self.weight @ (self.output(weights, self.x) - self.target).square()


def gauss_rule(alpha_bar: float, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss's quadrature for x_t of one fair sign: polynomials below degree 2·nodes are exact.

    It is Golub and Welsch's: the nodes are the eigenvalues of multiplication by x on polynomials.

    Args:
        alpha_bar: ᾱ, inside (0, 1).
        nodes: from 2.

    Returns:
        Nodes and weights [nodes] each, symmetric about 0.

    Raises:
        ValueError: for anything else.
    """
    check(alpha_bar, [[1]])
    if not isinstance(nodes, int | np.integer) or nodes < 2:
        raise ValueError(f"nodes={nodes!r}; allowed: whole numbers from 2")
    grid, signal, spread = numerics.GRID, math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)
    x = np.concatenate([signal + spread * grid, -signal + spread * grid])
    root = np.sqrt(np.tile(norm.pdf(grid), 2))[:, None]
    basis, _ = np.linalg.qr(root * chebvander(x / np.abs(x).max(), nodes - 1))
    node, vectors = np.linalg.eigh(basis.T @ (x[:, None] * basis))
    weight = vectors[0] ** 2 + vectors[0, ::-1] ** 2
    return (node - node[::-1]) / 2, weight / weight.sum()


def parity(d: int, alpha_bar: float, nodes: int | None = None) -> Points:
    """The parity of d signs, whose other tokens are alike: a multiset of them is one point.

    So expectations are right of what is symmetric in the other tokens, as a layer's output is.

    Args:
        d: signs in a string, from 2.
        alpha_bar: ᾱ, inside (0, 1).
        nodes: of a coordinate; None: `NODES`, and 4 where d is not in it.

    Raises:
        ValueError: for anything else, and where there would be more than `MANY` points.
    """
    if not isinstance(d, int | np.integer) or d < 2:
        raise ValueError(f"d={d!r}; allowed: whole numbers from 2")
    nodes = NODES.get(d, 4) if nodes is None else nodes
    node, weight = gauss_rule(alpha_bar, nodes)
    if (count := math.comb(nodes + d - 2, d - 1) * nodes) > MANY:
        raise ValueError(f"nodes={nodes}, d={d}: {count:,} points; allowed: {MANY:,}")
    chosen = itertools.combinations_with_replacement(range(nodes), d - 1)
    others = np.array(list(chosen))
    times = (others[:, :, None] == np.arange(nodes)).sum(1)
    orders = gammaln(d) - gammaln(times + 1).sum(1) + np.log(weight)[others].sum(1)
    own = np.repeat(np.arange(nodes), len(others))
    x = np.column_stack([node[own], np.tile(node[others], (nodes, 1))])
    t = np.tanh(math.sqrt(alpha_bar) / (1 - alpha_bar) * x)
    rule = t[:, 1:].prod(1)
    weights = weight[own] * np.exp(np.tile(orders, nodes)) * (1 + t[:, 0] * rule)
    return _points(alpha_bar, x, weights, (t[:, 0] + rule) / (1 + t[:, 0] * rule))


def grid(law: Law, alpha_bar: float, nodes: int = 6) -> Points:
    """Any law of few signs, on the whole grid of points; output 0 stands for its coordinate.

    Args:
        law: of d signs.
        alpha_bar: ᾱ, inside (0, 1).
        nodes: of a coordinate; nodes^d points.
    """
    _, support, weights = check(alpha_bar, *law)
    order = np.roll(np.arange(support.shape[1]), -law.coordinate)
    support, (node, weight) = support[:, order], gauss_rule(alpha_bar, nodes)
    index = np.stack(np.unravel_index(np.arange(nodes ** len(order)), (nodes,) * len(order)), -1)
    x = node[index]
    t = np.tanh(math.sqrt(alpha_bar) / (1 - alpha_bar) * x)
    evidence = (1 + t[:, None] * support).prod(-1) @ weights
    target = posterior_mean(x, alpha_bar, support, weights)[:, 0]
    return _points(alpha_bar, x, weight[index].prod(1) * evidence, target)


class Path(NamedTuple):
    """A layer under gradient flow, at T times.

    Attributes:
        time: [T].
        layers: [T, 7], its weights, in the order of `Layer`.
        leak: [T], 1 − LDR, the mean of ratios.
        pooled: [T], 1 − LDR, the ratio of means.
        excess: [T], the loss above the optimum's.
    """

    time: np.ndarray
    layers: np.ndarray
    leak: np.ndarray
    pooled: np.ndarray
    excess: np.ndarray

    def weight(self, name: str) -> np.ndarray:
        """One of the weights over time [T]."""
        return self.layers[:, Layer._fields.index(name)]


def flow(
    points: Points,
    times: ArrayLike,
    start: Layer = Layer(),  # noqa: B008  a NamedTuple does not change
    trained: Collection[str] = Layer._fields,
) -> Path:
    """Gradient flow of the population loss from a layer, by scipy's BDF.

    Args:
        points: the population.
        times: [T], ascending, above 0.
        start: the layer at time 0.
        trained: the weights that move; the others stay.

    Raises:
        ValueError: for names that are none of a layer's weights.
    """
    if unknown := set(trained) - set(Layer._fields):
        raise ValueError(f"trained {sorted(unknown)}; allowed: {', '.join(Layer._fields)}")
    moving = [name in trained for name in Layer._fields]
    whole, times = np.array(start), np.asarray(times, float)

    def layer(moved: np.ndarray) -> np.ndarray:
        whole[moving] = moved
        return whole

    solved = solve_ivp(
        lambda _, moved: -points.gradient(layer(moved))[moving],
        (0, times[-1]),
        whole[moving],
        "BDF",
        times,
        jac=lambda _, moved: -points.curvature(layer(moved))[np.ix_(moving, moving)],
        rtol=1e-6,
        atol=1e-10,
    )
    layers = np.stack([layer(moved).copy() for moved in solved.y.T])
    leak, pooled = np.array([points.leak(layer) for layer in layers]).T
    return Path(times, layers, leak, pooled, np.array([points.excess(one) for one in layers]))


def first_leak(d: int) -> float:
    """1 − LDR just after the start from zero, as a ratio of means, for any pairwise independence.

    The first step gives the own path E[x0_i φ(x_i)] and the product of value and output 1/d of it,
    the share of the token itself. So the Jacobian's row is as (1 + 1/d²) at i and 1/d² elsewhere.
    """
    return (d - 1) / ((d**2 + 1) ** 2 + d - 1)


def content_pull(d: int, alpha_bar: float, keys: Iterable[float]) -> np.ndarray:
    """E[(t_0 − E[x0_0 | x]) Σ_k A_0k x_k] under parity, for logits β x_k.

    Args:
        d: signs, from 3.
        alpha_bar: ᾱ.
        keys: β, [K].

    Returns:
        [K].
    """
    points = parity(d, alpha_bar)
    layers = (torch.tensor(Layer(key=key), dtype=torch.float64) for key in keys)
    mixes = (lambda x, layer=layer: (points.attention(layer, x) * x).sum(1) for layer in layers)
    return np.array([points.pull(UNIVARIATE, mix) for mix in mixes])


def leading_pull(d: int, alpha_bar: float, keys: ArrayLike) -> np.ndarray:
    """What `content_pull` is to first order in β: [K].

    (−1)^(d+1) (d−1)! d^(1−d) ᾱ^((d−1)/2) (1 − E t²) β^(d−2). Σ_k A_0k x_k is the derivative of
    ln Σ_k exp(β x_k), a series of cumulants of the tokens; the first that holds a product of the
    d − 1 others is that of order d − 1. E[t x] is √ᾱ, and the next order is β^d.
    """
    gamma = alpha_bar / (1 - alpha_bar)
    left = float(numerics.gaussian(numerics.sech2(gamma + np.sqrt(gamma) * numerics.GRID))[0])
    constant = math.factorial(d - 1) / d ** (d - 1) * alpha_bar ** ((d - 1) / 2) * left
    return (-1) ** (d + 1) * constant * np.asarray(keys, float) ** (d - 2)


def gain(points: Points, layer: Layer) -> float:
    """By how much the best c and p at a layer's logits get below the univariate optimum's loss.

    It is bᵀ H⁻¹ b, with b the loss's slope at the univariate optimum by c and p, and H the second
    moments of what these weigh.
    """
    weights, x = _weights(layer), points.x
    features = torch.stack([x, points.squashed(x)], 2)
    mixed = (points.attention(weights, x)[:, :, None] * features).sum(1)
    design = torch.cat([features[:, 0], mixed], 1)
    residual = points.squashed(x[:, 0]) - points.target
    slope = design.T @ (points.weight * residual)
    curvature = design.T @ (points.weight[:, None] * design)
    return float(slope @ torch.linalg.solve(curvature, slope))


def exponents(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """d ln|y| / d ln x between neighbours: [n − 1] for x and y [n]."""
    return np.diff(np.log(np.abs(y))) / np.diff(np.log(np.asarray(x, float)))


def _weights(layer: Layer | np.ndarray) -> Tensor:
    """The seven weights as a tensor."""
    return torch.tensor(np.asarray(layer, float))


def _points(alpha_bar: float, x: np.ndarray, weight: np.ndarray, target: np.ndarray) -> Points:
    return Points(alpha_bar, *map(torch.from_numpy, (x, weight / weight.sum(), target)))
