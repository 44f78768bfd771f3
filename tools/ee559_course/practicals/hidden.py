"""What a practical's ``hidden_tests.py`` is written in: draws, and tests that ask, expect and compare."""

import inspect
import math
import os
import random
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import torch
from ee559.checks import difference
from ee559.practicals.forbidding import Forbidden
from ee559.practicals.question import written_call
from ee559.practicals.wire import Foreign
from torch import Tensor

__all__ = ["Case", "Draw", "Forbidden", "HiddenTest"]

Case = dict[str, Any]
MAX_START = 5
"""An answer on n samples may take so many times the limit before it counts: a pause there would hide a loop on 10 n."""
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Draw(random.Random):
    """Random numbers, choices and tensors, all from one seed.

    Args:
        seed: any text; the same text gives the same draws.
    """

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self._generator = torch.Generator().manual_seed(self.getrandbits(63))

    def normal(self, *size: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw a tensor of standard normal values."""
        return torch.randn(size, dtype=dtype, generator=self._generator, device="cpu")

    def distinct(self, *size: int) -> Tensor:
        """Draw a float32 tensor of both signs in which no two values, nor their magnitudes, are equal.

        Normal values are equal now and then, and then several things may be right, such as a maximum's gradient.
        """
        number = math.prod(size)
        order = torch.randperm(number, generator=self._generator, device="cpu")
        return ((order.float() - number // 2 + 0.25) / 16).reshape(size)

    def pixels(self, *size: int) -> Tensor:
        """Draw a float32 tensor of values in [0, 1)."""
        return torch.rand(size, dtype=torch.float32, generator=self._generator, device="cpu")

    def labels(self, nb_samples: int, num_classes: int) -> Tensor:
        """Draw (nb_samples,) int64 labels in 0..num_classes − 1."""
        return torch.randint(num_classes, (nb_samples,), generator=self._generator, device="cpu")


class HiddenTest:
    """One test; a subclass says what is asked of which answer, and what must come. Its docstring is its title.

    Attributes:
        part: id of the part's heading cell, without ``part-``.
        asks: name of the student's function or class.
        points: that it gives, all or none.
        seconds: of processor time by which the answers to the first two cases, one of n samples and one of 10 n, may
            differ, if there is such a limit: a loop over the samples takes longer. Draw another such pair: times of
            cases that are known could be had by tables.
        understanding: whether it looks at what a student has understood: numbers read off, predictions, choices.
        see: number of the lecture and heading in it that explain what is wrong, where others do than its part's.
        mistakes: under a sentence for each known mistake, a function like `expected` that makes it.
        facts: says what of an answer is compared; an ``assert`` in it that fails is told in its own words.
    """

    part: ClassVar[str]
    asks: ClassVar[str]
    points: ClassVar[float]
    seconds: ClassVar[float | None] = None
    understanding: ClassVar[bool] = False
    see: ClassVar[tuple[str, str] | None] = None
    mistakes: ClassVar[Mapping[str, Callable[..., object]]] = {}

    answer: ClassVar[Callable[..., object]]
    expected: ClassVar[Callable[..., object]]
    facts: ClassVar[Callable[..., object] | None] = None

    @staticmethod
    def fixed() -> Iterable[Case]:
        """Yield the cases that the students' check has too, small ones and edges first."""
        return ()

    @staticmethod
    def drawn(draw: Draw) -> Iterable[Case]:
        """Yield more cases, for the mark alone."""
        return ()

    @classmethod
    def id(cls) -> str:
        """Return the id of the test's cell, such as ``test-pooling-with-a-stride``."""
        return "test-" + CAPITAL.sub("-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """Return what the test looks at: the first line of its docstring."""
        return (cls.__doc__ or "").partition("\n")[0].strip().removesuffix(".")

    @classmethod
    def cases(cls, seed: str) -> list[Case]:
        """Return all cases of a mark: the fixed ones, and those that a seed draws."""
        return [*cls.fixed(), *cls.drawn(Draw(f"{seed} {cls.__name__}"))]

    @classmethod
    def question(cls) -> dict[str, Any]:
        """Return what is sent to where the student's code is: whose answer is wanted, and how it is asked for."""
        return {"asks": cls.asks, "answer": source_of(cls.answer)}

    @classmethod
    def verdict(cls, actual: object, case: Case) -> str | None:
        """Say the first thing that is wrong with what an answer returned; None if nothing is.

        Args:
            actual: what `answer` returned, plain values and tensors.
            case: that it was asked.
        """
        with torch.enable_grad():
            try:
                found = actual if cls.facts is None else cls.facts(actual, **case)
            except AssertionError as error:  # what a test says in words of its own
                return f"{cls.call(case)}: {error}"
            except Exception:  # what came is of a kind that the test did not think of
                return f"{cls.call(case)}: this cannot be judged: {_described(actual)}"
            expected = cls.expected(**case)
            try:
                wrong = difference(found, expected, show=True, dtype=False)
            except Exception:  # an object of the student's own may do anything when it is looked at
                return f"{cls.call(case)}: this cannot be judged: {_described(actual)}"
        return None if wrong is None else f"{cls.call(case)}: {wrong}"

    @classmethod
    def call(cls, case: Case) -> str:
        """Write a case as the call that it is."""
        return written_call(cls.asks, case)

    @classmethod
    def too_slow(cls, seconds: list[float]) -> str | None:
        """Say whether answers took times that only a loop over the samples explains.

        Args:
            seconds: of processor time of each answer, in the order of the cases: the first and second case are a pair
                of n and 10 n samples, the third and fourth another one, and so on.
        """
        if cls.seconds is None:
            return None
        pairs = zip(seconds[::2], seconds[1::2], strict=False)
        if all(many - min(few, MAX_START * cls.seconds) <= cls.seconds for few, many in pairs):
            return None
        return f"{cls.asks}: it takes too long on a large batch. Is there a loop over the samples?"


def source_of(function: Callable[..., object]) -> str:
    """Return the source of a static method as a function at the margin."""
    text = textwrap.dedent(inspect.getsource(function))
    return text[text.index("def ") :]


def in_kernel(test: type[HiddenTest], forbidden: Forbidden, namespace: Mapping[str, object]) -> None:
    """Run a test whole where the student's code is: in nbgrader's own autograder, whose cells call this.

    Raises:
        AssertionError: an answer is wrong.
        Exception: whatever the student's code raises.
    """
    import contextlib
    import sys
    import time

    from ee559.practicals.asking import as_graded
    from ee559.practicals.forbidding import forbid
    from ee559.practicals.wire import pack, unpack

    if test.asks not in namespace:
        raise AssertionError(f"{test.asks} is not defined")
    taken = []
    for case in test.cases(os.environ.get("EE559_SEED", "0")):
        given: Any = unpack(pack(case))
        with contextlib.redirect_stderr(sys.stdout), as_graded():  # nbgrader takes stderr for an error
            start = time.process_time()
            with forbid(forbidden):
                actual = test.answer(namespace[test.asks], **given)
            taken.append(time.process_time() - start)
        if wrong := test.verdict(unpack(pack(actual)), case):
            raise AssertionError(wrong)
    if wrong := test.too_slow(taken):
        raise AssertionError(wrong)


def _described(actual: object) -> str:
    if isinstance(actual, Tensor):
        return f"got a tensor of {actual.dtype} with shape {tuple(actual.shape)}"
    name = actual.name if isinstance(actual, Foreign) else type(actual).__name__
    return f"got {'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
