"""Exact denoisers: E[x0 | x_t] for data laws that are known, called like any denoiser.

Here lives what a perfect network would do: for the rule, for independent symbols, for the training
set, for models of letters between them and for what is linear; and at which noise levels they
differ. Nothing here is trained.
"""

from localbias.exact.dispatch import FURTHER, NAMES, references
from localbias.exact.levels import OverLevels, band, gap, over_levels
from localbias.exact.mixture import Mixture
from localbias.exact.ngrams import Markov, markov
from localbias.exact.reference import RESOLUTION, Reference
from localbias.exact.strings import (
    Independent,
    Strings,
    marginals,
    moments,
    of_images,
    patches,
    rule,
    train,
)
from localbias.exact.wiener import Wiener, wiener

__all__ = [
    "FURTHER",
    "NAMES",
    "RESOLUTION",
    "Independent",
    "Markov",
    "Mixture",
    "OverLevels",
    "Reference",
    "Strings",
    "Wiener",
    "band",
    "gap",
    "marginals",
    "markov",
    "moments",
    "of_images",
    "over_levels",
    "patches",
    "references",
    "rule",
    "train",
    "wiener",
]
