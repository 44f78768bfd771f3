"""Living figures: one ES module each, shown by a kernel in JupyterLab and without one on the site's pages."""

from ee559.figures.living.batch import BatchAgainstLoop
from ee559.figures.living.filters import FilterOnDigits
from ee559.figures.living.living_figure import LivingFigure, page_script
from ee559.figures.living.losses import Losses
from ee559.figures.living.network import ThroughTheNetwork
from ee559.figures.living.registration import Registration
from ee559.figures.living.windows import Windows

FIGURES: tuple[type[LivingFigure], ...] = (
    Windows,
    FilterOnDigits,
    Losses,
    ThroughTheNetwork,
    Registration,
    BatchAgainstLoop,
)

__all__ = [
    "FIGURES",
    "BatchAgainstLoop",
    "FilterOnDigits",
    "LivingFigure",
    "Losses",
    "Registration",
    "ThroughTheNetwork",
    "Windows",
    "page_script",
]
