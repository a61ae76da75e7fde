"""Simple shapes as strings: what the data have, and what only a broken picture has."""

import pytest
import torch

from localbias import grammar
from localbias.grammar import Columns
from localbias.grammar.columns import MORE, NONE, ONE, OTHER


def test_the_data_have_each_shape_once_or_not_and_never_none_at_all():
    rule = grammar.make("columns")
    assert len(rule.support) == 7 and rule.is_valid(rule.support).all()
    wrong = [[NONE] * 3, [ONE, MORE, NONE], [OTHER, ONE, ONE], [-1, ONE, ONE]]
    assert not rule.is_valid(torch.tensor(wrong)).any()
    # each shape is there in 4 of the 7
    assert rule.marginals()[:, ONE].tolist() == pytest.approx([4 / 7] * 3)
    assert len(Columns(2).support) == 3
    with pytest.raises(ValueError, match="columns=0; allowed: 1 to 10"):
        Columns(0)
