import io
import json
import sys
import types
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from localbias.book import claims, directives, extension, ledger
from localbias.store import ROOT

DOCSTRING = """\
Signals [B, *shape] of strings [n, *more], read where |x| < 1 and s_ is `a*b`.

Args:
    pool: float32 [K, E, h, w]: exemplar e
        of symbol k.
    grid: `(rows, *columns)`.

Raises:
    ValueError: where neither fits.
"""


def test_a_docstring_is_shown_as_it_is_written(build):
    """Google style is napoleon's; stars, bars and underscores outside of code are no markup."""

    def documented():
        pass

    documented.__doc__ = DOCSTRING
    module = types.ModuleType("toy_module", "A module.")
    module.documented = documented
    documented.__module__ = "toy_module"
    sys.modules["toy_module"] = module
    try:
        directive = "```{eval-rst}\n.. autofunction:: toy_module.documented\n```"
        pages, warnings = build(api=directive)
    finally:
        del sys.modules["toy_module"]
    assert warnings == ""
    shown = words(pages["api"].select_one("dl.py.function dd"))
    assert "Signals [B, *shape] of strings [n, *more], read where |x| < 1 and s_ is" in shown
    for part in ("pool", "float32 [K, E, h, w]: exemplar e of symbol k.", "(rows, *columns)"):
        assert part in shown
    assert "Raises" in shown and "where neither fits." in shown and "Args" not in shown


@pytest.mark.parametrize("fetched", [False, True])
def test_pages_name_the_script_that_was_fetched_and_else_the_cdn(tmp_path, fetched):
    if fetched:
        path = tmp_path / extension.SCRIPTS / extension.MATHJAX
        path.parent.mkdir(parents=True)
        path.touch()
    config = SimpleNamespace(
        html_static_path=["_static"], mathjax_path="cdn", mathjax3_config={"loader": {"load": []}}
    )
    extension.use_own_scripts(SimpleNamespace(srcdir=tmp_path), config)
    assert config.html_static_path == ["_static", *([extension.SCRIPTS] if fetched else [])]
    assert config.mathjax_path == (extension.MATHJAX if fetched else "cdn")
    assert ("paths" in config.mathjax3_config["loader"]) is fetched


def test_the_lock_of_the_scripts_names_versions_and_hashes_but_no_place():
    package = json.loads((ROOT / "book/vendor/package.json").read_text())
    packages = json.loads((ROOT / "book/vendor/package-lock.json").read_text())["packages"]
    root = packages.pop("")
    for kind in ("dependencies", "devDependencies"):
        assert root[kind] == package[kind]
        for name, version in package[kind].items():
            assert packages[f"node_modules/{name}"]["version"] == version
    for package in packages.values():
        assert package["integrity"].startswith("sha512-") and "resolved" not in package


SHARED = "test_claims::test_numbers_for_a_reader"


@pytest.fixture
def toys(monkeypatch):
    """Three claims in the place of the book's: calls[name] counts how often each was computed."""
    toys, calls = claims.Claims(), {}
    kinds = {
        "toy-1.1": (
            claims.HOLDS,
            (1e-9, 0.5),
            "",
            ("test_claims::test_the_books_claims_are_all_there", SHARED),
        ),
        "toy-1.2": (claims.CONDITION, (0.0, 1e-13, 0.25), "$n$ is **small**.", (SHARED,)),
        "toy-1.3": (claims.FAILS, (2e-8, 1e-14), "", (SHARED,)),
    }
    for id, (verdict, numbers, condition, tests) in kinds.items():

        def compute(id=id, numbers=numbers):
            """All $x_0$ are *equal*."""
            calls[id] = calls.get(id, 0) + 1
            return claims.Evidence(f"It is **{id[-1]}**.", *numbers)

        toys.enter(id, f"Claim {id[-1]}", f"§{id[-1]}", verdict, *tests, condition=condition)(
            compute
        )
    monkeypatch.setattr(directives, "CLAIMS", toys)
    monkeypatch.setattr(directives, "SECTION_5", toys)
    return toys, calls


@pytest.fixture
def build(tmp_path):
    """build(pages): the parsed pages of a book, by name, and what the build warned of."""

    def run(**pages):
        source = tmp_path / "book"
        source.mkdir()
        (source / "index.md").write_text("# Book\n\n```{toctree}\n" + "\n".join(pages) + "\n```\n")
        for name, text in pages.items():
            (source / f"{name}.md").write_text(f"# {name}\n\n{text}\n")
        config = {
            "extensions": [
                "sphinx.ext.autodoc",
                "sphinx.ext.napoleon",
                "myst_parser",
                "sphinx_proof",
                "localbias.book.extension",
            ],
            "proof_title_format": " %t",
            "myst_enable_extensions": ["colon_fence", "dollarmath"],
        }
        out, warnings = tmp_path / "out", io.StringIO()
        with docutils_namespace():
            Sphinx(source, None, out, out, "html", config, status=None, warning=warnings).build()
        parsed = {
            name: BeautifulSoup((out / f"{name}.html").read_text(), "html.parser") for name in pages
        }
        return parsed, warnings.getvalue()

    return run


def words(node):
    return " ".join(node.get_text(" ").split())


THEOREM = """
:::{prf:theorem} 5.2 (the set $M$) {verdict}`toy-1.3`
:label: theorem-5.2
:nonumber:

It is so.
:::

{prf:ref}`Theorem 5.2 <theorem-5.2>` {verdict}`toy-1.2`.
"""


def test_badges_lead_to_the_check_of_their_claim(toys, build):
    pages, warnings = build(chapter=THEOREM, checks="```{checks}\n```")
    assert warnings == ""
    badges = pages["chapter"].select("span.verdict")
    assert [words(badge) for badge in badges] == ["does not hold", "holds in part"]
    assert [badge["class"][1] for badge in badges] == ["does-not-hold", "holds-in-part"]
    assert [badge.a["href"] for badge in badges] == [
        "checks.html#check-toy-1.3",
        "checks.html#check-toy-1.2",
    ]
    theorem = pages["chapter"].select_one("div.proof.theorem")
    assert words(theorem.p).startswith("Theorem 5.2 (the set") and theorem.p.select_one(
        "span.verdict"
    )
    assert pages["chapter"].find("a", string="Theorem 5.2")["href"] == "#theorem-5.2"
    for id in toys[0]:
        assert pages["checks"].find(id=f"check-{id}"), id


def test_table_of_verdicts_shows_what_was_computed_once(toys, build):
    pages, warnings = build(
        all="```{verdicts}\n```\n\n```{checks}\n```", some="```{verdicts} toy-1.3 toy-1.1\n```"
    )
    assert warnings == ""
    rows = [[words(cell) for cell in row.select("td")] for row in pages["all"].select("tbody tr")]
    said = r"All \(x_0\) are equal ."
    assert rows == [
        [f"Claim 1. §1. {said}", "holds", "It is 1 .", "0 ± 0.5"],
        [
            f"Claim 2. §2. {said}",
            r"holds in part \(n\) is small .",
            "It is 2 .",
            "0 ± 10⁻¹³; where the condition fails, 0.25",
        ],
        [f"Claim 3. §3. {said}", "does not hold", "It is 3 .", "2.0·10⁻⁸ ± 10⁻¹⁴"],
    ]
    assert [words(row.td) for row in pages["some"].select("tbody tr")] == [rows[2][0], rows[0][0]]
    headings = [words(heading) for heading in pages["all"].select("th")]
    assert headings == ["Claim", "Verdict", "Computed", "Missed by"]
    assert [cell["class"] for cell in pages["some"].select("tbody tr")[0].select("td")] == [
        ["claim"],
        ["verdict"],
        ["computed"],
        ["missed-by"],
    ]
    assert toys[1] == dict.fromkeys(toys[0], 1)


def test_checks_show_the_sources_of_the_tests_once(toys, build):
    other = "tests/theory/test_claims.py::test_the_declared_verdict_is_the_computed_one"
    errata = "{ref}`here <test_errata.test_variance_of_a_reverse_step>`"
    more = f"```{{checks}} {other} tests/theory/test_errata.py\n```"
    pages, warnings = build(checks=f"```{{checks}}\n```\n\n## More\n\n{more}", errata=errata)
    assert warnings == ""
    page = pages["checks"]
    shown = [block.get_text().rstrip("\n") for block in page.select("div.highlight-python pre")]
    first, second = (
        f"tests/theory/test_claims.py::{name.split('::')[1]}" for name in toys[0]["toy-1.1"].tests
    )
    tests = first, second, other, *claims.checks_in("tests/theory/test_errata.py")
    assert shown == [claims.source(test) for test in tests]
    sections = {id: words(page.find(id=f"check-{id}").find_parent("section")) for id in toys[0]}
    assert (
        "Condition." not in sections["toy-1.1"]
        and r"Condition. \(n\) is small ." in sections["toy-1.2"]
    )
    for id, text in sections.items():
        assert f"{second}, shown above" in text.replace(" ,", ",") or id == "toy-1.1"
        assert (
            f"Computed. It is {id[-1]} ." in text
            and "Missed by " in text
            and toys[0][id].verdict in text
        )
    link = (
        page.find(id="check-toy-1.3")
        .find_parent("section")
        .select_one("p a[href]:not(.headerlink)")
    )
    assert link["href"] == "#test_claims.test_numbers_for_a_reader" and page.find(
        id=link["href"][1:]
    )
    target = pages["errata"].find("a", string="here")["href"]
    assert target == "checks.html#test_errata.test_variance_of_a_reverse_step" and page.find(
        id=target.split("#")[1]
    )


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "{verdict}`toy-9`",
            "no claim 'toy-9' among the verdicts; there are: toy-1.1, toy-1.2, toy-1.3",
        ),
        (
            "```{verdicts} toy-1.1 toy-9\n```",
            "no claim 'toy-9' among the verdicts; there are: toy-1.1, toy-1.2, toy-1.3",
        ),
        (
            "```{checks} tests/theory/test_errata.py::test_none\n```",
            "no test 'test_none' in tests/theory/",
        ),
        ("```{checks} toy-1.1\n```", "no file 'toy-1.1' of tests"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_what_is(toys, build, text, message):
    _, warnings = build(page=text, checks="```{checks}\n```")
    assert warnings.count("ERROR") == 1 and message in warnings


def test_numbers_that_do_not_support_a_verdict_stop_the_table(toys, build):
    entered, _ = toys
    entered.enter("toy-1.4", "Claim 4", "§4", claims.FAILS, SHARED)(entered["toy-1.1"].compute)
    _, warnings = build(page="```{verdicts} toy-1.4\n```")
    assert "claim 'toy-1.4': declared 'does not hold', computed 'holds' (It is **1**.)" in warnings


def test_a_row_of_the_ledger_on_theory_leads_to_its_check(toys, build, tmp_path, monkeypatch):
    (tmp_path / "claims.yml").write_text(
        "[{id: row-1.3, where: §1, says: All, why: 'It {verdict}`toy-1.3`.', measure: [{theory: toy-1.3}]}]"
    )
    rows = ledger.rows
    monkeypatch.setattr(ledger, "THEORY", toys[0])
    monkeypatch.setattr(directives, "ledger_rows", lambda: rows(tmp_path / "claims.yml"))
    pages, warnings = build(
        table="```{ledger}\n```",
        chapter="```{ledger} row-1.3\n```",
        bad="```{ledger} no\n```",
        checks="```{checks}\n```",
    )
    assert (
        warnings.count("ERROR") == 1
        and "no claim 'no' in the ledger; there are: row-1.3" in warnings
    )
    row = pages["table"].find("tr", id="claim-row-1.3")  # the id as it is, with its dot
    assert [words(cell) for cell in row.select("td")] == [
        "row-1.3 §1",
        "All",
        "does not hold It is 3 . How it is checked",
        "It does not hold .",
    ]
    assert row.select_one("p.verdict.does-not-hold") and row.select_one(
        "span.verdict.does-not-hold"
    )
    assert {link["href"] for link in row.select("a")} == {"checks.html#check-toy-1.3"}
    link = pages["chapter"].select_one("tbody td.claim a")
    assert words(link) == "row-1.3" and link["href"] == "table.html#claim-row-1.3"


def test_docstrings_are_shown_as_they_read(build):
    modules = "\n".join(
        f".. automodule:: localbias.{name}\n   :members:\n" for name in ("ldr", "statistics")
    )
    pages, warnings = build(api=f"```{{eval-rst}}\n{modules}\n```")
    assert warnings == ""
    text = words(pages["api"])
    assert "[B, *shape]" in text and "‖J_R‖²" in text  # not taken for reST marks
    assert "wilson ( count : ArrayLike , n : ArrayLike" in text and "_SupportsArray" not in text
    assert "that have a ratio" in text and "Alias for field number" not in text


def test_pages_of_the_ledger_are_read_again_when_their_code_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(extension, "__file__", str(tmp_path / "extension.py"))
    env = SimpleNamespace(found_docs={"ledger", "intro"}, localbias_ledgers={"ledger", "gone"})
    outdated = extension.pages_of_changed_records
    assert outdated(None, env, set(), set(), set()) == {"ledger"}
    assert outdated(None, env, set(), set(), set()) == set()
    (tmp_path / "rows.py").touch()
    assert outdated(None, env, set(), set(), set()) == {"ledger"}
