"""Checks of a configuration's fields: one sentence for every field that is out of range."""


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
