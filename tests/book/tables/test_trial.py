"""The trial's findings are judged by their numbers."""

import numpy as np
import pytest

from localbias.book.tables import trial
from localbias.book.tables.trial import CHANGED, CONFIRMED, WITHDRAWN, Compared
from localbias.experiments import catalogue
from localbias.experiments.results import Results


@pytest.mark.parametrize(
    ("ours", "met"),
    [([0.5, 0.6], True), ([0.72, 0.9], True), ([0.74, 0.9], False), ([0.1, 0.36], False)],
)
def test_ranges_may_miss_each_other_by_so_much(ours, met):
    assert Compared("share", (0.4, 0.7), np.array(ours)).met is met


def test_steps_must_meet():
    assert not Compared("step", (700, 1000), np.array([400.0, 650.0]), 0).met
    assert Compared("step", (12_000, 12_000), np.array([12_000, np.inf]), 0).met


@pytest.mark.parametrize(
    ("met", "word"),
    [((True, True), CONFIRMED), ((True, False), CHANGED), ((False, False), WITHDRAWN)],
)
def test_the_word_follows_from_the_numbers(met, word):
    numbers = [Compared("share", (0, 0), np.array([0.0 if one else 1.0])) for one in met]
    assert trial.judged(numbers) == word


@pytest.mark.parametrize(
    ("ours", "written"),
    [
        ([0.444], "0.44"),
        ([-0.001, 0.2], "0.00 to 0.20"),
        ([-0.03, -0.02], "−0.03 to −0.02"),
        ([6000, 8000], "6,000–8,000"),
        ([12_000, np.inf], "12,000–never"),
    ],
)
def test_numbers_are_written_with_their_range(ours, written):
    assert str(Compared("that", (0, 0), np.array(ours))) == f"that: 0.00, now {written}"


def test_words_stand_where_the_trial_had_no_number():
    one = Compared("more of it", (0.03, 1), np.array([0.2, 0.3]), 0, "some")
    assert one.met and str(one) == "more of it: some, now 0.20–0.30"


def test_slopes_of_records_are_the_trials_and_others_are_not():
    records = [catalogue.run("parity-8-scalars", seed=seed) for seed in (0, 1, 2)]
    results = {"parity-8-scalars": Results(records)}
    slopes = next(one for one in trial.FINDINGS if one.says.startswith("Slopes"))
    found = list(slopes.compared(results.__getitem__, 0.8))
    assert trial.judged(found) == CONFIRMED
    low_orders = next(one for one in found if one.what.startswith("orders 1 to 3"))
    assert low_orders._replace(trial=(0, 0)).met is False
