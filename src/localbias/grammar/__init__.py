"""Rules over symbols: which strings are valid, and what a string drawn from them looks like.

A grammar knows nothing of pixels. Its strings are int64 tensors of symbol indices into `alphabet`,
and everything that the references and the chance levels need (support, marginals, information) is
computed by enumeration. Here lives what follows from a law over strings alone.
"""

from localbias.grammar.columns import Columns
from localbias.grammar.information import information_by_number, mutual_information
from localbias.grammar.law import UNREADABLE, Grammar, every_string
from localbias.grammar.modes import Modes
from localbias.grammar.moments import Moments, maximum_entropy, softened
from localbias.grammar.ngrams import MarkovChain, known_ngrams
from localbias.grammar.rules import Check, Dyck, Parity, QuarterSum
from localbias.grammar.series import copies, krawtchouk, truncated
from localbias.grammar.text import Characters, Lexicon
from localbias.registry import Registry

GRAMMARS: Registry[Grammar] = Registry(
    "grammar",
    {
        "parity": Parity,
        "check": Check,
        "dyck": Dyck,
        "quarter_sum": QuarterSum,
        "lexicon": Lexicon,
        "characters": Characters,
        "modes": Modes,
        "columns": Columns,
    },
)
make = GRAMMARS.make
register = GRAMMARS.register

__all__ = [
    "GRAMMARS",
    "UNREADABLE",
    "Characters",
    "Check",
    "Columns",
    "Dyck",
    "Grammar",
    "Lexicon",
    "MarkovChain",
    "Modes",
    "Moments",
    "Parity",
    "QuarterSum",
    "copies",
    "every_string",
    "information_by_number",
    "known_ngrams",
    "krawtchouk",
    "make",
    "maximum_entropy",
    "mutual_information",
    "register",
    "softened",
    "truncated",
]
