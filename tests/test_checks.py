"""Checks of fields name the part, the field, its value and what is allowed."""

from dataclasses import dataclass

import pytest

from localbias.checks import require


@dataclass
class Sampling:
    kind: str = "ddim"
    steps: int = 0


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
