"""Hidden tests of practical 1, sizes."""

from collections.abc import Iterator
from typing import Any

import torch
from ee559.practicals.asking import gradients_of
from ee559.practicals.question import written_call
from ee559_course.practicals.hidden import Case, Draw, Forbidden, HiddenTest
from torch import Tensor
from torch.nn import functional as F

FORBIDDEN = Forbidden(operators=("conv(?!ert)", "pool", "im2col", "col2im"))
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
        "the first window begins at cell 0, and not at the frame's first": (
            lambda length, kernel_size, stride, padding: [
                cell for cell in not_met(length + 2 * padding, kernel_size, stride, 0) if cell < length
            ]
        ),
        "the frame's cells are listed too, counted from the frame's first": (
            lambda length, kernel_size, stride, padding: not_met(length + 2 * padding, kernel_size, stride, 0)
        ),
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
    see = ("02", "Exercise 2: where the windows begin")

    @staticmethod
    def fixed() -> Iterator[Case]:
        for length, kernel_size, stride, padding in [
            (10, 3, 4, 1),
            (10, 3, 5, 2),
            (6, 2, 4, 2),
            (5, 5, 1, 2),
            (11, 4, 6, 1),
            (7, 3, 3, 1),
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
        yield {"x": -torch.arange(1.0, 9.0).reshape(1, 2, 2, 2), "kernel_size": 2, "stride": 2}
        yield {"x": -1000 - torch.arange(32.0).reshape(2, 1, 4, 4), "kernel_size": 2, "stride": 2}
        yield {"x": torch.full((1, 2, 3, 3), -1e30, dtype=torch.float64), "kernel_size": 3, "stride": 3}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for kernel_size in (1, 2, 3):
            x = -draw.pixels(2, 2, 2 * kernel_size, 2 * kernel_size) - draw.choice([0.01, 200.0])
            yield {"x": x, "kernel_size": kernel_size, "stride": kernel_size}


def pooled_by_kernel_steps(x: Tensor, kernel_size: int, stride: int, start: float) -> Tensor:
    """Pool as the given code does: windows begin a kernel size apart, and some lie beyond the end."""
    rows, columns = ((side - kernel_size) // stride + 1 for side in x.shape[2:])
    far = kernel_size * max(rows, columns)
    framed = F.pad(x, (0, far, 0, far), value=start)
    return F.max_pool2d(framed, kernel_size)[:, :, :rows, :columns]


class PooledWithAStride(_Pooled):
    """Strides other than the kernel size"""

    points = 1
    mistakes = {
        "the windows begin a kernel size apart, not a stride": lambda x, kernel_size, stride: pooled_by_kernel_steps(
            x, kernel_size, stride, 0.0
        ),
        "the windows begin a kernel size apart, not a stride, and some meet nothing": (
            lambda x, kernel_size, stride: pooled_by_kernel_steps(x, kernel_size, stride, -torch.inf)
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
    """Images that are wider than tall, or taller than wide"""

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


class PooledGradients(_Pooled):
    """Gradients for x"""

    points = 1
    see = ("01", "In place")

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([[[[1.0, 3.0], [2.0, 4.0]]]]), "kernel_size": 2, "stride": 2}
        yield {"x": (1 + torch.arange(72.0) * 31 % 73).reshape(2, 1, 6, 6), "kernel_size": 3, "stride": 3}
        yield {
            "x": 1 + torch.arange(16.0, dtype=torch.float64).flip(0).reshape(1, 1, 4, 4),
            "kernel_size": 1,
            "stride": 1,
        }

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for kernel_size in (2, 3):
            side = kernel_size * draw.randint(2, 3)
            yield {"x": draw.distinct(2, 2, side, side).abs(), "kernel_size": kernel_size, "stride": kernel_size}

    @staticmethod
    def answer(my_max_pool2d: Any, x: Tensor, kernel_size: int, stride: int) -> object:
        leaf = x.requires_grad_()
        return {"gradient for x": gradients_of(my_max_pool2d(leaf, kernel_size, stride), leaf)[0]}

    @staticmethod
    def expected(x: Tensor, kernel_size: int, stride: int) -> object:
        leaf = x.detach().clone().requires_grad_()
        return {"gradient for x": gradients_of(F.max_pool2d(leaf, kernel_size, stride), leaf)[0]}


def linear_weight(weight: Tensor, height: int, width: int, stride: int = 1, padding: int = 0) -> Tensor:
    """Return the matrix that equals a convolution: its responses to images with a single 1, one in each column."""
    pixels = weight.size(1) * height * width
    images = torch.eye(pixels).reshape(pixels, weight.size(1), height, width)
    return F.conv2d(images, weight, None, stride, padding).flatten(1).t()


def reordered(weight: Tensor, height: int, width: int, order: tuple[int, ...]) -> Tensor:
    """Return the matrix with the filters, rows, columns, channels, rows and columns in another order."""
    rows, columns = height - weight.size(2) + 1, width - weight.size(3) + 1
    sizes = (weight.size(0), rows, columns, weight.size(1), height, width)
    return linear_weight(weight, height, width).reshape(sizes).permute(order).flatten(3).flatten(0, 2)


def counted(*size: int) -> Tensor:
    """Return weights 1, 2, 3 and so on: each is told from all others."""
    return torch.arange(1.0, 1.0 + torch.Size(size).numel()).reshape(size)


def mirrored(weight: Tensor) -> Tensor:
    """Return a kernel that is the same when it is turned round, which another test looks at."""
    return weight + weight.flip(2, 3)


class _Linear(HiddenTest):
    part = "conv"
    asks = "as_linear"

    @classmethod
    def call(cls, case: Case) -> str:
        """Write the whole call, with what the answer fills in."""
        weight = case["weight"] if "weight" in case else torch.ones(len(case["bias"]), 2, 2, 3)
        given = {"weight": weight, "bias": torch.zeros(len(weight)), "height": 0, "width": 0, "stride": 1, "padding": 0}
        return written_call(cls.asks, given | case)


class LinearWithStrideOne(_Linear):
    """The matrix for stride 1, without padding"""

    points = 2
    mistakes = {
        "the kernel is turned round, as in mathematics' convolution": lambda weight, height, width: {
            "how many are returned": 2,
            "matrix": linear_weight(weight.flip(2, 3), height, width),
        },
        "rows and columns of the matrix have changed places": lambda weight, height, width: {
            "how many are returned": 2,
            "matrix": linear_weight(weight, height, width).t(),
        },
        "the filters of one place follow each other, but flatten(1) lists all places of a filter first": (
            lambda weight, height, width: {
                "how many are returned": 2,
                "matrix": reordered(weight, height, width, (1, 2, 0, 3, 4, 5)),
            }
        ),
        "the channels of one pixel follow each other, but flatten(1) lists all pixels of a channel first": (
            lambda weight, height, width: {
                "how many are returned": 2,
                "matrix": reordered(weight, height, width, (0, 1, 2, 4, 5, 3)),
            }
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for d, c, h, w, height, width in [
            (1, 1, 1, 2, 1, 4),
            (2, 2, 2, 1, 3, 2),
            (3, 1, 1, 1, 2, 2),
            (2, 3, 3, 2, 3, 4),
        ]:
            yield {"weight": counted(d, c, h, w), "height": height, "width": width}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(4):
            d, c, h, w = (draw.randint(1, 3) for _ in range(4))
            yield {"weight": draw.normal(d, c, h, w), "height": h + draw.randint(1, 2), "width": w + draw.randint(0, 3)}
        yield {"weight": draw.normal(2, 2, 2, 3), "height": 4, "width": 6}

    @staticmethod
    def answer(as_linear: Any, weight: Tensor, height: int, width: int) -> object:
        pair = as_linear(weight, weight.new_zeros(len(weight)), height, width, 1, 0)
        return {"how many are returned": len(pair), "matrix": pair[0]}

    @staticmethod
    def expected(weight: Tensor, height: int, width: int) -> object:
        return {"how many are returned": 2, "matrix": linear_weight(weight, height, width)}


def judged_matrix(weight: Tensor, height: int, width: int, stride: int, padding: int) -> object:
    """Return what is judged of a matrix: of one with many filters and channels, not their order."""
    matrix = linear_weight(weight, height, width, stride, padding)
    if weight.size(1) == 1:
        return matrix
    return {
        "shape of the matrix": list(matrix.shape),
        "its numbers in increasing order": matrix.flatten().sort().values,
    }


class LinearWithStrideAndPadding(_Linear):
    """The matrix with stride and padding, for kernels and images that are not square"""

    points = 2
    mistakes = {
        "the stride is not used": lambda weight, height, width, stride, padding: judged_matrix(
            weight, height, width, 1, padding
        ),
        "the padding is not used": lambda weight, height, width, stride, padding: judged_matrix(
            weight, height, width, stride, 0
        ),
        "the frame is still there": lambda weight, height, width, stride, padding: judged_matrix(
            weight, height + 2 * padding, width + 2 * padding, stride, 0
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for h, w, height, width, stride, padding in [
            (1, 2, 2, 5, 2, 0),
            (2, 2, 2, 3, 1, 1),
            (3, 2, 4, 3, 2, 1),
            (2, 4, 3, 6, 3, 2),
        ]:
            weight = mirrored(counted(1, 1, h, w) ** 2)
            yield {"weight": weight, "height": height, "width": width, "stride": stride, "padding": padding}
        weight = mirrored(counted(1, 1, 2, 3) ** 2).repeat(2, 2, 1, 1)
        yield {"weight": weight, "height": 3, "width": 4, "stride": 2, "padding": 1}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for stride, padding in [(2, 0), (1, 1), (3, 2), (2, 1), (2, 2)]:
            weight = mirrored(draw.normal(1, 1, draw.randint(3, 4), draw.randint(3, 4)))
            height, width = draw.randint(5, 6), draw.randint(7, 8)
            yield {"weight": weight, "height": height, "width": width, "stride": stride, "padding": padding}
            many = weight.repeat(draw.randint(1, 2), 2, 1, 1)
            yield {"weight": many, "height": height, "width": width, "stride": stride, "padding": padding}

    @staticmethod
    def answer(as_linear: Any, weight: Tensor, height: int, width: int, stride: int, padding: int) -> object:
        return as_linear(weight, weight.new_zeros(len(weight)), height, width, stride, padding)[0]

    @staticmethod
    def facts(came: Any, weight: Tensor, height: int, width: int, stride: int, padding: int) -> object:
        if weight.size(1) == 1:
            return came
        return {
            "shape of the matrix": list(came.shape),
            "its numbers in increasing order": came.flatten().sort().values,
        }

    expected = staticmethod(judged_matrix)


def judged_shifts(shifts: Tensor, bias: Tensor) -> dict[str, object]:
    """Return what is judged of a linear layer's bias that has these values."""
    numbers = shifts.reshape(len(bias), -1)
    return {
        "least and largest number for each filter": torch.stack([numbers.amin(1), numbers.amax(1)], 1),
        "gradient for bias, divided by the places": torch.ones(len(bias)),
    }


class LinearBias(_Linear):
    """The bias and its gradient, with stride and padding"""

    points = 1
    mistakes = {
        "the whole bias is repeated, but flatten(1) lists all places of a filter first": (
            lambda bias, height, width, stride, padding: judged_shifts(bias.repeat(1000), bias)
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for values, height, width, stride, padding in [
            ([5.0, 7.0], 3, 3, 1, 0),
            ([1.0, -2.0, 3.0], 3, 4, 1, 0),
            ([0.5, 4.0], 5, 4, 2, 1),
        ]:
            bias = torch.tensor(values)
            yield {"bias": bias, "height": height, "width": width, "stride": stride, "padding": padding}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for stride, padding in [(1, 0), (2, 1)]:
            bias, height, width = draw.normal(draw.randint(2, 4)), draw.randint(4, 6), draw.randint(4, 6)
            yield {"bias": bias, "height": height, "width": width, "stride": stride, "padding": padding}

    @staticmethod
    def answer(as_linear: Any, bias: Tensor, height: int, width: int, stride: int, padding: int) -> object:
        leaf = bias.requires_grad_()
        matrix, shifts = as_linear(torch.ones(len(bias), 2, 2, 3), leaf, height, width, stride, padding)
        return {"rows": len(matrix), "shifts": shifts, "gradient": gradients_of(shifts, leaf)[0]}

    @staticmethod
    def facts(came: Any, bias: Tensor, height: int, width: int, stride: int, padding: int) -> object:
        shifts, gradient = came["shifts"], came["gradient"]
        size, rows = list(shifts.shape), came["rows"]
        places = (height - 1) * (width - 2) if (stride, padding) == (1, 0) else rows // len(bias)
        fits = size == [rows] and rows == len(bias) * places and places >= 2
        assert fits, f"the bias is one number for each row of the matrix, which has {rows} rows, got {size}"
        numbers = shifts.reshape(len(bias), -1)
        return {
            "least and largest number for each filter": torch.stack([numbers.amin(1), numbers.amax(1)], 1),
            "gradient for bias, divided by the places": None if gradient is None else gradient / numbers.size(1),
        }

    @staticmethod
    def expected(bias: Tensor, height: int, width: int, stride: int, padding: int) -> object:
        return judged_shifts(bias, bias)


class LinearGradients(_Linear):
    """Gradients for the weight"""

    points = 1
    see = ("05", "Five filters, written by hand")

    @staticmethod
    def fixed() -> Iterator[Case]:
        for d, c, h, w, height, width in [(1, 2, 1, 1, 2, 2), (2, 2, 2, 2, 3, 3), (1, 3, 2, 2, 4, 4)]:
            yield {"weight": counted(d, c, h, w), "height": height, "width": width}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        side = draw.randint(3, 5)
        yield {"weight": draw.normal(2, 3, 2, 2), "height": side, "width": side}

    @staticmethod
    def answer(as_linear: Any, weight: Tensor, height: int, width: int) -> object:
        leaf = weight.requires_grad_()
        matrix = as_linear(leaf, weight.new_zeros(len(weight)), height, width, 1, 0)[0]
        return {"matrix": matrix, "gradient": gradients_of(matrix**2, leaf)[0]}

    @staticmethod
    def facts(came: Any, weight: Tensor, height: int, width: int) -> object:
        matrix = came["matrix"].flatten(1)  # of any order: where each number stands is another test's business
        return {
            "numbers along the matrix's sides, in increasing order": sorted(matrix.shape),
            "rows and columns of zeros alone": sum(int((matrix == 0).all(side).sum()) for side in (0, 1)),
            "gradient of the sum of the matrix's squares": came["gradient"],
        }

    @staticmethod
    def expected(weight: Tensor, height: int, width: int) -> object:
        places = (height - weight.size(2) + 1) * (width - weight.size(3) + 1)
        return {
            "numbers along the matrix's sides, in increasing order": sorted(
                (len(weight) * places, weight.size(1) * height * width)
            ),
            "rows and columns of zeros alone": 0,
            "gradient of the sum of the matrix's squares": 2 * places * weight.detach(),
        }


Layers = list[tuple[int, int, int]]


def seen(layers: Layers) -> int:
    """Return how far one output sees, by following its cells back one by one."""
    cells = {0}
    for kernel_size, stride, dilation in reversed(layers):
        cells = {cell * stride + dilation * k for cell in cells for k in range(kernel_size)}
    return max(cells) - min(cells) + 1


def seen_by_multiples(layers: Layers, more: int) -> int:
    """Return how far one output would see if m outputs of a layer took m strides, and a kernel and some more."""
    cells = 1
    for kernel_size, stride, dilation in reversed(layers):
        cells = cells * stride + dilation * (kernel_size - 1) + more
    return cells


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
        "m outputs take m strides, and it is m − 1: the first window needs none": lambda layers: seen_by_multiples(
            layers, 1
        ),
        "dilation is left out: lecture 03 has it in the formula for a side": lambda layers: seen(
            [(k, s, 1) for k, s, _ in layers]
        ),
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
        "m outputs take m strides, and it is m − 1: the first window needs none": lambda layers: seen_by_multiples(
            layers, 0
        ),
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

    @staticmethod
    def answer(my_stack: Any, criterion: int) -> object:
        import operator

        return [[operator.index(number) for number in layer] for layer in my_stack()]

    @staticmethod
    def facts(came: Any, criterion: int) -> object:
        assert all(len(layer) == 2 for layer in came), "each layer is a pair (kernel_size, stride)"
        side, seen, step, weights, products = 28, 1, 1, 0, 0
        for kernel_size, stride in came:
            side = (side - kernel_size) // stride + 1 if kernel_size >= 1 and stride >= 1 else 0
            seen, step = seen + (kernel_size - 1) * step, step * stride
            weights, products = weights + kernel_size**2, products + (kernel_size * side) ** 2
        strange = [each for each in came if each[0] < 2 or each[1] < 1]
        form = ["no layer: one to six are allowed"] if not came else []
        form += [f"{len(came)} layers: at most six are allowed"] if len(came) > 6 else []
        form += [f"a layer {strange[0]}: kernels are at least 2×2, and strides at least 1"] if strange else []
        few = [f"{side}×{side} places at the end: at least 4×4 are wanted"] if side < 4 else []
        few += [f"one place sees {seen} pixels along a side: at least 20 are wanted"] if seen < 20 else []
        of_pair = "for each pair of channels: at most"
        faults = {
            1: form + [f"{side}×{side} places at the end: exactly 4×4 are wanted"] * (side != 4),
            2: few + [f"{weights} weights {of_pair} 60 are allowed"] * (weights > 60),
            3: few + [f"{products:,} products {of_pair} 6,000 are allowed"] * (products > 6000),
        }
        met = " and ".join(str(number) for number, found in faults.items() if not found) or "none"
        assert not faults[criterion], f"{faults[criterion][0]}. Criteria met: {met}"
        return True

    @staticmethod
    def expected(criterion: int) -> object:
        return True

    @classmethod
    def call(cls, case: Case) -> str:
        return "my_stack()"


class DesignedSize(_Designed):
    """The stack ends at 4×4 places"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"criterion": 1}


class DesignedWeights(_Designed):
    """It sees 20 pixels, with 60 weights for each pair of channels"""

    points = 2
    see = ("04", "Shapes of the parameters")

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"criterion": 2}


class DesignedProducts(_Designed):
    """It sees 20 pixels, with 6,000 products for each pair of channels"""

    points = 1
    see = ("04", "The convolutional layer")

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"criterion": 3}


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
    def facts(came: Any) -> object:
        for name, value in came.items():
            assert not isinstance(value, float) or value % 1 == 0, f"{name}: expected a whole number, got {value}"
        return came

    @staticmethod
    def expected() -> object:
        return {"pixels seen": 22, "pixels unseen": 2, "with stride": 39}


class ReadingsOfTheMatrix(_Readings):
    """What a convolution's linear layer holds"""

    points = 1

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        letter = read["after a step"]
        letter = letter.strip().upper() if isinstance(letter, str) else letter
        return {"not zero": read["not zero"], "after a step": letter}

    @staticmethod
    def facts(came: Any) -> object:
        number, letter = came["not zero"], came["after a step"]
        assert not isinstance(number, float) or number % 1 == 0, f"not zero: expected a whole number, got {number}"
        assert letter in ("A", "B", "C"), f"after a step: expected one of the letters A, B and C, got {letter!r}"
        return came

    @staticmethod
    def expected() -> object:
        return {"not zero": 32 * (5 * 28 - 2 * (1 + 2)) ** 2, "after a step": "B"}
