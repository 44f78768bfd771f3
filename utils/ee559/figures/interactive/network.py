"""A real digit through every step of the lecture's network, with sizes, parameters and products."""

import base64
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from traitlets import Dict, Int, List, Unicode

from ee559.figures.interactive.figure import InteractiveFigure, module_source
from ee559.network import Net
from ee559.pictures import Picture

SHOWN_CHANNELS = 8


class ThroughTheNetwork(InteractiveFigure):
    """Change the network's sizes and see the lecture's table change; look at each step's activations.

    Source: slides F3 and F4.
    """

    module = "network"
    state = ("side", "kernel1", "pool1", "kernel2", "pool2", "nb_hidden", "digit", "step")
    data = ("activations",)
    _esm = module_source("network")

    side = Int(28).tag(sync=True)
    kernel1 = Int(5).tag(sync=True)
    pool1 = Int(3).tag(sync=True)
    kernel2 = Int(5).tag(sync=True)
    pool2 = Int(2).tag(sync=True)
    nb_hidden = Int(200).tag(sync=True)
    digit = Int(0).tag(sync=True)
    step = Unicode("conv1").tag(sync=True)
    activations = List(Dict()).tag(sync=True)

    def __init__(self, model: Net, images: Tensor, labels: Tensor, still: Picture, **traits: Any) -> None:
        """Record the activations of some images.

        Args:
            model: the lecture's network, trained or not.
            images: (N, 1, 28, 28), normalised as in its training.
            labels: (N), the images' classes.
            still: a picture of the figure as it begins.
            traits: the figure's first state.
        """
        steps = steps_of(model, images)
        activations = [
            {"label": int(label), "steps": [_packed(step[n]) for step in steps]} for n, label in enumerate(labels)
        ]
        super().__init__(still, activations=activations, **traits)


def steps_of(model: Net, images: Tensor) -> list[Tensor]:
    """Return what each step of the network gives, the images first: ten tensors.

    Args:
        model: the lecture's network.
        images: (N, 1, 28, 28).
    """
    with torch.no_grad():
        steps = [images]
        for conv, size in ((model.conv1, 3), (model.conv2, 2)):
            steps.append(conv(steps[-1]))
            steps.append(F.max_pool2d(steps[-1], kernel_size=size))
            steps.append(F.relu(steps[-1]))
        steps.append(model.fc1(steps[-1].flatten(1)))
        steps.append(F.relu(steps[-1]))
        steps.append(model.fc2(steps[-1]))
    return steps


def _packed(values: Tensor) -> dict[str, object]:
    """Pack one sample's activations, of the first channels, into a byte each: 128 is zero."""
    shown = values[:SHOWN_CHANNELS] if values.dim() == 3 else values
    largest = shown.abs().max().item() or 1.0
    levels = (shown / largest * 127).round().int() + 128
    packed = base64.b64encode(bytes(levels.flatten().tolist())).decode()
    return {"shape": list(shown.shape), "largest": largest, "values": packed}
