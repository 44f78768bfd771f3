"""Checks for the exercises of the lectures: the first thing that is wrong, in a sentence, and where it is explained."""

import copy
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor

TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 1e-1, torch.float32: 1e-4}


@dataclass(frozen=True)
class Foreign:
    """What stands for a value of which only the type is known.

    Attributes:
        name: its type's name, such as ``ndarray``.
    """

    name: str


def check_answer(
    exercise: str, answer: object, expected: object, see: str, mistakes: Mapping[str, object] | None = None
) -> None:
    """Print a tick, or the first thing that is wrong with an answer: missing, type, shape, dtype or device, values.

    Args:
        exercise: the exercise's name.
        answer: what the student gives; the ellipsis ... stands for no answer yet.
        expected: the right answer.
        see: heading of the section that explains it.
        mistakes: a sentence for each wrong answer that is common; it is said when the answer is that one.
    """
    if answer is ...:
        _say(exercise, "not answered yet", see)
        return
    wrong = difference(answer, expected)
    if wrong is None:
        print(f"✓ {exercise}: right.")
        return
    for sentence, mistaken in (mistakes or {}).items():
        if difference(answer, mistaken) is None:
            wrong = f"{wrong}. It looks like this: {sentence}"
            break
    _say(exercise, wrong, see)


def check_function(
    exercise: str,
    function: Callable[..., object],
    reference: Callable[..., object],
    cases: Iterable[tuple[Any, ...]],
    see: str,
    mistakes: Mapping[str, Callable[..., object]] | None = None,
) -> None:
    """Run a student's function and a reference on each case; print a tick, or the first thing that is wrong.

    Args:
        exercise: the exercise's name.
        function: the student's function; NotImplementedError stands for no answer yet.
        reference: a function that is right.
        cases: the arguments of each call.
        see: heading of the section that explains it.
        mistakes: a sentence for each wrong function that is common; it is said when the results are its results.
    """
    cases = list(cases)
    wrong = _first_fault(exercise, function, reference, cases, mistakes or {})
    if wrong is not None:
        _say(exercise, wrong, see)
    else:
        print(f"✓ {exercise}: right, on {len(cases)} case{'s' if len(cases) > 1 else ''}.")


def _first_fault(
    exercise: str,
    function: Callable[..., object],
    reference: Callable[..., object],
    cases: Iterable[tuple[Any, ...]],
    mistakes: Mapping[str, Callable[..., object]],
) -> str | None:
    for arguments in cases:
        given = copy.deepcopy(arguments)
        called = f"{getattr(function, '__name__', exercise)}{_in_brackets(*arguments)}"
        try:
            answer = function(*given)
        except NotImplementedError as error:
            return f"not answered yet: {error}"
        except Exception as error:  # whatever a student's code raises is what the student must read
            return f"{called} raised {type(error).__name__}: {error}".rstrip(": ")
        expected = reference(*copy.deepcopy(arguments))
        wrong = difference(answer, expected)
        if wrong is not None:
            return f"{called}: {wrong}{_likely(arguments, answer, expected, mistakes)}"
        if any(difference(after, before) is not None for after, before in zip(given, arguments, strict=True)):
            return f"{called}: the function changed its input; work on a new tensor"
    return None


def _likely(
    arguments: tuple[Any, ...], answer: object, expected: object, mistakes: Mapping[str, Callable[..., object]]
) -> str:
    """Name the common mistake that gives this answer."""
    for words, mistaken in mistakes.items():
        try:
            result = mistaken(*copy.deepcopy(arguments))
        except Exception:  # a mistake may well be one that fails on this case
            continue
        if difference(result, expected) is not None and difference(answer, result) is None:
            return f". It looks like this: {words}"
    return ""


def difference(came: object, expected: object, show: bool = False, dtype: bool = True) -> str | None:
    """Return the first difference between what came and what was expected, in words, or None.

    Numbers compare by value, NumPy's among them; lists and tuples are sequences alike; tensors compare by shape and
    then by values, with float32's tolerance whatever their dtype; NaN equals NaN.

    Args:
        came: what a student's code gives.
        expected: the right value.
        show: whether to say what was expected.
        dtype: whether tensors must be of the same dtype, and floats not stand for ints.
    """
    wanted = f", expected {shortened(expected)}" if show else ""
    if isinstance(expected, Tensor):
        return _tensor_difference(came, expected, show, dtype)
    if isinstance(expected, dict) and isinstance(came, dict):
        return _dict_difference(came, expected, show, dtype)
    if isinstance(expected, list | tuple):
        return _sequence_difference(came, expected, show, dtype)
    if _is_number(expected):
        if not _is_number(came):
            hint = ": .item() reads its number" if isinstance(came, Tensor) and came.numel() == 1 else ""
            return f"expected a number, got {_article(came)}{hint}"
        if dtype and isinstance(expected, int) and not isinstance(came, int):
            return f"expected {_article(expected)}, got {_article(came)}"
        same = came == expected or (isinstance(expected, float) and _is_close(came, expected))
        return None if same else f"the value is not right: got {shortened(came)}{wanted}"
    if type(came) is not type(expected):
        return f"expected {_article(expected)}, got {_article(came)}"
    return None if came == expected else f"the value is not right: got {shortened(came)}{wanted}"


def shortened(value: object, longest: int = 200) -> str:
    """Write a value as Python does, on one line and not too long."""
    if type(value).__module__ == "numpy":
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    words = " ".join(repr(value).split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def _is_number(value: object) -> TypeGuard[float]:
    numpy_number = type(value).__module__ == "numpy" and isinstance(value, numbers.Number)
    return (isinstance(value, int | float) and not isinstance(value, bool)) or numpy_number


def _is_close(came: float, expected: float) -> bool:
    if math.isnan(came) or math.isnan(expected):
        return math.isnan(came) and math.isnan(expected)
    return abs(came - expected) <= 1e-6 + 1e-5 * abs(expected)


def _sequence_difference(came: object, expected: list[Any] | tuple[Any, ...], show: bool, dtype: bool) -> str | None:
    if not isinstance(came, list | tuple):
        return f"expected {_article(expected)}, got {_article(came)}"
    if show and isinstance(expected, torch.Size):
        return None if tuple(came) == tuple(expected) else f"expected size {tuple(expected)}, got {tuple(came)}"
    if len(came) != len(expected):
        wanted = f": expected {shortened(expected)}" if show else ""
        return f"expected {len(expected)} items, got {len(came)}{wanted}"
    for index, (one, other) in enumerate(zip(came, expected, strict=True)):
        if (wrong := difference(one, other, show, dtype)) is not None:
            return f"item {index}: {wrong}"
    return None


def _dict_difference(came: Mapping[str, object], expected: Mapping[str, object], show: bool, dtype: bool) -> str | None:
    """Compare what has names, in the order of what is expected."""
    for key, value in expected.items():
        if key not in came:
            return f"there is no {key}"
        if (wrong := difference(came[key], value, show, dtype)) is not None:
            return f"{key}: {wrong}"
    return next((f"expected no {key}" for key in came if key not in expected), None)


def _tensor_difference(came: object, expected: Tensor, show: bool, dtype: bool) -> str | None:
    if not isinstance(came, Tensor):
        return f"expected a tensor, got {_article(came)}"
    if came.shape != expected.shape:
        return f"expected shape {tuple(expected.shape)}, got {tuple(came.shape)}"
    if dtype and came.dtype != expected.dtype:
        return f"expected {expected.dtype}, got {came.dtype}"
    if came.device.type != expected.device.type:
        return f"expected a tensor on {expected.device}, got one on {came.device}"
    if came.dtype.is_complex and not expected.dtype.is_complex:
        return f"expected real numbers, got {came.dtype}"
    kind = torch.complex128 if expected.dtype.is_complex else torch.float64
    ours, theirs = came.detach().to(kind), expected.detach().to(kind)
    exact = not (expected.dtype.is_floating_point or expected.dtype.is_complex)
    tolerance = 0.0 if exact else TOLERANCE.get(came.dtype, TOLERANCE[torch.float32])
    finite = theirs[torch.isfinite(theirs)]
    scale = max(1.0, finite.abs().max().item()) if finite.numel() else 1.0
    same = torch.isclose(ours, theirs, rtol=tolerance, atol=tolerance * scale / 10, equal_nan=True)
    if same.all():
        return None
    first = tuple(int(index) for index in (~same).nonzero()[0])
    place = f" at index {first}" if first else ""
    wanted = f", expected {_rounded(theirs[first].item())}" if show else ""
    wrong = f"the shape is right, and {int((~same).sum())} of {same.numel()} values are not"
    if same.numel() == 1:
        wrong = "the value is not right"
    return f"{wrong}: got {_rounded(ours[first].item())}{place}{wanted}"


def _rounded(number: complex) -> complex:
    """Leave out the digits of a number that float32 does not have."""
    return number if isinstance(number, complex) else float(f"{number:.7g}")


def sentence(words: str) -> str:
    """End words with a full stop, unless they end a sentence already."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _article(value: object) -> str:
    if value is None:
        return "None"
    name = value.name if isinstance(value, Foreign) else type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _in_brackets(*arguments: object) -> str:
    """Write the arguments of a call, tensors by their shapes."""
    words = (f"tensor of {tuple(each.shape)}" if isinstance(each, Tensor) else repr(each) for each in arguments)
    return f"({', '.join(words)})"


def _say(exercise: str, wrong: str, see: str) -> None:
    print(f"✗ {exercise}: {sentence(wrong)} See the section “{see}”.")
