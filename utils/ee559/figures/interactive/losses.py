"""Labels, ±1 targets, outputs that move, the mean square error, its gradient, and the broadcasting trap."""

from traitlets import Bool, Float, Int, List

from ee559.figures.interactive.figure import InteractiveFigure, module_source


class Losses(InteractiveFigure):
    """Move five outputs against the one-hot target of a label.

    Source: slides E1 to E5.
    """

    module = "losses"
    state = ("output", "label", "trap")
    _esm = module_source("losses")

    output = List(Float(), [0.5, -0.8, 1.2, -1.0, -0.3]).tag(sync=True)
    label = Int(0).tag(sync=True)
    trap = Bool(False).tag(sync=True)
