"""The book's plots. They take arrays and draw: nothing here trains, samples or reads a record.

Each function returns a matplotlib figure, or draws on the axes it is given; `use_style` gives all
of them one look. `slider` makes a picture that a slider changes, on a static page too.
"""

from localbias.figures.attention import healing, pulls
from localbias.figures.flow import escape, phases, scales, training
from localbias.figures.ladder import coefficients, cures, depths, linear, splits, threshold
from localbias.figures.locality import (
    along_training,
    by_outcome,
    estimates,
    exact_panels,
    heat_frame,
    heat_phases,
    matrices,
    over_levels,
    ratios_along,
    three_targets,
)
from localbias.figures.modes import (
    areas_by_window,
    chains,
    clouds,
    denoisers,
    modes_frame,
    mosaics,
    probes,
    rates,
    shares_along,
)
from localbias.figures.moments import moments
from localbias.figures.outcomes import (
    against_chance,
    directions,
    escape_law,
    fourier_slopes,
    outcome_bars,
    outcome_curves,
    outcome_ends,
    outcome_panels,
    reader_accuracy,
    sample_grid,
    scalar_strips,
    show_signals,
)
from localbias.figures.probe import calibration, estimate_errors, heats_and_matrices, readings
from localbias.figures.sliders import slider
from localbias.figures.style import CYCLE, use_style
from localbias.figures.text import (
    captioned,
    escapes,
    gallery,
    information,
    kinds,
    likeness,
    setting_ratios,
)
from localbias.figures.theory import biases, discs, forces, globes, localities, one_bit, shares

__all__ = [
    "CYCLE",
    "against_chance",
    "along_training",
    "areas_by_window",
    "biases",
    "by_outcome",
    "calibration",
    "captioned",
    "chains",
    "clouds",
    "coefficients",
    "cures",
    "denoisers",
    "depths",
    "directions",
    "discs",
    "escape",
    "escape_law",
    "escapes",
    "estimate_errors",
    "estimates",
    "exact_panels",
    "forces",
    "fourier_slopes",
    "gallery",
    "globes",
    "healing",
    "heat_frame",
    "heat_phases",
    "heats_and_matrices",
    "information",
    "kinds",
    "likeness",
    "linear",
    "localities",
    "matrices",
    "modes_frame",
    "moments",
    "mosaics",
    "one_bit",
    "outcome_bars",
    "outcome_curves",
    "outcome_ends",
    "outcome_panels",
    "over_levels",
    "phases",
    "probes",
    "pulls",
    "rates",
    "ratios_along",
    "reader_accuracy",
    "readings",
    "sample_grid",
    "scalar_strips",
    "scales",
    "setting_ratios",
    "shares",
    "shares_along",
    "show_signals",
    "slider",
    "splits",
    "three_targets",
    "threshold",
    "training",
    "use_style",
]
