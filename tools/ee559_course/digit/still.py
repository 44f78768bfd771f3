"""The picture of a digit in every layer, for the page "Draw a digit" where no script runs."""

from io import BytesIO

import torch
from ee559 import Net
from ee559.palette import signed_colours
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

ROWS_OF_MAPS = {1: 1, 32: 2, 64: 4, 200: 4, 10: 1}
WIDTH, TITLE, INPUT_WIDTH = 7.0, 0.3, 1.4
"""Inches: of the picture, the height of a layer's name, the width of the digit."""


def draw_still_picture(model: Net, digit: Tensor) -> bytes:
    """Draw the activation of every layer for one normalised digit (1, 28, 28), as a WebP file."""
    layers = {
        name: values[0] if values.dim() == 4 else values[0].view(-1, 1, 1)
        for name, values in every_activation(model, digit.unsqueeze(0)).items()
    }
    pictures = {name: mosaic(maps, ROWS_OF_MAPS[len(maps)]) for name, maps in layers.items()}
    widths = {name: INPUT_WIDTH if name == "input" else WIDTH for name in layers}
    heights = {name: widths[name] * picture.size(0) / picture.size(1) for name, picture in pictures.items()}
    total = sum(heights.values()) + TITLE * len(layers)
    figure = Figure(figsize=(WIDTH, total))
    top = total
    for name, maps in layers.items():
        top -= TITLE + heights[name]
        axes = figure.add_axes((0, top / total, widths[name] / WIDTH, heights[name] / total))
        largest = maps.abs().max().item()
        axes.imshow(pictures[name].numpy(), cmap=signed_colours(), vmin=-largest, vmax=largest, aspect="auto")
        axes.set_axis_off()
        size = f"{len(maps)} units" if maps[0].numel() == 1 else " × ".join(map(str, maps.shape))
        axes.set_title(f"{name}: {size}", fontsize=9, loc="left", pad=3)
    buffer = BytesIO()
    figure.savefig(buffer, format="webp", dpi=100, facecolor="white", pil_kwargs={"quality": 50})

    return buffer.getvalue()


@torch.no_grad()
def every_activation(model: Net, input: Tensor) -> dict[str, Tensor]:
    """Run the steps of Net.forward one by one: name of each layer, and its activation for input (N, 1, 28, 28)."""
    steps = {"input": input}
    steps["conv1"] = model.conv1(input)
    steps["pool1"] = F.max_pool2d(steps["conv1"], kernel_size=3)
    steps["relu1"] = F.relu(steps["pool1"])
    steps["conv2"] = model.conv2(steps["relu1"])
    steps["pool2"] = F.max_pool2d(steps["conv2"], kernel_size=2)
    steps["relu2"] = F.relu(steps["pool2"])
    steps["fc1"] = model.fc1(steps["relu2"].flatten(1))
    steps["relu3"] = F.relu(steps["fc1"])
    steps["logits"] = model.fc2(steps["relu3"])
    return steps


def mosaic(maps: Tensor, nb_rows: int) -> Tensor:
    """Lay maps (K, H, W) out in rows, NaN between them."""
    padded = F.pad(maps, (0, 1, 0, 1), value=float("nan"))
    height, width = padded.shape[1:]
    rows = padded.view(nb_rows, -1, height, width)
    return rows.permute(0, 2, 1, 3).reshape(nb_rows * height, -1)[:-1, :-1]
