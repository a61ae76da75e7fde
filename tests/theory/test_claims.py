"""Every verdict follows from its numbers, and every test that it names exists."""

import itertools

import pytest
import torch

from localbias.book.claims import (
    CLAIMS,
    CONDITION,
    FAILS,
    HOLDS,
    Claims,
    Evidence,
    checks_in,
    number,
    source,
)
from localbias.theory import flow

each_claim = pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))


@each_claim
def test_the_declared_verdict_is_the_computed_one(claim):
    found = claim.compute()
    assert found.verdict == claim.verdict
    assert found.error > 0 and any(letter.isdigit() for letter in found.says)
    # A condition is stated where there is one, and only there; what is missed is missed by far.
    assert (claim.verdict == CONDITION) == bool(claim.condition) == (found.beyond is not None)
    worst = found.miss if claim.verdict == FAILS else found.beyond
    assert worst is None or worst > 10 * found.error


@each_claim
def test_every_named_test_exists_and_asserts(claim):
    assert claim.tests and len(set(claim.tests)) == len(claim.tests)
    for test in claim.tests:
        text = source(test)
        assert f"def {test.partition('::')[2]}(" in text and "assert" in text
        compile(text, test, "exec")  # whole, with its decorators


def test_the_books_claims_are_all_there():
    assert list(CLAIMS) == [
        "asm-5.1",
        "thm-5.2",
        "thm-5.2-axis",
        "thm-5.2-balance",
        "lemma-a1",
        "lemma-a2",
        "lemma-a3",
        "thm-5.2-weaker",
        "thm-5.2-pair",
        "thm-5.2-third",
        "thm-5.2-biased",
        "thm-5.3",
        "thm-5.3-1",
        "thm-5.3-2",
        "thm-5.3-2-least",
        "thm-5.3-2-parity",
        "proof-5.3",
        "thm-5.3-3",
        "best-bias",
        "axis-only",
        "lemma-a5",
        "levels",
        "one-bit",
        "stairs",
        "attention-factors",
        "attention-set",
        "attention-critical",
        "attention-pull",
        "attention-order",
        "attention-gain",
        "attention-heals",
        "attention-diagonal",
        "attention-additive",
    ]
    with pytest.raises(
        ValueError,
        match="no claim 'thm-5.4' among the verdicts; there are: asm-5.1, thm-5.2, thm-5.2-axis",
    ):
        CLAIMS["thm-5.4"]


@pytest.mark.parametrize(
    "numbers, verdict",
    [
        ((0.0, 0.1), HOLDS),
        ((0.1, 0.1), HOLDS),
        ((0.2, 0.1), FAILS),
        ((float("nan"), 0.1), FAILS),
        ((0.0, 0.1, 0.3), CONDITION),
        ((0.0, 0.1, 0.05), HOLDS),
        ((0.2, 0.1, 0.3), FAILS),
    ],
)
def test_a_verdict_compares_the_miss_with_its_error(numbers, verdict):
    assert Evidence("", *numbers).verdict == verdict


def test_a_claim_whose_numbers_say_otherwise_is_refused():
    claims, calls = Claims(), []

    @claims.enter("five", "Five", "§0", HOLDS, "test_growth::test_rate_by_sampling")
    def five():
        """Two and two
        are five."""
        calls.append(1)
        return Evidence("2 + 2 = 4", 1.0, 0.0)

    assert claims["five"].statement == "Two and two are five."
    with pytest.raises(
        ValueError, match=r"'five': declared 'holds', computed 'does not hold' \(2 \+ 2 = 4\)"
    ):
        claims["five"].evidence()
    with pytest.raises(ValueError, match="claim 'five', 'holds'; allowed: an id once"):
        claims.enter("five", "Again", "§0", HOLDS)
    with pytest.raises(
        ValueError, match="claim 'six', 'true'; allowed: .* holds, holds in part, does not hold"
    ):
        claims.enter("six", "Six", "§0", "true")
    claims.enter("four", "Four", "§0", FAILS)(five)
    assert (
        claims["four"].evidence() is claims["four"].evidence() and len(calls) == 2
    )  # computed once each


def test_sources_are_cut_with_their_decorators():
    here = "tests/theory/test_claims.py"
    assert source(f"{here}::test_numbers_for_a_reader").startswith("@pytest.mark.parametrize(")
    assert source(f"{here}::test_the_books_claims_are_all_there").endswith('CLAIMS["thm-5.4"]')
    assert f"{here}::test_numbers_for_a_reader" in checks_in(here)
    with pytest.raises(
        ValueError, match="no test 'test_none' in .*; there are: .*::test_numbers_for_a_reader"
    ):
        source(f"{here}::test_none")
    with pytest.raises(ValueError, match="no file 'tests/none.py'"):
        source("tests/none.py::test_none")


@pytest.mark.parametrize(
    "x, text",
    [
        (0.0, "0"),
        (0.2849, "0.28"),
        (2.137e-8, "2.1·10⁻⁸"),
        (1.5e-3, "0.0015"),
        (-3e-10, "-3.0·10⁻¹⁰"),
        (4.2e12, "4.2·10¹²"),
        (1e-13, "10⁻¹³"),
        (3e-17, "10⁻¹⁴"),  # rounding
    ],
)
def test_numbers_for_a_reader(x, text):
    assert number(x) == text


def test_balance_makes_the_printed_set_invariant():
    """From printed M: neurons with a = 0 stay where they are if they are balanced, and leave M if they are not."""
    start, drifts = flow.balanced_in_printed_m(), []
    assert torch.allclose(start.a.square(), start.w.square().sum(1) + start.b.square())
    assert (start.a[:4].abs() > 0.1).all() and (start.a[4:] == 0).all()
    for rate, steps in ((0.1, 100), (0.02, 500)):
        config = flow.Flow(4, steps=steps, rate=rate, batch=512, width=6)
        *_, last = flow.flow(config, start)
        assert (
            last.time == pytest.approx(10) and (last.a - start.a).abs().max() > 0.1
        )  # it moved a good way
        assert last.w[:, 1:].abs().max() < 1e-13
        assert not last.a[4:].any() and not last.w[4:].any() and not last.b[4:].any()
        drifts.append((last.a.square() - last.w.square().sum(1) - last.b.square()).abs().max())
    assert drifts[1] < drifts[0] / 3  # of the order of the step: none in a flow
    loose = start.w.clone()
    loose[4:] = 0.5  # in M as long as a = 0
    left = next(itertools.islice(flow.flow(config, start._replace(w=loose)), 3, None))
    assert (left.a[4:].abs() * left.w[4:, 1:].abs().amin(1)).min() > 1e-3
