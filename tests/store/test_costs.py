"""What will be paid, told in a sentence."""

import re

import pytest

from localbias.store import cost, duration


@pytest.mark.parametrize(
    "seconds, sentence",
    [
        ([30.4], "1 of the trainings is to run, without a record yet: it takes about 30 s$"),
        ([0.01], "takes about 1 s$"),
        (
            [60.0] * 2,
            "2 trainings are to run, without a record yet: together they take about 2 min",
        ),
        ([3600.0] * 3, "together they take about 3.0 hours"),
        ([None, None], "2 trainings .* yet: no record tells how long$"),
        ([600.0, None, 600.0], "3 tr.*: 2 of them take about 20 minutes; of 1 no record tells how"),
    ],
)
def test_a_sentence_for_what_is_known_and_what_is_not(seconds, sentence):
    assert re.search(sentence.replace("(", r"\("), cost("trainings", seconds))


def test_a_stretch_of_time_has_the_unit_that_one_would_say_it_in():
    told = [duration(seconds) for seconds in (0.2, 89, 600, 5399, 9000)]
    assert told == ["1 s", "89 s", "10 minutes", "90 minutes", "2.5 hours"]
