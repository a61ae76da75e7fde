"""A claim about the paper's theory: what was computed of it, and the tests that check it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from sphinx.pycode import ModuleAnalyzer

from localbias.store import ROOT

HOLDS, CONDITION, FAILS = VERDICTS = ("holds", "holds with condition", "fails as printed")
EXACT = 1e-13  # what rounding may leave of an exact 0 among numbers near 1


class Evidence(NamedTuple):
    """What was computed of a claim.

    says    a sentence with the numbers (markdown)
    miss    by how much the claim is missed where its condition holds; 0 where it is true
    error   precision of `miss`: the claim is met where miss ≤ error
    beyond  the miss where the condition does not hold; None if there is no condition
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
    """One claim: the verdict is declared, and `evidence` refuses to give numbers that do not support it.

    place      in the paper, or "Ours …"
    statement  and condition: markdown, with formulas
    tests      that check it, "tests/theory/file.py::function"
    """

    id: str
    name: str
    place: str
    statement: str
    verdict: str
    condition: str
    tests: tuple[str, ...]
    compute: Callable[[], Evidence]

    @cache
    def evidence(self) -> Evidence:
        """Computed once a process. ValueError where the numbers do not support the declared verdict."""
        found = self.compute()
        if found.verdict != self.verdict:
            raise ValueError(
                f"claim {self.id!r}: declared {self.verdict!r}, computed {found.verdict!r} ({found.says})"
            )
        return found


class Claims(dict[str, Claim]):
    """Claims by id, in the order in which they were entered."""

    def __missing__(self, id: str) -> Claim:
        raise ValueError(f"no claim {id!r} among the verdicts; there are: {', '.join(self)}")

    def enter(
        self, id: str, name: str, place: str, verdict: str, *tests: str, condition: str = ""
    ) -> Callable:
        """Decorator that enters the claim which a function computes; the function's docstring is the statement.

        tests  functions in tests/theory, as "test_growth::test_printed_m_is_left_at_once"
        """
        if id in self or verdict not in VERDICTS:
            raise ValueError(
                f"claim {id!r}, {verdict!r}; allowed: an id once, and one of {', '.join(VERDICTS)}"
            )
        paths = tuple(f"tests/theory/{test.replace('::', '.py::')}" for test in tests)

        def entered(compute: Callable[[], Evidence]) -> Callable[[], Evidence]:
            statement = " ".join(compute.__doc__.split())
            self[id] = Claim(id, name, place, statement, verdict, condition, paths, compute)
            return compute

        return entered


def checks_in(path: str) -> tuple[str, ...]:
    """The tests of a file, "tests/file.py::function" each, in their order. ValueError if there is no such file."""
    return tuple(f"{path}::{name}" for name in _functions(path) if name.startswith("test_"))


def source(test: str) -> str:
    """The source of a test, "tests/file.py::function", with its decorators. ValueError if there is no such test."""
    path, _, name = test.partition("::")
    functions = _functions(path)
    if name not in functions:
        raise ValueError(f"no test {name!r} in {path}; there are: {', '.join(checks_in(path))}")
    return functions[name]


def number(x: float) -> str:
    """x to two digits, for a reader: 0.28, 2.1·10⁻⁸, 10⁻¹³."""
    mantissa, _, power = f"{x:.1e}".partition("e")
    if x == 0 or -3 <= int(power) < 4:
        return f"{x:.2g}"
    power = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{power}" if mantissa == "1.0" else f"{mantissa}·10{power}"


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
