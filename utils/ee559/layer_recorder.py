"""Watch a module run and write a row of the layer table for each of its operations."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from ee559.layer_formulas import (
    convolution_products,
    evaluate,
    layer_parameters,
    linear_products,
    product,
    recurrent_products,
)
from ee559.layer_names import PRODUCTS, function_name, module_name, named_arguments

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class LayerRow:
    """One operation: what it is, the shape of its output for one sample, and its counts with their formulas."""

    operation: str
    shape: tuple[int, ...]
    parameters: int
    parameters_formula: str
    products: int
    products_formula: str


@contextmanager
def recording(module: nn.Module) -> Iterator[list[LayerRow]]:
    """Give a list that fills with rows while the module runs on a batch of one sample."""
    from torch.utils.flop_counter import FlopCounterMode  # it imports triton

    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))  # torch counts no products in its fused attention on a CPU
        recorder = _Recorder(module, stack.enter_context(FlopCounterMode(display=False)))
        stack.callback(register_module_forward_pre_hook(recorder.enter).remove)
        stack.callback(register_module_forward_hook(recorder.leave, always_call=True).remove)
        stack.enter_context(recorder)
        yield recorder.rows


class _Recorder(TorchFunctionMode):
    """Write a row for each of torch's modules without submodules and for each function called outside of one."""

    def __init__(self, module: nn.Module, flops: "FlopCounterMode") -> None:
        super().__init__()
        self.rows: list[LayerRow] = []
        self.flops = flops
        self.flops_before = 0
        self.inside: nn.Module | None = None
        self.unused = {id(parameter): parameter for parameter in module.parameters()}

    def enter(self, module: nn.Module, inputs: object) -> None:
        """Note that a row's module begins; what it calls is part of it."""
        torchs_own = type(module).__module__.startswith("torch.nn")
        if self.inside is None and torchs_own and not any(True for _ in module.children()):
            self.inside = module
            self.flops_before = self.flops.get_total_flops()

    def leave(self, module: nn.Module, inputs: object, output: object) -> None:
        """Write the row of a module that ends, unless an exception ended it."""
        if self.inside is module:
            if (tensor := _first_tensor(output)) is not None:
                self.add_module(module, tensor)
            self.inside = None

    def add_module(self, module: nn.Module, output: Tensor) -> None:
        """Write the row of a module without submodules."""
        own = list(module.parameters())
        new = self.first_used(own)
        weight = getattr(module, "weight", None)
        formula, products = _sum_of_sizes(new), self.products_since(self.flops_before)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear) and isinstance(weight, Tensor):
            write = linear_products if isinstance(module, nn.Linear) else convolution_products
            products = write(weight.shape, output.shape)
            if new and len(new) == len(own):
                formula = layer_parameters(weight.shape, module.bias is not None)
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):  # torch counts no products in its fused loops
            weights = [p.shape for name, p in module.named_parameters() if name.startswith("weight")]
            products = recurrent_products(weights, output.shape)
        again = " (again)" if own and not new else ""
        self.add(module_name(module) + again, output, formula, products)

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the function; write its row if it is one that a network is made of, or if it multiplies."""
        kwargs = kwargs or {}
        if self.inside is not None:
            return func(*args, **kwargs)
        flops_before = self.flops.get_total_flops()
        output = func(*args, **kwargs)
        products = self.products_since(flops_before)
        operation = function_name(func, args, kwargs) or (func.__name__ if products else None)
        if operation and (tensor := _first_tensor(output)) is not None:
            given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
            viewed = [value if value._base is None else value._base for value in given]  # of weight.t(), weight
            products = _function_products(func.__name__, args, kwargs, tensor) or products
            self.add(operation, tensor, _sum_of_sizes(self.first_used(viewed)), products)
        return output

    def add(self, operation: str, output: Tensor, parameters_formula: str, products_formula: str) -> None:
        """Write a row; both counts are worked out from their formulas."""
        shape = tuple(output.shape[1:] if output.dim() and output.size(0) == 1 else output.shape)
        parameters, products = evaluate(parameters_formula), evaluate(products_formula)
        self.rows.append(LayerRow(operation, shape, parameters, parameters_formula, products, products_formula))

    def first_used(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Return those that are parameters of the module and that no row has counted yet."""
        return [parameter for parameter in parameters if self.unused.pop(id(parameter), None) is not None]

    def products_since(self, flops_before: int) -> str:
        """Write what torch counts, for operations that have no formula here, such as einsum or attention."""
        products = (self.flops.get_total_flops() - flops_before) // 2
        return f"{products}" if products else ""


def _function_products(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> str:
    """Write the products of a functional convolution, linear map or product of matrices."""
    if name in ("conv1d", "conv2d", "conv3d"):
        return convolution_products(named_arguments(name, args, kwargs)["weight"].shape, output.shape)
    if name == "linear":
        return linear_products(named_arguments(name, args, kwargs)["weight"].shape, output.shape)
    if name in PRODUCTS:
        given = named_arguments(name, args, kwargs)
        left = given["other" if name == "__rmatmul__" else "mat1" if name == "addmm" else "input"]
        outputs = output.shape[1:] if output.dim() and output.size(0) == 1 else output.shape
        return product(outputs[:1], outputs[1:], [left.size(-1)])
    return ""


def _sum_of_sizes(parameters: Sequence[Tensor]) -> str:
    return " + ".join(product(parameter.shape[:1], parameter.shape[1:]) for parameter in parameters)


def _first_tensor(output: object) -> Tensor | None:
    """Return the output itself, or the first of several: the others are states or indices."""
    first = output[0] if isinstance(output, tuple | list) and output else output
    return first if isinstance(first, Tensor) else None
