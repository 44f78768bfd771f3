"""Watch a module run and write a row of the layer table for each of its operations."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from ee559.layers.formulas import Formula, layer_parameters, layer_products, product, sum_of_sizes
from ee559.layers.names import PRODUCTS, WEIGHTED, function_name, module_name, weighted_arguments

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class LayerRow:
    """One operation: what it is, the shape of its output for one sample, and the formulas of its counts."""

    operation: str
    shape: tuple[int, ...]
    parameters_formula: Formula
    products_formula: Formula

    @property
    def parameters(self) -> int:
        """Parameters that no row above has counted."""
        return self.parameters_formula.value

    @property
    def products(self) -> int:
        """Products for one sample."""
        return self.products_formula.value

    def cells(self) -> tuple[str, str, str, str]:
        """Write the row: operation, shape, parameters, products."""
        shape = " × ".join(map(str, self.shape))
        return self.operation, shape, self.parameters_formula.equation(), self.products_formula.equation()


@contextmanager
def recording(module: nn.Module) -> Iterator[list[LayerRow]]:
    """Give a list that fills with rows while the module runs on a batch of one sample.

    Parameters that were not used have a row of their own in the end.
    """
    from torch.utils.flop_counter import FlopCounterMode  # it imports triton

    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))  # torch counts no products in its fused attention on a CPU
        recorder = _Recorder(module, stack.enter_context(FlopCounterMode(display=False)))
        stack.callback(register_module_forward_pre_hook(recorder.enter).remove)
        stack.callback(register_module_forward_hook(recorder.leave, always_call=True).remove)
        stack.enter_context(recorder)
        yield recorder.rows
    if rest := sum(parameter.numel() for parameter in recorder.unused.values()):
        recorder.rows.append(LayerRow("parameters of no row above", (), product([rest]), Formula()))


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
        is_torchs = type(module).__module__.startswith("torch.nn")
        if self.inside is None and is_torchs and not list(module.children()):
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
        parameters, products = sum_of_sizes(new), self.products_since(self.flops_before)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            products = layer_products(module.weight.shape, output.shape)
            if new and len(new) == len(own):
                parameters = layer_parameters(module.weight.shape, module.bias is not None)
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):  # torch counts no products in its fused loops
            weights = sum_of_sizes(each for name, each in module.named_parameters() if name.startswith("weight"))
            products = math.prod(output.shape[:-1]) * weights  # each step uses every weight once
        again = " (again)" if own and not new else ""
        self.rows.append(LayerRow(module_name(module) + again, _of_one_sample(output), parameters, products))

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
        operation = function_name(func, args, kwargs) or (func.__name__ if products.value else None)
        if operation and (tensor := _first_tensor(output)) is not None:
            given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
            viewed = [value if value._base is None else value._base for value in given]  # of weight.t(), weight
            products = _function_products(func.__name__, args, kwargs, tensor) or products
            parameters = sum_of_sizes(self.first_used(viewed))
            self.rows.append(LayerRow(operation, _of_one_sample(tensor), parameters, products))
        return output

    def first_used(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Return those that are parameters of the module and that no row has counted yet."""
        return [parameter for parameter in parameters if self.unused.pop(id(parameter), None) is not None]

    def products_since(self, flops_before: int) -> Formula:
        """Return what torch counts, for operations that have no formula here, such as einsum or attention."""
        products = (self.flops.get_total_flops() - flops_before) // 2
        return product([products]) if products else Formula()


def _function_products(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], output: Tensor) -> Formula | None:
    """Count the products of a functional convolution, linear map or product of matrices."""
    if name in WEIGHTED:
        return layer_products(weighted_arguments(args, kwargs)["weight"].shape, output.shape)
    if name in PRODUCTS:
        key, place = PRODUCTS[name]
        left = kwargs[key] if key in kwargs else args[place]
        outputs = _of_one_sample(output)
        return product(outputs[:1], outputs[1:], [left.size(-1)])
    return None


def _of_one_sample(output: Tensor) -> tuple[int, ...]:
    """Return the shape without the batch dimension, unless the number of samples has changed on the way."""
    return tuple(output.shape[1:] if output.dim() and output.size(0) == 1 else output.shape)


def _first_tensor(output: object) -> Tensor | None:
    """Return the output itself, or the first of several: the others are states or indices."""
    first = output[0] if isinstance(output, tuple | list) and output else output
    return first if isinstance(first, Tensor) else None
