"""Hidden tests of practical 2, filters."""

from collections.abc import Iterator
from typing import Any

import torch
from ee559_course.practicals.hidden import Case, Draw, HiddenTest
from torch import Tensor
from torch.nn import functional as F

SEE = {
    "filters": ("05", "Five filters, written by hand"),
    "design": ("05", "Your own filter"),
    "repair": ("07", "Five labels, three classes"),
    "constant": ("06", "The mean square error"),
    "confusion": ("07", "Winner takes all"),
    "words": ("06", "The silent bug: broadcasting"),
}
SHIFT = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, 0]])
CENTRE = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
LOWER = torch.tensor([[1.0, 1, 1], [0, 0, 0], [-1, -1, -1]])
MEAN = torch.full((3, 3), 1 / 9)


def response(weight: Tensor, image: Tensor) -> Tensor:
    """Return the response (N, 1, H − 2, W − 2) of a filter to images."""
    return F.conv2d(image.double(), weight.double()[None, None])


class _Filter(HiddenTest):
    part = "filters"
    asks = "my_filters"
    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"image": Draw("image").pixels(1, 1, 4, 5)}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"image": draw.pixels(2, 1, draw.randint(5, 7), draw.randint(5, 7))}

    @classmethod
    def call(cls, case: Case) -> str:
        return "my_filters()"


class FilterThatMoves(_Filter):
    """One pixel to the right"""

    mistakes = {
        "filter 0 moves the image to the left": lambda image: expected_of(SHIFT.flip(1), image),
        "filter 0 moves the image down": lambda image: expected_of(SHIFT.t(), image),
        "filter 0 moves the image up": lambda image: expected_of(SHIFT.t().flip(0), image),
    }

    @staticmethod
    def answer(my_filters: Any, image: Tensor) -> object:
        made = my_filters()
        return {"size": list(made.shape), "filter": made[0]}

    @staticmethod
    def facts(came: Any, image: Tensor) -> object:
        response = F.conv2d(image.double(), came["filter"].double()[None, None])
        return {"size": came["size"], "response of filter 0": response}

    @staticmethod
    def expected(image: Tensor) -> object:
        return expected_of(SHIFT, image)


def expected_of(weight: Tensor, image: Tensor, number: int = 0) -> dict[str, object]:
    """Return what must come for a filter of four."""
    return {"size": [4, 3, 3], f"response of filter {number}": response(weight, image)}


class FilterThatSmooths(_Filter):
    """The mean of the window"""

    mistakes = {
        "filter 1 sums, and does not take the mean": lambda image: {"response of filter 1": response(9 * MEAN, image)}
    }

    @staticmethod
    def answer(my_filters: Any, image: Tensor) -> object:
        return my_filters()[1]

    @staticmethod
    def facts(came: Any, image: Tensor) -> object:
        return {"response of filter 1": F.conv2d(image.double(), came.double()[None, None])}

    @staticmethod
    def expected(image: Tensor) -> object:
        return {"response of filter 1": response(MEAN, image)}


class FilterOfLowerEdges(_Filter):
    """Lower edges"""

    mistakes = {
        "filter 2 finds upper edges": lambda image: {"response of filter 2": response(-LOWER, image)},
        "filter 2 finds left or right edges": lambda image: {"response of filter 2": response(LOWER.t(), image)},
    }

    @staticmethod
    def answer(my_filters: Any, image: Tensor) -> object:
        return my_filters()[2]

    @staticmethod
    def facts(came: Any, image: Tensor) -> object:
        return {"response of filter 2": F.conv2d(image.double(), came.double()[None, None])}

    @staticmethod
    def expected(image: Tensor) -> object:
        return {"response of filter 2": response(LOWER, image)}


class FilterThatSharpens(_Filter):
    """Twice the image minus the mean"""

    mistakes = {
        "filter 3 is the image minus the mean, once": lambda image: {
            "response of filter 3": response(CENTRE - MEAN, image)
        },
        "filter 3 takes away the sum of the window": lambda image: {
            "response of filter 3": response(2 * CENTRE - 9 * MEAN, image)
        },
    }

    @staticmethod
    def answer(my_filters: Any, image: Tensor) -> object:
        return my_filters()[3]

    @staticmethod
    def facts(came: Any, image: Tensor) -> object:
        return {"response of filter 3": F.conv2d(image.double(), came.double()[None, None])}

    @staticmethod
    def expected(image: Tensor) -> object:
        return {"response of filter 3": response(2 * CENTRE - MEAN, image)}


class _Dot(HiddenTest):
    part = "design"
    asks = "dot_filter"

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}

    @staticmethod
    def answer(dot_filter: Any) -> object:
        return dot_filter()


class DotOnRamps(_Dot):
    """Silent on ramps, and not at a dot"""

    points = 2

    @staticmethod
    def facts(came: Any) -> object:
        columns = torch.arange(4, dtype=torch.float64).expand(4, 4)
        images = {
            "constant": torch.ones_like(columns),
            "ramp along the columns": columns,
            "ramp along the rows": columns.t(),
        }
        found: dict[str, object] = {"size": list(came.shape)}
        for name, image in images.items():
            response = F.conv2d(image[None, None], came.double()[None, None])
            found[f"largest response to a {name}, rounded"] = round(response.abs().max().item(), 4)
        found["response of 1 at least to a lone pixel of 1"] = came[1, 1].item() >= 1 - 1e-6
        return found

    @staticmethod
    def expected() -> object:
        names = ("constant", "ramp along the columns", "ramp along the rows")
        silent = {f"largest response to a {name}, rounded": 0.0 for name in names}
        return {"size": [3, 3], **silent, "response of 1 at least to a lone pixel of 1": True}


class DotBudget(_Dot):
    """At most five weights"""

    points = 1

    @staticmethod
    def facts(came: Any) -> object:
        return {
            "weights that differ from 0, or 5 if they are fewer": max(int((came.abs() > 1e-6).sum()), 5),
            "magnitudes of 6 at most": came.abs().sum().item() <= 6 + 1e-4,
            "some weights differ from 0": bool((came.abs() > 1e-6).any()),
        }

    @staticmethod
    def expected() -> object:
        return {
            "weights that differ from 0, or 5 if they are fewer": 5,
            "magnitudes of 6 at most": True,
            "some weights differ from 0": True,
        }


class _Report(HiddenTest):
    part = "repair"
    asks = "my_report"


class ReportedTargets(_Report):
    """Each sample has a target of its own"""

    points = 2
    mistakes = {
        "each row of the targets has a 1 for every label of the batch": lambda output, labels: (
            (output - F.one_hot(labels, output.size(1)).amax(0)).square().mean().item()
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"output": torch.eye(3), "labels": torch.tensor([0, 1, 2])}
        draw = Draw("targets")
        for n, c in [(1, 3), (4, 2), (7, 5), (50, 4)]:
            yield {"output": draw.distinct(n, c), "labels": torch.arange(n) * 3 % c}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(3):
            n, c = draw.randint(4, 9), draw.randint(3, 6)
            yield {"output": draw.distinct(n, c), "labels": torch.tensor(draw.sample(range(c), 2) + [0] * (n - 2))}

    @staticmethod
    def answer(my_report: Any, output: Tensor, labels: Tensor) -> object:
        return my_report(output, labels)[0]

    @staticmethod
    def facts(came: Any, output: Tensor, labels: Tensor) -> object:
        return came.double().mean().item()

    @staticmethod
    def expected(output: Tensor, labels: Tensor) -> object:
        return (output - F.one_hot(labels, output.size(1))).double().square().mean().item()

    @classmethod
    def call(cls, case: Case) -> str:
        return f"the mean of all losses of {super().call(case)}"


class ReportedLosses(_Report):
    """A loss for each sample"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("losses")
        for n, c in [(1, 3), (3, 3), (5, 2), (2, 6)]:
            yield {"output": draw.distinct(n, c), "labels": torch.full((n,), c - 1)}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        n, c = draw.randint(2, 9), draw.randint(2, 6)
        yield {"output": draw.distinct(n, c), "labels": torch.full((n,), draw.randint(0, c - 1))}

    @staticmethod
    def answer(my_report: Any, output: Tensor, labels: Tensor) -> object:
        return my_report(output, labels)[0]

    @staticmethod
    def expected(output: Tensor, labels: Tensor) -> object:
        return (output - F.one_hot(labels, output.size(1))).square().mean(1)


class ReportedErrors(_Report):
    """The number of errors"""

    points = 2
    mistakes = {
        "no target is below 0, so that nothing is counted": lambda output, labels: 0,
        "the samples that are right": lambda output, labels: int((output.argmax(1) == labels).sum()),
        "a share, and not a number": lambda output, labels: (output.argmax(1) != labels).double().mean().item(),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"output": torch.tensor([[0.25, 0.5], [0.75, 0.25], [-1.0, -2.0]]), "labels": torch.tensor([0, 0, 0])}
        draw = Draw("errors")
        for n, c in [(9, 3), (20, 4), (12, 5)]:
            yield {"output": draw.distinct(n, c), "labels": torch.full((n,), 1)}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(3):
            n, c = draw.randint(15, 30), draw.randint(3, 6)
            yield {"output": draw.distinct(n, c), "labels": torch.full((n,), draw.randint(0, c - 1))}

    @staticmethod
    def answer(my_report: Any, output: Tensor, labels: Tensor) -> object:
        return my_report(output, labels)[1]

    @staticmethod
    def expected(output: Tensor, labels: Tensor) -> object:
        return int((output.argmax(1) != labels).sum())


class _Constant(HiddenTest):
    part = "constant"
    asks = "best_constants"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"target": torch.tensor([[0.0], [0.0], [0.0], [4.0]])}
        yield {"target": 2 * torch.eye(5) - 1}
        yield {"target": torch.tensor([[3.0, -7.0]], dtype=torch.float64)}
        yield {"target": torch.tensor([[1.0, -200.0], [2.0, -100.0], [30.0, -300.0]])}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(3):
            n, c = draw.randint(3, 12), draw.randint(1, 5)
            yield {"target": draw.normal(n, c).exp() - draw.normal(n, c).exp() / 2}


class ConstantOfTheSquare(_Constant):
    """The smallest mean square error"""

    mistakes = {
        "one number for all columns": lambda target: {"constant": target.mean().expand(target.size(1))},
        "the median, which is best for the absolute error": lambda target: {"constant": target.median(0).values},
    }

    @staticmethod
    def answer(best_constants: Any, target: Tensor) -> object:
        return best_constants(target)[0]

    @staticmethod
    def facts(came: Any, target: Tensor) -> object:
        return {"constant": came}

    @staticmethod
    def expected(target: Tensor) -> object:
        return {"constant": target.mean(0)}


class ConstantOfTheAbsoluteError(_Constant):
    """The smallest mean absolute error"""

    @staticmethod
    def answer(best_constants: Any, target: Tensor) -> object:
        return best_constants(target)[1]

    @staticmethod
    def facts(came: Any, target: Tensor) -> object:
        return {"size": list(came.shape), "error": (came.double() - target.double()).abs().mean().item()}

    @staticmethod
    def expected(target: Tensor) -> object:
        best = target.double().median(0).values
        return {"size": [target.size(1)], "error": (best - target.double()).abs().mean().item()}


class _Confusion(HiddenTest):
    part = "confusion"
    asks = "confusion"
    points = 2

    @staticmethod
    def answer(confusion: Any, output: Tensor, target: Tensor) -> object:
        return confusion(output, target)

    @staticmethod
    def expected(output: Tensor, target: Tensor) -> object:
        return counted(output, target)


def counted(output: Tensor, target: Tensor) -> Tensor:
    """Return the counts, sample by sample."""
    labels = target if target.dim() == 1 else target.argmax(1)
    table = torch.zeros(output.size(1), output.size(1), dtype=torch.int64)
    for label, winner in zip(labels.tolist(), output.argmax(1).tolist(), strict=True):
        table[label, winner] += 1
    return table


class ConfusionOfLabels(_Confusion):
    """Labels"""

    mistakes = {
        "rows and columns change places": lambda output, target: counted(output, target).t(),
        "the right samples alone": lambda output, target: counted(output, target).diag().diag(),
        "the wrong samples alone": lambda output, target: (
            counted(output, target) - counted(output, target).diag().diag()
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"output": torch.tensor([[1.0, 2.0, 0.0]]), "target": torch.tensor([0])}
        draw = Draw("labels")
        for n, c in [(8, 3), (50, 4), (3, 6)]:
            yield {"output": draw.distinct(n, c), "target": torch.arange(n) * 2 % c}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(3):
            n, c = draw.randint(20, 40), draw.randint(3, 6)
            yield {"output": draw.distinct(n, c), "target": draw.labels(n, c)}


class ConfusionOfTargets(_Confusion):
    """Targets of −1/+1 and of 0/1"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("targets of both kinds")
        for n, c in [(1, 3), (6, 4), (30, 5)]:
            hot = F.one_hot(torch.arange(n) * 2 % c, c).float()
            yield {"output": draw.distinct(n, c), "target": 2 * hot - 1}
            yield {"output": draw.distinct(n, c), "target": hot}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for low in (-1.0, 0.0):
            n, c = draw.randint(20, 40), draw.randint(3, 6)
            hot = F.one_hot(draw.labels(n, c), c).float()
            yield {"output": draw.distinct(n, c), "target": (1 - low) * hot + low}


class _Readings(HiddenTest):
    part = "words"
    asks = "my_readings"
    understanding = True

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}


class ReadingsOfTheSquare(_Readings):
    """What the mean square error prefers"""

    points = 2

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("loss at zero", "best constant", "its loss")}

    @staticmethod
    def expected() -> object:
        return {"loss at zero": 1.0, "best constant": -0.8, "its loss": 0.36}


class ReadingsOfTheAbsoluteError(_Readings):
    """What the absolute error prefers, and the errors of both"""

    points = 1

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("best for L1", "its L1", "errors")}

    @staticmethod
    def expected() -> object:
        return {"best for L1": -1.0, "its L1": 0.2, "errors": 90.0}
