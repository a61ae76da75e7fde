"""Claims about the loss: its exact levels, what the rule is worth, the stairs of training."""

import numpy as np

from localbias.book.claims.claim import CONDITION, EXACT, HOLDS, Claims, Evidence, number
from localbias.theory import numerics, stored, target, trace
from localbias.theory.laws import PARITIES, pairwise_independent

CLAIMS = Claims()


@CLAIMS.enter(
    "levels",
    "The levels of the loss",
    "Ours, for the stairs of Figure 22a",
    HOLDS,
    "test_target::test_linear_level_of_pairwise_independent_signs_is_alpha_bar",
    "test_target::test_univariate_level_by_the_nishimori_identity",
    "test_target::test_optimum_of_parity_by_integrating_over_all_inputs",
    "test_target::test_sampled_levels_cover_the_exact_ones",
)
def _levels() -> Evidence:
    r"""For fair signs, any two independent, the best linear function has the noise loss
    $\bar\alpha$; the best function of $x_t^{(i)}$ alone has
    $\gamma (1 - E \tanh(\gamma + \sqrt\gamma N))$, where
    $\gamma = \bar\alpha / (1 - \bar\alpha)$."""
    alphas = np.array([0.1, 0.5, 0.7, 0.9])
    laws = [*PARITIES.values(), pairwise_independent(5, 0)]
    linear = max(np.abs(target.linear_level(alphas, *law) - alphas).max() for law in laws)
    gamma = (alphas / (1 - alphas))[:, None]
    tanh = np.tanh(gamma + np.sqrt(gamma) * numerics.GRID)
    formula, formula_error = numerics.gaussian(gamma * (1 - tanh))
    univariate, error = target.univariate_level(alphas)
    eight = target.parity_levels(0.7, 8)
    return Evidence(
        f"Linear: ᾱ to **{number(linear)}**, under {len(laws)} laws. At ᾱ = 0.7 and d = 8 the "
        f"levels are {eight.linear:.4f}, {eight.univariate:.4f} and, the optimum, "
        f"{eight.optimum:.4f} (to {number(float(eight.error))}).",
        max(linear, np.abs(formula - univariate).max()),
        EXACT + (error + formula_error).max(),
    )


@CLAIMS.enter(
    "one-bit",
    "All of parity is worth one bit",
    "Ours",
    HOLDS,
    "test_target::test_all_of_parity_is_worth_one_bit",
    "test_target::test_i_mmse_holds_for_a_law_that_is_not_a_parity",
)
def _one_bit() -> Evidence:
    r"""All that looking at other symbols can gain is one bit, whatever $d$: with the errors $e_i$
    of the best function of $x_t^{(i)}$ and $o_i$ of the optimum,
    $\tfrac12 \int_0^\infty \sum_i (e_i - o_i)\, d\gamma = \ln 2$."""
    lengths = 3, 8
    areas, errors = zip(*(target.one_bit(d) for d in lengths))
    sentence = " and ".join(f"**{area:.8f}** (d = {d})" for d, area in zip(lengths, areas))
    return Evidence(
        f"The integral is {sentence}; ln 2 = {np.log(2):.8f}.",
        max(abs(area - np.log(2)) for area in areas),
        max(errors),
    )


@CLAIMS.enter(
    "stairs",
    "The three stairs",
    "A.8, Figures 6, 22 and 23",
    CONDITION,
    "test_trace::test_loss_stands_on_both_stairs",
    "test_stored::test_committed_flows_are_whole_and_speak_for_the_present_code",
    condition="There is time enough: the third stair takes several times as long with each further "
    "sign.",
)
def _stairs() -> Evidence:
    r"""The loss of the two-layer network falls to the best linear level, to the best univariate
    level, and at last leaves that for the optimum."""
    flows = {key: stored.run(config) for key, config in stored.FLOWS.items()}
    times = {key: trace.stairs(run) for key, run in flows.items()}
    short = [times[d, seed] for d, seed in times if d <= 8]
    away = sum(bool(np.isfinite(reached.left)) for reached in short)
    ends = [trace.stairs(stored.run(one, until="optimum")) for one in stored.TO_THE_OPTIMUM]
    whole = sum(bool(np.isfinite(reached).all()) for reached in ends)
    left = {d: [reached.left for key, reached in times.items() if key[0] == d] for d in (3, 8)}
    spans = {d: f"{min(found):,.0f} to {max(found):,.0f}" for d, found in left.items()}
    longest, last = times[16, 0], float(flows[16, 0].time[-1])
    return Evidence(
        f"**{away} of {len(short)}** stored flows of 3 to 8 signs (ᾱ = 0.7, weights of standard "
        f"deviation {stored.FLOWS[16, 0].scale:g}) came to the second stair and left it, at times "
        f"{spans[3]} (d = 3) up to {spans[8]} (d = 8). Followed to the third, that is to nine "
        f"tenths of the last drop, were {len(ends)} flows of 3 signs, and **{whole}** came there. "
        f"That of 16 signs reached the second at {longest.univariate:,.0f} and was still there at "
        f"{last:,.0f}.",
        1 - min(away / len(short), whole / len(ends)),
        1 / len(short),
        float(not np.isfinite(longest.left)),
    )
