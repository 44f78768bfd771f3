"""What a practical forbids fails by every door that torch has, and is back when the check is over."""

import copy
import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import ee559
import pytest
import torch
from ee559.practicals.forbidding import Forbidden, forbid
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

X, W = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)
READY = nn.Conv2d(1, 1, 3)


def in_a_thread() -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            F.conv2d(X, W)
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


def in_a_backward() -> None:
    class Sneaky(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 1

        @staticmethod
        def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
            F.conv2d(X, W)
            return gradient

    Sneaky.apply(torch.ones(1, requires_grad=True)).backward()


def in_a_hook() -> None:
    leaf = torch.ones(1, requires_grad=True)
    leaf.register_hook(lambda gradient: F.conv2d(X, W).sum().reshape(1))
    (leaf * 2).sum().backward()


def traced() -> None:
    torch.jit.trace(lambda x: F.conv2d(x, W), X, check_trace=False)


DOORS: dict[str, Callable[[], object]] = {
    "the function": lambda: F.conv2d(X, W),
    "torch's own": lambda: torch.conv2d(X, W),
    "another number of dimensions": lambda: F.conv1d(X[0], W[0]),
    "a padding by name": lambda: F.conv2d(X, W, padding="same"),
    "transposed": lambda: F.conv_transpose2d(X, W),
    "the operator": lambda: torch.ops.aten.convolution(X, W, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
    "the operator below it": lambda: torch.ops.aten._slow_conv2d_forward(X, W, [3, 3], None, [1, 1], [0, 0]),
    "a module": lambda: nn.Conv2d(1, 1, 3)(X),
    "a module made before": lambda: READY(X),
    "a copy of a module": lambda: copy.deepcopy(READY)(X),
    "a method of the module": lambda: nn.Conv2d._conv_forward(READY, X, W, None),
    "a callback of an operator": lambda: torch.zeros(1).apply_(lambda value: F.conv2d(X, W).sum().item()),
    "a mapping of an operator": lambda: torch.zeros(1).map_(torch.zeros(1), lambda a, b: F.conv2d(X, W).sum().item()),
    "no gradients": torch.no_grad()(lambda: F.conv2d(X, W)),
    "inference": torch.inference_mode()(lambda: F.conv2d(X, W)),
    "float64": lambda: F.conv2d(X.double(), W.double()),
    "a tensor without values": lambda: F.conv2d(X.to("meta"), W.to("meta")),
    "a sparse tensor": lambda: F.conv2d(X.to_sparse(), W),
    "oneDNN's tensors": lambda: F.conv2d(X.to_mkldnn(), W.to_mkldnn()),
    "vmap": lambda: torch.vmap(lambda x: F.conv2d(x, W))(X[None]),
    "checkpointing": lambda: checkpoint(lambda x: F.conv2d(x, W), X, use_reentrant=False),
    "a thread": in_a_thread,
    "a backward pass of one's own": in_a_backward,
    "a hook": in_a_hook,
    "a trace": traced,
}


@pytest.mark.parametrize("door", DOORS)
def test_a_forbidden_operator_fails_by_every_door(door: str) -> None:
    with forbid(Forbidden(operators=("conv",))), pytest.raises(RuntimeError):
        DOORS[door]()


def test_the_refusal_says_what_to_do_and_ends_with_the_block() -> None:
    with forbid(Forbidden(operators=("conv", "relu"))):
        with pytest.raises(RuntimeError, match="do this by hand: torch's conv2d is not allowed"):
            F.conv2d(X, W)
        with pytest.raises(RuntimeError, match="do this by hand: torch's relu is not allowed"):
            torch.relu(X)
        assert torch.equal(X.clamp(min=0), X)
    assert F.conv2d(X, W).shape == (1, 1, 2, 2)


GRADIENTS: dict[str, Callable[[torch.Tensor], object]] = {
    "backward": lambda x: (x * x).sum().backward() or x.grad,
    "grad": lambda x: torch.autograd.grad((x * x).sum(), x)[0],
    "after enable_grad": torch.enable_grad()(lambda x: torch.autograd.grad((x * x).sum(), x)[0]),
    "torch.func": lambda x: torch.func.grad(lambda y: (y * y).sum())(x.detach()),
    "forward mode": lambda x: torch.func.jvp(lambda y: y * y, (x.detach(),), (torch.ones(3),))[1],
    "jacobian": lambda x: torch.autograd.functional.jacobian(lambda y: (y * y).sum(), x),
}


@pytest.mark.parametrize("way", GRADIENTS)
def test_forbidden_autograd_gives_no_gradient(way: str) -> None:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with forbid(Forbidden(autograd=True)):
        try:
            actual = GRADIENTS[way](x)
        except RuntimeError:
            actual = None
    assert actual is None or not torch.equal(torch.as_tensor(actual), 2 * x)
    assert torch.equal(torch.autograd.grad((x * x).sum(), x)[0], 2 * x)


def test_a_forbidden_function_fails_under_each_of_its_names() -> None:
    alias = ee559.compute_nb_errors
    with forbid(Forbidden(functions=("ee559.compute_nb_errors", "torch.nn.Bilinear"))):
        for call in (alias, ee559.compute_nb_errors, ee559.training.compute_nb_errors):
            with pytest.raises(RuntimeError, match=r"do this by hand: ee559\.compute_nb_errors is not allowed"):
                call(nn.Identity(), torch.eye(2), torch.eye(2))
        with pytest.raises(RuntimeError, match=r"torch\.nn\.Bilinear is not allowed"):
            nn.Bilinear(1, 1, 1)
    assert alias(nn.Identity(), torch.eye(2), torch.eye(2)) == 0
    assert nn.Bilinear(1, 1, 1).weight.shape == (1, 1, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that cannot fork keeps nothing for a test")
def test_what_is_kept_cannot_be_found_and_undone() -> None:
    if (child := os.fork()) == 0:
        status = 1
        try:
            forbid(Forbidden(operators=("conv",), autograd=True)).keep()
            found = [each for each in gc.get_objects() if type(each).__name__ == "_DispatchModule"]
            gc.collect()
            try:
                F.conv2d(X, W)
            except RuntimeError:
                status = 2 if found or (X.requires_grad_() * 1).requires_grad else 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_nothing_forbidden_changes_nothing() -> None:
    with forbid(Forbidden()):
        assert F.conv2d(X, W).shape == (1, 1, 2, 2)
