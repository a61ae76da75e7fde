import json
from types import SimpleNamespace

import docutils.core
import pytest
from docutils.utils import Reporter

from localbias import sphinx
from localbias.record import ROOT

DOCSTRING = """\
Signals [B, *shape] of strings [n, *more], read where |x| < 1 and s_ is `a*b`.
The first paragraph goes on.

pool, grid  float32 [K, E, h, w]: exemplar e
            of symbol k
shape       (rows, columns)
ValueError where neither fits.
- one
  and more of it
- two
An example::

    f(*args, |x|)
"""


def test_a_plain_docstring_becomes_rest_that_means_the_same():
    lines = DOCSTRING.splitlines()
    sphinx.docstring_to_rest(None, "function", "f", None, None, lines)
    # Any complaint of docutils is an error; "code" is the role of single backticks in _config.yml.
    settings = {"halt_level": Reporter.INFO_LEVEL, "report_level": Reporter.SEVERE_LEVEL}
    text = ".. default-role:: code\n\n" + "\n".join(lines)
    tree = docutils.core.publish_doctree(text, settings_overrides=settings)
    kinds = {"paragraph", "term", "literal_block"}
    told = [node.astext().split("\n") for node in tree.findall(lambda node: node.tagname in kinds)]
    assert told == [
        ["Signals [B, *shape] of strings [n, *more], read where |x| < 1 and s_ is a*b.",
         "The first paragraph goes on."],
        ["pool, grid"], ["float32 [K, E, h, w]: exemplar e", "of symbol k"], ["shape"], ["(rows, columns)"],
        ["ValueError where neither fits."], ["one", "and more of it"], ["two"],
        ["An example:"], ["f(*args, |x|)"],
    ]


@pytest.mark.parametrize("fetched", [[], [sphinx.MATHJAX], list(sphinx.WIDGETS)[1:], [sphinx.MATHJAX, *sphinx.WIDGETS]])
def test_pages_name_the_scripts_that_were_fetched_and_the_cdn_of_others(tmp_path, fetched):
    for script in fetched:
        path = tmp_path / sphinx.SCRIPTS / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    config = SimpleNamespace(html_static_path=["_static"], mathjax_path="cdn", nb_ipywidgets_js="cdn")
    sphinx.use_own_scripts(SimpleNamespace(srcdir=tmp_path), config)
    assert config.html_static_path == ["_static", *([sphinx.SCRIPTS] if fetched else [])]
    assert config.mathjax_path == (sphinx.MATHJAX if sphinx.MATHJAX in fetched else "cdn")
    # One of them alone would not do.
    assert config.nb_ipywidgets_js == (sphinx.WIDGETS if set(sphinx.WIDGETS) <= set(fetched) else "cdn")


def test_the_lock_of_the_scripts_names_versions_and_hashes_but_no_place():
    wanted = json.loads((ROOT / "book/vendor/package.json").read_text())["dependencies"]
    packages = json.loads((ROOT / "book/vendor/package-lock.json").read_text())["packages"]
    assert packages.pop("")["dependencies"] == wanted
    # Nothing that html-manager's bundle already holds; see the Makefile.
    assert {name.removeprefix("node_modules/"): package["version"] for name, package in packages.items()} == wanted
    for package in packages.values():
        assert package["integrity"].startswith("sha512-") and "resolved" not in package
