"""What a module registers of what it keeps, and what it forgets."""

from traitlets import List, Unicode

from ee559.figures.living.living_figure import LivingFigure, module_source


class Registration(LivingFigure):
    """Choose lines of a module, and see what parameters(), state_dict() and .to() find.

    Source: slides G1 to G5.
    """

    module = "registration"
    state = ("ways",)
    _esm = module_source("registration")

    ways = List(Unicode(), ["attribute", "list", "tensor"]).tag(sync=True)
