"""Write operations as on the lecture's table: nn.Conv2d(1, 32, kernel_size=5), F.max_pool2d(x, kernel_size=3)."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Each product of matrices with the name and the place of its left factor.
PRODUCTS = {
    "addmm": ("mat1", 1),
    "__rmatmul__": ("other", 1),
    **dict.fromkeys(("matmul", "__matmul__", "mm", "bmm", "mv"), ("input", 0)),
}
SHAPES = {"view", "reshape", "flatten", "permute", "transpose", "squeeze", "unsqueeze", "t"}
COMBINATIONS = {"cat", "stack", "add", "__add__", "__radd__", "mul", "__mul__", "__rmul__"}
FUNCTIONAL = {name for name, value in vars(nn.functional).items() if name[0].islower() and callable(value)}
WEIGHTED = ("linear", "conv1d", "conv2d", "conv3d")
WEIGHTED_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")  # C++ has no signatures
WINDOW_DEFAULTS = {"kernel_size": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros"}


def module_name(module: nn.Module) -> str:
    """Write a module as the lecture does."""
    bias = "" if getattr(module, "bias", None) is not None else ", bias=False"
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        sizes = f"{module.in_channels}, {module.out_channels}"
        options = _options({name: getattr(module, name) for name in WINDOW_DEFAULTS}, WINDOW_DEFAULTS)
        return f"nn.{type(module).__name__}({sizes}, {options}{bias})"
    if isinstance(module, nn.Linear):
        return f"nn.{type(module).__name__}({module.in_features}, {module.out_features}{bias})"
    return f"nn.{module!r}"


def function_name(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """Write a call, or None if the table has no row for such a function."""
    name = getattr(func, "__name__", "").removesuffix("_with_indices")  # max_pool2d with return_indices
    if name in SHAPES:
        if args and isinstance(args[0], nn.Parameter):
            return None  # weight.t() prepares a product, which gets the row
        given = [*map(_plain, args[1:]), *(f"{key}={_plain(value)}" for key, value in kwargs.items() if key != "input")]
        return f"x.{name}({', '.join(given)})"
    if name in PRODUCTS or name in COMBINATIONS:
        return name.strip("_").removeprefix("r") if name.startswith("__") else name
    if name in FUNCTIONAL:
        options = _functional_options(func, args, kwargs)
        return f"F.{name}(x, {options})" if options else f"F.{name}"
    return None


def weighted_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments of a function of WEIGHTED their names."""
    return {**dict(zip(WEIGHTED_ARGUMENTS, args, strict=False)), **kwargs}


def _functional_options(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Write the options of a functional call that differ from their defaults."""
    if func.__name__ in WEIGHTED:
        return _options(weighted_arguments(args, kwargs), WINDOW_DEFAULTS)
    try:
        # max_pool2d and its like only dispatch; the function with the options has an underscore before its name.
        signature = inspect.signature(getattr(nn.functional, f"_{func.__name__}", func))
        given = signature.bind(*args, **kwargs).arguments
    except (ValueError, TypeError):
        positional = [_plain(value) for value in args if not isinstance(value, Tensor)]
        return ", ".join([*positional, _options(kwargs, {})] if kwargs else positional)
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    if defaults.get("stride", 1) is None:
        defaults["stride"] = given.get("kernel_size")
    return _options(dict(list(given.items())[1:]), defaults)


def _options(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Write the arguments that are neither tensors nor defaults."""
    kept = []
    for name, value in given.items():
        if not isinstance(value, Tensor) and value is not None and not name.startswith("_"):
            size, default = (_one_size(it) if name in WINDOW_DEFAULTS else it for it in (value, defaults.get(name)))
            if size != default:
                kept.append(f"{name}={_plain(size)}")
    return ", ".join(kept)


def _one_size(value: Any) -> Any:
    """Return the number that a size repeats, or the size itself."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _plain(value: Any) -> str:
    return repr(tuple(value) if isinstance(value, list | torch.Size) else value)
