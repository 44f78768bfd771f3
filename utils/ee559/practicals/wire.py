"""What crosses between a student's process and the grader's: plain values and tensors, by exact type, as JSON.

Neither side unpickles anything, and nothing that a student's code returns keeps its methods: an object that says it is
equal to everything arrives as a `Foreign`, a name and no more.
"""

import base64
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ee559.checks import Foreign as Foreign

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
    )
}
MAX_DEPTH, MAX_TEXT, MAX_NAME, MAX_INT = 20, 10_000, 100, 2**63


class WireError(ValueError):
    """Something arrived that `pack` does not write."""


def pack(value: object) -> Any:
    """Turn a value into what JSON can write; whatever is not of an exact, plain type becomes a `Foreign`.

    Args:
        value: None, bool, int, float, str, a number of NumPy's, a dense tensor or parameter, or lists, tuples and dicts
            (with str keys) of them.
    """
    return _pack(value, ())


def unpack(packed: Any) -> object:
    """Make the value again: new lists and new tensors on the CPU, without gradients.

    Raises:
        WireError: it is nothing that `pack` writes.
    """
    return _unpack(packed, 0)


def _pack(value: object, around: tuple[int, ...]) -> Any:
    """Pack a value, given the ids of the containers that it lies in."""
    if type(value).__module__ == "numpy" and isinstance(value, np.generic):
        value = value.item()
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if isinstance(value, int) and kind is int and abs(value) < MAX_INT:
        return value
    if isinstance(value, str) and kind is str and len(value) <= MAX_TEXT:
        return value
    if isinstance(value, Tensor) and kind in (Tensor, nn.Parameter):
        return _pack_tensor(value)
    if len(around) < MAX_DEPTH and id(value) not in around:
        inside = (*around, id(value))
        if isinstance(value, list) and kind is list:
            return {"list": [_pack(each, inside) for each in value]}
        if isinstance(value, tuple) and kind in (tuple, torch.Size):
            return {"tuple": [_pack(each, inside) for each in value]}
        if isinstance(value, dict) and kind is dict and all(type(key) is str for key in value):
            return {"dict": [[key, _pack(each, inside)] for key, each in value.items()]}
    return {"foreign": kind.__name__[:MAX_NAME]}


def _pack_tensor(tensor: Tensor) -> Any:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        return {"foreign": f"Tensor with layout {tensor.layout} on {tensor.device}"}
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in DTYPES:
        return {"foreign": f"Tensor of {name}"}
    dense = tensor.detach().resolve_conj().resolve_neg().cpu()
    flat = torch.empty(dense.numel(), dtype=dense.dtype, device="cpu").copy_(dense.reshape(-1))
    data = flat.view(torch.uint8).numpy().tobytes()
    return {"tensor": name, "size": list(dense.shape), "data": base64.b64encode(data).decode("ascii")}


def _unpack(packed: Any, depth: int) -> object:
    if packed is None or type(packed) in (bool, float):
        return packed
    if isinstance(packed, int) and abs(packed) < MAX_INT:
        return packed
    if isinstance(packed, str) and len(packed) <= MAX_TEXT:
        return packed
    if not isinstance(packed, dict) or depth > MAX_DEPTH:
        raise WireError(f"expected a packed value, got a {type(packed).__name__}")
    match packed:
        case {"list": list(values), **rest} if not rest:
            return [_unpack(each, depth + 1) for each in values]
        case {"tuple": list(values), **rest} if not rest:
            return tuple(_unpack(each, depth + 1) for each in values)
        case {"dict": list(pairs), **rest} if not rest:
            return {key: _unpack(each, depth + 1) for key, each in map(_pair, pairs)}
        case {"foreign": str(name), **rest} if not rest:
            return Foreign(name[:MAX_NAME])
        case {"tensor": str(name), "size": list(size), "data": str(data), **rest} if name in DTYPES and not rest:
            return _unpack_tensor(DTYPES[name], size, data)
    raise WireError("expected a packed value, got a dict of another kind")


def _pair(packed: Any) -> tuple[str, Any]:
    match packed:
        case [str(key), value]:
            return key, value
    raise WireError("expected a name and a value")


def _unpack_tensor(dtype: torch.dtype, size: list[Any], data: str) -> Tensor:
    if len(size) > MAX_DEPTH or not all(type(side) is int and 0 <= side < 2**32 for side in size):
        raise WireError(f"expected the size of a tensor, got {str(size)[:100]}")
    try:
        content = bytearray(base64.b64decode(data, validate=True))
    except ValueError:
        raise WireError("expected a tensor's bytes in base64") from None
    if len(content) != prod(size) * dtype.itemsize:
        raise WireError(f"expected {prod(size)} values of {dtype}, got {len(content)} bytes")
    if not content:
        return _empty(dtype, size)
    if dtype == torch.bool and any(byte > 1 for byte in content):
        raise WireError("expected bools, got other bytes")
    return torch.frombuffer(content, dtype=dtype).reshape(size)


def _empty(dtype: torch.dtype, size: list[int]) -> Tensor:
    try:
        return torch.empty(size, dtype=dtype, device="cpu")
    except RuntimeError:  # its strides are too large
        raise WireError(f"expected the size of a tensor, got {size}") from None
