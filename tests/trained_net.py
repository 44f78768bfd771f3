"""The network of the page "Draw a digit", as it is committed, for the tests of the page and of its training."""

import json
from pathlib import Path

import onnx
import torch
from ee559 import Net
from onnx import numpy_helper
from torch import Tensor

FILES = Path(__file__).resolve().parents[1] / "site" / "digit"
RECORD = json.loads((FILES / "net.json").read_text(encoding="utf-8"))


def trained_net() -> Net:
    """Read the weights that the page runs."""
    model = Net()
    initializers = onnx.load(FILES / "net.onnx").graph.initializer
    model.load_state_dict({each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in initializers})
    return model.eval()


def normalised(pixels: Tensor) -> Tensor:
    """Normalise pixels as those of the training were."""
    normal: Tensor = (pixels - RECORD["mean"]) / RECORD["std"]
    return normal
