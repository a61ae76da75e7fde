"""The panel of exact denoisers over noise levels, against what is known of its ends."""

import numpy as np
import pytest

from localbias import catalogue, reference
from localbias.exact import over_levels
from localbias.experiment import Setup
from localbias.theory import locality, target

LEVELS = np.array([0.05, 0.5, 0.8, 0.9])


@pytest.fixture(scope="module")
def panel():
    return over_levels(Setup(catalogue.make("parity-8-scalars")), LEVELS, seed=0, signals=400, probes=1)


def test_marginals_are_local_and_the_rule_is_as_the_closed_form_says(panel):
    np.testing.assert_allclose(panel["x0"]["marginals"], 1, atol=1e-12)
    for level, found in zip(LEVELS, panel["x0"]["rule"]):
        mean, error = locality.ratio(level**2, 8, "x0", samples=20_000)
        assert abs(found - mean) < 5 * error * np.sqrt(20_000 / 400) + 1e-9  # its scalars are ±1, the law of the theory


def test_gap_is_what_the_rule_saves(panel):
    exact = [target.parity_gap(level**2, 8)[0] for level in LEVELS]
    np.testing.assert_allclose(panel["gap"][1:], exact[1:], rtol=0.15)
    assert panel["band"] == pytest.approx((0.8, 0.9))


def test_train_is_less_local_than_the_rule_of_x0(panel):
    assert list(panel["x0"]) == list(reference.NAMES)
    assert (np.array(panel["x0"]["train"])[1:] < np.array(panel["x0"]["rule"])[1:]).all()
