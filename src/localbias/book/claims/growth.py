"""Claims about Theorem 5.3: what small neurons grow towards."""

import numpy as np
from scipy.stats import norm, qmc

from localbias.book.claims.claim import CONDITION, EXACT, FAILS, HOLDS, Claims, Evidence, number
from localbias.statistics import wilson
from localbias.theory import counterexample, directions, growth, target
from localbias.theory.laws import ASSUMED, PARITIES
from localbias.theory.target import Law

CLAIMS = Claims()
FOLLOWED = 1e-8  # what the integration of a flow may leave
LEVEL, OTHERS = 0.9999, 10_000  # ᾱ and the other signs of the counterexample


@CLAIMS.enter(
    "thm-5.3",
    "Small neurons grow exponentially",
    "Theorem 5.3, head (§5.4); Lemma A.4",
    HOLDS,
    "test_growth::test_a_surrogate_neuron_grows_as_the_integral_of_its_rate",
    "test_growth::test_force_is_vectorised_and_small_networks_grow_at_the_rate",
)
def _head() -> Evidence:
    r"""Under the surrogate flow a balanced neuron's output weight is
    $\lvert \tilde a(s)\rvert = \lvert \tilde a(0)\rvert
    \exp\bigl(2\,\operatorname{sgn}(\tilde a(0)) \int_0^s
    K(\tilde w/\lvert \tilde a\rvert,\, \tilde b/\lvert \tilde a\rvert)\,d\tau\bigr)$."""
    apart, grown = [], []
    for d, a, w, b in _neurons():
        found = growth.surrogate(a, w, b, np.linspace(0, 6, 25), 0.7, PARITIES[d])
        miss = np.log(np.abs(found.a / a)) - 2 * np.sign(a) * found.integral
        apart.append(np.abs(miss).max())
        grown.append(abs(found.a[-1] / a))
    return Evidence(
        f"Of {len(grown)} random balanced neurons of either sign (parities of 3 and 8 signs, "
        f"ᾱ = 0.7), followed until they are {min(grown):.2f} to {max(grown):.1f} times as large, "
        f"the two sides' logarithms differ by at most **{number(max(apart))}**.",
        max(apart),
        FOLLOWED,
    )


def _neurons() -> list[tuple[int, float, np.ndarray, float]]:
    """Balanced neurons (d, a, w, b) of either sign."""
    rng, found = np.random.default_rng(5), []
    for k in range(8):
        d = 3 if k % 2 else 8
        direction = rng.normal(size=d + 1)
        direction *= 1e-3 / np.linalg.norm(direction)
        found.append((d, (-1) ** (k // 2) * 1e-3, direction[:-1], float(direction[-1])))
    return found


@CLAIMS.enter(
    "thm-5.3-1",
    "The sign and the bound of the growth rate",
    "Theorem 5.3, bullet 1 (§5.4)",
    HOLDS,
    "test_growth::test_rate_has_the_sign_of_the_weight",
    "test_growth::test_rate_by_its_definition_without_stein",
)
def _sign() -> Evidence:
    r"""On the unit sphere $0 < K(w, b) < \sqrt{1-\bar\alpha}$ where $w^{(i)} > 0$, and
    $-\sqrt{1-\bar\alpha} < K(w, b) < 0$ where $w^{(i)} < 0$; for every law $p_0$."""
    rng = np.random.default_rng(0)
    law = Law(target.hypercube(3), rng.dirichlet(np.ones(8)))
    neurons = rng.normal(size=(100, 4))
    neurons[0, 0] = 0  # one has no w_i
    neurons /= np.linalg.norm(neurons, axis=1, keepdims=True)
    w, b = neurons[:, :3], neurons[:, 3]
    sampled, error = _sampled_rate(w, b, 0.6, law)
    rate, sign = growth.growth_rate(w, b, 0.6, *law), np.sign(w[:, 0])
    apart = np.abs(sampled - rate).max()
    wrong = np.abs(np.where(sampled * sign > 0, 0, sampled)).max()
    agree, bound = (np.sign(rate) == sign).mean(), np.abs(rate).max() / np.sqrt(1 - 0.6)
    return Evidence(
        f"Of {len(w)} random neurons under a random law **{agree:.0%}** have K = √(1−ᾱ) "
        "$w^{(i)}$ P(w·x + b > 0) of the sign of $w^{(i)}$. K sampled from its definition, of up "
        f"to {np.abs(rate).max():.2f}, is the same to {number(apart)}. The largest "
        f"|K|/√(1−ᾱ) is {bound:.2f}.",
        max(wrong, apart, 1 - agree, bound - 1),
        error,
    )


def _sampled_rate(
    w: np.ndarray, b: np.ndarray, alpha_bar: float, law: Law
) -> tuple[np.ndarray, float]:
    """K from its definition, E[ε_1 max(w·x_t + b, 0)], of neurons w [m, d], b [m]: [m].

    Beside it the largest standard error, as if the quasi-random points were independent.
    """
    _, support, weights = target.check(alpha_bar, *law)
    points = 2**16
    sobol = qmc.Sobol(support.shape[1] + 1, rng=np.random.default_rng(1))
    uniform = sobol.random(points).clip(1e-16, 1 - 1e-16)
    drawn = np.searchsorted(weights.cumsum(), uniform[:, 0])
    x0, noise = support[np.minimum(drawn, len(support) - 1)], norm.ppf(uniform[:, 1:])
    x = np.sqrt(alpha_bar) * x0 + np.sqrt(1 - alpha_bar) * noise
    products = noise[:, :1] * np.maximum(x @ w.T + b, 0)
    return products.mean(0), products.std(0).max() / np.sqrt(points)


@CLAIMS.enter(
    "thm-5.3-2",
    "The one maximum is on the axis",
    "Theorem 5.3, bullet 2 (§5.4)",
    FAILS,
    "test_growth::test_counterexample_obeys_the_assumption_and_is_summed_correctly",
    "test_growth::test_counterexample_at_fifty_digits",
    "test_growth::test_where_the_counterexample_starts",
)
def _maximum() -> Evidence:
    r"""Under Assumption 5.1 alone, $K$ is largest on the sphere at $(e_i, D^*)$, scaled to it, and
    only there."""
    excess, w, v, b = counterexample.excess(LEVEL, OTHERS)
    correlation = np.abs(counterexample.moments(OTHERS)).max()
    return Evidence(
        f"Under a law of {OTHERS + 1:,} fair signs, any two independent (to "
        f"{number(correlation)}), the neuron with $w^{{(i)}}$ = {w:.4f}, {number(v)} for each "
        f"other sign and b = {b:.4f} has K/√(1−ᾱ) above the axis's best by **{number(excess)}**, "
        f"at ᾱ = {LEVEL:g}. Real, but of no practical weight.",
        excess,
        1e-14,  # to which the test at fifty digits holds it
    )


@CLAIMS.enter(
    "thm-5.3-2-least",
    "Where the growth rate is least",
    "Theorem 5.3, bullet 2, second half (§5.4)",
    FAILS,
    "test_directions::test_the_least_rate_is_at_the_same_bias_and_opposite_weight",
)
def _least() -> Evidence:
    r"""Where $w^{(i)} < 0$, $K$ is least on the sphere at $(-e_i, -D^*)$, scaled to it, and only
    there."""
    level = 0.7
    best = float(growth.optimal_bias(level))
    rates = {}
    for side, bias in ((1, 1), (-1, -1), (-1, 1)):
        w, b = _on_axis(4, side, bias * best)
        rates[side, bias] = growth.growth_rate(w, b, level, *PARITIES[4])
    printed, least = rates[-1, -1], rates[-1, 1]
    return Evidence(
        f"Under the parity of four signs at ᾱ = {level:g}, K is {rates[1, 1]:.4f} at $(e_i, D^*)$, "
        f"**{printed:.4f}** at the printed $(-e_i, -D^*)$ and **{least:.4f}** at $(-e_i, D^*)$: "
        "the best bias is open to most inputs on either side.",
        printed - least,
        EXACT,
    )


def _on_axis(d: int, side: float, bias: float) -> tuple[np.ndarray, float]:
    """w [d] and b of the neuron (side · e_1, bias) at length 1."""
    w = np.zeros(d)
    w[0] = side / np.hypot(side, bias)
    return w, bias / np.hypot(side, bias)


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
def _parity() -> Evidence:
    r"""$K$ is largest on the sphere at $(e_i, D^*)$, as far as gradient ascent from random neurons
    finds."""
    levels = 0.8, 0.97
    top = {level: growth.axis_rate(growth.optimal_bias(level), level) for level in levels}
    above = [
        directions.local_maxima(level, law, neurons=30).rate.max() - top[level]
        for law in ASSUMED
        for level in levels
    ]
    miss = np.abs(above).max()  # a search that ends below the axis's best has missed it too
    beyond = counterexample.excess(LEVEL, OTHERS).value
    return Evidence(
        f"In {len(above)} searches (the parities of {', '.join(map(str, PARITIES))} signs, three "
        f"random laws; ᾱ = {levels[0]:g} and {levels[1]:g}) the highest K/√(1−ᾱ) found is that on "
        f"the axis to **{number(miss)}**; the counterexample exceeds it by {number(beyond)}.",
        miss,
        EXACT,
        beyond,
    )


@CLAIMS.enter(
    "proof-5.3",
    "A moment in the proof of bullet 2",
    "A.4.1",
    FAILS,
    "test_growth::test_the_proof_takes_a_moment_for_one_that_depends_on_the_coordinate",
    "test_growth::test_the_moment_is_one_for_longer_parities_and_the_laws_differ_all_the_same",
)
def _proof() -> Evidence:
    r"""With $B = b + \sum_{k \ne i} w^{(k)} x_t^{(k)}$ and
    $C = ((w^{(i)})^2 + B^2) / (\lVert w\rVert^2 + b^2)$, Assumption 5.1 gives
    $E[C \mid x_0^{(i)}] = 1$."""
    w, b, alpha_bar = np.array([0.5, 0.4, -0.3, 0.2]), 0.6, 0.8
    three, four = (growth.proof_moments(w[:d], b, alpha_bar, *PARITIES[d]) for d in (3, 4))
    return Evidence(
        f"Under the parity of three signs, with w = {tuple(w[:3].tolist())}, b = {b:g} and "
        f"ᾱ = {alpha_bar:g}, it is **{three[0]:.3f}** where $x_0^{{(i)}} = 1$ and "
        f"**{three[1]:.3f}** where $x_0^{{(i)}} = -1$. Third-order moments must vanish, as they do "
        f"for the parity of four, where it is 1 to {number(np.abs(four - 1).max())}.",
        np.abs(three - 1).max(),
        EXACT,
    )


@CLAIMS.enter(
    "thm-5.3-3",
    "The fastest directions stay what they are",
    "Theorem 5.3, bullet 3 (§5.4)",
    CONDITION,
    "test_growth::test_the_fastest_directions_are_kept",
    condition="The second direction, of neurons with $a < 0$, is read as $(-e_i, D^*)$.",
)
def _kept() -> Evidence:
    r"""A neuron with $a > 0$ in the direction $(e_i, D^*)$, and one with $a < 0$ in the direction
    $(-e_i, -D^*)$, keep their directions under the surrogate flow."""
    level, turned = 0.7, {}
    best = float(growth.optimal_bias(level))
    for sign, side, bias in ((1, 1, best), (-1, -1, best), (-1, -1, -best)):
        w, b = _on_axis(4, side, bias)
        found = growth.surrogate(
            sign * 1e-3, 1e-3 * w, 1e-3 * b, np.linspace(0, 4, 9), level, PARITIES[4]
        )
        directions_along = np.column_stack([found.w, found.b]) / np.abs(found.a)[:, None]
        turned[side, np.sign(bias)] = np.abs(directions_along - [*w, b]).max()
    kept, printed = max(turned[1, 1], turned[-1, 1]), turned[-1, -1]
    return Evidence(
        f"In a time of 4 (parity of four signs, ᾱ = {level:g}) a neuron along $(e_i, D^*)$, and "
        f"one with $a < 0$ along $(-e_i, D^*)$, turn by **{number(kept)}**; along the printed "
        f"$(-e_i, -D^*)$ by **{printed:.2f}**.",
        kept,
        FOLLOWED,
        printed,
    )


@CLAIMS.enter(
    "best-bias",
    "The equation of the best bias",
    "A.4.1, first-order condition",
    HOLDS,
    "test_growth::test_stationary_biases_are_all_roots_of_the_condition",
    "test_growth::test_where_the_condition_gets_three_roots",
    "test_growth::test_first_root_is_the_wrong_one_above_the_fold",
    "test_growth::test_optimal_bias_is_the_global_maximum_on_the_axis",
)
def _bias() -> Evidence:
    r"""With $P(D) = P(x_t^{(i)} + D > 0)$, the best bias $D^*$ is a root of
    $(1 + D^2) P'(D) = D P(D)$."""
    low, high = _fold()
    below, above = np.linspace(0.01, low, 50), np.linspace(high, 0.9999, 50)
    levels = np.concatenate([below, above])
    roots = growth.stationary_biases(levels)
    count = np.isfinite(roots).sum(1)
    few, many = count[: len(below)], count[len(below) :]
    grid = np.linspace(-4, 4, 4001)
    largest = growth.axis_rate(np.nanmax(roots, 1), levels)
    short = [growth.axis_rate(grid, level).max() - rate for level, rate in zip(levels, largest)]
    return Evidence(
        f"One root at {len(below)} levels up to ᾱ = **{low:.4f}**, {many.min()} at as many levels "
        f"above. At all of them the largest root is as good as the best of {len(grid):,} biases.",
        max(few.max() - 1, *short, 0),
        EXACT,
    )


def _fold() -> tuple[float, float]:
    """ᾱ just below and just above where the condition gets three roots, by bisection."""
    low, high = 0.84, 0.86
    while high - low > 1e-6:
        middle = (low + high) / 2
        if np.isfinite(growth.stationary_biases(middle)[1]):
            high = middle
        else:
            low = middle
    return low, high


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
def _ends() -> Evidence:
    """While the network is small, gradient flow takes every neuron that grows to the axis."""
    n, levels = 150, {3: (0.75, 0.8), 4: (0.85, 0.95), 8: (0.9, 0.95)}
    sentences, safe, beyond = [], [0.0], [1.0]
    for d, (low_level, high_level) in levels.items():
        below, above = (
            directions.local_maxima(level, PARITIES[d], neurons=n) for level in levels[d]
        )
        low, high = wilson(round(above.ends.off * n), n)
        best = growth.axis_rate(growth.optimal_bias(high_level), high_level)
        pace = above.rate[directions.others_seen(above.w) > 0].max() / best
        safe, beyond = [*safe, below.ends.off], [*beyond, above.ends.off]
        sentences.append(
            f"d = {d}: {below.ends.off:.0%} at ᾱ = {low_level:g}, but **{above.ends.off:.0%}** "
            f"({low:.0%} to {high:.0%}) at {high_level:g}, the best of them at {pace:.0%} of the "
            "axis's rate"
        )
    return Evidence(
        f"Of {n} uniform directions there end off the axis, for {'; for '.join(sentences)}.",
        max(safe),
        3 / n,  # none of n stands for less than 3/n, at 95 %
        min(beyond),
    )


@CLAIMS.enter(
    "lemma-a5",
    "The bound of the growth rate",
    "Lemma A.5 (A.4.1)",
    HOLDS,
    "test_growth::test_the_rate_is_bounded_under_every_law",
)
def _bound() -> Evidence:
    r"""On the unit sphere $\lvert K(w, b)\rvert \le \sqrt{1-\bar\alpha}$."""
    rng = np.random.default_rng(2)
    neurons = rng.normal(size=(20_000, 5))
    neurons /= np.linalg.norm(neurons, axis=1, keepdims=True)
    levels = 0.05, 0.5, 0.95
    largest = {
        level: max(
            np.abs(growth.growth_rate(neurons[:, :4], neurons[:, 4], level, *law)).max()
            for law in (PARITIES[4], Law(target.hypercube(4), rng.dirichlet(np.ones(16))))
        )
        / np.sqrt(1 - level)
        for level in levels
    }
    listed = ", ".join(f"{share:.2f} at ᾱ = {level:g}" for level, share in largest.items())
    return Evidence(
        f"Of {len(neurons):,} random directions, under the parity of four signs and a random law, "
        f"the largest |K|/√(1−ᾱ) is {listed}.",
        max(*largest.values(), 1) - 1,
        EXACT,
    )
