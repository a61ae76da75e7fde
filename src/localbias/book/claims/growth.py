"""Claims about Theorem 5.3: what small neurons grow towards."""

import numpy as np
from scipy.stats import norm, qmc

from localbias.book.claims.claim import CONDITION, EXACT, FAILS, HOLDS, Claims, Evidence, number
from localbias.statistics import wilson
from localbias.theory import counterexample, directions, growth, target
from localbias.theory.laws import PARITIES, pairwise_independent

CLAIMS = Claims()


@CLAIMS.enter(
    "thm-5.3-1",
    "The sign of the growth rate",
    "Theorem 5.3, bullet 1 (§5.4)",
    HOLDS,
    "test_growth::test_rate_has_the_sign_of_the_weight",
    "test_growth::test_rate_by_its_definition_without_stein",
)
def _sign():
    r"""$K(w, b)$ has the sign of $w^{(i)}$, for every law $p_0$."""
    rng = np.random.default_rng(0)
    support, weights = target.hypercube(3), rng.dirichlet(np.ones(8))
    u = rng.normal(size=(100, 4)) * np.insert(
        np.ones((99, 4)), 0, [0, 1, 1, 1], axis=0
    )  # one has no w_i
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    uniform = qmc.Sobol(4, rng=np.random.default_rng(1)).random(2**16).clip(1e-16, 1 - 1e-16)
    x0 = support[np.minimum(np.searchsorted(weights.cumsum(), uniform[:, 0]), 7)]
    noise = norm.ppf(uniform[:, 1:])
    products = noise[:, :1] * np.maximum(
        (np.sqrt(0.6) * x0 + np.sqrt(0.4) * noise) @ u[:, :3].T + u[:, 3], 0
    )
    sampled, error = products.mean(0), products.std(0).max() / 2**8
    exact, sign = growth.growth_rate(u[:, :3], u[:, 3], 0.6, support, weights), np.sign(u[:, 0])
    apart, wrong = (
        np.abs(sampled - exact).max(),
        np.abs(np.where(sampled * sign > 0, 0, sampled)).max(),
    )
    agree = (np.sign(exact) == sign).mean()
    return Evidence(
        f"Of {len(u)} random neurons under a random law **{agree:.0%}** have K = √(1−ᾱ) $w^{{(i)}}$ P(w·x + b > 0) "
        f"of the sign of $w^{{(i)}}$. K sampled from its definition, of up to {np.abs(exact).max():.2f}, is the same "
        f"to {number(apart)}.",
        max(wrong, apart, 1 - agree),
        error,
    )


def _counterexample(alpha_bar=0.9999, n=10_000):
    """By how much it exceeds the axis, its neuron, how far its law is from Assumption 5.1, and the two arguments."""
    points, weights = counterexample.law(n)
    own, rest = points.T
    moments = (
        weights @ own,
        weights @ rest / n,
        weights @ (own * rest) / n,
        (weights @ rest**2 - n) / n / (n - 1),
    )
    return *counterexample.excess(alpha_bar, n), max(map(abs, moments)), alpha_bar, n


@CLAIMS.enter(
    "thm-5.3-2",
    "The one maximum is on the axis",
    "Theorem 5.3, bullet 2 (§5.4)",
    FAILS,
    "test_growth::test_counterexample_obeys_the_assumption_and_is_summed_correctly",
    "test_growth::test_counterexample_at_fifty_digits",
    "test_growth::test_where_the_counterexample_starts",
)
def _maximum():
    r"""Under Assumption 5.1 alone, $K$ is largest on the sphere at $(e_i, D^*)$, scaled to it, and only there."""
    excess, w, v, b, correlation, alpha_bar, n = _counterexample()
    return Evidence(
        f"Under a law of {n + 1:,} fair signs, any two independent (to {number(correlation)}), the neuron with "
        f"$w^{{(i)}}$ = {w:.4f}, {number(v)} for each other sign and b = {b:.4f} has K/√(1−ᾱ) above the axis's best by "
        f"**{number(excess)}**, at ᾱ = {alpha_bar:g}. Real, but of no practical weight.",
        excess,
        1e-14,
    )  # the test at fifty digits holds it to that


@CLAIMS.enter(
    "thm-5.3-2-parity",
    "The same for parity",
    "Theorem 5.3, bullet 2, for the paper's data",
    CONDITION,
    "test_directions::test_local_maxima_are_local_maxima",
    "test_directions::test_axis_holds_the_maximum_under_random_pairwise_independent_laws",
    "test_directions::test_axis_holds_the_maximum_where_the_coordinate_is_independent",
    condition="The law is a parity, or a random one of few signs. This is a search, not a proof.",
)
def _parity():
    r"""$K$ is largest on the sphere at $(e_i, D^*)$, as far as gradient ascent from random neurons finds."""
    laws = [(support, None) for support in PARITIES.values()] + [
        pairwise_independent(d, d) for d in (3, 4, 5)
    ]
    levels = 0.8, 0.97
    top = {level: growth.axis_rate(growth.optimal_bias(level), level) for level in levels}
    found = [
        directions.local_maxima(level, *law, neurons=30)[2].max() - top[level]
        for law in laws
        for level in levels
    ]
    miss, beyond = (
        np.abs(found).max(),
        _counterexample()[0],
    )  # below the axis's best, no neuron would have come there
    return Evidence(
        f"In {len(found)} searches (the parities of {', '.join(map(str, PARITIES))} signs, three random laws; ᾱ = "
        f"{levels[0]:g} and {levels[1]:g}) the highest K/√(1−ᾱ) found is that on the axis to "
        f"**{number(miss)}**; the counterexample exceeds it by {number(beyond)}.",
        miss,
        EXACT,
        beyond,
    )


@CLAIMS.enter(
    "proof-5.3",
    "A moment in the proof of bullet 2",
    "A.4",
    FAILS,
    "test_growth::test_the_proof_takes_a_moment_for_one_that_depends_on_the_coordinate",
    "test_growth::test_the_moment_is_one_for_longer_parities_and_the_laws_differ_all_the_same",
)
def _proof():
    r"""With $B = b + \sum_{k \ne i} w^{(k)} x_t^{(k)}$ and $C = ((w^{(i)})^2 + B^2) / (\lVert w\rVert^2 + b^2)$,
    Assumption 5.1 gives $E[C \mid x_0^{(i)}] = 1$."""
    w, b, alpha_bar = np.array([0.5, 0.4, -0.3, 0.2]), 0.6, 0.8
    three, four = (growth.proof_moments(w[:d], b, alpha_bar, PARITIES[d]) for d in (3, 4))
    return Evidence(
        f"Under the parity of three signs, with w = {tuple(w[:3].tolist())}, b = {b:g} and ᾱ = {alpha_bar:g}, it is "
        f"**{three[0]:.3f}** where $x_0^{{(i)}} = 1$ and **{three[1]:.3f}** where $x_0^{{(i)}} = -1$. Third-order "
        f"moments must vanish, as they do for the parity of four, where it is 1 to {number(np.abs(four - 1).max())}.",
        np.abs(three - 1).max(),
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.3-3",
    "The equation of the best bias",
    "Theorem 5.3, bullet 3 (§5.4)",
    CONDITION,
    "test_growth::test_stationary_biases_are_all_roots_of_the_condition",
    "test_growth::test_where_the_condition_gets_three_roots",
    "test_growth::test_first_root_is_the_wrong_one_above_the_fold",
    "test_growth::test_optimal_bias_is_the_global_maximum_on_the_axis",
    condition="ᾱ is below a threshold. Above it there are three roots, and $D^*$ is the largest.",
)
def _bias():
    r"""With $P(D) = P(x_t^{(i)} + D > 0)$, the best bias $D^*$ is the root of $(1 + D^2) P'(D) = D P(D)$."""
    low, high = 0.84, 0.86
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (
            (low, middle) if np.isfinite(growth.stationary_biases(middle)[1]) else (middle, high)
        )
    levels = {"below": np.linspace(0.01, low, 50), "above": np.linspace(high, 0.9999, 50)}
    roots = {side: growth.stationary_biases(level) for side, level in levels.items()}
    count = {side: np.isfinite(found).sum(1) for side, found in roots.items()}
    grid = np.linspace(-4, 4, 4001)
    short = [
        growth.axis_rate(grid, level).max() - growth.axis_rate(np.nanmax(found), level)
        for side in levels
        for level, found in zip(levels[side], roots[side])
    ]
    return Evidence(
        f"One root at {len(levels['below'])} levels up to ᾱ = **{low:.4f}**, {count['above'].min()} at as many levels "
        f"above. At all of them the largest root is as good as the best of {len(grid):,} biases.",
        max(count["below"].max() - 1, *short, 0),
        EXACT,
        count["above"].max() - 1,
    )


@CLAIMS.enter(
    "axis-only",
    "Where small neurons end",
    "§5.4, read as a statement on training",
    CONDITION,
    "test_directions::test_share_of_neurons_that_end_on_the_axis",
    "test_directions::test_settled_neurons_are_where_the_differential_equation_takes_them",
    "test_directions::test_neurons_may_die_instead",
    condition="ᾱ is low enough for the length: near the data most neurons end elsewhere.",
)
def _ends():
    """While the network is small, gradient flow takes every neuron that grows to the axis."""
    n, levels, shares = 150, {3: (0.75, 0.8), 4: (0.85, 0.95), 8: (0.9, 0.95)}, []
    for d in levels:
        off = [directions.local_maxima(level, PARITIES[d], neurons=n)[3].off for level in levels[d]]
        low, high = wilson(round(off[1] * n), n)
        shares.append(
            (
                *off,
                f"d = {d}: {off[0]:.0%} at ᾱ = {levels[d][0]:g}, but **{off[1]:.0%}** ({low:.0%} to "
                f"{high:.0%}) at {levels[d][1]:g}",
            )
        )
    safe, beyond, says = zip(*shares)
    return Evidence(
        f"Of {n} uniform directions there end off the axis, for {'; for '.join(says)}.",
        max(safe),
        3 / n,
        min(beyond),
    )  # none of n stands for less than 3/n, at 95 %
