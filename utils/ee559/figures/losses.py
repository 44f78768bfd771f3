"""Still figures of losses: squared differences, and how a loss falls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from ee559.palette import LIGHT_PURPLE, ORANGE, PURPLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_differences(input: Tensor, target: Tensor) -> Figure:
    """Draw each difference of two vectors as a square, and write its area and the mean of the areas.

    Args:
        input: (N,) outputs.
        target: (N,) targets.

    Raises:
        ValueError: the shapes differ, or are not one-dimensional.

    Source: slides E1 and E2.
    """
    if input.dim() != 1 or input.shape != target.shape:
        raise ValueError(f"expected two vectors of one length, got {tuple(input.shape)} and {tuple(target.shape)}.")
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    sides = [abs(float(x) - float(t)) for x, t in zip(input, target, strict=True)]
    step = max([*sides, 1.0]) + 0.8
    figure = Figure(figsize=(min(9.5, 1.9 * len(sides) + 0.6), 2.9), layout="constrained")
    axis = figure.subplots()
    for k, side in enumerate(sides):
        axis.add_patch(Rectangle((k * step, 0), side, side, facecolor=LIGHT_PURPLE, edgecolor=PURPLE, lw=2))
        axis.text(k * step + side / 2, max(side / 2, 0.3), f"{side * side:g}", ha="center", va="center", fontsize=12)
        text = f"output {float(input[k]):g}\ntarget {float(target[k]):g}".replace("-", "−")
        axis.text(k * step, -0.25, text, va="top", fontsize=10)
    axis.axhline(0, color="#737373", lw=1)
    mean = sum(side * side for side in sides) / len(sides)
    axis.set_title(f"area: squared difference; mean of {len(sides)}: {mean:g}", fontsize=11)
    axis.set(xlim=(-0.3, len(sides) * step), ylim=(-1.5, max([*sides, 1.0]) + 0.3), aspect="equal")
    axis.axis("off")
    return figure


def draw_training(losses: Mapping[str, Sequence[float]]) -> Figure:
    """Draw losses against epochs, a line with markers of its own for each run.

    Args:
        losses: for each run the mean loss of each epoch, in order.

    Source: slide E9.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    axis = figure.subplots()
    styles = ((PURPLE, "o", "-"), (ORANGE, "s", "--"), ("#737373", "^", ":"))
    for (name, values), (colour, marker, line) in zip(losses.items(), styles, strict=False):
        axis.plot(range(1, len(values) + 1), values, color=colour, marker=marker, ls=line, lw=2, label=name)
    axis.set_xlabel("epoch")
    axis.set_ylabel("mean loss")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend()
    return figure
