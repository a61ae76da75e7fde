"""Rules over symbols: which strings are valid, and what a string drawn from them looks like.

A grammar knows nothing of pixels. Its strings are int64 tensors of symbol indices into `alphabet`, and everything that
the references and the chance levels need (support, marginals, information) is computed by enumeration.
"""

from localbias.grammar.law import Grammar
from localbias.grammar.rules import Check, Dyck, Parity, QuarterSum
from localbias.grammar.text import Characters, Lexicon

__all__ = ["Grammar", "Parity", "Check", "Dyck", "QuarterSum", "Lexicon", "Characters", "make"]

GRAMMARS = {
    "parity": Parity, "check": Check, "dyck": Dyck, "quarter_sum": QuarterSum, "lexicon": Lexicon,
    "characters": Characters,
}


def make(name: str, **options) -> Grammar:
    """The grammar of that name. ValueError for an unknown name or option."""
    if name not in GRAMMARS:
        raise ValueError(f"unknown grammar {name!r}; known: {', '.join(GRAMMARS)}")
    try:
        return GRAMMARS[name](**options)
    except TypeError as error:
        raise ValueError(f"grammar {name!r}: {error}") from None
