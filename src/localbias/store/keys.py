"""Keys: short hashes of configurations, which stay the same as configurations gain fields."""

import copy
import dataclasses
import hashlib
import json
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def beyond_defaults(part: Any) -> dict[str, Any]:
    """A dataclass as a nested dictionary without the fields that are at their default.

    A field that is added later, with the behaviour until then as its default, leaves old keys as
    they are. A tuple becomes a list, as in JSON.
    """
    found = {}
    for f in dataclasses.fields(part):
        value = getattr(part, f.name)
        default = f.default
        if f.default_factory is not dataclasses.MISSING:
            default = f.default_factory()
        if default is dataclasses.MISSING or value != default:
            found[f.name] = _plain(value)
    return found


def revive(kind: Any, value: Any) -> Any:
    """A value of that type from what JSON has of it: objects become dataclasses, arrays tuples.

    Args:
        kind: a dataclass, or the annotation of one of its fields.
        value: what `json.loads` gave.

    Raises:
        TypeError: for an object that has fields which the dataclass lacks, or lacks some that it
            needs.
        ValueError: where the dataclass refuses a field's value.
    """
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = get_type_hints(kind)
        if unknown := value.keys() - hints.keys():
            raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
        return kind(**{name: revive(hints[name], part) for name, part in value.items()})
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(revive(get_args(kind)[0], item) for item in value)
    if get_origin(kind) in (Union, UnionType) and dict not in get_args(kind):
        arms = [arm for arm in get_args(kind) if arm is not type(None)]
        return value if value is None or len(arms) > 1 else revive(arms[0], value)
    return copy.deepcopy(value)


def key_of(content: Any) -> str:
    """12 hexadecimal digits of the SHA-256 of anything that JSON can write."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    """A field's value as JSON has it."""
    if dataclasses.is_dataclass(value):
        return beyond_defaults(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
