"""What the stress test of chapter 4 trains: one check of some symbols of eight, in two renderings.

The checks are of 2 to 8 symbols, and, over all eight, with a pair of symbols correlated.
"""

from typing import Any

from localbias.experiments.recipes import MeasuredAt, Recipe, Scalars, parentheses

CHECKS: dict[str, dict[str, Any]] = {
    f"check-{order}": dict(name="check", length=8, order=order) for order in (2, 3, 4, 5, 6, 8)
} | {
    f"check-8-rho-{percent}": dict(name="check", length=8, order=8, correlation=percent / 100)
    for percent in (30, 60, 90)
}
# Measured steps.
OF_SCALARS = (200, 400, 700, 1000, 1400, 2000, 2800, 4000, 5600, 8000, 12_000)
OF_GLYPHS = (150, 300, 600, 1000, 1500, 2200, 3000, 4000, 5500, 8000)
LONGER = (600, 1500, 3000, 5500, 8000, 12_000, 16_000, 22_000, 32_000)


def _glyphs(check: str, measure_at: tuple[int, ...]) -> Recipe:
    """A DiT on the parentheses of a check."""
    return MeasuredAt(parentheses("dit", CHECKS[check], 64, probing="check glyphs"), measure_at)


STRESS: dict[str, Recipe] = {
    **{
        f"{name}-scalars": Scalars(rule, OF_SCALARS, probing="check scalars")
        for name, rule in CHECKS.items()
    },
    **{f"{name}-dit": _glyphs(name, OF_GLYPHS) for name in CHECKS},
    # Four times as long: do checks of three and four end in glyphs as well?
    "check-3-dit-long": _glyphs("check-3", LONGER),
    "check-4-dit-long": _glyphs("check-4", LONGER),
}
