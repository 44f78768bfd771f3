"""What crosses between a student's process and the grader's: plain values and tensors, by exact type, and no more."""

import json
from enum import IntEnum
from typing import Any

import numpy as np
import pytest
import torch
from ee559.practicals.wire import DTYPES, MAX_DEPTH, MAX_INT, MAX_TEXT, Foreign, WireError, pack, unpack
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from torch import nn

SIZES = st.lists(st.integers(0, 4), max_size=4)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(1 - MAX_INT, MAX_INT - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.builds(
        lambda name, size, seed: random_tensor(DTYPES[name], size, seed),
        st.sampled_from(sorted(DTYPES)),
        SIZES,
        st.integers(0, 9),
    )
)
VALUES = st.recursive(
    PLAIN,
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.lists(inside, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=8,
)


def random_tensor(dtype: torch.dtype, size: list[int], seed: int) -> torch.Tensor:
    """Make a tensor of any bytes, nan and infinities among them; of bools, the two that there are."""
    draw = torch.Generator().manual_seed(seed)
    if dtype == torch.bool:
        return torch.randint(2, size, generator=draw).bool()
    values = torch.randint(256, (*size, dtype.itemsize), generator=draw).to(torch.uint8)
    return values.view(dtype).reshape(size) if values.numel() else torch.empty(size, dtype=dtype)


def crossed(value: object) -> object:
    """Send a value as it is sent: through JSON in text."""
    return unpack(json.loads(json.dumps(pack(value))))


def same(one: object, other: object) -> bool:
    """Tell whether two values are the same by type, size and every bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and bits(one) == bits(other)
    if isinstance(one, float) and isinstance(other, float):
        return one.hex() == other.hex()
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return one == other


def bits(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())


@seed(559)
@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_values_cross_with_their_exact_types(value: object) -> None:
    assert same(crossed(value), value)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
@pytest.mark.parametrize("size", [[], [0], [3, 0, 2], [2, 3], [1, 2, 3, 4]], ids=str)
def test_tensors_of_every_type_and_size_cross(dtype: torch.dtype, size: list[int]) -> None:
    tensor = random_tensor(dtype, size, 0)
    assert same(crossed(tensor), tensor)


def test_views_parameters_gradients_and_inference_leave_nothing_but_values() -> None:
    with torch.inference_mode():
        inferred = torch.arange(6.0).reshape(2, 3)
    leaf = torch.arange(6.0).reshape(2, 3).requires_grad_()
    for given_, wanted in [
        (leaf.t() * 2, leaf.detach().t() * 2),
        (nn.Parameter(leaf.detach()), leaf.detach()),
        (inferred, leaf.detach()),
        (torch.view_as_complex(torch.ones(2, 2)).conj(), torch.tensor([1 - 1j, 1 - 1j])),
        (torch.zeros(1).expand(3, 2), torch.zeros(3, 2)),
    ]:
        actual = crossed(given_)
        assert same(actual, wanted)
        assert isinstance(actual, torch.Tensor)
        assert not actual.requires_grad
        actual.add_(1)  # it is nobody else's


def test_a_column_that_steps_over_others_crosses() -> None:
    for column in (torch.ones(2, 2)[:1, :1].t(), torch.arange(6.0).reshape(3, 2)[:, 1:], torch.ones(4, 0)[:, :0]):
        torch.testing.assert_close(unpack(pack(column)), column)


def test_sizes_cross_as_tuples() -> None:
    assert same(crossed(torch.zeros(2, 3).shape), (2, 3))


class AlwaysEqual:
    def __eq__(self, other: object) -> bool:
        return True


class MyInt(int):
    pass


class MyText(str):
    pass


class MyList(list[int]):
    pass


class MyTensor(torch.Tensor):
    pass


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize("value", [np.float64(1.5), np.float32(1.5), np.int64(3), np.bool_(True)])
def test_numbers_of_numpy_cross_as_numbers(value: np.generic) -> None:
    assert crossed(value) == value.item()
    assert type(crossed(value)) is type(value.item())


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (AlwaysEqual(), "AlwaysEqual"),
        (MyInt(3), "MyInt"),
        (MyText("three"), "MyText"),
        (MyList([3]), "MyList"),
        (torch.zeros(2).as_subclass(MyTensor), "MyTensor"),
        (Colour.RED, "Colour"),
        (np.zeros(2), "ndarray"),
        (np.array(["one"]), "ndarray"),
        (3 + 1j, "complex"),
        ({1, 2}, "set"),
        ({1: "a key that is no text"}, "dict"),
        (b"three", "bytes"),
        (range(3), "range"),
        ((n for n in range(3)), "generator"),
        (len, "builtin_function_or_method"),
        (nn.Linear(2, 3), "Linear"),
        (MAX_INT, "int"),
        ("a" * (MAX_TEXT + 1), "str"),
    ],
)
def test_what_does_not_cross_becomes_a_name(value: object, name: str) -> None:
    assert crossed(value) == Foreign(name)
    assert crossed([value, 1]) == [Foreign(name), 1]


def test_tensors_without_plain_values_become_a_name() -> None:
    for tensor in (
        torch.eye(3).to_sparse(),
        torch.empty(2, device="meta"),
        torch.zeros(2).to(torch.float8_e4m3fn),
    ):
        assert isinstance(crossed(tensor), Foreign)


def test_what_says_that_it_is_equal_to_everything_is_not_when_it_has_crossed() -> None:
    assert AlwaysEqual() == 3
    assert crossed(AlwaysEqual()) != 3


def test_lists_that_hold_themselves_or_are_too_deep_end() -> None:
    inside: list[object] = []
    inside += [inside, inside, 1]
    assert crossed(inside) == [Foreign("list"), Foreign("list"), 1]
    deep: list[object] = [1]
    for _ in range(MAX_DEPTH + 5):
        deep = [deep]
    assert "Foreign(name='list')" in str(crossed(deep))
    assert same(crossed([[1], [1]]), [[1], [1]])


DATA = "AACAPw=="  # 1.0


@pytest.mark.parametrize(
    "packed",
    [
        [1],
        {},
        {"list": 3},
        {"list": [[1]]},
        {"list": [], "tuple": []},
        {"dict": [["a"]]},
        {"dict": [[1, 2]]},
        {"dict": {"a": 1}},
        {"foreign": 3},
        {"object": "os.system"},
        {"__reduce__": ["os.system", ["true"]]},
        {"tensor": "float32", "size": [1]},
        {"tensor": "object", "size": [1], "data": DATA},
        {"tensor": "float32", "size": [2], "data": DATA},
        {"tensor": "float32", "size": [-1], "data": DATA},
        {"tensor": "float32", "size": [True], "data": DATA},
        {"tensor": "float32", "size": ["1"], "data": DATA},
        {"tensor": "float32", "size": [1] * 50, "data": DATA},
        {"tensor": "float32", "size": [1], "data": "not base64"},
        {"tensor": "float32", "size": [1], "data": "ÀÀÀ="},
        {"tensor": "float32", "size": [1], "data": DATA, "requires_grad": True},
        {"tensor": "float32", "size": [0, 2**31, 2**31, 2**31], "data": ""},
        {"tensor": "float32", "size": [2**40, 0], "data": ""},
        {"tensor": "bool", "size": [1], "data": "Ag=="},
        2**64,
        "a" * (MAX_TEXT + 1),
        b"bytes",
    ],
)
def test_what_pack_does_not_write_is_refused(packed: Any) -> None:
    with pytest.raises(WireError, match="expected"):
        unpack(packed)
    with pytest.raises(WireError, match="expected"):
        unpack({"list": [packed]})


def test_what_is_too_deep_is_refused() -> None:
    packed: Any = 1
    for _ in range(MAX_DEPTH + 2):
        packed = {"list": [packed]}
    with pytest.raises(WireError, match="expected"):
        unpack(packed)


JUNK = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["float32", "bool", DATA]),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from(["list", "tuple", "dict", "foreign", "tensor", "size", "data"]), inside)
    ),
    max_leaves=12,
)


@seed(559)
@given(JUNK)
@settings(max_examples=500, deadline=None)
def test_anything_else_is_read_or_refused_and_raises_nothing_else(packed: Any) -> None:
    try:
        value = unpack(packed)
    except WireError:
        return
    assert same(crossed(value), value) or "Foreign" in str(value)
