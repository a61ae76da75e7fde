"""Settings: what is given as text becomes fields, and nothing else is let through."""

import pytest

from localbias.experiments import catalogue
from localbias.experiments.settings import (
    as_text,
    at_default,
    beyond,
    changes,
    combinations,
    with_settings,
)

SCALARS = catalogue.make("parity-8-scalars", "smoke")


def test_every_combination_of_the_values_is_meant():
    found = combinations(["training.batch=32,64", "reads=v,noise"])
    assert found == [
        {"training.batch": batch, "reads": reads} for batch in (32, 64) for reads in ("v", "noise")
    ]
    assert combinations([]) == [{}]


def test_values_are_json_or_else_text():
    (one,) = combinations(["measure_at=[10,20]", "probing=null", "training.rate=1e-3", "reads=x0"])
    assert one == {"measure_at": [10, 20], "probing": None, "training.rate": 1e-3, "reads": "x0"}
    assert combinations(["keep=[10],[10,20]"]) == [{"keep": [10]}, {"keep": [10, 20]}]
    assert combinations(as_text(one)) == [one]


@pytest.mark.parametrize("text", ["reads", "=v", "reads="])
def test_another_form_is_refused(text):
    with pytest.raises(ValueError, match=f"set='{text}'; allowed: field=value"):
        combinations([text])


def test_a_field_is_given_once():
    with pytest.raises(ValueError, match="reads is given twice"):
        combinations(["reads=v", "reads=x0"])


def test_settings_replace_fields_of_every_part():
    asked = {"training.batch": 8, "reads": "v", "network.width": 16, "measure_at": [20]}
    made = with_settings(SCALARS, asked)
    assert (made.training.batch, made.reads, made.measure_at) == (8, "v", (20,))
    assert made.network == SCALARS.network | {"width": 16}
    assert changes(made, SCALARS) == asked and changes(SCALARS, SCALARS) == {}
    assert with_settings(made, changes(SCALARS, made)) == SCALARS


def test_no_setting_and_the_value_that_is_there_leave_the_key():
    assert with_settings(SCALARS, {}) is SCALARS
    same = {"training.batch": 16, "training.rate": SCALARS.training.rate, "n_train": 64}
    assert with_settings(SCALARS, same).key == SCALARS.key
    whole, point = (with_settings(SCALARS, {"training.clip": clip}) for clip in (1, 1.0))
    assert with_settings(SCALARS, {"training.rate": 1}).key == (
        with_settings(SCALARS, {"training.rate": 1.0}).key
    )
    assert whole.training.clip == point.training.clip


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"training.bach": 8}, r"no field 'training\.bach'; there are: .*training\.batch"),
        ({"training": 8}, r"set training=8; it is made of training\.steps, "),
        ({"training": None}, "set training=null: "),
        ({"n_train": 1000}, "set n_train=1000: "),
        ({"wdth": 8}, "no field 'wdth'; there are: .*n_train"),
        ({"probing.deep.er": 1}, r"no field 'probing\.deep\.er'"),
        ({"seed": 3}, "no field 'seed'"),
        ({"name": "x"}, "no field 'name'"),
        ({"training.batch": "many"}, r"training\.batch='many'; allowed"),
        ({"training.steps": 5}, r"set training\.steps=5: measure_at=.*allowed: 1 to"),
        ({"network.wdth": 8}, "unknown option wdth of network 'mlp'"),
        ({"network.kind": "none"}, "unknown network 'none'"),
        ({"grammar.length": 7}, "length"),
    ],
)
def test_what_is_no_setting_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        with_settings(SCALARS, settings)


def test_fields_are_at_their_default_or_beyond_it():
    own, rest = beyond(SCALARS), at_default(SCALARS)
    assert own["training.steps"] == 20 and own["network.kind"] == "mlp"
    assert rest["reads"] == "noise" and rest["schedule.kind"] == "linear"
    assert not own.keys() & rest.keys()
