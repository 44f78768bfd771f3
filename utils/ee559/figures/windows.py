"""Still figures of windows that move over a tensor: padding, stride and kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from ee559.palette import LIGHT_ORANGE, ORANGE, PURPLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_windows(
    input: Tensor,
    output: Tensor,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int] = (0, 0),
    pad_text: str = "0",
) -> Figure:
    """Draw each position of a window over one channel, with its frame of padding and the value it gives.

    Args:
        input: (H, W).
        output: (H', W'), what each window gives; a panel each.
        kernel_size: height and width of the window.
        stride: its steps downwards and to the right.
        padding: rows above and below, columns on the left and on the right; drawn hatched.
        pad_text: what the frame holds.

    Raises:
        ValueError: a tensor is not 2d, or a window of the output does not touch the input.

    Source: slide B2.
    """
    if input.dim() != 2 or output.dim() != 2:
        raise ValueError(f"expected 2d tensors, got {tuple(input.shape)} and {tuple(output.shape)}: choose a slice.")
    for side in range(2):
        if (output.size(side) - 1) * stride[side] >= input.size(side) + padding[side]:
            raise ValueError(
                f"expected an output that fits the input {tuple(input.shape)}, got {tuple(output.shape)}: "
                "check stride and padding."
            )
    from matplotlib.figure import Figure

    rows, columns = output.shape
    height, width = (input.size(side) + 2 * padding[side] for side in range(2))
    figure = Figure(
        figsize=(min(9.5, 0.36 * width * columns + 1), 0.36 * height * rows + 0.5 * rows), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for column in range(columns):
            axis = axes[row, column]
            _draw_padded(axis, input, padding, pad_text)
            top, left = row * stride[0], column * stride[1]
            _frame(axis, left, top, kernel_size[1], kernel_size[0])
            axis.set(xlim=(-0.1, max(width, left + kernel_size[1]) + 0.1))
            axis.set(ylim=(max(height, top + kernel_size[0]) + 0.1, -0.1), aspect="equal")
            value = f"{output[row, column].item():g}".replace("-", "−")
            axis.set_title(f"output[{row}, {column}] = {value}", fontsize=10)
            axis.axis("off")
    return figure


def _draw_padded(axis: Axes, input: Tensor, padding: tuple[int, int], pad_text: str) -> None:
    """Draw the values of the input and, hatched, the frame round them; a cell is a unit square."""
    from matplotlib.patches import Rectangle

    (height, width), (above, left) = input.shape, padding
    for y in range(height + 2 * above):
        for x in range(width + 2 * left):
            inside = above <= y < above + height and left <= x < left + width
            face, hatch = ("white", "") if inside else ("#f0f0f0", "////")
            axis.add_patch(Rectangle((x, y), 1, 1, facecolor=face, hatch=hatch, edgecolor="#bdbdbd", lw=0.8))
            text = f"{input[y - above, x - left].item():g}".replace("-", "−") if inside else pad_text
            box = None if inside else {"facecolor": "#f0f0f0", "edgecolor": "none", "pad": 0.5}
            axis.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=8, bbox=box)


def _frame(axis: Axes, x: float, y: float, width: float, height: float) -> None:
    from matplotlib.patches import Rectangle

    axis.add_patch(Rectangle((x, y), width, height, facecolor=LIGHT_ORANGE, alpha=0.55, edgecolor="none"))
    axis.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=ORANGE, lw=3))


def draw_steps(length: int, windows: Mapping[str, tuple[int, int, list[int]]]) -> Figure:
    """Draw along one side where windows lie: a row of cells, and under it a bar for each window.

    Args:
        length: cells of the input's side, numbered from 0.
        windows: for each title the kernel size, the padding and the windows' first cells, which are negative in
            the padding.

    Source: slides B3 and B4.
    """
    from matplotlib.figure import Figure

    deepest = max(len(starts) for _, _, starts in windows.values())
    figure = Figure(figsize=(9.5, 0.9 + 0.24 * deepest), layout="constrained")
    axes = figure.subplots(1, len(windows), squeeze=False)[0]
    first = min(min([0, *starts]) for _, _, starts in windows.values())
    last = max(max([length, *(start + kernel for start in starts)]) for kernel, _, starts in windows.values())
    for axis, (title, (kernel_size, padding, starts)) in zip(axes, windows.items(), strict=True):
        _draw_cells(axis, length, padding)
        for k, start in enumerate(starts):
            axis.plot([start + 0.1, start + kernel_size - 0.1], [1.35 + 0.42 * k] * 2, color=PURPLE, lw=4)
        axis.set(xlim=(first - 0.2, last + 0.2), ylim=(1.4 + 0.42 * deepest, -0.1))
        axis.set_title(f"{title}: {len(starts)} windows", fontsize=11)
        axis.axis("off")
    return figure


def _draw_cells(axis: Axes, length: int, padding: int) -> None:
    from matplotlib.patches import Rectangle

    for x in range(-padding, length + padding):
        inside = 0 <= x < length
        hatch = "" if inside else "////"
        axis.add_patch(Rectangle((x, 0), 1, 1, facecolor="white", edgecolor="#737373", hatch=hatch))
        if inside:
            axis.text(x + 0.5, 0.5, f"{x}", ha="center", va="center", fontsize=9)
