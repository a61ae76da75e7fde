"""Slips in the paper's text that a short calculation shows; the page book/errata.md links here."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from localbias import assets
from localbias.diffusion import Schedule
from localbias.grammar import Dyck, Parity, QuarterSum
from localbias.ldr import local_dependency_ratio
from localbias.networks.dit import DiT
from localbias.theory import flow, target

SCHEDULE = Schedule()  # linear, T = 1000; index 0 is the paper's t = 1
ALPHA_BAR = SCHEDULE.alpha_bar.numpy()
ALPHA = ALPHA_BAR[1:] / ALPHA_BAR[:-1]


# Notation


@pytest.mark.parametrize("digits, tuples", [(range(10), 670), (range(9), 489), (range(1, 10), 489)])
def test_ten_digits_give_the_papers_number_of_tuples(digits, tuples):
    found = [s for s in itertools.product(digits, repeat=4) if s[0] + s[1] == s[2] + s[3]]
    assert len(found) == tuples
    assert (len(QuarterSum().support) == len(found)) == (len(digits) == 10)


def test_the_ratio_needs_the_columns_of_all_symbols():
    """Of 3 symbols with 2 numbers each: with the region's own columns alone the ratio could only be 1."""
    generator = torch.Generator().manual_seed(0)
    mix, x = (
        torch.randn(*size, generator=generator, dtype=torch.float64) for size in ((6, 6), (1, 6))
    )
    region = torch.tensor([False, False, True, True, False, False])
    whole = torch.autograd.functional.jacobian(lambda x: torch.tanh(x @ mix).squeeze(), x).squeeze(
        1
    )[region]
    assert whole.shape == (2, 3 * 2)  # |R| rows, d·L columns
    ratio = whole[:, region].square().sum() / whole.square().sum()
    found = local_dependency_ratio(lambda x: torch.tanh(x @ mix), x, region)
    assert found.item() == pytest.approx(ratio.item(), abs=1e-12) and ratio < 0.9


def test_the_ratio_is_of_squared_norms():
    """Tr JᵀJ is the square of the Frobenius norm; a ratio of the norms themselves would be another number, its root."""
    slopes = torch.randn(5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    region = torch.tensor([True, True, False, False, False])
    rows = slopes[region]
    own = rows[:, region]
    traces, norms = (own.T @ own).trace() / (rows.T @ rows).trace(), own.norm() / rows.norm()
    found = local_dependency_ratio(
        lambda x: x @ slopes.T, torch.zeros(1, 5, dtype=torch.float64), region
    )
    assert found.item() == pytest.approx(traces.item(), abs=1e-12)
    assert norms.square().item() == pytest.approx(traces.item(), abs=1e-12) and norms - traces > 0.1


def test_no_single_step_has_the_noise_levels_of_the_figures():
    """√α of one step is near 1 throughout; only ᾱ of all steps up to t reaches √ᾱ = .1."""
    assert np.sqrt(ALPHA).min() > 0.98
    assert np.sqrt(ALPHA_BAR[SCHEDULE.index(sqrt_alpha_bar=0.1)]) == pytest.approx(0.1, abs=1e-3)


def test_one_further_step_takes_the_alpha_of_that_step():
    before, after = ALPHA_BAR[:-1], ALPHA_BAR[1:]
    np.testing.assert_allclose(np.sqrt(ALPHA) * np.sqrt(before), np.sqrt(after), rtol=1e-12)
    np.testing.assert_allclose(ALPHA * (1 - before) + 1 - ALPHA, 1 - after, rtol=1e-10)
    assert (np.sqrt(after) * np.sqrt(before) < 0.99 * np.sqrt(after))[
        50:
    ].all()  # ᾱ would lose it twice


def test_variance_of_a_reverse_step():
    """x_{t−1} given x_t and x_0, by Bayes' rule: precisions add up. As printed the fraction is 1."""
    before, after, beta = ALPHA_BAR[:-1], ALPHA_BAR[1:], 1 - ALPHA
    bayes = 1 / (ALPHA / beta + 1 / (1 - before))
    np.testing.assert_allclose((1 - before) / (1 - after) * beta, bayes, rtol=1e-9)
    printed = (1 - after) / (1 - after) * beta
    assert (
        (printed > bayes).all() and printed[0] / bayes[0] > 2 and printed[-1] / bayes[-1] < 1.0001
    )


def test_the_law_of_x_t_is_that_of_a_scaled_sample():
    """√ᾱ p_0 ∗ N has the mass √ᾱ; the density of √ᾱ x_0 + √(1−ᾱ) ε is p_0(x/√ᾱ)/√ᾱ ∗ N."""
    alpha_bar, wide = 0.49, 0.3
    x = np.linspace(-12, 12, 4001)
    step, noise = x[1] - x[0], norm.pdf(x, scale=math.sqrt(1 - alpha_bar))

    def p0(x):
        return (norm.pdf(x, 2, wide) + norm.pdf(x, -1, wide)) / 2

    printed = np.convolve(math.sqrt(alpha_bar) * p0(x), noise, "same") * step
    meant = np.convolve(p0(x / math.sqrt(alpha_bar)) / math.sqrt(alpha_bar), noise, "same") * step
    spread = math.sqrt(alpha_bar * wide**2 + 1 - alpha_bar)
    density = sum(norm.pdf(x, math.sqrt(alpha_bar) * centre, spread) for centre in (2, -1)) / 2
    np.testing.assert_allclose(meant, density, atol=1e-8)
    assert (
        printed.sum() * step == pytest.approx(0.7, abs=1e-9)
        and np.abs(printed - density).max() > 0.05
    )


def test_the_best_noise_prediction_averages_over_the_posterior():
    """E[x_0] over p_0 in its place is worse than no prediction where ᾱ > ½; and E[x_0 | x_t] is no noise."""
    alpha_bar, support = 0.7, target.parity(4)
    drawn = flow.draw(flow.Flow(4, alpha_bar), 50_000, torch.Generator().manual_seed(0))
    x, y, variance = (part.numpy() for part in drawn)
    mean = target.posterior_mean(x, alpha_bar, support)[:, 0]
    np.testing.assert_allclose(
        (x[:, 0] - math.sqrt(alpha_bar) * mean) / math.sqrt(1 - alpha_bar), y, atol=1e-10
    )

    def loss(prediction):
        return ((prediction - y) ** 2 + variance).mean()

    prior = (x[:, 0] - math.sqrt(alpha_bar) * support.mean(0)[0]) / math.sqrt(1 - alpha_bar)
    assert loss(prior) == pytest.approx(alpha_bar / (1 - alpha_bar), rel=0.02) and loss(
        prior
    ) > loss(0) > 2 * loss(y)
    assert loss(mean) > 2 * loss(y)  # a network that predicts x_0 minimises another loss


def test_independence_in_pairs_by_coefficients_has_a_factor():
    """f̄_∅ f̄_ij = f̄_i f̄_j for two independent signs of means .3 and −.6; f̄_∅ is 2⁻², not 1."""
    strings = target.hypercube(2)
    f = (1 + 0.3 * strings[:, 0]) * (1 - 0.6 * strings[:, 1]) / 4
    assert f.sum() == pytest.approx(1)
    none, first, second, both = (
        (f * strings[:, members].prod(1)).mean() for members in ([], [0], [1], [0, 1])
    )
    assert none == pytest.approx(2**-2) and none * both == pytest.approx(first * second)
    assert both == pytest.approx(first * second * 2**2) and abs(both - first * second) > 0.02


# Statements


@pytest.mark.parametrize("law", [target.parity(3), target.parity(8)])
def test_a_sign_is_not_independent_of_itself(law):
    """P(x_i = 1, x_j = −1) is ¼ for i ≠ j (Assumption 5.1) and 0 for i = j, under any law."""
    joint = ((1 + law).T @ (1 - law)) / 4 / len(law)
    np.testing.assert_allclose(joint, (1 - np.eye(law.shape[1])) / 4, atol=1e-15)


@pytest.mark.parametrize("length", [3, 4, 5, 8])
def test_an_even_number_of_plus_signs_has_product_one_only_for_even_length(length):
    strings = torch.cartesian_prod(*[torch.arange(2)] * length)  # symbol 0 is +1, symbol 1 is −1
    product = (1 - 2 * strings).prod(1)
    even_plus, even_minus = ((strings == symbol).sum(1) % 2 == 0 for symbol in (0, 1))
    assert torch.equal(even_minus, product == 1) and torch.equal(
        Parity(length).is_valid(strings), even_minus
    )
    assert torch.equal(even_plus, product == (1 if length % 2 == 0 else -1))


@pytest.mark.parametrize(
    "law, dependent", [(Parity(8), False), (QuarterSum(), True), (Dyck(8), True)], ids=repr
)
def test_any_two_symbols_are_independent_under_parity_alone(law, dependent):
    information = law.pairwise_information()
    pairs = information[~torch.eye(law.length, dtype=torch.bool)]
    assert (pairs.max() > 0.05) == dependent
    if not dependent:
        assert pairs.abs().max() < 1e-12


# Settings


def test_hidden_width_384_belongs_to_dit_s():
    with torch.device("meta"):  # shapes without memory
        small, base = (
            DiT(image_size=64, channels=1),
            DiT(image_size=64, channels=1, width=768, heads=12),
        )
    sizes = [
        sum(parameter.numel() for parameter in network.parameters()) for network in (small, base)
    ]
    assert round(sizes[0] / 1e6) == 33 and sizes[1] > 3.9 * sizes[0]


def test_the_printed_word_list_has_999_words():
    assert len(assets.words()) == len(set(assets.words())) == 999


def test_the_printed_start_is_not_balanced():
    """a = ‖w‖² is far below √(‖w‖² + b²) for small weights, and a² − ‖w‖² − b² stays what it is."""
    start = flow.start(flow.Flow(8, scale=1e-3))
    size = start.w.square().sum(1)
    assert torch.allclose(start.a.square(), size + start.b.square())
    assert (size / start.a.abs()).max() < 0.01 and ((size.square() - size) / size).max() < -0.99
