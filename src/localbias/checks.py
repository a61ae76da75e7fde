"""Checks of what one is given: a sentence for every value that is not what it may be."""

from dataclasses import fields
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from torch import Tensor


def require(owner: object, name: str, allowed: bool, what: str) -> None:
    """Refuse a field's value that is not allowed.

    Args:
        owner: the configuration, such as a `Training`.
        name: of the field.
        allowed: whether its value is.
        what: is allowed, in words.

    Raises:
        ValueError: where it is not, such as "training.steps=0; allowed: at least 1".
    """
    if not allowed:
        part = type(owner).__name__.lower()
        raise ValueError(f"{part}.{name}={getattr(owner, name)!r}; allowed: {what}")


def within(what: str, values: "Tensor", count: int) -> None:
    """Refuse whole numbers that count nothing: others than 0 to count − 1.

    Args:
        what: the numbers are, in the plural, such as "symbols".
        values: of any shape.
        count: how many there are of what they count.

    Raises:
        ValueError: such as "symbols -1 to 3; allowed: 0 to 1".
    """
    if values.numel() and not 0 <= values.min() <= values.max() < count:
        raise ValueError(f"{what} {values.min()} to {values.max()}; allowed: 0 to {count - 1}")


def typed(owner: Any) -> None:
    """Refuse fields of a dataclass whose values have another type than it says.

    Python takes True for 1 and 20.0 for 20. Here the first would count as a number, the second stop
    a training, and both give another key than the number that was meant.

    Args:
        owner: the dataclass; its fields that are numbers, text, booleans, None or tuples of these
            are looked at.

    Raises:
        ValueError: where one is of another type.
    """
    hints = get_type_hints(type(owner))
    for field in fields(owner):
        require(
            owner,
            field.name,
            fits(getattr(owner, field.name), hints[field.name]),
            f"a value of the type {_name(hints[field.name])}",
        )


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type: an int may stand for a float, a bool for nothing else.

    Types other than numbers, text, booleans, None and tuples are not judged.
    """
    kinds = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(fits(value, kind) for kind in kinds)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple | list):
            return False
        several = kinds[:1] * len(value) if kinds[1:] == (...,) else kinds
        return len(value) == len(several) and all(map(fits, value, several))
    if hint in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole or (hint is float and isinstance(value, float))
    return isinstance(value, hint) if hint in (str, bool, NoneType) else True


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
