"""Bits between symbols: closed forms, and agreement with the pairwise table."""

import itertools

import pytest
import torch

from localbias.grammar import (
    Check,
    Dyck,
    Lexicon,
    Parity,
    QuarterSum,
    information_by_number,
    mutual_information,
)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_a_check_tells_nothing_to_whoever_lacks_one_of_its_symbols(order):
    law = Check(5, order)
    for m in range(5):
        for others in itertools.combinations(range(1, 5), m):
            assert mutual_information(law, 0, others) == pytest.approx(
                float(set(range(1, order)) <= set(others)), abs=1e-12
            )


def test_means_and_the_best_choice_of_a_check():
    mean, best = information_by_number(
        Check(5, 3), 0
    )  # both others of the check among m of 4: C(2, m−2) of C(4, m) choices
    torch.testing.assert_close(mean, torch.tensor([0, 0, 1 / 6, 1 / 2, 1]), atol=1e-6, rtol=0)
    torch.testing.assert_close(best, torch.tensor([0.0, 0, 1, 1, 1]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "law", [Dyck(6), QuarterSum(), Lexicon(("to", "so", "a", "it")), Check(4, 4, 0.5)], ids=repr
)
def test_one_other_symbol_is_the_pairwise_table(law):
    table = law.pairwise_information()
    for i, j in itertools.permutations(range(law.length), 2):
        assert mutual_information(law, i, (j,)) == pytest.approx(table[i, j].item(), abs=1e-9)


def test_all_others_decide_a_symbol_of_dyck_and_more_symbols_never_tell_less():
    mean, best = information_by_number(Dyck(8), 3)
    assert best[-1] == pytest.approx(
        Dyck(8).pairwise_information()[3, 3].item(), abs=1e-6
    )  # its whole entropy
    assert (mean.diff() > 0).all() and (best >= mean - 1e-6).all()


@pytest.mark.parametrize("symbol, others", [(0, (0,)), (0, (1, 1)), (4, (1,)), (0, (-1,))])
def test_places_that_make_no_sense_are_refused(symbol, others):
    with pytest.raises(ValueError, match="distinct places from 0 to 3"):
        mutual_information(Parity(4), symbol, others)
