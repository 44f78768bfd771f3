"""Filters of 3×3 or 5×5 on real digits, or on one that the reader draws."""

import base64
from typing import Any

from torch import Tensor
from traitlets import Float, Int, List, Unicode

from ee559.figures.interactive.figure import InteractiveFigure, module_source
from ee559.pictures import Picture

OUTLINE = [0.0, -1.0, 0.0, -1.0, 4.0, -1.0, 0.0, -1.0, 0.0]


class FilterOnDigits(InteractiveFigure):
    """Edit a filter, and see at once what it answers to a digit.

    Source: slides D4 to D8.
    """

    module = "filters"
    state = ("digit", "weight")
    data = ("digits", "labels")
    _esm = module_source("filters")

    digit = Int(0).tag(sync=True)
    weight = List(Float(), OUTLINE).tag(sync=True)
    digits = Unicode().tag(sync=True)
    labels = List(Int()).tag(sync=True)

    def __init__(self, images: Tensor, labels: Tensor, still: Picture, **traits: Any) -> None:
        """Show digits.

        Args:
            images: (N, 1, 28, 28), values from 0 to 255.
            labels: (N), the digits' classes.
            still: a picture of the figure as it begins.
            traits: the number of the first digit, and the weights of the first filter, row by row.

        Raises:
            ValueError: the sizes are others.
        """
        if images.dim() != 4 or images.shape[1:] != (1, 28, 28) or labels.shape != images.shape[:1]:
            raise ValueError(
                f"expected images (N, 1, 28, 28) and labels (N), got {tuple(images.shape)} and {tuple(labels.shape)}."
            )
        pixels = bytes(images.round().clamp(0, 255).flatten().int().tolist())
        super().__init__(still, digits=base64.b64encode(pixels).decode(), labels=labels.tolist(), **traits)
