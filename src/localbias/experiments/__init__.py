"""Experiments: what is run, how it is run, what the records say.

Here lives the way from a configuration to a record and back: `Experiment`, its `Setup`, the engine
that runs it, the book's own experiments (`catalogue`, made by `recipes`), and `Results`, which
chapters read. The engine knows nothing of the catalogue.
"""

from localbias.experiments.arithmetic import operations
from localbias.experiments.comparison import bit_for_bit, differences
from localbias.experiments.configuration import TIERS, Experiment, Sampling, from_configuration
from localbias.experiments.engine import find, fingerprint, load_network, run
from localbias.experiments.panels import AlongTraining, ByLevel, ByTarget, Generated, Heat, Moment
from localbias.experiments.products import products_of
from localbias.experiments.references import perfect_ratios, reference_counts, sampled_exactly
from localbias.experiments.results import Results
from localbias.experiments.setup import Setup

__all__ = [
    "TIERS",
    "AlongTraining",
    "ByLevel",
    "ByTarget",
    "Experiment",
    "Generated",
    "Heat",
    "Moment",
    "Results",
    "Sampling",
    "Setup",
    "bit_for_bit",
    "differences",
    "find",
    "fingerprint",
    "from_configuration",
    "load_network",
    "operations",
    "perfect_ratios",
    "products_of",
    "reference_counts",
    "run",
    "sampled_exactly",
]
