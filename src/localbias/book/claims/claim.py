"""A claim about the paper's theory: what was computed of it, and the tests that check it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from sphinx.pycode import ModuleAnalyzer

from localbias.book.verdicts import CONDITION, FAILS, HOLDS
from localbias.store import ROOT

VERDICTS = (HOLDS, CONDITION, FAILS)  # that a calculation can come to
EXACT = 1e-13  # what rounding may leave of an exact 0 among numbers near 1


class Evidence(NamedTuple):
    """What was computed of a claim.

    Attributes:
        says: a sentence with the numbers (Markdown).
        miss: by how much the claim is missed where its condition holds; 0 where it is true.
        error: precision of `miss`: the claim is met where miss ≤ error.
        beyond: the miss where the condition does not hold; None if there is no condition.
    """

    says: str
    miss: float
    error: float
    beyond: float | None = None

    @property
    def verdict(self) -> str:
        """The one of VERDICTS that the numbers support."""
        if not self.miss <= self.error:  # a miss that is no number is a miss
            return FAILS
        return HOLDS if self.beyond is None or self.beyond <= self.error else CONDITION


@dataclass(frozen=True)
class Claim:
    """One claim: the verdict is declared, and `evidence` refuses numbers that do not support it.

    Attributes:
        id: by which pages name it.
        name: its heading.
        place: in the paper, or "Ours …".
        statement: Markdown, with formulas.
        verdict: one of VERDICTS.
        condition: under which it holds, Markdown; "" where there is none.
        tests: that check it, "tests/theory/file.py::function" each.
        compute: the numbers.
    """

    id: str
    name: str
    place: str
    statement: str
    verdict: str
    condition: str
    tests: tuple[str, ...]
    compute: Callable[[], Evidence]

    def evidence(self) -> Evidence:
        """What was computed of the claim, once a process.

        Raises:
            ValueError: where the numbers do not support the declared verdict.
        """
        return _evidence(self)


@cache
def _evidence(claim: Claim) -> Evidence:
    """What `Claim.evidence` gives, computed once."""
    found = claim.compute()
    if found.verdict != claim.verdict:
        raise ValueError(
            f"claim {claim.id!r}: declared {claim.verdict!r}, computed {found.verdict!r} "
            f"({found.says})"
        )
    return found


class Claims(dict[str, Claim]):
    """Claims by id, in the order in which they were entered."""

    def __missing__(self, id: str) -> Claim:
        raise ValueError(f"no claim {id!r} among the verdicts; there are: {', '.join(self)}")

    def enter(
        self, id: str, name: str, place: str, verdict: str, *tests: str, condition: str = ""
    ) -> Callable[[Callable[[], Evidence]], Callable[[], Evidence]]:
        """Decorator that enters the claim which a function computes.

        The function's docstring is the statement.

        Args:
            id: as in `Claim`.
            name: as in `Claim`.
            place: as in `Claim`.
            verdict: as in `Claim`.
            tests: functions in tests/theory, such as "test_flow::test_resumed_is_bit_equal".
            condition: as in `Claim`.

        Raises:
            ValueError: for an id that was entered before, and an unknown verdict.
        """
        if id in self or verdict not in VERDICTS:
            raise ValueError(
                f"claim {id!r}, {verdict!r}; allowed: an id once, and one of {', '.join(VERDICTS)}"
            )
        paths = tuple(f"tests/theory/{test.replace('::', '.py::')}" for test in tests)

        def entered(compute: Callable[[], Evidence]) -> Callable[[], Evidence]:
            statement = " ".join((compute.__doc__ or "").split())
            self[id] = Claim(id, name, place, statement, verdict, condition, paths, compute)
            return compute

        return entered


def checks_in(path: str) -> tuple[str, ...]:
    """The tests of a file, "tests/file.py::function" each, in their order.

    ValueError where there is no such file.
    """
    return tuple(f"{path}::{name}" for name in _functions(path) if name.startswith("test_"))


def source(test: str) -> str:
    """The source of a test, "tests/file.py::function", with its decorators.

    ValueError where there is no such test, naming those there are.
    """
    path, _, name = test.partition("::")
    functions = _functions(path)
    if name not in functions:
        raise ValueError(f"no test {name!r} in {path}; there are: {', '.join(checks_in(path))}")
    return functions[name]


ROUNDING = 1e-14  # what lies below has other digits on another processor


def number(x: float) -> str:
    """x to two digits, for a reader: 0.28, 2.1·10⁻⁸, 10⁻¹³; a size below ROUNDING is that."""
    if 0 < abs(x) < ROUNDING:
        x = math.copysign(ROUNDING, x)
    mantissa, _, power = f"{x:.1e}".partition("e")
    if x == 0 or -3 <= int(power) < 4:
        return f"{x:.2g}"
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if mantissa == "1.0" else f"{mantissa}·10{raised}"


def _functions(path: str) -> dict[str, str]:
    """The sources of a file's functions by name, with their decorators."""
    if not (ROOT / path).is_file():
        raise ValueError(f"no file {path!r} of tests")
    tags = ModuleAnalyzer.for_file(str(ROOT / path), path).find_tags()
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return {
        name: "\n".join(lines[first - 1 : last])
        for name, (kind, first, last) in tags.items()
        if kind == "def" and "." not in name
    }
