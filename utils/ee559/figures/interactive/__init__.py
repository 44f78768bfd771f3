"""Interactive figures: one ES module each, shown by a kernel in JupyterLab and without one on the site's pages."""

from ee559.figures.interactive.batch import BatchAgainstLoop
from ee559.figures.interactive.figure import InteractiveFigure, page_script
from ee559.figures.interactive.filters import FilterOnDigits
from ee559.figures.interactive.losses import Losses
from ee559.figures.interactive.network import ThroughTheNetwork
from ee559.figures.interactive.registration import Registration
from ee559.figures.interactive.windows import Windows

FIGURES: tuple[type[InteractiveFigure], ...] = (
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
    "InteractiveFigure",
    "Losses",
    "Registration",
    "ThroughTheNetwork",
    "Windows",
    "page_script",
]
