"""How a question is asked: what the code that tries an answer may use, and how that code is made from its source."""

import builtins
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["children_of", "gradients_of", "kinds_of", "parameters_of", "parts_of", "set_parameters"]


def gradients_of(output: object, *leaves: Tensor) -> list[Tensor | None]:
    """Return the gradients of the sum of an output, None for each leaf to which none passes."""
    if not isinstance(output, Tensor) or not output.requires_grad:
        return [None] * len(leaves)
    return list(torch.autograd.grad(output.sum(), leaves, allow_unused=True, retain_graph=True))


def children_of(module: object) -> dict[str, nn.Module]:
    """Return the modules that are registered in a module itself, by name.

    This and what is built on it look at what is registered, and call no method that a class may have made its own.

    Raises:
        TypeError: it is no module.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"expected an nn.Module, got a {type(module).__name__}")
    if "_modules" not in vars(module):
        raise TypeError(f"{type(module).__name__} does not call super().__init__() first")
    return {name: child for name, child in vars(module)["_modules"].items() if child is not None}


def parts_of(module: object, name: str = "") -> dict[str, nn.Module]:
    """Return a module and all modules in it, by name and in PyTorch's order, each once; the first is the module."""
    found = {name: module} if isinstance(module, nn.Module) else {}
    for child_name, child in children_of(module).items():
        inside = parts_of(child, f"{name}.{child_name}".lstrip("."))
        found |= {key: part for key, part in inside.items() if not _is_among(part, found)}
    return found


def kinds_of(module: nn.Module) -> list[str]:
    """Return the names of the classes of torch.nn that a module is an instance of."""
    return [kind.__name__ for kind in type(module).__mro__ if getattr(nn, kind.__name__, None) is kind]


def parameters_of(module: object) -> dict[str, nn.Parameter]:
    """Return the registered parameters of a module and of all modules in it, by name and in order, each once."""
    found: dict[str, nn.Parameter] = {}
    for name, part in parts_of(module).items():
        for key, parameter in vars(part)["_parameters"].items():
            if parameter is not None and not _is_among(parameter, found):
                found[f"{name}.{key}".lstrip(".")] = parameter
    return found


def set_parameters(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Write values into the parameters of the same names.

    Raises:
        ValueError: a value has another size than its parameter.
    """
    with torch.no_grad():
        for name in parameters.keys() & values.keys():
            if parameters[name].shape != values[name].shape:
                wanted, came = tuple(values[name].shape), tuple(parameters[name].shape)
                raise ValueError(f"expected a parameter {name} of size {wanted}, got {came}")
            parameters[name].copy_(values[name])


def _is_among(wanted: object, found: Mapping[str, object]) -> bool:
    return any(wanted is each for each in found.values())


@contextmanager
def as_graded() -> Iterator[None]:
    """Answer as in a fresh process, whatever the notebook has set, and leave its settings and random numbers alone.

    Gradients are on, new tensors are float32 on the CPU, and torch's random numbers begin at one seed.
    """
    dtype, deterministic = torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()
    with warnings.catch_warnings(), torch.enable_grad(), torch.device("cpu"), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        torch.set_default_dtype(torch.float32)
        _set_deterministic(False)
        torch.manual_seed(0)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            _set_deterministic(deterministic)


def _set_deterministic(wanted: bool) -> None:
    """Set what torch, to set it, imports its compiler for: two seconds, where it is so already."""
    if torch.are_deterministic_algorithms_enabled() != wanted:
        torch.use_deterministic_algorithms(wanted)


def question_names() -> dict[str, Any]:
    """Return the names that a question's code has: Python's own, torch's and those of this module."""
    own = {name: globals()[name] for name in __all__}
    return {
        **own,
        "__builtins__": dict(vars(builtins)),
        "Any": Any,
        "Callable": Callable,
        "F": F,
        "Tensor": Tensor,
        "math": math,
        "nn": nn,
        "torch": torch,
    }


def define(source: str, names: Mapping[str, Any]) -> FunctionType:
    """Make a function from its source.

    Args:
        source: one ``def``, at the margin.
        names: its globals; they are copied.
    """
    namespace = dict(names)
    exec(compile(source, "<question>", "exec"), namespace)
    made = next(value for name, value in namespace.items() if name not in names)
    assert isinstance(made, FunctionType)
    return made
