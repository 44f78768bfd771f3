"""Still figures of the lecture's network: the shapes of a digit on its way, and where parameters and products are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ee559.palette import LIGHT_PURPLE, PURPLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_shapes(shapes: Mapping[str, tuple[int, ...]]) -> Figure:
    """Draw a box for each step: as high as its image, the wider the more channels; a bar for a vector.

    Args:
        shapes: for each step (C, H, W), or (C,) for a vector.

    Raises:
        ValueError: a shape has neither one nor three dimensions.

    Source: slide F3.
    """
    for name, shape in shapes.items():
        if len(shape) not in (1, 3):
            raise ValueError(f"expected shapes (C, H, W) or (C,) without the batch dimension, got {shape} for {name}.")
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(9.5, 3.2), layout="constrained")
    axis = figure.subplots()
    left = 0.0
    for name, shape in shapes.items():
        depth = 4 + 3 * shape[0] ** 0.5 if len(shape) == 3 else 3.0
        height = float(shape[1]) if len(shape) == 3 else 4 + 1.25 * shape[0] ** 0.5
        middle = left + max(depth, 9) / 2
        box = Rectangle(
            (middle - depth / 2, -height / 2), depth, height, facecolor=LIGHT_PURPLE, edgecolor=PURPLE, lw=1.5
        )
        axis.add_patch(box)
        axis.text(middle, 17, "×".join(map(str, shape)), ha="center", fontsize=9.5)
        axis.text(middle, -17, name.replace(", ", "\n"), ha="center", va="top", fontsize=9.5)
        left = middle + max(depth, 9) / 2 + 7
    axis.set(xlim=(-3, left - 4), ylim=(-24, 21))
    axis.axis("off")
    return figure


def draw_counts(counts: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw bars of the parameters and of the products of each layer, with the numbers.

    Args:
        counts: for each layer its parameters and its products a sample.

    Source: slides F3 and F4.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 0.8 + 0.5 * len(counts)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    names = list(counts)
    for axis, title, which, hatch in zip(axes, ("parameters", "products"), (0, 1), ("", "///"), strict=True):
        values = [counts[name][which] for name in names]
        bars = axis.barh(names, values, color=LIGHT_PURPLE, edgecolor=PURPLE, hatch=hatch)
        axis.bar_label(bars, [f"{value:,}" for value in values], padding=4, fontsize=9.5)
        axis.set_xlim(0, 1.3 * max(values))
        axis.set_title(title, fontsize=11)
        axis.set_xticks([])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    axes[0].invert_yaxis()
    return figure
