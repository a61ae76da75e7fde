"""The words for a trial's findings follow from the verdicts and the numbers."""

import numpy as np
import pytest

from localbias.book.tables import attention as tables
from localbias.book.tables.attention import CHANGED, CONFIRMED, FINDINGS, WITHDRAWN, Finding
from localbias.theory.attention import Path


@pytest.mark.parametrize(
    "claims, ours, word",
    [
        (["attention-factors"], None, CONFIRMED),
        (["attention-factors"], [1.02, 2.0], CONFIRMED),
        (["attention-factors"], [1.2, 2.0], CHANGED),
        (["attention-factors", "attention-critical"], None, CHANGED),
        (["attention-factors", "attention-set"], None, WITHDRAWN),
    ],
)
def test_a_word_is_computed(claims, ours, word):
    how = None if ours is None else lambda: np.array(ours)
    found, says = tables.judged(Finding("It is so.", tuple(claims), (1.0, 2.0), how))
    assert found == word and "differ by at most" in says
    assert ("The trial had 1, 2" in says) == (ours is not None)


def test_each_finding_of_the_trial_has_its_word():
    rows = tables.findings().data.splitlines()[2:]
    words = [row.split("|")[3].strip(" *") for row in rows]
    assert words == [CONFIRMED, CHANGED, CHANGED, CONFIRMED, CHANGED, CONFIRMED]
    assert len(rows) == len(FINDINGS) and all(
        finding.says in row for finding, row in zip(FINDINGS, rows)
    )


def test_rests_say_when_a_flow_is_away():
    time, excess = np.array([0.5, 5.0, 50.0]), np.array([2.0, 1.0, 0.9])
    leak = np.array([0.01, 1e-3, 1e-20])
    path = Path(time, np.zeros((3, 7)), leak, leak, excess)
    left, stays = tables.rests(
        {4: path, 8: path._replace(excess=excess + 0.1)}, {4: 1.0, 8: 1.0}, {}
    ).data.splitlines()[2:]
    assert [cell.strip() for cell in left.split("|")[6:8]] == ["50", "not run"]
    assert "below 10⁻¹² at time 50" in left and "not yet" in stays
