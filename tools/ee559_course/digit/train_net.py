"""Train the lecture's Net on all of MNIST, and write what the page "Draw a digit" needs: ``ee559 train-net``."""

import hashlib
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from ee559 import Net, compute_nb_errors, load_mnist
from ee559.mnist import Mnist
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ee559_course.digit.still import draw_still_picture
from ee559_course.files import write_bytes
from ee559_course.paths import SITE_SOURCES

COMMAND = "ee559 train-net"
SEED = 0
NB_EPOCHS = 6
MINI_BATCH_SIZE = 100
ETA = 0.002
"""The largest step size of Adam; it rises to it, and falls to almost nothing at the end."""

# Operation, inputs, output, attributes: the steps of Net.forward in their order.
NODES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("Conv", "input conv1.weight conv1.bias", "conv1", {}),
    ("MaxPool", "conv1", "pool1", {"kernel_shape": [3, 3], "strides": [3, 3]}),
    ("Relu", "pool1", "relu1", {}),
    ("Conv", "relu1 conv2.weight conv2.bias", "conv2", {}),
    ("MaxPool", "conv2", "pool2", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Relu", "pool2", "relu2", {}),
    ("Flatten", "relu2", "flat", {"axis": 1}),
    ("Gemm", "flat fc1.weight fc1.bias", "fc1", {"transB": 1}),
    ("Relu", "fc1", "relu3", {}),
    ("Gemm", "relu3 fc2.weight fc2.bias", "logits", {"transB": 1}),
]
SHAPES: dict[str, list[int]] = {
    "conv1": [32, 24, 24],
    "pool1": [32, 8, 8],
    "relu1": [32, 8, 8],
    "conv2": [64, 4, 4],
    "pool2": [64, 2, 2],
    "relu2": [64, 2, 2],
    "fc1": [200],
    "relu3": [200],
    "logits": [10],
}
"""Name of each output of the ONNX model, and its shape for one image."""


def write_trained_net(folder: Path = SITE_SOURCES / "digit") -> Path:
    """Train, and write the weights, their record, the digits to pick and the still picture into ``folder``.

    Returns:
        The path of the record, net.json.
    """
    data = load_mnist("full", normalize=False)
    with one_thread():
        mean, std = data.train_input.mean().item(), data.train_input.std().item()
    start = time.process_time()
    model = train_net(data, mean, std)
    seconds = time.process_time() - start  # of a core, so that other work on the machine does not count
    nb_errors = compute_nb_errors(model, (data.test_input - mean) / std, data.test_target, 1000)

    content = to_onnx(model).SerializeToString()
    picks = [int(i) for label in range(10) for i in (data.test_target == label).nonzero()[:2, 0]]
    record = {
        "command": COMMAND,
        "seed": SEED,
        "epochs": NB_EPOCHS,
        "seconds": round(seconds),
        "torch": torch.__version__,
        "nb_errors": nb_errors,
        "nb_test": len(data.test_input),
        "sha256": hashlib.sha256(content).hexdigest(),
        "mean": mean,
        "std": std,
        "picks": picks,
        "parameters": parameter_places(model, content),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "net.onnx", content)
    write_bytes(folder / "net.json", (json.dumps(record, indent=1) + "\n").encode())
    # Two digits of each class, side by side, as the page's script reads them.
    write_bytes(folder / "digits.bin", data.test_input[picks].to(torch.uint8).numpy().tobytes())
    write_bytes(folder / "still.webp", draw_still_picture(model, (data.test_input[picks[15]] - mean) / std))
    return folder / "net.json"


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one core: then sums round alike, and weights come out the same, however many cores there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@one_thread()
def train_net(data: Mnist, mean: float, std: float) -> Net:
    """Train Net on raw pixels with ±1 targets and a mean square error; a progress bar shows the steps.

    Each time the network meets a digit, it is a little turned, grown and moved: drawn digits vary so too.
    """
    torch.manual_seed(SEED)
    model = Net()
    input, target = (data.train_input - mean) / std, 2 * F.one_hot(data.train_target).float() - 1
    blank = (0 - mean) / std
    nb_steps = NB_EPOCHS * math.ceil(len(input) / MINI_BATCH_SIZE)
    optimizer = torch.optim.Adam(model.parameters(), lr=ETA)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=ETA, total_steps=nb_steps)
    with tqdm(total=nb_steps, desc="training", unit="step") as bar:
        for _ in range(NB_EPOCHS):
            for chosen in torch.randperm(len(input)).split(MINI_BATCH_SIZE):
                loss = F.mse_loss(model(move(input[chosen], blank)), target[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
            bar.set_postfix(loss=f"{loss.item():.4f}")
    return model.eval()


def move(images: Tensor, blank: float) -> Tensor:
    """Turn each image (N, 1, 28, 28) by up to 10°, scale it by up to 10 % and shift it by up to 2 pixels.

    Args:
        images: the digits.
        blank: the value of paper, which comes in at the borders.
    """
    nb = len(images)
    angle = torch.empty(nb).uniform_(-math.pi / 18, math.pi / 18)
    scale = torch.empty(nb).uniform_(0.9, 1.1)
    shift = torch.empty(nb, 2).uniform_(-2 / 14, 2 / 14)  # half an image is 1
    cos, sin = angle.cos() * scale, angle.sin() * scale
    affine = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], 1).view(nb, 2, 3)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images - blank, grid, align_corners=False) + blank


def to_onnx(model: Net) -> onnx.ModelProto:
    """Write the network as an ONNX model for (N, 1, 28, 28) images, with every layer's activation as an output.

    The graph is written by hand: torch's exporter adds the paths of the machine's files to it.
    """
    graph = helper.make_graph(
        [helper.make_node(operation, names.split(), [out], **extra) for operation, names, out, extra in NODES],
        "Net",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]) for name, shape in SHAPES.items()],
        [numpy_helper.from_array(weight.numpy(), name) for name, weight in model.state_dict().items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def parameter_places(model: Net, content: bytes) -> dict[str, dict[str, list[int] | int]]:
    """Say where in the ONNX file each parameter's float32 values begin, so that a page can read them in it."""
    return {
        name: {"shape": list(weight.shape), "offset": content.index(weight.numpy().tobytes())}
        for name, weight in model.state_dict().items()
    }
