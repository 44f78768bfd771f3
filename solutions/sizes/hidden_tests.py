"""Hidden tests of practical 1, sizes."""

from collections.abc import Iterator
from typing import Any

import torch
from ee559.practicals.asking import gradients_of
from ee559_course.practicals.hidden import Case, Draw, Forbidden, HiddenTest
from torch import Tensor
from torch.nn import functional as F

FORBIDDEN = Forbidden(operators=("conv", "pool", "im2col", "col2im"))
SEE = {
    "unseen": ("02", "Three words"),
    "repair": ("03", "The largest value of each window"),
    "conv": ("04", "The convolutional layer"),
    "field": ("02", "Three words"),
    "design": ("02", "Three words"),
    "words": ("04", "The convolutional layer"),
}


def not_met(length: int, kernel_size: int, stride: int, padding: int) -> list[int]:
    """Return the cells that no window meets, by looking at every window."""
    met: set[int] = set()
    start = -padding
    while start + kernel_size <= length + padding:
        met |= set(range(start, start + kernel_size))
        start += stride
    return [cell for cell in range(length) if cell not in met]


class _Unseen(HiddenTest):
    part = "unseen"
    asks = "unseen"
    mistakes = {
        "the windows' own cells, and not those that no window meets": lambda length, kernel_size, stride, padding: [
            cell for cell in range(length) if cell not in not_met(length, kernel_size, stride, padding)
        ],
        "the frame is left out": lambda length, kernel_size, stride, padding: not_met(length, kernel_size, stride, 0),
        "cells are counted from 1": lambda length, kernel_size, stride, padding: [
            cell + 1 for cell in not_met(length, kernel_size, stride, padding)
        ],
        "cells are counted from the frame's first": lambda length, kernel_size, stride, padding: [
            cell + padding for cell in not_met(length, kernel_size, stride, padding)
        ],
    }

    @staticmethod
    def answer(unseen: Any, length: int, kernel_size: int, stride: int, padding: int) -> object:
        return unseen(length, kernel_size, stride, padding)

    expected = staticmethod(not_met)


class UnseenWithoutAFrame(_Unseen):
    """Without a frame"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        for length, kernel_size, stride in [(1, 1, 1), (10, 3, 4), (10, 3, 1), (7, 7, 3), (9, 2, 3), (8, 1, 5)]:
            yield {"length": length, "kernel_size": kernel_size, "stride": stride, "padding": 0}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(20):
            length, kernel_size = draw.randint(8, 30), draw.randint(1, 6)
            yield {"length": length, "kernel_size": kernel_size, "stride": draw.randint(1, 7), "padding": 0}


class UnseenWithAFrame(_Unseen):
    """With a frame"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        for length, kernel_size, stride, padding in [
            (10, 3, 4, 1),
            (10, 3, 5, 2),
            (6, 2, 4, 2),
            (5, 5, 1, 2),
            (11, 4, 6, 1),
        ]:
            yield {"length": length, "kernel_size": kernel_size, "stride": stride, "padding": padding}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(20):
            length, kernel_size = draw.randint(8, 30), draw.randint(2, 6)
            padding, stride = draw.randint(1, kernel_size - 1), draw.randint(3, 8)
            yield {"length": length, "kernel_size": kernel_size, "stride": stride, "padding": padding}


class _Pooled(HiddenTest):
    part = "repair"
    asks = "my_max_pool2d"

    @staticmethod
    def answer(my_max_pool2d: Any, x: Tensor, kernel_size: int, stride: int) -> object:
        return my_max_pool2d(x, kernel_size, stride)

    @staticmethod
    def expected(x: Tensor, kernel_size: int, stride: int) -> object:
        return F.max_pool2d(x, kernel_size, stride)


class PooledNegativeValues(_Pooled):
    """Values below zero"""

    points = 1
    mistakes = {
        "the maximum begins at 0": lambda x, kernel_size, stride: F.max_pool2d(x, kernel_size, stride).clamp(min=0),
        "the maximum begins at a number that values may lie below": lambda x, kernel_size, stride: F.max_pool2d(
            x, kernel_size, stride
        ).clamp(min=-100),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": -torch.arange(1.0, 5.0).reshape(1, 1, 2, 2), "kernel_size": 2, "stride": 2}
        yield {"x": -1000 - torch.arange(32.0).reshape(2, 1, 4, 4), "kernel_size": 2, "stride": 2}
        yield {"x": torch.full((1, 2, 3, 3), -1e30, dtype=torch.float64), "kernel_size": 3, "stride": 3}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for kernel_size in (1, 2, 3):
            x = -draw.pixels(2, 2, 2 * kernel_size, 2 * kernel_size) - draw.choice([0.01, 200.0])
            yield {"x": x, "kernel_size": kernel_size, "stride": kernel_size}


class PooledWithAStride(_Pooled):
    """Strides other than the kernel size"""

    points = 2
    mistakes = {
        "it steps by the kernel size, where values are not below zero": lambda x, kernel_size, stride: torch.stack(
            [
                torch.stack(
                    [
                        F.pad(x, (0, 99, 0, 99))[
                            :, :, i * kernel_size : (i + 1) * kernel_size, j * kernel_size : (j + 1) * kernel_size
                        ].amax((2, 3))
                        for j in range((x.size(3) - kernel_size) // stride + 1)
                    ],
                    -1,
                )
                for i in range((x.size(2) - kernel_size) // stride + 1)
            ],
            2,
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.arange(16.0).reshape(1, 1, 4, 4), "kernel_size": 2, "stride": 1}
        yield {"x": torch.arange(98.0).flip(0).reshape(1, 2, 7, 7), "kernel_size": 3, "stride": 2}
        yield {"x": (torch.arange(200.0) * 37 % 199).reshape(2, 1, 10, 10), "kernel_size": 2, "stride": 3}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for kernel_size, stride in [(2, 1), (3, 2), (2, 3), (4, 1), (1, 2)]:
            side = draw.randint(7, 10)
            yield {"x": draw.distinct(2, 2, side, side).abs(), "kernel_size": kernel_size, "stride": stride}


class PooledOblongImages(_Pooled):
    """Images that are wider than high, or higher than wide"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.arange(12.0).reshape(1, 1, 2, 6), "kernel_size": 2, "stride": 2}
        yield {"x": torch.arange(36.0).reshape(1, 2, 6, 3), "kernel_size": 3, "stride": 3}
        yield {"x": (torch.arange(70.0) * 31 % 71).reshape(1, 1, 5, 14), "kernel_size": 2, "stride": 2}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for height, width in [(4, 9), (11, 4), (3, 13)]:
            yield {"x": draw.distinct(2, 3, height, width).abs(), "kernel_size": 2, "stride": 2}


class _Convolved(HiddenTest):
    part = "conv"
    asks = "my_conv2d"
    points = 2


class ConvolvedValues(_Convolved):
    """Values with a bias, stride 1 and no padding"""

    mistakes = {
        "the kernel is turned round, as in mathematics' convolution": lambda x, weight, bias: F.conv2d(
            x, weight.flip(2, 3), bias
        ),
        "the bias is not added": lambda x, weight, bias: F.conv2d(x, weight),
        "the bias is added for each input channel": lambda x, weight, bias: F.conv2d(x, weight, bias * x.size(1)),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {
            "x": torch.arange(4.0).reshape(1, 1, 2, 2),
            "weight": torch.tensor([[[[1.0, 10.0]]]]),
            "bias": torch.tensor([100.0]),
        }
        draw = Draw("conv")
        for n, c, d, h, w in [(2, 3, 4, 3, 3), (1, 2, 1, 2, 4), (5, 1, 2, 1, 1), (2, 3, 3, 5, 2)]:
            shapes = {"x": (n, c, 5, 6), "weight": (d, c, h, w), "bias": (d,)}
            yield {name: draw.normal(*shape, dtype=torch.float64) for name, shape in shapes.items()}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(4):
            n, c, d, h, w = (draw.randint(1, 4) for _ in range(5))
            shapes = {"x": (n, c, draw.randint(4, 7), draw.randint(4, 8)), "weight": (d, c, h, w), "bias": (d,)}
            yield {name: draw.normal(*shape) for name, shape in shapes.items()}

    @staticmethod
    def answer(my_conv2d: Any, x: Tensor, weight: Tensor, bias: Tensor) -> object:
        return my_conv2d(x, weight, bias)

    @staticmethod
    def expected(x: Tensor, weight: Tensor, bias: Tensor) -> object:
        return F.conv2d(x.double(), weight.double(), bias.double())


class ConvolvedWithStrideAndPadding(_Convolved):
    """Stride and padding, with kernels and images that are not square"""

    mistakes = {
        "the stride is not used": lambda x, weight, stride, padding: F.conv2d(x, weight, None, 1, padding),
        "the padding is not used": lambda x, weight, stride, padding: F.conv2d(x, weight, None, stride, 0),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("stride")
        for h, w, stride, padding in [(3, 3, 2, 0), (3, 3, 1, 1), (2, 4, 3, 2), (3, 1, 2, 1)]:
            x, weight = draw.normal(2, 2, 6, 7, dtype=torch.float64), draw.normal(3, 2, h, w, dtype=torch.float64)
            yield {"x": x, "weight": weight, "stride": stride, "padding": padding}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for stride, padding in [(2, 0), (1, 1), (3, 2), (2, 1)]:
            c, d, h, w = draw.randint(1, 3), draw.randint(1, 4), draw.randint(2, 4), draw.randint(1, 4)
            x = draw.normal(2, c, draw.randint(5, 9), draw.randint(5, 9))
            yield {"x": x, "weight": draw.normal(d, c, h, w), "stride": stride, "padding": padding}

    @staticmethod
    def answer(my_conv2d: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> object:
        return my_conv2d(x, weight, weight.new_zeros(len(weight)), stride, padding)

    @staticmethod
    def expected(x: Tensor, weight: Tensor, stride: int, padding: int) -> object:
        return F.conv2d(x.double(), weight.double(), None, stride, padding)


class ConvolvedGradients(_Convolved):
    """Gradients for x, weight and bias"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("gradient")
        for n, c, d, h, w in [(1, 1, 1, 2, 2), (2, 2, 3, 2, 3)]:
            shapes = {"x": (n, c, 4, 5), "weight": (d, c, h, w), "bias": (d,)}
            yield {name: draw.normal(*shape, dtype=torch.float64) for name, shape in shapes.items()}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        shapes = {"x": (2, 2, draw.randint(4, 5), 5), "weight": (3, 2, 3, 2), "bias": (3,)}
        yield {name: draw.normal(*shape) for name, shape in shapes.items()}

    @staticmethod
    def answer(my_conv2d: Any, x: Tensor, weight: Tensor, bias: Tensor) -> object:
        leaves = [each.requires_grad_() for each in (x, weight, bias)]
        output = my_conv2d(*leaves)
        gradients = gradients_of(output * torch.arange(1.0, 1.0 + output.numel()).reshape(output.shape), *leaves)
        return dict(zip(("gradient for x", "gradient for weight", "gradient for bias"), gradients, strict=True))

    @staticmethod
    def expected(x: Tensor, weight: Tensor, bias: Tensor) -> object:
        leaves = [each.double().requires_grad_() for each in (x, weight, bias)]
        output = F.conv2d(leaves[0], leaves[1], leaves[2])
        loss = (output * torch.arange(1.0, 1.0 + output.numel()).reshape(output.shape)).sum()
        names = ("gradient for x", "gradient for weight", "gradient for bias")
        return dict(zip(names, torch.autograd.grad(loss, leaves), strict=True))


Layers = list[tuple[int, int, int]]


def seen(layers: Layers) -> int:
    """Return how far one output sees, by following its cells back one by one."""
    cells = {0}
    for kernel_size, stride, dilation in reversed(layers):
        cells = {cell * stride + dilation * k for cell in cells for k in range(kernel_size)}
    return max(cells) - min(cells) + 1


class _Field(HiddenTest):
    part = "field"
    asks = "field"

    @staticmethod
    def answer(field: Any, layers: list[tuple[int, int, int]]) -> object:
        return field(layers)

    expected = staticmethod(seen)


class FieldOfSteps(_Field):
    """Layers of stride 1, with and without dilation"""

    points = 1
    mistakes = {
        "dilation is left out": lambda layers: seen([(k, s, 1) for k, s, _ in layers]),
        "kernel sizes are added up": lambda layers: sum(k for k, _, _ in layers),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for layers in (
            [],
            [(3, 1, 1)],
            [(3, 1, 1), (3, 1, 1)],
            [(1, 1, 1), (5, 1, 1)],
            [(3, 1, 2), (2, 1, 3), (4, 1, 1)],
        ):
            yield {"layers": layers}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for depth in (2, 3, 4):
            yield {"layers": [(draw.randint(1, 5), 1, draw.randint(1, 3)) for _ in range(depth)]}


class FieldOfStrides(_Field):
    """Layers with strides"""

    points = 2
    mistakes = {
        "strides are left out": lambda layers: seen([(k, 1, d) for k, _, d in layers]),
        "the layers are followed in the other direction": lambda layers: seen(layers[::-1]),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for layers in (
            [(3, 2, 1), (3, 1, 1)],
            [(2, 2, 1), (2, 2, 1), (2, 2, 1)],
            [(5, 1, 1), (3, 3, 1), (5, 1, 1), (2, 2, 1)],
            [(3, 4, 2), (4, 2, 3)],
            [(1, 3, 1), (2, 1, 1)],
        ):
            yield {"layers": layers}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for depth in (2, 3, 4):
            strides = [draw.randint(2, 3) for _ in range(depth)]
            yield {"layers": [(draw.randint(2, 4), stride, draw.randint(1, 2)) for stride in strides]}


class _Designed(HiddenTest):
    part = "design"
    asks = "my_stack"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}

    @staticmethod
    def answer(my_stack: Any) -> object:
        return [[int(number) for number in layer] for layer in my_stack()]


class DesignedSize(_Designed):
    """The stack ends at 4×4 places"""

    @staticmethod
    def facts(came: Any) -> object:
        side = 28
        for kernel_size, stride, padding in came:
            side = (side + 2 * padding - kernel_size) // stride + 1 if stride >= 1 else 0
        return {
            "at most six layers, and one at least": 1 <= len(came) <= 6,
            "kernels of 2 at least, strides of 1 at least": all(k >= 2 and s >= 1 for k, s, _ in came),
            "no padding as large as its kernel": all(0 <= p < k for k, _, p in came),
            "places along a side": side,
        }

    @staticmethod
    def expected() -> object:
        return {
            "at most six layers, and one at least": True,
            "kernels of 2 at least, strides of 1 at least": True,
            "no padding as large as its kernel": True,
            "places along a side": 4,
        }


class DesignedBudget(_Designed):
    """It sees 20 pixels, with 60 weights for each pair of channels"""

    @staticmethod
    def facts(came: Any) -> object:
        cells = 1
        for kernel_size, stride, _ in reversed(came):
            cells = (cells - 1) * stride + kernel_size
        return {
            "pixels seen, or 20 if they are more": min(cells, 20),
            "weights for each pair of channels, or 60 if they are fewer": max(sum(k * k for k, _, _ in came), 60),
            "kernels of 2 at least": all(k >= 2 for k, _, _ in came),
        }

    @staticmethod
    def expected() -> object:
        return {
            "pixels seen, or 20 if they are more": 20,
            "weights for each pair of channels, or 60 if they are fewer": 60,
            "kernels of 2 at least": True,
        }


class _Readings(HiddenTest):
    part = "words"
    asks = "my_readings"
    understanding = True

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}


class ReadingsOfTheNetwork(_Readings):
    """What the lecture's network sees"""

    points = 2

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("pixels seen", "pixels unseen", "with stride")}

    @staticmethod
    def expected() -> object:
        return {"pixels seen": 22, "pixels unseen": 2, "with stride": 39}


class ReadingsOfWeights(_Readings):
    """Two small kernels or a large one"""

    points = 1

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("cheaper", "weights saved")}

    @staticmethod
    def expected() -> object:
        return {"cheaper": "two", "weights saved": 7 * 32 * 32}
