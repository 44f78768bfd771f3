"""Hidden tests of practical 3, modules."""

import math
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
    """Three parameters of the right sizes"""

    points = 3
    see = ("09", "A module that forgets")
    mistakes = {
        "there are two weights, and not one": lambda inputs, hidden: {
            "sizes of the parameters": sorted([[hidden, inputs], [inputs, hidden], [hidden], [inputs]])
        },
        "nothing is registered": lambda inputs, hidden: {"sizes of the parameters": []},
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for inputs, hidden in [(3, 2), (2, 5), (7, 1)]:
            yield {"inputs": inputs, "hidden": hidden}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        hidden = draw.randint(2, 40)
        yield {"inputs": hidden + draw.randint(1, 20), "hidden": hidden}

    @classmethod
    def call(cls, case: Case) -> str:
        return f"Tied({case['inputs']}, {case['hidden']})"

    @staticmethod
    def answer(Tied: Any, inputs: int, hidden: int) -> object:
        model = Tied(inputs, hidden)
        model(torch.ones(2, inputs))  # a lazy layer has its parameters from now on
        return list(parameters_of(model).values())

    @staticmethod
    def facts(came: Any, inputs: int, hidden: int) -> object:
        sizes, wanted = sorted(list(each.shape) for each in came), sorted([[hidden, inputs], [hidden], [inputs]])
        turned = sizes == sorted([[inputs, hidden], [hidden], [inputs]])
        assert sizes == wanted or not turned, f"W is {(inputs, hidden)}, expected {(hidden, inputs)}"
        equal = all(each.unique().numel() == 1 for each in came if each.dim() == 2)
        assert sizes != wanted or not equal, "all first values of W are equal, and must not be"
        return {"sizes of the parameters": sizes}

    @staticmethod
    def expected(inputs: int, hidden: int) -> object:
        return {"sizes of the parameters": sorted([[hidden, inputs], [hidden], [inputs]])}


def tied_output(x: Tensor, weight: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return the output that the formula gives."""
    return F.relu(x @ weight.t() + b) @ weight + c


class TiedOutputs(_Tied):
    """Outputs"""

    points = 1
    mistakes = {
        "there is no ReLU": lambda x, weight, b, c: {"output": (x @ weight.t() + b) @ weight + c},
        "there is a ReLU after the output too": lambda x, weight, b, c: {"output": tied_output(x, weight, b, c).relu()},
        "the last bias is not added": lambda x, weight, b, c: {"output": tied_output(x, weight, b, 0 * c)},
        "the first bias is not added": lambda x, weight, b, c: {"output": tied_output(x, weight, 0 * b, c)},
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
        model(x)
        values = {each.shape: each for each in (weight, b, c)}
        values[weight.t().shape] = weight.t()  # of a second weight, which costs the parameters' points alone
        with torch.no_grad():
            for parameter in parameters_of(model).values():
                if parameter.shape in values:
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
    see = ("06", "A gradient for the target")

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.5, 6.0]]), "hidden": 2}
        yield {"x": torch.tensor([[1.0, 2.0]]), "hidden": 3}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"x": draw.pixels(6, 4) + 0.1, "hidden": 5}

    @staticmethod
    def answer(Tied: Any, x: Tensor, hidden: int) -> object:
        inputs = x.size(1)
        model = Tied(inputs, hidden)
        model(x)
        weight = torch.linspace(0.1, 0.9, hidden * inputs).reshape(hidden, inputs)
        step = torch.linspace(0.02, 0.01, hidden * inputs).reshape(hidden, inputs)
        values = {weight.shape: (weight, step), weight.t().shape: (weight.t(), step.t())}
        parameters = list(parameters_of(model).values())
        weights = [each for each in parameters if each.shape in values]
        outputs = []
        for sign in (1, -1, 0):
            with torch.no_grad():
                for each in parameters:
                    start, change = values.get(each.shape, (torch.full(each.shape, 0.5), torch.zeros(each.shape)))
                    each.copy_(start + sign * change)
            outputs.append(model(x))
        gradients = gradients_of(outputs[-1], *weights) if weights else []
        steps = [values[each.shape][1] for each in weights]
        return {"outputs": [each.detach() for each in outputs], "gradients": gradients, "steps": steps}

    @staticmethod
    def facts(came: Any, x: Tensor, hidden: int) -> object:
        more, less, output = came["outputs"]
        change = (more.double().sum() - less.double().sum()).item() / 2  # exact: the sum is quadratic in W
        pairs = zip(came["gradients"], came["steps"], strict=True)
        told = sum((g.double() * step).sum().item() for g, step in pairs if g is not None)
        assert output.shape == x.shape, f"size of the output: expected {list(x.shape)}, got {list(output.shape)}"
        assert came["steps"], "no weight is registered"
        both = math.isclose(told, change, rel_tol=1e-2)
        assert both, "the gradient for W does not come from both of its uses: is one of them cut off?"
        return True

    @staticmethod
    def expected(x: Tensor, hidden: int) -> object:
        return True

    @classmethod
    def call(cls, case: Case) -> str:
        return (
            f"the gradients of Tied({case['x'].size(1)}, {case['hidden']})(x: tensor of {tuple(case['x'].shape)}).sum()"
        )


class _Repaired(HiddenTest):
    part = "repairs"
    asks = "Repaired"
    points = 2


class RepairedSaving(_Repaired):
    """Every layer is registered, and saved"""

    mistakes = {
        "the layers in the list are not registered": lambda width: {
            "sizes of the layers' parameters that are registered and used": sorted(
                sorted(size) for size in ([width, 4], [width], [2, width], [2])
            ),
            "registered and not used": [],
            "saved, and loaded into a fresh one, it gives the same outputs": False,
        },
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
        def leaves_of(output: Tensor) -> list[Tensor]:
            found: list[Tensor] = []
            seen, left = set(), [output.grad_fn]
            while left:
                node = left.pop()
                if node is not None and node not in seen:
                    seen.add(node)
                    found += [node.variable] if hasattr(node, "variable") else []
                    left += [each for each, _ in node.next_functions]
            return found

        x = torch.linspace(-1, 1, 12).reshape(3, 4)
        model, fresh = Repaired(width, 1), Repaired(width, 1)
        fresh(x)
        used = [each for each in leaves_of(model(x)) if each.numel() > 1]
        with torch.no_grad():
            for leaf in used:  # all that is trained has changed
                leaf.copy_(torch.linspace(-1, 1.5, leaf.numel()).reshape(leaf.shape))
        registered = {name: each for name, each in parameters_of(model).items() if each.numel() > 1}
        known = [each for each in registered.values() if any(each is leaf for leaf in used)]
        unused = [name for name, each in registered.items() if not any(each is leaf for leaf in used)]
        fresh.load_state_dict(model.state_dict())
        outputs = [model(x), fresh(x)]
        return {"sizes": [list(each.shape) for each in known], "unused": unused, "outputs": outputs}

    @staticmethod
    def facts(came: Any, width: int) -> object:
        saved, loaded = came["outputs"]
        return {
            "sizes of the layers' parameters that are registered and used": sorted(sorted(s) for s in came["sizes"]),
            "registered and not used": came["unused"],
            "saved, and loaded into a fresh one, it gives the same outputs": torch.allclose(saved, loaded),
        }

    @staticmethod
    def expected(width: int) -> object:
        sizes = [[width, 4], [width], [width, width], [width], [2, width], [2]]
        return {
            "sizes of the layers' parameters that are registered and used": sorted(sorted(size) for size in sizes),
            "registered and not used": [],
            "saved, and loaded into a fresh one, it gives the same outputs": True,
        }

    @classmethod
    def call(cls, case: Case) -> str:
        return f"Repaired({case['width']}, 1), its scale aside"


def repaired_values(width: int) -> tuple[Tensor, ...]:
    """Return the values that parameters get by their sizes: (w, 4), (w, w) symmetric, (2, w), (w,) and (2,)."""
    places = torch.arange(float(width))
    middle = 1.5 * torch.cos(places[:, None] + places + 1) / width**0.5
    first = torch.sin(torch.arange(4.0 * width)).reshape(width, 4)
    last = torch.cos(torch.arange(2.0 * width)).reshape(2, width)
    return first, middle, last, 0.5 * torch.cos(2 * places), torch.tensor([-0.3, 0.2])


def repaired_output(width: int, depth: int) -> Tensor:
    """Return the output of the network with those values and a scale of 1."""
    first, middle, last, bias, last_bias = repaired_values(width)
    x = F.relu(torch.linspace(-1, 1, 12).reshape(3, 4) @ first.t() + bias)
    for _ in range(depth):
        x = F.relu(x @ middle + bias)
    return x @ last.t() + last_bias


class RepairedSharing(_Repaired):
    """Each layer has a weight and a bias of its own"""

    mistakes = {
        "all hidden layers are one": lambda width, depth: {
            "how many weights of width × width it uses": min(depth, 1),
            "how many biases of width it uses": 1 + min(depth, 1),
            "output, with parameters of ours": repaired_output(width, depth),
        },
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        for width, depth in ((5, 2), (3, 5), (6, 0)):
            yield {"width": width, "depth": depth}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"width": draw.randint(5, 9), "depth": draw.randint(3, 6)}

    @staticmethod
    def answer(Repaired: Any, width: int, depth: int) -> object:
        def leaves_of(output: Tensor) -> list[Tensor]:
            found: list[Tensor] = []
            seen, left = set(), [output.grad_fn]
            while left:
                node = left.pop()
                if node is not None and node not in seen:
                    seen.add(node)
                    found += [node.variable] if hasattr(node, "variable") else []
                    left += [each for each, _ in node.next_functions]
            return found

        places = torch.arange(float(width))
        middle = 1.5 * torch.cos(places[:, None] + places + 1) / width**0.5
        first = torch.sin(torch.arange(4.0 * width)).reshape(width, 4)
        last = torch.cos(torch.arange(2.0 * width)).reshape(2, width)
        values = {each.shape: each for each in (first, first.t(), middle, last, last.t())}
        values |= {each.shape: each for each in (0.5 * torch.cos(2 * places), torch.tensor([-0.3, 0.2]))}
        x = torch.linspace(-1, 1, 12).reshape(3, 4)
        model = Repaired(width, depth)
        leaves = leaves_of(model(x))  # what it uses, registered or not
        with torch.no_grad():
            for leaf in leaves:
                leaf.copy_(values.get(leaf.shape, torch.ones(leaf.shape)))
        return {"sizes": [list(each.shape) for each in leaves], "output": model(x)}

    @staticmethod
    def facts(came: Any, width: int, depth: int) -> object:
        return {
            "how many weights of width × width it uses": came["sizes"].count([width, width]),
            "how many biases of width it uses": came["sizes"].count([width]),
            "output, with parameters of ours": came["output"],
        }

    @staticmethod
    def expected(width: int, depth: int) -> object:
        return {
            "how many weights of width × width it uses": depth,
            "how many biases of width it uses": 1 + depth,
            "output, with parameters of ours": repaired_output(width, depth),
        }

    @classmethod
    def call(cls, case: Case) -> str:
        return f"Repaired({case['width']}, {case['depth']}), its scale aside"


class RepairedScale(_Repaired):
    """The scale is registered, and trained"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"width": 3, "scale": 2.0}
        yield {"width": 5, "scale": -0.5}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"width": draw.randint(5, 9), "scale": draw.uniform(2, 3)}

    @staticmethod
    def answer(Repaired: Any, width: int, scale: float) -> object:
        model = Repaired(width, 0)
        numbers = [each for each in parameters_of(model).values() if each.numel() == 1]
        begins = [each.item() for each in numbers]
        x = torch.linspace(-1, 1, 12).reshape(3, 4)
        before = model(x).detach()
        with torch.no_grad():
            for each in numbers:
                each.fill_(scale)
        after = model(x)
        trained = [each for each in numbers if each.requires_grad]
        gradients = gradients_of(after * before, *trained) if trained else []
        return {"begins": begins, "before": before, "after": after, "gradients": gradients}

    @staticmethod
    def facts(came: Any, width: int, scale: float) -> object:
        before, after = came["before"], came["after"]
        wanted = before.square().sum()  # what the gradient is for, is the sum of scale · before²
        gradient = next(iter(came["gradients"]), None)
        found = {
            "registered parameters of one number": len(came["begins"]),
            "it begins at": came["begins"][0] if came["begins"] else 1.0,
            "how many times the output is as large": ((before * after).sum() / wanted).item(),
        }
        follows = abs(found["how many times the output is as large"] - scale) <= 1e-6 + 1e-5 * abs(scale)
        begins = len(came["begins"]) == 1 and abs(found["it begins at"] - 1) <= 1e-6 + 1e-5
        if follows and begins:  # else that is what is told
            assert gradient is not None, "the scale gets no gradient: .item(), float(), .detach() and .data cut it off"
            right = torch.allclose(gradient.sum(), wanted, rtol=1e-3)
            assert right, "the scale's gradient is not what the formula gives"
        return found

    @staticmethod
    def expected(width: int, scale: float) -> object:
        return {
            "registered parameters of one number": 1,
            "it begins at": 1.0,
            "how many times the output is as large": scale,
        }

    @classmethod
    def call(cls, case: Case) -> str:
        return f"Repaired({case['width']}, 0), with {case['scale']:.3g} as its scale"


class _Net(HiddenTest):
    part = "design"
    asks = "my_net"

    @staticmethod
    def fixed() -> Iterator[Case]:
        for budget in (2_000, 11_111):
            yield {"budget": budget}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"budget": 100_000}
        for most in (4_000, 20_000, 100_000):
            yield {"budget": draw.randint(2_000, most)}


class NetWithinTheBudget(_Net):
    """Between 90 % and all of the budget, all of it registered and used"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"budget": 2_000, "last": 2_049}  # a step of the formula is shorter: who is wrong by one is so here
        for budget in (11_111, 100_000):
            yield {"budget": budget, "last": budget}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"budget": 2_050, "last": 2_099}
        for most in (4_000, 20_000, 100_000):
            budget = draw.randint(2_000, most)
            yield {"budget": budget, "last": budget}

    @staticmethod
    def answer(my_net: Any, budget: int, last: int) -> object:
        totals = []
        for each in range(budget, last + 1):
            model = my_net(each)
            model(torch.randn(2, 1, 28, 28))
            totals.append(sum(parameter.numel() for parameter in parameters_of(model).values()))
        parameters = parameters_of(model)
        gradients = gradients_of(model(torch.randn(8, 1, 28, 28)), *parameters.values())
        used = {name: gradient is not None for name, gradient in zip(parameters, gradients, strict=True)}
        return {"totals": totals, "used": used}

    @staticmethod
    def facts(came: Any, budget: int, last: int) -> object:
        found = dict(zip(range(budget, last + 1), came["totals"], strict=True))
        over = [f"my_net({each}) has {total:,} parameters" for each, total in found.items() if total > each]
        under = [f"my_net({each}) has {total:,} parameters" for each, total in found.items() if total < 0.9 * each]
        unused = [name for name, used in came["used"].items() if not used]
        assert not over, f"{over[0]}: that is more than its budget"
        assert not under, f"{under[0]}: that is less than 90 % of its budget"
        assert not unused, f"parameters that are not used: {', '.join(unused)}"
        return True

    @staticmethod
    def expected(budget: int, last: int) -> object:
        return True

    @classmethod
    def call(cls, case: Case) -> str:
        if case["last"] == case["budget"]:
            return f"my_net({case['budget']})"
        return f"my_net(budget) for each budget from {case['budget']} to {case['last']}"


class NetInBalance(_Net):
    """Two convolutions, no parameter too large, and not too many products"""

    points = 1

    @staticmethod
    def answer(my_net: Any, budget: int) -> object:
        from torch.utils._python_dispatch import TorchDispatchMode

        ran: list[dict[str, Any]] = []

        class Noting(TorchDispatchMode):
            def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                came = operator(*args, **(kwargs or {}))
                if isinstance(came, Tensor):
                    sizes = [list(each.shape) for each in args if isinstance(each, Tensor)]
                    turned = len(args) > 6 and args[6] is True
                    name = operator.overloadpacket.__name__
                    ran.append({"name": name, "sizes": sizes, "output": list(came.shape), "turned": turned})
                return came

        model = my_net(budget)
        model.eval()
        with torch.no_grad():
            model(torch.randn(1, 1, 28, 28))
            with Noting():  # type: ignore[no-untyped-call]
                model(torch.randn(1, 1, 28, 28))
        kernels = [list(part.weight.shape) for part in parts_of(model).values() if "Conv2d" in kinds_of(part)]  # type: ignore[arg-type]
        return {"numbers": [each.numel() for each in parameters_of(model).values()], "kernels": kernels, "ran": ran}

    @staticmethod
    def facts(came: Any, budget: int) -> object:
        products = 0
        for each in came["ran"]:
            sizes, output = each["sizes"], each["output"]
            if each["name"] == "convolution":
                places = sizes[0] if each["turned"] else output
                products += math.prod(places) * math.prod(sizes[1][1:])
            elif each["name"] in ("mm", "bmm", "mv", "dot"):
                products += math.prod(output) * sizes[0][-1]
            elif each["name"] in ("addmm", "baddbmm", "addmv"):
                products += math.prod(output) * sizes[1][-1]
        total, largest = sum(came["numbers"]), max(came["numbers"])
        near = 0.5 * budget <= total <= 2 * budget
        assert near, f"{total:,} parameters: at least half and at most twice the budget are wanted for any points"
        convolutions = sum(max(kernel[2:]) > 1 for kernel in came["kernels"])
        assert convolutions >= 2, f"{convolutions} nn.Conv2d with kernels larger than 1×1: at least two are wanted"
        share = f"{largest:,} of {total:,} numbers"
        assert largest <= 0.6 * total, f"one parameter tensor holds {share}: at most 60 % are allowed"
        assert products <= 1_333_200, f"{products:,} products for one image: at most 1,333,200 are allowed"
        return True

    @staticmethod
    def expected(budget: int) -> object:
        return True


class NetThatSeesEverything(_Net):
    """All pixels have an influence, and it is not linear"""

    points = 2

    @staticmethod
    def answer(my_net: Any, budget: int) -> object:
        seen, outputs = torch.zeros(28, 28, dtype=torch.bool), []
        for seed in range(16):  # at random a unit is not active, or another window is larger
            torch.manual_seed(seed)
            model = my_net(budget)
            model.eval()
            a, b = torch.randn(2, 4, 1, 28, 28)
            with torch.no_grad():
                outputs.append([model(each) for each in (a, b, (a + b) / 2, a[:1])])
            x = torch.randn(50, 1, 28, 28).requires_grad_()
            gradient = gradients_of(model(x).square(), x)[0]
            seen |= (gradient != 0).any(0)[0] if gradient is not None else False
            if seen.all() and seed >= 1:
                break
        return {"numbers": [each.numel() for each in parameters_of(model).values()], "seen": seen, "outputs": outputs}

    @staticmethod
    def facts(came: Any, budget: int) -> object:
        far = max(
            ((a + b) / 2 - middle).abs().max().item() / (a - b).abs().max().clamp(min=1e-12).item()
            for a, b, middle, _ in came["outputs"]
        )
        a, _, _, one = came["outputs"][0]
        total, seen = sum(came["numbers"]), int(came["seen"].sum())
        near = 0.5 * budget <= total <= 2 * budget
        assert near, f"{total:,} parameters: at least half and at most twice the budget are wanted for any points"
        sizes = [list(a.shape), list(one.shape)]
        assert sizes == [[4, 10], [1, 10]], f"size of the outputs of 4 images and of 1: got {sizes[0]} and {sizes[1]}"
        assert seen == 784, f"{784 - seen} of the 784 pixels have no influence on the outputs"
        assert far > 1e-4, "the network is linear"
        return True

    @staticmethod
    def expected(budget: int) -> object:
        return True


def chain_of(sizes: list[int], nested: bool = False) -> nn.Module:
    """Return linear layers of the sizes, one after the other; nested, their names have one more number before."""
    chain = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))
    return nn.Sequential(chain) if nested else chain


def taken_over(source: list[int], target: list[int], nested: bool) -> dict[str, bool]:
    """Return for each parameter of the target whether it finds one of its name and size."""
    known = dict(chain_of(source).named_parameters())
    return {
        name: name in known and known[name].shape == each.shape
        for name, each in chain_of(target, nested).named_parameters()
    }


class _Transplant(HiddenTest):
    part = "transplant"
    asks = "transplant"
    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"source": [3, 4, 10], "target": [3, 4, 5], "nested": False}
        yield {"source": [3, 4, 2], "target": [3, 4, 2], "nested": True}  # all sizes, and no name
        yield {"source": [3, 4], "target": [3, 4, 5], "nested": False}
        yield {"source": [5, 2, 2], "target": [4, 2, 2], "nested": False}
        yield {"source": [3, 1, 2], "target": [3, 5, 2], "nested": False}  # of sizes that broadcast
        yield {"source": [3, 2], "target": [2, 3], "nested": False}  # of as many numbers
        yield {"source": [3, 4, 5], "target": [3, 4], "nested": False}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        for place in (0, draw.randint(1, 2), 3):
            sizes = [draw.randint(2, 6) for _ in range(4)]
            changed = [size + (number == place) for number, size in enumerate(sizes)]
            yield {"source": sizes, "target": changed, "nested": False}

    @classmethod
    def call(cls, case: Case) -> str:
        inside = ", in one more nn.Sequential" if case.get("nested") else ""
        return f"transplant from layers of {case['source']} to layers of {case['target']}{inside}"


def values_of(source: list[int], target: list[int], nested: bool, copied: bool = True) -> dict[str, Tensor]:
    """Return the target's parameters after what fits is copied, or nothing is."""
    found = {}
    sizes = [each.shape for each in chain_of(target).parameters()]
    for number, (name, fits) in enumerate(taken_over(source, target, nested).items()):
        value = (1000.0 if fits and copied else 5000.0) + 10 * number
        found[name] = value + torch.arange(sizes[number].numel()).reshape(sizes[number])
    return found


class TransplantedValues(_Transplant):
    """What fits is copied"""

    see = ("05", "Five filters, written by hand")
    mistakes = {
        "nothing is written: an assignment to a name leaves the parameter as it was": (
            lambda source, target, nested: values_of(source, target, nested, copied=False)
        ),
    }

    @staticmethod
    def answer(transplant: Any, source: list[int], target: list[int], nested: bool) -> object:
        from itertools import pairwise

        def chain(sizes: list[int], value: float) -> nn.Sequential:
            made = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))
            for number, parameter in enumerate(made.parameters()):
                with torch.no_grad():
                    parameter.copy_(value + 10 * number + torch.arange(parameter.numel()).reshape(parameter.shape))
            return made

        one, other = chain(source, 1000.0), chain(target, 5000.0)
        other = nn.Sequential(other) if nested else other
        transplant(one, other)
        return {name: each.clone() for name, each in other.named_parameters()}

    expected = staticmethod(values_of)


class TransplantedObjects(_Transplant):
    """The parameters stay the same objects, with memory of their own"""

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"source": [3, 4, 10], "target": [3, 4, 5], "frozen": False}
        yield {"source": [2, 3, 3, 4], "target": [2, 3, 3, 5], "frozen": True}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        sizes = [draw.randint(2, 6) for _ in range(3)]
        yield {"source": [*sizes, 7], "target": [*sizes, 8], "frozen": True}

    @staticmethod
    def answer(transplant: Any, source: list[int], target: list[int], frozen: bool) -> object:
        from itertools import pairwise

        def chain(sizes: list[int], value: float) -> nn.Sequential:
            made = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))
            for parameter in made.parameters():
                nn.init.constant_(parameter, value)
            return made

        one, other = chain(source, 1.0), chain(target, 5.0)
        other[0].weight.requires_grad_(not frozen)
        one[1].weight.requires_grad_(not frozen)
        held = list(other.parameters())
        flags = [each.requires_grad for each in (*one.parameters(), *held)]
        transplant(one, other)
        flags_after = [each.requires_grad for each in (*one.parameters(), *other.parameters())]
        same = [a is b for a, b in zip(held, other.parameters(), strict=True)]
        kept = [each.detach().clone() for each in one.parameters()]
        before = [each.detach().clone() for each in other.parameters()]
        with torch.no_grad():
            for each in one.parameters():
                each.fill_(99.0)
        after = [each.detach().clone() for each in other.parameters()]
        return {"same": same, "kept": kept, "before": before, "after": after, "flags": [flags, flags_after]}

    @staticmethod
    def facts(came: Any, source: list[int], target: list[int], frozen: bool) -> object:
        pairs = zip(came["before"], came["after"], strict=True)
        flags, after = came["flags"]
        assert any(bool((each == 1).all()) for each in came["before"]), "nothing is written into target"
        assert all(came["same"]), "target's parameters are not the same objects as before"
        assert all(a.equal(b) for a, b in pairs), "target shares memory with source: it changes when source does later"
        assert all(bool((each == 1).all()) for each in came["kept"]), "source has changed"
        assert flags == after, "requires_grad of a parameter has changed"
        return True

    @staticmethod
    def expected(source: list[int], target: list[int], frozen: bool) -> object:
        return True


class TransplantedNames(_Transplant):
    """The names of what got nothing"""

    mistakes = {
        "the names of what was copied": lambda source, target, nested: [
            name for name, fits in taken_over(source, target, nested).items() if fits
        ],
        "names alone are compared, and not sizes": lambda source, target, nested: [
            name
            for name, _ in chain_of(target, nested).named_parameters()
            if name not in dict(chain_of(source).named_parameters())
        ],
    }

    @staticmethod
    def answer(transplant: Any, source: list[int], target: list[int], nested: bool) -> object:
        from itertools import pairwise

        def chain(sizes: list[int]) -> nn.Sequential:
            return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))

        other = chain(target)
        return transplant(chain(source), nn.Sequential(other) if nested else other)

    @staticmethod
    def expected(source: list[int], target: list[int], nested: bool) -> object:
        return [name for name, fits in taken_over(source, target, nested).items() if not fits]


class _Readings(HiddenTest):
    part = "words"
    asks = "my_readings"
    understanding = True
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}


class ReadingsOfImages(_Readings):
    """The smallest and the largest image"""

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("smallest", "largest")}

    @staticmethod
    def facts(came: Any) -> object:
        for name, value in came.items():
            assert not isinstance(value, float) or value % 1 == 0, f"{name}: expected a whole number, got {value}"
        return came

    @staticmethod
    def expected() -> object:
        return {"smallest": 24, "largest": 27}


class ReadingsOfNumbers(_Readings):
    """Numbers in the file, products, and numbers for larger images"""

    @staticmethod
    def answer(my_readings: Any) -> object:
        read = my_readings()
        return {name: read[name] for name in ("parameters", "products", "more")}

    @staticmethod
    def facts(came: Any) -> object:
        for name, value in came.items():
            assert not isinstance(value, float) or value % 1 == 0, f"{name}: expected a whole number, got {value}"
        return came

    @staticmethod
    def expected() -> object:
        return {"parameters": 9_111, "products": 52_488, "more": 4_320}
