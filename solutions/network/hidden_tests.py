"""Hidden tests of practical 4, network."""

from collections.abc import Iterator
from typing import Any

import torch
from ee559.practicals.asking import gradients_of, kinds_of, parameters_of, parts_of
from ee559_course.practicals.hidden import Case, Draw, Forbidden, HiddenTest
from torch import Tensor, nn
from torch.nn import functional as F

FORBIDDEN = Forbidden(functions=("ee559.train_model", "ee559.compute_nb_errors"))
SEE = {
    "train": ("06", "A gradient for the target"),
    "errors": ("07", "Winner takes all"),
    "repair": ("07", "A count that cannot be right"),
    "net2": ("08", "The network"),
    "spread": ("07", "Does it work?"),
    "words": ("07", "Does it work?"),
}
Numbers = tuple[Tensor, Tensor, list[float]]


def trained(
    weight: Tensor,
    bias: Tensor,
    x: Tensor,
    t: Tensor,
    size: int,
    nb_epochs: int,
    eta: float,
    add_up: bool = False,
    all_alike: bool = False,
) -> Numbers:
    """Train a linear layer by the formula of its gradient; return weight, bias and the mean losses, in float64.

    Two mistakes can be made: gradients that add up, and mini-batches that all count alike in the mean loss.
    """
    weight, bias, x, t = (each.double() for each in (weight, bias, x, t))
    step_w, step_b, means = torch.zeros_like(weight), torch.zeros_like(bias), []
    for _ in range(nb_epochs):
        total = 0.0
        for some, wanted in zip(x.split(size), t.split(size), strict=True):
            error = some @ weight.t() + bias - wanted
            step_w = step_w * add_up + 2 / error.numel() * error.t() @ some
            step_b = step_b * add_up + 2 / error.numel() * error.sum(0)
            weight, bias = weight - eta * step_w, bias - eta * step_b
            total += error.square().mean().item() * (1 if all_alike else len(some))
        means.append(total / (len(x.split(size)) if all_alike else len(x)))
    return weight, bias, means


class _Trained(HiddenTest):
    part = "train"
    asks = "train_model"

    @staticmethod
    def answer(
        train_model: Any, weight: Tensor, bias: Tensor, x: Tensor, t: Tensor, size: int, nb_epochs: int, eta: float
    ) -> object:
        model = nn.Linear(x.size(1), t.size(1))
        model.load_state_dict({"weight": weight, "bias": bias})
        losses = train_model(model, x, t, size, nb_epochs, eta)
        return {"weight": model.weight, "bias": model.bias, "losses": losses}

    @classmethod
    def call(cls, case: Case) -> str:
        x, t = case["x"], case["t"]
        model = f"Linear({x.size(1)}, {t.size(1)})"
        numbers = ", ".join(f"{case[name]:.4g}" for name in ("size", "nb_epochs", "eta"))
        return f"train_model({model}, {x.size(0)}×{x.size(1)}, {t.size(0)}×{t.size(1)}, {numbers})"


def job(draw: Draw, n: int, size: int, nb_epochs: int, eta: float) -> Case:
    """Draw a linear layer and samples to train it on."""
    inputs, outputs = draw.randint(2, 4), draw.randint(2, 3)
    shapes = {"weight": (outputs, inputs), "bias": (outputs,), "x": (n, inputs), "t": (n, outputs)}
    return {name: draw.normal(*shape) for name, shape in shapes.items()} | {
        "size": size,
        "nb_epochs": nb_epochs,
        "eta": eta,
    }


class TrainedSteps(_Trained):
    """The parameters after full mini-batches"""

    points = 2
    see = ("09", "What it costs")
    mistakes = {
        "gradients add up: they are not set to zero": lambda weight, bias, x, t, size, nb_epochs, eta: after(
            *trained(weight, bias, x, t, size, nb_epochs, eta, add_up=True)
        ),
        "the step goes uphill": lambda weight, bias, x, t, size, nb_epochs, eta: after(
            *trained(weight, bias, x, t, size, nb_epochs, -eta)
        ),
        "nothing is trained": lambda weight, bias, x, t, size, nb_epochs, eta: after(weight, bias, []),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("steps")
        for n, size, nb_epochs, eta in [(4, 4, 1, 0.1), (1, 1, 2, 0.05), (6, 2, 2, 0.2), (50, 25, 1, 0.3)]:
            yield job(draw, n, size, nb_epochs, eta)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(2):
            size = draw.randint(2, 4)
            yield job(draw, 3 * size, size, draw.randint(2, 3), draw.uniform(0.05, 0.2))

    @staticmethod
    def facts(came: Any, weight: Any, bias: Any, x: Any, t: Any, size: Any, nb_epochs: Any, eta: Any) -> object:
        return {"weight after training": came["weight"], "bias after training": came["bias"]}

    @staticmethod
    def expected(weight: Tensor, bias: Tensor, x: Tensor, t: Tensor, size: int, nb_epochs: int, eta: float) -> object:
        return after(*trained(weight, bias, x, t, size, nb_epochs, eta))


def after(weight: Tensor, bias: Tensor, means: list[float]) -> dict[str, object]:
    """Return what must come of a training's parameters."""
    return {"weight after training": weight, "bias after training": bias}


class TrainedLosses(_Trained):
    """The losses of full mini-batches"""

    points = 2
    see = ("06", "The absolute error, and reading a number")
    mistakes = {
        "the losses of the mini-batches are added up": lambda weight, bias, x, t, size, nb_epochs, eta: [
            mean * (len(x) // size) for mean in trained(weight, bias, x, t, size, nb_epochs, eta)[2]
        ],
        "the losses are of one epoch alone": lambda weight, bias, x, t, size, nb_epochs, eta: trained(
            weight, bias, x, t, size, nb_epochs, eta
        )[2][-1:],
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("losses")
        for n, size, nb_epochs, eta in [(4, 4, 2, 0.1), (6, 2, 3, 0.05), (8, 2, 2, 0.2)]:
            yield job(draw, n, size, nb_epochs, eta)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(2):
            size = draw.randint(2, 4)
            yield job(draw, 3 * size, size, draw.randint(2, 3), draw.uniform(0.05, 0.2))

    @staticmethod
    def facts(came: Any, weight: Any, bias: Any, x: Any, t: Any, size: Any, nb_epochs: Any, eta: Any) -> object:
        return came["losses"]

    @staticmethod
    def expected(weight: Tensor, bias: Tensor, x: Tensor, t: Tensor, size: int, nb_epochs: int, eta: float) -> object:
        return trained(weight, bias, x, t, size, nb_epochs, eta)[2]


def fallen(start: Tensor, weight: Tensor, bias: Tensor, means: list[float]) -> dict[str, object]:
    """Return how far a training came from the weight at its start, whatever unit its losses have."""
    return {
        "change of the weight": weight - start,
        "losses, each divided by the first": [mean / means[0] for mean in means],
    }


class TrainedLastBatch(_Trained):
    """A last mini-batch that is shorter"""

    points = 2
    see = ("06", "The mean square error")
    mistakes = {
        "mini-batches count alike, the shorter one too": lambda weight, bias, x, t, size, nb_epochs, eta: fallen(
            weight, *trained(weight, bias, x, t, size, nb_epochs, eta, all_alike=True)
        ),
        "the last mini-batch is left out": lambda weight, bias, x, t, size, nb_epochs, eta: fallen(
            weight, *trained(weight, bias, x[: len(x) // size * size], t[: len(x) // size * size], size, nb_epochs, eta)
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("last")
        for n, size, nb_epochs, eta in [(5, 2, 2, 0.1), (7, 6, 2, 0.2), (3, 100, 2, 0.05)]:
            yield job(draw, n, size, nb_epochs, eta)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        size = draw.randint(3, 5)
        yield job(draw, 2 * size + draw.randint(1, size - 1), size, 2, draw.uniform(0.05, 0.2))

    @staticmethod
    def facts(came: Any, weight: Any, bias: Any, x: Any, t: Any, size: Any, nb_epochs: Any, eta: Any) -> object:
        first, *_ = came["losses"] or [float("nan")]
        return {
            "change of the weight": came["weight"] - weight,
            "losses, each divided by the first": [each / first for each in came["losses"]],
        }

    @staticmethod
    def expected(weight: Tensor, bias: Tensor, x: Tensor, t: Tensor, size: int, nb_epochs: int, eta: float) -> object:
        return fallen(weight, *trained(weight, bias, x, t, size, nb_epochs, eta))


class _Errors(HiddenTest):
    part = "errors"
    asks = "compute_nb_errors"

    @staticmethod
    def answer(compute_nb_errors: Any, output: Tensor, target: Tensor, size: int) -> object:
        c = output.size(1)
        model = nn.Linear(c, c, bias=False)
        model.load_state_dict({"weight": torch.eye(c).flip(0)})  # the outputs are the inputs, the other way round
        return compute_nb_errors(model, output.flip(1), target, size)

    @staticmethod
    def expected(output: Tensor, target: Tensor, size: int) -> object:
        return int((output.argmax(1) != target.argmax(1)).sum())

    @classmethod
    def call(cls, case: Case) -> str:
        n, c = case["output"].shape
        return f"compute_nb_errors(Linear({c}, {c}), {n}×{c}, {n}×{c}, {case['size']})"


def outputs_and_targets(draw: Draw, n: int, c: int, low: float) -> dict[str, Tensor]:
    """Draw outputs, and targets of which some are missed."""
    hot = F.one_hot(draw.labels(n, c), c).float()
    return {"output": draw.distinct(n, c), "target": (1 - low) * hot + low}


class ErrorsOfPlusMinusOne(_Errors):
    """Targets of −1/+1"""

    points = 1
    mistakes = {
        "the samples that are right": lambda output, target, size: int((output.argmax(1) == target.argmax(1)).sum()),
        "signs, counted for each unit": lambda output, target, size: int((output * target < 0).sum()),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("plus minus")
        for n, c, size in [(1, 3, 1), (6, 3, 3), (50, 10, 50), (12, 4, 4)]:
            yield outputs_and_targets(draw, n, c, -1) | {"size": size}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(3):
            size = draw.randint(5, 9)
            yield outputs_and_targets(draw, 3 * size, draw.randint(3, 9), -1) | {"size": size}


class ErrorsOfZeroOne(_Errors):
    """Targets of 0/1"""

    points = 1
    mistakes = {
        "it looks for a target below zero, and here targets are 0 and 1": lambda output, target, size: 0,
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("zero one")
        for n, c, size in [(8, 3, 4), (50, 10, 50)]:
            yield outputs_and_targets(draw, n, c, 0) | {"size": size}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(2):
            size = draw.randint(8, 12)
            yield outputs_and_targets(draw, 3 * size, draw.randint(3, 9), 0) | {"size": size}


class ErrorsByMiniBatch(HiddenTest):
    """Mini-batches of the size that is given, the last one shorter, without gradients"""

    part = "errors"
    asks = "compute_nb_errors"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        for nb_samples, size in [(7, 3), (5, 100), (8, 7)]:
            yield {"nb_samples": nb_samples, "size": size}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        size = draw.randint(4, 9)
        yield {"nb_samples": 2 * size + draw.randint(1, size - 1), "size": size}

    @staticmethod
    def answer(compute_nb_errors: Any, nb_samples: int, size: int) -> object:
        calls = []

        class Watched(nn.Identity):
            def forward(self, input: Any) -> Any:
                calls.append([len(input), torch.is_grad_enabled()])
                return input

        target = torch.eye(4)[torch.arange(nb_samples) % 4]
        compute_nb_errors(Watched(), target.roll(1, 1), target, size)
        return calls

    @staticmethod
    def facts(came: Any, nb_samples: int, size: int) -> object:
        total, most = sum(samples for samples, _ in came), max([0, *(samples for samples, _ in came)])
        assert total == nb_samples, f"the model gets {total} of the {nb_samples} samples"
        assert most <= size, f"the model gets {most} samples at once: at most {size} are allowed"
        assert not any(grad for _, grad in came), "gradients are recorded: call the model under torch.no_grad()"
        return True

    @staticmethod
    def expected(nb_samples: int, size: int) -> object:
        return True

    @classmethod
    def call(cls, case: Case) -> str:
        return f"compute_nb_errors with {case['nb_samples']} samples and mini-batches of {case['size']}"


def fitted(
    weight: Tensor, bias: Tensor, input: Tensor, target: Tensor, nb_epochs: int, eta: float, add_up: bool = False
) -> dict[str, Tensor]:
    """Return a linear layer's parameters after steps on all samples at once."""
    weight, bias, _ = trained(weight, bias, input, target, len(input), nb_epochs, eta, add_up)
    return {"weight": weight, "bias": bias}


class _Fit(HiddenTest):
    part = "repair"
    asks = "fit"

    @staticmethod
    def answer(
        fit: Any, weight: Tensor, bias: Tensor, input: Tensor, labels: Tensor, nb_epochs: int, eta: float
    ) -> object:
        model = nn.Linear(input.size(1), len(bias))
        model.load_state_dict({"weight": weight, "bias": bias})
        fit(model, input, labels, nb_epochs, eta)
        return {"weight": model.weight, "bias": model.bias}

    @staticmethod
    def expected(weight: Tensor, bias: Tensor, input: Tensor, labels: Tensor, nb_epochs: int, eta: float) -> object:
        target = 2.0 * F.one_hot(labels, len(bias)) - 1
        end, bias, _ = trained(weight, bias, input, target, len(input), nb_epochs, eta)
        return {"weight": end, "bias": bias}

    @classmethod
    def call(cls, case: Case) -> str:
        c, d = case["weight"].shape
        numbers = f"{case['nb_epochs']}, {case['eta']:.4g}"
        return f"fit(Linear({d}, {c}), {len(case['input'])}×{d}, labels, {numbers})"


def fit_case(draw: Draw, n: int, classes: int, bias: float, nb_epochs: int, eta: float) -> Case:
    """Draw a linear layer whose outputs are all of one sign, and samples to train it on."""
    return {
        "weight": draw.pixels(classes, 2) * 0.1,
        "bias": torch.full((classes,), bias),
        "input": draw.pixels(n, 2),
        "labels": draw.labels(n, classes),
        "nb_epochs": nb_epochs,
        "eta": eta,
    }


class FitToTargets(_Fit):
    """Targets of −1/+1: one step, where all outputs are positive"""

    points = 2
    mistakes = {
        "the targets are 0 and 1, and not −1 and +1": lambda weight, bias, input, labels, nb_epochs, eta: fitted(
            weight, bias, input, F.one_hot(labels, len(bias)), nb_epochs, eta
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("targets")
        for n, classes, eta in [(1, 3, 0.1), (6, 3, 0.2), (50, 10, 0.5)]:
            yield fit_case(draw, n, classes, 2.0, 1, eta)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield fit_case(draw, draw.randint(4, 9), draw.randint(3, 6), draw.uniform(1, 2), 1, draw.uniform(0.1, 0.4))


class FitInSteps(_Fit):
    """Several steps of a model with one output, which is positive"""

    points = 2
    see = ("09", "What it costs")
    mistakes = {
        "gradients add up: they are not set to zero": lambda weight, bias, input, labels, nb_epochs, eta: fitted(
            weight, bias, input, torch.ones(len(labels), 1), nb_epochs, eta, add_up=True
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("several")
        for n, nb_epochs, eta in [(1, 2, 0.1), (5, 3, 0.05)]:
            yield fit_case(draw, n, 1, 2.0, nb_epochs, eta)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield fit_case(draw, draw.randint(3, 9), 1, draw.uniform(2, 3), draw.randint(2, 3), draw.uniform(0.02, 0.06))


class FitOfNegativeOutputs(_Fit):
    """One step of a model with one output, which is negative"""

    points = 1
    see = ("07", "Winner takes all")
    mistakes = {
        "a ReLU after the last layer: an output below zero passes no gradient, and cannot be −1": (
            lambda weight, bias, input, labels, nb_epochs, eta: {"weight": weight, "bias": bias}
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("negative")
        for n, eta in [(1, 0.1), (5, 0.2)]:
            yield fit_case(draw, n, 1, -2.0, 1, eta)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield fit_case(draw, draw.randint(3, 9), 1, -draw.uniform(2, 3), 1, draw.uniform(0.1, 0.3))


class NetOfThreeConvolutions(HiddenTest):
    """Three convolutions that see neighbours, all of it used, not linear"""

    part = "net2"
    asks = "Net2"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}

    @staticmethod
    def answer(Net2: Any) -> object:
        model = Net2()
        parameters = parameters_of(model)
        used = dict.fromkeys(parameters, False)
        for _ in range(3):
            gradients = gradients_of(model(torch.randn(7, 1, 28, 28)).square(), *parameters.values())
            used = {name: used[name] or g is not None for name, g in zip(parameters, gradients, strict=True)}
        model.eval()
        with torch.no_grad():
            a, b = torch.randn(2, 3, 1, 28, 28)
            outputs = [model(each) for each in (a, b, (a + b) / 2)]
            one = model(a[:1])
        kernels = [max(part.weight.shape[2:]) for part in parts_of(model).values() if "Conv2d" in kinds_of(part)]  # type: ignore[index]
        numbers = [each.numel() for each in parameters.values()]
        return {"kernels": kernels, "numbers": numbers, "used": used, "outputs": outputs, "one": list(one.shape)}

    @staticmethod
    def facts(came: Any) -> object:
        a, b, middle = came["outputs"]
        assert came["one"] == [1, 10], f"size of the outputs for one image: expected [1, 10], got {came['one']}"
        size = list(a.shape)
        assert size == [3, 10], f"size of the outputs for three images: expected [3, 10], got {size}"
        convolutions, large = len(came["kernels"]), sum(side > 1 for side in came["kernels"])
        assert convolutions == 3, f"number of nn.Conv2d: expected 3, got {convolutions}"
        assert large == 3, f"{large} of the three kernels are larger than 1×1: all three must be"
        total, unused = sum(came["numbers"]), [name for name, used in came["used"].items() if not used]
        assert total < 500_000, f"number of parameters: {total:,}, and fewer than 500,000 are allowed"
        assert not unused, f"parameters that are not used: {', '.join(unused)}"
        assert ((a + b) / 2 - middle).abs().max().item() > 1e-4, "the network is linear"
        return True

    @staticmethod
    def expected() -> object:
        return True


class NetThatLearns(HiddenTest):
    """It learns 100 images"""

    part = "net2"
    asks = "Net2"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}

    @staticmethod
    def answer(Net2: Any) -> object:
        import ee559

        tiny = ee559.load_mnist("tiny", one_hot=True)
        images, targets = tiny.train_input[:100].cpu(), tiny.train_target[:100].cpu()
        found = []
        for seed in range(3):
            torch.manual_seed(seed)
            model = Net2()
            for _ in range(25):
                for x, t in zip(images.split(10), targets.split(10), strict=True):
                    parameters = list(parameters_of(model).values())
                    gradients = torch.autograd.grad(F.mse_loss(model(x), t), parameters, allow_unused=True)
                    with torch.no_grad():
                        for parameter, gradient in zip(parameters, gradients, strict=True):
                            parameter.sub_(0.0 if gradient is None else 0.1 * gradient)
            model.eval()
            with torch.no_grad():
                found.append(model(images))
            if (found[-1].argmax(1) != targets.argmax(1)).sum() < 40:
                break
        return found

    @staticmethod
    def facts(came: Any) -> object:
        import ee559

        targets = ee559.load_mnist("tiny", one_hot=True).train_target[:100].cpu()
        errors = min(int((output.argmax(1) != targets.argmax(1)).sum()) for output in came)
        assert not all(bool(output.isnan().any()) for output in came), "its outputs are nan: the step is too large"
        assert errors < 40, f"{errors} errors on the 100 images, in the best training: fewer than 40 are wanted"
        return True

    @staticmethod
    def expected() -> object:
        return True

    @classmethod
    def call(cls, case: Case) -> str:
        return "Net2() after 25 epochs"


class _Rates(HiddenTest):
    part = "spread"
    asks = "error_rates"
    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"errors": [7], "nb_samples": 40}
        yield {"errors": [13, 5, 21], "nb_samples": 120}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        nb_runs, nb_samples = draw.randint(3, 6), 20 * draw.randint(2, 9)
        yield {"errors": draw.sample(range(1, nb_samples), nb_runs), "nb_samples": nb_samples}

    @staticmethod
    def answer(error_rates: Any, errors: list[int], nb_samples: int) -> object:
        made: list[Any] = []
        calls = []

        def new_model() -> object:
            made.append(nn.Identity())
            return made[-1]

        def number_of(model: object) -> int:
            return next(number for number, each in enumerate(made) if each is model)

        def fit(model: object) -> None:
            calls.append(["train", number_of(model)])

        def count(model: object) -> int:
            calls.append(["test", number_of(model)])
            return errors[number_of(model) % len(errors)]

        count.nb_samples = nb_samples  # type: ignore[attr-defined]
        return {"rates": error_rates(new_model, fit, count, len(errors)), "calls": calls, "made": len(made)}

    @classmethod
    def call(cls, case: Case) -> str:
        return f"error_rates(make_model, train, test, {len(case['errors'])})"


class RatesInPercent(_Rates):
    """The rates"""

    mistakes = {
        "a share between 0 and 1, and not a percentage": lambda errors, nb_samples: {
            "rates": sorted(each / nb_samples for each in errors)
        },
        "the number of errors, and not the rate": lambda errors, nb_samples: {
            "rates": sorted(float(each) for each in errors)
        },
    }

    @staticmethod
    def facts(came: Any, errors: list[int], nb_samples: int) -> object:
        rates = came["rates"]
        return {"rates": sorted(float(each) for each in rates)}

    @staticmethod
    def expected(errors: list[int], nb_samples: int) -> object:
        return {"rates": sorted(100 * each / nb_samples for each in errors)}


class RatesOfNewModels(_Rates):
    """A new model for each run, trained once and then tested"""

    @staticmethod
    def facts(came: Any, errors: list[int], nb_samples: int) -> object:
        return {
            "models made": came["made"],
            "models in the order in which they are trained": [
                model for what, model in came["calls"] if what == "train"
            ],
            "models tested before they are trained": [
                model
                for place, (what, model) in enumerate(came["calls"])
                if what == "test" and ["train", model] not in came["calls"][:place]
            ],
        }

    @staticmethod
    def expected(errors: list[int], nb_samples: int) -> object:
        return {
            "models made": len(errors),
            "models in the order in which they are trained": list(range(len(errors))),
            "models tested before they are trained": [],
        }


class _Readings(HiddenTest):
    part = "words"
    asks = "my_readings"
    understanding = True

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}


class ReadingsOfTheSpread(_Readings):
    """The spread of one network, and the chance of counting"""

    points = 1

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("spread", "chance of counting")}

    @staticmethod
    def facts(came: Any) -> object:
        for name, value in came.items():
            assert float(value) >= 0, f"{name}: expected percentage points, got {value}"
        return {
            "spread": round(float(came["spread"]), 2),
            "chance of counting": round(float(came["chance of counting"]), 1),
        }

    @staticmethod
    def expected() -> object:
        return {"spread": 4.3, "chance of counting": 0.9}


class ReadingsOfTheWidths(_Readings):
    """What the widths show"""

    points = 2

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        words = {name: read[name] for name in ("falls", "always falls")}
        return {
            **{name: word.strip().lower() if isinstance(word, str) else word for name, word in words.items()},
            "apart from 200": sorted(read["apart from 200"]),
        }

    @staticmethod
    def facts(came: Any) -> object:
        for name in ("falls", "always falls"):
            assert came[name] in ("yes", "no"), f"{name}: expected 'yes' or 'no', got {came[name]!r}"
        widths = [10, 50, 200, 500, 1000]
        strange = [each for each in came["apart from 200"] if each not in widths]
        assert not strange, f"apart from 200: expected some of the widths {widths}, got {strange[0]!r}"
        return came

    @staticmethod
    def expected() -> object:
        return {"falls": "yes", "always falls": "no", "apart from 200": [10, 50, 500, 1000]}
