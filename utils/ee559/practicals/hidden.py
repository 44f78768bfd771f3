"""Hidden tests in three pieces: cases that are drawn, the student's answers to them, and a verdict on what came.

The pieces are apart so that a grader can draw the cases and judge the answers in a process of its own, in which no code
of a student's ever runs. What an answer returns crosses as plain values and tensors (see `wire`). In nbgrader's own
autograder all three run in the student's kernel, one after the other, with the same result.
"""

import contextlib
import math
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ee559.practicals.wire import Foreign, pack, unpack

Case = dict[str, Any]


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

        Normal values are equal now and then, and what is right may then be several things, such as a maximum's gradient.
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


@dataclass(frozen=True)
class HiddenTest:
    """One test.

    Attributes:
        name: says which draws are its own.
        cases: yields what each try is given, under names.
        answer: called with a case where the student's code is; it names what it needs of that code and imports the
            rest itself, and what it returns are plain values and tensors.
        judge: called with what came and the case; an AssertionError says what is wrong.
        seconds: of processor time that one answer may take, if there is a limit.
        reported: whether the verdict rests on how the student's process says it worked, such as a count of calls,
            rather than on values alone.
    """

    name: str
    cases: Callable[[Draw], Iterable[Case]]
    answer: Callable[..., object]
    judge: Callable[..., None]
    seconds: float | None = None
    reported: bool = False

    def drawn(self, seed: str) -> list[Case]:
        """Draw the cases."""
        return list(self.cases(Draw(f"{seed} {self.name}")))

    def verdict(self, case: Case, came: object, seconds: float) -> None:
        """Judge one answer.

        Args:
            case: as it was drawn.
            came: what the answer returned, unpacked.
            seconds: of processor time that it took.

        Raises:
            AssertionError: it is wrong; the message says in what, and nothing of the test.
        """
        try:
            with torch.enable_grad():  # in nbgrader's kernel, a student's code may have switched it off
                self.judge(came, **case)
        except AssertionError:
            raise
        except Exception:  # what came is of a kind that the test did not think of
            raise AssertionError(f"{self.name}: this cannot be judged: {_describe(came)}") from None
        if self.seconds is not None and seconds > self.seconds:
            raise AssertionError(f"{self.name}: too slow on a large batch. Is there a loop over the samples?")


def hidden_test(
    name: str,
    cases: Callable[[Draw], Iterable[Case]],
    answer: Callable[..., object],
    judge: Callable[..., None],
    seconds: float | None = None,
    reported: bool = False,
) -> None:
    """Run a test whole, as nbgrader does, in the student's kernel; see `HiddenTest` for the arguments.

    Raises:
        AssertionError: an answer is wrong.
        Exception: whatever the student's code raises.
    """
    test = HiddenTest(name, cases, answer, judge, seconds, reported)
    if (collection := _collection.get()) is not None:
        collection.append(test)
        return
    for case in test.drawn(os.environ.get("EE559_SEED", "0")):
        given: Any = unpack(pack(case))
        with contextlib.redirect_stderr(sys.stdout), warnings.catch_warnings():  # nbgrader takes stderr for an error
            warnings.simplefilter("ignore")
            start = time.process_time()
            came = answer(**given)
            taken = time.process_time() - start
        test.verdict(case, unpack(pack(came)), taken)


@contextlib.contextmanager
def collected() -> Iterator[list[HiddenTest]]:
    """Collect the tests that are declared in a with block, and run none of them."""
    collection: list[HiddenTest] = []
    token = _collection.set(collection)
    try:
        yield collection
    finally:
        _collection.reset(token)


_collection: ContextVar[list[HiddenTest] | None] = ContextVar("_collection", default=None)


def _describe(came: object) -> str:
    if isinstance(came, Tensor):
        return f"got a tensor of {came.dtype} with shape {tuple(came.shape)}"
    name = came.name if isinstance(came, Foreign) else type(came).__name__
    return f"got {'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
