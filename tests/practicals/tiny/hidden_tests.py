"""Hidden tests of the practical that tests of the grading use: small, and with every kind of test that there is."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from ee559.practicals.asking import gradients_of, parameters_of, set_parameters
from ee559_course.practicals.hidden import Case, Draw, Forbidden, HiddenTest
from torch import Tensor, nn

FORBIDDEN = Forbidden(operators=("conv(?!ert)",), functions=("ee559.count_parameters", "ee559.layer_table"))
SEE = {
    "double": ("01", "What a tensor is"),
    "shift": ("02", "Padding"),
    "smooth": ("02", "A kernel slides"),
    "scale": ("09", "What a module registers"),
    "rows": ("10", "No loop over the samples"),
    "count": ("09", "Counting parameters"),
    "readings": ("04", "How many parameters"),
}


class DoubledValues(HiddenTest):
    """Twice each value, for integers as well."""

    part = "double"
    asks = "double"
    points = 2
    mistakes = {"the square": lambda x: x * x, "one more": lambda x: 2 * x + 1}

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([3.0])}
        yield {"x": torch.tensor([[1, -2], [0, 5]])}
        yield {"x": torch.tensor([0.5, float("nan")], dtype=torch.float64)}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"x": draw.normal(3, 4)}

    @staticmethod
    def answer(double: Callable[..., Any], x: Tensor) -> object:
        return double(x)

    @staticmethod
    def expected(x: Tensor) -> object:
        return 2 * x


def shifted(x: Tensor, by: int) -> Tensor:
    """Return what `shift` must."""
    made = torch.zeros_like(x)
    for place, value in enumerate(x):
        if 0 <= place + by < len(x):
            made[place + by] = value
    return made


class ShiftedRight(HiddenTest):
    """By a positive number of places."""

    part = "shift"
    asks = "shift"
    points = 1
    mistakes = {"what falls off comes in again": torch.roll}

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([1.0, 2.0, 3.0]), "by": 1}
        yield {"x": torch.tensor([1.0, 2.0, 3.0]), "by": 5}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"x": draw.normal(9), "by": draw.randint(2, 6)}

    @staticmethod
    def answer(shift: Callable[..., Any], x: Tensor, by: int) -> object:
        return shift(x, by)

    @staticmethod
    def expected(x: Tensor, by: int) -> object:
        return shifted(x, by)


class ShiftedLeft(HiddenTest):
    """By a negative number of places, or by none."""

    part = "shift"
    asks = "shift"
    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([1.0, 2.0, 3.0]), "by": 0}
        yield {"x": torch.tensor([1.0, 2.0, 3.0]), "by": -1}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"x": draw.normal(9), "by": -draw.randint(2, 6)}

    @staticmethod
    def answer(shift: Callable[..., Any], x: Tensor, by: int) -> object:
        return shift(x, by)

    @staticmethod
    def expected(x: Tensor, by: int) -> object:
        return shifted(x, by)


class SmoothedValues(HiddenTest):
    """Values and gradients."""

    part = "smooth"
    asks = "smooth"
    points = 3
    mistakes = {
        "the weights are turned round": lambda x, weights: {"output": x.unfold(1, len(weights), 1) @ weights.flip(0)},
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([[1.0, 2.0, 4.0]]), "weights": torch.tensor([1.0, 10.0])}
        yield {"x": torch.tensor([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]]), "weights": torch.tensor([1.0, 10.0, 100.0])}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for length in (5, 11):
            yield {"x": draw.normal(3, length), "weights": draw.normal(draw.randint(2, 5))}

    @staticmethod
    def answer(smooth: Callable[..., Any], x: Tensor, weights: Tensor) -> object:
        leaf = x.requires_grad_()
        output = smooth(leaf, weights)
        return {"output": output, "gradient for x": gradients_of(output, leaf)[0]}

    @staticmethod
    def expected(x: Tensor, weights: Tensor) -> object:
        leaf = x.clone().requires_grad_()
        output = leaf.unfold(1, len(weights), 1) @ weights
        return {"output": output.detach(), "gradient for x": torch.autograd.grad(output.sum(), leaf)[0]}


class ScaledOutput(HiddenTest):
    """The output."""

    part = "scale"
    asks = "Scale"
    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"factor": 3.0, "x": torch.tensor([1.0, -2.0])}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"factor": draw.uniform(-2, 2), "x": draw.normal(2, 5)}

    @staticmethod
    def answer(Scale: Callable[..., Any], factor: float, x: Tensor) -> object:
        return Scale(factor)(x)

    @staticmethod
    def expected(factor: float, x: Tensor) -> object:
        return factor * x

    @classmethod
    def call(cls, case: Case) -> str:
        return f"Scale({case['factor']:.4g})(x)"


class TrainedFactor(HiddenTest):
    """The factor is a parameter, and the output follows it."""

    part = "scale"
    asks = "Scale"
    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"factor": 3.0, "new": 5.0}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"factor": draw.uniform(-2, 2), "new": draw.uniform(3, 4)}

    @staticmethod
    def answer(Scale: Callable[..., Any], factor: float, new: float) -> object:
        scale = Scale(factor)
        found = parameters_of(scale)
        set_parameters(found, {name: torch.full_like(each, new) for name, each in found.items()})
        output = scale(torch.ones(2))
        return {"parameters": sum(each.numel() for each in found.values()), "output": output}

    @staticmethod
    def expected(factor: float, new: float) -> object:
        return {"parameters": 1, "output": torch.full((2,), new)}

    @classmethod
    def call(cls, case: Case) -> str:
        return f"Scale({case['factor']:.4g}), once its parameters are {case['new']:.4g}"


class RowSums(HiddenTest):
    """The sum of each row."""

    part = "rows"
    asks = "row_sums"
    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"x": draw.normal(4, 3)}

    @staticmethod
    def answer(row_sums: Callable[..., Any], x: Tensor) -> object:
        return row_sums(x)

    @staticmethod
    def expected(x: Tensor) -> object:
        return x.sum(1)


class NoLoopOverRows(HiddenTest):
    """No loop over the rows."""

    part = "rows"
    asks = "row_sums"
    points = 1
    seconds = 0.2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"nb_rows": 50_000, "seed": 0}
        yield {"nb_rows": 500_000, "seed": 0}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        seed = draw.getrandbits(32)
        yield {"nb_rows": 50_000, "seed": seed}
        yield {"nb_rows": 500_000, "seed": seed}

    @staticmethod
    def answer(row_sums: Callable[..., Any], nb_rows: int, seed: int) -> object:
        return row_sums(torch.rand(nb_rows, 2, generator=torch.Generator().manual_seed(seed)))

    @staticmethod
    def facts(came: Any, nb_rows: int, seed: int) -> object:
        places = torch.arange(1.0, 1.0 + len(came), dtype=torch.float64) / len(came)
        return {"some": came[:: nb_rows // 10], "all, weighted by their places": (places @ came.double()).item()}

    @classmethod
    def expected(cls, nb_rows: int, seed: int) -> object:
        x = torch.rand(nb_rows, 2, generator=torch.Generator().manual_seed(seed))
        return cls.facts(x.sum(1), nb_rows, seed)


class CountedParameters(HiddenTest):
    """Weights and biases, each once."""

    part = "count"
    asks = "nb_parameters"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"sizes": [3, 2]}
        yield {"sizes": [4, 3, 2]}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"sizes": [draw.randint(2, 9) for _ in range(4)]}

    @staticmethod
    def answer(nb_parameters: Callable[..., Any], sizes: list[int]) -> object:
        layers = [nn.Linear(sizes[k], sizes[k + 1]) for k in range(len(sizes) - 1)]
        return nb_parameters(nn.Sequential(*layers, layers[0]))

    @staticmethod
    def expected(sizes: list[int]) -> object:
        return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


class ReadOff(HiddenTest):
    """What is read off."""

    part = "readings"
    asks = "my_readings"
    points = 2
    understanding = True

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}

    @staticmethod
    def answer(my_readings: Callable[..., Any]) -> object:
        return my_readings()

    @staticmethod
    def expected() -> object:
        return {"weights": 1176, "smallest": "convolution"}
