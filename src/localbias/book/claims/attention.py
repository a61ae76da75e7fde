"""Claims on open question 3: what a layer of attention has in place of the paper's set M."""

import math

import numpy as np
import torch

from localbias.book.claims.claim import CONDITION, EXACT, FAILS, HOLDS, Claims, Evidence, number
from localbias.theory import attention, target
from localbias.theory.attention import OWN, UNIVARIATE, VALUE, Layer, Points
from localbias.theory.laws import PARITIES, pairwise_independent
from localbias.theory.target import Law

CLAIMS = Claims()
LEVEL = 0.3  # ᾱ of all numbers here
QUESTION = "Ours, on the digest's open question 3"


def _points(law: Law) -> Points:
    return attention.grid(law, LEVEL, 5)


def _laws() -> list[Law]:
    return [PARITIES[3], PARITIES[4], *(pairwise_independent(4, seed) for seed in (0, 1))]


@CLAIMS.enter(
    "attention-factors",
    "One other token factors out",
    QUESTION,
    HOLDS,
    "test_attention::test_one_other_token_factors_out",
    "test_attention::test_a_correlated_token_does_not",
)
def _factors() -> Evidence:
    r"""If any two signs are independent and $f_i$ depends on $x_i$ alone, then
    $E[r_i\,\chi(x_i)\,\psi(x_k)] = E[r_i\,\chi(x_i)]\,E[\psi(x_k)]$ for $k \ne i$, where
    $r_i = f_i - E[x_{0,i} \mid x]$."""
    misses, joint = [], 0.0
    for law in _laws():
        points = _points(law)
        own, other = points.x[:, 0], points.x[:, 1]
        r, chi, psi = own.sin() - points.target, own.exp(), (0.7 * other).exp()
        joint = points.mean(r * chi * psi)
        misses.append(abs(joint - points.mean(r * chi) * points.mean(psi)))
    return Evidence(
        f"Under {len(misses)} laws the two sides, {abs(joint):.2f} in size, differ by at most "
        f"**{number(max(misses))}**.",
        max(misses),
        EXACT,
    )


@CLAIMS.enter(
    "attention-set",
    "The set like M is left at once",
    QUESTION,
    FAILS,
    "test_attention::test_the_tokens_own_share_alone_moves_the_product",
)
def _left() -> Evidence:
    """Gradient flow never leaves the layers whose product of value and output is 0."""
    points, zero = _points(PARITIES[4]), Layer()
    push = points.gradient(zero)[Layer._fields.index("value_x")]
    residual = -points.target
    own = 2 * points.mean(residual * points.x[:, 0]) / 4
    others = max(abs(points.mean(residual * points.x[:, k])) for k in (1, 2, 3))
    return Evidence(
        f"From a layer that is 0, of four signs, the loss's slope by the product is "
        f"**{push:.3f}**. The token's own share of the mix gives {own:.3f} of it, and each other "
        f"token at most {number(others)}.",
        abs(push),
        EXACT,
    )


@CLAIMS.enter(
    "attention-critical",
    "Every univariate optimum is a critical point",
    QUESTION,
    CONDITION,
    "test_attention::test_with_attention_by_position_every_univariate_optimum_is_critical",
    "test_attention::test_with_attention_by_content_it_is_not",
    condition="Attention goes by position. If it goes by content the rule pulls at the product.",
)
def _critical() -> Evidence:
    """A layer whose own path is the best univariate function, and whose product of value and output
    is 0, does not move."""
    blind = [
        np.abs(_points(law).gradient(UNIVARIATE._replace(diagonal=diagonal))).max()
        for law in _laws()
        for diagonal in (-1.0, 0.0, 2.0)
    ]
    seeing = np.abs(_points(PARITIES[4]).gradient(UNIVARIATE._replace(key=0.7))).max()
    return Evidence(
        f"With attention by position the slope is at most **{number(max(blind))}** under "
        f"{len(_laws())} laws; with logits 0.7 x_k and the parity of four signs it is "
        f"{number(seeing)}.",
        max(blind),
        EXACT,
        seeing,
    )


@CLAIMS.enter(
    "attention-pull",
    "What can be seen from there",
    QUESTION,
    HOLDS,
    "test_attention::test_pull_is_that_of_the_coefficients",
    "test_attention::test_a_feature_that_ignores_one_other_token_is_not_pulled",
)
def _pulled() -> Evidence:
    r"""For fair signs, at $f_i = t_i$ and for any feature $g$ of any network,
    $E[r_i\,g] = -\sum_{S \not\ni i} \bar p_0(S \cup \{i\})\,
    E_{\mathrm{ind}}[(1 - t_i^2) \prod_{k \in S} t_k\; g]$: of parity, a feature that ignores one
    other token sees nothing."""
    misses, size = [], 0.0
    for law in _laws():
        points, free = _points(law), _points(Law(target.hypercube(law.support.shape[1])))
        t, g = free.squashed(free.x), ((0.9 * free.x).softmax(1) * free.x).sum(1)
        subsets, coefficients = target.fourier(law.support, law.weights)
        expected = 0.0
        for subset, coefficient in zip(subsets[subsets[:, 0]], coefficients[subsets[:, 0]]):
            product = t[:, 1:][:, torch.from_numpy(subset[1:])].prod(1)
            expected -= coefficient * free.mean((1 - t[:, 0] ** 2) * product * g)
        found = points.pull(UNIVARIATE, lambda x: ((0.9 * x).softmax(1) * x).sum(1))
        misses.append(abs(found - expected))
        size = max(size, abs(found))
    return Evidence(
        f"Of attention by content the two sides, up to {number(size)}, differ by at most "
        f"**{number(max(misses))}** under {len(misses)} laws.",
        max(misses),
        EXACT,
    )


@CLAIMS.enter(
    "attention-order",
    "Content sees the rule by its order",
    QUESTION,
    HOLDS,
    "test_attention::test_attention_by_content_is_pulled_by_the_order_of_the_rule",
)
def _order() -> Evidence:
    r"""Under the parity of $d$ signs attention with logits $\beta x_k$ is pulled by
    $(-1)^{d+1} (d-1)!\, d^{1-d}\, \bar\alpha^{(d-1)/2} (1 - E t^2)\, \beta^{d-2}$, to first order
    in $\beta$."""
    keys, lengths = np.array([0.02, 0.1, 0.2]), (3, 4, 5, 6)
    pulls = {d: attention.content_pull(d, LEVEL, keys) for d in lengths}
    misses = [abs(pulls[d][0] / attention.leading_pull(d, LEVEL, keys[0]) - 1) for d in lengths]
    found = ", ".join(f"{attention.exponents(keys, pulls[d])[1]:.2f}" for d in lengths)
    return Evidence(
        f"At β = {keys[0]:g} the formula is met to **{number(max(misses))}** of itself, for d = "
        f"{', '.join(map(str, lengths))}. Between β = {keys[1]:g} and {keys[2]:g} the exponents "
        f"are {found}.",
        max(misses),
        5e-3,
    )


@CLAIMS.enter(
    "attention-gain",
    "What attention gains by it",
    QUESTION,
    HOLDS,
    "test_attention::test_what_attention_gains_is_of_twice_that_order",
    "test_attention::test_the_gain_is_that_of_the_best_layer_with_these_logits",
)
def _gained() -> Evidence:
    r"""At logits $\beta x_k$ the best own path and product get below the univariate optimum's loss
    by the order of $\beta^{2(d-2)}$: one head's mix of other tokens costs before it pays."""
    keys, lengths = np.array([0.025, 0.05]), (3, 4, 5)
    found = {
        d: attention.exponents(
            keys, [attention.gain(attention.parity(d, LEVEL, 6), Layer(key=key)) for key in keys]
        )[0]
        for d in lengths
    }
    exponents = ", ".join(f"{found[d]:.2f}" for d in lengths)
    return Evidence(
        f"Between β = {keys[0]:g} and {keys[1]:g} the exponents for d = "
        f"{', '.join(map(str, lengths))} are **{exponents}**.",
        max(abs(found[d] / (2 * d - 4) - 1) for d in lengths),
        0.02,
    )


@CLAIMS.enter(
    "attention-heals",
    "The leak heals",
    QUESTION,
    CONDITION,
    "test_attention::test_the_first_leak_is_the_closed_form",
    "test_attention::test_the_leak_heals_and_content_stays_out_of_it",
    "test_attention::test_of_three_signs_it_leaves",
    condition="There are four signs or more, and not time enough for attention by content to take "
    "over.",
)
def _healed() -> Evidence:
    r"""Started from zero, a layer's $1 - \mathrm{LDR}$ is largest at once,
    $(d-1)/((d^2+1)^2 + d - 1)$ as a ratio of means, and then falls below a thousandth of that."""
    times = [1e-4, 0.1, 10.0, 1e3, 3e3]
    paths = {d: attention.flow(attention.parity(d, LEVEL, 4), times) for d in (3, 4)}
    three, four = paths[3].pooled, paths[4].pooled
    first = attention.first_leak(4)
    misses = abs(four[0] / first - 1), four.max() / four[0] - 1, four[-1] / first
    return Evidence(
        f"Of four signs it is **{four[0]:.5f}** at first (the formula: {first:.5f}) and "
        f"{number(four[-1])} at time {times[-1]:,.0f}; of three {three[0]:.4f} and then "
        f"{three[-1]:.4f}, since there content takes over.",
        max(misses),
        1e-3,
        three[-1] / three[0],
    )


@CLAIMS.enter(
    "attention-diagonal",
    "Hard attention on oneself",
    QUESTION,
    CONDITION,
    "test_attention::test_hard_attention_on_oneself_is_approached_as_half_the_logarithm",
    condition="The layer has no own path. With one the product of value and output dies out "
    "instead, and the logit comes to rest.",
)
def _hard() -> Evidence:
    r"""With attention by position the flow leads to attention on oneself alone, whose logit
    $\Delta$ grows as $\tfrac12 \ln$ of the time."""
    points, start = attention.parity(3, LEVEL, 4), Layer(value_t=1, diagonal=1)
    paths = [
        attention.flow(points, [1e4, 1e5], start, (*own, *VALUE, "diagonal")) for own in ((), OWN)
    ]
    without, beside = (np.diff(path.weight("diagonal"))[0] / math.log(10) for path in paths)
    return Evidence(
        f"Without an own path dΔ / d ln(time) is **{without:.4f}**; with one it is "
        f"{number(beside)} and Δ stays at {paths[1].weight('diagonal')[-1]:.2f}.",
        abs(without - 0.5),
        1e-2,
        abs(beside - 0.5),
    )


@CLAIMS.enter(
    "attention-additive",
    "Sums over tokens end at the marginals",
    QUESTION,
    HOLDS,
    "test_attention::test_the_best_additive_function_is_the_univariate_one",
)
def _additive() -> Evidence:
    r"""For fair signs, any two independent, the best function of the form $\sum_k h_k(x_k)$ is the
    univariate optimum $t_i$: attention that goes by position, in one layer, can do no better."""
    misses = []
    for law in _laws():
        points = attention.grid(law, LEVEL, 4)
        root, columns = points.weight.sqrt(), range(points.x.shape[1])
        steps = [points.x[:, k, None] == points.x[:, k].unique() for k in columns]
        design = torch.cat(steps, 1).double() * root[:, None]
        best = torch.linalg.lstsq(design, root * points.target, driver="gelsd").solution
        away = (design @ best) / root - points.squashed(points.x[:, 0])
        misses.append(float(away.abs().max()))
    return Evidence(
        f"Fitted with a free number for each token and value, it is off t_i by at most "
        f"**{number(max(misses))}**, under {len(misses)} laws.",
        max(misses),
        1e-11,
    )
