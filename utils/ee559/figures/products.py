"""Still figures of matrix products: which row and which column meet in an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ee559.figures.values import write_numbers
from ee559.palette import signed_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_product(
    left: Tensor, right: Tensor, entry: tuple[int, int], names: tuple[str, str, str] = ("x", "wᵀ", "s")
) -> Figure:
    """Draw left · right = result, with a frame round the row and the column that meet in one entry.

    Args:
        left: (N, D).
        right: (D, K).
        entry: the row n and the column k of the result to explain.
        names: what to call the three matrices.

    Raises:
        ValueError: a tensor is not 2d, the inner sizes differ, or the entry lies outside the result.

    Source: slides H1, H2 and H4.
    """
    if left.dim() != 2 or right.dim() != 2 or left.size(1) != right.size(0):
        raise ValueError(
            f"expected sizes (N, D) and (D, K), got {tuple(left.shape)} and {tuple(right.shape)}: "
            "transpose one of them, or check their order."
        )
    n, k = entry
    if not (0 <= n < left.size(0) and 0 <= k < right.size(1)):
        raise ValueError(f"expected an entry within {left.size(0)}×{right.size(1)}, got {entry}.")
    from matplotlib.figure import Figure

    left, right = left.detach().cpu(), right.detach().cpu()
    matrices = (left, right, left @ right)
    figure = Figure(figsize=(9.5, 3.2), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=[matrix.size(1) for matrix in matrices])
    frames = ((0, n, left.size(1), 1), (k, 0, 1, right.size(0)), (k, n, 1, 1))
    for axis, matrix, name, frame in zip(axes, matrices, names, frames, strict=True):
        _draw_matrix(axis, matrix, f"{name}: {matrix.size(0)}×{matrix.size(1)}", frame)
    return figure


def _draw_matrix(axis: Axes, matrix: Tensor, title: str, frame: tuple[int, int, int, int]) -> None:
    """Draw one matrix with its numbers, and a frame (column, row, width, height) counted in entries."""
    from matplotlib.patches import Rectangle

    scale = max(float(matrix.abs().max()), 1e-12)
    axis.imshow(matrix.to(torch.float64).numpy(), cmap=signed_colours(), vmin=-scale, vmax=scale)
    write_numbers(axis, matrix, scale)
    column, row, width, height = frame
    for colour, thickness in (("white", 6), ("black", 3)):  # two tones show on light and on dark entries
        corner = (column - 0.44, row - 0.44)
        axis.add_patch(Rectangle(corner, width - 0.12, height - 0.12, fill=False, lw=thickness, edgecolor=colour))
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_title(title)
