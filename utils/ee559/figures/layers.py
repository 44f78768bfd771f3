"""Still figures of functions and layers: what goes in, what comes out, and how weights begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ee559.palette import LIGHT_PURPLE, ORANGE, PURPLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PIECES = {"nn.Conv2d": True, "F.max_pool2d": False, "F.relu": False, "nn.Linear": True, "nn.MSELoss": False}
"""The five pieces of a first network, and whether each carries parameters."""


def draw_pieces() -> Figure:
    """Draw the five pieces of a first convolutional network in a row; those with parameters are hatched.

    Source: slide A1.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(9.5, 1.7), layout="constrained")
    axis = figure.subplots()
    for k, (name, carries) in enumerate(PIECES.items()):
        corner = (1.5 * k, 0)
        axis.add_patch(
            Rectangle(corner, 1.1, 1, facecolor=LIGHT_PURPLE, edgecolor=PURPLE, hatch="//" if carries else "")
        )
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axis.text(1.5 * k + 0.55, 0.5, name, ha="center", va="center", fontsize=11, bbox=box)
        _arrow(axis, 1.5 * k - 0.38, 1.5 * k - 0.02)
    _arrow(axis, 1.5 * len(PIECES) - 0.38, 1.5 * len(PIECES) - 0.02)
    axis.text(-0.42, 0.5, "image", ha="right", va="center", fontsize=11)
    axis.text(1.5 * len(PIECES) + 0.02, 0.5, "loss", ha="left", va="center", fontsize=11)
    axis.text(0, -0.15, "hatched: carries parameters", va="top", fontsize=10)
    axis.set(xlim=(-1.1, 1.5 * len(PIECES) + 0.5), ylim=(-0.5, 1.1))
    axis.axis("off")
    return figure


def _arrow(axis: Axes, start: float, end: float) -> None:
    axis.annotate("", xy=(end, 0.5), xytext=(start, 0.5), arrowprops={"arrowstyle": "->", "lw": 1.5})


def draw_function(function: Callable[[Tensor], Tensor], label: str) -> Figure:
    """Draw a function that works value by value, and its derivative as autograd gives it, from −3 to 3.

    Source: slide A6.
    """
    from matplotlib.figure import Figure

    x = torch.linspace(-3, 3, 601, requires_grad=True)
    y = function(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    figure = Figure(figsize=(5.5, 3), layout="constrained")
    axis = figure.subplots()
    axis.plot(x.detach().numpy(), y.detach().numpy(), color=PURPLE, lw=2.5, label=label)
    axis.plot(x.detach().numpy(), slope.numpy(), color=ORANGE, lw=2, ls="--", label="its derivative")
    axis.set_xlabel("x")
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


def draw_first_weights(weights: Mapping[str, tuple[Tensor, float]]) -> Figure:
    """Draw a histogram of each layer's first weights, with the bounds ± between which they are drawn.

    Args:
        weights: for each title a weight of any size and its bound.

    Source: slide C3.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 2.8), layout="constrained")
    axes = figure.subplots(1, len(weights), sharex=True, squeeze=False)[0]
    for axis, (name, (weight, bound)) in zip(axes, weights.items(), strict=True):
        axis.hist(weight.detach().flatten().cpu().numpy(), bins=30, color=LIGHT_PURPLE, edgecolor=PURPLE)
        for side in (-bound, bound):
            axis.axvline(side, color=ORANGE, ls="--", lw=2)
        axis.set_title(f"{name}\nbound ±{bound:.3f}", fontsize=11)
        axis.set_xlabel("weight")
    axes[0].set_ylabel("how many")
    return figure
