"""The panel of exact denoisers over noise levels, against what is known of its ends."""

import numpy as np
import pytest

from localbias import exact
from localbias.experiments import Setup, catalogue
from localbias.theory import locality, target

LEVELS = np.array([0.05, 0.5, 0.8, 0.9])


def over_levels(setup, levels, seed, **options):
    parts = setup.grammar, setup.renderer, setup.schedule, setup.references
    return exact.over_levels(*parts, levels, seed, **options)


@pytest.fixture(scope="module")
def panel():
    return over_levels(
        Setup(catalogue.make("parity-8-scalars")), LEVELS, seed=0, signals=400, probes=1
    )


def test_marginals_are_local_and_the_rule_is_as_the_closed_form_says(panel):
    np.testing.assert_allclose(panel.ratios["x0"]["marginals"], 1, atol=1e-12)
    for level, found in zip(LEVELS, panel.ratios["x0"]["rule"]):
        mean, error = locality.ratio(level**2, 8, "x0", samples=20_000)
        assert (
            abs(found - mean) < 5 * error * np.sqrt(20_000 / 400) + 1e-9
        )  # its scalars are ±1, the law of the theory


def test_the_noise_is_as_the_closed_form_says(panel):
    for level, found in zip(LEVELS, panel.ratios["noise"]["rule"]):
        mean, error = locality.ratio(level**2, 8, "noise", samples=20_000)
        assert abs(found - mean) < 5 * error * np.sqrt(20_000 / 400) + 1e-9


def test_the_ratio_is_of_the_symbol_asked_for():
    """The first of a Dyck word is always "(": its derivative vanishes, and it has no ratio; those inside have one."""
    setup = Setup(catalogue.make("dyck-8-dit").replace(renderer=dict(name="scalars", length=8)))
    first, inside = (
        over_levels(setup, [0.7], 0, signals=64, probes=1, symbol=k).ratios["x0"]["rule"]
        for k in (0, 3)
    )
    assert np.isnan(first).all() and 0.3 < inside[0] < 0.95


def test_signals_follow_the_grammars_law():
    """Where two signs nearly always agree, half of the strings hardly occur; on these the rule would seem to save more."""
    setup = Setup(
        catalogue.make("check-8-scalars").replace(
            grammar=dict(name="check", length=8, order=8, correlation=0.999)
        )
    )
    found = over_levels(setup, [0.8], 0, signals=300, probes=1).gap[0]
    rng, law, signs = (
        np.random.default_rng(0),
        setup.grammar.probabilities.numpy(),
        1.0 - 2 * setup.grammar.support.numpy(),
    )
    x_t = 0.8 * signs[rng.choice(len(law), 20_000, p=law)] + 0.6 * rng.standard_normal((20_000, 8))
    saved = (target.posterior_mean(x_t, 0.64, signs, law) - np.tanh(0.8 * x_t / 0.36)) ** 2
    assert found == pytest.approx(
        saved.mean(), rel=0.15
    )  # a law with equal weights gives more than twice as much


def test_gap_is_what_the_rule_saves(panel):
    saved = [target.parity_gap(level**2, 8)[0] for level in LEVELS]
    np.testing.assert_allclose(panel.gap[1:], saved[1:], rtol=0.15)
    assert panel.band == pytest.approx((0.8, 0.9))


def test_train_is_less_local_than_the_rule_of_x0(panel):
    assert list(panel.ratios["x0"]) == list(exact.NAMES)
    assert (
        np.array(panel.ratios["x0"]["train"])[1:] < np.array(panel.ratios["x0"]["rule"])[1:]
    ).all()
