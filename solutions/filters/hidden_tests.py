"""Hidden tests of practical 2, filters."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from ee559_course.practicals.hidden import Case, Draw, HiddenTest
from torch import Tensor
from torch.nn import functional as F

SEE = {
    "filters": ("05", "Five filters, written by hand"),
    "mean": ("04", "The convolutional layer"),
    "constant": ("06", "The mean square error"),
    "repair": ("06", "The silent bug: broadcasting"),
    "margin": ("07", "Winner takes all"),
    "words": ("06", "The silent bug: broadcasting"),
}


def detected(weights: Tensor, threshold: Tensor | float, pattern: Tensor, tolerance: int) -> dict[str, object]:
    """Return what `_Detector.facts` finds for weights and a threshold."""
    return _Detector.facts({"weights": weights, "threshold": float(threshold)}, pattern, tolerance)


class _Detector(HiddenTest):
    part = "filters"
    asks = "detector"
    points = 1

    @staticmethod
    def answer(detector: Any, pattern: Tensor, tolerance: int) -> object:
        """Return the weights and the threshold."""
        weights, threshold = detector(pattern, tolerance)
        return {"weights": weights, "threshold": float(threshold)}

    @staticmethod
    def facts(came: Any, pattern: Tensor, tolerance: int) -> dict[str, object]:
        """Count the windows, of all there are, that are taken for what they are not."""
        weights, number = came["weights"], pattern.numel()
        kind = getattr(weights, "name", type(weights).__name__)
        assert isinstance(weights, Tensor), f"weights: expected a tensor, got a {kind}"
        size, wanted = list(weights.shape), list(pattern.shape)
        assert size == wanted, f"size of the weights: expected {wanted}, as the pattern has, got {size}"
        windows = (torch.arange(2**number)[:, None] >> torch.arange(number)) & 1
        taken = (windows * weights.reshape(-1).double()).sum(1) > came["threshold"]
        fits = (windows != pattern.reshape(-1)).sum(1) <= tolerance
        return {
            "windows that it must take and does not": int((fits & ~taken).sum()),
            "windows that it takes and must not": int((taken & ~fits).sum()),
        }

    @staticmethod
    def expected(pattern: Tensor, tolerance: int) -> object:
        """Return that no window is taken for what it is not."""
        return {
            "windows that it must take and does not": 0,
            "windows that it takes and must not": 0,
        }


class DetectorOfThePattern(_Detector):
    """Exactly the pattern, and nothing else"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield patterns of 3×3, plain ones among them, without tolerance."""
        for rows in ([[0, 1, 1]] * 3, [[0, 0, 0]] * 3, [[1, 1, 1]] * 3, [[0, 0, 0], [0, 1, 0], [0, 0, 0]]):
            yield {"pattern": torch.tensor(rows).float(), "tolerance": 0}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more patterns of 3×3."""
        for _ in range(5):
            yield {"pattern": draw.pixels(3, 3).round(), "tolerance": 0}

    mistakes: ClassVar = {
        "the pattern itself is the filter, so bright pixels in wrong places do not count": lambda pattern, tolerance: (
            detected(pattern, pattern.sum() - 0.5, pattern, tolerance)
        ),
        "the threshold is what the pattern itself answers, and that is not greater than itself": (
            lambda pattern, tolerance: detected(2 * pattern - 1, pattern.sum(), pattern, tolerance)
        ),
    }


class DetectorWithTolerance(_Detector):
    """Windows with as many wrong pixels as are tolerated"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield patterns of 3×3 with several tolerances, up to the largest."""
        edge = torch.tensor([[0.0, 1, 1]] * 3)
        yield from ({"pattern": edge, "tolerance": tolerance} for tolerance in (1, 2, 8))
        yield {"pattern": torch.eye(3), "tolerance": 3}
        yield {"pattern": torch.zeros(3, 3), "tolerance": 2}
        yield {"pattern": torch.ones(3, 3), "tolerance": 1}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more patterns of 3×3, with tolerances."""
        for tolerance in (1, 2, 4, draw.randint(3, 7), draw.randint(1, 8)):
            yield {"pattern": draw.pixels(3, 3).round(), "tolerance": tolerance}

    mistakes: ClassVar = {
        "each wrong pixel takes 1 from the answer, and not 2": lambda pattern, tolerance: detected(
            2 * pattern - 1, pattern.sum() - 2 * tolerance - 0.5, pattern, tolerance
        ),
        "exactly as many wrong pixels as are tolerated are too many": lambda pattern, tolerance: detected(
            2 * pattern - 1, pattern.sum() - tolerance + 0.5, pattern, tolerance
        ),
        "the tolerance is not used": lambda pattern, tolerance: detected(
            2 * pattern - 1, pattern.sum() - 0.5, pattern, tolerance
        ),
    }


class DetectorOfOtherSizes(_Detector):
    """Patterns of other sizes than 3×3"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield the statement's example, single pixels, and sizes that are not square."""
        for rows in ([[0, 1]], [[1]], [[0]], [[1], [0], [1]], [[0, 1, 1, 0], [1, 1, 0, 0]]):
            yield {"pattern": torch.tensor(rows).float(), "tolerance": 0}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them."""
        for size in ((2, 3), (3, 2), (1, 5), (2, 5), (4, 2)):
            yield {"pattern": draw.pixels(*size).round(), "tolerance": 0}


class _CheapMean(HiddenTest):
    part = "mean"
    asks = "cheap_mean"
    points = 2

    @staticmethod
    def answer(cheap_mean: Any, n: int, most: int) -> object:
        """Return the filters of the chain."""
        return list(cheap_mean(n))

    @staticmethod
    def facts(came: Any, n: int, most: int) -> dict[str, object]:
        """Apply the chain to images, and count the weights that are not zero."""
        for each in came:
            found = f"size {list(each.shape)}" if isinstance(each, Tensor) else f"a {type(each).__name__}"
            fits = isinstance(each, Tensor) and each.dim() == 2 and each.numel() > 0
            assert fits, f"each filter is a tensor (h, w), got {found}"
        size = [n + 4 - sum(each.size(0) - 1 for each in came), n + 6 - sum(each.size(1) - 1 for each in came)]
        came_to = f"{size[0]}×{size[1]}"
        assert size == [5, 7], f"size of the result for {n + 4}×{n + 6} pixels: expected 5×7, got {came_to}"
        plain = torch.ones(1, 1, n + 4, n + 6, dtype=torch.float64)
        image = torch.rand(plain.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
        wanted = F.avg_pool2d(image, n, stride=1)
        for each in came:
            plain = F.conv2d(plain, each[None, None].double())
            image = F.conv2d(image, each[None, None].double())
        answer, cost = plain[0, 0, 2, 3].item(), sum(int(each.count_nonzero()) for each in came)
        if abs(answer - 1) <= 1e-6 + 1e-5:  # else that is what is told
            is_mean = bool((image - wanted).abs().max() < 1e-5)
            assert is_mean, "where all pixels are 1 it is the mean, and on other images it is not"
            assert cost <= most, f"cost {cost}: at most {most} is allowed"
        return {"answer where all pixels are 1": answer}

    @staticmethod
    def expected(n: int, most: int) -> object:
        """Return what holds for a chain within its budget."""
        return {"answer where all pixels are 1": 1.0}

    @classmethod
    def call(cls, case: Case) -> str:
        """Write the call without its budget."""
        return f"cheap_mean({case['n']})"


class CheapMean(_CheapMean):
    """The mean of any window, at a cost of 2n"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield small windows, primes, and others."""
        yield from ({"n": n, "most": 2 * n} for n in (1, 2, 3, 4, 6, 7, 12, 25, 63))

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more windows; the powers of two from 16 on are the other test's."""
        for n in draw.sample([n for n in range(5, 64) if n not in (16, 32)], 6):
            yield {"n": n, "most": 2 * n}


class CheaperMean(_CheapMean):
    """The mean of 16, 32 and 64 pixels a side, at the smaller cost"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield the three sizes."""
        yield from ({"n": n, "most": most} for n, most in ((16, 24), (32, 30), (64, 36)))


def least_loss(loss: str, t: Tensor) -> float:
    """Return the smallest loss of a constant output."""
    values = t.double().flatten()
    costs: dict[str, Callable[[Tensor], Tensor]] = {
        "mse": lambda d: d.square().mean(),
        "l1": lambda d: d.abs().mean(),
        "strict": lambda d: d.square().mean(),
        "largest": lambda d: d.abs().max(),
        "fourth": lambda d: d.pow(4).mean(),
        "huber": lambda d: F.huber_loss(d, torch.zeros_like(d), delta=0.5),
        "above": lambda d: torch.where(d > 0, 4 * d, -d).mean(),
        "below": lambda d: torch.where(d > 0, d, -3 * d).mean(),
    }
    low, high = values.min().item(), values.max().item()
    for _ in range(200):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, b) if costs[loss](a - values) <= costs[loss](b - values) else (a, high)
    return costs[loss]((low + high) / 2 - values).item()


def of_constant(choose: Callable[[Tensor], Tensor]) -> Callable[..., object]:
    """Make the mistake that always returns the same statistic of the targets."""
    return lambda loss, t, least: _Constant.facts(choose(t).item(), loss, t, least)


class _Constant(HiddenTest):
    part = "constant"
    asks = "best_constant"
    points = 1

    @staticmethod
    def answer(best_constant: Any, loss: str, t: Tensor, least: float) -> object:
        """Return the constant for a loss of this name."""

        def strict(x: Tensor, t: Tensor) -> Tensor:
            if x.shape != t.shape:
                raise ValueError(f"expected equal shapes, got {tuple(x.shape)} and {tuple(t.shape)}")
            return (x - t).square().mean()

        losses = {
            "mse": F.mse_loss,
            "l1": F.l1_loss,
            "strict": strict,
            "largest": lambda x, t: (x - t).abs().max(),
            "fourth": lambda x, t: (x - t).pow(4).mean(),
            "huber": lambda x, t: F.huber_loss(x, t, delta=0.5),
            "above": lambda x, t: torch.where(x > t, 4 * (x - t), t - x).mean(),
            "below": lambda x, t: torch.where(x > t, x - t, 3 * (t - x)).mean(),
        }
        return float(best_constant(losses[loss], t))

    @staticmethod
    def facts(came: Any, loss: str, t: Tensor, least: float) -> object:
        """Return the loss of the constant, or the most that it may be if that is more."""
        d = came - t.double()
        losses = {
            "mse": d.square().mean(),
            "l1": d.abs().mean(),
            "strict": d.square().mean(),
            "largest": d.abs().max(),
            "fourth": d.pow(4).mean(),
            "huber": F.huber_loss(d, torch.zeros_like(d), delta=0.5),
            "above": torch.where(d > 0, 4 * d, -d).mean(),
            "below": torch.where(d > 0, d, -3 * d).mean(),
        }
        most = least + 0.001
        return {f"loss of this constant, of which at most {most:.4f} is allowed": max(losses[loss].item(), most)}

    @staticmethod
    def expected(loss: str, t: Tensor, least: float) -> object:
        """Return the most that the loss may be."""
        most = least + 0.001
        return {f"loss of this constant, of which at most {most:.4f} is allowed": most}

    @classmethod
    def call(cls, case: Case) -> str:
        """Write which loss and which targets it is."""
        names = {
            "mse": "F.mse_loss",
            "l1": "F.l1_loss",
            "strict": "a mean square error that refuses unequal shapes",
            "largest": "the largest absolute difference",
            "fourth": "the mean fourth power of the differences",
            "huber": "F.huber_loss with delta=0.5",
            "above": "a loss where an output above its target costs four times as much",
            "below": "a loss where an output below its target costs three times as much",
        }
        t = case["t"]
        shown = t.tolist() if t.numel() <= 8 else f"a tensor of {tuple(t.shape)}"
        return f"best_constant(loss, t) for {names[case['loss']]} and t = {shown}"


def constant_case(loss: str, t: Tensor) -> Case:
    """Make a case of a loss and targets."""
    return {"loss": loss, "t": t, "least": least_loss(loss, t)}


def skewed(draw: Draw, *size: int) -> Tensor:
    """Draw targets from −2 to 10 with their mean far from their median and from the middle of their range."""
    t = (draw.pixels(*size).pow(3) * 8 - 2).flatten()
    t[0], t[-1] = 10, -2
    return t.reshape(size)


class ConstantOfTheLectureLosses(_Constant):
    """The mean square error and the mean absolute error"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield one target, equal ones, an even number, and one far from the others."""
        for loss in ("mse", "l1"):
            yield constant_case(loss, torch.tensor([-3.5]))
            yield constant_case(loss, torch.full((3,), 7.0))
            yield constant_case(loss, torch.tensor([0.0, 1, 0, 0, 10]))
            yield constant_case(loss, torch.tensor([-9.0, -8, -8, -1]))

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more targets."""
        for loss in ("mse", "l1", "mse", "l1"):
            yield constant_case(loss, skewed(draw, draw.randint(8, 30)))

    mistakes: ClassVar = {
        "the mean of the targets, whatever the loss": of_constant(torch.mean),
        "the median of the targets, whatever the loss": of_constant(torch.median),
    }


class ConstantOfOtherLosses(_Constant):
    """Other losses, of which only the values say what they are"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield losses that like neither the mean nor the median best."""
        for loss in ("largest", "fourth", "huber"):
            yield constant_case(loss, torch.tensor([-2.0, -2, -1, 0, 4]))
            yield constant_case(loss, torch.tensor([3.0, 1, 1, 0]))

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more targets, small ones for the fourth power."""
        for loss, scale in (("largest", 1.0), ("fourth", 0.3), ("huber", 1.0)):
            yield constant_case(loss, skewed(draw, draw.randint(8, 30)) * scale)


class ConstantOfStrictLosses(_Constant):
    """Output first, target second, of equal shapes"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield losses for which order and shapes matter, all with targets on both sides of their best constant."""
        yield constant_case("strict", torch.tensor([1.0, -2.0, 5.0]))
        yield constant_case("strict", torch.tensor([[1.0, 2.0, 2.0], [-1.0, 0.0, 5.0]]))
        yield constant_case("above", torch.tensor([0.0, 1, 2, 3, 4, 5]))
        yield constant_case("below", torch.tensor([0.0, 1, 2, 3, 4, 5, 6]))

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more targets."""
        yield constant_case("strict", skewed(draw, 3, draw.randint(2, 5)))
        for loss in ("above", "below"):
            yield constant_case(loss, skewed(draw, draw.randint(8, 30)))


def trained(
    x: Tensor,
    labels: Tensor,
    num_classes: int,
    nb_steps: int,
    eta: float,
    broadcast: bool = False,
    signed: bool = False,
) -> tuple[Tensor, int]:
    """Return the outputs of all units, in float64 and by a formula for the gradient, and the number of errors."""
    inputs = torch.cat([x.double(), torch.ones(len(x), 1)], 1)
    targets = (labels[:, None] == torch.arange(num_classes)).double()
    if signed:
        targets = 2 * targets - 1
    if broadcast:  # each output meets the targets of all samples
        targets = targets.mean(0).expand(len(x), -1)
    w = torch.zeros(inputs.size(1), num_classes, dtype=torch.float64)
    for _ in range(nb_steps):
        w = w - eta * 2 * inputs.t() @ (inputs @ w - targets) / len(x)
    output = inputs @ w
    return output, int((output.argmax(1) != labels).sum())


def samples(draw: Draw, labels: list[int], dim: int) -> Tensor:
    """Draw samples around a centre for each label, all with mean 0, that units tell apart in part."""
    centres = draw.normal(max(labels) + 1, dim)
    x = centres[torch.tensor(labels)] + draw.normal(len(labels), dim)
    return x - x.mean(0)


class _Units(HiddenTest):
    part = "repair"
    asks = "train_units"

    @staticmethod
    def answer(train_units: Any, x: Tensor, labels: Tensor, num_classes: int, nb_steps: int, eta: float) -> object:
        """Return outputs and number of errors."""
        output, nb_errors = train_units(x, labels, num_classes, nb_steps, eta)
        return {"output": output, "nb_errors": float(nb_errors)}


class UnitsThatErr(_Units):
    """The number of errors, whatever the outputs are"""

    points = 2
    see = ("07", "A count that cannot be right")

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield one sample, and classes of unequal sizes that a few steps do not tell apart."""
        yield {
            "x": torch.tensor([[1.0, 2.0]]),
            "labels": torch.tensor([1]),
            "num_classes": 2,
            "nb_steps": 2,
            "eta": 0.05,
        }
        for labels in ([0, 1, 1, 2, 2, 2, 1, 2], [2, 1, 1, 0, 0, 1, 0, 1, 0, 0, 2, 0, 1]):
            x = samples(Draw(str(labels)), labels, 2)
            yield {"x": x, "labels": torch.tensor(labels), "num_classes": 3, "nb_steps": 3, "eta": 0.04}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more samples, of classes that come 3, 5, 7, … times."""
        for _ in range(4):
            num_classes = draw.randint(2, 4)
            labels = [m for m in range(num_classes) for _ in range(2 * m + 3)]
            draw.shuffle(labels)
            yield {
                "x": samples(draw, labels, 2),
                "labels": torch.tensor(labels),
                "num_classes": num_classes,
                "nb_steps": draw.randint(2, 6),
                "eta": 0.03,
            }

    @staticmethod
    def facts(came: Any, x: Tensor, labels: Tensor, num_classes: int, nb_steps: int, eta: float) -> object:
        """Subtract the errors of the outputs that came: whether these are right is the other tests' business."""
        output, counted = came["output"], came["nb_errors"]
        more = counted - int((output.argmax(1) != labels).sum())
        count = f"{abs(more):g} error{'' if abs(more) == 1 else 's'}"
        words = f"you count {count} too {'many' if more > 0 else 'few'} for your outputs"
        if len(labels) == 1 and counted == int((output.argmax(0) != labels).sum()):
            words += ". It looks like this: argmax(0) finds the largest of each column, and not of each row"
        assert more == 0, words
        return True

    @staticmethod
    def expected(x: Tensor, labels: Tensor, num_classes: int, nb_steps: int, eta: float) -> object:
        """Say that all errors are counted."""
        return True


class UnitsOfAbsentClasses(_Units):
    """Classes that do not occur among the labels"""

    points = 1
    see = ("07", "Five labels, three classes")

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield labels without the last classes, without the first, and without some between."""
        for labels, num_classes in (([0, 2, 0, 0, 2], 5), ([1, 3, 3, 2, 1, 3], 4), ([4, 0, 4, 4, 0, 4, 4], 6)):
            yield {
                "x": samples(Draw(str(labels)), labels, 2),
                "labels": torch.tensor(labels),
                "num_classes": num_classes,
                "nb_steps": 6,
                "eta": 0.06,
            }

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more labels, some with a single class; the last class never occurs, and one more may not."""
        for _ in range(3):
            num_classes = draw.randint(4, 10)
            occurring = draw.sample(range(num_classes - 1), draw.randint(1, num_classes - 2))
            labels = [*occurring, *draw.choices(occurring, k=4)]
            yield {
                "x": samples(draw, labels, 3),
                "labels": torch.tensor(labels),
                "num_classes": num_classes,
                "nb_steps": draw.randint(3, 9),
                "eta": 0.05,
            }

    @staticmethod
    def facts(came: Any, x: Tensor, labels: Tensor, num_classes: int, nb_steps: int, eta: float) -> object:
        """Look at the size and the mean of each column, which broadcasting leaves as it is where the mean of x is 0."""
        size, wanted = list(came["output"].shape), [len(x), num_classes]
        assert size == wanted, f"size of output: expected {wanted}, got {size}"
        return {"mean of each column": came["output"].mean(0)}

    @staticmethod
    def expected(x: Tensor, labels: Tensor, num_classes: int, nb_steps: int, eta: float) -> object:
        """Return the means."""
        return {"mean of each column": trained(x, labels, num_classes, nb_steps, eta)[0].mean(0)}

    mistakes: ClassVar = {
        "the targets are −1 and +1, and not 0 and 1": lambda x, labels, num_classes, nb_steps, eta: {
            "mean of each column": trained(x, labels, num_classes, nb_steps, eta, signed=True)[0].mean(0)
        },
    }


class UnitsThatLearn(_Units):
    """The outputs after training, all classes present"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield one step by hand, one sample, and more of both."""
        yield {
            "x": torch.tensor([[1.0], [2.0], [4.0]]),
            "labels": torch.tensor([0, 1, 1]),
            "num_classes": 2,
            "nb_steps": 1,
            "eta": 0.1,
        }
        yield {
            "x": torch.tensor([[1.0, -1.0]]),
            "labels": torch.tensor([0]),
            "num_classes": 1,
            "nb_steps": 3,
            "eta": 0.25,
        }
        labels = [0, 1, 2, 3] * 4
        x = samples(Draw("units"), labels, 3)
        yield {"x": x, "labels": torch.tensor(labels), "num_classes": 4, "nb_steps": 12, "eta": 0.05}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more samples, steps and step sizes."""
        for _ in range(3):
            num_classes, dim = draw.randint(2, 5), draw.randint(1, 4)
            labels = draw.sample([*range(num_classes)] * draw.randint(3, 6), num_classes * 3)
            labels += [k for k in range(num_classes) if k not in labels]
            yield {
                "x": samples(draw, labels, dim),
                "labels": torch.tensor(labels),
                "num_classes": num_classes,
                "nb_steps": draw.randint(4, 20),
                "eta": draw.choice([0.02, 0.03, 0.06]),
            }

    @staticmethod
    def facts(came: Any, x: Tensor, labels: Tensor, num_classes: int, nb_steps: int, eta: float) -> object:
        """Look at the outputs alone: the number of errors is another test's business."""
        return {"output": came["output"]}

    @staticmethod
    def expected(x: Tensor, labels: Tensor, num_classes: int, nb_steps: int, eta: float) -> object:
        """Return the outputs."""
        return {"output": trained(x, labels, num_classes, nb_steps, eta)[0]}

    mistakes: ClassVar = {
        "each output is compared with the targets of all samples": lambda x, labels, num_classes, nb_steps, eta: {
            "output": trained(x, labels, num_classes, nb_steps, eta, broadcast=True)[0]
        },
    }


def ranked(
    draw: Draw, margins: list[int], wrong: set[int], num_classes: int, signed: bool = True
) -> tuple[Tensor, Tensor]:
    """Draw outputs with these margins, in eighths, and labels of which those at the given places are wrong."""
    rows, labels = [], []
    for place, margin in enumerate(margins):
        top = draw.randint(-40, 40) / 8 if signed else -draw.randint(8, 40) / 8
        row = [top - margin / 8 - draw.randint(1, 30) / 8 for _ in range(num_classes)]
        winner, second = draw.sample(range(num_classes), 2)
        row[winner], row[second] = top, top - margin / 8
        rows.append(row)
        others = [k for k in range(num_classes) if k != winner]
        labels.append(draw.choice(others) if place in wrong else winner)
    return torch.tensor(rows), torch.tensor(labels)


class _Margin(HiddenTest):
    part = "margin"
    asks = "least_margin"

    @staticmethod
    def answer(least_margin: Any, output: Tensor, labels: Tensor, most: int) -> object:
        """Return the margin from which on the network answers."""
        return float(least_margin(output, labels, most))

    @staticmethod
    def facts(came: Any, output: Tensor, labels: Tensor, most: int) -> object:
        """Count what is answered, and how much of it is wrong."""
        largest = output.sort(1).values[:, -2:]
        answered = largest[:, 1] - largest[:, 0] >= came
        wrong = int((answered & (output.argmax(1) != labels)).sum())
        assert wrong <= most, f"{wrong} wrong answers: at most {most} are allowed"
        return {"answers": int(answered.sum())}

    @staticmethod
    def expected(output: Tensor, labels: Tensor, most: int) -> object:
        """Return the most answers that there can be: try every margin that there is."""
        largest = output.sort(1).values[:, -2:]
        margins, wrong = largest[:, 1] - largest[:, 0], output.argmax(1) != labels
        within = [int((margins >= m).sum()) for m in margins if int((wrong & (margins >= m)).sum()) <= most]
        return {"answers": max(within, default=0)}


class MarginForABudget(_Margin):
    """As many answers as the budget of mistakes allows"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield the statement's example and others, with different margins and more mistakes than are allowed."""
        x = torch.tensor([[1.0, 0.0], [5.0, 7.0], [-4.0, -7.0]])
        yield {"output": x, "labels": torch.tensor([0, 0, 0]), "most": 0}
        draw = Draw("margin")
        for margins, wrong, num_classes, most in (
            ([3, 9, 4, 6, 1, 8], {0, 3, 4}, 3, 1),
            ([5, 2, 12, 7, 11, 1, 3, 20], {0, 1, 3, 5}, 4, 2),
            ([2, 4, 6, 8, 10, 12, 14], {0, 2, 5}, 2, 0),
        ):
            output, labels = ranked(draw, margins, wrong, num_classes, signed=num_classes < 4)
            yield {"output": output, "labels": labels, "most": most}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them; the largest margin is always right, so that something can be answered."""
        for most in (0, 1, 2, 3):
            number = draw.randint(12, 25)
            margins = draw.sample(range(1, 60), number)
            places = sorted(range(number), key=lambda place: margins[place])[:-1]
            wrong = set(draw.sample(places, draw.randint(most + 2, number - 2)))
            output, labels = ranked(draw, margins, wrong, draw.randint(2, 6))
            yield {"output": output, "labels": labels, "most": most}


class MarginAtTheEdges(_Margin):
    """Equal margins, nothing wrong, nothing to answer"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield no mistakes, as many as allowed, none that may be answered, and right and wrong of one margin."""
        draw = Draw("edges")
        for margins, wrong, num_classes, most in (
            ([4], set(), 2, 0),
            ([4], {0}, 3, 0),
            ([4], {0}, 3, 5),
            ([2, 5, 1], {0, 2}, 3, 2),
            ([2, 5, 9, 1], {2, 3}, 3, 0),
            ([3, 6, 6, 8], {1}, 3, 0),
            ([3, 6, 6, 6, 8], {1, 2}, 4, 1),
            ([7, 7, 7], {0, 1}, 2, 1),
        ):
            output, labels = ranked(draw, margins, wrong, num_classes)
            yield {"output": output, "labels": labels, "most": most}
        near = torch.tensor([[1.0, 0.0], [1.0001, 0.0], [0.0, 2.0]])  # margins that hardly differ
        yield {"output": near, "labels": torch.tensor([1, 0, 1]), "most": 0}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield few margins for many samples, and few mistakes."""
        for most in (0, 1, 2, 3):
            number = draw.randint(10, 20)
            margins = [draw.randint(1, 4) for _ in range(number)]
            output, labels = ranked(draw, margins, set(draw.sample(range(number), draw.randint(0, 6))), 3)
            yield {"output": output, "labels": labels, "most": most}


class _Readings(HiddenTest):
    part = "words"
    asks = "my_readings"
    points = 1
    understanding = True

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield few targets and many."""
        yield {"bright": 1, "n": 3, "k": 1}
        yield {"bright": 6, "n": 500, "k": 50}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them."""
        for bright in draw.sample(range(1, 9), 4):
            n = draw.randint(5, 2000)
            yield {"bright": bright, "n": n, "k": draw.randint(1, (n - 1) // 2)}


class ReadingsOfWindows(_Readings):
    """The tolerance from which plain windows pass for the pattern"""

    @staticmethod
    def answer(my_readings: Any, bright: int, n: int, k: int) -> object:
        """Return what is read about windows."""
        read = my_readings(bright, n, k)
        return {name: float(read[name]) for name in ["dark window", "bright window"]}

    @staticmethod
    def facts(came: Any, bright: int, n: int, k: int) -> object:
        """Refuse what is no tolerance."""
        for name, value in came.items():
            assert value % 1 == 0, f"{name}: expected a whole number, got {value}"
        return came

    @staticmethod
    def expected(bright: int, n: int, k: int) -> object:
        """Return how many pixels of plain windows are wrong."""
        return {"dark window": float(bright), "bright window": 9.0 - bright}


class ReadingsOfConstants(_Readings):
    """The best constants of both losses, and what they leave"""

    @staticmethod
    def answer(my_readings: Any, bright: int, n: int, k: int) -> object:
        """Return what is read about constants."""
        read = my_readings(bright, n, k)
        names = ["square constant", "square loss", "absolute constant", "absolute loss"]
        return {name: float(read[name]) for name in names}

    @staticmethod
    def expected(bright: int, n: int, k: int) -> object:
        """Return mean and variance of the targets, and their median with its loss."""
        mean = 2 * k / n - 1
        return {
            "square constant": mean,
            "square loss": 1 - mean**2,
            "absolute constant": -1.0,
            "absolute loss": 2 * k / n,
        }


class ReadingsOfBroadcasting(_Readings):
    """What a loss of (n, 1) outputs and (n,) targets does"""

    @staticmethod
    def answer(my_readings: Any, bright: int, n: int, k: int) -> object:
        """Return what is read about broadcasting."""
        read = my_readings(bright, n, k)
        return {name: float(read[name]) for name in ["differences", "broadcast loss"]}

    @staticmethod
    def expected(bright: int, n: int, k: int) -> object:
        """Return the number of differences, and the variance of the targets."""
        return {"differences": float(n * n), "broadcast loss": 4 * k * (n - k) / n**2}
