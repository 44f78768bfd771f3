"""Practical 3, modules: layers from parameters, repairs, depth, and counting by formula."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ee559.checks import Fault, in_brackets
from ee559.layers import layer_table
from ee559.network import Net
from ee559.practicals.practical import Part, Practical, by_hand, draw

FirstValues = Callable[[dict[str, nn.Parameter]], dict[str, str]]
KEEP = "keep layers in attributes or in an nn.ModuleList"
ENOUGH = 1000  # numbers to tell a uniform distribution by
PARTS = {"its conv": (32, 1, 5, 5), "its param": (123, 456), "its linear layer": (21, 543)}
KINDS: dict[str, Callable[[nn.Module], bool]] = {  # how each repair registers its linear layer, and how to see it
    "linear layer as an attribute": lambda module: any(isinstance(part, nn.Linear) for part in module.children()),
    "part called ahhh_0": lambda module: hasattr(module, "ahhh_0"),
    "nn.ModuleList": lambda module: any(isinstance(part, nn.ModuleList) for part in module.modules()),
    "nn.ModuleDict": lambda module: any(isinstance(part, nn.ModuleDict) for part in module.modules()),
}


def _registered(module: object, advice: str) -> dict[str, nn.Parameter]:
    """Return the parameters by name; without any, say the advice."""
    if not isinstance(module, nn.Module):
        raise Fault(f"expected an nn.Module, got a {type(module).__name__}")
    named = dict(module.named_parameters())
    if not named:
        raise Fault(f"it has no registered parameters: {advice} (lecture 09)")
    return named


def _output(module: Any, parameters: Iterable[Tensor], x: Tensor) -> object:
    """Return what a module answers when its parameters have values that do not depend on chance."""
    with torch.no_grad():
        for number, parameter in enumerate(parameters):
            parameter.copy_(draw(*parameter.shape, seed=number))
    return module(x)


def _uniform(parameters: dict[str, nn.Parameter]) -> dict[str, str]:
    """Say how the first values of each large parameter of a layer with 25 inputs lie."""
    found = {}
    for name, values in parameters.items():
        if values.numel() >= ENOUGH:
            low, high, spread = values.min().item(), values.max().item(), values.std().item()
            right = -0.2 <= low < -0.19 and 0.19 < high <= 0.2 and abs(spread - 0.2 / 3**0.5) < 0.01
            words = f"between {low:.2f} and {high:.2f}, with a standard deviation of {spread:.2f}"
            found[name] = "uniform between ±0.2" if right else words
    return found


def _alike(parameters: dict[str, nn.Parameter]) -> dict[str, str]:
    return {"weight": "all alike" if parameters["weight"].unique().numel() == 1 else "not all alike"}


def _layer(first: FirstValues, make: Callable[..., object]) -> Callable[..., object]:
    """Return what a layer's parameters are like at first, and its output when they have known values."""

    def use(arguments: tuple[Any, ...], x: Tensor) -> object:
        layer = make(*arguments)
        named = dict(sorted(_registered(layer, "wrap each tensor in nn.Parameter").items()))
        values = first(named) if "weight" in named else {}
        output = _output(layer, named.values(), x)
        if isinstance(output, Tensor) and output.requires_grad:
            output.sum().backward()
        return {
            "its parameters": {name: parameter.shape for name, parameter in named.items()},
            "output": output,
            **{f"gradient for {name}": "passes" for name, parameter in named.items() if parameter.grad is not None},
            "first values": values,
        }

    return use


class _Turned(nn.Module):
    """A linear layer with its weight the other way round."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(inputs, outputs))
        self.bias = nn.Parameter(torch.rand(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + (0 if self.bias is None else self.bias)


class _Deaf(nn.Linear):
    """A linear layer that does not listen to its bias."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight)


def _conv(stride: int | None = None, padding: int | None = None) -> Callable[..., nn.Module]:
    """Make a convolution that does not use the stride or the padding that it gets."""

    def make(inputs: int, outputs: int, kernel: Any, s: int = 1, p: int = 0) -> nn.Module:
        return nn.Conv2d(inputs, outputs, kernel, s if stride is None else stride, p if padding is None else padding)

    return make


def _deep(sizes: Sequence[int], between: type[nn.Module] = nn.ReLU, last: type[nn.Module] = nn.Identity) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for k in range(len(sizes) - 1):
        layers += [nn.Linear(sizes[k], sizes[k + 1]), between()]
    return nn.Sequential(*layers[:-1], last())


def _depth(make: Callable[[Sequence[int]], nn.Module]) -> Callable[..., object]:
    """Return the sizes of the parameters in order, and the output when they have known values."""

    def use(arguments: tuple[Any, ...], x: Tensor) -> object:
        model = make(*arguments)
        parameters = list(_registered(model, KEEP).values())
        return {"parameters": [p.shape for p in parameters], "output": _output(model, parameters, x)}

    return use


def _what_is_forgotten(repairs: Callable[[], Sequence[nn.Module]]) -> Callable[[], object]:
    """Say what each repair forgets, and how many parameters it has."""

    def use() -> object:
        made = repairs()
        if not isinstance(made, list | tuple) or len(made) != len(KINDS):
            raise Fault("expected a list of four modules")
        for number, (module, (kind, is_there)) in enumerate(zip(made, KINDS.items(), strict=True)):
            sizes = [tuple(parameter.shape) for parameter in _registered(module, KEEP).values()]
            if not is_there(module):
                raise Fault(f"module {number} has no {kind}")
            if forgotten := [name for name, size in PARTS.items() if size not in sizes]:
                raise Fault(f"module {number} forgets {' and '.join(forgotten)}")
        return {f"parameters of module {number}": len(list(module.parameters())) for number, module in enumerate(made)}

    return use


def _made_and_called(arguments: tuple[Any, ...], x: Tensor) -> str:
    return in_brackets(*arguments) + in_brackets(x)


def _conv_counts(c: int, d: int, k: int, h: int, w: int, bias: int = 1, pad: int = 0) -> tuple[int, int]:
    return d * (c * k * k + bias), d * c * k * k * (h - k + 1 + pad * (k - 1)) * (w - k + 1 + pad * (k - 1))


def _net_counts(hidden: int) -> tuple[int, int]:
    table = layer_table(Net(hidden), (1, 28, 28))
    return table.total_parameters, table.total_products


def _without_biases(hidden: int) -> tuple[int, int]:
    return _net_counts(hidden)[0] - 32 - 64 - hidden - 10, _net_counts(hidden)[1]


def _last_layer_of_200(hidden: int) -> tuple[int, int]:
    parameters, products = _net_counts(hidden)
    return parameters - 10 * (hidden - 200), products - 10 * (hidden - 200)


_linear = partial(_layer, _uniform)
_convolution = partial(_layer, _alike)

modules = Practical(
    {
        "MyLinear": Part(
            _linear(nn.Linear),
            cases=[
                ((3, 2), draw(4, 3).float()),
                ((5, 4, False), draw(5).float()),
                ((5, 4), draw(2, 3, 5).float()),
                ((25, 4 * ENOUGH), draw(1, 25).float()),
            ],
            see=("04", "Shapes of the parameters"),
            use=lambda answer: by_hand("Linear")(_linear(answer)),
            call=_made_and_called,
            mistakes={
                "the weight is (in, out), and should be (out, in)": _linear(_Turned),
                "there is a bias even with bias=False": _linear(lambda i, o, bias=True: nn.Linear(i, o)),
                "there is no bias at all": _linear(lambda i, o, bias=True: nn.Linear(i, o, bias=False)),
                "the bias is not added": _linear(lambda i, o, bias=True: _Deaf(i, o, bias)),
            },
        ),
        "MyConv2d": Part(
            _convolution(nn.Conv2d),
            cases=[
                ((2, 3, 3), draw(2, 2, 6, 5).float()),
                ((1, 2, (2, 3)), draw(1, 1, 5, 5).float()),
                ((2, 3, 3, 2, 1), draw(2, 2, 7, 7).float()),
            ],
            see=("04", "The convolutional layer"),
            use=lambda answer: by_hand("Conv2d")(_convolution(answer)),
            call=_made_and_called,
            mistakes={
                "the weight is (in, out, h, w)": _convolution(lambda i, o, k, s=1, p=0: nn.ConvTranspose2d(i, o, k)),
                "the stride is not used": _convolution(_conv(stride=1)),
                "the padding is not used": _convolution(_conv(padding=0)),
                "there is no bias": _convolution(lambda i, o, k, s=1, p=0: nn.Conv2d(i, o, k, s, p, bias=False)),
            },
        ),
        "repairs": Part(
            lambda: {f"parameters of module {number}": 5 for number in range(4)},
            cases=[()],
            see=("09", "Repair it by name"),
            use=_what_is_forgotten,
        ),
        "Deep": Part(
            _depth(_deep),
            cases=[
                (([4, 3],), draw(5, 4).float()),
                (([6, 5, 4, 3],), draw(2, 6).float()),
                (([12, 5, 3],), draw(4, 1, 3, 4).float()),
            ],
            see=("09", "Lists that register"),
            use=_depth,
            call=_made_and_called,
            mistakes={
                "no ReLU between the layers": _depth(lambda sizes: _deep(sizes, between=nn.Identity)),
                "a ReLU after the last layer": _depth(lambda sizes: _deep(sizes, last=nn.ReLU)),
            },
        ),
        "conv_counts": Part(
            _conv_counts,
            cases=[(1, 32, 5, 28, 28), (32, 64, 5, 8, 8), (3, 2, 1, 4, 6)],
            see=("08", "The table"),
            use=by_hand("Conv2d", "Linear"),
            mistakes={
                "the bias is forgotten": lambda c, d, k, h, w: _conv_counts(c, d, k, h, w, bias=0),
                "the input's places are counted, and not the output's": lambda c, d, k, h, w: _conv_counts(
                    c, d, k, h, w, pad=1
                ),
                "the kernel's side is not squared": lambda c, d, k, h, w: (
                    d * (c * k + 1),
                    _conv_counts(c, d, k, h, w)[1],
                ),
                "the input channels are left out": lambda c, d, k, h, w: _conv_counts(1, d, k, h, w),
            },
        ),
        "net_counts": Part(
            _net_counts,
            cases=[(200,), (50,), (1000,)],
            see=("08", "The table"),
            use=by_hand("Conv2d", "Linear"),
            mistakes={
                "the biases are forgotten": _without_biases,
                "the last layer has nb_hidden inputs too": _last_layer_of_200,
            },
        ),
    }
)
