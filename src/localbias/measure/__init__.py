"""What a run measures: what came out, and how locally it was made.

Here lives what looks at samples and at networks and gives numbers; nothing here trains, and nothing
draws.
"""

from localbias.measure.coefficients import order_slopes
from localbias.measure.latents import (
    Prediction,
    Step,
    latent_products,
    latent_region,
    nearest,
    signal_of,
    watched,
)
from localbias.measure.locality import Probe, Probing, smallest_integer
from localbias.measure.outcome import (
    OUTCOMES,
    Outcomes,
    chance,
    classify,
    escape,
    readable_share,
    tally,
)
from localbias.measure.trajectory import Watch, Watching

__all__ = [
    "OUTCOMES",
    "Outcomes",
    "Prediction",
    "Probe",
    "Probing",
    "Step",
    "Watch",
    "Watching",
    "chance",
    "classify",
    "escape",
    "latent_products",
    "latent_region",
    "nearest",
    "order_slopes",
    "readable_share",
    "signal_of",
    "smallest_integer",
    "tally",
    "watched",
]
