"""A check names the first thing that is wrong, in the order type, shape, dtype, values, and never raises."""

import numpy as np
import pytest
import torch
from ee559 import check_answer, check_function
from ee559.checks import difference
from torch import Tensor


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.strip()


EXPECTED = torch.tensor([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (..., "not answered yet"),
        ([[1.0, 2.0]], "expected a tensor, got a list"),
        (torch.tensor([1.0, 2.0]), "expected shape (1, 2), got (2,)"),
        (torch.tensor([[1, 2]]), "expected torch.float32, got torch.int64"),
        (torch.tensor([[1.0, 2.0]], device="meta"), "expected a tensor on cpu, got one on meta"),
        (torch.tensor([[1.0, 2.5]]), "1 of 2 values are not: got 2.5 at index (0, 1)"),
    ],
)
def test_the_first_thing_wrong_with_a_tensor_is_named(
    answer: object, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check_answer("relu", answer, EXPECTED, see="ReLU")
    line = said(capsys)
    assert line.startswith("✗ relu: ")
    assert words in line
    assert line.endswith("See the section “ReLU”.")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (EXPECTED + 1e-7, EXPECTED),
        (EXPECTED.clone().requires_grad_(), EXPECTED),
        ((2, 3), (2, 3)),
        ([2, 3], (2, 3)),
        (np.float32(2.0), 2.0),
        (np.int64(2), 2.0),
        (torch.Size([2, 3]), torch.Size([2, 3])),
        ([1.0, EXPECTED], [1.0, EXPECTED]),
        (1, 1.0),
        (True, True),
        ("a", "a"),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")])),
        (torch.tensor(3), torch.tensor(3)),
    ],
)
def test_right_answers_get_a_tick(answer: object, expected: object, capsys: pytest.CaptureFixture[str]) -> None:
    check_answer("sizes", answer, expected, see="cell")
    assert said(capsys) == "✓ sizes: right."


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (3.0, 3, "expected an int, got a float"),
        (True, 1, "expected a number, got a bool"),
        (torch.tensor(3), 3, "expected a number, got a Tensor: .item() reads its number"),
        (None, 3, "expected a number, got None"),
        (2.1, 2.0, "the value is not right: got 2.1"),
        ({2, 3}, (2, 3), "expected a tuple, got a set"),
        ((2,), (2, 3), "expected 2 items, got 1"),
        ((2, 4), (2, 3), "item 1: the value is not right: got 4"),
        (torch.tensor(2), torch.tensor(3), "the value is not right: got 2."),
    ],
)
def test_the_first_thing_wrong_with_a_plain_value_is_named(
    answer: object, expected: object, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check_answer("sizes", answer, expected, see="cell")
    assert words in said(capsys)


def test_a_common_mistake_is_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    check_answer("sum", 5, 6, see="cell", mistakes={"you counted 7": 7, "you forgot the bias": 5})
    assert "It looks like this: you forgot the bias." in said(capsys)


def double(x: Tensor) -> Tensor:
    return 2 * x


CASES = [(torch.tensor([0.0]),), (torch.tensor([1.0, -1.0]),)]


def test_a_right_function_gets_a_tick_with_the_number_of_cases(capsys: pytest.CaptureFixture[str]) -> None:
    check_function("double", lambda x: x + x, double, CASES, see="cell")
    assert said(capsys) == "✓ double: right, on 2 cases."


def test_a_wrong_function_is_shown_the_call_that_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    def squared(x: Tensor) -> Tensor:
        return x**2

    mistakes = {"it raises": lambda x: x.nothing, "this is the square": squared, "it is right": double}
    check_function("double", squared, double, CASES, see="cell", mistakes=mistakes)
    line = said(capsys)
    assert "squared(tensor of (2,)): the shape is right, and 2 of 2 values are not: got 1.0 at index (0,)" in line
    assert "It looks like this: this is the square." in line


def test_a_function_that_changes_its_input_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    check_function("double", lambda x: x.mul_(2), double, CASES[1:], see="cell")
    assert "changed its input" in said(capsys)
    assert CASES[1][0].tolist() == [1.0, -1.0]


def test_an_unwritten_function_is_not_answered_yet(capsys: pytest.CaptureFixture[str]) -> None:
    def unwritten(x: Tensor) -> Tensor:
        raise NotImplementedError("return (N,) doubled")

    check_function("double", unwritten, double, CASES, see="cell")
    assert "not answered yet: return (N,) doubled" in said(capsys)


def test_a_function_that_raises_is_reported_and_not_raised(capsys: pytest.CaptureFixture[str]) -> None:
    check_function("double", lambda: None, double, CASES, see="cell")
    assert "raised TypeError" in said(capsys)


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (4, 3, "the value is not right: got 4, expected 3"),
        (0.5, 0.25, "the value is not right: got 0.5, expected 0.25"),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]), "got 2.0 at index (1,), expected 4.0"),
        (torch.Size([2, 3]), torch.Size([3, 2]), "expected size (3, 2), got (2, 3)"),
        ({"output": 1}, {"output": 1, "gradient for x": 2}, "there is no gradient for x"),
        (
            {"output": None, "gradient for x": 2},
            {"output": 1, "gradient for x": 3},
            "output: expected a number, got None",
        ),
        ({"weight": 1, "bias": 1}, {"weight": 1}, "expected no bias"),
    ],
)
def test_practicals_say_what_was_expected_and_under_which_name(actual: object, expected: object, words: str) -> None:
    assert words in str(difference(actual, expected, show=True, dtype=False))


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (4.0, 4),
        (torch.tensor([1, 0]), torch.tensor([1.0, 0.0])),
        (torch.tensor([1.00005]), torch.tensor([1.0], dtype=torch.float64)),
        (torch.tensor([0.1], dtype=torch.float16), torch.tensor([0.1])),
        (torch.tensor([1000.0, 0.005]), torch.tensor([1000.0, 0.0])),  # float32 of a sum has no more digits
        ((2, [3.0]), [2, (3,)]),
    ],
)
def test_without_dtypes_values_are_compared_as_closely_as_float32_can(actual: object, expected: object) -> None:
    assert difference(actual, expected, dtype=False) is None


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (100_001, 100_000),
        (torch.tensor([100_001]), torch.tensor([100_000])),
        (torch.tensor([1.001]), torch.tensor([1.0])),
        (float("nan"), 0.0),
        (torch.tensor([1j]), torch.tensor([0.0])),
        (True, 1.0),
        ("1", 1),
    ],
)
def test_what_differs_is_told_whatever_the_dtype(actual: object, expected: object) -> None:
    assert difference(actual, expected, dtype=False) is not None
