import docutils.core
from docutils.utils import Reporter

from localbias import sphinx

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
