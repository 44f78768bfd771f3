"""What a module registers of what it keeps, and what it forgets."""

from traitlets import List, Unicode

from ee559.figures.interactive.figure import InteractiveFigure, module_source


class Registration(InteractiveFigure):
    """Choose lines of a module, and see what parameters(), state_dict() and .to() find.

    Source: slides G1 to G5.
    """

    module = "registration"
    state = ("ways",)
    _esm = module_source("registration")

    ways = List(Unicode(), ["attribute", "list", "tensor"]).tag(sync=True)
