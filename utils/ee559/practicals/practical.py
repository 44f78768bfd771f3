"""A practical's parts: what each function must do, how to say what is wrong, and which parts pass."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ee559.checks import Fault, first_fault, sentence


@dataclass(frozen=True)
class Part:
    """One function or class that the student writes.

    Attributes:
        reference: does what the student's must do, on the same arguments.
        cases: the arguments of each try, small ones first, so that the first fault is easy to see.
        see: lecture and heading that explain it, such as ``("02", "Three words")``.
        mistakes: for each sentence about a common mistake, a function that makes it.
        use: how to try an answer; by default it is called with the case. What it returns under names is compared
            name by name.
        call: how a case is written after the name, if not as its arguments in brackets.
    """

    reference: Callable[..., object]
    cases: Sequence[tuple[Any, ...]]
    see: tuple[str, str]
    mistakes: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    use: Callable[[Any], Callable[..., object]] | None = None
    call: Callable[..., str] | None = None

    def fault(self, name: str, answer: Any) -> str | None:
        """Return the first thing that is wrong with an answer, or None."""
        if not callable(answer):
            return f"expected a function or a class called {name}, got a {type(answer).__name__}"
        tried: Any = answer
        if self.use:
            tried = self.use(answer)
            tried.__name__ = name
        return first_fault(name, tried, self.reference, self.cases, self.mistakes, show=True, call=self.call)


class Practical:
    """The parts of a practical, under the names of what the student writes.

    Args:
        parts: each part under its name.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self.parts = dict(parts)

    def check(self, answer: Any) -> None:
        """Print a tick, or the first thing that is wrong with one answer and where it is explained."""
        name = getattr(answer, "__name__", repr(answer))
        if name not in self.parts:
            advice = (
                "write it with `def`, not with lambda" if name == "<lambda>" else "keep the name that the task gives"
            )
            print(f"✗ {name}: {advice}: one of {', '.join(self.parts)}.")
            return
        part = self.parts[name]
        fault = part.fault(name, answer)
        if fault is None:
            print(f"✓ {name}: right, on {len(part.cases)} case{'s' if len(part.cases) > 1 else ''}.")
        else:
            print(f"✗ {name}: {sentence(fault)} {_see(*part.see)}")

    def progress(self, namespace: Mapping[str, object]) -> None:
        """Print which parts pass, given the notebook's ``globals()``."""
        passed = 0
        for name, part in self.parts.items():
            if name not in namespace:
                print(f"– {name}: not defined yet")
                continue
            with redirect_stdout(io.StringIO()):  # what the answers print would hide the list
                fault = part.fault(name, namespace[name])
            passed += fault is None
            print(f"{'✓' if fault is None else '✗'} {name}")
        print(f"{passed} of {len(self.parts)} parts pass their checks.")


class _Refusal(TorchFunctionMode):
    """Refuse torch's functions by a part of their names."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.words = words

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make the call, or refuse it."""
        name = getattr(func, "__name__", "")
        if any(word in name for word in self.words):
            raise Fault(f"do this by hand: torch's {name} is not allowed")
        return func(*args, **(kwargs or {}))


@contextmanager
def by_hand(*words: str) -> Iterator[None]:
    """Refuse torch's own functions and modules, in a with block or, as a decorator, in a function.

    Args:
        words: parts of the functions' names, such as ``"max_pool"``, and classes of torch.nn, such as ``"Linear"``.
    """
    with ExitStack() as stack:
        for word in words:
            if word[0].isupper():
                stack.enter_context(patch.object(getattr(nn, word), "__init__", _refuse(word)))
        stack.enter_context(_Refusal([word for word in words if word[0].islower()]))
        yield


def _refuse(word: str) -> Callable[..., None]:
    def refuse(*arguments: object, **options: object) -> None:
        raise Fault(f"do this by hand: nn.{word} is not allowed")

    return refuse


def with_gradients(*names: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Try a function, and the gradients of the sum of its outputs.

    Args:
        names: of the first arguments, those that get a gradient.
    """

    def use(function: Callable[..., object]) -> Callable[..., object]:
        def tried(*arguments: Any) -> dict[str, object]:
            leaves = [tensor.clone().requires_grad_() for tensor in arguments[: len(names)]]
            output = function(*arguments)
            if not isinstance(output, Tensor):
                return {"output": output}
            again = function(*(leaf * 1 for leaf in leaves), *arguments[len(names) :])
            try:
                gradients = gradients_of(again, *leaves)
            except RuntimeError:  # a tensor that it needs was written twice
                return {"output": output}
            found = {f"gradient for {name}": g for name, g in zip(names, gradients, strict=True) if g is not None}
            return {"output": output, **found}

        return tried

    return use


def gradients_of(output: object, *leaves: Tensor) -> list[Tensor | None]:
    """Return the gradients of the sum of an output, None for each leaf to which none passes."""
    if not isinstance(output, Tensor) or not output.requires_grad:
        return [None] * len(leaves)
    return list(torch.autograd.grad(output.sum(), leaves, allow_unused=True))


def children_of(module: object) -> dict[str, nn.Module]:
    """Return the modules that are registered in a module itself, by name.

    This and what is built on it look at what is registered, and call no method that a class may have made its own.
    """
    if not isinstance(module, nn.Module):
        raise Fault(f"expected an nn.Module, got a {type(module).__name__}")
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
        Fault: a value has another size than its parameter.
    """
    with torch.no_grad():
        for name in parameters.keys() & values.keys():
            if parameters[name].shape != values[name].shape:
                raise Fault(f"the parameter {name} does not have the size that the task says")
            parameters[name].copy_(values[name])


def _is_among(wanted: object, found: Mapping[str, object]) -> bool:
    return any(wanted is each for each in found.values())


class _Counter(TorchFunctionMode):
    """Count the calls of torch that a program makes, and keep its numbers in tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: int = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Count one call and make it."""
        self.calls += 1
        if getattr(func, "__name__", "") in {"tolist", "numpy", "__array__"}:
            raise Fault("work on tensors, and not on lists or arrays made from them")
        return func(*args, **(kwargs or {}))


def count_calls(program: Callable[[], object]) -> int:
    """Run a program and count its calls of torch: few if it works on batches, many if it loops over samples."""
    counter = _Counter()
    with counter:
        program()
    return counter.calls


def draw(*size: int, seed: int = 0) -> Tensor:
    """Draw a float64 tensor of normal values that are the same each time."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _see(lecture: str, heading: str) -> str:
    return f"Lecture {lecture} explains it, in the section “{heading}”."
