"""Still figures of small tensors: their values as colours and as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ee559.palette import signed_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_values(tensors: Mapping[str, Tensor]) -> Figure:
    """Draw small 2d tensors side by side with their numbers, on one scale with a neutral zero.

    Args:
        tensors: (H, W) each, under the title to give it.

    Raises:
        ValueError: a tensor is not 2d.
    """
    for name, tensor in tensors.items():
        if tensor.dim() != 2:
            raise ValueError(f"expected 2d tensors, got {tuple(tensor.shape)} for {name}: choose a 2d slice.")
    from matplotlib.figure import Figure

    values = {name: tensor.detach().cpu().to(torch.float64) for name, tensor in tensors.items()}
    scale = max([float(value.abs().max()) for value in values.values()] + [1e-12])
    widths = [value.size(1) for value in values.values()]
    tallest = max(value.size(0) for value in values.values())
    figure = Figure(figsize=(min(9.5, 0.75 * sum(widths) + 0.8), 0.62 * tallest + 0.8), layout="constrained")
    axes = figure.subplots(1, len(values), width_ratios=widths, squeeze=False)[0]
    for axis, (name, value) in zip(axes, values.items(), strict=True):
        axis.imshow(value.numpy(), cmap=signed_colours(), vmin=-scale, vmax=scale)
        write_numbers(axis, value, scale)
        axis.set(xticks=[], yticks=[])
        axis.set_title(name, fontsize=11)
    return figure


def write_numbers(axis: Axes, values: Tensor, scale: float) -> None:
    """Write each value of a 2d tensor at its place, in white where it reads better than black: purple is darker."""
    for row, line in enumerate(values.tolist()):
        for column, value in enumerate(line):
            colour = "white" if not -0.95 * scale <= value <= 0.7 * scale else "black"
            text = f"{value:.3g}" if abs(value) >= 0.01 else f"{value:.2g}"
            text = "0" if value == 0 else text.replace("-", "−")
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
