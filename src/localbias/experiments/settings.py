"""Settings: fields of an experiment that are given as text, such as training.batch=32,64."""

import copy
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from localbias.experiments.configuration import Experiment, from_configuration
from localbias.experiments.setup import Setup
from localbias.store import beyond_defaults

PARTS = ("grammar", "renderer", "network")  # their options are checked by what they name
FIXED = ("name", "tier", "seed")


def combinations(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Every combination of the values that are given for each field; one, empty, for none.

    Args:
        texts: field=value[,value …]; a field of a part has a dot, a value that has commas of its
            own stands in brackets, as JSON has it.

    Raises:
        ValueError: for a text that is not of that form, and a field that is given twice.
    """
    given: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise ValueError(f"set={text!r}; allowed: field=value or field=value,value")
        if name in given:
            raise ValueError(f"set={text!r}; {name} is given twice")
        given[name] = _values(values)
    return [dict(zip(given, values)) for values in itertools.product(*given.values())]


def as_text(settings: Mapping[str, Any]) -> list[str]:
    """Settings as `combinations` reads them, a field each."""
    return [f"{name}={_text(value)}" for name, value in settings.items()]


def with_settings(experiment: Experiment, settings: Mapping[str, Any]) -> Experiment:
    """The experiment with other values in these fields.

    Args:
        experiment: whose configuration is changed.
        settings: dotted names -> values, as JSON has them.

    Raises:
        ValueError: for a field that there is not, one that is no setting, and a value that is not
            allowed.
    """
    if not settings:
        return experiment
    configuration = copy.deepcopy(experiment.configuration)
    for name, value in settings.items():
        *path, field = name.split(".")
        part: Any = configuration
        for step in path:
            part = part.get(step) if isinstance(part, dict) else None
        known = list(part) if isinstance(part, dict) else []
        is_option = len(path) == 1 and path[0] in PARTS
        if name in FIXED or not (field in known or is_option):
            prefix = "".join(f"{step}." for step in path)
            there = [f"{prefix}{one}" for one in known if f"{prefix}{one}" not in FIXED]
            there = there or [one for one in experiment.configuration if one not in FIXED]
            raise ValueError(f"set: no field {name!r}; there are: {', '.join(there)}")
        if isinstance(part.get(field), dict) and not isinstance(value, dict | None):
            fields = ", ".join(f"{name}.{one}" for one in part[field])
            raise ValueError(f"set {name}={_text(value)}; it is made of {fields}")
        is_float = isinstance(part.get(field), float) and type(value) is int
        part[field] = float(value) if is_float else value  # 1 and 1.0 have other keys
    try:
        made = from_configuration(configuration)
        Setup(made).denoiser()  # now, and not hours later, when its turn comes
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"set {' '.join(as_text(settings))}: {error}") from None
    return made


def beyond(experiment: Experiment) -> dict[str, Any]:
    """The fields that are not at their default, by dotted names."""
    return dict(_flat(beyond_defaults(experiment) | experiment.parts))


def at_default(experiment: Experiment) -> dict[str, Any]:
    """The other fields, by dotted names."""
    other = beyond(experiment)
    return {k: v for k, v in _flat(experiment.configuration) if k not in other}


def changes(experiment: Experiment, of: Experiment) -> dict[str, Any]:
    """The fields in which an experiment differs from another, with their values."""
    one, other = (dict(_flat(some.configuration)) for some in (experiment, of))
    names = [*one, *(name for name in other if name not in one)]
    return {name: one.get(name) for name in names if one.get(name) != other.get(name)}


def _flat(configuration: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in configuration.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _values(text: str) -> list[Any]:
    """The values between commas; what is no JSON is text."""
    try:
        return json.loads(f"[{text}]")
    except ValueError:
        return [_value(one) for one in text.split(",")]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
