"""Checks of fields name the part, the field, its value and what is allowed."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from localbias.checks import require, typed, within


@dataclass
class Sampling:
    kind: str = "ddim"
    steps: int = 0


def test_whole_numbers_within_a_count_pass():
    within("symbols", torch.tensor([[0, 1]]), 2)
    within("symbols", torch.zeros(0, 3), 0)
    for numbers in ([-1, 0], [0, 2]):
        message = f"symbols {numbers[0]} to {numbers[1]}; allowed: 0 to 1"
        with pytest.raises(ValueError, match=message):
            within("symbols", torch.tensor(numbers), 2)


def test_an_allowed_value_passes():
    assert require(Sampling(), "steps", True, "at least 1") is None


@pytest.mark.parametrize(
    "name, message",
    [
        ("steps", "sampling.steps=0; allowed: at least 1"),
        ("kind", "sampling.kind='ddim'; allowed: at least 1"),
    ],
)
def test_another_is_refused_by_name(name, message):
    with pytest.raises(ValueError) as error:
        require(Sampling(), name, False, "at least 1")
    assert str(error.value) == message


@dataclass
class Fields:
    whole: int = 1
    real: float = 1.0
    text: str = "a"
    either: float | None = None
    several: tuple[int, ...] = ()
    pair: tuple[int, float] = (1, 2.0)
    anything: object = object


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        dict(real=1, either=2, several=(1, 2, 3), pair=(1, 2)),
        dict(several=[1, 2]),
        dict(either=0.5, anything=[True]),
    ],
)
def test_values_of_their_types_pass(changes):
    typed(Fields(**changes))


@pytest.mark.parametrize(
    "name, value, kind",
    [
        ("whole", 1.0, "int"),
        ("whole", True, "int"),
        ("whole", None, "int"),
        ("whole", np.int64(1), "int"),
        ("real", "1", "float"),
        ("real", False, "float"),
        ("text", 3, "str"),
        ("either", "none", "float | None"),
        ("several", (1, 2.0), "tuple[int, ...]"),
        ("several", 1, "tuple[int, ...]"),
        ("pair", (1, 2.0, 3), "tuple[int, float]"),
    ],
)
def test_values_of_other_types_are_named(name, value, kind):
    with pytest.raises(ValueError) as error:
        typed(Fields(**{name: value}))
    assert str(error.value) == f"fields.{name}={value!r}; allowed: a value of the type {kind}"
