"""Claims about Theorem 5.2: what keeps neurons on the axis, and what drives them off."""

import numpy as np
import torch

from localbias.book.claims.claim import EXACT, FAILS, HOLDS, Claims, Evidence, number
from localbias.seeds import random_generator
from localbias.theory import flow, growth, target
from localbias.theory.laws import ASSUMED, PARITIES, dependence, random_law
from localbias.theory.target import Law

CLAIMS = Claims()


def _force(law: Law) -> np.ndarray:
    """The force off the axis on five neurons of four random networks, one a noise level.

    [4, 5, d − 1].
    """
    a, w, b = np.random.default_rng(0).normal(size=(3, 4, 5))
    force = growth.force(a, w, b, np.array([0.2, 0.5, 0.8, 0.95]), *law)
    return np.delete(force, law.coordinate, -1)


@CLAIMS.enter(
    "asm-5.1",
    "What parities assume",
    "Assumption 5.1 and the examples after it (§5.3)",
    HOLDS,
    "test_laws::test_a_parity_of_three_or_more_keeps_the_assumption",
)
def _assumed() -> Evidence:
    r"""The uniform law over the strings with $\prod_{i \in I} x_i = 1$ has
    $\bar p_0(i) = 0$ for all $i$ and $\bar p_0(i, j) = 0$ for all $i \ne j$ if
    $\lvert I\rvert > 2$: every sign is fair, and any two are independent."""
    worst = max(
        np.abs(target.fourier(*PARITIES[d][:2])[1][(subsets > 0) & (subsets < 3)]).max()
        for d in PARITIES
        for subsets in [target.fourier(*PARITIES[d][:2])[0].sum(1)]
    )
    two = Law(*target.law(np.array([[False, False], [True, True]]), [1, 1]))
    pair = np.abs(target.fourier(two.support, two.weights)[1][-1])
    return Evidence(
        f"Under the parities of {', '.join(map(str, PARITIES))} signs the largest coefficient of "
        f"one or two signs is **{number(worst)}**; under that of two it is {pair:.0f}.",
        worst,
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.2",
    "The invariant set, as printed",
    "Theorem 5.2 (§5.3, A.3)",
    FAILS,
    "test_growth::test_printed_m_is_left_at_once",
)
def _printed() -> Evidence:
    r"""Gradient flow never leaves the set $M$ of networks with $a_j (I - e_i e_i^\top) w_j = 0$ for
    all neurons $j$."""
    w, b, alpha_bar = np.array([0.5, 0.8, -0.3]), 0.4, 0.6
    rate = growth.growth_rate(w, b, alpha_bar, *PARITIES[3])
    return Evidence(
        f"A neuron with a = 0 lies in M whatever its w, and yet da/ds = 2K, which is "
        f"**{2 * rate:.3f}** for w = {tuple(w.tolist())} and b = {b:g} under the parity of three "
        f"signs, at ᾱ = {alpha_bar:g}: M is left at once.",
        2 * rate * abs(w[1:]).max(),
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.2-axis",
    "Neurons on the axis stay there",
    "Theorem 5.2 without a = 0",
    HOLDS,
    "test_growth::test_axis_is_invariant_for_every_output_under_pairwise_independence",
    "test_growth::test_force_is_the_gradient_of_the_loss",
    "test_flow::test_m_is_invariant_on_every_batch",
)
def _axis() -> Evidence:
    r"""If signs are fair and any two independent, gradient flow never leaves the set of networks
    with $(I - e_i e_i^\top) w_j = 0$ for all neurons $j$."""
    forces = [
        np.abs(_force(law._replace(coordinate=i))).max()
        for law in ASSUMED
        for i in range(law.support.shape[1])
    ]
    return Evidence(
        f"The force off the axis is at most **{number(max(forces))}**: {len(forces)} outputs of "
        f"{len(ASSUMED)} laws, four random networks, four noise levels.",
        max(forces),
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.2-balance",
    "The printed set, neurons balanced",
    "Theorem 5.2 with the start of §5.4",
    HOLDS,
    "test_claims::test_balance_makes_the_printed_set_invariant",
    "test_flow::test_balance_and_the_bound_on_the_step",
)
def _balance() -> Evidence:
    r"""Gradient flow never leaves the networks of $M$ that are balanced,
    $a_j^2 = \lVert w_j\rVert^2 + b_j^2$: of these $a_j = 0$ only where $w_j = 0$ and
    $b_j = 0$."""
    state, config = flow.balanced_in_printed_m(), flow.Flow(4, batch=512)
    off, drift = _off_and_drift(state, config, 0)
    return Evidence(
        f"In such a network the force off the axis is at most **{number(off)}** on a symmetric "
        f"batch, and a² changes as ‖w‖² + b² does, to **{number(drift)}** of itself.",
        max(off, drift),
        EXACT,
    )


def _off_and_drift(state: flow.State, config: flow.Flow, seed: int) -> tuple[float, float]:
    """The largest force off the axis on a symmetric batch, and by how much balance is missed.

    That is a² − ‖w‖² − b² of a neuron: by how much it changes, beside the change of a².
    """
    x, y, _ = flow.draw(config, 64, random_generator("verdicts", seed))
    _, (by_a, by_w, by_b) = flow.gradient(state, *flow.expand(x, y, flow.sign_flips(config.d)))
    change = state.a * by_a  # half of what a² changes by; beside it the same of ‖w‖² + b²
    other = (state.w * by_w).sum(1) + state.b * by_b
    drift = (change - other).abs().max() / change.abs().max()
    return by_w[:, 1:].abs().max().item(), drift.item()


def _terms(law: Law) -> tuple[np.ndarray, np.ndarray]:
    """The two means of A.3 for each neuron and other coordinate, [4, 5, d − 1] each.

    They are E[s 1_j x_t^(k)], which is linear in the output weights, and E[ε_i 1_j x_t^(k)], which
    has none. The force is 2 a_j times their difference: the sign of all output weights tells them
    apart.
    """
    a, w, b = np.random.default_rng(0).normal(size=(3, 4, 5))
    levels = np.array([0.2, 0.5, 0.8, 0.95])
    plus, minus = (
        np.delete(growth.force(sign * a, w, b, levels, *law), law.coordinate, -1)
        for sign in (1, -1)
    )
    return -(plus + minus) / (4 * a[..., None]), (plus - minus) / (4 * a[..., None])


def _lemma(which: int) -> Evidence:
    """The largest of either mean under laws that keep Assumption 5.1, beside a correlated one."""
    kept = max(
        np.abs(_terms(law._replace(coordinate=i))[which]).max()
        for law in ASSUMED
        for i in range(law.support.shape[1])
    )
    correlated = np.abs(_terms(dependence(3, [0, 1], 0.5))[which]).max()
    return Evidence(
        f"It is at most **{number(kept)}** under {len(ASSUMED)} laws, for every output; with a "
        f"pair correlated by 0.5 up to {correlated:.2f}.",
        kept,
        EXACT,
    )


@CLAIMS.enter(
    "lemma-a1",
    "The network's own part of the force",
    "Lemma A.1 (A.3)",
    HOLDS,
    "test_growth::test_both_terms_of_the_force_vanish_by_themselves",
)
def _own() -> Evidence:
    r"""On the axis
    $E[s_\theta^{(i)}(x_t)\, a_j \sigma'(c_j x_t^{(i)} + b_j)\, x_t^{(k)}] = 0$ for $k \ne i$."""
    return _lemma(0)


@CLAIMS.enter(
    "lemma-a2",
    "The noise's part of the force",
    "Lemma A.2 (A.3)",
    HOLDS,
    "test_growth::test_both_terms_of_the_force_vanish_by_themselves",
)
def _noise() -> Evidence:
    r"""On the axis $E[\varepsilon^{(i)} \sigma'(c_j x_t^{(i)} + b_j)\, x_t^{(k)}] = 0$ for
    $k \ne i$."""
    return _lemma(1)


@CLAIMS.enter(
    "lemma-a3",
    "Balance is kept",
    "Lemma A.3 (A.4)",
    HOLDS,
    "test_flow::test_balance_and_the_bound_on_the_step",
    "test_flow::test_gradient_is_that_of_autograd",
)
def _conserved() -> Evidence:
    r"""Gradient flow keeps $a_j^2 - \lVert w_j\rVert^2 - b_j^2$ of every neuron, balanced or
    not."""
    config = flow.Flow(4, batch=512, width=32, scale=0.7)
    state = flow.start(config)
    state = state._replace(a=state.a * torch.linspace(0.1, 3, 32, dtype=torch.float64))
    _, drift = _off_and_drift(state, config, 1)
    return Evidence(
        f"In a random network of 32 neurons, of which none is balanced, a² changes as ‖w‖² + b² "
        f"does, to **{number(drift)}** of itself.",
        drift,
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.2-weaker",
    "Less is enough for one output",
    "Ours, beside Theorem 5.2",
    HOLDS,
    "test_growth::test_for_one_output_it_is_enough_that_others_have_mean_zero_given_it",
)
def _weaker() -> Evidence:
    r"""For the axis of one output $i$ it is enough that $E[x_0^{(k)} \mid x_0^{(i)}] = 0$ for all
    $k \ne i$: the others may depend on each other."""
    laws = [
        random_law(d, d, lambda s: (s.sum(1) >= 3) | ((s.sum(1) == 2) & ~s[:, 0]))
        for d in (3, 4, 5)
    ]
    correlation = max(
        np.abs(coefficients[subsets.sum(1) == 2]).max()
        for subsets, coefficients in (target.fourier(law.support, law.weights) for law in laws)
    )
    first, second = (
        max(np.abs(_force(law._replace(coordinate=i))).max() for law in laws) for i in (0, 1)
    )
    return Evidence(
        f"Under {len(laws)} random laws whose other signs are correlated by up to "
        f"{correlation:.2f} the force off the axis of output 1 is at most **{number(first)}**; off "
        f"that of output 2, of which this does not hold, it is up to {number(second)}.",
        first,
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.2-pair",
    "A correlated pair gives a force",
    "Ours, beside Theorem 5.2",
    HOLDS,
    "test_growth::test_force_is_linear_in_a_pairs_correlation",
)
def _pair() -> Evidence:
    r"""If $x_0^{(i)}$ and $x_0^{(k)}$ are correlated, the force on $w^{(k)}$ is proportional to
    their correlation."""
    subsets = np.array([[False] * 3, [True, True, False], [True] * 3])
    rhos = -0.6, 0.1, 0.3, 0.8
    laws = [Law(*target.law(subsets, [1, rho, 0.2])) for rho in rhos]
    unit = np.stack([_force(law)[..., 0] / rho for law, rho in zip(laws, rhos)])
    miss = np.abs(unit - unit[-1]).max() / np.abs(unit).max()
    return Evidence(
        f"For correlations from {min(rhos):g} to {max(rhos):g} the force per unit of correlation, "
        f"up to **{np.abs(unit).max():.2f}**, is the same to {number(miss)} of itself.",
        miss,
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.2-third",
    "Three signs together give none",
    "Ours, beside Theorem 5.2",
    HOLDS,
    "test_growth::test_third_order_correlation_alone_gives_no_force",
)
def _third() -> Evidence:
    """A dependence that only three signs together show gives no force off the axis."""
    laws = [random_law(d, d, lambda subsets: subsets.sum(1) == 3) for d in (3, 4, 5)]
    coefficients = [target.fourier(law.support, law.weights)[1] for law in laws]
    strongest = max(np.abs(of_law[1:]).max() for of_law in coefficients)
    miss = max(np.abs(_force(law)).max() for law in laws)
    return Evidence(
        f"Where products of three signs have means of up to {strongest:.2f}, the force is at most "
        f"**{number(miss)}**.",
        miss,
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.2-biased",
    "A biased sign gives a force",
    "Ours, beside Theorem 5.2",
    HOLDS,
    "test_growth::test_an_independent_but_biased_coordinate_gives_a_force",
)
def _biased() -> Evidence:
    r"""A sign that is independent of $x_0^{(i)}$ but not fair gives a force off the axis,
    proportional to its mean."""
    means = -0.4, 0.2, 0.6
    unit = np.stack([_force(dependence(2, [1], mean)) / mean for mean in means])
    miss = np.abs(unit - unit[-1]).max() / np.abs(unit).max()
    return Evidence(
        f"For means from {min(means):g} to {max(means):g} the force per unit of mean, up to "
        f"**{np.abs(unit).max():.2f}**, is the same to {number(miss)} of itself.",
        miss,
        EXACT,
    )
