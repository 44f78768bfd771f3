"""Hidden tests of practical 3, modules."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from ee559.practicals.asking import gradients_of, kinds_of, parameters_of, parts_of
from ee559_course.practicals.hidden import Case, Draw, HiddenTest
from torch import Tensor, nn
from torch.nn import functional as F

SEE = {
    "tied": ("09", "Build a module"),
    "repairs": ("09", "A module that forgets"),
    "design": ("08", "The table"),
    "transplant": ("09", "What it costs"),
    "words": ("08", "The table"),
}


class _Tied(HiddenTest):
    part = "tied"
    asks = "Tied"


class TiedParameters(_Tied):
    """Three parameters, of their sizes"""

    points = 2
    mistakes = {
        "there are two weights, and not one": lambda inputs, hidden: {
            "sizes of the parameters": sorted([[hidden, inputs], [inputs, hidden], [hidden], [inputs]]),
            "first weights differ": True,
        },
        "nothing is registered": lambda inputs, hidden: {"sizes of the parameters": [], "first weights differ": True},
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for inputs, hidden in [(3, 2), (2, 5), (7, 1)]:
            yield {"inputs": inputs, "hidden": hidden}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        hidden = draw.randint(2, 40)
        yield {"inputs": hidden + draw.randint(1, 20), "hidden": hidden}

    @staticmethod
    def answer(Tied: Any, inputs: int, hidden: int) -> object:
        return list(parameters_of(Tied(inputs, hidden)).values())

    @staticmethod
    def facts(came: Any, inputs: int, hidden: int) -> object:
        weights = [each for each in came if each.dim() == 2]
        return {
            "sizes of the parameters": sorted(list(each.shape) for each in came),
            "first weights differ": all(each.unique().numel() > 1 for each in weights),
        }

    @staticmethod
    def expected(inputs: int, hidden: int) -> object:
        sizes = sorted([[hidden, inputs], [hidden], [inputs]])
        return {"sizes of the parameters": sizes, "first weights differ": True}


def tied_output(x: Tensor, weight: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return the output that the formula gives."""
    return F.relu(x @ weight.t() + b) @ weight + c


class TiedOutputs(_Tied):
    """Outputs"""

    points = 2
    mistakes = {
        "there is no ReLU": lambda x, weight, b, c: {"output": (x @ weight.t() + b) @ weight + c},
        "there is a ReLU after the output too": lambda x, weight, b, c: {"output": tied_output(x, weight, b, c).relu()},
        "the last bias is not added": lambda x, weight, b, c: {"output": tied_output(x, weight, b, 0 * c)},
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        draw = Draw("tied")
        for n, inputs, hidden in [(1, 3, 2), (5, 4, 6), (50, 2, 3)]:
            shapes = {"x": (n, inputs), "weight": (hidden, inputs), "b": (hidden,), "c": (inputs,)}
            yield {name: draw.normal(*shape) for name, shape in shapes.items()}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(3):
            inputs, hidden = draw.randint(3, 9), draw.randint(10, 15)
            shapes = {"x": (9, inputs), "weight": (hidden, inputs), "b": (hidden,), "c": (inputs,)}
            yield {name: draw.normal(*shape) for name, shape in shapes.items()}

    @staticmethod
    def answer(Tied: Any, x: Tensor, weight: Tensor, b: Tensor, c: Tensor) -> object:
        hidden, inputs = weight.shape
        model = Tied(inputs, hidden)
        values = {each.shape: each for each in (weight, b, c)}
        values[weight.t().shape] = weight.t()
        with torch.no_grad():
            for parameter in parameters_of(model).values():
                parameter.copy_(values[parameter.shape])
        return {"output": model(x)}

    @staticmethod
    def expected(x: Tensor, weight: Tensor, b: Tensor, c: Tensor) -> object:
        return {"output": tied_output(x, weight, b, c)}

    @classmethod
    def call(cls, case: Case) -> str:
        hidden, inputs = case["weight"].shape
        return f"Tied({inputs}, {hidden})(x: tensor of {tuple(case['x'].shape)}), with parameters of ours"


class TiedGradients(_Tied):
    """The weight learns from both of its uses"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([[1.0, 2.0, 3.0], [4.0, -5.0, 6.0]]), "hidden": 2}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"x": draw.normal(6, 4), "hidden": 5}

    @staticmethod
    def answer(Tied: Any, x: Tensor, hidden: int) -> object:
        model = Tied(x.size(1), hidden)
        parameters = parameters_of(model)
        with torch.no_grad():
            for parameter in parameters.values():
                parameter.copy_(torch.linspace(0.1, 0.9, parameter.numel()).reshape(parameter.shape))
        gradients = gradients_of(model(x), *parameters.values())
        return [gradient.norm() for gradient in gradients if gradient is not None and gradient.dim() == 2]

    @staticmethod
    def facts(came: Any, x: Tensor, hidden: int) -> object:
        return {"length of the gradients of all weights": sum(each.item() ** 2 for each in came) ** 0.5}

    @staticmethod
    def expected(x: Tensor, hidden: int) -> object:
        size = (hidden, x.size(1))
        weight = torch.linspace(0.1, 0.9, hidden * x.size(1)).reshape(size).double().requires_grad_()
        b, c = (torch.linspace(0.1, 0.9, number).double() for number in size)
        (gradient,) = torch.autograd.grad(tied_output(x.double(), weight, b, c).sum(), weight)
        return {"length of the gradients of all weights": gradient.norm().item()}

    @classmethod
    def call(cls, case: Case) -> str:
        return f"the gradients of Tied({case['x'].size(1)}, {case['hidden']})(x: tensor of {tuple(case['x'].shape)})"


class _Repaired(HiddenTest):
    part = "repairs"
    asks = "Repaired"


class RepairedRegistration(_Repaired):
    """Every layer is registered"""

    points = 2
    mistakes = {
        "the layers in the list are not registered": lambda width: sorted([[width, 4], [width], [2, width], [2]]),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for width in (3, 8):
            yield {"width": width}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"width": draw.randint(5, 20)}

    @staticmethod
    def answer(Repaired: Any, width: int) -> object:
        return sorted(list(each.shape) for each in parameters_of(Repaired(width, 1)).values() if each.numel() > 1)

    @staticmethod
    def expected(width: int) -> object:
        return sorted([[width, 4], [width], [width, width], [width], [2, width], [2]])

    @classmethod
    def call(cls, case: Case) -> str:
        return f"sizes of the parameters of Repaired({case['width']}, 1), the scale aside"


class RepairedSharing(_Repaired):
    """Each layer has a weight of its own"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        for depth in (2, 5):
            yield {"width": 3, "depth": depth}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"width": draw.randint(5, 9), "depth": draw.randint(3, 6)}

    @staticmethod
    def answer(Repaired: Any, width: int, depth: int) -> object:
        model = Repaired(width, depth)
        leaves: list[Tensor] = list(parameters_of(model).values())
        for value in vars(model).values():
            listed = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
            leaves += [each.weight for each in listed if isinstance(each, nn.Linear)]
        x = torch.linspace(-1, 1, 8).reshape(2, 4)
        model(x)
        return len({id(each) for each in leaves if list(each.shape) == [width, width]})

    @staticmethod
    def expected(width: int, depth: int) -> object:
        return depth

    @classmethod
    def call(cls, case: Case) -> str:
        return f"the number of weights of {case['width']}×{case['width']} in Repaired({case['width']}, {case['depth']})"


class RepairedScale(_Repaired):
    """The scale is trained"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"width": 3, "scale": 2.0}
        yield {"width": 4, "scale": -0.5}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"width": draw.randint(5, 9), "scale": draw.uniform(2, 3)}

    @staticmethod
    def answer(Repaired: Any, width: int, scale: float) -> object:
        model = Repaired(width, 0)
        numbers = [each for each in parameters_of(model).values() if each.numel() == 1]
        x = torch.linspace(-1, 1, 12).reshape(3, 4)
        before = model(x)
        with torch.no_grad():
            for each in numbers:
                each.fill_(scale)
        return {"numbers": len(numbers), "before": before, "after": model(x)}

    @staticmethod
    def facts(came: Any, width: int, scale: float) -> object:
        times = (came["after"] / came["before"]).double()
        return {"registered parameters of one number": came["numbers"], "how many times the output is as large": times}

    @staticmethod
    def expected(width: int, scale: float) -> object:
        times = torch.full((3, 2), scale, dtype=torch.float64)
        return {"registered parameters of one number": 1, "how many times the output is as large": times}

    @classmethod
    def call(cls, case: Case) -> str:
        return f"Repaired({case['width']}, 0), with {case['scale']:.3g} as its scale"


class _Net(HiddenTest):
    part = "design"
    asks = "my_net"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}


class NetWithinTheBudget(_Net):
    """Fewer than 20,000 parameters, all of them used"""

    @staticmethod
    def answer(my_net: Any) -> object:
        model = my_net()
        parameters = parameters_of(model)
        used: dict[str, bool] = dict.fromkeys(parameters, False)
        for _ in range(3):
            gradients = gradients_of(model(torch.randn(8, 1, 28, 28)).square(), *parameters.values())
            used = {name: used[name] or g is not None for name, g in zip(parameters, gradients, strict=True)}
        kernels = [part.weight.shape[2:] for part in parts_of(model).values() if "Conv2d" in kinds_of(part)]  # type: ignore[index]
        return {"numbers": [each.numel() for each in parameters.values()], "used": used, "kernels": kernels}

    @staticmethod
    def facts(came: Any) -> object:
        return {
            "number of parameters, or 19,999 if they are fewer": max(sum(came["numbers"]), 19_999),
            "parameters that are not used": [name for name, used in came["used"].items() if not used],
            "two nn.Conv2d at least with kernels larger than 1×1": sum(max(size) > 1 for size in came["kernels"]) >= 2,
        }

    @staticmethod
    def expected() -> object:
        return {
            "number of parameters, or 19,999 if they are fewer": 19_999,
            "parameters that are not used": [],
            "two nn.Conv2d at least with kernels larger than 1×1": True,
        }


class NetThatSeesEverything(_Net):
    """All pixels have an influence, and it is not linear"""

    @staticmethod
    def answer(my_net: Any) -> object:
        seen, outputs = torch.zeros(28, 28, dtype=torch.bool), []
        for seed in range(6):
            torch.manual_seed(seed)
            model = my_net()
            model.eval()
            x = torch.randn(20, 1, 28, 28).requires_grad_()
            gradients = gradients_of(model(x).square(), x)[0]
            seen |= (gradients != 0).any(0)[0] if gradients is not None else False
            a, b = torch.randn(2, 4, 1, 28, 28)
            with torch.no_grad():
                outputs.append([model(each) for each in (a, b, (a + b) / 2)])
        return {"seen": seen, "outputs": outputs}

    @staticmethod
    def facts(came: Any) -> object:
        far = max(((a + b) / 2 - middle).abs().max().item() for a, b, middle in came["outputs"])
        return {
            "size of the outputs": list(came["outputs"][0][0].shape),
            "pixels that have an influence": int(came["seen"].sum()),
            "it is not linear": far > 1e-4,
        }

    @staticmethod
    def expected() -> object:
        return {"size of the outputs": [4, 10], "pixels that have an influence": 784, "it is not linear": True}


class _Transplant(HiddenTest):
    part = "transplant"
    asks = "transplant"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"source": [3, 4, 2], "target": [3, 4, 2]}
        yield {"source": [3, 4, 10], "target": [3, 4, 5]}
        yield {"source": [3, 4], "target": [3, 4, 5]}
        yield {"source": [5, 2, 2], "target": [4, 2, 2]}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for _ in range(3):
            sizes = [draw.randint(2, 6) for _ in range(4)]
            place = draw.randint(0, 3)
            yield {"source": sizes, "target": [size + (number == place) for number, size in enumerate(sizes)]}


class TransplantedValues(_Transplant):
    """What fits is copied, and nothing else changes"""

    @staticmethod
    def answer(transplant: Any, source: list[int], target: list[int]) -> object:
        from itertools import pairwise

        def chain(sizes: list[int], value: float) -> nn.Module:
            layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
            for number, parameter in enumerate(nn.Sequential(*layers).parameters()):
                nn.init.constant_(parameter, value + number)
            return nn.Sequential(*layers)

        one, other = chain(source, 10.0), chain(target, 50.0)
        before = [id(each) for each in other.parameters()]
        transplant(one, other)
        same = before == [id(each) for each in other.parameters()]
        with torch.no_grad():
            next(one.parameters()).fill_(99.0)
        trained = all(each.requires_grad for each in other.parameters())
        first = {name: each.flatten()[0].item() for name, each in other.named_parameters()}
        kept = [each.flatten()[0].item() for each in one.parameters()][1:]
        return {"values": first, "source": kept, "the same objects, still trained": same and trained}

    @staticmethod
    def expected(source: list[int], target: list[int]) -> object:
        def named(sizes: list[int]) -> dict[str, list[int]]:
            found: dict[str, list[int]] = {}
            for number in range(len(sizes) - 1):
                found |= {f"{number}.weight": [sizes[number + 1], sizes[number]], f"{number}.bias": [sizes[number + 1]]}
            return found

        ours, theirs = named(source), named(target)
        values = {}
        for number, (name, size) in enumerate(theirs.items()):
            values[name] = 10.0 + number if ours.get(name) == size else 50.0 + number
        kept = [10.0 + number for number in range(1, len(ours))]
        return {"values": values, "source": kept, "the same objects, still trained": True}

    @classmethod
    def call(cls, case: Case) -> str:
        return f"transplant from layers of {case['source']} to layers of {case['target']}"


class TransplantedNames(_Transplant):
    """The names of what got nothing"""

    mistakes = {
        "the names of what was copied": lambda source, target: [
            name for name, _ in chain_of(target).named_parameters() if name not in left_out(source, target)
        ],
        "names alone are compared, and not sizes": lambda source, target: [
            name
            for name, _ in chain_of(target).named_parameters()
            if name not in dict(chain_of(source).named_parameters())
        ],
    }

    @staticmethod
    def answer(transplant: Any, source: list[int], target: list[int]) -> object:
        from itertools import pairwise

        def chain(sizes: list[int]) -> nn.Module:
            return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))

        return transplant(chain(source), chain(target))

    @staticmethod
    def expected(source: list[int], target: list[int]) -> object:
        return left_out(source, target)

    @classmethod
    def call(cls, case: Case) -> str:
        return f"transplant from layers of {case['source']} to layers of {case['target']}"


def chain_of(sizes: list[int]) -> nn.Module:
    """Return linear layers of the sizes, one after the other."""
    return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))


def left_out(source: list[int], target: list[int]) -> list[str]:
    """Return the names of the parameters that find no other of their name and size."""
    known = dict(chain_of(source).named_parameters())
    return [
        name
        for name, each in chain_of(target).named_parameters()
        if name not in known or known[name].shape != each.shape
    ]


class _Readings(HiddenTest):
    part = "words"
    asks = "my_readings"
    understanding = True

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}


class ReadingsOfParameters(_Readings):
    """Parameters, all and trained"""

    points = 2

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("parameters", "trained")}

    @staticmethod
    def expected() -> object:
        return {"parameters": 1599, "trained": 999}


class ReadingsOfWork(_Readings):
    """Products and saved tensors"""

    points = 1

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("products", "tensors")}

    @staticmethod
    def expected() -> object:
        return {"products": 117_600, "tensors": 5}
