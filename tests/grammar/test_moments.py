"""Maximum-entropy laws: their statistics, their support, and that nothing else has more entropy."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from scipy.sparse import csr_matrix

from localbias.grammar import Check, Dyck, Parity, QuarterSum, moments
from localbias.grammar.moments import maximum_entropy, softened


def statistics(strings, weights, order):
    """{(places, values): probability} of every choice of so many places."""
    found = {}
    for row, weight in zip(strings.tolist(), weights.tolist()):
        for places in itertools.combinations(range(len(row)), order):
            key = places, tuple(row[i] for i in places)
            found[key] = found.get(key, 0) + weight
    return found


def uniform(strings):
    return torch.full((len(strings),), 1 / len(strings), dtype=torch.float64)


@pytest.mark.parametrize(
    "grammar, n_train, order",
    [
        (Parity(6), 20, 1),
        (Parity(6), 20, 2),
        (Parity(6), 20, 3),
        (Check(6, 3), 17, 2),
        (Dyck(8), 9, 2),
        (QuarterSum(), 200, 2),
    ],
)
def test_the_statistics_are_those_of_the_training_strings(grammar, n_train, order):
    strings, _ = grammar.split(n_train, 0)
    law = maximum_entropy(strings, len(grammar.alphabet), order)
    assert (
        law.probabilities.sum().item() == pytest.approx(1)
        and (law.probabilities > 0).all()
        and law.miss < 1e-8
    )
    wanted, met = (
        statistics(strings, uniform(strings), order),
        statistics(law.strings, law.probabilities, order),
    )
    assert (
        max(abs(wanted.get(key, 0) - met.get(key, 0)) for key in wanted.keys() | met.keys()) < 1e-8
    )
    known = set(map(tuple, strings.tolist()))
    assert known <= set(map(tuple, law.strings.tolist()))
    assert math.log(n_train) - 1e-9 <= law.entropy <= math.log(len(law.strings)) + 1e-9


def test_order_one_is_the_product_of_the_marginals_and_order_l_the_training_set():
    strings, _ = Dyck(6).split(4, 1)
    law = maximum_entropy(strings, 2, 1)
    marginals = torch.stack(
        [strings.double().mean(0).mul(-1).add(1), strings.double().mean(0)], 1
    )  # [L, 2]
    product = marginals[torch.arange(6), law.strings].prod(1)
    torch.testing.assert_close(law.probabilities, product, atol=1e-9, rtol=0)
    assert len(law.strings) == (product > 0).sum()
    whole = maximum_entropy(strings, 2, 6)
    assert whole.strings.tolist() == sorted(strings.tolist())
    torch.testing.assert_close(whole.probabilities, uniform(strings), atol=1e-9, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_law_with_these_statistics_has_more_entropy(seed):
    """By a general optimiser over all laws on the eight strings of three signs."""
    rng = np.random.default_rng(seed)
    all_strings = torch.cartesian_prod(*[torch.arange(2)] * 3)
    weights = torch.from_numpy(rng.dirichlet(np.ones(8)))
    law = maximum_entropy(all_strings, 2, 2, weights)
    signs = 1 - 2 * all_strings.numpy()
    rows = [signs[:, i] for i in range(3)] + [
        signs[:, i] * signs[:, j] for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    constraint = {
        "type": "eq",
        "fun": lambda p: np.array([*(r @ (p - weights.numpy()) for r in rows), p.sum() - 1]),
    }
    found = minimize(
        lambda p: (p * np.log(p)).sum(),
        np.full(8, 1 / 8),
        bounds=[(1e-12, 1)] * 8,
        constraints=constraint,
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.success
    np.testing.assert_allclose(law.probabilities, found.x, atol=1e-5)
    assert law.entropy >= -found.fun - 1e-9


def test_the_support_is_all_that_the_statistics_allow():
    """String by string: the most probability that any law with these pairs can give it."""
    strings, _ = Parity(5).split(7, 3)
    law = maximum_entropy(strings, 2, 2)
    all_strings = torch.cartesian_prod(*[torch.arange(2)] * 5)
    wanted = statistics(strings, uniform(strings), 2)
    keys = [
        (places, values)
        for places in itertools.combinations(range(5), 2)
        for values in itertools.product((0, 1), repeat=2)
    ]
    has = np.array(
        [[all(row[i] == v for i, v in zip(*key)) for row in all_strings.tolist()] for key in keys],
        float,
    )
    means = np.array([wanted.get(key, 0) for key in keys])
    most = [-linprog(-np.eye(32)[k], A_eq=has, b_eq=means).fun for k in range(32)]
    possible = [row for row, value in zip(all_strings.tolist(), most) if value > 1e-9]
    assert law.strings.tolist() == possible and len(strings) <= len(possible) < 32


def test_few_strings_are_pinned_down_by_their_pairs_and_many_are_not():
    """Quarter-MNIST: E[(s1+s2−s3−s4)²] = 0 is a statistic of pairs, so every such law keeps the rule."""
    rule = QuarterSum()
    few = maximum_entropy(rule.split(50, 0)[0], 10, 2)
    assert len(few.strings) == 50 and few.entropy == pytest.approx(math.log(50))
    strings, _ = rule.split(470, 0)
    law = maximum_entropy(strings, 10, 2)
    assert rule.is_valid(law.strings).all() and law.entropy == pytest.approx(6.327, abs=1e-3)
    known = set(map(tuple, strings.tolist()))
    inside = sum(
        p for row, p in zip(law.strings.tolist(), law.probabilities.tolist()) if tuple(row) in known
    )
    assert inside == pytest.approx(0.890, abs=1e-3)


def test_pairs_of_a_parity_do_not_know_it():
    law = maximum_entropy(Parity(8).split(64, 0)[0], 2, 2)
    valid = law.probabilities[Parity(8).is_valid(law.strings)].sum().item()
    assert valid == pytest.approx(0.5, abs=0.01) and len(law.strings) == 256


def test_softened_makes_the_penalised_likelihood_largest():
    """By a general optimiser over all θ of the 27 indicators of two of three symbols."""
    rows = torch.tensor([[0, 1, 2], [2, 2, 0], [1, 1, 1], [0, 2, 2], [2, 1, 0]])
    every = torch.cartesian_prod(*[torch.arange(3)] * 3).numpy()
    keys = [
        (places, values)
        for places in itertools.combinations(range(3), 2)
        for values in itertools.product(range(3), repeat=2)
    ]

    def indicators(strings):
        return np.array([[tuple(row[list(p)]) == v for p, v in keys] for row in strings], float)

    means, shares = (
        indicators(rows.numpy()).mean(0),
        np.stack([(rows == k).double().mean(0) for k in range(3)]),
    )
    allowed = every[(shares[every, range(3)] > 0).all(1)]
    base, features = np.log(shares[allowed, range(3)]).sum(1), indicators(allowed)
    for penalty in (1.0, 0.01):
        (law,) = softened(rows, 3, 2, [penalty])
        assert law.strings.tolist() == allowed.tolist()
        found = minimize(
            lambda theta: (
                np.log(np.exp(base + features @ theta).sum())
                - theta @ means
                + penalty * theta @ theta / 2
            ),
            np.zeros(len(keys)),
            options={"gtol": 1e-9},
        )
        expected = np.exp(base + features @ found.x)
        np.testing.assert_allclose(law.probabilities, expected / expected.sum(), atol=1e-6)


def test_softened_goes_from_the_marginals_to_the_pairs():
    strings, _ = QuarterSum().split(300, 2)
    penalties = (1e-7, 1e4, 1e-3)  # in the order that was asked for
    near, far, between = softened(strings, 10, 2, penalties)
    alone, pairs = (maximum_entropy(strings, 10, order) for order in (1, 2))
    assert near.miss < between.miss < far.miss and far.order == 2
    torch.testing.assert_close(far.probabilities, alone.probabilities, atol=1e-8, rtol=0)
    inside, _ = Parity(6).split(24, 0)  # of what laws can have, so that θ stays finite
    (close,) = softened(inside, 2, 2, [1e-9])
    fitted = maximum_entropy(inside, 2, 2)
    assert close.strings.tolist() == fitted.strings.tolist()
    torch.testing.assert_close(close.probabilities, fitted.probabilities, atol=1e-6, rtol=0)
    # No law with fewer of the statistics has less entropy than one with more of them.
    assert far.entropy > between.entropy > near.entropy > pairs.entropy


def test_softened_is_the_same_from_wherever_it_begins_and_counts_strings_by_their_weights():
    strings, _ = QuarterSum().split(60, 1)
    (cold,), (_, warm) = (softened(strings, 10, 2, some) for some in ([0.01], [1.0, 0.01]))
    torch.testing.assert_close(cold.probabilities, warm.probabilities, atol=1e-8, rtol=0)
    weights = torch.full((60,), 1 / 61, dtype=torch.float64)
    weights[0] *= 2
    twice = torch.cat([strings[:1], strings])
    (by_weight,) = softened(strings, 10, 2, [0.01], weights)
    (by_rows,) = softened(twice, 10, 2, [0.01])
    torch.testing.assert_close(by_weight.probabilities, by_rows.probabilities, atol=1e-8, rtol=0)


def test_products_are_the_same_by_sparse_features_and_by_whole_rows(monkeypatch):
    rows = np.random.default_rng(0)
    features = csr_matrix((rows.random((50, 12)) < 0.3).astype(float))
    law = rows.dirichlet(np.ones(50))
    expected = np.einsum("nf,n,ng->fg", features.toarray(), law, features.toarray())
    for sparse in (0.0, 1.0):
        monkeypatch.setattr(moments, "SPARSE", sparse)
        monkeypatch.setattr(moments, "ROWS", 16)  # the last block is not full
        np.testing.assert_allclose(moments._products(features, law), expected, atol=1e-14)


def test_what_cannot_be_softened_is_named():
    strings, _ = Parity(4).split(5, 0)
    with pytest.raises(ValueError, match="order=0; allowed: 1 to 4"):
        softened(strings, 2, 0, [1.0])
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"penalties={wrong}; allowed: above 0, and finite"):
            softened(strings, 2, 2, [1.0, wrong])
    with pytest.raises(ValueError, match="symbols 0 to 1; allowed: 0 to 0"):
        softened(strings, 1, 2, [1.0])


def test_bad_input_is_named():
    strings, _ = Parity(4).split(5, 0)
    for order in (0, 5):
        with pytest.raises(ValueError, match=f"order={order}; allowed: 1 to 4"):
            maximum_entropy(strings, 2, order)
    with pytest.raises(ValueError, match="symbols 0 to 1; allowed: 0 to 0"):
        maximum_entropy(strings, 1, 2)
    with pytest.raises(ValueError, match="more than .* strings to enumerate"):
        maximum_entropy(
            torch.randint(2, (2000, 24), generator=torch.Generator().manual_seed(0)), 2, 2
        )
