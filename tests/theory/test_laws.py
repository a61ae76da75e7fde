"""Laws that the theorems are tried on have the Fourier coefficients they are made of."""

import numpy as np
import pytest

from localbias.theory import laws, target


@pytest.mark.parametrize("d", [3, 4, 5])
def test_random_laws_have_the_coefficients_that_are_kept(d):
    law = laws.pairwise_independent(d, 1)
    subsets, coefficients = target.fourier(law.support, law.weights)
    size = subsets.sum(1)
    assert (
        np.abs(coefficients[(size == 1) | (size == 2)]).max()
        < 1e-14
        < 1e-3
        < np.abs(coefficients[size == 3]).max()
    )
    law = laws.random_law(d, 1, lambda subsets: subsets.sum(1) == 3)
    coefficients = target.fourier(law.support, law.weights)[1]
    assert np.abs(coefficients[(size > 0) & (size != 3)]).max() < 1e-14
    assert len(law.support) < 2**d  # as large as can be: some string is impossible


def test_random_laws_follow_their_seed():
    first, again, other = (laws.pairwise_independent(4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.weights, again.weights)
    assert len(first.weights) != len(other.weights) or not np.allclose(first.weights, other.weights)


def test_a_dependence_is_of_its_members_alone():
    law = laws.dependence(4, [0, 2, 3], -0.3)
    mean = law.weights @ law.support[:, [0, 2, 3]].prod(1)
    assert law.weights.sum() == pytest.approx(1) and mean == pytest.approx(-0.3)
    subsets, coefficients = target.fourier(law.support, law.weights)
    named = (subsets == [True, False, True, True]).all(1)
    assert np.abs(coefficients[~named & subsets.any(1)]).max() < 1e-14
    np.testing.assert_array_equal(laws.dependence(3, [0, 1, 2], 1).support, target.parity(3))
    with pytest.raises(ValueError, match="a string of probability -0.025"):
        laws.dependence(2, [1], 1.1)


def test_assumed_laws_keep_the_assumption():
    assert [law.support.shape[1] for law in laws.ASSUMED] == [3, 4, 8, 3, 4, 5]
    for law in laws.ASSUMED:
        subsets, coefficients = target.fourier(law.support, law.weights)
        size = subsets.sum(1)
        assert np.abs(coefficients[(size == 1) | (size == 2)]).max() < 1e-13
        assert np.abs(coefficients[size > 2]).max() > 0.1


@pytest.mark.parametrize(
    "members, kept", [((0, 1, 2), True), ((0, 1, 2, 3), True), ((1, 3), False)]
)
def test_a_parity_of_three_or_more_keeps_the_assumption(members, kept):
    """By counting strings: each sign is fair, and any two take their four values alike."""
    strings = target.hypercube(4)
    valid = strings[strings[:, members].prod(1) == 1]
    pairs = [valid[:, [i, j]] for i in range(4) for j in range(i)]
    assert all((valid[:, i] == 1).mean() == 0.5 for i in range(4))
    counts = [np.unique(pair, axis=0, return_counts=True)[1] for pair in pairs]
    assert all(len(count) == 4 and len(set(count)) == 1 for count in counts) == kept
