"""What computations will cost, said before they are paid."""

from collections.abc import Sequence


def cost(what: str, seconds: Sequence[float | None]) -> str:
    """A sentence about computations that are about to begin.

    Args:
        what: they are, in the plural, such as "trainings".
        seconds: that each takes, by records of its kind; None where there is no such record.
    """
    known = [one for one in seconds if one is not None]
    unknown = len(seconds) - len(known)
    together = "together they take" if len(seconds) > 1 else "it takes"
    parts = []
    if known:
        parts.append(
            f"{len(known)} of them take about {duration(sum(known))}"
            if unknown
            else f"{together} about {duration(sum(known))}"
        )
    if unknown:
        parts.append(f"{f'of {unknown} ' if known else ''}no record tells how long")
    count = f"{len(seconds)} {what} are" if len(seconds) > 1 else f"1 of the {what} is"
    return f"{count} to run, without a record yet: {'; '.join(parts)}"


def duration(seconds: float) -> str:
    """A stretch of time in the unit that one would say it in."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
