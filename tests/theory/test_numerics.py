"""Sums over subsets, quadrature and the parity's series, against plain sums and known integrals."""

import itertools
import math

import numpy as np
import pytest

from localbias.theory import numerics

RNG = np.random.default_rng(0)


def test_walsh_is_the_sum_over_all_strings_and_its_own_inverse():
    cube = RNG.normal(size=(2, 2, 2))
    found = numerics.walsh(cube)
    for subset in itertools.product((0, 1), repeat=3):
        signs = {x: (-1) ** sum(a * b for a, b in zip(x, subset)) for x in np.ndindex(2, 2, 2)}
        assert found[subset] == pytest.approx(sum(signs[x] * cube[x] for x in signs))
    np.testing.assert_allclose(numerics.walsh(found), 8 * cube)


def test_gaussian_means_and_their_errors():
    values = np.stack([numerics.GRID**2, np.cos(numerics.GRID)])
    means, errors = numerics.gaussian(values)
    np.testing.assert_allclose(means, [1, math.exp(-0.5)], atol=1e-14)
    assert (errors < 1e-13).all()
    mean, error = numerics.gaussian((numerics.GRID > 0.003).astype(float))  # a step needs more
    assert abs(mean - 0.4988) < error < 0.01


def test_panels_are_exact_for_polynomials():
    node, weight = numerics.panels([0, 1, 4], 3)
    assert node.shape == weight.shape == (6,) and weight.sum() == pytest.approx(4)
    assert weight @ node**5 == pytest.approx(4**6 / 6)


def test_sech2_keeps_its_digits():
    h = np.array([0.0, -0.7, 30.0])
    np.testing.assert_allclose(numerics.sech2(h), 1 / np.cosh(h) ** 2, rtol=1e-14)


@pytest.mark.parametrize("gamma, n", [(0.1, 1), (1.0, 2), (3.0, 7)])
def test_parity_series_is_its_sum(gamma, n):
    t2 = np.tanh(gamma + math.sqrt(gamma) * numerics.GRID) ** 2
    j = np.arange(4000)
    mu = np.array([numerics.gaussian(t2 ** (k + 1))[0] for k in j])
    nu = np.array([numerics.gaussian(t2**k * (1 - t2) ** 2)[0] for k in j])
    value, error = numerics.parity_series(gamma, n)
    assert value == pytest.approx((mu**n * nu).sum(), abs=1e-6) and error < 1e-9
